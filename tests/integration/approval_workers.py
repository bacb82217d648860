"""Processes of the approvals' stress test: many who ask, some who decide, each with its log.

A line is written after what it tells of was acknowledged by the store, never before.
"""

from __future__ import annotations

import hashlib
import os
import random
import sys
import threading
import time
from collections.abc import Callable
from contextlib import suppress

import dynaguard
from dynaguard import PolicyDenied, TicketError
from dynaguard.access.clock import StrictClock
from dynaguard.access.deciding import Decider, Deciding
from dynaguard.access.opening import open_store
from dynaguard.access.persons import Person
from dynaguard.access.ticket_book import TicketBook
from dynaguard.access.tickets import TicketState
from dynaguard.call import NO_CREDENTIALS, Call
from dynaguard.errors import AccessStoreError
from dynaguard.guard import Guard
from dynaguard.hooks.access_clients import table_calls
from dynaguard.scope import current_scope

ACCOUNT = "111122223333"
IDENTITIES = 50
USES = 2
QUORUM = 2
DURATION_S = 6.0
CALLS_EACH = 2
POLICY = {
    "version": 1,
    "default": "deny",
    "govern": ["dynamodb"],
    "groups": {"leads": [f"arn:aws:iam::{ACCOUNT}:user/lead-*"]},
    "tables": {"orders": {"key": ["pk"]}},
    "statement": [
        {
            "Sid": "Ask",
            "Effect": "RequireApproval",
            "Action": "dynamodb:DeleteItem",
            "Resource": "*",
            "Approval": {
                "quorum": QUORUM,
                "any_of": ["leads"],
                "uses": USES,
                "timeout_s": 60,
                "duration_s": DURATION_S,
            },
        }
    ],
}


def main() -> None:
    """`MODE LOCATION LOG FIRST COUNT SECONDS`: runs that many threads for at most so long."""
    mode, location, log_path = sys.argv[1:4]
    first, count, seconds = int(sys.argv[4]), int(sys.argv[5]), float(sys.argv[6])
    log = os.open(log_path, os.O_WRONLY | os.O_APPEND | os.O_CREAT)

    def note(*words: object) -> None:
        os.write(log, (" ".join(map(str, words)) + "\n").encode())

    end_s = time.monotonic() + seconds
    if mode == "ask":
        guard = dynaguard.install(
            POLICY,
            access_store=location,
            identity=f"arn:aws:iam::{ACCOUNT}:role/etl",
            account_id=ACCOUNT,
            approval_wait_s=seconds,
        )
        threads = [
            threading.Thread(target=ask, args=(guard, number % IDENTITIES, end_s, note))
            for number in range(first, first + count)
        ]
    else:
        book = TicketBook(open_store(location, make_table_calls=table_calls), StrictClock())
        deciding = Deciding(book, access_terms=None, max_duration_s=86_400.0)
        threads = [
            threading.Thread(target=decide, args=(deciding, number, end_s, note))
            for number in range(first, first + count)
        ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()


def ask(guard: Guard, number: int, end_s: float, note: Callable[..., None]) -> None:
    """Makes calls of one identity, which others in other processes share."""
    params = {"TableName": "orders", "Key": {"pk": {"S": f"{number}"}}}
    made = 0
    with dynaguard.acting_as(f"agent-{number}"):
        while made < CALLS_EACH and time.monotonic() < end_s:
            call = Call(
                *("dynamodb", "DeleteItem", params, "eu-west-1", "aws", None),
                *(NO_CREDENTIALS, current_scope(), "c", False, "dynamodb"),
            )
            try:
                decision = guard.enter(call).decision
            except PolicyDenied as denial:
                kind = "denied" if "was denied by" in str(denial) else "refused"
                note("-", kind, type(denial).__name__)
                if kind == "denied":
                    return
                time.sleep(random.uniform(0.1, 0.4))
                continue
            assert decision is not None
            assert decision.approval is not None
            note("+", decision.approval.ticket, time.time())
            made += 1


def decide(deciding: Deciding, number: int, end_s: float, note: Callable[..., None]) -> None:
    """Decides whatever is open, in the name of one lead; one case in five is denied."""
    arn = f"arn:aws:iam::{ACCOUNT}:user/lead-{number}"
    decider = Decider(Person(f"lead-{number}", arn, None, ACCOUNT), ("leads",))
    book = deciding.book
    while time.monotonic() < end_s:
        with suppress(AccessStoreError):
            for ticket in book.tickets():
                if ticket.state_at(book.clock.for_end_s()) is not TicketState.PENDING:
                    continue
                is_approval = hashlib.sha256(ticket.id.encode()).digest()[0] > 255 // 5
                try:
                    deciding.decide(
                        ticket.id, decider, is_approval=is_approval, why="ok", channel="stress"
                    )
                except TicketError:
                    note("late", ticket.id)
                    continue
                note("decided", ticket.id, arn, is_approval)
        time.sleep(random.uniform(0.2, 0.8))


if __name__ == "__main__":
    main()
