"""`task()`: what it draws around its calls, and that it ends with it."""

from __future__ import annotations

import asyncio
import threading
from typing import Any

import pytest

import dynaguard
from dynaguard import ConfigurationError, PolicyDenied
from dynaguard.runbooks.orders import Order
from dynaguard.runbooks.tasks import TaskManager
from dynaguard.scope import EMPTY_SCOPE, current_scope
from tests.hooks.conftest import Wire
from tests.runbooks.tasks.conftest import FakeClock, new_client, wired

POLICY = {"version": 1, "default": "allow", "govern": ["dynamodb"]}
ORDERS = "arn:aws:dynamodb:*:*:table/orders"
KEY = {"pk": {"S": "1"}}


def reading() -> TaskManager:
    """A task that may read single orders."""
    return dynaguard.task(
        name="fix orders", actions=["dynamodb:GetItem"], resources=[ORDERS], duration_s=60
    )


@pytest.mark.smoke
def test_calls_outside_of_its_statements_are_refused(wire: Wire) -> None:
    """Only what the task names goes out, whatever the policy allows."""
    dynaguard.install(POLICY)
    client = new_client(wire)

    with reading():
        client.get_item(TableName="orders", Key=KEY)
        with pytest.raises(PolicyDenied, match="outside of the task `fix orders`"):
            client.scan(TableName="orders")

    assert len(wire.sent) == 1


def test_a_task_only_narrows(wire: Wire) -> None:
    """What the policy refuses stays refused in a task that names it."""
    dynaguard.install({"version": 1, "default": "deny", "govern": ["dynamodb"]})
    client = new_client(wire)

    with reading(), pytest.raises(PolicyDenied):
        client.get_item(TableName="orders", Key=KEY)

    assert wire.sent == []


def test_leaving_it_restores_the_scope(wire: Wire) -> None:
    """After the task a call is what it was before."""
    dynaguard.install(POLICY)
    client = new_client(wire)

    with reading():
        pass
    client.scan(TableName="orders")

    assert current_scope() == EMPTY_SCOPE
    assert len(wire.sent) == 1


def test_its_client_is_refused_once_it_is_over(wire: Wire) -> None:
    """A client that outlives its task sends nothing."""
    dynaguard.install(POLICY)
    with reading() as task:
        client = wired(task.client("dynamodb"), wire)
        client.get_item(TableName="orders", Key=KEY)

    with pytest.raises(PolicyDenied, match="it has ended"):
        client.get_item(TableName="orders", Key=KEY)

    assert len(wire.sent) == 1
    assert task.is_over


def test_its_credentials_are_refused_once_it_is_over() -> None:
    """Nothing is handed out after the end, as keys or as environment."""
    dynaguard.install(POLICY)
    with reading() as task:
        assert task.credentials().access_key_id == "AKIAIOSFODNN7EXAMPLE"

    with pytest.raises(PolicyDenied, match="has ended"):
        task.credentials()
    with pytest.raises(PolicyDenied, match="has ended"):
        task.environ()


def test_its_client_is_within_it_in_a_thread_that_inherits_no_scope(wire: Wire) -> None:
    """The boundary travels with the session, so that forgetting `carry` widens nothing."""
    dynaguard.install(POLICY)
    errors: list[BaseException] = []
    with reading() as task:
        client = wired(task.client("dynamodb"), wire)

        def work() -> None:
            try:
                client.scan(TableName="orders")
            except PolicyDenied as err:
                errors.append(err)

        thread = threading.Thread(target=work)
        thread.start()
        thread.join()

    assert "outside of the task" in str(errors[0])
    assert wire.sent == []


def test_a_carried_scope_ends_with_the_task(wire: Wire) -> None:
    """A worker that goes on after the task was left may do nothing more by it."""
    dynaguard.install(POLICY)
    client = new_client(wire)
    with reading():
        work = dynaguard.carry(client.get_item)

    with pytest.raises(PolicyDenied, match="it has ended"):
        work(TableName="orders", Key=KEY)


def test_nested_tasks_intersect(wire: Wire) -> None:
    """A call has to be named by both, and the inner one ends no later than the outer."""
    dynaguard.install(POLICY)
    client = new_client(wire)

    with (
        reading() as outer,
        dynaguard.task(name="all", actions=["dynamodb:*"], duration_s=3600) as inner,
    ):
        client.get_item(TableName="orders", Key=KEY)
        with pytest.raises(PolicyDenied, match="fix orders"):
            client.scan(TableName="orders")

    assert inner.expires_at == outer.expires_at


def test_the_inner_of_two_tasks_uses_the_session_of_the_outer(wire: Wire) -> None:
    """Without a role it borrows what is around it, so the outer's end is its end."""
    dynaguard.install(POLICY)
    manager = reading()
    manager.__enter__()
    with dynaguard.task(name="inner") as inner:
        client = wired(inner.client("dynamodb"), wire)
        manager.__exit__(None, None, None)

        with pytest.raises(PolicyDenied, match="has ended"):
            client.get_item(TableName="orders", Key=KEY)

    assert current_scope() == EMPTY_SCOPE


def test_scopes_left_out_of_order_stay_balanced() -> None:
    """A task that a generator leaves late takes nobody else's scope away."""
    dynaguard.install(POLICY)
    first, second = reading(), reading()
    first.__enter__()
    inner = second.__enter__()

    first.__exit__(None, None, None)

    assert current_scope() is inner.scope
    second.__exit__(None, None, None)
    assert current_scope() == EMPTY_SCOPE


def test_leaving_it_in_another_context_ends_it(wire: Wire) -> None:
    """Whoever leaves it: its session is over, and the scope of that context stays its own."""
    dynaguard.install(POLICY)
    manager = reading()
    task = manager.__enter__()
    names: list[str | None] = []

    def leave_elsewhere() -> None:
        with dynaguard.job("other"):
            manager.__exit__(None, None, None)
            names.append(current_scope().job)

    thread = threading.Thread(target=leave_elsewhere)
    thread.start()
    thread.join()

    assert task.is_over
    assert names == ["other"]


def test_two_tasks_at_once_in_threads_keep_apart(wire: Wire) -> None:
    """Each thread is in its own task."""
    dynaguard.install(POLICY)
    barrier = threading.Barrier(2)
    seen: dict[str, tuple[str | None, ...]] = {}

    def work(name: str) -> None:
        with dynaguard.task(name=name, duration_s=60):
            barrier.wait(10)
            seen[name] = tuple(boundary.name for boundary in current_scope().boundaries)
            barrier.wait(10)

    threads = [threading.Thread(target=work, args=(name,)) for name in ("one", "two")]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert seen == {"one": ("one",), "two": ("two",)}


def test_two_tasks_at_once_in_asyncio_keep_apart() -> None:
    """Each asyncio task is in its own task, and inherits that of whoever began it."""
    dynaguard.install(POLICY)

    async def work(name: str) -> tuple[str, ...]:
        async with dynaguard.task(name=name, duration_s=60):
            await asyncio.sleep(0)
            return tuple(boundary.name for boundary in current_scope().boundaries)

    async def both() -> list[tuple[str, ...]]:
        async with dynaguard.task(name="outer", duration_s=60):
            return await asyncio.gather(work("one"), work("two"))

    assert asyncio.run(both()) == [("outer", "one"), ("outer", "two")]


def test_the_incident_is_the_correlation_id_of_its_calls(wire: Wire) -> None:
    """So that the calls of a task are found by the incident."""
    dynaguard.install(POLICY)
    client = new_client(wire)

    with dynaguard.task(name="fix", incident="INC 2041", duration_s=60) as task:
        client.get_item(TableName="orders", Key=KEY)

    assert task.correlation_id == "INC-2041"
    assert wire.headers()["x-dynaguard-correlation-id"] == "INC-2041"


def test_its_time_ends_it(clock: FakeClock) -> None:
    """A task that stays incomplete loses its access all the same."""
    dynaguard.install(POLICY)
    order = Order(bound=None, name="fix", duration_s=60)
    with TaskManager(order, clock=clock) as task:
        clock.advance(59)
        assert not task.is_over
        clock.advance(1)

        with pytest.raises(PolicyDenied, match="has ended"):
            task.credentials()


def test_a_wall_clock_that_is_put_back_prolongs_nothing(clock: FakeClock) -> None:
    """The later of two clocks counts for an end."""
    dynaguard.install(POLICY)
    with TaskManager(Order(bound=None, name="fix", duration_s=60), clock=clock) as task:
        clock.advance(61)
        clock.now_s -= 3600

        assert task.is_over


def test_a_wall_clock_that_is_put_forward_ends_it_early(clock: FakeClock) -> None:
    """Early is safe."""
    dynaguard.install(POLICY)
    with TaskManager(Order(bound=None, name="fix", duration_s=60), clock=clock) as task:
        clock.now_s += 3600

        assert task.is_over


def test_without_guard_and_role_nothing_would_enforce_it() -> None:
    """So it does not begin."""
    with pytest.raises(ConfigurationError, match="nothing would hold the task"):
        reading().__enter__()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"duration_s": 0}, "more than 0"),
        ({"duration_s": -5}, "more than 0"),
        ({"duration_s": float("nan")}, "more than 0"),
        ({"duration_s": float("inf")}, "more than 0"),
        ({"duration_s": "900"}, "type str"),
        ({"duration_s": True}, "type bool"),
        ({"id": "a b"}, "task id"),
        ({"id": ""}, "task id"),
        ({"id": "x" * 65}, "task id"),
        ({"name": ""}, "task name"),
        ({"incident": "\n"}, "incident"),
        ({"actions": "dynamodb:GetItem"}, "write"),
        ({"resources": [ORDERS]}, "without `actions`"),
        ({"statements": []}, "empty"),
        ({"statements": {"Effect": "Allow"}}, "list"),
        ({"statements": [{"Effect": "Deny", "Action": "*", "Resource": "*"}]}, "Allow"),
        ({"statements": [{"Effect": "Allow", "Action": "x", "Resource": "*"}]}, "x"),
        (
            {
                "statements": [{"Effect": "Allow", "Action": "s3:*", "Resource": "*"}],
                "actions": ["s3:*"],
            },
            "keep one",
        ),
        ({"params": {}}, "no `runbook`"),
        ({"role": "admin"}, "no ARN of a role"),
    ],
)
def test_arguments_that_cannot_be_used_are_refused_at_once(
    arguments: dict[str, Any], message: str
) -> None:
    """Before anything begins, in one clause."""
    with pytest.raises(ConfigurationError, match=message):
        dynaguard.task(**arguments)


def test_prolonged_access_is_refused() -> None:
    """A task does not last longer than the settings give."""
    dynaguard.install(POLICY)

    with pytest.raises(ConfigurationError, match="access_max_duration_s"):
        dynaguard.task(name="fix", duration_s=86_401).__enter__()


def test_a_task_in_one_that_is_over_does_not_begin(clock: FakeClock) -> None:
    """Nothing begins anew what has ended."""
    dynaguard.install(POLICY)
    with TaskManager(Order(bound=None, name="outer", duration_s=60), clock=clock):
        clock.advance(60)

        with pytest.raises(PolicyDenied, match="task around it is over"):
            TaskManager(Order(bound=None, name="inner"), clock=clock).__enter__()


def test_an_id_whose_task_could_not_begin_may_be_taken(wire: Wire) -> None:
    """Only what began has used it."""
    dynaguard.install(POLICY)
    table = "arn:aws:dynamodb:*:*:table/"
    many = [
        {"Effect": "Allow", "Action": f"dynamodb:{name}", "Resource": f"{table}{index:0500}"}
        for index, name in enumerate(("GetItem", "Query", "Scan", "PutItem", "UpdateItem"))
    ]
    role = "arn:aws:iam::123456789012:role/fixer"
    with pytest.raises(ConfigurationError, match="session policy has"):
        dynaguard.task(id="taken-later", statements=many, role=role).__enter__()

    with dynaguard.task(id="taken-later") as task:
        assert task.id == "taken-later"


def test_a_task_does_not_begin_in_a_carried_scope_that_has_ended() -> None:
    """A worker cannot go on by a task of its own."""
    dynaguard.install(POLICY)
    with reading():
        work = dynaguard.carry(lambda: dynaguard.task(name="more").__enter__())

    with pytest.raises(PolicyDenied, match="task around it is over"):
        work()
