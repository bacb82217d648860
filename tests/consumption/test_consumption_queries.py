"""Reads that cost more than they look are told of, once."""

from __future__ import annotations

from typing import Any

import pytest

from dynaguard.call import NO_CREDENTIALS, Call, Outcome, Status
from dynaguard.consumption.queries import (
    LEAST_SCANNED,
    MAX_PAGES,
    MAX_SHAPES,
    QueryWarning,
    QueryWatch,
    Shape,
)
from dynaguard.scope import Scope

SHAPE = Shape("Query", "orders", None, "nightly")


def query(page: int | None = None, **params: Any) -> Call:
    """A query; of a paginator where it has a page."""
    return Call(
        "dynamodb",
        "Query",
        {"TableName": "orders", **params},
        "eu-west-1",
        "aws",
        None,
        NO_CREDENTIALS,
        Scope(),
        "c",
        page_number=page,
    )


def read(scanned: int | None = 1, returned: int | None = 1) -> Outcome:
    """A read that ended well."""
    return Outcome(Status.OK, scanned_count=scanned, item_count=returned)


def told(watch: QueryWatch, call: Call, shape: Shape = SHAPE, **more: Any) -> list[QueryWarning]:
    """What a read is warned of."""
    options = {"outcome": read(), "is_scan": False, "cursor": None, **more}
    return list(watch.watch(call, shape, **options))


def test_a_scan_is_told_once_per_shape() -> None:
    """Another job, table or index is another shape."""
    watch = QueryWatch()

    assert told(watch, query(), is_scan=True) == [QueryWarning.SCAN]
    assert told(watch, query(), is_scan=True) == []
    other = Shape("Query", "orders", "by_day", "nightly")
    assert told(watch, query(), other, is_scan=True) == [QueryWarning.SCAN]


def test_a_filter_is_told_once_enough_was_scanned() -> None:
    """Summed over calls, since one page may be small."""
    watch = QueryWatch()
    half = read(scanned=LEAST_SCANNED // 2, returned=10)

    assert told(watch, query(), outcome=half) == []
    assert told(watch, query(), outcome=half) == [QueryWarning.FILTER]
    assert told(watch, query(), outcome=half) == []


def test_a_filter_that_keeps_a_tenth_is_fine() -> None:
    """And a read that tells no count of what it looked at."""
    watch = QueryWatch()

    assert told(watch, query(), outcome=read(10 * LEAST_SCANNED, LEAST_SCANNED)) == []
    assert told(watch, query(), outcome=read(None, 10)) == []


def test_pages_of_a_paginator_are_told_beyond_ten() -> None:
    """With a `Limit` somebody has thought about it."""
    watch = QueryWatch()
    found = [told(watch, query(page)) for page in range(1, MAX_PAGES + 3)]

    assert found == [*[[]] * MAX_PAGES, [QueryWarning.UNBOUNDED], []]
    limited = QueryWatch()
    assert not any(told(limited, query(page, Limit=5)) for page in range(1, 20))


def test_pages_of_a_loop_are_followed_by_their_cursors() -> None:
    """Two loops at once do not count together."""
    watch = QueryWatch()

    def loop(name: str) -> list[list[QueryWarning]]:
        found, begun_at = [], {}
        for page in range(MAX_PAGES):
            cursor = {"pk": {"S": f"{name}-{page}"}}
            found.append(told(watch, query(**begun_at), cursor=cursor))
            begun_at = {"ExclusiveStartKey": cursor}
        return found

    assert not any(loop("a"))
    assert not any(loop("b"))
    last_of_b = {"pk": {"S": f"b-{MAX_PAGES - 1}"}}
    assert told(watch, query(ExclusiveStartKey=last_of_b)) == [QueryWarning.UNBOUNDED]


def test_the_token_of_a_statement_is_a_cursor_too() -> None:
    """PartiQL pages by `NextToken`."""
    watch, found = QueryWatch(), []
    for page in range(MAX_PAGES + 1):
        begun_at = {"NextToken": f"t{page}"} if page else {}
        found += told(watch, query(**begun_at), cursor=f"t{page + 1}")

    assert found == [QueryWarning.UNBOUNDED]


def test_a_cursor_of_elsewhere_begins_at_one() -> None:
    """It was kept in a file, say."""
    assert told(QueryWatch(), query(ExclusiveStartKey={"pk": {"S": "x"}})) == []


def test_memory_is_bounded() -> None:
    """Shapes and cursors; what was forgotten may be told again."""
    watch = QueryWatch()
    for number in range(2 * MAX_SHAPES):
        shape = Shape("Scan", f"table-{number}", None, None)
        told(watch, query(), shape, is_scan=True, cursor={"pk": {"S": str(number)}})

    assert len(watch._seen) == MAX_SHAPES
    assert len(watch._page_by_cursor) <= MAX_SHAPES
    assert told(watch, query(), SHAPE, is_scan=True) == [QueryWarning.SCAN]


@pytest.mark.parametrize("kind", QueryWarning)
def test_a_warning_has_a_short_name(kind: QueryWarning) -> None:
    """As it stands in records and metrics."""
    assert kind.value.isalpha()
