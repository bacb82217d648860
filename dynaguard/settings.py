"""The one table of settings: type, default, environment variable and meaning of each.

Order of precedence: explicit argument > `DYNAGUARD_*` environment > `[settings]` of the policy
document > default. Everything is read once, by `install()`; nothing on the call path reads the
environment.
"""

from __future__ import annotations

import dataclasses
import enum
import os
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final, Literal

from dynaguard.errors import ConfigurationError, nearest
from dynaguard.scope import MAX_NAME_LENGTH, Priority

PREFIX: Final = "DYNAGUARD_"
MIN_KEY_LENGTH: Final = 16
_TRUE: Final = frozenset({"1", "true", "yes", "on"})
_FALSE: Final = frozenset({"0", "false", "no", "off"})
_ACCOUNT_DIGITS: Final = 12
_SERVICE_FALLBACKS: Final = (
    "OTEL_SERVICE_NAME",
    "POWERTOOLS_SERVICE_NAME",
    "AWS_LAMBDA_FUNCTION_NAME",
)


class Mode(enum.StrEnum):
    """What a refusal does."""

    ENFORCE = "enforce"
    OBSERVE = "observe"
    OFF = "off"


@dataclass(frozen=True, slots=True)
class Settings:
    """Every setting, resolved. Field names are the arguments of `install()`.

    See `SETTINGS` for the meaning, the environment variable and the accepted values of each.
    """

    policy: Path | None = None
    mode: Mode = Mode.ENFORCE
    on_error: Literal["deny", "allow"] = "deny"
    audit: str = "off"
    audit_mode: Literal["best-effort", "required"] = "best-effort"
    account_id: str | None = None
    identity: str | None = None
    identity_lookup: Literal["off", "sts"] = "off"
    service: str | None = None
    environment: str | None = None
    runbook: str | None = None
    job: str | None = None
    run_id: str | None = None
    stage: str | None = None
    priority: Priority = Priority.INTERACTIVE
    correlation_id: str | None = None
    stamp: bool = True
    mask: bool = True
    mask_key: str | None = field(default=None, repr=False)
    mask_key_file: Path | None = None
    budget: bool = True
    disabled: bool = False


class Kind(enum.StrEnum):
    """What sort of value a setting takes."""

    TEXT = "text"
    CHOICE = "one of the values"
    SWITCH = "on or off"
    ACCOUNT = "twelve digits"
    PATH = "a path"
    AUDIT = "a path, `stdout` or `off`"
    SECRET = "a secret of at least 16 characters"


@dataclass(frozen=True, slots=True)
class Setting:
    """One row of the table.

    Attributes:
        name: Argument of `install()` and key in `[settings]`.
        kind: What sort of value it takes.
        doc: What it means, one sentence.
        choices: The accepted values of a choice.
        in_document: Whether `[settings]` may hold it.
        is_argument: Whether `install()` takes it.
    """

    name: str
    kind: Kind
    doc: str
    choices: tuple[str, ...] = ()
    in_document: bool = True
    is_argument: bool = True

    @property
    def env(self) -> str:
        """The environment variable, `DYNAGUARD_AUDIT_MODE` for `audit_mode`."""
        return PREFIX + self.name.upper()

    @property
    def default(self) -> Any:
        """The value without any other source."""
        return _DEFAULTS[self.name]


_DEFAULTS: Final = {row.name: row.default for row in dataclasses.fields(Settings)}

SETTINGS: Final = (
    Setting(
        "policy",
        Kind.PATH,
        "The policy document; not given, `dynaguard.toml` in the working directory.",
        in_document=False,
    ),
    Setting(
        "mode",
        Kind.CHOICE,
        "`enforce` refuses, `observe` lets every call through and records what would have "
        "happened, `off` installs nothing.",
        tuple(mode.value for mode in Mode),
    ),
    Setting(
        "on_error",
        Kind.CHOICE,
        "What happens to a call that dynaguard itself fails to decide.",
        ("deny", "allow"),
    ),
    Setting("audit", Kind.AUDIT, "Where audit records go, one JSON line each."),
    Setting(
        "audit_mode",
        Kind.CHOICE,
        "`best-effort` never breaks a call, `required` sends no call without a record on disk.",
        ("best-effort", "required"),
    ),
    Setting("account_id", Kind.ACCOUNT, "The AWS account that calls go to."),
    Setting(
        "identity",
        Kind.TEXT,
        "Name or ARN of this process's identity, where its credentials do not tell.",
    ),
    Setting(
        "identity_lookup",
        Kind.CHOICE,
        "`sts` asks `GetCallerIdentity` once per access key, `off` never asks.",
        ("off", "sts"),
    ),
    Setting(
        "service",
        Kind.TEXT,
        "Name of this service on records; falls back to `OTEL_SERVICE_NAME`, "
        "`POWERTOOLS_SERVICE_NAME`, `AWS_LAMBDA_FUNCTION_NAME`.",
    ),
    Setting(
        "environment",
        Kind.TEXT,
        "`dev`, `staging`, `prod`: the value of `dynaguard:Environment`.",
    ),
    Setting("runbook", Kind.TEXT, "Name of the runbook that this process executes."),
    Setting("job", Kind.TEXT, "The process's job outside of any `job()` scope."),
    Setting("run_id", Kind.TEXT, "The run of that job."),
    Setting("stage", Kind.TEXT, "The pipeline stage of that job."),
    Setting(
        "priority",
        Kind.CHOICE,
        "The class of calls outside of any `job()` scope.",
        tuple(priority.value for priority in Priority),
    ),
    Setting(
        "correlation_id",
        Kind.TEXT,
        "The correlation id outside of any scope; not given, each call gets its own.",
    ),
    Setting("stamp", Kind.SWITCH, "Whether requests carry the correlation id."),
    Setting("mask", Kind.SWITCH, "Whether the document's masks act."),
    Setting("mask_key", Kind.SECRET, "Key of `hash` masks.", in_document=False),
    Setting("mask_key_file", Kind.PATH, "A file that holds that key.", in_document=False),
    Setting("budget", Kind.SWITCH, "Whether retry budgets act."),
    Setting(
        "disabled",
        Kind.SWITCH,
        "Switches everything off, whatever the other settings say.",
        in_document=False,
        is_argument=False,
    ),
)
_SETTING_BY_NAME: Final = {setting.name: setting for setting in SETTINGS}
_SETTING_BY_ENV: Final = {setting.env: setting for setting in SETTINGS}


@dataclass(frozen=True, slots=True)
class ResolvedSettings:
    """The settings in force.

    Attributes:
        settings: The values.
        source_by_name: `argument`, `environment`, `document` or `default` by setting.
    """

    settings: Settings
    source_by_name: Mapping[str, str]


class _Unusable(Exception):
    """A value that a setting cannot take; the message says what it takes."""


@dataclass(frozen=True, slots=True)
class _Given:
    """A value as one source gives it."""

    source: str
    place: str
    value: object


def resolve_settings(
    arguments: Mapping[str, object],
    environ: Mapping[str, str],
    document: Mapping[str, object] | None = None,
    *,
    document_source: str = "",
    line_by_name: Mapping[str, int] | None = None,
) -> ResolvedSettings:
    """The settings that arguments, environment and document give together.

    Args:
        arguments: Arguments of `install()` that were given.
        environ: The environment; `DYNAGUARD_*` in it must all be known.
        document: The document's `[settings]`.
        document_source: The document's file, for messages and for relative paths in it.
        line_by_name: Line of each entry of `[settings]`.

    Raises:
        ConfigurationError: One line per problem: the place, the value's kind, the nearest valid
            choice. Values of secrets are not shown.
    """
    problems: list[str] = []
    given: dict[str, list[_Given]] = {setting.name: [] for setting in SETTINGS}
    for name, entry in (
        *_from_arguments(arguments, problems),
        *_from_environment(environ, problems),
        *_from_document(document or {}, document_source, line_by_name or {}, problems),
    ):
        given[name].append(entry)
    values: dict[str, Any] = {}
    sources: dict[str, str] = {}
    for setting in SETTINGS:
        values[setting.name], sources[setting.name] = _pick(
            setting, given[setting.name], document_source, problems
        )
    if values["service"] is None:
        values["service"] = next(filter(None, map(environ.get, _SERVICE_FALLBACKS)), None)
        sources["service"] = "environment" if values["service"] else "default"
    if problems:
        raise ConfigurationError("\n".join(problems))
    return ResolvedSettings(Settings(**values), sources)


def find_policy(
    argument: str | os.PathLike[str] | None, environ: Mapping[str, str], working_directory: Path
) -> Path | None:
    """The policy document: the argument, `DYNAGUARD_POLICY`, or `dynaguard.toml` here.

    Never looks in parent folders: which policy guards a process must be plain to see.
    """
    if argument is not None:
        return Path(argument)
    named = environ.get(f"{PREFIX}POLICY")
    if named:
        return Path(named)
    found = working_directory / "dynaguard.toml"
    return Path("dynaguard.toml") if found.exists() else None


def settings_markdown() -> str:
    """The table of settings as Markdown, for the documentation."""
    rows = [
        "| setting | environment variable | takes | default | in `[settings]` | meaning |",
        "|---|---|---|---|---|---|",
    ]
    for setting in SETTINGS:
        takes = ", ".join(f"`{choice}`" for choice in setting.choices) or setting.kind.value
        name = f"`{setting.name}`" if setting.is_argument else "(environment only)"
        rows.append(
            f"| {name} | `{setting.env}` | {takes} | {_shown_default(setting)} | "
            f"{'yes' if setting.in_document else 'no'} | {setting.doc} |"
        )
    return "\n".join(rows) + "\n"


def _shown_default(setting: Setting) -> str:
    """A default as the documentation shows it."""
    if setting.default is None:
        return "none"
    if isinstance(setting.default, bool):
        return "on" if setting.default else "off"
    return f"`{setting.default}`"


# --- where values come from ----------------------------------------------------------------------


def _from_arguments(
    arguments: Mapping[str, object], problems: list[str]
) -> Iterator[tuple[str, _Given]]:
    """The arguments that were given."""
    for name, value in arguments.items():
        if name not in _SETTING_BY_NAME:
            problems.append(f"unknown argument `{name}`{_hint(name, _SETTING_BY_NAME)}")
        elif value is not None:
            yield name, _Given("argument", f"argument `{name}`", value)


def _from_environment(
    environ: Mapping[str, str], problems: list[str]
) -> Iterator[tuple[str, _Given]]:
    """The `DYNAGUARD_*` variables; an empty one counts as not set."""
    for variable, value in environ.items():
        if not variable.startswith(PREFIX):
            continue
        setting = _SETTING_BY_ENV.get(variable)
        if setting is None:
            problems.append(
                f"unknown environment variable `{variable}`{_hint(variable, _SETTING_BY_ENV)}"
            )
        elif value:
            yield setting.name, _Given("environment", f"environment variable `{variable}`", value)


def _from_document(
    document: Mapping[str, object],
    source: str,
    line_by_name: Mapping[str, int],
    problems: list[str],
) -> Iterator[tuple[str, _Given]]:
    """The entries of `[settings]`."""
    for name, value in document.items():
        line = line_by_name.get(name)
        place = f"{source}:{line}: settings.{name}" if line else f"{source}: settings.{name}"
        setting = _SETTING_BY_NAME.get(name)
        if setting is None:
            problems.append(f"{place}: unknown setting `{name}`{_hint(name, _SETTING_BY_NAME)}")
        elif not setting.in_document:
            problems.append(
                f"{place}: `{name}` may not stand in a policy document, set `{setting.env}`"
            )
        else:
            yield name, _Given("document", place, value)


def _pick(
    setting: Setting, given: list[_Given], document_source: str, problems: list[str]
) -> tuple[Any, str]:
    """The value of the strongest source; every source's value is checked."""
    picked: list[tuple[Any, str]] = []
    for entry in given:
        try:
            value = _READERS[setting.kind](setting, entry.value)
        except _Unusable as fault:
            problems.append(f"{entry.place}: {fault}")
            continue
        if entry.source == "document":
            value = _beside_document(setting, value, document_source)
        picked.append((value, entry.source))
    return picked[0] if picked else (setting.default, "default")


def _beside_document(setting: Setting, value: Any, document_source: str) -> Any:
    """A path in a document starts at the document's folder."""
    is_path = setting.kind is Kind.AUDIT and value not in ("stdout", "off")
    return str(Path(document_source).parent / value) if is_path else value


# --- readers: one per kind -----------------------------------------------------------------------


def _read_text(_setting: Setting, value: object) -> str:
    """Printable text of bounded length."""
    if not isinstance(value, str):
        raise _Unusable(f"is of type {type(value).__name__}, it must be text")
    if not value or len(value) > MAX_NAME_LENGTH or not value.isprintable():
        raise _Unusable(f"must be 1 to {MAX_NAME_LENGTH} printable characters")
    return value


def _read_choice(setting: Setting, value: object) -> Any:
    """One of the accepted values, case ignored; an enum member where the setting is one."""
    text = str(value).strip().lower() if isinstance(value, str) else None
    if text not in setting.choices:
        shown = f"`{value}`" if isinstance(value, str) else f"of type {type(value).__name__}"
        raise _Unusable(
            f"is {shown}, it must be one of {', '.join(setting.choices)}"
            f"{_hint(str(value), setting.choices)}"
        )
    kind = type(setting.default)
    return kind(text) if isinstance(setting.default, enum.Enum) else text


def _read_switch(_setting: Setting, value: object) -> bool:
    """A boolean, or its usual words."""
    if isinstance(value, bool):
        return value
    text = value.strip().lower() if isinstance(value, str) else ""
    if text in _TRUE:
        return True
    if text in _FALSE:
        return False
    shown = f"`{value}`" if isinstance(value, str) else f"of type {type(value).__name__}"
    raise _Unusable(f"is {shown}, it must be on or off (1, true, yes; 0, false, no)")


def _read_account(_setting: Setting, value: object) -> str:
    """Twelve digits, as text: a number would lose leading zeros."""
    if not isinstance(value, str):
        raise _Unusable(f"is of type {type(value).__name__}, write the account id in quotes")
    if len(value) != _ACCOUNT_DIGITS or not (value.isascii() and value.isdigit()):
        raise _Unusable(f"has {len(value)} characters, an account id has twelve digits")
    return value


def _read_path(_setting: Setting, value: object) -> Path:
    """A path; whether it can be read shows when it is."""
    if not isinstance(value, str | os.PathLike) or not os.fspath(value):
        raise _Unusable(f"is of type {type(value).__name__}, it must be a path")
    return Path(os.fsdecode(value))


def _read_audit(setting: Setting, value: object) -> str:
    """A sink's name, or a path as text."""
    if isinstance(value, str) and value.lower() in ("stdout", "off"):
        return value.lower()
    return str(_read_path(setting, value))


def _read_secret(_setting: Setting, value: object) -> str:
    """A secret; never shown, not even its length."""
    if not isinstance(value, str) or len(value) < MIN_KEY_LENGTH:
        raise _Unusable(f"must be text of at least {MIN_KEY_LENGTH} characters")
    return value


_READERS: Final[Mapping[Kind, Callable[[Setting, object], Any]]] = {
    Kind.TEXT: _read_text,
    Kind.CHOICE: _read_choice,
    Kind.SWITCH: _read_switch,
    Kind.ACCOUNT: _read_account,
    Kind.PATH: _read_path,
    Kind.AUDIT: _read_audit,
    Kind.SECRET: _read_secret,
}


def _hint(word: str, choices: Mapping[str, object] | tuple[str, ...]) -> str:
    """`, did you mean `x`?` where something is near."""
    guess = nearest(word, choices)
    return f", did you mean `{guess}`?" if guess else ""
