"""One bundle of evidence: what was done under a task, ticket or grant, and how far to trust it.

It holds the lines as they were written, byte by byte, what verification of their whole files said,
and a manifest with the SHA-256 of every part. Who gets it can hash a line and find that hash as
`previous_sha256` in the writer's next one, in the files that the manifest names by their hashes.
"""

from __future__ import annotations

import hashlib
import io
import json
import zipfile
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from dynaguard.audit.heads import Head
from dynaguard.audit.privileged import Privileged
from dynaguard.audit.reading import Line, read_lines
from dynaguard.audit.record import format_time
from dynaguard.audit.statistics import Statistics
from dynaguard.audit.verification import Verification
from dynaguard.audit.verifying import verify
from dynaguard.audit.vouching import ChecksSignatures
from dynaguard.errors import ConfigurationError

MANIFEST: Final = "manifest.json"
MAX_ROWS: Final = 10_000
_CHUNK_BYTES: Final = 1024 * 1024
_ZIP_DATE: Final = (1980, 1, 1, 0, 0, 0)
"""The first that a zip archive knows: equal evidence makes equal bytes."""


@dataclass(frozen=True, slots=True)
class Bundle:
    """The parts of a bundle by name, the manifest among them.

    Attributes:
        parts: Their bytes.
        verification: What verification of the files found.
        line_count: Lines of records and changes that belong to it.
    """

    parts: Mapping[str, bytes]
    verification: Verification
    line_count: int


def collect(
    files: Iterable[Path],
    takes: Callable[[Mapping[str, Any]], bool],
    *,
    about: Mapping[str, Any],
    time_ns: int,
    version: str,
    verifiers: Iterable[ChecksSignatures] = (),
    heads: Mapping[str, Head] | None = None,
    is_part: bool = False,
    is_mixed: bool = False,
) -> Bundle:
    """Makes a bundle. Reads every file whole: what vouches for a line may stand far from it.

    Args:
        files: Audit files.
        takes: Which lines belong to it, records of calls and changes in access.
        about: What it is about, for the manifest.
        time_ns: Now, in nanoseconds since the epoch.
        version: dynaguard's version.
        verifiers: As in `verify`.
        heads: Likewise.
        is_part: Likewise.
        is_mixed: Likewise.

    Raises:
        ConfigurationError: A file cannot be read.

    Cost: the lines that belong to it, in memory.
    """
    paths, checks = list(files), tuple(verifiers)
    taken: list[Line] = []
    found = verify(
        (_watched(path, takes, taken) for path in paths),
        verifiers=checks,
        heads=heads,
        is_part=is_part,
        is_mixed=is_mixed,
    )
    records = [line.record for line in taken if line.record is not None]
    parts = {
        "records.jsonl": b"".join(line.raw + b"\n" for line in taken),
        "verification.json": _json({**found.as_mapping(len(paths)), "is_signed": bool(checks)}),
        "summary.json": _json(_summary(records)),
        "privileges.json": _json(_privileges(records)),
        "runbooks.json": _json(_runbooks(records)),
    }
    parts[MANIFEST] = _json(
        {
            "about": dict(about),
            "created": format_time(time_ns),
            "dynaguard": version,
            "lines": len(taken),
            "is_as_written": not found.faults,
            "parts": [
                {"name": name, "bytes": len(data), "sha256": hashlib.sha256(data).hexdigest()}
                for name, data in sorted(parts.items())
            ],
            "sources": [_source(path) for path in paths],
        }
    )
    return Bundle(parts, found, len(taken))


def write(bundle: Bundle, target: Path) -> None:
    """Writes a bundle: a zip archive where the name ends so, else a new folder.

    Raises:
        ConfigurationError: It is there already, or cannot be written.
    """
    try:
        if target.suffix == ".zip":
            with target.open("xb") as file:
                file.write(_zipped(bundle))
            return
        target.mkdir()
        for name, data in bundle.parts.items():
            (target / name).write_bytes(data)
    except OSError as err:
        reason = "it is there already" if isinstance(err, FileExistsError) else err.strerror
        raise ConfigurationError(f"evidence `{target}` cannot be written ({reason})") from err


def _zipped(bundle: Bundle) -> bytes:
    """All parts in one archive."""
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in sorted(bundle.parts.items()):
            archive.writestr(zipfile.ZipInfo(name, _ZIP_DATE), data, zipfile.ZIP_DEFLATED)
    return packed.getvalue()


def _watched(
    path: Path, takes: Callable[[Mapping[str, Any]], bool], taken: list[Line]
) -> Iterator[Line]:
    """The lines of a file; those that belong to the bundle are kept as they pass."""
    for line in read_lines(path):
        record = line.record
        if record is not None and record.get("phase") != "checkpoint" and takes(record):
            taken.append(line)
        yield line


def _summary(records: Iterable[Mapping[str, Any]]) -> dict[str, Any]:
    """How many calls, of what, by whom."""
    statistics = Statistics()
    for record in records:
        statistics.add(record)
    return statistics.summary(MAX_ROWS)


def _privileges(records: Iterable[Mapping[str, Any]]) -> dict[str, Any]:
    """Grants and approvals with their uses, and every change in order."""
    privileged, changes = Privileged(), []
    for record in records:
        if record.get("phase") == "access":
            changes.append({"time": record["time"], **record["change"]})
        elif record.get("phase") == "outcome":
            privileged.add(record)
    return {**privileged.summary(MAX_ROWS), "changes": changes}


def _runbooks(records: Iterable[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """Every runbook by name and hash, with the tasks and parameters (names) of its runs."""
    found: dict[tuple[str, str], dict[str, Any]] = {}
    for record in records:
        change = record.get("change")
        if change is not None and change.get("runbook_sha256"):
            entry = _runbook(found, change["runbook"] or "", change["runbook_sha256"])
            entry["tasks"].add(change.get("task") or change["id"])
            entry["parameters"].update(change.get("parameters") or ())
            entry["subjects"].update(filter(None, [change.get("subject_sha256")]))
        for boundary in record.get("boundaries") or ():
            if boundary.get("runbook_sha256"):
                entry = _runbook(found, boundary["name"], boundary["runbook_sha256"])
                entry["tasks"].add(boundary["task"])
    return [
        {name: sorted(value) if isinstance(value, set) else value for name, value in each.items()}
        for _, each in sorted(found.items())
    ]


def _runbook(
    found: dict[tuple[str, str], dict[str, Any]], name: str, sha256: str
) -> dict[str, Any]:
    """The entry of a runbook."""
    entry = {"name": name, "sha256": sha256}
    sets: dict[str, set[str]] = {"tasks": set(), "parameters": set(), "subjects": set()}
    return found.setdefault((name, sha256), {**entry, **sets})


def _source(path: Path) -> dict[str, Any]:
    """A file as it is now: a process may go on writing to it."""
    digest, size = hashlib.sha256(), 0
    try:
        with path.open("rb") as file:
            while data := file.read(_CHUNK_BYTES):
                digest.update(data)
                size += len(data)
    except OSError as err:
        raise ConfigurationError(f"audit file `{path}` cannot be read ({err.strerror})") from err
    return {"path": str(path), "bytes": size, "sha256": digest.hexdigest()}


def _json(value: Any) -> bytes:
    """A part for people and programs."""
    return f"{json.dumps(value, indent=2, ensure_ascii=False)}\n".encode()
