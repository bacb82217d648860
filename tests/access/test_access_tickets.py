"""Tickets: who may decide, when, and what becomes of it. Held against a naive model."""

from __future__ import annotations

import dataclasses
import json
from typing import Any

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from dynaguard.access import tickets
from dynaguard.access.persons import Person
from dynaguard.access.summaries import Summary
from dynaguard.access.ticket_texts import read_ticket, ticket_text
from dynaguard.access.tickets import (
    Cancellation,
    Demand,
    Terms,
    Ticket,
    TicketDecision,
    TicketState,
)
from dynaguard.errors import TicketError

NOW = 1_800_000_000.0
ASKER = Person("etl", "arn:aws:sts::111122223333:assumed-role/etl/asker")
GROUPS = {
    "ann": ("leads",),
    "bob": ("leads", "security"),
    "cem": ("security",),
    "dan": ("interns",),
    "asker": ("leads", "security"),
}


def person(name: str) -> Person:
    """Somebody in a role that many hold."""
    return Person("Ops", f"arn:aws:sts::111122223333:assumed-role/Ops/{name}")


def make(terms: Terms | None = None, **changes: Any) -> Ticket:
    """A ticket of a call, asked at `NOW`."""
    terms = terms or Terms((Demand("NeedsLead (policy.toml:3)", 1, ("leads",)),))
    ticket = Ticket(
        id="",
        kind="call",
        subject_sha256="ab" * 32,
        summary=Summary("dynamodb DeleteTable in eu-west-1"),
        requester=ASKER,
        reason="clean-up",
        terms=terms,
        created_epoch_s=NOW,
        uses_left=terms.uses,
    )
    ticket = dataclasses.replace(ticket, **changes)
    return dataclasses.replace(ticket, id=f"{tickets.case_of(ticket)}-0a1b")


def answer(name: str, *, is_approval: bool = True, at: float = NOW) -> TicketDecision:
    """What somebody decides."""
    return TicketDecision(person(name), GROUPS[name], is_approval, "because", at)


def test_an_approval_by_an_eligible_person_opens_the_way() -> None:
    """From its instant, for as long as the terms say."""
    ticket = tickets.decide(make(), answer("ann", at=NOW + 10), NOW + 10)

    assert ticket.state_at(NOW + 10) is TicketState.APPROVED
    assert ticket.state_at(NOW + 10 + 899) is TicketState.APPROVED
    assert ticket.state_at(NOW + 10 + 900) is TicketState.EXPIRED


def test_a_denial_ends_it() -> None:
    """And says by whom, when and why."""
    ticket = tickets.decide(make(), answer("ann", is_approval=False), NOW)

    assert ticket.state_at(NOW) is TicketState.DENIED
    assert tickets.told(ticket, NOW) == (
        "was denied by Ops (ann) at 2027-01-15T08:00:00Z (because)"
    )
    with pytest.raises(TicketError, match="was denied by Ops"):
        tickets.decide(ticket, answer("bob"), NOW)


@pytest.mark.parametrize(
    ("requester", "decider"),
    [
        (ASKER, ASKER),
        (ASKER, Person("Ops", "arn:aws:sts::111122223333:assumed-role/Ops/asker")),
        (ASKER, Person("Ops", "arn:aws:sts::444455556666:assumed-role/Ops/ASKER")),
        (ASKER, Person("asker", "arn:aws:iam::111122223333:user/asker")),
        (ASKER, Person("etl", "arn:aws:iam::111122223333:role/etl")),
        (ASKER, Person("etl")),
        (Person("ann"), Person("Ops", "arn:aws:sts::111122223333:assumed-role/Ops/ann")),
        (dataclasses.replace(ASKER, acting_as="triage"), ASKER),
    ],
)
def test_nobody_decides_what_they_asked_for(requester: Person, decider: Person) -> None:
    """By ARN, by session name, whatever the role; by name where no more is known."""
    ticket = make(Terms((Demand("any"),)), requester=requester)

    with pytest.raises(TicketError, match="who asks cannot be who approves"):
        tickets.decide(ticket, TicketDecision(decider, (), True, "mine", NOW), NOW)


def test_another_person_of_the_same_role_may_decide() -> None:
    """A role is held by many; their sessions tell them apart."""
    other = Person("etl", "arn:aws:sts::111122223333:assumed-role/etl/somebody-else")
    ticket = make(Terms((Demand("any"),)))

    ticket = tickets.decide(ticket, TicketDecision(other, (), True, "fine", NOW), NOW)

    assert ticket.state_at(NOW) is TicketState.APPROVED


def test_who_acts_for_somebody_decides_nothing() -> None:
    """Agents ask, people answer."""
    agent = dataclasses.replace(person("ann"), acting_as="triage")

    with pytest.raises(TicketError, match="only people decide"):
        tickets.decide(make(), TicketDecision(agent, ("leads",), True, "ok", NOW), NOW)


def test_several_statements_are_each_to_be_met() -> None:
    """One person of each group, where the statements name different groups."""
    terms = Terms((Demand("a", 1, ("leads",)), Demand("b", 1, ("security",))))
    half = tickets.decide(make(terms), answer("ann"), NOW)

    assert half.state_at(NOW) is TicketState.PENDING
    assert tickets.decide(half, answer("cem"), NOW).state_at(NOW) is TicketState.APPROVED


def test_every_group_of_all_of_is_represented() -> None:
    """Two leads are no security."""
    terms = Terms((Demand("a", 2, (), ("leads", "security")),))
    ticket = tickets.decide(make(terms), answer("ann"), NOW)

    ticket = tickets.decide(ticket, answer("dan"), NOW)

    assert ticket.state_at(NOW) is TicketState.PENDING
    assert tickets.decide(ticket, answer("cem"), NOW).state_at(NOW) is TicketState.APPROVED


def test_a_use_is_claimed_so_often_as_it_may_be_used() -> None:
    """Then it is used up, and says so."""
    ticket = tickets.decide(make(), answer("ann"), NOW)

    used = tickets.claim(ticket, NOW + 1)

    assert used.state_at(NOW + 1) is TicketState.USED_UP
    with pytest.raises(TicketError, match="is used up"):
        tickets.claim(used, NOW + 2)


@pytest.mark.parametrize("at", [NOW - 60.5, NOW - 7200])
def test_a_decision_before_the_question_means_a_wrong_clock(at: float) -> None:
    """Beyond some tolerance for skew."""
    with pytest.raises(TicketError, match="set the clocks right"):
        tickets.decide(make(), answer("ann", at=at), at)


def test_a_decision_from_the_future_is_seen() -> None:
    """The clock of another machine runs an hour ahead."""
    ticket = tickets.decide(make(), answer("ann", at=NOW + 3600 - 1), NOW + 3599)

    assert tickets.is_from_the_future(ticket, NOW + 60)
    assert not tickets.is_from_the_future(ticket, NOW + 3600)


def test_its_text_gives_the_same_ticket() -> None:
    """With everything that happened to it."""
    ticket = tickets.decide(make(), answer("ann"), NOW)
    ticket = tickets.cancel(ticket, Cancellation(person("bob"), "no longer", NOW + 5), NOW + 5)

    assert read_ticket(ticket_text(ticket)) == ticket


def decision_dict(**changes: Any) -> dict[str, Any]:
    """An approval as a ticket's text has it, and what was written into it."""
    ticket = tickets.decide(make(), answer("ann"), NOW)
    (data,) = json.loads(ticket_text(ticket))["decisions"]
    return {**data, **changes}


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("format", 2),
        ("kind", "wish"),
        ("uses_left", -1),
        ("uses_left", True),
        ("created_epoch_s", "soon"),
        ("requester", {"name": "etl"}),
        ("requester", {"name": "x", "arn": None, "acting_as": None, "account": None}),
        ("subject_sha256", "cd" * 32),
        ("terms", {"demands": [], "timeout_s": 1, "duration_s": 1, "uses": 1}),
        ("decisions", [{}]),
        ("decisions", [decision_dict(is_approval="yes")]),
        ("decisions", [decision_dict(why=["because"])]),
        ("decisions", [decision_dict(groups="leads")]),
        ("requester", {"name": 7, "arn": None, "acting_as": None, "account": None}),
        ("requester", {"name": "etl", "arn": 7, "acting_as": None, "account": None}),
        ("summary", {"title": "t", "resources": [], "facts": [["Key.pk"]]}),
        ("summary", {"title": "t", "resources": {"a": "b"}, "facts": []}),
    ],
)
def test_a_text_that_was_tampered_with_is_no_ticket(name: str, value: Any) -> None:
    """Another requester, subject or terms than its id is of; a part of a wrong type."""
    data = {**json.loads(ticket_text(make())), name: value}

    with pytest.raises(ValueError, match=r"it is|its id"):
        read_ticket(json.dumps(data))


PEOPLE = st.sampled_from(sorted(GROUPS))
DEMANDS = st.builds(
    Demand,
    st.just("s"),
    st.integers(1, 3),
    st.sampled_from([(), ("leads",), ("leads", "security")]),
    st.sampled_from([(), ("security",), ("leads", "security")]),
)


class TicketMachine(RuleBasedStateMachine):
    """Any sequence of transitions, beside a model that writes down plainly what happened."""

    @initialize(
        demands=st.lists(DEMANDS, min_size=1, max_size=2),
        uses=st.none() | st.integers(1, 3),
    )
    def ask(self, demands: list[Demand], uses: int | None) -> None:
        """A ticket on some terms."""
        self.now = NOW
        self.demands = demands
        self.ticket = make(Terms(tuple(demands), 100.0, 50.0, uses))
        self.approvers: list[str] = []
        self.denied_by: str | None = None
        self.approved_at: float | None = None
        self.is_cancelled = False
        self.used = 0

    @rule(seconds=st.floats(0, 60))
    def wait(self, seconds: float) -> None:
        """Time goes on."""
        self.now += seconds

    @rule(who=PEOPLE, is_approval=st.sampled_from([True, True, True, False]))
    def decide(self, who: str, is_approval: bool) -> None:
        """Somebody decides, or is refused for a reason that the model knows."""
        may = (
            self._is_pending()
            and who != "asker"
            and who not in self.approvers
            and any(not d.any_of or set(d.any_of) & set(GROUPS[who]) for d in self.demands)
        )
        decision = answer(who, is_approval=is_approval, at=self.now)

        if not may:
            with pytest.raises(TicketError):
                tickets.decide(self.ticket, decision, self.now)
            return
        self.ticket = tickets.decide(self.ticket, decision, self.now)
        if not is_approval:
            self.denied_by = who
            return
        self.approvers.append(who)
        if all(self._is_met(demand) for demand in self.demands):
            self.approved_at = self.now

    @rule()
    def use(self) -> None:
        """A use is claimed, where the model has one left."""
        if self._is_usable():
            self.ticket = tickets.claim(self.ticket, self.now)
            self.used += 1
        else:
            with pytest.raises(TicketError):
                tickets.claim(self.ticket, self.now)

    @precondition(lambda self: self.now > NOW + 20)
    @rule()
    def cancel(self) -> None:
        """Taken back, where there is something to take back."""
        taken = Cancellation(person("asker"), "changed my mind", self.now)
        is_running = self.approved_at is not None and self.now < self.approved_at + 50
        if self._is_pending() or (is_running and not self.is_cancelled):
            self.ticket = tickets.cancel(self.ticket, taken, self.now)
            self.is_cancelled = True
        else:
            with pytest.raises(TicketError):
                tickets.cancel(self.ticket, taken, self.now)

    @invariant()
    def agrees(self) -> None:
        """The state is the model's; an approval has its people; nothing is lost in the text."""
        state = self.ticket.state_at(self.now)

        assert (state is TicketState.PENDING) == self._is_pending()
        assert (state is TicketState.APPROVED) == self._is_usable()
        assert self.ticket.approved_epoch_s == self.approved_at
        if state is TicketState.APPROVED:
            assert len({each.person for each in self.ticket.decisions}) == len(self.approvers)
            assert ASKER not in [each.person for each in self.ticket.decisions]
        assert read_ticket(ticket_text(self.ticket)) == self.ticket

    def _is_met(self, demand: Demand) -> bool:
        """By the model: count heads, tick off groups."""
        heads = [
            w for w in self.approvers if not demand.any_of or set(demand.any_of) & set(GROUPS[w])
        ]
        return len(heads) >= demand.quorum and all(
            any(group in GROUPS[who] for who in heads) for group in demand.all_of
        )

    def _is_pending(self) -> bool:
        return (
            self.approved_at is None
            and self.denied_by is None
            and not self.is_cancelled
            and self.now < NOW + 100
        )

    def _is_usable(self) -> bool:
        uses = self.ticket.terms.uses
        return (
            self.approved_at is not None
            and not self.is_cancelled
            and self.now < self.approved_at + 50
            and (uses is None or self.used < uses)
        )


TicketMachine.TestCase.settings = settings(max_examples=60, stateful_step_count=25)
TestTicketMachine = TicketMachine.TestCase
