"""`dynaguard approvals`: people see what waits, and decide it under their own name."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
import urllib.request
from pathlib import Path
from typing import Any

import pytest

import dynaguard
from dynaguard.access.sqlite_store import SqliteStore
from dynaguard.access.store import StoredRecord
from dynaguard.access.webhook_signing import signature
from dynaguard.hooks import callers
from dynaguard.identity.lookup import Caller
from tests.access.approving import ACCOUNT, ETL_ARN
from tests.cli.approval_place import ANN, BOB, as_json, place, run, ticket

__all__ = ["place", "ticket"]  # fixtures


def test_nothing_waits(place: Path) -> None:
    """Which is no failure, as an empty list of grants is none."""
    done = run("list")

    assert done.exit_code == 0
    assert "nothing waits" in done.stdout


def test_a_ticket_is_listed(ticket: str) -> None:
    """With who asks for what, until when."""
    done = run("list")

    assert done.exit_code == 0
    assert ticket in done.stdout
    assert "dynamodb DeleteItem in eu-west-1" in done.stdout
    assert as_json("list")["tickets"][0]["state"] == "pending"


def test_a_ticket_is_shown_without_values(ticket: str) -> None:
    """Names, sizes, who may approve; by its beginning, too."""
    done = run("show", ticket[:-5])

    assert done.exit_code == 1
    assert "arn:aws:dynamodb:eu-west-1:111122223333:table/orders" in done.stdout
    assert "<string, 15 characters>" in done.stdout
    assert "one other person of `leads` must approve" in done.stdout
    assert "secret-customer" not in done.stdout + json.dumps(as_json("show", ticket))


def test_a_ticket_is_approved(ticket: str) -> None:
    """Under the name and in the groups of who runs the command."""
    done = run("approve", ticket, "--reason", "INC-4711")

    assert done.exit_code == 0, done.output
    assert "was approved by Leads (ann)" in done.stdout
    (decision,) = as_json("show", ticket)["decisions"]
    assert decision["by"] == "Leads (ann)"
    assert decision["groups"] == ["leads"]
    assert decision["reason"] == "INC-4711"
    assert decision["channel"] == "cli"


@pytest.mark.parametrize("verb", ["approve", "deny", "cancel"])
def test_a_reason_is_wanted(ticket: str, verb: str) -> None:
    """An empty one is none."""
    assert run(verb, ticket).exit_code == 2
    assert run(verb, ticket, "--reason", " ").exit_code == 2
    assert as_json("show", ticket)["state"] == "pending"


def test_a_ticket_is_denied_once(ticket: str) -> None:
    """A second decision finds it decided."""
    assert run("deny", ticket, "--reason", "not on Friday").exit_code == 0

    done = run("approve", ticket, "--reason", "oh well")

    assert done.exit_code == 2
    assert "was denied by Leads (ann)" in done.stderr
    assert as_json("show", ticket)["state"] == "denied"


@pytest.mark.parametrize(
    ("identity", "message"),
    [
        (ETL_ARN, "who asks cannot be who approves"),
        (f"arn:aws:iam::{ACCOUNT}:user/intern", "may not decide"),
    ],
)
def test_who_may_not_approve_is_told_why(
    ticket: str, monkeypatch: pytest.MonkeyPatch, identity: str, message: str
) -> None:
    """Who asked; who is in none of the groups."""
    monkeypatch.setenv("DYNAGUARD_IDENTITY", identity)

    done = run("approve", ticket, "--reason", "mine")

    assert done.exit_code == 2
    assert message in done.stderr


def test_nobody_in_particular_decides_nothing(
    ticket: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Neither credentials nor an identity."""
    monkeypatch.delenv("DYNAGUARD_IDENTITY")

    done = run("approve", ticket, "--reason", "me")

    assert done.exit_code == 2
    assert "who decides is not known" in done.stderr


def test_credentials_say_who_decides(ticket: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whom STS names, whatever the variable claims."""
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "AKIAIOSFODNN7EXAMPLE")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "not-a-secret")
    monkeypatch.setenv("DYNAGUARD_IDENTITY", ANN)
    monkeypatch.setattr(callers, "look_up_caller", lambda _: Caller(BOB))

    run("approve", ticket, "--reason", "fine")

    assert as_json("show", ticket)["decisions"][0]["arn"] == BOB


def test_credentials_that_sts_does_not_answer_for_decide_nothing(
    ticket: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The variable does not take their place."""
    from botocore.exceptions import EndpointConnectionError

    def fail(_: Any) -> Caller:
        raise EndpointConnectionError(endpoint_url="https://sts")

    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "AKIAIOSFODNN7EXAMPLE")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "not-a-secret")
    monkeypatch.setattr(callers, "look_up_caller", fail)

    done = run("approve", ticket, "--reason", "fine")

    assert done.exit_code == 2
    assert "STS could not be asked" in done.stderr


def test_who_asked_takes_it_back(ticket: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Then nobody approves it any more."""
    monkeypatch.setenv("DYNAGUARD_IDENTITY", ETL_ARN)
    assert run("cancel", ticket, "--reason", "found another way").exit_code == 0
    monkeypatch.setenv("DYNAGUARD_IDENTITY", ANN)

    done = run("approve", ticket, "--reason", "fine")

    assert done.exit_code == 2
    assert "was taken back by etl" in done.stderr


def test_others_do_not_take_it_back(ticket: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Neither asked nor may decide."""
    monkeypatch.setenv("DYNAGUARD_IDENTITY", f"arn:aws:iam::{ACCOUNT}:user/intern")

    assert run("cancel", ticket, "--reason", "prank").exit_code == 2


@pytest.mark.parametrize("text", ["ticket-nope", "t", ""])
def test_an_unknown_ticket_is_an_error(ticket: str, text: str) -> None:
    """One line, exit code 2."""
    done = run("show", text)

    assert done.exit_code == 2
    assert done.stderr.startswith("error: there is no ticket") or "beginning" in done.stderr


def test_text_of_others_steers_no_terminal(place: Path) -> None:
    """Markup and escape sequences in a reason are shown as they are, or as `?`."""
    dynaguard.request_access(
        actions="dynamodb:GetItem",
        resources="arn:aws:dynamodb:eu-west-1:111122223333:table/[red]orders",
        reason="[link=https://evil]click[/link]",
        duration_s=600,
    )

    (ticket,) = as_json("list")["tickets"]
    done = run("show", ticket["id"])

    assert "[link=https://evil]click[/link]" in done.stdout
    assert "[red]orders" in done.stdout


def test_watching_tells_what_happens(ticket: str, tmp_path: Path) -> None:
    """Each ticket that is open, and a program is run for it."""
    script = tmp_path / "told.py"
    script.write_text("import sys; print('told', *sys.argv[1:], flush=True)", encoding="utf-8")

    done = run("watch", "--for", "0.3", "--every", "0.2", "--exec", f"{sys.executable} {script}")

    assert done.exit_code == 0
    assert done.stdout.count(ticket) >= 1
    assert "is open until" in done.stdout


def test_a_store_that_is_none_is_one_error(place: Path) -> None:
    """No traceback."""
    (place / "access.sqlite").write_text("this is no database, but long enough to be read")

    done = run("list")

    assert done.exit_code == 2
    assert done.stderr.startswith("error: ")


def test_a_document_that_is_no_ticket_hides_no_other(ticket: str, place: Path) -> None:
    """It is told of, and the exit code says that something is wrong."""
    store = SqliteStore(place / "access.sqlite")
    store.add(StoredRecord("ticket", "ticket-junk", 1, "{}", time.time() + 3600))

    done = run("list")

    assert done.exit_code == 1
    assert ticket in done.stdout
    assert "`ticket-junk` in" in done.stderr
    assert run("approve", ticket, "--reason", "fine").exit_code == 0


# A shell has its background jobs, and what they start, ignore Ctrl-C.
_WITH_CTRL_C = """
import runpy, signal
signal.signal(signal.SIGINT, signal.default_int_handler)
runpy.run_module("dynaguard.cli", run_name="__main__")
"""


@pytest.mark.skipif(sys.platform == "win32", reason="needs SIGINT")
def test_decisions_are_served(ticket: str, place: Path) -> None:
    """A signed decision over a real socket; Ctrl-C ends it."""
    secret = b"sixteen-bytes-ok"
    config = place / "webhooks.toml"
    config.write_text(
        f'[in]\nsecret_file = "secret"\n[people]\nU0ANN = "{ANN}"\n', encoding="utf-8"
    )
    (place / "secret").write_bytes(secret)
    options = ["--config", str(config), "--port", "0"]
    serving = subprocess.Popen(
        [sys.executable, "-c", _WITH_CTRL_C, "approvals", "serve", *options],
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
    )
    try:
        assert serving.stderr is not None
        port = int(serving.stderr.readline().rpartition(":")[2])
        body = json.dumps(
            {"ticket": ticket, "decision": "approve", "person": "U0ANN"}
            | {"reason": "from afar", "nonce": "0123456789"}
        ).encode()
        stamp = str(int(time.time()))
        request = urllib.request.Request(
            f"http://127.0.0.1:{port}/decisions",
            body,
            {"X-Dynaguard-Timestamp": stamp}
            | {"X-Dynaguard-Signature": signature(secret, stamp, body)},
        )
        with urllib.request.urlopen(request, timeout=10) as answer:  # noqa: S310
            assert "was approved by Leads (ann)" in json.load(answer)["text"]
    finally:
        serving.send_signal(signal.SIGINT)
        code = serving.wait(10)
        serving.stderr.close()
    assert code == 0
    assert as_json("show", ticket)["decisions"][0]["channel"] == "webhook"
