"""Puts a guard together from arguments, environment and policy document; reads each once."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from dynaguard.building import build_rooms
from dynaguard.configuration import Configuration, Surrounding
from dynaguard.errors import ConfigurationError
from dynaguard.fitting import Fitting, OwnSteps, fitting
from dynaguard.guard import Guard
from dynaguard.policy.model import PolicyDocument
from dynaguard.policy.opening import PolicySource, open_policy
from dynaguard.scope import FindTrace, Scope
from dynaguard.settings import (
    FoundPolicy,
    ResolvedSettings,
    Settings,
    find_policy,
    resolve_settings,
)

if TYPE_CHECKING:
    from dynaguard.access.table_calls import MakeTableCalls
    from dynaguard.audit.log import AuditLog
    from dynaguard.audit.sinks import Ship
    from dynaguard.audit.writer import Signs
    from dynaguard.aws.dynamodb.schemas import Describe
    from dynaguard.configuration import LookUpCaller
    from dynaguard.policy.bundle_format import Verifies


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
    settings = configuration.resolved.settings
    audit = open_audit(configuration, time_ns=time_ns, ship=ship)
    given = Surrounding(
        environ=environ,
        lookup=lookup,
        describe=describe,
        table_calls=table_calls,
        time_ns=time_ns,
        monotonic=monotonic,
    )

    def fit(own: OwnSteps) -> Fitting:
        rooms = build_rooms(configuration, audit, given)
        return fitting(rooms, settings, own, monotonic=monotonic)

    try:
        return Guard(configuration.resolved, configuration.document, fit, monotonic=monotonic)
    except BaseException:
        audit.close()
        raise


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
    if not settings.surroundings:
        return str
    from dynaguard.propagation.traces import trace_finder

    return trace_finder(environ)


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
    from dynaguard.audit.log import AuditLog

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
