"""Amazon Resource Names: made from what a call tells, taken apart, and honest about gaps.

Source: IAM User Guide, Identify AWS resources with ARNs.
"""

from __future__ import annotations

import string
from collections.abc import Iterator, Mapping
from functools import lru_cache
from typing import Any, Final

from dynaguard.call import UNKNOWN_ACCOUNT, UNKNOWN_RUN, Call
from dynaguard.values import dataclass

NAME_CHARS: Final = string.ascii_letters + string.digits + "_.-"
"""The characters of table, index and bucket names."""
_PARTS: Final = 6
_ACCOUNT_LENGTH: Final = 12


@dataclass(frozen=True, slots=True)
class Place:
    """Where a call's resources live.

    Attributes:
        partition: `aws`, `aws-cn` ...
        region: The region called, or the mark of an unknown one.
        account: The account, or the mark of an unknown one.
    """

    partition: str
    region: str
    account: str

    def arn(self, service: str, resource: str) -> str:
        """The ARN of a resource of that service here."""
        return f"arn:{self.partition}:{service}:{self.region}:{self.account}:{resource}"


def place_of(call: Call, account_id: str | None) -> Place:
    """The place that a call goes to."""
    return _place(call.partition, call.region or UNKNOWN_RUN, account_id or UNKNOWN_ACCOUNT)


@lru_cache(maxsize=256)
def _place(partition: str, region: str, account: str) -> Place:
    """The one place of that name: a process calls few of them, again and again."""
    return Place(partition, region, account)


def is_arn(value: Any, service: str | None = None) -> bool:
    """Whether a value is a whole ARN (of that service)."""
    if not isinstance(value, str) or not value.startswith("arn:"):
        return False
    parts = value.split(":", _PARTS - 1)
    if len(parts) != _PARTS or not parts[1] or not parts[2] or not parts[5]:
        return False
    return service is None or parts[2] == service


def is_made_of(value: Any, chars: str, max_length: int) -> bool:
    """Whether a value is text of these characters alone, not empty and not too long."""
    # `strip` stops at the first foreign character from either end: without one nothing is left.
    return isinstance(value, str) and 0 < len(value) <= max_length and not value.strip(chars)


def is_account(text: str) -> bool:
    """Whether a text is an AWS account id: twelve digits."""
    return len(text) == _ACCOUNT_LENGTH and is_made_of(text, string.digits, _ACCOUNT_LENGTH)


def values_named(value: Any, name: str) -> Iterator[Any]:
    """Every value of that name in nested parameters; O(size), depth and cycles do no harm."""
    left, seen = [value], set[int]()
    while left:
        current = left.pop()
        if id(current) in seen:
            continue
        seen.add(id(current))
        if isinstance(current, Mapping):
            if name in current:
                yield current[name]
            left.extend(current.values())
        elif isinstance(current, list | tuple):
            left.extend(current)


def last_part(arn: str) -> str:
    """The resource part of an ARN: `table/orders/index/by_day`."""
    return arn.split(":", _PARTS - 1)[-1]


def account_of(arn: str) -> str:
    """The account part of an ARN; empty for services that have none."""
    return arn.split(":", _PARTS - 1)[4]


def region_of(arn: str) -> str:
    """The region part of an ARN; empty for services that have none."""
    return arn.split(":", _PARTS - 1)[3]
