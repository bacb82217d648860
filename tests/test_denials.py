"""Refusals as data: a stable shape, names alone, and words that work."""

from __future__ import annotations

import json
import pickle
import shlex
from pathlib import Path
from typing import Any

import jsonschema
import pytest

import dynaguard
from dynaguard import ApprovalRequired, PolicyDenied
from dynaguard.call import (
    UNKNOWN_ACCOUNT,
    Authorization,
    Decision,
    StatementRef,
    Verdict,
)
from tests.hooks.conftest import Wire
from tests.runbooks.tasks.conftest import new_client

SCHEMA = json.loads(
    (Path(dynaguard.__file__).parent / "denial.schema.json").read_text(encoding="utf-8")
)
SECRET = "an-item-value"
DENYING = {"version": 1, "default": "deny", "govern": ["dynamodb"]}


def refused(policy: dict[str, Any], operation: str = "get_item", **params: Any) -> PolicyDenied:
    """The denial of a call under a policy."""
    with dynaguard.install(policy, identity="etl"):
        client = new_client(Wire())
        with pytest.raises(PolicyDenied) as caught:
            getattr(client, operation)(
                **(params or {"TableName": "orders", "Key": {"pk": {"S": SECRET}}})
            )
    return caught.value


def test_a_denial_says_what_why_and_how_to_ask() -> None:
    """Everything that a program needs to ask for access and go on."""
    with dynaguard.correlation("INC-7"), dynaguard.acting_as("bot", task="TCK-9"):
        found = refused(DENYING).as_dict()

    jsonschema.validate(found, SCHEMA)
    resource = "arn:aws:dynamodb:eu-west-1:<unknown>:table/orders"
    assert {name: found[name] for name in ("service", "operation", "action", "resource")} == {
        "service": "dynamodb",
        "operation": "GetItem",
        "action": "dynamodb:GetItem",
        "resource": resource,
    }
    assert (found["verdict"], found["code"]) == ("implicit_deny", "AccessDeniedException")
    assert (found["identity"], found["acting_as"], found["task"]) == ("etl", "bot", "TCK-9")
    assert found["correlation_id"] == "INC-7"
    assert found["how_to_ask"]["can_be_granted"] is True
    assert found["how_to_ask"]["statements"] == [
        {
            "Effect": "Allow",
            "Action": "dynamodb:GetItem",
            "Resource": "arn:aws:dynamodb:eu-west-1:*:table/orders",
        }
    ]


def test_the_command_grants_it_to_who_asked() -> None:
    """While somebody acts, for that name."""
    with dynaguard.acting_as("support bot"):
        command = shlex.split(refused(DENYING).as_dict()["how_to_ask"]["command"])

    assert command[:3] == ["dynaguard", "grants", "create"]
    assert command[command.index("--acting-as") + 1] == "support bot"
    assert command[command.index("--action") + 1] == "dynamodb:GetItem"


def test_a_deny_cannot_be_granted_away() -> None:
    """Asking would be in vain, and it says so."""
    statement = {"Sid": "No", "Effect": "Deny", "Action": "dynamodb:*", "Resource": "*"}
    found = refused({**DENYING, "statement": [statement]}).as_dict()

    jsonschema.validate(found, SCHEMA)
    assert found["verdict"] == "deny"
    assert found["statement"]["sid"] == "No"
    assert found["how_to_ask"] == {
        "can_be_approved": False,
        "can_be_granted": False,
        "ticket": None,
        "statements": None,
        "call": None,
        "command": None,
    }


def test_a_boundary_cannot_be_granted_away() -> None:
    """What a task is not for, no grant adds to it."""
    allowing = {**DENYING, "default": "allow"}
    with dynaguard.acting_as("bot", expires_in=60, statements=[_reading("users")]):
        found = refused(allowing).as_dict()

    jsonschema.validate(found, SCHEMA)
    assert found["statement"] == {"sid": "bot", "source": "agent", "line": 0}
    assert found["how_to_ask"]["can_be_granted"] is False


def test_an_open_ticket_is_what_to_wait_for() -> None:
    """The call of the library and the command name it."""
    denial = ApprovalRequired(
        "not yet",
        operation="DeleteItem",
        service="dynamodb",
        decision=Decision(
            Verdict.REQUIRE_APPROVAL,
            (Authorization("dynamodb:DeleteItem", "arn:aws:dynamodb:eu-west-1:1:table/orders"),),
            statement=StatementRef("Two", "policy.toml", 7),
            reason="it has to be approved",
        ),
        identity="etl",
    )
    denial.ticket = "ticket-1"

    found = denial.as_dict()

    jsonschema.validate(found, SCHEMA)
    assert (found["error"], found["verdict"]) == ("ApprovalRequired", "require_approval")
    assert found["how_to_ask"]["ticket"] == "ticket-1"
    assert found["how_to_ask"]["can_be_approved"] is True
    assert "'ticket-1'" in found["how_to_ask"]["call"]
    assert found["how_to_ask"]["command"].startswith("dynaguard approvals approve ticket-1 ")


def test_a_request_that_is_not_understood_cannot_be_granted() -> None:
    """Its permission would be a guess."""
    need = Authorization("dynamodb:PartiQLSelect", f"arn:aws:dynamodb:e:{UNKNOWN_ACCOUNT}:table/x")
    decision = Decision(Verdict.IMPLICIT_DENY, (need._replace(problem="unreadable"),))
    denial = PolicyDenied("no", operation="ExecuteStatement", decision=decision)

    assert denial.as_dict()["how_to_ask"]["can_be_granted"] is False


def test_a_denial_without_a_decision_is_data_too() -> None:
    """Such as that of a session after its task's end."""
    found = PolicyDenied("ended", operation="AssumeRole", service="sts").as_dict()

    jsonschema.validate(found, SCHEMA)
    assert found["verdict"] is None


def test_the_shape_survives_a_pickle() -> None:
    """Workers hand their errors to other processes."""
    with dynaguard.acting_as("bot", task="TCK-9"):
        denial = refused(DENYING)

    assert pickle.loads(pickle.dumps(denial)).as_dict() == denial.as_dict()


def test_no_value_is_shown() -> None:
    """Neither in the data nor in the line of JSON, which is one line."""
    denial = refused(DENYING)

    assert SECRET not in denial.as_json()
    assert "\n" not in denial.as_json()
    assert json.loads(denial.as_json()) == denial.as_dict()


def test_the_schema_names_every_member() -> None:
    """What is given and not described would be no stable shape."""
    found = refused(DENYING).as_dict()

    assert set(found) == set(SCHEMA["required"]) == set(SCHEMA["properties"])


def _reading(table: str) -> dict[str, str]:
    return {
        "Effect": "Allow",
        "Action": "dynamodb:GetItem",
        "Resource": f"arn:aws:dynamodb:*:*:table/{table}",
    }
