"""A run executes its steps in order, within its limits, and leaves a record."""

from __future__ import annotations

import io
from dataclasses import replace
from pathlib import Path
from typing import Any

import boto3
import pytest

import dynaguard
from dynaguard.errors import ConfigurationError, PolicyDenied, RunbookError
from dynaguard.hooks.exemption import own_calls
from dynaguard.runbooks.model import Check, Loop, Pause, RunLimits, Step
from dynaguard.runbooks.reading import read_runbook
from dynaguard.runbooks.results import RunEvent
from tests.runbooks.run_cases import (
    Clock,
    call,
    close_orders,
    find_orders,
    log_lines,
    order_key,
    param,
    result,
    run_once,
    runbook,
    states,
)


def test_steps_run_in_order_and_give_their_results(orders: Any, tmp_path: Path) -> None:
    """Pages are joined, each order found is written once."""
    book = runbook(find_orders(), close_orders())

    done = run_once(book, {"customer": "ada"}, tmp_path)

    assert set(states(orders, "ada").values()) == {"closed"}
    assert set(states(orders, "bob").values()) == {"open"}
    assert done.outputs["find"]["Count"] == 5
    assert [(step.step, step.outcome, step.items) for step in done.steps] == [
        ("find", "done", 5),
        ("each/close", "done", 5),
        ("each", "done", 5),
    ]
    assert done.steps[0].pages == 3


def test_parameters_fill_whole_places_alone(orders: Any, tmp_path: Path) -> None:
    """Text that looks like an expression is a value and nothing else."""
    book = runbook(find_orders())

    done = run_once(book, {"customer": "ada OR customer = :d"}, tmp_path)

    assert done.outputs["find"]["Count"] == 0


def test_a_call_outside_of_the_runbook_is_refused_while_it_runs(
    orders: Any, tmp_path: Path
) -> None:
    """The boundary holds for any client, not for the run's own alone."""
    seen: list[type[BaseException]] = []

    def meddle(event: RunEvent) -> None:
        if event.kind == "began":
            try:
                orders.scan(TableName="orders")
            except PolicyDenied as err:
                seen.append(type(err))

    run_once(runbook(find_orders()), {"customer": "ada"}, tmp_path, on_event=meddle)

    assert seen == [PolicyDenied]


def test_without_a_guard_nothing_runs(tmp_path: Path) -> None:
    """Nothing would hold the calls to the runbook."""
    with pytest.raises(ConfigurationError, match="nothing is installed"):
        run_once(runbook(find_orders()), {"customer": "ada"}, tmp_path)

    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("how", ["off", "attached"])
def test_a_guard_that_would_not_hold_it_runs_nothing(
    orders: Any, tmp_path: Path, how: str
) -> None:
    """One that is off, or that guards single clients alone."""
    dynaguard.uninstall()
    if how == "off":
        dynaguard.install(mode="off")
    else:
        dynaguard.attach(orders)

    with pytest.raises(ConfigurationError, match="nothing is installed"):
        run_once(runbook(find_orders()), {"customer": "ada"}, tmp_path)


@pytest.mark.parametrize(
    ("bounds", "count", "has_more"),
    [
        ({"max_pages": 2}, 4, True),
        ({"max_pages": None}, 2, True),
        ({"max_items": 3}, 3, True),
        ({"max_pages": 10}, 5, False),
    ],
)
def test_a_call_reads_no_further_than_its_bounds(
    orders: Any, tmp_path: Path, bounds: dict[str, Any], count: int, *, has_more: bool
) -> None:
    """Pages and items; a check can ask whether there is more."""
    more = Step("more", Check(result("find.LastEvaluatedKey"), "exists"))
    book = runbook(find_orders(**bounds), more)

    if has_more:
        done = run_once(book, {"customer": "ada"}, tmp_path)
        assert len(done.outputs["find"]["Items"]) == count
        assert "LastEvaluatedKey" not in done.outputs["find"]
    else:
        with pytest.raises(RunbookError, match="check of step `more`"):
            run_once(book, {"customer": "ada"}, tmp_path)


@pytest.mark.parametrize(
    ("limits", "name"),
    [
        (RunLimits(max_items=4), "max_items"),
        (RunLimits(max_pages=2), "max_pages"),
        (RunLimits(read_units=0.5), "read_units"),
    ],
)
def test_a_limit_of_the_run_ends_it_and_is_named(
    orders: Any, tmp_path: Path, limits: RunLimits, name: str
) -> None:
    """With the step; nothing after it runs."""
    book = runbook(find_orders(), close_orders(), limits=limits)

    with pytest.raises(RunbookError, match=f"at step `find`: its limit `{name}`") as caught:
        run_once(book, {"customer": "ada"}, tmp_path)

    assert caught.value.step == "find"
    assert set(states(orders, "ada").values()) == {"open"}


def test_a_loop_of_too_many_items_touches_none(orders: Any, tmp_path: Path) -> None:
    """The bound is asked before the first."""
    book = runbook(find_orders(), close_orders(max_items=4))

    with pytest.raises(RunbookError, match="5 items, its limit `max_items` is 4"):
        run_once(book, {"customer": "ada"}, tmp_path)

    assert set(states(orders, "ada").values()) == {"open"}


def test_a_run_ends_when_its_time_is_over(orders: Any, tmp_path: Path) -> None:
    """A pause that would last longer than the run is not begun."""
    clock = Clock()
    book = runbook(
        Step("wait", Pause(40)), Step("again", Pause(40)), limits=RunLimits(duration_s=60)
    )

    with pytest.raises(RunbookError, match="at step `again`: its limit `duration_s` of 60"):
        run_once(book, {}, tmp_path, clock=clock)

    assert clock.slept == [40]


def test_a_run_that_nobody_attends_never_waits_for_one(orders: Any, tmp_path: Path) -> None:
    """It is refused before its first step, not in the middle."""
    book = runbook(find_orders(), Step("look", Pause(None, "look at it")))

    with pytest.raises(ConfigurationError, match="step `look`, and nobody attends"):
        run_once(book, {"customer": "ada"}, tmp_path)

    assert list(tmp_path.iterdir()) == []


def test_who_attends_a_run_is_asked(orders: Any, tmp_path: Path) -> None:
    """And may say no."""
    asked: list[str] = []
    book = runbook(Step("look", Pause(None, "look at it")), find_orders())

    def answer(message: str) -> bool:
        asked.append(message)
        return len(asked) == 1

    run_once(book, {"customer": "ada"}, tmp_path, is_interactive=True, confirm=answer)
    with pytest.raises(RunbookError, match="`look` was not confirmed"):
        run_once(book, {"customer": "ada"}, tmp_path, is_interactive=True, confirm=answer)

    assert asked == ["look at it", "look at it"]


def test_the_record_tells_names_and_counts_and_no_values(orders: Any, tmp_path: Path) -> None:
    """Who, what, which table, how many, which attributes, how long; for one incident."""
    book = runbook(find_orders(), close_orders())

    run_once(book, {"customer": "ada"}, tmp_path, incident="INC-7")

    lines = log_lines(tmp_path)
    assert [line["event"] for line in lines] == ["begin", "step", "step", "step", "end"]
    assert {line["correlation_id"] for line in lines} == {"INC-7"}
    find = lines[1]
    assert find["operation"] == "dynamodb:Query"
    assert find["tables"] == ["orders"]
    assert find["items"] == 5
    assert find["attributes"] == ["customer", "email", "id", "state", "total"]
    assert find["repeat_class"] == "read"
    text = (tmp_path / "runs.log").read_text() + "".join(
        path.read_text() for path in tmp_path.glob("*.jsonl")
    )
    assert "ada" not in text
    assert "example.org" not in text


def test_a_failed_call_ends_the_run_with_its_step_and_cause(orders: Any, tmp_path: Path) -> None:
    """AWS's own error is the cause; its message, which may hold values, is not repeated."""
    missing = Step(
        "gone", replace(call("GetItem", {"Key": {}}), params={"TableName": "none", "Key": {}})
    )

    with pytest.raises(RunbookError, match=r"GetItem of step `gone` failed \(") as caught:
        run_once(runbook(missing), {}, tmp_path)

    assert caught.value.step == "gone"
    assert caught.value.__cause__ is not None
    assert log_lines(tmp_path)[1]["outcome"] == "failed"


def test_a_denied_call_is_recorded_as_refused(orders: Any, tmp_path: Path) -> None:
    """An explicit Deny holds for runbooks too."""
    dynaguard.uninstall()
    deny = {"Sid": "No", "Effect": "Deny", "Action": ["dynamodb:UpdateItem"], "Resource": "*"}
    allow = {"Sid": "Yes", "Effect": "Allow", "Action": ["*"], "Resource": "*"}
    book = runbook(find_orders(), close_orders())

    dynaguard.install({"version": 1, "default": "deny", "statement": [deny, allow]})
    with pytest.raises(RunbookError, match="was refused") as caught:
        run_once(book, {"customer": "ada"}, tmp_path)

    assert isinstance(caught.value.__cause__, PolicyDenied)
    assert [line["outcome"] for line in log_lines(tmp_path)[1:4]] == ["done", "refused", "refused"]


def test_the_items_of_a_loop_may_be_a_parameter(orders: Any, tmp_path: Path) -> None:
    """A list, item by item."""
    delete = Step(
        "delete",
        call("DeleteItem", {"Key": {"customer": param("customer"), "id": _itself()}}),
    )
    book = runbook(Step("each", Loop(param("ids", ""), 10, (delete,))))

    run_once(book, {"customer": "ada", "ids": ("o-000", "o-003")}, tmp_path)

    assert sorted(states(orders, "ada")) == ["o-001", "o-002", "o-004"]


def _itself() -> Any:
    from tests.runbooks.run_cases import item

    return item("", "key")


def test_checks_within_a_loop_end_the_run(orders: Any, tmp_path: Path) -> None:
    """At the first item that does not hold; those before are done."""
    from tests.runbooks.run_cases import item

    small = Step("small", Check(item("total", ""), "at_most", 1, "an order is too large"))
    delete = Step("delete", call("DeleteItem", {"Key": order_key()}))
    book = runbook(find_orders(), Step("each", Loop(result("find.Items"), 10, (small, delete))))

    with pytest.raises(RunbookError, match="an order is too large"):
        run_once(book, {"customer": "ada"}, tmp_path)

    assert sorted(states(orders, "ada")) == ["o-002", "o-003", "o-004"]


@pytest.mark.parametrize(
    ("call", "params"),
    [
        ("iam:ListRoles", {}),
        ("route53:ListHostedZones", {}),
        ("cloudfront:ListDistributions", {}),
        ("sts:GetCallerIdentity", {}),
        ("s3:PutObject", {"Bucket": "notes", "Key": "k", "Body": "text"}),
        ("s3:PutObject", {"Bucket": "notes", "Key": "k", "Body": {"$bytes": "AAE="}}),
        ("s3:ListObjectsV2", {"Bucket": "notes"}),
        ("s3:GetObject", {"Bucket": "notes", "Key": "old"}),
    ],
)
def test_steps_of_other_services_pass_their_own_boundary(
    orders: Any, tmp_path: Path, call: str, params: dict[str, Any]
) -> None:
    """Whatever botocore makes of the call: one region for all, streams of bytes, checksums."""
    with own_calls():
        s3 = boto3.client("s3", region_name="us-east-1")
        s3.create_bucket(Bucket="notes")
        s3.put_object(Bucket="notes", Key="old", Body=b"1")
    step = {"name": "it", "call": call, "params": params}
    book = {"runbook": 1, "name": "it", "purpose": "p", "owner": "o", "step": [step]}

    done = dynaguard.run_runbook(read_runbook(book), directory=tmp_path, region="us-east-1")

    assert done.steps[0].outcome == "done"


def test_the_body_of_a_step_is_held_byte_by_byte(orders: Any, tmp_path: Path) -> None:
    """botocore makes a stream of it; another one is refused."""
    params = {"Bucket": "notes", "Key": "k", "Body": "text"}
    step = {"name": "it", "call": "s3:PutObject", "params": params}
    book = {"runbook": 1, "name": "it", "purpose": "p", "owner": "o", "step": [step]}
    s3 = boto3.client("s3", region_name="eu-west-1")

    with dynaguard.task(book, region="eu-west-1", session=boto3.Session()):
        for body in (b"other", io.BytesIO(b"other"), io.BytesIO(b"text and more")):
            with pytest.raises(PolicyDenied, match="`Body` of `PutObject` is not as step"):
                s3.put_object(Bucket="notes", Key="k", Body=body)
