"""Limits of tasks: what a call takes before it leaves, what is booked, when a task is stopped."""

from __future__ import annotations

import threading
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dynaguard.boundary import Boundary
from dynaguard.consumption import tasks
from dynaguard.consumption.tasks import Asked, TaskUsage, TaskUsages, Used

READ_ONE = Asked(is_write=False, items=1)
WRITE_ONE = Asked(is_write=True, items=1)
PAGE = Asked(is_write=False, items=None, pages=1)


def boundary(task: str = "t1", **limits: Any) -> Boundary:
    """A boundary of a runbook."""
    return Boundary("runbook", "fix", task, **limits)


def use(usages: TaskUsages, limit: Boundary, asked: Asked, **used: Any) -> str | None:
    """One call from begin to end; gives why it may not go."""
    excess = usages.begin((limit,), asked)
    if excess is not None:
        return str(excess)
    usages.end((limit,), asked, Used(**used))
    return None


def test_items_that_a_call_names_must_fit() -> None:
    """A batch that would pass the limit is refused; a smaller one still goes."""
    usages, limit = TaskUsages(), boundary(max_items=10)
    use(usages, limit, PAGE, items=7, pages=1)

    batch, smaller = Asked(is_write=True, items=4), Asked(is_write=True, items=3)

    assert use(usages, limit, batch) == (
        "runbook `fix` (task `t1`) has used 7 of 10 items and asks for 4 more"
    )
    assert use(usages, limit, smaller, items=3) is None
    assert use(usages, limit, READ_ONE) == (
        "runbook `fix` (task `t1`) has used 10 of 10 items and asks for 1 more"
    )


def test_a_read_of_open_length_goes_while_anything_is_left() -> None:
    """A page is never broken, so that it may go past the limit; then no other goes."""
    usages, limit = TaskUsages(), boundary(max_items=10)

    assert use(usages, limit, PAGE, items=500, pages=1) is None
    assert use(usages, limit, PAGE) == "runbook `fix` (task `t1`) has used 500 of 10 items"


def test_pages_are_counted_and_those_under_way_too() -> None:
    """Two threads at once do not read one page more; what is no page goes on."""
    usages, limit = TaskUsages(), boundary(max_pages=2)
    use(usages, limit, PAGE, pages=1)
    assert usages.begin((limit,), PAGE) is None

    excess = usages.begin((limit,), PAGE)

    assert str(excess) == "runbook `fix` (task `t1`) has used 2 of 2 pages"
    assert use(usages, limit, READ_ONE) is None


@pytest.mark.parametrize(
    ("limits", "asked", "used", "text"),
    [
        ({"read_units": 5.0}, READ_ONE, {"read_units": 5.0}, "5 of 5 read units"),
        ({"write_units": 5.0}, WRITE_ONE, {"write_units": 6.5}, "6.5 of 5 write units"),
        (
            {"read_units": 5.0},
            PAGE,
            {"read_units": 9.0, "is_estimated": True},
            "about 9 of 5 read units",
        ),
    ],
)
def test_units_are_used_up(limits: Any, asked: Asked, used: Any, text: str) -> None:
    """By direction; a guess is called one."""
    usages, limit = TaskUsages(), boundary(**limits)
    other = WRITE_ONE if not asked.is_write else READ_ONE
    use(usages, limit, asked, **used)

    assert text in str(use(usages, limit, asked))
    assert use(usages, limit, other) is None


def test_every_boundary_of_a_call_counts_and_a_refusal_takes_nothing() -> None:
    """The outer one is not charged for what the inner one refuses."""
    usages = TaskUsages()
    outer, inner, free = boundary("t1", max_items=5), boundary("t2", max_items=1), boundary("t3")
    both = (outer, inner, free)
    assert usages.begin(both, READ_ONE) is None
    usages.end(both, READ_ONE, Used(items=1))

    excess = usages.begin(both, READ_ONE)

    assert excess is not None
    assert excess.boundary is inner
    assert usages.usages() == [
        TaskUsage("runbook", "fix", "t2", 1, 0, 0.0, 0.0),
        TaskUsage("runbook", "fix", "t1", 1, 0, 0.0, 0.0),
    ]
    assert use(usages, outer, Asked(is_write=False, items=4)) is None


def test_tasks_do_not_share() -> None:
    """Another run of the same runbook begins at zero."""
    usages = TaskUsages()
    use(usages, boundary("t1", max_items=1), READ_ONE, items=1)

    assert use(usages, boundary("t2", max_items=1), READ_ONE) is None


def test_what_ended_without_any_use_is_given_back() -> None:
    """A call that failed before it was sent."""
    usages, limit = TaskUsages(), boundary(max_items=1, max_pages=1)
    for _ in range(3):
        assert use(usages, limit, READ_ONE) is None
        assert use(usages, limit, PAGE) is None


def test_a_forked_child_has_no_calls_of_other_threads_under_way() -> None:
    """What they took is never given back there."""
    usages, limit = TaskUsages(), boundary(max_items=1)
    usages.begin((limit,), READ_ONE)
    before = usages.lock

    usages.renew()

    assert usages.lock is not before
    assert usages.begin((limit,), READ_ONE) is None


def test_memory_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    """The task that was idle longest goes; one that is active stays."""
    monkeypatch.setattr(tasks, "MAX_TASKS", 3)
    usages, active = TaskUsages(), boundary("active", max_items=100)
    for number in range(10):
        use(usages, active, READ_ONE, items=1)
        use(usages, boundary(f"t{number}", max_items=1), READ_ONE, items=1)

    found = {each.task: each.items for each in usages.usages()}

    assert len(found) == 3
    assert found["active"] == 10


_calls = st.lists(
    st.tuples(st.booleans(), st.none() | st.integers(1, 5), st.integers(0, 1), st.integers(0, 8)),
    max_size=40,
)


@given(st.none() | st.integers(0, 20), st.none() | st.integers(0, 8), _calls)
def test_it_decides_as_plain_sums_do(
    max_items: int | None, max_pages: int | None, calls: list[tuple[bool, Any, int, int]]
) -> None:
    """One call after the other: allowed exactly where the sums so far leave room."""
    usages = TaskUsages()
    limit = boundary(max_items=max_items, max_pages=max_pages)
    items = pages = 0
    for is_write, named, page, found in calls:
        fits = max_items is None or (
            items < max_items if named is None else items + named <= max_items
        )
        expected = fits and (max_pages is None or not page or pages < max_pages)
        count = found if named is None else min(found, named)

        went = use(usages, limit, Asked(is_write, named, page), items=count, pages=page) is None

        assert went is expected
        if went:
            items, pages = items + count, pages + page


def test_threads_together_do_not_pass_a_limit() -> None:
    """Of calls whose items are known, exactly as many go as there is room for."""
    usages, limit = TaskUsages(), boundary(max_items=500)
    gate, gone = threading.Barrier(8), []

    def run() -> None:
        gate.wait()
        for _ in range(200):
            if usages.begin((limit,), READ_ONE) is None:
                gone.append(1)
                usages.end((limit,), READ_ONE, Used(items=1))

    threads = [threading.Thread(target=run) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert len(gone) == 500
    assert usages.usages()[0].items == 500
