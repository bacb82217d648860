"""Single lines under verification: each fault in words and with its place, in any order."""

from __future__ import annotations

import gzip
import json
import random
from pathlib import Path
from typing import Any

import pytest

from dynaguard.audit.chain import digest_of
from dynaguard.audit.reading import audit_files, read_lines
from dynaguard.audit.verifying import verify
from tests.audit.chain_cases import changed, problems, verified, written


def test_the_words_of_each_fault(tmp_path: Path) -> None:
    """Place first, and whose."""
    lines = written([4])

    edited = verified(tmp_path, [*lines[:1], lines[1].replace(b'"n":', b'"n":1'), *lines[2:]])
    assert problems(edited) == ["the record before it was changed"]
    assert edited.faults[0].place.endswith("audit.jsonl:3")
    assert problems(verified(tmp_path, [*lines[:2], *lines[3:]])) == [
        "1 record before it is missing"
    ]
    assert problems(verified(tmp_path, lines[2:])) == [
        "2 records of its writer before it are missing"
    ]
    assert problems(verified(tmp_path, [*lines, lines[1]])) == [
        "record 2 stands here again, or in the wrong order"
    ]
    assert problems(verified(tmp_path, [*lines[:1], changed(lines[1], sequence=3)])) == [
        "its number is 3, 2 is due"
    ]
    assert problems(verified(tmp_path, [changed(lines[0], lost=1), lines[1]])) == [
        "the record before it was changed"
    ]
    less = [changed(lines[0], lost=1)]
    less.append(changed(lines[1], previous_sha256=digest_of(less[0])))
    assert problems(verified(tmp_path, less)) == ["its count of lost records goes back"]


def test_what_is_no_record_is_a_fault_unless_it_was_to_be_expected(tmp_path: Path) -> None:
    """A tear is none; a line of somebody else is, and a record that has no place in a chain."""
    lines = written([2])
    old = b'{"schema_version":1,"phase":"outcome","writer":{"service":null,"pid":1}}\n'
    torn = lines[1][:30] + lines[1]
    heads = verified(tmp_path, lines).heads()

    found = verified(tmp_path, [lines[0], b"hello\n", old, torn, *lines[2:]])
    assert problems(found) == ["no audit record"]
    assert (found.torn, len(found.foreign), found.unchained) == (1, 1, 1)
    assert verified(tmp_path, [b"hello\n", old, *lines], is_mixed=True).faults == []
    assert problems(verified(tmp_path, [*lines, old], heads=heads)) == [
        "a record of version 1, which nothing vouches for"
    ]


@pytest.mark.parametrize(
    ("members", "problem"),
    [
        ({"writer": {"id": "a"}}, "no place in a chain"),
        ({"writer": None}, "no place in a chain"),
        ({"time": None}, "no time"),
        ({"phase": "checkpoint"}, "no checkpoint"),
        ({"phase": "checkpoint", "checkpoint": {}}, "no checkpoint"),
        ({"phase": "guess"}, "no audit record"),
        ({"outcome": None}, "no audit record"),
        ({"phase": "intent"}, "no audit record"),
        ({"identity": "etl"}, "no audit record"),
        ({"tables": None}, "no audit record"),
    ],
    ids=str,
)
def test_a_line_of_another_shape_is_a_fault_with_its_place(
    tmp_path: Path, members: dict[str, Any], problem: str
) -> None:
    """And no reason to stop: the rest is verified."""
    lines = written([2])
    odd = json.dumps(json.loads(lines[1]) | members).encode() + b"\n"

    found = verified(tmp_path, [*lines, odd])

    assert problems(found) == [problem]
    assert found.record_count == 2


@pytest.mark.parametrize(
    "members",
    [
        {"sequence": 0},
        {"sequence": True},
        {"lost": -1},
        {"id": 7},
        {"previous_sha256": 7},
        {"attempted_sha256": None},
        {"attempted_sha256": [7]},
    ],
    ids=str,
)
def test_a_place_that_none_can_have_is_a_fault(tmp_path: Path, members: dict[str, Any]) -> None:
    """Numbers begin at one."""
    lines = written([2])

    assert problems(verified(tmp_path, [*lines, changed(lines[1], **members)])) == [
        "no place in a chain"
    ]


def test_files_come_in_any_order(tmp_path: Path) -> None:
    """Put aside by size, by logrotate, packed or not; in folders; each once."""
    lines = written([8])
    path = tmp_path / "audit.jsonl"
    names = (
        "audit-20261121T120000000001Z-7.jsonl",
        "audit-20261121T120000000000Z-9.jsonl",
        "audit.jsonl.2.gz",
        "audit.jsonl.1",
        "audit.jsonl-20261120",
        "audit-20261121T130000000000Z-9.jsonl.gz",
    )
    for name, line in zip(names, lines, strict=False):
        (tmp_path / name).write_bytes(gzip.compress(line) if name.endswith(".gz") else line)
    path.write_bytes(b"".join(lines[len(names) :]))
    (tmp_path / "audit-notes.txt").write_text("hello")

    assert len(audit_files(path)) == 7
    assert verify(map(read_lines, audit_files(path))).faults == []
    assert audit_files(path, *tmp_path.glob("audit*.jsonl"), path) == audit_files(path)
    assert len(audit_files(tmp_path)) == 7
    assert verify(map(read_lines, audit_files(tmp_path))).faults == []
    path.unlink()
    assert problems(verify(map(read_lines, audit_files(tmp_path)))) == []
    (tmp_path / names[2]).unlink()
    assert problems(verify(map(read_lines, audit_files(tmp_path)))) == [
        "1 record before it is missing"
    ]
    assert audit_files(path)[-1] == path


def test_what_was_delivered_without_order_is_put_in_order(tmp_path: Path) -> None:
    """A removed line still shows."""
    lines = written([8, 3])
    shuffled = random.Random(4711).sample(lines, len(lines))

    assert verified(tmp_path, shuffled).faults
    assert verified(tmp_path, shuffled, is_unordered=True).faults == []
    shuffled.remove(lines[4])
    assert verified(tmp_path, shuffled, is_unordered=True).faults
