"""Alarms as a Terraform (or OpenTofu) configuration in JSON."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from dynaguard.alarms.alarms import Alarm, Metric, alarms_of
from dynaguard.alarms.cloudformation import SUM_EXPRESSION
from dynaguard.alarms.naming import resource_id
from dynaguard.alarms.patterns import MetricFilter, metric_filters
from dynaguard.alarms.plan import AlarmPlan

_TOPIC: Final = "alarm_topic_arn"
_ACTIONS: Final = f"${{var.{_TOPIC} == null ? [] : [var.{_TOPIC}]}}"


def terraform_configuration(plan: AlarmPlan) -> dict[str, Any]:
    """The configuration, for a file named like `alarms.tf.json`.

    Returns:
        **Shape**: Terraform's JSON syntax: `terraform`, `variable` (the SNS topic that is told;
        null: nobody) and `resource` by type and name.

    Raises:
        ConfigurationError: A description would be too long for CloudWatch.
    """
    filters = {
        resource_id("filter", each.name): _filter(each, plan) for each in metric_filters(plan)
    }
    alarms = {each.id: _alarm(each) for each in alarms_of(plan)}
    resources = {"aws_cloudwatch_metric_alarm": alarms}
    if filters:
        resources["aws_cloudwatch_log_metric_filter"] = filters
    return {
        "//": f"Alarms of {plan.prefix} per identity and table, made by dynaguard alarms",
        "terraform": {
            "required_version": ">= 1.1",
            "required_providers": {"aws": {"source": "hashicorp/aws", "version": ">= 4.0"}},
        },
        "variable": {
            _TOPIC: {
                "type": "string",
                "default": None,
                "description": "ARN of the SNS topic that alarms tell; null for none",
            }
        },
        "resource": resources,
    }


def _filter(each: MetricFilter, plan: AlarmPlan) -> dict[str, Any]:
    """One `aws_cloudwatch_log_metric_filter`."""
    return {
        "name": literal(each.name),
        "pattern": literal(each.pattern),
        "log_group_name": literal(plan.log_group or ""),
        "metric_transformation": {
            "namespace": literal(plan.names.namespace),
            "name": each.metric,
            "value": literal(each.value),
            "unit": "Count",
            "dimensions": {literal(key): literal(field) for key, field in each.dimensions},
        },
    }


def _alarm(alarm: Alarm) -> dict[str, Any]:
    """One `aws_cloudwatch_metric_alarm`."""
    timing = alarm.timing
    return {
        "alarm_name": literal(alarm.name),
        "alarm_description": literal(alarm.description),
        **_measure(alarm),
        "comparison_operator": "GreaterThanOrEqualToThreshold",
        "threshold": timing.threshold,
        "evaluation_periods": timing.evaluation_periods,
        "datapoints_to_alarm": timing.datapoints,
        # No throttle, no denial: no data point. That is how it should be.
        "treat_missing_data": "notBreaching",
        "alarm_actions": _ACTIONS,
        "ok_actions": _ACTIONS,
    }


def _measure(alarm: Alarm) -> Mapping[str, Any]:
    """What the alarm watches: a metric, or the sum of several."""
    period_s = alarm.timing.period_s
    if len(alarm.metrics) == 1:
        return {**_metric(alarm.metrics[0]), "statistic": "Sum", "period": period_s}
    queries: list[dict[str, Any]] = [
        {
            "id": "total",
            "expression": SUM_EXPRESSION,
            "label": alarm.kind.value,
            "return_data": True,
        }
    ]
    for number, metric in enumerate(alarm.metrics, 1):
        stat = {**_metric(metric), "stat": "Sum", "period": period_s}
        queries.append({"id": f"m{number}", "metric": stat, "return_data": False})
    return {"metric_query": queries}


def _metric(metric: Metric) -> dict[str, Any]:
    return {
        "namespace": literal(metric.namespace),
        "metric_name": literal(metric.name),
        "dimensions": {literal(name): literal(value) for name, value in metric.dimensions},
    }


def literal(text: str) -> str:
    """A text that Terraform takes as it stands: its template marks are doubled.

    Source: Terraform language, JSON configuration syntax, Expression mapping; Strings and
    templates, Escape sequences.
    """
    return text.replace("${", "$${").replace("%{", "%%{")
