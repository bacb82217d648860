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

from collections.abc import Iterable, Mapping
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
    open_statement,
    reduce,
)
from dynaguard.policy.resources import ActionResources, ResourceTest
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
        principal = (
            None
            if statement.principals is None
            else PrincipalClause(statement.principals, statement.is_not_principal)
        )
        tests = tuple(
            [
                compile_condition(condition, has_variables=statement.has_variables)
                for condition in statement.conditions
            ]
        )
        prepared = open_statement(statement, principal, tests)
        if len(self) >= MAX_REMEMBERED:
            self.clear()
        self[number] = prepared
        return prepared


class _ActionMemo:
    """The answers of an action by resource.

    Attributes:
        rulings: The ruling where it does not depend on who asks, nor on the context; else None.
        questions: What is left to ask, by resource, where it does.
    """

    __slots__ = (
        "_default",
        "_doubtful",
        "_prepared",
        "_resources",
        "_shared",
        "questions",
        "rulings",
    )

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
        self.rulings: dict[str, Ruling | None] = {}
        self.questions: dict[str, Residual | PrincipalMemo] = {}
        self._shared: dict[tuple[int, ...], Residual | PrincipalMemo] = {}

    def find(self, resource: str) -> Answer:
        """The answer for a resource, found by the index; remembered."""
        numbers, tests = self._resources.find(resource)
        # Where thousands of tables are under the same few statements, they share what there is
        # to ask.
        key = tuple(numbers)
        answer: Answer | None = None if tests else self._shared.get(key)
        if answer is None:
            answer = reduce(self._open_statements(numbers, tests), self._default)
        if len(self.rulings) >= MAX_REMEMBERED:
            self.rulings.clear()
            self.questions.clear()
            self._shared.clear()
        if isinstance(answer, Ruling):
            self.rulings[resource] = answer
            return answer
        if not tests:
            self._shared[key] = answer
        self.questions[resource] = answer
        self.rulings[resource] = None
        return answer

    def _open_statements(
        self, numbers: Iterable[int], tests: Mapping[int, ResourceTest]
    ) -> list[OpenStatement]:
        """The statements with what is left to ask of them."""
        prepared, doubtful = self._prepared, self._doubtful
        if not tests and not doubtful:
            return [prepared[number] for number in numbers]
        return [
            self._open(prepared[number], tests.get(number), is_for_action=number not in doubtful)
            for number in numbers
        ]

    @staticmethod
    def _open(
        prepared: OpenStatement, test: ResourceTest | None, *, is_for_action: bool
    ) -> OpenStatement:
        """A statement of which the action or the resource may leave something to ask."""
        doubts: tuple[str, ...] = () if is_for_action else ("action",)
        tests, is_doubtful = prepared.tests, not is_for_action
        if test is not None and test.is_open:
            tests = (test, *tests)
        elif test is not None:
            doubts += test.unknown_keys(know_nothing)
            is_doubtful = True
        return prepared._replace(tests=tests, is_doubtful=is_doubtful, doubts=doubts)


class _ActionMemos(dict[str, _ActionMemo]):
    """The memos of a policy by action; a miss builds the action's index.

    Actions that the same statements are for, share a memo.

    Attributes:
        rulings_by_action: The rulings of each memo.
    """

    __slots__ = (
        "_actions",
        "_by_concern",
        "_document",
        "_index",
        "_prepared",
        "rulings_by_action",
    )

    def __init__(self, document: PolicyDocument, index: StatementIndex) -> None:
        self._document = document
        self._index = index
        self._actions = ActionIndex(index)
        self._prepared = _PreparedStatements(document)
        self._by_concern: dict[Concern, _ActionMemo] = {}
        self.rulings_by_action: dict[str, dict[str, Ruling | None]] = {}

    def __missing__(self, action: str) -> _ActionMemo:
        concern = self._actions.concern_of(action)
        memo = self._by_concern.get(concern)
        if memo is None:
            numbers, doubtful = self._actions.numbers(concern)
            resources = ActionResources(self._index, numbers)
            memo = _ActionMemo(self._prepared, resources, doubtful, self._document.default)
        if len(self) >= MAX_REMEMBERED:
            self.clear()
            self._by_concern.clear()
            self.rulings_by_action.clear()
        self[action] = self._by_concern[concern] = memo
        self.rulings_by_action[action] = memo.rulings
        return memo


class CompiledPolicy:
    """A policy document, ready to decide.

    Args:
        document: The checked document. Its statements may be lazy where an index is given.
        index: What has to be known of its statements beforehand; None: it is made from them.

    Cost: O(statements) without an index, nothing is parsed yet; with one O(action patterns).
    """

    __slots__ = ("_document", "_memos", "_rulings")

    def __init__(self, document: PolicyDocument, index: StatementIndex | None = None) -> None:
        self._document = document
        if index is None:
            index = index_statements(document.statements)
        self._memos = _ActionMemos(document, index)
        self._rulings = self._memos.rulings_by_action

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

        Cost: two look-ups for an action and resource asked before; two more where that depends on
        the context, and one where statements name principals.
        """
        # What most calls come to is kept apart and read from exact dicts, fields by their place:
        # 55 ns, a third more than the look-ups alone. By name, from one dict with `__missing__`
        # and told apart by type it took 93.
        try:
            ruling = self._rulings[authorization[0]][authorization[1]]
        except KeyError:
            ruling = None
        return self._ask(authorization, principal) if ruling is None else ruling

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
        # As in `answer`: a call in between would cost as much again.
        try:
            ruling = self._rulings[authorization[0]][authorization[1]]
        except KeyError:
            ruling = None
        if ruling is not None:
            return ruling
        answer = self._ask(authorization, principal)
        return answer.settle(lookup) if type(answer) is Residual else answer

    def _ask(self, authorization: Authorization, principal: Principal) -> Ruling | Residual:
        """As `answer`, where that is not known yet, or depends on more than the resource."""
        memo = self._memos[authorization.action]
        answer: Answer | None = memo.questions.get(authorization.resource)
        if answer is None:
            answer = memo.find(authorization.resource)
        return answer.answer(principal) if type(answer) is PrincipalMemo else answer
