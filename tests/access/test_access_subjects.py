"""What a ticket is about: equal requests agree, whatever their spelling; others never do."""

from __future__ import annotations

import datetime
import io
import json
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dynaguard.access.subjects import SubjectError, subject_of_call
from dynaguard.access.summaries import summary_of_call
from dynaguard.call import NO_CREDENTIALS, Authorization, Call
from dynaguard.scope import EMPTY_SCOPE

ACCOUNT = "111122223333"


def make_call(params: dict[str, Any], **changes: Any) -> Call:
    """A PutItem in Ireland."""
    call = Call(
        service="dynamodb",
        operation="PutItem",
        params=params,
        region="eu-west-1",
        partition="aws",
        endpoint_url="https://dynamodb.eu-west-1.amazonaws.com",
        credentials=NO_CREDENTIALS,
        scope=EMPTY_SCOPE,
        correlation_id="c",
        service_prefix="dynamodb",
    )
    return call._replace(**changes)


def subject(params: dict[str, Any], **changes: Any) -> str:
    """The hash of such a call."""
    return subject_of_call(make_call(params, **changes), ACCOUNT)


NUMBERS = st.decimals(-1000, 1000, places=3, allow_nan=False)
ATTRIBUTES = st.recursive(
    st.fixed_dictionaries({"S": st.text("ab$", max_size=3)})
    | st.fixed_dictionaries({"N": NUMBERS.map(lambda n: f"{n:f}")})
    | st.fixed_dictionaries({"B": st.binary(max_size=3)})
    | st.fixed_dictionaries({"BOOL": st.booleans()})
    | st.fixed_dictionaries({"SS": st.lists(st.text("abc", max_size=2), min_size=1, unique=True)})
    | st.fixed_dictionaries({"NS": st.lists(st.sampled_from("12345"), min_size=1, unique=True)}),
    lambda inner: (
        st.fixed_dictionaries({"L": st.lists(inner, max_size=3)})
        | st.fixed_dictionaries(
            {"M": st.dictionaries(st.sampled_from(["N", "S", "$bytes", "x"]), inner, max_size=3)}
        )
    ),
    max_leaves=6,
)
ITEMS = st.dictionaries(st.sampled_from(["id", "N", "SS", "$number"]), ATTRIBUTES, max_size=3)


def respelt(value: Any) -> Any:
    """The same request in another spelling: keys and sets backwards, numbers with zeros."""
    if isinstance(value, dict):
        if len(value) == 1 and isinstance(value.get("N"), str):
            number = value["N"]
            return {"N": f"{number}{'0' if '.' in number else '.00'}"}
        return {
            key: respelt(each[::-1] if key in ("SS", "NS") and isinstance(each, list) else each)
            for key, each in reversed(value.items())
        }
    if isinstance(value, list):
        return tuple(respelt(each) for each in value)
    return bytearray(value) if isinstance(value, bytes) else value


def meaning(value: Any) -> Any:
    """A naive reading of an item: what DynamoDB would store."""
    if isinstance(value, dict):
        if len(value) == 1:
            ((mark, inner),) = value.items()
            if mark == "N" and isinstance(inner, str):
                return "number", Decimal(inner)
            if mark in ("SS", "NS") and isinstance(inner, list):
                return mark, frozenset(inner)
        return "map", frozenset((key, meaning(each)) for key, each in value.items())
    if isinstance(value, list):
        return "list", tuple(meaning(each) for each in value)
    return type(value).__name__, value


@given(ITEMS)
def test_other_spellings_of_a_request_agree(item: dict[str, Any]) -> None:
    """Order of keys and sets, zeros of numbers, kinds of bytes and lists."""
    assert subject({"TableName": "t", "Item": item}) == subject(
        {"Item": respelt(item), "TableName": "t"}
    )


@given(ITEMS, ITEMS)
def test_requests_agree_only_where_they_mean_the_same(
    one: dict[str, Any], other: dict[str, Any]
) -> None:
    """No two meanings share a hash."""
    is_same = meaning(one) == meaning(other)

    assert (subject({"Item": one}) == subject({"Item": other})) == is_same


@pytest.mark.parametrize(
    "changes",
    [
        {"operation": "DeleteItem"},
        {"service": "dynamodbstreams"},
        {"region": "eu-central-1"},
        {"partition": "aws-cn"},
        {"endpoint_url": "http://127.0.0.1:8000"},
        {"is_presign": True},
        {"params": {"TableName": "other"}},
        {"params": {"TableName": "t", "ConditionExpression": "x"}},
    ],
)
def test_what_matters_changes_the_hash(changes: dict[str, Any]) -> None:
    """An approval of one is none of the other."""
    assert subject({"TableName": "t"}) != subject_of_call(
        make_call({"TableName": "t"})._replace(**changes), ACCOUNT
    )


def test_the_account_matters() -> None:
    """The same call in another account is another one."""
    call = make_call({"TableName": "t"})

    assert subject_of_call(call, ACCOUNT) != subject_of_call(call, "444455556666")


@pytest.mark.parametrize(
    "more",
    [
        {"ExclusiveStartKey": {"id": {"S": "a"}}},
        {"ReturnConsumedCapacity": "TOTAL"},
        {"ClientRequestToken": "made-by-botocore"},
    ],
)
def test_what_does_not_matter_does_not(more: dict[str, Any]) -> None:
    """Cursors, tokens of one call, what the answer tells of its cost."""
    assert subject({"TableName": "t"}) == subject({"TableName": "t", **more})


def test_endpoints_of_aws_are_one() -> None:
    """By account or by region: botocore chooses, and the table is the same."""
    url = "https://111122223333.ddb.eu-west-1.amazonaws.com"

    assert subject({"TableName": "t"}) == subject({"TableName": "t"}, endpoint_url=url)


def test_a_host_that_only_ends_alike_is_not_aws() -> None:
    """`evil-amazonaws.com` is nobody's."""
    url = "https://evil-amazonaws.com"

    assert subject({"TableName": "t"}) != subject({"TableName": "t"}, endpoint_url=url)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        (5, Decimal(5)),
        (1.5, Decimal("1.50")),
        (b"ab", io.BytesIO(b"ab")),
        (
            datetime.datetime(2026, 11, 21, 12, tzinfo=datetime.UTC),
            datetime.datetime(
                2026, 11, 21, 13, tzinfo=datetime.timezone(datetime.timedelta(hours=1))
            ),
        ),
    ],
)
def test_values_of_one_wire_form_agree(one: Any, other: Any) -> None:
    """Whatever type Python has for them."""
    assert subject({"x": one}, service="s3") == subject({"x": other}, service="s3")


@pytest.mark.parametrize(
    ("one", "other"),
    [(1, True), ("1", 1), ("ab", b"ab"), ({"$number": "1"}, 1), ({"$bytes": "YWI="}, b"ab")],
)
def test_values_of_another_wire_form_do_not(one: Any, other: Any) -> None:
    """Not even those that look like our own marks."""
    assert subject({"x": one}, service="s3") != subject({"x": other}, service="s3")


def test_a_stream_stands_where_it_stood() -> None:
    """What is sent afterwards is all of it."""
    stream = io.BytesIO(b"abcdef")
    stream.seek(2)

    assert subject({"Body": stream}, service="s3") == subject({"Body": b"cdef"}, service="s3")
    assert stream.tell() == 2


def test_a_stream_that_can_be_read_once_is_refused() -> None:
    """Nobody can approve what cannot be looked at."""
    with pytest.raises(SubjectError, match="cannot be read twice"):
        subject({"Body": iter([b"a"])}, service="s3")


@given(ITEMS)
def test_approvers_see_no_value(item: dict[str, Any]) -> None:
    """A canary in every place of a request shows in no summary."""

    def planted(value: Any) -> Any:
        if isinstance(value, dict):
            return {key: planted(each) for key, each in value.items()}
        if isinstance(value, list):
            return [planted(each) for each in value]
        return "canary-7f" if isinstance(value, str) else value

    params = {
        "TableName": "orders",
        "Item": planted(item),
        "ConditionExpression": "canary-7f",
        "ExpressionAttributeValues": {":v": {"S": "canary-7f"}},
    }
    need = Authorization("dynamodb:PutItem", "arn:aws:dynamodb:eu-west-1:1:table/orders")

    shown = json.dumps(summary_of_call(make_call(params), (need,)).as_dict())

    assert "canary" not in shown
    assert "orders" in shown


def test_a_summary_names_what_an_approver_needs() -> None:
    """Operation, table, attributes, sizes."""
    params = {"TableName": "orders", "Key": {"id": {"S": "customer-0042"}}, "Limit": 5}
    need = Authorization("dynamodb:DeleteItem", "arn:aws:dynamodb:eu-west-1:1:table/orders")

    found = summary_of_call(make_call(params, operation="DeleteItem"), (need,))

    assert found.title == "dynamodb DeleteItem in eu-west-1"
    assert found.resources == ((need.action, need.resource),)
    assert found.facts == (
        ("TableName", "orders"),
        ("Key.id", "<string, 13 characters>"),
        ("Limit", "5"),
    )


@pytest.mark.parametrize(
    "url",
    [
        "https://111122223333.ddb.eu-west-1.amazonaws.com",
        "https://dynamodb.eu-west-1.api.aws",
        "https://dynamodb-fips.eu-west-1.amazonaws.com:443/",
        "https://vpce-1a-2b.dynamodb.eu-west-1.vpce.amazonaws.com",
    ],
)
def test_hosts_of_dynamodb_for_one_region_are_one_place(url: str) -> None:
    """Which of them it is says the account's or the network's set-up."""
    assert subject({}, endpoint_url=url) == subject({})


@pytest.mark.parametrize(
    "url",
    [
        "http://dynamodb.eu-west-1.amazonaws.com",
        "https://dynamodb.us-east-1.amazonaws.com",
        "https://dynamodb.eu-west-1.amazonaws.com:8443",
        "https://ec2-1-2-3-4.eu-west-1.compute.amazonaws.com",
        "https://balancer-1.eu-west-1.elb.amazonaws.com",
        "https://abc123.execute-api.eu-west-1.amazonaws.com",
        "https://vpce-1a-2b.vpce-svc-9f.eu-west-1.vpce.amazonaws.com",
        "https://dynamodb.s3.amazonaws.com",
        "https://dynamodb.eu-west-1.amazonaws.com.example.com",
    ],
)
def test_hosts_that_anybody_may_have_are_other_places(url: str) -> None:
    """AWS's domain says nothing of whose a host is; nor is plain HTTP the same place."""
    assert subject({}, endpoint_url=url) != subject({})


def test_a_host_that_says_what_is_meant_counts() -> None:
    """An API of API Gateway has no name but its host."""
    one, other = (
        subject(
            {},
            service="apigatewaymanagementapi",
            service_prefix="execute-api",
            endpoint_url=f"https://{name}.execute-api.eu-west-1.amazonaws.com/prod",
        )
        for name in ("abc", "xyz")
    )

    assert one != other


@pytest.mark.parametrize(
    ("service", "name"), [("macie2", "position"), ("codepipeline", "clientToken")]
)
def test_a_cursors_name_that_means_something_else_counts(service: str, name: str) -> None:
    """The place of a filter, half of a job's credentials."""
    assert subject({name: "1"}, service=service) != subject({name: "2"}, service=service)
    assert subject({name: "1"}) == subject({name: "2"})


def test_approvers_see_where_a_call_goes_unless_it_is_dynamodb_itself() -> None:
    """An endpoint of somebody else's is not approved unseen; its password is not shown."""
    url = "http://user:hunter2@ec2-1-2-3-4.eu-west-1.compute.amazonaws.com:8000/x"
    summary = summary_of_call(make_call({}, endpoint_url=url), ())

    assert summary.facts == (
        ("endpoint", "http://ec2-1-2-3-4.eu-west-1.compute.amazonaws.com:8000"),
    )
    assert summary_of_call(make_call({}), ()).facts == ()


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ({0, 8}, {8, 0}),
        ([0, 8], (0, 8)),
        (frozenset({"a", "b"}), {"b", "a"}),
        ({"NS": [1, 2]}, {"NS": [2, 1]}),
        ({"N": "many"}, {"N": "many"}),
        (datetime.date(2026, 11, 21), datetime.date(2026, 11, 21)),
        (float("inf"), Decimal("Infinity")),
    ],
)
def test_odd_values_have_a_hash_that_stays(one: Any, other: Any) -> None:
    """What DynamoDB would refuse is still the same request when it is made again."""
    assert subject({"Value": one}) == subject({"Value": other})


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ({"a", "b"}, {"a", "c"}),
        ([0, 8], [8, 0]),
        ({"N": "many"}, {"N": "few"}),
        (datetime.date(2026, 11, 21), datetime.date(2026, 11, 22)),
        (float("inf"), float("-inf")),
    ],
)
def test_odd_values_that_differ_have_another_hash(one: Any, other: Any) -> None:
    """Nothing that a request holds is left out."""
    assert subject({"Value": one}) != subject({"Value": other})


@pytest.mark.parametrize(
    ("attribute", "shown"),
    [
        ({"S": "hunter2"}, "<string, 7 characters>"),
        ({"B": b"hunter2"}, "<binary, 7 bytes>"),
        ({"SS": ["hunter2"]}, "<string set, 1 elements>"),
        ({"N": "4711"}, "<number>"),
        ({"BOOL": True}, "<boolean>"),
        ({"S": 4711}, "<string>"),
    ],
)
def test_an_attribute_shows_as_its_type_and_size(attribute: Any, shown: str) -> None:
    """A number without its size, which would be half of it."""
    summary = summary_of_call(make_call({"Key": {"pk": attribute}}), ())

    assert summary.facts == (("Key.pk", shown),)


def test_a_summary_tells_how_much_it_does_not_show() -> None:
    """Of a large request the approver sees the beginning and a count of the rest."""
    needs = tuple(Authorization("dynamodb:PutItem", f"arn:{n:0>3}") for n in range(23))
    params = {f"name{n:0>3}": n for n in range(45)}

    summary = summary_of_call(make_call(params), needs)

    assert summary.resources[0] == ("dynamodb:PutItem", "arn:000")
    assert summary.resources[20:] == (("further", "3 more"),)
    assert summary.facts[0] == ("permissions needed", "23")
    assert len(summary.facts) == 41
    assert summary.facts[40] == ("further", "6 more")


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        (b"hunter2", "<binary, 7 bytes>"),
        (memoryview(b"hunter2"), "<binary, 7 bytes>"),
        (["hunter2"], "<list, 1 elements>"),
        ({"hunter2", "b"}, "<list, 2 elements>"),
        (io.BytesIO(b"hunter2"), "<object>"),
    ],
)
def test_a_value_shows_as_its_type_and_size(value: Any, shown: str) -> None:
    """Whatever it is."""
    summary = summary_of_call(make_call({"Body": value}, service="s3"), ())

    assert summary.facts == (("Body", shown),)
