"""The plan of one kind of call, and its application to an answer."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import field
from typing import Any, Final, NamedTuple, Protocol

from dynaguard.masking.cursors import CursorBinding, CursorSeals
from dynaguard.masking.locations import BY_TABLE, EACH, Place, table_name
from dynaguard.masking.scrubbing import Scrubber, has_messages, request_texts
from dynaguard.masking.tree import Node
from dynaguard.masking.walk import Counts, Sink, mask_item, mask_items
from dynaguard.values import dataclass

MaskedCounts = Mapping[str | None, Counts]
"""Masked values by table (None where it is not known), and by path, strategy and detector."""

CURSOR_MEMBER: Final = "LastEvaluatedKey"
_CursorBinder = Callable[[], CursorBinding]


class Plan(Protocol):
    """What to mask in the answer of one call."""

    def apply(self, parsed: Any, request: MaskedRequest) -> MaskedCounts:
        """Masks an answer in place and tells what was masked."""
        ...


class MaskedRequest(NamedTuple):
    """What a plan asks about the call whose answer it masks.

    Attributes:
        params: The low-level parameters.
        bind_cursor: Gives what a cursor of the call is bound to.
        sensitive: Gives the sensitive members of the answer and of the request by the service's
            model; None for DynamoDB.
    """

    params: Mapping[str, Any]
    bind_cursor: _CursorBinder
    sensitive: Callable[[], Any] | None = None


@dataclass(frozen=True, slots=True)
class MaskPlan:
    """What to mask in the answer of one kind of call. Immutable, safe to share between threads.

    Attributes:
        places: Where the answer holds items.
        tree: The masks of all tables of the call together.
        tree_by_table: The masks of each table, for answers that name the table of an item; None
            for a table without any.
        seals: Seals masked attributes of `LastEvaluatedKey`.
        table: The table of the call, for counts; several, joined by commas; None when not known.
    """

    places: tuple[Place, ...]
    tree: Node = field(repr=False)
    tree_by_table: Mapping[str, Node | None] = field(repr=False)
    seals: CursorSeals | None = field(default=None, repr=False)
    table: str | None = None

    def begin(self, member: str, items: Any) -> BegunPlan | None:
        """Masks the items of an answer in place, as soon as they are read.

        Args:
            member: The member of the answer that holds them, by itself: an item or a list of
                items.
            items: Its value: well-formed attribute values in DynamoDB JSON.

        Returns:
            What masks the rest of the answer; None for a member that holds none, or where the
            answer may yet be made of several.

        Effects: changes `items`. Never raises: where masking fails, the items are emptied at once
            and applying the rest raises the error.
        """
        place = self.places[0]  # of items, which stand first; `apply` does the others
        if place[0] != member or len(place) > len((member, EACH)):
            return None
        sink = Sink()
        try:
            if len(place) == 1:
                mask_item(items, self.tree, sink)
            else:
                mask_items(items, self.tree, sink)
            sink.finish()
        except Exception as err:  # noqa: BLE001 - kept, and raised where the answer is masked
            items.clear()
            return BegunPlan(self, member, items, {}, err)
        return BegunPlan(self, member, items, {self.table: sink.counts}, None)

    def apply(
        self, parsed: Any, request: MaskedRequest, begun: BegunPlan | None = None
    ) -> MaskedCounts:
        """Masks an answer in place.

        Items under a table's name get that table's masks; where the answer does not tell the
        table (transactions, PartiQL batches), they get those of every table of the call.

        Args:
            parsed: botocore's parsed answer, a success or an error, attribute values in DynamoDB
                JSON. Unprocessed members are not touched.
            request: What is asked about the call.
            begun: What of the answer is masked already, and its counts, which go on.

        Returns:
            Counts by table and `MaskKey`. A value that was masked before counts again, and is
            kept as it is.

        Effects: changes `parsed`; never raises on odd shapes: what is not understood is withheld.
        Cost: O(items x named attributes that they hold).
        """
        if not isinstance(parsed, dict):
            return {}
        plain: list[str] | None = [] if has_messages(parsed) else None
        if plain is None and not self._is_in(parsed):
            return {}
        run = _Run(self, plain, begun.counts if begun is not None else {})
        for place in self.places:
            if begun is not None and place[0] == begun.member:
                continue
            if len(place) > 1:
                run.mask_at(parsed, place, self.tree)
            elif (item := parsed.get(place[0])) is not None:
                parsed[place[0]] = mask_item(item, self.tree, run.sink)
        if self.seals is not None and CURSOR_MEMBER in parsed:
            parsed[CURSOR_MEMBER] = self.seals.seal(
                parsed[CURSOR_MEMBER], self.tree, request.bind_cursor(), run.sink
            )
        counted = run.finish()
        if plain is not None:
            self._scrub(parsed, request.params, plain)
        return counted

    def _is_in(self, parsed: dict[str, Any]) -> bool:
        """Whether an answer holds any place of items; those of most writes hold none."""
        for place in self.places:
            if place[0] in parsed:
                return True
        return self.seals is not None and CURSOR_MEMBER in parsed

    def _scrub(self, parsed: dict[str, Any], params: Mapping[str, Any], plain: list[str]) -> None:
        """Takes masked values out of the messages of an answer."""
        scrubber = Scrubber(lambda: [*plain, *request_texts(params, self.tree)])
        scrubber.scrub_answer(parsed)


class BegunPlan(NamedTuple):
    """A plan for one answer, whose items were masked while they were read.

    A tuple, since it is made for each call: a frozen dataclass takes three times as long.

    Attributes:
        plan: The plan of calls of its kind.
        member: The member of the answer that holds the items.
        items: Its value, masked.
        counts: As `MaskPlan.apply` gives them.
        failure: Why the items could not be masked; then they are empty.
    """

    plan: MaskPlan
    member: str
    items: Any
    counts: dict[str | None, Counts]
    failure: Exception | None = None

    def __repr__(self) -> str:
        """Without the items."""
        return f"BegunPlan({self.plan}, {self.member!r})"

    def is_done(self, parsed: Any) -> bool:
        """Whether an answer holds nothing else that is to be masked."""
        plan = self.plan
        return (
            len(plan.places) == 1
            and parsed.get(self.member) is self.items
            and self.failure is None
            and (plan.seals is None or CURSOR_MEMBER not in parsed)
        )

    def apply(self, parsed: Any, request: MaskedRequest) -> MaskedCounts:
        """Masks the rest of the answer in place; gives the counts of all of it.

        INVARIANT: what is left out is the very object that was masked. Another answer, of a
        further attempt or of somebody who put other items there, is masked as a whole.

        Raises:
            Exception: The items could not be masked.
        """
        if not isinstance(parsed, dict) or parsed.get(self.member) is not self.items:
            return self.plan.apply(parsed, request)
        if self.failure is not None:
            raise self.failure
        return self.plan.apply(parsed, request, self)


class _Run:
    """One application of a plan."""

    __slots__ = ("_counts_by_table", "_plain", "_plan", "sink")

    def __init__(
        self, plan: MaskPlan, plain: list[str] | None, counts_by_table: Mapping[str | None, Counts]
    ) -> None:
        self._plan = plan
        self._plain = plain
        self.sink = Sink(dict(counts_by_table.get(plan.table, ())), plain)
        self._counts_by_table: dict[str | None, Counts] = {plan.table: self.sink.counts}

    def finish(self) -> MaskedCounts:
        """Ends the walk; gives the counts."""
        if self.sink.findings is not None:
            self.sink.finish()
        return self._counts_by_table

    def mask_at(self, value: Any, place: Place, tree: Node | None) -> object:
        """The part of an answer under `place`, masked; itself unless it is not understood."""
        if value is None or tree is None:
            return value
        if not place:
            return mask_item(value, tree, self.sink)
        step, below = place[0], place[1:]
        if step == EACH:
            return self._mask_each(value, below, tree)
        if not isinstance(value, dict):
            return {}
        if step == BY_TABLE:
            self._mask_tables(value, below)
        elif step in value:
            value[step] = self.mask_at(value[step], below, tree)
        return value

    def _mask_tables(self, parts: dict[Any, Any], below: Place) -> None:
        """Parts of an answer by the name of their table."""
        of_all = self.sink
        for table, part in parts.items():
            self.sink = self._sink_of(table_name(table) if isinstance(table, str) else None)
            parts[table] = self.mask_at(part, below, self._tree_of(table))
            self.sink.finish()
        self.sink = of_all

    def _mask_each(self, value: Any, below: Place, tree: Node) -> object:
        """A list of an answer, each element masked."""
        if not isinstance(value, list):
            # A stubbed answer may hold a tuple; anything else is no list of items.
            value = list(value) if isinstance(value, tuple) else []
        if not below:
            mask_items(value, tree, self.sink)
        else:
            value[:] = [self.mask_at(part, below, tree) for part in value]
        return value

    def _sink_of(self, table: str | None) -> Sink:
        return Sink(self._counts_by_table.setdefault(table, {}), self._plain)

    def _tree_of(self, table: object) -> Node | None:
        """The masks of a table by its name or ARN; those of all for one that was not asked."""
        name = table_name(table) if isinstance(table, str) else ""
        return self._plan.tree_by_table.get(name, self._plan.tree)
