"""Which grants a signed file can hold: those that need nobody to write anything down."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING

from dynaguard.access.clock import StrictClock

if TYPE_CHECKING:
    from dynaguard.access.store import AccessStore, StoredRecord


@dataclass(frozen=True, slots=True)
class Export:
    """What a store has for a signed file.

    Attributes:
        records: The grants that go into it.
        counted: How many are left out since their uses are counted, which a file cannot do.
        revoked: How many are left out since they were revoked.
    """

    records: tuple[StoredRecord, ...]
    counted: int
    revoked: int


def exported(store: AccessStore, clock: StrictClock) -> Export:
    """The living grants of a store that a file can hold.

    Raises:
        AccessStoreError: The store cannot be read.
    """
    kept: list[StoredRecord] = []
    counted = revoked = 0
    for record in store.records("grant", after_epoch_s=clock.for_end_s()):
        terms = json.loads(record.body)
        if terms.get("revoked_epoch_s") is not None:
            revoked += 1
        elif terms.get("uses") is not None:
            counted += 1
        else:
            kept.append(record)
    return Export(tuple(kept), counted, revoked)
