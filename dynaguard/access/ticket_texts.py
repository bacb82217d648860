"""Tickets as text and back: what stores keep of them.

Strict: a text that is not fully understood, or whose parts contradict each other, is no ticket, so
that a record which somebody edited by hand approves nothing.
"""

from __future__ import annotations

import dataclasses
import json
import math
from typing import Any, Final, get_args

from dynaguard.access.canonical import canonical_json
from dynaguard.access.persons import Person
from dynaguard.access.summaries import Summary
from dynaguard.access.tickets import (
    Cancellation,
    Demand,
    Terms,
    Ticket,
    TicketDecision,
    TicketKind,
    case_of,
    case_of_id,
    check_sound,
)

_FORMAT: Final = 1
_MAX_EPOCH_S: Final = 1e11
"""The year 5138: what is beyond is no instant."""
_KINDS: Final = get_args(TicketKind)


def ticket_text(ticket: Ticket) -> str:
    """The text of a ticket, canonical JSON."""
    cancellation = ticket.cancellation
    return canonical_json(
        {
            "format": _FORMAT,
            "id": ticket.id,
            "kind": ticket.kind,
            "subject_sha256": ticket.subject_sha256,
            "summary": ticket.summary.as_dict(),
            "requester": ticket.requester.as_dict(),
            "reason": ticket.reason,
            "terms": dataclasses.asdict(ticket.terms),
            "created_epoch_s": ticket.created_epoch_s,
            "decisions": [_decision_dict(each) for each in ticket.decisions],
            "cancellation": None if cancellation is None else _cancellation_dict(cancellation),
            "uses_left": ticket.uses_left,
            "wish": ticket.wish,
        }
    )


def read_ticket(text: str) -> Ticket:
    """What `ticket_text` gave.

    Raises:
        ValueError: It is no ticket of this format, or its parts contradict each other.
    """
    try:
        ticket = _ticket(json.loads(text))
    except (KeyError, TypeError, AttributeError, OverflowError) as err:
        raise ValueError(f"it is no ticket ({type(err).__name__})") from err
    if case_of_id(ticket.id) != case_of(ticket):
        raise ValueError("its id is not the one of what it is about")
    check_sound(ticket)
    return ticket


def _ticket(data: dict[str, Any]) -> Ticket:
    """The ticket; types that matter to a decision are looked at."""
    if data["format"] != _FORMAT or data["kind"] not in _KINDS:
        raise ValueError("it is of a format that this version does not know")
    cancellation = data["cancellation"]
    return Ticket(
        id=_text(data["id"]),
        kind=data["kind"],
        subject_sha256=_text(data["subject_sha256"]),
        summary=Summary.from_dict(data["summary"]),
        requester=Person.from_dict(data["requester"]),
        reason=_text(data["reason"]),
        terms=_terms(data["terms"]),
        created_epoch_s=_number(data["created_epoch_s"]),
        decisions=tuple(_decision(each) for each in data["decisions"]),
        cancellation=None if cancellation is None else _cancellation(cancellation),
        uses_left=_count(data["uses_left"]),
        wish=None if data["wish"] is None else _text(data["wish"]),
    )


def _terms(data: dict[str, Any]) -> Terms:
    """The terms."""
    return Terms(
        demands=tuple(
            Demand(
                _text(each["statement"]),
                int(_number(each["quorum"])),
                _texts(each["any_of"]),
                _texts(each["all_of"]),
            )
            for each in data["demands"]
        ),
        timeout_s=_number(data["timeout_s"]),
        duration_s=_number(data["duration_s"]),
        uses=_count(data["uses"]),
    )


def _decision_dict(decision: TicketDecision) -> dict[str, Any]:
    """One decision in JSON's own types."""
    return {
        "person": decision.person.as_dict(),
        "groups": decision.groups,
        "is_approval": decision.is_approval,
        "why": decision.why,
        "decided_epoch_s": decision.decided_epoch_s,
        "channel": decision.channel,
    }


def _decision(data: dict[str, Any]) -> TicketDecision:
    """One decision."""
    if type(data["is_approval"]) is not bool:
        raise TypeError("a decision is neither an approval nor a denial")
    return TicketDecision(
        Person.from_dict(data["person"]),
        _texts(data["groups"]),
        data["is_approval"],
        _text(data["why"]),
        _number(data["decided_epoch_s"]),
        _text(data["channel"]),
    )


def _cancellation_dict(cancellation: Cancellation) -> dict[str, Any]:
    """A cancellation in JSON's own types."""
    return {
        "person": cancellation.person.as_dict(),
        "why": cancellation.why,
        "cancelled_epoch_s": cancellation.cancelled_epoch_s,
    }


def _cancellation(data: dict[str, Any]) -> Cancellation:
    """A cancellation."""
    return Cancellation(
        Person.from_dict(data["person"]),
        _text(data["why"]),
        _number(data["cancelled_epoch_s"]),
    )


def _text(value: Any) -> str:
    """The value, which has to be text."""
    if type(value) is not str:
        raise TypeError("a part that is text is none")
    return value


def _texts(values: Any) -> tuple[str, ...]:
    """The values, all text."""
    if type(values) is not list:
        raise TypeError("a part that is a list is none")
    return tuple(_text(value) for value in values)


def _number(value: Any) -> float:
    """The value, which has to be a finite number."""
    if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
        raise TypeError("a part that is a number is none")
    if abs(value) >= _MAX_EPOCH_S:
        raise ValueError("a number is past all bounds")
    return float(value)


def _count(value: Any) -> int | None:
    """The value, which has to be a count, or None."""
    if value is not None and (type(value) is not int or value < 0):
        raise TypeError("a part that is a count is none")
    return value
