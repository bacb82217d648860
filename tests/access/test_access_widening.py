"""Grants widen what no statement allows: for whom, for what, before or after what else."""

from __future__ import annotations

import json
import random
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dynaguard.access.clock import SKEW_TOLERANCE_S
from dynaguard.access.grants import Grant
from dynaguard.access.snapshot import LiveGrant, Snapshot
from dynaguard.access.widening import rule_by
from dynaguard.call import Authorization, Principal, Ruling, StatementRef, Verdict
from dynaguard.policy.decision import decide
from dynaguard.policy.matcher import CompiledPolicy
from dynaguard.policy.reference import rule
from dynaguard.scope import Scope
from tests.access.desk import BEGIN_S, ETL, NEED, ORDERS, ROLE, SESSION, Desk, call, statements
from tests.policy.iam_documents import document_of
from tests.policy.random_policies import random_document, random_request

OTHERS = ORDERS.replace("orders", "customers")
SCAN = Authorization("dynamodb:Scan", ORDERS)
EVERYTHING = json.dumps([{"Effect": "Allow", "Action": "*", "Resource": "*"}])
AS_BOT = Scope(acting_name="bot")
BOT = replace(ETL, acting_name="bot", signer=ETL, groups=ETL.groups | {"admins"})


@pytest.fixture
def desk() -> Desk:
    """A desk with everything new."""
    return Desk()


@pytest.mark.parametrize(
    "identity",
    [
        ROLE,
        SESSION,
        "arn:aws:iam::*:role/etl",
        "arn:aws:sts::111122223333:assumed-role/etl/*",
        "arn:aws:iam::111122223333:role/?tl",
        "group:batch",
        "etl",
    ],
)
def test_a_grant_is_for_whom_it_names(desk: Desk, identity: str) -> None:
    """By any ARN of the identity, by a group of it, by its label."""
    desk.give(identity=identity)

    assert desk.allows()


@pytest.mark.parametrize("name", ["group:batch", ROLE])
def test_a_label_that_looks_like_somebody_else_is_not_them(desk: Desk, name: str) -> None:
    """A label is what a process says of itself; groups and ARNs are what is known of it."""
    desk.give(identity=name)

    assert not desk.allows(Principal(name, source="explicit"))


@pytest.mark.parametrize(
    "identity",
    [
        "arn:aws:iam::111122223333:role/etl-2",
        "arn:aws:iam::111122223333:role/ETL",
        "arn:aws:iam::999999999999:role/*",
        "group:etl",
        "group:admins",
        "batch",
        "ETL",
        "nightly",
    ],
)
def test_a_grant_is_for_nobody_else(desk: Desk, identity: str) -> None:
    """Neither near misses, nor groups that a program gave itself."""
    desk.give(identity=identity)

    assert not desk.allows()
    assert not desk.allows(BOT, scope=AS_BOT)


def test_an_identity_that_is_not_known_for_certain_has_nothing(desk: Desk) -> None:
    """It may be the one that is meant; it may be another."""
    desk.give(identity=ROLE)
    somebody = replace(ETL, arns=(), arns_complete=False, arn=None, groups=frozenset())

    assert not desk.allows(somebody)


@pytest.mark.parametrize(
    ("need", "is_allowed"),
    [
        (NEED, True),
        (Authorization("dynamodb:GetItem", OTHERS), False),
        (Authorization("dynamodb:PutItem", ORDERS), False),
        (NEED._replace(problem="the request is not understood"), False),
    ],
)
def test_a_grant_is_for_what_it_names(desk: Desk, need: Authorization, is_allowed: bool) -> None:
    """An action on a resource, understood in full."""
    desk.give()

    assert desk.allows(ETL, need) is is_allowed


def test_conditions_of_a_grant_hold(desk: Desk) -> None:
    """What is not known satisfies none."""
    desk.give(statements=statements(Condition={"StringEquals": {"dynaguard:Job": "nightly"}}))

    assert not desk.allows()


def test_several_grants_allow_what_none_allows_alone(desk: Desk) -> None:
    """A call that touches two tables; both grants stand in the decision."""
    first, second = desk.give(), desk.give(statements=statements(OTHERS))
    needs = NEED, Authorization("dynamodb:GetItem", OTHERS)

    decision = desk.decide(ETL, *needs)

    assert decision.verdict is Verdict.ALLOW
    assert [ref.id for ref in decision.grants] == [first.id, second.id]


def test_a_deny_is_never_widened(desk: Desk) -> None:
    """Not even by break-glass."""
    policy = CompiledPolicy(
        document_of({"Effect": "Deny", "Action": "dynamodb:Scan", "Resource": "*"})
    )
    desk.give(statements=EVERYTHING, is_break_glass=True)

    assert desk.allows(policy=policy)
    assert not desk.allows(ETL, SCAN, policy=policy)


def test_statements_come_before_grants(desk: Desk) -> None:
    """What a statement allows uses no grant up."""
    policy = CompiledPolicy(
        document_of({"Effect": "Allow", "Action": "dynamodb:*", "Resource": "*"})
    )
    desk.give(uses=1)

    decision = desk.decide(policy=policy)

    assert (decision.verdict, decision.grants) == (Verdict.ALLOW, ())
    assert desk.store.uses == ["add"]


def test_what_costs_least_is_used_first(desk: Desk) -> None:
    """No count before a count, what ends first first, break-glass last."""
    expected: list[Grant] = [
        desk.give(),
        desk.give(duration_s=1000.0),
        desk.give(uses=5, duration_s=100.0),
        desk.give(uses=5, duration_s=200.0),
        desk.give(is_break_glass=True, duration_s=50.0),
        desk.give(is_break_glass=True, duration_s=40.0, uses=1),
    ]

    found = []
    for _ in expected:
        desk.book.read_now()
        (ref,) = desk.decide().grants
        found.append(ref.id)
        desk.revoke(next(each for each in expected if each.id == ref.id))

    assert found == [each.id for each in expected]


def _requires_approval() -> Any:
    """What a policy answers that asks for an approval."""
    return Ruling(Verdict.REQUIRE_APPROVAL, StatementRef("Deletes"))


@pytest.mark.parametrize(("is_break_glass", "is_allowed"), [(False, False), (True, True)])
def test_break_glass_alone_stands_in_for_an_approval(
    desk: Desk, is_break_glass: bool, is_allowed: bool
) -> None:
    """An ordinary grant does not save anybody from asking."""
    grant = desk.give(is_break_glass=is_break_glass)

    found = desk.grants.rule(call(), NEED, ETL, _requires_approval(), lambda *_: lambda _: ())

    assert (found is not None) is is_allowed
    if found is not None:
        assert (found.verdict, found.grant) == (Verdict.ALLOW, grant.ref)


def test_no_presigned_url_is_made_by_a_grant(desk: Desk) -> None:
    """It would outlive the grant, and could be used any number of times."""
    desk.give()

    assert desk.allows()
    assert not desk.allows(is_presign=True)


@pytest.mark.parametrize(
    ("acting_as", "as_itself", "as_bot", "as_other"),
    [(None, True, False, False), ("bot", False, True, False)],
)
def test_who_acts_inherits_nothing(
    desk: Desk, acting_as: str | None, as_itself: bool, as_bot: bool, as_other: bool
) -> None:
    """A grant is for the identity itself or for one that acts with it, by name."""
    desk.give(acting_as=acting_as)
    other = replace(BOT, acting_name="other")

    assert desk.allows() is as_itself
    assert desk.allows(BOT, scope=AS_BOT) is as_bot
    assert desk.allows(other, scope=Scope(acting_name="other")) is as_other


def test_a_grant_of_the_signer_completes_what_statements_give_who_acts(desk: Desk) -> None:
    """Each view needs something that allows it: a grant for one, a statement for the other."""
    policy = CompiledPolicy(
        document_of(
            {
                "Effect": "Allow",
                "Action": "*",
                "Resource": "*",
                "Principal": "group:admins",
            }
        )
    )
    own = desk.give()

    decision = desk.decide(BOT, scope=AS_BOT, policy=policy)

    assert decision.verdict is Verdict.ALLOW
    assert [ref.id for ref in decision.grants] == [own.id]


def test_the_grant_of_who_acts_is_on_record_where_a_statement_allows_the_signer(
    desk: Desk,
) -> None:
    """One ruling stands for both views, the grant behind the other is not lost."""
    condition = {"Null": {"dynaguard:ActingAs": "true"}}
    policy = document_of(
        {"Effect": "Allow", "Action": "*", "Resource": "*", "Condition": condition}
    )
    given = desk.give(acting_as="bot")

    def lookup_for(_need: Authorization, who: Principal) -> Any:
        return lambda _key: (who.acting_name,) if who.acting_name else ()

    def widen(need: Authorization, who: Principal, ruling: Ruling) -> Ruling | None:
        return desk.grants.rule(call(AS_BOT), need, who, ruling, lookup_for)

    decision = decide(CompiledPolicy(policy), call(AS_BOT), BOT, (NEED,), lookup_for, widen)

    assert decision.verdict is Verdict.ALLOW
    assert [ref.id for ref in decision.grants] == [given.id]


def test_thousands_of_grants_are_one_question(desk: Desk) -> None:
    """Those of others are never compiled, and an identity's own are asked together."""
    for number in range(3000):
        identity = f"arn:aws:iam::111122223333:role/r-{number}"
        desk.give(identity=identity, statements=statements(f"{ORDERS}-{number}"))
    desk.give()

    assert desk.allows()
    snapshot = desk.book.current()
    assert snapshot is not None
    assert [len(held.grants) for held in snapshot._memo.values()] == [1]


def test_what_is_remembered_of_identities_is_bounded(desk: Desk) -> None:
    """A process that serves many of them does not grow with them."""
    desk.give(identity="arn:aws:iam::111122223333:role/r-1*")

    found = [
        desk.allows(Principal(f"r-{number}", arns=(f"arn:aws:iam::111122223333:role/r-{number}",)))
        for number in range(300)
    ]

    snapshot = desk.book.current()
    assert snapshot is not None
    assert sum(found) == 111
    assert len(snapshot._memo) <= 256
    assert all(len(each._named) <= 8 for each in snapshot.by_id.values())


@given(st.integers(0, 2**32))
def test_grants_are_allow_statements_that_come_last(seed: int) -> None:
    """Deny first, then statements, then the grants that are for the identity and in force."""
    rng = random.Random(seed)
    document, request = random_document(rng), random_request(rng)
    who, need = replace(request.principal, name="etl"), request.authorization
    live: dict[str, LiveGrant] = {}
    naive = []
    now_s = BEGIN_S
    for number in range(rng.randint(0, 4)):
        id = f"grant-{number}"
        allows = tuple(
            replace(
                each,
                effect="Allow",
                principals=None,
                is_observed=False,
                ref=StatementRef(each.ref.sid, id),
            )
            for each in random_document(rng).statements
        )
        identity = rng.choice(["etl", "other", "group:g", "arn:aws:iam::1111:role/?", *who.arns])
        begins_s = now_s + rng.choice((-100.0, 0.0, 30.0, 100.0))
        ends_s = now_s + rng.choice((-1.0, 0.0, 1.0, 500.0))
        grant = Grant(
            id,
            "",
            identity,
            "why",
            "ada",
            now_s,
            begins_s,
            ends_s,
            revoked_epoch_s=rng.choice((None, None, None, now_s)),
        )
        live[id] = LiveGrant(grant, allows, 1)
        is_for = (
            identity == "etl"
            or identity in who.arns
            or (identity == "group:g" and "g" in who.groups)
            or (identity.endswith("?") and "arn:aws:iam::1111:role/a" in who.arns)
        )
        is_on = begins_s <= now_s + SKEW_TOLERANCE_S and now_s < ends_s and not grant.is_revoked
        naive += allows if is_for and is_on else ()
    snapshot = Snapshot(live)

    def widen(need: Authorization, asked: Principal, ruling: Ruling) -> Ruling | None:
        span_s = now_s, now_s + SKEW_TOLERANCE_S
        return rule_by(snapshot, call(), need, asked, ruling, lambda *_: request.lookup, span_s)

    decision = decide(
        CompiledPolicy(document), call(), who, (need,), lambda *_: request.lookup, widen
    )

    base = rule(document, need, who, request.lookup)
    extended = rule(
        replace(document, statements=(*document.statements, *naive)), need, who, request.lookup
    )
    assert decision.verdict is extended.verdict
    assert bool(decision.grants) is (base.verdict is not extended.verdict)
