"""What is in force in this process, as values that print and serialise."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import botocore

from dynaguard.errors import PatchPointError
from dynaguard.hooks.lifecycle import current
from dynaguard.hooks.points import OPTIONAL_POINTS, SYNC_POINTS

if TYPE_CHECKING:
    from dynaguard.guard import Guard
    from dynaguard.hooks.installation import Installation
    from dynaguard.policy.model import PolicyDocument
    from dynaguard.settings import ResolvedSettings

_SECRETS: Final = frozenset({"coordinator", "mask_key"})


@dataclass(frozen=True, slots=True)
class PolicyStatus:
    """The document in force.

    Attributes:
        source: The file as named, or `<policy>`.
        digest: SHA-256 over all files read.
        version: Its `revision`, or None.
        statements, masks, budgets, capacity_limits, runbooks: How many it has.
        bundle: The bundle that it was read from: its `path`, `sha256`, `key_id` (None: not
            signed) and `is_verified`; None where it was read from its source.
    """

    source: str
    digest: str
    version: str | None
    statements: int
    masks: int
    budgets: int
    capacity_limits: int
    runbooks: int
    bundle: Mapping[str, Any] | None = None


@dataclass(frozen=True, slots=True)
class GuardStatus:
    """What is in force in this process.

    Attributes:
        is_installed: Whether a guard is in force that is not off.
        covers: `all clients`, `attached clients` or `nothing`.
        policy: The document in force, or None.
        settings: Value by setting; secrets show as `<set>`.
        sources: Where each came from: `argument`, `environment`, `document`, `default`.
        botocore_version: Version of the botocore that is loaded.
        patch_points: State by patch point: `wrapped`, `not wrapped`, `undone by a peer`, `not in
            this botocore` (one that nothing depends on), or what is wrong with it.
        fast_parse: `on`, `off`, or that it is off since the installed botocore reads answers
            otherwise.
        attached, detached: How many living clients.
        decisions, denials, failures: Counts since `install()`.
        undecided_caught: Requests that reached signing undecided and were decided there.
        lookup_failures: Identity look-ups that raised or gave no ARN.
        identity_findings: What a reviewer should know of the identities seen: mappings of the
            fields of `IdentityFinding`.
        telemetry_failures: Failures of spans and metrics that were caught.
        audit_written, audit_dropped: Records since `install()`.
        cursors: Where sealed cursors go on: `portable` (every process with the key),
            `in-process`, or nothing without masks.
        buckets: Retry budget buckets: mappings of their fields.
        consumption: Units by account, hot and distinct keys, what runs have used of their
            capacity limits, and tasks of their boundaries' (`task_limits`); empty where no books
            are kept.
        booking_failures: Calls that could not be booked.
        access: The access store as it was last used, see `WatchedStore.report`, and what
            is known of its grants, see `Book.report`; empty without one.
    """

    is_installed: bool
    covers: str
    policy: PolicyStatus | None
    settings: Mapping[str, str]
    sources: Mapping[str, str]
    botocore_version: str
    patch_points: Mapping[str, str]
    fast_parse: str = "off"
    attached: int = 0
    detached: int = 0
    decisions: int = 0
    denials: int = 0
    failures: int = 0
    undecided_caught: int = 0
    lookup_failures: int = 0
    telemetry_failures: int = 0
    audit_written: int = 0
    audit_dropped: int = 0
    cursors: str = ""
    buckets: tuple[Mapping[str, Any], ...] = ()
    consumption: Mapping[str, Any] = dataclasses.field(default_factory=dict)
    booking_failures: int = 0
    identity_findings: tuple[Mapping[str, Any], ...] = ()
    access: Mapping[str, Any] = dataclasses.field(default_factory=dict)

    def as_dict(self) -> dict[str, Any]:
        """The same, nested mappings and lists only; for JSON."""
        return dataclasses.asdict(self)


def status() -> GuardStatus:
    """What is in force in this process: policy, settings, patch points, counts.

    Effects: none; reads no file and no environment. Thread-safe.
    """
    guard, installation = current()
    return GuardStatus(
        is_installed=installation is not None,
        covers=_coverage(installation),
        policy=_policy_status(guard.document if guard else None),
        settings=readable_settings(guard.resolved) if guard else {},
        sources=dict(guard.resolved.source_by_name) if guard else {},
        botocore_version=botocore.__version__,
        patch_points=patch_point_states(installation),
        **(_counts(guard) if guard else {}),
        fast_parse=installation.fast_parsing.state if installation else "off",
        attached=len(installation.attached) if installation else 0,
        detached=len(installation.detached) if installation else 0,
    )


def patch_point_states(installation: Installation | None) -> dict[str, str]:
    """State of each patch point by its label."""
    states = {}
    for point in (*SYNC_POINTS, *OPTIONAL_POINTS):
        patch = installation.patches.get(point) if installation else None
        if patch is not None:
            states[point.label] = "wrapped" if patch.is_in_place else "undone by a peer"
            continue
        try:
            point.resolve()
            states[point.label] = "not wrapped"
        except PatchPointError as err:
            is_optional = point in OPTIONAL_POINTS
            states[point.label] = "not in this botocore" if is_optional else str(err)
    return states


def readable_settings(resolved: ResolvedSettings) -> dict[str, str]:
    """Each setting's value as text; secrets only as set or not."""
    settings = resolved.settings
    return {
        field.name: _readable(field.name, getattr(settings, field.name))
        for field in dataclasses.fields(settings)
    }


def document_status(document: PolicyDocument | None) -> dict[str, Any] | None:
    """A document's summary as a mapping; for JSON."""
    found = _policy_status(document)
    return dataclasses.asdict(found) if found else None


def _policy_status(document: PolicyDocument | None) -> PolicyStatus | None:
    """A document's summary."""
    if document is None:
        return None
    return PolicyStatus(
        source=document.source,
        digest=document.digest,
        version=document.version,
        statements=len(document.statements),
        masks=len(document.masks),
        budgets=len(document.budgets),
        capacity_limits=len(document.capacity_limits),
        runbooks=len(document.runbooks),
        bundle=None if document.bundle is None else dataclasses.asdict(document.bundle),
    )


def _finding(finding: Any) -> Mapping[str, Any]:
    """A finding in plain types."""
    found = dataclasses.asdict(finding)
    return {name: getattr(value, "value", value) for name, value in found.items()}


def _readable(name: str, value: object) -> str:
    """One value as text."""
    if name in _SECRETS and value is not None:
        return "<set>"
    if name == "access_store" and value is not None:
        return str(getattr(value, "name", value))
    if isinstance(value, bool):
        return "on" if value else "off"
    return "" if value is None else str(value)


def _coverage(installation: Installation | None) -> str:
    """Which clients are guarded."""
    if installation is None:
        return "nothing"
    return "all clients" if installation.is_global else "attached clients"


def _counts(guard: Guard) -> dict[str, Any]:
    """Counts since the guard was built."""
    budgets, consumption = guard.rooms.budgets, guard.rooms.consumption
    tasks = [each._asdict() for each in guard.limiting.usages.usages()]
    accounting = guard.accounting
    return {
        **dataclasses.asdict(guard.counters),
        "lookup_failures": guard.rooms.resolver.lookup_failures,
        "telemetry_failures": guard.rooms.telemetry.failure_count,
        "audit_written": guard.rooms.audit.written_count,
        "audit_dropped": guard.rooms.audit.dropped_count,
        "cursors": _cursors(guard),
        "consumption": {
            **(consumption.report() if consumption is not None else {}),
            **({"task_limits": tasks} if tasks else {}),
        },
        "booking_failures": accounting.failure_count if accounting is not None else 0,
        "buckets": tuple(
            dataclasses.asdict(bucket) for bucket in (budgets.snapshot() if budgets else ())
        ),
        "access": _access(guard),
        "identity_findings": tuple(map(_finding, guard.rooms.resolver.findings)),
    }


def _access(guard: Guard) -> Mapping[str, Any]:
    """What is known of the access store."""
    store = guard.rooms.access.store
    report = getattr(store, "report", None)
    found = {} if report is None else report()
    grants = guard.rooms.access.grants
    return found if grants is None else {**found, **grants.book.report()}


def _cursors(guard: Guard) -> str:
    """Where sealed cursors go on."""
    seals = guard.rooms.masks.seals if guard.rooms.masks is not None else None
    if seals is None:
        return ""
    return "portable" if seals.is_portable else "in-process"
