"""Any edit, removal, repetition, move, addition or cut is found; honest losses are no fault."""

from __future__ import annotations

import errno
import gzip
import json
import random
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dynaguard.audit.chain import digest_of
from dynaguard.audit.reading import audit_files, read_lines
from dynaguard.audit.signing import Signer, Verifier
from dynaguard.audit.sinks import UnsureError
from dynaguard.audit.verifying import Head, Verification, verify
from dynaguard.audit.writer import ChainedWriter
from tests.audit.test_audit_chain import Memory, key_files

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


def test_what_was_written_verifies(tmp_path: Path) -> None:
    """Every writer for itself, to its last checkpoint."""
    found = verified(tmp_path, written([5, 3]))

    assert found.faults == []
    assert (found.record_count, found.checkpoints, found.open_count) == (8, 4, 0)
    assert all(state.is_final for state in found.states.values())


@settings(max_examples=300)
@given(
    kind=st.sampled_from(["edit", "remove", "repeat", "swap", "insert", "forge loss"]),
    counts=st.lists(st.integers(1, 8), min_size=1, max_size=3),
    data=st.data(),
)
def test_tampering_before_the_last_checkpoint_is_found(
    tmp_path_factory: pytest.TempPathFactory, kind: str, counts: list[int], data: st.DataObject
) -> None:
    """Wherever it happens, whichever it is, and whatever the lines after it say of losses."""
    lines = written(counts)
    records = [index for index, line in enumerate(lines) if b'"n":' in line]
    index = data.draw(st.sampled_from(records))
    writer_id = json.loads(lines[index])["writer"]["id"].encode()
    own = [other for other, line in enumerate(lines) if writer_id in line and other != index]
    if kind == "edit":
        lines[index] = lines[index].replace(b'"n":', b'"n":1')
    elif kind == "remove":
        del lines[index]
    elif kind == "repeat":
        lines.insert(data.draw(st.integers(0, len(lines))), lines[index])
    elif kind == "insert":
        lines.insert(index, lines[index].replace(b'"n":', b'"n":1'))
    elif kind == "swap":
        other = data.draw(st.sampled_from(own))
        lines[index], lines[other] = lines[other], lines[index]
    else:
        end = own[-1]
        last = json.loads(lines[end])["writer"]
        forged = {"sequence": last["sequence"] + 1, "lost": 1, "attempted_sha256": []}
        lines.append(changed(lines[index], **forged, previous_sha256=digest_of(lines[end])))
        del lines[index]

    assert verified(tmp_path_factory.mktemp("tampered"), lines).faults


@settings(max_examples=100)
@given(
    outcomes=st.lists(
        st.sampled_from(["ok", "ok", "full", "torn", "unsure, not there", "unsure, there"]),
        min_size=1,
        max_size=40,
    ),
    data=st.data(),
)
def test_honest_losses_are_no_fault_and_hide_none(
    tmp_path_factory: pytest.TempPathFactory, outcomes: list[str], data: st.DataObject
) -> None:
    """A full disk, a fragment of a line, a line of which nobody knows; a removal still shows."""
    memory = Memory()
    writer = ChainedWriter(memory, service="s", version="1")
    for number, outcome in enumerate(outcomes):

        def act(line: bytes, outcome: str = outcome) -> None:
            if b'"n":' not in line or outcome == "ok":
                return
            if outcome == "full":
                raise OSError(errno.ENOSPC, "full")
            if outcome == "torn":
                memory.lines.append(line[: random.randrange(20, len(line) - 2)] + b"\n")
            elif outcome == "unsure, there":
                memory.lines.append(line)
            raise UnsureError(errno.EIO, "torn")

        memory.on_write = act
        try:
            writer.write(f'{TEXT},"n":{number}', SECOND_NS)
        except OSError:
            continue
    memory.on_write = lambda line: None
    writer.close()
    folder = tmp_path_factory.mktemp("lost")

    found = verified(folder, memory.lines)
    assert found.faults == []
    assert found.record_count == outcomes.count("ok") + outcomes.count("unsure, there")

    whole = [
        (index, json.loads(line)) for index, line in enumerate(memory.lines) if _is_whole(line)
    ]
    attempted = {digest for _, each in whole for digest in each["writer"]["attempted_sha256"]}
    last_by_writer = {each["writer"]["id"]: index for index, each in whole}
    followed = [
        index
        for index, each in whole
        if index != last_by_writer[each["writer"]["id"]]
        and digest_of(memory.lines[index]) not in attempted
    ]
    if followed:
        del memory.lines[data.draw(st.sampled_from(followed))]
        assert verified(folder, memory.lines).faults


def _is_whole(line: bytes) -> bool:
    """Whether a line was not torn."""
    return line.endswith(b"}}\n")


def test_a_first_line_of_which_nobody_knows_may_be_there(tmp_path: Path) -> None:
    """The chain begins after it, or with it."""
    for is_there in (True, False):
        memory = Memory()
        writer = ChainedWriter(memory, service="s", version="1")
        arrived = [memory.lines] if is_there else []

        def fail(line: bytes, arrived: list[list[bytes]] = arrived) -> None:
            for lines in arrived:
                lines.append(line)
            raise UnsureError(errno.EIO, "torn")

        memory.on_write = fail
        with pytest.raises(UnsureError):
            writer.write(TEXT, SECOND_NS)
        memory.on_write = lambda line: None
        writer.write(TEXT, SECOND_NS)

        found = verified(tmp_path, memory.lines)
        assert (found.faults, len(memory.lines)) == ([], 4 if is_there else 2)


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


def test_a_part_begins_anywhere_or_right_after_its_head(tmp_path: Path) -> None:
    """Earlier files are in an archive; what ended there need not be here."""
    lines = written([4])
    heads = verified(tmp_path, lines[:2]).heads()
    ended = {"gone": Head(7, "f00d", is_final=True)}

    assert verified(tmp_path, lines[2:], is_part=True).faults == []
    assert verified(tmp_path, lines[2:], is_part=True, heads=heads | ended).faults == []
    assert verified(tmp_path, lines[1:], is_part=True, heads=heads).faults == []
    assert problems(verified(tmp_path, lines[3:], is_part=True, heads=heads)) == [
        "the lines between the head, 2, and this one are missing"
    ]
    assert verified(tmp_path, [lines[1], lines[3]], is_part=True).faults
    open_head = {"gone": Head(7, "f00d")}
    assert problems(verified(tmp_path, lines[2:], is_part=True, heads=open_head)) == [
        "all of its 7 lines are gone"
    ]


def test_a_cut_end_shows_against_kept_heads(tmp_path: Path) -> None:
    """So does a writer that is gone, a head that was rewritten, and one that was jumped over."""
    lines = written([3, 2])
    heads = verified(tmp_path, lines).heads()

    assert verified(tmp_path, lines, heads=heads).faults == []
    assert problems(verified(tmp_path, lines[:5], heads=heads)) == [
        "cut off: 5 lines were here, 3 are",
        "cut off: 4 lines were here, 2 are",
    ]
    gone = next(iter(heads)).encode()
    assert problems(
        verified(tmp_path, [line for line in lines if gone not in line], heads=heads)
    ) == ["all of its 5 lines are gone"]
    last = [*lines[:-1], lines[-1].replace(b'"is_final":true', b'"is_final":false')]
    assert problems(verified(tmp_path, last, heads=heads)) == [
        "line 4 is not what it was when the heads were kept"
    ]
    alone = written([3])
    heads = verified(tmp_path, alone).heads()
    jumped = [*alone[:3], changed(alone[3], sequence=30, lost=26)]
    assert len(verified(tmp_path, jumped, heads=heads).faults) == 2


def test_signed_checkpoints_show_a_chain_that_was_made_anew(tmp_path: Path) -> None:
    """Without the key nobody can vouch for it, not for one record of one writer."""
    (tmp_path / "other").mkdir()
    private, public = key_files(tmp_path)
    other, other_public = key_files(tmp_path / "other")
    verifiers = [Verifier(public)]
    signed = written([3], signer=Signer(private))

    found = verified(tmp_path, signed, verifiers=verifiers)
    assert (found.faults, found.open_count) == ([], 0)
    assert verified(tmp_path, signed).faults == []
    assert problems(verified(tmp_path, written([3]), verifiers=verifiers)) == [
        "this checkpoint is not signed",
        "this checkpoint is not signed",
    ]
    unvouched = [changed(line, sequence=1, previous_sha256=None) for line in written([1])[1:2]]
    assert problems(verified(tmp_path, unvouched, verifiers=verifiers)) == [
        "no checkpoint vouches for its writer"
    ]
    foreign = written([3], signer=Signer(other))
    assert problems(verified(tmp_path, foreign, verifiers=verifiers))[0].startswith(
        "this checkpoint is signed with another key, "
    )
    both = [*verifiers, Verifier(other_public)]
    assert verified(tmp_path, [*signed, *foreign], verifiers=both).faults == []
    for forged in (
        signed[-1].replace(b'"is_final":true', b'"is_final":false'),
        changed(signed[-1], pid=1),
    ):
        found = verified(tmp_path, [*signed[:-1], forged], verifiers=verifiers)
        assert "the signature of this checkpoint is wrong" in problems(found)


def test_too_many_lines_without_a_checkpoint_are_a_fault(tmp_path: Path) -> None:
    """Only where a key is given: a writer leaves no more than it does."""
    private, public = key_files(tmp_path)
    lines = written([1], signer=Signer(private))[:2]
    for number in range(1_100):
        line = changed(lines[1], sequence=number + 3, previous_sha256=digest_of(lines[-1]))
        lines.append(line)

    assert verified(tmp_path, lines).faults == []
    assert problems(verified(tmp_path, lines, verifiers=[Verifier(public)])) == [
        "no checkpoint vouches for the 1101 lines before it"
    ]


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
