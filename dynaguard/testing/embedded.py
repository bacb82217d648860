"""Where a runbook is tested: an in-process DynamoDB, an endpoint, or recorded answers."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Iterator, Mapping
from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from dynaguard.errors import ConfigurationError, MissingExtraError

if TYPE_CHECKING:
    from dynaguard.testing.runbook_cases import TestTable

REGION: Final = "eu-west-1"
_KEY_TYPES: Final = ("HASH", "RANGE")


@contextlib.contextmanager
def embedded() -> Iterator[Any]:
    """A boto3 session whose calls an in-process moto answers, empty at its begin.

    Raises:
        MissingExtraError: moto is not installed.
    """
    try:
        from moto import mock_aws
    except ImportError as err:
        raise MissingExtraError("an embedded endpoint", "demo") from err
    with mock_aws():
        yield fake_session()


def fake_session() -> Any:
    """A boto3 session of credentials that open nothing.

    Endpoints that variables and profiles name (`AWS_ENDPOINT_URL`) do not count: tests make and
    delete tables, which must happen nowhere but where they are told.

    Raises:
        MissingExtraError: boto3 is not installed.
    """
    try:
        import boto3  # type: ignore[import-untyped]
        import botocore.session
    except ImportError as err:
        raise MissingExtraError("tests of runbooks", "aws") from err
    core = botocore.session.Session()
    core.set_config_variable("ignore_configured_endpoint_urls", True)
    return boto3.Session(
        botocore_session=core,
        aws_access_key_id="AKIAIOSFODNN7EXAMPLE",
        aws_secret_access_key="not-a-secret",
        region_name=REGION,
    )


def make_table(client: Any, table: TestTable) -> None:
    """A table with its items."""
    names = dict.fromkeys(
        [*table.key, *(name for keys in table.indexes.values() for name in keys)]
    )
    indexes = [
        {
            "IndexName": name,
            "KeySchema": _key_schema(keys),
            "Projection": {"ProjectionType": "ALL"},
        }
        for name, keys in table.indexes.items()
    ]
    client.create_table(
        TableName=table.name,
        AttributeDefinitions=[
            {"AttributeName": name, "AttributeType": table.types.get(name, "S")} for name in names
        ],
        KeySchema=_key_schema(table.key),
        BillingMode="PAY_PER_REQUEST",
        **({"GlobalSecondaryIndexes": indexes} if indexes else {}),
    )
    for item in table.items:
        client.put_item(TableName=table.name, Item=attributes(item))


def attributes(item: Mapping[str, Any]) -> dict[str, Any]:
    """Plain values as DynamoDB has them."""
    return {name: _attribute(value) for name, value in item.items()}


def plain(value: Any) -> Any:
    """What an attribute value holds, as a test file writes it."""
    if not isinstance(value, Mapping) or len(value) != 1:
        return value
    kind, held = next(iter(value.items()))
    if kind == "N":
        found = Decimal(held)
        return int(found) if found == found.to_integral_value() else float(found)
    if kind == "M":
        return {name: plain(each) for name, each in held.items()}
    if kind == "L":
        return [plain(each) for each in held]
    return None if kind == "NULL" else held


def _key_schema(names: tuple[str, ...]) -> list[dict[str, str]]:
    return [
        {"AttributeName": name, "KeyType": kind}
        for name, kind in zip(names, _KEY_TYPES, strict=False)
    ]


def _attribute(value: Any) -> dict[str, Any]:
    """One value as DynamoDB has it."""
    if isinstance(value, bool):
        return {"BOOL": value}
    if isinstance(value, int | float | Decimal):
        return {"N": str(value)}
    if isinstance(value, Mapping):
        return {"M": attributes(value)}
    if isinstance(value, list | tuple):
        return {"L": [_attribute(each) for each in value]}
    return {"S": value if isinstance(value, str) else value.isoformat()}


class RecordedSession:
    """Gives clients that answer from a file: the n-th call of a service gets its n-th answer.

    **Shape** of the file: a list of `{"service": ..., "operation": ..., "answer": {...}}` or
    `{"service": ..., "operation": ..., "error": {"code": ..., "status": ...}}`. botocore's
    Stubber holds answers to AWS's model; the guard decides, masks and records as for any call.

    Args:
        path: The file.

    Raises:
        ConfigurationError: It cannot be read, or is of another shape.
    """

    region_name = REGION

    def __init__(self, path: Path) -> None:
        try:
            self._answers = json.loads(path.read_text(encoding="utf-8"))
            services = [each["service"] for each in self._answers]
        except (OSError, ValueError, KeyError, TypeError) as err:
            raise ConfigurationError(
                f"the recorded answers `{path}` cannot be read ({type(err).__name__}), write a "
                "list of `service`, `operation` and `answer`"
            ) from err
        self._session = fake_session()
        self._clients = {service: self._stubbed(service) for service in dict.fromkeys(services)}

    def client(self, service: str, **_options: Any) -> Any:
        """The client of a service, whatever else is asked for."""
        if service not in self._clients:
            raise ConfigurationError(f"no answer is recorded for `{service}`")
        return self._clients[service]

    def _stubbed(self, service: str) -> Any:
        """A client with the answers of its service."""
        from botocore.stub import Stubber

        client = self._session.client(service)
        method_by_operation = {
            name: method for method, name in client.meta.method_to_api_mapping.items()
        }
        stubber = Stubber(client)
        for each in self._answers:
            if each["service"] != service:
                continue
            method = method_by_operation[each["operation"]]
            if "error" in each:
                error = each["error"]
                status = error.get("status", 400)
                stubber.add_client_error(method, error["code"], http_status_code=status)
            else:
                stubber.add_response(method, each["answer"])
        stubber.activate()
        return client
