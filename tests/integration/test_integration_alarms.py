"""Generated alarms, deployed through CloudFormation to a server that keeps them."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from dynaguard.cli.commands import cli
from tests.servers import Ministack

LOG_GROUP = "/aws/lambda/alarms"
STACK = "dynaguard-alarms"
TOPIC = "arn:aws:sns:eu-west-1:000000000000:on-call"


@pytest.fixture
def stack(ministack: Ministack, tmp_path: Path) -> Iterator[Any]:
    """A client of CloudFormation, with the stack of a generated template; gone afterwards."""
    path = tmp_path / "alarms.json"
    arguments = ["alarms", "--identity", "etl", "--table", "orders", "--log-group", LOG_GROUP]
    done = CliRunner().invoke(cli, [*arguments, "--to", str(path)])
    assert done.exit_code == 0, done.output
    logs = ministack.client("logs")
    logs.create_log_group(logGroupName=LOG_GROUP)
    client = ministack.client("cloudformation")
    client.create_stack(
        StackName=STACK,
        TemplateBody=path.read_text(encoding="utf-8"),
        Parameters=[{"ParameterKey": "AlarmTopicArn", "ParameterValue": TOPIC}],
    )
    client.get_waiter("stack_create_complete").wait(
        StackName=STACK, WaiterConfig={"Delay": 1, "MaxAttempts": 20}
    )
    yield client
    client.delete_stack(StackName=STACK)
    logs.delete_log_group(logGroupName=LOG_GROUP)


def test_a_generated_stack_can_be_deployed(stack: Any, ministack: Ministack) -> None:
    """Every alarm and filter is there, with the topic of the parameter."""
    resources = stack.describe_stack_resources(StackName=STACK)["StackResources"]
    alarms = ministack.client("cloudwatch").describe_alarms(AlarmNamePrefix="dynaguard/")[
        "MetricAlarms"
    ]
    filters = ministack.client("logs").describe_metric_filters(logGroupName=LOG_GROUP)[
        "metricFilters"
    ]

    assert {each["ResourceStatus"] for each in resources} == {"CREATE_COMPLETE"}
    assert len(resources) == len(alarms) + len(filters) == 22
    assert {tuple(alarm["AlarmActions"]) for alarm in alarms} == {(TOPIC,)}
    denials = next(each for each in alarms if each["AlarmName"] == "dynaguard/denials/etl/orders")
    assert "Identity: etl\nTable: orders\n" in denials["AlarmDescription"]
    assert denials["Dimensions"] == [
        {"Name": "Identity", "Value": "etl"},
        {"Name": "Table", "Value": "orders"},
    ]


def test_a_generated_dashboard_can_be_put(ministack: Ministack, tmp_path: Path) -> None:
    """Its body is what the service keeps."""
    path = tmp_path / "dashboard.json"
    arguments = ["alarms", "--identity", "etl", "--table", "orders", "--log-group", LOG_GROUP]
    options = ["--format", "cloudwatch-dashboard", "--region", "eu-west-1", "--to", str(path)]
    done = CliRunner().invoke(cli, [*arguments, *options])
    assert done.exit_code == 0, done.output
    client = ministack.client("cloudwatch")

    client.put_dashboard(DashboardName="dynaguard", DashboardBody=path.read_text(encoding="utf-8"))

    kept = client.get_dashboard(DashboardName="dynaguard")["DashboardBody"]
    assert json.loads(kept) == json.loads(path.read_text(encoding="utf-8"))
