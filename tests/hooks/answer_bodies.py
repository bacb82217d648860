"""Bodies of answers, made from botocore's own model of an operation, and what may spoil them."""

from __future__ import annotations

import base64
import copy
import json
from collections.abc import Iterator
from random import Random
from typing import Any, Final

TEXTS: Final = ("", "a", "ä", "\U0001f600", "x" * 33, "\ud800", "S", "N", "null", '"', "\\")
NAMES: Final = ("a", "b", "email", "profile", "S", "N", "M", "L", "B", "Item", "__type", "é", "")
BASE64: Final = ("", "AA==", "AAEC/w==", "AB==", " AA==", "A\nA==", "AA==AA==")
"""Some of it not canonical: two texts of one value, white space, what stands behind the end."""
BROKEN_BASE64: Final = ("A", "AA=", "ä")
LEAVES: Final = ("S", "N", "B", "SS", "NS", "BS", "NULL", "BOOL")
MAX_DEPTH: Final = 4
_MISSING: Final = object()

ODD: Final[tuple[Any, ...]] = (
    *(None, None, None, {}, [], 1, 0, 1.5, True, False, "x", "S", "N", "", [None], ["S"]),
    *(10**400, float("nan"), float("inf"), -float("inf")),
    *(
        {"S": None},
        {"S": 1},
        {"S": True},
        {"S": ["S"]},
        {"X": "y"},
        {"S": "a", "N": "1"},
        {"N": "1", "S": "a"},
    ),
    *({"S": "a", "X": None}, {"__type": "x", "S": "a"}, {"NULL": None}, {"NULL": "x"}),
    *({"N": None}, {"BOOL": None}, {"SS": None}, {"NS": "1"}, {"BS": None}, {"NULL": None}),
    *({"M": None}, {"M": []}, {"M": [{"S": "a"}]}, {"M": {"a": None}}, {"BOOL": 1}, {"B": None}),
    *({"L": None}, {"L": [None]}, {"L": {"S": "a"}}, {"L": "S"}, {"SS": "ab"}, {"SS": [1]}),
    *({"NS": {"a": 1}}, {"BS": "AA=="}, {"BS": {"AA==": 1}}, {"BS": [None]}),
    *({"B": broken} for broken in BROKEN_BASE64),
)
"""What no service should answer; each stands in the place of something sound."""


def attribute_value(random: Random, depth: int = 0) -> dict[str, Any]:
    """A sound attribute value in JSON, of any type."""
    kind = random.choice(LEAVES if depth >= MAX_DEPTH else (*LEAVES, "M", "L"))
    count = random.randrange(3)
    if kind in {"M", "L"}:
        inner = [attribute_value(random, depth + 1) for _ in range(count)]
        return {kind: inner if kind == "L" else {random.choice(NAMES): each for each in inner}}
    makers = {
        "S": lambda: random.choice(TEXTS),
        "N": lambda: random.choice(("1", "-1.5E-7", "9" * 38)),
        "B": lambda: binary(random),
        "SS": lambda: [random.choice(TEXTS) for _ in range(count)],
        "NS": lambda: ["1"] * count,
        "BS": lambda: [binary(random) for _ in range(count)],
    }
    return {kind: makers.get(kind, lambda: random.random() < 0.5)()}


def binary(random: Random) -> str:
    """Base64 that can be read."""
    if random.random() < 0.3:
        return random.choice(BASE64)
    return base64.b64encode(random.randbytes(random.randrange(6))).decode()


def answer(shape: Any, random: Random) -> Any:
    """What a service may answer in a shape of its model; some members left out."""
    if shape.name == "AttributeValue":
        return attribute_value(random)
    kind = shape.type_name
    if kind == "structure":
        return {
            name: answer(inner, random)
            for name, inner in shape.members.items()
            if random.random() < 0.6
        }
    several = range(random.randrange(4))
    if kind == "list":
        return [answer(shape.member, random) for _ in several]
    if kind == "map":
        return {random.choice(NAMES): answer(shape.value, random) for _ in several}
    return {
        "integer": random.choice((0, 25, 10**20)),
        "long": random.choice((0, 25)),
        "double": random.choice((0.5, 1, 1e300, 5e-324)),
        "boolean": True,
        "timestamp": 1_700_000_000.123,
    }.get(kind, random.choice(("x", "INDEXES", "ä")))


def spoiled(value: Any, random: Random) -> Any:
    """The answer with one odd value in the place of a part, beside it, or with a part missing."""
    paths = [path for path in _paths(value) if path]
    if not paths:
        return value
    *way, last = random.choice(paths)
    holder = value
    for step in way:
        holder = holder[step]
    choice = random.random()
    if choice < 0.5:
        holder[last] = copy.deepcopy(random.choice(ODD))
    elif isinstance(holder, dict) and choice < 0.75:
        name = random.choice(("UnheardOf", "X", "S", "Item", "TableName", "Error", "Message"))
        holder[name] = copy.deepcopy(random.choice(ODD))
    elif isinstance(holder, dict):
        del holder[last]
    return value


def every_spoiled(value: Any) -> Iterator[Any]:
    """The answer with each odd value in the place of each part, or beside it; each part gone."""
    for *way, last in filter(None, _paths(value)):
        for odd in (_MISSING, *ODD):
            changed = copy.deepcopy(value)
            holder = changed
            for step in way:
                holder = holder[step]
            if odd is _MISSING:
                del holder[last]
            else:
                holder[last] = odd
            yield changed
            if isinstance(holder, dict) and odd is not _MISSING:
                holder[last], holder["UnheardOf"] = value_at(value, (*way, last)), odd
                yield changed


def value_at(value: Any, path: tuple[Any, ...]) -> Any:
    """The part at a place."""
    for step in path:
        value = value[step]
    return value


def _paths(value: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """The place of every part."""
    yield path
    parts = value.items() if isinstance(value, dict) else ()
    for step, part in enumerate(value) if isinstance(value, list) else parts:
        yield from _paths(part, (*path, step))


def body(value: Any, random: Random) -> bytes:
    """The answer as bytes: escaped or not, indented or not, now and then damaged."""
    text = json.dumps(value, ensure_ascii=random.random() < 0.5, indent=random.choice((None, 1)))
    choice = random.random()
    if choice < 0.04:
        text = text.replace('{"S"', '{"S":"twice","S"', 1)
    elif choice < 0.08:
        text = text.replace('"Item', '"Item":{"a":{"S":"b"}},"Items":null,"Item', 1)
    elif choice < 0.1:
        text = random.choice(("\ufeff", " \n", "x")) + text
    elif choice < 0.14:
        text += random.choice((" ", "\n", " x", "{}", "\0"))
    data = text.encode("utf-8", "surrogatepass")  # half a pair is no UTF-8
    if random.random() < 0.03:
        data = data.replace(b"a", b"\xff", 1)
    return data[: random.randrange(len(data) + 1)] if random.random() < 0.02 else data
