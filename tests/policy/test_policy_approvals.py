"""Where `RequireApproval` stands between Deny, Allow and the default, and what it says."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import pytest

from dynaguard.call import (
    UNKNOWN_ACCOUNT,
    Authorization,
    Call,
    ContextLookup,
    Decision,
    GrantRef,
    Principal,
    Ruling,
    StatementRef,
    Verdict,
)
from dynaguard.policy import reference
from dynaguard.policy.decision import Widen, decide, denial_message
from dynaguard.policy.loading import load_policy
from dynaguard.policy.matcher import CompiledPolicy
from dynaguard.policy.trace import trace
from tests.policy.test_policy_decision import CALL, ETL, all_absent, all_unknown

ORDERS = "arn:aws:dynamodb:eu-west-1:111122223333:table/orders"
UNSURE = ORDERS.replace("111122223333", UNKNOWN_ACCOUNT)
DELETE = Authorization("dynamodb:DeleteItem", ORDERS)
PUT = Authorization("dynamodb:PutItem", ORDERS)
BROKEN = Authorization("dynamodb:DeleteItem", ORDERS, problem="the request is not understood")
ASK = {"Sid": "Ask", "Effect": "RequireApproval", "Action": "dynamodb:DeleteItem", "Resource": "*"}
MAY_ASK = {**ASK, "Sid": "MayAsk", "Condition": {"StringEquals": {"aws:PrincipalTag/team": "x"}}}
ALLOW = {"Sid": "All", "Effect": "Allow", "Action": "*", "Resource": "*"}
MAY_ALLOW = {**ALLOW, "Sid": "May", "Condition": {"StringEquals": {"aws:SourceVpc": "x"}}}
DENY = {"Sid": "No", "Effect": "Deny", "Action": "dynamodb:DeleteItem", "Resource": "*"}
GRANT = GrantRef("g-1", "ann", "needed", 1e10)
BREAK_GLASS = GRANT._replace(is_break_glass=True)


def policy_of(*statements: Mapping[str, Any], default: str = "deny") -> CompiledPolicy:
    """A policy of statements."""
    data = {"version": 1, "default": default, "govern": ["*"], "statement": [*statements]}
    return CompiledPolicy(load_policy(data, environ={}))


def ruled(
    *statements: Mapping[str, Any], lookup: ContextLookup = all_absent, default: str = "deny"
) -> Ruling:
    """The ruling about a delete; both evaluators must give it."""
    policy = policy_of(*statements, default=default)
    ruling = policy.rule(DELETE, ETL, lookup)
    expected = reference.rule(policy.document, DELETE, ETL, lookup)
    assert set(ruling.unknown_keys) == set(expected.unknown_keys)
    assert ruling == replace(expected, unknown_keys=ruling.unknown_keys)
    return ruling


def sids(ruling: Ruling | Decision) -> list[str]:
    """The statements whose approval is required."""
    return [ref.sid for ref in ruling.required_by]


def decided(
    policy: CompiledPolicy,
    *needs: Authorization,
    principal: Principal = ETL,
    widen: Widen | None = None,
    lookup: ContextLookup = all_absent,
    call: Call = CALL,
) -> Decision:
    """The decision about a call that needs these."""
    return decide(policy, call, principal, needs, lambda _need, _who: lookup, widen)


# --- precedence ----------------------------------------------------------------------------------


@pytest.mark.parametrize("statements", [(ASK,), (ASK, ALLOW), (ALLOW, ASK), (ASK, MAY_ALLOW)])
def test_it_comes_before_an_allow(statements: Any) -> None:
    """Wherever it stands."""
    ruling = ruled(*statements)

    assert ruling.verdict is Verdict.REQUIRE_APPROVAL
    assert ruling.statement is not None
    assert ruling.statement.sid == "Ask"
    assert sids(ruling) == ["Ask"]


def test_it_comes_before_a_default_that_allows() -> None:
    """What nobody forbids may still want an approval."""
    assert ruled(ASK, default="allow").verdict is Verdict.REQUIRE_APPROVAL


@pytest.mark.parametrize("statements", [(DENY, ASK, ALLOW), (ASK, DENY)])
def test_a_deny_comes_before_it(statements: Any) -> None:
    """No ticket is made for what an approval would not let through."""
    ruling = ruled(*statements)

    assert ruling.verdict is Verdict.DENY
    assert sids(ruling) == []


def test_a_doubtful_deny_comes_before_it_too() -> None:
    """As before an Allow."""
    deny = {**DENY, "Condition": {"StringEquals": {"aws:SourceVpc": "x"}}}

    assert ruled(deny, ASK, lookup=all_unknown).verdict is Verdict.DENY


def test_one_that_does_not_match_asks_nothing() -> None:
    """Its key is known to be absent."""
    assert ruled(MAY_ASK, ALLOW).verdict is Verdict.ALLOW
    assert ruled(MAY_ASK).verdict is Verdict.IMPLICIT_DENY


def test_a_doubtful_one_demands_the_approval_of_what_is_allowed() -> None:
    """The unknown key is told."""
    ruling = ruled(MAY_ASK, ALLOW, lookup=all_unknown)

    assert ruling.verdict is Verdict.REQUIRE_APPROVAL
    assert ruling.unknown_keys == ("aws:PrincipalTag/team",)


def test_a_doubtful_one_demands_the_approval_of_what_the_default_allows() -> None:
    """Likewise."""
    ruling = ruled(MAY_ASK, lookup=all_unknown, default="allow")

    assert ruling.verdict is Verdict.REQUIRE_APPROVAL


@pytest.mark.parametrize("others", [(), (MAY_ALLOW,)])
def test_a_doubtful_one_allows_nothing_by_itself(others: Any) -> None:
    """Not even once approved; both unknown keys are told."""
    ruling = ruled(MAY_ASK, *others, lookup=all_unknown)

    assert ruling.verdict is Verdict.IMPLICIT_DENY
    assert ruling.statement is None
    assert sids(ruling) == ["MayAsk"]
    assert "aws:PrincipalTag/team" in ruling.unknown_keys


def test_of_several_all_have_to_be_met() -> None:
    """The certain ones first: it is never enough to meet the easiest terms."""
    second = {**ASK, "Sid": "Second"}

    ruling = ruled(MAY_ASK, ASK, second, ALLOW, lookup=all_unknown)

    assert sids(ruling) == ["Ask", "Second", "MayAsk"]
    assert ruling.statement == ruling.required_by[0]
    assert ruling.unknown_keys == ("aws:PrincipalTag/team",)


@pytest.mark.parametrize("other", [ALLOW, DENY])
def test_an_observed_one_is_recorded_and_asks_nothing(other: Any) -> None:
    """As every observed statement."""
    ruling = ruled({**ASK, "Mode": "observe"}, other)

    assert ruling.verdict is (Verdict.ALLOW if other is ALLOW else Verdict.DENY)
    assert [ref.sid for ref in ruling.observed] == ["Ask"]
    assert sids(ruling) == []


def test_an_observed_one_is_recorded_where_it_is_doubtful() -> None:
    """It would have asked."""
    ruling = ruled({**MAY_ASK, "Mode": "observe"}, ALLOW, lookup=all_unknown)

    assert [ref.sid for ref in ruling.observed] == ["MayAsk"]


# --- whole calls ---------------------------------------------------------------------------------


def test_a_call_needs_the_approvals_of_all_its_parts() -> None:
    """Each statement once."""
    of_puts = {**ASK, "Sid": "Puts", "Action": "dynamodb:PutItem"}

    decision = decided(policy_of(ASK, of_puts), DELETE, PUT, DELETE)

    assert decision.verdict is Verdict.REQUIRE_APPROVAL
    assert sids(decision) == ["Ask", "Puts"]
    assert decision.offending == DELETE
    assert decision.reason.endswith("(the first of 3 refused of 3)")


def test_a_part_that_nothing_allows_counts_more() -> None:
    """No ticket is made for a call that an approval would not let through."""
    decision = decided(policy_of(ASK), DELETE, PUT)

    assert decision.verdict is Verdict.IMPLICIT_DENY
    assert decision.offending == PUT
    assert sids(decision) == []


def test_an_allowed_part_needs_no_approval() -> None:
    """The others' is needed all the same."""
    decision = decided(policy_of(ASK, ALLOW), PUT, DELETE)

    assert (decision.verdict, decision.offending) == (Verdict.REQUIRE_APPROVAL, DELETE)


def test_what_is_not_understood_cannot_be_approved() -> None:
    """No approver would see what it is."""
    decision = decided(policy_of(ASK), BROKEN)

    assert decision.verdict is Verdict.IMPLICIT_DENY
    assert decision.reason == "the request is not understood"


def test_both_views_of_who_acts_are_met() -> None:
    """The signer's approval and the acting name's."""
    of_group = {**ASK, "Sid": "Agents", "Principal": {"Group": "agents"}}
    signer = Principal("etl", arns=ETL.arns, arns_complete=True)
    acting = Principal(
        "bot", arns=ETL.arns, arns_complete=True, groups=frozenset({"agents"}), signer=signer
    )

    decision = decided(policy_of(ASK, of_group), DELETE, principal=acting)

    assert decision.verdict is Verdict.REQUIRE_APPROVAL
    assert sids(decision) == ["Ask", "Agents"]


# --- what it says --------------------------------------------------------------------------------


def test_the_message_says_how_to_ask() -> None:
    """By which statement, and what to do."""
    decision = decided(policy_of(ASK), DELETE)

    message = denial_message(CALL, ETL, decision)
    assert "refused for etl-nightly: approval is required by statement `Ask` (<policy>)" in message
    assert "to allow it, ask for an approval" in message
    assert "`dynaguard approvals list`" in message


def test_the_message_tells_of_further_statements_and_unknown_keys() -> None:
    """So that nobody wonders why."""
    decision = decided(policy_of(MAY_ASK, ASK, ALLOW), DELETE, lookup=all_unknown)

    assert decision.reason == (
        "approval is required by statement `Ask` (<policy>) and 1 more, which may apply since "
        "`aws:PrincipalTag/team` is unknown"
    )
    assert decision.how_to_allow.startswith("give `aws:PrincipalTag/team` in `[context]`, or ask")


def test_the_trace_names_the_effect() -> None:
    """A doubtful one counts, since it asks."""
    document = policy_of({**ASK, "Resource": ORDERS}).document
    need = Authorization("dynamodb:DeleteItem", UNSURE)

    (found,) = trace(document, need, ETL, all_absent)

    assert (found.effect, found.match, found.counts) == ("RequireApproval", "unknown", True)


# --- what widens ---------------------------------------------------------------------------------


def granting(grant: GrantRef, verdicts: list[Verdict]) -> Widen:
    """A grant that covers what nothing allows; break-glass also what needs an approval."""

    def widen(_need: Authorization, _who: Principal, ruling: Ruling) -> Ruling | None:
        verdicts.append(ruling.verdict)
        if ruling.verdict is Verdict.IMPLICIT_DENY or grant.is_break_glass:
            return Ruling(Verdict.ALLOW, StatementRef("grant"), grant=grant)
        return None

    return widen


def test_a_grant_does_not_hide_what_may_require_an_approval() -> None:
    """It takes the place of an Allow, and an Allow would not do without the approval either."""
    asked: list[Verdict] = []

    decision = decided(
        policy_of(MAY_ASK), DELETE, widen=granting(GRANT, asked), lookup=all_unknown
    )

    assert asked == [Verdict.IMPLICIT_DENY, Verdict.REQUIRE_APPROVAL]
    assert decision.verdict is Verdict.REQUIRE_APPROVAL
    assert sids(decision) == ["MayAsk"]
    assert decision.grants == (GRANT,)


def test_a_grant_in_an_emergency_needs_no_approval() -> None:
    """Neither a doubtful one nor a certain one."""
    widen = granting(BREAK_GLASS, [])

    doubtful = decided(policy_of(MAY_ASK), DELETE, widen=widen, lookup=all_unknown)
    certain = decided(policy_of(ASK), DELETE, widen=widen)

    assert doubtful.verdict is Verdict.ALLOW
    assert certain.verdict is Verdict.ALLOW


def test_a_deny_is_never_widened() -> None:
    """Nobody is asked."""
    asked: list[Verdict] = []

    decision = decided(policy_of(DENY, ASK), DELETE, widen=granting(BREAK_GLASS, asked))

    assert decision.verdict is Verdict.DENY
    assert asked == []


def test_what_gives_no_better_answer_changes_nothing() -> None:
    """The ruling stays."""
    decision = decided(policy_of(MAY_ASK), DELETE, widen=lambda *_: None, lookup=all_unknown)

    assert decision.verdict is Verdict.IMPLICIT_DENY
