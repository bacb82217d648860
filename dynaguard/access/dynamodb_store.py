"""The access store in one DynamoDB table, for fleets: nothing is shared but the table.

**Shape** of an item: `kind` (partition key), `id` (sort key), `version`, `body`, `expires` (with
`kind` the key of the local index `by_expiry`, which also holds `writer`), `ttl` (when DynamoDB may
delete it), `writer` (a number used once, by which a write is known again).

All documents of a kind are one partition, so that a list is one Query whose answer is consistent;
a global index never gives such answers. The local index lists what is alive, however many dead
ones wait for their TTL, and holds a few dozen bytes of each: so the change token is exact and
costs one read unit for some fifty documents, and a list reads only documents that changed since
the last one. The price: a partition takes 1,000 writes and 3,000 read units a second, that is some
300 changes and 3,000 tokens a second per kind.

Source: the DynamoDB Developer Guide, "Local secondary indexes", "Read consistency", "Partitions",
"Time to live", "Condition expressions".
"""

from __future__ import annotations

import hashlib
import json
import math
import random
import secrets
import time
from collections.abc import Callable, Iterator, Mapping
from typing import TYPE_CHECKING, Any, Final

from dynaguard.access.dynamodb_errors import TRANSIENT, explained, not_known, refused
from dynaguard.access.store import RecordKind, StoredRecord
from dynaguard.access.table_calls import TableCallError
from dynaguard.errors import AccessStoreError

if TYPE_CHECKING:
    from dynaguard.access.table_calls import TableCalls

ATTEMPTS: Final = 3
INDEX: Final = "by_expiry"
TTL_ATTRIBUTE: Final = "ttl"
PURGE_AFTER_S: Final = 86_400.0
_MAX_BATCH: Final = 100
_BACKOFF_S: Final = 0.05
_NOT_MET: Final = "ConditionalCheckFailedException"
_KINDS: Final[tuple[RecordKind, ...]] = ("grant", "ticket")


class DynamoDbStore:
    """An access store in a DynamoDB table. Thread-safe, and safe across processes and forks.

    Args:
        table: Name of the table.
        calls: Makes the calls.
        name: How messages name it; not given: `dynamodb://TABLE`.
        sleep: Waits some seconds, between attempts.
        jitter: Gives a number from 0 to 1.
        time_s: The wall clock; only decides which records the change token covers.
    """

    is_read_only = False

    def __init__(
        self,
        table: str,
        calls: TableCalls,
        *,
        name: str | None = None,
        sleep: Callable[[float], None] = time.sleep,
        jitter: Callable[[], float] = random.random,
        time_s: Callable[[], float] = time.time,
    ) -> None:
        self._table, self._calls = table, calls
        self.name = f"dynamodb://{table}" if name is None else name
        self._sleep, self._jitter, self._time_s = sleep, jitter, time_s
        # What was read last, by id, each with its writer; replaced whole, so without a lock.
        self._known: dict[RecordKind, dict[str, tuple[str, StoredRecord]]] = {
            kind: {} for kind in _KINDS
        }

    def add(self, record: StoredRecord) -> bool:
        """As `AccessStore.add`."""
        return self._put(record, "attribute_not_exists(#id)", {"#id": "id"}, {})

    def replace(self, record: StoredRecord) -> bool:
        """As `AccessStore.replace`."""
        before = {":before": {"N": str(record.version - 1)}}
        return self._put(record, "#version = :before", {"#version": "version"}, before)

    def get(self, kind: RecordKind, id: str) -> StoredRecord | None:
        """As `AccessStore.get`. Cost: one read unit for each 4 KB."""
        item = self._item(kind, id)
        return None if item is None else self._record(item)

    def records(self, kind: RecordKind, *, after_epoch_s: float) -> list[StoredRecord]:
        """As `AccessStore.records`. Cost: the index, and each document that changed meanwhile."""
        known = self._known[kind]
        living = {_text(item, "id"): item for item in self._living(kind, after_epoch_s)}
        found = {
            id_: known[id_]
            for id_, item in living.items()
            if id_ in known and known[id_][0] == _text(item, "writer")
        }
        missing = [id_ for id_ in living if id_ not in found]
        for start in range(0, len(missing), _MAX_BATCH):
            for item in self._batch(kind, missing[start : start + _MAX_BATCH]):
                found[_text(item, "id")] = _text(item, "writer"), self._record(item)
        self._known[kind] = found
        records = (found[id_][1] for id_ in sorted(found))
        return [record for record in records if record.expires_epoch_s > after_epoch_s]

    def change_token(self) -> str | None:
        """As `AccessStore.change_token`. Cost: one read unit for some 50 living documents."""
        digest = hashlib.sha256()
        after_s = self._time_s() - PURGE_AFTER_S
        for kind in _KINDS:
            for item in self._living(kind, after_s):
                digest.update(json.dumps(item, sort_keys=True).encode())
        return digest.hexdigest()

    def close(self) -> None:
        """As `AccessStore.close`; the next use opens it again."""
        self._calls.close()

    def _living(self, kind: RecordKind, after_epoch_s: float) -> Iterator[Mapping[str, Any]]:
        """What the index has of all documents that end after an instant."""
        params: dict[str, Any] = {
            "TableName": self._table,
            "IndexName": INDEX,
            "ConsistentRead": True,
            "KeyConditionExpression": "#kind = :kind AND #expires > :after",
            "ExpressionAttributeNames": {"#kind": "kind", "#expires": "expires"},
            "ExpressionAttributeValues": {
                ":kind": {"S": kind},
                ":after": {"N": repr(float(after_epoch_s))},
            },
        }
        while True:
            answer = self._call("Query", params)
            yield from answer["Items"]
            if not answer.get("LastEvaluatedKey"):
                return
            params["ExclusiveStartKey"] = answer["LastEvaluatedKey"]

    def _batch(self, kind: RecordKind, ids: list[str]) -> Iterator[Mapping[str, Any]]:
        """The items of some ids, as they are now; those that are gone are left out."""
        keys = [_key(kind, id_) for id_ in ids]
        idle_tries = 0
        while keys:
            request = {self._table: {"Keys": keys, "ConsistentRead": True}}
            answer = self._call("BatchGetItem", {"RequestItems": request})
            yield from answer["Responses"].get(self._table, ())
            left = answer.get("UnprocessedKeys", {}).get(self._table, {}).get("Keys", [])
            idle_tries = idle_tries + 1 if len(left) == len(keys) else 0
            if idle_tries == ATTEMPTS:
                raise explained("ThrottlingException", self.name)
            if left:
                self._wait(idle_tries)
            keys = left

    def _item(self, kind: RecordKind, id_: str) -> Mapping[str, Any] | None:
        """One item as it is now."""
        params = {"TableName": self._table, "Key": _key(kind, id_), "ConsistentRead": True}
        return self._call("GetItem", params).get("Item")

    def _put(
        self,
        record: StoredRecord,
        condition: str,
        names: Mapping[str, str],
        values: Mapping[str, Any],
    ) -> bool:
        """Stores a document if the condition is met; whether it was."""
        writer = secrets.token_hex(8)
        params: dict[str, Any] = {
            "TableName": self._table,
            "Item": _item_of(record, writer),
            "ConditionExpression": condition,
            "ExpressionAttributeNames": names,
        }
        if values:
            params["ExpressionAttributeValues"] = values
        is_unsure = False
        for attempt in range(ATTEMPTS):
            if attempt:
                self._wait(attempt - 1)
            try:
                self._calls("PutItem", params)
            except TableCallError as err:
                if err.code == _NOT_MET:
                    return is_unsure and self._was_made(record, writer)
                is_unsure = is_unsure or err.is_effect_unknown
                last = err
                if err.code not in TRANSIENT and not err.is_effect_unknown:
                    break
            else:
                return True
        if is_unsure:
            return self._was_made(record, writer)
        raise explained(last.code, self.name) from last

    def _was_made(self, record: StoredRecord, writer: str) -> bool:
        """Whether a write, one of whose answers was lost, is the one that counts.

        Raises:
            AccessStoreError: That cannot be told: nothing can be read, others have changed the
                document since, or the write may yet arrive.
        """
        try:
            item = self._item(record.kind, record.id)
        except AccessStoreError as err:
            raise not_known(record, self.name) from err
        version = 0 if item is None else self._record(item).version
        if item is not None and _text(item, "writer") == writer:
            return True
        if version == record.version:
            return False  # another's: the condition of ours is met no more
        raise not_known(record, self.name)

    def _call(self, operation: str, params: Mapping[str, Any]) -> Mapping[str, Any]:
        """A read, tried again where that may help."""
        attempt = 0
        while True:
            try:
                return self._calls(operation, params)
            except TableCallError as err:
                if attempt == ATTEMPTS - 1 or err.code not in TRANSIENT:
                    raise explained(err.code, self.name) from err
            self._wait(attempt)
            attempt += 1

    def _wait(self, attempt: int) -> None:
        """Waits before a further attempt: twice as long each time, less some share by chance."""
        self._sleep(_BACKOFF_S * 2**attempt * (0.5 + self._jitter() / 2))

    def _record(self, item: Mapping[str, Any]) -> StoredRecord:
        """The document in an item.

        Raises:
            AccessStoreError: It is none.
        """
        try:
            return StoredRecord(
                _kind(_text(item, "kind")),
                _text(item, "id"),
                int(item["version"]["N"]),
                _text(item, "body"),
                float(item["expires"]["N"]),
            )
        except (KeyError, TypeError, ValueError) as err:
            raise refused(
                self.name, "an item in it is no record, keep other data in tables of its own"
            ) from err


def _item_of(record: StoredRecord, writer: str) -> dict[str, Any]:
    """The item of a document."""
    return {
        **_key(record.kind, record.id),
        "version": {"N": str(record.version)},
        "body": {"S": record.body},
        "expires": {"N": repr(float(record.expires_epoch_s))},
        TTL_ATTRIBUTE: {"N": str(math.ceil(record.expires_epoch_s + PURGE_AFTER_S))},
        "writer": {"S": writer},
    }


def _key(kind: RecordKind, id_: str) -> dict[str, Any]:
    """The key of a document."""
    return {"kind": {"S": kind}, "id": {"S": id_}}


def _text(item: Mapping[str, Any], name: str) -> str:
    """A string of an item; empty where it has none of that name."""
    return str(item.get(name, {}).get("S", ""))


def _kind(text: str) -> RecordKind:
    """A kind.

    Raises:
        KeyError: It is none.
    """
    return {kind: kind for kind in _KINDS}[text]  # type: ignore[index]  # other text raises
