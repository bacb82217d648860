"""Any edit, removal, repetition, move or cut is found; what was lost honestly is no fault."""

from __future__ import annotations

import errno
import gzip
import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dynaguard.audit.reading import audit_files, read_lines
from dynaguard.audit.signing import Signer, Verifier
from dynaguard.audit.verifying import Verification, verify
from dynaguard.audit.writer import ChainedWriter
from tests.audit.test_audit_chain import TEXT, Memory, key_files

SECOND_NS = 10**9


def written(counts: Iterable[int], **options: Any) -> list[bytes]:
    """Lines of writers that took turns, each with so many records and a last checkpoint."""
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
    return verify(read_lines([path]), **options)


def problems(found: Verification) -> list[str]:
    """What is wrong, in words."""
    return [fault.problem for fault in found.faults]


def test_what_was_written_verifies(tmp_path: Path) -> None:
    """Every writer for itself, to its last checkpoint."""
    found = verified(tmp_path, written([5, 3]))

    assert found.faults == []
    assert (found.record_count, found.checkpoints, found.open_count) == (8, 2, 0)
    assert all(state.is_final for state in found.states.values())


tampering = st.sampled_from(["edit", "remove", "repeat", "swap", "insert"])


@settings(max_examples=300)
@given(
    kind=tampering,
    counts=st.lists(st.integers(1, 8), min_size=1, max_size=3),
    data=st.data(),
)
def test_tampering_before_the_last_checkpoint_is_found(
    tmp_path_factory: pytest.TempPathFactory, kind: str, counts: list[int], data: st.DataObject
) -> None:
    """Wherever it happens, whichever it is."""
    lines = written(counts)
    records = [index for index, line in enumerate(lines) if b'"checkpoint"' not in line]
    index = data.draw(st.sampled_from(records))
    writer_id = json.loads(lines[index])["writer"]["id"].encode()
    if kind == "edit":
        lines[index] = lines[index].replace(b'"n":', b'"n":1')
    elif kind == "remove":
        del lines[index]
    elif kind == "repeat":
        lines.insert(data.draw(st.integers(0, len(lines))), lines[index])
    elif kind == "insert":
        lines.insert(index, lines[index].replace(b'"n":', b'"n":1'))
    else:
        own = [other for other, line in enumerate(lines) if writer_id in line and other != index]
        other = data.draw(st.sampled_from(own))
        lines[index], lines[other] = lines[other], lines[index]

    assert verified(tmp_path_factory.mktemp("tampered"), lines).faults


@settings(max_examples=100)
@given(
    fails=st.lists(st.booleans(), min_size=1, max_size=30),
    torn=st.sets(st.integers(0, 29)),
    data=st.data(),
)
def test_honest_losses_are_no_fault_and_hide_none(
    tmp_path_factory: pytest.TempPathFactory,
    fails: list[bool],
    torn: set[int],
    data: st.DataObject,
) -> None:
    """A full disk, with or without a fragment of the line; a removed record still shows."""
    memory = Memory()
    writer = ChainedWriter(memory, service="s", version="1")
    for number, is_lost in enumerate(fails):
        memory.is_full = is_lost
        try:
            writer.write(f'{TEXT},"n":{number}', SECOND_NS)
        except OSError:
            if number in torn:
                memory.lines.append(b'{"schema_version":2,"phase":\n')
    memory.is_full = False
    writer.close()

    found = verified(tmp_path_factory.mktemp("lost"), memory.lines)
    assert found.faults == []
    assert found.record_count == fails.count(False)

    kept = [i for i, line in enumerate(memory.lines) if b'"n"' in line]
    if kept:
        del memory.lines[data.draw(st.sampled_from(kept))]
        assert verified(tmp_path_factory.mktemp("removed"), memory.lines).faults


def test_a_record_that_was_written_though_it_counts_as_lost_is_no_fault(tmp_path: Path) -> None:
    """The last byte did not fit, or the caller was interrupted just then."""
    memory = Memory()
    writer = ChainedWriter(memory, service="s", version="1")
    writer.write(TEXT, SECOND_NS)

    def keep_and_fail(line: bytes) -> None:
        memory.lines.append(line)
        raise OSError(errno.EIO, "Input/output error")

    memory.on_write = keep_and_fail
    with pytest.raises(OSError, match="Input/output"):
        writer.write(TEXT, SECOND_NS)
    memory.on_write = lambda line: None
    writer.write(TEXT, SECOND_NS)
    writer.close()

    assert verified(tmp_path, memory.lines).faults == []


def test_what_a_queue_lost_is_explained_and_not_more(tmp_path: Path) -> None:
    """It finds out later than the chain goes on."""
    memory = Memory()
    writer = ChainedWriter(memory, service="s", version="1")
    for _ in range(6):
        writer.write(TEXT, SECOND_NS)
    memory.lost_count = 2
    writer.close()
    lines = memory.lines

    assert verified(tmp_path, [*lines[:2], *lines[4:]]).faults == []
    found = verified(tmp_path, [*lines[:2], *lines[5:]])
    assert problems(found) == ["3 records before it are missing"]


def test_the_words_of_each_fault(tmp_path: Path) -> None:
    """Place first, and whose."""
    lines = written([4])

    changed = verified(tmp_path, [lines[0].replace(b'"n":', b'"n":1'), *lines[1:]])
    assert problems(changed) == ["the record before it was changed"]
    assert changed.faults[0].place.endswith("audit.jsonl:2")
    assert problems(verified(tmp_path, [lines[0], *lines[2:]])) == [
        "1 record before it is missing"
    ]
    assert problems(verified(tmp_path, lines[2:])) == [
        "2 records of its writer before it are missing"
    ]
    assert problems(verified(tmp_path, [*lines, lines[0]])) == [
        "record 1 stands here again, or in the wrong order"
    ]
    forged = [*lines[:1], lines[1].replace(b'"sequence":2', b'"sequence":3')]
    assert problems(verified(tmp_path, forged)) == ["its number skips 1 record"]


def test_a_checkpoint_that_stands_here_again_vouches_for_nothing(tmp_path: Path) -> None:
    """It is counted, and is a fault."""
    lines = written([2])

    found = verified(tmp_path, [*lines, lines[-1].replace(b'"sequence":3', b'"sequence":1')])

    assert problems(found) == ["record 1 stands here again, or in the wrong order"]
    assert found.open_count == 0


def test_a_part_may_begin_anywhere(tmp_path: Path) -> None:
    """Earlier files are in an archive."""
    lines = written([4])

    assert verified(tmp_path, lines[2:], is_part=True).faults == []
    assert verified(tmp_path, [lines[1], lines[3]], is_part=True).faults


def test_a_cut_end_shows_against_kept_heads(tmp_path: Path) -> None:
    """And so does a writer that is gone, and a head that was rewritten."""
    lines = written([3, 2])
    heads = verified(tmp_path, lines).heads()

    assert verified(tmp_path, lines, heads=heads).faults == []
    assert problems(verified(tmp_path, lines[:4], heads=heads)) == [
        "cut off: 4 records were here, 2 are",
        "cut off: 3 records were here, 2 are",
    ]
    gone = next(iter(heads)).encode()
    kept = [line for line in lines if gone not in line]
    assert problems(verified(tmp_path, kept, heads=heads)) == [
        "cut off: 4 records were here, 0 are"
    ]
    last = [*lines[:-1], lines[-1].replace(b"true", b"null")]
    assert problems(verified(tmp_path, last, heads=heads)) == [
        "is not what it was when the heads were kept"
    ]


def test_signed_checkpoints_show_a_chain_that_was_made_anew(tmp_path: Path) -> None:
    """Without the key nobody can vouch for it."""
    (tmp_path / "other").mkdir()
    private, public = key_files(tmp_path)
    other, _ = key_files(tmp_path / "other")
    verifier = Verifier(public)
    signed = written([3], signer=Signer(private))

    found = verified(tmp_path, signed, verifier=verifier)
    assert (found.faults, found.open_count) == ([], 0)
    assert verified(tmp_path, signed).faults == []
    assert problems(verified(tmp_path, written([3]), verifier=verifier)) == [
        "this checkpoint is not signed"
    ]
    foreign = verified(tmp_path, written([3], signer=Signer(other)), verifier=verifier)
    assert problems(foreign)[0].startswith("this checkpoint is signed with the key ")
    forged = [*signed[:-1], signed[-1].replace(b'"is_final":true', b'"is_final":false')]
    found = verified(tmp_path, forged, verifier=verifier)
    assert problems(found) == ["the signature of this checkpoint is wrong"]
    assert found.open_count == 4


def test_what_is_no_record_is_counted_and_no_fault(tmp_path: Path) -> None:
    """A tear, a line of somebody else, and records of before there were chains."""
    lines = written([2])
    old = b'{"schema_version":1,"phase":"outcome","writer":{"service":null,"pid":1}}\n'
    half = b'{"schema_version":2,"phase":"outcome","writer":{"id":"a","sequence":null}}\n'

    found = verified(
        tmp_path, [lines[0], b"hello\n", old, half, lines[1][:30] + lines[1], lines[2]]
    )

    assert found.faults == []
    assert (found.torn, len(found.foreign), found.unchained) == (1, 1, 2)
    assert found.foreign[0].endswith("audit.jsonl:2")


def test_files_are_read_in_order_of_time(tmp_path: Path) -> None:
    """What was put aside, before what is written now; folders by their names; packed or not."""
    lines = written([4])
    path = tmp_path / "audit.jsonl"
    (tmp_path / "audit-20261121T120000000001Z-7.jsonl").write_bytes(lines[1])
    (tmp_path / "audit-20261121T120000000000Z-9.jsonl").write_bytes(lines[0])
    path.write_bytes(b"".join(lines[2:]))
    (tmp_path / "audit-notes.txt").write_text("hello")

    assert verify(read_lines(audit_files(path))).faults == []

    folder = tmp_path / "parts"
    for number, line in enumerate(lines):
        day = folder / f"date=2026-11-{20 + number}"
        day.mkdir(parents=True)
        (day / "part.jsonl.gz").write_bytes(gzip.compress(line))
    assert verify(read_lines(audit_files(folder))).faults == []
