"""The masks of a policy: everything compiled once, the plan of a call one look-up."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

from dynaguard.call import Principal
from dynaguard.masking.audience import is_masked_for, is_trusted_by
from dynaguard.masking.cursors import CursorSeals
from dynaguard.masking.locations import (
    CURSOR_OPERATIONS,
    ITEM_SERVICES,
    PARTIQL_OPERATIONS,
    PLACES_BY_OPERATION,
    Place,
    may_renumber_lists,
    table_name,
)
from dynaguard.masking.paths import MaskedPath, at_any_position, label_of, with_endings
from dynaguard.masking.plans import MaskPlan
from dynaguard.masking.restoring import restore
from dynaguard.masking.secrets import SecretsPlan
from dynaguard.masking.strategies import Strategy, strategy_of
from dynaguard.masking.tokens import Tokenizer
from dynaguard.masking.tree import Node, compile_tree
from dynaguard.policy.model import MaskStatement, MaskStep, PathStep
from dynaguard.policy.patterns import has_marks, text_matches
from dynaguard.policy.principals import facts_of
from dynaguard.values import dataclass

MAX_PLANS: Final = 1024
"""Most plans kept; all are dropped when there would be more, and made again when needed."""

_NOT_MADE: Final = object()
_EVERYWHERE: Final[tuple[tuple[PathStep, ...], ...]] = ((MaskStep.ANY_DEPTH,),)


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


class Masks:
    """All masks of a policy, compiled once. Thread-safe.

    Args:
        statements: The `[[mask]]` entries.
        key: Secret of `hash` and `tokenize` masks, from the settings.
        patterns: The document's `[detectors]`.
        seals: Seals cursors; None leaves them plain.

    Raises:
        ConfigurationError: A mask needs a key that is not given, or names something that is not
            registered; a path that can name no attribute.
        MissingExtraError: A mask needs an extra that is not installed.
    """

    __slots__ = (
        "_has_positions",
        "_is_personal",
        "_paths",
        "_plans",
        "_restores",
        "_seals",
        "_statements",
        "_strategies",
        "_tokenizer",
        "_trees",
    )

    def __init__(
        self,
        statements: tuple[MaskStatement, ...],
        *,
        key: bytes | None,
        patterns: Mapping[str, str] | None = None,
        seals: CursorSeals | None = None,
    ) -> None:
        self._statements = statements
        self._strategies = [strategy_of(statement, key) for statement in statements]
        self._paths = _masked_paths(statements, self._strategies, patterns or {})
        self._seals = seals
        self._is_personal = any(s.unless is not None or s.only is not None for s in statements)
        self._has_positions = any(
            isinstance(step, int)
            for statement in statements
            for steps in statement.attributes
            for step in steps
        )
        self._restores = any(statement.unseal is not None for statement in statements)
        tokenizes = any(statement.strategy == "tokenize" for statement in statements)
        self._tokenizer = Tokenizer(key) if tokenizes and key else None
        self._plans: dict[tuple[object, ...], MaskPlan | SecretsPlan | None] = {}
        self._trees: dict[tuple[object, ...], Node] = {}
        # Paths that can name nothing fail here, not at a call.
        self._tree(range(len(statements)), _Form(is_renumbered=False, is_partiql=False))

    @property
    def is_empty(self) -> bool:
        """Whether there is nothing to mask, whatever the call."""
        return not self._statements

    @property
    def restores(self) -> bool:
        """Whether some requests may get the values of tokens back."""
        return self._restores

    @property
    def tokenizer(self) -> Tokenizer | None:
        """What reads tokens; None when no mask tokenizes."""
        return self._tokenizer

    @property
    def names_identities(self) -> bool:
        """Whether who calls makes a difference to some mask."""
        return self._is_personal or any(s.unseal is not None for s in self._statements)

    @property
    def seals(self) -> CursorSeals | None:
        """What seals cursors."""
        return self._seals

    def plan_for(
        self,
        service: str,
        operation: str,
        tables: tuple[str, ...],
        principal: Principal,
        params: Mapping[str, Any] | None = None,
        *,
        prefix: str | None = None,
    ) -> MaskPlan | SecretsPlan | None:
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
            prefix: IAM's prefix of the service, where it differs.

        Cost: one look-up; the first call of its kind compiles.
        """
        if not self._statements:
            return None
        is_of_items = (service, operation) in PLACES_BY_OPERATION
        if not is_of_items and service in ITEM_SERVICES:
            return None
        is_renumbered = (
            is_of_items and self._has_positions and may_renumber_lists(operation, params)
        )
        key: tuple[object, ...] = (service, operation, tables, is_renumbered)
        if self._is_personal:
            key += facts_of(principal)
            if principal.signer is not None:
                key += facts_of(principal.signer)
        plan = self._plans.get(key, _NOT_MADE)
        if plan is _NOT_MADE:
            if is_of_items:
                plan = self._make_plan(service, operation, tables, principal, is_renumbered)
            else:
                plan = self._make_secrets_plan(service, prefix or service, principal)
            if len(self._plans) >= MAX_PLANS:
                self._plans.clear()
                self._trees.clear()
            self._plans[key] = plan
        return plan  # type: ignore[return-value]  # the sentinel has gone

    def tree_for(self, table: str, principal: Principal) -> Node | None:
        """The masks of one table's items, wherever they come from; None when there are none."""
        name = table_name(table)
        indexes = self._select(self._in_force(principal, None), name)
        form = _Form(is_renumbered=False, is_partiql=False)
        return self._tree(indexes, form) if indexes else None

    def restored(
        self, params: Mapping[str, Any], tables: tuple[str, ...], principal: Principal
    ) -> Mapping[str, Any]:
        """The parameters with the values in place of tokens that this caller may have opened.

        Args:
            params: Low-level request parameters. Not changed.
            tables: Names of all tables that the call touches; none of them: nothing is opened.
            principal: Who calls; who is not known for certain gets nothing back.
        """
        if self._tokenizer is None or not tables:
            return params
        trusted: dict[str, list[int]] = {}
        for index, statement in enumerate(self._statements):
            if is_trusted_by(statement, principal) and all(
                any(text_matches(pattern, name) for pattern in statement.tables)
                for name in map(table_name, tables)
            ):
                trusted.setdefault(statement.ref.sid, []).append(index)
        form = _Form(is_renumbered=False, is_partiql=False)
        trees = {sid: self._tree(indexes, form) for sid, indexes in trusted.items()}
        return restore(params, self._tokenizer, trees) if trees else params

    def _make_plan(
        self,
        service: str,
        operation: str,
        tables: tuple[str, ...],
        principal: Principal,
        is_renumbered: bool,  # noqa: FBT001 - part of the plan's key
    ) -> MaskPlan | None:
        form = _Form(is_renumbered=is_renumbered, is_partiql=operation in PARTIQL_OPERATIONS)
        in_force = self._in_force(principal, operation)
        names = [table_name(table) for table in tables]
        indexes_by_table = {name: self._select(in_force, name) for name in names}
        together = sorted(set().union(*indexes_by_table.values())) if names else in_force
        if not together:
            return None
        places: tuple[Place, ...] = PLACES_BY_OPERATION[service, operation]
        return MaskPlan(
            places=places,
            tree=self._tree(together, form),
            tree_by_table={
                name: self._tree(indexes, form) if indexes else None
                for name, indexes in indexes_by_table.items()
            },
            seals=self._seals if operation in CURSOR_OPERATIONS else None,
            table=",".join(dict.fromkeys(n for n in names if not has_marks(n))) or None,
        )

    def _make_secrets_plan(
        self, service: str, prefix: str, principal: Principal
    ) -> SecretsPlan | None:
        """The strictest of the masks for the secrets of a service."""
        strategies = [
            self._strategies[index]
            for index, statement in enumerate(self._statements)
            if _names_service(statement.services, service, prefix)
            and not _names_service(statement.except_services, service, prefix)
            and is_masked_for(statement, principal)
        ]
        if not strategies:
            return None
        return SecretsPlan(min(strategies, key=lambda strategy: strategy.strictness))

    def _in_force(self, principal: Principal, operation: str | None) -> list[int]:
        """Masks of tables for an identity and an operation; None: any operation."""
        return [
            index
            for index, statement in enumerate(self._statements)
            if not statement.services
            and (operation is None or _names_operation(statement, operation))
            and is_masked_for(statement, principal)
        ]

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


def _names_service(patterns: Sequence[str], service: str, prefix: str) -> bool:
    return any(
        text_matches(pattern, prefix) or text_matches(pattern, service) for pattern in patterns
    )


def _names_operation(statement: MaskStatement, operation: str) -> bool:
    return not statement.operations or any(
        text_matches(pattern, operation) for pattern in statement.operations
    )


def _masked_paths(
    statements: Sequence[MaskStatement],
    strategies: Sequence[Strategy],
    patterns: Mapping[str, str],
) -> list[tuple[MaskedPath, ...]]:
    """The paths of each statement, numbered in document order."""
    found: list[tuple[MaskedPath, ...]] = []
    position = 0
    for statement, strategy in zip(statements, strategies, strict=True):
        attributes, detection = statement.attributes, None
        if statement.detectors:
            from dynaguard.masking.detectors import detection_of  # most policies need none

            attributes = attributes or _EVERYWHERE
            detection = detection_of(statement, strategy, patterns)
        found.append(
            tuple(
                MaskedPath(steps, strategy, label_of(steps), position + offset, detection)
                for offset, steps in enumerate(attributes)
            )
        )
        position += len(attributes)
    return found
