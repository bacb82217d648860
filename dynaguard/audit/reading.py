"""Reads audit files back."""

from __future__ import annotations

import json
import warnings
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from dynaguard.errors import ConfigurationError, DynaguardWarning


def read_records(path: Path) -> Iterator[Mapping[str, Any]]:
    """The records of an audit file, in file order, read as they are asked for.

    A line that a crash tore is skipped with a `DynaguardWarning`: the last line of the file
    without its newline, or a broken line with an empty line after it, which is how a writer that
    found such an end went on.

    Raises:
        ConfigurationError: The file cannot be read, or another line is no record; names the line.
    """
    broken: int | None = None
    line = ""
    number = 0
    try:
        with path.open(encoding="utf-8", errors="replace", newline="\n") as file:
            for number, line in enumerate(file, start=1):
                is_empty = not line.strip()
                if broken is not None:
                    _skip_torn(path, broken, is_torn=is_empty)
                    broken = None
                if is_empty:
                    continue
                record = _parse(line)
                if record is None:
                    broken = number
                else:
                    yield record
    except OSError as err:
        raise ConfigurationError(f"`{path}` cannot be read ({err.strerror})") from err
    if broken is not None:
        _skip_torn(path, broken, is_torn=not line.endswith("\n"))


def _parse(line: str) -> dict[str, Any] | None:
    """The record on a line, or None when it holds none."""
    try:
        record = json.loads(line)
    except ValueError:
        return None
    return record if isinstance(record, dict) else None


def _skip_torn(path: Path, number: int, *, is_torn: bool) -> None:
    """Warns of a torn line.

    Raises:
        ConfigurationError: The line is broken and not torn.
    """
    if not is_torn:
        raise ConfigurationError(
            f"{path}:{number}: this line is no audit record, remove it or name an audit file"
        )
    warnings.warn(
        f"{path}:{number}: a record that was not written to its end is skipped",
        DynaguardWarning,
        stacklevel=3,
    )
