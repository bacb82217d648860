"""What of a policy's statements has to be known before one is asked about: numbers and texts.

The matcher finds by this which statements can matter for a request, and asks the document for
these alone. So a document may give its statements lazily (from a compiled file, say): a statement
that is no candidate is never made.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from itertools import chain
from typing import Protocol

from dynaguard.policy.bundle_statements import LazyStatements
from dynaguard.policy.model import Statement
from dynaguard.values import dataclass

Resources = Sequence[str | Sequence[str]]
"""By number, the patterns of a statement: the text itself where there is one."""


class StatementIndex(Protocol):
    """The statements of a document by action, and their resource patterns.

    A statement is a number here: its place in `PolicyDocument.statements`, from 0. Every list of
    numbers ascends and names each once; any sequence of `int` will do (a list, an `array`).

    **Shape**: what JSON can hold, but for the sets: objects for the first two, pairs of lists for
    the third, lists for the others. Most statements have one resource: it stays a text, since a
    list of one takes longer to index.
    """

    @property
    def by_action(self) -> Mapping[str, Sequence[int]]:
        """Numbers by action pattern without `*` and `?`, in lower case.

        Statements with `NotAction` stand in `not_actions` alone.
        """

    @property
    def by_wildcard(self) -> Mapping[str, Sequence[int]]:
        """Numbers by action pattern with `*` or `?`, in lower case."""

    @property
    def not_actions(self) -> Sequence[tuple[Sequence[str], Sequence[int]]]:
        """Each distinct list of `NotAction` patterns, as written, and who has it."""

    @property
    def resources(self) -> Resources:
        """By number, the patterns of `Resource` or `NotResource` as written."""

    @property
    def not_resources(self) -> frozenset[int]:
        """Numbers of the statements with `NotResource`."""

    @property
    def with_variables(self) -> frozenset[int]:
        """Numbers of the statements where `${` in a resource pattern begins a variable.

        These are `has_variables`, and have a pattern that holds `${`.
        """


@dataclass(frozen=True, slots=True)
class _MadeIndex:
    """A `StatementIndex` made from statements at hand."""

    by_action: Mapping[str, Sequence[int]]
    by_wildcard: Mapping[str, Sequence[int]]
    not_actions: Sequence[tuple[Sequence[str], Sequence[int]]]
    resources: Resources
    not_resources: frozenset[int]
    with_variables: frozenset[int]


def index_statements(statements: Iterable[Statement]) -> StatementIndex:
    """The index of statements at hand; those of a bundle bring theirs along.

    Cost: O(statements + different lists of actions), O(1) for a bundle's.
    """
    if isinstance(statements, LazyStatements):
        return statements.statement_index
    by_actions: dict[tuple[str, ...], list[int]] = {}
    by_not_actions: dict[tuple[str, ...], list[int]] = {}
    resources: list[str | tuple[str, ...]] = []
    not_resources, with_variables = [], []
    for number, statement in enumerate(statements):
        patterns = statement.resources
        resources.append(patterns[0] if len(patterns) == 1 else patterns)
        if statement.is_not_resource:
            not_resources.append(number)
        if statement.has_variables and "${" in " ".join(patterns):
            with_variables.append(number)
        by_patterns = by_not_actions if statement.is_not_action else by_actions
        by_patterns.setdefault(statement.actions, []).append(number)
    by_action, by_wildcard = _by_pattern(by_actions)
    return _MadeIndex(
        by_action,
        by_wildcard,
        tuple(by_not_actions.items()),
        resources,
        frozenset(not_resources),
        frozenset(with_variables),
    )


def _by_pattern(
    by_actions: Mapping[tuple[str, ...], list[int]],
) -> tuple[dict[str, list[int]], dict[str, list[int]]]:
    """Numbers by each pattern of lists of action patterns: without wildcards, and with."""
    groups: dict[str, list[list[int]]] = {}
    for actions, numbers in by_actions.items():
        for action in dict.fromkeys(map(str.lower, actions)):
            groups.setdefault(action, []).append(numbers)
    by_action: dict[str, list[int]] = {}
    by_wildcard: dict[str, list[int]] = {}
    for action, lists in groups.items():
        is_wild = "*" in action or "?" in action
        # Sorting runs that ascend is a merge.
        numbers = lists[0] if len(lists) == 1 else sorted(chain.from_iterable(lists))
        (by_wildcard if is_wild else by_action)[action] = numbers
    return by_action, by_wildcard
