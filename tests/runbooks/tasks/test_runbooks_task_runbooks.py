"""Tasks of runbooks: who may run them, who approves them, and what they are narrowed to."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

import dynaguard
from dynaguard import ApprovalRequired, ConfigurationError, PolicyDenied, PolicySyntaxError
from dynaguard.runbooks.naming import bind_runbook
from dynaguard.runbooks.orders import Order
from dynaguard.runbooks.reading import read_runbook
from dynaguard.runbooks.tasks import TaskManager
from dynaguard.testing.stores import MemoryStore
from tests.access.approving import ETL_ARN, POLICY, approve, deny
from tests.access.minimising import minimised
from tests.hooks.conftest import Wire
from tests.runbooks.tasks.conftest import ROLE, FakeClock, FakeSts, new_client, wired

ALLOWING = {"version": 1, "default": "allow", "govern": ["dynamodb"]}
PARAMS = {"customer_id": "C-00017", "order_id": "O-000042"}
KEY = {"customer_id": {"S": "C-00017"}, "order_id": {"S": "O-000042"}}
READ = {
    "TableName": "prod-orders",
    "Key": KEY,
    "ProjectionExpression": "customer_id, order_id, #status, created_at, #total",
    "ExpressionAttributeNames": {"#status": "status", "#total": "total"},
}
ON_CALL_ONLY: dict[str, Any] = {
    "runbook": 1,
    "name": "look",
    "purpose": "Look at one order",
    "owner": "team-orders",
    "step": [
        {
            "name": "get",
            "call": "dynamodb:GetItem",
            "params": {"TableName": "orders", "Key": {"pk": {"S": "1"}}},
        }
    ],
}


def test_a_shipped_runbook_is_found_by_name_and_bound(wire: Wire) -> None:
    """The task's calls are those of its steps, with these parameters."""
    dynaguard.install(ALLOWING)
    client = new_client(wire)

    with dynaguard.task("library:get-by-key", PARAMS) as task:
        client.get_item(**READ)
        with pytest.raises(PolicyDenied, match="runbook `get-by-key`"):
            client.get_item(**{**READ, "Key": {**KEY, "order_id": {"S": "O-000043"}}})
        with pytest.raises(PolicyDenied, match="no step of it"):
            client.scan(TableName="prod-orders")

    assert len(wire.sent) == 1
    assert task.name == task.scope.runbook == "get-by-key"
    assert task.boundary.max_items == 1
    assert task.id.startswith("get-by-key-")


def test_its_session_policy_is_its_steps(clock: FakeClock, sts: FakeSts) -> None:
    """What AWS holds the session to is what the runbook compiles to."""
    bound = bind_runbook("library:get-by-key", PARAMS, role=ROLE, region="eu-west-1")
    assert bound is not None
    order = Order(bound=bound, name="get-by-key", role=ROLE, duration_s=60.0)

    with TaskManager(order, clock=clock, make_client=sts.make) as task:
        task.credentials()

    statements = json.loads(sts.asked[0]["Policy"])["Statement"]
    assert statements[:-1] == minimised(bound.iam_statements)
    assert statements[0]["Action"] == "dynamodb:GetItem"
    assert statements[0]["Resource"] == "arn:aws:dynamodb:eu-west-1:123456789012:table/prod-orders"
    assert statements[-1]["Effect"] == "Deny"


@pytest.mark.parametrize(
    "name",
    [
        "get-by-key",
        "query-with-filter-and-pages",
        "bounded-scan",
        "bulk-update",
        "bulk-delete-with-preview",
        "service-check",
        "update-large-item",
    ],
)
def test_every_shipped_runbook_fits_a_session_policy(name: str) -> None:
    """With room to spare for longer names of tables."""
    from dynaguard.access.session_policy import session_policy
    from dynaguard.runbooks.library import library_path

    runbook = read_runbook(library_path(name))
    given: dict[str, Any] = {}
    for parameter in runbook.parameters:
        if parameter.is_required and parameter.default is None:
            given[parameter.name] = _some_value(parameter)
    bound = bind_runbook(runbook, given, role=ROLE, region="eu-west-1")

    assert bound is not None
    assert len(session_policy(bound.iam_statements).text) < 1500


def _some_value(parameter: Any) -> Any:
    known = {
        "customer_id": "C-00017",
        "order_id": "O-000042",
        "country": "PT",
        "email": "ada@example.org",
        "since": "2024-01-01",
    }
    if parameter.name in known:
        return known[parameter.name]
    by_type = {"enum": parameter.choices and parameter.choices[0], "date": "2024-01-01"}
    kind = parameter.type.value
    if kind == "number":
        return parameter.minimum or 1
    return by_type.get(kind) or pytest.skip(f"no value for {parameter.name} ({kind})")


def test_unknown_runbooks_and_parameters_are_refused() -> None:
    """Before anything begins, with the nearest name."""
    with pytest.raises(ConfigurationError, match="get-by-key"):
        dynaguard.task("library:get-by-kez")
    with pytest.raises(ConfigurationError, match="customer"):
        dynaguard.task("library:get-by-key", {**PARAMS, "custmer_id": "C-00001"})
    with pytest.raises(ConfigurationError, match="type int"):
        dynaguard.task(7)
    with pytest.raises(PolicySyntaxError):
        dynaguard.task({"runbook": 1})


def test_a_task_is_no_longer_than_its_runbook_says() -> None:
    """Shorter is fine."""
    with pytest.raises(ConfigurationError, match="gives its runs 60 seconds"):
        dynaguard.task("library:get-by-key", PARAMS, duration_s=61)

    dynaguard.task("library:get-by-key", PARAMS, duration_s=30)


def test_statements_of_one_s_own_do_not_go_with_a_runbook() -> None:
    """Its steps say what its calls may do."""
    with pytest.raises(ConfigurationError, match="without a runbook"):
        dynaguard.task("library:get-by-key", PARAMS, actions=["dynamodb:*"])
    with pytest.raises(ConfigurationError, match="which has its own"):
        dynaguard.task("library:get-by-key", PARAMS, name="mine")


def test_a_path_and_a_mapping_name_a_runbook_too(tmp_path: Path) -> None:
    """As `find_runbook` has it."""
    file = tmp_path / "look.json"
    file.write_text(json.dumps(ON_CALL_ONLY), encoding="utf-8")
    dynaguard.install(ALLOWING)

    for named in (str(file), file, ON_CALL_ONLY, read_runbook(ON_CALL_ONLY)):
        with dynaguard.task(named) as task:
            assert task.name == "look"


@pytest.mark.parametrize(
    ("identity", "is_allowed"),
    [
        ("arn:aws:iam::123456789012:role/on-call", True),
        ("arn:aws:iam::123456789012:role/etl", False),
    ],
)
def test_only_those_whom_the_runbook_names_may_run_it(
    clock: FakeClock, sts: FakeSts, identity: str, is_allowed: bool
) -> None:
    """Asked before anything is assumed."""
    runbook = {**ON_CALL_ONLY, "may_run": [{"Group": "on-call"}]}
    groups = {"on-call": ["arn:aws:iam::*:role/on-call"]}
    dynaguard.install({**ALLOWING, "groups": groups}, identity=identity)
    order = Order(bound=bind_runbook(runbook, None), name="look", role=ROLE, duration_s=60.0)
    manager = TaskManager(order, clock=clock, make_client=sts.make)

    if is_allowed:
        with manager:
            return
    with pytest.raises(PolicyDenied, match="does not name who asks") as caught:
        manager.__enter__()

    assert sts.asked == []
    assert caught.value.identity == "etl"
    assert caught.value.as_dict()["how_to_ask"]["can_be_granted"] is False


def test_without_a_guard_nobody_can_tell_who_asks() -> None:
    """So a runbook that names somebody does not run."""
    runbook = {**ON_CALL_ONLY, "may_run": [{"Group": "on-call"}]}

    with pytest.raises(PolicyDenied, match="does not name who asks"):
        dynaguard.task(runbook, role=ROLE).__enter__()


def test_a_runbook_that_changed_since_it_was_pinned_does_not_run() -> None:
    """The policy trusts a content, not a name."""
    pinned = read_runbook(ON_CALL_ONLY).sha256
    dynaguard.install({**ALLOWING, "runbooks": {"look": {"sha256": pinned}}})

    with dynaguard.task(ON_CALL_ONLY):
        pass
    with pytest.raises(PolicyDenied, match="not the one that the policy trusts"):
        dynaguard.task({**ON_CALL_ONLY, "purpose": "Something else"}).__enter__()


def test_a_pinned_runbook_widens_while_its_task_runs(wire: Wire) -> None:
    """No standing access: the call is denied outside, allowed inside, denied after."""
    pinned = read_runbook(ON_CALL_ONLY).sha256
    denying = {**ALLOWING, "default": "deny", "runbooks": {"look": {"sha256": pinned}}}
    dynaguard.install(denying)
    client, key = new_client(wire), {"pk": {"S": "1"}}

    with pytest.raises(PolicyDenied):
        client.get_item(TableName="orders", Key=key)
    with dynaguard.task(ON_CALL_ONLY):
        client.get_item(TableName="orders", Key=key)
        late = dynaguard.carry(client.get_item)
    with pytest.raises(PolicyDenied, match="it has ended"):
        late(TableName="orders", Key=key)

    assert len(wire.sent) == 1


@pytest.fixture
def store() -> MemoryStore:
    """Where tickets are kept."""
    return MemoryStore()


@pytest.fixture
def approved_runbook(store: MemoryStore) -> dict[str, Any]:
    """A runbook whose runs a lead approves; the guard is installed with the store."""
    dynaguard.install(dict(POLICY), identity=ETL_ARN, access_store=store)
    return {**ON_CALL_ONLY, "access": {"approval": {"any_of": ["leads"]}}}


def _ticket(runbook: dict[str, Any]) -> str:
    with pytest.raises(ApprovalRequired) as caught:
        dynaguard.task(runbook).__enter__()
    assert caught.value.ticket is not None
    return caught.value.ticket


def test_a_run_that_is_to_be_approved_waits_for_it(
    store: MemoryStore, approved_runbook: dict[str, Any]
) -> None:
    """The ticket is told; once it is approved the task begins, once."""
    ticket = _ticket(approved_runbook)
    assert _ticket(approved_runbook) == ticket
    approve(store, ticket)

    with dynaguard.task(approved_runbook) as task:
        assert task.boundary.ticket == ticket

    assert _ticket(approved_runbook) != ticket


def test_what_changed_after_the_approval_is_asked_for_anew(
    store: MemoryStore, approved_runbook: dict[str, Any]
) -> None:
    """It is bound to the content."""
    ticket = _ticket(approved_runbook)
    approve(store, ticket)

    assert _ticket({**approved_runbook, "purpose": "Something else"}) != ticket


def test_a_run_that_was_denied_does_not_begin(
    store: MemoryStore, approved_runbook: dict[str, Any]
) -> None:
    """The answer says who, when and why."""
    deny(store, _ticket(approved_runbook))

    with pytest.raises(PolicyDenied, match="denied by") as caught:
        dynaguard.task(approved_runbook).__enter__()
    assert not isinstance(caught.value, ApprovalRequired)


def test_without_a_store_nobody_can_be_asked() -> None:
    """So the run does not begin, and the error names the setting."""
    dynaguard.install(ALLOWING, identity=ETL_ARN)
    runbook = {**ON_CALL_ONLY, "access": {"approval": {}}}

    with pytest.raises(ConfigurationError, match="access_store"):
        dynaguard.task(runbook).__enter__()


def test_a_runbook_s_role_is_assumed(clock: FakeClock, sts: FakeSts, wire: Wire) -> None:
    """`[access]` says which, how long, and with which tags."""
    access = {"role": ROLE, "session_duration_s": 1800, "tags": {"team": "orders"}}
    runbook = {**ON_CALL_ONLY, "access": access, "limits": {"duration_s": 3600}}
    bound = bind_runbook(runbook, None)
    assert bound is not None
    order = Order(bound=bound, name="look", duration_s=3600.0)

    with TaskManager(order, clock=clock, make_client=sts.make) as task:
        wired(task.client("dynamodb"), wire).get_item(TableName="orders", Key={"pk": {"S": "1"}})

    assert sts.asked[0]["RoleArn"] == ROLE
    assert sts.asked[0]["DurationSeconds"] == 1800
    assert sts.asked[0]["Tags"] == [{"Key": "team", "Value": "orders"}]


def test_a_task_ends_with_its_approval(
    store: MemoryStore, approved_runbook: dict[str, Any]
) -> None:
    """Its time counts from the last decision, however long the runbook may take."""
    runbook = {
        **approved_runbook,
        "access": {"approval": {"any_of": ["leads"], "duration_s": 120}},
        "limits": {"duration_s": 3600},
    }
    approve(store, _ticket(runbook))

    with dynaguard.task(runbook) as task:
        left_s = (task.expires_at - datetime.now(UTC)).total_seconds()

    assert 60 < left_s <= 120


def test_an_approval_is_not_used_up_by_a_task_that_cannot_begin(
    store: MemoryStore, approved_runbook: dict[str, Any]
) -> None:
    """A session policy that does not fit is told before."""
    steps = [
        {
            "name": f"s{index}",
            "call": "dynamodb:GetItem",
            "params": {"TableName": f"{index}{'x' * 200}", "Key": {"pk": {"S": "1"}}},
        }
        for index in range(12)
    ]
    runbook = {**approved_runbook, "step": steps}
    ticket = _ticket(runbook)
    approve(store, ticket)

    with pytest.raises(ConfigurationError, match="session policy has"):
        dynaguard.task(runbook, role=ROLE).__enter__()

    with dynaguard.task(runbook) as task:
        assert task.boundary.ticket == ticket


def test_both_the_runbook_and_the_policy_may_want_an_approval(store: MemoryStore) -> None:
    """Nothing is used up before both are given; the boundary goes by the policy's."""
    terms = {"any_of": ["leads"]}
    runbook = {**ON_CALL_ONLY, "access": {"approval": {**terms, "timeout_s": 900}}}
    pin = {"sha256": read_runbook(runbook).sha256, "approval": terms}
    dynaguard.install({**POLICY, "runbooks": {"look": pin}}, identity=ETL_ARN, access_store=store)

    first = _ticket(runbook)
    approve(store, first)
    second = _ticket(runbook)
    assert _ticket(runbook) == second != first
    approve(store, second)

    with dynaguard.task(runbook) as task:
        assert task.boundary.ticket == second
