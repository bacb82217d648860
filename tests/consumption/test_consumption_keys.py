"""Hot and distinct keys by table and index, over windows, by their hashes alone."""

from __future__ import annotations

import threading

from dynaguard.consumption.keys import (
    HOT_SHARE,
    LEAST_REQUESTS,
    KeyHasher,
    KeyStatistics,
    readable_hash,
)

SECRET = b"sixteen bytes or more"


class Clock:
    """A clock that is moved by hand."""

    def __init__(self) -> None:
        self.now_s = 0.0

    def __call__(self) -> float:
        return self.now_s


def statistics(clock: Clock | None = None, **options: int) -> KeyStatistics:
    """Key statistics with windows of a minute."""
    return KeyStatistics(KeyHasher(SECRET), monotonic=clock or Clock(), window_s=60.0, **options)


def test_a_hot_key_is_found_by_its_hash() -> None:
    """Its share is certain, and others are not hot."""
    keys = statistics()
    for number in range(1000):
        keys.add("orders", None, ["hot" if number % 4 == 0 else f"key-{number}"])

    (figures,) = keys.figures()

    (hot,) = figures.hot_keys
    assert hot.key_hash == readable_hash(KeyHasher(SECRET).of("orders", "hot"))
    assert hot.at_least <= 250 <= hot.at_most <= 250 + 1000 / 128
    assert hot.share >= 0.24
    assert figures.requests == 1000
    assert abs(figures.distinct_keys - 751) <= 3 * 751 * figures.standard_error


def test_hot_keys_are_at_most_ten_and_need_a_sample() -> None:
    """Who has a tenth of the requests; a single request of one is no heat."""
    keys = statistics()
    keys.add("orders", None, ["a"])
    assert keys.figures()[0].hot_keys == ()
    for number in range(LEAST_REQUESTS - 1):
        keys.add("orders", None, [f"key-{number % 10}"])

    hot = keys.figures()[0].hot_keys

    assert 0 < len(hot) <= 1 / HOT_SHARE


def test_indexes_are_told_apart_and_share_hashes() -> None:
    """A key that is suspected has one hash per table."""
    keys = statistics()
    for index in (None, "by_day"):
        for _ in range(200):
            keys.add("orders", index, ["x"])

    table, index = keys.figures()

    assert {table.index, index.index} == {None, "by_day"}
    assert table.hot_keys[0].key_hash == index.hot_keys[0].key_hash


def test_figures_are_over_this_window_and_the_one_before() -> None:
    """Then they are forgotten."""
    clock = Clock()
    keys = statistics(clock)
    for _ in range(200):
        keys.add("orders", None, ["old"])
    clock.now_s = 60.0
    for _ in range(200):
        keys.add("orders", None, ["new"])

    (figures,) = keys.figures()
    assert (figures.requests, figures.distinct_keys, len(figures.hot_keys)) == (400, 2, 2)
    clock.now_s = 120.0
    (figures,) = keys.figures()
    assert (figures.requests, figures.distinct_keys, len(figures.hot_keys)) == (200, 1, 1)
    clock.now_s = 240.0
    assert keys.figures() == ()


def test_a_window_that_nobody_saw_ends_too() -> None:
    """The next request comes long after."""
    clock = Clock()
    keys = statistics(clock)
    keys.add("orders", None, ["a"])
    clock.now_s = 600.0
    keys.add("orders", None, ["b"])

    assert keys.figures()[0].requests == 1


def test_calls_without_a_known_key_are_counted_as_such() -> None:
    """So that nobody takes a part for the whole."""
    keys = statistics()
    keys.add_unknown("orders", None)

    (figures,) = keys.figures()

    assert (figures.requests, figures.unknown_requests, figures.hot_keys) == (0, 1, ())


def test_the_table_used_longest_ago_is_forgotten() -> None:
    """There is room for so many."""
    keys = statistics(max_tables=2)
    for table in ("a", "b", "a", "c"):
        keys.add(table, None, ["x"])

    assert {each.table for each in keys.figures()} == {"a", "c"}


def test_hashes_depend_on_secret_and_table() -> None:
    """Nothing can be told from them without the secret, nor across tables."""
    ours, theirs = KeyHasher(SECRET), KeyHasher(b"another secret of bytes")

    assert ours.of("orders", "x") == KeyHasher(SECRET).of("orders", "x")
    assert ours.of("orders", "x") != theirs.of("orders", "x")
    assert ours.of("orders", "x") != ours.of("customers", "x")
    assert len(readable_hash(7)) == 16


def test_text_that_is_no_unicode_is_hashed_too() -> None:
    """A lone surrogate, as JSON can bring it."""
    assert KeyHasher(SECRET).of("orders", "\ud800") > 0


def test_threads_lose_no_key() -> None:
    """Eight at once, figures asked for meanwhile."""
    keys = statistics()

    def work(number: int) -> None:
        for turn in range(500):
            keys.add("orders", None, [f"key-{(number + turn) % 20}"])
            if turn % 100 == 0:
                keys.figures()

    threads = [threading.Thread(target=work, args=(number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    (figures,) = keys.figures()
    assert figures.requests == 4000
    assert abs(figures.distinct_keys - 20) <= 1
