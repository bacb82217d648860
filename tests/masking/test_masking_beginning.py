"""Plans that begin with the items, as soon as these are read, and end with the rest."""

from __future__ import annotations

import copy
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dynaguard.call import UNKNOWN_PRINCIPAL, StatementRef
from dynaguard.masking import MaskedRequest, MaskPlan, Masks, registry
from dynaguard.masking.cursors import CursorBinding, CursorSeals
from dynaguard.masking.locations import PLACES_BY_OPERATION
from dynaguard.masking.plans import BegunPlan
from dynaguard.masking.registry import register_strategy
from dynaguard.masking.strategies import REDACTED
from dynaguard.masking.tokens import TOKEN_PREFIX
from dynaguard.policy.model import MaskStatement, MaskStep, NamePattern

KEY = b"k" * 32
REQUEST = MaskedRequest({}, lambda: CursorBinding("eu-west-1", "", "t", "", "Query", "", ""))
MEMBER_BY_OPERATION = {
    "GetItem": "Item",
    "PutItem": "Attributes",
    "UpdateItem": "Attributes",
    "DeleteItem": "Attributes",
    "Query": "Items",
    "Scan": "Items",
    "ExecuteStatement": "Items",
}
LISTS = {"Query", "Scan", "ExecuteStatement"}
PATHS = (
    ("a",),
    ("b", "a"),
    ("b",),
    ("c", MaskStep.EACH, "a"),
    ("c", 0),
    (MaskStep.ANY_DEPTH, "a"),
    (MaskStep.ANY_DEPTH,),
    (NamePattern("?"), "b"),
)
STRATEGIES = ("redact", "partial", "hash", "tokenize", "custom:first")


@pytest.fixture(autouse=True)
def _custom_strategy() -> Iterator[None]:
    """A strategy of the program's own, which masks its own tokens otherwise."""
    register_strategy("first", lambda text: text[:1])
    yield
    registry._strategies.clear()


def masks(*statements: MaskStatement) -> Masks:
    """The masks, with seals of cursors."""
    return Masks(
        statements,
        key=KEY,
        patterns={"digits": "[0-9]{4,}"},
        seals=CursorSeals(key=None, max_age_s=600, clock_s=lambda: 0.0),
    )


def statement(path: Any, strategy: str, *detectors: str) -> MaskStatement:
    """A mask of one path."""
    return MaskStatement(StatementRef("m"), ("*",), (path,), strategy, detectors=detectors)


def make_plan(operation: str, *statements: MaskStatement) -> MaskPlan:
    """The plan of a call of table `t`."""
    plan = masks(*statements).plan_for("dynamodb", operation, ("t",), UNKNOWN_PRINCIPAL, {})
    assert isinstance(plan, MaskPlan)
    return plan


TEXTS = st.sampled_from(("", "x", "a@b.org", "call 12345678", REDACTED, "masked!dg1:first:x"))
LEAVES = (
    st.builds(lambda text: {"S": text}, TEXTS)
    | st.sampled_from(({"N": "1"}, {"B": b"\0"}, {"NULL": True}, {"BOOL": False}))
    | st.builds(lambda texts: {"SS": texts}, st.lists(TEXTS, max_size=2))
    | st.sampled_from(({"NS": ["1", "2"]}, {"BS": [b"a"]}))
)
NAMES = st.sampled_from(("a", "b", "c", "d"))
VALUES = st.recursive(
    LEAVES,
    lambda inner: (
        st.builds(lambda each: {"L": each}, st.lists(inner, max_size=3))
        | st.builds(lambda each: {"M": each}, st.dictionaries(NAMES, inner, max_size=3))
    ),
    max_leaves=6,
)
ITEMS = st.dictionaries(NAMES, VALUES, max_size=4)
STATEMENTS = st.builds(statement, st.sampled_from(PATHS), st.sampled_from(STRATEGIES)) | st.builds(
    lambda path: statement(path, "redact", "digits"), st.sampled_from(PATHS)
)
RESTS = st.sampled_from(
    (
        {},
        {"LastEvaluatedKey": {"a": {"S": "x"}}},
        {"ItemCollectionMetrics": {"ItemCollectionKey": {"a": {"S": "x"}}}},
    )
)


@given(
    operation=st.sampled_from(sorted(MEMBER_BY_OPERATION)),
    statements=st.lists(STATEMENTS, min_size=1, max_size=3),
    items=st.lists(ITEMS, max_size=3),
    rest=RESTS,
)
def test_begun_and_ended_is_as_at_once(
    operation: str, statements: list[MaskStatement], items: list[Any], rest: dict[str, Any]
) -> None:
    """Same answer, same counts, whatever is masked and how."""
    member = MEMBER_BY_OPERATION[operation]
    held = items if operation in LISTS else (items or [{}])[0]
    at_once = copy.deepcopy({member: held, **rest})
    parsed = copy.deepcopy({member: held, **rest})
    plan = make_plan(operation, *statements)

    counts = plan.apply(at_once, REQUEST)
    begun = plan.begin(member, parsed[member])
    assert begun is not None
    if begun.is_done(parsed):
        assert begun.counts == counts
    assert begun.apply(parsed, REQUEST) == counts

    # Tokens of `tokenize` differ from one masking to the next: what they hold has to be the same.
    assert same_but_for_tokens(parsed) == same_but_for_tokens(at_once)


def same_but_for_tokens(value: Any) -> Any:
    """The answer with a stand-in for what is encrypted anew each time."""
    if isinstance(value, dict):
        return {name: same_but_for_tokens(part) for name, part in value.items()}
    if isinstance(value, list):
        return [same_but_for_tokens(part) for part in value]
    return "token" if isinstance(value, str) and value.startswith(TOKEN_PREFIX) else value


@pytest.mark.parametrize("operation", sorted(MEMBER_BY_OPERATION))
def test_items_are_masked_at_the_beginning(operation: str) -> None:
    """Not only at the end; and every operation of one table begins so."""
    plan = make_plan(operation, statement(("a",), "redact"))
    item = {"a": {"S": "plain"}, "b": {"S": "kept"}}

    begun = plan.begin(MEMBER_BY_OPERATION[operation], [item] if operation in LISTS else item)

    assert begun is not None
    assert item == {"a": {"S": REDACTED}, "b": {"S": "kept"}}
    assert begun.counts == {"t": {("a", "redact", None): 1}}


@pytest.mark.parametrize(
    "operation",
    sorted({name for service, name in PLACES_BY_OPERATION} - MEMBER_BY_OPERATION.keys()),
)
def test_answers_that_may_be_put_together_do_not_begin(operation: str) -> None:
    """Batches and transactions are masked at the end, by table."""
    masks_of_all = masks(statement(("a",), "redact"))
    service = "dynamodbstreams" if operation == "GetRecords" else "dynamodb"
    plan = masks_of_all.plan_for(service, operation, ("t",), UNKNOWN_PRINCIPAL, {})
    responses = {"t": [{"a": {"S": "plain"}}]}

    assert isinstance(plan, MaskPlan)
    assert plan.begin("Responses", responses) is None
    assert plan.begin("Items", []) is None
    assert responses == {"t": [{"a": {"S": "plain"}}]}


def test_other_items_are_masked_as_a_whole() -> None:
    """A further attempt's, or those of a handler that put its own there, count alone."""
    plan = make_plan("GetItem", statement(("a",), "redact"))
    begun = plan.begin("Item", {"a": {"S": "first"}, "b": {"M": {}}})
    parsed = {"Item": {"a": {"S": "second"}}}

    assert begun is not None
    assert not begun.is_done(parsed)
    assert begun.apply(parsed, REQUEST) == {"t": {("a", "redact", None): 1}}
    assert parsed == {"Item": {"a": {"S": REDACTED}}}


def test_an_answer_of_odd_shape_is_left_to_the_plan() -> None:
    """As without a beginning."""
    begun = make_plan("GetItem", statement(("a",), "redact")).begin("Item", {})

    assert begun is not None
    assert begun.apply(None, REQUEST) == {}


@pytest.fixture
def failing(monkeypatch: pytest.MonkeyPatch) -> None:
    """Masks with a bug."""

    def fail(*_: Any) -> None:
        raise RuntimeError

    monkeypatch.setattr("dynaguard.masking.plans.mask_item", fail)
    monkeypatch.setattr("dynaguard.masking.plans.mask_items", fail)


@pytest.mark.usefixtures("failing")
@pytest.mark.parametrize("operation", sorted(MEMBER_BY_OPERATION))
def test_items_that_cannot_be_masked_are_gone_at_once(operation: str) -> None:
    """And the end raises what went wrong."""
    member = MEMBER_BY_OPERATION[operation]
    item: Any = {"a": {"S": "plain"}}
    parsed: dict[str, Any] = {member: [item] if operation in LISTS else item}

    begun = make_plan(operation, statement(("a",), "redact")).begin(member, parsed[member])

    assert begun is not None
    assert not parsed[member]
    assert not begun.is_done(parsed)
    with pytest.raises(RuntimeError):
        begun.apply(parsed, REQUEST)


@pytest.mark.usefixtures("failing")
def test_a_failure_of_an_answer_that_does_not_count_is_none(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The answer of a further attempt is masked by itself."""
    begun = make_plan("GetItem", statement(("a",), "redact")).begin("Item", {"a": {"S": "x"}})
    monkeypatch.undo()
    error = {"Error": {"Code": "Throttled", "Message": "slow down"}}

    assert begun is not None
    assert begun.apply(copy.deepcopy(error), REQUEST) == {"t": {}}


def test_a_begun_plan_shows_no_item() -> None:
    """In a traceback or a log."""
    begun = make_plan("GetItem", statement(("a",), "redact")).begin("Item", {"b": {"S": "CANARY"}})

    assert isinstance(begun, BegunPlan)
    assert "CANARY" not in repr(begun)
