"""What a call asks of which resources, and what an answer says about them: plain values."""

from __future__ import annotations

import enum
from typing import Final, NamedTuple

from dynaguard.budgets.signals import Signal
from dynaguard.policy.patterns import text_matches

MAX_RETRY_AFTER_S: Final = 20.0
"""No longer pause is taken from AWS's word alone."""


class Part(NamedTuple):
    """What a call asks of one resource.

    Attributes:
        resource: ARN of the table or index, gaps and all; for other services
            `SERVICE:OPERATION@REGION`.
        units: Capacity units, as far as can be told before: one per item, two in a transaction.
        key_hash: Hash of the partition key value, where the call has exactly one and the key
            schema is known; else None.
    """

    resource: str
    units: float = 1.0
    key_hash: int | None = None


class Load(NamedTuple):
    """What a call asks of all its resources.

    Attributes:
        job: Name of its job; outside of a job, of its identity.
        parts: By resource.
        is_write: Whether it writes.
        account: Region and account, which account-wide limits are for.
        is_dynamodb: Whether it goes to DynamoDB, whose throttles are short.
    """

    job: str
    parts: tuple[Part, ...]
    is_write: bool
    account: str = ""
    is_dynamodb: bool = True

    @property
    def units(self) -> float:
        """All its units."""
        return sum(part.units for part in self.parts)


class Limit(enum.StrEnum):
    """What sort of limit a throttle is about.

    Source: DynamoDB developer guide, "Diagnosing throttling"; reasons end with these words.
    """

    RESOURCE = "resource"
    """Provisioned throughput, or the maximum of an on-demand table."""
    ACCOUNT = "account"
    KEY_RANGE = "key_range"
    """One partition."""


class Cause(NamedTuple):
    """One reason of a throttle.

    Attributes:
        limit: What sort of limit.
        resource: The table's or index's ARN as AWS wrote it; empty when it did not.
        reason: AWS's own code, `IndexWriteKeyRangeThroughputExceeded`; empty when it gave none.
    """

    limit: Limit
    resource: str = ""
    reason: str = ""


class Lesson(NamedTuple):
    """What one attempt's end says.

    Attributes:
        signal: In one word.
        sent_at_s: When the attempt was sent, on the budgets' clock.
        causes: Reasons of a throttle; empty when AWS gave none.
        left_units: Of the units asked for, those that were handed back.
        consumed: Units that AWS counted, where the answer tells.
        retry_after_s: The pause that AWS asked for; 0.0 for none.
    """

    signal: Signal
    sent_at_s: float
    causes: tuple[Cause, ...] = ()
    left_units: float = 0.0
    consumed: float | None = None
    retry_after_s: float = 0.0


def table_of(resource: str) -> str:
    """The table's name where a resource is a table's or an index's ARN; else the service."""
    if not resource.startswith("arn:"):
        return resource.partition(":")[0]
    return resource.partition(":table/")[2].partition("/")[0] or resource


def matches_any(patterns: tuple[str, ...], text: str) -> bool:
    """Whether one of the patterns (`*` and `?`) matches the whole text."""
    return any(text_matches(pattern, text) for pattern in patterns)
