"""A call and its approval: what others do between the question, the answer and the use."""

from __future__ import annotations

import io
from collections.abc import Callable
from typing import Any

from dynaguard.access.approvals import Approvals
from dynaguard.access.clock import StrictClock
from dynaguard.access.store import StoredRecord
from dynaguard.access.ticket_asking import Asking
from dynaguard.access.ticket_book import TicketBook
from dynaguard.access.tickets import Ticket, claim
from dynaguard.call import (
    NO_CREDENTIALS,
    Authorization,
    Call,
    Decision,
    Principal,
    StatementRef,
    Verdict,
)
from dynaguard.passage import Passage
from dynaguard.scope import EMPTY_SCOPE
from dynaguard.testing.stores import MemoryStore
from tests.access.approving import ACCOUNT, ETL_ARN, POLICY, Clock, approve, document

ETL = Principal("etl", arn=ETL_ARN, arns=(ETL_ARN,), arns_complete=True, account_id=ACCOUNT)
NEED = Authorization("dynamodb:DeleteItem", "arn:aws:dynamodb:eu-west-1:111122223333:table/orders")


class Line:
    """Calls of one process that need an approval, and somebody who is a moment faster."""

    def __init__(self, wait_s: float | None = None, **of_approval: Any) -> None:
        self.clock = Clock()
        self.store = Fast()
        first, *others = (each for each in POLICY["statement"] if "Approval" in each)
        changed = {**first, "Approval": {**first["Approval"], **of_approval}}
        policy = document(statement=[changed, *others])
        self.refs = [each.ref for each in policy.statements if each.approval is not None]
        self.book = TicketBook(self.store, StrictClock(self.clock.time, self.clock.time))
        asking = Asking(self.book, monotonic=self.clock.time, sleep=self.clock.sleep)
        self.approvals = Approvals(asking, policy, wait_s=wait_s)

    def decision(self, *required_by: StatementRef) -> Decision:
        """That an approval is required, by the first statement if nothing else is said."""
        refs = required_by or (self.refs[0],)
        return Decision(
            Verdict.REQUIRE_APPROVAL, (NEED,), NEED, refs[0], "it is needed", required_by=refs
        )

    def settle(self, again: Any = None, of_call: Any = None, **options: Any) -> Any:
        """One call: its decision, and its passage."""
        decision = options.pop("decision", None) or self.decision()
        passage = Passage(call(**(of_call or {})), ETL, 0.0)
        made = self.approvals.settle(
            passage, decision, lambda: decision if again is None else again(passage)
        )
        return made, passage

    def approve(self, ticket: str) -> None:
        """A lead approves."""
        approve(self.store, ticket, clock=self.clock.time)

    def taken(self, ticket: str) -> Ticket:
        """The other call takes a use."""
        return self.book.change(ticket, lambda each: claim(each, self.clock.now_s))


class Fast(MemoryStore):
    """A store in which others do something just before a document is replaced, one at a time."""

    def __init__(self) -> None:
        super().__init__()
        self.others: list[Callable[[], object]] = []
        self._is_others_turn = False

    def replace(self, record: StoredRecord) -> bool:
        """After the next of the others, who are not overtaken themselves."""
        if self.others and not self._is_others_turn:
            self._is_others_turn = True
            self.others.pop(0)()
            self._is_others_turn = False
        return super().replace(record)


def call(**changes: Any) -> Call:
    """A DeleteItem."""
    made = Call(
        *("dynamodb", "DeleteItem", {"TableName": "orders"}, "eu-west-1", "aws", None),
        *(NO_CREDENTIALS, EMPTY_SCOPE, "c"),
    )
    return made._replace(**changes)


def test_a_use_that_another_call_takes_first_is_asked_for_anew() -> None:
    """One approval of one use lets one call through, however close two come."""
    line = Line()
    _, asking = line.settle()
    line.approve(asking.ticket)
    line.store.others = [lambda: line.taken(asking.ticket)]

    decision, passage = line.settle()

    assert decision.verdict is Verdict.REQUIRE_APPROVAL
    assert passage.ticket not in (None, asking.ticket)
    assert line.book.find(asking.ticket).uses_left == 0  # type: ignore[union-attr]


def test_a_call_that_is_always_too_late_is_refused() -> None:
    """Bounded: others use up each approval, and the next one is there already."""
    line = Line()
    _, asking = line.settle()
    line.approve(asking.ticket)
    current = [asking.ticket]

    def faster() -> None:
        line.taken(current[0])
        _, passage = line.settle()
        line.approve(passage.ticket)
        current[0] = passage.ticket

    line.store.others = [faster] * 10

    decision, passage = line.settle()

    assert decision.verdict is Verdict.DENY
    assert decision.reason == "each approval of it was used up in between"
    assert decision.how_to_allow == "make the call again"
    assert passage.ticket is None


def test_an_approval_of_several_uses_lets_as_many_calls_through() -> None:
    """And the next one is asked for anew."""
    line = Line(uses=3)
    _, asking = line.settle()
    line.approve(asking.ticket)

    verdicts = [line.settle()[0].verdict for _ in range(4)]

    assert verdicts == [Verdict.ALLOW] * 3 + [Verdict.REQUIRE_APPROVAL]


def test_who_is_not_known_any_more_after_the_wait_is_refused() -> None:
    """The approval was one of somebody; it stays unused."""
    line = Line(wait_s=100.0)
    line.clock.while_asleep = lambda: [line.approve(each.id) for each in pending(line)]

    def forgotten(passage: Passage) -> Decision:
        passage.principal = Principal()
        return line.decision()

    decision, _ = line.settle(forgotten)

    assert decision.verdict is Verdict.DENY
    assert "who asks for it is not known" in decision.reason
    assert [each.uses_left for each in line.book.tickets()] == [1]


def test_a_further_statement_that_demands_an_approval_after_the_wait_is_asked_for() -> None:
    """What was approved was one statement's question; that of both is another one."""
    line = Line(wait_s=100.0)
    line.clock.while_asleep = lambda: [line.approve(each.id) for each in pending(line)]

    decision, passage = line.settle(lambda _: line.decision(*line.refs))

    first, second = sorted(line.book.tickets(), key=lambda each: len(each.terms.demands))
    assert decision.verdict is Verdict.REQUIRE_APPROVAL
    assert passage.ticket == second.id
    assert len(second.terms.demands) == 2
    assert first.uses_left == 1


def pending(line: Line) -> list[Ticket]:
    """The tickets that nobody has decided."""
    return [each for each in line.book.tickets() if not each.decisions]


def test_a_statement_whose_terms_nobody_knows_is_approved_by_nobody() -> None:
    """Nobody is asked: whose approval it takes is not said."""
    line = Line()

    for refs in ((StatementRef("Other"),), (line.refs[0], StatementRef("Other"))):
        decision, passage = line.settle(decision=line.decision(*refs))

        assert decision.verdict is Verdict.DENY
        assert decision.reason == "the terms of its approval are not known"
        assert passage.ticket is None
    assert "add" not in line.store.uses


def test_a_body_that_can_be_read_once_cannot_be_approved() -> None:
    """What is approved has to be what is sent."""

    class Pipe(io.RawIOBase):
        """What comes from another process."""

        def seekable(self) -> bool:
            return False

        def read(self, _size: int = -1) -> bytes:
            return b"x"

    line = Line()

    decision, passage = line.settle(of_call={"params": {"Body": Pipe()}})

    assert decision.verdict is Verdict.DENY
    assert decision.reason.endswith("of type Pipe cannot be read twice, give text or bytes")
    assert passage.ticket is None
    assert "add" not in line.store.uses
