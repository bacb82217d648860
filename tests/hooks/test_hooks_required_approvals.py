"""What requires an approval, thresholds, and no standing access, through guarded clients."""

from __future__ import annotations

import json
import os
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from botocore.exceptions import ClientError

import dynaguard
from dynaguard import PolicyDenied
from dynaguard.access.thresholds import Thresholds
from dynaguard.boundary import Boundary
from dynaguard.scope import Scope, ScopeManager
from dynaguard.testing import load_cases, run_case

EXAMPLE = Path(__file__).parents[2] / "docs" / "examples" / "production-bucket"
KEY = {"pk": {"S": "CANARY-KEY"}}
ALLOW = {"Sid": "All", "Effect": "Allow", "Action": "dynamodb:*", "Resource": "*"}
CONSUMED = {"TableName": "orders", "CapacityUnits": 6.0}
HASH = "ab" * 32
STEP = json.dumps(
    [
        {
            "Effect": "Allow",
            "Action": "dynamodb:GetItem",
            "Resource": "arn:aws:dynamodb:*:*:table/orders",
        }
    ]
)


def asking(**threshold: Any) -> dict[str, Any]:
    """Deletes require an approval beyond a threshold."""
    approval = {"threshold": {"window": "1h", **threshold}} if threshold else {}
    return {
        "Sid": "Deletes",
        "Effect": "RequireApproval",
        "Action": ["dynamodb:DeleteItem", "dynamodb:BatchWriteItem"],
        "Resource": "*",
        "Approval": approval,
    }


def delete(client: Any) -> Any:
    """Deletes one item."""
    return client.delete_item(TableName="orders", Key=KEY)


def went(client: Any) -> bool:
    """Whether a delete went."""
    try:
        delete(client)
    except PolicyDenied:
        return False
    return True


def delete_many(client: Any, count: int) -> Any:
    """Deletes items in one call."""
    members = [{"DeleteRequest": {"Key": {"pk": {"S": str(n)}}}} for n in range(count)]
    return client.batch_write_item(RequestItems={"orders": members})


def refusal(call: Any, *arguments: Any) -> PolicyDenied:
    """The refusal of a call."""
    with pytest.raises(PolicyDenied) as caught:
        call(*arguments)
    return caught.value


def in_run(name: str = "reload", **more: Any) -> ScopeManager:
    """The scope of a runbook's run."""
    boundary = Boundary("runbook", name, "t-1", HASH, statements=STEP, **more)

    def derive(scope: Scope) -> Scope:
        return replace(scope, runbook=name, task="t-1", boundaries=(*scope.boundaries, boundary))

    return ScopeManager(derive)


# --- a manager approves deletes from production --------------------------------------------------


@pytest.mark.parametrize("case", load_cases([EXAMPLE]), ids=str)
def test_the_example_decides_as_its_cases_say(case: Any) -> None:
    """An object of a production bucket is deleted after a manager's approval alone."""
    result = run_case(case)

    assert result.holds, result.text


def test_deleting_from_production_is_refused_until_a_manager_approves(
    make_client: Any, wire: Any
) -> None:
    """Nothing leaves; from a bucket for tests it does."""
    wire.answer("")
    dynaguard.install(
        EXAMPLE / "policy.toml",
        identity="arn:aws:sts::111122223333:assumed-role/orders-api/run",
    )
    client = make_client("s3")

    denial = refusal(lambda: client.delete_object(Bucket="acme-prod-invoices", Key="1.pdf"))
    client.delete_object(Bucket="acme-test-invoices", Key="1.pdf")

    assert isinstance(denial, ClientError)
    assert "approval is required by statement `ManagerApprovesProductionDeletes`" in str(denial)
    assert len(wire.sent) == 1


# --- thresholds --------------------------------------------------------------------------------


def test_calls_below_the_threshold_go(client: Any, wire: Any, policy: Any) -> None:
    """The next needs an approval, and says why."""
    dynaguard.install(policy(ALLOW, asking(calls=2)))

    delete(client)
    delete(client)
    denial = refusal(delete, client)

    assert len(wire.sent) == 2
    assert "more than 2 calls within 1h" in str(denial)
    assert "CANARY" not in str(denial)


def test_a_batch_goes_whole_or_not_at_all(client: Any, wire: Any, policy: Any) -> None:
    """Its members count."""
    dynaguard.install(policy(ALLOW, asking(items=10)))

    delete_many(client, 6)
    refusal(delete_many, client, 6)
    delete_many(client, 4)

    assert [len(json.loads(each.body)["RequestItems"]["orders"]) for each in wire.sent] == [6, 4]


def test_threads_together_send_no_more_than_the_threshold(
    client: Any, wire: Any, policy: Any
) -> None:
    """Eight of them, one identity."""
    dynaguard.install(policy(ALLOW, asking(calls=20)))

    def work(_: int) -> int:
        return sum(went(client) for _ in range(10))

    with ThreadPoolExecutor(8) as pool:
        gone = sum(pool.map(work, range(8)))

    assert gone == len(wire.sent) == 20


def test_a_call_that_another_overtook_needs_the_approval(
    client: Any, wire: Any, policy: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It was below the threshold when it was decided, and no longer when it was counted."""
    dynaguard.install(policy(ALLOW, asking(calls=1)))
    real, calls = Thresholds.take, []

    def overtaken(self: Thresholds, wanted: Any) -> Any:
        calls.append(real(self, wanted))
        return real(self, wanted)

    monkeypatch.setattr(Thresholds, "take", overtaken)

    denial = refusal(delete, client)

    assert calls == [None]
    assert "more than 1 call within 1h" in str(denial)
    assert wire.sent == []


def test_the_window_slides(client: Any, policy: Any, waiting: Any) -> None:
    """On the guard's clock."""
    dynaguard.install(policy(ALLOW, asking(calls=1)))
    delete(client)
    refusal(delete, client)

    waiting.now_s += 3700

    delete(client)


def test_what_something_else_refuses_is_not_counted(client: Any, policy: Any) -> None:
    """Part of the call is denied, so none of it went."""
    no_others = {
        "Effect": "Deny",
        "Action": "dynamodb:*",
        "Resource": "arn:aws:dynamodb:*:*:table/others",
    }
    dynaguard.install(policy(ALLOW, asking(calls=1), no_others))
    member = [{"DeleteRequest": {"Key": KEY}}]

    both = {"orders": member, "others": member}
    refusal(lambda: client.batch_write_item(RequestItems=both))

    delete(client)


def test_units_are_asked_for_and_counted(client: Any, wire: Any, policy: Any) -> None:
    """As the answers tell; who comes to the limit is let through."""
    wire.answer({"ConsumedCapacity": CONSUMED})
    dynaguard.install(policy(ALLOW, asking(write_units=10)))

    answer = delete(client)
    delete(client)
    denial = refusal(delete, client)

    assert json.loads(wire.sent[0].body)["ReturnConsumedCapacity"] == "TOTAL"
    assert "ConsumedCapacity" not in answer
    assert "10 write units within 1h are used" in str(denial)


def test_units_that_are_not_told_are_estimated(client: Any, policy: Any) -> None:
    """One for an item."""
    dynaguard.install(policy(ALLOW, asking(write_units=2)))

    delete(client)
    delete(client)

    refusal(delete, client)


def test_reads_of_nobody_s_concern_are_asked_for_nothing(
    client: Any, wire: Any, policy: Any
) -> None:
    """A threshold of units measures the calls that it is about."""
    dynaguard.install(policy(ALLOW, asking(write_units=2)))

    client.get_item(TableName="orders", Key=KEY)

    assert "ReturnConsumedCapacity" not in json.loads(wire.sent[0].body)


def test_without_a_threshold_nothing_goes(client: Any, wire: Any, policy: Any) -> None:
    """Every call asks."""
    dynaguard.install(policy(ALLOW, asking()))

    refusal(delete, client)

    assert wire.sent == []


# --- no standing access --------------------------------------------------------------------------

RELOAD = {
    "Sid": "Reload",
    "Effect": "Allow",
    "Action": "dynamodb:GetItem",
    "Resource": "*",
    "Condition": {"StringEquals": {"dynaguard:Runbook": "reload"}},
}


def read(client: Any) -> Any:
    """Reads one item."""
    return client.get_item(TableName="orders", Key=KEY)


def test_without_a_grant_or_a_run_no_call_goes(client: Any, wire: Any, policy: Any) -> None:
    """Nobody holds access."""
    dynaguard.install(policy(RELOAD, standing_access="none"))

    refusal(read, client)

    assert wire.sent == []


def test_a_call_of_the_run_goes(client: Any, wire: Any, policy: Any) -> None:
    """What no step of it needs does not."""
    dynaguard.install(policy(RELOAD, standing_access="none"))

    with in_run():
        read(client)
        refusal(delete, client)
    with in_run("other"):
        refusal(read, client)

    assert len(wire.sent) == 1


def test_the_name_of_a_runbook_alone_opens_nothing(
    client: Any, wire: Any, policy: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whoever sets the environment would hold standing access."""
    monkeypatch.setitem(os.environ, "DYNAGUARD_RUNBOOK", "reload")
    dynaguard.install(policy(RELOAD, standing_access="none"))

    refusal(read, client)

    assert wire.sent == []


def test_the_name_counts_where_access_may_stand(client: Any, wire: Any, policy: Any) -> None:
    """As before."""
    dynaguard.install(policy(RELOAD), runbook="reload")

    read(client)

    assert len(wire.sent) == 1


# --- runbooks that the document trusts -----------------------------------------------------------


def trusting(policy: Any, **pin: Any) -> dict[str, Any]:
    """A document that trusts one runbook, and nobody else."""
    document: dict[str, Any] = policy(
        runbooks={"reload": {"sha256": HASH, **pin}}, standing_access="none"
    )
    return {**document, "statement": [], "groups": {"etl": ["arn:aws:iam::*:role/etl"]}}


def test_a_trusted_runbook_opens_what_its_steps_need(client: Any, wire: Any, policy: Any) -> None:
    """While it runs."""
    dynaguard.install(trusting(policy))

    refusal(read, client)
    with in_run():
        read(client)
        refusal(delete, client)

    assert len(wire.sent) == 1


def test_a_trusted_runbook_opens_no_presigned_url(client: Any, policy: Any) -> None:
    """A URL would outlive the run."""
    dynaguard.install(trusting(policy))

    with in_run():
        read(client)
        with pytest.raises(PolicyDenied, match="no statement allows it"):
            client.generate_presigned_url("get_item", {"TableName": "orders", "Key": KEY})


@pytest.mark.parametrize(
    "pin", [{"sha256": "cd" * 32}, {"may_run": {"Group": "etl"}}, {"approval": {"quorum": 1}}]
)
def test_another_content_person_or_an_approval_that_is_missing_opens_nothing(
    client: Any, wire: Any, policy: Any, pin: dict[str, Any]
) -> None:
    """The pin says which runbook, whose, and whether it is approved."""
    dynaguard.install(trusting(policy, **pin))

    with in_run():
        refusal(read, client)

    assert wire.sent == []


def test_an_approval_is_required_of_a_run_too(client: Any, wire: Any, policy: Any) -> None:
    """Below its threshold it goes, as everywhere."""
    reads = {**asking(calls=1), "Action": "dynamodb:GetItem"}
    dynaguard.install({**trusting(policy), "statement": [reads]})

    with in_run():
        read(client)
        refusal(read, client)

    assert len(wire.sent) == 1


def test_who_may_run_it_may(client: Any, wire: Any, policy: Any) -> None:
    """By group."""
    dynaguard.install(
        trusting(policy, may_run={"Group": "etl"}), identity="arn:aws:iam::111122223333:role/etl"
    )

    with in_run():
        read(client)

    assert len(wire.sent) == 1
