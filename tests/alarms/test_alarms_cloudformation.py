"""The CloudFormation template: what the linter, AWS's own models and moto say of it.

`tests/integration/test_integration_alarms.py` deploys it.
"""

from __future__ import annotations

import json
import re
from typing import Any

import boto3
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from moto import mock_aws

from dynaguard.alarms import limits
from dynaguard.alarms.cloudformation import cloudformation_template
from dynaguard.alarms.kinds import AlarmKind
from dynaguard.alarms.plan import AlarmPlan, Runbook
from dynaguard.alarms.subjects import Pair, named_subjects, subjects_of
from dynaguard.errors import ConfigurationError
from tests.alarms import aws_model
from tests.alarms.alarm_cases import LOG_GROUP, SUBJECTS, ascii_names, plan

TOPIC = "arn:aws:sns:eu-west-1:123456789012:on-call"
SOURCES = ("logs", "otel", "aws")


def resources(plan_: AlarmPlan, kind: str) -> dict[str, dict[str, Any]]:
    """Properties of the resources of one type by id."""
    template = cloudformation_template(plan_)
    return {
        id_: each["Properties"]
        for id_, each in template["Resources"].items()
        if each["Type"] == kind
    }


def resolved(alarm: dict[str, Any]) -> dict[str, Any]:
    """An alarm's properties with the topic put in: parameters of `PutMetricAlarm`."""
    return {**alarm, "AlarmActions": [TOPIC], "OKActions": [TOPIC]}


def filter_params(properties: dict[str, Any]) -> dict[str, Any]:
    """A filter's properties as parameters of `PutMetricFilter`."""
    [made] = properties["MetricTransformations"]
    return {
        "logGroupName": properties["LogGroupName"],
        "filterName": properties["FilterName"],
        "filterPattern": properties["FilterPattern"],
        "metricTransformations": [
            {
                "metricNamespace": made["MetricNamespace"],
                "metricName": made["MetricName"],
                "metricValue": made["MetricValue"],
                "unit": made["Unit"],
                "dimensions": {each["Key"]: each["Value"] for each in made.get("Dimensions", ())},
            }
        ],
    }


def lint(template: dict[str, Any]) -> list[str]:
    """What cfn-lint finds, down to informational rules."""
    api = pytest.importorskip("cfnlint.api", reason="cfn-lint is not installed")
    config = {"regions": ["eu-west-1"], "include_checks": ["I"]}
    found = api.lint(json.dumps(template), config=config)
    return [f"{each.rule.id} {each.path}: {each.message}" for each in found]


@pytest.mark.parametrize("metrics_from", SOURCES)
def test_the_linter_finds_nothing(metrics_from: Any) -> None:
    """cfn-lint, with every rule."""
    assert lint(cloudformation_template(plan(metrics_from=metrics_from))) == []


def test_the_linter_would_find_something() -> None:
    """It reads the types of our resources."""
    template = cloudformation_template(plan())
    alarm = next(each for each in template["Resources"].values() if "Alarm" in each["Type"])
    alarm["Properties"]["TreatMissingData"] = "ignored"
    alarm["Properties"]["Treshold"] = 1

    assert len(lint(template)) == 2


@pytest.mark.parametrize("metrics_from", SOURCES)
def test_aws_s_own_models_take_every_resource(metrics_from: Any) -> None:
    """Types, lengths, patterns and enums of `PutMetricAlarm` and `PutMetricFilter`."""
    made = plan(metrics_from=metrics_from)
    alarms = resources(made, "AWS::CloudWatch::Alarm").values()
    filters = resources(made, "AWS::Logs::MetricFilter").values()

    assert alarms
    for alarm in alarms:
        assert aws_model.faults("cloudwatch", "PutMetricAlarm", resolved(alarm)) == []
    for each in filters:
        assert aws_model.faults("logs", "PutMetricFilter", filter_params(each)) == []


@settings(suppress_health_check=[HealthCheck.too_slow], max_examples=50)
@given(
    pairs=st.lists(st.builds(Pair, ascii_names, ascii_names), min_size=1, max_size=4),
    metrics_from=st.sampled_from(SOURCES),
    prefix=st.from_regex(r"[A-Za-z0-9_.][A-Za-z0-9_. -]{0,63}", fullmatch=True),
)
def test_any_names_make_a_valid_template(
    pairs: list[Pair], metrics_from: Any, prefix: str
) -> None:
    """Unique ids and alarm names, and nothing that AWS's models refuse."""
    made = plan(
        subjects_of(pairs, indexes_by_table={pairs[0].table: ["by_date"]}),
        metrics_from=metrics_from,
        prefix=prefix,
        runbook=Runbook("rb"),
    )

    alarms = resources(made, "AWS::CloudWatch::Alarm")

    assert len({alarm["AlarmName"] for alarm in alarms.values()}) == len(alarms)
    for alarm in alarms.values():
        assert aws_model.faults("cloudwatch", "PutMetricAlarm", resolved(alarm)) == []


def test_an_alarm_watches_what_its_filter_makes() -> None:
    """Namespace, metric and dimensions are those of the filters, to the letter."""
    made = plan()
    metrics = {
        (
            each["MetricTransformations"][0]["MetricNamespace"],
            each["MetricTransformations"][0]["MetricName"],
            tuple(pair["Key"] for pair in each["MetricTransformations"][0].get("Dimensions", ())),
        )
        for each in resources(made, "AWS::Logs::MetricFilter").values()
    }
    watched = {
        (
            alarm["Namespace"],
            alarm["MetricName"],
            tuple(pair["Name"] for pair in alarm["Dimensions"]),
        )
        for alarm in resources(made, "AWS::CloudWatch::Alarm").values()
        if alarm["Namespace"] != "AWS/DynamoDB"
    }

    assert watched == metrics


def test_opentelemetry_series_are_added_up() -> None:
    """Reads over their operations, denials over both verdicts; the budget is one series."""
    alarms = {
        alarm["AlarmName"]: alarm
        for alarm in resources(plan(metrics_from="otel"), "AWS::CloudWatch::Alarm").values()
    }
    reads = alarms["dynaguard/read-throttles/etl/orders"]
    denials = alarms["dynaguard/denials/etl/orders"]
    budget = alarms["dynaguard/budget-exhausted/etl/orders"]

    assert [each.get("Expression") for each in reads["Metrics"]] == ["SUM(METRICS())", *[None] * 5]
    assert [each["ReturnData"] for each in reads["Metrics"]] == [True, *[False] * 5]
    assert len(denials["Metrics"]) == 3
    assert budget["MetricName"] == "dynaguard.retry.refused"
    assert budget["Dimensions"] == [
        {"Name": "dynaguard.identity.name", "Value": "etl"},
        {"Name": "db.collection.name", "Value": "orders"},
    ]


def test_missing_data_is_no_breach_and_both_directions_are_told() -> None:
    """What is not throttled has no data points; a pager wants to hear of the end too."""
    for alarm in resources(plan(), "AWS::CloudWatch::Alarm").values():
        assert alarm["TreatMissingData"] == "notBreaching"
        assert alarm["ComparisonOperator"] == "GreaterThanOrEqualToThreshold"
        assert alarm["AlarmActions"] == alarm["OKActions"]
        assert alarm["AlarmActions"]["Fn::If"][0] == "HasAlarmTopic"


def test_no_account_is_made_up() -> None:
    """The topic is a parameter, and nothing else names an account."""
    assert not re.search(r"\d{12}", json.dumps(cloudformation_template(plan())["Resources"]))


def test_the_same_input_gives_the_same_bytes() -> None:
    """Whatever the order in which subjects were found."""
    turned = subjects_of(
        reversed(SUBJECTS.pairs), indexes_by_table={"orders": iter(["by_status"])}
    )

    once, again = (json.dumps(cloudformation_template(plan(each))) for each in (SUBJECTS, turned))

    assert once == again


def test_more_identities_change_no_id_that_was_there() -> None:
    """A new caller replaces nobody's alarm."""
    before = cloudformation_template(plan())["Resources"]
    more = subjects_of(
        [*SUBJECTS.pairs, Pair("web", "orders")], indexes_by_table=SUBJECTS.indexes_by_table
    )

    after = cloudformation_template(plan(more))["Resources"]

    assert set(before) < set(after)


def test_too_many_resources_are_refused_with_a_way_out() -> None:
    """CloudFormation takes 500."""
    subjects = named_subjects([f"i{number}" for number in range(100)], ["orders"])

    with pytest.raises(ConfigurationError, match=r"517 resources.*500.*--no-filters"):
        cloudformation_template(plan(subjects))


def test_a_template_that_is_too_large_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    """CloudFormation takes a megabyte."""
    monkeypatch.setattr(limits, "MAX_TEMPLATE_BYTES", 1000)

    with pytest.raises(ConfigurationError, match="more than the 1000"):
        cloudformation_template(plan())


@mock_aws
def test_moto_takes_every_alarm_and_filter() -> None:
    """The calls that CloudFormation would make; moto's own CloudFormation knows no alarms."""
    made = plan()
    cloudwatch = boto3.client("cloudwatch", region_name="eu-west-1")
    logs = boto3.client("logs", region_name="eu-west-1")
    logs.create_log_group(logGroupName=LOG_GROUP)

    for alarm in resources(made, "AWS::CloudWatch::Alarm").values():
        cloudwatch.put_metric_alarm(**resolved(alarm))
    for each in resources(made, "AWS::Logs::MetricFilter").values():
        logs.put_metric_filter(**filter_params(each))

    [denials] = cloudwatch.describe_alarms(AlarmNames=["dynaguard/denials/etl/orders"])[
        "MetricAlarms"
    ]
    assert denials["AlarmActions"] == [TOPIC]
    assert "Identity: etl\n" in denials["AlarmDescription"]
    filters = logs.describe_metric_filters(logGroupName=LOG_GROUP)["metricFilters"]
    assert len(filters) == 14
    assert {each["metricTransformations"][0]["metricNamespace"] for each in filters} == {
        "dynaguard"
    }


def test_kinds_can_be_told_from_the_names_of_alarms() -> None:
    """So that a router can send denials elsewhere than throttles."""
    names = {
        alarm["AlarmName"].split("/")[1]
        for alarm in resources(plan(), "AWS::CloudWatch::Alarm").values()
    }

    assert names == set(AlarmKind)
