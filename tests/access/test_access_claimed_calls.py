"""Counted grants in the life of a call: a use is taken before the call leaves, once."""

from __future__ import annotations

import itertools
import threading
import time
from collections.abc import Callable, Iterator
from typing import Any

import boto3
import pytest

import dynaguard
from dynaguard.access.access import Access
from dynaguard.access.boundaries import Boundaries
from dynaguard.access.granting import show_grant
from dynaguard.call import Verdict
from dynaguard.hooks.granting import grant, revoke_grant
from dynaguard.hooks.lifecycle import current
from dynaguard.testing import MemoryStore
from tests.access.desk import ETL, NEED, Desk, call

DENY_ALL = {"version": 1, "default": "deny", "govern": ["dynamodb"]}
KEY = {"order_id": {"S": "A-1"}}
GET = {"actions": "dynamodb:GetItem", "resources": "arn:aws:dynamodb:*:*:table/orders"}


@pytest.fixture
def store() -> MemoryStore:
    """The store of an installed guard."""
    return MemoryStore()


@pytest.fixture
def dynamodb(store: MemoryStore) -> Iterator[Any]:
    """A guarded client whose calls are answered before they leave."""
    client = boto3.client("dynamodb", region_name="eu-west-1")
    answer = type("Answer", (), {"status_code": 200})()

    pages = itertools.count()

    def answers(**_: Any) -> Any:
        cursor = {"LastEvaluatedKey": {"order_id": {"S": str(next(pages))}}}
        return answer, {"Answered": True, "Items": [], **cursor}

    client.meta.events.register("before-call.dynamodb", answers)
    dynaguard.install(DENY_ALL, access_store=store, identity="etl")
    return client


def _outcomes(use: Any, count: int, **params: Any) -> list[bool]:
    found = []
    for _ in range(count):
        try:
            found.append(use(**params)["Answered"])
        except dynaguard.PolicyDenied:
            found.append(False)
    return found


def test_calls_use_a_grant_up(dynamodb: Any, store: MemoryStore) -> None:
    """Two calls, then none."""
    given = grant(identity="etl", reason="INC-1", expires_in=60, uses=2, **GET)

    assert _outcomes(dynamodb.get_item, 4, TableName="orders", Key=KEY) == [
        *[True] * 2,
        *[False] * 2,
    ]
    assert show_grant(store, given.id).is_used_up


def test_a_call_that_is_refused_takes_no_use(dynamodb: Any, store: MemoryStore) -> None:
    """Of a transaction on two tables one is granted."""
    given = grant(identity="etl", reason="INC-1", expires_in=60, uses=2, **GET)
    reads = [{"Get": {"TableName": name, "Key": KEY}} for name in ("orders", "customers")]

    with pytest.raises(dynaguard.PolicyDenied):
        dynamodb.transact_get_items(TransactItems=reads)

    assert show_grant(store, given.id).uses_left == 2


def test_another_grant_serves_when_one_is_used_up(dynamodb: Any, store: MemoryStore) -> None:
    """The one that ends first goes first; a call falls between two grants without noticing."""
    first = grant(identity="etl", reason="INC-1", expires_in=60, uses=1, **GET)
    second = grant(identity="etl", reason="INC-2", expires_in=90, uses=1, **GET)

    assert _outcomes(dynamodb.get_item, 3, TableName="orders", Key=KEY) == [True, True, False]
    assert [show_grant(store, each.id).uses_left for each in (first, second)] == [0, 0]


def _ends(_id: str) -> None:
    """An hour goes by on the wall clock."""
    guard, _ = current()
    assert guard is not None
    assert guard.rooms.access.grants is not None
    guard.rooms.access.grants.book.clock._time_s = lambda: time.time() + 3600


@pytest.mark.parametrize(
    ("uses", "after_two_pages"),
    [(2, lambda _id: None), (None, lambda id: revoke_grant(id, "enough")), (None, _ends)],
    ids=["used up", "revoked", "ended"],
)
def test_each_page_is_a_call(
    dynamodb: Any, uses: int | None, after_two_pages: Callable[[str], object]
) -> None:
    """A grant that is used up, revoked or over between two pages stops the next."""
    given = grant(
        identity="etl",
        reason="INC-1",
        expires_in=60,
        uses=uses,
        actions="dynamodb:Query",
        resources="arn:aws:dynamodb:*:*:table/orders",
    )
    pages = iter(
        dynamodb.get_paginator("query").paginate(
            TableName="orders",
            KeyConditionExpression="order_id = :id",
            ExpressionAttributeValues={":id": {"S": "A-1"}},
        )
    )

    assert [next(pages)["Answered"], next(pages)["Answered"]] == [True, True]
    after_two_pages(given.id)

    with pytest.raises(dynaguard.PolicyDenied):
        next(pages)


def test_the_grant_of_a_call_stands_in_its_decision(dynamodb: Any, store: MemoryStore) -> None:
    """From where records and spans have it."""
    given = grant(identity="etl", reason="INC-1", expires_in=60, break_glass=True, **GET)
    guard = dynaguard.install(DENY_ALL, access_store=store, identity="etl")
    seen = []
    enter = type(guard).enter

    def watch(self: Any, *arguments: Any, **options: Any) -> Any:
        passage = enter(self, *arguments, **options)
        seen.append(passage.decision)
        return passage

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(type(guard), "enter", watch)
        dynamodb.get_item(TableName="orders", Key=KEY)

    assert [ref.id for ref in seen[0].grants] == [given.id]
    assert seen[0].grants[0].is_break_glass


def test_break_glass_is_told_when_it_is_made_and_when_it_is_first_used(
    dynamodb: Any, caplog: pytest.LogCaptureFixture
) -> None:
    """As warnings; further uses are in the records."""
    with caplog.at_level("WARNING", "dynaguard.access"):
        grant(identity="etl", reason="INC-1", expires_in=60, break_glass=True, **GET)
        _outcomes(dynamodb.get_item, 3, TableName="orders", Key=KEY)

    assert [message.partition(":")[0] for message in caplog.messages] == [
        "BREAK-GLASS grant created",
        "BREAK-GLASS break-glass used",
    ]


def test_a_store_that_is_down_refuses_with_its_reason(dynamodb: Any, store: MemoryStore) -> None:
    """And does not stand in the way of what statements allow."""
    store.problem = "the network is down"

    with pytest.raises(dynaguard.PolicyDenied) as caught:
        dynamodb.get_item(TableName="orders", Key=KEY)

    assert "whether a grant does is not known: access store `memory`" in caught.value.reason


def test_credentials_that_change_hands_take_no_second_use(
    dynamodb: Any, store: MemoryStore
) -> None:
    """A call that is decided again when it is signed holds its use already."""
    given = grant(identity="etl", reason="INC-1", expires_in=60, uses=1, **GET)
    guard = dynaguard.install(DENY_ALL, access_store=store, identity="etl")
    need = NEED._replace(resource="arn:aws:dynamodb:eu-west-1:111122223333:table/orders")
    passage = guard.enter(call(params={"TableName": "orders", "Key": KEY}), needs=(need,))

    guard.authorising.authorise(passage)

    assert show_grant(store, given.id).uses_left == 0
    assert passage.claimed == {given.id}


def test_a_process_without_a_store_holds_no_grants() -> None:
    """A decision that names one, from another guard say, does not hold."""
    desk = Desk()
    desk.give()
    access = Access(Boundaries(desk.clock), {})

    assert access.is_still_granted(desk.decide(ETL, NEED._replace(resource="arn:other")))
    assert not access.is_still_granted(desk.decide())


def test_calls_give_up_after_many_grants_that_others_used_up(
    dynamodb: Any, store: MemoryStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Bounded, refused with the reason, and the application may try again."""
    for _ in range(20):
        grant(identity="etl", reason="INC-1", expires_in=60, uses=1, **GET)
    monkeypatch.setattr("dynaguard.access.widening.claim_use", lambda *_, **__: False)

    with pytest.raises(dynaguard.PolicyDenied) as caught:
        dynamodb.get_item(TableName="orders", Key=KEY)

    assert caught.value.reason.startswith("each grant that would allow it was used up in between")


def test_threads_share_what_is_known() -> None:
    """While grants come and go, each thread sees one answer or the other, and no error."""
    desk = Desk()
    kept = desk.give(duration_s=10_000.0)
    stop = threading.Event()
    errors: list[BaseException] = []

    def ask() -> None:
        try:
            while not stop.is_set():
                assert desk.decide().verdict is Verdict.ALLOW
        except BaseException as err:  # noqa: BLE001 - told below
            errors.append(err)

    threads = [threading.Thread(target=ask) for _ in range(4)]
    for thread in threads:
        thread.start()
    for _ in range(25):
        desk.revoke(desk.give(uses=1))
        desk.book.spend(kept.id + "-x")
        desk.book.read_now()
    stop.set()
    for thread in threads:
        thread.join()

    assert errors == []
