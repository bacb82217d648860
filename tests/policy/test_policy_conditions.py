"""Condition operators, variables and three-valued contexts, one case per line."""

from __future__ import annotations

from collections.abc import Mapping

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dynaguard.call import UNKNOWN, ContextValue
from dynaguard.policy.conditions import compile_condition
from dynaguard.policy.literals import parse_instant, parse_number
from dynaguard.policy.model import Condition
from dynaguard.policy.reference_conditions import condition_level
from dynaguard.policy.truth import Truth, all_of, any_of, negated

ROLE = "arn:aws:iam::111122223333:role/etl"
NOT_KNOWN = None


def evaluate(
    operator: str,
    wanted: str | tuple[str, ...],
    actual: ContextValue,
    context: Mapping[str, ContextValue] | None = None,
    *,
    has_variables: bool = True,
) -> Truth:
    """The truth of `{operator: {key: wanted}}` where the key holds `actual`; both evaluators."""
    qualifier, _, name = operator.rpartition(":")
    condition = Condition(
        name.removesuffix("IfExists"),
        "aws:Some/Key",
        (wanted,) if isinstance(wanted, str) else wanted,
        qualifier or None,  # type: ignore[arg-type]
        if_exists=name.endswith("IfExists"),
    )
    values = {"aws:some/key": actual} | dict(context or {})

    def lookup(key: str) -> ContextValue:
        return values.get(key, ())

    truth = compile_condition(condition, has_variables=has_variables).holds(lookup)
    level = condition_level(condition, lookup, lookup if has_variables else None)
    assert level == {False: 0, None: 1, True: 2}[truth], "the reference disagrees"
    return truth


@pytest.mark.parametrize(
    ("operator", "wanted", "actual", "truth"),
    [
        ("StringEquals", "etl", "etl", True),
        ("StringEquals", "etl", "ETL", False),
        ("StringEquals", "e*", "etl", False),
        ("StringEquals", "e*", "e*", True),
        ("StringEquals", ("a", "etl"), "etl", True),
        ("StringNotEquals", ("a", "etl"), "etl", False),
        ("StringNotEquals", ("a", "b"), "etl", True),
        ("StringEqualsIgnoreCase", "Etl", "eTL", True),
        ("StringNotEqualsIgnoreCase", "Etl", "eTL", False),
        ("StringLike", ("x", "e?l*"), "etl-1", True),
        ("StringLike", "e?l", "etl-1", False),
        ("StringNotLike", "etl*", "etl-1", False),
        ("NumericEquals", "1.0", "1", True),
        ("NumericEquals", "0.1", "0.1000000000000000000000000001", False),
        ("NumericNotEquals", "1", "1.00", False),
        ("NumericLessThan", "100", "100", False),
        ("NumericLessThanEquals", "100", "100.0", True),
        ("NumericGreaterThan", "9", "10", True),
        ("NumericGreaterThanEquals", "1e1", "10", True),
        ("NumericEquals", "1", "1_0", NOT_KNOWN),
        ("NumericEquals", "1", "nan", NOT_KNOWN),
        ("NumericEquals", "1", "inf", NOT_KNOWN),
        ("NumericEquals", "1", " 1", NOT_KNOWN),
        ("NumericEquals", "1", "\u0661", NOT_KNOWN),
        ("NumericEquals", "1", "e", NOT_KNOWN),
        ("NumericNotEquals", "1", "one", NOT_KNOWN),
        ("NumericEquals", "one", "1", NOT_KNOWN),
        ("DateLessThan", "2026-12-01T00:00:00Z", "2026-12-01T00:00:00Z", False),
        ("DateLessThan", "2026-12-01T00:00:00Z", "2026-11-30T23:59:59.999999999Z", True),
        ("DateLessThanEquals", "2026-12-01", "2026-12-01T00:00Z", True),
        ("DateEquals", "2026-12-01T01:00:00+01:00", "2026-11-30T19:00:00-05:00", True),
        ("DateEquals", "1764547200", "2025-12-01", True),
        ("DateEquals", "2026", "2026-01-01T00:00:00.000Z", True),
        ("DateNotEquals", "2026-01", "2026-01-01", False),
        ("DateGreaterThan", "1970", "0.5", True),
        ("DateGreaterThanEquals", "1970", "-1", False),
        ("DateEquals", "2026", "2026-12-01T00:00:00", NOT_KNOWN),
        ("DateEquals", "2026", "2026-13-01", NOT_KNOWN),
        ("DateEquals", "2026", "2026-12-1", NOT_KNOWN),
        ("DateEquals", "2026", "2026T00:00Z", NOT_KNOWN),
        ("DateEquals", "2026", "2026-12-01T24:00Z", NOT_KNOWN),
        ("DateEquals", "2026", "2026-12-01T00:00.5Z", NOT_KNOWN),
        ("DateEquals", "2026", "2026-12-01T00:00:00.Z", NOT_KNOWN),
        ("DateEquals", "2026", "2026-12-01T00Z", NOT_KNOWN),
        ("DateEquals", "2026", "2026-12-01Tab:cdZ", NOT_KNOWN),
        ("DateEquals", "2026", "2026-12-01T00:00*01:00", NOT_KNOWN),
        ("DateEquals", "2026", "tomorrow", NOT_KNOWN),
        ("Bool", "true", "True", True),
        ("Bool", "true", "false", False),
        ("Bool", "true", "yes", NOT_KNOWN),
        ("BinaryEquals", "YQ==", "YQ==", True),
        ("BinaryEquals", "YQ==", "Yg==", False),
        ("BinaryEquals", "YQ==", "a", NOT_KNOWN),
        ("IpAddress", "10.0.0.0/8", "10.1.2.3", True),
        ("IpAddress", "10.0.0.1", "10.0.0.2", False),
        ("IpAddress", "10.0.0.9/8", "10.0.0.2", True),
        ("IpAddress", ("10.0.0.0/8", "2001:db8::/32"), "2001:db8:1::7", True),
        ("IpAddress", "10.0.0.0/8", "::ffff:10.0.0.1", False),
        ("NotIpAddress", "10.0.0.0/8", "::1", True),
        ("IpAddress", "0.0.0.0/0", "10.0.0.0/8", NOT_KNOWN),
        ("IpAddress", "0.0.0.0/0", "010.0.0.1", NOT_KNOWN),
        ("IpAddress", "::/0", "fe80::1%eth0", NOT_KNOWN),
        ("IpAddress", "10.0.0.0/33", "10.0.0.1", NOT_KNOWN),
        ("ArnEquals", "arn:aws:iam::*:role/e*", ROLE, True),
        ("ArnLike", "arn:aws:iam::*:role/x", ROLE, False),
        ("ArnLike", "arn:aws:*:role/etl", ROLE, NOT_KNOWN),
        ("ArnNotEquals", ROLE, ROLE, False),
        ("ArnNotLike", "arn:aws:iam::*:user/*", ROLE, True),
        ("ArnNotLike", ROLE, "etl", NOT_KNOWN),
        ("StringLikeish", "a", "a", NOT_KNOWN),
    ],
)
def test_operator_on_one_value(
    operator: str, wanted: str | tuple[str, ...], actual: str, truth: Truth
) -> None:
    """A known value satisfies the operator, does not, or cannot be read."""
    assert evaluate(operator, wanted, (actual,)) is truth


@pytest.mark.parametrize(
    ("operator", "truth"),
    [
        ("StringEquals", False),
        ("StringNotEquals", True),
        ("StringEqualsIfExists", True),
        ("StringNotEqualsIfExists", True),
        ("ForAllValues:StringEquals", True),
        ("ForAllValues:StringNotEquals", True),
        ("ForAnyValue:StringEquals", False),
        ("ForAnyValue:StringNotEquals", False),
        ("ForAnyValue:StringEqualsIfExists", True),
        ("NumericLessThan", False),
        ("NotIpAddress", True),
    ],
)
def test_operator_on_an_absent_key(operator: str, truth: Truth) -> None:
    """A key that is known to be absent follows IAM's table."""
    assert evaluate(operator, "1", ()) is truth


@pytest.mark.parametrize(
    "operator",
    [
        "StringEquals",
        "StringNotEquals",
        "StringEqualsIfExists",
        "StringNotEqualsIfExists",
        "ForAllValues:StringEquals",
        "ForAnyValue:StringNotLike",
        "Null",
    ],
)
def test_operator_on_an_unknown_key(operator: str) -> None:
    """A key whose value is not known settles nothing, neither does its negation."""
    assert evaluate(operator, "true", UNKNOWN) is NOT_KNOWN


@pytest.mark.parametrize(
    ("operator", "wanted", "actual", "truth"),
    [
        ("Null", "true", (), True),
        ("Null", "true", ("a",), False),
        ("Null", "False", ("a", "b"), True),
        ("Null", ("true", "false"), (), True),
        ("Null", "maybe", (), NOT_KNOWN),
        ("NullIfExists", "true", (), NOT_KNOWN),
        ("ForAllValues:Null", "true", (), NOT_KNOWN),
    ],
)
def test_null(operator: str, wanted: str, actual: ContextValue, truth: Truth) -> None:
    """`Null` asks for presence; with a qualifier or IfExists it is no operator of IAM's."""
    assert evaluate(operator, wanted, actual) is truth


@pytest.mark.parametrize(
    ("operator", "actual", "truth"),
    [
        ("ForAllValues:StringEquals", ("a", "b"), True),
        ("ForAllValues:StringEquals", ("a", "x"), False),
        ("ForAllValues:StringNotEquals", ("x", "y"), True),
        ("ForAllValues:StringNotEquals", ("a", "y"), False),
        ("ForAnyValue:StringEquals", ("x", "b"), True),
        ("ForAnyValue:StringEquals", ("x", "y"), False),
        ("ForAnyValue:StringNotEquals", ("a", "y"), True),
        ("ForAnyValue:StringNotEquals", ("a", "b"), False),
        ("StringEquals", ("a", "b"), NOT_KNOWN),
        ("StringNotEquals", ("x", "y"), NOT_KNOWN),
    ],
)
def test_several_values(operator: str, actual: tuple[str, ...], truth: Truth) -> None:
    """Set qualifiers quantify; without one, several values settle nothing."""
    assert evaluate(operator, ("a", "b"), actual) is truth


def test_value_that_does_not_parse_among_others_stays_in_doubt() -> None:
    """One unreadable value leaves ForAllValues open, and ForAnyValue where no other one holds."""
    assert evaluate("ForAllValues:NumericLessThan", "10", ("1", "x")) is NOT_KNOWN
    assert evaluate("ForAllValues:NumericLessThan", "10", ("11", "x")) is False
    assert evaluate("ForAnyValue:NumericLessThan", "10", ("1", "x")) is True


@pytest.mark.parametrize(
    ("operator", "wanted", "actual", "truth"),
    [
        ("StringEquals", "${aws:PrincipalTag/Team}", "data", True),
        ("StringEquals", "x-${aws:PrincipalTag/Team}-y", "x-data-y", True),
        ("StringNotEquals", "${aws:PrincipalTag/Team}", "data", False),
        ("StringEqualsIgnoreCase", "${aws:PrincipalTag/Team}", "DATA", True),
        ("StringLike", "${aws:PrincipalTag/Team}-*", "data-1", True),
        ("StringLike", ("x*", "${aws:PrincipalTag/Team}-*"), "x-1", True),
        ("StringLike", "${star}", "anything", False),
        ("StringLike", "${star}", "*", True),
        ("StringLike", "a${*}", "ab", False),
        ("StringLike", "a${*}${?}${$}", "a*?$", True),
        ("StringEquals", "${none, 'data'}", "data", True),
        ("StringEquals", "${none,'da}ta'}", "da}ta", True),
        ("StringEquals", "${none, ''}", "", True),
        ("StringEquals", ("data", "${none}"), "data", True),
        ("StringEquals", "${none}", "data", NOT_KNOWN),
        ("StringNotEquals", "${none}", "data", NOT_KNOWN),
        ("StringEquals", "${many}", "a", NOT_KNOWN),
        ("StringEquals", "${hidden, 'data'}", "data", NOT_KNOWN),
        ("StringEquals", "${none, data}", "data", NOT_KNOWN),
        ("StringEquals", "${none, '}", "data", NOT_KNOWN),
        ("StringEquals", "${}", "data", NOT_KNOWN),
        ("StringEquals", "${none", "data", NOT_KNOWN),
        ("StringLike", "d*${none", "data", NOT_KNOWN),
        ("ArnLike", "arn:aws:iam::${account}:role/*", ROLE, True),
        ("ArnLike", "arn:aws:iam::${star}:role/*", ROLE, False),
        ("ArnLike", "arn:aws:iam::${none}:role/*", ROLE, NOT_KNOWN),
        ("ArnEquals", "arn:aws:iam:${colons}", ROLE, NOT_KNOWN),
        ("Bool", "${aws:PrincipalTag/Team}", "true", NOT_KNOWN),
    ],
)
def test_variables(operator: str, wanted: str, actual: str, truth: Truth) -> None:
    """A variable is filled with literal text; one without a text settles nothing."""
    context: dict[str, ContextValue] = {
        "aws:principaltag/team": ("data",),
        "star": ("*",),
        "many": ("a", "b"),
        "hidden": UNKNOWN,
        "account": ("111122223333",),
        "colons": (":111122223333:role/etl",),
    }

    assert evaluate(operator, wanted, (actual,), context) is truth


def test_variables_are_plain_text_in_old_documents() -> None:
    """Before version 2012-10-17 `${...}` is itself."""
    assert evaluate("StringEquals", "${a}", ("${a}",), has_variables=False) is True
    assert evaluate("StringLike", "${*}", ("${x}",), has_variables=False) is True


def test_unknown_keys_name_key_and_variables_as_written() -> None:
    """What is unknown is told in the policy's own spelling."""
    condition = Condition("StringEquals", "aws:PrincipalTag/Team", ("${aws:SourceVpc}", "${a}"))
    values: dict[str, ContextValue] = {"aws:sourcevpc": UNKNOWN, "aws:principaltag/team": UNKNOWN}

    keys = compile_condition(condition, has_variables=True).unknown_keys(
        lambda key: values.get(key, ())
    )

    assert keys == ("aws:PrincipalTag/Team", "aws:SourceVpc")


@given(st.decimals(allow_nan=False, allow_infinity=False))
def test_numbers_are_exact(number: object) -> None:
    """A decimal number reads as itself, to the last digit."""
    assert parse_number(f"{number}") == number


@given(st.datetimes(timezones=st.timezones()))
def test_instants_are_exact(instant: object) -> None:
    """An ISO instant with a zone reads as its seconds since 1970, to the microsecond."""
    from datetime import UTC, datetime, timedelta
    from decimal import Decimal

    assert isinstance(instant, datetime)
    offset = instant.utcoffset() or timedelta()
    if offset.seconds % 60:
        return  # local mean times before the standard zones have no ISO form
    expected = (instant - datetime(1970, 1, 1, tzinfo=UTC)) // timedelta(microseconds=1)

    assert parse_instant(instant.isoformat()) == Decimal(expected) / 1_000_000


@pytest.mark.parametrize("first", [True, False, None])
@pytest.mark.parametrize("second", [True, False, None])
def test_three_valued_logic(first: Truth, second: Truth) -> None:
    """*Or* and *and* are each other's opposites, and not known stays not known."""
    assert any_of([first, second]) == negated(all_of([negated(first), negated(second)]))
    assert negated(None) is None
    assert (any_of([]), all_of([])) == (False, True)
