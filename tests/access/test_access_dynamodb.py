"""The DynamoDB store over a table in memory: the contract, lost answers, throttles, costs."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from dynaguard.access.dynamodb_store import ATTEMPTS, DynamoDbStore
from dynaguard.access.store import StoredRecord
from dynaguard.access.table_calls import TableCallError
from dynaguard.errors import AccessStoreError
from tests.access.fake_table import FakeTable, once
from tests.access.store_contract import END_S, MakeStore, StoreContract, grant

LOST = TableCallError("Unanswered", is_effect_unknown=True)
THROTTLED = TableCallError("ThrottlingException")
NOT_KNOWN = "grant `g-1` was changed is not known, look before you repeat it"


def make(table: FakeTable, **kwargs: Callable[..., float]) -> DynamoDbStore:
    """A store that never waits."""
    return DynamoDbStore("access", table, sleep=lambda _: None, **kwargs)


class TestDynamoDbStore(StoreContract):
    """The contract, on pages and batches that are small."""

    @pytest.fixture
    def make_store(self) -> MakeStore:
        """Opens one table."""
        table = FakeTable()
        return lambda: make(table)


@pytest.fixture
def table() -> FakeTable:
    """An empty table."""
    return FakeTable()


# --- lost answers ------------------------------------------------------------------------------


def test_a_write_whose_answer_was_lost_is_known_again(table: FakeTable) -> None:
    """The further attempt finds the condition no longer met, by the store's own write."""
    table.after = once("PutItem", LOST)
    store = make(table)

    assert store.add(grant())
    table.after = once("PutItem", LOST)
    assert store.replace(grant().changed('{"n":1}', END_S))

    assert store.get("grant", "g-1") == grant().changed('{"n":1}', END_S)


def test_a_write_without_any_answer_is_looked_up(table: FakeTable) -> None:
    """It was made, so it is acknowledged."""
    table.after = once("PutItem", LOST, times=ATTEMPTS)

    assert make(table).add(grant())


def test_a_lost_race_is_not_taken_for_a_lost_answer(table: FakeTable) -> None:
    """Another wrote the very same document: only one of both may count it as theirs."""
    store = make(table)
    store.add(grant())
    second = grant().changed('{"n":1}', END_S)

    def overtake(operation: str) -> TableCallError | None:
        if operation != "PutItem":
            return None
        table.before = lambda _: None
        assert make(table).replace(second)
        return LOST

    table.before = overtake

    assert not store.replace(second)


@pytest.mark.parametrize("code", ["Unanswered", "InternalServerError"])
def test_a_write_that_may_yet_arrive_is_not_known(table: FakeTable, code: str) -> None:
    """Nothing is there now; the request may be on its way still."""
    table.before = once("PutItem", TableCallError(code, is_effect_unknown=True), times=ATTEMPTS)

    with pytest.raises(AccessStoreError, match=NOT_KNOWN):
        make(table).add(grant())


def test_a_write_that_others_changed_since_is_not_known(table: FakeTable) -> None:
    """Their version may have come from ours, or from another's in its place."""
    table.after = once("PutItem", LOST)
    store = make(table)
    other = make(table)

    def change_twice(operation: str) -> TableCallError | None:
        if operation == "GetItem":
            table.before = lambda _: None
            other.replace(grant().changed("{}", END_S))
        return None

    table.before = change_twice

    with pytest.raises(AccessStoreError, match=NOT_KNOWN):
        store.add(grant())


def test_a_lost_answer_that_cannot_be_looked_up_is_not_known(table: FakeTable) -> None:
    """DynamoDB is gone."""
    table.after = once("PutItem", LOST)
    is_gone = once("PutItem", TableCallError("Unreachable"), times=99)
    calls = []

    def fault(operation: str) -> TableCallError | None:
        calls.append(operation)
        if operation == "GetItem":
            return TableCallError("Unreachable")
        return is_gone(operation) if len(calls) > 1 else None

    table.before = fault

    with pytest.raises(AccessStoreError, match=NOT_KNOWN):
        make(table).add(grant())


# --- attempts and errors -----------------------------------------------------------------------


@pytest.mark.parametrize("operation", ["PutItem", "GetItem", "Query", "BatchGetItem"])
def test_a_throttle_is_tried_again_with_growing_waits(table: FakeTable, operation: str) -> None:
    """Twice; some of each wait is left to chance."""
    waits: list[float] = []
    store = DynamoDbStore("access", table, sleep=waits.append, jitter=lambda: 1.0)
    if operation != "PutItem":
        store.add(grant())
    table.before = once(operation, THROTTLED, times=ATTEMPTS - 1)

    if operation == "PutItem":
        assert store.add(grant())
    elif operation == "GetItem":
        assert store.get("grant", "g-1") == grant()
    else:
        assert store.records("grant", after_epoch_s=0) == [grant()]

    assert waits == [0.05, 0.1]


@pytest.mark.parametrize(
    ("code", "text"),
    [
        ("ThrottlingException", "the table is throttled, try again, or set it to on-demand"),
        ("ProvisionedThroughputExceededException", "the table is throttled"),
        ("Unreachable", "DynamoDB does not answer, check network, region and endpoint"),
        ("ResourceNotFoundException", "make it with `dynaguard access init`"),
        ("ValidationException", "the table has other keys, or a record is longer than 400 KB"),
        ("AccessDeniedException", "IAM does not allow it, see the permissions"),
        ("NoCredentials", "the process has no AWS credentials"),
        ("ExpiredTokenException", "DynamoDB answers `ExpiredTokenException`"),
    ],
)
@pytest.mark.parametrize("use", ["add", "get", "records", "change_token"])
def test_an_error_says_what_to_do(table: FakeTable, code: str, text: str, use: str) -> None:
    """Which store, why, what next; and nothing was changed."""
    table.before = lambda _: TableCallError(code)
    store = make(table)
    uses: dict[str, Callable[[], object]] = {
        "add": lambda: store.add(grant()),
        "get": lambda: store.get("grant", "g-1"),
        "records": lambda: store.records("grant", after_epoch_s=0),
        "change_token": store.change_token,
    }

    with pytest.raises(AccessStoreError) as caught:
        uses[use]()

    assert str(caught.value).startswith("access store `dynamodb://access` cannot be used: ")
    assert text in str(caught.value)
    assert "not known" not in str(caught.value)
    assert len(table.calls) <= ATTEMPTS


def test_batches_without_progress_end(table: FakeTable) -> None:
    """As a throttle, since that is what they are."""
    store = make(table)
    store.add(grant())

    def nothing(params: object) -> dict[str, object]:
        request = params["RequestItems"]["access"]  # type: ignore[index]  # the fake's own shape
        return {"Responses": {}, "UnprocessedKeys": {"access": {"Keys": request["Keys"]}}}

    table._BatchGetItem = nothing  # type: ignore[method-assign, assignment]

    with pytest.raises(AccessStoreError, match="throttled"):
        store.records("grant", after_epoch_s=0)


def test_what_is_no_record_is_told(table: FakeTable) -> None:
    """Something else writes to the table; none of it is believed."""
    store = make(table)
    store.add(grant())
    del table.items["grant", "g-1"]["body"], table.items["grant", "g-1"]["version"]

    with pytest.raises(AccessStoreError, match="an item in it is no record"):
        store.get("grant", "g-1")


# --- costs -------------------------------------------------------------------------------------


def test_a_list_reads_only_what_changed(table: FakeTable) -> None:
    """Known by the number of its writer, so that a table put back in time deceives nobody."""
    store = make(table)
    for number in range(50):
        store.add(grant(f"g-{number:02d}"))
    store.records("grant", after_epoch_s=0)
    changed = grant("g-07").changed('{"n":7}', END_S)
    make(table).replace(changed)
    table.calls.clear()

    found = store.records("grant", after_epoch_s=0)

    assert len(found) == 50
    assert found[7] == changed
    (batch,) = (params for operation, params in table.calls if operation == "BatchGetItem")
    assert [key["id"]["S"] for key in batch["RequestItems"]["access"]["Keys"]] == ["g-07"]


def test_a_document_of_the_same_version_and_another_writer_is_read_again(
    table: FakeTable,
) -> None:
    """As in a table that was restored and went another way since."""
    store = make(table)
    store.add(grant(body='{"by":1}'))
    store.records("grant", after_epoch_s=0)
    table.items.clear()
    make(table).add(grant(body='{"by":2}'))

    assert [record.body for record in store.records("grant", after_epoch_s=0)] == ['{"by":2}']


def test_a_document_that_ends_earlier_when_it_is_read_is_left_out(table: FakeTable) -> None:
    """It was revoked between index and document."""
    store = make(table)
    store.add(grant())

    def revoke(operation: str) -> TableCallError | None:
        if operation == "BatchGetItem":
            table.before = lambda _: None
            make(table).replace(grant().changed("{}", 100.0))
        return None

    table.before = revoke

    assert store.records("grant", after_epoch_s=200.0) == []


def test_the_token_reads_no_document(table: FakeTable) -> None:
    """One Query per kind while they are few."""
    store = make(table)
    store.add(grant())
    table.calls.clear()

    store.change_token()

    assert [operation for operation, _ in table.calls] == ["Query", "Query"]


def test_the_token_forgets_what_ended_a_day_ago(table: FakeTable) -> None:
    """What waits for its TTL costs nothing."""
    clock = [END_S]
    store = make(table, time_s=lambda: clock[0])
    empty = store.change_token()
    store.add(grant(end_s=END_S + 60))
    full = store.change_token()

    clock[0] = END_S + 60 + 86_400

    assert (store.change_token(), full != empty) == (empty, True)


def test_an_item_says_when_it_may_be_deleted(table: FakeTable) -> None:
    """A day after its end, in whole seconds."""
    make(table).add(StoredRecord("ticket", "t-1", 1, "{}", 1000.5))

    assert table.items["ticket", "t-1"]["ttl"] == {"N": "87401"}
