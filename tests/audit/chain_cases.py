"""What tests of verifying share: chains that were written, and changes to them."""

from __future__ import annotations

import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from dynaguard.audit.reading import read_lines
from dynaguard.audit.verifying import Verification, verify
from dynaguard.audit.writer import ChainedWriter
from tests.audit.test_audit_chain import Memory

SECOND_NS = 10**9
TEXT = (
    '{"schema_version":2,"phase":"outcome","time":"2026-11-21T12:00:00Z","identity":{},'
    '"tables":[],"outcome":{}'
)


def written(counts: Iterable[int], **options: Any) -> list[bytes]:
    """Lines of writers that took turns, each with so many records between two checkpoints."""
    memory = Memory()
    writers = [
        (ChainedWriter(memory, service="s", version="1", **options), count) for count in counts
    ]
    for number in range(max(count for _, count in writers)):
        for writer, count in writers:
            if number < count:
                writer.write(f'{TEXT},"n":{number}', (number + 1) * SECOND_NS)
    for writer, _ in writers:
        writer.close()
    return memory.lines


def verified(tmp_path: Path, lines: Iterable[bytes], **options: Any) -> Verification:
    """The verification of a file with these lines."""
    path = tmp_path / "audit.jsonl"
    path.write_bytes(b"".join(lines))
    return verify([read_lines(path)], **options)


def problems(found: Verification) -> list[str]:
    """What is wrong, in words."""
    return [fault.problem for fault in found.faults]


def changed(line: bytes, **members: Any) -> bytes:
    """A line with other members of its `writer`."""
    record = json.loads(line)
    record["writer"] |= members
    return json.dumps(record, separators=(",", ":")).encode() + b"\n"
