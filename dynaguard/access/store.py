"""Where grants and tickets are kept: small documents by kind and id, changed by compare-and-set.

One protocol for every store, so small that each can be right: whatever has to hold between two
writers (a quorum, a count of uses, one decision per approver) is a change of *one* document, made
only if nobody else changed it meanwhile. So a process may be killed at any point: what was
acknowledged is there, what was not may or may not be, nothing is there in half.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Literal, Protocol

from dynaguard.errors import AccessStoreError

RecordKind = Literal["grant", "ticket"]
MAX_TRIES = 64
"""How often a change is tried that others keep overtaking."""


@dataclass(frozen=True, slots=True)
class StoredRecord:
    """One document.

    Attributes:
        kind: What it is.
        id: Its id, unique within the kind: letters, digits and `-`, at most 64.
        version: 1 when it is added, one more with each change.
        body: Its text, canonical JSON (`canonical.py`).
        expires_epoch_s: When it ceases to matter to any decision, in seconds since the epoch; a
            store may delete it a while (a day at least) after that.
    """

    kind: RecordKind
    id: str
    version: int
    body: str
    expires_epoch_s: float

    def changed(self, body: str, expires_epoch_s: float) -> StoredRecord:
        """The document as its next version."""
        return replace(self, version=self.version + 1, body=body, expires_epoch_s=expires_epoch_s)


class AccessStore(Protocol):
    """A store. Thread-safe, and safe across processes; every method may block and do I/O.

    Every method raises `AccessStoreError` where the store cannot be reached or read. A write that
    raises it may have happened only where the message says so.
    """

    @property
    def name(self) -> str:
        """How messages name it, such as `access.sqlite` or `dynamodb://access`."""
        ...

    @property
    def is_read_only(self) -> bool:
        """Whether nothing can be written; then `add` and `replace` raise."""
        ...

    def add(self, record: StoredRecord) -> bool:
        """Adds a document of version 1; False, and nothing is done, where its id is taken."""
        ...

    def replace(self, record: StoredRecord) -> bool:
        """Stores the next version; False, and nothing is done, unless the one before is there."""
        ...

    def get(self, kind: RecordKind, id: str) -> StoredRecord | None:
        """One document as it is now (a consistent read), or None."""
        ...

    def records(self, kind: RecordKind, *, after_epoch_s: float) -> list[StoredRecord]:
        """All documents of a kind that matter after an instant, by id. A consistent read."""
        ...

    def change_token(self) -> str | None:
        """A text that differs after every change, for pennies; None where none is at hand."""
        ...

    def close(self) -> None:
        """Gives back connections and files. Never raises."""
        ...


def change(
    store: AccessStore,
    kind: RecordKind,
    id: str,
    edit: Callable[[StoredRecord], StoredRecord | None],
) -> StoredRecord | None:
    """Changes one document as of its latest version, however many others do the same.

    Args:
        store: The store.
        kind: Its kind.
        id: Its id.
        edit: Makes the next version (`StoredRecord.changed`), or None to leave it as it is. May
            be called several times; what it raises ends the change.

    Returns:
        The document as it is in the store afterwards; None where there is none of that id.

    Raises:
        AccessStoreError: The store cannot be used, or others overtook every try.
    """
    for _ in range(MAX_TRIES):
        found = store.get(kind, id)
        changed = edit(found) if found is not None else None
        if changed is None:
            return found
        if store.replace(changed):
            return changed
    raise AccessStoreError(
        f"{kind} `{id}` in `{store.name}` was changed by others {MAX_TRIES} times in between, "
        "try again"
    )
