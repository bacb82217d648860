"""What tests of approvals share: a policy, people, a clock, a wire."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from dynaguard.access.clock import StrictClock
from dynaguard.access.deciding import Decider, Deciding
from dynaguard.access.persons import Person
from dynaguard.access.store import AccessStore
from dynaguard.access.ticket_book import TicketBook
from dynaguard.policy.loading import load_policy
from dynaguard.policy.model import PolicyDocument

ACCOUNT = "111122223333"
ETL_ARN = f"arn:aws:iam::{ACCOUNT}:role/etl"
LEADS = f"arn:aws:sts::{ACCOUNT}:assumed-role/Leads/*"
POLICY: Mapping[str, Any] = {
    "version": 1,
    "default": "deny",
    "govern": ["dynamodb"],
    "groups": {"leads": [LEADS], "security": [f"arn:aws:sts::{ACCOUNT}:assumed-role/Security/*"]},
    "tables": {"orders": {"key": ["pk"]}},
    "access_requests": {"any_of": ["leads"], "duration": "1h"},
    "statement": [
        {"Sid": "Reads", "Effect": "Allow", "Action": "dynamodb:Query", "Resource": "*"},
        {
            "Sid": "DeletesNeedALead",
            "Effect": "RequireApproval",
            "Action": "dynamodb:DeleteItem",
            "Resource": "*",
            "Approval": {"any_of": ["leads"], "timeout_s": 600, "duration_s": 300},
        },
        {
            "Sid": "ScansNeedALead",
            "Effect": "RequireApproval",
            "Action": "dynamodb:Scan",
            "Resource": "*",
            "Approval": {"any_of": ["leads"], "timeout_s": 600, "duration_s": 300},
        },
        {
            "Sid": "NeverProd",
            "Effect": "Deny",
            "Action": "*",
            "Resource": "arn:aws:dynamodb:*:*:table/prod-*",
        },
    ],
}


class Clock:
    """A clock that tests set; sleeping moves it."""

    def __init__(self, now_s: float = 1_800_000_000.0) -> None:
        self.now_s = now_s
        self.naps: list[float] = []
        self.while_asleep: Callable[[], None] | None = None

    def time(self) -> float:
        """The time, on the wall and steadily."""
        return self.now_s

    def sleep(self, seconds: float) -> None:
        """Moves the clock; what is to happen meanwhile happens."""
        self.naps.append(seconds)
        self.now_s += seconds
        if self.while_asleep is not None:
            self.while_asleep()


def document(**changes: Any) -> PolicyDocument:
    """The policy, checked."""
    return load_policy({**POLICY, **changes}, environ={})


def lead(name: str = "ann", role: str = "Leads") -> Decider:
    """Somebody who may approve."""
    arn = f"arn:aws:sts::{ACCOUNT}:assumed-role/{role}/{name}"
    return Decider(Person(role, arn, None, ACCOUNT), (role.lower(),))


def deciding_of(store: AccessStore, clock: Callable[[], float] | None = None) -> Deciding:
    """What decides in a store."""
    strict = StrictClock() if clock is None else StrictClock(clock, clock)
    return Deciding(
        TicketBook(store, strict),
        access_terms=document().access_requests,
        max_duration_s=86_400.0,
    )


def approve(store: AccessStore, ticket: str, who: str = "ann", **more: Any) -> None:
    """A lead approves."""
    deciding_of(store, **more).decide(
        ticket, lead(who), is_approval=True, why="fine by me", channel="library"
    )


def deny(store: AccessStore, ticket: str, who: str = "ann", **more: Any) -> None:
    """A lead denies."""
    deciding_of(store, **more).decide(
        ticket, lead(who), is_approval=False, why="not today", channel="library"
    )
