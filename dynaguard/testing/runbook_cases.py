"""Tests of runbooks: the cases that users keep beside a runbook, in `NAME.test.toml`.

**Shape** of the file: `[[table]]` (name, key, types, indexes, items) and `[[case]]` (name, params,
recorded, confirm, approve, expect). The page *Runs of runbooks* shows one.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final, Literal, cast

from dynaguard.errors import PolicySyntaxError, Problem
from dynaguard.policy.collecting import Findings
from dynaguard.policy.lines import Path_
from dynaguard.policy.reading import read_source
from dynaguard.runbooks.model import Runbook
from dynaguard.runbooks.reading import read_runbook

ExpectedOutcome = Literal["done", "failed", "refused", "waiting"]
OUTCOMES: Final[tuple[ExpectedOutcome, ...]] = ("done", "failed", "refused", "waiting")
ENDING: Final = ".test"
_RUNBOOK_SUFFIXES: Final = (".toml", ".yaml", ".yml", ".json", ".py")
_TABLE_KEYS: Final = ("name", "key", "types", "indexes", "items")
_CASE_KEYS: Final = ("name", "params", "recorded", "confirm", "approve", "expect", "table")
_EXPECT_KEYS: Final = ("outcome", "step", "message", "items", "results", "item")
_ITEM_KEYS: Final = ("table", "key", "is", "absent")


@dataclass(frozen=True, slots=True)
class TestTable:
    """A table that a case begins with.

    Attributes:
        name: Its name.
        key: Its key attributes: partition key, then sort key.
        types: Types of key attributes that are no strings: `N` or `B`.
        indexes: Key attributes of global secondary indexes by name.
        items: Its items, plain values by attribute name.
    """

    __test__ = False  # no test class of pytest's

    name: str
    key: tuple[str, ...]
    types: Mapping[str, str] = field(default_factory=dict)
    indexes: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    items: tuple[Mapping[str, Any], ...] = ()


@dataclass(frozen=True, slots=True)
class ExpectedItem:
    """What a table holds after a run.

    Attributes:
        table: Name of the table.
        key: The item's key, plain values.
        values: Attributes that it has, plain values.
        is_absent: Whether there is no such item.
    """

    table: str
    key: Mapping[str, Any]
    values: Mapping[str, Any] = field(default_factory=dict)
    is_absent: bool = False


@dataclass(frozen=True, slots=True)
class RunbookCase:
    """One case: a runbook, its parameters, and what is to come of it.

    Attributes:
        name: Its name.
        runbook: The runbook.
        source: The file, for messages.
        line: 1-based line, 0 when not known.
        tables: Tables that it begins with.
        params: Parameter values.
        recorded: File of recorded answers instead of an endpoint, or None.
        confirms: What who runs it answers at pauses.
        approves: Whether approval steps are approved.
        outcome: How it ends.
        step: Name of the step at which it ends early, or None for any.
        message: Text that the error contains.
        items: How many items it reads and writes together; None: any number.
        results: Expected outputs by dotted path, plain values.
        expected_items: What tables hold afterwards.
    """

    name: str
    runbook: Runbook
    source: str
    line: int = 0
    tables: tuple[TestTable, ...] = ()
    params: Mapping[str, Any] = field(default_factory=dict)
    recorded: Path | None = None
    confirms: bool = True
    approves: bool = True
    outcome: ExpectedOutcome = "done"
    step: str | None = None
    message: str = ""
    items: int | None = None
    results: Mapping[str, Any] = field(default_factory=dict)
    expected_items: tuple[ExpectedItem, ...] = ()

    def __str__(self) -> str:
        """`orders.test.toml:12: finds the orders`."""
        return f"{self.source}:{self.line}: {self.name}"


def runbook_cases(path: str | os.PathLike[str]) -> tuple[RunbookCase, ...]:
    """The cases of a runbook's test file.

    Args:
        path: The test file `NAME.test.toml` (`.yaml`, `.json`), or the runbook's own file.

    Raises:
        PolicySyntaxError: Every problem of the file, or of its runbook.

    Effects: reads the files. A runbook in Python is EXECUTED.
    """
    file, runbook = _files(Path(path))
    source = read_source(file)
    findings = Findings(source)
    findings.check_keys(source.data, (), ("runbook", "table", "case"))
    named = source.data.get("runbook")
    reader = _CaseReader(findings, read_runbook(_named(file, named) or runbook), file)
    cases = reader.cases(source.data)
    if findings.problems:
        raise PolicySyntaxError(findings.problems)
    return cases


def _files(path: Path) -> tuple[Path, Path]:
    """The test file and the runbook that it is about."""
    if path.stem.endswith(ENDING):
        base = path.with_name(path.stem.removesuffix(ENDING))
        found = [base.with_name(base.name + suffix) for suffix in _RUNBOOK_SUFFIXES]
        return path, next((each for each in found if each.is_file()), found[0])
    candidates = [path.with_name(f"{path.stem}{ENDING}{each}") for each in _RUNBOOK_SUFFIXES[:4]]
    test = next((each for each in candidates if each.is_file()), None)
    if test is None:
        raise PolicySyntaxError(
            [Problem(f"has no tests, write `{candidates[0].name}` beside it", source=str(path))]
        )
    return test, path


def _named(file: Path, value: Any) -> Path | None:
    """The runbook that a test file names, relative to its own folder."""
    return file.parent / value if isinstance(value, str) else None


class _CaseReader:
    """Reads the cases of one file."""

    def __init__(self, findings: Findings, runbook: Runbook, file: Path) -> None:
        self._findings = findings
        self._runbook = runbook
        self._file = file

    def cases(self, data: Mapping[str, Any]) -> tuple[RunbookCase, ...]:
        """Every case."""
        tables = self._tables(data.get("table", []), ("table",))
        found = tuple(
            self._case(place, entry, tables)
            for place, entry in self._findings.tables(data.get("case", []), ("case",))
        )
        if not found:
            self._findings.add((), "holds no case, write `[[case]]`")
        return found

    def _case(
        self, path: Path_, entry: Mapping[str, Any], tables: tuple[TestTable, ...]
    ) -> RunbookCase:
        """One case."""
        findings = self._findings
        findings.check_keys(entry, path, _CASE_KEYS)
        own = self._tables(entry.get("table", []), (*path, "table"))
        replaced = {table.name for table in own}
        expect = findings.table(entry.get("expect", {}), (*path, "expect"))
        findings.check_keys(expect, (*path, "expect"), _EXPECT_KEYS)
        place = (*path, "expect", "outcome")
        outcome = findings.choice(expect.get("outcome", "done"), place, OUTCOMES)
        recorded = entry.get("recorded")
        return RunbookCase(
            name=str(entry.get("name", "case")),
            runbook=self._runbook,
            source=str(self._file),
            line=findings.source.line(path),
            tables=(*(each for each in tables if each.name not in replaced), *own),
            params=findings.table(entry.get("params", {}), (*path, "params")),
            recorded=self._file.parent / recorded if isinstance(recorded, str) else None,
            confirms=entry.get("confirm", True) is True,
            approves=entry.get("approve", True) is True,
            outcome=cast(ExpectedOutcome, outcome or "done"),
            step=expect.get("step"),
            message=str(expect.get("message", "")),
            items=expect.get("items"),
            results=findings.table(expect.get("results", {}), (*path, "expect", "results")),
            expected_items=self._items(expect.get("item", []), (*path, "expect", "item")),
        )

    def _tables(self, value: Any, path: Path_) -> tuple[TestTable, ...]:
        """The tables that a case begins with."""
        found = []
        for place, entry in self._findings.tables(value, path):
            self._findings.check_keys(entry, place, _TABLE_KEYS)
            if not isinstance(entry.get("name"), str):
                self._findings.add(place, "`name` of the table is missing")
                continue
            indexes = self._findings.table(entry.get("indexes", {}), (*place, "indexes"))
            found.append(
                TestTable(
                    name=entry["name"],
                    key=self._findings.texts(entry.get("key", []), (*place, "key")),
                    types=self._findings.table(entry.get("types", {}), (*place, "types")),
                    indexes={
                        name: self._findings.texts(keys, (*place, "indexes", name))
                        for name, keys in indexes.items()
                    },
                    items=tuple(
                        item
                        for _, item in self._findings.tables(
                            entry.get("items", []), (*place, "items")
                        )
                    ),
                )
            )
        return tuple(found)

    def _items(self, value: Any, path: Path_) -> tuple[ExpectedItem, ...]:
        """What tables hold afterwards."""
        found = []
        for place, entry in self._findings.tables(value, path):
            self._findings.check_keys(entry, place, _ITEM_KEYS)
            found.append(
                ExpectedItem(
                    table=str(entry.get("table", "")),
                    key=self._findings.table(entry.get("key", {}), (*place, "key")),
                    values=self._findings.table(entry.get("is", {}), (*place, "is")),
                    is_absent=entry.get("absent") is True,
                )
            )
        return tuple(found)
