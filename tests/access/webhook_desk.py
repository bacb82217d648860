"""What tests of webhooks share: a ticket to decide, and signed requests about it."""

from __future__ import annotations

import hashlib
import hmac
import json
from typing import Any
from urllib.parse import urlencode

import pytest

from dynaguard.access.deciding import Deciding
from dynaguard.access.persons import Person
from dynaguard.access.summaries import Summary
from dynaguard.access.tickets import Demand, Terms, Ticket
from dynaguard.access.webhook_config import Webhooks
from dynaguard.access.webhook_server import Desk
from dynaguard.access.webhook_signing import signature
from dynaguard.testing.stores import MemoryStore
from tests.access.approving import ACCOUNT, ETL_ARN, Clock, deciding_of, document

SLACK = b"slack-signing-secret"
OTHER = b"another-secret-of-ours"
ANN = f"arn:aws:sts::{ACCOUNT}:assumed-role/Leads/ann"
PEOPLE = {"U0ANN": ANN, "U0ETL": ETL_ARN, "U0IDA": f"arn:aws:iam::{ACCOUNT}:user/ida"}


@pytest.fixture
def clock() -> Clock:
    """The one clock of these tests."""
    return Clock()


@pytest.fixture
def deciding(clock: Clock) -> Deciding:
    """What decides, in a store in memory."""
    return deciding_of(MemoryStore(), clock.time)


@pytest.fixture
def ticket(deciding: Deciding, clock: Clock) -> Ticket:
    """A ticket of the role `etl` that a lead may approve."""
    terms = Terms((Demand("DeletesNeedALead (policy.toml)", 1, ("leads",)),), 600.0)
    draft = Ticket(
        id="",
        kind="call",
        subject_sha256="ab" * 32,
        summary=Summary(
            "dynamodb DeleteItem in eu-west-1",
            (("dynamodb:DeleteItem", "arn:aws:dynamodb:eu-west-1:1:table/orders"),),
            (("Key.pk", "<string, 8 characters>"),),
        ),
        requester=Person("etl", ETL_ARN),
        reason="<https://evil|click> & *bold*",
        terms=terms,
        created_epoch_s=clock.now_s,
        uses_left=1,
    )
    return deciding.book.ask(draft)[0]


@pytest.fixture
def desk(deciding: Deciding, clock: Clock) -> Desk:
    """What reads requests."""
    webhooks = Webhooks((), SLACK, OTHER, PEOPLE)
    return Desk(deciding, webhooks, document(), clock.time)


def slack(
    ticket: str, clock: Clock, *, user: str = "U0ANN", verb: str = "approve", late_s: float = 0
) -> tuple[str, dict[str, str], bytes]:
    """A button of Slack: signed as Slack's documentation says, by hand."""
    action = {"action_id": f"dynaguard_{verb}", "value": ticket}
    payload = {"type": "block_actions", "user": {"id": user}, "actions": [action]}
    body = urlencode({"payload": json.dumps(payload)}).encode()
    stamp = str(int(clock.now_s - late_s))
    digest = hmac.new(SLACK, b"v0:" + stamp.encode() + b":" + body, hashlib.sha256).hexdigest()
    headers = {"X-Slack-Request-Timestamp": stamp, "X-Slack-Signature": f"v0={digest}"}
    return "/slack", headers, body


def plain(clock: Clock, **changes: Any) -> tuple[str, dict[str, str], bytes]:
    """A decision as JSON."""
    data = {
        "decision": "deny",
        "person": "U0ANN",
        "reason": "not today",
        "nonce": "0123456789",
        **changes,
    }
    body = json.dumps({name: each for name, each in data.items() if each is not None}).encode()
    stamp = str(int(clock.now_s))
    headers = {
        "X-Dynaguard-Timestamp": stamp,
        "X-Dynaguard-Signature": signature(OTHER, stamp, body),
    }
    return "/decisions", headers, body
