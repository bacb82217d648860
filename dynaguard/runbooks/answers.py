"""Reads the answers of calls: pages made one, items counted, names of attributes told."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, Final

_ITEM_LISTS: Final = ("Items", "Records", "TableNames", "Parameters", "Contents", "Messages")
_NO_ITEMS: Final = frozenset({"ConsumedCapacity", "Datapoints", "Responses"})
_WRITE_LISTS: Final = ("TransactItems", "Entries", "Statements", "TransactStatements")
MAX_ATTRIBUTES: Final = 100
"""Most attribute names that one record tells."""
_TARGETS: Final = ("TableName", "Key", "QueueUrl", "Bucket", "Name", "SecretId", "TopicArn")


def merged(pages: Iterable[Mapping[str, Any]], counts: frozenset[str]) -> dict[str, Any]:
    """Pages as one answer: lists joined, counts added, anything else as the last page has it.

    Args:
        pages: In order; consumed one at a time.
        counts: Names of members that are counted per page, such as `Count`.
    """
    found: dict[str, Any] = {}
    for page in pages:
        for name, value in page.items():
            if isinstance(value, list) and isinstance(found.get(name), list):
                found[name].extend(value)
            elif name in counts and name in found:
                found[name] += value
            else:
                found[name] = list(value) if isinstance(value, list) else value
        for name in ("LastEvaluatedKey", "NextToken"):
            if name not in page:
                found.pop(name, None)
    found.pop("ResponseMetadata", None)
    return found


def item_count(answer: Mapping[str, Any]) -> int:
    """How many items an answer holds."""
    if "Item" in answer:
        return 1
    name = item_list(answer)
    if name is not None:
        return len(answer[name])
    responses = answer.get("Responses")
    if isinstance(responses, Mapping):
        return sum(len(items) for items in responses.values())
    return len(responses) if isinstance(responses, list) else 0


def item_list(answer: Mapping[str, Any]) -> str | None:
    """The member of an answer that lists its items, or None.

    Services that are not known by name list them in their first list of mappings.
    """
    known = next((name for name in _ITEM_LISTS if isinstance(answer.get(name), list)), None)
    return known or next(
        (
            name
            for name, value in answer.items()
            if isinstance(value, list) and value and isinstance(value[0], Mapping)
            if name not in _NO_ITEMS
        ),
        None,
    )


def written_count(params: Mapping[str, Any]) -> int:
    """How many items a write names; 1 where it does not tell."""
    requests = params.get("RequestItems")
    if isinstance(requests, Mapping):
        return sum(len(each) for each in requests.values())
    for name in _WRITE_LISTS:
        if isinstance(params.get(name), list):
            return len(params[name])
    return 1


def attribute_names(answer: Mapping[str, Any]) -> frozenset[str]:
    """Names of the top-level attributes that an answer returned."""
    items: list[Any] = [answer.get("Item"), answer.get("Attributes"), *answer.get("Items", ())]
    responses = answer.get("Responses")
    if isinstance(responses, Mapping):
        items += [item for table in responses.values() for item in table]
    elif isinstance(responses, list):
        items += [each.get("Item") for each in responses if isinstance(each, Mapping)]
    return frozenset(
        name for item in items if isinstance(item, Mapping) for name in item if len(name) <= 255
    )


def tables_in(params: Mapping[str, Any]) -> tuple[str, ...]:
    """Tables that a call names."""
    requests = params.get("RequestItems")
    if isinstance(requests, Mapping):
        return tuple(requests)
    table = params.get("TableName")
    if isinstance(table, str):
        return (table,)
    members = params.get("TransactItems")
    names = [
        each.get("TableName")
        for member in (members if isinstance(members, list) else ())
        for each in member.values()
        if isinstance(each, Mapping)
    ]
    return tuple(dict.fromkeys(name for name in names if isinstance(name, str)))


def target_of(params: Mapping[str, Any], keys_by_table: Mapping[str, tuple[str, ...]]) -> Any:
    """Where a write goes: table and key, whatever it writes there.

    A write is known again by this when a run is resumed: what it would write may be another then,
    since what it was read from has changed meanwhile.

    Args:
        params: The parameters.
        keys_by_table: Key attribute names by table, for writes of whole items.
    """
    if isinstance(params.get("Item"), Mapping):
        keys = keys_by_table.get(str(params.get("TableName")))
        item = params["Item"]
        key = {name: item.get(name) for name in keys} if keys else item
        return {"TableName": params.get("TableName"), "Key": key}
    found = {name: params[name] for name in _TARGETS if name in params}
    if "Key" in found:
        return found
    members = params.get("TransactItems")
    if isinstance(members, list):
        return [
            target_of(each, keys_by_table)
            for member in members
            for each in member.values()
            if isinstance(each, Mapping)
        ]
    return dict(params)
