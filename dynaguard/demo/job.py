"""The demo's job, step by step: each does some calls and gives what came of them.

Nothing here prints. The steps call AWS as any program would; only `guarded` knows of dynaguard,
beside the scopes and the errors.
"""

from __future__ import annotations

import contextlib
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from boto3.dynamodb.conditions import Key  # type: ignore[import-untyped]
from botocore.exceptions import ClientError

import dynaguard
from dynaguard.demo.bulk import THREADS, write_in_bulk
from dynaguard.demo.data import Item, order_days
from dynaguard.demo.isolation import ACCOUNT_ID, REGION, Connections
from dynaguard.demo.proxy import Limit, Rate, TableCounts, ThrottlingProxy
from dynaguard.demo.results import (
    BatchWrite,
    Installed,
    MaskedRead,
    Refusal,
    Rollup,
    TableLimit,
)
from dynaguard.demo.tables import BY_COUNTRY, BY_DAY, Tables
from dynaguard.masking import MARKER

if TYPE_CHECKING:
    from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

JOB: Final = "nightly-rollup"
IDENTITY: Final = f"arn:aws:iam::{ACCOUNT_ID}:role/etl-nightly"
ENVIRONMENT: Final = "prod"
CORRELATION_ID: Final = "INC-4711"
LIMIT: Final = TableLimit(items_per_s=150.0, burst_items=75.0)
BARE_TARGET: Final = "dev-totals"
GUARDED_TARGET: Final = "prod-totals"
_FAR_REGION: Final = "us-east-1"
_COUNTRY: Final = "NL"
_READ_ITEMS: Final = 25
_SHOWN_ROWS: Final = 4
_ROLLUP_DAYS: Final = 7
_PAGE_ITEMS: Final = 100


@dataclass(frozen=True, slots=True)
class Stage:
    """Where the job plays.

    Attributes:
        connections: To the throttling proxy.
        proxy: The proxy, as the witness of what was sent.
        tables: The tables, through a client of the endpoint itself; used while nothing is
            installed.
        prefix: Begins every table's name.
        policy: The document.
        audit: The audit file.
        spans: The finished spans.
        run_id: This run of the job.
    """

    connections: Connections
    proxy: ThrottlingProxy
    tables: Tables
    prefix: str
    policy: Path
    audit: Path
    spans: InMemorySpanExporter
    run_id: str

    def name(self, table: str) -> str:
        """A table's full name."""
        return self.prefix + table


def limits(prefix: str) -> dict[str, Limit]:
    """What the throttling proxy lets through, by table."""
    limit = Limit(write=Rate(LIMIT.items_per_s, LIMIT.burst_items))
    return {prefix + BARE_TARGET: limit, prefix + GUARDED_TARGET: limit}


@contextlib.contextmanager
def guarded(stage: Stage, *, environment: str = ENVIRONMENT) -> Iterator[None]:
    """Guards everything in the block, as a run of the job in a process of that environment."""
    with (
        dynaguard.install(
            stage.policy,
            mode="enforce",
            audit=stage.audit,
            account_id=ACCOUNT_ID,
            identity=IDENTITY,
            environment=environment,
            service="dynaguard-demo",
        ),
        dynaguard.job(JOB, run_id=stage.run_id),
    ):
        yield


def describe_installation(stage: Stage) -> Installed:
    """What guards the job."""
    with guarded(stage):
        policy = dynaguard.status().policy
    return Installed(
        policy=str(stage.policy),
        statements=policy.statements if policy else 0,
        masks=policy.masks if policy else 0,
        budgets=policy.budgets if policy else 0,
        identity=IDENTITY,
        environment=ENVIRONMENT,
        job=JOB,
        run_id=stage.run_id,
    )


# --- allowed, and masked -------------------------------------------------------------------------


def read_customers(stage: Stage) -> MaskedRead:
    """Asks an index for customers, as a boto3 `Table`; e-mails and card numbers come masked."""
    table = stage.connections.resource().Table(stage.name("prod-customers"))
    with guarded(stage), dynaguard.correlation(CORRELATION_ID):
        answer = table.query(
            IndexName=BY_COUNTRY,
            KeyConditionExpression=Key("country").eq(_COUNTRY),
            Limit=_READ_ITEMS,
            ReturnConsumedCapacity="TOTAL",
        )
    items = answer["Items"]
    return MaskedRead(
        table=table.name,
        index=BY_COUNTRY,
        items=len(items),
        rows=tuple(_read_row(item) for item in items[:_SHOWN_ROWS]),
        plain_emails=sum(not item["email"].startswith(MARKER) for item in items),
        plain_cards=sum(
            not card["number"].startswith(MARKER) for item in items for card in item["cards"]
        ),
    )


def _read_row(item: Item) -> dict[str, Any]:
    """A customer as the report shows it."""
    return {
        "id": item["customer_id"],
        "name": item["name"],
        "email": item["email"],
        "card": item["cards"][0]["number"],
    }


# --- refused -------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Forbidden:
    """A call that the policy forbids.

    Attributes:
        title: The call, in words.
        statement: Sid of the statement that forbids it.
        make: Makes it, with a client and the orders table's name.
        environment: Of the process that makes it.
        region: Of its client.
    """

    title: str
    statement: str
    make: Callable[[Any, str], object]
    environment: str = ENVIRONMENT
    region: str = REGION


def _get_order(client: Any, table: str) -> object:
    """Reads one order."""
    key = {"customer_id": {"S": "C-00001"}, "order_id": {"S": "O-000001"}}
    return client.get_item(TableName=table, Key=key)


FORBIDDEN: Final = (
    Forbidden(
        "Scan prod-orders",
        "NoScans",
        lambda client, table: client.scan(TableName=table),
    ),
    Forbidden(
        "DeleteTable prod-orders",
        "ProductionStays",
        lambda client, table: client.delete_table(TableName=table),
    ),
    Forbidden(
        f"GetItem prod-orders in {_FAR_REGION}",
        "StayInIreland",
        _get_order,
        region=_FAR_REGION,
    ),
    Forbidden(
        "GetItem prod-orders from staging",
        "ProductionForProduction",
        _get_order,
        environment="staging",
    ),
)


def try_forbidden(stage: Stage, forbidden: Forbidden) -> Refusal:
    """Makes a forbidden call as a program would, with `except ClientError` around it."""
    client = stage.connections.client(region=forbidden.region)
    before = len(stage.proxy.witnessed)
    error: ClientError | None = None
    with guarded(stage, environment=forbidden.environment):
        try:
            forbidden.make(client, stage.name("prod-orders"))
        except ClientError as err:
            error = err
    requests_sent = len(stage.proxy.witnessed) - before
    statement = error.statement if isinstance(error, dynaguard.PolicyDenied) else None
    return Refusal(
        title=forbidden.title,
        expected_statement=forbidden.statement,
        statement=statement.sid if statement else None,
        line=statement.line if statement else 0,
        error=type(error).__name__ if error else "",
        error_code=error.response["Error"]["Code"] if error else "",
        message=str(error.response["Error"]["Message"]) if error else "",
        requests_sent=requests_sent,
    )


# --- throttled -----------------------------------------------------------------------------------


def roll_up(stage: Stage) -> tuple[Rollup, list[Item]]:
    """Reads a week of orders page by page and adds them up; gives one total per customer."""
    started_s = time.monotonic()
    orders_by_customer: Counter[str] = Counter()
    sum_by_customer: dict[str, Decimal] = {}
    calls = 0
    table = stage.connections.resource().Table(stage.name("prod-orders"))
    with guarded(stage):
        for page in _order_pages(table):
            calls += 1
            for order in page:
                customer = order["customer_id"]
                orders_by_customer[customer] += 1
                sum_by_customer[customer] = (
                    sum_by_customer.get(customer, Decimal()) + order["total"]
                )
    totals: list[Item] = [
        {"customer_id": customer, "orders": count, "total": sum_by_customer[customer]}
        for customer, count in orders_by_customer.items()
    ]
    elapsed_s = time.monotonic() - started_s
    return Rollup(calls, orders_by_customer.total(), len(totals), elapsed_s), totals


def _order_pages(table: Any) -> Iterator[list[Item]]:
    """The pages of the last days' orders."""
    for day in list(order_days())[:_ROLLUP_DAYS]:
        start: dict[str, Any] = {}
        while True:
            answer = table.query(
                IndexName=BY_DAY,
                KeyConditionExpression=Key("day").eq(day),
                ProjectionExpression="customer_id, #total",
                ExpressionAttributeNames={"#total": "total"},
                Limit=_PAGE_ITEMS,
                **start,
            )
            yield answer["Items"]
            if "LastEvaluatedKey" not in answer:
                break
            start = {"ExclusiveStartKey": answer["LastEvaluatedKey"]}


def write_bare(stage: Stage, totals: list[Item]) -> BatchWrite:
    """Writes the totals without dynaguard, for comparison."""
    table = stage.name(BARE_TARGET)
    run = write_in_bulk(stage.connections, table, totals)
    counts = stage.proxy.counts.get(table, TableCounts())
    return BatchWrite(
        is_guarded=False,
        table=table,
        threads=THREADS,
        items=len(totals),
        arrived=stage.tables.count(BARE_TARGET),
        requests=_requests_to(stage.proxy, table),
        throttled_requests=counts.throttled_calls,
        items_handed_back=counts.unprocessed_items,
        elapsed_s=run.elapsed_s,
        error=run.error,
    )


def write_guarded(stage: Stage, totals: list[Item]) -> BatchWrite:
    """Writes the totals with dynaguard, which waits and keeps to the retry budget."""
    table = stage.name(GUARDED_TARGET)
    with guarded(stage):
        run = write_in_bulk(stage.connections, table, totals)
        bucket = _find_bucket(table)
    counts = stage.proxy.counts.get(table, TableCounts())
    return BatchWrite(
        is_guarded=True,
        table=table,
        threads=THREADS,
        items=len(totals),
        arrived=stage.tables.count(GUARDED_TARGET),
        requests=_requests_to(stage.proxy, table),
        throttled_requests=counts.throttled_calls,
        items_handed_back=counts.unprocessed_items,
        elapsed_s=run.elapsed_s,
        error=run.error,
        retries_granted=bucket.get("retries_granted"),
        retries_refused=bucket.get("retries_refused"),
        tokens_left=bucket.get("tokens"),
        max_tokens=bucket.get("max_tokens"),
    )


def _find_bucket(table: str) -> Mapping[str, Any]:
    """The retry budget of the writes to a table, as `status()` shows it."""
    for bucket in dynaguard.status().buckets:
        key = bucket["key"]
        if key["resource"].endswith(f":table/{table}") and key["is_write"]:
            return bucket
    return {}


def _requests_to(proxy: ThrottlingProxy, table: str) -> int:
    """How many metered requests for a table reached the proxy."""
    return sum(table in witnessed.tables for witnessed in proxy.witnessed)
