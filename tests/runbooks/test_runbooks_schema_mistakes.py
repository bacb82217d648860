"""Mistakes in a runbook that its published schema sees are those that the reader refuses."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from tests.runbooks.schema_cases import GET, having, is_valid, problems_of


def without(name: str) -> dict[str, Any]:
    """A small runbook that lacks a key."""
    return {key: each for key, each in having().items() if key != name}


def of_step(**keys: Any) -> dict[str, Any]:
    """A runbook whose second step has these keys."""
    return having(step=[*having()["step"], {"name": "second", **keys}])


def of_parameter(**keys: Any) -> dict[str, Any]:
    """A runbook with one more parameter."""
    return having(parameters={**having()["parameters"], "more": keys})


COUNT = {"of": {"$result": "get.Item"}}
LOOP = {"over": {"$param": "names"}, "at_most": 5}
INNER = [{"name": "one", "call": "dynamodb:GetItem", "params": GET}]
METRIC = {"namespace": "AWS/DynamoDB", "name": "ReadThrottleEvents"}
MISTAKES: list[Any] = [
    {},
    *(without(name) for name in ("runbook", "name", "purpose", "owner", "step")),
    having(runbook=2),
    having(runbook=True),
    having(name="-a"),
    having(name="a b"),
    having(purpose=" "),
    having(owner=5),
    having(link="wiki/orders"),
    having(ownr="team"),
    having(may_run=[]),
    having(may_run={"Groups": "a"}),
    having(access={"role": "runbooks"}),
    having(access={"session_duration_s": 60}),
    having(access={"session_duration_s": 43_201}),
    having(access={"tags": {"a": 5}}),
    having(access={"approval": {"uses": 2}}),
    having(access={"approval": {"threshold": {"window": "1h", "calls": 5}}}),
    having(access={"approval": {"timeout": "1h", "timeout_s": 3600}}),
    having(limits={"items": 0}),
    having(limits={"items": 1.5}),
    having(limits={"duration_s": 86_401}),
    having(limits={"seconds": 5}),
    having(tables={"orders": {"keys": ["a"]}}),
    having(mask=[{"tables": "*"}]),
    having(mask=[{"services": "*", "attributes": "a"}]),
    having(budget=[{"retry_ratio": 0.5}]),
    having(budget={"retry_ratio": 2}),
    having(budget={"job": "nightly"}),
    having(budget={"tables": "orders"}),
    having(lint={"ignore": ["DGR999"]}),
    having(lint={"ignored": ["DGR101"]}),
    having(step=[]),
    having(step="get"),
    having(step=[5]),
    having(step=[{"call": "dynamodb:GetItem", "params": GET}]),
    having(step=[{"name": "1st", "call": "dynamodb:GetItem", "params": GET}]),
    of_step(),
    of_step(call="dynamodb:GetItem", params=GET, pause=5),
    of_step(call="dynamodb:GetItem", params=GET, page=5),
    of_step(call="GetItem", params=GET),
    of_step(call="dynamodb:GetItem", params=[GET]),
    of_step(call="dynamodb:GetItem", params={**GET, "Key": {"a": {"$param": 5}}}),
    of_step(call="dynamodb:GetItem", params={**GET, "Key": {"a": {"$param": "text.a"}}}),
    of_step(call="dynamodb:GetItem", params={**GET, "Key": {"a": {"$item": "id"}}}),
    of_step(call="dynamodb:GetItem", params={**GET, "Key": {"a": {"$any": "string"}}}),
    of_step(call="dynamodb:GetItem", params={**GET, "Key": {"a": {"$result": "get..a"}}}),
    of_step(call="dynamodb:Query", params={"TableName": "orders"}, pages=0),
    of_step(call="dynamodb:Query", params={"TableName": "orders"}, items="5"),
    of_step(call="dynamodb:Query", params={"TableName": "orders"}, region=""),
    of_step(pause=5, retries="always"),
    of_step(pause=5, description=5),
    of_step(pause=0),
    of_step(pause=3601),
    of_step(pause=True),
    of_step(pause={"length": 5}),
    of_step(check=COUNT),
    of_step(check={**COUNT, "at_most": 5, "at_least": 1}),
    of_step(check={**COUNT, "at_most": "5"}),
    of_step(check={**COUNT, "equals": [5]}),
    of_step(check={**COUNT, "exists": False}),
    of_step(check={**COUNT, "most": 5}),
    of_step(check={**COUNT, "metric": METRIC, "at_most": 5}),
    of_step(check={"at_most": 5}),
    of_step(check={"of": "get.Item", "exists": True}),
    of_step(check={"metric": {"name": "a"}, "at_most": 5}),
    of_step(check={"metric": {**METRIC, "window_s": 90}, "at_most": 5}),
    of_step(check={"metric": {**METRIC, "statistic": "Mean"}, "at_most": 5}),
    of_step(check={"metric": {**METRIC, "dimensions": {"a": 5}}, "at_most": 5}),
    of_step(loop=LOOP),
    of_step(loop=LOOP, step=[]),
    of_step(loop={"over": {"$param": "names"}}, step=INNER),
    of_step(loop={"over": "names", "at_most": 5}, step=INNER),
    of_step(loop={"over": {"$item": "a"}, "at_most": 5}, step=INNER),
    of_step(loop={**LOOP, "at_most": 0}, step=INNER),
    of_step(loop=LOOP, step=[{"name": "wait", "pause": 5}]),
    of_step(loop=LOOP, step=[{"name": "in", "loop": LOOP, "step": INNER}]),
    of_step(python="steps"),
    of_step(python=":compute", calls=[{"params": GET}]),
    of_step(python=":compute", calls=[{"call": "dynamodb:GetItem", "name": "get"}]),
    of_step(approval={"quorum": 0}),
    of_step(approval={"any_of": []}),
    of_step(approval={"any_of": "leads", "text": "go on?"}),
    having(parameters={"1st": {"type": "string"}}),
    of_parameter(),
    of_parameter(type="text"),
    of_parameter(type="string", minimum=5),
    of_parameter(type="number", pattern="[0-9]"),
    of_parameter(type="number", minimum="5"),
    of_parameter(type="boolean", choices=["a"]),
    of_parameter(type="enum"),
    of_parameter(type="enum", choices=[]),
    of_parameter(type="date", maximum=2026),
    of_parameter(type="secret", default="a"),
    of_parameter(type="string", default="a", required=True),
    of_parameter(type="string", elements="string"),
    of_parameter(type="string", pattern=""),
    of_parameter(type="list", elements="list"),
    of_parameter(type="list", elements="number", pattern="[0-9]"),
    of_parameter(type="list", elements="enum"),
    of_parameter(type="list", minimum=-1),
]


@pytest.mark.parametrize("document", MISTAKES, ids=lambda each: json.dumps(each)[-70:])
def test_a_mistake_is_refused_by_both(document: Any, schema_folder: Path) -> None:
    """While it is typed, and when it is read: an editor raises no false alarm."""
    assert not is_valid(document)
    assert problems_of(document, schema_folder)


def test_what_mistakes_start_from_is_valid(schema_folder: Path) -> None:
    """So that each is refused for its own sake."""
    good = [having(), of_step(pause=5), of_step(loop=LOOP, step=INNER), of_parameter(type="arn")]

    assert [each for each in good if not is_valid(each) or problems_of(each, schema_folder)] == []
