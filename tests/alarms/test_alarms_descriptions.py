"""A description says what failed, who it was, which runbook, and where to look."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given

from dynaguard.alarms import limits
from dynaguard.alarms.alarms import alarms_of
from dynaguard.alarms.descriptions import describe
from dynaguard.alarms.kinds import PAIR_KINDS, SIDE_BY_TABLE_KIND, AlarmKind
from dynaguard.alarms.plan import Runbook
from dynaguard.alarms.subjects import Pair, named_subjects, subjects_of
from dynaguard.errors import ConfigurationError
from tests.alarms.alarm_cases import LOG_GROUP, SUBJECTS, ascii_names, plan


def descriptions(**changed: object) -> dict[tuple[AlarmKind, str], str]:
    """The descriptions by kind and alarm name."""
    return {(each.kind, each.name): each.description for each in alarms_of(plan(**changed))}


@pytest.mark.parametrize("kind", PAIR_KINDS)
def test_every_alarm_of_a_pair_says_all_five(kind: AlarmKind) -> None:
    """What failed, the identity, the table, the runbook with its address, where to look."""
    text = descriptions()[kind, f"dynaguard/{kind}/etl/orders"]

    assert "Identity: etl\n" in text
    assert "Table: orders\n" in text
    assert f"Runbook: on call https://wiki.example.com/{kind}/etl/orders\n" in text
    assert f"log group {LOG_GROUP}" in text
    assert 'identity.name = "etl"' in text


@pytest.mark.parametrize(
    ("kind", "what"),
    [
        (AlarmKind.READ_THROTTLES, "throttles reads: 1 or more in 3 of 5 periods"),
        (AlarmKind.WRITE_THROTTLES, "throttles writes"),
        (AlarmKind.DENIALS, "denied, by the dynaguard policy or by IAM: 1 or more within 60 s"),
        (AlarmKind.BUDGET, "Retry budget exhausted"),
    ],
)
def test_a_description_begins_with_what_failed(kind: AlarmKind, what: str) -> None:
    """Notifications on a phone show the beginning alone."""
    text = descriptions()[kind, f"dynaguard/{kind}/etl/orders"]

    assert what in text[:90]


def test_every_pair_has_read_and_write_alarms() -> None:
    """Both, for each identity and table."""
    names = {name for _, name in descriptions()}

    for pair in SUBJECTS.pairs:
        for kind in (AlarmKind.READ_THROTTLES, AlarmKind.WRITE_THROTTLES):
            assert f"dynaguard/{kind}/{pair.identity}/{pair.table}" in names


def test_every_identity_reports_its_failures() -> None:
    """Of whichever service."""
    kind = AlarmKind.FAILURES

    found = {name: text for (each, name), text in descriptions().items() if each is kind}

    assert set(found) == {"dynaguard/failures/billing", "dynaguard/failures/etl"}
    assert "Identity: etl\n" in found["dynaguard/failures/etl"]
    assert "outcome.error_code" in found["dynaguard/failures/etl"]


@pytest.mark.parametrize("kind", SIDE_BY_TABLE_KIND)
def test_an_alarm_of_a_table_names_the_callers_and_the_causes(kind: AlarmKind) -> None:
    """DynamoDB knows no identities; the plan does."""
    found = descriptions()
    side = SIDE_BY_TABLE_KIND[kind]
    table, index = (found[kind, f"dynaguard/{kind}/orders{end}"] for end in ("", "/by_status"))

    assert "Known callers: billing, etl" in table
    assert f"{side}KeyRangeThroughputThrottleEvents (a hot key)" in table
    assert "the alarms per identity tell whose" in table
    assert "Index: by_status\n" in index


def test_without_own_metrics_no_alarm_promises_them() -> None:
    """Nor is there one per identity."""
    found = descriptions(metrics_from="aws")

    assert {kind for kind, _ in found} == set(SIDE_BY_TABLE_KIND)
    assert not any("per identity" in text for text in found.values())


def test_a_table_whose_callers_are_not_known_has_its_alarms() -> None:
    """They name no one; the one on break-glass is about everybody."""
    found = descriptions(subjects=subjects_of([], tables=["orders"]))
    texts = [text for (kind, _), text in found.items() if kind is not AlarmKind.BREAK_GLASS]

    assert (len(found), len(texts)) == (3, 2)
    assert not any("callers:" in text for text in texts)


@pytest.mark.parametrize(
    ("source", "where"),
    [
        (
            "logs",
            '`filter @message like /"is_break_glass":true/ | fields @timestamp',
        ),
        ("otel", "metric dynaguard.break_glass.uses and spans with dynaguard.break_glass = true"),
    ],
)
def test_any_use_of_break_glass_is_an_alarm_with_its_runbook(source: str, where: str) -> None:
    """One for all identities, at once; it says where to see whose it was."""
    (text,) = (
        text
        for (kind, _), text in descriptions(metrics_from=source).items()
        if kind is AlarmKind.BREAK_GLASS
    )

    assert text.startswith(
        "Break-glass is used: access without anybody's approval: 1 or more within 60 s.\n"
        "Identity: any\n"
        "Runbook: on call https://wiki.example.com/break-glass/-/-\n"
    )
    assert where in text


def test_many_callers_are_counted() -> None:
    """Rather than left out altogether."""
    subjects = named_subjects([f"service-{number:03}" for number in range(200)], ["orders"])

    kind = AlarmKind.TABLE_READ_THROTTLES
    text = descriptions(subjects=subjects)[kind, f"dynaguard/{kind}/orders"]

    assert "service-004 and 195 more" in text


def test_opentelemetry_alarms_point_to_metrics_and_spans() -> None:
    """No log group is promised."""
    kind = AlarmKind.DENIALS
    text = descriptions(metrics_from="otel", log_group=None)[kind, f"dynaguard/{kind}/etl/orders"]

    assert "dynaguard.decisions" in text
    assert "dynaguard.identity.name = etl" in text
    assert "log group" not in text


def test_the_field_of_the_record_stands_in_the_query() -> None:
    """What can be pasted, works."""
    kind = AlarmKind.DENIALS
    text = descriptions(field_prefix="log")[kind, f"dynaguard/{kind}/etl/orders"]

    assert 'log.identity.name = "etl" and (log.outcome.status = "denied" or log.outcome' in text
    assert "log.decision.how_to_allow" in text


def test_the_owner_is_named_where_known() -> None:
    """Of records first, else the option's."""
    subjects = replace(SUBJECTS, owner_by_identity={"etl": "data team"})
    found = descriptions(subjects=subjects, owner="platform")
    kind = AlarmKind.DENIALS

    assert "Owner: data team\n" in found[kind, f"dynaguard/{kind}/etl/orders"]
    assert "Owner: platform\n" in found[kind, f"dynaguard/{kind}/billing/orders"]


def test_a_quote_in_a_name_does_not_end_the_query_s_text() -> None:
    """Names may hold any printable character."""
    subjects = named_subjects(['a"b\\c'], ["orders"])
    text = next(iter(descriptions(subjects=subjects).values()))

    assert 'identity.name = "a\\"b\\\\c"' in text


@pytest.mark.parametrize("metrics_from", ["logs", "otel"])
def test_directions_become_shorter_before_anything_else_does(metrics_from: str) -> None:
    """Identity, table and runbook stand in full, a shorter direction or none behind them."""
    runbook = Runbook(url=f"https://w/{'x' * 389}")

    def text_of(length: int) -> str:
        subjects = named_subjects(["i" * length], ["t" * length])
        made = plan(subjects, runbook=runbook, metrics_from=metrics_from, log_group="g" * 50)
        [pair] = subjects.pairs
        return describe(made, AlarmKind.READ_THROTTLES, identity=pair.identity, table=pair.table)

    texts = {length: text_of(length) for length in (10, 200, 256)}

    assert texts[10].count("dynaguard.identity.name" if metrics_from == "otel" else "| fields")
    assert "Where to look: " in texts[200]
    assert "fields" not in texts[200]
    assert texts[256].endswith("x" * 389)
    for length, text in texts.items():
        assert f"Identity: {'i' * length}\nTable: {'t' * length}\n" in text


def test_alarms_need_to_know_whence_their_metrics_come() -> None:
    """An alarm on a metric that nobody makes would be silent for ever."""
    with pytest.raises(ConfigurationError, match="--log-group"):
        alarms_of(plan(log_group=None))


def test_what_must_stand_and_does_not_fit_is_refused() -> None:
    """Never an address cut in half."""
    runbook = Runbook(url=f"https://w/{'x' * 380}")
    subjects = named_subjects(["i" * 256], ["t" * 256])

    with pytest.raises(ConfigurationError, match="use a shorter runbook URL"):
        alarms_of(plan(subjects, runbook=runbook, owner="o" * 100))


@given(identity=ascii_names, table=ascii_names)
def test_any_name_fits_and_stands_in_full(identity: str, table: str) -> None:
    """Up to 256 characters each, beside the runbook's address."""
    subjects = subjects_of([Pair(identity, table)])

    for alarm in alarms_of(plan(subjects, log_group="g" * 512, runbook=Runbook(url="https://w"))):
        assert len(alarm.description) <= limits.MAX_DESCRIPTION
        assert "https://w" in alarm.description
        if alarm.kind in PAIR_KINDS:
            assert f"Identity: {identity}\n" in alarm.description
            assert f"Table: {table}\n" in alarm.description
