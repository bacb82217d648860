"""Puts settings together: argument > environment > document > default. Reads what it is given."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from dataclasses import field
from itertools import chain
from pathlib import Path
from types import MappingProxyType
from typing import Any, Final, Literal

from dynaguard.errors import ConfigurationError, nearest
from dynaguard.scope import MAX_NAME_LENGTH
from dynaguard.settings.reading import (
    Misfit,
    read_document_value,
    read_path,
    read_value,
    read_variable,
)
from dynaguard.settings.surroundings import read_surroundings
from dynaguard.settings.table import (
    ENV_PREFIX,
    POLICY_FILE_NAME,
    SERVICE_FALLBACKS,
    SETTING_BY_ENV,
    SETTING_BY_NAME,
    SETTINGS,
    Setting,
    Settings,
)
from dynaguard.values import dataclass

_Source = Literal["argument", "environment", "document"]
_NOTHING: Final[Mapping[str, Any]] = MappingProxyType({})


@dataclass(frozen=True, slots=True)
class ResolvedSettings:
    """The settings in force.

    Attributes:
        settings: The values.
        source_by_name: Where each came from: `argument`, `environment`, `document`, `default`.
            A service name from another library's variable counts as `environment`; a job, run or
            stage that CI, AWS Batch, Lambda or ECS tells is of the `surroundings`.
    """

    settings: Settings
    source_by_name: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class FoundPolicy(os.PathLike[str]):
    """Which policy file to load; stands for its path wherever one is taken.

    Attributes:
        path: As the argument or the variable names it, or within the working directory.
        source: `argument`, `environment` or `working directory`.
    """

    path: Path
    source: Literal["argument", "environment", "working directory"]

    def __fspath__(self) -> str:
        """The path, for `open()` and `Path()`."""
        return str(self.path)

    def __str__(self) -> str:
        """The path, for messages."""
        return str(self.path)


@dataclass(frozen=True, slots=True)
class _Given:
    """One value as it was given.

    Attributes:
        source: Who gave it.
        place: How messages name the place.
        name: Of the setting, or of the variable.
        setting: What it is for, or None where nothing has that name.
        value: As given.
        folder: Where its relative paths start; None: the working directory.
    """

    source: _Source
    place: str
    name: str
    setting: Setting | None
    value: Any = field(repr=False)
    folder: Path | None = None


class _Collected:
    """Values, sources and problems while they are collected; the strongest source comes first."""

    def __init__(self) -> None:
        self.problems: list[str] = []
        self._value_by_name: dict[str, Any] = {}
        self._source_by_name: dict[str, str] = {}

    def take(self, given: _Given) -> None:
        """Reads a value; one that is overridden is read too, for its problems."""
        try:
            name, value = _read(given)
        except Misfit as err:
            self.problems.append(f"{given.place}: {err}")
        else:
            self._value_by_name.setdefault(name, value)
            self._source_by_name.setdefault(name, given.source)

    def keep_one_mask_key(self) -> None:
        """Drops the key, or the key file, that the other one overrides."""
        key, file = map(self._source_by_name.get, ("mask_key", "mask_key_file"))
        if key is None or file is None:
            return
        if key == file:
            self.problems.append(
                f"{key}: `mask_key` and `mask_key_file` are both given, keep one of them"
            )
            return
        overridden = "mask_key" if file == "argument" else "mask_key_file"
        del self._value_by_name[overridden], self._source_by_name[overridden]

    def fall_back_for_service(self, environ: Mapping[str, str]) -> None:
        """Takes the service name from a variable of others, where dynaguard was given none.

        What does not fit is passed over: these variables are not dynaguard's to judge.
        """
        if "service" in self._value_by_name:
            return
        for name in SERVICE_FALLBACKS:
            text = environ.get(name, "").strip()
            if 0 < len(text) <= MAX_NAME_LENGTH and text.isprintable():
                self._value_by_name["service"] = text
                self._source_by_name["service"] = "environment"
                return

    def fall_back_for_scope(self, environ: Mapping[str, str]) -> None:
        """Takes job, run and stage from CI, AWS Batch, Lambda or ECS, where nothing gives them."""
        if not self._value_by_name.get("surroundings", True):
            return
        for name, text in read_surroundings(environ)._asdict().items():
            if text is not None and name not in self._value_by_name:
                self._value_by_name[name] = text
                self._source_by_name[name] = "surroundings"

    def resolved(self) -> ResolvedSettings:
        """What was collected, and the defaults."""
        sources = {row.name: self._source_by_name.get(row.name, "default") for row in SETTINGS}
        return ResolvedSettings(Settings(**self._value_by_name), MappingProxyType(sources))


def resolve_settings(
    arguments: Mapping[str, object],
    environ: Mapping[str, str],
    document: Mapping[str, object] = _NOTHING,
    *,
    document_source: str = "",
    document_folder: Path | None = None,
    line_by_name: Mapping[str, int] = _NOTHING,
) -> ResolvedSettings:
    """The settings that arguments, environment and document give together.

    Args:
        arguments: Values by name, as given to `install()`; None means not given.
        environ: The environment.
        document: The `[settings]` table of the policy document.
        document_source: The document's file as named by the user; relative paths in the table
            start in that file's folder.
        document_folder: Where they start instead: of a bundle, its own folder.
        line_by_name: Line of each name of `document`, for messages.

    Returns:
        The settings and where each came from.

    Raises:
        ConfigurationError: Unknown names and values that cannot be read: all of them, one a line,
            those included that something of higher precedence overrides.
    """
    collected = _Collected()
    for given in chain(
        _given_by_arguments(arguments),
        _given_by_environment(environ),
        _given_by_document(document, document_source, document_folder, line_by_name),
    ):
        collected.take(given)
    collected.keep_one_mask_key()
    if collected.problems:
        raise ConfigurationError("\n".join(collected.problems))
    collected.fall_back_for_service(environ)
    collected.fall_back_for_scope(environ)
    return collected.resolved()


def find_policy(
    given: str | os.PathLike[str] | None, environ: Mapping[str, str], cwd: Path
) -> FoundPolicy | None:
    """Which policy file to load: the argument, then `DYNAGUARD_POLICY`, then `dynaguard.toml`.

    Args:
        given: The argument, or None when not given.
        environ: The environment.
        cwd: The working directory; its parents are not looked at.

    Returns:
        The file and who named it, or None. A file that was named need not exist: loading tells. In
        the working directory whatever bears the name counts, a broken link too: to pass it over
        would leave the calls unguarded.

    Raises:
        ConfigurationError: The argument or the variable is empty or is no path.
    """
    text = environ.get("DYNAGUARD_POLICY")
    try:
        if given is not None:
            return FoundPolicy(read_path(given), "argument")
        if text is not None:
            return FoundPolicy(read_path(text.strip()), "environment")
    except Misfit as err:
        place = "argument `policy`" if given is not None else "DYNAGUARD_POLICY"
        raise ConfigurationError(f"{place}: {err}") from None
    path = cwd / POLICY_FILE_NAME
    return FoundPolicy(path, "working directory") if os.path.lexists(path) else None


def _given_by_arguments(arguments: Mapping[str, object]) -> Iterator[_Given]:
    """The arguments that were given."""
    for name, value in arguments.items():
        if value is not None:
            row = SETTING_BY_NAME.get(name)
            setting = row if row is None or row.is_argument else None
            yield _Given("argument", f"argument `{name}`", name, setting, value)


def _given_by_environment(environ: Mapping[str, str]) -> Iterator[_Given]:
    """The variables of dynaguard, and those that only differ in case."""
    for name, value in environ.items():
        if name.upper().startswith(ENV_PREFIX):
            yield _Given("environment", name, name, SETTING_BY_ENV.get(name), value)


def _given_by_document(
    document: Mapping[str, object],
    source: str,
    folder: Path | None,
    line_by_name: Mapping[str, int],
) -> Iterator[_Given]:
    """The entries of `[settings]`."""
    source = source or "<policy>"
    if folder is None and not source.startswith("<"):
        folder = Path(source).parent
    for name, value in document.items():
        line = line_by_name.get(name, 0)
        place = f"{source}:{line}: settings.{name}" if line else f"{source}: settings.{name}"
        yield _Given("document", place, name, SETTING_BY_NAME.get(name), value, folder)


def _read(given: _Given) -> tuple[str, object]:
    """Name and value of a setting.

    Raises:
        Misfit: Nothing has that name, or the value does not fit.
    """
    setting = given.setting
    if setting is None:
        raise Misfit(_unknown_name(given))
    if given.source == "environment":
        return setting.name, read_variable(setting, given.value)
    if given.source == "document":
        return setting.name, read_document_value(setting, given.value, given.folder)
    return setting.name, read_value(setting, given.value)


def _unknown_name(given: _Given) -> str:
    """That nothing has this name, and which name was probably meant."""
    if given.source == "environment":
        # Without the prefix: it alone would make every variable look like any other.
        guess = nearest(given.name[len(ENV_PREFIX) :], SETTING_BY_NAME)
        hint = f", did you mean `{SETTING_BY_NAME[guess].env}`?" if guess else ", unset it"
        return f"unknown variable{hint}"
    names = [
        row.name
        for row in SETTINGS
        if (row.is_argument if given.source == "argument" else row.is_in_document)
    ]
    guess = nearest(given.name, names)
    hint = f", did you mean `{guess}`?" if guess else f", it must be one of {', '.join(names)}"
    return f"unknown setting{hint}"
