"""Who decided is asked for again by the policy that enforces: groups are its own."""

from __future__ import annotations

import pytest

from dynaguard.access.approvers import Approvers
from dynaguard.access.persons import Person, person_of
from dynaguard.access.summaries import Summary
from dynaguard.access.tickets import Demand, Terms, Ticket, TicketDecision
from dynaguard.call import Principal

ACCOUNT = "arn:aws:{}::111122223333:"
SSO = "AWSReservedSSO_Managers_0123456789abcdef"
SESSION = ACCOUNT.format("sts") + "assumed-role/Leads/ann"
ROLE = ACCOUNT.format("iam") + "role/team/Leads"
ANN_OF_SSO = ACCOUNT.format("sts") + f"assumed-role/{SSO}/ann"


def approved_by(*arns: str | None, quorum: int = 1) -> Ticket:
    """A ticket that people of `leads`, as they say, approved."""
    people = [
        person_of(Principal("Leads", arn=arn)) if arn else Person("somebody") for arn in arns
    ]
    return Ticket(
        id="ticket-1",
        kind="call",
        subject_sha256="0",
        summary=Summary("delete"),
        requester=Person("etl"),
        reason="",
        terms=Terms((Demand("Deletes", quorum, ("leads",)),)),
        created_epoch_s=1.0,
        decisions=tuple(
            TicketDecision(each, ("leads",), is_approval=True, why="x", decided_epoch_s=2.0)
            for each in people
        ),
    )


@pytest.mark.parametrize(
    ("members", "arn", "counts"),
    [
        ((SESSION,), SESSION, True),
        (("arn:aws:sts::*:assumed-role/Leads/*",), SESSION, True),
        (("arn:aws:sts::*:assumed-role/Leads/bob",), SESSION, False),
        (("arn:aws:sts::*:assumed-role/Others/*",), SESSION, False),
        ((), SESSION, False),
        (("*",), SESSION, True),
        (("*",), None, True),
        (("arn:aws:sts::*:assumed-role/Leads/*",), None, False),
        ((ROLE,), SESSION, True),
        ((ROLE,), ROLE, True),
        (("arn:aws:sts::*:assumed-role/Leads/*",), ROLE, True),
        (("oidc:sub=repo",), SESSION, True),
        (("sso:role=Managers",), ANN_OF_SSO, True),
        (("sso:role=Readers",), ANN_OF_SSO, False),
        (("sso:person=bob",), ANN_OF_SSO, False),
        (("sso:role=Leads",), SESSION, False),
    ],
)
def test_an_approval_counts_where_its_person_may_be_in_the_group_here(
    members: tuple[str, ...], arn: str | None, counts: bool
) -> None:
    """What an ARN does not tell, a path or a token's claims, is left as it was decided."""
    assert Approvers({"leads": members}).would_approve(approved_by(arn)) is counts


def test_a_quorum_is_counted_anew() -> None:
    """One of two who is no lead here is one too few."""
    bob = SESSION.replace("ann", "bob")
    ticket = approved_by(SESSION, bob, quorum=2)

    assert Approvers({"leads": (SESSION, bob)}).would_approve(ticket)
    assert not Approvers({"leads": (SESSION,)}).would_approve(ticket)


def test_a_group_that_the_policy_does_not_have_counts_for_nobody() -> None:
    """It was removed, or somebody made it up."""
    assert not Approvers({}).would_approve(approved_by(SESSION))
