"""What the lint calls without effect has none: taken out, no verdict changes."""

from __future__ import annotations

import random
from dataclasses import replace
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dynaguard.call import StatementRef, Verdict
from dynaguard.policy import reference
from dynaguard.policy.lint import Finding, lint
from dynaguard.policy.lint.covering import covers, resources_may_meet, text_includes
from dynaguard.policy.model import PolicyDocument, PrincipalPattern, Statement
from dynaguard.policy.patterns import text_matches
from tests.policy.random_policies import (
    ACTION_PATTERNS,
    ODD_RESOURCES,
    PRINCIPAL_PATTERNS,
    Request,
    random_document,
    random_request,
)

NOW = datetime(2026, 11, 21, tzinfo=UTC)
WITHOUT_EFFECT = {"DG101", "DG102", "DG103", "DG104", "DG105", "DG108", "DG109"}
DIRECT = ("arn:aws:ddb:*:*:*", "arn:aws:ddb:*:*:t/*", "arn:aws:ddb:eu:*:t/a*", "*")


def _related(rng: random.Random) -> PolicyDocument:
    """A random policy in which statements are made from each other, so that many are covered."""
    document = random_document(rng)
    statements = list(document.statements)
    for number in range(rng.randint(1, 5) if statements else 0):
        made = _changed(rng, rng.choice(statements))
        made = replace(made, ref=StatementRef(f"made{number}"))
        statements.insert(rng.randint(0, len(statements)), made)
    return replace(
        document, statements=tuple(statements), govern=rng.choice((None, frozenset({"ddb"})))
    )


def _changed(rng: random.Random, statement: Statement) -> Statement:
    """A statement that is wider, narrower or otherwise near another one."""
    always = {
        "effect": rng.choice((statement.effect, "Allow", "Deny", "RequireApproval")),
        "is_observed": rng.random() < 0.1,
    }
    possible = (
        ("actions", tuple(rng.choices(ACTION_PATTERNS, k=rng.randint(1, 3)))),
        ("actions", ("*",)),
        ("resources", (rng.choice((*DIRECT, *ODD_RESOURCES)),)),
        ("resources", (*statement.resources, rng.choice(DIRECT))),
        ("conditions", ()),
        ("conditions", statement.conditions[:1]),
        ("principals", rng.choice((None, tuple(rng.sample(PRINCIPAL_PATTERNS, 3))))),
        ("is_not_action", not statement.is_not_action),
        ("is_not_resource", not statement.is_not_resource),
        ("is_not_principal", not statement.is_not_principal),
        ("has_variables", not statement.has_variables),
    )
    changes = {name: value for name, value in possible if rng.random() < 0.15}
    return replace(statement, **{**always, **changes})  # type: ignore[arg-type]


def _verdict(document: PolicyDocument, request: Request) -> Verdict:
    """What the yardstick says, for services that are governed."""
    service = request.authorization.action.partition(":")[0]
    if document.govern is not None and service not in document.govern:
        return Verdict.UNGOVERNED
    ruling = reference.rule(document, request.authorization, request.principal, request.lookup)
    return ruling.verdict


def _without(document: PolicyDocument, findings: list[Finding]) -> PolicyDocument:
    """The document without the statements and actions of some findings."""
    left = []
    for statement in document.statements:
        paths = [finding.path for finding in findings if finding.ref == statement.ref]
        if "" in paths:
            continue
        actions = tuple(
            action for at, action in enumerate(statement.actions) if f"Action[{at}]" not in paths
        )
        if actions:
            left.append(replace(statement, actions=actions))
    return replace(document, statements=tuple(left))


def _findings(document: PolicyDocument) -> list[Finding]:
    return [each for each in lint(document, now=NOW) if each.code in WITHOUT_EFFECT]


@given(st.randoms(use_true_random=False))
def test_what_has_no_effect_can_be_taken_out(rng: random.Random) -> None:
    """One by one and all at once, on random policies and requests, unknown parts included."""
    document = _related(rng)
    findings = _findings(document)
    less = [_without(document, [finding]) for finding in findings]

    for _ in range(6 if findings else 0):
        request = random_request(rng)
        verdict = _verdict(document, request)
        assert {_verdict(each, request) for each in less} <= {verdict}
        assert _verdict(_without(document, findings), request) is verdict


def test_each_kind_is_found_in_the_random_policies() -> None:
    """Else the property above would hold for nothing."""
    rng = random.Random(7)

    found = {finding.code for _ in range(120) for finding in _findings(_related(rng))}

    assert found == WITHOUT_EFFECT


@given(st.text("ab*?", max_size=5), st.text("ab*?", max_size=5), st.text("ab", max_size=5))
def test_a_text_pattern_includes_what_it_matches(wide: str, narrow: str, text: str) -> None:
    """Each text of the narrower pattern is one of the wider."""
    if text_includes(wide, narrow) and text_matches(narrow, text):
        assert text_matches(wide, text)


@given(st.randoms(use_true_random=False))
def test_a_cover_matches_wherever_the_covered_does(rng: random.Random) -> None:
    """As a Deny as well as an Allow: it never matches less surely."""
    statements = _related(rng).statements
    pairs = [(w, n) for w in statements for n in statements if covers(w, n)]

    for wide, narrow in pairs[:10]:
        request = random_request(rng)
        for effect, verdict in (("Allow", Verdict.ALLOW), ("Deny", Verdict.DENY)):
            verdicts = [
                _verdict(PolicyDocument("deny", None, (_as(each, effect),)), request)
                for each in (wide, narrow)
            ]
            assert verdict not in verdicts[1:] or verdicts[0] is verdict


def _as(statement: Statement, effect: str) -> Statement:
    return replace(statement, effect=effect, is_observed=False)  # type: ignore[arg-type]


@given(st.randoms(use_true_random=False))
def test_resources_that_cannot_meet_match_no_request_together(rng: random.Random) -> None:
    """What is said to be apart is."""
    statements = _related(rng).statements
    apart = [(a, b) for a in statements for b in statements if not resources_may_meet(a, b)]

    for pair in apart[:10]:
        request = random_request(rng)
        verdicts = {
            _verdict(PolicyDocument("deny", None, (_only_resource(each),)), request)
            for each in pair
        }
        assert verdicts != {Verdict.ALLOW}


def _only_resource(statement: Statement) -> Statement:
    return Statement(
        statement.ref,
        "Allow",
        ("*",),
        statement.resources,
        is_not_resource=statement.is_not_resource,
        has_variables=statement.has_variables,
    )


def _statement(**changes: object) -> Statement:
    made = Statement(StatementRef("s"), "Allow", ("d:Get",), ("arn:aws:d:*:*:t/a",))
    return replace(made, **changes)  # type: ignore[arg-type]


_ARN = "arn:aws:d:*:*:t/"
_GROUP = PrincipalPattern("group", "g")
_ROLE = PrincipalPattern("arn", "arn:aws:iam::*:role/etl-a")
_ROLES = PrincipalPattern("arn", "arn:aws:iam::*:role/etl-*")


@pytest.mark.parametrize(
    ("wide", "narrow", "expected"),
    [
        ({"actions": ("D:g*",)}, {}, True),
        ({"actions": ("d:?et",)}, {}, True),
        ({"actions": ("d:Put",)}, {}, False),
        ({}, {"actions": ("d:Get*",)}, False),
        ({}, {"actions": ("*",)}, False),
        ({"actions": ("*",)}, {"is_not_action": True}, True),
        ({"actions": ("d:*",)}, {"is_not_action": True}, False),
        ({"actions": ("d:Put",), "is_not_action": True}, {}, True),
        ({"actions": ("d:G*",), "is_not_action": True}, {}, False),
        ({"actions": ("d:Put",), "is_not_action": True}, {"actions": ("*",)}, False),
        ({"is_not_action": True}, {"actions": ("d:*",), "is_not_action": True}, True),
        ({"actions": ("d:*",), "is_not_action": True}, {"is_not_action": True}, False),
        ({"resources": ("*",)}, {}, True),
        ({"resources": (f"{_ARN}*",)}, {}, True),
        ({}, {"resources": (f"{_ARN}*",)}, False),
        ({"resources": (f"{_ARN}b",), "is_not_resource": True}, {}, True),
        ({"resources": (f"{_ARN}*",), "is_not_resource": True}, {}, False),
        ({"resources": ("*",), "is_not_resource": True}, {}, False),
        ({"resources": (f"{_ARN}${{k:v}}",)}, {}, False),
        ({"resources": (f"{_ARN}*",)}, {"resources": (f"{_ARN}${{k:v}}",)}, True),
        ({"resources": (f"{_ARN}${{k:v}}",)}, {"resources": (f"{_ARN}${{k:v}}",)}, True),
        (
            {"resources": (f"{_ARN}${{k:v}}",)},
            {"resources": (f"{_ARN}${{k:v}}",), "has_variables": False},
            False,
        ),
        (
            {"resources": (f"{_ARN}${{k:v}}",), "is_not_resource": True},
            {"resources": (f"{_ARN}${{k:v}}",), "is_not_resource": True},
            True,
        ),
        ({"resources": (f"{_ARN}${{k:v}}",), "is_not_resource": True}, {}, False),
        ({}, {"principals": (_ROLE,)}, True),
        ({"principals": (_ROLE,)}, {}, False),
        ({"principals": (_ROLES,)}, {"principals": (_ROLE,)}, True),
        ({"principals": (_ROLE,)}, {"principals": (_ROLES,)}, False),
        ({"principals": (_GROUP,)}, {"principals": (_GROUP,)}, True),
        ({"principals": (_GROUP,)}, {"principals": (_ROLE,)}, False),
        ({"principals": (_GROUP,), "is_not_principal": True}, {"principals": (_ROLE,)}, False),
        ({"principals": (PrincipalPattern("arn", "*"),)}, {}, True),
    ],
)
def test_covering(wide: dict[str, object], narrow: dict[str, object], expected: bool) -> None:
    """Part by part, unsure cases left out."""
    assert covers(_statement(**wide), _statement(**narrow)) is expected
