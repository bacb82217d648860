"""Reads audit files back: records in order, torn lines reported, anything else refused."""

from __future__ import annotations

import gzip
import json
import os
import re
import warnings
from collections.abc import Iterator, Mapping
from itertools import chain
from pathlib import Path
from typing import IO, Any, Final, NamedTuple, cast

from dynaguard.audit.record import SCHEMA_VERSION
from dynaguard.audit.shapes import shape_problem
from dynaguard.errors import ConfigurationError, DynaguardWarning

MAX_LINE_BYTES: Final = 16 * 1024 * 1024
_OPENING: Final = b'{"schema_version":'
"""How every record's line begins; `build_record` has this key first."""
_ROTATED: Final = r"(\.\d+|-\d{8}(-\d+)?)?(\.gz)?"
"""What logrotate puts behind a name."""
_PART: Final = re.compile(rf"\.jsonl{_ROTATED}$")


class Line(NamedTuple):
    """One line that is not blank.

    Attributes:
        place: File and number, from 1.
        raw: The record's bytes, without what was torn before it.
        record: The record, or None.
        is_torn: Whether a fragment of another record is in the line.
        problem: Why there is no record, where that is no fragment; else None.
    """

    place: str
    raw: bytes
    record: Mapping[str, Any] | None
    is_torn: bool
    problem: str | None


def audit_files(*paths: str | os.PathLike[str]) -> list[Path]:
    """The files that paths stand for, each once, in order of their names.

    Args:
        paths: A file: it and what was put aside from it, by dynaguard or by logrotate, packed or
            not. A folder: all `.jsonl` files in it and below, likewise.
    """
    by_file: dict[object, Path] = {}
    for given in map(Path, paths):
        for each in _files_of(given):
            try:
                state = each.stat()
                by_file.setdefault((state.st_dev, state.st_ino), each)
            except OSError:
                by_file.setdefault(each, each)  # whoever opens it says what is wrong
    return list(by_file.values())


def _files_of(given: Path) -> list[Path]:
    """The files that one path stands for."""
    if given.is_dir():
        return sorted(each for each in given.rglob("*") if _PART.search(each.name))
    stem, suffix = re.escape(given.stem), re.escape(given.suffix)
    aside = re.compile(rf"{stem}-\d+T\d+Z-\d+{suffix}(\.gz)?|{stem}{suffix}{_ROTATED}")
    found = [each for each in given.parent.glob("*") if aside.fullmatch(each.name)]
    return [*sorted(each for each in found if each != given), given]


def read_records(path: str | os.PathLike[str]) -> Iterator[Mapping[str, Any]]:
    """The records of an audit file or folder, one at a time: those of calls alone.

    A line that a crash or a full disk tore is left out and reported at the end. A record that
    another process wrote behind such a fragment, on the same line, is found.

    Args:
        path: The file, read together with what was put aside from it; or a folder of files.

    Yields:
        Each record. **Shape**: `audit-record.schema.json`.

    Raises:
        ConfigurationError: A file cannot be read, or a line of it is no record, or one of a
            later version. Names file and line.

    Warns:
        DynaguardWarning: Lines were torn: how many, and which was the first.

    Cost: one line in memory at a time.
    """
    return chain.from_iterable(map(read_file, audit_files(path)))


def read_file(
    path: Path, *, is_mixed: bool = False, with_changes: bool = False
) -> Iterator[Mapping[str, Any]]:
    """The records of one file, as `read_records` gives them.

    Args:
        path: The file.
        is_mixed: Whether lines that are no records are passed over.
        with_changes: Whether changes in access are given, too.
    """
    passed_over = ("checkpoint",) if with_changes else ("checkpoint", "access")
    torn: list[str] = []
    for line in read_lines(path):
        if line.problem is not None and not is_mixed:
            raise ConfigurationError(f"{line.place}: {line.problem}")
        if line.is_torn:
            torn.append(line.place)
        if line.record is not None and line.record.get("phase") not in passed_over:
            yield line.record
    if torn:
        what = "1 audit record was" if len(torn) == 1 else f"{len(torn)} audit records were"
        warnings.warn(
            f"{torn[0]}: {what} torn by a crash or a full disk and left out",
            DynaguardWarning,
            stacklevel=2,
        )


def read_lines(path: Path) -> Iterator[Line]:
    """Every line of a file.

    Raises:
        ConfigurationError: The file cannot be read, or a line is too long for a record, or a
            record of a later version.
    """
    for number, raw in _numbered_lines(path):
        yield _read_line(f"{path}:{number}", raw)


def _numbered_lines(path: Path) -> Iterator[tuple[int, bytes]]:
    """The lines that are not blank, each with its number from 1."""
    try:
        with _open(path) as file:
            for number, line in enumerate(iter(lambda: file.readline(MAX_LINE_BYTES), b""), 1):
                if len(line) == MAX_LINE_BYTES:
                    raise ConfigurationError(f"{path}:{number}: too long for an audit record")
                if line.strip():
                    yield number, line.strip()
    except (OSError, EOFError) as err:
        reason = getattr(err, "strerror", None) or "it is no whole gzip file"
        raise ConfigurationError(f"audit file `{path}` cannot be read ({reason})") from err


def _open(path: Path) -> IO[bytes]:
    """The file, unpacked where its name says that it is packed."""
    return cast(IO[bytes], gzip.open(path)) if path.suffix == ".gz" else path.open("rb")


def _read_line(place: str, raw: bytes) -> Line:
    """What a line holds."""
    record, problem = _parsed(raw, place)
    if record is not None or problem is not None:
        return Line(place, raw, record, is_torn=False, problem=problem)
    start = raw.rfind(_OPENING)
    fragment = raw[:start] if start > 0 else raw
    if not _OPENING.startswith(fragment[: len(_OPENING)]):
        return Line(place, raw, None, is_torn=False, problem="no audit record")
    if start <= 0:
        return Line(place, raw, None, is_torn=True, problem=None)
    record, problem = _parsed(raw[start:], place)
    return Line(place, raw[start:], record, is_torn=True, problem=problem)


def _parsed(raw: bytes, place: str) -> tuple[Mapping[str, Any] | None, str | None]:
    """The record that bytes are as a whole, or why they are none; neither: it is no JSON.

    Raises:
        ConfigurationError: It is a record of a later version.
    """
    try:
        record: Any = json.loads(raw)
    except (ValueError, RecursionError):
        return None, None
    if not isinstance(record, dict) or not isinstance(record.get("schema_version"), int):
        return None, "no audit record"
    version = record["schema_version"]
    if version > SCHEMA_VERSION:
        raise ConfigurationError(
            f"{place}: an audit record of version {version}, this dynaguard reads up to "
            f"{SCHEMA_VERSION}, update it"
        )
    problem = shape_problem(record) if version > 1 else None
    return (record, None) if problem is None else (None, problem)
