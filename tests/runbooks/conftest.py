"""A table of orders in an in-process DynamoDB, and a guard."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import boto3
import pytest
from moto import mock_aws

import dynaguard
from tests.runbooks.run_cases import POLICY, make_table


@pytest.fixture
def orders() -> Iterator[Any]:
    """A client; five open orders of `ada`, one of `bob`. The guard is installed after them."""
    with mock_aws():
        client = boto3.client("dynamodb")
        make_table(client, {"ada": 5, "bob": 1})
        with dynaguard.install(POLICY):
            yield client
