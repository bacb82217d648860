"""`acting_as()` with a task, an end and limits: a scope that only ever narrows."""

from __future__ import annotations

import json
import os
import pickle
import subprocess
import sys
import threading
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

import dynaguard
from dynaguard import ConfigurationError, PolicyDenied
from dynaguard.scope import current_scope
from dynaguard.settings.carried import MAX_SCOPE_CHARACTERS, Unreadable, read_scope_text
from tests.hooks.conftest import Wire
from tests.runbooks.tasks.conftest import new_client

POLICY = {"version": 1, "default": "allow", "govern": ["dynamodb"]}
KEY = {"pk": {"S": "1"}}
READING = [
    {
        "Effect": "Allow",
        "Action": "dynamodb:GetItem",
        "Resource": "arn:aws:dynamodb:*:*:table/orders",
    }
]
SECOND_PROGRAM = """
import dynaguard, json, sys
from dynaguard import PolicyDenied
from tests.hooks.conftest import Wire
from tests.runbooks.tasks.conftest import new_client
dynaguard.install({"version": 1, "default": "allow", "govern": ["dynamodb"]})
client = new_client(Wire())
client.get_item(TableName="orders", Key={"pk": {"S": "1"}})
try:
    client.scan(TableName="orders")
except PolicyDenied as err:
    print(err)
print(json.dumps(dynaguard.scope_environ()["DYNAGUARD_SCOPE"]))
"""


def in_subprocess(code: str, environ: dict[str, str]) -> subprocess.CompletedProcess[str]:
    """A Python of its own, with these variables beside the test's."""
    return subprocess.run(
        [sys.executable, "-W", "ignore", "-c", code],
        env={**os.environ, **environ},
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )


def test_without_limits_it_draws_no_boundary() -> None:
    """As before: a name, a kind and groups."""
    with dynaguard.acting_as("support-bot", ["support"]) as scope:
        assert scope.acting_name == "support-bot"
        assert (scope.task, scope.boundaries) == (None, ())


def test_each_entering_is_a_task_of_its_own() -> None:
    """Its use of the limits is counted by that id."""
    manager = dynaguard.acting_as("support bot", max_items=10)
    with manager as first:
        pass
    with manager as second:
        pass

    assert first.task != second.task
    assert str(first.task).startswith("support-bot-")
    assert first.boundaries[0].max_items == 10


def test_a_given_task_is_kept() -> None:
    """So that a ticket system's id is on every record."""
    with dynaguard.acting_as("bot", task="TCK-9") as scope:
        assert scope.task == scope.boundaries[0].task == "TCK-9"


def test_an_agent_is_refused_after_its_end(wire: Wire) -> None:
    """The boundary ends; calls outside of it go on."""
    dynaguard.install(POLICY)
    client = new_client(wire)

    with (
        dynaguard.acting_as("bot", until=datetime(2020, 1, 1, tzinfo=UTC)),
        pytest.raises(PolicyDenied, match="ended at 2020-01-01T00:00:00Z"),
    ):
        client.get_item(TableName="orders", Key=KEY)
    client.get_item(TableName="orders", Key=KEY)

    assert len(wire.sent) == 1


def test_expires_in_counts_from_entering() -> None:
    """A decorator or a kept manager does not age."""
    now_s = 1000.0
    manager = dynaguard.acting_as("bot", expires_in=timedelta(minutes=1), time_s=lambda: now_s)
    now_s = 5000.0
    with manager as scope:
        assert scope.boundaries[0].expires_epoch_s == 5060.0


def test_an_inner_end_that_is_later_extends_nothing(wire: Wire) -> None:
    """Both have to allow a call."""
    dynaguard.install(POLICY)
    client = new_client(wire)

    with (
        dynaguard.acting_as("outer", until=datetime(2020, 1, 1, tzinfo=UTC)),
        dynaguard.acting_as("inner", expires_in=3600),
        pytest.raises(PolicyDenied, match="agent `outer`"),
    ):
        client.get_item(TableName="orders", Key=KEY)


def test_its_statements_narrow(wire: Wire) -> None:
    """An agent that is given one call may make that one."""
    dynaguard.install(POLICY)
    client = new_client(wire)

    with dynaguard.acting_as("bot", statements=READING):
        client.get_item(TableName="orders", Key=KEY)
        with pytest.raises(PolicyDenied, match="outside of the agent `bot`"):
            client.scan(TableName="orders")
        with (
            dynaguard.acting_as("bot-2", statements=[{**READING[0], "Action": "dynamodb:*"}]),
            pytest.raises(PolicyDenied, match="outside of the agent `bot`"),
        ):
            client.scan(TableName="orders")


def test_threads_keep_it_by_carry(wire: Wire) -> None:
    """A worker of an agent is the agent."""
    dynaguard.install(POLICY)
    client = new_client(wire)
    errors: list[str] = []

    def work() -> None:
        try:
            client.scan(TableName="orders")
        except PolicyDenied as err:
            errors.append(str(err))

    with dynaguard.acting_as("bot", statements=READING):
        thread = threading.Thread(target=dynaguard.carry(work))
        thread.start()
        thread.join()

    assert "agent `bot`" in errors[0]


def test_a_carried_boundary_pickles() -> None:
    """For worker processes."""
    with dynaguard.acting_as("bot", expires_in=60, statements=READING) as scope:
        carried = pickle.loads(pickle.dumps(dynaguard.carry(current_scope)))

    assert carried() == scope


def test_a_subprocess_is_within_it(repository: Any) -> None:
    """It reads the variable, holds to the boundary, and hands the same on."""
    with (
        dynaguard.acting_as("bot", ["support"], task="TCK-9", statements=READING),
        dynaguard.acting_as("helper", max_items=5, expires_in=600),
    ):
        environ = dynaguard.scope_environ()

    done = in_subprocess(SECOND_PROGRAM, {**environ, "PYTHONPATH": str(repository)})

    denial, handed_on = done.stdout.splitlines()
    assert "agent `bot` (task `TCK-9`)" in denial, done.stderr
    assert json.loads(handed_on) == environ["DYNAGUARD_SCOPE"]


def test_the_text_tells_an_operator_what_a_process_was_given() -> None:
    """Readable, compact, and the same scope when it is read."""
    with dynaguard.acting_as("bot", ["b", "a"], task="TCK-9", read_units=2.5) as scope:
        text = dynaguard.scope_environ()["DYNAGUARD_SCOPE"]

    assert json.loads(text) == {
        "v": 1,
        "task": "TCK-9",
        "acting": {"name": "bot", "kind": "agent", "groups": ["a", "b"]},
        "boundaries": [{"kind": "agent", "name": "bot", "task": "TCK-9", "read_units": 2.5}],
    }
    found = read_scope_text(text)
    assert found.boundaries == scope.boundaries
    assert found.acting_groups == frozenset({"a", "b"})


_GOOD = {"kind": "agent", "name": "bot", "task": "t"}


@pytest.mark.parametrize(
    "text",
    [
        "",
        "nonsense",
        "[" * 31_000,
        json.dumps({"v": 1, "boundaries": [{**_GOOD, "statements": "[" * 31_000}]}),
        "[]",
        "{}",
        '{"v":2,"boundaries":[]}',
        '{"v":1}',
        '{"v":1,"boundaries":[],"limits":{}}',
        '{"v":1,"boundaries":{}}',
        '{"v":1,"boundaries":[1]}',
        '{"v":1,"boundaries":[],"task":7}',
        '{"v":1,"boundaries":[],"acting":{"kind":"agent"}}',
        '{"v":1,"boundaries":[],"acting":{"name":"x","kind":"agent","groups":"all"}}',
        *(
            json.dumps({"v": 1, "boundaries": [{**_GOOD, **wrong}]})
            for wrong in (
                {"kind": "admin"},
                {"name": None},
                {"task": ""},
                {"max_items": "10"},
                {"max_items": 1.5},
                {"max_items": -1},
                {"max_items": True},
                {"expires_epoch_s": None},
                {"expires_epoch_s": "never"},
                {"expires_epoch_s": float("nan")},
                {"read_units": float("inf")},
                {"statements": []},
                {"statements": "{"},
                {"templates": "{}"},
                {"limit": 1},
            )
        ),
        json.dumps({"v": 1, "boundaries": [_GOOD], "task": "x" * MAX_SCOPE_CHARACTERS}),
    ],
)
def test_a_scope_that_cannot_be_read_lets_nothing_begin(
    text: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Fail closed: the process is not installed unbounded, and the error shows no content."""
    monkeypatch.setenv("DYNAGUARD_SCOPE", text)

    with pytest.raises(ConfigurationError, match="DYNAGUARD_SCOPE") as caught:
        dynaguard.install(POLICY)

    assert "nonsense" not in str(caught.value)
    assert dynaguard.status().settings == {}


def test_what_is_no_scope_says_what_writes_one() -> None:
    """The way out is in the message."""
    with pytest.raises(Unreadable, match="scope_environ"):
        read_scope_text("nonsense")


def test_a_scope_that_is_too_large_is_not_handed_on() -> None:
    """Better no subprocess than one without its boundary; the largest one is named."""
    statements = [
        {
            "Effect": "Allow",
            "Action": "dynamodb:GetItem",
            "Resource": f"arn:aws:dynamodb:*:*:table/{index:0100}",
        }
        for index in range(300)
    ]
    with (
        dynaguard.acting_as("small", max_items=1),
        dynaguard.acting_as("large", statements=statements),
        pytest.raises(ConfigurationError, match="largest boundary is agent `large`"),
    ):
        dynaguard.scope_environ()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"expires_in": 0}, "more than 0"),
        ({"expires_in": "60"}, "type str"),
        ({"expires_in": float("inf")}, "more than 0"),
        ({"expires_in": 60, "until": datetime(2030, 1, 1, tzinfo=UTC)}, "keep one"),
        ({"until": datetime(2030, 1, 1)}, "time zone"),  # noqa: DTZ001 - the mistake
        ({"max_items": 1.5}, "whole number"),
        ({"max_items": True}, "whole number"),
        ({"max_pages": -1}, "0 or more"),
        ({"read_units": float("nan")}, "0 or more"),
        ({"write_units": "5"}, "a number"),
        ({"task": ""}, "task"),
        ({"statements": []}, "empty"),
        ({"statements": [{**READING[0], "Effect": "Deny"}]}, "Allow"),
    ],
)
def test_arguments_that_cannot_be_used_are_refused(
    arguments: dict[str, Any], message: str
) -> None:
    """Before anything is entered."""
    with pytest.raises(ConfigurationError, match=message):
        dynaguard.acting_as("bot", **arguments)


@pytest.fixture
def wire() -> Wire:
    """Stands where the socket would be."""
    return Wire()
