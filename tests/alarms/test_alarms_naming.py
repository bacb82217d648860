"""Names and ids: unique, stable, within limits, whatever they name."""

from __future__ import annotations

import re

from hypothesis import given
from hypothesis import strategies as st

from dynaguard.alarms import limits
from dynaguard.alarms.naming import alarm_name, resource_id
from tests.alarms.alarm_cases import any_names

PARTS = st.lists(any_names, min_size=1, max_size=3).map(tuple)


@given(st.lists(PARTS, min_size=2, max_size=8, unique=True))
def test_ids_are_unique_and_valid_whatever_the_names(subjects: list[tuple[str, ...]]) -> None:
    """Letters and digits, a letter first, at most 255: for CloudFormation and for Terraform."""
    ids = [resource_id("read-throttles", *parts) for parts in subjects]

    assert len(set(ids)) == len(ids)
    assert all(re.fullmatch("[A-Za-z][A-Za-z0-9]{0,254}", each) for each in ids)


@given(st.lists(PARTS, min_size=2, max_size=8, unique=True))
def test_alarm_names_are_unique_and_valid_whatever_the_names(
    subjects: list[tuple[str, ...]],
) -> None:
    """Printable, at most 255 characters."""
    names = [alarm_name("dynaguard", "read-throttles", *parts) for parts in subjects]

    assert len(set(names)) == len(names)
    assert all(len(name) <= limits.MAX_ALARM_NAME and name.isprintable() for name in names)


def test_names_can_be_read() -> None:
    """Kind, identity and table stand in them as they are."""
    assert (
        alarm_name("dynaguard", "read-throttles", "etl-nightly", "orders")
        == "dynaguard/read-throttles/etl-nightly/orders"
    )
    assert resource_id("read-throttles", "etl-nightly", "orders").startswith(
        "ReadThrottlesEtlNightlyOrders"
    )


def test_a_slash_in_a_name_is_told_from_one_between_names() -> None:
    """Neither shares the other's alarm."""
    assert alarm_name("p", "denials", "a/b", "c") != alarm_name("p", "denials", "a", "b/c")


def test_an_id_begins_with_a_letter() -> None:
    """Terraform takes no digit there."""
    assert resource_id("7").startswith("Alarm7")
