"""Uses of counted grants: each is taken from the store before the call leaves that needs it.

A use is one change of one document, made only if nobody else changed it meanwhile. So a count is
never overdrawn, however many processes draw on it. A use that was taken stays taken: where the
process dies before the call leaves, or a later step refuses the call, it is spent all the same.
"""

from __future__ import annotations

from dataclasses import replace

from dynaguard.access.changes import AccessChange, note_change
from dynaguard.access.clock import StrictClock
from dynaguard.access.grants import from_record
from dynaguard.access.store import AccessStore, StoredRecord, change


def claim_use(
    store: AccessStore,
    id: str,
    clock: StrictClock,
    *,
    max_duration_s: float,
    by: str = "unknown",
) -> bool:
    """Takes one use of a counted grant.

    Args:
        store: Where it is.
        id: Its id.
        clock: Tells whether it has ended.
        max_duration_s: Longest that it may last where it is to count, in seconds.
        by: Who takes it, for the record of the last one.

    Returns:
        Whether there was one left, and the grant is neither revoked nor over.

    Raises:
        AccessStoreError: The store cannot be read or written, or the document is no grant. The
            use may be spent then.
    """
    is_taken = is_last = False

    def take(record: StoredRecord) -> StoredRecord | None:
        nonlocal is_taken, is_last
        is_taken = is_last = False
        grant, _ = from_record(record, max_duration_s=max_duration_s)
        if grant.is_revoked or not grant.uses_left or clock.for_end_s() >= grant.expires_epoch_s:
            return None
        is_taken, is_last = True, grant.uses_left == 1
        return replace(grant, uses_left=grant.uses_left - 1).to_record(record.version + 1)

    change(store, "grant", id, take)
    if is_last:
        note_change(AccessChange("grant used up", id, by))
    return is_taken
