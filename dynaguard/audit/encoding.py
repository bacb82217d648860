"""Makes a record's line fast: parts that stay the same from call to call are encoded once.

What it makes is `build_record` as compact JSON in ASCII, the same members and values in the same
order, but for `writer`, which the chain adds; a test holds the two together. A call differs from
the one before it mostly in its ids, times and counts; who calls, in which scope, for what and by
which statement comes back thousands of times.

INVARIANT: what is kept never leads to an `Authorization.member`, which holds item values.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Hashable, Iterable
from json.encoder import encode_basestring_ascii as quoted
from typing import Any, Final, Generic, TypeVar

from dynaguard.audit.record import (
    SCHEMA_VERSION,
    Phase,
    authorizations_part,
    budget_part,
    decision_part,
    format_second,
    identity_part,
    scope_part,
    tables_part,
)
from dynaguard.call import (
    Authorization,
    Call,
    ConsumedCapacity,
    Decision,
    MaskedValues,
    Outcome,
    Principal,
)
from dynaguard.scope import Scope

MAX_PARTS: Final = 1024
"""Most parts of one kind that are kept; then all are forgotten and the next are encoded anew."""

_ValueT = TypeVar("_ValueT")
_encode = json.JSONEncoder(separators=(",", ":"), check_circular=False).encode


def encode_record(record: dict[str, Any]) -> bytes:
    """A record as its line, the plain way; encoder and chain make the same, faster."""
    return f"{_encode(record)}\n".encode("ascii")


class Encoder:
    """Encodes the records of one audit log. Thread-safe; its memory is bounded by `MAX_PARTS`.

    Args:
        policy_digest: SHA-256 of the policy in force, or None.
    """

    __slots__ = (
        "_digest_text",
        "_identities",
        "_middles",
        "_needs",
        "_outcomes",
        "_scopes",
        "_second",
    )

    def __init__(self, *, policy_digest: str | None) -> None:
        self._digest_text = f',"policy_digest":{_encode(policy_digest)},"outcome":'
        self._identities = _Parts(_identity_text)
        self._scopes = _Parts(_scope_text)
        self._needs = _Parts(_needs_text)
        self._outcomes: dict[Hashable, tuple[str, str]] = {}
        self._second = (0, format_second(0))
        # Each entry keeps the objects alive whose addresses are in its key.
        self._middles: dict[Hashable, tuple[str, object, object, object]] = {}

    def text(
        self,
        phase: Phase,
        time_ns: int,
        call: Call,
        principal: Principal,
        decision: Decision | None,
        outcome: Outcome | None,
        mode: str,
    ) -> str:
        """One record in ASCII, as `Chain.link` takes it; arguments as `build_record`'s.

        Cost: one text put together from some twenty parts; linear in authorisations.
        """
        seconds, below_ns = divmod(time_ns, 1_000_000_000)
        second = self._second
        if second[0] != seconds:
            second = self._second = (seconds, format_second(seconds))
        request_id = None if outcome is None else outcome.request_id
        return (
            f'{{"schema_version":{SCHEMA_VERSION},"phase":"{phase}"'
            f',"time":"{second[1]}.{below_ns // 1000:06d}Z"'
            f',"correlation_id":{quoted(call.correlation_id)}'
            f',"request_id":{"null" if request_id is None else quoted(request_id)}'
            f"{self._middle(call, principal, decision, mode)}"
            f"{'null' if outcome is None else self._outcome(outcome)}"
        )

    def _outcome(self, outcome: Outcome) -> str:
        """The outcome. Of one without trouble only the latency is different in every call."""
        status, code, http_status, _, attempts, throttles, wait_s, elapsed_s, masked = outcome[:9]
        capacity, item_count, unprocessed, refusal, budget, scanned_count, warnings = outcome[9:]
        if capacity or throttles or wait_s or refusal or budget:
            around = _outcome_texts(outcome)
        else:
            key = (
                *(status, code, http_status, attempts, masked),
                *(item_count, unprocessed, scanned_count, warnings),
            )
            try:
                found = self._outcomes.get(key)
            except TypeError:  # a stubbed answer counts by something odd
                found = _outcome_texts(outcome)
            if found is None:
                if len(self._outcomes) >= MAX_PARTS:
                    self._outcomes.clear()
                found = self._outcomes[key] = _outcome_texts(outcome)
            around = found
        return f"{around[0]}{elapsed_s:.6f}{around[1]}"

    def _middle(
        self, call: Call, principal: Principal, decision: Decision | None, mode: str
    ) -> str:
        """From `service` to `policy_digest`: what, who, in which scope, by which statement.

        Kept as one text for calls of one kind, where verdict, statement, grants and approval are
        all there is to the decision: one look-up in place of five.
        """
        if decision is None or _is_particular(decision):
            return self._middle_text(call, principal, decision, mode)
        scope, statement = call.scope, decision.statement
        key = (
            call.service,
            call.operation,
            call.region,
            id(principal),
            id(scope),
            id(statement),
            decision.verdict,
            decision.is_enforced,
            decision.grants,
            decision.approval,
            mode,
            _key_of_needs(decision.authorizations),
        )
        entry = self._middles.get(key)
        if entry is None:
            if len(self._middles) >= MAX_PARTS:
                self._middles.clear()
            text = self._middle_text(call, principal, decision, mode)
            entry = self._middles[key] = (text, principal, scope, statement)
        return entry[0]

    def _middle_text(
        self, call: Call, principal: Principal, decision: Decision | None, mode: str
    ) -> str:
        """The same, put together from parts that are kept themselves."""
        needs = decision.authorizations if decision is not None else ()
        return (
            f',"service":{quoted(call.service)},"operation":{quoted(call.operation)}'
            f',"region":{_text(call.region)}'
            f"{self._identities.of(id(principal), principal, principal)}"
            f"{self._scopes.of(id(call.scope), call.scope, call.scope)}"
            f"{self._needs.of(_key_of_needs(needs), needs)}"
            f"{self._decision_text(decision)}"
            f',"mode":{quoted(mode)}{self._digest_text}'
        )

    def _decision_text(self, decision: Decision | None) -> str:
        """The decision, or null for a call that failed before it."""
        return ',"decision":null' if decision is None else _decision_text(decision)


def _is_particular(decision: Decision) -> bool:
    """Whether a decision has more to say than what its text is kept by."""
    return bool(
        decision.reason or decision.unknown_keys or decision.observed or decision.how_to_allow
    )


class _Parts(Generic[_ValueT]):
    """The encoded part of each value, found by a key that is cheaper than to encode it.

    Where a key holds the `id` of an object, that object is the anchor: the entry keeps it alive,
    so that no other can take over its address. Two threads may encode one part twice, with the
    same result.
    """

    __slots__ = ("_encode", "_entries")

    def __init__(self, encode: Callable[[_ValueT], str]) -> None:
        self._encode = encode
        self._entries: dict[Hashable, tuple[object, str]] = {}

    def of(self, key: Hashable, value: _ValueT, anchor: object = None) -> str:
        """The part of `value`, whose key is `key`."""
        entry = self._entries.get(key)
        if entry is not None:
            return entry[1]
        part = self._encode(value)
        if len(self._entries) >= MAX_PARTS:
            self._entries.clear()
        self._entries[key] = (anchor, part)
        return part


def _key_of_needs(needs: tuple[Authorization, ...]) -> Hashable:
    """All of them that is recorded."""
    return tuple([(need.action, need.resource, need.problem, need.table_name) for need in needs])


def _text(value: str | None) -> str:
    """A JSON string or null."""
    return "null" if value is None else quoted(value)


def _inner(part: dict[str, Any]) -> str:
    """An object's members without its braces, with a comma before them."""
    return f",{_encode(part)[1:-1]}"


def _identity_text(principal: Principal) -> str:
    return _inner({"identity": identity_part(principal)})


def _scope_text(scope: Scope) -> str:
    return _inner(scope_part(scope))


def _needs_text(needs: tuple[Authorization, ...]) -> str:
    return _inner({"authorizations": authorizations_part(needs), "tables": tables_part(needs)})


def _decision_text(decision: Decision) -> str:
    return _inner({"decision": decision_part(decision)})


def _outcome_texts(outcome: Outcome) -> tuple[str, str]:
    """The outcome, put together by hand: what stands before its latency, and behind."""
    (
        status,
        error_code,
        http_status,
        _request_id,
        attempts,
        throttles,
        wait_s,
        _elapsed_s,
        masked,
        capacity,
        item_count,
        unprocessed_count,
        refusal,
        budget,
        scanned_count,
        warnings,
    ) = outcome
    before = (
        f'{{"status":"{status}","error_code":{_text(error_code)}'
        f',"http_status":{"null" if http_status is None else http_status}'
        f',"attempts":{attempts},"throttles":{throttles}'
        f',"wait_s":{f"{wait_s:.6f}" if wait_s else "0.0"},"latency_s":'
    )
    behind = (
        f',"masked":{_masked_text(masked) if masked else "[]"}'
        f',"consumed_capacity":{_capacities_text(capacity) if capacity else "[]"}'
        f',"item_count":{"null" if item_count is None else item_count}'
        f',"unprocessed_count":{unprocessed_count},"budget_refusal":{_text(refusal)}'
        f',"budget":{_encode(budget_part(budget)) if budget else "null"}'
        f',"scanned_count":{"null" if scanned_count is None else scanned_count}'
        f',"warnings":{_encode(warnings) if warnings else "[]"}}}'
    )
    return before, behind


def _masked_text(masked: Iterable[MaskedValues]) -> str:
    return "[" + ",".join([_masked_values_text(each) for each in masked]) + "]"


def _masked_values_text(masked: MaskedValues) -> str:
    table, attribute, strategy, detector, count = masked
    return (
        f'{{"table":{_text(table)},"attribute":{quoted(attribute)}'
        f',"strategy":{quoted(strategy)},"detector":{_text(detector)},"count":{count}}}'
    )


def _capacities_text(capacity: Iterable[ConsumedCapacity]) -> str:
    return "[" + ",".join([_capacity_text(each) for each in capacity]) + "]"


def _capacity_text(capacity: ConsumedCapacity) -> str:
    return (
        f'{{"table":{quoted(capacity.table)},"read_units":{capacity.read_units}'
        f',"write_units":{capacity.write_units},"total_units":{capacity.total_units}'
        f',"index":{_text(capacity.index)}}}'
    )
