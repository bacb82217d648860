"""The table of a DynamoDB store: made once, waited for, refused where it has another layout."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest

from dynaguard.access.table_calls import TableCallError
from dynaguard.access.table_layout import check_table, create_table
from dynaguard.errors import AccessStoreError


class Account:
    """Answers what the making of a table asks."""

    def __init__(self, description: Mapping[str, Any] | None = None) -> None:
        self.description = description
        self.ttl = "DISABLED"
        self.asked: list[str] = []
        self.err_by_operation: dict[str, TableCallError] = {}
        self.creating_for = 0

    def __call__(self, operation: str, params: Mapping[str, Any]) -> Mapping[str, Any]:
        """Makes one call."""
        self.asked.append(operation)
        err = self.err_by_operation.get(operation)
        if err is not None:
            raise err
        answer: Mapping[str, Any] = getattr(self, operation)(params)
        return answer

    def close(self) -> None:
        """There is nothing to give back."""

    def CreateTable(self, params: Mapping[str, Any]) -> Mapping[str, Any]:  # noqa: N802 - AWS's name
        self.description = params
        return {}

    def DescribeTable(self, _: object) -> Mapping[str, Any]:  # noqa: N802 - AWS's name
        if self.description is None:
            raise TableCallError("ResourceNotFoundException")
        self.creating_for -= 1
        status = "ACTIVE" if self.creating_for < 0 else "CREATING"
        return {"Table": {**self.description, "TableStatus": status}}

    def DescribeTimeToLive(self, _: object) -> Mapping[str, Any]:  # noqa: N802 - AWS's name
        return {"TimeToLiveDescription": {"TimeToLiveStatus": self.ttl}}

    def UpdateTimeToLive(  # noqa: N802 - AWS's name
        self, params: Mapping[str, Any]
    ) -> Mapping[str, Any]:
        assert params["TimeToLiveSpecification"] == {"Enabled": True, "AttributeName": "ttl"}
        self.ttl = "ENABLING"
        return {}


def test_a_table_is_made_once() -> None:
    """With TTL; the second time nothing is changed."""
    account = Account()

    first = create_table("access", account, sleep=lambda _: None)
    account.asked.clear()
    second = create_table("access", account, sleep=lambda _: None)

    assert (first, second, account.ttl) == (True, False, "ENABLING")
    assert {"CreateTable", "UpdateTimeToLive"}.isdisjoint(account.asked)


def test_it_is_waited_for() -> None:
    """A second at a time, a minute at most."""
    account, waits = Account(), []
    account.creating_for = 4
    create_table("access", account, sleep=waits.append)
    slow = Account()
    slow.creating_for = 10_000

    assert waits == [1.0] * len(waits)
    assert waits
    with pytest.raises(AccessStoreError, match="was not there 60 seconds after"):
        create_table("access", slow, sleep=lambda _: None)


def test_another_who_makes_it_meanwhile_is_no_error() -> None:
    """It is there, and that is what was asked."""
    account = Account()

    def made_by_another(params: Mapping[str, Any]) -> Mapping[str, Any]:
        account.description = params
        raise TableCallError("ResourceInUseException")

    account.CreateTable = made_by_another  # type: ignore[method-assign]

    assert create_table("access", account, sleep=lambda _: None)


@pytest.mark.parametrize("operation", ["DescribeTable", "CreateTable", "DescribeTimeToLive"])
def test_a_refusal_is_told(operation: str) -> None:
    """IAM does not allow it."""
    account = Account()
    account.err_by_operation[operation] = TableCallError("AccessDeniedException")

    with pytest.raises(AccessStoreError, match=r"`dynamodb://access` .* IAM does not allow it"):
        create_table("access", account, sleep=lambda _: None)


def _schema(*names: str) -> list[dict[str, str]]:
    return [
        {"AttributeName": name, "KeyType": kind}
        for name, kind in zip(names, ("HASH", "RANGE"), strict=False)
    ]


@pytest.mark.parametrize(
    ("description", "text"),
    [
        (None, "there is no such table"),
        ({"KeySchema": _schema("pk")}, "its keys are not `kind` and `id`"),
        ({"KeySchema": _schema("kind", "id")}, "it has no local index `by_expiry`"),
        (
            {
                "KeySchema": _schema("kind", "id"),
                "LocalSecondaryIndexes": [
                    {"IndexName": "by_expiry", "KeySchema": _schema("kind", "ttl")}
                ],
            },
            "it has no local index `by_expiry` on `kind` and `expires`",
        ),
    ],
)
def test_another_layout_is_told(description: Mapping[str, Any] | None, text: str) -> None:
    """And that a new table is the way."""
    with pytest.raises(AccessStoreError) as caught:
        check_table("access", Account(description))

    assert text in str(caught.value)
    assert "`dynaguard access init`" in str(caught.value)
