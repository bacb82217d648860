"""The example of an agent: its role's documents, its task, and how it asks and goes on."""

from __future__ import annotations

import importlib.util
import json
import runpy
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

import pytest

import dynaguard
from dynaguard import PolicyDenied
from dynaguard.hooks import task_sessions
from dynaguard.policy.loading import load_policy
from dynaguard.testing.stores import MemoryStore
from tests.access.approving import ETL_ARN, POLICY, approve, deny
from tests.hooks.conftest import Wire
from tests.runbooks.tasks.conftest import ROLE, FakeClock, FakeSts, new_client, wired

EXAMPLE = Path(__file__).resolve().parents[2] / "docs" / "examples" / "agent"
TABLE = "arn:aws:dynamodb:eu-west-1:123456789012:table/orders"
CALLER = "arn:aws:iam::123456789012:role/agent-runner"
KEY = {"pk": {"S": "1"}}


def load(name: str) -> ModuleType:
    """A module of the example."""
    spec = importlib.util.spec_from_file_location(f"example_{name}", EXAMPLE / f"{name}.py")
    assert spec
    assert spec.loader
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_the_role_gives_what_the_agent_s_task_narrows() -> None:
    """Every action of the task is the role's; the role gives nothing but reads of one table."""
    role, agent = load("role"), load("agent")
    document = load_policy(role.permission_policy(TABLE), environ={})

    (statement,) = role.permission_policy(TABLE)["Statement"]
    assert document.statements
    assert set(agent.READ_ORDERS[0]["Action"]) <= set(statement["Action"])
    assert statement["Resource"] == [TABLE, f"{TABLE}/index/*"]


def test_one_caller_may_assume_it_and_has_to_say_for_whom() -> None:
    """The source identity is what `agent.py` sets."""
    (statement,) = load("role").trust_policy(CALLER)["Statement"]

    assert statement["Principal"] == {"AWS": CALLER}
    assert statement["Action"] == ["sts:AssumeRole", "sts:SetSourceIdentity"]
    assert statement["Condition"] == {"StringLike": {"sts:SourceIdentity": "agent-*"}}


def test_the_pulumi_program_makes_that_role(monkeypatch: pytest.MonkeyPatch) -> None:
    """Run with stand-ins for Pulumi: its documents are JSON, its sessions an hour at most."""
    made: dict[str, dict[str, Any]] = {}

    def resource(name: str, **arguments: Any) -> Any:
        made[name] = arguments
        return SimpleNamespace(id=name, arn=ROLE)

    config = {"caller_arn": CALLER, "table_arn": TABLE}
    exported: dict[str, Any] = {}
    pulumi = SimpleNamespace(
        Config=lambda: SimpleNamespace(require=config.__getitem__),
        export=exported.__setitem__,
    )
    aws = SimpleNamespace(iam=SimpleNamespace(Role=resource, RolePolicy=resource))
    monkeypatch.setitem(sys.modules, "pulumi", pulumi)
    monkeypatch.setitem(sys.modules, "pulumi_aws", aws)
    monkeypatch.setitem(sys.modules, "role", load("role"))

    runpy.run_path(str(EXAMPLE / "__main__.py"))

    role = made["orders-agent"]
    assert role["max_session_duration"] == 3600
    assert json.loads(role["assume_role_policy"]) == load("role").trust_policy(CALLER)
    policy = json.loads(made["orders-agent-reads"]["policy"])
    assert policy == load("role").permission_policy(TABLE)
    assert exported == {"role_arn": ROLE}


def test_the_agent_works_within_its_task(monkeypatch: pytest.MonkeyPatch) -> None:
    """By its own name, in a session of its own, and denials tell it what to do."""
    clock = FakeClock()
    clock.now_s = 4_000_000_000.0
    sts, wire = FakeSts(clock), Wire()
    monkeypatch.setattr(task_sessions, "sts_client_maker", lambda base: sts.make)
    dynaguard.install({"version": 1, "default": "allow", "govern": ["dynamodb"]})
    denials: list[dict[str, Any]] = []

    def work(client: Any) -> None:
        wired(client, wire).get_item(TableName="orders", Key=KEY)
        with pytest.raises(PolicyDenied) as caught:
            client.scan(TableName="orders")
        denials.append(caught.value.as_dict())

    load("agent").run_agent(work, ROLE, "TCK-9")

    (denial,) = denials
    assert sts.asked[0]["SourceIdentity"] == "agent-TCK-9"
    assert json.loads(sts.asked[0]["Policy"])["Statement"][0]["Action"] == [
        "dynamodb:GetItem",
        "dynamodb:Query",
    ]
    assert wire.headers()["x-dynaguard-correlation-id"] == "TCK-9"
    assert denial["acting_as"] == "orders-agent"
    assert denial["how_to_ask"]["can_be_granted"] is False


@pytest.fixture
def store() -> MemoryStore:
    """Where tickets and grants are kept."""
    return MemoryStore()


@pytest.fixture
def agent_call(store: MemoryStore) -> Iterator[tuple[Any, Wire]]:
    """A client whose process is the role `etl`, and its wire."""
    wire = Wire()
    with dynaguard.install(dict(POLICY), identity=ETL_ARN, access_store=store):
        yield new_client(wire), wire


def _decides(store: MemoryStore, decide: Any) -> threading.Thread:
    """Somebody who decides the first ticket that opens."""
    pause = threading.Event()

    def look() -> None:
        for _ in range(200):
            for record in store.records("ticket", after_epoch_s=0):
                decide(store, json.loads(record.body)["id"])
                return
            pause.wait(0.05)

    thread = threading.Thread(target=look, daemon=True)
    thread.start()
    return thread


def test_it_asks_for_an_approval_and_goes_on(
    agent_call: tuple[Any, Wire], store: MemoryStore
) -> None:
    """Refused, approved, sent: once."""
    client, wire = agent_call
    thread = _decides(store, approve)

    load("agent").ask_and_go_on(client.delete_item, TableName="orders", Key=KEY)

    thread.join(10)
    assert len(wire.sent) == 1


def test_it_asks_for_a_grant_and_goes_on(agent_call: tuple[Any, Wire], store: MemoryStore) -> None:
    """What no statement allows, somebody allows for a while."""
    client, wire = agent_call
    thread = _decides(store, approve)

    load("agent").ask_and_go_on(client.put_item, TableName="orders", Item=KEY)

    thread.join(10)
    assert len(wire.sent) == 1


def test_it_does_not_go_on_when_it_is_denied(
    agent_call: tuple[Any, Wire], store: MemoryStore
) -> None:
    """The denial passes, and nothing was sent."""
    client, wire = agent_call
    thread = _decides(store, deny)

    with pytest.raises(PolicyDenied):
        load("agent").ask_and_go_on(client.delete_item, TableName="orders", Key=KEY)

    thread.join(10)
    assert wire.sent == []


def test_it_asks_nobody_where_that_would_be_in_vain(
    agent_call: tuple[Any, Wire], store: MemoryStore
) -> None:
    """A Deny stands whatever anybody grants."""
    client, wire = agent_call

    with pytest.raises(PolicyDenied):
        load("agent").ask_and_go_on(client.get_item, TableName="prod-orders", Key=KEY)

    assert store.records("ticket", after_epoch_s=0) == []
    assert wire.sent == []
