"""`acting_as()` only narrows: whoever acts may do no more than the credentials may."""

from __future__ import annotations

import random
from dataclasses import replace

import pytest

from dynaguard.call import (
    NO_CREDENTIALS,
    UNKNOWN,
    Authorization,
    Call,
    ContextLookup,
    ContextValue,
    Principal,
    Verdict,
)
from dynaguard.policy.decision import decide
from dynaguard.policy.matcher import CompiledPolicy
from dynaguard.policy.model import PolicyDocument
from dynaguard.policy.reference import rule, rule_in_scope
from dynaguard.scope import EMPTY_SCOPE
from tests.policy.iam_documents import document_of
from tests.policy.random_policies import random_document, random_request

CALL = Call(
    service="ddb",
    operation="GetItem",
    params={},
    region="eu-west-1",
    partition="aws",
    endpoint_url=None,
    credentials=NO_CREDENTIALS,
    scope=EMPTY_SCOPE,
    correlation_id="c-1",
    service_prefix="ddb",
)
TABLE = "arn:aws:ddb:eu-west-1:111122223333:t/a"
NEED = Authorization("ddb:GetItem", TABLE)
SIGNER = Principal("etl", groups=frozenset({"etl"}), arns_complete=True)
ALLOW = {"Effect": "Allow", "Action": "ddb:*", "Resource": "*", "Sid": "All"}


def acting(signer: Principal = SIGNER, *groups: str, name: str = "bot") -> Principal:
    """Somebody who acts with these credentials, as the resolver makes them."""
    return replace(
        signer, acting_name=name, groups=signer.groups | frozenset(groups), signer=signer
    )


def lookup_of(principal: Principal) -> ContextLookup:
    """The condition keys that tell who calls."""
    values: dict[str, ContextValue] = {
        "dynaguard:group": tuple(sorted(principal.groups)),
        "dynaguard:actingas": (principal.acting_name,) if principal.acting_name else (),
    }
    return lambda key: values.get(key, ())


def verdict_for(document: PolicyDocument, principal: Principal) -> Verdict:
    """The decision, by the matcher and by the reference: they must agree."""
    decision = decide(
        CompiledPolicy(document), CALL, principal, (NEED,), lambda _need, who: lookup_of(who)
    )
    plain = rule_in_scope(document, NEED, principal, lookup_of)
    assert (decision.verdict, decision.statement) == (plain.verdict, plain.statement)
    return decision.verdict


@pytest.mark.parametrize(
    "statement",
    [
        ALLOW | {"Principal": "group:admins"},
        ALLOW | {"Condition": {"StringEquals": {"dynaguard:Group": "admins"}}},
        ALLOW | {"Condition": {"StringEquals": {"dynaguard:ActingAs": "admin"}}},
        ALLOW | {"Condition": {"Null": {"dynaguard:ActingAs": "false"}}},
    ],
)
def test_no_claim_brings_an_allow(statement: dict[str, object]) -> None:
    """Neither a group nor a name that a statement trusts."""
    document = document_of(statement)

    assert verdict_for(document, acting(SIGNER, "admins", name="admin")) is Verdict.IMPLICIT_DENY


@pytest.mark.parametrize(
    "statement",
    [
        ALLOW | {"Effect": "Deny", "NotPrincipal": "group:admins"},
        ALLOW | {"Effect": "Deny", "Condition": {"Null": {"dynaguard:ActingAs": "true"}}},
    ],
)
def test_no_claim_lifts_a_deny(statement: dict[str, object]) -> None:
    """What is denied to the signer stays denied."""
    document = document_of(ALLOW, statement)

    assert verdict_for(document, acting(SIGNER, "admins")) is Verdict.DENY


@pytest.mark.parametrize(
    "statement",
    [
        ALLOW | {"Effect": "Deny", "Principal": "group:agents"},
        ALLOW | {"Effect": "Deny", "Condition": {"StringEquals": {"dynaguard:ActingAs": "bot"}}},
        ALLOW | {"Effect": "Deny", "Condition": {"Null": {"dynaguard:ActingAs": "false"}}},
    ],
)
def test_a_claim_narrows(statement: dict[str, object]) -> None:
    """A Deny for who acts holds, and nobody else is touched by it."""
    document = document_of(ALLOW, statement)

    assert verdict_for(document, SIGNER) is Verdict.ALLOW
    assert verdict_for(document, acting(SIGNER, "agents")) is Verdict.DENY


def test_groups_of_the_signer_stay() -> None:
    """An Allow for the signer's group holds for who acts with its credentials."""
    document = document_of(ALLOW | {"Principal": "group:etl"})

    assert verdict_for(document, acting(SIGNER, "agents")) is Verdict.ALLOW


def test_observed_statements_of_both_are_told() -> None:
    """Each once, the signer's first."""
    seen = {"Mode": "observe"}
    document = document_of(
        ALLOW,
        ALLOW | seen | {"Sid": "Signer", "Condition": {"Null": {"dynaguard:ActingAs": "true"}}},
        ALLOW | seen | {"Sid": "Acting", "Condition": {"Null": {"dynaguard:ActingAs": "false"}}},
        ALLOW | seen | {"Sid": "Both"},
    )

    decision = decide(
        CompiledPolicy(document), CALL, acting(), (NEED,), lambda _need, who: lookup_of(who)
    )

    assert [ref.sid for ref in decision.observed] == ["Signer", "Both", "Acting"]


@pytest.mark.parametrize("seed", range(40))
def test_acting_never_widens(seed: int) -> None:
    """Random policies and claims: matcher and reference agree, and nobody gains by acting."""
    rng = random.Random(seed)
    for _ in range(100):
        document, request = random_document(rng), random_request(rng)
        claimed = frozenset(rng.sample(("g", "h"), rng.randint(0, 2)))
        signer = request.principal
        bot = replace(signer, acting_name="bot", groups=signer.groups | claimed, signer=signer)
        # A key that tells who calls: known to one of them, another for the other.
        values = {
            each.acting_name: {**request.context, "k": rng.choice(((), ("a",), ("ab",), UNKNOWN))}
            for each in (signer, bot)
        }

        def lookup_for(
            who: Principal, values: dict[str | None, dict[str, ContextValue]] = values
        ) -> ContextLookup:
            return lambda key: values[who.acting_name].get(key, ())

        decision = decide(
            CompiledPolicy(document),
            CALL,
            bot,
            (request.authorization,),
            lambda _need, who, lookup_for=lookup_for: lookup_for(who),  # type: ignore[misc]
        )

        plain = rule_in_scope(document, request.authorization, bot, lookup_for)
        alone = rule(document, request.authorization, signer, lookup_for(signer))
        assert decision.verdict is plain.verdict
        assert set(decision.observed) == set(plain.observed)
        assert alone.verdict.is_allowed or not decision.verdict.is_allowed
