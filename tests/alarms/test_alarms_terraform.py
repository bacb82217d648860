"""The Terraform configuration: attributes of the provider, templates, and Terraform itself.

`terraform validate` needs the AWS provider, which comes from a registry of its own; the attributes
of its two resources are written down here instead. Where Terraform is installed, it evaluates the
configuration with the resources exchanged for its built-in one, which keeps any value.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dynaguard.alarms.cloudformation import cloudformation_template
from dynaguard.alarms.plan import AlarmPlan
from dynaguard.alarms.subjects import Pair, subjects_of
from dynaguard.alarms.terraform import literal, terraform_configuration
from tests.alarms import aws_model
from tests.alarms.alarm_cases import plan

TOPIC = "arn:aws:sns:eu-west-1:123456789012:on-call"
ODD = subjects_of([Pair('a"b\\c${d}%{e}', "orders"), Pair("$${x}", "t-2")])
_TIMEOUT_S = 100

# Attributes and blocks, `!` marks the required ones. Source: hashicorp/aws, resources
# aws_cloudwatch_metric_alarm and aws_cloudwatch_log_metric_filter, the same in versions 4 to 6.
_ALARM = (
    "actions_enabled alarm_actions alarm_description alarm_name! comparison_operator! "
    "datapoints_to_alarm dimensions evaluate_low_sample_count_percentiles evaluation_periods! "
    "extended_statistic insufficient_data_actions metric_name metric_query namespace ok_actions "
    "period statistic tags threshold threshold_metric_id treat_missing_data unit"
)
_QUERY = "account_id expression id! label metric period return_data"
_METRIC = "dimensions metric_name! namespace period! stat! unit"
_FILTER = "log_group_name! metric_transformation! name! pattern!"
_TRANSFORMATION = "default_value dimensions name! namespace! unit value!"


def check(value: dict[str, Any], schema: str) -> None:
    """Only attributes that there are, and all that are required."""
    names = {name.rstrip("!") for name in schema.split()}
    required = {name[:-1] for name in schema.split() if name.endswith("!")}
    assert set(value) <= names
    assert required <= set(value)


def alarms_in(plan_: AlarmPlan) -> dict[str, dict[str, Any]]:
    """The alarms of a configuration by id."""
    found: dict[str, dict[str, Any]] = terraform_configuration(plan_)["resource"][
        "aws_cloudwatch_metric_alarm"
    ]
    return found


@pytest.mark.parametrize("metrics_from", ["logs", "otel", "aws"])
def test_resources_have_the_attributes_of_the_provider(metrics_from: Any) -> None:
    """Down to the blocks."""
    resource = terraform_configuration(plan(metrics_from=metrics_from))["resource"]

    for alarm in resource["aws_cloudwatch_metric_alarm"].values():
        check(alarm, _ALARM)
        assert ("metric_name" in alarm) != ("metric_query" in alarm)
        for query in alarm.get("metric_query", ()):
            check(query, _QUERY)
            assert ("expression" in query) != ("metric" in query)
            if "metric" in query:
                check(query["metric"], _METRIC)
    for each in resource.get("aws_cloudwatch_log_metric_filter", {}).values():
        check(each, _FILTER)
        check(each["metric_transformation"], _TRANSFORMATION)


def test_both_formats_have_the_same_alarms() -> None:
    """Id by id and value by value."""
    template = cloudformation_template(plan())["Resources"]
    alarms = alarms_in(plan())

    assert set(alarms) < set(template)
    for id_, alarm in alarms.items():
        properties = template[id_]["Properties"]
        assert alarm["alarm_name"] == properties["AlarmName"]
        assert alarm["alarm_description"] == properties["AlarmDescription"]
        assert alarm["threshold"] == properties["Threshold"]
        assert alarm["datapoints_to_alarm"] == properties["DatapointsToAlarm"]
        assert alarm["dimensions"] == {
            each["Name"]: each["Value"] for each in properties["Dimensions"]
        }


def test_ids_are_names_in_terraform() -> None:
    """A letter first."""
    configuration = terraform_configuration(plan(ODD))
    ids = [id_ for resources in configuration["resource"].values() for id_ in resources]

    assert all(re.fullmatch(r"[A-Za-z_][A-Za-z0-9_-]*", each) for each in ids)


@given(st.text(alphabet='a${}%"\\', max_size=12))
def test_a_literal_holds_no_template(text: str) -> None:
    """Undoing what Terraform undoes gives the text again."""
    made = literal(text)

    left = made.replace("$${", "-").replace("%%{", "-")
    assert "${" not in left
    assert "%{" not in left
    assert made.replace("$${", "${").replace("%%{", "%{") == text


def test_alarm_actions_are_the_only_expressions() -> None:
    """Everything else is text."""
    alarm = next(iter(alarms_in(plan(ODD, owner="${x}")).values()))

    live = {key for key, value in alarm.items() if re.match(r"\$\{", str(value))}

    assert live == {"alarm_actions", "ok_actions"}


def _with_built_in_resources(configuration: dict[str, Any]) -> dict[str, Any]:
    """The same, its resources kept as values of Terraform's own `terraform_data`."""
    exchanged = {
        f"{kind}_{id_}": {"input": body}
        for kind, resources in configuration["resource"].items()
        for id_, body in resources.items()
    }
    return {
        "variable": configuration["variable"],
        "terraform": {"required_version": configuration["terraform"]["required_version"]},
        "resource": {"terraform_data": exchanged},
    }


def _terraform(folder: Path, *arguments: str) -> str:
    """Runs Terraform or OpenTofu; skips where neither is installed."""
    command = shutil.which("terraform") or shutil.which("tofu")
    if command is None:
        pytest.skip("terraform is not installed")
    environment = {key: os.environ[key] for key in ("PATH", "HOME") if key in os.environ}
    done = subprocess.run(
        [command, *arguments],
        cwd=folder,
        env={**environment, "CHECKPOINT_DISABLE": "1", "TF_IN_AUTOMATION": "1"},
        capture_output=True,
        text=True,
        timeout=_TIMEOUT_S,
        check=False,
    )
    assert done.returncode == 0, (done.stdout + done.stderr)[-2000:]
    return done.stdout


@pytest.mark.integration
def test_terraform_evaluates_the_configuration(tmp_path: Path) -> None:
    """Texts come out as they were meant, and the topic's expression holds."""
    made = plan(ODD, owner="on ${call} 100%{x}")
    configuration = terraform_configuration(made)
    exchanged = _with_built_in_resources(configuration)
    (tmp_path / "alarms.tf.json").write_text(json.dumps(exchanged, indent=1), encoding="utf-8")

    _terraform(tmp_path, "init", "-input=false", "-backend=false")
    _terraform(tmp_path, "validate", "-no-color")
    _terraform(tmp_path, "plan", f"-var=alarm_topic_arn={TOPIC}", "-input=false", "-out=plan")
    shown = json.loads(_terraform(tmp_path, "show", "-json", "plan"))

    planned = {
        each["name"]: each["values"]["input"]
        for each in shown["planned_values"]["root_module"]["resources"]
    }
    template = cloudformation_template(made)["Resources"]
    for id_ in configuration["resource"]["aws_cloudwatch_metric_alarm"]:
        alarm = planned[f"aws_cloudwatch_metric_alarm_{id_}"]
        properties = template[id_]["Properties"]
        assert alarm["alarm_description"] == properties["AlarmDescription"]
        assert alarm["alarm_actions"] == alarm["ok_actions"] == [TOPIC]
    patterns = {each["pattern"] for name, each in planned.items() if "log_metric_filter" in name}
    assert patterns == {
        each["Properties"]["FilterPattern"]
        for each in template.values()
        if each["Type"] == "AWS::Logs::MetricFilter"
    }


def test_what_terraform_would_send_aws_takes() -> None:
    """The same check as of the template, over the provider's names."""
    for alarm in alarms_in(plan()).values():
        params = {
            "AlarmName": alarm["alarm_name"],
            "AlarmDescription": alarm["alarm_description"],
            "Namespace": alarm["namespace"],
            "MetricName": alarm["metric_name"],
            "Dimensions": [
                {"Name": name, "Value": value} for name, value in alarm["dimensions"].items()
            ],
            "Statistic": alarm["statistic"],
            "Period": alarm["period"],
            "Threshold": alarm["threshold"],
            "EvaluationPeriods": alarm["evaluation_periods"],
            "DatapointsToAlarm": alarm["datapoints_to_alarm"],
            "ComparisonOperator": alarm["comparison_operator"],
            "TreatMissingData": alarm["treat_missing_data"],
        }
        assert aws_model.faults("cloudwatch", "PutMetricAlarm", params) == []
