"""Reads audit files back: records in order, torn lines reported, anything else refused."""

from __future__ import annotations

import json
import os
import warnings
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Final

from dynaguard.audit.record import SCHEMA_VERSION
from dynaguard.errors import ConfigurationError, DynaguardWarning

MAX_LINE_BYTES: Final = 16 * 1024 * 1024
_OPENING: Final = b'{"schema_version":'
"""How every record's line begins; `build_record` has this key first."""


def read_records(path: str | os.PathLike[str]) -> Iterator[Mapping[str, Any]]:
    """The records of an audit file, one at a time.

    A line that a crash or a full disk tore is left out and reported at the end. A record that
    another process wrote behind such a fragment, on the same line, is found.

    Args:
        path: The file.

    Yields:
        Each record. **Shape**: `audit-record.schema.json`.

    Raises:
        ConfigurationError: The file cannot be read, or a line of it is no record, or one of a
            later version. Names file and line.

    Warns:
        DynaguardWarning: Lines were torn: how many, and which was the first.

    Cost: one line in memory at a time.
    """
    torn: list[int] = []
    for number, line in _numbered_lines(path):
        record, is_torn = _record_and_damage(line, f"{path}:{number}")
        if is_torn:
            torn.append(number)
        if record is not None:
            yield record
    if torn:
        what = "1 audit record was" if len(torn) == 1 else f"{len(torn)} audit records were"
        warnings.warn(
            f"{path}:{torn[0]}: {what} torn by a crash or a full disk and left out",
            DynaguardWarning,
            stacklevel=2,
        )


def _numbered_lines(path: str | os.PathLike[str]) -> Iterator[tuple[int, bytes]]:
    """The lines that are not blank, each with its number from 1.

    Raises:
        ConfigurationError: The file cannot be read, or a line is too long for a record.
    """
    try:
        with Path(path).open("rb") as file:
            for number, line in enumerate(iter(lambda: file.readline(MAX_LINE_BYTES), b""), 1):
                if len(line) == MAX_LINE_BYTES:
                    raise ConfigurationError(f"{path}:{number}: too long for an audit record")
                if line.strip():
                    yield number, line.strip()
    except OSError as err:
        raise ConfigurationError(f"audit file `{path}` cannot be read ({err.strerror})") from err


def _record_and_damage(line: bytes, place: str) -> tuple[Mapping[str, Any] | None, bool]:
    """The record in a line, or None; and whether a fragment of another is in it.

    Raises:
        ConfigurationError: The line is neither.
    """
    record = _parsed(line, place)
    if record is not None:
        return record, False
    start = line.rfind(_OPENING)
    fragment = line[:start] if start > 0 else line
    if not _OPENING.startswith(fragment[: len(_OPENING)]):
        raise ConfigurationError(f"{place}: no audit record")
    return (_parsed(line[start:], place) if start > 0 else None), True


def _parsed(line: bytes, place: str) -> Mapping[str, Any] | None:
    """The record that a line is as a whole; None where it is not JSON.

    Raises:
        ConfigurationError: It is something else, or a record of a later version.
    """
    try:
        record: Any = json.loads(line)
    except (ValueError, RecursionError):
        return None
    if not isinstance(record, dict) or not isinstance(record.get("schema_version"), int):
        raise ConfigurationError(f"{place}: no audit record")
    version = record["schema_version"]
    if version > SCHEMA_VERSION:
        raise ConfigurationError(
            f"{place}: an audit record of version {version}, this dynaguard reads up to "
            f"{SCHEMA_VERSION}, update it"
        )
    return record
