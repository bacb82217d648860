"""What tests of calls that need an approval share: a guard, a store, a delete."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest

import dynaguard
from dynaguard import ApprovalRequired
from dynaguard.testing.stores import MemoryStore
from tests.access.approving import ETL_ARN, POLICY

KEY = {"pk": {"S": "secret-customer"}}


@pytest.fixture
def store() -> MemoryStore:
    """Where tickets are kept."""
    return MemoryStore()


@pytest.fixture
def installed(store: MemoryStore) -> Iterator[Callable[..., Any]]:
    """Installs with that store, as the role `etl`."""

    def install(**settings: Any) -> Any:
        return dynaguard.install(
            dict(POLICY), **{"identity": ETL_ARN, "access_store": store, **settings}
        )

    return install


def delete(client: Any, table: str = "orders", **more: Any) -> Any:
    """A call that needs an approval."""
    return client.delete_item(TableName=table, Key=KEY, **more)


def ticket_of(client: Any, **more: Any) -> str:
    """The ticket that such a call is refused with."""
    with pytest.raises(ApprovalRequired) as caught:
        delete(client, **more)
    assert caught.value.ticket is not None
    return caught.value.ticket
