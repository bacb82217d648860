"""The store in memory is a store, and can be one that nobody reaches."""

from __future__ import annotations

import pytest

from dynaguard.errors import AccessStoreError
from dynaguard.testing import MemoryStore
from tests.access.store_contract import END_S, MakeStore, StoreContract, grant


class TestMemoryStore(StoreContract):
    """The contract; there is one object, as it lives nowhere else."""

    @pytest.fixture
    def make_store(self) -> MakeStore:
        """Gives the same store each time."""
        store = MemoryStore()
        return lambda: store


def test_a_problem_is_raised_by_every_use_while_it_is_set() -> None:
    """And nothing was changed."""
    store = MemoryStore()
    store.problem = "the network is down"

    for use in (lambda: store.add(grant()), lambda: store.get("grant", "g-1"), store.change_token):
        with pytest.raises(AccessStoreError, match="`memory` cannot be used: the network is down"):
            use()

    store.problem = None
    assert store.records("grant", after_epoch_s=0) == []
    assert store.uses == ["add", "get", "change_token", "records"]


def test_a_read_only_store_takes_no_change() -> None:
    """As a signed file."""
    store = MemoryStore(is_read_only=True)

    with pytest.raises(AccessStoreError, match="`memory` is read only"):
        store.add(grant())
    with pytest.raises(AccessStoreError, match="`memory` is read only"):
        store.replace(grant().changed("{}", END_S))
