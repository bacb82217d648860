"""Which statements an action concerns, without a try of every action pattern there is.

Patterns with wildcards are filed by service and by the literal head of their name, so that an
action's first use tries those of its own service that begin like it.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import Final, NamedTuple

from dynaguard.policy.patterns import action_truth, has_marks
from dynaguard.policy.statement_index import StatementIndex
from dynaguard.policy.truth import any_of, negated

_EVERY_ACTION: Final = ("*", "*:*")

GroupKey = str | int
"""A group of statements: an action pattern, or the place of a list in `not_actions`."""


class Concern(NamedTuple):
    """Which groups of statements are for an action. Actions of one concern share their answers.

    Attributes:
        certain: Groups that are.
        doubtful: Groups that may be; what of the action is not known tells.
    """

    certain: tuple[GroupKey, ...]
    doubtful: tuple[GroupKey, ...]


class ActionIndex:
    """The action patterns of a document; O(patterns with wildcards) to build."""

    __slots__ = ("_by_head_by_service", "_index")

    def __init__(self, index: StatementIndex) -> None:
        self._index = index
        self._by_head_by_service: dict[str, dict[str, list[str]]] = {}
        for pattern in index.by_wildcard:
            service, colon, name = pattern.partition(":")
            # A service with a wildcard names nothing, but for the two that are all actions.
            if colon and "*" not in service and "?" not in service:
                head = name.partition("*")[0].partition("?")[0]
                by_head = self._by_head_by_service.setdefault(service, {})
                by_head.setdefault(head, []).append(pattern)

    def concern_of(self, action: str) -> Concern:
        """The groups for an action, marks included.

        Cost: O(length of its name + patterns that begin like it + different `NotAction` lists);
        O(patterns) where part of the action is not known.
        """
        groups: dict[bool | None, list[GroupKey]] = {True: [], None: [], False: []}
        for pattern in self._patterns_like(action):
            groups[action_truth(pattern, action)].append(pattern)
        for place, (patterns, _) in enumerate(self._index.not_actions):
            named = any_of(action_truth(pattern, action) for pattern in patterns)
            groups[negated(named)].append(place)
        return Concern(tuple(groups[True]), tuple(groups[None]))

    def _patterns_like(self, action: str) -> Iterator[str]:
        """Every pattern that could match."""
        by_action, by_wildcard = self._index.by_action, self._index.by_wildcard
        if has_marks(action):
            yield from by_action
            yield from by_wildcard
            return
        action = action.lower()
        if action in by_action:
            yield action
        yield from (pattern for pattern in _EVERY_ACTION if pattern in by_wildcard)
        service, _, name = action.partition(":")
        by_head = self._by_head_by_service.get(service)
        if by_head is not None:
            for length in range(len(name) + 1):
                yield from by_head.get(name[:length], ())

    def numbers(self, concern: Concern) -> tuple[Sequence[int], frozenset[int]]:
        """The statements of a concern, in document order, and those that are in doubt."""
        certain = self._union(concern.certain)
        doubtful = frozenset(self._union(concern.doubtful)).difference(certain)
        return (sorted(doubtful.union(certain)) if doubtful else certain), doubtful

    def _union(self, keys: Iterable[GroupKey]) -> Sequence[int]:
        """The numbers of groups, ascending, each once."""
        index = self._index
        lists = [
            index.not_actions[key][1]
            if isinstance(key, int)
            else index.by_action.get(key) or index.by_wildcard[key]
            for key in keys
        ]
        return lists[0] if len(lists) == 1 else sorted(set().union(*lists))
