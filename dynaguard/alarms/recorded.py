"""Subjects of alarms from audit records: who really called which tables, by the exact names."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any, Final, TypeVar

from dynaguard.alarms.subjects import Pair, Subjects, subjects_of, table_and_index

_NOBODY: Final = "unknown"
_UNKNOWN_MARK: Final = "<unknown>"
_KeyT = TypeVar("_KeyT")


def recorded_subjects(records: Iterable[Mapping[str, Any]]) -> Subjects:
    """Who really called which tables.

    Args:
        records: Audit records, as `read_records` gives them. Intents are passed over, and calls
            of nobody that is known.

    Cost: linear in the records; memory in the distinct pairs.
    """
    found = _Recorded()
    for record in records:
        if record.get("phase") != "intent":
            found.add(record)
    return subjects_of(
        found.runbooks,
        identities=found.owners,
        indexes_by_table=found.indexes,
        runbook_by_pair=_agreed(found.runbooks),
        owner_by_identity=_agreed(found.owners),
        notes=found.notes(),
    )


class _Recorded:
    """What records tell, put together."""

    def __init__(self) -> None:
        self.runbooks: dict[Pair, set[str]] = {}
        self.owners: dict[str, set[str]] = {}
        self.indexes: dict[str, set[str]] = {}
        self._unknown_count = 0

    def add(self, record: Mapping[str, Any]) -> None:
        """Takes in one record; what it lacks tells nothing."""
        identity = record.get("identity") or {}
        name = identity.get("name") or _NOBODY
        if name == _NOBODY:
            self._unknown_count += 1
            return
        self.owners.setdefault(name, set()).add(identity.get("owner") or "")
        for table in record.get("tables") or ():
            if _UNKNOWN_MARK not in table:
                runbook = record.get("runbook") or ""
                self.runbooks.setdefault(Pair(name, table), set()).add(runbook)
        for need in record.get("authorizations") or ():
            table, index = table_and_index(need.get("resource") or "")
            if table and index and _UNKNOWN_MARK not in table + index:
                self.indexes.setdefault(table, set()).add(index)

    def notes(self) -> Iterator[str]:
        """What was passed over."""
        if self._unknown_count:
            yield (
                f"{self._unknown_count} recorded calls are of the identity `{_NOBODY}` and get no "
                "alarm; the setting `identity` names it"
            )


def _agreed(values_by_key: Mapping[_KeyT, set[str]]) -> dict[_KeyT, str]:
    """The one value of each key that has one and only one."""
    return {
        key: next(iter(values))
        for key, values in values_by_key.items()
        if len(values) == 1 and all(values)
    }
