"""What of a policy's statements has to be known before one is asked about: numbers and texts.

The matcher finds by this which statements can matter for a request, and asks the document for
these alone. So a document may give its statements lazily (from a compiled file, say): a statement
that is no candidate is never made.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import chain

from dynaguard.policy.model import Statement


@dataclass(frozen=True, slots=True)
class StatementIndex:
    """The statements of a document by action, and their resource patterns.

    A statement is a number here: its place in `PolicyDocument.statements`, from 0. Every list of
    numbers ascends and names each once; any sequence of `int` will do (a list, an `array`).

    Attributes:
        by_action: Numbers by action pattern without `*` and `?`, in lower case. Statements with
            `NotAction` stand in `not_actions` alone.
        by_wildcard: Numbers by action pattern with `*` or `?`, in lower case.
        not_actions: For each distinct list of `NotAction` patterns (as written): the list, and
            the numbers of the statements that have it.
        resources: By number, the patterns of `Resource` or `NotResource` as written: the text
            itself where there is one, else a sequence of them.
        not_resources: Numbers of the statements with `NotResource`.
        with_variables: Numbers of the statements where `${` in a resource pattern begins a
            variable: `has_variables`, and a pattern that holds `${`.

    **Shape**: what JSON can hold, but for the sets: objects for the first two, pairs of lists for
    the third, lists for the others. Most statements have one resource: it stays a text, since a
    list of one takes longer to index.
    """

    by_action: Mapping[str, Sequence[int]]
    by_wildcard: Mapping[str, Sequence[int]]
    not_actions: Sequence[tuple[Sequence[str], Sequence[int]]]
    resources: Sequence[str | Sequence[str]]
    not_resources: frozenset[int]
    with_variables: frozenset[int]


def index_statements(statements: Iterable[Statement]) -> StatementIndex:
    """The index of statements at hand. Cost: O(statements + different lists of actions)."""
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
    return StatementIndex(
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
