"""Values of parameters are checked by type, all at once, and never shown."""

from __future__ import annotations

import pickle
import time
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dynaguard.errors import ConfigurationError, PolicySyntaxError
from dynaguard.runbooks.model import Parameter, ParameterType, Runbook
from dynaguard.runbooks.parameters import bound_values, converted
from dynaguard.runbooks.patterns import MAX_LENGTH, PatternError, compile_pattern
from dynaguard.runbooks.reading import read_runbook
from dynaguard.runbooks.secrets import Secret


def _parameter(kind: str, **fields: Any) -> Parameter:
    return Parameter("p", ParameterType(kind), **fields)


@pytest.mark.parametrize(
    ("parameter", "given_value", "value"),
    [
        (_parameter("string"), "a b", "a b"),
        (_parameter("string", pattern="[ab]{1,3}"), "aba", "aba"),
        (_parameter("number"), "1.10", Decimal("1.10")),
        (_parameter("number"), 0.1, Decimal("0.1")),
        (_parameter("number"), 7, Decimal(7)),
        (_parameter("boolean"), "true", True),
        (_parameter("boolean"), False, False),
        (_parameter("enum", choices=("a", "b")), "b", "b"),
        (_parameter("date"), "2026-03-31", "2026-03-31"),
        (_parameter("date"), date(2026, 3, 31), "2026-03-31"),
        (_parameter("date"), datetime(2026, 3, 31, 8, tzinfo=UTC), "2026-03-31T08:00:00Z"),
        (_parameter("arn"), "arn:aws:sns:eu-west-1:123456789012:t", None),
        (_parameter("list", elements=ParameterType.NUMBER), "1, 2", (Decimal(1), Decimal(2))),
        (_parameter("list"), '["a,b", "c"]', ("a,b", "c")),
        (_parameter("list"), ["a"], ("a",)),
    ],
)
def test_a_value_becomes_its_type(parameter: Parameter, given_value: Any, value: Any) -> None:
    """Text of a command line and values of Python give the same."""
    found = converted(parameter, given_value)

    assert found == (given_value if value is None else value)
    assert type(found) is type(given_value if value is None else value)


@pytest.mark.parametrize(
    ("parameter", "value", "told"),
    [
        (_parameter("string"), "a\nb", "control characters"),
        (_parameter("string"), "a\u202eb", "control characters"),
        (_parameter("string"), "\ud800", "no text can hold"),
        (_parameter("string"), "\ufdd0", "no text can hold"),
        (_parameter("string"), "x-dynaguardUnknownValue0", "reserved"),
        (_parameter("string"), "", "0 characters"),
        (_parameter("string"), "x" * (MAX_LENGTH + 1), "1025 characters"),
        (_parameter("string"), 5, "must be text"),
        (_parameter("string", pattern="[0-9]{1,3}"), "12\n", "does not match"),
        (_parameter("string", pattern="[0-9]{1,3}"), "\u0661", "does not match"),
        (_parameter("string", pattern=r"\d{1,3}"), "\u0661", "does not match"),
        (_parameter("number"), "nan", "must be a number"),
        (_parameter("number"), "1e999", "outside of what DynamoDB can hold"),
        (_parameter("number"), True, "must be a number"),
        (_parameter("number", minimum=1, maximum=5), "0.9", "at least 1"),
        (_parameter("number", minimum=1, maximum=5), 6, "at most 5"),
        (_parameter("boolean"), "yes", "`true` or `false`"),
        (_parameter("enum", choices=("prod", "dev")), "prd", "did you mean `prod`?"),
        (_parameter("date"), "31.03.2026", "must be a date"),
        (_parameter("date"), "2026-02-30", "must be a date"),
        (_parameter("date"), datetime(2026, 3, 31), "without a zone"),  # noqa: DTZ001
        (_parameter("date", minimum="2026-01-01"), "2025-12-31", "at least 2026-01-01"),
        (_parameter("arn"), "arn:aws:s3", "six parts"),
        (_parameter("arn"), "arn:aws:s3:::bucket/*", "one resource"),
        (_parameter("list", maximum=1), "a,b", "has 2 elements, must have 1 to 1"),
        (_parameter("list", elements=ParameterType.NUMBER), "1,x", "[1] must be a number"),
        (_parameter("list"), "[1", "no JSON list"),
    ],
)
def test_a_wrong_value_is_told_by_what_is_wrong(
    parameter: Parameter, value: Any, told: str
) -> None:
    """The message says what is wanted."""
    with pytest.raises(ValueError, match=r".") as caught:
        converted(parameter, value)

    assert told in str(caught.value)


@given(st.sampled_from(ParameterType), st.text(max_size=30))
def test_a_message_never_shows_a_value(kind: ParameterType, value: str) -> None:
    """Whatever was given for a parameter stays out of the error."""
    canary = f"canary{value}canary"
    parameter = _parameter(kind, pattern="[0-9]{3}", choices=("1",))

    with pytest.raises(ValueError, match=r".") as caught:
        converted(parameter, canary)

    assert "canary" not in str(caught.value)


def _runbook(**parameters: Any) -> Runbook:
    step = {"name": "wait", "pause": 1}
    head = {"runbook": 1, "name": "r", "purpose": "p", "owner": "o", "step": [step]}
    return read_runbook({**head, "parameters": parameters})


def test_defaults_are_filled_in_and_what_need_not_be_given_is_left_out() -> None:
    """Only what has neither value nor default is missing."""
    runbook = _runbook(
        a={"type": "number", "default": 5},
        b={"type": "string", "required": False},
        c={"type": "string"},
    )

    assert bound_values(runbook, {"c": "x"}) == {"a": Decimal(5), "c": "x"}
    with pytest.raises(ConfigurationError, match="parameter `c` is missing"):
        bound_values(runbook, {})


def test_a_secret_is_shown_nowhere() -> None:
    """Neither repr, text, formatting nor an error tells it, and it does not pickle."""
    runbook = _runbook(token={"type": "secret", "pattern": "[a-z0-9]{7}"})
    value = bound_values(runbook, {"token": "hunter2"})["token"]

    assert isinstance(value, Secret)
    assert value.reveal() == "hunter2"
    assert "hunter2" not in f"{value!r} {value} {value:>20}"
    assert value == Secret("hunter2")
    assert value != Secret("hunter3")
    with pytest.raises(TypeError, match="does not pickle"):
        pickle.dumps(value)
    with pytest.raises(TypeError):
        hash(value)


def test_a_secret_stands_in_no_document() -> None:
    """A default of a secret is refused."""
    with pytest.raises(PolicySyntaxError, match="a secret stands in no document"):
        _runbook(token={"type": "secret", "default": "hunter2"})


# --- patterns ---------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "pattern",
    [
        r"(a+)+b",
        r"(a|a)*b",
        r"(a|aa)+$",
        r"([a-z]+)*",
        r"a*a*a*a*b",
        r".*.*.*x",
        r"(a*a*a*a*){}",
        r"(?:a?){123456789}",
        r"(){123456789}",
        r"(((){999}){999}){999}",
        r"(?=a)b",
        r"(a)\1",
        r"(?P<x>a)",
        r"(?i)a",
        r"[a-z",
        "x" * 600,
    ],
)
def test_a_pattern_that_could_take_long_is_refused(pattern: str) -> None:
    """Nested repeats, many loose ones, look-arounds and references are not taken."""
    with pytest.raises(PatternError):
        compile_pattern(pattern)


@pytest.mark.parametrize(
    ("pattern", "value"),
    [
        (r"C-[0-9]{1,9}", "C-17"),
        (r"[A-Za-z0-9._%-]{1,64}@[A-Za-z0-9.-]{1,255}", "a.b@example.org"),
        (r"(?:prod|dev)-[a-z]{1,20}", "prod-orders"),
        (r"arn:aws:iam::[0-9]{12}:role/[\w+=,.@-]{1,64}", "arn:aws:iam::123456789012:role/x"),
        (r"[]a\]-]+", "]-a"),
        (r"(?:[0-9a-f]{4}-){3}[0-9a-f]{4}", "0000-1111-2222-ffff"),
    ],
)
def test_patterns_of_daily_use_are_taken(pattern: str, value: str) -> None:
    """Bounded repeats are fine."""
    assert compile_pattern(pattern).fullmatch(value)


@given(st.text(alphabet="ab()|*+?{}2,[]\\.", max_size=14))
def test_a_pattern_that_is_taken_is_quick(pattern: str) -> None:
    """No value of the greatest length keeps a pattern busy for seconds."""
    try:
        compiled = compile_pattern(pattern)
    except PatternError:
        return
    begin = time.process_time()

    compiled.fullmatch("a" * MAX_LENGTH + "!")

    assert time.process_time() - begin < 2
