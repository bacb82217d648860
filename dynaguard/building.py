"""Builds the rooms that a guard works with, as settings and document ask for them.

A room that the settings do not use is not imported either.
"""

from __future__ import annotations

import secrets
from collections.abc import Callable
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, cast

from dynaguard.access.assembling import build_access
from dynaguard.aws.context import ContextSource
from dynaguard.aws.dynamodb.schemas import Describe, KeySchemas
from dynaguard.budgets.late import LateBudgets
from dynaguard.configuration import Configuration, Surrounding, mask_key
from dynaguard.fitting import Rooms
from dynaguard.identity.resolver import IdentityResolver
from dynaguard.policy.matcher import CompiledPolicy
from dynaguard.policy.model import PolicyDocument
from dynaguard.settings import Settings
from dynaguard.telemetry.late import LateFindings, LateTelemetry

if TYPE_CHECKING:
    from dynaguard.access.thresholds import Thresholds
    from dynaguard.audit.log import AuditLog
    from dynaguard.budgets.budget import RetryBudgets
    from dynaguard.budgets.coordination import Coordinator
    from dynaguard.configuration import LookUpCaller
    from dynaguard.consumption.consumption import Consumption
    from dynaguard.identity.lookup import IdentityLookup
    from dynaguard.masking import Masks


def build_rooms(configuration: Configuration, audit: AuditLog, given: Surrounding) -> Rooms:
    """The rooms of a guard.

    Raises:
        ConfigurationError: A mask needs a key that is not set, or the installed opentelemetry-api
            is too old for `audit_logs`.
        MissingExtraError: redis-py is not installed.
    """
    settings, document = configuration.resolved.settings, configuration.document
    time_ns, monotonic = given.time_ns, given.monotonic
    context = _context(document, settings, time_ns, given.describe)
    access = build_access(document, settings, time_ns, monotonic, given.table_calls)
    return Rooms(
        resolver=_resolver(document, settings, given),
        telemetry=_telemetry(settings, time_ns),
        audit=audit,
        context=context,
        access=access,
        policy=None if document is None else CompiledPolicy(document),
        masks=_masks(document, settings, time_ns),
        budgets=_budgets(document, settings, monotonic),
        consumption=_consumption(
            document, settings, context.schemas, monotonic, access.thresholds
        ),
    )


def _resolver(
    document: PolicyDocument | None, settings: Settings, given: Surrounding
) -> IdentityResolver:
    """What tells who calls."""
    return IdentityResolver(
        identity=settings.identity,
        account_id=settings.account_id,
        groups={} if document is None else document.groups,
        environ=given.environ,
        owners={} if document is None else document.owners,
        owner=settings.owner,
        lookup=_lookup(settings, given.lookup),
        on_finding=LateFindings().count,
        monotonic=given.monotonic,
        time_s=lambda: given.time_ns() / 1e9,
    )


def _telemetry(settings: Settings, time_ns: Callable[[], int]) -> LateTelemetry:
    """Spans, metrics and, on request, each call as an OpenTelemetry log record."""
    if not settings.audit_logs:
        return LateTelemetry()
    from dynaguard.telemetry.logs import CallLogs
    from dynaguard.telemetry.telemetry import Telemetry

    return LateTelemetry(Telemetry(logs=CallLogs(time_ns=time_ns)))


def _lookup(settings: Settings, lookup: LookUpCaller | None) -> IdentityLookup | None:
    """The identity look-up that the settings choose, or None."""
    if lookup is None or settings.identity_lookup == "off":
        return None
    is_aged = settings.identity_lookup == "iam"
    return lambda facts: lookup(facts, is_aged)


def _context(
    document: PolicyDocument | None,
    settings: Settings,
    time_ns: Callable[[], int],
    describe: Describe | None,
) -> ContextSource:
    """Where condition keys get their values."""
    is_asking = settings.key_schema_lookup == "describe-table"
    given = document or PolicyDocument(default="allow", govern=None)
    return ContextSource(
        known=given.context,
        environment=settings.environment or given.environment,
        schemas=KeySchemas(given.tables, describe=describe if is_asking else None),
        utcnow=lambda: datetime.fromtimestamp(time_ns() / 1e9, UTC),
        trusts_labels=given.has_standing_access,
    )


def _masks(
    document: PolicyDocument | None, settings: Settings, time_ns: Callable[[], int]
) -> Masks | None:
    """The masks of the document, or None when there are none or they are switched off."""
    if document is None or not document.masks or not settings.mask:
        return None
    from dynaguard.masking import CursorSeals, Masks

    key = mask_key(settings)
    seals = CursorSeals(
        key=key, max_age_s=settings.cursor_max_age_s, clock_s=lambda: time_ns() / 1e9
    )
    return Masks(document.masks, key=key, patterns=document.detectors, seals=seals)


def _budgets(
    document: PolicyDocument | None, settings: Settings, monotonic: Callable[[], float]
) -> LateBudgets | None:
    """The retry budgets, or None when they are switched off."""
    if not settings.budget:
        return None
    statements = document.budgets if document else ()
    coordinator = _coordinator(settings.coordinator)

    def make() -> RetryBudgets:
        from dynaguard.budgets.budget import RetryBudgets

        return RetryBudgets(statements, monotonic=monotonic, coordinator=coordinator)

    return LateBudgets(statements, make)


def _consumption(
    document: PolicyDocument | None,
    settings: Settings,
    schemas: KeySchemas,
    monotonic: Callable[[], float],
    thresholds: Thresholds | None,
) -> Consumption | None:
    """The books, or None where no setting and no capacity limit asks for any.

    Raises:
        ConfigurationError: The key file cannot be read, or holds fewer than 16 bytes.
    """
    limits = document.capacity_limits if document is not None else ()
    asks = settings.consumed_capacity != "off"
    counts = thresholds is not None and thresholds.counts_units
    if not (asks or limits or counts or settings.key_statistics or settings.query_warnings):
        return None
    from dynaguard.consumption.consumption import Consumption
    from dynaguard.consumption.limits import CapacityLimits
    from dynaguard.consumption.queries import QueryWatch

    keys = None
    if settings.key_statistics:
        from dynaguard.consumption.keys import KeyHasher, KeyStatistics

        hasher = KeyHasher(mask_key(settings) or secrets.token_bytes(32))
        keys = KeyStatistics(hasher, monotonic=monotonic)
    return Consumption(
        schemas,
        is_asking=asks,
        limits=CapacityLimits(limits) if limits else None,
        thresholds=thresholds if counts else None,
        keys=keys,
        queries=QueryWatch() if settings.query_warnings else None,
    )


def _coordinator(setting: Any) -> Coordinator | None:
    """What the setting names: a Redis by its URL, or the coordinator itself.

    Raises:
        MissingExtraError: redis-py is not installed.
    """
    if not isinstance(setting, str):
        return cast("Coordinator | None", setting)
    from dynaguard.budgets.redis_coordinator import RedisCoordinator

    return RedisCoordinator(setting)
