"""What the demo found: values that print and serialise. Every number in them was measured."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True, slots=True)
class Loaded:
    """The tables that the job works on.

    Attributes:
        endpoint_url: Where they are.
        is_embedded: Whether the demo started that endpoint.
        start_s: How long its start took, in seconds.
        items_by_table: Items written, by table name.
        elapsed_s: How long making and filling them took, in seconds.
    """

    endpoint_url: str
    is_embedded: bool
    start_s: float
    items_by_table: Mapping[str, int]
    elapsed_s: float


@dataclass(frozen=True, slots=True)
class Installed:
    """What guards the job.

    Attributes:
        policy: Path of the document.
        statements, masks, budgets: How many it has.
        identity: ARN of the job's identity.
        environment: The process's environment.
        job, run_id: The job and this run of it.
    """

    policy: str
    statements: int
    masks: int
    budgets: int
    identity: str
    environment: str
    job: str
    run_id: str


@dataclass(frozen=True, slots=True)
class MaskedRead:
    """An allowed query whose answer came back masked.

    Attributes:
        table, index: What was asked.
        items: Items in the answer.
        rows: The first of them, as the caller got them.
        plain_emails, plain_cards: Values in the whole answer that should be masked and were not.
    """

    table: str
    index: str
    items: int
    rows: tuple[Mapping[str, Any], ...]
    plain_emails: int
    plain_cards: int


@dataclass(frozen=True, slots=True)
class Refusal:
    """A call that the policy forbids, and what came of it.

    Attributes:
        title: The call, in words.
        expected_statement: Sid of the statement that forbids it.
        statement: Sid of the statement that refused it; None when nothing did.
        line: Line of that statement in the document.
        error: Class of the error.
        error_code: Its AWS error code.
        message: What it says.
        requests_sent: Requests that reached the endpoint meanwhile.
    """

    title: str
    expected_statement: str
    statement: str | None = None
    line: int = 0
    error: str = ""
    error_code: str = ""
    message: str = ""
    requests_sent: int = 0


@dataclass(frozen=True, slots=True)
class Rollup:
    """What the job read before it wrote.

    Attributes:
        calls: Query calls, one per page.
        orders: Orders in them.
        customers: Customers with a total.
        elapsed_s: How long it took, in seconds.
    """

    calls: int
    orders: int
    customers: int
    elapsed_s: float


@dataclass(frozen=True, slots=True)
class BatchWrite:
    """A bulk write into a table that takes less per second than is asked of it.

    Attributes:
        is_guarded: Whether dynaguard was installed.
        table: Where to.
        threads: How many threads wrote.
        items: Items to write.
        arrived: Items in the table afterwards, counted by reading it.
        requests: Requests that reached the throttling proxy.
        throttled_requests: Of these, refused as a whole.
        items_handed_back: Items handed back as unprocessed.
        elapsed_s: How long it took, in seconds.
        wait_s: Seconds waited, all threads together; None where nothing tells.
        audited_attempts: Requests that the audit records tell of; None without dynaguard.
        retries_granted, retries_refused: What the budget ruled; None where it was not asked.
        tokens_left, max_tokens: Retry tokens afterwards, and their bound; None likewise.
        error: The error that ended it early, or None.
    """

    is_guarded: bool
    table: str
    threads: int
    items: int
    arrived: int
    requests: int
    throttled_requests: int
    items_handed_back: int
    elapsed_s: float
    wait_s: float | None = None
    audited_attempts: int | None = None
    retries_granted: int | None = None
    retries_refused: int | None = None
    tokens_left: float | None = None
    max_tokens: float | None = None
    error: str | None = None


@dataclass(frozen=True, slots=True)
class TableLimit:
    """What the throttling proxy lets through to the tables of the bulk writes."""

    items_per_s: float
    burst_items: float


@dataclass(frozen=True, slots=True)
class Evidence:
    """What one call left behind.

    Attributes:
        correlation_id: Of the call.
        header: The correlation header as it was on the wire.
        is_header_signed: Whether the signature covers it.
        user_agent_token: The part of the User-Agent that carries it.
        span: Name, times, status and attributes of its span.
        record: Its audit record.
    """

    correlation_id: str
    header: str
    is_header_signed: bool
    user_agent_token: str
    span: Mapping[str, Any]
    record: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Summary:
    """The whole run, read back from its audit file.

    Attributes:
        calls: Calls on record.
        calls_by_operation: The same by operation.
        calls_by_verdict: The same by decision.
        denials_by_statement: Refused calls by Sid.
        masked_by_attribute: Masked values by attribute path.
        requests: Requests sent, further attempts included.
        throttles: Of these, answered by a throttle or with leftovers.
        wait_s: Seconds waited, all threads together.
        audit_path: The audit file.
        records: Lines of this run in it.
    """

    calls: int
    calls_by_operation: Mapping[str, int]
    calls_by_verdict: Mapping[str, int]
    denials_by_statement: Mapping[str, int]
    masked_by_attribute: Mapping[str, int]
    requests: int
    throttles: int
    wait_s: float
    audit_path: str
    records: int


@dataclass(frozen=True, slots=True)
class DemoResult:
    """The whole demo.

    Attributes:
        unmet: Expectations that the run did not meet, one clause each.
        kept_tables: Names of the tables that are still there.
        elapsed_s: From start to end, in seconds.
    """

    loaded: Loaded
    installed: Installed
    masked_read: MaskedRead
    refusals: tuple[Refusal, ...]
    rollup: Rollup
    limit: TableLimit
    batch_writes: tuple[BatchWrite, ...]
    evidence: Evidence
    summary: Summary
    unmet: tuple[str, ...] = ()
    kept_tables: tuple[str, ...] = ()
    elapsed_s: float = 0.0
    versions: Mapping[str, str] = field(default_factory=dict)

    @property
    def is_as_expected(self) -> bool:
        """Whether every expectation was met."""
        return not self.unmet

    def as_dict(self) -> dict[str, Any]:
        """The same, nested mappings and lists only; for JSON."""
        return {"is_as_expected": self.is_as_expected, **dataclasses.asdict(self)}
