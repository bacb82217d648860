"""The demo's items: customers with cards, and their orders. Made up, the same for the same seed.

INVARIANT: nobody real. Names are put together from syllables, addresses are of example.org
(RFC 2606), and card numbers begin with 9999, which no issuer has.
"""

from __future__ import annotations

import random
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any, Final

Item = dict[str, Any]

COUNTRIES: Final = ("NL", "DE", "FR", "ES", "IE")
LAST_DAY: Final = datetime(2026, 3, 31, tzinfo=UTC)
"""Fixed, so that two runs make the same items."""

DAYS: Final = 14
_SEED: Final = 20260331
_GIVEN_STARTS: Final = ("Bri", "Fen", "Oda", "Pim", "Sor", "Tan", "Ula", "Wil", "Yol", "Zeb")
_GIVEN_ENDS: Final = ("bel", "dra", "fern", "lo", "mina", "nock", "rin", "wick", "zy")
_FAMILY_STARTS: Final = ("Amber", "Copper", "Dapple", "Ember", "Moss", "Quill", "Tinder", "Umber")
_FAMILY_ENDS: Final = ("button", "kettle", "mantle", "pipe", "spool", "thimble", "top", "wick")
_BRANDS: Final = ("Brightpay", "Coinleaf", "Tallycard")
_STATUSES: Final = ("paid", "packed", "shipped", "delivered", "returned")
_PRODUCTS: Final = (
    ("SKU-1001", "oak desk lamp", 4990),
    ("SKU-1002", "wool blanket", 6450),
    ("SKU-1003", "tea kettle", 3175),
    ("SKU-1004", "paper notebook, 3 pieces", 1290),
    ("SKU-1005", "ceramic mug", 1150),
    ("SKU-1006", "garden gloves", 980),
    ("SKU-1007", "bicycle bell", 1525),
    ("SKU-1008", "walnut chess set", 8900),
)


@dataclass(frozen=True, slots=True)
class Size:
    """How many items an environment has."""

    customers: int
    orders: int


SIZE_BY_ENVIRONMENT: Final[Mapping[str, Size]] = {
    "dev": Size(customers=100, orders=300),
    "staging": Size(customers=150, orders=450),
    "prod": Size(customers=600, orders=2400),
}


def make_items() -> dict[str, list[Item]]:
    """The items of all tables, by table name without the demo's prefix.

    Values are as boto3's resources take them; money is in `Decimal`, two places.
    """
    items_by_table = {}
    for environment, size in SIZE_BY_ENVIRONMENT.items():
        # not for secrets: the same seed gives the same items
        chance = random.Random(f"{_SEED}-{environment}")  # noqa: S311
        customers = [_make_customer(chance, number) for number in range(1, size.customers + 1)]
        items_by_table[f"{environment}-customers"] = customers
        items_by_table[f"{environment}-orders"] = [
            _make_order(chance, number, chance.choice(customers))
            for number in range(1, size.orders + 1)
        ]
    return items_by_table


def order_days() -> Iterator[str]:
    """The days that have orders, `2026-03-31` first."""
    for age_days in range(DAYS):
        yield f"{LAST_DAY - timedelta(days=age_days):%Y-%m-%d}"


def _make_customer(chance: random.Random, number: int) -> Item:
    """One customer."""
    given = chance.choice(_GIVEN_STARTS) + chance.choice(_GIVEN_ENDS)
    family = chance.choice(_FAMILY_STARTS) + chance.choice(_FAMILY_ENDS)
    return {
        "customer_id": f"C-{number:05}",
        "name": f"{given} {family}",
        "email": f"{given}.{family}.{number}@example.org".lower(),
        "country": chance.choice(COUNTRIES),
        "since": f"{LAST_DAY - timedelta(days=chance.randrange(1, 2000)):%Y-%m-%d}",
        "points": chance.randrange(0, 5000, 5),
        "cards": [_make_card(chance) for _ in range(chance.choice((1, 1, 1, 2)))],
    }


def _make_card(chance: random.Random) -> Item:
    """One payment card."""
    groups = ("9999", *(f"{chance.randrange(10_000):04}" for _ in range(3)))
    return {
        "brand": chance.choice(_BRANDS),
        "number": " ".join(groups),
        "expires": f"20{chance.randrange(27, 32)}-{chance.randrange(1, 13):02}",
    }


def _make_order(chance: random.Random, number: int, customer: Item) -> Item:
    """One order of a customer."""
    lines = [_make_line(chance) for _ in range(chance.choice((1, 1, 2, 3)))]
    day = LAST_DAY - timedelta(days=chance.randrange(DAYS))
    created = day + timedelta(seconds=chance.randrange(86_400))
    return {
        "customer_id": customer["customer_id"],
        "order_id": f"O-{number:06}",
        "day": f"{created:%Y-%m-%d}",
        "created_at": f"{created:%Y-%m-%dT%H:%M:%SZ}",
        "status": chance.choice(_STATUSES),
        "contact": {"name": customer["name"], "email": customer["email"]},
        "lines": lines,
        "total": sum((line["price"] * line["quantity"] for line in lines), Decimal()),
    }


def _make_line(chance: random.Random) -> Item:
    """One line of an order."""
    sku, title, price_cents = chance.choice(_PRODUCTS)
    price = Decimal(price_cents).scaleb(-2)
    return {"sku": sku, "title": title, "quantity": chance.randrange(1, 4), "price": price}
