"""Decisions for whole calls, and what a refusal says."""

from __future__ import annotations

from dataclasses import replace

import pytest

from dynaguard.call import (
    NO_CREDENTIALS,
    UNKNOWN,
    UNKNOWN_ACCOUNT,
    UNKNOWN_CHAR,
    UNKNOWN_RUN,
    Authorization,
    Call,
    ContextLookup,
    ContextValue,
    Decision,
    Principal,
    StatementRef,
    Verdict,
)
from dynaguard.policy.decision import decide, denial_message
from dynaguard.policy.matcher import CompiledPolicy
from dynaguard.policy.model import PolicyDocument
from dynaguard.scope import EMPTY_SCOPE
from tests.policy.iam_documents import document_of

CALL = Call(
    service="dynamodb",
    operation="Scan",
    params={},
    region="eu-west-1",
    partition="aws",
    endpoint_url=None,
    credentials=NO_CREDENTIALS,
    scope=EMPTY_SCOPE,
    correlation_id="c-1",
    service_prefix="dynamodb",
)
ETL = Principal("etl-nightly", arns=("arn:aws:iam::111122223333:role/etl",), arns_complete=True)
TABLES = "arn:aws:dynamodb:eu-west-1:111122223333:table/"
UNKNOWN_TABLES = TABLES.replace("111122223333", UNKNOWN_ACCOUNT)
ALLOW_ALL = {"Effect": "Allow", "Action": "*", "Resource": "*", "Sid": "All"}
NO_SCANS = {"Effect": "Deny", "Action": "dynamodb:Scan", "Resource": "*", "Sid": "NoScans"}


def all_absent(_key: str) -> ContextValue:
    """A context in which every key is known to be absent."""
    return ()


def all_unknown(_key: str) -> ContextValue:
    """A context of which nothing is known."""
    return UNKNOWN


def decided(
    document: PolicyDocument,
    *authorizations: Authorization,
    call: Call = CALL,
    principal: Principal = ETL,
    lookup: ContextLookup = all_absent,
) -> Decision:
    """The decision for a call that needs these authorisations."""
    policy = CompiledPolicy(document)
    return decide(policy, call, principal, authorizations, lambda _each, _who: lookup)


def message(
    document: PolicyDocument,
    authorization: Authorization,
    principal: Principal = ETL,
    lookup: ContextLookup = all_absent,
) -> str:
    """The denial message for one authorisation."""
    decision = decided(document, authorization, principal=principal, lookup=lookup)
    return denial_message(CALL, principal, decision)


def need(action: str, table: str = "prod-orders", **more: str) -> Authorization:
    """An authorisation on a table."""
    return Authorization(f"dynamodb:{action}", f"{TABLES}{table}", table_name=table, **more)  # type: ignore[arg-type]


# --- the verdict of a call --------------------------------------------------------------------


def test_allows_what_every_authorisation_is_allowed() -> None:
    """A call passes when all that it needs is allowed; the first statement is named."""
    needs = (need("PutItem", "a"), need("DeleteItem", "b"))

    decision = decided(document_of(ALLOW_ALL), *needs)

    assert decision == Decision(
        Verdict.ALLOW, needs, statement=StatementRef("All", "policy.toml", 1)
    )


def test_one_missing_allow_refuses_the_call() -> None:
    """A transaction with one table that no statement allows is refused, and names that table."""
    allow = {"Effect": "Allow", "Action": "dynamodb:*", "Resource": f"{TABLES}a"}

    decision = decided(document_of(allow), need("PutItem", "a"), need("PutItem", "b"))

    assert decision.verdict is Verdict.IMPLICIT_DENY
    assert decision.offending == need("PutItem", "b")
    assert decision.statement is None
    assert decision.reason == "no statement allows it"


def test_explicit_deny_beats_a_missing_allow() -> None:
    """The worst ruling is the call's, and the first authorisation with it is named."""
    document = document_of({"Effect": "Deny", "Action": "*", "Resource": f"{TABLES}b*"})

    decision = decided(
        document, need("PutItem", "a"), need("PutItem", "b1"), need("PutItem", "b2")
    )

    assert decision.verdict is Verdict.DENY
    assert decision.offending == need("PutItem", "b1")
    assert decision.reason.endswith(" (the first of 3 refused of 3)")


def test_service_that_is_not_governed_passes() -> None:
    """Calls to other services are not decided."""
    document = PolicyDocument("deny", frozenset({"ssm"}))

    assert decided(document, need("Scan")).verdict is Verdict.UNGOVERNED


def test_further_authorisations_of_other_services_pass() -> None:
    """Of a governed call only what belongs to governed services is asked."""
    document = PolicyDocument("deny", frozenset({"dynamodb"}), document_of(ALLOW_ALL).statements)
    bare = PolicyDocument("deny", frozenset({"dynamodb"}))
    pass_role = Authorization("iam:PassRole", "*")

    assert decided(document, need("CreateTable"), pass_role).verdict is Verdict.ALLOW
    assert decided(bare, need("CreateTable"), pass_role).verdict is Verdict.IMPLICIT_DENY


def test_a_governed_call_that_needs_nothing_is_allowed() -> None:
    """IAM asks no permission for GetCallerIdentity."""
    document = PolicyDocument("deny", frozenset({"dynamodb"}))

    assert decided(document).verdict is Verdict.ALLOW


def test_streams_client_is_governed_by_its_prefix() -> None:
    """The service's IAM prefix counts, not the client's name; without one the name does."""
    document = PolicyDocument("deny", frozenset({"dynamodb"}))
    streams = Call("dynamodbstreams", "GetRecords", {}, None, "aws", None, NO_CREDENTIALS,
                   EMPTY_SCOPE, "c", service_prefix="dynamodb")  # fmt: skip
    other = Call("ssm", "GetParameter", {}, None, "aws", None, NO_CREDENTIALS, EMPTY_SCOPE, "c")

    assert not decided(document, need("GetRecords"), call=streams).verdict.is_allowed
    assert decided(document, need("GetRecords"), call=other).verdict is Verdict.UNGOVERNED


def test_context_is_made_only_where_it_matters() -> None:
    """A constant answer costs no context."""
    policy = CompiledPolicy(document_of(ALLOW_ALL))

    def never(_authorization: Authorization) -> ContextLookup:
        raise AssertionError

    assert decide(policy, CALL, ETL, (need("Scan"),), never).verdict is Verdict.ALLOW


@pytest.mark.parametrize(
    ("default", "statements", "verdict"),
    [
        ("deny", [ALLOW_ALL], Verdict.IMPLICIT_DENY),
        ("deny", [ALLOW_ALL, NO_SCANS], Verdict.DENY),
        ("allow", [], Verdict.ALLOW),
        ("allow", [NO_SCANS], Verdict.DENY),
    ],
)
def test_problem_is_allowed_by_no_statement(
    default: str, statements: list[dict[str, str]], verdict: Verdict
) -> None:
    """What was not understood passes only by a default of allow, and by no Deny."""
    problem = need("Scan", problem="the statement has no WHERE clause that can be read")

    decision = decided(document_of(*statements, default=default), problem)

    assert decision.verdict is verdict
    if verdict is Verdict.IMPLICIT_DENY:
        assert decision.reason == problem.problem
        assert decision.how_to_allow == (
            "send a request that can be understood, or leave its service out of `govern`"
        )


def test_collects_unknown_keys_and_observed_statements() -> None:
    """A decision tells what was unknown and observed over all its authorisations, each once."""
    team = {"Condition": {"StringEquals": {"aws:PrincipalTag/Team": "data"}}}
    observed = ALLOW_ALL | {"Mode": "observe", "Sid": "Seen"}
    document = document_of(ALLOW_ALL | team, observed)

    decision = decided(document, need("PutItem"), need("DeleteItem"), lookup=all_unknown)

    assert decision.unknown_keys == ("aws:PrincipalTag/Team",)
    assert [ref.sid for ref in decision.observed] == ["Seen"]


# --- what a refusal says ----------------------------------------------------------------------


def test_message_names_statement_and_place() -> None:
    """An explicit denial names action, resource, identity, Sid, file and line."""
    assert message(document_of(ALLOW_ALL, NO_SCANS), need("Scan")) == (
        f"dynamodb:Scan on {TABLES}prod-orders was refused for etl-nightly: denied by statement "
        "`NoScans` (policy.toml:2); to allow it, narrow or remove that statement"
    )


def test_message_offers_the_missing_statement() -> None:
    """An implicit denial says which statement would allow the call."""
    assert message(document_of(), need("Scan")) == (
        f"dynamodb:Scan on {TABLES}prod-orders was refused for etl-nightly: no statement allows "
        "it; to allow it, add a statement with Effect `Allow`, Action `dynamodb:Scan` and "
        f"Resource `{TABLES}prod-orders`"
    )


def test_message_tells_the_setting_for_an_unknown_account() -> None:
    """Where only the account is missing, the message says how to give it."""
    allow = {"Effect": "Allow", "Action": "dynamodb:*", "Resource": f"{TABLES}*"}

    text = message(document_of(allow), Authorization("dynamodb:Scan", f"{UNKNOWN_TABLES}orders"))

    assert text == (
        "dynamodb:Scan on arn:aws:dynamodb:eu-west-1:<unknown>:table/orders was refused for "
        "etl-nightly: no statement allows it for certain, since `account` is unknown; to allow "
        "it, set `account_id` (DYNAGUARD_ACCOUNT_ID), or add a statement with Effect `Allow`, "
        "Action `dynamodb:Scan` and Resource `arn:aws:dynamodb:eu-west-1:*:table/orders`"
    )


@pytest.mark.parametrize(
    ("key", "advice"),
    [
        ("aws:PrincipalTag/Team", "give `aws:PrincipalTag/Team` in `[context]`"),
        ("dynamodb:LeadingKeys", "write the key schema of table `prod-orders` in `[tables]`"),
        ("dynamodb:Attributes", "write the request so that `dynamodb:Attributes` can be read"),
        ("aws:PrincipalArn", "set `identity` (DYNAGUARD_IDENTITY) or `identity_lookup`"),
    ],
)
def test_message_tells_where_an_unknown_key_is_given(key: str, advice: str) -> None:
    """Each kind of unknown key has its own place to be set."""
    deny = NO_SCANS | {"Condition": {"StringNotEquals": {key: "x"}}}

    text = message(document_of(ALLOW_ALL, deny), need("Scan"), lookup=all_unknown)

    assert f"policy.toml:2), which applies since `{key}` is unknown; to allow it, {advice}" in text


def test_message_tells_of_an_index_without_a_table() -> None:
    """Where the table has no name at hand the advice does without it."""
    deny = NO_SCANS | {"Condition": {"StringEquals": {"dynamodb:LeadingKeys": "x"}}}
    nameless = Authorization("dynamodb:Scan", f"{TABLES}orders")

    assert "key schema of the table in `[tables]`" in message(
        document_of(deny), nameless, lookup=all_unknown
    )


def test_message_names_all_unknown_facts() -> None:
    """Several unknown facts are listed, and all of their settings."""
    allow = ALLOW_ALL | {
        "Resource": f"{TABLES}orders",
        "Principal": "arn:aws:iam::*:role/etl",
        "Condition": {"StringEquals": {"aws:SourceVpc": "vpc-1"}},
    }
    unknown = Authorization("dynamodb:Scan", f"{UNKNOWN_TABLES}{UNKNOWN_CHAR * 6}{UNKNOWN_RUN}")

    text = message(document_of(allow), unknown, Principal(), all_unknown)

    assert "was refused for unknown: no statement allows it for certain, since " in text
    assert (
        "since `account`, `resource`, `aws:PrincipalArn` and `aws:SourceVpc` are unknown" in text
    )
    assert "Resource `arn:aws:dynamodb:eu-west-1:*:table/??????*`" in text
    assert "table/<unknown> was refused" in text


def test_message_without_a_line_number() -> None:
    """A statement of a mapping has no line; the message does without."""
    statement = document_of(NO_SCANS).statements[0]
    named = PolicyDocument("deny", None, (_at(statement, StatementRef("NoScans")),))

    assert "denied by statement `NoScans` (<policy>); " in message(named, need("Scan"))


def _at(statement: object, ref: StatementRef) -> object:
    """The statement at another place."""
    return replace(statement, ref=ref)  # type: ignore[type-var]


def test_message_shows_an_action_that_is_not_known() -> None:
    """Unknown parts of an action are shown as such, and as a wildcard in the advice."""
    text = message(document_of(), Authorization(f"dynamodb:{UNKNOWN_RUN}", UNKNOWN_RUN))

    assert text.startswith("dynamodb:<unknown> on <unknown> was refused")
    assert text.endswith("Action `dynamodb:*` and Resource `*`")


def test_message_is_one_printable_line() -> None:
    """Names with line breaks cannot forge a second line."""
    text = message(document_of(), Authorization("s3:GetObject", "arn:aws:s3:::b/a\nb\x1b[31m"))

    assert text.isprintable()
    assert "arn:aws:s3:::b/a?b?[31m" in text


def test_message_of_a_decision_without_authorisation() -> None:
    """A refusal that is about no authorisation names the operation."""
    decision = Decision(Verdict.IMPLICIT_DENY, reason="nothing is known of it")

    assert denial_message(CALL, ETL, decision) == (
        "dynamodb:Scan was refused for etl-nightly: nothing is known of it"
    )


def test_a_governed_call_that_needs_only_actions_of_others_is_decided_by_them() -> None:
    """S3's CreateSession needs `s3express:`; it must not pass because nothing was asked."""
    document = PolicyDocument(default="deny", govern=frozenset({"s3"}))
    call = CALL._replace(service="s3", operation="CreateSession", service_prefix="s3")

    decision = decided(document, Authorization("s3express:CreateSession", "*"), call=call)

    assert decision.verdict is Verdict.IMPLICIT_DENY
