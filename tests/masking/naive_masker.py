"""A naive masker that copies, the reference of the compiled walk, and random items and paths."""

from __future__ import annotations

import copy
import fnmatch
from collections import defaultdict
from typing import Any

from hypothesis import strategies as st

from dynaguard.call import StatementRef
from dynaguard.masking.detectors import detection_of
from dynaguard.masking.paths import MaskedPath, label_of
from dynaguard.masking.strategies import REDACTED, strategy_of
from dynaguard.masking.tree import compile_tree
from dynaguard.masking.walk import Sink, mask_items
from dynaguard.policy.model import MaskStatement, MaskStep, NamePattern, PathStep

KEY = b"k" * 32
SECRET = "s3cr3t"
EACH, ANY_DEPTH = MaskStep.EACH, MaskStep.ANY_DEPTH
Steps = tuple[PathStep, ...]
Place = tuple[str | int, ...]


def path(
    steps: Steps, kind: str = "redact", position: int = 0, detectors: tuple[str, ...] = ()
) -> MaskedPath:
    """A path of a mask of that kind."""
    statement = MaskStatement(StatementRef("m"), ("*",), (steps,), kind, detectors=detectors)
    strategy = strategy_of(statement, KEY)
    detection = detection_of(statement, strategy, {"digits": "[0-9]{4,}"})
    return MaskedPath(steps, strategy, label_of(steps), position, detection)


def run(items: list[Any], *paths: MaskedPath) -> dict[str, int]:
    """Masks items in place; gives counts by label."""
    sink = Sink()
    mask_items(items, compile_tree(paths), sink)
    sink.finish()
    return by_label(sink.counts)


def by_label(counts: Any) -> dict[str, int]:
    """Counts by the path alone."""
    found: defaultdict[str, int] = defaultdict(int)
    for (label, _, _), count in counts.items():
        found[label] += count
    return dict(found)


# --- the naive reference ------------------------------------------------------------------------


def naive_value(value: dict[str, Any], place: Place, paths: list[MaskedPath], counts: Any) -> Any:
    """The value at `place`, copied and masked by comparing every path at every leaf."""
    ((kind, payload),) = value.items()
    if kind == "M":
        return {"M": {k: naive_value(v, (*place, k), paths, counts) for k, v in payload.items()}}
    if kind == "L":
        return {"L": [naive_value(v, (*place, n), paths, counts) for n, v in enumerate(payload)]}
    covering = sorted((p for p in paths if covers(p.steps, place)), key=lambda p: p.rank)
    wholes = [p for p in covering if p.detection is None]
    lookers = [p for p in covering if p.detection is not None]
    if kind == "NULL" or not covering:
        return copy.deepcopy(value)
    if wholes:
        stricter = [p for p in lookers if p.strategy.strictness < wholes[0].strategy.strictness]
        best = next((p for p in stricter if naive_finds(kind, payload, p)), wholes[0])
        counts[best.label] += 1
        return naive_leaf(kind, payload, best)
    return naive_look(value, kind, payload, lookers, counts)


def naive_texts(kind: str, payload: Any) -> list[str]:
    """What detectors look into."""
    return {"S": [payload], "N": [payload], "SS": payload, "NS": payload}.get(kind, [])


def naive_finds(kind: str, payload: Any, p: MaskedPath) -> bool:
    """Whether a detection finds something in a leaf."""
    assert p.detection is not None
    return any(p.detection.find(text, [text]) for text in naive_texts(kind, payload))


def naive_look(
    value: dict[str, Any], kind: str, payload: Any, lookers: list[MaskedPath], counts: Any
) -> dict[str, Any]:
    """A leaf in which only parts are masked: text by text, the strictest path's hits."""
    hitting = [p for p in lookers if naive_finds(kind, payload, p)]
    if not hitting:
        return copy.deepcopy(value)
    if kind in {"N", "NS"}:
        counts[hitting[0].label] += 1
        return naive_leaf(kind, payload, hitting[0])
    texts = [naive_rewrite(text, hitting, counts) for text in naive_texts(kind, payload)]
    return {"S": texts[0]} if kind == "S" else {"SS": list(dict.fromkeys(texts))}


def naive_rewrite(text: str, lookers: list[MaskedPath], counts: Any) -> str:
    """A text with what is found in it masked, for detections whose hits do not overlap."""
    hits = []
    for p in lookers:
        assert p.detection is not None
        hits += [(start, end, p) for start, end, _ in p.detection.find(text, [text])]
    for start, end, p in sorted(hits, key=lambda hit: hit[:2], reverse=True):
        counts[p.label] += 1
        text = text[:start] + p.strategy.mask_text(text[start:end]) + text[end:]
    return text


def naive_leaf(kind: str, payload: Any, best: MaskedPath) -> dict[str, Any]:
    """The token or tokens of a leaf."""
    tokens = {
        "S": lambda: {"S": best.strategy.mask_text(payload)},
        "N": lambda: {"S": best.strategy.mask_text(payload)},
        "B": lambda: {"S": best.strategy.mask_bytes(payload)},
        "BOOL": lambda: {"S": REDACTED},
        "SS": lambda: {"SS": list(dict.fromkeys(best.strategy.mask_text(v) for v in payload))},
        "NS": lambda: {"SS": [best.strategy.mask_set(payload)]},
        "BS": lambda: {"SS": [best.strategy.mask_set(payload)]},
    }
    return tokens[kind]()


def covers(steps: Steps, place: Place) -> bool:
    """Whether a path names a place or something around it, step by step."""
    if not steps:
        return True
    if steps[0] is ANY_DEPTH:
        return covers(steps[1:], place) or (bool(place) and covers(steps, place[1:]))
    return bool(place) and takes(steps[0], place[0]) and covers(steps[1:], place[1:])


def takes(step: PathStep, at: str | int) -> bool:
    """Whether one step takes one name or position."""
    if isinstance(step, NamePattern):
        return isinstance(at, str) and fnmatch.fnmatchcase(at, step.text)
    if step is EACH:
        return isinstance(at, int)
    return type(step) is type(at) and step == at


def naive_item(item: dict[str, Any], paths: list[MaskedPath], counts: Any) -> dict[str, Any]:
    """A copy of the item, masked."""
    return {name: naive_value(value, (name,), paths, counts) for name, value in item.items()}


# --- random items and paths ---------------------------------------------------------------------

NAMES = st.sampled_from(["a", "b", "ab", "*"])
TEXTS = st.sampled_from(
    ["", "x", SECRET, "anna@example.org", "4111111111111111", "to 4111111111111111 now"]
) | st.text(max_size=6)
NUMBERS = st.sampled_from(["0", "-1.5", "123456789", "1E+20"])
BYTES = st.binary(max_size=4)
LEAVES = st.one_of(
    st.builds(lambda v: {"S": v}, TEXTS),
    st.builds(lambda v: {"N": v}, NUMBERS),
    st.builds(lambda v: {"B": v}, BYTES),
    st.builds(lambda v: {"BOOL": v}, st.booleans()),
    st.just({"NULL": True}),
    st.builds(lambda v: {"SS": v}, st.lists(TEXTS, min_size=1, max_size=3, unique=True)),
    st.builds(lambda v: {"NS": v}, st.lists(NUMBERS, min_size=1, max_size=3, unique=True)),
    st.builds(lambda v: {"BS": v}, st.lists(BYTES, min_size=1, max_size=3, unique=True)),
)
VALUES = st.recursive(
    LEAVES,
    lambda inner: st.one_of(
        st.builds(lambda v: {"M": v}, st.dictionaries(NAMES, inner, max_size=3)),
        st.builds(lambda v: {"L": v}, st.lists(inner, max_size=3)),
    ),
    max_leaves=12,
)
ITEMS = st.dictionaries(NAMES, VALUES, max_size=3)
NAME_STEPS = NAMES | st.sampled_from([NamePattern("a*"), NamePattern("?"), ANY_DEPTH])
STEPS = st.tuples(
    NAME_STEPS,
    st.lists(NAME_STEPS | st.just(EACH) | st.integers(0, 2), max_size=3).map(tuple),
).map(lambda parts: (parts[0], *parts[1]))
KINDS = st.sampled_from(["redact", "hash", "partial"])
PATHS = st.lists(st.tuples(STEPS, KINDS), min_size=1, max_size=5).map(
    lambda found: [path(steps, kind, n) for n, (steps, kind) in enumerate(found)]
)
# One detection alone: what overlapping hits of several become, the tests of detections tell.
PATHS_WITH_DETECTION = st.tuples(
    PATHS, STEPS, KINDS, st.sampled_from([("digits",), ("email", "payment-card")])
).map(lambda found: [*found[0][:3], path(found[1], found[2], 9, found[3])])
