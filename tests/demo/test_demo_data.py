"""The demo's items: the same in every run, plausible, and of nobody real."""

from __future__ import annotations

from collections import Counter
from decimal import Decimal
from typing import Any

import pytest

from dynaguard.demo.data import DAYS, SIZE_BY_ENVIRONMENT, make_items, order_days


@pytest.fixture(scope="module")
def items_by_table() -> dict[str, list[dict[str, Any]]]:
    """All items."""
    return make_items()


def customers(items_by_table: dict[str, list[dict[str, Any]]]) -> list[dict[str, Any]]:
    """The customers of all environments."""
    return [
        item
        for table, items in items_by_table.items()
        if table.endswith("-customers")
        for item in items
    ]


def orders(items_by_table: dict[str, list[dict[str, Any]]]) -> list[dict[str, Any]]:
    """The orders of production."""
    return items_by_table["prod-orders"]


def test_every_run_makes_the_same_items(items_by_table: Any) -> None:
    """The random source is seeded, per environment."""
    assert make_items() == items_by_table


def test_there_are_a_few_thousand_in_three_environments(items_by_table: Any) -> None:
    """As many as the sizes say, in a table for each kind."""
    counts = {table: len(items) for table, items in items_by_table.items()}

    assert counts == {
        f"{environment}-{kind}": getattr(size, kind)
        for environment, size in SIZE_BY_ENVIRONMENT.items()
        for kind in ("customers", "orders")
    }
    assert 2000 <= sum(counts.values()) <= 9000


def test_environments_differ(items_by_table: Any) -> None:
    """A staging customer is not a production customer under another name."""
    assert items_by_table["dev-customers"][0] != items_by_table["prod-customers"][0]


def test_e_mail_addresses_reach_nobody(items_by_table: Any) -> None:
    """`example.org` is reserved; each customer has an address of their own."""
    emails = [customer["email"] for customer in items_by_table["prod-customers"]]

    assert all(
        customer["email"].endswith("@example.org") for customer in customers(items_by_table)
    )
    assert len(set(emails)) == len(emails)


def test_card_numbers_are_no_cards(items_by_table: Any) -> None:
    """No issuer has numbers that begin with 9999."""
    cards = [card for customer in customers(items_by_table) for card in customer["cards"]]

    assert all(card["number"].startswith("9999 ") for card in cards)
    assert {len(card["number"].replace(" ", "")) for card in cards} == {16}


def test_keys_are_unique(items_by_table: Any) -> None:
    """No item overwrites another, so that counts can be checked."""
    keys = Counter((order["customer_id"], order["order_id"]) for order in orders(items_by_table))

    assert set(keys.values()) == {1}


def test_orders_are_of_customers(items_by_table: Any) -> None:
    """Each names a customer of its environment, with that customer's address."""
    email_by_customer = {
        customer["customer_id"]: customer["email"] for customer in items_by_table["prod-customers"]
    }

    assert all(
        order["contact"]["email"] == email_by_customer[order["customer_id"]]
        for order in orders(items_by_table)
    )


def test_totals_are_the_sum_of_the_lines(items_by_table: Any) -> None:
    """In decimals with two places."""
    for order in orders(items_by_table):
        lines = order["lines"]
        assert order["total"] == sum(line["price"] * line["quantity"] for line in lines)
        assert order["total"].as_tuple().exponent == Decimal("0.01").as_tuple().exponent


def test_every_order_is_of_a_listed_day(items_by_table: Any) -> None:
    """`order_days` lists all days, the last first, and each has orders."""
    days = list(order_days())

    assert days == sorted(days, reverse=True)
    assert len(days) == DAYS
    assert {order["day"] for order in orders(items_by_table)} == set(days)
    assert all(order["created_at"].startswith(order["day"]) for order in orders(items_by_table))
