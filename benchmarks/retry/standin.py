"""What the stand-in answers and counts: DynamoDB's operations on the tables of one run."""

from __future__ import annotations

import random
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final, TypeAlias

from benchmarks.retry.capacity import Schedule, Shortage, Table

JsonObject: TypeAlias = dict[str, Any]
SLOTS_PER_S: Final = 10
_ERROR_PREFIX: Final = "com.amazonaws.dynamodb.v20120810#"
DEFAULTS: Final[JsonObject] = {
    "rate": 300.0,
    "burst": 300.0,
    "initial": None,
    "hot_key": None,
    "index": None,
    "tables": {},
    "brownouts": [],
    "step": None,
    "units_per_item": 1.0,
    "error_rate": 0.0,
    "retry_after_ms": None,
    "throttle_code": "ProvisionedThroughputExceededException",
    "median_ms": 4.0,
    "sigma": 0.5,
    "throttle_ms": 2.0,
    "seed": 1,
    "start_monotonic_s": None,
}


@dataclass(slots=True)
class Tally:
    """What one role did to one table within one slot.

    Attributes:
        attempts: Requests.
        asked: Units that they asked for.
        accepted: Units that were given.
        errors: Units asked for by requests that were answered by an internal error.
    """

    attempts: int = 0
    asked: float = 0.0
    accepted: float = 0.0
    errors: float = 0.0


@dataclass(frozen=True, slots=True)
class Answer:
    """An answer, and when it is due.

    Attributes:
        status: HTTP status.
        body: What stands in it.
        delay_s: How long it takes.
    """

    status: int
    body: JsonObject
    delay_s: float = 0.0


@dataclass(slots=True)
class _Batch:
    """A batch under way.

    Attributes:
        asked, accepted: Items, over all tables.
        left: What was not accepted, by table.
        reasons: Why not, of the last one.
        consumed: Units taken, by table.
    """

    asked: int = 0
    accepted: int = 0
    left: dict[str, list[JsonObject]] = field(default_factory=dict)
    reasons: list[Shortage] = field(default_factory=list)
    consumed: dict[str, float] = field(default_factory=dict)


class StandIn:
    """One run: its tables, its counts, its accepted keys.

    Args:
        settings: See `DEFAULTS`; `tables` holds settings of single tables by name.
    """

    def __init__(self, settings: Mapping[str, Any]) -> None:
        unknown = set(settings) - set(DEFAULTS)
        if unknown:
            raise ValueError(f"unknown settings: {', '.join(sorted(unknown))}")
        self._settings = {**DEFAULTS, **settings}
        start_s = self._settings["start_monotonic_s"]
        self._start_s = time.monotonic() if start_s is None else start_s
        self._random = random.Random(self._settings["seed"])
        windows = [(from_s, to_s, factor) for from_s, to_s, factor in self._settings["brownouts"]]
        step = self._settings["step"]
        self._schedule = Schedule(windows, (step[0], step[1]) if step else None)
        self._units = float(self._settings["units_per_item"])
        self._tables: dict[str, Table] = {}
        self._keys: dict[str, set[str]] = {}
        self._tallies: dict[tuple[int, str, str], Tally] = {}
        self._hot = {"asked": 0.0, "accepted": 0.0}
        self._answers: dict[str, Callable[[JsonObject, str], Answer]] = {
            "PutItem": self._answer_write,
            "UpdateItem": self._answer_write,
            "GetItem": self._answer_read,
            "Query": self._answer_read,
            "BatchWriteItem": self._answer_batch_write,
            "BatchGetItem": self._answer_batch_get,
        }

    @property
    def retry_after_ms(self) -> int | None:
        """What throttles carry as `x-amz-retry-after`."""
        value: int | None = self._settings["retry_after_ms"]
        return value

    def answer(self, operation: str, body: JsonObject, role: str) -> Answer:
        """Answers one request.

        Args:
            operation: `PutItem` ...
            body: Its parameters.
            role: Access key id of the caller.
        """
        handler = self._answers.get(operation)
        if handler is None:
            return Answer(400, {"__type": _ERROR_PREFIX + "UnknownOperationException"})
        if self._random.random() < self._settings["error_rate"]:
            for table, parts in body.get("RequestItems", {body.get("TableName"): [None]}).items():
                units = len(parts.get("Keys", ()) if isinstance(parts, dict) else parts)
                self._count(role, table, units * self._units, 0.0, is_error=True)
            kind = {"__type": _ERROR_PREFIX + "InternalServerError", "message": "internal"}
            return Answer(500, kind, self._latency_s())
        return handler(body, role)

    def stats(self) -> JsonObject:
        """Everything counted so far."""
        slots = [
            [*key, tally.attempts, tally.asked, tally.accepted, tally.errors]
            for key, tally in self._tallies.items()
        ]
        return {"age_s": self._now_s(), "slots": slots, "hot_key": self._hot}

    def keys(self, table: str) -> list[str]:
        """The keys written to a table, as `pk/sk`."""
        return sorted(self._keys.get(table, ()))

    def _answer_write(self, body: JsonObject, role: str) -> Answer:
        """PutItem and UpdateItem."""
        name = body["TableName"]
        short = self._write(name, body.get("Item") or body["Key"])
        self._count(role, name, self._units, 0.0 if short else self._units)
        if short:
            return self._throttle(short)
        return self._success(body, {}, {name: self._units})

    def _answer_read(self, body: JsonObject, role: str) -> Answer:
        """GetItem and Query; they find nothing but the key that GetItem names."""
        name = body["TableName"]
        short = self._table(name).read(self._units, self._now_s())
        self._count(role, name, self._units, 0.0 if short else self._units)
        if short:
            return self._throttle(short)
        found: JsonObject = {"Items": [], "Count": 0, "ScannedCount": 0}
        if "Key" in body:
            is_there = _key_of(body["Key"]) in self._keys.get(name, ())
            found = {"Item": body["Key"]} if is_there else {}
        return self._success(body, found, {name: self._units})

    def _answer_batch_write(self, body: JsonObject, role: str) -> Answer:
        """BatchWriteItem: accepts what fits; a throttle only where nothing fits."""
        batch = _Batch()
        for name, requests in body["RequestItems"].items():
            self._run_batch(batch, role, name, requests, self._write_request)
        if batch.asked and not batch.accepted:
            return self._throttle(batch.reasons)
        return self._success(body, {"UnprocessedItems": batch.left}, batch.consumed)

    def _answer_batch_get(self, body: JsonObject, role: str) -> Answer:
        """BatchGetItem, likewise; every key that fits is found."""
        batch = _Batch()
        found = {}
        for name, part in body["RequestItems"].items():
            self._run_batch(batch, role, name, part["Keys"], self._read_key)
            left = batch.left.get(name, [])
            found[name] = [key for key in part["Keys"] if key not in left]
        if batch.asked and not batch.accepted:
            return self._throttle(batch.reasons)
        unprocessed = {
            name: {**body["RequestItems"][name], "Keys": keys} for name, keys in batch.left.items()
        }
        output = {"Responses": found, "UnprocessedKeys": unprocessed}
        return self._success(body, output, batch.consumed)

    def _run_batch(
        self,
        batch: _Batch,
        role: str,
        name: str,
        requests: list[JsonObject],
        run: Callable[[str, JsonObject], list[Shortage]],
    ) -> None:
        """Tries every part of a batch for one table, and counts them as one request."""
        accepted = 0
        for request in requests:
            if short := run(name, request):
                batch.left.setdefault(name, []).append(request)
                batch.reasons = short
            else:
                accepted += 1
        batch.asked += len(requests)
        batch.accepted += accepted
        batch.consumed[name] = accepted * self._units
        self._count(role, name, len(requests) * self._units, accepted * self._units)

    def _write_request(self, name: str, request: JsonObject) -> list[Shortage]:
        """One part of a BatchWriteItem."""
        if put := request.get("PutRequest"):
            return self._write(name, put["Item"])
        key = request["DeleteRequest"]["Key"]
        short = self._write(name, key)
        if not short:
            self._keys[name].discard(_key_of(key))
        return short

    def _read_key(self, name: str, _key: JsonObject) -> list[Shortage]:
        """One part of a BatchGetItem."""
        return self._table(name).read(self._units, self._now_s())

    def _write(self, name: str, item: JsonObject) -> list[Shortage]:
        """Draws for one item and remembers its key where it is accepted."""
        table, key = self._table(name), _key_of(item)
        partition_key = key.partition("/")[0]
        short = table.write(partition_key, self._units, self._now_s())
        if not short:
            self._keys.setdefault(name, set()).add(key)
        if table.is_hot(partition_key):
            self._hot["asked"] += self._units
            self._hot["accepted"] += 0.0 if short else self._units
        return short

    def _table(self, name: str) -> Table:
        """The table; made when it is first used."""
        if name not in self._tables:
            settings = {**self._settings, **self._settings["tables"].get(name, {})}
            self._tables[name] = Table(name, settings, self._schedule)
        return self._tables[name]

    def _count(
        self, role: str, table: str, asked: float, accepted: float, *, is_error: bool = False
    ) -> None:
        """Counts one request in the slot of now."""
        slot = int(self._now_s() * SLOTS_PER_S)
        tally = self._tallies.setdefault((slot, role, table), Tally())
        tally.attempts += 1
        tally.asked += asked
        tally.accepted += accepted
        tally.errors += asked if is_error else 0.0

    def _success(
        self, body: JsonObject, output: JsonObject, units_by_table: Mapping[str, float]
    ) -> Answer:
        """An answer of status 200, with the consumed capacity where it is asked for."""
        if body.get("ReturnConsumedCapacity", "NONE") != "NONE":
            consumed = [
                {"TableName": name, "CapacityUnits": units}
                for name, units in units_by_table.items()
            ]
            output["ConsumedCapacity"] = consumed if "RequestItems" in body else consumed[0]
        return Answer(200, output, self._latency_s())

    def _throttle(self, shortages: list[Shortage]) -> Answer:
        """A throttling error; the member with the reasons is spelt as its exception spells it."""
        code = self._settings["throttle_code"]
        is_newer = code == "ThrottlingException"
        reasons = [{"reason": each.reason, "resource": each.resource} for each in shortages]
        body = {
            "__type": _ERROR_PREFIX + code,
            "message": "The level of configured throughput was exceeded.",
            "throttlingReasons" if is_newer else "ThrottlingReasons": reasons,
        }
        return Answer(400, body, self._settings["throttle_ms"] / 1000)

    def _latency_s(self) -> float:
        """Lognormal."""
        spread = self._random.lognormvariate(0.0, self._settings["sigma"])
        return float(self._settings["median_ms"] / 1000 * spread)

    def _now_s(self) -> float:
        """Seconds since the start of the run."""
        return time.monotonic() - self._start_s


def _key_of(item: JsonObject) -> str:
    """`pk/sk` of an item or a key; other attributes are not looked at."""
    return "/".join(str(next(iter(item[name].values()))) for name in ("pk", "sk") if name in item)
