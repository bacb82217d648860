"""What is left of a batch call, and what its answers gave so far.

Leftovers (`UnprocessedItems`, `UnprocessedKeys`, throttled PartiQL statements) are further
attempts of the same request with fewer members: beneath `client.batch_write_item`, so that boto3's
batch writer and other libraries gain by it too. The request is rewritten in the endpoint's own
dictionary; the members are always some of those that were decided.

INVARIANT: members accepted + members left = members decided, each exactly once.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final, NamedTuple

from dynaguard.hooks.answers import throttled_statements

_LEFT_BY_OPERATION: Final = {
    "BatchWriteItem": "UnprocessedItems",
    "BatchGetItem": "UnprocessedKeys",
}
_SUMMED: Final = ("ItemCollectionMetrics", "Responses")


class Member(NamedTuple):
    """One member of a batch.

    Attributes:
        place: Its table; of a PartiQL batch its position.
        wire: As it stands in the request's JSON.
        parsed: As the caller gave it, or as botocore parsed it.
    """

    place: str | int
    wire: Any
    parsed: Any


@dataclass(slots=True)
class Batch:
    """A batch call under way; belongs to the thread that makes it.

    Attributes:
        operation: `BatchWriteItem`, `BatchGetItem` or `BatchExecuteStatement`.
        body: The request's JSON as it was decided.
        params: The caller's parameters.
        left: Members that were not sent, or came back.
        sent: Members of the last attempt.
        is_begun: Whether AWS answered well yet.
        has_progressed: Whether the last answer took any member.
    """

    operation: str
    body: dict[str, Any]
    params: Mapping[str, Any]
    left: list[Member] = field(default_factory=list)
    sent: list[Member] = field(default_factory=list)
    is_begun: bool = False
    has_progressed: bool = False
    _gathered: dict[str, Any] = field(default_factory=dict)
    _answers: dict[str | int, Any] = field(default_factory=dict)

    @classmethod
    def from_request(cls, operation: str, body: Any, params: Mapping[str, Any]) -> Batch:
        """A batch of which everything is left."""
        batch = cls(operation, json.loads(body), params)
        batch.left = list(batch._members())
        return batch

    def take(self, most: int | None) -> bytes:
        """The body of the next attempt, with at most so many members; they count as sent."""
        count = len(self.left) if most is None else most
        self.sent, self.left = self.left[:count], self.left[count:]
        return json.dumps(self._request_of(self.sent, is_wire=True)).encode()

    def units_by_place(self, *, of_left: bool = False) -> dict[str | int, int]:
        """How many members of the last attempt, or of what is left, go to which table."""
        counts: dict[str | int, int] = {}
        for member in self.left if of_left else self.sent:
            counts[member.place] = counts.get(member.place, 0) + 1
        return counts

    def put_back(self, *, may_have_run: bool = False) -> None:
        """The last attempt failed as a whole.

        Args:
            may_have_run: Whether it may have taken effect, for statements that are not run again.
        """
        if may_have_run and self.operation == "BatchExecuteStatement":
            self._answers.update({member.place: _NO_ANSWER for member in self.sent})
        self.left = [*self.sent, *self.left]
        self.sent = []

    def absorb(self, parsed: Mapping[str, Any], content: bytes) -> bool:
        """Takes an answer in.

        Args:
            parsed: botocore's parsed answer.
            content: The answer's JSON, where leftovers stand as they can be sent again.

        Returns:
            False where it is not understood: then the last attempt counts as not answered.
        """
        self.is_begun = True
        try:
            if self.operation == "BatchExecuteStatement":
                back = self._absorb_statements(parsed)
            else:
                back = self._handed_back(parsed, content)
                self._gather(parsed)
        except (KeyError, TypeError, ValueError, AttributeError):
            return False
        self.has_progressed = len(back) < len(self.sent)
        self.left = [*back, *self.left]
        self.sent = []
        return True

    def merge_into(self, parsed: dict[str, Any]) -> None:
        """Makes an answer the one of the whole call, in place: what all gave, and what is left."""
        for name in ("Error", "message", "Message", "ThrottlingReasons", "throttlingReasons"):
            parsed.pop(name, None)
        parsed.update(self._gathered)
        if self.operation == "BatchExecuteStatement":
            parsed["Responses"] = self._statement_responses()
            return
        if self.operation == "BatchGetItem":
            parsed.setdefault("Responses", {})
        parsed[_LEFT_BY_OPERATION[self.operation]] = self._left_over()

    # --- members ------------------------------------------------------------------------------

    def _members(self) -> Any:
        """All members, in request order."""
        if self.operation == "BatchExecuteStatement":
            for index, wire in enumerate(self.body["Statements"]):
                yield Member(index, wire, None)
            return
        for table, wire in self.body["RequestItems"].items():
            parsed = self.params["RequestItems"][table]
            for pair in zip(_entries(wire), _entries(parsed), strict=True):
                yield Member(table, *pair)

    def _request_of(self, members: list[Member], *, is_wire: bool) -> dict[str, Any]:
        """The request with these members alone."""
        if self.operation == "BatchExecuteStatement":
            return {**self.body, "Statements": [member.wire for member in members]}
        return {**self.body, "RequestItems": self._by_table(members, is_wire=is_wire)}

    def _by_table(self, members: list[Member], *, is_wire: bool) -> dict[str, Any]:
        """Members in the shape of `RequestItems`."""
        source = self.body if is_wire else self.params
        found: dict[str, Any] = {}
        for member in members:
            table = str(member.place)
            if table not in found:
                options = source["RequestItems"][table]
                found[table] = {**options, "Keys": []} if isinstance(options, Mapping) else []
            entry = found[table]
            entries = entry["Keys"] if isinstance(entry, dict) else entry
            entries.append(member.wire if is_wire else member.parsed)
        return found

    def _left_over(self) -> dict[str, Any]:
        """What the caller gets back, in the shape of the operation's own leftovers."""
        return self._by_table(self.left, is_wire=False)

    # --- answers ------------------------------------------------------------------------------

    def _handed_back(self, parsed: Mapping[str, Any], content: bytes) -> list[Member]:
        """The members that an answer handed back."""
        name = _LEFT_BY_OPERATION[self.operation]
        if not parsed.get(name):
            return []
        wire_by_table = json.loads(content)[name]
        back = []
        for table, entry in parsed[name].items():
            pairs = zip(_entries(wire_by_table[table]), _entries(entry), strict=True)
            back += [Member(table, *pair) for pair in pairs]
        counts = self.units_by_place()
        for member in back:
            counts[member.place] = counts.get(member.place, 0) - 1
        if min(counts.values()) < 0:
            raise ValueError("more was handed back than was sent")
        return back

    def _gather(self, parsed: Mapping[str, Any]) -> None:
        """Adds an answer's lists to those before."""
        for name in _SUMMED:
            for table, entries in (parsed.get(name) or {}).items():
                self._gathered.setdefault(name, {}).setdefault(table, []).extend(entries)
        if parsed.get("ConsumedCapacity"):
            before = self._gathered.get("ConsumedCapacity", [])
            self._gathered["ConsumedCapacity"] = _added(before, parsed["ConsumedCapacity"])

    def _absorb_statements(self, parsed: Mapping[str, Any]) -> list[Member]:
        """A PartiQL batch: statements that were throttled are left, all others are answered."""
        throttled = set(throttled_statements(parsed))
        back = []
        for index, (member, answer) in enumerate(
            zip(self.sent, parsed.get("Responses") or (), strict=False)
        ):
            self._answers[member.place] = answer
            if index in throttled:
                back.append(member)
        if parsed.get("ConsumedCapacity"):
            before = self._gathered.get("ConsumedCapacity", [])
            self._gathered["ConsumedCapacity"] = _added(before, parsed["ConsumedCapacity"])
        return back

    def _statement_responses(self) -> list[Any]:
        """The answers in the order of the statements; throttled ones keep their error."""
        return [
            self._answers.get(index, _NOT_RUN) for index in range(len(self.body["Statements"]))
        ]


_NO_ANSWER: Final = {
    "Error": {"Code": "InternalServerError", "Message": "no answer came: it may have been run"}
}
_NOT_RUN: Final = {
    "Error": {"Code": "ThrottlingError", "Message": "not run: the deadline came first"}
}


def _entries(of_table: Any) -> list[Any]:
    """One table's members: a list of writes, or a mapping with `Keys`."""
    entries: list[Any] = of_table["Keys"] if isinstance(of_table, Mapping) else of_table
    return entries


def _added(before: list[Any], after: list[Any]) -> list[Any]:
    """Consumed capacity by table, numbers added up."""
    by_table = {each["TableName"]: each for each in before}
    for each in after:
        known = by_table.get(each["TableName"])
        by_table[each["TableName"]] = each if known is None else _sum(known, each)
    return list(by_table.values())


def _sum(left: Any, right: Any) -> Any:
    """Two entries of the same shape: numbers added, mappings merged, the rest as it was."""
    if isinstance(left, dict) and isinstance(right, dict):
        return {
            name: _sum(left[name], right[name])
            if name in left and name in right
            else left.get(name, right.get(name))
            for name in {**left, **right}
        }
    if isinstance(left, int | float) and isinstance(right, int | float):
        return left + right
    return left
