"""Access that is asked for: a ticket that becomes a grant once it is approved.

The grant follows from the ticket alone, its id and its times too. So whoever finds an approved
ticket without its grant may add it: it is the same one, and a grant that was revoked stays so.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from dynaguard.access.canonical import canonical_json, sha256_of
from dynaguard.access.granting import revoke_grant
from dynaguard.access.grants import make_grant
from dynaguard.access.summaries import Summary
from dynaguard.access.terms import GrantTerms, check_terms
from dynaguard.access.tickets import Demand, Terms, Ticket, TicketState, is_from_the_future
from dynaguard.errors import AccessStoreError, ConfigurationError, PolicySyntaxError, TicketError
from dynaguard.policy.advice import one_line

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from dynaguard.access.grants import Grant
    from dynaguard.access.persons import Person
    from dynaguard.access.ticket_book import TicketBook
    from dynaguard.policy.model import ApprovalTerms

_DEMAND = "access_requests"


def wish_ticket(
    statements: Sequence[Mapping[str, Any]],
    *,
    requester: Person,
    reason: str,
    duration_s: float,
    uses: int | None,
    approval: ApprovalTerms | None,
    now_epoch_s: float,
    max_duration_s: float,
) -> Ticket:
    """The ticket of an access wish, without an id.

    Args:
        statements: Allow statements of IAM's grammar.
        requester: Who asks, and for whom.
        reason: Why, one line.
        duration_s: How long, from the approval, in seconds.
        uses: How many calls it is to be good for; None: any number.
        approval: The policy's `[access_requests]`, or None.
        now_epoch_s: Now, in seconds since the epoch.
        max_duration_s: Longest that a grant may last, in seconds.

    Raises:
        ConfigurationError: The policy lets nobody ask, or not for so long.
        PolicySyntaxError: Every problem of the statements.
    """
    if approval is None:
        raise ConfigurationError(
            "the policy has no `[access_requests]`, so nobody may approve access: name who may "
            "there, such as `any_of = [...]`"
        )
    text = canonical_json(list(statements))
    wish = _wish(text, requester, duration_s, uses)
    longest_s = min(max_duration_s, approval.duration_s)
    check_terms(
        _grant_terms(wish, reason),
        now_epoch_s=now_epoch_s,
        max_duration_s=longest_s,
        source="<access request>",
    )
    return Ticket(
        id="",
        kind="access",
        subject_sha256=sha256_of(wish),
        summary=_summary(statements, duration_s, uses),
        requester=requester,
        reason=reason,
        terms=Terms((_demand(approval),), approval.timeout_s, float(duration_s), None),
        created_epoch_s=now_epoch_s,
        wish=canonical_json(wish),
    )


def check_terms_of_wish(ticket: Ticket, approval: ApprovalTerms | None) -> None:
    """Whether a wish was asked on the terms of this process's own policy.

    Raises:
        TicketError: It was not: its approval would mean nothing.
    """
    is_same = approval is not None and (
        ticket.terms.demands == (_demand(approval),)
        and ticket.terms.duration_s <= approval.duration_s
    )
    if not is_same:
        raise TicketError(
            f"ticket `{ticket.id}` was asked on other terms than `[access_requests]` of the "
            "policy here has, use the same policy"
        )


def grant_of(ticket: Ticket, *, max_duration_s: float) -> Grant:
    """The grant of an approved wish, the same whenever and wherever it is made.

    Raises:
        AccessStoreError: The ticket holds no wish, or one that may not be granted.
    """
    try:
        wish = json.loads(ticket.wish or "")
        if sha256_of(wish) != ticket.subject_sha256 or ticket.approved_epoch_s is None:
            raise ValueError("its wish is not the one that was approved")  # noqa: TRY301
        approvers = ", ".join(str(each.person) for each in ticket.decisions)
        return make_grant(
            _grant_terms(wish, ticket.reason),
            owner=approvers[:256],
            now_epoch_s=ticket.approved_epoch_s,
            ticket=ticket.id,
            max_duration_s=max_duration_s,
            new_id=lambda prefix: f"{prefix}{ticket.id.removeprefix('ticket')}",
        )
    except (ValueError, TypeError, KeyError, PolicySyntaxError) as err:
        raise AccessStoreError(f"ticket `{ticket.id}` holds no wish to grant: {err}") from err


def ensure_grant(book: TicketBook, ticket: Ticket, *, max_duration_s: float) -> None:
    """Adds the grant of an approved wish where it is missing; does it once, whoever does.

    Raises:
        AccessStoreError: The store cannot be written, or the ticket holds no wish.
    """
    is_approved = ticket.state_at(book.clock.for_end_s()) is TicketState.APPROVED
    if not is_approved or is_from_the_future(ticket, book.clock.for_beginning_s()):
        return
    grant = grant_of(ticket, max_duration_s=max_duration_s)
    if book.store.get("grant", grant.id) is None:
        book.store.add(grant.to_record())


def revoke_granted(book: TicketBook, ticket: Ticket, *, max_duration_s: float) -> None:
    """Takes back the grant of a wish whose approval was taken back.

    Where it is not made yet it is stored as revoked, so that who is about to make it does not.

    Raises:
        AccessStoreError: The store cannot be written.
    """
    cancellation = ticket.cancellation
    if cancellation is None or ticket.approved_epoch_s is None:
        return
    by, why = str(cancellation.person), cancellation.why
    now_s = cancellation.cancelled_epoch_s
    grant = grant_of(ticket, max_duration_s=max_duration_s)
    revoked = grant.revoked(by=by, why=why, now_epoch_s=now_s)
    if not book.store.add(revoked.to_record()):
        revoke_grant(book.store, grant.id, by=by, why=why, now_epoch_s=now_s)


def _wish(text: str, requester: Person, duration_s: float, uses: int | None) -> dict[str, Any]:
    """What is asked for, in JSON's own types."""
    return {
        "statements": json.loads(text),
        "identity": requester.grantee,
        "acting_as": requester.acting_as,
        "duration_s": duration_s,
        "uses": uses,
    }


def _grant_terms(wish: Mapping[str, Any], reason: str) -> GrantTerms:
    """What the grant would be made from."""
    return GrantTerms(
        statements=canonical_json(wish["statements"]),
        identity=wish["identity"],
        reason=reason,
        duration_s=wish["duration_s"],
        acting_as=wish["acting_as"],
        uses=wish["uses"],
    )


def _demand(approval: ApprovalTerms) -> Demand:
    """Whose approval a wish takes."""
    return Demand(_DEMAND, approval.quorum, approval.any_of, approval.all_of)


def _summary(
    statements: Sequence[Mapping[str, Any]], duration_s: float, uses: int | None
) -> Summary:
    """What approvers see: actions and resources, and how long. Conditions by their keys alone."""
    pairs = [
        (one_line(", ".join(_listed(each.get("Action")))), one_line(resource))
        for each in statements
        for resource in _listed(each.get("Resource"))
    ]
    keys = {
        str(key)
        for each in statements
        for operator in (each.get("Condition") or {}).values()
        for key in operator
    }
    facts = [("duration", f"{duration_s:g} s from the approval")]
    facts.append(("calls", "any number" if uses is None else str(uses)))
    if keys:
        facts.append(("with conditions on", one_line(", ".join(sorted(keys)))))
    return Summary("access for a while", tuple(pairs), tuple(facts))


def _listed(value: Any) -> list[str]:
    """A text, or texts, as a list."""
    return [value] if isinstance(value, str) else [str(each) for each in value or ()]
