"""What every access store has to do; each store's tests run all of it."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator

import pytest

from dynaguard.access.store import AccessStore, StoredRecord, change
from dynaguard.errors import AccessStoreError

MakeStore = Callable[[], AccessStore]
END_S = 4_000_000_000.0


def grant(id_: str = "g-1", body: str = '{"n":0}', end_s: float = END_S) -> StoredRecord:
    """A record of version 1."""
    return StoredRecord("grant", id_, 1, body, end_s)


def count_up(store: AccessStore, times: int, id_: str = "g-1") -> None:
    """Adds to the number in a record, one change each."""
    for _ in range(times):
        changed = None
        while changed is None:
            found = store.get("grant", id_)
            assert found is not None
            number = int(found.body[5:-1]) + 1
            changed = found.changed(f'{{"n":{number}}}', found.expires_epoch_s)
            if not store.replace(changed):
                changed = None


class StoreContract:
    """Subclasses give `make_store`, which opens the same place each time."""

    @pytest.fixture
    def store(self, make_store: MakeStore) -> Iterator[AccessStore]:
        """One open store."""
        opened = make_store()
        yield opened
        opened.close()

    def test_an_empty_store_has_nothing(self, store: AccessStore) -> None:
        """No record, no list, and nothing to replace."""
        assert store.get("grant", "g-1") is None
        assert store.records("grant", after_epoch_s=0) == []
        assert not store.replace(grant().changed("{}", END_S))

    def test_what_was_added_is_there_for_everybody(
        self, store: AccessStore, make_store: MakeStore
    ) -> None:
        """Also for one who opens the store later."""
        record = grant(body='{"reason":"a \\" \\u0000 \\n é 漢 😀"}', end_s=1234567890.123456)

        assert store.add(record)

        assert store.get("grant", "g-1") == record
        assert make_store().get("grant", "g-1") == record

    def test_an_id_is_taken_once(self, store: AccessStore) -> None:
        """The second adder is told, and changes nothing."""
        assert store.add(grant(body='{"by":1}'))

        assert not store.add(grant(body='{"by":2}'))

        found = store.get("grant", "g-1")
        assert found is not None
        assert found.body == '{"by":1}'

    def test_kinds_do_not_share_ids(self, store: AccessStore) -> None:
        """A ticket may have the id of a grant."""
        ticket = StoredRecord("ticket", "g-1", 1, '{"t":1}', END_S)
        store.add(grant())

        assert store.add(ticket)

        assert store.get("ticket", "g-1") == ticket
        assert store.records("ticket", after_epoch_s=0) == [ticket]

    def test_the_next_version_replaces_the_one_before(self, store: AccessStore) -> None:
        """Body, version and end."""
        store.add(grant())
        second = grant().changed('{"n":1}', END_S + 60)

        assert store.replace(second)

        assert store.get("grant", "g-1") == second

    def test_a_version_that_was_overtaken_replaces_nothing(self, store: AccessStore) -> None:
        """Nor does one too far ahead."""
        first = grant()
        store.add(first)
        second = first.changed('{"n":1}', END_S)
        store.replace(second)

        assert not store.replace(first.changed('{"n":9}', END_S))
        assert not store.replace(second.changed("{}", END_S).changed("{}", END_S))

        assert store.get("grant", "g-1") == second

    def test_a_list_has_what_matters_by_id(self, store: AccessStore) -> None:
        """What ends at the instant does not matter after it."""
        for number, end_s in ((3, 300.0), (1, 100.0), (2, 200.5), (4, 200.0)):
            store.add(grant(f"g-{number}", end_s=END_S + end_s))

        found = store.records("grant", after_epoch_s=END_S + 200)

        assert [record.id for record in found] == ["g-2", "g-3"]

    def test_a_replacement_moves_in_the_list(self, store: AccessStore) -> None:
        """A revoked grant leaves it, a ticket that was prolonged comes back."""
        store.add(grant("g-1", end_s=END_S))
        store.add(grant("g-2", end_s=END_S - 100))
        store.replace(grant("g-1").changed("{}", END_S - 100))
        store.replace(grant("g-2").changed("{}", END_S))

        found = store.records("grant", after_epoch_s=END_S - 50)

        assert [(record.id, record.version) for record in found] == [("g-2", 2)]

    def test_a_long_list_is_whole(self, store: AccessStore) -> None:
        """More than one page of any store, with bodies of some size."""
        expected = [
            grant(f"g-{number:04d}", body='{"x":"' + "x" * 9000 + '"}') for number in range(150)
        ]
        for record in expected:
            store.add(record)

        assert store.records("grant", after_epoch_s=0) == expected

    def test_the_token_differs_after_each_change(
        self, store: AccessStore, make_store: MakeStore
    ) -> None:
        """Whoever made it; and is the same where nothing changed."""
        tokens = [store.change_token()]
        if tokens == [None]:
            pytest.skip("this store has no token")
        other = make_store()

        store.add(grant())
        tokens.append(store.change_token())
        other.add(grant("g-2"))
        tokens.append(store.change_token())
        other.replace(grant().changed("{}", END_S))
        tokens.append(store.change_token())

        assert len(set(tokens)) == len(tokens)
        assert store.change_token() == tokens[-1]
        other.close()

    def test_a_change_comes_in_spite_of_others(
        self, store: AccessStore, make_store: MakeStore
    ) -> None:
        """It is made anew as of what the other one left."""
        store.add(grant())
        other = make_store()
        seen = []

        def edit(record: StoredRecord) -> StoredRecord:
            seen.append(record.version)
            if len(seen) == 1:
                other.replace(record.changed('{"n":7}', END_S))
            return record.changed(record.body.replace("}", ',"m":1}'), END_S)

        changed = change(store, "grant", "g-1", edit)

        assert changed is not None
        assert changed.body == '{"n":7,"m":1}'
        assert seen == [1, 2]
        other.close()

    def test_a_change_that_everybody_overtakes_is_given_up(
        self, store: AccessStore, make_store: MakeStore
    ) -> None:
        """Nothing was changed by it; of what is not there nothing is changed at all."""
        store.add(grant())
        other = make_store()

        def edit(record: StoredRecord) -> StoredRecord:
            other.replace(record.changed('{"n":7}', END_S))
            return record.changed('{"m":1}', END_S)

        with pytest.raises(AccessStoreError, match="was changed by others 64 times in between"):
            change(store, "grant", "g-1", edit)

        found = store.get("grant", "g-1")
        assert found is not None
        assert found.body == '{"n":7}'
        assert change(store, "grant", "g-2", edit) is None
        assert change(store, "grant", "g-1", lambda _: None) == found
        other.close()

    def test_threads_lose_no_change(self, store: AccessStore) -> None:
        """Each of many changes of one record counts once."""
        store.add(grant())
        threads = [threading.Thread(target=count_up, args=(store, 10)) for _ in range(8)]

        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()

        found = store.get("grant", "g-1")
        assert found is not None
        assert (found.body, found.version) == ('{"n":80}', 81)

    def test_it_works_after_it_was_closed(self, store: AccessStore) -> None:
        """A close gives back what can be had again; twice is once."""
        store.add(grant())
        store.close()
        store.close()

        assert store.get("grant", "g-1") == grant()
