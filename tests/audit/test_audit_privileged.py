"""What was done by special leave: which lines tell of it, and how it adds up."""

from __future__ import annotations

import json
from typing import Any

import pytest

from dynaguard.access_change import AccessChange
from dynaguard.audit import privileged
from dynaguard.audit.changes import change_text
from dynaguard.audit.privileged import (
    Privileged,
    grants_of,
    is_break_glass,
    tasks_of,
    tickets_of,
)
from dynaguard.audit.record import WriterFacts, build_record
from dynaguard.audit.statistics import Statistics
from dynaguard.boundary import Boundary
from dynaguard.call import ApprovalRef, GrantRef
from dynaguard.scope import Scope
from tests.audit.audit_cases import CALL, DECISION, NOW_NS, record_values

GRANT = GrantRef("g1", "lea", "look at the queue", 1_795_000_000)
GLASS = GrantRef("g2", "sam", "site is down", 1_795_000_000, is_break_glass=True)
APPROVAL = ApprovalRef("tk-1", "c" * 64, ("lea", "kim"), 0.0, 1.0)


def call(second: int = 0, **decision: Any) -> dict[str, Any]:
    """A record of a call, so many seconds later."""
    scope = Scope(task="t1", boundaries=(Boundary("runbook", "fix", "t0", ticket="tk-2"),))
    return build_record(
        phase="outcome",
        time_ns=NOW_NS + second * 10**9,
        writer=WriterFacts(None, 1, "1", "f00d", 1, None, (), 0),
        policy_digest=None,
        **record_values(call=CALL._replace(scope=scope), decision=DECISION._replace(**decision)),
    )


def change(kind: Any, **fields: Any) -> dict[str, Any]:
    """A line of the phase `access`."""
    text = change_text(AccessChange(kind, "x1", "lea", **fields), NOW_NS, None)
    found: dict[str, Any] = json.loads(f"{text}}}")
    return found


def test_the_uses_of_a_grant_add_up() -> None:
    """Who answers for it, who used it, how often and when; break-glass comes first."""
    sums = Privileged()
    sums.add(call(grants=(GLASS,)))
    for second in (5, 3):
        sums.add(call(second, grants=(GRANT,), approval=APPROVAL))

    found = sums.summary(10)

    assert found["calls"] == {"break-glass": 1, "grant": 2, "approval": 2}
    assert [(each["what"], each["id"], each["calls"]) for each in found["actions"]] == [
        ("break-glass", "g2", 1),
        ("grant", "g1", 2),
        ("approval", "tk-1", 2),
    ]
    grant = found["actions"][1]
    assert (grant["by"], grant["reason"], grant["identities"]) == (
        ("lea",),
        "look at the queue",
        ["etl"],
    )
    assert (grant["first"][17:19], grant["last"][17:19]) == ("18", "20")
    assert found["actions"][2]["by"] == ("lea", "kim")


def test_changes_are_counted_by_kind() -> None:
    """Those of break-glass apart."""
    sums = Statistics()
    sums.add(change("grant created"))
    sums.add(change("grant created", is_break_glass=True))
    sums.add(change("grant created"))

    found = sums.summary(5)

    assert found["calls"] == 0
    assert found["privileged"]["changes"] == {
        "grant created": 2,
        "grant created (break-glass)": 1,
    }


def test_what_is_told_apart_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    """What comes too late is counted; rows are cut."""
    monkeypatch.setattr(privileged, "MAX_ACTIONS", 2)
    sums = Privileged()
    for number in range(5):
        sums.add(call(grants=(GRANT._replace(id=f"g{number}"),)))
        sums.add(change(f"kind {number}"))

    found = sums.summary(1)

    assert (len(found["actions"]), found["calls"], found["left_off"]) == (1, {"grant": 2}, 3)
    assert len(found["changes"]) == 2


def test_the_identities_of_one_action_are_bounded() -> None:
    """A grant for a group may be used by thousands."""
    sums = Privileged()
    for number in range(20):
        record = call(grants=(GRANT,))
        record["identity"]["name"] = f"etl-{number}"
        sums.add(record)

    (found,) = sums.summary(5)["actions"]

    assert (found["calls"], len(found["identities"])) == (20, 10)


@pytest.mark.parametrize(
    ("record", "grants", "tickets", "tasks"),
    [
        (call(), set(), {"tk-2"}, {"t1", "t0"}),
        (call(grants=(GRANT,), approval=APPROVAL), {"g1"}, {"tk-1", "tk-2"}, {"t1", "t0"}),
        ({"decision": None}, set(), set(), set()),
        (change("grant revoked"), {"x1"}, set(), set()),
        (change("break-glass used", task="t1"), {"x1"}, set(), {"t1"}),
        (change("ticket opened", task="t1"), set(), {"x1"}, {"t1"}),
        (change("run begun", ticket="tk-1"), set(), {"tk-1"}, {"x1"}),
        (change("task ended", task="t1"), set(), set(), {"t1", "x1"}),
    ],
)
def test_a_line_names_grants_tickets_and_tasks(
    record: Any, grants: set[str], tickets: set[str], tasks: set[str]
) -> None:
    """Of calls and of changes, of this version and of those that had none of it."""
    assert (grants_of(record), tickets_of(record), tasks_of(record)) == (grants, tickets, tasks)


@pytest.mark.parametrize(
    ("record", "expected"),
    [
        (call(), False),
        (call(grants=(GRANT,)), False),
        (call(grants=(GRANT, GLASS)), True),
        (change("grant created"), False),
        (change("grant created", is_break_glass=True), True),
    ],
)
def test_break_glass_is_told(record: Any, *, expected: bool) -> None:
    """Of both sorts of lines."""
    assert is_break_glass(record) is expected
