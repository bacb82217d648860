"""What each signal means: the tables of the telemetry page. Nothing at run time needs it.

A test holds it to `names.py`, to the instruments that are made and to what is put on them.
"""

from __future__ import annotations

from typing import Final, NamedTuple

from dynaguard.telemetry import names


class Attribute(NamedTuple):
    """One attribute of spans and log records.

    Attributes:
        name: The name.
        kind: Its type.
        meaning: In Markdown, with when it is there.
    """

    name: str
    kind: str
    meaning: str


class Metric(NamedTuple):
    """One metric.

    Attributes:
        name: The name.
        instrument: `counter`, `gauge` or `histogram`.
        unit: In UCUM.
        attributes: What it is split by.
        meaning: In Markdown.
    """

    name: str
    instrument: str
    unit: str
    attributes: tuple[str, ...]
    meaning: str


CONVENTIONAL: Final = (
    Attribute(names.RPC_SYSTEM_NAME, "string", "`aws-api`."),
    Attribute(names.RPC_METHOD, "string", "`DynamoDB/GetItem`."),
    Attribute(names.SERVER_ADDRESS, "string", "Host of the endpoint."),
    Attribute(names.SERVER_PORT, "int", "Its port."),
    Attribute(names.CLOUD_REGION, "string", "Region of the client, where it has one."),
    Attribute(names.CLOUD_ACCOUNT_ID, "string", "Account of the caller, where known."),
    Attribute(names.DB_SYSTEM_NAME, "string", "`aws.dynamodb`; of DynamoDB."),
    Attribute(names.DB_OPERATION_NAME, "string", "Operation of DynamoDB."),
    Attribute(
        names.DB_OPERATION_BATCH_SIZE,
        "int",
        "Members of a batch, transaction or PartiQL batch of two or more.",
    ),
    Attribute(names.DB_COLLECTION_NAME, "string", "The table, where there is exactly one."),
    Attribute(
        names.DB_RESPONSE_STATUS_CODE, "string", "DynamoDB's error code, where it answered one."
    ),
    Attribute(names.DB_RESPONSE_RETURNED_ROWS, "int", "Items in DynamoDB's answer."),
    Attribute(names.AWS_DYNAMODB_TABLE_NAMES, "string[]", "The tables."),
    Attribute(names.AWS_DYNAMODB_INDEX_NAME, "string", "The index, where there is exactly one."),
    Attribute(names.AWS_DYNAMODB_CONSISTENT_READ, "boolean", "As given to a read."),
    Attribute(names.AWS_DYNAMODB_LIMIT, "int", "As given to a Query or Scan."),
    Attribute(names.AWS_DYNAMODB_SCAN_FORWARD, "boolean", "As given to a Query."),
    Attribute(names.AWS_DYNAMODB_SEGMENT, "int", "As given to a parallel Scan."),
    Attribute(names.AWS_DYNAMODB_TOTAL_SEGMENTS, "int", "As given to a parallel Scan."),
    Attribute(
        names.AWS_DYNAMODB_CONSUMED_CAPACITY,
        "string[]",
        "One JSON text per table, where the answer tells.",
    ),
    Attribute(names.AWS_DYNAMODB_SCANNED_COUNT, "int", "Items that a Query or Scan looked at."),
    Attribute(names.AWS_REQUEST_ID, "string", "Request id of the last answer."),
    Attribute(names.HTTP_RESPONSE_STATUS_CODE, "int", "Status of the last answer."),
    Attribute(
        names.ERROR_TYPE,
        "string",
        "Error code, or the class of the exception, of calls that failed or were denied.",
    ),
    Attribute(
        names.SECURITY_RULE_NAME, "string", "The statement (Sid) that decided, where one did."
    ),
    Attribute(names.SECURITY_RULE_RULESET_NAME, "string", "The file that it stands in."),
)
"""The semantic conventions' own."""

OWN: Final = (
    Attribute(names.CORRELATION_ID, "string", "As stamped on the request."),
    Attribute(names.JOB, "string", "Of the scope."),
    Attribute(names.RUN_ID, "string", "Of the scope."),
    Attribute(names.STAGE, "string", "Of the scope."),
    Attribute(names.RUNBOOK, "string", "Of the scope."),
    Attribute(names.TASK, "string", "Id of the task, of the scope."),
    Attribute(
        names.BOUNDARIES, "string[]", "Names of the boundaries of the scope, the outermost first."
    ),
    Attribute(names.PRIORITY, "string", "`interactive`, `batch` or `background`."),
    Attribute(names.IDENTITY_NAME, "string", "Short name of who signs."),
    Attribute(names.IDENTITY_KIND, "string", "`user`, `assumed_role`, `lambda` ..."),
    Attribute(names.IDENTITY_ARN, "string", "Its ARN, where known."),
    Attribute(names.IDENTITY_SESSION_NAME, "string", "Its session, where known."),
    Attribute(names.IDENTITY_ACTING_AS, "string", "The name given to `acting_as()`."),
    Attribute(names.IDENTITY_OWNER, "string", "Who answers for it, where anybody is named."),
    Attribute(names.IDENTITY_FUNCTION_VERSION, "string", "Version of the Lambda function."),
    Attribute(names.IDENTITY_SERVICE_ACCOUNT, "string", "`namespace/name`, of a pod's token."),
    Attribute(
        names.DECISION,
        "string",
        "`allow`, `deny`, `implicit_deny`, `require_approval` or `ungoverned`; once decided.",
    ),
    Attribute(names.DECISION_IS_ENFORCED, "boolean", "False where the mode let a refusal pass."),
    Attribute(names.DECISION_OBSERVED, "string[]", "Statements in `observe` mode that matched."),
    Attribute(names.DECISION_REASON, "string", "Why it was refused; names only."),
    Attribute(names.GRANT_ID, "string[]", "Ids of the grants that let it."),
    Attribute(names.BREAK_GLASS, "boolean", "Whether one of them is break-glass."),
    Attribute(names.APPROVAL_TICKET, "string", "Ticket of the approval that let it."),
    Attribute(names.STATUS, "string", "`ok`, `error`, `denied` or `presigned`."),
    Attribute(names.ATTEMPTS, "int", "Requests sent; 0 for a denial."),
    Attribute(names.THROTTLES, "int", "Attempts answered by a throttle; where any was."),
    Attribute(names.WAIT_S, "double", "Seconds waited for a turn and between attempts; if any."),
    Attribute(names.RETRY_REFUSAL, "string", "Why a further attempt was refused."),
    Attribute(names.BUDGET_BUCKET, "string", "The retry budget of a call that had trouble."),
    Attribute(names.BUDGET_TOKENS_LEFT, "double", "Its tokens."),
    Attribute(names.BUDGET_THROTTLE_RATIO, "double", "Throttled attempts of it over answered."),
    Attribute(names.BUDGET_RATE, "double", "Units per second that the resource takes."),
    Attribute(names.UNPROCESSED_COUNT, "int", "Members of a batch that were handed back."),
    Attribute(names.QUERY_WARNINGS, "string[]", "What it was the first to be warned of."),
    Attribute(names.MASKED_COUNT, "int", "Values masked in the answer; where any was."),
)
"""dynaguard's own."""

EVENT: Final = (
    Attribute(names.ATTEMPT_NUMBER, "int", "1 for the first."),
    Attribute(names.WAIT_S, "double", "Seconds waited since the call began."),
    Attribute(names.ERROR_TYPE, "string", "Error code, or the class of the exception."),
    Attribute(
        names.THROTTLE_REASONS,
        "string[]",
        "DynamoDB's reasons, such as `IndexWriteKeyRangeThroughputExceeded`; ten at most.",
    ),
    Attribute(
        names.THROTTLE_RESOURCES,
        "string[]",
        "The ARNs of tables and indexes that these are about, in the same order.",
    ),
)
"""Of the event `dynaguard.attempt`."""

APPROVAL: Final = (
    Attribute(names.APPROVAL_TICKET, "string", "Id of the ticket."),
    Attribute(names.APPROVAL_STATE, "string", "`approved`, `denied` ...; `pending`: not yet."),
    Attribute(names.WAIT_S, "double", "Seconds waited for it."),
)
"""Of the event `dynaguard.approval.waited`."""

CHANGE: Final = (
    Attribute(names.ACCESS_CHANGE, "string", "What happened, such as `grant created`."),
    Attribute(names.ACCESS_ID, "string", "Id of the grant, ticket, task or run."),
    Attribute(names.ACCESS_BY, "string", "Who did it."),
    Attribute(names.ACCESS_CHANNEL, "string", "`process`, `cli` or `http`."),
    Attribute(names.BREAK_GLASS, "boolean", "Whether it was done in an emergency."),
)
"""Of the log record `dynaguard.access`, with task, ticket, runbook and correlation id as above."""

LOG: Final = (
    Attribute(names.SERVICE, "string", "botocore's name of the service."),
    Attribute(names.OPERATION, "string", "The operation."),
)
"""Of log records, in place of `rpc.*`."""

_CALL: Final = (names.SERVICE, names.OPERATION, names.DB_COLLECTION_NAME)
_RETRY: Final = (*_CALL, names.IDENTITY_NAME, names.PRIORITY, names.JOB)
METRICS: Final = (
    Metric(
        names.DB_CLIENT_OPERATION_DURATION,
        "histogram",
        "s",
        (
            names.DB_SYSTEM_NAME,
            names.DB_OPERATION_NAME,
            names.DB_COLLECTION_NAME,
            names.SERVER_ADDRESS,
            names.SERVER_PORT,
            names.ERROR_TYPE,
            names.DB_RESPONSE_STATUS_CODE,
        ),
        "From entering the client to leaving it, of DynamoDB calls that were sent. Not recorded "
        "where a peer's instrumentation observes the call.",
    ),
    Metric(
        names.DECISIONS_METRIC,
        "counter",
        "{call}",
        (
            *_CALL,
            names.IDENTITY_NAME,
            names.DECISION,
            names.DECISION_IS_ENFORCED,
            names.SECURITY_RULE_NAME,
        ),
        "Decided calls. The statement stands with refusals only: denials by statement.",
    ),
    Metric(
        names.IDENTITY_FINDINGS_METRIC,
        "counter",
        "{finding}",
        (names.IDENTITY_FINDING, names.IDENTITY_NAME, names.IDENTITY_KIND),
        "Findings about identities, each once.",
    ),
    Metric(
        names.THROTTLED_METRIC,
        "counter",
        "{attempt}",
        _RETRY,
        "Attempts that AWS answered by a throttle.",
    ),
    Metric(
        names.REFUSED_METRIC,
        "counter",
        "{attempt}",
        _RETRY,
        "Further attempts that a retry budget refused.",
    ),
    Metric(
        names.WAIT_METRIC,
        "histogram",
        "s",
        _RETRY,
        "Waits for a turn and between attempts, of calls that waited.",
    ),
    Metric(
        names.RETRIES_METRIC,
        "counter",
        "{attempt}",
        _RETRY,
        "Attempts that repeated another; of batches those that followed a throttle.",
    ),
    Metric(
        names.BUDGET_TOKENS_METRIC,
        "gauge",
        "{token}",
        (names.BUDGET_BUCKET,),
        "Retry tokens left, as of the last call of the budget that had trouble.",
    ),
    Metric(
        names.MASKED_VALUES_METRIC,
        "counter",
        "{value}",
        (
            *_CALL,
            names.MASKED_ATTRIBUTE,
            names.MASKED_STRATEGY,
            names.MASKED_DETECTOR,
            names.IDENTITY_NAME,
        ),
        "Values masked in answers.",
    ),
)

_USES: Final = (*_CALL, names.IDENTITY_NAME)
ACCESS: Final = (
    Metric(names.GRANT_USES_METRIC, "counter", "{call}", _USES, "Calls that a grant let."),
    Metric(
        names.BREAK_GLASS_METRIC,
        "counter",
        "{call}",
        _USES,
        "Calls that a break-glass grant let; above 0 somebody should look.",
    ),
    Metric(names.APPROVAL_USES_METRIC, "counter", "{call}", _USES, "Calls that an approval let."),
    Metric(
        names.BOUNDARY_REFUSED_METRIC,
        "counter",
        "{call}",
        (*_CALL, names.BOUNDARY_KIND, names.BOUNDARY_NAME),
        "Calls that the boundary of a runbook's run or of a task refused.",
    ),
    Metric(
        names.APPROVAL_WAIT_METRIC,
        "histogram",
        "s",
        (names.APPROVAL_STATE,),
        "Waits of calls for an approval.",
    ),
    Metric(
        names.ACCESS_CHANGES_METRIC,
        "counter",
        "{change}",
        (names.ACCESS_CHANGE, names.ACCESS_CHANNEL, names.BREAK_GLASS, names.RUNBOOK),
        "Grants made, revoked and used up; tickets opened and decided; tasks and runs.",
    ),
)
"""Of access just in time, once it is used."""

_PLACE: Final = (names.DB_COLLECTION_NAME, names.AWS_DYNAMODB_INDEX_NAME)
_UNITS: Final = (*_PLACE, names.OPERATION, names.IDENTITY_NAME, names.JOB, names.RUNBOOK)
CONSUMPTION: Final = (
    Metric(
        names.CONSUMED_READ_METRIC,
        "counter",
        "{unit}",
        _UNITS,
        "Read capacity units that answers reported.",
    ),
    Metric(
        names.CONSUMED_WRITE_METRIC,
        "counter",
        "{unit}",
        _UNITS,
        "Write capacity units that answers reported.",
    ),
    Metric(
        names.QUERY_WARNINGS_METRIC,
        "counter",
        "{warning}",
        (*_PLACE, names.QUERY_WARNING_KIND, names.OPERATION, names.JOB),
        "Reads that cost more than they look.",
    ),
    Metric(
        names.CAPACITY_LIMIT_METRIC,
        "counter",
        "{run}",
        (names.JOB, names.SECURITY_RULE_NAME, names.CAPACITY_LIMIT_LEVEL),
        "Runs of jobs that came to a capacity limit.",
    ),
    Metric(
        names.KEYS_DISTINCT_METRIC,
        "gauge",
        "{key}",
        _PLACE,
        "Different partition keys of the last 10 to 20 minutes, an estimate.",
    ),
    Metric(
        names.KEYS_HOT_METRIC,
        "gauge",
        "1",
        (*_PLACE, names.KEY_HASH),
        "Share of a hot partition key in its table's requests.",
    ),
)
"""Of cost and keys, each on request: see the page on them."""


def signals_markdown() -> str:
    """The tables of the telemetry page."""
    sections = (
        ("Attributes of spans and log records", CONVENTIONAL + OWN),
        ("Attributes of the event `dynaguard.attempt`", EVENT),
        ("Attributes of the event `dynaguard.approval.waited`", APPROVAL),
        ("Further attributes of log records", LOG),
        ("Attributes of the log record `dynaguard.access`", CHANGE),
    )
    parts = [f"### {title}\n\n{_attributes_markdown(rows)}" for title, rows in sections]
    return "\n".join([*parts, f"### Metrics\n\n{_metrics_markdown()}"])


def _attributes_markdown(rows: tuple[Attribute, ...]) -> str:
    """One table of attributes."""
    head = "| attribute | type | meaning |\n|---|---|---|\n"
    return head + "".join(f"| `{each.name}` | {each.kind} | {each.meaning} |\n" for each in rows)


def _metrics_markdown() -> str:
    """The table of metrics."""
    head = "| metric | instrument | unit | split by | meaning |\n|---|---|---|---|---|\n"
    return head + "".join(
        f"| `{each.name}` | {each.instrument} | `{each.unit}` "
        f"| {', '.join(f'`{name}`' for name in each.attributes)} | {each.meaning} |\n"
        for each in METRICS + ACCESS + CONSUMPTION
    )
