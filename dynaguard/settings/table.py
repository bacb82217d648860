"""The one table: kind, default, environment variable and meaning of each setting.

Every default stands in `Settings`, everything else in `SETTINGS`; the settings page is generated
from both (`page.py`).
"""

from __future__ import annotations

import enum
from collections.abc import Iterable
from dataclasses import field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, Literal

from dynaguard.scope import MAX_CORRELATION_ID_LENGTH, Priority
from dynaguard.values import dataclass

if TYPE_CHECKING:
    from dynaguard.settings.carried import CarriedScope

ENV_PREFIX: Final = "DYNAGUARD_"
POLICY_FILE_NAME: Final = "dynaguard.toml"
MIN_MASK_KEY_LENGTH: Final = 16
MIN_BYTES: Final = 65_536
SERVICE_FALLBACKS: Final = (
    "OTEL_SERVICE_NAME",
    "POWERTOOLS_SERVICE_NAME",
    "AWS_LAMBDA_FUNCTION_NAME",
)
"""Variables of others that name the service, in order; see `service`."""


class Mode(enum.StrEnum):
    """What a refusal does."""

    ENFORCE = "enforce"
    OBSERVE = "observe"
    OFF = "off"


@dataclass(frozen=True, slots=True)
class Settings:
    """Every setting, resolved. Field names are the arguments of `install()`.

    `mode` off and `disabled` both switch everything off; no argument of `install()` overrides
    `disabled`. See `SETTINGS` for the meaning, the variable and the accepted values of each.
    """

    policy: Path | None = None
    policy_verify_key_file: Path | None = None
    mode: Mode = Mode.ENFORCE
    on_error: Literal["deny", "allow"] = "deny"
    audit: str = "off"
    audit_mode: Literal["best-effort", "required"] = "best-effort"
    audit_fsync: Literal["never", "interval", "always"] = "never"
    audit_max_bytes: int | None = None
    audit_sign_key_file: Path | None = None
    audit_logs: bool = False
    account_id: str | None = None
    identity: str | None = None
    identity_lookup: Literal["off", "sts", "iam"] = "off"
    owner: str | None = None
    key_schema_lookup: Literal["off", "describe-table"] = "off"
    service: str | None = None
    environment: str | None = None
    runbook: str | None = None
    job: str | None = None
    run_id: str | None = None
    stage: str | None = None
    priority: Priority = Priority.INTERACTIVE
    correlation_id: str | None = None
    scope: CarriedScope | None = field(default=None, repr=False)
    surroundings: bool = True
    stamp: bool = True
    stamp_scope: bool = True
    mask: bool = True
    mask_key: str | None = field(default=None, repr=False)
    mask_key_file: Path | None = None
    cursor_max_age_s: float = 86_400.0
    budget: bool = True
    coordinator: Any = field(default=None, repr=False)
    consumed_capacity: Literal["off", "total", "indexes"] = "off"
    key_statistics: bool = False
    query_warnings: bool = False
    access_store: Any = field(default=None, repr=False)
    access_verify_key_file: Path | None = None
    access_max_age_s: float = 30.0
    access_max_duration_s: float = 86_400.0
    approval_wait_s: float | None = None
    approval_webhooks: Path | None = None
    fast_parse: bool = True
    disabled: bool = False


class Kind(enum.StrEnum):
    """What a setting's value is, in the words of the settings page."""

    CHOICE = "one of its choices"
    SWITCH = "`on` or `off`"
    TEXT = "text"
    CORRELATION_ID = f"text, cut to {MAX_CORRELATION_ID_LENGTH} characters"
    ACCOUNT_ID = "twelve digits"
    IDENTITY = "a label or an ARN"
    PATH = "a path"
    AUDIT = "a file, a folder with a slash at its end, `stdout`, a remote target or `off`"
    BYTES = f"bytes, at least {MIN_BYTES}"
    ACCESS_STORE = (
        "`*.sqlite`, `*.db`, `dynamodb://TABLE`, `*.json` (signed), or in `install()` an "
        "`AccessStore`"
    )
    COORDINATOR = "a `redis://` URL, or in `install()` a `Coordinator`"
    SECONDS = "seconds, more than 0"
    SCOPE = "what `scope_environ()` writes"
    SECRET = f"text of at least {MIN_MASK_KEY_LENGTH} characters"


@dataclass(frozen=True, slots=True)
class Setting:
    """One row of the table.

    Attributes:
        name: The field of `Settings` and the argument of `install()`.
        env: The environment variable, or None.
        kind: What the value is.
        choices: The valid values of a choice, as `Settings` keeps them, else empty.
        default: The value where nothing gives one.
        doc: The meaning, in Markdown.
        is_argument: Whether `install()` takes it.
        is_in_document: Whether `[settings]` of a document may give it.
    """

    name: str
    env: str | None
    kind: Kind
    choices: tuple[str, ...]
    default: object
    doc: str
    is_argument: bool = True
    is_in_document: bool = True


_DEFAULTS: Final = Settings()


def _row(
    name: str,
    kind: Kind,
    doc: str,
    choices: Iterable[str] = (),
    *,
    is_argument: bool = True,
    is_in_document: bool = True,
) -> Setting:
    """A row; variable and default follow from the name."""
    return Setting(
        name=name,
        env=f"{ENV_PREFIX}{name.upper()}",
        kind=kind,
        choices=tuple(choices),
        default=getattr(_DEFAULTS, name),
        doc=doc,
        is_argument=is_argument,
        is_in_document=is_in_document,
    )


SETTINGS: Final[tuple[Setting, ...]] = (
    _row(
        "policy",
        Kind.PATH,
        "The policy document, or its [bundle](../bundles.md). Without it, "
        f"`{POLICY_FILE_NAME}` in the working directory; without that, nothing is denied.",
        is_in_document=False,
    ),
    _row(
        "policy_verify_key_file",
        Kind.PATH,
        "A file with the Ed25519 public key (PEM). With it, only a [bundle](../bundles.md) that "
        "is signed with that key is taken as policy; a plain document, or none, is refused.",
        is_in_document=False,
    ),
    _row(
        "mode",
        Kind.CHOICE,
        "`enforce` refuses, `observe` lets every call through and records what would have "
        "happened, `off` switches everything off.",
        Mode,
    ),
    _row(
        "on_error",
        Kind.CHOICE,
        "What happens to a call when dynaguard itself fails.",
        ("deny", "allow"),
    ),
    _row(
        "audit",
        Kind.AUDIT,
        "Where [audit records](../audit.md) go, one JSON line each. A relative path starts at "
        "the working directory; in a document, at the document's folder. Remote targets are "
        "`s3://BUCKET/PREFIX` and `firehose://STREAM`.",
    ),
    _row(
        "audit_mode",
        Kind.CHOICE,
        "`best-effort` never breaks a call, `required` sends none without a record on disk.",
        ("best-effort", "required"),
    ),
    _row(
        "audit_fsync",
        Kind.CHOICE,
        "When records in files are made to outlive the machine, not only the process: `never` "
        "(the system decides), at an `interval` of a second, `always`.",
        ("never", "interval", "always"),
    ),
    _row(
        "audit_max_bytes",
        Kind.BYTES,
        "Size at which an audit file is put aside and a new one begun.",
    ),
    _row(
        "audit_sign_key_file",
        Kind.PATH,
        "A file with the Ed25519 private key (PEM) that signs the checkpoints of audit records.",
        is_in_document=False,
    ),
    _row(
        "audit_logs",
        Kind.SWITCH,
        "Whether each call is an OpenTelemetry log record too, see [telemetry](../telemetry.md).",
    ),
    _row(
        "account_id",
        Kind.ACCOUNT_ID,
        "The caller's account, where its credentials do not tell.",
    ),
    _row("identity", Kind.IDENTITY, "Who calls: a label, or the exact ARN of a role or user."),
    _row(
        "identity_lookup",
        Kind.CHOICE,
        "`sts` asks `GetCallerIdentity` in the background, once per access key, where nothing "
        "offline tells the ARN; `iam` also asks `ListAccessKeys` for the age of a long-lived key.",
        ("off", "sts", "iam"),
    ),
    _row(
        "owner",
        Kind.TEXT,
        "Who answers for what this process does, where `[owners]` of the document names nobody.",
    ),
    _row(
        "key_schema_lookup",
        Kind.CHOICE,
        "`describe-table` asks `DescribeTable` once per table whose key schema a condition needs "
        "and nothing else tells.",
        ("off", "describe-table"),
    ),
    _row(
        "service",
        Kind.TEXT,
        "Name of this service, for records. Without it, the first that is set of "
        f"`{'`, `'.join(SERVICE_FALLBACKS)}`.",
    ),
    _row("environment", Kind.TEXT, "`dev`, `staging`, `prod` ..., for `dynaguard:Environment`."),
    _row("runbook", Kind.TEXT, "The runbook that this process executes."),
    _row(
        "job",
        Kind.TEXT,
        "The job outside of any `job()`. Without it, `run_id` and `stage`, what the "
        "[surroundings](../correlation.md) tell.",
    ),
    _row("run_id", Kind.TEXT, "The run of that job."),
    _row("stage", Kind.TEXT, "The pipeline stage of that job."),
    _row("priority", Kind.CHOICE, "The class of calls outside of any `job()`.", Priority),
    _row(
        "correlation_id",
        Kind.CORRELATION_ID,
        "The correlation id outside of any scope; without it, the id of the trace; without a "
        "trace, one per call.",
    ),
    _row(
        "scope",
        Kind.SCOPE,
        "Who acts, the task and its boundaries, as `scope_environ()` and `dynaguard session` hand "
        "them to a subprocess. Only a variable. What cannot be read keeps the process from "
        "starting.",
        is_argument=False,
        is_in_document=False,
    ),
    _row(
        "surroundings",
        Kind.SWITCH,
        "Whether job, run, stage and correlation id come from CI, AWS Batch, Lambda, ECS and "
        "the trace, where nothing else gives them.",
    ),
    _row("stamp", Kind.SWITCH, "Whether requests carry the correlation id."),
    _row(
        "stamp_scope",
        Kind.SWITCH,
        "Whether the User-Agent of stamped requests names job, run, stage, runbook and task too.",
    ),
    _row("mask", Kind.SWITCH, "Whether the document's masks act."),
    _row(
        "mask_key",
        Kind.SECRET,
        "The key of `hash` and `tokenize` masks, and of cursors that open in other processes.",
        is_in_document=False,
    ),
    _row("mask_key_file", Kind.PATH, "A file that holds that key.", is_in_document=False),
    _row(
        "cursor_max_age_s",
        Kind.SECONDS,
        "How long a sealed cursor (`LastEvaluatedKey` with masked keys) goes on.",
    ),
    _row("budget", Kind.SWITCH, "Whether retry budgets act."),
    _row(
        "coordinator",
        Kind.COORDINATOR,
        "Shares the rates of resources with other processes, see "
        "[retry budgets](../retry-budgets.md).",
        is_in_document=False,
    ),
    _row(
        "consumed_capacity",
        Kind.CHOICE,
        "Whether answers are asked for the capacity that they consumed "
        "(`ReturnConsumedCapacity`), in total or by index, see "
        "[cost and keys](../cost-and-keys.md).",
        ("off", "total", "indexes"),
    ),
    _row(
        "key_statistics",
        Kind.SWITCH,
        "Whether hot partition keys are found and distinct ones counted, by their hashes.",
    ),
    _row(
        "query_warnings",
        Kind.SWITCH,
        "Whether scans, reads without a bound and filters that throw most away are told of.",
    ),
    _row(
        "access_store",
        Kind.ACCESS_STORE,
        "Where grants and tickets are kept, see [access stores](../access-stores.md). A relative "
        "path starts at the working directory; in a document, at the document's folder.",
    ),
    _row(
        "access_verify_key_file",
        Kind.PATH,
        "A file with the Ed25519 public key (PEM) that a signed access store is checked with. "
        "In a document, a relative path starts at the document's folder.",
    ),
    _row(
        "access_max_age_s",
        Kind.SECONDS,
        "How old what was read from the access store may be and still count, while the store "
        "cannot be reached.",
    ),
    _row(
        "access_max_duration_s",
        Kind.SECONDS,
        "How long a grant may be made for at most.",
    ),
    _row(
        "approval_wait_s",
        Kind.SECONDS,
        "How long a call that needs an approval waits for it. Without it, such a call is refused "
        "at once and may be made again later.",
    ),
    _row(
        "approval_webhooks",
        Kind.PATH,
        "A file that names the webhooks that are told of tickets, see "
        "[approvals](../approvals.md).",
        is_in_document=False,
    ),
    _row(
        "fast_parse",
        Kind.SWITCH,
        "Whether the items of DynamoDB's answers are read by dynaguard, to the same result, see "
        "[performance](../performance.md).",
    ),
    _row(
        "disabled",
        Kind.SWITCH,
        "Switches everything off, whatever `install()` is given. Only a variable.",
        is_argument=False,
        is_in_document=False,
    ),
)
SETTING_BY_NAME: Final = {setting.name: setting for setting in SETTINGS}
SETTING_BY_ENV: Final = {setting.env: setting for setting in SETTINGS if setting.env}
