"""Names in DynamoDB's parameters to the ARNs that IAM decides on.

Wherever the API takes a table name it takes the table's ARN too; then the ARN counts, with its own
region and account. Malformed names become a problem, never a guess.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from dynaguard.aws.arns import Place, is_arn, last_part
from dynaguard.call import UNKNOWN_RUN, Authorization

SERVICE = "dynamodb"


def on_table(
    action: str,
    place: Place,
    name: Any,
    *,
    index: Any = None,
    member: Mapping[str, Any] | None = None,
    enclosing: str | None = None,
) -> Authorization:
    """An action on a table, or on one of its indexes.

    Args:
        action: Without the prefix: `GetItem`.
        place: Where the call goes.
        name: Table name or ARN as the parameters have it.
        index: Index name as the parameters have it, or None.
        member: The parameters that this authorisation stands for.
        enclosing: The operation that encloses it, for transactions.
    """
    members = {} if member is None else member
    resource, table = _table_arn(place, name)
    if resource is None:
        return unknown_resource(action, "`TableName` is no table name or table ARN", members)
    if index is not None:
        if not isinstance(index, str) or not index:
            return unknown_resource(action, "`IndexName` is no index name", members)
        resource = f"{resource}/index/{index}"
    return Authorization(f"dynamodb:{action}", resource, members, enclosing, table, index)


def on_arn(action: str, value: Any, parameter: str, member: Mapping[str, Any]) -> Authorization:
    """An action on the resource whose ARN a parameter holds."""
    if not is_arn(value, SERVICE):
        return unknown_resource(action, f"`{parameter}` is no DynamoDB ARN", member)
    table, index = names_in(value)
    return Authorization(f"dynamodb:{action}", value, member, table=table, index=index)


def on_everything(action: str, member: Mapping[str, Any]) -> Authorization:
    """An action that knows no resource: IAM decides it on `*`."""
    return Authorization(f"dynamodb:{action}", "*", member)


def unknown_resource(action: str, problem: str, member: Mapping[str, Any]) -> Authorization:
    """An action whose resource cannot be told."""
    return Authorization(f"dynamodb:{action}", UNKNOWN_RUN, member, problem=problem)


def names_in(arn: str) -> tuple[str | None, str | None]:
    """Table and index named in an ARN, as far as it names any."""
    parts = last_part(arn).split("/")
    if len(parts) < 2 or parts[0] != "table":
        return None, None
    is_index = len(parts) == 4 and parts[2] == "index"
    return parts[1], parts[3] if is_index else None


def _table_arn(place: Place, name: Any) -> tuple[str | None, str | None]:
    """A table's ARN and name, or nothing for what is neither name nor ARN."""
    if not isinstance(name, str) or not name:
        return None, None
    if ":" not in name and "/" not in name:
        return place.arn(SERVICE, f"table/{name}"), name
    parts = last_part(name).split("/") if is_arn(name, SERVICE) else []
    if len(parts) == 2 and parts[0] == "table" and parts[1]:
        return name, parts[1]
    return None, None
