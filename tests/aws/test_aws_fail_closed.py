"""Names, operations and statements that are not understood are problems on something unknown."""

from __future__ import annotations

import datetime
from typing import Any

import pytest

from dynaguard.aws.analysis import authorizations, service_prefix
from dynaguard.aws.context import ContextSource
from dynaguard.aws.dynamodb.schemas import KeySchemas
from dynaguard.call import (
    UNKNOWN,
    UNKNOWN_ACCOUNT,
    UNKNOWN_CHAR,
    UNKNOWN_PRINCIPAL,
    UNKNOWN_RUN,
    Principal,
    StatementRef,
    Verdict,
)
from dynaguard.policy.decision import decide
from dynaguard.policy.matcher import CompiledPolicy
from dynaguard.policy.model import PolicyDocument, Statement
from tests.aws.unknown_needs import ACCOUNT, TABLES, call_of, needs_of, problems_of


def source(**known: tuple[str, ...]) -> ContextSource:
    """A context that knows no more than it is given."""
    now = datetime.datetime(2026, 11, 20, tzinfo=datetime.UTC)
    return ContextSource(known=known, environment=None, schemas=KeySchemas({}), utcnow=lambda: now)


def denying(action: str) -> CompiledPolicy:
    """A policy that allows all but one action."""
    statement = Statement(StatementRef("No"), "Deny", (action,), ("*",))
    return CompiledPolicy(PolicyDocument("allow", None, (statement,)))


@pytest.mark.parametrize(
    ("operation", "params", "denied"),
    [
        ("ExecuteStatement", {"Statement": "DROP TABLE t"}, "dynamodb:PartiQLDelete"),
        ("BatchExecuteStatement", {"Statements": [{}]}, "dynamodb:PartiQLInsert"),
        ("TransactWriteItems", {"TransactItems": [{"Nope": {}}]}, "dynamodb:DeleteItem"),
    ],
)
def test_a_deny_of_what_it_may_be_hits_what_is_not_understood(
    operation: str, params: Any, denied: str
) -> None:
    """Under `default = allow` too: the action is unknown, not a name with a star in it."""
    call = call_of(operation, params)
    needs = authorizations(call, ACCOUNT)

    decision = decide(
        denying(denied), call, UNKNOWN_PRINCIPAL, needs, lambda *_: lambda _: UNKNOWN
    )

    assert decision.verdict is Verdict.DENY


@pytest.mark.parametrize(
    "name",
    [
        *("", "a b", "t*", "t?", "t/index/i", "t:x", "\ud800", UNKNOWN_RUN, "a" * 256, 5, None),
        *("arn:aws:dynamodb:eu-west-1:111122223333:table/", "arn:aws:s3:::table/t"),
        *("arn:aws:dynamodb::111122223333:table/t", "arn:aws:dynamodb:eu-west-1:1:table/t"),
        *("arn:aws:dynamodb:eu-west-1:111122223333:table/t/index/i", f"{TABLES}/t*"),
    ],
)
def test_what_is_no_table_name_is_a_problem(name: Any) -> None:
    """A name with a slash in it would be taken for another resource."""
    assert needs_of("GetItem", {"TableName": name}) == [("dynamodb:GetItem", UNKNOWN_RUN)]
    assert problems_of("GetItem", {"TableName": name}) != [None]


@pytest.mark.parametrize("index", ["", "a/b", "a*", 5, "a" * 256])
def test_what_is_no_index_name_is_a_problem(index: Any) -> None:
    """As for tables."""
    params = {"TableName": "t", "IndexName": index}

    assert needs_of("Query", params) == [("dynamodb:Query", UNKNOWN_RUN)]


def test_an_operation_that_is_new_is_a_problem_that_names_it() -> None:
    """botocore gains operations faster than this map."""
    [need] = authorizations(call_of("EraseEverything", {}), ACCOUNT)

    assert (need.action, need.resource) == ("dynamodb:EraseEverything", UNKNOWN_RUN)
    assert need.problem == "operation `EraseEverything` is not known to this version of dynaguard"


@pytest.mark.parametrize(
    ("service", "operation"), [("ec2", "NotThereYet"), ("notthereyet", "Go"), ("../ec2", "Go")]
)
def test_what_no_table_knows_is_allowed_by_stars_alone(service: str, operation: str) -> None:
    """The action has the operation's name, the resource is not known; that is no problem."""
    [need] = authorizations(call_of(operation, {}, service=service), ACCOUNT)

    assert need.resource == UNKNOWN_RUN
    assert need.action.endswith(f":{operation}")
    assert need.problem is None


def test_unknown_account_and_region_are_marked() -> None:
    """Neither is left out, neither is guessed."""
    [need] = authorizations(call_of("GetItem", {"TableName": "t"}, region=None), None)

    assert need.resource == f"arn:aws:dynamodb:{UNKNOWN_RUN}:{UNKNOWN_ACCOUNT}:table/t"


def test_replicas_of_a_table_named_by_arn_are_in_their_own_region() -> None:
    """The ARN tells the account; the region is the replica's."""
    params = {
        "TableName": f"{TABLES}/t",
        "ReplicaUpdates": [{"Delete": {"RegionName": "us-east-1"}}],
    }
    there = "arn:aws:dynamodb:us-east-1:111122223333:table/t"

    found = needs_of("UpdateTable", params)

    assert found == [
        ("dynamodb:UpdateTable", f"{TABLES}/t"),
        ("dynamodb:DeleteTable", there),
        ("dynamodb:DeleteTableReplica", there),
    ]


@pytest.mark.parametrize(
    "text",
    [
        # Where comments end: a carriage return ends one, a block hides what follows.
        "SELECT * --\r FROM Secret -- \n FROM Allowed",
        "SELECT * --\r FROM Secret /* \n FROM Allowed WHERE a=1 */",
        "SELECT * --\r FROM Allowed /* \n FROM Secret -- */",
        "SELECT * FROM Allowed /* open",
        "SELECT * /* /* */ FROM Secret */ FROM Allowed",
        # Where literals end: an escaped quote to some readers, its end to others.
        r"SELECT 'x\' FROM Allowed WHERE a = ' FROM Secret'",
        'SELECT "x\\" FROM Allowed WHERE a = " FROM Secret"',
        # More than one table or statement.
        "SELECT * FROM Allowed, Secret",
        "SELECT * FROM Allowed JOIN Secret",
        "SELECT * FROM Allowed AS a",
        "SELECT * FROM Allowed WHERE a IN (SELECT b FROM Secret)",
        "SELECT * FROM Allowed; DELETE FROM Secret",
        "INSERT INTO Allowed VALUE {'a': 1} INSERT INTO Secret VALUE {'a': 1}",
        "UPDATE Allowed SET a = 1 UPDATE Secret SET a = 1",
        # Characters that have no place outside of literals.
        "SELECT * FROM Allowed \u2028 WHERE a = 1",
        "SELECT * FROM All\u00f6wed",
        "SELECT * FROM `Allowed`",
        # Unfinished, empty, too long.
        *("", "SELECT", "SELECT *", "SELECT * FROM", "DELETE FROM", "UPDATE t", "INSERT INTO t"),
        *("EXISTS(SELECT * FROM t", "EXISTS()", "SELECT * FROM 't'", "SELECT * FROM t.", "'"),
        "SELECT * FROM t WHERE a = '" + "x" * 8192 + "'",
    ],
)
def test_a_statement_that_is_not_fully_understood_is_a_problem(text: str) -> None:
    """Never a guess at the table; no text of it is shown."""
    [need] = authorizations(call_of("ExecuteStatement", {"Statement": text}), ACCOUNT)

    assert need.resource == UNKNOWN_RUN
    assert need.problem is not None
    assert "Secret" not in need.problem


@pytest.mark.parametrize(
    ("text", "action", "resource"),
    [
        ("SELECT * FROM t", "Select", "t"),
        ("select a, b.c[0] from \"t\" where a = 'it''s FROM x' order by b desc", "Select", "t"),
        ('SELECT * FROM "t"."by_day" WHERE a = ?', "Select", "t/index/by_day"),
        ('SELECT "FROM" FROM t', "Select", "t"),
        ("/* FROM x */ SELECT * -- FROM y\n FROM t", "Select", "t"),
        ("EXISTS(SELECT * FROM t WHERE a = 'b')", "Select", "t"),
        ("INSERT INTO \"t\" VALUE {'a': 'DELETE FROM x', 'b': <<1, 2>>}", "Insert", "t"),
        ("UPDATE t SET a = a - 1 REMOVE b WHERE c = 'x' RETURNING ALL OLD *", "Update", "t"),
        ("DELETE FROM t WHERE a = 1", "Delete", "t"),
        ('SELECT * FROM "arn:aws:dynamodb:eu-west-1:111122223333:table/t"', "Select", "t"),
    ],
)
def test_statements_are_read_for_their_kind_and_table(
    text: str, action: str, resource: str
) -> None:
    """Comments, quotes, case and literals do not mislead."""
    assert needs_of("ExecuteStatement", {"Statement": text}) == [
        (f"dynamodb:PartiQL{action}", f"{TABLES}/{resource}")
    ]


def key_of(operation: str, params: Any, key: str, *, service: str = "dynamodb") -> Any:
    """A key of the first thing that a call needs."""
    call = call_of(operation, params, service=service)
    return source().lookup_for(call, UNKNOWN_PRINCIPAL, authorizations(call, ACCOUNT)[0])(key)


@pytest.mark.parametrize(
    ("number", "expected"),
    [
        ("1.0", ("1",)),
        ("10E-1", ("1",)),
        ("-0", ("0",)),
        ("100", ("100",)),
        ("12345678901234567890123456789012345678", ("12345678901234567890123456789012345678",)),
        ("12345678901234567890123456789012345679", ("12345678901234567890123456789012345679",)),
        ("1E125", ("1" + "0" * 125,)),
        ("1E999999999", UNKNOWN),
        ("NaN", UNKNOWN),
        ("x", UNKNOWN),
    ],
)
def test_numeric_keys_keep_every_digit(number: str, expected: Any) -> None:
    """DynamoDB has 38 digits; two keys must never become one, nor a short text a huge one."""
    params = {"TableName": "t", "Key": {"id": {"N": number}}}

    assert key_of("GetItem", params, "dynamodb:leadingkeys") == expected


def test_tags_in_a_form_that_is_not_read_are_unknown() -> None:
    """`ec2` has them in `TagSpecifications`: not seen is not absent."""
    params = {"TagSpecifications": [{"Tags": [{"Key": "env", "Value": "prod"}]}]}

    assert key_of("RunInstances", params, "aws:requesttag/env", service="ec2") is UNKNOWN
    assert key_of("RunInstances", params, "aws:tagkeys", service="ec2") is UNKNOWN


@pytest.mark.parametrize(
    ("principal", "expected"),
    [
        (Principal(groups=frozenset({"a"})), UNKNOWN),
        (Principal(groups=frozenset({"b", "a"}), arns_complete=True), ("a", "b")),
        (Principal(arns_complete=True), ()),
    ],
)
def test_groups_are_known_once_all_arns_are(principal: Principal, expected: Any) -> None:
    """Until then there may be one more, which a Deny must not miss."""
    call = call_of("GetItem", {"TableName": "t"})
    [need] = authorizations(call, ACCOUNT)

    assert source().lookup_for(call, principal, need)("dynaguard:group") == expected


def test_objects_named_by_new_operations_are_objects() -> None:
    """Not their bucket, which other statements allow."""
    params = {"Bucket": "b", "Key": "k", "AnnotationName": "a"}

    assert needs_of("GetObjectAnnotation", params, service="s3") == [
        ("s3:GetObjectAnnotation", "arn:aws:s3:::b/k")
    ]


@pytest.mark.parametrize("bucket", ["b/c", "", "b*", 5])
def test_what_is_no_bucket_name_is_unknown(bucket: Any) -> None:
    """A bucket with a slash in it would be taken for an object of another."""
    params = {"Bucket": bucket, "Key": "k"}

    assert needs_of("GetObject", params, service="s3") == [("s3:GetObject", UNKNOWN_RUN)]


def test_a_secrets_arn_without_its_suffix_stands_for_the_whole() -> None:
    """Secrets Manager takes it; a Deny of `secret:prod/db-??????` must not miss it."""
    partial = "arn:aws:secretsmanager:eu-west-1:111122223333:secret:prod/db"

    assert needs_of("GetSecretValue", {"SecretId": partial}, service="secretsmanager") == [
        ("secretsmanager:GetSecretValue", partial + "-" + UNKNOWN_CHAR * 6)
    ]


def test_a_queue_url_of_another_region_leaves_the_region_open() -> None:
    """The client's endpoint is asked, the URL names another: either may count."""
    url = "https://sqs.us-east-1.amazonaws.com/111122223333/q"

    assert needs_of("SendMessage", {"QueueUrl": url}, service="sqs") == [
        ("sqs:SendMessage", f"arn:aws:sqs:{UNKNOWN_RUN}:111122223333:q")
    ]


@pytest.mark.parametrize(
    ("service", "prefix"),
    [
        *(("dynamodbstreams", "dynamodb"), ("cloudwatch", "cloudwatch"), ("logs", "logs")),
        *(("stepfunctions", "states"), ("docdb", "rds"), ("mailmanager", "ses")),
        *(
            ("cloudcontrol", "cloudformation"),
            ("mturk", "mechanicalturk"),
            ("monitoring", "cloudwatch"),
        ),
        *(("partnercentral-selling", "partnercentral"), ("iotsecuretunneling", "iot")),
    ],
)
def test_services_have_iams_prefix(service: str, prefix: str) -> None:
    """A service under another prefix would not be governed."""
    assert service_prefix(service) == prefix
