"""What tests of the throttling proxy share: a server, clients, a table, a proxy."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import boto3
import pytest
from botocore.config import Config

from dynaguard.demo.proxy import Limit, Rate, ThrottlingProxy
from tests.servers import moto_server

NO_REFILL = Limit(write=Rate(units_per_s=0.0, burst_units=5.0))


@pytest.fixture(scope="module")
def upstream() -> Iterator[str]:
    """Address of a real server in a process of its own."""
    with moto_server() as server:
        yield server.url


ClientMaker = Callable[..., Any]


@pytest.fixture
def make_client() -> Iterator[ClientMaker]:
    """Makes DynamoDB clients that try once; closes them."""
    clients = []

    def make(url: str, **config: Any) -> Any:
        client = boto3.session.Session().client(
            "dynamodb",
            endpoint_url=url,
            region_name="eu-west-1",
            aws_access_key_id="AKIAEXAMPLEEXAMPLE00",
            aws_secret_access_key="example",
            config=Config(retries={"total_max_attempts": 1}, proxies={}, **config),
        )
        clients.append(client)
        return client

    yield make
    for client in clients:
        client.close()


@pytest.fixture
def table(upstream: str, make_client: ClientMaker) -> Iterator[str]:
    """A fresh table named `orders`, made without the proxy."""
    client = make_client(upstream)
    client.create_table(
        TableName="orders",
        KeySchema=[{"AttributeName": "pk", "KeyType": "HASH"}],
        AttributeDefinitions=[{"AttributeName": "pk", "AttributeType": "S"}],
        BillingMode="PAY_PER_REQUEST",
    )
    yield "orders"
    client.delete_table(TableName="orders")


@pytest.fixture
def proxy(upstream: str) -> Iterator[ThrottlingProxy]:
    """A proxy that lets five writes to `orders` through and no more."""
    with ThrottlingProxy(upstream, limits={"orders": NO_REFILL}) as running:
        yield running


def put_requests(first: int, count: int) -> list[dict[str, Any]]:
    """That many writes of a batch."""
    return [
        {"PutRequest": {"Item": {"pk": {"S": f"order-{index}"}}}}
        for index in range(first, first + count)
    ]
