"""A runbook that most tests of the room start from, and a table of orders to run on."""

from __future__ import annotations

import copy
import tomllib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import boto3
import pytest
from moto import mock_aws

import dynaguard
from tests.runbooks.run_cases import POLICY, make_table

ORDERS = """
runbook = 1
name = "orders-of-customer"
purpose = "Show the latest orders of one customer during an incident"
owner = "team-orders"
link = "https://wiki.example/orders"
may_run = [{ Group = "on-call" }, "arn:aws:iam::*:role/ops-*"]

[limits]
duration_s = 300
items = 100

[tables.orders]
key = ["customer_id", "order_id"]

[parameters.customer_id]
type = "string"
pattern = "C-[0-9]{1,9}"

[[step]]
name = "find"
call = "dynamodb:Query"
pages = 5
[step.params]
TableName = "orders"
KeyConditionExpression = "customer_id = :c"
ProjectionExpression = "customer_id, order_id"
Limit = 20
ExpressionAttributeValues = { ":c" = { "$param" = "customer_id" } }

[[step]]
name = "enough"
check = { of = { "$result" = "find.Count" }, at_most = 100 }

[[step]]
name = "each"
loop = { over = { "$result" = "find.Items" }, at_most = 50 }
[[step.step]]
name = "drop"
call = "dynamodb:DeleteItem"
[step.step.params]
TableName = "orders"
Key = { customer_id = { "$param" = "customer_id" }, order_id = { "$item" = "order_id" } }
"""


@pytest.fixture(scope="module")
def schema_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where documents are written, beside the file of their Python step."""
    found = tmp_path_factory.mktemp("runbooks")
    (found / "steps.py").write_text("def compute(run):\n    return 1\n")
    return found


@pytest.fixture
def orders_text() -> str:
    """The runbook as TOML."""
    return ORDERS


@pytest.fixture
def changed() -> Callable[..., dict[str, Any]]:
    """Gives the runbook as a mapping, with some of its top-level members replaced."""

    def make(**members: Any) -> dict[str, Any]:
        return copy.deepcopy({**tomllib.loads(ORDERS), **members})

    return make


@pytest.fixture
def orders() -> Iterator[Any]:
    """A client; five open orders of `ada`, one of `bob`. The guard is installed after them."""
    with mock_aws():
        client = boto3.client("dynamodb")
        make_table(client, {"ada": 5, "bob": 1})
        with dynaguard.install(POLICY):
            yield client
