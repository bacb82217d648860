"""Tickets: the question whether something may be done, and the answers of people.

A `Ticket` is a value. What happens to it is a function that gives the next value or raises
`TicketError`; stores keep values and change them by compare-and-set (`ticket_book.py`). Where it
stands is not written down but follows from what was decided, by whom and when, so no record can
claim an approval that its decisions do not make up.

INVARIANT: a ticket is approved only by eligible people, all different, none of them who asks, as
many as every demand of it wants, and before its time was up. Nothing is decided after its end.
"""

from __future__ import annotations

import enum
from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Literal

from dynaguard.access.canonical import sha256_of
from dynaguard.access.clock import SKEW_TOLERANCE_S, iso_utc
from dynaguard.access.ids import new_id
from dynaguard.access.persons import Person, is_same_person
from dynaguard.errors import TicketError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from dynaguard.access.summaries import Summary

TicketKind = Literal["call", "runbook", "access"]


class TicketState(enum.StrEnum):
    """Where a ticket stands."""

    PENDING = "pending"
    """Open: not decided yet."""
    APPROVED = "approved"
    """What was asked for may be done, until it ends."""
    DENIED = "denied"
    EXPIRED = "expired"
    """Its time was up before it was decided, or the time of its approval is."""
    CANCELLED = "cancelled"
    """Withdrawn by who asked, or an approval taken back."""
    USED_UP = "used_up"
    """Approved, and used as often as that allowed."""


@dataclass(frozen=True, slots=True)
class Demand:
    """Whose approval one statement wants.

    Attributes:
        statement: Sid and place of the statement, or what else demands it.
        quorum: How many different people have to approve.
        any_of: Groups of which each of them must be in one; empty: anybody but who asks.
        all_of: Groups that must each be among them.
    """

    statement: str
    quorum: int = 1
    any_of: tuple[str, ...] = ()
    all_of: tuple[str, ...] = ()

    def admits(self, groups: Iterable[str]) -> bool:
        """Whether somebody of these groups may decide about it."""
        return not self.any_of or not set(groups).isdisjoint(self.any_of)

    def is_met(self, decisions: Sequence[TicketDecision]) -> bool:
        """Whether these decisions, of different people, are the approval that it wants."""
        approvers = [each for each in decisions if each.is_approval and self.admits(each.groups)]
        represented = {group for each in approvers for group in each.groups}
        return len(approvers) >= max(1, self.quorum) and represented.issuperset(self.all_of)


@dataclass(frozen=True, slots=True)
class Terms:
    """What an approval takes and what it gives.

    Attributes:
        demands: Each has to be met.
        timeout_s: How long the ticket stays open, in seconds.
        duration_s: How long its approval lasts, in seconds from its last decision.
        uses: How often what was approved may be done; None: any number of times.
    """

    demands: tuple[Demand, ...]
    timeout_s: float = 3600.0
    duration_s: float = 900.0
    uses: int | None = 1


@dataclass(frozen=True, slots=True)
class TicketDecision:
    """What one person decided.

    Attributes:
        person: Who.
        groups: Groups of the policy that the person was in, as seen when it was decided.
        is_approval: Whether it approves; else it denies.
        why: Why, in the person's words.
        decided_epoch_s: When, in seconds since the epoch.
        channel: How it came: `cli`, `library`, `slack` ...
    """

    person: Person
    groups: tuple[str, ...]
    is_approval: bool
    why: str
    decided_epoch_s: float
    channel: str = "library"


@dataclass(frozen=True, slots=True)
class Cancellation:
    """Who took a ticket back, why, and when, in seconds since the epoch."""

    person: Person
    why: str
    cancelled_epoch_s: float


@dataclass(frozen=True, slots=True)
class Ticket:
    """One question and what was answered.

    Attributes:
        id: Its id, as people and records name it: that of its case, and which ticket of it.
        kind: A `call`, the run of a `runbook`, or `access` for a while.
        subject_sha256: Hash of what it is about, down to each parameter.
        summary: What approvers see of that: names and counts, values masked.
        requester: Who asks.
        reason: Why, in the words of who asks; may be empty.
        terms: What an approval takes.
        created_epoch_s: When it was asked, in seconds since the epoch.
        decisions: What was decided, in order.
        cancellation: Who took it back, or None.
        uses_left: How often it may still be used; None: any number of times.
        wish: For `access`: the grant that is asked for, as JSON text (`wishes.py`).
    """

    id: str
    kind: TicketKind
    subject_sha256: str
    summary: Summary
    requester: Person
    reason: str
    terms: Terms
    created_epoch_s: float
    decisions: tuple[TicketDecision, ...] = ()
    cancellation: Cancellation | None = None
    uses_left: int | None = None
    wish: str | None = None

    @property
    def open_until_epoch_s(self) -> float:
        """Until when it can be decided; a denial stands so long."""
        return self.created_epoch_s + self.terms.timeout_s

    @property
    def denial(self) -> TicketDecision | None:
        """The decision that ended it, or None."""
        return next((each for each in self.decisions if not each.is_approval), None)

    @property
    def approved_epoch_s(self) -> float | None:
        """When the last needed approval came; None where it was denied or some are missing."""
        if self.denial is not None:
            return None
        for count in range(1, len(self.decisions) + 1):
            given = self.decisions[:count]
            if all(demand.is_met(given) for demand in self.terms.demands):
                return given[-1].decided_epoch_s
        return None

    @property
    def is_decided(self) -> bool:
        """Whether it was approved or denied, whatever came of it since."""
        return self.denial is not None or self.approved_epoch_s is not None

    @property
    def end_epoch_s(self) -> float:
        """When it ceases to matter: the end of its approval, else of its time to be decided."""
        approved = self.approved_epoch_s
        if approved is None:
            return self.open_until_epoch_s
        return approved + self.terms.duration_s

    def state_at(self, now_epoch_s: float) -> TicketState:
        """Where it stands at an instant (`StrictClock.for_end_s`)."""
        if self.cancellation is not None:
            return TicketState.CANCELLED
        if self.denial is not None:
            return TicketState.DENIED
        if now_epoch_s >= self.end_epoch_s:
            return TicketState.EXPIRED
        if self.approved_epoch_s is None:
            return TicketState.PENDING
        return TicketState.USED_UP if self.uses_left == 0 else TicketState.APPROVED


def case_id(kind: TicketKind, subject_sha256: str, requester: Person, terms: Terms) -> str:
    """The id of a case: the same question by the same identity on the same terms has one.

    Not the reason: to ask again in other words is to ask again.
    """
    demands = [[each.statement, each.quorum, each.any_of, each.all_of] for each in terms.demands]
    case = [
        *(kind, subject_sha256, requester.as_dict(), demands),
        *(float(terms.timeout_s), float(terms.duration_s), terms.uses),
    ]
    digest = bytes.fromhex(sha256_of(case))
    return new_id("ticket", lambda count: digest[:count])


def case_of(ticket: Ticket) -> str:
    """The id of a ticket's case, from what it says."""
    return case_id(ticket.kind, ticket.subject_sha256, ticket.requester, ticket.terms)


def case_of_id(ticket_id: str) -> str:
    """The id of the case that a ticket's id names: all but its last group."""
    return ticket_id.rpartition("-")[0]


def decide(ticket: Ticket, decision: TicketDecision, now_epoch_s: float) -> Ticket:
    """The ticket with one more decision.

    Args:
        ticket: The ticket.
        decision: Whose, and which.
        now_epoch_s: The time, for its end.

    Raises:
        TicketError: It is decided already, or over; or this person may not decide it: asked for
            it, decided before, or is in none of the groups.
    """
    state = ticket.state_at(now_epoch_s)
    if state is not TicketState.PENDING:
        raise TicketError(f"ticket `{ticket.id}` {told(ticket, now_epoch_s)}, it is not open")
    who = decision.person
    if who.acting_as is not None:
        raise TicketError(f"{who} may not decide ticket `{ticket.id}`: only people decide")
    if is_same_person(who, ticket.requester):
        raise TicketError(
            f"{who} may not decide ticket `{ticket.id}`: who asks cannot be who approves"
        )
    if any(is_same_person(who, each.person) for each in ticket.decisions):
        raise TicketError(f"{who} has decided ticket `{ticket.id}` already")
    if not any(demand.admits(decision.groups) for demand in ticket.terms.demands):
        raise TicketError(
            f"{who} may not decide ticket `{ticket.id}`: {who_may_decide(ticket.terms)}"
        )
    if decision.decided_epoch_s < ticket.created_epoch_s - SKEW_TOLERANCE_S:
        raise TicketError(
            f"ticket `{ticket.id}` was asked in the future, by this clock: set the clocks right"
        )
    return replace(ticket, decisions=(*ticket.decisions, decision))


def check_sound(ticket: Ticket) -> None:
    """Whether a ticket can have come about by `decide` and `claim`: for one that was kept.

    Raises:
        ValueError: It cannot: somebody wrote it by hand.
    """
    terms, left = ticket.terms, ticket.uses_left
    if not terms.demands:
        raise ValueError("nobody has to approve it")
    if (left is None) != (terms.uses is None) or (left or 0) > (terms.uses or 0):
        raise ValueError("its uses are not those that it was asked for")
    before: list[TicketDecision] = []
    for decision in ticket.decisions:
        who = decision.person
        if who.acting_as is not None or is_same_person(who, ticket.requester):
            raise ValueError("who asked decided it, or who acts for somebody")
        if any(is_same_person(who, each.person) for each in before):
            raise ValueError("the same person decided it twice")
        if before and replace(ticket, decisions=tuple(before)).is_decided:
            raise ValueError("it was decided after it was decided")
        if not any(demand.admits(decision.groups) for demand in terms.demands):
            raise ValueError("somebody decided it who may not")
        if decision.decided_epoch_s >= ticket.open_until_epoch_s:
            raise ValueError("it was decided after its time")
        before.append(decision)


def cancel(ticket: Ticket, cancellation: Cancellation, now_epoch_s: float) -> Ticket:
    """The ticket taken back; who is allowed to is asked elsewhere (`deciding.py`).

    Raises:
        TicketError: There is nothing to take back any more.
    """
    if ticket.state_at(now_epoch_s) not in _LIVE:
        raise TicketError(f"ticket `{ticket.id}` {told(ticket, now_epoch_s)}, it is over")
    return replace(ticket, cancellation=cancellation)


def claim(ticket: Ticket, now_epoch_s: float) -> Ticket:
    """The ticket with one use less.

    Raises:
        TicketError: It is not approved, not any more, or has no use left.
    """
    if ticket.state_at(now_epoch_s) is not TicketState.APPROVED:
        raise TicketError(f"ticket `{ticket.id}` {told(ticket, now_epoch_s)}")
    if ticket.uses_left is None:
        return ticket
    return replace(ticket, uses_left=ticket.uses_left - 1)


def is_from_the_future(ticket: Ticket, beginning_epoch_s: float) -> bool:
    """Whether a clock is wrong: it was asked or decided later than now, tolerance included.

    Args:
        ticket: The ticket.
        beginning_epoch_s: `StrictClock.for_beginning_s`.
    """
    times = [ticket.created_epoch_s, *(each.decided_epoch_s for each in ticket.decisions)]
    return max(times) > beginning_epoch_s


def told(ticket: Ticket, now_epoch_s: float) -> str:
    """Where a ticket stands, in one clause; who, when and why where somebody ended it."""
    state = ticket.state_at(now_epoch_s)
    cancelled, denial = ticket.cancellation, ticket.denial
    if cancelled is not None:
        when = iso_utc(cancelled.cancelled_epoch_s)
        return f"was taken back by {cancelled.person} at {when}{_because(cancelled.why)}"
    if denial is not None:
        when = iso_utc(denial.decided_epoch_s)
        return f"was denied by {denial.person} at {when}{_because(denial.why)}"
    if state is TicketState.PENDING:
        return f"is open until {iso_utc(ticket.open_until_epoch_s)}"
    if ticket.approved_epoch_s is None:
        return f"was decided by nobody until {iso_utc(ticket.open_until_epoch_s)}"
    approvers = " and ".join(str(each.person) for each in ticket.decisions)
    approval = f"was approved by {approvers} at {iso_utc(ticket.approved_epoch_s)}"
    if state is TicketState.EXPIRED:
        return f"{approval}, which ended at {iso_utc(ticket.end_epoch_s)}"
    return f"{approval} and is used up" if state is TicketState.USED_UP else approval


def who_may_decide(terms: Terms) -> str:
    """Whose approval is wanted, in one clause."""
    return "; ".join(dict.fromkeys(_wanted(demand) for demand in terms.demands))


def _wanted(demand: Demand) -> str:
    """Whose approval one demand wants."""
    count = "one other person" if demand.quorum == 1 else f"{demand.quorum} other people"
    members = f" of `{'`, `'.join(demand.any_of)}`" if demand.any_of else ""
    each = f", with somebody of each of `{'`, `'.join(demand.all_of)}`" if demand.all_of else ""
    return f"{count}{members}{each} must approve"


def _because(why: str) -> str:
    """The reason that somebody gave, for the end of a clause."""
    return f" ({why})" if why else ""


_LIVE = frozenset({TicketState.PENDING, TicketState.APPROVED, TicketState.USED_UP})
