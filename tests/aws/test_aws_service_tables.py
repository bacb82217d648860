"""Services without a module of their own: their generated tables, and the reader of them."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import botocore.session
import pytest
from hypothesis import given
from hypothesis import strategies as st

from dynaguard.aws.analysis import authorizations, service_prefix
from dynaguard.aws.table import table_of
from dynaguard.call import NO_CREDENTIALS, Authorization, Call
from dynaguard.scope import EMPTY_SCOPE
from tests.aws.service_table_cases import (
    ACCOUNT,
    ANY,
    CASES,
    MACHINE,
    PASS_ROLE,
    REGION,
    ROLE,
    STREAM,
    Expected,
    arn,
)


def needs_of(
    service: str, operation: str, params: Any, *, region: str | None = REGION
) -> tuple[Authorization, ...]:
    """What a call needs."""
    call = Call(
        service=service,
        operation=operation,
        params=params,
        region=region,
        partition="aws",
        endpoint_url=None,
        credentials=NO_CREDENTIALS,
        scope=EMPTY_SCOPE,
        correlation_id="c",
        service_prefix=service_prefix(service),
    )
    return authorizations(call, ACCOUNT)


def named(service: str, operation: str, params: dict[str, Any]) -> list[tuple[str, str]]:
    """Action and resource of everything that a call needs."""
    return [(need.action, need.resource) for need in needs_of(service, operation, params)]


@pytest.mark.parametrize(
    ("service", "operation", "params", "expected"),
    CASES,
    ids=[f"{service}-{operation}-{at}" for at, (service, operation, *_) in enumerate(CASES)],
)
def test_a_call_needs_what_its_table_says(
    service: str, operation: str, params: dict[str, Any], expected: Expected
) -> None:
    """Source: Service Authorization Reference."""
    assert named(service, operation, params) == expected


OPEN_VALUES = [
    pytest.param(value, id=repr(value)[:30])
    for value in (None, "", 0, b"c", [], ["c"], {}, {"c": 1}, "a:b", "*", "é", "x" * 2000)
]


@pytest.mark.parametrize("value", OPEN_VALUES)
def test_a_value_that_may_mean_something_else_names_nothing(value: Any) -> None:
    """No part of it appears in the resource; the rest of the ARN is still told."""
    [need] = needs_of("eks", "DescribeCluster", {"name": value})

    assert need.resource == arn("eks", f"cluster/{ANY}")


@pytest.mark.parametrize(
    "value",
    [
        arn("states", "stateMachine:m:alias"),
        arn("states", "activity:a"),
        arn("states", "stateMachine:*"),
        arn("lambda", "stateMachine:m"),
        "arn:aws:states:stateMachine:m",
        f"{MACHINE}\n",
    ],
)
def test_an_arn_of_another_shape_names_nothing(value: str) -> None:
    """Not even the account or the type."""
    [need] = needs_of("stepfunctions", "DescribeStateMachine", {"stateMachineArn": value})

    assert need.resource == ANY


def test_a_role_that_is_not_an_arn_is_asked_for_as_unknown() -> None:
    """A role's name does not tell its path; a value of another kind tells nothing."""
    for role in ("r", 5, [ROLE], {"a": ROLE}):
        found = named("glue", "CreateJob", {"Name": "j", "Role": role})

        assert found[-1] == ("iam:PassRole", ANY)


@pytest.mark.parametrize(
    ("service", "operation", "params"),
    [
        ("ec2", "RunInstances", {"IamInstanceProfile": {"Name": "p"}}),
        ("ec2", "AssociateIamInstanceProfile", {"IamInstanceProfile": {"Name": "p"}}),
        ("iam", "AddRoleToInstanceProfile", {"InstanceProfileName": "p", "RoleName": "r"}),
    ],
)
def test_an_instance_profile_hands_on_a_role(
    service: str, operation: str, params: dict[str, Any]
) -> None:
    """Which role it is, or which path the role has, the call does not tell."""
    assert named(service, operation, params)[-1] == ("iam:PassRole", ANY)


def test_reading_and_removing_hand_no_role_to_a_service() -> None:
    """Only what gives a role to a service needs `iam:PassRole`."""
    found = named("rds", "RemoveRoleFromDBCluster", {"DBClusterIdentifier": "c", "RoleArn": ROLE})

    assert PASS_ROLE not in found


@pytest.mark.parametrize(
    "operation", ["GetParameter", "GetParameters", "GetParametersByPath", "GetParameterHistory"]
)
def test_decrypting_a_parameter_needs_its_key(operation: str) -> None:
    """Which key that is stands in the parameter, not in the call."""
    params = {"Name": "a", "Names": ["a"], "Path": "/a", "WithDecryption": True}

    assert named("ssm", operation, params)[-1] == ("kms:Decrypt", ANY)
    assert len(named("ssm", operation, params | {"WithDecryption": False})) == 1


def test_a_region_that_is_none_is_unknown() -> None:
    """`aws-global` and a client without region stand in no ARN."""
    for region in ("aws-global", None):
        [need] = needs_of("eks", "DescribeCluster", {"name": "c"}, region=region)

        assert need.resource == arn("eks", "cluster/c", region=ANY)


def operations() -> Iterator[tuple[str, str]]:
    """Every operation of every service that botocore knows."""
    session = botocore.session.get_session()
    for service in session.get_available_services():
        for operation in session.get_service_model(service).operation_names:
            yield service, operation


def test_every_operation_resolves_without_parameters() -> None:
    """Nothing raises, and nothing but what IAM leaves free needs nothing."""
    free = set()
    for service, operation in operations():
        needs = needs_of(service, operation, {})
        if not needs:
            free.add((service, operation))
        for need in needs:
            assert need.resource
            assert ":" in need.action

    assert free == {("sts", "GetCallerIdentity"), ("sts", "GetSessionToken")}


ODD = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.binary()
    | st.text()
    | st.sampled_from([ROLE, MACHINE, STREAM, "arn:::::"]),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=5,
)
TABLED = sorted({(service, operation) for service, operation, *_ in CASES})


@given(data=st.data(), case=st.sampled_from(TABLED))
def test_odd_parameters_never_raise(data: st.DataObject, case: tuple[str, str]) -> None:
    """A value of any kind under every name that the table reads: needs, and no problem."""
    table = table_of(case[0])
    names = {name for one in table.resources for name in (*one.parameters, *one.holders) if name}
    names |= set(table.roles.get(case[1], ()))
    params = data.draw(st.dictionaries(st.sampled_from(sorted(names)), ODD))

    needs = needs_of(*case, params)

    assert needs
    assert all(isinstance(need.resource, str) and need.problem is None for need in needs)
