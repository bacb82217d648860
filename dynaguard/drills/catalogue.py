"""The catalogue: known failure modes, how each is injected, what dynaguard must do about it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Final

from dynaguard.drills import faults
from dynaguard.drills.faults import Answer, Fault, Request
from dynaguard.drills.running import ALLOW, CUSTOMER, TABLE, Drill, Observed, Place, library
from dynaguard.errors import ConfigurationError
from dynaguard.hooks.exemption import own_calls
from dynaguard.policy.collecting import hint
from dynaguard.runbooks.model import Runbook
from dynaguard.runbooks.reading import read_runbook

_BOOKS: Final = Path(__file__).parent / "books"
_UPDATE: Final[Mapping[str, Any]] = {
    "customer_id": CUSTOMER,
    "old_status": "paid",
    "new_status": "packed",
}
_QUERY: Final[Mapping[str, Any]] = {
    "table": TABLE,
    "customer_id": CUSTOMER,
    "status": "paid",
}
_THIRD: Final = "O-0002"


def find_drill(name: str) -> Drill:
    """A drill by its name.

    Raises:
        ConfigurationError: There is none; names the nearest.
    """
    if name not in DRILLS:
        listed = ", ".join(f"`{each}`" for each in DRILLS)
        raise ConfigurationError(f"no drill `{name}`{hint(name, DRILLS)}; there are {listed}")
    return DRILLS[name]


# --- what has to hold -------------------------------------------------------------------------


def _is(what: str, value: object, wanted: object) -> Iterator[str]:
    """A line where a value is not as wanted."""
    if value != wanted:
        yield f"{what} is `{value}`, expected `{wanted}`"


def _all_packed(observed: Observed, *, but: str | None = None) -> Iterator[str]:
    """Every order is packed, and written once at most."""
    left = [id_ for id_, each in observed.statuses.items() if each != "packed" and id_ != but]
    if left:
        yield f"{len(left)} orders are not packed"
    twice = [id_ for id_, count in observed.writes.items() if count > 1]
    if twice:
        yield f"{len(twice)} orders were written more than once"


def _paced(observed: Observed) -> Iterator[str]:
    """Done without a resume; every order once; few requests wasted on a table at its limit."""
    yield from _is("the run", observed.outcome, "done")
    yield from _all_packed(observed)
    if not observed.faults:
        yield "nothing was throttled"
    if observed.faults > len(observed.statuses):
        yield f"{observed.faults} requests were throttled, more than there are orders"


def _kept_foreign(observed: Observed) -> Iterator[str]:
    """What somebody else wrote stays; the rest is done when the run is gone on with."""
    yield from _is("the error", observed.error, "ConditionalCheckFailedException")
    yield from _is("the step", observed.step, "update")
    yield from _is("the resumed run", observed.resumed, "done")
    yield from _is("the other writer's order", observed.statuses.get(_THIRD), "shipped")
    yield from _all_packed(observed, but=_THIRD)


def _resumed(observed: Observed) -> Iterator[str]:
    """Ended at once, nothing repeated in vain; each order once when it was gone on with."""
    yield from _is("the error", observed.error, "ExpiredTokenException")
    yield from _is("requests with the expired token", observed.faults, 1)
    yield from _is("the resumed run", observed.resumed, "done")
    yield from _all_packed(observed)


def _batch_whole(observed: Observed) -> Iterator[str]:
    """The rest of the batch was sent again by itself."""
    yield from _is("the run", observed.outcome, "done")
    loaded = sum(id_.startswith("B-") for id_ in observed.statuses)
    yield from _is("orders of the batch that are there", loaded, 4)
    yield from _is("partial answers", observed.faults, 2)


def _refused(observed: Observed) -> Iterator[str]:
    """Refused before it was sent; done once the policy allows it."""
    yield from _is("the run", observed.outcome, "refused")
    yield from _is("updates that were sent", observed.sent.get("UpdateItem", 0), 0)
    yield from _is("the run under the repaired policy", observed.resumed, "done")
    yield from _all_packed(observed)


def _stale(observed: Observed) -> Iterator[str]:
    """Refused before anything was sent."""
    yield from _is("the run", observed.outcome, "refused")
    yield from _is("requests that were sent", sum(observed.sent.values()), 0)
    yield from _is("the run under the repaired policy", observed.resumed, "done")


def _in_time(observed: Observed) -> Iterator[str]:
    """Ended by its time, not by whoever got tired of waiting."""
    yield from _is("the run", observed.outcome, "failed")
    yield from _is("the step", observed.step, "find")
    yield from _is("the resumed run", observed.resumed, "done")
    if observed.elapsed_s > _SLOW_LIMIT_S + 2 * _SLOW_PAGE_S:
        yield f"the run took {observed.elapsed_s:.2f} s, {_SLOW_LIMIT_S:g} s were given"


# --- what goes wrong --------------------------------------------------------------------------

_SLOW_PAGE_S: Final = 0.4
_SLOW_LIMIT_S: Final = 1.0


def _other_writer(place: Place) -> Fault:
    """Somebody else ships the third order just before the run would pack it."""

    def ship(_request: Request) -> Answer | None:
        with own_calls():
            place.client.update_item(
                TableName=TABLE,
                Key=_key(_THIRD),
                UpdateExpression="SET #s = :s",
                ExpressionAttributeNames={"#s": "status"},
                ExpressionAttributeValues={":s": {"S": "shipped"}},
            )
        return None

    return faults.once("UpdateItem", 2, ship)


def _half_batches(place: Place) -> Fault:
    """Of the first two batches only half is taken; the rest comes back unprocessed."""
    taken = 0

    def fault(request: Request) -> Answer | None:
        nonlocal taken
        if request.operation != "BatchWriteItem" or taken == 2:
            return None
        taken += 1
        members = list(request.body["RequestItems"][TABLE])
        kept = max(1, len(members) // 2)
        with own_calls():
            place.client.batch_write_item(RequestItems={TABLE: members[:kept]})
        left = members[kept:]
        return Answer({"UnprocessedItems": {TABLE: left} if left else {}})

    return fault


def _key(order: str) -> dict[str, Any]:
    return {"customer_id": {"S": CUSTOMER}, "order_id": {"S": order}}


def _denying(_runbook: Runbook) -> Mapping[str, Any]:
    """A policy that somebody changed: no updates any more."""
    deny = {
        "Sid": "NoUpdates",
        "Effect": "Deny",
        "Action": "dynamodb:UpdateItem",
        "Resource": "*",
    }
    return {**ALLOW, "statement": [deny]}


def _pinned(sha256: str, runbook: Runbook) -> Mapping[str, Any]:
    """A policy that trusts one content of the runbook."""
    return {**ALLOW, "runbooks": {runbook.name: {"sha256": sha256}}}


_ALL: Final = (
    Drill(
        name="throttled-table",
        mode="a table takes fewer writes per second than a job makes",
        injection="UpdateItem is throttled beyond 20 a second, 4 at once",
        expectation="the run is paced and done, each order written once",
        runbook=library("bulk-update"),
        params=_UPDATE,
        judge=_paced,
        fault=lambda _: faults.per_second("UpdateItem", 20.0, 4.0),
        orders=30,
    ),
    Drill(
        name="hot-key",
        mode="one key's partition is at its limit, the table is not",
        injection="the first 5 writes of one order are throttled",
        expectation="the run waits for that order alone and is done, each order written once",
        runbook=library("bulk-update"),
        params=_UPDATE,
        judge=_paced,
        fault=lambda _: faults.on_key("UpdateItem", _key(_THIRD), 5),
    ),
    Drill(
        name="conditional-failures",
        mode="somebody else changes an item between its read and its write",
        injection="another writer ships the third order just before it would be packed",
        expectation="the run ends at that order, keeps what the other wrote, and does the rest "
        "when it is gone on with",
        runbook=library("bulk-update"),
        params=_UPDATE,
        judge=_kept_foreign,
        fault=_other_writer,
    ),
    Drill(
        name="partial-batches",
        mode="DynamoDB takes a part of a batch and hands the rest back",
        injection="of the first two batches only half is taken",
        expectation="the rest is sent again by itself, and the run is done",
        runbook=lambda: read_runbook(_BOOKS / "batch-load.toml"),
        params={"customer_id": CUSTOMER},
        judge=_batch_whole,
        fault=_half_batches,
        orders=1,
    ),
    Drill(
        name="expired-token",
        mode="the credentials of a run end before it does",
        injection="AWS refuses the token from the fourth write on",
        expectation="the run ends at once and is gone on with under new credentials, each order "
        "written once",
        runbook=library("bulk-update"),
        params=_UPDATE,
        judge=_resumed,
        fault=lambda _: faults.from_then_on(
            "UpdateItem", 3, faults.error("ExpiredTokenException", "the token is expired")
        ),
    ),
    Drill(
        name="denied-call",
        mode="a policy denies a call that the runbook makes",
        injection="an explicit Deny of dynamodb:UpdateItem",
        expectation="the call is refused before it is sent; under the repaired policy the run is "
        "gone on with and done",
        runbook=library("bulk-update"),
        params=_UPDATE,
        judge=_refused,
        policy=_denying,
        repaired_policy=lambda _: ALLOW,
    ),
    Drill(
        name="slow-pages",
        mode="pages of a query take longer than the incident allows",
        injection=f"each page takes {_SLOW_PAGE_S:g} s, the run has {_SLOW_LIMIT_S:g} s",
        expectation="the run ends by its time, names the step, and is done when pages are fast",
        runbook=library("query-with-filter-and-pages"),
        params=_QUERY,
        judge=_in_time,
        fault=lambda _: faults.slow("Query", _SLOW_PAGE_S),
        orders=450,
        limit_s=_SLOW_LIMIT_S,
    ),
    Drill(
        name="stale-policy",
        mode="the policy pins another content of the runbook than the one at hand",
        injection="`[runbooks.NAME]` has another sha256",
        expectation="the run is refused before anything is sent, and done once the pin is renewed",
        runbook=library("query-with-filter-and-pages"),
        params=_QUERY,
        judge=_stale,
        policy=lambda runbook: _pinned("0" * 64, runbook),
        repaired_policy=lambda runbook: _pinned(runbook.sha256, runbook),
        is_bound_to_pins=True,
    ),
)

DRILLS: Final[Mapping[str, Drill]] = {drill.name: drill for drill in _ALL}
"""Every drill by its name, in the order of the page *Drills*."""
