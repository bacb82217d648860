"""What botocore knows of services, operations and parameters."""

from __future__ import annotations

from typing import Any

import pytest

from dynaguard.errors import ConfigurationError
from dynaguard.hooks.models import known_operation, parameter_faults

KEY = {"pk": {"S": "secret"}}


@pytest.mark.parametrize("name", ["GetItem", "get_item"])
def test_an_operation_is_known_by_both_its_names(name: str) -> None:
    """The API's and the client's."""
    assert known_operation("dynamodb", name) == "GetItem"


@pytest.mark.parametrize(
    ("service", "operation", "fragment"),
    [
        (
            "dynamodb",
            "GetItems",
            "unknown operation of dynamodb `GetItems`, did you mean `GetItem`",
        ),
        ("dynamodb", "x", "unknown operation of dynamodb `x` (botocore"),
        ("dynamdb", "GetItem", "unknown service `dynamdb`, did you mean `dynamodb`?"),
    ],
)
def test_an_unknown_name_has_the_nearest(service: str, operation: str, fragment: str) -> None:
    """Where there is one."""
    with pytest.raises(ConfigurationError) as caught:
        known_operation(service, operation)

    assert fragment in str(caught.value)


@pytest.mark.parametrize(
    ("operation", "params", "faults"),
    [
        ("GetItem", {"TableName": "orders", "Key": KEY}, ()),
        ("GetItem", {"TableName": "orders"}, ("`Key` is missing",)),
        (
            "GetItem",
            {"TableName": "orders", "Key": KEY, "Consistent": True},
            ("`Consistent` is no parameter, did you mean `ConsistentRead`?",),
        ),
        (
            "GetItem",
            {"TableName": "orders", "Key": {"pk": "secret"}},
            ("`Key.pk` is of another type than expected",),
        ),
        ("GetItem", {"TableName": "orders", "Key": {"pk": {"B": "c2VjcmV0"}}}, ()),
        ("DescribeLimits", {"x": 1}, ("`x` is no parameter",)),
    ],
)
def test_parameters_that_botocore_would_refuse_are_named(
    operation: str, params: dict[str, Any], faults: tuple[str, ...]
) -> None:
    """By their names, never with their values."""
    assert parameter_faults("dynamodb", operation, params) == faults
    assert "secret" not in str(faults)
