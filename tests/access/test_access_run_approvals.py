"""Runs of runbooks: approved for their content, their parameters and who runs them."""

from __future__ import annotations

import json
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from dynaguard.access.access import Access
from dynaguard.access.approvals import Approvals
from dynaguard.access.boundaries import Boundaries
from dynaguard.access.clock import StrictClock
from dynaguard.access.deciding import Decider
from dynaguard.access.ticket_asking import Asking
from dynaguard.access.ticket_book import TicketBook
from dynaguard.boundary import Boundary
from dynaguard.call import NO_CREDENTIALS, Authorization, Call, Principal, Ruling, Verdict
from dynaguard.errors import ConfigurationError, TicketError
from dynaguard.policy.model import ApprovalTerms, RunbookPin
from dynaguard.scope import Scope
from dynaguard.testing.stores import MemoryStore
from tests.access.approving import ACCOUNT, ETL_ARN, Clock, approve, deciding_of, document, lead

ETL = Principal("etl", arn=ETL_ARN, arns=(ETL_ARN,), arns_complete=True, account_id=ACCOUNT)
TERMS = ApprovalTerms(any_of=("leads",), timeout_s=600.0, duration_s=300.0)
NEED = Authorization("dynamodb:DeleteItem", "arn:aws:dynamodb:eu-west-1:111122223333:table/orders")
STATEMENTS = json.dumps([{"Effect": "Allow", "Action": NEED.action, "Resource": NEED.resource}])


def bound(subject: str = "ab" * 32, **values: Any) -> Any:
    """A runbook with its parameters, as far as an approval looks at it."""
    runbook = SimpleNamespace(name="clean-up", sha256="cd" * 32, path=Path("clean-up.toml"))
    return SimpleNamespace(runbook=runbook, subject_sha256=subject, values=values)


@pytest.fixture
def clock() -> Clock:
    """The time."""
    return Clock()


@pytest.fixture
def store() -> MemoryStore:
    """Where tickets are kept."""
    return MemoryStore()


@pytest.fixture
def approvals(store: MemoryStore, clock: Clock) -> Approvals:
    """What asks and finds."""
    book = TicketBook(store, StrictClock(clock.time, clock.time))
    asking = Asking(book, monotonic=clock.time, sleep=clock.sleep)
    return Approvals(asking, document())


def approved(approvals: Approvals, store: MemoryStore, clock: Clock, who: Principal = ETL) -> str:
    """The ticket of an approved run."""
    ticket = approvals.ask_for_run(bound(), who, TERMS, "INC-4711")
    approve(store, ticket.id, clock=clock.time)
    return ticket.id


def test_a_run_is_asked_for_without_its_values(approvals: Approvals) -> None:
    """Names of parameters, sizes; a secret least of all."""
    ticket = approvals.ask_for_run(bound(token="hunter2", days=3), ETL, TERMS, "INC-4711")

    assert ticket.kind == "runbook"
    assert ticket.summary.title == "run of runbook clean-up (cdcdcdcdcdcd)"
    assert dict(ticket.summary.facts) == {"token": "<string, 7 characters>", "days": "<number>"}


def test_an_approved_run_is_approved(
    approvals: Approvals, store: MemoryStore, clock: Clock
) -> None:
    """Until its approval ends."""
    ticket = approvals.ask_for_run(bound(), ETL, TERMS, "")
    assert not approvals.is_run_approved(ticket.id, "ab" * 32, ETL)
    approve(store, ticket.id, clock=clock.time)

    assert approvals.is_run_approved(ticket.id, "ab" * 32, ETL, TERMS)
    clock.now_s += 300
    assert not approvals.is_run_approved(ticket.id, "ab" * 32, ETL)


@pytest.mark.parametrize(
    ("subject", "who", "terms"),
    [
        ("ef" * 32, ETL, None),
        (None, ETL, None),
        ("ab" * 32, Principal("other", arn=f"{ETL_ARN}-2", account_id=ACCOUNT), None),
        ("ab" * 32, Principal("etl", arn=ETL_ARN, account_id=ACCOUNT, acting_name="x"), None),
        ("ab" * 32, ETL, ApprovalTerms(quorum=2, any_of=("leads",))),
    ],
)
def test_another_run_is_not_approved(
    approvals: Approvals,
    store: MemoryStore,
    clock: Clock,
    subject: str | None,
    who: Principal,
    terms: ApprovalTerms | None,
) -> None:
    """The runbook changed, somebody else runs it, an agent does, the policy wants more."""
    ticket = approved(approvals, store, clock)

    assert not approvals.is_run_approved(ticket, subject, who, terms)


def test_a_ticket_of_a_call_approves_no_run(approvals: Approvals) -> None:
    """Nor one that is none."""
    assert not approvals.is_run_approved("ticket-nope", "ab" * 32, ETL)
    assert not approvals.is_run_approved(None, "ab" * 32, ETL)


def test_a_store_that_is_gone_approves_nothing(
    approvals: Approvals, store: MemoryStore, clock: Clock
) -> None:
    """What was looked at a moment ago holds for two seconds, no longer."""
    ticket = approved(approvals, store, clock)
    assert approvals.is_run_approved(ticket, "ab" * 32, ETL)
    store.problem = "gone"

    assert approvals.is_run_approved(ticket, "ab" * 32, ETL)
    clock.now_s += 2
    assert not approvals.is_run_approved(ticket, "ab" * 32, ETL)


def test_a_cancelled_approval_ends_within_two_seconds(
    approvals: Approvals, store: MemoryStore, clock: Clock
) -> None:
    """Whoever may approve takes it back."""
    ticket = approved(approvals, store, clock)
    assert approvals.is_run_approved(ticket, "ab" * 32, ETL)
    deciding_of(store, clock.time).cancel(ticket, lead(), why="wrong table")

    clock.now_s += 2

    assert not approvals.is_run_approved(ticket, "ab" * 32, ETL)


def test_an_approval_begins_one_run(
    approvals: Approvals, store: MemoryStore, clock: Clock
) -> None:
    """It stays approved while that runs; a second one does not begin."""
    ticket = approved(approvals, store, clock)

    approvals.runs.claim(ticket, "ab" * 32, ETL)

    assert approvals.is_run_approved(ticket, "ab" * 32, ETL)
    with pytest.raises(TicketError, match="is used up"):
        approvals.runs.claim(ticket, "ab" * 32, ETL)
    with pytest.raises(TicketError, match="another run"):
        approvals.runs.claim(ticket, "ef" * 32, ETL)


def test_nobody_in_particular_asks_for_no_run(approvals: Approvals) -> None:
    """Nobody could be told apart from who asks."""
    with pytest.raises(ConfigurationError, match="is not known"):
        approvals.ask_for_run(bound(), Principal(), TERMS, "")


@pytest.mark.parametrize("is_approved", [True, False])
def test_a_pin_that_wants_an_approval_widens_with_it_alone(
    approvals: Approvals, store: MemoryStore, clock: Clock, is_approved: bool
) -> None:
    """A boundary that merely claims a ticket widens nothing."""
    pin = RunbookPin("clean-up", "cd" * 32, approval=TERMS)
    access = Access(
        Boundaries(StrictClock(clock.time, clock.time)),
        {"clean-up": pin},
        store,
        approvals=approvals,
    )
    ticket = approvals.ask_for_run(bound(), ETL, TERMS, "").id
    if is_approved:
        approve(store, ticket, clock=clock.time)
    boundary = Boundary(
        "runbook",
        "clean-up",
        "task-1",
        runbook_sha256="cd" * 32,
        statements=STATEMENTS,
        subject_sha256="ab" * 32,
        ticket=ticket,
    )
    call = Call(
        *("dynamodb", "DeleteItem", {}, "eu-west-1", "aws", None),
        *(NO_CREDENTIALS, Scope(boundaries=(boundary,)), "c"),
    )
    widen = access.widen_for(call, lambda *_: lambda _: ())
    assert widen is not None

    found = widen(NEED, ETL, Ruling(Verdict.IMPLICIT_DENY))

    assert (found is not None) == is_approved


def test_a_run_that_no_approver_of_the_policy_approved_is_not_approved(
    approvals: Approvals, store: MemoryStore, clock: Clock
) -> None:
    """Groups are those of the policy in force, not of the machine where it was decided."""
    ticket = approvals.ask_for_run(bound(), ETL, TERMS, "INC-4711")
    somebody = Decider(lead("bob", role="Devs").person, ("leads",))
    deciding_of(store, clock.time).decide(
        ticket.id, somebody, is_approval=True, why="mine", channel="cli"
    )

    assert not approvals.is_run_approved(ticket.id, bound().subject_sha256, ETL, TERMS)
    with pytest.raises(TicketError, match="not by who may approve it"):
        approvals.runs.claim(ticket.id, bound().subject_sha256, ETL)


def test_an_approval_by_a_clock_that_runs_ahead_is_none(
    approvals: Approvals, store: MemoryStore, clock: Clock
) -> None:
    """Here it would be one of an hour from now; nothing begins, and nothing goes on."""
    fast = Clock(clock.now_s + 3600)
    asking = Asking(TicketBook(store, StrictClock(fast.time, fast.time)), monotonic=fast.time)
    ticket = approved(Approvals(asking, document()), store, fast)

    with pytest.raises(TicketError, match="is from the future: set the clocks right"):
        approvals.runs.claim(ticket, "ab" * 32, ETL)
    assert not approvals.is_run_approved(ticket, "ab" * 32, ETL)


def test_a_process_of_many_runs_keeps_no_ticket_for_ever(
    approvals: Approvals, store: MemoryStore, clock: Clock
) -> None:
    """What is remembered is dropped when there is too much; then it is looked up again."""
    subjects = [f"{number:0>64x}" for number in range(300)]
    tickets = [approvals.ask_for_run(bound(each), ETL, TERMS, "").id for each in subjects]
    for ticket in tickets:
        approve(store, ticket, clock=clock.time)

    assert all(map(approvals.is_run_approved, tickets, subjects, [ETL] * 300))

    assert len(approvals.runs._recent) <= 256
    assert approvals.is_run_approved(tickets[0], subjects[0], ETL)
