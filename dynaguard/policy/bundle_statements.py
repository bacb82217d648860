"""Statements of a bundle: each a line in the grammar of documents, read when it is asked for.

**Shape** of a line: an object with the keys that a document's statement has (`Sid`, `Effect`,
`Action` or `NotAction`, `Resource` or `NotResource`, `Principal` or `NotPrincipal`, `Condition`,
`Mode`, `Approval`), all lists written out, and `at`: the number of its source and its line there.
`is_literal` stands where `${...}` is plain text (an IAM policy of 2008).

A line goes through the loader's own checks, so that a bundle can hold nothing that a document
could not.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Final, overload

from dynaguard.errors import PolicySyntaxError, Problem
from dynaguard.policy.bundle_parts import BLOCK
from dynaguard.policy.model import ApprovalTerms, PrincipalPattern, Statement
from dynaguard.values import dataclass

if TYPE_CHECKING:
    from dynaguard.policy.statement_index import StatementIndex

_MAX_KEPT: Final = 65_536
"""Statements that are kept once they were read; beyond, all are let go, to bound memory."""


@dataclass(frozen=True, slots=True)
class StatementLines:
    """Where the statements of a bundle stand.

    Attributes:
        bundle: The bundle's file, for messages.
        raw: The whole file.
        count: How many there are.
        starts: Gives where each block of statements begins.
        first_line: Line of the first statement in the file.
        sources: The documents' files that they came from.
        groups: Names of the document's groups.
        asking: Numbers of those that require an approval.
        index: What the matcher has to know of them beforehand.
    """

    bundle: str
    raw: bytes
    count: int
    starts: Callable[[], tuple[int, ...]]
    first_line: int
    sources: tuple[str, ...]
    groups: tuple[str, ...]
    asking: tuple[int, ...]
    index: StatementIndex


class LazyStatements(Sequence[Statement]):
    """The statements of a bundle. Equal to the tuple of them.

    Thread-safe without locks: two threads can only read the same statement twice.
    """

    __slots__ = ("_lines", "_read", "_starts")

    def __init__(self, lines: StatementLines) -> None:
        self._lines = lines
        self._read: dict[int, Statement] = {}
        self._starts: tuple[int, ...] | None = None

    def __len__(self) -> int:
        return self._lines.count

    @overload
    def __getitem__(self, at: int, /) -> Statement: ...
    @overload
    def __getitem__(self, at: slice, /) -> tuple[Statement, ...]: ...
    def __getitem__(self, at: int | slice, /) -> Statement | tuple[Statement, ...]:
        """One statement, or some.

        Raises:
            PolicySyntaxError: Its line is no statement that a document could hold.
        """
        if isinstance(at, slice):
            return tuple([self[each] for each in range(*at.indices(len(self)))])
        found = self._read.get(at)
        if found is None:
            number = range(len(self))[at]
            if self._starts is None:
                self._starts = self._lines.starts()
            found = _read_line(self._lines, self._starts, number)
            if len(self._read) >= _MAX_KEPT:
                self._read.clear()
            self._read[number] = found
        return found

    def __iter__(self) -> Iterator[Statement]:
        return (self[number] for number in range(len(self)))

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Sequence) or isinstance(other, str):
            return NotImplemented
        return len(self) == len(other) and all(map(_same, self, other))

    def __hash__(self) -> int:
        return hash(tuple(self))

    def __repr__(self) -> str:
        return f"<{len(self)} statements of `{self._lines.bundle}`, {len(self._read)} read>"

    def __reduce__(self) -> tuple[Any, ...]:
        """Pickles as the tuple of them."""
        return tuple, (tuple(self),)

    @property
    def statement_index(self) -> StatementIndex:
        """What the matcher has to know of them beforehand."""
        return self._lines.index

    @property
    def asking(self) -> tuple[Statement, ...]:
        """Those that require an approval; the others are not read for it."""
        return tuple([self[number] for number in self._lines.asking])


def asking_statements(statements: Sequence[Statement]) -> tuple[Statement, ...]:
    """The statements that require an approval, without reading all of a bundle's."""
    if isinstance(statements, LazyStatements):
        return statements.asking
    return tuple([each for each in statements if each.approval is not None])


def _same(ours: object, theirs: object) -> bool:
    """Whether two statements are equal."""
    return ours == theirs


# --- one line ---------------------------------------------------------------------------------


def statement_table(statement: Statement, source_numbers: Mapping[str, int]) -> dict[str, Any]:
    """A statement in the grammar of documents, and where it stood."""
    of = {True: "Not", False: ""}
    table: dict[str, Any] = {"Sid": statement.ref.sid, "Effect": statement.effect}
    if statement.principals is not None:
        named = _principal_table(statement.principals)
        table[f"{of[statement.is_not_principal]}Principal"] = named
    table[f"{of[statement.is_not_action]}Action"] = list(statement.actions)
    table[f"{of[statement.is_not_resource]}Resource"] = list(statement.resources)
    conditions: dict[str, dict[str, list[str]]] = {}
    for each in statement.conditions:
        operator = f"{each.operator}IfExists" if each.if_exists else each.operator
        name = f"{each.qualifier}:{operator}" if each.qualifier else operator
        conditions.setdefault(name, {})[each.key] = list(each.values)
    if conditions:
        table["Condition"] = conditions
    if statement.is_observed:
        table["Mode"] = "observe"
    if statement.approval is not None:
        table["Approval"] = _approval_table(statement.approval)
    if not statement.has_variables:
        table["is_literal"] = True
    table["at"] = [source_numbers[statement.ref.source], statement.ref.line]
    return table


def _principal_table(principals: Sequence[PrincipalPattern]) -> dict[str, list[str]]:
    """`Principal` with its groups and its other entries."""
    groups = [each.value for each in principals if each.kind == "group"]
    others = [each.value for each in principals if each.kind != "group"]
    return {**({"Group": groups} if groups else {}), **({"AWS": others} if others else {})}


def _approval_table(terms: ApprovalTerms) -> dict[str, Any]:
    """An `Approval` table."""
    table: dict[str, Any] = {"quorum": terms.quorum}
    for name, groups in (("any_of", terms.any_of), ("all_of", terms.all_of)):
        if groups:
            table[name] = list(groups)
    if terms.threshold is not None:
        limits = ("calls", "items", "read_units", "write_units")
        values = {name: getattr(terms.threshold, name) for name in limits}
        given = {name: value for name, value in values.items() if value is not None}
        table["threshold"] = {"window_s": terms.threshold.window_s, **given}
    uses = "any" if terms.uses is None else terms.uses
    return {**table, "timeout_s": terms.timeout_s, "duration_s": terms.duration_s, "uses": uses}


@dataclass(frozen=True, slots=True)
class _Place:
    """Where a statement stood in its source, as the loader's checks ask for it."""

    name: str
    at_line: int

    def line(self, _path: object) -> int:
        """Line of the statement, whatever part of it is meant."""
        return self.at_line


def _read_line(lines: StatementLines, starts: tuple[int, ...], number: int) -> Statement:
    """The statement on a line, checked as the loader checks a document's.

    Raises:
        PolicySyntaxError: It is none; each problem names the bundle and its line.
    """
    try:
        start = starts[number // BLOCK]
        for _ in range(number % BLOCK):
            start = lines.raw.index(b"\n", start) + 1
        table = json.loads(lines.raw[start : lines.raw.index(b"\n", start)])
        source, at_line = table.pop("at")
        place = _Place(lines.sources[source], at_line)
        is_literal = table.pop("is_literal", False) is True
        found, problems = _checked(table, place, lines.groups, has_variables=not is_literal)
    except (AttributeError, IndexError, KeyError, TypeError, ValueError, RecursionError):
        found, problems = None, ["is no statement"]
    if found is None or problems:
        at = lines.first_line + number
        raise PolicySyntaxError(
            Problem(f"{each}; compile the source again", "", lines.bundle, at) for each in problems
        )
    return found


def _checked(
    table: Any, place: _Place, groups: tuple[str, ...], *, has_variables: bool
) -> tuple[Statement | None, list[str]]:
    """The statement of a table, and what is wrong with it."""
    # Only who asks for a statement needs the checks; most processes ask for few.
    from dynaguard.policy.collecting import Findings
    from dynaguard.policy.statements import StatementChecker

    findings = Findings(place)
    is_asking = table["Effect"] == "RequireApproval"
    checker = StatementChecker(
        findings,
        # A near miss of a listed group is a fault of documents only, and was found there.
        groups if is_asking else (),
        has_variables=has_variables,
        # Lines come from IAM policies too, which may ask less of conditions.
        is_iam=not is_asking,
    )
    found = checker.check_all([table], ("statement",))
    problems = [f"{each.path}: {each.message}" for each in findings.problems]
    return (found[0] if found else None), problems
