"""A policy document ready to decide calls: the answer per action and resource, found once.

Loading groups the statements by action pattern and does nothing else. The first call of an action
builds the index over its statements' resources; the first call on a resource reduces what matches
to what is left to ask (`residual.py`) and remembers that, mostly a constant. From then on a
decision is two look-ups, whatever the number of statements.

Until a statement matches (or may), only its number and its texts are known here
(`statement_index.py`); the document is asked for it, and its conditions are compiled, after that.

Thread-safe without locks: memos are plain dictionaries whose entries depend on the document alone,
so that two threads can only store the same. A new document is a new `CompiledPolicy`.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Final

from dynaguard.call import Authorization, ContextLookup, Principal, Ruling
from dynaguard.policy.action_index import ActionIndex, Concern
from dynaguard.policy.conditions import compile_condition
from dynaguard.policy.model import PolicyDocument
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
from dynaguard.policy.resources import ALWAYS, ActionResources, ResourceTest
from dynaguard.policy.statement_index import StatementIndex, index_statements

MAX_REMEMBERED: Final = 4096
"""Resources that an action remembers, actions and prepared statements that a policy does; each
memo is dropped whole when full."""


class _PreparedStatements(dict[int, OpenStatement]):
    """Statements whose action and resource match, by number: conditions compiled, once."""

    __slots__ = ("_document",)

    def __init__(self, document: PolicyDocument) -> None:
        self._document = document

    def __missing__(self, number: int) -> OpenStatement:
        statement = self._document.statements[number]
        prepared = OpenStatement(
            statement,
            principal=None
            if statement.principals is None
            else PrincipalClause(statement.principals, statement.is_not_principal),
            tests=tuple(
                compile_condition(condition, has_variables=statement.has_variables)
                for condition in statement.conditions
            ),
        )
        if len(self) >= MAX_REMEMBERED:
            self.clear()
        self[number] = prepared
        return prepared


class _ActionMemo(dict[str, Answer]):
    """The answers of an action by resource; a miss goes through the index."""

    __slots__ = ("_default", "_doubtful", "_prepared", "_resources")

    def __init__(
        self,
        prepared: _PreparedStatements,
        resources: ActionResources,
        doubtful: frozenset[int],
        default: Default,
    ) -> None:
        self._prepared = prepared
        self._resources = resources
        self._doubtful = doubtful
        self._default = default

    def __missing__(self, resource: str) -> Answer:
        answer = reduce(self._open_statements(resource), self._default)
        if len(self) >= MAX_REMEMBERED:
            self.clear()
        self[resource] = answer
        return answer

    def _open_statements(self, resource: str) -> Iterator[OpenStatement]:
        """The statements that match a resource or may, in document order."""
        tests = self._resources.tests(resource)
        for number in sorted(tests):
            test = tests[number]
            prepared = self._prepared[number]
            if test is ALWAYS and number not in self._doubtful:
                yield prepared
            else:
                yield self._open(prepared, test, is_for_action=number not in self._doubtful)

    @staticmethod
    def _open(
        prepared: OpenStatement, test: ResourceTest, *, is_for_action: bool
    ) -> OpenStatement:
        """A statement of which the action or the resource leaves something to ask."""
        doubts: tuple[str, ...] = () if is_for_action else ("action",)
        if test.is_open:
            return replace(
                prepared,
                is_doubtful=not is_for_action,
                doubts=doubts,
                tests=(test, *prepared.tests),
            )
        return replace(prepared, is_doubtful=True, doubts=doubts + test.unknown_keys(know_nothing))


class _PolicyMemo(dict[str, _ActionMemo]):
    """The memos of a policy by action; a miss builds the action's index.

    Actions that the same statements are for, share a memo.
    """

    __slots__ = ("_actions", "_by_concern", "_document", "_index", "_prepared")

    def __init__(self, document: PolicyDocument, index: StatementIndex) -> None:
        self._document = document
        self._index = index
        self._actions = ActionIndex(index)
        self._prepared = _PreparedStatements(document)
        self._by_concern: dict[Concern, _ActionMemo] = {}

    def __missing__(self, action: str) -> _ActionMemo:
        concern = self._actions.concern_of(action)
        memo = self._by_concern.get(concern)
        if memo is None:
            memo = self._make(concern)
        if len(self) >= MAX_REMEMBERED:
            self.clear()
            self._by_concern.clear()
        self[action] = self._by_concern[concern] = memo
        return memo

    def _make(self, concern: Concern) -> _ActionMemo:
        """The memo of actions that the same statements are for."""
        numbers, doubtful = self._actions.numbers(concern)
        resources = ActionResources(self._index, numbers)
        return _ActionMemo(self._prepared, resources, doubtful, self._document.default)


class CompiledPolicy:
    """A policy document, ready to decide.

    Args:
        document: The checked document. Its statements may be lazy where an index is given.
        index: What has to be known of its statements beforehand; None: it is made from them.

    Cost: O(statements) without an index, nothing is parsed yet; with one O(action patterns).
    """

    __slots__ = ("_document", "_memo")

    def __init__(self, document: PolicyDocument, index: StatementIndex | None = None) -> None:
        self._document = document
        if index is None:
            index = index_statements(document.statements)
        self._memo = _PolicyMemo(document, index)

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
