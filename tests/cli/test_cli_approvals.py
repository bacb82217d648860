"""`dynaguard approvals`: people see what waits, and decide it under their own name."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

import dynaguard
from dynaguard import ApprovalRequired
from dynaguard.access.sqlite_store import SqliteStore
from dynaguard.access.store import StoredRecord
from dynaguard.access.webhook_signing import signature
from dynaguard.call import NO_CREDENTIALS, Call
from dynaguard.cli.commands import cli
from dynaguard.hooks import callers
from dynaguard.identity.lookup import Caller
from dynaguard.scope import EMPTY_SCOPE
from tests.access.approving import ACCOUNT, ETL_ARN, POLICY, deciding_of, lead

ANN = f"arn:aws:sts::{ACCOUNT}:assumed-role/Leads/ann"
BOB = f"arn:aws:sts::{ACCOUNT}:assumed-role/Leads/bob"


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A folder with the policy and the store of the settings, and no credentials."""
    policy = tmp_path / "policy.json"
    policy.write_text(json.dumps(POLICY), encoding="utf-8")
    monkeypatch.setenv("DYNAGUARD_POLICY", str(policy))
    monkeypatch.setenv("DYNAGUARD_ACCESS_STORE", str(tmp_path / "access.sqlite"))
    monkeypatch.setenv("DYNAGUARD_IDENTITY", ANN)
    monkeypatch.delenv("AWS_ACCESS_KEY_ID")
    monkeypatch.delenv("AWS_SECRET_ACCESS_KEY")
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture
def ticket(place: Path) -> str:
    """The ticket of a call that was refused."""
    return open_ticket()


def open_ticket(value: str = "secret-customer") -> str:
    """A call of the role `etl` that needs an approval; its ticket."""
    guard = dynaguard.install(identity=ETL_ARN)
    params = {"TableName": "orders", "Key": {"pk": {"S": value}}}
    call = Call(
        *("dynamodb", "DeleteItem", params, "eu-west-1", "aws", None),
        *(NO_CREDENTIALS, EMPTY_SCOPE, "c", False, "dynamodb"),
    )
    with pytest.raises(ApprovalRequired) as caught:
        guard.enter(call)
    dynaguard.uninstall()
    return caught.value.ticket or ""


def run(*arguments: str) -> Result:
    """The command with these arguments."""
    return CliRunner().invoke(cli, ["approvals", *arguments])


def as_json(*arguments: str) -> Any:
    """What it prints as JSON."""
    return json.loads(run(*arguments, "--output", "json").stdout)


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
        [sys.executable, "-m", "dynaguard.cli", "approvals", "serve", *options],
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


def test_an_access_request_becomes_a_grant(place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Asked by a program, approved by a person, in force for who asked."""
    monkeypatch.setenv("DYNAGUARD_IDENTITY", ETL_ARN)
    asked = dynaguard.request_access(
        actions="dynamodb:GetItem",
        resources="arn:aws:dynamodb:eu-west-1:111122223333:table/orders",
        reason="INC-4711",
        duration_s=600,
        uses=3,
    )
    assert asked.state == "pending"
    assert asked.wait(0.01) == "pending"
    monkeypatch.setenv("DYNAGUARD_IDENTITY", ANN)
    assert run("approve", asked.id, "--reason", "for the incident").exit_code == 0

    (grant,) = dynaguard.grants()

    assert asked.is_approved
    assert dynaguard.approval(asked.id).wait() == "approved"
    assert grant.identity == f"arn:aws:sts::{ACCOUNT}:assumed-role/etl/*"
    assert (grant.uses, grant.ticket) == (3, asked.id)
    assert grant.expires_epoch_s - grant.not_before_epoch_s == 600
    assert grant.owner == "Leads (ann)"


def test_a_grant_that_was_left_undone_is_repaired(
    place: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Killed between the approval and the grant: whoever looks adds it, once, and not again."""
    monkeypatch.setenv("DYNAGUARD_IDENTITY", ETL_ARN)
    asked = dynaguard.request_access(
        actions="dynamodb:GetItem", resources="arn:aws:s3:::a", reason="x", duration_s=60
    )
    store = SqliteStore(place / "access.sqlite")
    deciding = deciding_of(store)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(
            "dynaguard.access.deciding.ensure_grant", lambda *_args, **_more: sys.exit(9)
        )
        with pytest.raises(SystemExit):
            deciding.decide(asked.id, lead(), is_approval=True, why="fine", channel="cli")
    assert dynaguard.grants() == ()

    assert asked.is_approved

    (grant,) = dynaguard.grants()
    dynaguard.revoke_grant(grant.id, "enough")
    assert asked.is_approved
    assert dynaguard.grants() == ()


@pytest.mark.parametrize("is_made", [True, False])
def test_an_approval_of_access_is_taken_back_with_its_grant(
    place: Path, monkeypatch: pytest.MonkeyPatch, is_made: bool
) -> None:
    """Even where the grant was not made yet: it never comes into force."""
    monkeypatch.setenv("DYNAGUARD_IDENTITY", ETL_ARN)
    asked = dynaguard.request_access(
        actions="dynamodb:GetItem", resources="arn:aws:s3:::a", reason="x", duration_s=60
    )
    monkeypatch.setenv("DYNAGUARD_IDENTITY", ANN)
    with pytest.MonkeyPatch.context() as patch:
        if not is_made:
            patch.setattr("dynaguard.access.deciding.ensure_grant", lambda *_, **__: None)
        assert run("approve", asked.id, "--reason", "fine").exit_code == 0
    assert len(dynaguard.grants()) == is_made

    assert run("cancel", asked.id, "--reason", "wrong table").exit_code == 0

    assert asked.state == "cancelled"
    assert dynaguard.grants() == ()
    (grant,) = dynaguard.grants(include_ended=True)
    assert (grant.revoked_by, grant.revoked_why) == ("Leads (ann)", "wrong table")


def test_access_on_other_terms_than_the_policys_is_not_approved(
    place: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Who asks does not choose who approves."""
    easy = {**POLICY, "access_requests": {"any_of": ["security", "leads"], "duration": "1h"}}
    (place / "policy.json").write_text(json.dumps(easy), encoding="utf-8")
    monkeypatch.setenv("DYNAGUARD_IDENTITY", ETL_ARN)
    asked = dynaguard.request_access(
        actions="dynamodb:GetItem", resources="arn:aws:s3:::a", reason="x", duration_s=60
    )
    (place / "policy.json").write_text(json.dumps(POLICY), encoding="utf-8")
    monkeypatch.setenv("DYNAGUARD_IDENTITY", ANN)

    done = run("approve", asked.id, "--reason", "fine")

    assert done.exit_code == 2
    assert "other terms than `[access_requests]`" in done.stderr


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"duration_s": 7200}, "2h after its beginning, a grant lasts 1h at most"),
        ({"reason": ""}, "reason"),
        ({"actions": "dynamodb:*", "resources": "*"}, "only a break-glass grant"),
        ({"statements": {"Effect": "Deny"}, "actions": (), "resources": ()}, "Effect"),
    ],
)
def test_what_may_not_be_granted_is_not_asked(
    place: Path, changes: dict[str, Any], message: str
) -> None:
    """Told at once, and no ticket is made."""
    wanted = {
        "actions": "dynamodb:GetItem",
        "resources": "arn:aws:s3:::a",
        "reason": "x",
        "duration_s": 60,
        **changes,
    }

    with pytest.raises(dynaguard.ConfigurationError, match=message):
        dynaguard.request_access(**wanted)

    assert as_json("list")["tickets"] == []


def test_without_a_table_nobody_may_ask(place: Path) -> None:
    """The policy says who approves access, or nobody does."""
    closed = {name: value for name, value in POLICY.items() if name != "access_requests"}
    (place / "policy.json").write_text(json.dumps(closed), encoding="utf-8")

    with pytest.raises(dynaguard.ConfigurationError, match=r"no `\[access_requests\]`"):
        dynaguard.request_access(
            actions="dynamodb:GetItem", resources="arn:aws:s3:::a", reason="x", duration_s=60
        )
