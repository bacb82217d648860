"""Uses of counted grants are taken from the store one by one, and never one too many."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor

import pytest

from dynaguard.access.claiming import claim_use
from dynaguard.access.granting import show_grant
from dynaguard.access.store import StoredRecord
from dynaguard.access_change import AccessChange, receive
from dynaguard.call import Verdict
from dynaguard.errors import AccessStoreError
from dynaguard.testing import MemoryStore
from tests.access.desk import ETL, NEED, ORDERS, Desk, statements


def _left(desk: Desk, id: str) -> int | None:
    return show_grant(desk.store, id).uses_left


def _claim(desk: Desk, id: str) -> bool:
    return claim_use(desk.store, id, desk.clock, max_duration_s=86_400.0)


def test_each_claim_takes_one_use_until_none_is_left() -> None:
    """Exactly as many as there are."""
    desk = Desk()
    given = desk.give(uses=3)

    assert [_claim(desk, given.id) for _ in range(5)] == [True, True, True, False, False]
    assert _left(desk, given.id) == 0


def test_the_last_use_is_told_once() -> None:
    """By whoever took it; what comes after finds nothing to take."""
    desk = Desk()
    made = desk.give(uses=2)
    told: list[AccessChange] = []
    end = receive(told.append)
    for _ in range(3):
        _claim(desk, made.id)
    end()

    assert [(each.kind, each.id) for each in told] == [("grant used up", made.id)]


def test_nothing_is_claimed_of_a_grant_that_is_over() -> None:
    """Revoked, ended, or not there."""
    desk = Desk()
    ended, revoked = desk.give(uses=3, duration_s=5.0), desk.give(uses=3)
    desk.revoke(revoked)
    desk.passes(5)

    assert [_claim(desk, id) for id in (ended.id, revoked.id, "grant-none")] == [False] * 3
    assert _left(desk, revoked.id) == 3


def test_a_claim_that_was_overtaken_by_the_last_one_takes_nothing() -> None:
    """What was about to be taken when somebody else took it does not count."""

    class Overtaken(MemoryStore):
        def replace(self, record: StoredRecord) -> bool:
            super().replace(record)  # by somebody else, a moment earlier
            return False

    desk = Desk(store=Overtaken())
    given = desk.give(uses=1)

    assert not _claim(desk, given.id)


def test_threads_that_race_take_each_use_once() -> None:
    """Twenty of them, thirteen uses."""
    desk = Desk()
    given = desk.give(uses=13)
    begin = threading.Barrier(20)

    def claim(_: int) -> bool:
        begin.wait()
        return _claim(desk, given.id)

    with ThreadPoolExecutor(20) as pool:
        taken = list(pool.map(claim, range(20)))

    assert sum(taken) == 13
    assert _left(desk, given.id) == 0


def test_a_call_that_needs_two_counted_grants_takes_one_use_of_each() -> None:
    """And none again for a further attempt that asks with what it holds."""
    desk = Desk()
    first = desk.give(uses=2)
    second = desk.give(uses=2, statements=statements(ORDERS + "-2"))
    decision = desk.decide(ETL, NEED, NEED._replace(resource=NEED.resource + "-2"))

    claimed = desk.grants.claimed(decision, frozenset(), ETL)
    again = desk.grants.claimed(decision, claimed.ids, ETL)

    assert claimed.ids == again.ids == {first.id, second.id}
    assert again.decision is decision
    assert (_left(desk, first.id), _left(desk, second.id)) == (1, 1)


def test_a_grant_that_others_used_up_is_not_asked_again() -> None:
    """The decision is made anew, by what is left."""
    desk = Desk()
    spent, other = desk.give(uses=1), desk.give(uses=1, duration_s=1000.0)
    decision = desk.decide()
    assert _claim(desk, spent.id)

    claimed = desk.grants.claimed(decision, frozenset(), ETL)

    assert claimed.decision is None
    assert [ref.id for ref in desk.decide().grants] == [other.id]


def test_a_use_that_cannot_be_taken_is_no_use() -> None:
    """The store is down: the call is refused, with the reason."""
    desk = Desk()
    given = desk.give(uses=1)
    decision = desk.decide()
    desk.store.problem = "down"

    claimed = desk.grants.claimed(decision, frozenset(), ETL)

    assert claimed.decision is not None
    assert claimed.decision.verdict is Verdict.IMPLICIT_DENY
    assert claimed.decision.reason == (
        f"grant `{given.id}` is counted and no use of it could be taken: access store `memory` "
        "cannot be used: down"
    )


def test_a_store_that_is_never_done_ends_in_a_refusal(monkeypatch: pytest.MonkeyPatch) -> None:
    """Others overtake every try: bounded, and no use is invented."""
    desk = Desk()
    given = desk.give(uses=5)
    monkeypatch.setattr(desk.store, "replace", lambda _record: False)

    with pytest.raises(AccessStoreError, match="was changed by others 64 times"):
        _claim(desk, given.id)


def test_observing_uses_nothing_up() -> None:
    """What would have happened is recorded, no more."""
    desk = Desk(is_enforcing=False)
    given = desk.give(uses=1)

    claimed = desk.grants.claimed(desk.decide(), frozenset(), ETL)

    assert claimed.ids == frozenset()
    assert _left(desk, given.id) == 1


@pytest.fixture
def store() -> MemoryStore:
    """The store of an installed guard."""
    return MemoryStore()


def test_a_process_that_dies_between_claim_and_use_has_spent_it(store: MemoryStore) -> None:
    """A use is a use: nothing gives it back, nothing counts it twice."""

    class KilledError(BaseException):
        """Stands for the end of the process."""

    class Dying(MemoryStore):
        def replace(self, record: StoredRecord) -> bool:
            super().replace(record)
            raise KilledError

    desk = Desk(store=Dying())
    given = desk.give(uses=2)

    with pytest.raises(KilledError):
        _claim(desk, given.id)

    assert _left(desk, given.id) == 1
