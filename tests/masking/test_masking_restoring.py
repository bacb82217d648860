"""Where the tokens of a request open: at what their mask names, and nowhere else."""

from __future__ import annotations

import copy
from typing import Any

import pytest

from dynaguard.call import Principal, StatementRef
from dynaguard.masking import Masks
from dynaguard.masking.restoring import restore_item
from dynaguard.masking.tokens import Tokenizer
from dynaguard.masking.walk import Sink, mask_item
from dynaguard.policy.mask_paths import read_mask_path
from dynaguard.policy.model import MaskStatement, PrincipalPattern

KEY = b"k" * 32
TOKENIZER = Tokenizer(KEY)
WRITER = Principal(name="w", groups=frozenset({"writers"}))
PATHS = ("email", "profile.ssn", "cards[*].number", "log[0]", "nested")
PLAIN = "ada@example.org"


def statement(sid: str, *paths: str, **more: Any) -> MaskStatement:
    """A mask that tokenizes and trusts the writers."""
    trusted = (PrincipalPattern("group", "writers"),)
    steps = tuple(read_mask_path(path) for path in paths)
    return MaskStatement(StatementRef(sid), ("t",), steps, "tokenize", unseal=trusted, **more)


MASKS = Masks((statement("Customers", *PATHS), statement("Notes", "note")), key=KEY)
PATTERNS = {"badge": r"\bB-[0-9]+", "pin": "^[0-9]{4}$", "host": "example[.]org"}
FOUND = Masks(
    (statement("Found", detectors=("email", "payment-card", *PATTERNS)),),
    key=KEY,
    patterns=PATTERNS,
)


def sealed(kind: Any = "S", *elements: Any, mask: str = "Customers") -> str:
    """A token of a value."""
    return TOKENIZER.make(kind, elements or (PLAIN,), mask=mask)


def opened(params: dict[str, Any], masks: Masks = MASKS) -> Any:
    """The parameters as a writer's call sends them; the caller's own stay as they are."""
    before = copy.deepcopy(params)
    restored = masks.restored(params, ("t",), WRITER)
    assert params == before
    return restored


def filled(value: Any, text: str) -> Any:
    """A copy with `TOKEN` replaced everywhere."""
    if isinstance(value, dict):
        return {name: filled(part, text) for name, part in value.items()}
    if isinstance(value, (list, tuple)):
        return [filled(part, text) for part in value]
    return value.replace("TOKEN", text) if isinstance(value, str) else value


TOKEN = {"S": "TOKEN"}
VALUES = {":t": TOKEN, ":o": {"S": "other"}}


def update(expression: str, **more: Any) -> dict[str, Any]:
    """An update that gives a token."""
    return {"UpdateExpression": expression, "ExpressionAttributeValues": VALUES, **more}


NAMED = [
    {"Item": {"email": TOKEN, "other": {"S": "x"}}},
    {"Key": {"email": TOKEN}},
    {"Item": {"email": {"S": "write to TOKEN, please"}}},
    {"Item": {"email": {"SS": ["TOKEN", "mail TOKEN", "other"]}}},
    {"Item": {"profile": {"M": {"ssn": TOKEN, "name": {"S": "x"}}}}},
    {"Item": {"cards": {"L": [{"M": {"number": TOKEN}}, {"NULL": True}]}}},
    {"Item": {"nested": {"M": {"a": {"L": [TOKEN]}}}}},
    {"Item": {"log": {"L": [TOKEN, {"S": "x"}]}}},
    {"RequestItems": {"Item": [{"PutRequest": {"Item": {"email": TOKEN}}}]}},
    {"RequestItems": {"t": [{"DeleteRequest": {"Key": {"email": TOKEN}}}]}},
    {"RequestItems": {"t": {"Keys": [{"email": TOKEN}]}}},
    {"TransactItems": [{"Put": {"Item": {"email": TOKEN}}}, {"Delete": {"Key": {"id": {}}}}]},
    {"TransactItems": [{"Update": update("SET email = :t")}]},
    update("SET email = :t, x = :o"),
    update("SET #e = :t", ExpressionAttributeNames={"#e": "email"}),
    update("SET x = :o, profile.ssn = :t REMOVE y"),
    update("SET cards[3].number = :t"),
    update("SET nested = list_append(nested, :t)"),
    update("SET email = if_not_exists(email, :t)"),
    update("ADD email :t"),
    update("SET x = (x + :o), email = :t", ConditionExpression="email = :t"),
    {"KeyConditionExpression": "id = :o AND email = :t", "ExpressionAttributeValues": VALUES},
    {
        "FilterExpression": "x = :o OR NOT (email BETWEEN :t AND :t) AND email IN (:t, :o2)",
        "ExpressionAttributeValues": {**VALUES, ":o2": {"S": "x"}},
    },
    {
        "ConditionExpression": "begins_with(email, :t)",
        "ExpressionAttributeValues": VALUES,
    },
    {"Expected": {"email": {"Value": TOKEN}, "x": {"Exists": False}}},
    {"AttributeUpdates": {"email": {"Value": TOKEN, "Action": "PUT"}}},
    {"KeyConditions": {"email": {"AttributeValueList": [TOKEN], "ComparisonOperator": "EQ"}}},
    {"Statement": "INSERT INTO t VALUE {'id': ?, 'email': ?}", "Parameters": [{"S": "x"}, TOKEN]},
    {"Statement": "INSERT INTO t VALUE ?", "Parameters": [{"M": {"email": TOKEN}}]},
    {
        "Statements": [
            {"Statement": "INSERT INTO t VALUE {'email': ?, 'b': 'c'}", "Parameters": [TOKEN]}
        ]
    },
]


@pytest.mark.parametrize("params", NAMED)
def test_a_token_opens_at_what_its_mask_names(params: Any) -> None:
    """in items, keys, expression values, batches, transactions, legacy members and inserts."""
    assert opened(filled(params, sealed())) == filled(params, PLAIN)


ELSEWHERE = [
    {"Item": {"note": TOKEN}},
    {"Item": {"other": {"SS": ["TOKEN"]}}},
    {"Item": {"other": {"S": "see TOKEN"}}},
    {"Item": {"profile": {"M": {"name": TOKEN}}}},
    {"Item": {"profile": TOKEN}},
    {"Item": {"cards": {"L": [TOKEN]}}},
    {"Item": {"log": {"L": [{"S": "x"}, TOKEN]}}},
    {"Item": {"TOKEN": {"S": "a name"}}},
    {"Item": {"email": {"BS": ["TOKEN"]}}},
    {"ExclusiveStartKey": {"email": TOKEN}},
    {"RequestItems": {"t": [{"PutRequest": {"Item": {"note": TOKEN}}}]}},
    update("SET note = :t"),
    update("SET email = :t, note = :t"),
    update("SET note = :t", ConditionExpression="email = :t"),
    update("SET note = if_not_exists(email, :t)"),
    update("SET log = list_append(:t, log)"),
    update("SET #e = :t"),
    update("SET email = "),
    {"ExpressionAttributeValues": {":t": TOKEN}},
    {"ConditionExpression": "size(email) = :t", "ExpressionAttributeValues": VALUES},
    {"ConditionExpression": ":t = :o", "ExpressionAttributeValues": VALUES},
    {"ConditionExpression": "note = :t AND email = :o", "ExpressionAttributeValues": VALUES},
    {"Expected": {"note": {"Value": TOKEN}}},
    {"Statement": "UPDATE t SET email = ? WHERE id = 'x'", "Parameters": [TOKEN]},
    {"Statement": "INSERT INTO t VALUE {'note': ?}", "Parameters": [TOKEN]},
    {"Statement": "INSERT INTO t VALUE ?", "Parameters": [{"M": {"note": TOKEN}}]},
    {"Statement": "INSERT INTO t VALUE {'a': ?}, ?", "Parameters": []},
    {"Statement": "no statement", "Parameters": [TOKEN]},
    {"Parameters": [TOKEN]},
]


@pytest.mark.parametrize("params", ELSEWHERE)
def test_a_token_opens_nowhere_else(params: Any) -> None:
    """whoever may write what he cannot see must not carry it to where he can."""
    given = filled(params, sealed())

    assert opened(given) is given


def test_a_list_that_is_joined_to_another_has_positions_of_its_own() -> None:
    """the first element of what is appended is not the first of the list."""
    expression = "SET log = list_append(log, :t), email = :e"
    token = sealed()
    values = {":t": {"L": [{"S": token}]}, ":e": {"S": token}}

    found = opened({"UpdateExpression": expression, "ExpressionAttributeValues": values})

    assert found["ExpressionAttributeValues"] == {**values, ":e": {"S": PLAIN}}


def test_a_token_of_another_mask_does_not_open() -> None:
    """although that mask names the attribute."""
    given = {"Item": {"email": {"S": sealed(mask="Notes")}, "note": {"S": sealed()}}}

    assert opened(given) is given
    assert opened({"Item": {"note": {"S": sealed(mask="Notes")}}}) == {
        "Item": {"note": {"S": PLAIN}}
    }


@pytest.mark.parametrize("odd", [None, "x", [None], {"email": None}, {"email": {"S": 1}}])
@pytest.mark.parametrize(
    "member",
    [
        "Item",
        "RequestItems",
        "TransactItems",
        "Expected",
        "ExpressionAttributeValues",
        "Parameters",
        "Statement",
    ],
)
def test_odd_parameters_stay_as_they_are(member: str, odd: Any) -> None:
    """botocore refuses them in its own words."""
    given = {member: odd, "ExpressionAttributeNames": odd}

    assert opened(given) is given


# --- what detectors found ------------------------------------------------------------------------


@pytest.mark.parametrize(
    "value",
    [
        {"S": f"mail {PLAIN}, bob@example.org!"},
        {"S": PLAIN},
        {"SS": [PLAIN, "b"]},
        {"SS": [f"a {PLAIN}", "zz"]},
        {"SS": [f"a\0{PLAIN}"]},
        {"N": "4111111111111111"},
        {"NS": ["4111111111111111", "1"]},
        {"NS": ["1234"]},
        {"S": "badge B-17 and 4111 1111 1111 1111,4111111111111111"},
    ],
)
def test_what_was_found_comes_back_as_it_was(value: dict[str, Any]) -> None:
    """to a writer, and to a holder of the key; in texts, in numbers and in elements of sets."""
    tree = FOUND.tree_for("t", Principal())
    assert tree is not None
    sink = Sink()
    masked: Any = mask_item({"v": copy.deepcopy(value)}, tree, sink)
    sink.finish()
    assert masked != {"v": value}

    assert opened({"Item": masked}, FOUND) == {"Item": {"v": value}}
    assert restore_item(masked, TOKENIZER) == {"v": value}


@pytest.mark.parametrize(
    ("kind", "plain", "value"),
    [
        ("S", "4111111111111111", {"S": "XTOKEN"}),
        ("S", "4111111111111111", {"SS": ["TOKENX"]}),
        ("S", "B-17", {"S": "XTOKEN"}),
        ("S", "ada", {"S": "bob@example.org TOKEN"}),
        ("S", "", {"S": "TOKEN"}),
        ("S", "x", {"S": "TOKEN\0"}),
        ("N", "17", {"S": "TOKEN"}),
        ("B", b"4111111111111111", {"S": "TOKEN"}),
    ],
)
def test_a_value_opens_only_where_its_mask_finds_it_again(
    kind: str, plain: str | bytes, value: Any
) -> None:
    """a letter in front of a card number would show it to the next reader."""
    given = {"Item": {"v": filled(value, sealed(kind, plain, mask="Found"))}}

    assert opened(given, FOUND) is given


def test_a_holder_of_the_key_opens_every_token() -> None:
    """of any mask, anywhere in an item; tokens under another key stay."""
    foreign = Tokenizer(b"x" * 32).make("S", ("x",), mask="Customers")
    item = {
        "a": {"S": f"{sealed(mask='m')} {foreign}"},
        "b": {"L": [{"M": {"c": {"SS": [sealed("NS", "1", "2")]}}}]},
        "d": {"SS": [1, sealed()]},
    }

    assert restore_item(item, TOKENIZER) == {
        "a": {"S": f"{PLAIN} {foreign}"},
        "b": {"L": [{"M": {"c": {"NS": ["1", "2"]}}}]},
        "d": {"SS": [1, PLAIN]},
    }
