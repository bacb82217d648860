"""Random answers of every operation with planted secrets, and the masks that must hide them.

Everything here is naive on purpose: which leaf a mask covers is found by walking its path step by
step, and nothing of the compiled masks is used.
"""

from __future__ import annotations

import base64
import copy
import fnmatch
import random
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

TABLES = ("orders", "customers")
NAMES = ("email", "profile", "cards", "note", "ssn", "addr_1", "addr_2", "a.b", "state")
CORE = "CANARY"
"""In every planted text; never within what `partial` shows of it."""

Path = tuple[Any, ...]


@dataclass(frozen=True)
class Rule:
    """A `[[mask]]` entry and its naive reading.

    Attributes:
        document: As the policy writes it.
        paths: Steps: a name, a position, `[*]`, `**`, or a pattern in a list of one.
        tables: Names of the tables that it masks.
        is_detecting: Whether it masks only what looks like an e-mail address.
    """

    document: dict[str, Any]
    paths: tuple[Path, ...]
    tables: tuple[str, ...]
    is_detecting: bool = False

    def covers(self, place: Path) -> bool:
        """Whether a leaf is on or below one of the paths."""
        return any(_covers(path, place) for path in self.paths)


def _covers(path: Path, place: Path) -> bool:
    if not path:
        return True
    if path[0] == "**":
        return _covers(path[1:], place) or (bool(place) and _covers(path, place[1:]))
    return bool(place) and _takes(path[0], place[0]) and _covers(path[1:], place[1:])


def _takes(step: Any, at: Any) -> bool:
    if isinstance(step, list):
        return isinstance(at, str) and fnmatch.fnmatchcase(at, step[0])
    if step == "[*]":
        return isinstance(at, int)
    return type(step) is type(at) and bool(step == at)


PATHS: tuple[tuple[Any, Path], ...] = (
    ("email", ("email",)),
    ("profile.ssn", ("profile", "ssn")),
    ("profile", ("profile",)),
    ("cards[*].ssn", ("cards", "[*]", "ssn")),
    ("cards[*]", ("cards", "[*]")),
    ("addr_*", (["addr_*"],)),
    ("profile.*", ("profile", ["*"])),
    ("**.email", ("**", "email")),
    ("**.cards[*].note", ("**", "cards", "[*]", "note")),
    ("**.addr_?", ("**", ["addr_?"])),
    (["a.b"], ("a.b",)),
    (["profile", "a.b"], ("profile", "a.b")),
)
STRATEGIES = ("redact", "partial", "hash", "tokenize")


def random_rules(rng: random.Random) -> list[Rule]:
    """One to four entries."""
    rules = []
    for number in range(rng.randint(1, 4)):
        table = rng.choice([*TABLES, "*"])
        tables = TABLES if table == "*" else (table,)
        document: dict[str, Any] = {
            "Sid": f"Mask{number}",
            "tables": [table],
            "with": rng.choice(STRATEGIES),
        }
        if rng.random() < 0.25:
            document["detect"] = ["email"]
            rules.append(Rule(document, (("**",),), tables, is_detecting=True))
            continue
        chosen = rng.sample(PATHS, rng.randint(1, 3))
        document["attributes"] = [written for written, _ in chosen]
        rules.append(Rule(document, tuple(steps for _, steps in chosen), tables))
    return rules


@dataclass
class Planting:
    """Makes items for some rules and remembers where it planted.

    Attributes:
        rng: The random source.
        covering: The rules that may act on the items.
        planted: Texts that were planted.
        may_end_anywhere: PartiQL names nested attributes by the end of their path.
    """

    rng: random.Random
    covering: list[Rule]
    planted: list[str]
    may_end_anywhere: bool = False

    def item(self) -> dict[str, Any]:
        """A random item in DynamoDB JSON, as AWS sends it (binary in base64)."""
        names = self.rng.sample(NAMES, self.rng.randint(1, 6))
        return {name: self._value((name,), 0) for name in names}

    def key(self) -> dict[str, Any]:
        """Scalars only, as keys are."""
        names = self.rng.sample(NAMES, 2)
        return {name: self._leaf((name,), ("S", "N", "B")) for name in names}

    def is_hidden(self, place: Path) -> bool:
        """Whether a mask of whole values covers a leaf."""
        return any(self._covers(rule, place) for rule in self.covering if not rule.is_detecting)

    def is_looked_into(self, place: Path) -> bool:
        """Whether a detecting mask covers it."""
        return any(rule.is_detecting for rule in self.covering)

    def _covers(self, rule: Rule, place: Path) -> bool:
        if not self.may_end_anywhere:
            return rule.covers(place)
        endings = [path[start:] for path in rule.paths for start in range(len(path))]
        return any(_covers(end, place) for end in endings if end[0] != "[*]")

    def _value(self, place: Path, depth: int) -> dict[str, Any]:
        roll = self.rng.random()
        if depth < 4 and roll < 0.25:
            names = self.rng.sample(NAMES, self.rng.randint(0, 4))
            return {"M": {name: self._value((*place, name), depth + 1) for name in names}}
        if depth < 4 and roll < 0.4:
            count = self.rng.randint(0, 3)
            return {"L": [self._value((*place, at), depth + 1) for at in range(count)]}
        return self._leaf(place, ("S", "S", "S", "N", "B", "BOOL", "NULL", "SS", "NS", "BS"))

    def _leaf(self, place: Path, kinds: tuple[str, ...]) -> dict[str, Any]:
        kind = self.rng.choice(kinds)
        if self.is_hidden(place):
            return self._secret(kind)
        if self.is_looked_into(place) and kind in {"S", "SS"} and self.rng.random() < 0.5:
            text = f"mail {self._text()}@canary.example.org today"
            return {kind: [text] if kind == "SS" else text}
        return {kind: _PLAIN[kind]()}

    def _secret(self, kind: str) -> dict[str, Any]:
        """A leaf whose value must not be seen."""
        if kind in {"BOOL", "NULL"}:
            return {kind: True}
        if kind in {"N", "NS"}:
            number = f"77{self.rng.randint(10**9, 10**10)}.12345678"
            self.planted.append(number[:11])
            return {kind: [number] if kind == "NS" else number}
        text = self._text() + "-with-a-tail"
        encoded = base64.b64encode(text.encode()).decode() if kind in {"B", "BS"} else text
        return {kind: [encoded] if kind in {"SS", "BS"} else encoded}

    def _text(self) -> str:
        text = f"{CORE}{self.rng.randint(0, 10**9)}"
        self.planted.append(text)
        self.planted.append(base64.b64encode(text.encode())[:12].decode())
        return text


_PLAIN: dict[str, Callable[[], Any]] = {
    "S": lambda: "plain text, nothing to see",
    "N": lambda: "12.5",
    "B": lambda: "cGxhaW4=",
    "BOOL": lambda: False,
    "NULL": lambda: True,
    "SS": lambda: ["plain", "texts"],
    "NS": lambda: ["1", "2.5"],
    "BS": lambda: ["cGxhaW4="],
}


@dataclass(frozen=True)
class Scenario:
    """One call and what AWS answers.

    Attributes:
        service: botocore's service name.
        method: The client's method.
        params: Its parameters.
        tables: The tables that it touches.
        answer: Makes status and body from a planting.
        is_partiql: Whether rows name attributes by the end of their path.
    """

    service: str
    method: str
    params: dict[str, Any]
    tables: tuple[str, ...]
    answer: Callable[[Planting], tuple[int, dict[str, Any]]]
    is_partiql: bool = False


KEY = {"id": {"S": "1"}}
ONE = {"TableName": "orders"}
_SELECT = 'SELECT * FROM "orders"'


def _ok(body: Callable[[Planting], dict[str, Any]]) -> Callable[[Planting], Any]:
    return lambda planting: (200, body(planting))


def _items(planting: Planting) -> list[dict[str, Any]]:
    return [planting.item() for _ in range(planting.rng.randint(0, 4))]


def _failed_condition(planting: Planting) -> tuple[int, dict[str, Any]]:
    item = planting.item()
    quoted = next(iter(_texts(item, planting)), "nothing")
    return 400, {
        "__type": "x#ConditionalCheckFailedException",
        "message": f"The conditional request failed, value `{quoted}`",
        "Item": item,
    }


def _cancelled(planting: Planting) -> tuple[int, dict[str, Any]]:
    item = planting.item()
    quoted = next(iter(_texts(item, planting)), "nothing")
    return 400, {
        "__type": "x#TransactionCanceledException",
        "Message": f"Transaction cancelled [{quoted}]",
        "CancellationReasons": [
            {"Code": "None"},
            {"Code": "ConditionalCheckFailed", "Message": f"no {quoted}", "Item": item},
        ],
    }


def _texts(item: dict[str, Any], planting: Planting) -> Iterator[str]:
    """The planted strings of an item's top level, as a message could quote them."""
    for value in item.values():
        text = value.get("S", "")
        if isinstance(text, str) and any(part in text for part in planting.planted):
            yield text


def _collection(planting: Planting) -> dict[str, Any]:
    return {"ItemCollectionKey": planting.key(), "SizeEstimateRangeGB": [0.0, 1.0]}


def _write_answer(planting: Planting) -> dict[str, Any]:
    return {"Attributes": planting.item(), "ItemCollectionMetrics": _collection(planting)}


def _page(planting: Planting) -> dict[str, Any]:
    return {"Items": _items(planting), "LastEvaluatedKey": planting.key(), "Count": 3}


def _statement_answers(planting: Planting) -> dict[str, Any]:
    item = planting.item()
    quoted = next(iter(_texts(item, planting)), "nothing")
    failed = {"Code": "DuplicateItem", "Message": f"Duplicate {quoted}", "Item": item}
    return {"Responses": [{"TableName": "orders", "Item": planting.item()}, {"Error": failed}]}


def _records(planting: Planting) -> dict[str, Any]:
    images = {"NewImage": planting.item(), "OldImage": planting.item()}
    change = {"Keys": planting.key(), **images}
    return {"Records": [{"eventName": "MODIFY", "dynamodb": change}]}


_BOTH = {"RequestItems": {table: {"Keys": [KEY]} for table in TABLES}}
_PUTS = {"RequestItems": {table: [{"PutRequest": {"Item": KEY}}] for table in TABLES}}
_GETS = {"TransactItems": [{"Get": {"TableName": table, "Key": KEY}} for table in TABLES]}
_TPUTS = {"TransactItems": [{"Put": {"TableName": table, "Item": KEY}} for table in TABLES]}
_SELECTS = [{"Statement": f'SELECT * FROM "{table}"'} for table in TABLES]  # noqa: S608
_UPDATE = {**ONE, "Key": KEY, "ReturnValues": "ALL_NEW"}
_ITEM = {**ONE, "Key": KEY}
_QUERY = {
    **ONE,
    "KeyConditionExpression": "id = :i",
    "ExpressionAttributeValues": {":i": {"S": "1"}},
}

SCENARIOS = (
    Scenario(
        "dynamodb", "get_item", {**ONE, "Key": KEY}, ("orders",), _ok(lambda p: {"Item": p.item()})
    ),
    Scenario("dynamodb", "put_item", {**ONE, "Item": KEY}, ("orders",), _ok(_write_answer)),
    Scenario("dynamodb", "put_item", {**ONE, "Item": KEY}, ("orders",), _failed_condition),
    Scenario("dynamodb", "update_item", _UPDATE, ("orders",), _ok(_write_answer)),
    Scenario("dynamodb", "delete_item", {**ONE, "Key": KEY}, ("orders",), _ok(_write_answer)),
    Scenario("dynamodb", "delete_item", {**ONE, "Key": KEY}, ("orders",), _failed_condition),
    Scenario("dynamodb", "query", _QUERY, ("orders",), _ok(_page)),
    Scenario("dynamodb", "scan", ONE, ("orders",), _ok(_page)),
    Scenario(
        "dynamodb",
        "batch_get_item",
        _BOTH,
        TABLES,
        _ok(lambda p: {"Responses": {"surprise": _items(p)}, "UnprocessedKeys": {}}),
    ),
    Scenario(
        "dynamodb",
        "batch_write_item",
        _PUTS,
        TABLES,
        _ok(lambda p: {"ItemCollectionMetrics": {"surprise": [_collection(p)]}}),
    ),
    Scenario(
        "dynamodb",
        "transact_get_items",
        _GETS,
        TABLES,
        _ok(lambda p: {"Responses": [{"Item": p.item()}, {}]}),
    ),
    Scenario("dynamodb", "transact_get_items", _GETS, TABLES, _cancelled),
    Scenario("dynamodb", "transact_write_items", _TPUTS, TABLES, _cancelled),
    Scenario(
        "dynamodb",
        "transact_write_items",
        _TPUTS,
        TABLES,
        _ok(lambda p: {"ItemCollectionMetrics": {"surprise": [_collection(p)]}}),
    ),
    Scenario(
        "dynamodb",
        "execute_statement",
        {"Statement": _SELECT},
        ("orders",),
        _ok(_page),
        is_partiql=True,
    ),
    Scenario(
        "dynamodb",
        "batch_execute_statement",
        {"Statements": _SELECTS},
        TABLES,
        _ok(_statement_answers),
        is_partiql=True,
    ),
    Scenario(
        "dynamodb",
        "execute_transaction",
        {"TransactStatements": _SELECTS},
        TABLES,
        _ok(lambda p: {"Responses": [{"Item": p.item()}, {"Item": p.item()}]}),
        is_partiql=True,
    ),
    Scenario(
        "dynamodbstreams",
        "get_records",
        {"ShardIterator": "arn:aws:dynamodb:eu-west-1:111122223333:table/orders/stream/2026|1|x"},
        ("orders",),
        _ok(_records),
    ),
    # An iterator that does not tell its table: the masks of every table act.
    Scenario("dynamodbstreams", "get_records", {"ShardIterator": "opaque"}, TABLES, _ok(_records)),
)


def find_differences(shown: Any, plain: Any, place: Path = ()) -> Iterator[tuple[Path, Any, Any]]:
    """Every leaf in which two answers differ, with its place in the answer."""
    if isinstance(shown, dict) and isinstance(plain, dict) and shown.keys() == plain.keys():
        for name in plain:
            yield from find_differences(shown[name], plain[name], (*place, name))
    elif isinstance(shown, list) and isinstance(plain, list) and len(shown) == len(plain):
        for at, (one, other) in enumerate(zip(shown, plain, strict=True)):
            yield from find_differences(one, other, (*place, at))
    elif shown != plain or type(shown) is not type(plain):
        yield place, shown, plain


def copy_of(value: Any) -> Any:
    """A deep copy."""
    return copy.deepcopy(value)
