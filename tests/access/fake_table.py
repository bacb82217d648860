"""A DynamoDB table in memory, as far as an access store asks for one; it can lose answers."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from dynaguard.access.table_calls import TableCallError

Fault = Callable[[str], TableCallError | None]
PAGE = 40
"""Index entries in one answer of Query."""
BATCH = 30
"""Items in one answer of BatchGetItem; the rest is left unprocessed."""


@dataclass
class FakeTable:
    """One table.

    Attributes:
        before: Asked before each call, by its operation: what it returns is raised instead.
        after: Asked after the call had its effect, likewise: an answer that is lost.
        calls: Operation and parameters of each call so far.
        items: What is in it, by kind and id.
    """

    before: Fault = lambda _: None
    after: Fault = lambda _: None
    calls: list[tuple[str, Mapping[str, Any]]] = field(default_factory=list)
    items: dict[tuple[str, str], dict[str, Any]] = field(default_factory=dict)
    lock: threading.Lock = field(default_factory=threading.Lock)

    def __call__(self, operation: str, params: Mapping[str, Any]) -> Mapping[str, Any]:
        """Makes one call."""
        self.calls.append((operation, params))
        _raise(self.before(operation))
        with self.lock:
            answer: Mapping[str, Any] = getattr(self, f"_{operation}")(params)
        _raise(self.after(operation))
        return answer

    def close(self) -> None:
        """There is nothing to give back."""

    def _PutItem(self, params: Mapping[str, Any]) -> Mapping[str, Any]:  # noqa: N802 - AWS's name
        item = params["Item"]
        key = item["kind"]["S"], item["id"]["S"]
        found = self.items.get(key)
        if params["ConditionExpression"] == "attribute_not_exists(#id)":
            is_met = found is None
        else:
            wanted = params["ExpressionAttributeValues"][":before"]
            is_met = found is not None and found["version"] == wanted
        if not is_met:
            raise TableCallError("ConditionalCheckFailedException")
        self.items[key] = dict(item)
        return {}

    def _GetItem(self, params: Mapping[str, Any]) -> Mapping[str, Any]:  # noqa: N802 - AWS's name
        assert params["ConsistentRead"] is True
        found = self.items.get((params["Key"]["kind"]["S"], params["Key"]["id"]["S"]))
        return {} if found is None else {"Item": found}

    def _Query(self, params: Mapping[str, Any]) -> Mapping[str, Any]:  # noqa: N802 - AWS's name
        assert params["ConsistentRead"] is True
        assert params["IndexName"] == "by_expiry"
        values = params["ExpressionAttributeValues"]
        after = float(values[":after"]["N"])
        found = sorted(
            (float(item["expires"]["N"]), id_, item)
            for (kind, id_), item in self.items.items()
            if kind == values[":kind"]["S"] and float(item["expires"]["N"]) > after
        )
        start = params.get("ExclusiveStartKey", {"at": {"N": "0"}})
        begin = int(start["at"]["N"])
        entries = [
            {name: item[name] for name in ("kind", "id", "expires", "writer") if name in item}
            for _, _, item in found[begin : begin + PAGE]
        ]
        answer: dict[str, Any] = {"Items": entries}
        if begin + PAGE < len(found):
            answer["LastEvaluatedKey"] = {"at": {"N": str(begin + PAGE)}}
        return answer

    def _BatchGetItem(  # noqa: N802 - AWS's name
        self, params: Mapping[str, Any]
    ) -> Mapping[str, Any]:
        ((table, request),) = params["RequestItems"].items()
        assert request["ConsistentRead"] is True
        keys = request["Keys"]
        assert 0 < len(keys) <= 100
        found = [self.items.get((key["kind"]["S"], key["id"]["S"])) for key in keys[:BATCH]]
        answer: dict[str, Any] = {"Responses": {table: [item for item in found if item]}}
        if keys[BATCH:]:
            answer["UnprocessedKeys"] = {table: {"Keys": keys[BATCH:]}}
        return answer


def _raise(err: TableCallError | None) -> None:
    if err is not None:
        raise err


def once(operation: str, err: TableCallError, *, times: int = 1) -> Fault:
    """A fault of the first calls of one operation."""
    left = [times]

    def fault(called: str) -> TableCallError | None:
        if called != operation or not left[0]:
            return None
        left[0] -= 1
        return err

    return fault
