"""Values of parameters stay data: in calls, in templates and in policies."""

from __future__ import annotations

import json
import tomllib
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dynaguard.access.templates import Templates
from dynaguard.aws.analysis import authorizations
from dynaguard.call import UNKNOWN_PRINCIPAL, Call, Verdict
from dynaguard.errors import ConfigurationError
from dynaguard.policy import reference
from dynaguard.policy.loading import load_policy
from dynaguard.policy.matcher import CompiledPolicy
from dynaguard.runbooks.binding import bind
from dynaguard.runbooks.bound import BoundRunbook
from dynaguard.runbooks.calls import calls_of
from dynaguard.runbooks.reading import read_runbook
from tests.runbooks.filled_calls import call_params
from tests.runbooks.random_calls import ACCOUNT, REGION, make_call, source_of

RUNBOOK = read_runbook(
    tomllib.loads(r"""
runbook = 1
name = "inject"
purpose = "p"
owner = "o"
[tables.t]
key = ["pk"]
[parameters.value]
type = "string"
pattern = '[\s\S]{1,200}'
[[step]]
name = "query"
call = "dynamodb:Query"
[step.params]
TableName = "t"
KeyConditionExpression = "pk = :v"
ProjectionExpression = "pk"
ExpressionAttributeValues = { ":v" = { "$param" = "value" } }
[[step]]
name = "object"
call = "s3:GetObject"
params = { Bucket = "b", Key = { "$param" = "value" } }
""")
)
NASTY = [
    "*",
    "?",
    "a*b?c",
    "${aws:username}",
    "${*}",
    "$${",
    "${",
    "'; DROP",
    '" OR "1"="1',
    ":v OR attribute_exists(pk)",
    "a\nb",
    "\x00",
    "\u202e\u200b",
    '{"$param": "x"}',
    "$any",
    '{"$any": "string"}',
    "../../x",
    "x/*",
    "\uff0a",
    "e\u0301",
]
_VALUES = st.one_of(
    st.sampled_from(NASTY),
    st.text(alphabet="*?${}ab/:'\\\n", min_size=1, max_size=8),
    st.text(st.characters(exclude_categories=["Cs", "Cn"]), min_size=1, max_size=8),
)


def _bound(value: str) -> BoundRunbook:
    return bind(RUNBOOK, {"value": value}, region=REGION, account_id=ACCOUNT)


def _calls(bound: BoundRunbook) -> list[Call]:
    return [
        make_call(
            each.template.service,
            each.template.operation,
            call_params(each.template, bound.values),
        )
        for each in calls_of(RUNBOOK)
    ]


def _verdicts(bound: BoundRunbook, call: Call) -> set[bool]:
    """What the compiled policy says of a call, by both evaluators of the project."""
    policy = {"Version": "2012-10-17", "Statement": list(bound.iam_statements)}
    document = load_policy(policy, environ={})
    (need,) = authorizations(call, ACCOUNT)
    lookup = source_of(bound).lookup_for(call, UNKNOWN_PRINCIPAL, need)
    rulings = (
        reference.rule(document, need, UNKNOWN_PRINCIPAL, lookup),
        CompiledPolicy(document).rule(need, UNKNOWN_PRINCIPAL, lookup),
    )
    return {ruling.verdict is Verdict.ALLOW for ruling in rulings}


@given(_VALUES)
def test_a_value_stays_what_it_is_in_a_call(value: str) -> None:
    """It is one whole attribute value; the expression is the document's."""
    query, read = _calls(_bound(value))

    assert query.params["ExpressionAttributeValues"] == {":v": {"S": value}}
    assert query.params["KeyConditionExpression"] == "pk = :v"
    assert read.params["Key"] == value


@given(_VALUES, _VALUES)
def test_a_policy_allows_a_value_alone(value: str, other: str) -> None:
    """No value becomes a wildcard or a variable: any other value is refused."""
    bound = _bound(value)

    for call in _calls(bound):
        assert _verdicts(bound, call) == {True}
    for call in _calls(_bound(other)):
        assert _verdicts(bound, call) == {value == other}


@given(_VALUES, _VALUES)
def test_a_template_allows_a_value_alone(value: str, other: str) -> None:
    """A value that looks like a sign of the template is none."""
    templates = Templates(json.dumps(_bound(value).templates))

    for call in _calls(_bound(value)):
        assert templates.mismatch(call) is None
    for call in _calls(_bound(other)):
        assert (templates.mismatch(call) is None) is (value == other)


@given(_VALUES.map(lambda value: f"canary{value}"))
def test_no_value_travels(value: str) -> None:
    """The boundary of a run holds neither the value nor its JSON."""
    text = json.dumps(_bound(value).templates)

    assert value not in text
    assert json.dumps(value)[1:-1] not in text


def test_the_word_that_stands_for_the_unknown_is_refused() -> None:
    """A value that could become a wildcard is none."""
    with pytest.raises(ConfigurationError, match="reserved"):
        _bound("x-dynaguardUnknownValue0-y")


SECRET = tomllib.loads("""
runbook = 1
name = "secret"
purpose = "p"
owner = "o"
[tables.t]
key = ["pk"]
[parameters.token]
type = "secret"
[[step]]
name = "get"
call = "dynamodb:GetItem"
params = { TableName = "t", Key = { pk = { "$param" = "token" } }, ProjectionExpression = "pk" }
[[step]]
name = "put"
call = "ssm:PutParameter"
params = { Name = "/a", Type = "SecureString", Value = { "$param" = "token" } }
""")


def test_a_secret_enters_calls_and_nothing_else() -> None:
    """Neither statements, templates, the subject nor any repr hold it."""
    bound = bind(
        read_runbook(SECRET), {"token": "hunter2hunter2"}, region=REGION, account_id=ACCOUNT
    )
    boundary = bound.boundary("t", expires_epoch_s=1.0)
    shown: list[Any] = [bound, bound.values, bound.iam_statements, bound.statements]
    shown += [bound.templates, boundary.as_dict(), boundary]

    calls = [call_params(each.template, bound.values) for each in calls_of(bound.runbook)]

    assert calls[0]["Key"] == {"pk": {"S": "hunter2hunter2"}}
    assert calls[1]["Value"] == "hunter2hunter2"
    assert all("hunter2" not in repr(each) for each in shown)


def test_a_secret_is_in_the_subject() -> None:
    """What was approved with one secret is not approved with another."""
    runbook = read_runbook(SECRET)
    subjects = {
        bind(runbook, {"token": token}, region=REGION, account_id=ACCOUNT).subject_sha256
        for token in ("a", "b")
    }

    assert len(subjects) == 2
