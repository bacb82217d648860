"""Odd parameters are a problem on something unknown: never an exception, never nothing."""

from __future__ import annotations

import datetime
from collections.abc import Iterator, Mapping
from typing import Any

import botocore.session
import pytest
from hypothesis import given
from hypothesis import strategies as st

from dynaguard.aws.analysis import authorizations, is_write, tables_of
from dynaguard.aws.context import ContextSource
from dynaguard.aws.dynamodb.schemas import KeySchemas
from dynaguard.call import UNKNOWN, UNKNOWN_CHAR, UNKNOWN_PRINCIPAL, UNKNOWN_RUN, Authorization
from tests.aws.unknown_needs import ACCOUNT, SERVICES, TABLES, call_of, problems_of


def model_operations() -> Iterator[tuple[str, str, tuple[str, ...]]]:
    """Every operation of the services read here, with the names of its parameters."""
    session = botocore.session.get_session()
    for service in SERVICES[:-1]:
        model = session.get_service_model(service)
        for operation in model.operation_names:
            shape = model.operation_model(operation).input_shape
            yield service, operation, tuple(shape.members) if shape else ()


OPERATIONS = list(model_operations())
SCALARS = (
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.binary(max_size=4)
    | st.sampled_from(
        [
            *("t", "", "a b", "*", "\ud800", UNKNOWN_RUN, UNKNOWN_CHAR, "arn:", "a" * 3000),
            *(f"{TABLES}/t", "arn:aws:iam::111122223333:role/r", "alias/k", "b/k", "t/index/i"),
            *("TableName", "RegionName", "Put", "PutRequest", "Statement", "Key", "Objects"),
            *("SELECT * FROM t", "https://sqs.eu-west-1.amazonaws.com/111122223333/q", "x|y"),
        ]
    )
    | st.text(max_size=6)
)
KEYS = st.sampled_from(
    [
        *("TableName", "RegionName", "Key", "Item", "Keys", "Put", "Create", "Delete", "Objects"),
        *("Statement", "Bucket", "VersionId", "PutRequest", "DeleteRequest", "Role", "S", "N"),
    ]
)
JUNK = st.recursive(
    SCALARS,
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.tuples(inner, inner)
        | st.dictionaries(KEYS | st.text(max_size=3), inner, max_size=3)
    ),
    max_leaves=8,
)


@given(data=st.data())
def test_no_shape_of_parameters_raises_or_needs_nothing(data: st.DataObject) -> None:
    """Junk in every parameter of every operation: something is needed, marked where unclear."""
    service, operation, names = data.draw(st.sampled_from(OPERATIONS))
    params = {name: data.draw(JUNK) for name in names if data.draw(st.booleans())}
    call = call_of(operation, params, service=service)

    found = authorizations(call, data.draw(st.sampled_from([None, ACCOUNT])))

    is_free = service == "sts" and operation in ("GetCallerIdentity", "GetSessionToken")
    assert is_free or found
    assert all(isinstance(need.member, Mapping) for need in found)
    assert all(isinstance(need.resource, str) and need.resource for need in found)
    assert isinstance(is_write(service, operation, params), bool)
    assert isinstance(tables_of(found), tuple)


@given(data=st.data())
def test_no_shape_of_parameters_makes_a_key_raise(data: st.DataObject) -> None:
    """Every key of the table has a value of the right shape for junk parameters."""
    from dynaguard.aws.condition_keys import CONDITION_KEYS

    service, operation, names = data.draw(st.sampled_from(OPERATIONS))
    params = {name: data.draw(JUNK) for name in names if data.draw(st.booleans())}
    call = call_of(operation, params, service=service)
    need = data.draw(
        st.sampled_from(authorizations(call, ACCOUNT) or (Authorization("a:b", "*"),))
    )
    lookup = source().lookup_for(call, UNKNOWN_PRINCIPAL, need)

    for key in CONDITION_KEYS:
        value = lookup(key.name.lower().replace("*", "team"))
        assert value is UNKNOWN or all(isinstance(each, str) for each in value)


def source(**known: tuple[str, ...]) -> ContextSource:
    """A context that knows no more than it is given."""
    now = datetime.datetime(2026, 11, 20, tzinfo=datetime.UTC)
    return ContextSource(known=known, environment=None, schemas=KeySchemas({}), utcnow=lambda: now)


@pytest.mark.parametrize("params", [None, 5, [1], "x", ("a",)])
def test_parameters_that_are_no_mapping_are_a_problem(params: Any) -> None:
    """They cannot be sent, and they are not let through either."""
    assert problems_of("GetItem", params) != [None]
    assert authorizations(call_of("GetItem", params), None)[0].member == {}


class Hostile(dict[str, Any]):
    """A mapping whose own code fails."""

    def get(self, key: str, default: Any = None) -> Any:
        raise RuntimeError("secret value")


def test_an_error_in_a_parameters_own_code_is_a_problem_without_its_text() -> None:
    """The message names the kind of error; its text could hold a value."""
    [problem] = problems_of("GetItem", Hostile())

    assert problem is not None
    assert "secret" not in problem


@pytest.mark.parametrize(
    ("service", "operation", "params"),
    [
        ("s3", "DeleteObjects", {"Bucket": "b", "Delete": {"Objects": []}}),
        ("s3", "DeleteObjects", {"Bucket": "b"}),
        ("ssm", "GetParameters", {"Names": []}),
        ("ssm", "DeleteParameters", {}),
        ("dynamodb", "BatchGetItem", {"RequestItems": {}}),
        ("dynamodb", "BatchWriteItem", {}),
        ("dynamodb", "TransactWriteItems", {"TransactItems": []}),
        ("dynamodb", "ExecuteTransaction", {"TransactStatements": []}),
        ("dynamodb", "BatchExecuteStatement", {}),
    ],
)
def test_a_list_of_nothing_is_a_problem(service: str, operation: str, params: Any) -> None:
    """A call that needs nothing would be allowed."""
    found = problems_of(operation, params, service=service)

    assert found
    assert None not in found
