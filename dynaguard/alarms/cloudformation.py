"""Alarms as a CloudFormation template in JSON."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any, Final

from dynaguard.alarms import limits
from dynaguard.alarms.alarms import Alarm, Metric, alarms_of
from dynaguard.alarms.naming import resource_id
from dynaguard.alarms.patterns import MetricFilter, metric_filters
from dynaguard.alarms.plan import AlarmPlan
from dynaguard.errors import ConfigurationError

_TOPIC: Final = "AlarmTopicArn"
_HAS_TOPIC: Final = "HasAlarmTopic"
SUM_EXPRESSION: Final = "SUM(METRICS())"
"""The sum of several metrics. Missing values count 0; `FILL` would hide data that comes late.

Source: CloudWatch user guide, Using metric math.
"""


def cloudformation_template(plan: AlarmPlan) -> dict[str, Any]:
    """The template.

    Returns:
        **Shape**: a CloudFormation template: `Parameters` (the SNS topic that is told, in both
        directions; empty: nobody), `Conditions`, `Resources`.

    Raises:
        ConfigurationError: It has nothing in it, or more than CloudFormation takes.
    """
    resources = {
        **{_filter_id(each): _filter(each, plan) for each in metric_filters(plan)},
        **{each.id: _alarm(each) for each in alarms_of(plan)},
    }
    if len(resources) > limits.MAX_RESOURCES:
        raise ConfigurationError(
            f"{len(resources)} resources are more than the {limits.MAX_RESOURCES} that "
            "CloudFormation takes in one template; make several, each with some --identity or "
            "--table, all but the first with --no-filters"
        )
    template = {
        "AWSTemplateFormatVersion": "2010-09-09",
        "Description": f"Alarms of {plan.prefix} per identity and table (dynaguard alarms)",
        "Parameters": {
            _TOPIC: {
                "Type": "String",
                "Default": "",
                "Description": "ARN of the SNS topic that alarms tell; empty for none",
                "AllowedPattern": "^(arn:aws[a-z-]*:sns:[a-z0-9-]+:[0-9]{12}:[A-Za-z0-9_.-]+)?$",
            }
        },
        "Conditions": {_HAS_TOPIC: {"Fn::Not": [{"Fn::Equals": [{"Ref": _TOPIC}, ""]}]}},
        "Resources": resources,
    }
    size_bytes = len(json.dumps(template, indent=2).encode())
    if size_bytes > limits.MAX_TEMPLATE_BYTES:
        raise ConfigurationError(
            f"the template has {size_bytes} bytes, more than the {limits.MAX_TEMPLATE_BYTES} "
            "that CloudFormation takes; make several, each with some --identity or --table"
        )
    return template


def _filter_id(each: MetricFilter) -> str:
    return resource_id("filter", each.name)


def _filter(each: MetricFilter, plan: AlarmPlan) -> dict[str, Any]:
    """One metric filter."""
    return {
        "Type": "AWS::Logs::MetricFilter",
        "Properties": {
            "FilterName": each.name,
            "FilterPattern": each.pattern,
            "LogGroupName": plan.log_group,
            "MetricTransformations": [
                {
                    "MetricNamespace": plan.names.namespace,
                    "MetricName": each.metric,
                    "MetricValue": each.value,
                    "Unit": "Count",
                    **_filter_dimensions(each),
                }
            ],
        },
    }


def _filter_dimensions(each: MetricFilter) -> dict[str, Any]:
    """The dimensions of a filter that has some."""
    found = [{"Key": key, "Value": field} for key, field in each.dimensions]
    return {"Dimensions": found} if found else {}


def _alarm(alarm: Alarm) -> dict[str, Any]:
    """One alarm."""
    timing = alarm.timing
    actions = {"Fn::If": [_HAS_TOPIC, [{"Ref": _TOPIC}], {"Ref": "AWS::NoValue"}]}
    return {
        "Type": "AWS::CloudWatch::Alarm",
        "Properties": {
            "AlarmName": alarm.name,
            "AlarmDescription": alarm.description,
            **_measure(alarm),
            "ComparisonOperator": "GreaterThanOrEqualToThreshold",
            "Threshold": timing.threshold,
            "EvaluationPeriods": timing.evaluation_periods,
            "DatapointsToAlarm": timing.datapoints,
            # No throttle, no denial: no data point. That is how it should be.
            "TreatMissingData": "notBreaching",
            "AlarmActions": actions,
            "OKActions": actions,
        },
    }


def _measure(alarm: Alarm) -> Mapping[str, Any]:
    """What the alarm watches: a metric, or the sum of several."""
    if len(alarm.metrics) == 1:
        return {
            **_metric(alarm.metrics[0]),
            "Statistic": "Sum",
            "Period": alarm.timing.period_s,
        }
    queries: list[dict[str, Any]] = [
        {
            "Id": "total",
            "Expression": SUM_EXPRESSION,
            "Label": alarm.kind.value,
            "ReturnData": True,
        }
    ]
    for number, metric in enumerate(alarm.metrics, 1):
        stat = {"Metric": _metric(metric), "Stat": "Sum", "Period": alarm.timing.period_s}
        queries.append({"Id": f"m{number}", "MetricStat": stat, "ReturnData": False})
    return {"Metrics": queries}


def _metric(metric: Metric) -> dict[str, Any]:
    return {
        "Namespace": metric.namespace,
        "MetricName": metric.name,
        "Dimensions": [{"Name": name, "Value": value} for name, value in metric.dimensions],
    }
