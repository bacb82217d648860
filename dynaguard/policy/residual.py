"""What is left of a policy once the action and the resource (and the principal) are known.

Statements that cannot match are gone; a question that is answered is not asked again. What stays
is mostly nothing: then the answer is a constant. Precedence is settled here: a certain
unconditional Deny leaves no Allow, a certain unconditional Allow leaves no other Allow. Of the
statements that require an approval each stays: whoever passes has to meet the terms of all.

INVARIANT: nothing that depends on a call's context is ever kept, only what there is to ask.

Source: IAM User Guide, Policy evaluation logic: explicit deny, then allow, then the default.
Ours is what comes between: a statement that requires an approval beats every Allow.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace
from typing import Final, Literal, NamedTuple, final

from dynaguard.call import UNKNOWN, ContextLookup, ContextValue, Principal, Ruling, Verdict
from dynaguard.policy.model import Effect, Statement
from dynaguard.policy.principals import PrincipalClause, PrincipalFacts, facts_of
from dynaguard.policy.resources import Test
from dynaguard.policy.truth import Truth
from dynaguard.values import dataclass

Default = Literal["allow", "deny"]

_MAX_PRINCIPALS: Final = 64
"""Identities that one residual remembers; a process mostly has one or two."""
_ALLOWED_BY_DEFAULT: Final = Ruling(Verdict.ALLOW)
_BY_DEFAULT: Final[dict[Default, Ruling]] = {
    "allow": _ALLOWED_BY_DEFAULT,
    "deny": Ruling(Verdict.IMPLICIT_DENY),
}
_VERDICT_BY_EFFECT: Final[dict[Effect, Verdict]] = {
    "Allow": Verdict.ALLOW,
    "Deny": Verdict.DENY,
    "RequireApproval": Verdict.REQUIRE_APPROVAL,
}


class OpenStatement(NamedTuple):
    """A statement that can match, and what is left to ask.

    A named tuple, for each new resource makes some.

    Attributes:
        statement: The statement.
        ruling: The answer that it gives when it matches for certain; calls share it.
        principal: Its principal clause, or None when it has none or that is answered.
        tests: What to ask the context.
        is_doubtful: Whether something about the request that it depends on cannot be known.
        doubts: The facts that would settle it: `account`, `resource`, `aws:PrincipalArn` ...
    """

    statement: Statement
    ruling: Ruling
    principal: PrincipalClause | None = None
    tests: tuple[Test, ...] = ()
    is_doubtful: bool = False
    doubts: tuple[str, ...] = ()

    @property
    def is_settled(self) -> bool:
        """Whether nothing is left to ask."""
        return self.principal is None and not self.tests

    def truth(self, lookup: ContextLookup) -> Truth:
        """Whether the statement matches a call; None when that is not known."""
        result: Truth = None if self.is_doubtful else True
        for test in self.tests:
            truth = test.holds(lookup)
            if truth is None:
                result = None
            elif not truth:
                return False
        return result

    def counts(self, lookup: ContextLookup) -> bool:
        """Whether it takes effect: an Allow when certain, any other unless certainly not."""
        truth = self.truth(lookup)
        return truth is True if self.statement.effect == "Allow" else truth is not False

    def unknown_keys(self, lookup: ContextLookup) -> tuple[str, ...]:
        """What is unknown, where the truth is not known; for messages, off the fast path."""
        tests = (test for test in self.tests if test.holds(lookup) is None)
        return (*self.doubts, *(key for test in tests for key in test.unknown_keys(lookup)))

    def for_principal(self, principal: Principal) -> OpenStatement | None:
        """The statement with its principal clause answered; None where it names others."""
        if self.principal is None:
            return self
        truth = self.principal.truth(principal)
        if truth is False:
            return None
        if truth:
            return self._replace(principal=None)
        doubts = (*self.doubts, *self.principal.doubts(principal))
        return self._replace(principal=None, is_doubtful=True, doubts=doubts)


def open_statement(
    statement: Statement, principal: PrincipalClause | None, tests: tuple[Test, ...]
) -> OpenStatement:
    """The statement with all but its action and resource left to ask."""
    ruling = Ruling(_VERDICT_BY_EFFECT[statement.effect], statement.ref)
    return OpenStatement(statement, ruling, principal, tests)


@final
@dataclass(frozen=True, slots=True)
class Residual:
    """What is left to ask of a call's context, in the order of precedence."""

    denies: tuple[OpenStatement, ...]
    approvals: tuple[OpenStatement, ...]
    allows: tuple[OpenStatement, ...]
    observed: tuple[OpenStatement, ...]
    default: Default

    @property
    def statements(self) -> tuple[OpenStatement, ...]:
        """All of them."""
        return (*self.denies, *self.approvals, *self.allows, *self.observed)

    def settle(self, lookup: ContextLookup) -> Ruling:
        """The ruling for one call; O(statements left)."""
        ruling = self._rule(lookup)
        if not self.observed:
            return ruling
        observed = tuple(seen.statement.ref for seen in self.observed if seen.counts(lookup))
        return replace(ruling, observed=observed) if observed else ruling

    def _rule(self, lookup: ContextLookup) -> Ruling:
        """The ruling without the observed statements."""
        doubtful = None
        for deny in self.denies:
            truth = deny.truth(lookup)
            if truth:
                return deny.ruling
            if truth is None and doubtful is None:
                doubtful = deny
        if doubtful is not None:
            return replace(doubtful.ruling, unknown_keys=_distinct(doubtful.unknown_keys(lookup)))
        return self._ruled_by_approval(lookup) if self.approvals else self._ruled_by_allow(lookup)

    def _ruled_by_allow(self, lookup: ContextLookup) -> Ruling:
        """The ruling where nothing denies and nothing requires an approval."""
        for allow in self.allows:
            if allow.truth(lookup):
                return allow.ruling
        if self.default == "allow":
            return _ALLOWED_BY_DEFAULT
        missed = (allow for allow in self.allows if allow.truth(lookup) is None)
        keys = _distinct(key for allow in missed for key in allow.unknown_keys(lookup))
        return Ruling(Verdict.IMPLICIT_DENY, unknown_keys=keys)

    def _ruled_by_approval(self, lookup: ContextLookup) -> Ruling:
        """The ruling where a statement may require an approval.

        One that certainly matches is an Allow once approved. One that may match demands the
        approval all the same, and allows nothing by itself.
        """
        truths = [(each, each.truth(lookup)) for each in self.approvals]
        certain = [each for each, truth in truths if truth]
        doubtful = [each for each, truth in truths if truth is None]
        required_by = tuple([each.statement.ref for each in (*certain, *doubtful)])
        if not required_by:
            return self._ruled_by_allow(lookup)
        keys = _distinct(key for each in doubtful for key in each.unknown_keys(lookup))
        if not certain:
            otherwise = self._ruled_by_allow(lookup)
            if otherwise.verdict is Verdict.IMPLICIT_DENY:
                keys = _distinct((*otherwise.unknown_keys, *keys))
                return replace(otherwise, unknown_keys=keys, required_by=required_by)
        return Ruling(Verdict.REQUIRE_APPROVAL, required_by[0], keys, required_by=required_by)


@final
class PrincipalMemo:
    """A residual that differs by principal: remembers the residual of each."""

    __slots__ = ("_answers", "_default", "_open")

    def __init__(self, open_statements: Iterable[OpenStatement], default: Default) -> None:
        self._open = tuple(open_statements)
        self._default = default
        self._answers: dict[PrincipalFacts, Ruling | Residual] = {}

    def answer(self, principal: Principal) -> Ruling | Residual:
        """What is left for one principal; one look-up when it has been asked before."""
        facts = facts_of(principal)
        answer = self._answers.get(facts)
        if answer is None:
            answer = self._find(principal)
            if len(self._answers) >= _MAX_PRINCIPALS:
                self._answers.clear()
            self._answers[facts] = answer
        return answer

    def _find(self, principal: Principal) -> Ruling | Residual:
        """The residual of a principal that has not been asked for."""
        asked = (left.for_principal(principal) for left in self._open)
        return settle_early([left for left in asked if left is not None], self._default)


Answer = Ruling | Residual | PrincipalMemo


def reduce(left: Sequence[OpenStatement], default: Default) -> Answer:
    """The least that has to be asked per call: nothing, the context, or the principal first."""
    constant = _constant(left, default)
    if constant is not None:
        return constant
    residual = _residual(left, default)
    if any(statement.principal for statement in residual.statements):
        return PrincipalMemo(residual.statements, default)
    return _constant_or(residual)


def _constant(left: Sequence[OpenStatement], default: Default) -> Ruling | None:
    """The ruling where statements without conditions tell at a glance, else None.

    Most resources are of this kind; by `_residual` it takes 4 us more.
    """
    if not left:
        return _BY_DEFAULT[default]
    deny: Ruling | None = None
    allow: Ruling | None = None
    is_open = False
    for each in left:
        if each.statement.is_observed:
            return None
        verdict = each.ruling.verdict
        is_certain = not (each.tests or each.principal or each.is_doubtful)
        if is_certain and verdict is Verdict.ALLOW:
            allow = allow or each.ruling
        elif is_certain and verdict is Verdict.DENY:
            deny = deny or each.ruling
        else:
            is_open = is_open or verdict is not Verdict.ALLOW
    return deny if deny or is_open else allow


def settle_early(open_statements: Iterable[OpenStatement], default: Default) -> Ruling | Residual:
    """As `reduce`, where no principal is left to ask for."""
    return _constant_or(_residual(open_statements, default))


def _residual(open_statements: Iterable[OpenStatement], default: Default) -> Residual:
    """The statements by precedence, without those that can make no difference any more."""
    left = tuple(open_statements)
    observed = tuple(statement for statement in left if statement.statement.is_observed)
    acting = [statement for statement in left if not statement.statement.is_observed]
    denies, approvals, allows = (
        [statement for statement in acting if statement.statement.effect == effect]
        for effect in ("Deny", "RequireApproval", "Allow")
    )
    if any(deny.is_settled for deny in denies):
        approvals, allows = [], []
    if any(each.is_settled and not each.is_doubtful for each in approvals):
        allows = []
    return Residual(_sufficient(denies), tuple(approvals), _sufficient(allows), observed, default)


def _sufficient(statements: list[OpenStatement]) -> tuple[OpenStatement, ...]:
    """The first statement that always matches, alone; else all of them."""
    for statement in statements:
        if statement.is_settled and not statement.is_doubtful:
            return (statement,)
    return tuple(statements)


def _constant_or(residual: Residual) -> Ruling | Residual:
    """The ruling itself where nothing is left to ask."""
    is_constant = all(statement.is_settled for statement in residual.statements)
    return residual.settle(know_nothing) if is_constant else residual


def know_nothing(_key: str) -> ContextValue:
    """The context of a question that does not depend on it."""
    return UNKNOWN


def _distinct(keys: Iterable[str]) -> tuple[str, ...]:
    """The keys in order, each once."""
    return tuple(dict.fromkeys(keys))
