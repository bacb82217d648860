"""`dynaguard top`: figures over the last seconds of an audit stream."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from dynaguard.audit.following import Follower
from dynaguard.cli.commands import cli
from dynaguard.cli.rates import Window
from dynaguard.errors import ConfigurationError

START_S = 1_795_000_000.0


def record(at_s: float, *, job: str | None = "nightly", **outcome: Any) -> dict[str, Any]:
    """One record, as far as this command reads it."""
    time = datetime.fromtimestamp(START_S + at_s, UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")
    return {
        "schema_version": 1,
        "time": time,
        "service": "dynamodb",
        "job": job,
        "priority": "batch" if job else "interactive",
        "identity": {"name": "etl"},
        "tables": ["orders"],
        "outcome": {
            "attempts": 1,
            "throttles": 0,
            "wait_s": 0.0,
            "budget_refusal": None,
            "budget": None,
            **outcome,
        },
    }


def budget(tokens_left: float, rate_per_s: float | None) -> dict[str, Any]:
    """The budget of a call that had trouble."""
    return {
        "bucket": "b",
        "tokens_left": tokens_left,
        "throttle_ratio": 0.1,
        "rate_per_s": rate_per_s,
    }


def lines(*records: dict[str, Any]) -> str:
    """An audit file."""
    return "".join(json.dumps(each) + "\n" for each in records)


TROUBLE = record(9.0, attempts=4, throttles=3, wait_s=1.5, budget=budget(7.0, 42.0))


def test_a_row_per_job_class_and_table() -> None:
    """The most throttled first; calls outside of a job by their identity."""
    window = Window(10.0)
    window.add([record(8.0, job=None), record(8.5), TROUBLE, record(9.5, budget_refusal="spent")])

    nightly, service = window.rows(window.latest_s)

    assert (nightly.job, nightly.priority, nightly.table) == ("nightly", "batch", "orders")
    assert nightly.calls_per_s == pytest.approx(0.3)
    assert nightly.throttled_share == pytest.approx(3 / 6)
    assert nightly.wait_s == 1.5
    assert nightly.refusals == 1
    assert (nightly.tokens_left, nightly.rate_per_s) == (7.0, 42.0)
    assert (service.job, service.tokens_left) == ("etl", None)


def test_old_records_and_intents_do_not_count() -> None:
    """Only how calls of the last seconds ended."""
    window = Window(5.0)
    window.add([record(0.0), {**record(9.0), "outcome": None}, record(9.0)])
    (row,) = window.rows(window.latest_s)
    assert row.calls_per_s == pytest.approx(0.2)
    assert window.rows(window.latest_s + 60) == []


def test_once_prints_a_table(tmp_path: Path) -> None:
    """For people."""
    (tmp_path / "audit.jsonl").write_text(lines(TROUBLE))
    result = CliRunner().invoke(cli, ["top", "--once", str(tmp_path / "audit.jsonl")])
    assert result.exit_code == 0, result.output
    for text in ("nightly", "batch", "orders", "75.0%", "1.5 s", "42", "7.0", "over 10 s"):
        assert text in result.output


def test_json_is_one_document(tmp_path: Path) -> None:
    """For programs."""
    (tmp_path / "audit.jsonl").write_text(lines(TROUBLE))
    arguments = ["top", "--output", "json", str(tmp_path / "audit.jsonl")]
    found = json.loads(CliRunner().invoke(cli, arguments).output)
    assert found["rows"][0]["throttled_share"] == 0.75
    assert found["window_s"] == 10.0


def test_it_runs_until_it_is_interrupted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each look takes in what was written since."""
    path = tmp_path / "audit.jsonl"
    looks: list[float] = []

    def sleep(seconds: float) -> None:
        looks.append(seconds)
        with path.open("a") as file:
            file.write(lines(TROUBLE))
        if len(looks) == 3:
            raise KeyboardInterrupt

    monkeypatch.setattr("dynaguard.cli.top.time.sleep", sleep)
    monkeypatch.setattr("dynaguard.cli.top.time.time", lambda: START_S + 10)
    result = CliRunner().invoke(cli, ["top", "--interval", "2", str(path)])
    assert result.exit_code == 0
    assert looks == [2.0, 2.0, 2.0]
    assert "nightly" in result.output


# --- following a file ----------------------------------------------------------------------------


def test_a_line_that_is_not_whole_yet_waits(tmp_path: Path) -> None:
    """Half a record is read when the other half is there."""
    path = tmp_path / "audit.jsonl"
    text = lines(record(1.0), record(2.0))
    path.write_text(text[:-20])
    follower = Follower(path)
    assert len(list(follower.read())) == 1
    path.write_text(text)
    assert len(list(follower.read())) == 1
    assert list(follower.read()) == []


def test_a_new_file_is_read_from_its_start(tmp_path: Path) -> None:
    """Rotation puts another file in its place; a file may also be cut."""
    path = tmp_path / "audit.jsonl"
    follower = Follower(path)
    assert list(follower.read()) == []
    path.write_text(lines(record(1.0), record(2.0)))
    assert len(list(follower.read())) == 2
    path.rename(tmp_path / "audit.jsonl.1")
    path.write_text(lines(record(3.0), record(4.0), record(5.0)))
    assert len(list(follower.read())) == 3
    path.write_text(lines(record(6.0)))
    assert len(list(follower.read())) == 1
    path.unlink()
    assert list(follower.read()) == []
    follower.close()
    follower.close()


def test_of_a_long_file_the_end_is_read(tmp_path: Path) -> None:
    """The line that the cut goes through is no record."""
    path = tmp_path / "audit.jsonl"
    path.write_text(lines(*[record(float(index)) for index in range(100)]))
    follower = Follower(path, tail_bytes=1000)
    assert 1 <= len(list(follower.read())) <= 5


def test_what_is_no_record_is_left_out(tmp_path: Path) -> None:
    """Whatever else is in the file."""
    path = tmp_path / "audit.jsonl"
    path.write_text("nonsense\n[1]\n{}\n" + lines(record(1.0)))
    assert len(list(Follower(path).read())) == 1


def test_a_file_that_cannot_be_read_is_one_clear_error(tmp_path: Path) -> None:
    """A directory, say."""
    with pytest.raises(ConfigurationError, match="cannot be read"):
        list(Follower(tmp_path).read())


# --- by units ------------------------------------------------------------------------------------


def units(index: str | None, reads: float, writes: float) -> dict[str, Any]:
    """Units of the table `orders` in a record."""
    return {
        "table": "orders",
        "index": index,
        "read_units": reads,
        "write_units": writes,
        "total_units": reads + writes,
    }


def test_units_by_identity_job_runbook_table_and_index(tmp_path: Path) -> None:
    """Per second, the largest first; records without a report count nothing."""
    path = tmp_path / "audit.jsonl"
    consuming = [
        record(9.0, consumed_capacity=[units(None, 5.0, 0.0), units("by_day", 100.0, 0.0)]),
        {**record(9.5, job=None, consumed_capacity=[units(None, 0.0, 20.0)]), "runbook": "reload"},
    ]
    path.write_text(lines(record(8.0), *consuming))
    arguments = ["top", "--once", "--by", "units", str(path)]

    found = json.loads(CliRunner().invoke(cli, [*arguments, "--output", "json"]).output)
    text = CliRunner().invoke(cli, arguments).output

    assert [
        (row["identity"], row["job"], row["runbook"], row["table"], row["index"])
        for row in found["rows"]
    ] == [
        ("etl", "nightly", None, "orders", "by_day"),
        ("etl", None, "reload", "orders", None),
        ("etl", "nightly", None, "orders", None),
    ]
    assert [row["read_units_per_s"] for row in found["rows"]] == [10.0, 0.0, 0.5]
    assert found["rows"][1]["write_units_per_s"] == 2.0
    for part in ("by_day", "reload", "10.0", "read units/s"):
        assert part in text
