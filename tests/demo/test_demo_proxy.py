"""The throttling proxy over sockets, before moto's server and with boto3 as the caller."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import pytest
from botocore.exceptions import ClientError

from dynaguard.demo.proxy import Limit, Rate, TableCounts, ThrottlingProxy
from tests.demo.throttled_table import (
    ClientMaker,
    make_client,
    proxy,
    put_requests,
    table,
    upstream,
)

__all__ = ["make_client", "proxy", "table", "upstream"]  # fixtures


pytestmark = pytest.mark.integration


def test_passes_calls_on(proxy: ThrottlingProxy, table: str, make_client: ClientMaker) -> None:
    """What is written through the proxy is read through it; reads are not limited here."""
    client = make_client(proxy.start())
    client.put_item(TableName=table, Item={"pk": {"S": "a"}, "total": {"N": "7"}})

    answer = client.get_item(TableName=table, Key={"pk": {"S": "a"}})

    assert answer["Item"] == {"pk": {"S": "a"}, "total": {"N": "7"}}
    assert proxy.counts == {"orders": TableCounts(accepted_items=2)}


def test_single_calls_over_the_limit_are_throttled(
    proxy: ThrottlingProxy, table: str, make_client: ClientMaker
) -> None:
    """The sixth write gets DynamoDB's own error, and the endpoint never sees it."""
    client = make_client(proxy.start())
    for index in range(5):
        client.put_item(TableName=table, Item={"pk": {"S": f"order-{index}"}})

    with pytest.raises(client.exceptions.ProvisionedThroughputExceededException) as caught:
        client.put_item(TableName=table, Item={"pk": {"S": "one too many"}})

    metadata = caught.value.response["ResponseMetadata"]
    assert metadata["HTTPStatusCode"] == 400
    assert metadata["RequestId"]
    assert "`orders`" in caught.value.response["Error"]["Message"]
    assert client.scan(TableName=table, Select="COUNT")["Count"] == 5
    assert proxy.counts["orders"].throttled_calls == 1


def test_a_batch_gets_its_leftovers_back(
    proxy: ThrottlingProxy, table: str, make_client: ClientMaker
) -> None:
    """The part that fits is written, the rest comes back as it was sent."""
    client = make_client(proxy.start())

    answer = client.batch_write_item(RequestItems={table: put_requests(0, 8)})

    assert answer["UnprocessedItems"] == {table: put_requests(5, 3)}
    assert client.scan(TableName=table, Select="COUNT")["Count"] == 5
    counts = proxy.counts["orders"]
    assert (counts.unprocessed_items, counts.throttled_calls) == (3, 0)


def test_a_batch_of_which_nothing_fits_is_throttled(
    proxy: ThrottlingProxy, table: str, make_client: ClientMaker
) -> None:
    """With nothing left the whole batch is an error, as AWS does it."""
    client = make_client(proxy.start())
    client.batch_write_item(RequestItems={table: put_requests(0, 5)})

    with pytest.raises(ClientError) as caught:
        client.batch_write_item(RequestItems={table: put_requests(5, 2)})

    assert caught.value.response["Error"]["Code"] == "ProvisionedThroughputExceededException"


def test_batch_reads_are_cut_too(upstream: str, table: str, make_client: ClientMaker) -> None:
    """Keys over the read limit come back as unprocessed keys."""
    limits = {table: Limit(read=Rate(units_per_s=0.0, burst_units=1.0))}
    keys = [{"pk": {"S": "order-0"}}, {"pk": {"S": "order-1"}}]
    with ThrottlingProxy(upstream, limits=limits) as running:
        client = make_client(running.start())
        client.batch_write_item(RequestItems={table: put_requests(0, 2)})

        answer = client.batch_get_item(RequestItems={table: {"Keys": keys}})

    assert answer["Responses"] == {table: [keys[0]]}
    assert answer["UnprocessedKeys"] == {table: {"Keys": [keys[1]]}}


def test_a_refill_lets_a_batch_writer_finish(
    upstream: str, table: str, make_client: ClientMaker
) -> None:
    """A loop over the leftovers writes every item exactly once."""
    limits = {table: Limit(write=Rate(units_per_s=500.0, burst_units=10.0))}
    with ThrottlingProxy(upstream, limits=limits) as running:
        client = make_client(running.start())
        pending = {table: put_requests(0, 25)}
        for _ in range(500):
            try:
                pending = client.batch_write_item(RequestItems=pending)["UnprocessedItems"]
            except client.exceptions.ProvisionedThroughputExceededException:
                continue
            if not pending:
                break

        assert client.scan(TableName=table, Select="COUNT")["Count"] == 25
        # the scan above counts as one item
        assert running.counts[table].accepted_items == 26


def test_errors_of_the_endpoint_come_through(
    proxy: ThrottlingProxy, make_client: ClientMaker
) -> None:
    """The proxy adds nothing to an answer that is not its own, nor to other operations."""
    client = make_client(proxy.start())

    with pytest.raises(client.exceptions.ResourceNotFoundException):
        client.describe_table(TableName="no-such-table")
    with pytest.raises(ClientError) as caught:  # a shortened batch that the endpoint refuses
        client.batch_write_item(
            RequestItems={"no-such-table": put_requests(0, 1), "orders": put_requests(0, 6)}
        )

    assert caught.value.response["Error"]["Code"] == "ResourceNotFoundException"
    assert [call.tables for call in proxy.witnessed] == [(), ("no-such-table", "orders")]


def test_many_threads_get_exactly_the_limit(
    proxy: ThrottlingProxy, table: str, make_client: ClientMaker
) -> None:
    """Threads together get what the table has, over kept-alive connections."""
    client = make_client(proxy.start(), max_pool_connections=8)

    def put(index: int) -> bool:
        try:
            client.put_item(TableName=table, Item={"pk": {"S": f"order-{index}"}})
        except client.exceptions.ProvisionedThroughputExceededException:
            return False
        return True

    with ThreadPoolExecutor(8) as pool:
        assert sum(pool.map(put, range(24))) == 5

    assert proxy.counts["orders"] == TableCounts(accepted_items=5, throttled_calls=19)
    assert len(proxy.witnessed) == 24


def test_witnesses_what_was_sent(
    proxy: ThrottlingProxy, table: str, make_client: ClientMaker
) -> None:
    """It keeps target, user agent, correlation headers and what was signed; no secrets."""
    client = make_client(proxy.start(), user_agent_extra="md/dynaguard#INC-4711")
    client.meta.events.register(
        "before-sign.dynamodb.*",
        lambda request, **_: request.headers.add_header("X-Dynaguard-Correlation-Id", "INC-4711"),
    )

    client.put_item(TableName=table, Item={"pk": {"S": "private"}})

    (seen,) = proxy.witnessed
    assert seen.target == "DynamoDB_20120810.PutItem"
    assert seen.user_agent.endswith("md/dynaguard#INC-4711")
    assert seen.headers["x-dynaguard-correlation-id"] == "INC-4711"
    assert "x-dynaguard-correlation-id" in seen.signed_headers
    assert (seen.tables, seen.status) == (("orders",), 200)
    assert "private" not in repr(seen)
    assert "Signature" not in repr(seen)
