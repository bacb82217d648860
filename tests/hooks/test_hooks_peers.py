"""Beside tracing peers: each records its own, nothing is doubled, nothing is lost."""

from __future__ import annotations

import importlib.util
import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.conftest import FAKE_AWS_ENVIRONMENT

PROGRAM = Path(__file__).parent / "peer_program.py"
MODULES = {
    "otel": "opentelemetry.instrumentation.botocore",
    "x-ray": "aws_xray_sdk",
    "ddtrace": "ddtrace",  # not among the test dependencies: `make smoke-peers`
}
ORDERS = [(peer, first) for peer in MODULES for first in ("peer", "dynaguard")]


def seen(peer: str, first: str) -> dict[str, Any]:
    """What the program saw."""
    if importlib.util.find_spec(MODULES[peer]) is None:
        pytest.skip(f"{MODULES[peer]} is not installed")
    quiet = {"DD_TRACE_STARTUP_LOGS": "false", "DD_INSTRUMENTATION_TELEMETRY_ENABLED": "false"}
    done = subprocess.run(
        [sys.executable, "-W", "ignore", PROGRAM, peer, first],
        env=os.environ | FAKE_AWS_ENVIRONMENT | quiet,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    found: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return found


@pytest.mark.parametrize(("peer", "first"), ORDERS)
def test_one_span_per_call_and_the_stamp_whoever_came_first(peer: str, first: str) -> None:
    """Allowed and refused; the answer is the caller's, the header is signed."""
    found = seen(peer, first)

    assert found["item"] == {"pk": {"S": "CANARY-4711"}}
    assert found["refusal"] == "AccessDeniedException"
    (headers,) = found["headers"]
    assert headers["x-dynaguard-correlation-id"] == "INC-4711"
    assert "x-dynaguard-correlation-id" in headers["authorization"]
    assert headers["user-agent"].endswith(" md/dynaguard#INC-4711")
    assert [
        (span["attributes"]["dynaguard.decision"], span["attributes"]["dynaguard.identity.name"])
        for span in found["spans"]
    ] == [("allow", "etl"), ("implicit_deny", "etl")]
    assert "CANARY" not in json.dumps(found["spans"])
    if peer != "otel":
        assert len(found["peers"]) == 2
        assert [span["name"] for span in found["spans"]] == ["DynamoDB.GetItem", "DynamoDB.Scan"]
