"""Puts a guard together from arguments, environment and policy document; reads each once."""

from __future__ import annotations

import secrets
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

from dynaguard.access.assembling import build_access
from dynaguard.audit.log import AuditLog
from dynaguard.aws.context import ContextSource
from dynaguard.aws.dynamodb.schemas import Describe, KeySchemas
from dynaguard.budgets.budget import RetryBudgets
from dynaguard.call import CredentialFacts
from dynaguard.consumption.consumption import Consumption
from dynaguard.consumption.keys import KeyHasher, KeyStatistics
from dynaguard.consumption.limits import CapacityLimits
from dynaguard.consumption.queries import QueryWatch
from dynaguard.errors import ConfigurationError
from dynaguard.guard import Guard, Rooms
from dynaguard.identity.lookup import Caller, IdentityLookup
from dynaguard.identity.resolver import IdentityResolver
from dynaguard.masking import CursorSeals, Masks
from dynaguard.policy.matcher import CompiledPolicy
from dynaguard.policy.model import PolicyDocument
from dynaguard.policy.opening import PolicySource, open_policy
from dynaguard.propagation.traces import trace_finder
from dynaguard.scope import FindTrace, Scope
from dynaguard.settings import (
    FoundPolicy,
    Mode,
    ResolvedSettings,
    Settings,
    find_policy,
    resolve_settings,
)
from dynaguard.telemetry.findings import FindingsCounter
from dynaguard.telemetry.logs import CallLogs
from dynaguard.telemetry.telemetry import Telemetry

if TYPE_CHECKING:
    from dynaguard.access.table_calls import MakeTableCalls
    from dynaguard.access.thresholds import Thresholds
    from dynaguard.audit.sinks import Ship
    from dynaguard.audit.writer import Signs
    from dynaguard.budgets.coordination import Coordinator
    from dynaguard.policy.bundle_format import Verifies

LookUpCaller = Callable[[CredentialFacts, bool], Caller | None]
"""Gives the caller for credentials; whether to ask for the age of their key, too."""


@dataclass(frozen=True, slots=True)
class Configuration:
    """What arguments, environment and document say together.

    Attributes:
        resolved: The settings in force and where each came from.
        document: The policy document, or None.
    """

    resolved: ResolvedSettings
    document: PolicyDocument | None

    @property
    def is_off(self) -> bool:
        """Whether nothing is to be guarded at all."""
        return self.resolved.settings.disabled or self.resolved.settings.mode is Mode.OFF


def read_configuration(
    policy: PolicySource | None,
    arguments: Mapping[str, object],
    *,
    environ: Mapping[str, str],
    working_directory: Path,
) -> Configuration:
    """Reads the policy document and resolves the settings. Installs nothing.

    Where arguments or environment switch everything off, no document is read: a broken one must
    not keep the switch from working.

    Raises:
        ConfigurationError: Settings, environment or arguments that cannot be used.
        PolicySyntaxError: A policy that is not fully understood.
        MissingExtraError: The policy is YAML and PyYAML is not installed.
    """
    without_document = resolve_settings(arguments, environ, {})
    if Configuration(without_document, None).is_off:
        return Configuration(without_document, None)
    found = None
    if not isinstance(policy, Mapping):
        found = find_policy(policy, environ, working_directory)
    source: PolicySource | None = policy if isinstance(policy, Mapping) else found
    key_file = without_document.settings.policy_verify_key_file
    document = _open(source, environ, key_file)
    resolved = without_document
    if document is not None and document.settings:
        resolved = resolve_settings(
            arguments,
            environ,
            document.settings,
            document_source=document.source,
            document_folder=None if document.bundle is None else Path(document.bundle.path).parent,
            line_by_name=document.settings_line_by_name,
        )
    return Configuration(_with_policy(resolved, found), document)


def _open(
    source: PolicySource | None, environ: Mapping[str, str], key_file: Path | None
) -> PolicyDocument | None:
    """The document; None without one, which a key to check it with does not allow."""
    if source is None and key_file is None:
        return None
    if source is None:
        raise ConfigurationError(
            "`policy_verify_key_file` is set and no policy is: name a signed bundle as `policy` "
            "(DYNAGUARD_POLICY)"
        )
    verifier = None if key_file is None else policy_verifier(key_file)
    return open_policy(source, environ=environ, verifier=verifier)


def policy_verifier(key_file: Path) -> Verifies:
    """What checks the signatures of bundles. Reads the key file.

    Raises:
        ConfigurationError: It holds no key that can be used.
        MissingExtraError: `cryptography` is not installed.
    """
    from dynaguard.audit.signing import Verifier

    return Verifier(key_file)


def _with_policy(resolved: ResolvedSettings, found: FoundPolicy | None) -> ResolvedSettings:
    """The settings, with the policy file that was found and where it was named."""
    if found is None:
        return resolved
    return ResolvedSettings(
        replace(resolved.settings, policy=found.path),
        {**resolved.source_by_name, "policy": found.source},
    )


def build_guard(
    configuration: Configuration,
    *,
    environ: Mapping[str, str],
    lookup: LookUpCaller | None = None,
    describe: Describe | None = None,
    ship: Callable[[str], Ship] | None = None,
    table_calls: MakeTableCalls | None = None,
    time_ns: Callable[[], int] = time.time_ns,
    monotonic: Callable[[], float] = time.monotonic,
) -> Guard:
    """A guard that is ready to decide. Opens the audit file; patches nothing.

    Args:
        configuration: As `read_configuration` gives it.
        environ: The environment, for what it tells of the identity.
        lookup: Gives the caller for credentials, used unless `identity_lookup` is `off`.
        describe: Describes a table, used if `key_schema_lookup` is `describe-table`.
        ship: Gives what sends audit records to a remote target.
        table_calls: Gives the calls of an access store in DynamoDB.
        time_ns: The clock of records and of `aws:CurrentTime`, in nanoseconds since the epoch.
        monotonic: The clock of durations, waits and retry budgets, in seconds.

    Raises:
        ConfigurationError: The audit file cannot be opened, a mask needs a key that is not set, or
            the installed opentelemetry-api is too old for `audit_logs`.
    """
    settings, document = configuration.resolved.settings, configuration.document
    context = _context(document, settings, time_ns, describe)
    access = build_access(document, settings, time_ns, monotonic, table_calls)
    rooms = Rooms(
        resolver=IdentityResolver(
            identity=settings.identity,
            account_id=settings.account_id,
            groups={} if document is None else document.groups,
            environ=environ,
            owners={} if document is None else document.owners,
            owner=settings.owner,
            lookup=_lookup(settings, lookup),
            on_finding=FindingsCounter().count,
            monotonic=monotonic,
            time_s=lambda: time_ns() / 1e9,
        ),
        telemetry=Telemetry(logs=CallLogs(time_ns=time_ns) if settings.audit_logs else None),
        audit=open_audit(configuration, time_ns=time_ns, ship=ship),
        context=context,
        access=access,
        policy=None if document is None else CompiledPolicy(document),
        masks=_masks(document, settings, time_ns),
        budgets=_budgets(document, settings, monotonic),
        consumption=_consumption(
            document, settings, context.schemas, monotonic, access.thresholds
        ),
    )
    return Guard(configuration.resolved, document, rooms, monotonic=monotonic)


def _lookup(settings: Settings, lookup: LookUpCaller | None) -> IdentityLookup | None:
    """The identity look-up that the settings choose, or None."""
    if lookup is None or settings.identity_lookup == "off":
        return None
    is_aged = settings.identity_lookup == "iam"
    return lambda facts: lookup(facts, is_aged)


def process_scope(settings: Settings) -> Scope:
    """The scope outside of any other, as the settings describe this process."""
    scope = Scope(
        correlation_id=settings.correlation_id,
        job=settings.job,
        run_id=settings.run_id,
        stage=settings.stage,
        runbook=settings.runbook,
        priority=settings.priority,
    )
    return scope if settings.scope is None else settings.scope.within(scope)


def find_trace(settings: Settings, environ: Mapping[str, str]) -> FindTrace:
    """Where calls get their correlation id that no scope and no setting names."""
    return trace_finder(environ) if settings.surroundings else str


def open_audit(
    configuration: Configuration,
    *,
    time_ns: Callable[[], int] = time.time_ns,
    ship: Callable[[str], Ship] | None = None,
) -> AuditLog:
    """The audit log that the settings name.

    Raises:
        ConfigurationError: The file cannot be opened.
    """
    settings, document = configuration.resolved.settings, configuration.document
    key_file = settings.audit_sign_key_file
    return AuditLog(
        settings.audit,
        mode=settings.audit_mode,
        time_ns=time_ns,
        service=settings.service,
        policy_digest=document.digest if document else None,
        fsync=settings.audit_fsync,
        max_bytes=settings.audit_max_bytes,
        signer=None if key_file is None else _signer(key_file),
        ship=ship,
    )


def _signer(path: Path) -> Signs:
    """What signs checkpoints. Reads the key file."""
    from dynaguard.audit.signing import Signer

    return Signer(path)


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
    key = mask_key(settings)
    seals = CursorSeals(
        key=key, max_age_s=settings.cursor_max_age_s, clock_s=lambda: time_ns() / 1e9
    )
    return Masks(document.masks, key=key, patterns=document.detectors, seals=seals)


def mask_key(settings: Settings) -> bytes | None:
    """The key of masks and cursors. Reads the key file, if one is named.

    Raises:
        ConfigurationError: The file cannot be read, or holds fewer than 16 bytes.
    """
    if settings.mask_key is not None:
        return settings.mask_key.encode()
    if settings.mask_key_file is None:
        return None
    try:
        key = settings.mask_key_file.read_bytes().strip()
    except OSError as err:
        raise ConfigurationError(
            f"`mask_key_file` `{settings.mask_key_file}` cannot be read ({err.strerror})"
        ) from err
    if len(key) < 16:
        raise ConfigurationError(
            f"`mask_key_file` `{settings.mask_key_file}` holds {len(key)} bytes, it must hold at "
            "least 16"
        )
    return key


def _budgets(
    document: PolicyDocument | None, settings: Settings, monotonic: Callable[[], float]
) -> RetryBudgets | None:
    """The retry budgets, or None when they are switched off."""
    if not settings.budget:
        return None
    return RetryBudgets(
        document.budgets if document else (),
        monotonic=monotonic,
        coordinator=_coordinator(settings.coordinator),
    )


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
    keys = None
    if settings.key_statistics:
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
