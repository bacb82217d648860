"""Runbooks as pages, where they are found, and runbooks made from records."""

from __future__ import annotations

import tomllib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from dynaguard.errors import ConfigurationError
from dynaguard.runbooks.finding import find_runbook, list_runbooks
from dynaguard.runbooks.library import library_names, library_path
from dynaguard.runbooks.lint import lint_runbook
from dynaguard.runbooks.outline import permissions_outline
from dynaguard.runbooks.reading import read_runbook
from dynaguard.runbooks.recording import (
    advice_of,
    copied_runbook,
    recorded_calls,
    runbook_from_records,
    starter_runbook,
)
from dynaguard.runbooks.rendering import runbook_markdown

ORDERS = "arn:aws:dynamodb:eu-west-1:123456789012:table/orders"


def test_a_page_tells_all_that_the_document_says(changed: Callable[..., dict[str, Any]]) -> None:
    """Purpose, owner, who may run it, values, steps in order, limits, permissions, hash."""
    runbook = read_runbook(changed())

    page = runbook_markdown(runbook)

    for text in (
        "# orders-of-customer\n\nShow the latest orders of one customer during an incident.",
        "| Owner | team-orders |",
        "group `on-call`, `arn:aws:iam::*:role/ops-*`",
        runbook.sha256,
        "| `customer_id` | string | `C-[0-9]{1,9}` |",
        "1. **find**: `dynamodb:Query`, at most 5 pages",
        '   ExpressionAttributeValues = {":c": "<customer_id>"}',
        "2. **enough**: check that `find.Count` is at most `100`",
        "3. **each**: for each of `find.Items`, at most 50:",
        "   1. **drop**: `dynamodb:DeleteItem`",
        '"order_id": "<item order_id>"',
        "At most 5m from its begin, 100 items.",
        "`dynamodb:LeadingKeys` is `<customer_id>`",
        "dynaguard runbook run orders-of-customer --param customer_id=...",
    ):
        assert text in page
    assert runbook_markdown(read_runbook(changed())) == page


def test_the_outline_is_what_a_run_gets(changed: Callable[..., dict[str, Any]]) -> None:
    """Permissions are those of a bound run, values shown by the names of their parameters."""
    lines = permissions_outline(read_runbook(changed()))

    assert [actions for actions, _, _ in lines] == ["`dynamodb:Query`", "`dynamodb:DeleteItem`"]
    assert {resource for _, resource, _ in lines} == {
        "`arn:aws:dynamodb:REGION:ACCOUNT:table/orders`"
    }


@pytest.mark.parametrize(
    ("operation", "members", "line"),
    [
        (
            "sqs:SendMessage",
            {"QueueUrl": {"$param": "customer_id"}, "MessageBody": "x"},
            ("what `sqs:SendMessage` needs", "told by its parameters", ""),
        ),
        (
            "lambda:Invoke",
            {"FunctionName": {"$param": "customer_id"}},
            (
                "`lambda:InvokeFunction`",
                "`arn:aws:lambda:REGION:ACCOUNT:function:<customer_id>`",
                "",
            ),
        ),
    ],
)
def test_a_parameter_that_tells_the_resource_is_said_to(
    changed: Callable[..., dict[str, Any]], operation: str, members: Any, line: tuple[str, ...]
) -> None:
    """Where a name cannot stand for a value, the page says that the value tells."""
    step = {"name": "send", "call": operation, "params": members}

    assert permissions_outline(read_runbook(changed(step=[step]))) == (line,)


@pytest.mark.parametrize(
    ("kind", "condition"),
    [
        ("string", "`dynamodb:LeadingKeys` is `<key>`; "),
        ("number", "`dynamodb:LeadingKeys` is `<key>`; "),
        ("secret", ""),
    ],
)
def test_the_outline_names_keys_by_their_parameter(
    changed: Callable[..., dict[str, Any]], kind: str, condition: str
) -> None:
    """Of any type; a secret is in no statement."""
    key = {"customer_id": {"$param": "key"}}
    step = {"name": "g", "call": "dynamodb:GetItem", "params": {"TableName": "t", "Key": key}}

    ((_, _, told),) = permissions_outline(
        read_runbook(changed(step=[step], parameters={"key": {"type": kind}}))
    )

    assert told == f"{condition}`dynamodb:Select` is `ALL_ATTRIBUTES`"


def test_the_page_asks_for_no_secret_on_the_command_line(
    changed: Callable[..., dict[str, Any]],
) -> None:
    """It says that it is asked for."""
    step = {"name": "wait", "pause": 1}
    runbook = read_runbook(changed(step=[step], parameters={"token": {"type": "secret"}}))

    page = runbook_markdown(runbook)

    assert "--param token" not in page
    assert "You are asked for `token`" in page


# --- where they are found ---------------------------------------------------------------------


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A working directory with runbooks, and a policy elsewhere with others."""
    for place, names in (("here", ("fix", "drop")), ("policies", ("fix", "rotate"))):
        (tmp_path / place / "runbooks").mkdir(parents=True)
        for name in names:
            (tmp_path / place / "runbooks" / f"{name}.toml").write_text("")
    return tmp_path


def test_a_name_is_looked_up_beside_the_policy_then_here(folder: Path) -> None:
    """The policy's own runbooks come first."""
    place: dict[str, Any] = {"policy": folder / "policies/p.toml", "folder": folder / "here"}

    assert find_runbook("fix", **place) == folder / "policies/runbooks/fix.toml"
    assert find_runbook("drop", **place) == folder / "here/runbooks/drop.toml"
    assert find_runbook("runbooks/fix.toml", **place) == folder / "here/runbooks/fix.toml"
    assert find_runbook("library:get-by-key", **place) == library_path("get-by-key")
    names = [found.name for found in list_runbooks(**place)]
    assert names[:3] == ["fix", "rotate", "drop"]
    assert f"library:{library_names()[0]}" in names


@pytest.mark.parametrize(
    ("name", "told"),
    [
        ("drp", "did you mean `drop`?"),
        ("library:get-by-kye", "did you mean `library:get-by-key`?"),
        ("get-by-key", "did you mean `library:get-by-key`?"),
        ("runbooks/drp.toml", "did you mean `drop.toml`?"),
    ],
)
def test_a_name_that_is_none_is_told_with_the_nearest(folder: Path, name: str, told: str) -> None:
    """Paths, own names and shipped ones alike."""
    with pytest.raises(ConfigurationError) as caught:
        find_runbook(name, folder=folder / "here")

    assert told in str(caught.value)


# --- runbooks to begin with -------------------------------------------------------------------


def _record(operation: str, resource: str = ORDERS, **outcome: Any) -> dict[str, Any]:
    return {
        "phase": "outcome",
        "service": "dynamodb",
        "operation": operation,
        "job": "etl",
        "authorizations": [{"action": f"dynamodb:{operation}", "resource": resource}],
        "outcome": {"status": "ok", **outcome},
    }


def test_records_become_steps_the_most_frequent_first() -> None:
    """Kinds of calls are told apart by operation, table and index."""
    records = [
        _record("GetItem"),
        *[_record("Query", f"{ORDERS}/index/by_day", item_count=1, scanned_count=50)] * 3,
        *[_record("Scan")] * 2,
        {**_record("PutItem"), "phase": "intent"},
    ]

    calls = recorded_calls(records)
    data = tomllib.loads(runbook_from_records("rec", calls))

    assert [(call.operation, call.index, call.count) for call in calls] == [
        ("Query", "by_day", 3),
        ("Scan", None, 2),
        ("GetItem", None, 1),
    ]
    assert [step["name"] for step in data["step"]] == ["query", "scan", "get-item"]
    assert data["step"][0]["params"]["IndexName"] == "by_day"
    assert read_runbook(data).steps
    assert any("query by a key instead" in each for each in advice_of(calls[0]))
    assert any("a Scan reads the whole table" in each for each in advice_of(calls[1]))
    assert recorded_calls(records, job="other") == ()


def test_every_operation_of_dynamodb_gives_a_document_that_reads() -> None:
    """Placeholders fit AWS's own model; a few administrative calls need a source named first."""
    from dynaguard.runbooks import models

    others = {"RestoreTableToPointInTime", "StartBulkPutItems"}
    operations = {each for each in models.operations("dynamodb") if "Kinesis" not in each} - others
    for operation in operations:
        text = runbook_from_records("rec", recorded_calls([_record(operation)]))

        assert read_runbook(tomllib.loads(text)).steps


def test_the_starter_has_neither_problems_nor_findings() -> None:
    """Who begins with it begins clean."""
    assert lint_runbook(read_runbook(tomllib.loads(starter_runbook("mine")))) == ()


@pytest.mark.parametrize("name", library_names())
def test_a_copy_differs_in_its_name_alone(name: str) -> None:
    """`init --from library:...`."""
    original = tomllib.loads(library_path(name).read_text())
    copied = tomllib.loads(copied_runbook(name, "mine"))

    assert copied == {**original, "name": "mine"}
    assert original["name"] == name
