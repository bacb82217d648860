"""Any edit, removal, repetition, move, addition or cut is found; honest losses are no fault."""

from __future__ import annotations

import errno
import json
import random
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dynaguard.audit.chain import digest_of
from dynaguard.audit.signing import Signer, Verifier
from dynaguard.audit.sinks import UnsureError
from dynaguard.audit.verifying import Head
from dynaguard.audit.writer import ChainedWriter
from tests.audit.chain_cases import SECOND_NS, TEXT, changed, problems, verified, written
from tests.audit.test_audit_chain import Memory, key_files


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
