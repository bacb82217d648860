"""Steps one by one: Python, metrics, masks, repeats, batches."""

from __future__ import annotations

import datetime
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import boto3
import pytest

import dynaguard
from dynaguard.call import StatementRef
from dynaguard.drills import faults
from dynaguard.drills.faults import Answer, Injector, Request
from dynaguard.errors import PolicyDenied, RunbookError
from dynaguard.hooks.exemption import own_calls
from dynaguard.policy.model import BudgetStatement, MaskStatement
from dynaguard.runbooks.entering import enter_boundary
from dynaguard.runbooks.model import Check, Loop, MetricQuery, RunLimits, Step
from dynaguard.runbooks.reading import read_runbook
from dynaguard.runbooks.running import run_runbook
from tests.runbooks.run_cases import (
    call,
    close_orders,
    find_orders,
    item,
    log_lines,
    order_key,
    param,
    result,
    run_once,
    runbook,
    states,
)

PYTHON = """
RUNBOOK = {
    "runbook": 1,
    "name": "count-in-python",
    "purpose": "Counts",
    "owner": "team-orders",
    "limits": {"items": 20},
    "tables": {"orders": {"key": ["customer", "id"]}},
    "parameters": {"customer": {"type": "string", "pattern": "[a-z]+"}},
    "step": [
        {
            "name": "count",
            "python": ":count",
            "calls": [
                {
                    "call": "dynamodb:Query",
                    "pages": 5,
                    "params": {
                        "TableName": "orders",
                        "KeyConditionExpression": "customer = :c",
                        "ProjectionExpression": "id",
                        "Limit": 2,
                        "ExpressionAttributeValues": {":c": {"$param": "customer"}},
                    },
                },
                {
                    "call": "dynamodb:DeleteItem",
                    "params": {
                        "TableName": "orders",
                        "Key": {"customer": {"$param": "customer"}, "id": {"$any": "key"}},
                    },
                },
            ],
        },
        {"name": "three", "check": {"of": {"$result": "count.found"}, "at_least": 3}},
    ],
}


def count(context):
    client = context.client("dynamodb")
    wanted = dict(
        TableName="orders",
        KeyConditionExpression="customer = :c",
        ProjectionExpression="id",
        Limit=2,
        ExpressionAttributeValues={":c": {"S": context.values["customer"]}},
    )
    ids = [
        item["id"]["S"]
        for page in client.pages("query", max_pages=5, **wanted)
        for item in page["Items"]
    ]
    BODY
    return {"found": len(ids)}
"""


def python_runbook(folder: Path, body: str = "pass") -> Path:
    """A Python runbook whose step does something more."""
    path = folder / "count.py"
    path.write_text(PYTHON.replace("BODY", body))
    return path


def test_a_python_step_makes_its_calls(orders: Any, tmp_path: Path) -> None:
    """Through the client of its context; each counted and on record."""
    done = run_runbook(python_runbook(tmp_path), {"customer": "ada"}, directory=tmp_path / "runs")

    assert done.outputs["count"] == {"found": 5}
    assert (done.steps[0].calls, done.steps[0].items, done.steps[0].pages) == (3, 5, 3)
    assert [step.outcome for step in done.steps] == ["done", "done"]


@pytest.mark.parametrize(
    "body",
    [
        'client.scan(TableName="orders")',
        'client.delete_item(TableName="orders", Key={"customer": {"S": "bob"}, "id": {"S": "1"}})',
        'client.query(**{**wanted, "ExpressionAttributeValues": {":c": {"S": "bob"}}})',
        'client.query(**{**wanted, "TableName": "other"})',
    ],
)
def test_a_python_step_makes_no_other_calls(orders: Any, tmp_path: Path, body: str) -> None:
    """The guard refuses them."""
    with pytest.raises(RunbookError, match="was refused") as caught:
        run_runbook(
            python_runbook(tmp_path, body), {"customer": "ada"}, directory=tmp_path / "runs"
        )

    assert isinstance(caught.value.__cause__, PolicyDenied)
    assert states(orders, "bob") == {"o-000": "open"}


def test_a_file_that_changed_after_the_runbook_was_read_is_not_executed(
    orders: Any, tmp_path: Path
) -> None:
    """What was hashed, reviewed and approved is what runs."""
    path = python_runbook(tmp_path)
    book = read_runbook(path)
    mark = tmp_path / "executed"
    path.write_text(path.read_text() + f"\nopen({str(mark)!r}, 'w').close()\n")

    with pytest.raises(RunbookError, match=r"`count\.py` of step `count` was changed after"):
        run_runbook(book, {"customer": "ada"}, directory=tmp_path / "runs")

    assert not mark.exists()


def test_a_python_step_is_held_by_limits_too(orders: Any, tmp_path: Path) -> None:
    """However it calls."""
    body = "[client.query(**wanted) for _ in range(99)]"

    with pytest.raises(RunbookError, match="`max_items` of 20"):
        run_runbook(
            python_runbook(tmp_path, body), {"customer": "ada"}, directory=tmp_path / "runs"
        )


def test_what_a_python_step_raises_is_told_by_its_kind(orders: Any, tmp_path: Path) -> None:
    """Its message may hold values; it is the cause."""
    with pytest.raises(RunbookError, match=r"step `count` failed \(ValueError\)") as caught:
        run_runbook(
            python_runbook(tmp_path, 'raise ValueError(context.values["customer"])'),
            {"customer": "ada"},
            directory=tmp_path / "runs",
        )

    assert "ada" not in str(caught.value)


def test_writes_of_a_python_step_are_not_made_again(orders: Any, tmp_path: Path) -> None:
    """When the run is resumed, its calls are left out one by one."""
    marker = tmp_path / "again"
    body = (
        "for id_ in ids:\n"
        '        client.delete_item(TableName="orders", '
        'Key={"customer": {"S": "ada"}, "id": {"S": id_}})\n'
        f"        if not __import__('os').path.exists({str(marker)!r}) and id_ == 'o-001':\n"
        f"            open({str(marker)!r}, 'w').close(); raise OSError"
    )
    path = python_runbook(tmp_path, body)
    with pytest.raises(RunbookError, match="OSError") as caught:
        run_runbook(path, {"customer": "ada"}, directory=tmp_path / "runs")
    # the check at the end wants three, and three are left
    done = run_runbook(
        path, {"customer": "ada"}, directory=tmp_path / "runs", resume=caught.value.run
    )

    assert states(orders, "ada") == {}
    assert done.outputs["count"] == {"found": 3}


def metric(value: float) -> Step:
    """A check that a metric is at most something."""
    query = MetricQuery("App", "Errors", {"Service": param("customer", "string")}, window_s=300)
    return Step("errors", Check(query, "at_most", value, "too many errors"))


@pytest.mark.parametrize(("most", "holds"), [(3, True), (2, False)])
def test_a_check_looks_at_a_metric(
    orders: Any, tmp_path: Path, most: float, *, holds: bool
) -> None:
    """One value over its window; the call is counted and on record."""
    now = datetime.datetime.now(datetime.UTC)
    dynaguard.uninstall()
    boto3.client("cloudwatch").put_metric_data(
        Namespace="App",
        MetricData=[
            {
                "MetricName": "Errors",
                "Dimensions": [{"Name": "Service", "Value": "ada"}],
                "Value": 3.0,
                "Timestamp": now - datetime.timedelta(seconds=30),
            }
        ],
    )
    dynaguard.install({"version": 1, "default": "allow"})
    book = runbook(metric(most))

    if holds:
        done = run_once(book, {"customer": "ada"}, tmp_path)
        assert done.steps[0].operation == "cloudwatch:GetMetricStatistics"
        assert done.outputs["errors"] == {"Value": 3.0}
    else:
        with pytest.raises(RunbookError, match="too many errors"):
            run_once(book, {"customer": "ada"}, tmp_path)


def test_a_metric_is_asked_though_all_items_are_read(orders: Any, tmp_path: Path) -> None:
    """It reads none."""
    book = runbook(find_orders(), metric(0), limits=RunLimits(max_items=5))

    done = run_once(book, {"customer": "ada"}, tmp_path)

    assert [step.outcome for step in done.steps] == ["done", "done"]


def test_a_metric_without_data_is_zero(orders: Any, tmp_path: Path) -> None:
    """AWS sends no points for nothing."""
    done = run_once(runbook(metric(0)), {"customer": "ada"}, tmp_path)

    assert done.outputs["errors"] == {"Value": 0.0}


def test_masks_of_a_runbook_act_where_values_leave_it(orders: Any, tmp_path: Path) -> None:
    """Outputs are masked; a place of a later step still gets the value."""
    mask = MaskStatement(StatementRef("mask"), ("orders",), (("customer",), ("email",)))
    book = runbook(find_orders(), close_orders(), masks=(mask,))

    done = run_once(book, {"customer": "ada"}, tmp_path)

    assert "ada" not in str(done.as_dict())
    assert done.outputs["find"]["Items"][0]["id"] == {"S": "o-000"}
    assert set(states(orders, "ada").values()) == {"closed"}


def test_what_the_policy_masks_is_masked_within_the_run(orders: Any, tmp_path: Path) -> None:
    """A masked key goes nowhere: it would not be the item's."""
    dynaguard.uninstall()
    mask = {"tables": ["orders"], "attributes": ["id"], "with": "redact"}
    book = runbook(find_orders(), close_orders())
    dynaguard.install({"version": 1, "default": "allow", "mask": [mask]})

    with pytest.raises(RunbookError, match="was refused"):
        run_once(book, {"customer": "ada"}, tmp_path)


LOST = faults.error("InternalServerError", "lost", 500)


def lost(operation: str, times: int, answer: Answer = LOST) -> Any:
    """Requests of an operation take effect, and so many of their answers are lost.

    botocore asks every handler of `before-send` and takes the first answer: moto, asked too, does
    what the request says.
    """
    return Injector(lambda asked: _first(asked, operation, times, answer))


def _first(asked: Request, operation: str, times: int, answer: Answer) -> Answer | None:
    return answer if asked.operation == operation and asked.number < times else None


def update(expression: str, **fields: Any) -> Step:
    """An update of ada's first order."""
    return Step(
        "update",
        call(
            "UpdateItem",
            {
                "Key": {"customer": param("customer", "key"), "id": {"S": "o-000"}},
                "UpdateExpression": expression,
                "ExpressionAttributeValues": {":v": {"N": "1"}},
            },
        ),
        **fields,
    )


@pytest.mark.parametrize(
    ("expression", "fields", "class_", "attempts"),
    [
        ("SET seen = :v", {}, "repeatable", 3),
        ("ADD seen :v", {}, "additive", 1),
        ("SET seen = :v", {"retries": "never"}, "repeatable", 1),
    ],
)
def test_a_write_that_adds_is_not_made_twice(
    orders: Any,
    tmp_path: Path,
    expression: str,
    fields: dict[str, Any],
    class_: str,
    attempts: int,
) -> None:
    """Its answer was lost: it may have taken effect. Nor is one whose step says never."""
    failing = lost("UpdateItem", 2)
    book = runbook(update(expression, **fields))
    options = {"enter": failing.entering(enter_boundary)}

    if attempts > 1:
        run_once(book, {"customer": "ada"}, tmp_path, **options)
    else:
        with pytest.raises(RunbookError, match="UpdateItem of step `update` failed"):
            run_once(book, {"customer": "ada"}, tmp_path, **options)

    answer = orders.get_item(
        TableName="orders", Key={"customer": {"S": "ada"}, "id": {"S": "o-000"}}
    )
    assert failing.sent["UpdateItem"] == attempts
    assert answer["Item"]["seen"] == {"N": "1"}
    assert log_lines(tmp_path)[1]["repeat_class"] == class_


def test_the_budget_of_a_runbook_counts_before_the_policys(orders: Any, tmp_path: Path) -> None:
    """Here one attempt; afterwards the policy's counts again."""
    budget = BudgetStatement(StatementRef("runbook"), max_attempts=1)
    options = {"enter": lost("Query", 1).entering(enter_boundary)}

    with pytest.raises(RunbookError, match="Query of step `find` failed"):
        run_once(runbook(find_orders(), budget=budget), {"customer": "ada"}, tmp_path, **options)
    options = {"enter": lost("Query", 1).entering(enter_boundary)}
    run_once(runbook(find_orders()), {"customer": "ada"}, tmp_path, **options)


def test_a_batch_that_comes_back_in_part_is_not_done(orders: Any, tmp_path: Path) -> None:
    """What is left is named; resumed, the batch is made again whole."""
    left = {"UnprocessedItems": {"orders": [{"PutRequest": {"Item": {"id": {"S": "1"}}}}]}}
    put = {"customer": {"S": "eve"}, "id": {"S": "1"}, "state": {"S": "open"}}
    batch = Step("load", _batch([put]))
    dynaguard.uninstall()
    dynaguard.install({"version": 1, "default": "allow"}, budget=False)
    options = {"enter": lost("BatchWriteItem", 1, Answer(left)).entering(enter_boundary)}

    with pytest.raises(RunbookError, match="came back in part") as caught:
        run_once(runbook(batch), {}, tmp_path, **options)
    done = run_once(runbook(batch), {}, tmp_path, resume=caught.value.run, **options)

    assert done.steps[0].calls == 1
    assert states(orders, "eve") == {"1": "open"}


def _batch(items: list[Mapping[str, Any]]) -> Any:
    from dynaguard.runbooks.model import CallTemplate

    requests = [{"PutRequest": {"Item": each}} for each in items]
    return CallTemplate("dynamodb", "BatchWriteItem", {"RequestItems": {"orders": requests}})


def test_a_step_asks_for_what_is_not_there(orders: Any, tmp_path: Path) -> None:
    """Names the place and the step, no value."""
    step = Step("drop", call("DeleteItem", {"Key": {"id": item("nothing", "key")}}))
    book = runbook(find_orders(), Step("each", Loop(result("find.Items"), 9, (step,))))

    with pytest.raises(RunbookError, match="step `each`: `item` has no `nothing`"):
        run_once(book, {"customer": "ada"}, tmp_path)


def test_a_runbook_that_changed_is_read_anew(tmp_path: Path) -> None:
    """The content hash covers the code of Python steps."""
    first = read_runbook(python_runbook(tmp_path)).sha256
    second = read_runbook(python_runbook(tmp_path, "print()")).sha256

    assert first != second


def test_keys_of_items_come_from_the_loop(orders: Any, tmp_path: Path) -> None:
    """Whatever text they hold."""
    strange = "x' OR #s = :closed --"
    orders_key = {"customer": {"S": "eve"}, "id": {"S": strange}}
    with own_calls():
        orders.put_item(TableName="orders", Item={**orders_key, "state": {"S": "open"}})
    delete = Step("drop", call("DeleteItem", {"Key": order_key()}))

    run_once(
        runbook(find_orders(), Step("each", Loop(result("find.Items"), 9, (delete,)))),
        {"customer": "eve"},
        tmp_path,
    )

    assert states(orders, "eve") == {}
    assert len(states(orders, "ada")) == 5
