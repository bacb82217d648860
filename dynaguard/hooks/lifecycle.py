"""`install()`, `uninstall()`, `attach()`, `detach()`: what is in force in this process.

One installation at a time, global (`install`) or for single clients (`attach`). A lock makes the
changes; calls never take it.
"""

from __future__ import annotations

import os
import threading
from pathlib import Path
from typing import TYPE_CHECKING, Literal, TypeVar

from dynaguard.access_change import receive
from dynaguard.errors import ConfigurationError
from dynaguard.scope import EMPTY_SCOPE, Priority, set_process_scope

if TYPE_CHECKING:
    from collections.abc import Callable

    from dynaguard.access.store import AccessStore
    from dynaguard.budgets.coordination import Coordinator
    from dynaguard.configuration import Configuration
    from dynaguard.guard import Guard
    from dynaguard.hooks.installation import Installation
    from dynaguard.policy.opening import PolicySource
    from dynaguard.settings import Mode

_ClientT = TypeVar("_ClientT")
_lock = threading.RLock()


class _State:
    """What is installed now."""

    def __init__(self) -> None:
        self.configuration: Configuration | None = None
        self.guard: Guard | None = None
        self.installation: Installation | None = None
        self.depth = 0
        self.end_receiving: Callable[[], None] | None = None


_state = _State()


def install(
    policy: PolicySource | None = None,
    *,
    policy_verify_key_file: str | os.PathLike[str] | None = None,
    mode: Mode | str | None = None,
    on_error: Literal["deny", "allow"] | None = None,
    audit: str | os.PathLike[str] | None = None,
    audit_mode: Literal["best-effort", "required"] | None = None,
    audit_fsync: Literal["never", "interval", "always"] | None = None,
    audit_max_bytes: int | None = None,
    audit_sign_key_file: str | os.PathLike[str] | None = None,
    audit_logs: bool | None = None,
    account_id: str | None = None,
    identity: str | None = None,
    identity_lookup: Literal["off", "sts", "iam"] | None = None,
    owner: str | None = None,
    key_schema_lookup: Literal["off", "describe-table"] | None = None,
    service: str | None = None,
    environment: str | None = None,
    runbook: str | None = None,
    job: str | None = None,
    run_id: str | None = None,
    stage: str | None = None,
    priority: Priority | str | None = None,
    correlation_id: str | None = None,
    surroundings: bool | None = None,
    stamp: bool | None = None,
    stamp_scope: bool | None = None,
    mask: bool | None = None,
    mask_key: str | None = None,
    mask_key_file: str | os.PathLike[str] | None = None,
    cursor_max_age_s: float | None = None,
    budget: bool | None = None,
    coordinator: str | Coordinator | None = None,
    consumed_capacity: Literal["off", "total", "indexes"] | None = None,
    key_statistics: bool | None = None,
    query_warnings: bool | None = None,
    access_store: str | os.PathLike[str] | AccessStore | None = None,
    access_verify_key_file: str | os.PathLike[str] | None = None,
    access_max_age_s: float | None = None,
    access_max_duration_s: float | None = None,
    approval_wait_s: float | None = None,
    approval_webhooks: str | os.PathLike[str] | None = None,
    fast_parse: bool | None = None,
) -> Guard:
    """Guards every AWS call of this process that goes through botocore, from now on.

    Covers clients, resources, paginators, waiters and presigned URLs made before or after, in any
    thread. An argument that is not given comes from the environment (`DYNAGUARD_*`), then from
    the document's `[settings]`, then from the defaults; see the settings page for each.

    Args:
        policy: Path of a TOML, JSON or YAML document or of a bundle (`*.dgb`), or the document as
            a mapping. Not given: `DYNAGUARD_POLICY`, then `dynaguard.toml` in the working
            directory, then no policy (nothing is denied).
        policy_verify_key_file: A file with the Ed25519 public key; with it, only a bundle that
            is signed with that key is taken as policy.
        mode: `enforce`, `observe` or `off`.
        on_error: `deny` or `allow` a call when dynaguard itself fails.
        audit: A file, a folder (with a slash at its end), `stdout`, `s3://BUCKET/PREFIX`,
            `firehose://STREAM` or `off`.
        audit_mode: `best-effort`, or `required`: no record, no call.
        audit_fsync: When records in files are made to outlive the machine: `never`, at an
            `interval` of a second, `always`.
        audit_max_bytes: Size at which an audit file is put aside and a new one begun.
        audit_sign_key_file: A file with the Ed25519 private key that signs checkpoints of the
            audit records.
        audit_logs: Whether each call is an OpenTelemetry log record too.
        account_id: The AWS account that calls go to, twelve digits.
        identity: Name or ARN of this process's identity, where the credentials do not tell.
        identity_lookup: `sts` asks `GetCallerIdentity` in the background, once per access key;
            `iam` also for the age of a long-lived key; `off` never.
        owner: Who answers for what this process does, where the document names nobody.
        key_schema_lookup: `describe-table` asks `DescribeTable` once per table whose key schema a
            condition needs and nothing else tells, `off` never.
        service: Name of this service, for records.
        environment: `dev`, `staging`, `prod` ..., for `dynaguard:Environment`.
        runbook: Name of the runbook that this process executes.
        job: The process's default job.
        run_id: Its run.
        stage: Its pipeline stage.
        priority: `interactive`, `batch` or `background`, outside of any `job()`.
        correlation_id: The correlation id outside of any scope; not given: the trace's, or one
            per call.
        surroundings: Whether job, run, stage and correlation id come from CI, AWS Batch, Lambda,
            ECS and the trace where nothing else gives them.
        stamp: Whether requests carry the correlation id.
        stamp_scope: Whether the User-Agent names job, run, stage, runbook and task too.
        mask: Whether the document's masks act.
        mask_key: Key of `hash` and `tokenize` masks and of cursors that open in other processes,
            at least 16 characters.
        mask_key_file: A file that holds it.
        cursor_max_age_s: How long a sealed cursor goes on, in seconds.
        budget: Whether retry budgets act.
        coordinator: Shares the rates of resources between processes: a `redis://` URL (extra
            `redis`), or an object with an `ask` like `Coordinator`'s.
        consumed_capacity: Whether answers are asked for the capacity that they consumed: `total`,
            `indexes` (split by index) or `off`.
        key_statistics: Whether hot partition keys are found and distinct ones counted.
        query_warnings: Whether scans, unbounded reads and wasteful filters are told of.
        access_store: Where grants and tickets are kept: `*.sqlite`, `*.db`, `dynamodb://TABLE`,
            `*.json` (a signed file), or a store itself.
        access_verify_key_file: A file with the public key that a signed file is checked with.
        access_max_age_s: How old what was read from the store may be while it cannot be reached.
        access_max_duration_s: How long a grant may be made for at most.
        approval_wait_s: How long a call waits for its approval; not given: it is refused at once.
        approval_webhooks: A file that names the webhooks that are told of tickets.
        fast_parse: Whether dynaguard reads the items of DynamoDB's answers, to the same result.

    Returns:
        The guard in force. A second call with equal settings gives the same one. As a context
        manager it uninstalls at the end, unless an outer `install()` is still in force.

    Raises:
        ConfigurationError: Settings that cannot be used, or other settings than those in force.
        PolicySyntaxError: A policy that is not fully understood; `.problems` lists everything.
        PatchPointError: This botocore cannot be guarded.
        MissingExtraError: The policy is YAML and PyYAML is not installed; or redis-py, or
            `cryptography` for what needs it, is not.

    Effects: reads the environment and the policy once; opens the audit file; patches botocore.
    Nothing is installed when it raises. Thread-safe.
    """
    arguments = {name: value for name, value in locals().items() if value is not None}
    arguments.pop("policy", None)
    with _lock:
        guard = _install(policy, arguments, is_global=True)
        _state.depth += 1
        return guard


def uninstall() -> None:
    """Restores botocore exactly and takes every handler off; without an installation, nothing.

    Effects: closes the audit log. Calls under way end guarded. Thread-safe.
    """
    with _lock:
        if _state.installation is not None:
            _state.installation.remove()
        if _state.end_receiving is not None:
            _state.end_receiving()
        if _state.guard is not None:
            _state.guard.end()
        _state.end_receiving = None
        _state.configuration = _state.guard = _state.installation = None
        _state.depth = 0
        set_process_scope(EMPTY_SCOPE)


def attach(client: _ClientT, policy: PolicySource | None = None) -> _ClientT:
    """Guards one client without a global install, or takes back a `detach()` of it.

    Args:
        client: A botocore or boto3 client (of a resource: `resource.meta.client`).
        policy: As for `install()`; settings come from the environment and the document. One
            process has one guard: with another policy than the one in force it is refused.

    Returns:
        The same client.

    Raises:
        ConfigurationError: Not a client, or other settings than those in force; and whatever
            `install()` raises.
    """
    _check_client(client)
    with _lock:
        if _state.installation is None or policy is not None:
            _install(policy, {}, is_global=_is_global())
        installation = _state.installation
        if installation is not None:
            installation.attach(client)
    return client


def detach(client: _ClientT) -> _ClientT:
    """Leaves one client alone from now on; `status()` counts it.

    Raises:
        ConfigurationError: Not a client, or nothing is installed.
    """
    _check_client(client)
    with _lock:
        installation = _state.installation
        if installation is None:
            raise ConfigurationError("nothing is installed, so no client can be detached")
        installation.detach(client)
    return client


def current() -> tuple[Guard | None, Installation | None]:
    """The guard and the installation in force; a guard that is off has no installation."""
    with _lock:
        return _state.guard, _state.installation


def _is_global() -> bool:
    """Whether the installation in force covers every client."""
    return _state.installation is not None and _state.installation.is_global


def _install(
    policy: PolicySource | None, arguments: dict[str, object], *, is_global: bool
) -> Guard:
    """Builds and applies, or gives the guard that is in force with equal settings."""
    from dynaguard.assembly import (
        build_guard,
        find_trace,
        process_scope,
        read_configuration,
    )

    configuration = read_configuration(
        policy, arguments, environ=os.environ, working_directory=Path.cwd()
    )
    if _state.guard is not None:
        return _reuse(configuration, is_global=is_global)
    from dynaguard.hooks import late
    from dynaguard.hooks.installation import Installation

    guard = build_guard(
        configuration,
        environ=os.environ,
        lookup=late.look_up_caller,
        describe=late.describe_table,
        ship=late.ship_to,
        table_calls=late.table_calls,
    )
    if not configuration.is_off:
        installation = Installation(guard, is_global=is_global)
        try:
            installation.apply()
        except BaseException:
            guard.end()
            raise
        _state.installation = installation
        settings = configuration.resolved.settings
        set_process_scope(process_scope(settings), find_trace(settings, os.environ))
        _state.end_receiving = receive(guard.recording.note_change)
    guard.release = _release
    _state.configuration, _state.guard = configuration, guard
    return guard


def _reuse(configuration: Configuration, *, is_global: bool) -> Guard:
    """The guard in force, if the settings are equal; widens `attach()` to everything if asked.

    Raises:
        ConfigurationError: The settings differ; names the first that does.
    """
    in_force, guard = _state.configuration, _state.guard
    if in_force is None or guard is None:
        raise ConfigurationError("no guard is in force")
    difference = _first_difference(in_force, configuration)
    if difference is not None:
        raise ConfigurationError(
            f"dynaguard is installed already with another {difference}, call "
            "`dynaguard.uninstall()` first, or install with equal settings"
        )
    if is_global and _state.installation is not None:
        _state.installation.widen()
    return guard


def _first_difference(ours: Configuration, theirs: Configuration) -> str | None:
    """The name of the first thing that two configurations differ in, or None."""
    if (ours.document and ours.document.digest) != (theirs.document and theirs.document.digest):
        return "policy"
    for name in ours.resolved.source_by_name:
        if getattr(ours.resolved.settings, name) != getattr(theirs.resolved.settings, name):
            return f"`{name}`"
    return None


def _release() -> None:
    """Takes back one `install()`; the outermost uninstalls."""
    with _lock:
        _state.depth -= 1
        if _state.depth <= 0:
            uninstall()


def _check_client(client: object) -> None:
    """Refuses what is no client of botocore's making."""
    if not hasattr(client, "_service_model") or not hasattr(client, "meta"):
        raise ConfigurationError(
            f"`{type(client).__name__}` is no botocore client, pass what `boto3.client(...)` "
            "gives (of a resource: `resource.meta.client`)"
        )
