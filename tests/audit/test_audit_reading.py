"""Audit files are read back: torn lines are reported, anything else is refused."""

from __future__ import annotations

import gzip
import json
import warnings
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dynaguard.audit import reading
from dynaguard.audit.encoding import encode_record
from dynaguard.audit.log import AuditLog
from dynaguard.audit.reading import read_records
from dynaguard.errors import ConfigurationError, DynaguardWarning
from tests.audit.audit_cases import NOW_NS, record_values

RECORD = {"schema_version": 1, "phase": "outcome", "operation": "GetItem"}
LINE = encode_record(RECORD)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """Where the records go."""
    return tmp_path / "audit.jsonl"


def test_reads_what_the_log_wrote(path: Path) -> None:
    """In order; blank lines do not count."""
    log = AuditLog(str(path), mode="best-effort", time_ns=lambda: NOW_NS)
    log.outcome(**record_values())
    log.outcome(**record_values(mode="observe"))
    log.close()
    with path.open("ab") as file:
        file.write(b"\n")

    assert [record["mode"] for record in read_records(path)] == ["enforce", "observe"]


def test_an_empty_file_has_no_records(path: Path) -> None:
    """Nothing was called yet."""
    path.touch()

    assert list(read_records(str(path))) == []


@given(cut=st.integers(1, len(LINE) - 2))
def test_a_torn_last_line_is_reported_and_left_out(
    tmp_path_factory: pytest.TempPathFactory, cut: int
) -> None:
    """Wherever the crash cut it."""
    path = tmp_path_factory.mktemp("torn") / "audit.jsonl"
    path.write_bytes(LINE + LINE[:cut])

    with pytest.warns(DynaguardWarning, match=r"audit.jsonl:2: 1 audit record was torn"):
        found = list(read_records(path))

    assert found == [RECORD]


def test_a_last_line_without_its_newline_is_whole(path: Path) -> None:
    """Only its end is missing."""
    path.write_bytes(LINE + LINE[:-1])

    assert list(read_records(path)) == [RECORD, RECORD]


def test_a_healed_tear_within_the_file_is_left_out_too(path: Path) -> None:
    """Several are one report, which names the first."""
    path.write_bytes(LINE[:30] + b"\n" + LINE + LINE[:9] + b"\n" + LINE)

    with pytest.warns(DynaguardWarning, match=r":1: 2 audit records were torn") as caught:
        found = list(read_records(path))

    assert found == [RECORD, RECORD]
    assert len(caught) == 1


@pytest.mark.parametrize("cut", [1, 18, 30, 45])
def test_a_record_behind_a_fragment_is_found(path: Path, cut: int) -> None:
    """Another process wrote on where the first one was cut off."""
    path.write_bytes(LINE[:cut] + LINE + LINE)

    with pytest.warns(DynaguardWarning, match=":1: 1 audit record was torn"):
        found = list(read_records(path))

    assert found == [RECORD, RECORD]


def test_two_fragments_on_one_line_hide_no_record(path: Path) -> None:
    """Neither is whole."""
    path.write_bytes(LINE[:30] + LINE[:30])

    with pytest.warns(DynaguardWarning, match="torn"):
        assert list(read_records(path)) == []


def test_an_attribute_named_like_the_first_key_confuses_nobody(path: Path) -> None:
    """The whole line is tried first."""
    record = RECORD | {"outcome": {"masked": {"schema_version": 1}}}
    path.write_bytes(encode_record(record))

    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert list(read_records(path)) == [record]


@pytest.mark.parametrize(
    "line",
    [
        b"hello",
        b"{}",
        b"[1]",
        b"null",
        b'{"phase": "outcome"}',
        b'{"schema_version": "one"}',
        b'{"schema_version": null}',
        b"\xff\xfe",
        b"[" * 100_000,
        b"hello" + LINE[:-1],
    ],
    ids=lambda line: repr(line[:20]),
)
def test_a_line_that_is_no_record_is_an_error_with_its_place(path: Path, line: bytes) -> None:
    """The user named another file, or somebody wrote into it."""
    path.write_bytes(LINE + line + b"\n")

    with pytest.raises(ConfigurationError, match=r"audit.jsonl:2: no audit record"):
        list(read_records(path))


def test_records_of_a_later_version_are_refused(path: Path) -> None:
    """Their keys may mean something else."""
    path.write_bytes(LINE + json.dumps(RECORD | {"schema_version": 4}).encode())

    with pytest.raises(ConfigurationError, match=r":2: an audit record of version 4.*update"):
        list(read_records(path))


def test_a_line_without_end_is_refused(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A file of gigabytes without a line break does not fill the memory."""
    monkeypatch.setattr(reading, "MAX_LINE_BYTES", 100)
    path.write_bytes(LINE + b"x" * 200)

    with pytest.raises(ConfigurationError, match=r":2: too long"):
        list(read_records(path))


@pytest.mark.parametrize(
    ("name", "reason"), [("missing.jsonl", "No such file"), ("bad.gz", "no whole gzip file")]
)
def test_a_file_that_cannot_be_read_is_an_error(tmp_path: Path, name: str, reason: str) -> None:
    """It names path and reason."""
    (tmp_path / "bad.gz").write_bytes(gzip.compress(LINE)[:-4])

    with pytest.raises(ConfigurationError, match=reason):
        list(read_records(tmp_path / name))


def test_a_folder_is_all_that_is_in_it(tmp_path: Path) -> None:
    """Packed or not; nothing in it is nothing to read."""
    assert list(read_records(tmp_path)) == []
    (tmp_path / "a.jsonl").write_bytes(LINE)
    (tmp_path / "b").mkdir()
    (tmp_path / "b" / "b.jsonl.gz").write_bytes(gzip.compress(LINE + LINE))

    assert list(read_records(tmp_path)) == [RECORD] * 3


@given(content=st.binary(max_size=200))
def test_no_content_breaks_the_reader(
    tmp_path_factory: pytest.TempPathFactory, content: bytes
) -> None:
    """Records, a report, or one error."""
    path = tmp_path_factory.mktemp("any") / "audit.jsonl"
    path.write_bytes(LINE + content)
    found: list[Any] = []

    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DynaguardWarning)
        try:
            found.extend(read_records(path))
        except ConfigurationError as err:
            assert "audit.jsonl:" in str(err)  # noqa: PT017 - either way is right

    assert len(found) <= 1 + content.count(b"schema_version")
