"""Names in DynamoDB's parameters to the ARNs that IAM decides on.

Wherever the API takes a table name it takes the table's ARN too; then the ARN counts, with its own
region and account. Malformed names become a problem, never a guess.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache
from typing import Any, Final

from dynaguard.aws.arns import NAME_CHARS, Place, is_account, is_arn, is_made_of, last_part
from dynaguard.call import UNKNOWN_RUN, Authorization

SERVICE = "dynamodb"
_MAX_NAME_LENGTH: Final = 255
_MAX_ARN_LENGTH: Final = 1024
_ARN_CHARS: Final = NAME_CHARS + ":/"
_REGION_PART: Final = 3
_ACCOUNT_PART: Final = 4


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
        if not _is_name(index):
            return unknown_resource(action, "`IndexName` is no index name", members)
        resource = f"{resource}/index/{index}"
    return Authorization(f"dynamodb:{action}", resource, members, enclosing, table, index)


def on_arn(action: str, value: Any, parameter: str, member: Mapping[str, Any]) -> Authorization:
    """An action on the resource whose ARN a parameter holds."""
    if not _is_resource_arn(value):
        return unknown_resource(action, f"`{parameter}` is no DynamoDB ARN", member)
    table, index = names_in(value)
    return Authorization(f"dynamodb:{action}", value, member, table_name=table, index_name=index)


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
    if type(name) is str:
        return _text_table_arn(place.partition, place.region, place.account, name)
    return None, None


@lru_cache(maxsize=1024)
def _text_table_arn(
    partition: str, region: str, account: str, name: str
) -> tuple[str | None, str | None]:
    """As `_table_arn`, remembered by place and text."""
    if _is_name(name):
        return Place(partition, region, account).arn(SERVICE, f"table/{name}"), name
    parts = last_part(name).split("/") if _is_resource_arn(name) else []
    if len(parts) == 2 and parts[0] == "table" and _is_name(parts[1]):
        return name, parts[1]
    return None, None


def on_replica(
    action: str, place: Place, name: Any, region: Any, member: Mapping[str, Any]
) -> Authorization:
    """An action on the table of that name in another region; an ARN tells its account."""
    where = region if _is_name(region) else UNKNOWN_RUN
    other = Place(place.partition, where, place.account)
    if not _is_resource_arn(name):
        return on_table(action, other, name, member=member)
    parts = name.split(":")
    other = Place(parts[1], where, parts[_ACCOUNT_PART])
    return on_table(action, other, names_in(name)[0], member=member)


def _is_name(value: Any) -> bool:
    """Whether a value can be a table's or index's name: more would be another resource."""
    return is_made_of(value, NAME_CHARS, _MAX_NAME_LENGTH)


def _is_resource_arn(value: Any) -> bool:
    """Whether a value is a whole DynamoDB ARN, with region, account and no empty step."""
    if not is_made_of(value, _ARN_CHARS, _MAX_ARN_LENGTH) or not is_arn(value, SERVICE):
        return False
    parts = value.split(":")
    is_placed = bool(parts[_REGION_PART]) and is_account(parts[_ACCOUNT_PART])
    return is_placed and "" not in last_part(value).split("/")
