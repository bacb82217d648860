"""Boundaries narrow: a task makes the calls that it names while it lasts, whatever allows more."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

import boto3
import pytest

import dynaguard
from dynaguard.access.boundaries import Boundaries
from dynaguard.access.clock import StrictClock
from dynaguard.boundary import Boundary
from dynaguard.call import Authorization, Principal
from dynaguard.runbooks.binding import bind
from dynaguard.runbooks.reading import read_runbook
from dynaguard.scope import ScopeManager

ORDERS = "arn:aws:dynamodb:eu-west-1:111122223333:table/orders"
TABLE = "arn:aws:dynamodb:eu-west-1:*:table/orders"
READ_ONE = json.dumps(
    [{"Effect": "Allow", "Action": "dynamodb:GetItem", "Resource": TABLE}],
)
GET_A1 = json.dumps(
    [
        {
            "step": "get",
            "service": "dynamodb",
            "operation": "GetItem",
            "params": {"TableName": "orders", "Key": {"order_id": {"S": "A-1"}}},
        }
    ]
)
ALLOW_ALL: Mapping[str, Any] = {"version": 1, "default": "allow", "govern": ["dynamodb"]}
DENY_ALL: Mapping[str, Any] = {"version": 1, "default": "deny", "govern": ["dynamodb"]}


def _task(**fields: Any) -> Boundary:
    return Boundary(kind="runbook", name="get-order", task="INC-1", **fields)


@contextmanager
def _within(*boundaries: Boundary) -> Iterator[None]:
    with ScopeManager(lambda scope: replace(scope, boundaries=boundaries)):
        yield


@pytest.fixture
def dynamodb(monkeypatch: pytest.MonkeyPatch) -> Any:
    """A client whose calls are answered before they leave: who gets an answer was let through."""
    client = boto3.client("dynamodb", region_name="eu-west-1")
    answer = type("Answer", (), {"status_code": 200})()
    client.meta.events.register("before-call.dynamodb", lambda **_: (answer, {"Answered": True}))
    return client


def _reason(call: Any, **params: Any) -> str:
    with pytest.raises(dynaguard.PolicyDenied) as caught:
        call(**params)
    return caught.value.reason


def test_what_a_boundary_names_goes_on(dynamodb: Any) -> None:
    """The policy allows it, and so does the boundary."""
    dynaguard.install(ALLOW_ALL)

    with _within(_task(statements=READ_ONE)):
        assert dynamodb.get_item(TableName="orders", Key={"order_id": {"S": "A-1"}})["Answered"]


def test_any_other_call_is_refused(dynamodb: Any) -> None:
    """The policy allows everything, the boundary one call."""
    dynaguard.install(ALLOW_ALL)

    with _within(_task(statements=READ_ONE)):
        reason = _reason(dynamodb.scan, TableName="orders")

    assert reason == (
        "outside of the runbook `get-order` (task `INC-1`): no step of it needs `Scan` like this"
    )


def test_a_boundary_allows_nothing_by_itself(dynamodb: Any) -> None:
    """What no statement of the policy allows stays refused inside."""
    dynaguard.install(DENY_ALL)

    with _within(_task(statements=READ_ONE)):
        reason = _reason(dynamodb.get_item, TableName="orders", Key={"order_id": {"S": "A-1"}})

    assert reason == "no statement allows it"


def test_boundaries_hold_without_any_policy(dynamodb: Any) -> None:
    """Nothing is denied without a policy, but a task still makes its own calls alone."""
    dynaguard.install(None)

    with _within(_task(statements=READ_ONE)):
        reason = _reason(dynamodb.scan, TableName="orders")

    assert "no step of it needs `Scan`" in reason


def test_boundaries_hold_for_services_that_no_policy_governs() -> None:
    """A task that names DynamoDB alone sends nothing to others."""
    dynaguard.install(ALLOW_ALL)
    sqs = boto3.client("sqs", region_name="eu-west-1")

    with _within(_task(statements=READ_ONE)):
        reason = _reason(sqs.list_queues)

    assert "no step of it needs `ListQueues`" in reason


def test_every_boundary_has_to_allow(dynamodb: Any) -> None:
    """Nested tasks only narrow."""
    dynaguard.install(ALLOW_ALL)
    writes = json.dumps(
        [{"Effect": "Allow", "Action": "dynamodb:PutItem", "Resource": TABLE}],
    )

    with _within(_task(statements=READ_ONE), _task(statements=writes)):
        reason = _reason(dynamodb.get_item, TableName="orders", Key={"order_id": {"S": "A-1"}})

    assert "no step of it needs `GetItem`" in reason


def test_a_boundary_ends(dynamodb: Any) -> None:
    """From its end on no call passes, and the refusal says since when."""
    dynaguard.install(ALLOW_ALL)

    with _within(_task(expires_epoch_s=1_000_000_000.0)):
        reason = _reason(dynamodb.get_item, TableName="orders", Key={"order_id": {"S": "A-1"}})

    assert reason.endswith("it ended at 2001-09-09T01:46:40Z")


def test_templates_name_the_whole_request(dynamodb: Any) -> None:
    """Another key than the one that the run was begun with is another call."""
    dynaguard.install(ALLOW_ALL)

    with _within(_task(statements=READ_ONE, templates=GET_A1)):
        reason = _reason(dynamodb.get_item, TableName="orders", Key={"order_id": {"S": "B-2"}})
        assert dynamodb.get_item(TableName="orders", Key={"order_id": {"S": "A-1"}})["Answered"]

    assert reason.endswith("`Key` of `GetItem` is not as step `get` has it")
    assert "B-2" not in reason


def test_a_trusted_runbook_is_allowed_what_its_steps_need(dynamodb: Any) -> None:
    """While it runs; the same call outside is refused."""
    pin = {"get-order": {"sha256": "ab" * 32}}
    guard = dynaguard.install(DENY_ALL)
    _trust(guard, pin)

    with _within(_task(statements=READ_ONE, runbook_sha256="ab" * 32)):
        answer = dynamodb.get_item(TableName="orders", Key={"order_id": {"S": "A-1"}})

    assert answer["Answered"]
    _reason(dynamodb.get_item, TableName="orders", Key={"order_id": {"S": "A-1"}})


def test_a_runbook_with_another_content_is_not_trusted(dynamodb: Any) -> None:
    """A pin is for one content hash."""
    guard = dynaguard.install(DENY_ALL)
    _trust(guard, {"get-order": {"sha256": "ab" * 32}})

    with _within(_task(statements=READ_ONE, runbook_sha256="cd" * 32)):
        reason = _reason(dynamodb.get_item, TableName="orders", Key={"order_id": {"S": "A-1"}})

    assert reason == "no statement allows it"


def _trust(guard: Any, pins: Mapping[str, Mapping[str, str]]) -> None:
    """Pins runbooks in the guard in force."""
    from dynaguard.policy.model import RunbookPin

    guard.rooms.access._runbooks = {
        name: RunbookPin(name, pin["sha256"]) for name, pin in pins.items()
    }


def test_the_values_of_a_boundary_stay_out_of_its_repr() -> None:
    """Statements and templates may hold keys of items."""
    text = repr(_task(statements="CANARY-4711", templates="CANARY-4711"))

    assert "CANARY" not in text


def test_a_boundary_travels_as_a_mapping() -> None:
    """What is written is read; what is None is left out."""
    boundary = _task(statements=READ_ONE, max_items=5)

    assert Boundary.from_dict(boundary.as_dict()) == boundary
    assert "max_pages" not in boundary.as_dict()


def test_an_unknown_attribute_of_a_boundary_is_refused() -> None:
    """A newer version may limit more than this one knows: it does not go on without."""
    with pytest.raises(TypeError):
        Boundary.from_dict({"kind": "agent", "name": "a", "task": "t", "max_dollars": 1})


@pytest.fixture
def sts() -> Any:
    """A client of STS whose calls are answered before they leave."""
    client = boto3.client("sts", region_name="eu-west-1")
    answer = type("Answer", (), {"status_code": 200})()
    client.meta.events.register("before-call.sts", lambda **_: (answer, {"Answered": True}))
    return client


@pytest.mark.parametrize("name", ["get_caller_identity", "get_session_token"])
def test_a_call_that_needs_no_permission_is_refused_unless_it_is_named(
    sts: Any, name: str
) -> None:
    """IAM could not refuse it, the boundary does: new credentials are had by such a call."""
    with dynaguard.install(ALLOW_ALL), _within(_task(statements=READ_ONE)):
        assert "like this" in _reason(getattr(sts, name))


def test_statements_name_a_call_that_needs_no_permission(sts: Any) -> None:
    """By its action, on any resource."""
    named = json.dumps([{"Effect": "Allow", "Action": "sts:GetCallerIdentity", "Resource": "*"}])
    with dynaguard.install(ALLOW_ALL), _within(_task(statements=named)):
        assert sts.get_caller_identity() == {"Answered": True}


def test_a_step_names_a_call_that_needs_no_permission(sts: Any) -> None:
    """No statement of it is compiled, since IAM knows none; its template names it."""
    step = {"name": "who", "call": "sts:GetCallerIdentity"}
    other = {"name": "get", "call": "dynamodb:ListTables"}
    named = {"runbook": 1, "name": "who", "purpose": "p", "owner": "o", "step": [step, other]}
    bound = bind(read_runbook(named), {}, region="eu-west-1", account_id=None)
    boundary = bound.boundary("INC-1", expires_epoch_s=4e9)

    with dynaguard.install(ALLOW_ALL), _within(boundary):
        assert sts.get_caller_identity() == {"Answered": True}
        assert "no step of it calls" in _reason(sts.get_session_token)


def test_no_presigned_url_outlives_a_boundary(dynamodb: Any) -> None:
    """It could be used for days; AWS would not know of the end."""
    params = {"TableName": "orders", "Key": {"order_id": {"S": "A-1"}}}
    with dynaguard.install(ALLOW_ALL):
        with _within(_task(statements=READ_ONE)):
            dynamodb.generate_presigned_url("get_item", Params=params)
        with _within(_task(statements=READ_ONE, expires_epoch_s=4e9)):
            assert "after its end" in _reason(
                dynamodb.generate_presigned_url, ClientMethod="get_item", Params=params
            )
            assert dynamodb.get_item(**params) == {"Answered": True}


def test_a_trusted_runbook_that_names_no_call_opens_none(dynamodb: Any) -> None:
    """It opens what its statements name; without statements that is nothing, not everything."""
    guard = dynaguard.install(DENY_ALL)
    _trust(guard, {"get-order": {"sha256": "ab" * 32}})

    with _within(_task(runbook_sha256="ab" * 32)):
        reason = _reason(dynamodb.get_item, TableName="orders", Key={"order_id": {"S": "A-1"}})

    assert reason == "no statement allows it"


@pytest.mark.parametrize("text", ["{", "7", '[{"Effect": "Allow"}]', '["a"]'])
def test_statements_that_cannot_be_read_allow_nothing(dynamodb: Any, text: str) -> None:
    """Whatever the policy allows, and whatever `on_error` says."""
    dynaguard.install(ALLOW_ALL, on_error="allow")

    with _within(_task(statements=text)):
        reason = _reason(dynamodb.get_item, TableName="orders", Key={"order_id": {"S": "A-1"}})

    assert reason.endswith("no step of it needs `GetItem` like this")


@pytest.mark.parametrize("text", ["{", "7", "[7]", "[{}]", '[{"service": "dynamodb"}]'])
def test_templates_that_cannot_be_read_allow_nothing(dynamodb: Any, text: str) -> None:
    """Whatever the policy allows, and whatever `on_error` says."""
    dynaguard.install(ALLOW_ALL, on_error="allow")

    with _within(_task(templates=text)):
        reason = _reason(dynamodb.get_item, TableName="orders", Key={"order_id": {"S": "A-1"}})

    assert reason.endswith("its templates cannot be read")


def test_a_process_of_many_tasks_keeps_no_boundary_for_ever() -> None:
    """What is read of boundaries is dropped when there is too much; then it is read again."""
    boundaries = Boundaries(StrictClock())
    needs = [Authorization("dynamodb:GetItem", f"{ORDERS}-{number}") for number in range(300)]
    tasks = [
        _task(
            statements=json.dumps([{"Effect": "Allow", "Action": "*", "Resource": each.resource}])
        )
        for each in needs
    ]

    def allowed(task: Boundary, need: Authorization) -> bool:
        return boundaries.allows(task, need, Principal(), lambda *_: lambda _: ())

    assert all(allowed(task, need) for task, need in zip(tasks, needs, strict=True))
    assert len(boundaries._policies) <= 256
    assert allowed(tasks[0], needs[0])
    assert not allowed(tasks[0], needs[1])
