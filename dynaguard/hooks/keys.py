"""`key_hash`: whether a key that somebody suspects is the hot one that the figures show."""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal
from typing import Any

from dynaguard.aws.dynamodb.values import key_text
from dynaguard.consumption.keys import readable_hash
from dynaguard.consumption.units import plain_name
from dynaguard.errors import ConfigurationError
from dynaguard.hooks.lifecycle import current

KeyValue = str | int | Decimal | bytes | Mapping[str, Any]


def key_hash(table: str, value: KeyValue) -> str:
    """The hash under which the key statistics of this process show a partition key.

    With a mask key every process that has it gives the same hash; without one a hash means
    something in this process alone.

    Args:
        table: Name or ARN of the table; indexes share their table's hashes.
        value: The partition key's value: text, a number (`int` or `Decimal`), `bytes`, or
            DynamoDB JSON (`{"S": "customer#1"}`).

    Returns:
        Sixteen hexadecimal digits.

    Raises:
        ConfigurationError: No key statistics are kept, or the value is of a kind that no key has.

    Effects: none; the value is not kept. Thread-safe.
    """
    guard, _ = current()
    consumption = guard.rooms.consumption if guard is not None else None
    keys = consumption.keys if consumption is not None else None
    if keys is None:
        raise ConfigurationError(
            "no key statistics are kept, install dynaguard with `key_statistics` on"
        )
    text = key_text(_as_attribute(value))
    if text is None:
        raise ConfigurationError(
            f"a value of type {type(value).__name__} is no partition key, pass text, an int, a "
            "Decimal, bytes or DynamoDB JSON"
        )
    return readable_hash(keys.hasher.of(plain_name(table), text))


def _as_attribute(value: object) -> object:
    """The value in DynamoDB JSON; what is of no known kind stays as it is."""
    if isinstance(value, str):
        return {"S": value}
    if isinstance(value, bytes | bytearray):
        return {"B": bytes(value)}
    if isinstance(value, int | Decimal) and not isinstance(value, bool):
        return {"N": str(value)}
    return value
