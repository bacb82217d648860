"""What the calls of a process share: trees that grow as they are used, and remembered cursors."""

from __future__ import annotations

import copy
import threading
from collections.abc import Callable
from typing import Any

from dynaguard.call import Principal, StatementRef
from dynaguard.masking import MaskedRequest, MaskPlan, Masks
from dynaguard.masking.cursors import GENERATION, CursorBinding, CursorSeals
from dynaguard.masking.walk import Sink
from dynaguard.policy.mask_paths import read_mask_path
from dynaguard.policy.model import MaskStatement

THREADS = 8
ROUNDS = 200
BINDING = CursorBinding("eu-west-1", "", "t", "", "Query", "", "")
REQUEST = MaskedRequest({}, lambda: BINDING)


def in_threads(work: Callable[[int], None]) -> None:
    """Runs `work(number)` in several threads at once; fails with the first failure."""
    failures: list[BaseException] = []
    start = threading.Barrier(THREADS)

    def run(number: int) -> None:
        start.wait()
        try:
            work(number)
        except BaseException as err:  # noqa: BLE001 - handed to the test's own thread
            failures.append(err)

    threads = [threading.Thread(target=run, args=(number,)) for number in range(THREADS)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    if failures:
        raise failures[0]


def make_answer(number: int) -> dict[str, Any]:
    """An answer with names that no other has, so that the tree keeps growing."""
    nested = {"M": {f"n{number}": {"M": {"ssn": {"S": "CANARY"}}}, "kept": {"S": "kept"}}}
    return {"Items": [{f"a{number}": nested, "email": {"S": "ann@example.org"}}]}


def test_one_plan_serves_many_threads() -> None:
    """a tree that is made while it is walked masks the same in every thread."""
    paths = [found for text in ("**.ssn", "em*") if (found := read_mask_path(text)) is not None]
    statements = (
        MaskStatement(StatementRef("a"), ("*",), tuple(paths)),
        MaskStatement(StatementRef("b"), ("*",), (), detectors=("email",)),
    )
    plan = Masks(statements, key=None).plan_for("dynamodb", "Query", ("t",), Principal())
    assert isinstance(plan, MaskPlan)
    expected = []
    for number in range(ROUNDS):
        answer = make_answer(number)
        plan.apply(answer, REQUEST)
        expected.append(answer)
    assert "CANARY" not in repr(expected)

    def work(thread: int) -> None:
        for at in range(ROUNDS):
            number = (at * (thread + 1)) % ROUNDS
            answer = make_answer(number)
            plan.apply(answer, REQUEST)
            assert answer == expected[number]

    in_threads(work)


def test_cursors_of_many_threads_do_not_mix() -> None:
    """each opens to its own key, while older ones are forgotten."""
    seals = CursorSeals(key=None, max_age_s=60, clock_s=lambda: 0.0)
    statement = MaskStatement(StatementRef("m"), ("*",), (("pk",),))
    tree = Masks((statement,), key=None).tree_for("t", Principal())
    assert tree is not None

    def work(thread: int) -> None:
        for at in range(2 * GENERATION // THREADS):
            key = {"pk": {"S": f"{thread}-{at}"}}
            sealed = seals.seal(copy.deepcopy(key), tree, BINDING, Sink())
            assert seals.unseal(sealed, BINDING) == key

    in_threads(work)
    assert len(seals._young) + len(seals._old) <= 2 * GENERATION + THREADS
