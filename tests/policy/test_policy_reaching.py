"""Who can do something, when and why; and statements in words."""

from __future__ import annotations

import json
import random
from dataclasses import dataclass
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dynaguard.policy.describing import conditions_text, people_text, terms_text
from dynaguard.policy.loading import load_policy
from dynaguard.policy.model import ApprovalTerms, PolicyDocument, Threshold
from dynaguard.policy.reaching import Reach, Way, reach_of
from dynaguard.policy.trace import trace
from tests.policy.random_policies import random_document, random_request

ORDERS = "arn:aws:dynamodb:eu-west-1:111122223333:table/orders"
GROUPS = {"etl": ["arn:aws:iam::*:role/etl-*"], "managers": ["sso:role=Manager"]}
READS = {
    "Sid": "Reads",
    "Effect": "Allow",
    "Principal": {"Group": "etl"},
    "Action": ["dynamodb:GetItem", "dynamodb:Query"],
    "Resource": "arn:aws:dynamodb:*:*:table/orders",
    "Condition": {"StringEquals": {"aws:RequestedRegion": ["eu-west-1", "eu-west-2"]}},
}
EVERYTHING = {"Sid": "All", "Effect": "Allow", "Action": "dynamodb:*", "Resource": "*"}
ASKS = {
    "Sid": "Asks",
    "Effect": "RequireApproval",
    "Action": "dynamodb:Delete*",
    "Resource": "*",
    "Approval": {"any_of": "managers"},
}
NO_SCANS = {"Sid": "NoScans", "Effect": "Deny", "Action": "dynamodb:Scan", "Resource": "*"}


def document_of(*statements: dict[str, Any], **more: Any) -> PolicyDocument:
    """A document with groups."""
    data = {"version": 1, "default": "deny", "groups": GROUPS, "statement": [*statements], **more}
    return load_policy(data, environ={})


def reach(action: str, resource: str | None = ORDERS, *statements: Any, **more: Any) -> Reach:
    """Who can do something under some statements."""
    grants = more.pop("grants", ())
    return reach_of(document_of(*statements, **more), action, resource, grants=grants)


def names(ways: tuple[Way, ...]) -> list[str]:
    """Their names."""
    return [way.name for way in ways]


@dataclass(frozen=True)
class Grant:
    """As `access/` has them."""

    id: str = "grant-1"
    statements: str = json.dumps(
        [{"Effect": "Allow", "Action": "dynamodb:PutItem", "Resource": ORDERS}]
    )
    identity: str = "group:etl"
    acting_as: str | None = None
    owner: str = "ann"
    reason: str = "backfill"
    not_before_epoch_s: float = 1_763_996_400.0
    expires_epoch_s: float = 1_764_000_000.0
    is_break_glass: bool = False


def test_a_statement_tells_who_and_when() -> None:
    """In the document's words."""
    (way,) = reach("dynamodb:GetItem", ORDERS, READS).allowing

    assert way == Way(
        kind="statement",
        name="Reads",
        place="<policy>",
        effect="Allow",
        who="group `etl` (arn:aws:iam::*:role/etl-*)",
        when="`aws:RequestedRegion` StringEquals `eu-west-1`, `eu-west-2`",
    )


@pytest.mark.parametrize(
    ("action", "resource", "found"),
    [
        ("dynamodb:GetItem", ORDERS, ["Reads"]),
        ("dynamodb:*", None, ["Reads"]),
        ("dynamodb:Get?tem", "*", ["Reads"]),
        ("DYNAMODB:getitem", "arn:aws:dynamodb:*:*:table/*", ["Reads"]),
        ("dynamodb:PutItem", ORDERS, []),
        ("dynamodb:GetItem", f"{ORDERS}-old", []),
    ],
)
def test_what_can_never_match_is_left_out(action: str, resource: Any, found: list[str]) -> None:
    """Patterns are asked about whole: what may match a part of them is told."""
    assert names(reach(action, resource, READS).allowing) == found


def test_the_known_context_is_looked_at() -> None:
    """A condition that can never hold lets nobody through."""
    context = {"aws:RequestedRegion": "us-east-1"}
    in_prod = {
        **EVERYTHING,
        "Condition": {"StringEquals": {"dynaguard:Environment": "prod"}},
    }

    assert reach("dynamodb:GetItem", ORDERS, READS, context=context).allowing == ()
    found = reach("dynamodb:GetItem", ORDERS, in_prod, variables={"environment": "dev"})
    assert found.allowing == ()


def test_denies_that_bear_on_it_are_listed() -> None:
    """One that holds always closes it."""
    found = reach("dynamodb:Scan", ORDERS, EVERYTHING, NO_SCANS)

    assert names(found.denying) == ["NoScans"]
    assert found.is_closed


@pytest.mark.parametrize(
    "change",
    [
        {"Principal": {"Group": "etl"}},
        {"Condition": {"StringEquals": {"dynaguard:Job": "x"}}},
        {"Resource": "arn:aws:dynamodb:*:222233334444:table/*"},
    ],
)
def test_a_deny_for_some_closes_nothing(change: dict[str, Any]) -> None:
    """It is listed all the same."""
    found = reach("dynamodb:Scan", "*", EVERYTHING, {**NO_SCANS, **change})

    assert names(found.denying) == ["NoScans"]
    assert not found.is_closed


def test_approvals_name_who_approves() -> None:
    """With the members of the groups."""
    found = reach("dynamodb:DeleteItem", ORDERS, EVERYTHING, ASKS)

    (way,) = found.asking
    assert way.approval.startswith("1 other person of `managers` (sso:role=Manager); to be given")
    assert found.is_approved_always
    assert names(found.allowing) == ["All"]


def test_what_is_only_observed_is_left_out() -> None:
    """It neither allows nor denies."""
    found = reach("dynamodb:Scan", ORDERS, {**NO_SCANS, "Mode": "observe"})

    assert found.denying == ()


def test_the_default_and_services_that_are_not_governed_are_told() -> None:
    """Both let everybody through."""
    found = reach("s3:GetObject", None, default="allow", govern=["dynamodb"])

    assert not found.is_governed
    assert [(way.kind, way.who) for way in found.allowing] == [("default", "everybody")]
    assert reach("dynamodb:Get*", None, govern=["dynamodb"]).is_governed
    assert reach("s3:GetObject", None, govern=["*"]).is_governed


def test_runbooks_that_the_document_trusts_are_listed() -> None:
    """What their steps need stands in the runbook."""
    pins = {
        "cleanup": {
            "sha256": "ab" * 32,
            "may_run": {"Group": "etl"},
            "approval": {"quorum": 2, "all_of": "managers"},
        },
        "report": {"sha256": "cd" * 32},
    }

    cleanup, report = reach("dynamodb:DeleteItem", ORDERS, runbooks=pins).allowing

    assert cleanup.when == "while it runs (content abababababab), if a step of it needs this"
    assert cleanup.who == "group `etl` (arn:aws:iam::*:role/etl-*)"
    assert cleanup.approval.startswith(
        "2 other people, one of each of `managers` (sso:role=Manager);"
    )
    assert (report.who, report.approval) == ("everybody", "")


def test_grants_are_listed_where_they_bear_on_it() -> None:
    """Until when, by whom, why."""
    acting = Grant(id="grant-2", acting_as="bot", is_break_glass=True)

    found = reach("dynamodb:PutItem", ORDERS, grants=[Grant(), acting])

    first, second = found.allowing
    until = "from 2025-11-24T15:00:00Z until 2025-11-24T16:00:00Z, since `ann` gave it: backfill"
    assert (first.kind, first.who, first.when) == ("grant", "`group:etl`", until)
    assert second.who == "`group:etl` while `bot` acts"
    assert second.approval == "none, it was taken in an emergency"
    assert reach("dynamodb:GetItem", ORDERS, grants=[Grant()]).allowing == ()


def test_conditions_of_a_grant_are_told() -> None:
    """Before its end."""
    statement = {
        **json.loads(Grant.statements)[0],
        "Condition": {"StringEquals": {"dynaguard:Job": "nightly"}},
    }

    (way,) = reach(
        "dynamodb:PutItem", ORDERS, grants=[Grant(statements=json.dumps([statement]))]
    ).allowing

    assert way.when.startswith("`dynaguard:Job` StringEquals `nightly`, from ")


@given(st.randoms(use_true_random=False))
def test_whatever_takes_effect_on_somebody_is_listed(rng: random.Random) -> None:
    """In random policies: a statement that certainly matches a request is never left out."""
    document, request = random_document(rng), random_request(rng)
    need = request.authorization
    found = trace(document, need, request.principal, request.lookup)
    matching = {
        each.statement.sid for each in found if each.match == "yes" and not each.is_observed
    }

    reach = reach_of(document, need.action, need.resource)

    listed = {way.name for way in (*reach.allowing, *reach.asking, *reach.denying)}
    assert matching <= listed


def test_it_is_plain_data_too() -> None:
    """For JSON."""
    found = reach("dynamodb:DeleteItem", ORDERS, EVERYTHING, ASKS, NO_SCANS).as_dict()

    assert json.loads(json.dumps(found))["asking"][0]["name"] == "Asks"


# --- words ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("clause", "text"),
    [
        ({}, "everybody"),
        ({"Principal": "*"}, "everybody"),
        ({"Principal": "111122223333"}, "account `111122223333`"),
        (
            {"NotPrincipal": {"Group": "agents", "AWS": "arn:aws:iam::*:user/ann"}},
            "everybody but group `agents`, `arn:aws:iam::*:user/ann`",
        ),
    ],
)
def test_principals_are_told(clause: dict[str, Any], text: str) -> None:
    """As the document names them."""
    (statement,) = document_of({**EVERYTHING, **clause}).statements

    told = people_text(statement.principals, {}, is_negated=statement.is_not_principal)

    assert told == text


def test_conditions_are_told() -> None:
    """With qualifier and `IfExists`."""
    condition = {"ForAllValues:StringLikeIfExists": {"dynamodb:Attributes": "a*"}}
    (statement,) = document_of({**EVERYTHING, "Condition": condition}).statements

    assert (
        conditions_text(statement) == "`dynamodb:Attributes` ForAllValues:StringLikeIfExists `a*`"
    )


def test_terms_are_told() -> None:
    """Who, how long, how often, what goes without."""
    terms = ApprovalTerms(
        any_of=("a", "b"),
        all_of=("b",),
        threshold=Threshold(3600.0, calls=1, items=20, read_units=1.5, write_units=1),
        uses=None,
    )

    assert terms_text(terms) == (
        "1 other person of `a` or `b`, one of each of `b`; to be given within 1h, lasts 15m, for "
        "any number of calls; none is needed up to 1 call and 20 items and 1.5 read units and "
        "1 write unit within 1h"
    )
