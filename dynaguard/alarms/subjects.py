"""The subjects of alarms: who calls which tables.

Alarms watch names as audit records have them (`identity.name`). They come from records
(`recorded`), from a policy (`permitted`), or by name.
"""

from __future__ import annotations

from collections import ChainMap
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import chain
from typing import Final, NamedTuple

from dynaguard.policy.patterns import ARN_PARTS


class Pair(NamedTuple):
    """An identity and a table that it calls."""

    identity: str
    table: str


@dataclass(frozen=True, slots=True)
class Subjects:
    """What alarms are made for; `subjects_of` makes it.

    Attributes:
        pairs: Sorted, each once.
        identities: Those of the pairs, and those that call no table that is known.
        tables: Those of the pairs, and those whose callers are not known.
        indexes_by_table: Names of indexes, sorted, by table.
        runbook_by_pair: Runbook under which the calls ran, where records agree on one.
        owner_by_identity: Where records tell.
        notes: What was left out and why, for the user.
    """

    pairs: tuple[Pair, ...] = ()
    identities: tuple[str, ...] = ()
    tables: tuple[str, ...] = ()
    indexes_by_table: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    runbook_by_pair: Mapping[Pair, str] = field(default_factory=dict)
    owner_by_identity: Mapping[str, str] = field(default_factory=dict)
    notes: tuple[str, ...] = ()

    def only(self, identities: Collection[str], tables: Collection[str]) -> Subjects:
        """Those of the named identities and tables; an empty list leaves out nothing."""

        def is_named(name: str, names: Collection[str]) -> bool:
            return not names or name in names

        return replace(
            self,
            pairs=tuple(
                pair
                for pair in self.pairs
                if is_named(pair.identity, identities) and is_named(pair.table, tables)
            ),
            identities=tuple(each for each in self.identities if is_named(each, identities)),
            tables=tuple(each for each in self.tables if is_named(each, tables)),
        )


NOBODY: Final = Subjects()


def subjects_of(
    pairs: Iterable[Pair],
    *,
    identities: Iterable[str] = (),
    tables: Iterable[str] = (),
    indexes_by_table: Mapping[str, Iterable[str]] | None = None,
    runbook_by_pair: Mapping[Pair, str] | None = None,
    owner_by_identity: Mapping[str, str] | None = None,
    notes: Iterable[str] = (),
) -> Subjects:
    """Subjects in order, each once, whatever the order of what they are made from.

    Args:
        pairs: Who calls what.
        identities: Further ones, whose tables are not known.
        tables: Further ones, whose callers are not known.
        indexes_by_table: As in `Subjects`.
        runbook_by_pair: As in `Subjects`.
        owner_by_identity: As in `Subjects`.
        notes: As in `Subjects`.
    """
    ordered = tuple(sorted(set(pairs)))
    indexes = indexes_by_table or {}
    return Subjects(
        ordered,
        tuple(sorted({pair.identity for pair in ordered} | set(identities))),
        tuple(sorted({pair.table for pair in ordered} | set(tables))),
        {table: tuple(sorted(set(indexes[table]))) for table in sorted(indexes)},
        dict(sorted((runbook_by_pair or {}).items())),
        dict(sorted((owner_by_identity or {}).items())),
        tuple(dict.fromkeys(notes)),
    )


def named_subjects(identities: Sequence[str], tables: Sequence[str]) -> Subjects:
    """Every named identity with every named table."""
    pairs = [Pair(identity, table) for identity in identities for table in tables]
    return subjects_of(pairs, identities=identities, tables=tables)


def merged(*parts: Subjects) -> Subjects:
    """All of them; of two runbooks or owners the first counts."""
    indexes: dict[str, list[str]] = {}
    for part in parts:
        for table, found in part.indexes_by_table.items():
            indexes.setdefault(table, []).extend(found)
    return subjects_of(
        chain.from_iterable(part.pairs for part in parts),
        identities=chain.from_iterable(part.identities for part in parts),
        tables=chain.from_iterable(part.tables for part in parts),
        indexes_by_table=indexes,
        runbook_by_pair=ChainMap(*(dict(part.runbook_by_pair) for part in parts)),
        owner_by_identity=ChainMap(*(dict(part.owner_by_identity) for part in parts)),
        notes=chain.from_iterable(part.notes for part in parts),
    )


def table_and_index(resource: str) -> tuple[str | None, str | None]:
    """`orders` and `by_date` of `arn:aws:dynamodb:...:table/orders/index/by_date`; else None."""
    parts = resource.split(":", ARN_PARTS - 1)
    if len(parts) != ARN_PARTS or parts[2] != "dynamodb":
        return None, None
    kind, _, rest = parts[5].partition("/")
    table, _, below = rest.partition("/")
    if kind != "table" or not table:
        return None, None
    return table, below.removeprefix("index/") if below.startswith("index/") else None
