"""What sort of task recorded calls are, and the shipped runbook that does that well."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from dynaguard.runbooks.library import LIBRARY_PREFIX

if TYPE_CHECKING:
    from dynaguard.runbooks.recording import RecordedCall

LARGE_ITEM_UNITS: Final = 10.0
"""Write units of a call from which its item is a large one: 10 KB.

Source: DynamoDB developer guide, "Read and write capacity": one write unit for each KB of the
item, whole, however little of it changes.
"""


@dataclass(frozen=True, slots=True)
class Category:
    """A sort of task.

    Attributes:
        name: In words, with its article.
        template: The shipped runbook to begin with, as `library:NAME`.
    """

    name: str
    template: str


_GET: Final = Category("a get by key", f"{LIBRARY_PREFIX}get-by-key")
_QUERY: Final = Category("a query", f"{LIBRARY_PREFIX}query-with-filter-and-pages")
_SCAN: Final = Category("a scan", f"{LIBRARY_PREFIX}bounded-scan")
_UPDATE: Final = Category("an update", f"{LIBRARY_PREFIX}bulk-update")
_LARGE: Final = Category("an update of large items", f"{LIBRARY_PREFIX}update-large-item")
_DELETE: Final = Category("a delete", f"{LIBRARY_PREFIX}bulk-delete-with-preview")
_BY_OPERATION: Final[Mapping[str, Category]] = {
    "GetItem": _GET,
    "BatchGetItem": _GET,
    "Query": _QUERY,
    "Scan": _SCAN,
    "UpdateItem": _UPDATE,
    "PutItem": _UPDATE,
    "DeleteItem": _DELETE,
}


def category_of(call: RecordedCall) -> Category | None:
    """The sort of task that calls of one kind are; None for those of no shipped sort.

    Writes are of large items where they took 10 units or more each, which only records tell whose
    answers reported consumed capacity.
    """
    found = _BY_OPERATION.get(call.operation) if call.service == "dynamodb" else None
    if found is _UPDATE and call.write_units >= LARGE_ITEM_UNITS * call.count:
        return _LARGE
    return found
