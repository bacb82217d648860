"""What a refusal says of grants: how to ask for one, where one would help."""

from __future__ import annotations

from dataclasses import replace

import pytest

from dynaguard.call import Authorization, Principal, Verdict
from dynaguard.policy.matcher import CompiledPolicy
from dynaguard.scope import Scope
from tests.access.desk import ETL, NEED, ORDERS, SESSION, Desk, call
from tests.policy.iam_documents import document_of

OTHERS = ORDERS.replace("orders", "customers")
AS_BOT = Scope(acting_name="bot")
BOT = replace(ETL, acting_name="bot", signer=ETL, groups=ETL.groups | {"admins"})


@pytest.fixture
def desk() -> Desk:
    """A desk with everything new."""
    return Desk()


def test_a_refused_call_rests_on_no_grant(desk: Desk) -> None:
    """One of two tables is granted."""
    desk.give()

    decision = desk.decide(ETL, NEED, Authorization("dynamodb:GetItem", OTHERS))

    assert (decision.verdict, decision.grants) == (Verdict.IMPLICIT_DENY, ())


def test_a_refusal_says_how_to_ask(desk: Desk) -> None:
    """One command, ready to be completed, safe to paste."""
    need = Authorization("s3:GetObject", "arn:aws:s3:::b/it's; rm -rf ~")

    told = desk.grants.told(call(), desk.decide(ETL, need), ETL)

    assert told.how_to_allow.endswith(
        "or ask for a grant: `dynaguard grants create --action s3:GetObject --resource "
        "'arn:aws:s3:::b/it'\"'\"'s; rm -rf ~' --identity "
        "arn:aws:sts::111122223333:assumed-role/etl/nightly --expires 15m --reason ...`"
    )


def test_the_refusal_of_who_acts_names_both(desk: Desk) -> None:
    """The grant that helps is for the identity, and for who acts with it."""
    told = desk.grants.told(call(), desk.decide(BOT, scope=AS_BOT), BOT)

    assert f"--identity {SESSION} --acting-as bot --expires" in told.how_to_allow


def test_a_refusal_names_nobody_that_is_not_known(desk: Desk) -> None:
    """A label of many is none that a grant could name."""
    who = Principal("static-key")

    told = desk.grants.told(call(), desk.decide(who), who)

    assert "--identity ... --expires" in told.how_to_allow


def test_presigning_does_not_say_that_a_grant_would_help(desk: Desk) -> None:
    """It would not."""
    decision = desk.decide(is_presign=True)

    assert desk.grants.told(call(is_presign=True), decision, ETL) is decision


def test_a_deny_does_not_say_that_a_grant_would_help(desk: Desk) -> None:
    """It would not."""
    policy = CompiledPolicy(document_of({"Effect": "Deny", "Action": "*", "Resource": "*"}))
    decision = desk.decide(policy=policy)

    assert desk.grants.told(call(), decision, ETL) is decision
