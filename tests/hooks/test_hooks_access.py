"""Access just in time around real calls: changes on record, limits, ends that come meanwhile."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import dynaguard
from dynaguard.access.changes import note_change
from dynaguard.access_change import AccessChange

CHANGE = AccessChange("grant created", "g1", "lea", reason="incident")


def lines_of(path: Path) -> list[Any]:
    """All lines of an audit file but checkpoints."""
    lines = map(json.loads, path.read_text().splitlines())
    return [line for line in lines if line["phase"] != "checkpoint"]


def test_changes_are_on_record_while_a_guard_is_in_force(tmp_path: Path) -> None:
    """Its own audit log takes them; after `uninstall()` nobody does."""
    path = tmp_path / "audit.jsonl"
    with dynaguard.install(audit=path), dynaguard.correlation("INC-1"):
        note_change(CHANGE)
    note_change(CHANGE)

    (line,) = lines_of(path)
    assert (line["change"]["id"], line["change"]["channel"]) == ("g1", "process")
    assert line["correlation_id"] == "INC-1"


def test_two_installs_record_a_change_once(tmp_path: Path) -> None:
    """The second gives the guard of the first."""
    path = tmp_path / "audit.jsonl"
    with dynaguard.install(audit=path), dynaguard.install(audit=path):
        note_change(CHANGE)

    assert len(lines_of(path)) == 1


def test_a_guard_that_is_off_records_nothing(tmp_path: Path) -> None:
    """As of calls."""
    path = tmp_path / "audit.jsonl"
    with dynaguard.install(audit=path, mode="off"):
        note_change(CHANGE)

    assert path.read_text() == "" if path.exists() else True
