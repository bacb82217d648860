"""Fits the parts of a guard together: its rooms, and the list of steps that its settings use."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, NamedTuple

from dynaguard.attempts import Attempts
from dynaguard.authorising import Authorising
from dynaguard.lasting import Lasting
from dynaguard.limiting import Limiting
from dynaguard.loads import Loads
from dynaguard.passage import Passage
from dynaguard.recording import Recording
from dynaguard.settings import Mode, Settings
from dynaguard.values import dataclass

if TYPE_CHECKING:
    from dynaguard.access.access import Access
    from dynaguard.accounting import Accounting
    from dynaguard.audit.log import AuditLog
    from dynaguard.aws.context import ContextSource
    from dynaguard.aws.dynamodb.schemas import KeySchemas
    from dynaguard.budgets.late import LateBudgets
    from dynaguard.call import Decision
    from dynaguard.concealment import Concealment
    from dynaguard.consumption.consumption import Consumption
    from dynaguard.identity.resolver import IdentityResolver
    from dynaguard.masking import Masks
    from dynaguard.policy.matcher import CompiledPolicy
    from dynaguard.telemetry.late import LateTelemetry


@dataclass(frozen=True, slots=True)
class Rooms:
    """What a guard works with; a room that the settings switch off is None."""

    resolver: IdentityResolver
    telemetry: LateTelemetry
    audit: AuditLog
    context: ContextSource
    access: Access
    policy: CompiledPolicy | None = None
    masks: Masks | None = None
    budgets: LateBudgets | None = None
    consumption: Consumption | None = None


class OwnSteps(NamedTuple):
    """What the parts of a guard ask of it: refusals, and the step that is its own."""

    refusal: Callable[[type[Any], Passage, str], Any]
    refuse: Callable[[Passage, Decision], None]
    record_denial: Callable[[Passage, Any], None]
    note_failure: Callable[[], None]
    intend: Callable[[Passage], None]


class Fitting(NamedTuple):
    """The parts of a guard that calls need; see the attributes of `Guard`."""

    rooms: Rooms
    new_passage: type[Passage]
    schemas: KeySchemas | None
    attempts: Attempts
    accounting: Accounting | None
    limiting: Limiting
    recording: Recording
    concealment: Concealment | None
    authorising: Authorising
    lasting: Lasting
    entry_steps: tuple[Callable[[Passage], None], ...]


def fitting(
    rooms: Rooms, settings: Settings, own: OwnSteps, *, monotonic: Callable[[], float]
) -> Fitting:
    """The parts of a guard with these rooms; only what the settings use is in its steps."""
    consumption = rooms.consumption
    knows_schemas = rooms.policy is not None or consumption is not None
    schemas = rooms.context.schemas if knows_schemas else None
    is_enforcing = settings.mode is Mode.ENFORCE
    accounting = _accounting(consumption, own, is_enforcing=is_enforcing)
    limiting = Limiting(own.refusal, is_enforcing=is_enforcing)
    concealment = _concealment(rooms.masks, own)
    authorising = Authorising(
        rooms.resolver, rooms.policy, rooms.context, rooms.access, own.refuse, limiting.check
    )
    recording = Recording(
        rooms.audit,
        rooms.telemetry,
        accounting,
        limiting,
        mode=settings.mode.value,
        monotonic=monotonic,
        note_failure=own.note_failure,
    )
    return Fitting(
        rooms=rooms,
        new_passage=Passage,
        schemas=schemas,
        attempts=_attempts(rooms, settings, schemas, monotonic),
        accounting=accounting,
        limiting=limiting,
        recording=recording,
        concealment=concealment,
        authorising=authorising,
        lasting=Lasting(authorising, own.refuse, own.record_denial, own.note_failure),
        entry_steps=_entry_steps(rooms, authorising, concealment, accounting, own),
    )


def _accounting(
    consumption: Consumption | None, own: OwnSteps, *, is_enforcing: bool
) -> Accounting | None:
    """What calls do to the books, where some are kept."""
    if consumption is None:
        return None
    from dynaguard.accounting import Accounting

    return Accounting(consumption, own.refusal, is_enforcing=is_enforcing)


def _concealment(masks: Masks | None, own: OwnSteps) -> Concealment | None:
    """What masks do to calls, where there are some."""
    if masks is None:
        return None
    from dynaguard.concealment import Concealment

    return Concealment(masks, own.refusal)


def _attempts(
    rooms: Rooms,
    settings: Settings,
    schemas: KeySchemas | None,
    monotonic: Callable[[], float],
) -> Attempts:
    """What looks after the attempts of calls."""
    consumption, detail = rooms.consumption, settings.consumed_capacity
    return Attempts(
        rooms.budgets,
        Loads(schemas.partition_key if schemas is not None else None),
        monotonic=monotonic,
        capacity_detail=None if detail == "off" else detail.upper(),
        has_limits=consumption is not None and consumption.is_limiting,
    )


def _entry_steps(
    rooms: Rooms,
    authorising: Authorising,
    concealment: Concealment | None,
    accounting: Accounting | None,
    own: OwnSteps,
) -> tuple[Callable[[Passage], None], ...]:
    """The steps of a call before it leaves."""
    consumption = rooms.consumption
    is_read = consumption is not None and consumption.reads_requests
    is_kept = rooms.audit.is_on or rooms.telemetry.is_logging
    is_decided = rooms.policy is not None or is_kept or is_read
    awaits = rooms.masks is not None and rooms.masks.names_identities and rooms.resolver.asks
    return (
        *((authorising.await_identity,) if awaits else ()),
        *((concealment.unseal,) if concealment else ()),
        authorising.authorise if is_decided else authorising.name_table,
        *((concealment.plan, concealment.inspect) if concealment else ()),
        *((accounting.check,) if accounting and accounting.has_limits else ()),
        *((own.intend,) if rooms.audit.is_on and rooms.audit.mode == "required" else ()),
    )
