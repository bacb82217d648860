"""What was done by special leave: break-glass, grants, approvals; for whoever reviews it.

From two sorts of lines: records of calls say which grant or approval let them, lines of the phase
`access` say who made, approved or ended it.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass, field
from typing import Any, Final

MAX_ACTIONS: Final = 10_000
"""Grants and approvals that are told apart; further ones are counted in `left_off`."""
_MAX_IDENTITIES: Final = 10


@dataclass(slots=True)
class PrivilegedAction:
    """The use of one grant or approval.

    Attributes:
        what: `break-glass`, `grant` or `approval`.
        id: Id of the grant or ticket.
        by: Who answers for it: the grant's owner, the approvers.
        reason: The grant's, empty for approvals.
        identities: Who made calls by it, at most ten of them.
        calls: How many calls; those that were refused all the same included.
        first, last: Time of the first and of the last.
    """

    what: str
    id: str
    by: tuple[str, ...]
    reason: str
    first: str
    last: str
    identities: list[str] = field(default_factory=list)
    calls: int = 0

    def note(self, identity: str, time: str) -> None:
        """Takes in one call."""
        self.calls += 1
        self.first, self.last = min(self.first, time), max(self.last, time)
        if identity not in self.identities and len(self.identities) < _MAX_IDENTITIES:
            self.identities.append(identity)


class Privileged:
    """Adds up privileged actions, in bounded memory."""

    def __init__(self) -> None:
        self._actions: dict[tuple[str, str], PrivilegedAction] = {}
        self._changes: dict[str, int] = {}
        self._left_off = 0

    def add(self, record: Mapping[str, Any]) -> None:
        """Takes in a line of either sort."""
        change = record.get("change")
        if change is not None:
            loud = " (break-glass)" if change.get("is_break_glass") else ""
            kind = f"{change['kind']}{loud}"
            if kind in self._changes or len(self._changes) < MAX_ACTIONS:
                self._changes[kind] = self._changes.get(kind, 0) + 1
            return
        identity, time = record["identity"]["name"], record["time"]
        for what, id, by, reason in leave_of(record):
            action = self._actions.get((what, id))
            if action is None:
                if len(self._actions) >= MAX_ACTIONS:
                    self._left_off += 1
                    continue
                action = PrivilegedAction(what, id, by, reason, time, time)
                self._actions[what, id] = action
            action.note(identity, time)

    def summary(self, row_count: int) -> dict[str, Any]:
        """What there is.

        **Shape**: `actions` (list of `PrivilegedAction` as mappings: break-glass first, then the
        latest; at most `row_count`), `calls` (by `what`), `changes` (how often, by kind),
        `left_off` (uses of grants and approvals beyond the bound).
        """
        calls: dict[str, int] = {}
        for action in self._actions.values():
            calls[action.what] = calls.get(action.what, 0) + action.calls
        latest = sorted(self._actions.values(), key=lambda each: each.last, reverse=True)
        latest.sort(key=lambda each: each.what != "break-glass")
        return {
            "actions": [asdict(each) for each in latest[:row_count]],
            "calls": calls,
            "changes": dict(sorted(self._changes.items())),
            "left_off": self._left_off,
        }


def leave_of(record: Mapping[str, Any]) -> Iterator[tuple[str, str, tuple[str, ...], str]]:
    """The special leave of a call: what, its id, who answers for it, why."""
    decision = record.get("decision") or {}
    for grant in decision.get("grants") or ():
        what = "break-glass" if grant["is_break_glass"] else "grant"
        yield what, grant["id"], (grant["owner"],), grant["reason"]
    approval = decision.get("approval")
    if approval is not None:
        yield "approval", approval["ticket"], tuple(approval["approvers"]), ""


def tickets_of(record: Mapping[str, Any]) -> set[str]:
    """The tickets that a line of either sort names."""
    change = record.get("change")
    if change is not None:
        own = change["id"] if change["kind"].startswith("ticket ") else None
        return {each for each in (own, change.get("ticket")) if each}
    found = {each.get("ticket") for each in record.get("boundaries") or ()}
    found.add(((record.get("decision") or {}).get("approval") or {}).get("ticket"))
    return {each for each in found if each}


def grants_of(record: Mapping[str, Any]) -> set[str]:
    """The grants that a line of either sort names."""
    change = record.get("change")
    if change is not None:
        is_of_grant = change["kind"].startswith(("grant ", "break-glass "))
        return {change["id"]} if is_of_grant else set()
    return {each["id"] for each in (record.get("decision") or {}).get("grants") or ()}


def tasks_of(record: Mapping[str, Any]) -> set[str]:
    """The tasks that a line of either sort belongs to: its scope's, and those of boundaries."""
    change = record.get("change")
    if change is not None:
        is_of_task = change["kind"].startswith(("task ", "run "))
        found = {change.get("task"), change["id"] if is_of_task else None}
    else:
        found = {record.get("task"), *(each["task"] for each in record.get("boundaries") or ())}
    return {each for each in found if each}


def is_break_glass(record: Mapping[str, Any]) -> bool:
    """Whether a line of either sort has to do with break-glass."""
    change = record.get("change")
    if change is not None:
        return bool(change.get("is_break_glass"))
    return any(what == "break-glass" for what, *_ in leave_of(record))
