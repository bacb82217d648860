"""Shipped runbooks on the demo's tables: what they may do is enough, and all that passes."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import boto3
import pytest
from moto import mock_aws

import dynaguard
from dynaguard.demo.data import make_items
from dynaguard.demo.tables import Tables
from dynaguard.runbooks.binding import bind
from dynaguard.runbooks.bound import BoundRunbook
from dynaguard.runbooks.calls import calls_of
from dynaguard.runbooks.filling import filled
from dynaguard.runbooks.library import library_names, library_path
from dynaguard.runbooks.model import CallTemplate, Loop, Origin, Reference
from dynaguard.runbooks.reading import read_runbook
from dynaguard.scope import ScopeManager
from tests.runbooks.filled_calls import call_params
from tests.runbooks.random_calls import ACCOUNT, REGION

NAMES = ("prod-customers", "prod-orders", "staging-customers", "staging-orders")
ITEMS = make_items()
PROD = ITEMS["prod-orders"][0]
PAID, RETURNED = (
    next(item for item in ITEMS["staging-orders"] if item["status"] == status)
    for status in ("paid", "returned")
)
NEEDED = {"staging-orders": [PAID, RETURNED]}
VALUES: Mapping[str, Mapping[str, Any]] = {
    "get-by-key": {"customer_id": PROD["customer_id"], "order_id": PROD["order_id"]},
    "query-with-filter-and-pages": {
        "customer_id": PROD["customer_id"],
        "status": PROD["status"],
    },
    "bounded-scan": {"since": "2024-01-01"},
    "service-check": {"day": PROD["day"]},
    "bulk-update": {
        "customer_id": PAID["customer_id"],
        "old_status": "paid",
        "new_status": "delivered",
    },
    "bulk-delete-with-preview": {"customer_id": RETURNED["customer_id"]},
    "update-large-item": {
        "customer_id": PAID["customer_id"],
        "order_id": PAID["order_id"],
        "email": "new@example.org",
    },
}


@pytest.fixture(scope="module")
def aws() -> Iterator[Any]:
    """A client; the demo's tables with its items, and the log group of its service."""
    with mock_aws():
        client = boto3.client("dynamodb", region_name=REGION)
        tables = Tables(client, "")
        tables.create(NAMES)
        few = {name: [*ITEMS[name][:40], *NEEDED.get(name, ())] for name in NAMES}
        tables.load(few, lambda _count: None)
        boto3.client("logs", region_name=REGION).create_log_group(
            logGroupName="/aws/lambda/orders"
        )
        yield client


def _calls(bound: BoundRunbook) -> Iterator[tuple[CallTemplate, dict[str, Any]]]:
    """The calls of a run, one after the other; gets each answer by `send`."""
    answers: dict[str, Any] = {}
    now = datetime.now(UTC)
    for call in calls_of(bound.runbook):
        loop: Loop | None = call.loop
        items = answers[loop.items.path[0]]["Items"] if loop else [{}]
        for item in items:
            given: dict[Reference, Any] = {}

            def note(reference: Reference, given: Any = given, item: Any = item) -> None:
                if reference.origin is Origin.ITEM:
                    given[reference] = item[reference.path[0]]
                elif reference.origin is Origin.ANY:
                    given[reference] = now

            filled(call.template.params, note)
            params = call_params(call.template, bound.values, given)
            if "StartTime" in params:
                params["StartTime"] -= timedelta(minutes=10)
            answers[call.step.name] = yield call.template, params  # type: ignore[misc]


def _run(bound: BoundRunbook) -> list[tuple[str, Any]]:
    """Makes every call of a run within its boundary."""
    done: list[tuple[str, Any]] = []
    calls: Any = _calls(bound)
    answer = None
    while True:
        try:
            template, params = calls.send(answer)
        except StopIteration:
            return done
        client = boto3.client(template.service, region_name=template.region or REGION)
        method = client.meta.method_to_api_mapping
        name = next(key for key, value in method.items() if value == template.operation)
        answer = getattr(client, name)(**params)
        done.append((template.operation, answer))


@pytest.fixture
def guarded(aws: Any) -> Iterator[Any]:
    """The same client under a policy that allows nothing but the runs of shipped runbooks."""
    pins = {name: {"sha256": read_runbook(library_path(name)).sha256} for name in library_names()}
    policy = {"version": 1, "default": "deny", "govern": ["*"], "runbooks": pins}
    with dynaguard.install(policy, account_id=ACCOUNT):
        yield aws


def _within(bound: BoundRunbook) -> ScopeManager:
    boundary = bound.boundary("task", expires_epoch_s=datetime(2100, 1, 1, tzinfo=UTC).timestamp())
    return ScopeManager(lambda scope: replace(scope, boundaries=(boundary,)))


@pytest.mark.parametrize("name", library_names())
def test_a_shipped_runbook_may_do_what_it_does(guarded: Any, name: str) -> None:
    """Every call of it passes under a policy without any standing permission, and is answered."""
    bound = bind(read_runbook(library_path(name)), VALUES[name], region=REGION, account_id=ACCOUNT)

    with _within(bound):
        done = _run(bound)

    assert {operation for operation, _ in done} >= {
        call.template.operation for call in calls_of(bound.runbook)
    }
    reads = [answer for operation, answer in done if operation in ("Query", "Scan", "GetItem")]
    assert all(answer.get("Items") or answer.get("Item") for answer in reads)


def test_nothing_else_passes_while_it_runs(guarded: Any) -> None:
    """Another key of the same table is another call."""
    bound = bind(
        read_runbook(library_path("get-by-key")),
        VALUES["get-by-key"],
        region=REGION,
        account_id=ACCOUNT,
    )
    (call,) = calls_of(bound.runbook)
    params = call_params(call.template, bound.values)
    params["Key"] = {**params["Key"], "order_id": {"S": "O-999999"}}

    with _within(bound), pytest.raises(dynaguard.PolicyDenied) as caught:
        guarded.get_item(**params)

    assert "`Key` of `GetItem` is not as step `get` has it" in caught.value.reason


def test_nothing_passes_once_it_has_ended(guarded: Any) -> None:
    """Its permission is that of its run."""
    with pytest.raises(dynaguard.PolicyDenied):
        guarded.get_item(TableName="prod-orders", Key={"customer_id": {"S": "C-00001"}})
