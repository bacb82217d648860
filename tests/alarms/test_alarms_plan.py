"""A plan keeps CloudWatch's rules; what breaks one is refused with what to write instead."""

from __future__ import annotations

from dataclasses import FrozenInstanceError, replace
from typing import Any

import pytest

from dynaguard.alarms.kinds import DEFAULT_TIMINGS, AlarmKind, Timing
from dynaguard.alarms.plan import DEFAULT_NAMES, MetricNames, Runbook
from dynaguard.alarms.subjects import named_subjects
from dynaguard.alarms.timing_options import timings_from
from dynaguard.errors import ConfigurationError
from tests.alarms.alarm_cases import ETL, SUBJECTS, plan

NAMES = DEFAULT_NAMES["logs"]


def timing(**changed: Any) -> dict[AlarmKind, Timing]:
    """The usual timings, but for denials."""
    return {**DEFAULT_TIMINGS, AlarmKind.DENIALS: Timing(**changed)}


@pytest.mark.parametrize(
    ("changed", "fragment"),
    [
        ({"log_group": "bad group"}, "log group `bad group`"),
        ({"log_group": "g" * 513}, "at most 512"),
        ({"field_prefix": "a b"}, "`a b` is no field"),
        ({"names": replace(NAMES, namespace="")}, "1 to 255"),
        ({"names": replace(NAMES, namespace="Ünicode")}, "ASCII"),
        ({"names": replace(NAMES, namespace="AWS/DynamoDB")}, "begin otherwise than `AWS/`"),
        ({"names": replace(NAMES, namespace="a'b")}, "no quotes"),
        ({"names": replace(NAMES, identity=":x")}, "`:x` is no name of a dimension"),
        ({"names": MetricNames("n", "Who", "Who")}, "two dimensions"),
        ({"prefix": "a/b"}, "cannot begin the names of alarms"),
        ({"runbook": Runbook("{tabel}")}, "did you mean `{table}`"),
        ({"runbook": Runbook("a\nb")}, "runbook `'a\\nb'` must be printable"),
        ({"owner": "a\tb"}, "owner `'a\\tb'` must be printable"),
        ({"runbook": Runbook("{}")}, "nothing stands for `{}`"),
        ({"runbook": Runbook(url="wiki/page")}, "must begin with `https://`"),
        ({"runbook": Runbook(url="https://w/ x")}, "no spaces"),
        ({"runbook": Runbook(url=f"https://w/{'x' * 400}")}, "410 characters"),
        ({"timings": timing(threshold=0)}, "above 0"),
        ({"timings": timing(threshold=float("nan"))}, "above 0"),
        ({"timings": timing(period_s=90)}, "multiple of 60 s"),
        ({"timings": timing(period_s=0)}, "multiple of 60 s"),
        ({"timings": timing(datapoints=6)}, "6 of 5 periods"),
        ({"timings": timing(datapoints=0)}, "0 of 5 periods"),
        ({"timings": timing(period_s=1800, evaluation_periods=49)}, "86400 s"),
        ({"timings": timing(period_s=86400, evaluation_periods=8)}, "604800 s"),
    ],
)
def test_what_cloudwatch_would_refuse_is_refused(changed: dict[str, Any], fragment: str) -> None:
    """One clear error each."""
    with pytest.raises(ConfigurationError) as caught:
        plan(**changed)

    assert fragment in str(caught.value)


@pytest.mark.parametrize(
    ("identity", "fragment"),
    [
        ("жук", "printable ASCII"),
        ("a\nb", "printable ASCII"),
        ("  ", "not all of them blank"),
        ("x" * 257, "1 to 256"),
    ],
)
def test_a_name_that_no_dimension_takes_is_refused(identity: str, fragment: str) -> None:
    """CloudWatch's dimensions are ASCII; the message says how to rename."""
    with pytest.raises(ConfigurationError, match=fragment):
        plan(named_subjects([identity], ["orders"]))


def test_all_faults_are_told_at_once() -> None:
    """One per line."""
    with pytest.raises(ConfigurationError) as caught:
        plan(log_group="bad group", prefix="a/b")

    assert len(str(caught.value).splitlines()) == 2


def test_a_plan_is_frozen() -> None:
    """Formats share it."""
    with pytest.raises(FrozenInstanceError):
        plan().prefix = "other"  # type: ignore[misc]


def test_a_runbook_is_filled_in() -> None:
    """The name as it is, the address percent-encoded."""
    runbook = Runbook("{table} {kind}", "https://w/{identity}?t={table}")

    text = runbook.text(AlarmKind.DENIALS, "a b/c", "orders")

    assert text == "orders denials https://w/a%20b%2Fc?t=orders"
    assert runbook.text(AlarmKind.DENIALS, None, None) == "- denials https://w/-?t=-"
    assert Runbook().text(AlarmKind.DENIALS, "a", "b") == ""


def test_the_runbook_of_records_counts_where_none_is_named() -> None:
    """Its braces are no placeholders."""
    subjects = replace(SUBJECTS, runbook_by_pair={ETL: "RB-{7}"})

    own = plan(subjects, runbook=Runbook(url="https://w/{table}"))
    named = plan(subjects, runbook=Runbook("named"))

    assert own.runbook_text(AlarmKind.DENIALS, *ETL) == "RB-7 https://w/orders"
    assert own.runbook_text(AlarmKind.DENIALS, "billing", "orders") == "https://w/orders"
    assert named.runbook_text(AlarmKind.DENIALS, *ETL) == "named"


def test_timings_are_changed_kind_by_kind() -> None:
    """`all` is every kind; the last word counts."""
    timings = timings_from(["all=2", "denials=5"], ["read-throttles=300"], ["write-throttles=2/4"])

    assert timings[AlarmKind.FAILURES].threshold == 2
    assert timings[AlarmKind.DENIALS] == Timing(5, 60, 1, 1)
    assert timings[AlarmKind.READ_THROTTLES].period_s == 300
    assert timings[AlarmKind.WRITE_THROTTLES] == Timing(2, 60, 2, 4)
    assert timings_from() == DEFAULT_TIMINGS


@pytest.mark.parametrize(
    ("options", "fragment"),
    [
        ({"thresholds": ["denial=1"]}, "did you mean `denials`"),
        ({"thresholds": ["denials"]}, "`denials` is not of the form `denials=5`"),
        ({"thresholds": ["denials=x"]}, "--threshold: `denials=x`"),
        ({"periods": ["all=1.5"]}, "--period: `all=1.5`"),
        ({"datapoints": ["all=3"]}, "`write-throttles=3/5`"),
    ],
)
def test_a_malformed_timing_is_refused(options: dict[str, list[str]], fragment: str) -> None:
    """With the option and the nearest kind."""
    with pytest.raises(ConfigurationError, match=fragment):
        timings_from(**options)


def test_timings_read_as_sentences() -> None:
    """They stand in descriptions."""
    assert Timing().text == "1 or more in 3 of 5 periods of 60 s"
    assert Timing(2.5, 300, 1, 1).text == "2.5 or more within 300 s"
