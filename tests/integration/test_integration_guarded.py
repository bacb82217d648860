"""The main job against a real endpoint; its CloudTrail is the witness of what was sent.

Each test names the requirement lines that it holds.
"""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from botocore.config import Config
from botocore.exceptions import ClientError

import dynaguard
from dynaguard import PolicyDenied
from dynaguard.demo.meter import Limit, Rate
from dynaguard.demo.proxy import ThrottlingProxy
from dynaguard.masking import MARKER
from tests.servers import Ministack, RecordedEvent

PREFIX = "guarded-"
KEY = {"order_id": {"S": "1"}}
POLICY: dict[str, Any] = {
    "version": 1,
    "default": "deny",
    "govern": ["dynamodb", "ssm", "s3"],
    "variables": {"stage": {"env": "STAGE", "default": "staging"}},
    "statement": [
        {
            "Sid": "OwnStage",
            "Effect": "Allow",
            "Action": ["dynamodb:*Item", "dynamodb:Query"],
            "Resource": f"arn:aws:dynamodb:*:*:table/{PREFIX}${{stage}}-*",
            "Condition": {"StringEquals": {"aws:RequestedRegion": "eu-west-1"}},
        },
        {
            "Sid": "NoScans",
            "Effect": "Deny",
            "Action": "dynamodb:Scan",
            "Resource": "*",
        },
        {
            "Sid": "OneParameter",
            "Effect": "Allow",
            "Action": "ssm:GetParameter",
            "Resource": "arn:aws:ssm:*:*:parameter/app/*",
        },
    ],
    "mask": [{"tables": [f"{PREFIX}*"], "attributes": ["email", "total"], "with": "partial"}],
    "budget": [{"job": "load", "tables": ["*"], "max_tokens": 20, "min_retries_per_s": 2}],
}


@pytest.fixture(scope="module")
def tables(ministack: Ministack) -> list[str]:
    """A staging and a production table with a few items, made before anything is guarded."""
    client = ministack.client("dynamodb")
    names = [f"{PREFIX}staging-orders", f"{PREFIX}prod-orders"]
    for name in names:
        client.create_table(
            TableName=name,
            KeySchema=[
                {"AttributeName": "order_id", "KeyType": "HASH"},
                {"AttributeName": "line", "KeyType": "RANGE"},
            ],
            AttributeDefinitions=[
                {"AttributeName": "order_id", "AttributeType": "S"},
                {"AttributeName": "line", "AttributeType": "N"},
            ],
            BillingMode="PAY_PER_REQUEST",
        )
        for line in range(7):
            client.put_item(TableName=name, Item=item(line))
    return names


def item(line: int) -> dict[str, Any]:
    """An order line."""
    return {
        "order_id": {"S": "1"},
        "line": {"N": str(line)},
        "email": {"S": "ann@example.org"},
        "total": {"N": "12.5"},
        "note": {"S": f"line {line}"},
    }


@pytest.fixture(autouse=True)
def _uninstalled() -> Iterator[None]:
    yield
    dynaguard.uninstall()


class Witness:
    """Tells what a server has seen since: it keeps its last 10,000 calls alone, so by their ids.

    Args:
        ministack: The server.
        region: Calls of which region.
    """

    def __init__(self, ministack: Ministack, region: str = "eu-west-1") -> None:
        self._ministack, self._region = ministack, region
        self._seen = {event.request_id for event in self._events()}

    def _events(self) -> tuple[RecordedEvent, ...]:
        return self._ministack.recorded_events(region=self._region)

    def sent(self) -> list[tuple[str, Any]]:
        """Operation and table of every call since."""
        return [
            (event.name, event.parameters.get("TableName", event.parameters.get("tableName")))
            for event in self._events()
            if event.request_id not in self._seen
        ]


def test_a_denied_call_was_never_sent(ministack: Ministack, tables: list[str]) -> None:
    """D.4, S2.6, S2.18, S4.32: the server saw the allowed read and not the refused Scan."""
    client = ministack.client("dynamodb")
    witness = Witness(ministack)
    dynaguard.install(POLICY)

    client.get_item(TableName=tables[0], Key={**KEY, "line": {"N": "0"}})
    with pytest.raises(PolicyDenied, match="NoScans"):
        client.scan(TableName=tables[0])

    assert witness.sent() == [("GetItem", tables[0])]


@pytest.mark.parametrize("path", ["client", "resource"])
def test_a_production_table_is_not_deleted(
    ministack: Ministack, tables: list[str], path: str
) -> None:
    """S4.33: neither through a client nor through a `Table` object."""
    client, resource = ministack.client("dynamodb"), ministack.resource("dynamodb")
    witness = Witness(ministack)
    dynaguard.install(POLICY)

    delete = {
        "client": lambda: client.delete_table(TableName=tables[1]),
        "resource": resource.Table(tables[1]).delete,
    }
    with pytest.raises(PolicyDenied) as caught:
        delete[path]()

    assert "dynamodb:DeleteTable" in caught.value.how_to_allow  # S2.7: it says what would allow it
    assert witness.sent() == []


def test_another_region_is_not_reached(ministack: Ministack, tables: list[str]) -> None:
    """S2.19: a client of another region is refused."""
    client = ministack.client("dynamodb", region="us-east-1")
    witness = Witness(ministack, "us-east-1")
    dynaguard.install(POLICY)

    with pytest.raises(PolicyDenied):
        client.get_item(TableName=tables[0], Key={**KEY, "line": {"N": "0"}})

    assert witness.sent() == []


def test_staging_does_not_read_production(ministack: Ministack, tables: list[str]) -> None:
    """S5.9: the environment's own tables and no others."""
    client = ministack.client("dynamodb")
    witness = Witness(ministack)
    dynaguard.install(POLICY)

    with pytest.raises(PolicyDenied):
        client.query(
            TableName=tables[1],
            KeyConditionExpression="order_id = :o",
            ExpressionAttributeValues={":o": {"S": "1"}},
        )

    assert witness.sent() == []


def test_the_correlation_id_is_in_cloudtrail(ministack: Ministack, tables: list[str]) -> None:
    """D.5: the User-Agent that the server recorded carries the scope's id."""
    client = ministack.client("dynamodb")
    dynaguard.install(POLICY)

    with dynaguard.correlation("INC-4711"):
        client.get_item(TableName=tables[0], Key={**KEY, "line": {"N": "0"}})

    agents = [event.user_agent for event in ministack.recorded_events()]
    assert [agent for agent in agents if agent.endswith("md/dynaguard#INC-4711")]


def test_masks_hold_over_pages_and_pagination_goes_on(
    ministack: Ministack, tables: list[str]
) -> None:
    """D.7: every page is masked, every line arrives once."""
    client = ministack.client("dynamodb")
    dynaguard.install(POLICY)

    pages = client.get_paginator("query").paginate(
        TableName=tables[0],
        KeyConditionExpression="order_id = :o",
        ExpressionAttributeValues={":o": {"S": "1"}},
        PaginationConfig={"PageSize": 2},
    )
    items = [each for page in pages for each in page["Items"]]

    assert [each["note"]["S"] for each in items] == [f"line {line}" for line in range(7)]
    assert "ann@" not in json.dumps(items)
    assert all(each["total"]["S"].startswith(MARKER) for each in items)


def test_a_masked_item_is_not_written_back(ministack: Ministack, tables: list[str]) -> None:
    """Read, modify, write does not destroy the table's value."""
    table = ministack.resource("dynamodb").Table(tables[0])
    dynaguard.install(POLICY)
    found = table.get_item(Key={"order_id": "1", "line": 3})["Item"]

    with pytest.raises(dynaguard.MaskedWriteRefused, match="email"):
        table.put_item(Item=found)
    dynaguard.uninstall()

    assert table.get_item(Key={"order_id": "1", "line": 3})["Item"]["email"] == "ann@example.org"


def test_other_services_are_decided_too(ministack: Ministack) -> None:
    """D.13: SSM and S3 by the same policy."""
    ssm, s3 = ministack.client("ssm"), ministack.client("s3")
    ssm.put_parameter(Name="/app/a", Value="x", Type="String")
    dynaguard.install(POLICY)

    assert ssm.get_parameter(Name="/app/a")["Parameter"]["Value"] == "x"
    with pytest.raises(PolicyDenied):
        ssm.get_parameter(Name="/other/a")
    with pytest.raises(PolicyDenied):
        s3.list_objects_v2(Bucket="data")


def test_two_lines_guard_a_program(
    ministack: Ministack, tables: list[str], tmp_path: Path
) -> None:
    """D.10: import and install, the policy found beside the program."""
    (tmp_path / "dynaguard.json").write_text(json.dumps(POLICY))
    program = (
        "import dynaguard; dynaguard.install('dynaguard.json')\n"
        "import boto3\n"
        f"boto3.client('dynamodb', endpoint_url='{ministack.url}').scan(TableName='{tables[0]}')\n"
    )

    done = subprocess.run(
        [sys.executable, "-c", program], cwd=tmp_path, capture_output=True, text=True, check=False
    )

    assert done.returncode == 1
    assert "PolicyDenied" in done.stderr
    assert "NoScans" in done.stderr


@pytest.mark.parametrize("mode", ["legacy", "standard", "adaptive"])
def test_a_throttled_batch_load_finishes_within_its_budget(
    ministack: Ministack, tables: list[str], mode: str
) -> None:
    """boto3's batch_writer under leftovers: every item arrives, and the loop does not spin."""
    limits = {tables[0]: Limit(write=Rate(units_per_s=60.0, burst_units=20.0))}
    with ThrottlingProxy(ministack.url, limits=limits) as proxy:
        config = Config(retries={"mode": mode})
        session = ministack.session()
        table = session.resource("dynamodb", endpoint_url=proxy.start(), config=config).Table(
            tables[0]
        )
        dynaguard.install({**POLICY, "mask": [], "statement": [
            {"Effect": "Allow", "Action": "dynamodb:*", "Resource": "*"},
        ]})  # fmt: skip
        with dynaguard.job("load"), table.batch_writer() as batch:
            for number in range(100):
                batch.put_item(Item={"order_id": f"{mode}-{number}", "line": 0})
        requests = len(proxy.witnessed)
        dynaguard.uninstall()

    plain = ministack.resource("dynamodb").Table(tables[0])
    arrived = [
        plain.get_item(Key={"order_id": f"{mode}-{number}", "line": 0}).get("Item")
        for number in range(100)
    ]
    assert all(arrived)
    assert requests < 120  # in small parts; boto3 alone sends several hundred
    assert proxy.counts[tables[0]].accepted_items >= 100


def test_a_spent_budget_surfaces_botocores_error(ministack: Ministack, tables: list[str]) -> None:
    """The table takes nothing: botocore's own error, with the note, after the budget."""
    limits = {tables[0]: Limit(write=Rate(units_per_s=0.01, burst_units=1.0))}
    document = {
        **POLICY,
        "budget": [{"max_tokens": 2, "min_retries_per_s": 0, "retry_ratio": 0}],
    }
    with ThrottlingProxy(ministack.url, limits=limits) as proxy:
        client = ministack.session().client("dynamodb", endpoint_url=proxy.start())
        dynaguard.install(document)
        client.put_item(TableName=tables[0], Item=item(90))
        before = len(proxy.witnessed)
        with pytest.raises(ClientError) as caught:
            client.put_item(TableName=tables[0], Item=item(91))

    assert caught.value.response["Error"]["Code"] == "ProvisionedThroughputExceededException"
    assert "budget" in caught.value.response["ResponseMetadata"]["DynaguardRetryBudget"]
    assert len(proxy.witnessed) - before == 3
