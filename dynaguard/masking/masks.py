"""The masks of a policy, the plan of one call, and its application to an answer.

Everything is compiled at install or at the first call of its kind; afterwards `plan_for` is one
dictionary look-up and `MaskPlan.apply` a walk over the named attributes.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from dynaguard.call import Principal
from dynaguard.masking.audience import is_masked_for
from dynaguard.masking.locations import (
    BY_TABLE,
    EACH,
    PARTIQL_OPERATIONS,
    PLACES_BY_OPERATION,
    Place,
    may_renumber_lists,
)
from dynaguard.masking.strategies import strategy_of
from dynaguard.masking.tree import (
    Counts,
    MaskedPath,
    Node,
    at_any_position,
    compile_tree,
    label_of,
    mask_item,
    mask_items,
    with_endings,
)
from dynaguard.policy.model import MaskStatement
from dynaguard.policy.patterns import has_marks, text_matches

MAX_PLANS: Final = 1024
"""Most plans kept; all are dropped when there would be more, and made again when needed."""

_NOT_MADE: Final = object()


@dataclass(frozen=True, slots=True)
class _Form:
    """How an answer names what a policy names.

    Attributes:
        is_renumbered: List positions may not be those of the item.
        is_partiql: A nested attribute may stand under the end of its path.
    """

    is_renumbered: bool
    is_partiql: bool

    def as_answered(self, paths: list[MaskedPath]) -> list[MaskedPath]:
        """The paths as they may stand in such an answer: rather too many than too few."""
        if self.is_partiql:
            paths = [ending for path in paths for ending in with_endings(path)]
        return [at_any_position(path) for path in paths] if self.is_renumbered else paths


@dataclass(frozen=True, slots=True)
class MaskPlan:
    """What to mask in the answer of one kind of call. Immutable, safe to share between threads.

    Attributes:
        places: Where the answer holds items.
        tree: The masks of all tables of the call together.
        tree_by_table: The masks of each table, for answers that name the table of an item; None
            for a table without any.
    """

    places: tuple[Place, ...]
    tree: Node = field(repr=False)
    tree_by_table: Mapping[str, Node | None] = field(repr=False)

    def apply(self, parsed: dict[str, Any]) -> dict[str, int]:
        """Masks an answer in place.

        Items under a table's name get that table's masks; where the answer does not tell the
        table (transactions, PartiQL batches), they get those of every table of the call.

        Args:
            parsed: botocore's parsed answer, a success or an error, attribute values in DynamoDB
                JSON. Pagination keys and unprocessed members are not touched.

        Returns:
            Count of masked values by attribute path as written in the policy. A value that was
            masked before counts again, and is kept as it is.

        Effects: changes `parsed`; never raises on odd shapes: what is not understood is withheld.
        Cost: O(items x named attributes that they hold).
        """
        counts: Counts = {}
        if isinstance(parsed, dict):
            for place in self.places:
                self._mask_at(parsed, place, self.tree, counts)
        return counts

    def _mask_at(self, value: Any, place: Place, tree: Node | None, counts: Counts) -> object:
        """The part of an answer under `place`, masked; itself unless it is not understood."""
        if value is None or tree is None:
            return value
        if not place:
            return mask_item(value, tree, counts)
        step, below = place[0], place[1:]
        if step == EACH:
            return self._mask_each(value, below, tree, counts)
        if not isinstance(value, dict):
            return {}
        if step == BY_TABLE:
            for table, part in value.items():
                value[table] = self._mask_at(part, below, self._tree_of(table), counts)
        elif step in value:
            value[step] = self._mask_at(value[step], below, tree, counts)
        return value

    def _mask_each(self, value: Any, below: Place, tree: Node, counts: Counts) -> object:
        """A list of an answer, each element masked."""
        if not isinstance(value, list):
            # A stubbed answer may hold a tuple; anything else is no list of items.
            value = list(value) if isinstance(value, tuple) else []
        if not below:
            mask_items(value, tree, counts)
        else:
            value[:] = [self._mask_at(part, below, tree, counts) for part in value]
        return value

    def _tree_of(self, table: object) -> Node | None:
        """The masks of a table by its name or ARN; those of all for one that was not asked."""
        name = _table_name(table) if isinstance(table, str) else ""
        return self.tree_by_table.get(name, self.tree)


class Masks:
    """All masks of a policy, compiled once. Thread-safe.

    Args:
        statements: The `[[mask]]` entries.
        key: Secret for `hash` masks, from `DYNAGUARD_MASK_KEY` or `DYNAGUARD_MASK_KEY_FILE`.

    Raises:
        ConfigurationError: A `hash` mask without a key; paths that cannot be compiled.
    """

    __slots__ = ("_has_positions", "_is_personal", "_paths", "_plans", "_statements", "_trees")

    def __init__(self, statements: tuple[MaskStatement, ...], *, key: bytes | None) -> None:
        self._statements = statements
        self._paths = _masked_paths(statements, key)
        self._is_personal = any(s.unless is not None or s.only is not None for s in statements)
        self._has_positions = any(
            isinstance(step, int)
            for statement in statements
            for steps in statement.attributes
            for step in steps
        )
        self._plans: dict[tuple[object, ...], MaskPlan | None] = {}
        self._trees: dict[tuple[object, ...], Node] = {}
        # The largest trees that there can be: masks too tangled to compile fail here.
        self._tree(range(len(statements)), _Form(is_renumbered=False, is_partiql=False))
        self._tree(range(len(statements)), _Form(is_renumbered=True, is_partiql=True))

    @property
    def is_empty(self) -> bool:
        """Whether there is nothing to mask, whatever the call."""
        return not self._statements

    def plan_for(
        self,
        service: str,
        operation: str,
        tables: tuple[str, ...],
        principal: Principal,
        params: Mapping[str, Any] | None = None,
    ) -> MaskPlan | None:
        """The plan of a call, or None when there is nothing to do.

        Args:
            service: botocore's service name.
            operation: The API operation.
            tables: Names or ARNs of all tables that the call touches. An empty tuple, or a name
                that is not known in full, stands for every table: all masks apply.
            principal: Who calls. What is not known of it never shows a value.
            params: The low-level request parameters. They tell whether list positions of the
                answer are those of the item; without them a masked position (`cards[0].number`)
                stands for every position.

        Cost: one look-up; the first call of its kind compiles.
        """
        if not self._statements or (service, operation) not in PLACES_BY_OPERATION:
            return None
        is_renumbered = self._has_positions and may_renumber_lists(operation, params)
        key: tuple[object, ...] = (service, operation, tables, is_renumbered)
        if self._is_personal:
            key += (
                principal.arns,
                principal.groups,
                principal.account_id,
                principal.arns_complete,
            )
        plan = self._plans.get(key, _NOT_MADE)
        if plan is _NOT_MADE:
            form = _Form(is_renumbered=is_renumbered, is_partiql=operation in PARTIQL_OPERATIONS)
            places = PLACES_BY_OPERATION[service, operation]
            plan = self._make_plan(places, form, tables, principal)
            if len(self._plans) >= MAX_PLANS:
                self._plans.clear()
                self._trees.clear()
            self._plans[key] = plan
        return plan  # type: ignore[return-value]  # the sentinel has gone

    def _make_plan(
        self, places: tuple[Place, ...], form: _Form, tables: tuple[str, ...], principal: Principal
    ) -> MaskPlan | None:
        in_force = [
            index
            for index, statement in enumerate(self._statements)
            if is_masked_for(statement, principal)
        ]
        names = [_table_name(table) for table in tables]
        indexes_by_table = {name: self._select(in_force, name) for name in names}
        together = sorted(set().union(*indexes_by_table.values())) if names else in_force
        if not together:
            return None
        return MaskPlan(
            places=places,
            tree=self._tree(together, form),
            tree_by_table={
                name: self._tree(indexes, form) if indexes else None
                for name, indexes in indexes_by_table.items()
            },
        )

    def _select(self, in_force: Sequence[int], table: str) -> list[int]:
        """Which of the masks in force name a table; all, when its name is not known."""
        if has_marks(table):
            return list(in_force)
        return [
            index
            for index in in_force
            if any(text_matches(pattern, table) for pattern in self._statements[index].tables)
        ]

    def _tree(self, indexes: Sequence[int], form: _Form) -> Node:
        """The tree of some masks; calls of the same tables share it."""
        key = (tuple(indexes), form)
        tree = self._trees.get(key)
        if tree is None:
            paths = [path for index in indexes for path in self._paths[index]]
            tree = self._trees[key] = compile_tree(form.as_answered(paths))
        return tree


def _masked_paths(
    statements: Sequence[MaskStatement], key: bytes | None
) -> list[tuple[MaskedPath, ...]]:
    """The paths of each statement, numbered in document order."""
    found: list[tuple[MaskedPath, ...]] = []
    position = 0
    for statement in statements:
        strategy = strategy_of(statement, key)
        found.append(
            tuple(
                MaskedPath(steps, strategy, label_of(steps), position + offset)
                for offset, steps in enumerate(statement.attributes)
            )
        )
        position += len(statement.attributes)
    return found


def _table_name(table: str) -> str:
    """The name in a table, index or stream ARN; a name stays as it is."""
    if not table.startswith("arn:"):
        return table
    return table.rpartition(":table/")[2].split("/", 1)[0]
