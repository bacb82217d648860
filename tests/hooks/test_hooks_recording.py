"""One audit record per call: allowed, denied, failed, invalid, presigned."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from botocore.exceptions import ClientError, ParamValidationError

import dynaguard
from dynaguard.audit.reading import read_records

KEY = {"pk": {"S": "CANARY-KEY"}}


@pytest.fixture
def audit_file(tmp_path: Path) -> Path:
    """Where the records go."""
    return tmp_path / "audit.jsonl"


def records(audit_file: Path) -> list[dict[str, Any]]:
    """The records of a file."""
    return [dict(record) for record in read_records(audit_file)]


@pytest.mark.smoke
def test_an_allowed_call_leaves_one_record_with_its_context(
    client: Any, wire: Any, policy: Any, audit_file: Path
) -> None:
    """Who, why, what, under which statement, and how it ended."""
    wire.answer(
        {
            "Item": {"pk": {"S": "CANARY-VALUE"}},
            "ConsumedCapacity": {"TableName": "orders", "CapacityUnits": 0.5},
        }
    )
    dynaguard.install(policy(), audit=audit_file, identity="etl")

    with dynaguard.job("nightly", run_id="42", stage="load"), dynaguard.correlation("INC-1"):
        client.get_item(TableName="orders", Key=KEY)

    (record,) = records(audit_file)
    assert record["operation"] == "GetItem"
    assert record["correlation_id"] == "INC-1"
    assert (record["job"], record["run_id"], record["stage"]) == ("nightly", "42", "load")
    assert record["identity"]["name"] == "etl"
    assert record["tables"] == ["orders"]
    assert record["decision"]["verdict"] == "allow"
    assert record["decision"]["statement"] == "ReadsOrders"
    assert record["outcome"]["status"] == "ok"
    assert record["outcome"]["attempts"] == 1
    assert record["outcome"]["http_status"] == 200
    assert record["request_id"] == "REQ1"
    assert record["outcome"]["consumed_capacity"][0]["total_units"] == 0.5
    assert "CANARY" not in audit_file.read_text()


def test_a_denied_call_leaves_one_record(
    client: Any, wire: Any, policy: Any, audit_file: Path
) -> None:
    """The denial is on record although nothing was sent."""
    dynaguard.install(policy(), audit=audit_file)

    with pytest.raises(dynaguard.PolicyDenied):
        client.scan(TableName="orders")

    (record,) = records(audit_file)
    assert record["decision"]["verdict"] == "implicit_deny"
    assert record["outcome"]["status"] == "denied"
    assert record["outcome"]["attempts"] == 0


def test_a_failed_call_leaves_one_record_with_the_code(
    client: Any, wire: Any, policy: Any, audit_file: Path
) -> None:
    """An error of AWS's is recorded by its code."""
    wire.answer({"__type": "x#ResourceNotFoundException", "message": "CANARY"}, 400)
    dynaguard.install(policy(), audit=audit_file)

    with pytest.raises(ClientError):
        client.get_item(TableName="orders", Key=KEY)

    (record,) = records(audit_file)
    assert record["outcome"]["status"] == "error"
    assert record["outcome"]["error_code"] == "ResourceNotFoundException"
    assert "CANARY" not in audit_file.read_text()


def test_a_call_that_botocore_refuses_leaves_one_record(
    client: Any, policy: Any, audit_file: Path
) -> None:
    """Invalid parameters pass through no event at all; they are recorded all the same."""
    dynaguard.install(policy(), audit=audit_file)

    with pytest.raises(ParamValidationError):
        client.get_item(TableName="orders", Key={"pk": "CANARY"})

    (record,) = records(audit_file)
    assert record["outcome"]["error_code"] == "ParamValidationError"
    assert record["outcome"]["attempts"] == 0
    assert "CANARY" not in audit_file.read_text()


def test_retries_and_throttles_are_one_record(
    client: Any, wire: Any, policy: Any, audit_file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Attempts of one call are summed."""
    monkeypatch.setattr("dynaguard.hooks.attempting.SyncAttempting._wait", lambda *_: None)
    wire.throttle(2)
    wire.answer({})
    dynaguard.install(policy(), audit=audit_file)

    client.get_item(TableName="orders", Key=KEY)

    (record,) = records(audit_file)
    assert record["outcome"]["attempts"] == 3
    assert record["outcome"]["throttles"] == 2


def test_an_observed_denial_is_recorded_as_not_enforced(
    client: Any, policy: Any, audit_file: Path
) -> None:
    """In `observe` the record tells what would have happened."""
    dynaguard.install(policy(), audit=audit_file, mode="observe")

    client.scan(TableName="orders")

    (record,) = records(audit_file)
    assert record["decision"]["verdict"] == "implicit_deny"
    assert record["decision"]["is_enforced"] is False
    assert record["outcome"]["status"] == "ok"


def test_required_audit_writes_the_intent_first(
    client: Any, wire: Any, policy: Any, audit_file: Path
) -> None:
    """Two records share a correlation id: the intent before, the outcome after."""
    dynaguard.install(policy(), audit=audit_file, audit_mode="required")
    seen_at_send: list[int] = []
    client.meta.events.register(
        "before-send", lambda **_: seen_at_send.append(len(records(audit_file)))
    )

    client.get_item(TableName="orders", Key=KEY)

    intent, outcome = records(audit_file)
    assert seen_at_send == [1]
    assert (intent["phase"], outcome["phase"]) == ("intent", "outcome")
    assert intent["correlation_id"] == outcome["correlation_id"]


def test_required_audit_that_cannot_be_written_refuses_the_call(
    client: Any, wire: Any, policy: Any
) -> None:
    """No record, no call; the error is a denial that names the sink."""
    dynaguard.install(policy(), audit="/dev/full", audit_mode="required")

    with pytest.raises(dynaguard.AuditUnavailable, match="/dev/full"):
        client.get_item(TableName="orders", Key=KEY)

    assert wire.sent == []


def test_best_effort_audit_never_breaks_a_call(client: Any, wire: Any, policy: Any) -> None:
    """A full disk costs records, which are counted, not calls."""
    dynaguard.install(policy(), audit="/dev/full")

    with pytest.warns(dynaguard.DynaguardWarning):
        client.get_item(TableName="orders", Key=KEY)
    client.get_item(TableName="orders", Key=KEY)

    assert len(wire.sent) == 2
    assert dynaguard.status().audit_dropped == 2


def test_a_presigned_url_leaves_a_record(client: Any, policy: Any, audit_file: Path) -> None:
    """Its use later is out of reach, its making is not."""
    dynaguard.install(policy(), audit=audit_file)

    client.generate_presigned_url("get_item", Params={"TableName": "orders", "Key": KEY})

    (record,) = records(audit_file)
    assert record["outcome"]["status"] == "presigned"
