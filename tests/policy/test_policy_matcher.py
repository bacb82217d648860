"""What a compiled policy answers, and what it may and may not remember."""

from __future__ import annotations

from typing import Any

import pytest

from dynaguard.call import (
    UNKNOWN,
    UNKNOWN_ACCOUNT,
    UNKNOWN_CHAR,
    UNKNOWN_RUN,
    Authorization,
    ContextLookup,
    ContextValue,
    Principal,
    Ruling,
    StatementRef,
    Verdict,
)
from dynaguard.policy import reference, residual
from dynaguard.policy.matcher import CompiledPolicy
from dynaguard.policy.model import PolicyDocument
from tests.policy.asking import (
    ACCOUNT,
    ALL_ABSENT,
    ALLOW_ALL,
    ALLOW_GET,
    ETL,
    GET,
    TABLES,
    condition,
    context,
)
from tests.policy.iam_documents import document_of


def never_asked(key: str) -> ContextValue:
    """A context that must not be asked."""
    raise AssertionError(key)


def rule(
    document: PolicyDocument,
    authorization: Authorization = GET,
    principal: Principal = ETL,
    lookup: ContextLookup = ALL_ABSENT,
) -> Ruling:
    """The compiled ruling, asked twice, equal to the reference's verdict."""
    policy = CompiledPolicy(document)
    ruling = policy.rule(authorization, principal, lookup)
    expected = reference.rule(document, authorization, principal, lookup)
    assert policy.rule(authorization, principal, lookup) == ruling
    assert (ruling.verdict, ruling.observed) == (expected.verdict, expected.observed)
    assert set(ruling.unknown_keys) == set(expected.unknown_keys)
    return ruling


# --- order and defaults -----------------------------------------------------------------------


def test_names_the_allowing_statement() -> None:
    """A matching Allow allows, and is named."""
    ruling = rule(document_of(ALLOW_GET | {"Sid": "Get"}), lookup=never_asked)

    assert ruling == Ruling(Verdict.ALLOW, StatementRef("Get", "policy.toml", 1))


def test_denies_by_default_what_nothing_matches() -> None:
    """Without a matching statement the default decides, and no statement is named."""
    assert rule(document_of(ALLOW_GET), Authorization("dynamodb:Scan", GET.resource)) == Ruling(
        Verdict.IMPLICIT_DENY
    )
    assert rule(document_of(default="allow")) == Ruling(Verdict.ALLOW)
    assert rule(document_of()) == Ruling(Verdict.IMPLICIT_DENY)


@pytest.mark.parametrize("default", ["deny", "allow"])
def test_explicit_deny_wins_in_any_order(default: str) -> None:
    """A matching Deny beats every Allow, wherever it stands."""
    deny = {"Effect": "Deny", "Action": "dynamodb:GetItem", "Resource": "*", "Sid": "No"}

    for statements in ([ALLOW_ALL, deny], [deny, ALLOW_ALL]):
        ruling = rule(document_of(*statements, default=default))

        assert ruling.verdict is Verdict.DENY
        assert ruling.statement is not None
        assert ruling.statement.sid == "No"


def test_certain_deny_is_named_before_a_doubtful_one() -> None:
    """Of two denies the one that needs no guess is named, without unknown keys."""
    doubtful = {"Effect": "Deny", "Action": "*", "Resource": "*", "Sid": "Doubtful"}
    certain = {"Effect": "Deny", "Action": "*", "Resource": "*", "Sid": "Certain"}
    document = document_of(
        doubtful | condition("StringEquals", "aws:SourceVpc", "vpc-1"),
        certain | condition("Bool", "aws:SecureTransport", "false"),
    )
    values: dict[str, ContextValue] = {"aws:sourcevpc": UNKNOWN, "aws:securetransport": ("false",)}

    ruling = rule(document, lookup=context(values))

    assert ruling.statement == StatementRef("Certain", "policy.toml", 2)
    assert ruling.unknown_keys == ()


@pytest.mark.parametrize(
    ("statement", "is_allowed"),
    [
        ({"NotAction": "dynamodb:Delete*", "Resource": "*"}, True),
        ({"NotAction": ["dynamodb:Get*", "s3:*"], "Resource": "*"}, False),
        ({"Action": "*", "NotResource": f"{TABLES}orders-*"}, True),
        ({"Action": "*", "NotResource": [f"{TABLES}x", f"{TABLES}ord*"]}, False),
        ({"Action": "*", "NotResource": []}, True),
        ({"Action": "dynamodb:getitem", "Resource": f"{TABLES}orders"}, True),
        ({"Action": "*", "Resource": "arn:aws:dynamodb:*:*:table/o*s"}, True),
        ({"Action": "*", "Resource": "arn:aws:dynamodb:*:*:table"}, False),
        ({"Action": "*", "Resource": "arn:aws:dynamodb:*:*:*"}, True),
        ({"Action": "*", "Resource": "arn:aws:dynamodb:us-*:*:table/orders"}, False),
        ({"Action": "*", "Resource": f"{TABLES}Orders"}, False),
    ],
)
def test_statement_scope(statement: dict[str, Any], is_allowed: bool) -> None:
    """Action, Resource and their negations choose what a statement is about."""
    assert rule(document_of({"Effect": "Allow"} | statement)).verdict.is_allowed is is_allowed


# --- what is not known ------------------------------------------------------------------------


def test_unknown_key_never_allows_and_always_denies() -> None:
    """An unknown key keeps an Allow from matching, makes a Deny match, and is named."""
    team = condition("StringEquals", "aws:PrincipalTag/Team", "data")
    unknown = context({"aws:principaltag/team": UNKNOWN})

    missed = rule(document_of(ALLOW_ALL | team), lookup=unknown)
    denied = rule(document_of(ALLOW_ALL, ALLOW_ALL | {"Effect": "Deny"} | team), lookup=unknown)

    assert missed == Ruling(Verdict.IMPLICIT_DENY, None, ("aws:PrincipalTag/Team",))
    assert denied.verdict is Verdict.DENY
    assert denied.unknown_keys == ("aws:PrincipalTag/Team",)


def test_unknown_key_beside_an_unmet_condition_is_not_blamed() -> None:
    """Where another condition fails anyway, knowing the key would not help."""
    both = {"Condition": {"StringEquals": {"a": "x", "b": "y"}}}

    ruling = rule(document_of(ALLOW_ALL | both), lookup=context({"a": UNKNOWN, "b": ("z",)}))

    assert ruling.unknown_keys == ()


@pytest.mark.parametrize(
    ("account", "verdict", "facts"),
    [
        (ACCOUNT, Verdict.IMPLICIT_DENY, ("account",)),
        ("*", Verdict.ALLOW, ()),
        ("1234", Verdict.IMPLICIT_DENY, ()),
    ],
)
def test_unknown_account_allows_only_where_any_is_accepted(
    account: str, verdict: Verdict, facts: tuple[str, ...]
) -> None:
    """The account named in a policy is never assumed to be the caller's."""
    statement = ALLOW_GET | {"Resource": f"arn:aws:dynamodb:*:{account}:table/orders"}
    unknown = Authorization(GET.action, GET.resource.replace(ACCOUNT, UNKNOWN_ACCOUNT))

    ruling = rule(document_of(statement), unknown)

    assert (ruling.verdict, ruling.unknown_keys) == (verdict, facts)


def test_unknown_account_is_denied_where_it_could_be_meant() -> None:
    """A Deny on one account hits a call whose account is not known; another table stays free."""
    deny = ALLOW_GET | {"Effect": "Deny"}
    document = document_of(ALLOW_ALL, deny)
    orders = Authorization(GET.action, GET.resource.replace(ACCOUNT, UNKNOWN_ACCOUNT))
    others = Authorization(GET.action, orders.resource.replace("orders", "others"))

    assert rule(document, orders).unknown_keys == ("account",)
    assert rule(document, orders).verdict is Verdict.DENY
    assert rule(document, others).verdict is Verdict.ALLOW


@pytest.mark.parametrize(
    ("resource", "verdict"),
    [
        (f"{TABLES}{UNKNOWN_RUN}", Verdict.DENY),
        (f"{TABLES}ord{UNKNOWN_CHAR * 3}", Verdict.DENY),
        (f"{TABLES}orders-{UNKNOWN_RUN}", Verdict.DENY),
        (f"{TABLES}us{UNKNOWN_RUN}", Verdict.DENY),
        (f"{TABLES}users{UNKNOWN_CHAR}", Verdict.DENY),
        (f"{TABLES}x{UNKNOWN_RUN}", Verdict.ALLOW),
        (UNKNOWN_RUN, Verdict.DENY),
        ("*", Verdict.ALLOW),
    ],
)
def test_unknown_resource_is_denied_where_it_could_be_meant(
    resource: str, verdict: Verdict
) -> None:
    """Exact and prefix patterns of a Deny are found for a resource of which a part is known."""
    denies = [
        ALLOW_GET | {"Effect": "Deny", "Resource": f"{TABLES}{name}"}
        for name in ("orders", "orders-*", "users-*")
    ]

    assert (
        rule(document_of(ALLOW_ALL, *denies), Authorization(GET.action, resource)).verdict
        is verdict
    )


def test_unknown_action_is_denied_where_it_could_be_meant() -> None:
    """An action half known is allowed by wildcards alone and denied by what it could be."""
    some_partiql = Authorization(f"dynamodb:PartiQL{UNKNOWN_RUN}", GET.resource)
    allow = ALLOW_GET | {"Action": "dynamodb:PartiQL*"}
    deny = ALLOW_GET | {"Effect": "Deny", "Action": "dynamodb:PartiQLDelete"}
    narrow = ALLOW_GET | {"Action": "dynamodb:PartiQLSelect"}

    assert rule(document_of(allow), some_partiql).verdict is Verdict.ALLOW
    assert rule(document_of(allow, deny), some_partiql).verdict is Verdict.DENY
    assert rule(document_of(narrow), some_partiql).unknown_keys == ("action",)


# --- principals -------------------------------------------------------------------------------

PARTIAL = Principal("someone", arns=("arn:aws:sts::1:assumed-role/x/y",))
MEMBER = Principal("member", groups=frozenset({"batch"}), arns_complete=True, account_id=ACCOUNT)


@pytest.mark.parametrize(
    ("entry", "principal", "is_named"),
    [
        ("*", Principal(), True),
        (ETL.arns[0], ETL, True),
        (f"arn:aws:iam::{ACCOUNT}:role/*", ETL, True),
        ("arn:aws:iam::*:user/*", ETL, False),
        ("arn:aws:iam::*:user/*", PARTIAL, None),
        ("group:batch", MEMBER, True),
        ("group:batch", ETL, False),
        ("group:batch", PARTIAL, None),
        (ACCOUNT, MEMBER, True),
        ("999999999999", MEMBER, False),
        (ACCOUNT, ETL, None),
    ],
)
def test_principal_and_its_negation(
    entry: str, principal: Principal, is_named: bool | None
) -> None:
    """Allow needs certainty, Deny the lack of it, for Principal and NotPrincipal alike."""
    fact = "account" if entry.isdigit() else "aws:PrincipalArn"
    for field, holds in (("Principal", is_named), ("NotPrincipal", _opposite(is_named))):
        statement = ALLOW_GET | {field: entry}

        allowed = rule(document_of(statement), principal=principal)
        denied = rule(document_of(ALLOW_ALL, statement | {"Effect": "Deny"}), principal=principal)

        assert allowed.verdict.is_allowed is (holds is True)
        assert denied.verdict.is_allowed is (holds is False)
        assert allowed.unknown_keys == ((fact,) if holds is None else ())


def _opposite(is_named: bool | None) -> bool | None:
    """The negation, unless not known."""
    return None if is_named is None else not is_named


def test_principals_do_not_share_answers() -> None:
    """What is remembered for one identity is not given to another with the same ARNs."""
    document = document_of(ALLOW_GET | {"Principal": "group:batch"})
    policy = CompiledPolicy(document)
    outsider = Principal(arns_complete=True, account_id=ACCOUNT)

    verdicts = [policy.rule(GET, each, context()).verdict for each in (MEMBER, outsider, MEMBER)]

    assert verdicts == [Verdict.ALLOW, Verdict.IMPLICIT_DENY, Verdict.ALLOW]


# --- variables in resources -------------------------------------------------------------------


@pytest.mark.parametrize(
    ("team", "allowed", "denied"),
    [
        (("orders",), True, True),
        (("users",), False, False),
        (("*",), False, False),
        ((), False, True),
        (("orders", "users"), False, True),
        (UNKNOWN, False, True),
    ],
)
def test_variable_in_a_resource(team: ContextValue, allowed: bool, denied: bool) -> None:
    """A variable is literal text; without one text an Allow misses and a Deny hits."""
    statement = ALLOW_GET | {"Resource": "arn:aws:dynamodb:*:*:table/${aws:PrincipalTag/Team}"}
    lookup = context({"aws:principaltag/team": team})

    allow = rule(document_of(statement), lookup=lookup)
    deny = rule(document_of(ALLOW_ALL, statement | {"Effect": "Deny"}), lookup=lookup)

    assert allow.verdict.is_allowed is allowed
    assert deny.verdict.is_allowed is not denied
    assert ("aws:PrincipalTag/Team" in allow.unknown_keys) is (team is UNKNOWN)


def test_undefined_variable_in_not_resource_fails_closed() -> None:
    """`NotResource` with a variable without text never allows and always denies."""
    statement = {"Effect": "Allow", "Action": "*", "NotResource": "arn:aws:s3:::${aws:username}/*"}

    assert not rule(document_of(statement)).verdict.is_allowed
    assert not rule(document_of(ALLOW_ALL, statement | {"Effect": "Deny"})).verdict.is_allowed


def test_undefined_variable_leaves_other_shapes_alone() -> None:
    """A Deny whose pattern has another shape than the resource does not hit it."""
    deny = {"Effect": "Deny", "Action": "*", "Resource": "arn:aws:s3:::${aws:username}/*"}

    assert rule(document_of(ALLOW_ALL, deny)).verdict is Verdict.ALLOW


def test_colon_in_a_value_makes_no_part() -> None:
    """The text of a variable cannot change which part of an ARN is which."""
    statement = ALLOW_GET | {"Resource": "arn:aws:dynamodb:${place}:table/orders"}

    ruling = rule(document_of(statement), lookup=context({"place": (f"eu-west-1:{ACCOUNT}",)}))

    assert not ruling.verdict.is_allowed


def test_variable_and_unknown_account_are_both_named() -> None:
    """All that is missing for a match is told."""
    statement = ALLOW_GET | {"Resource": f"{TABLES}${{team}}"}
    unknown = Authorization(GET.action, GET.resource.replace(ACCOUNT, UNKNOWN_ACCOUNT))

    ruling = rule(document_of(statement), unknown, lookup=context({"team": UNKNOWN}))

    assert ruling.unknown_keys == ("team", "account")


# --- observed statements ----------------------------------------------------------------------


def test_observed_statements_are_listed_and_left_out() -> None:
    """`Mode = "observe"` neither allows nor denies; what would have matched is listed."""
    document = document_of(
        ALLOW_ALL | {"Mode": "observe", "Sid": "WouldAllow"},
        ALLOW_ALL | {"Mode": "observe", "Effect": "Deny", "Sid": "WouldDeny"},
        ALLOW_ALL | {"Mode": "observe", "Action": "s3:*", "Sid": "Elsewhere"},
        ALLOW_ALL | {"Mode": "observe", "Sid": "NotMet"} | condition("Bool", "x", "true"),
    )

    ruling = rule(document)

    assert ruling.verdict is Verdict.IMPLICIT_DENY
    assert [ref.sid for ref in ruling.observed] == ["WouldAllow", "WouldDeny"]


def test_observed_statement_is_asked_beside_a_settled_deny() -> None:
    """A constant verdict does not silence an observed statement with a condition."""
    observed = ALLOW_ALL | {"Mode": "observe", "Sid": "Seen"} | condition("Bool", "x", "true")
    document = document_of(ALLOW_ALL | {"Effect": "Deny"}, observed)

    met = rule(document, lookup=context({"x": ("true",)}))
    unmet = rule(document, lookup=context({"x": ("false",)}))

    assert (met.verdict, [ref.sid for ref in met.observed]) == (Verdict.DENY, ["Seen"])
    assert (unmet.verdict, unmet.observed) == (Verdict.DENY, ())


def test_what_does_not_depend_on_context_is_asked_of_an_unknown_one() -> None:
    """Were a constant ever to ask its context, it would learn nothing and stay closed."""
    assert residual.know_nothing("aws:username") is UNKNOWN


def test_governs_the_listed_services() -> None:
    """Without a list every service is governed; with one, those on it."""
    everything = document_of()
    listed = PolicyDocument("deny", frozenset({"dynamodb"}))

    assert CompiledPolicy(everything).governs("s3")
    assert CompiledPolicy(everything).document is everything
    assert CompiledPolicy(listed).governs("DynamoDB")
    assert not CompiledPolicy(listed).governs("s3")
