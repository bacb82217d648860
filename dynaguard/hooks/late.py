"""What a guard may ask AWS and botocore for; each is imported when it is asked for."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping

    from dynaguard.access.table_calls import TableCalls
    from dynaguard.audit.sinks import Ship
    from dynaguard.call import Call, CredentialFacts
    from dynaguard.identity.lookup import Caller


def look_up_caller(facts: CredentialFacts, is_aged: bool) -> Caller | None:  # noqa: FBT001 - called by position, from one place
    """As `sts.look_up_caller`."""
    from dynaguard.hooks import sts

    return sts.look_up_caller(facts, is_aged)


def describe_table(call: Call, table: str) -> Mapping[str, Any] | None:
    """As `describing.describe_table`."""
    from dynaguard.hooks import describing

    return describing.describe_table(call, table)


def ship_to(target: str) -> Ship:
    """As `shipping.ship_to`."""
    from dynaguard.hooks import shipping

    return shipping.ship_to(target)


def table_calls(region: str | None, endpoint_url: str | None) -> TableCalls:
    """The calls of an access store in DynamoDB."""
    from dynaguard.hooks import access_clients

    return access_clients.table_calls(region, endpoint_url)
