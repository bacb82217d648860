"""A policy document ready to decide calls: the answer per action and resource, found once.

Loading groups the statements by action pattern and does nothing else. The first call of an action
builds the index over its statements' resources; the first call on a resource reduces what matches
to what is left to ask (`residual.py`) and remembers that, mostly a constant. From then on a
decision is two look-ups, whatever the number of statements.

Thread-safe without locks: memos are plain dictionaries whose entries depend on the document alone,
so that two threads can only store the same. A new document is a new `CompiledPolicy`.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Final

from dynaguard.call import Authorization, ContextLookup, Principal, Ruling
from dynaguard.policy.conditions import compile_condition
from dynaguard.policy.model import PolicyDocument, Statement
from dynaguard.policy.patterns import action_truth, has_marks
from dynaguard.policy.principals import PrincipalClause
from dynaguard.policy.residual import (
    Answer,
    Default,
    OpenStatement,
    PrincipalMemo,
    Residual,
    know_nothing,
    reduce,
)
from dynaguard.policy.resources import (
    ALWAYS,
    ResourceIndex,
    ResourcePattern,
    Test,
    match_resource,
)
from dynaguard.policy.truth import Truth, any_of, negated

MAX_REMEMBERED: Final = 4096
"""Resources that an action remembers, and actions that a policy does; dropped whole when full."""


class _Prepared:
    """A statement of the document, its conditions compiled when an action first needs it."""

    __slots__ = ("patterns", "principal", "statement", "tests")

    def __init__(self, number: int, statement: Statement) -> None:
        self.statement = statement
        self.patterns = tuple(
            ResourcePattern(number, text, has_variables=statement.has_variables)
            for text in statement.resources
        )
        self.tests: tuple[Test, ...] = tuple(
            compile_condition(condition, has_variables=statement.has_variables)
            for condition in statement.conditions
        )
        self.principal = (
            None
            if statement.principals is None
            else PrincipalClause(statement.principals, statement.is_not_principal)
        )


class _ActionMemo(dict[str, Answer]):
    """The answers of one action by resource; a miss goes through the index."""

    __slots__ = ("_complements", "_default", "_doubtful", "_index", "_prepared")

    def __init__(
        self, prepared: dict[int, _Prepared], doubtful: frozenset[int], default: Default
    ) -> None:
        self._prepared = prepared
        self._doubtful = doubtful
        self._default = default
        # A `NotResource` matches nearly everything, so no index can leave it out.
        self._complements = [n for n, each in prepared.items() if each.statement.is_not_resource]
        self._index = ResourceIndex(
            pattern
            for each in prepared.values()
            if not each.statement.is_not_resource
            for pattern in each.patterns
        )

    def __missing__(self, resource: str) -> Answer:
        answer = reduce(self._open_statements(resource), self._default)
        if len(self) >= MAX_REMEMBERED:
            self.clear()
        self[resource] = answer
        return answer

    def _open_statements(self, resource: str) -> Iterator[OpenStatement]:
        """The statements that can match a resource, in document order."""
        found = {number: list(self._prepared[number].patterns) for number in self._complements}
        for pattern in self._index.candidates(resource):
            found.setdefault(pattern.number, []).append(pattern)
        for number in sorted(found):
            left = self._open(number, resource, found[number])
            if left is not None:
                yield left

    def _open(
        self, number: int, resource: str, patterns: list[ResourcePattern]
    ) -> OpenStatement | None:
        """What is left to ask of one statement, or None where it cannot match."""
        prepared = self._prepared[number]
        test = match_resource(resource, patterns, is_negated=prepared.statement.is_not_resource)
        if test is None:
            return None
        is_open = test.is_open
        is_doubtful = number in self._doubtful
        doubts: tuple[str, ...] = ("action",) if is_doubtful else ()
        if not is_open and test is not ALWAYS:
            is_doubtful = True
            doubts += test.unknown_keys(know_nothing)
        return OpenStatement(
            prepared.statement,
            is_doubtful,
            doubts,
            prepared.principal,
            (test, *prepared.tests) if is_open else prepared.tests,
        )


class _PolicyMemo(dict[str, _ActionMemo]):
    """The memos of a policy by action; a miss builds the action's index."""

    __slots__ = ("_by_action", "_by_wildcard", "_document", "_not_actions", "_prepared")

    def __init__(self, document: PolicyDocument) -> None:
        self._document = document
        self._prepared: dict[int, _Prepared] = {}
        self._by_action: dict[str, list[int]] = {}
        self._by_wildcard: dict[str, list[int]] = {}
        self._not_actions: list[int] = []
        for number, statement in enumerate(document.statements):
            if statement.is_not_action:
                self._not_actions.append(number)
                continue
            for pattern in statement.actions:
                is_wild = "*" in pattern or "?" in pattern
                groups = self._by_wildcard if is_wild else self._by_action
                groups.setdefault(pattern.lower(), []).append(number)

    def __missing__(self, action: str) -> _ActionMemo:
        truth_by_number = dict(self._truths(action))
        doubtful = frozenset(n for n, truth in truth_by_number.items() if truth is None)
        prepared = {number: self._prepare(number) for number in sorted(truth_by_number)}
        memo = _ActionMemo(prepared, doubtful, self._document.default)
        if len(self) >= MAX_REMEMBERED:
            self.clear()
        self[action] = memo
        return memo

    def _prepare(self, number: int) -> _Prepared:
        """The prepared statement, shared by the actions that it is for."""
        prepared = self._prepared.get(number)
        if prepared is None:
            prepared = _Prepared(number, self._document.statements[number])
            self._prepared[number] = prepared
        return prepared

    def _truths(self, action: str) -> Iterator[tuple[int, Truth]]:
        """The statements that are, or may be, for an action; a certain answer comes last."""
        groups: list[tuple[Truth, Iterable[int]]] = []
        tried = self._by_wildcard
        if has_marks(action):
            tried = {**self._by_action, **tried}
        groups += [(action_truth(pattern, action), tried[pattern]) for pattern in tried]
        groups.append((True, self._by_action.get(action.lower(), ())))
        for number in self._not_actions:
            named = any_of(
                action_truth(pattern, action)
                for pattern in self._document.statements[number].actions
            )
            groups.append((negated(named), (number,)))
        for wanted in (None, True):
            for truth, numbers in groups:
                if truth is wanted:
                    yield from ((number, truth) for number in numbers)


class CompiledPolicy:
    """A policy document, ready to decide.

    Args:
        document: The checked document. O(statements) to compile: nothing is parsed yet.
    """

    __slots__ = ("_document", "_memo")

    def __init__(self, document: PolicyDocument) -> None:
        self._document = document
        self._memo = _PolicyMemo(document)

    @property
    def document(self) -> PolicyDocument:
        """The document that it was compiled from."""
        return self._document

    def governs(self, service_prefix: str) -> bool:
        """Whether calls of a service are under the policy.

        Args:
            service_prefix: IAM's prefix, such as `dynamodb`; case does not count.
        """
        govern = self._document.govern
        return govern is None or service_prefix in govern or service_prefix.lower() in govern

    def answer(self, authorization: Authorization, principal: Principal) -> Ruling | Residual:
        """What is left to ask of the context for one authorisation: mostly nothing.

        Cost: two look-ups for an action and resource asked before, one more where statements name
        principals.
        """
        answer = self._memo[authorization.action][authorization.resource]
        if type(answer) is PrincipalMemo:
            return answer.answer(principal)
        return answer

    def rule(
        self, authorization: Authorization, principal: Principal, lookup: ContextLookup
    ) -> Ruling:
        """The policy's answer for one authorisation.

        Args:
            authorization: An action on a resource.
            principal: Who asks.
            lookup: The context of the call; not asked where the answer does not depend on it.

        Returns:
            The verdict and the statement behind it: a certain Deny before a doubtful one, else
            the first in the document, where statements without conditions go first.
        """
        answer = self._memo[authorization.action][authorization.resource]
        if type(answer) is PrincipalMemo:
            answer = answer.answer(principal)
        if type(answer) is Residual:
            return answer.settle(lookup)
        return answer
