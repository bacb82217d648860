"""Plans: which masks act on which answer, and where in it."""

from __future__ import annotations

import copy
from dataclasses import replace
from typing import Any

import pytest

from dynaguard import masking
from dynaguard.call import (
    UNKNOWN_CHAR,
    UNKNOWN_PRINCIPAL,
    UNKNOWN_RUN,
    Principal,
    StatementRef,
)
from dynaguard.masking import Masks
from dynaguard.masking.cursors import CursorBinding
from dynaguard.masking.locations import PLACES_BY_OPERATION
from dynaguard.masking.masks import MAX_PLANS
from dynaguard.masking.plans import MaskedRequest, MaskPlan
from dynaguard.masking.strategies import REDACTED
from dynaguard.policy.model import MaskStatement, MaskStep, NamePattern, PrincipalPattern

CUSTOMERS = MaskStatement(StatementRef("c"), ("*-customers",), (("email",),))
ORDERS = MaskStatement(StatementRef("o"), ("dev-orders", "x-?rders"), (("card",),))
LEADS = PrincipalPattern("group", "leads")
LEAD = Principal(groups=frozenset({"leads"}))
ITEM = {"pk": {"S": "1"}, "email": {"S": "a@b.org"}, "card": {"S": "4111"}}
NO_EMAIL = {**ITEM, "email": {"S": REDACTED}}
NO_CARD = {**ITEM, "card": {"S": REDACTED}}
NEITHER = {**NO_EMAIL, "card": {"S": REDACTED}}
BOTH_TABLES = ("dev-customers", "dev-orders")


def make_plan(operation: str, *tables: str, service: str = "dynamodb") -> MaskPlan:
    """The plan of a call for an identity that is not known."""
    plan = Masks((CUSTOMERS, ORDERS), key=None).plan_for(
        service, operation, tables, UNKNOWN_PRINCIPAL
    )
    assert isinstance(plan, MaskPlan)
    return plan


REQUEST = MaskedRequest({}, lambda: CursorBinding("eu-west-1", "", "", "", "", "", ""))


def apply(plan: Any, parsed: Any) -> dict[str, int]:
    """Masks an answer; gives counts by attribute."""
    found: dict[str, int] = {}
    for counts in plan.apply(parsed, REQUEST).values():
        for (attribute, _, _), count in counts.items():
            found[attribute] = found.get(attribute, 0) + count
    return found


def item() -> dict[str, Any]:
    """A fresh item."""
    return copy.deepcopy(ITEM)


def build(place: tuple[str, ...], leaf: Any) -> Any:
    """An answer that holds `leaf` at a place."""
    for step in reversed(place):
        leaf = [leaf] if step == "[]" else {"dev-customers" if step == "{}" else step: leaf}
    return leaf


EVERY_PLACE = [
    (service, operation, place)
    for (service, operation), places in PLACES_BY_OPERATION.items()
    for place in places
]


@pytest.mark.parametrize(("service", "operation", "place"), EVERY_PLACE)
def test_items_are_masked_wherever_an_answer_holds_them(
    service: str, operation: str, place: tuple[str, ...]
) -> None:
    """masks the item at every place of the table, and nothing beside it."""
    parsed = {"ResponseMetadata": {"HTTPStatusCode": 200}, **build(place, item())}

    counts = apply(make_plan(operation, "dev-customers", service=service), parsed)

    assert parsed == {
        "ResponseMetadata": {"HTTPStatusCode": 200},
        **build(place, NO_EMAIL),
    }
    assert counts == {"email": 1}


@pytest.mark.parametrize(("service", "operation", "place"), EVERY_PLACE)
@pytest.mark.parametrize("odd", ["secret", 5, None, [], {}, ["secret"], [None], {5: "secret"}])
def test_an_answer_of_odd_shape_shows_nothing_and_does_not_fail(
    service: str, operation: str, place: tuple[str, ...], odd: object
) -> None:
    """withholds whatever stands where items should, but members that it does not know."""
    for depth in range(1, len(place) + 1):
        parsed = build(place[:depth], copy.deepcopy(odd))

        apply(make_plan(operation, "dev-customers", service=service), parsed)

        assert "'secret'" not in repr(parsed).replace("{5: 'secret'}", "")


def test_an_answer_that_is_no_mapping_is_left_alone() -> None:
    """returns no counts for an answer that holds no members."""
    odd: Any = None

    assert apply(make_plan("GetItem", "dev-customers"), odd) == {}


def test_items_given_as_a_tuple_are_masked() -> None:
    """masks what a stubbed answer gives as a tuple."""
    parsed: dict[str, Any] = {"Items": (item(), item())}

    apply(make_plan("Query", "dev-customers"), parsed)

    assert parsed == {"Items": [NO_EMAIL, NO_EMAIL]}


@pytest.mark.parametrize(
    ("operation", "member"),
    [
        ("Query", "LastEvaluatedKey"),
        ("Scan", "LastEvaluatedKey"),
        ("BatchGetItem", "UnprocessedKeys"),
        ("BatchWriteItem", "UnprocessedItems"),
    ],
)
def test_what_goes_back_to_aws_is_not_masked(operation: str, member: str) -> None:
    """leaves pagination keys and unprocessed members as they are."""
    parsed: dict[str, Any] = {member: {"email": {"S": "a@b.org"}, "dev-customers": [item()]}}
    before = copy.deepcopy(parsed)

    assert apply(make_plan(operation, "dev-customers"), parsed) == {}
    assert parsed == before


def test_a_number_of_a_failed_condition_is_taken_out_of_its_message() -> None:
    """And a string too; what no mask names stays."""
    statement = MaskStatement(StatementRef("m"), ("*",), ((NamePattern("p*"),),))
    plan = Masks((statement,), key=None).plan_for("dynamodb", "PutItem", (), UNKNOWN_PRINCIPAL)
    item = {"pin": {"N": "4711"}, "pass": {"S": "hunter2"}, "kept": {"S": "plain"}}
    parsed = {"Item": item, "Error": {"Message": "4711 and hunter2 are not plain"}}

    assert apply(plan, parsed) == {"p*": 2}
    assert parsed["Error"] == {"Message": f"{REDACTED} and {REDACTED} are not plain"}


def test_a_failed_condition_is_masked() -> None:
    """masks the item of an error answer and keeps the error."""
    error = {
        "Code": "ConditionalCheckFailedException",
        "Message": "The conditional request failed",
    }
    parsed: dict[str, Any] = {"Error": dict(error), "Item": item()}

    apply(make_plan("PutItem", "dev-customers"), parsed)

    assert parsed == {"Error": error, "Item": NO_EMAIL}


def test_batch_answers_get_the_masks_of_their_table() -> None:
    """masks each table's items by its own masks, by name or ARN."""
    arn = "arn:aws:dynamodb:eu-west-1:111122223333:table/dev-orders"
    parsed: dict[str, Any] = {
        "Responses": {"dev-customers": [item()], arn: [item()], "free": [item()]}
    }

    counts = apply(make_plan("BatchGetItem", "dev-customers", arn, "free"), parsed)

    assert parsed["Responses"] == {
        "dev-customers": [NO_EMAIL],
        arn: [NO_CARD],
        "free": [ITEM],
    }
    assert counts == {"email": 1, "card": 1}


def test_a_table_that_was_not_asked_gets_all_masks() -> None:
    """applies the masks of every table of the call to one that it did not name."""
    parsed: dict[str, Any] = {"Responses": {"surprise": [item()]}}

    apply(make_plan("BatchGetItem", *BOTH_TABLES), parsed)

    assert parsed["Responses"]["surprise"] == [NEITHER]


@pytest.mark.parametrize(
    "operation", ["TransactGetItems", "ExecuteTransaction", "BatchExecuteStatement"]
)
def test_answers_that_do_not_tell_the_table_get_all_masks(operation: str) -> None:
    """applies the masks of every table of the call to every item."""
    parsed: dict[str, Any] = {"Responses": [{"Item": item()}, {}, {"Item": None}, {"Error": None}]}

    apply(make_plan(operation, *BOTH_TABLES), parsed)

    assert parsed["Responses"][0]["Item"] == NEITHER


@pytest.mark.parametrize("tables", [(), (f"dev{UNKNOWN_RUN}",), (f"dev-{UNKNOWN_CHAR}",)])
def test_tables_that_are_not_known_get_every_mask(tables: tuple[str, ...]) -> None:
    """applies all masks of the policy where the table is not known."""
    parsed: dict[str, Any] = {"Items": [item()]}

    apply(make_plan("ExecuteStatement", *tables), parsed)

    assert parsed["Items"] == [NEITHER]


@pytest.mark.parametrize(
    "table",
    [
        "x-orders",
        "arn:aws:dynamodb:eu-west-1:111122223333:table/x-orders",
        "arn:aws:dynamodb:eu-west-1:111122223333:table/x-orders/index/by_day",
        "arn:aws-cn:dynamodb:cn-north-1:111122223333:table/x-orders/stream/2026-01-01T00:00:00.1",
    ],
)
def test_tables_are_matched_by_name(table: str) -> None:
    """takes the table's name out of table, index and stream ARNs."""
    parsed: dict[str, Any] = {"Item": item()}

    apply(make_plan("GetItem", table), parsed)

    assert parsed["Item"] == NO_CARD


@pytest.mark.parametrize(
    "table", ["customers", "dev-customers2", "x-orders2", "xx-orders", "DEV-ORDERS"]
)
def test_a_table_that_no_mask_names_has_no_plan(table: str) -> None:
    """needs a mask's pattern to fit the whole name, case included."""
    masks = Masks((CUSTOMERS, ORDERS), key=None)

    assert masks.plan_for("dynamodb", "GetItem", (table,), UNKNOWN_PRINCIPAL) is None


@pytest.mark.parametrize(
    ("service", "operation"),
    [("dynamodb", "DescribeTable"), ("s3", "GetObject"), ("dynamodbstreams", "GetShardIterator")],
)
def test_an_operation_without_items_has_no_plan(service: str, operation: str) -> None:
    """plans nothing for answers that hold no items."""
    masks = Masks((CUSTOMERS,), key=None)

    assert masks.plan_for(service, operation, (), UNKNOWN_PRINCIPAL) is None


def test_masks_without_statements_are_empty() -> None:
    """says that there is nothing to mask."""
    masks = Masks((), key=None)

    assert masks.is_empty
    assert masks.plan_for("dynamodb", "GetItem", (), UNKNOWN_PRINCIPAL) is None


ARN = "arn:aws:iam::111122223333:role/lead"
STRANGER = Principal(arns=(ARN + "2",), arns_complete=True, account_id="444455556666")


@pytest.mark.parametrize(
    ("pattern", "spared"),
    [
        (LEADS, replace(STRANGER, groups=frozenset({"leads"}))),
        (PrincipalPattern("arn", ARN), replace(STRANGER, arns=(ARN,))),
        (
            PrincipalPattern("account", "111122223333"),
            replace(STRANGER, account_id="111122223333"),
        ),
    ],
)
def test_each_identity_gets_its_own_plan(pattern: PrincipalPattern, spared: Principal) -> None:
    """plans by identity where a mask asks for it, whichever was first."""
    masks = Masks((replace(CUSTOMERS, unless=(pattern,)),), key=None)

    def plan(principal: Principal) -> Any:
        return masks.plan_for("dynamodb", "GetItem", ("dev-customers",), principal)

    assert plan(spared) is None
    assert plan(STRANGER) is not None
    assert plan(spared) is None


def test_an_identity_known_in_part_gets_its_own_plan() -> None:
    """does not give the plan of a known stranger to one that is known in part."""
    masks = Masks((replace(CUSTOMERS, only=(LEADS,)),), key=None)

    def plan(principal: Principal) -> Any:
        return masks.plan_for("dynamodb", "GetItem", ("dev-customers",), principal)

    assert plan(STRANGER) is None
    assert plan(replace(STRANGER, arns_complete=False)) is not None


def test_only_masks_its_identities() -> None:
    """leaves everybody else with the plain value."""
    masks = Masks((replace(CUSTOMERS, only=(LEADS,)),), key=None)
    stranger = Principal(arns=("arn:aws:iam::111122223333:user/x",), arns_complete=True)

    assert masks.plan_for("dynamodb", "GetItem", ("dev-customers",), LEAD) is not None
    assert masks.plan_for("dynamodb", "GetItem", ("dev-customers",), stranger) is None


def test_plans_are_made_once_and_their_number_is_bounded() -> None:
    """gives the same plan again, and forgets all rather than grow without end."""
    masks = Masks((CUSTOMERS,), key=None)

    def plan(number: int) -> Any:
        return masks.plan_for("dynamodb", "GetItem", (f"{number}-customers",), UNKNOWN_PRINCIPAL)

    first = plan(0)
    assert plan(0) is first

    for number in range(MAX_PLANS + 1):
        plan(number)

    assert len(masks._plans) <= MAX_PLANS
    assert plan(0) is not first
    assert plan(0) is not None


CARDS = MaskStatement(StatementRef("n"), ("*",), (("cards", 1, "number"),))
CARD = {"M": {"number": {"S": "4111"}}}
HIDDEN = {"M": {"number": {"S": REDACTED}}}


@pytest.mark.parametrize(
    ("operation", "params", "holds"),
    [
        ("Query", {"TableName": "t"}, True),
        ("Query", {"TableName": "t", "ProjectionExpression": "cards[1]"}, False),
        ("Query", None, False),
        ("UpdateItem", {"ReturnValues": "ALL_NEW"}, True),
        ("UpdateItem", {"ReturnValues": "UPDATED_NEW"}, False),
        ("UpdateItem", {"ReturnValues": "UPDATED_OLD"}, False),
        ("ExecuteStatement", {"Statement": "SELECT cards[1].number FROM t"}, False),
        ("BatchGetItem", {"RequestItems": {"t": {"Keys": []}}}, True),
        ("BatchGetItem", {"RequestItems": {"t": {"ProjectionExpression": "c[1]"}}}, False),
        ("TransactGetItems", {"TransactItems": [{"Get": {"TableName": "t"}}, None]}, True),
        ("TransactGetItems", {"TransactItems": [{"Get": {"ProjectionExpression": "c"}}]}, False),
        ("TransactGetItems", {"TransactItems": 5, "RequestItems": 5}, True),
    ],
)
def test_a_position_stands_for_all_where_lists_are_renumbered(
    operation: str, params: dict[str, Any] | None, holds: bool
) -> None:
    """masks the one position only where the answer's lists are known to be the item's."""
    plan = Masks((CARDS,), key=None).plan_for(
        "dynamodb", operation, ("t",), UNKNOWN_PRINCIPAL, params
    )
    assert plan is not None
    found = {"cards": {"L": [copy.deepcopy(CARD), copy.deepcopy(CARD)]}}
    place = plan.places[0]
    parsed = build(place, found)

    counts = apply(plan, parsed)

    assert found["cards"]["L"] == [CARD if holds else HIDDEN, HIDDEN]
    assert counts == {"cards[1].number": 1 if holds else 2}


def test_a_plan_for_whole_items_is_not_used_for_projections() -> None:
    """plans anew for a request that projects."""
    masks = Masks((CARDS,), key=None)

    whole, projected = (
        masks.plan_for("dynamodb", "Query", ("t",), UNKNOWN_PRINCIPAL, params)
        for params in ({}, {"ProjectionExpression": "cards[1]"})
    )

    assert whole != projected


@pytest.mark.parametrize(
    ("operation", "is_masked"), [("ExecuteStatement", True), ("Query", False)]
)
def test_partiql_names_nested_attributes_by_their_end(operation: str, is_masked: bool) -> None:
    """masks a column that may be the end of a masked path, in PartiQL answers only."""
    nested = replace(
        CUSTOMERS, tables=("*",), attributes=(("profile", "ids", MaskStep.EACH, "ssn"),)
    )
    plan = Masks((nested,), key=None).plan_for("dynamodb", operation, ("t",), UNKNOWN_PRINCIPAL)
    assert plan is not None
    ids = {"L": [{"M": {"ssn": {"S": "1"}}}]}
    parsed: dict[str, Any] = {"Items": [{"ssn": {"S": "1"}, "ids": ids, "other": {"S": "1"}}]}

    counts = apply(plan, parsed)

    assert counts == ({"profile.ids[*].ssn": 2} if is_masked else {})
    assert parsed["Items"][0]["other"] == {"S": "1"}


def test_the_room_has_no_other_names() -> None:
    """What is misspelt is told, as by any module."""
    with pytest.raises(AttributeError, match="has no attribute `Mask`"):
        _ = masking.Mask
