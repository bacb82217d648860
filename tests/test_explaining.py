"""`explain()`: what would be decided about a call that is not made."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

import dynaguard
from dynaguard.testing import MemoryStore

POLICY: dict[str, Any] = {
    "version": 1,
    "default": "deny",
    "govern": ["dynamodb"],
    "statement": [
        {
            "Sid": "ReadsOrders",
            "Effect": "Allow",
            "Action": ["dynamodb:GetItem", "dynamodb:BatchGetItem"],
            "Resource": "arn:aws:dynamodb:*:*:table/orders",
        },
        {"Sid": "NoScans", "Effect": "Deny", "Action": "dynamodb:Scan", "Resource": "*"},
    ],
}
KEY = {"pk": {"S": "CANARY"}}


def explain(operation: str, params: dict[str, Any], **more: Any) -> Any:
    """Explains a DynamoDB call under the policy."""
    return dynaguard.explain(
        "dynamodb", operation, params, policy=POLICY, region="eu-west-1", **more
    )


def test_an_allowed_call_names_its_statement() -> None:
    """Verdict, statement and the one authorisation."""
    found = explain("GetItem", {"TableName": "orders", "Key": KEY})

    assert found.is_allowed
    assert found.verdict == "allow"
    assert "ReadsOrders" in found.statement
    assert found.message == ""
    (need,) = found.authorizations
    assert need.action == "dynamodb:GetItem"
    assert [each.statement.sid for each in need.statements if each.counts] == ["ReadsOrders"]


def test_a_refused_call_says_what_the_denial_would_say() -> None:
    """The message is the exception's."""
    found = explain("Scan", {"TableName": "orders"}, identity="etl")

    assert not found.is_allowed
    assert found.verdict == "deny"
    assert "NoScans" in found.message
    assert "etl" in found.message


def asking(*further: dict[str, Any]) -> dict[str, Any]:
    """The policy, with reads that require an approval."""
    statement = {
        "Sid": "Asks",
        "Effect": "RequireApproval",
        "Action": "dynamodb:BatchGetItem",
        "Resource": "arn:aws:dynamodb:*:*:table/orders",
        "Approval": {"quorum": 2},
    }
    return {**POLICY, "statement": [*POLICY["statement"], statement, *further]}


def test_what_requires_an_approval_says_whose() -> None:
    """It is not allowed; no statement is missing, so none is suggested."""
    call = {"RequestItems": {"orders": {"Keys": [KEY]}}}

    found = dynaguard.explain(
        "dynamodb", "BatchGetItem", call, policy=asking(), region="eu-west-1"
    )

    assert not found.is_allowed
    assert (found.verdict, found.sid) == ("require_approval", "Asks")
    assert found.approvals == (
        "Asks (<policy>): 2 other people; to be given within 1h, lasts 15m, for 1 call",
    )
    assert found.suggestions == ()
    (need,) = found.authorizations
    assert need.nearest is None
    asks = next(each for each in need.statements if each.statement.sid == "Asks")
    assert (asks.effect, asks.match, asks.counts) == ("RequireApproval", "yes", True)


def test_only_what_nothing_allows_is_suggested() -> None:
    """An approval is no matter of a further statement."""
    keys = {"Keys": [KEY]}
    call = {"RequestItems": {"orders": keys, "secrets": keys}}

    found = dynaguard.explain(
        "dynamodb", "BatchGetItem", call, policy=asking(), region="eu-west-1"
    )

    assert found.verdict == "implicit_deny"
    assert found.approvals == ()
    (statement,) = found.suggestions
    assert [resource.rpartition("/")[2] for resource in statement["Resource"]] == ["secrets"]


def test_every_table_of_a_batch_is_explained() -> None:
    """One authorisation each; the offending one decides."""
    found = explain(
        "BatchGetItem", {"RequestItems": {"orders": {"Keys": [KEY]}, "secrets": {"Keys": [KEY]}}}
    )

    assert not found.is_allowed
    assert len(found.authorizations) == 2
    assert "secrets" in found.message


def test_an_ungoverned_service_passes() -> None:
    """The policy is about DynamoDB alone."""
    found = dynaguard.explain("sqs", "ListQueues", {}, policy=POLICY)

    assert found.is_allowed
    assert found.verdict == "ungoverned"


def test_no_value_of_the_call_is_in_the_explanation() -> None:
    """It may be pasted into a ticket."""
    found = explain("GetItem", {"TableName": "orders", "Key": KEY})

    assert "CANARY" not in json.dumps(found.as_dict())


def test_without_a_policy_it_says_where_one_is_looked_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The error names the three ways."""
    monkeypatch.chdir(tmp_path)

    with pytest.raises(dynaguard.ConfigurationError, match=r"dynaguard\.toml"):
        dynaguard.explain("dynamodb", "Scan", {})


@pytest.mark.parametrize(
    ("region", "partition"),
    [("cn-north-1", "aws-cn"), ("us-gov-west-1", "aws-us-gov"), ("eu-west-1", "aws")],
)
def test_the_partition_follows_the_region(region: str, partition: str) -> None:
    """ARNs of China and GovCloud are their own."""
    found = dynaguard.explain(
        "dynamodb", "Scan", {"TableName": "orders"}, policy=POLICY, region=region
    )

    assert found.authorizations[0].resource.startswith(f"arn:{partition}:dynamodb:{region}:")


def test_the_region_comes_from_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    """As a client's would."""
    monkeypatch.setenv("AWS_REGION", "ap-south-1")

    found = dynaguard.explain("dynamodb", "Scan", {"TableName": "orders"}, policy=POLICY)

    assert "ap-south-1" in found.authorizations[0].resource


def test_who_acts_is_shown_what_refuses() -> None:
    """Where the signer itself may not, no group that is claimed makes a statement match."""
    statement = {**POLICY["statement"][0], "Principal": {"Group": "leads"}}
    policy = {**POLICY, "statement": [statement]}
    role = "arn:aws:sts::111122223333:assumed-role/etl/run"
    call = ("dynamodb", "GetItem", {"TableName": "orders", "Key": KEY})

    with dynaguard.acting_as("ann", groups=["leads"]):
        found = dynaguard.explain(*call, policy=policy, region="eu-west-1", identity=role)

    assert not found.is_allowed
    assert found.authorizations[0].statements[0].failing == ("principal",)


def test_a_deny_for_who_acts_is_explained() -> None:
    """As it bears on them."""
    deny = {"Effect": "Deny", "Action": "*", "Resource": "*", "Principal": {"Group": "bots"}}
    policy = {**POLICY, "statement": [*POLICY["statement"], deny]}
    call = ("dynamodb", "GetItem", {"TableName": "orders", "Key": KEY})
    role = "arn:aws:sts::111122223333:assumed-role/etl/run"

    with dynaguard.acting_as("bot", groups=["bots"]):
        found = dynaguard.explain(*call, policy=policy, region="eu-west-1", identity=role)

    assert found.verdict == "deny"
    assert found.authorizations[0].statements[-1].counts


def test_grants_count_where_they_are_given() -> None:
    """Which are the identity's, and which one the call rests on."""
    params = {"TableName": "customers", "Key": KEY}
    given = [
        dynaguard.grant(
            identity=identity,
            reason="INC-1",
            actions=action,
            resources="arn:aws:dynamodb:*:*:table/customers",
            expires_in=60,
            owner="ada",
            store=MemoryStore(),
        )
        for identity, action in (
            ("etl", "dynamodb:GetItem"),
            ("etl", "dynamodb:PutItem"),
            ("other", "dynamodb:GetItem"),
        )
    ]

    without = explain("GetItem", params, identity="etl")
    found = explain("GetItem", params, identity="etl", grants=given)

    assert (without.is_allowed, without.grants) == (False, ())
    assert found.is_allowed
    assert found.suggestions == ()
    assert [(each.id, each.is_needed) for each in found.grants] == [
        (given[0].id, True),
        (given[1].id, False),
    ]


def test_a_grant_of_a_call_that_is_denied_helps_nothing() -> None:
    """It is shown all the same."""
    given = dynaguard.grant(
        identity="etl",
        reason="INC-1",
        actions="dynamodb:Scan",
        resources="*",
        expires_in=60,
        owner="ada",
        store=MemoryStore(),
    )

    found = explain("Scan", {"TableName": "orders"}, identity="etl", grants=[given])

    assert found.verdict == "deny"
    assert [each.is_needed for each in found.grants] == [False]
