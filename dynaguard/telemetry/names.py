"""Every name that dynaguard sends to OpenTelemetry.

The semantic conventions' own names come first, spelled as their constants; a test compares them to
the installed conventions, so that the package itself is not needed at run time. What they have no
name for stands under `dynaguard.`. No attribute ever holds a key or a value of an item.

Source: OpenTelemetry semantic conventions 1.44.0, pages *db*, *db/dynamodb*, *aws-sdk*.
"""

from __future__ import annotations

from typing import Final

# --- stable conventions --------------------------------------------------------------------------
DB_COLLECTION_NAME: Final = "db.collection.name"
DB_OPERATION_BATCH_SIZE: Final = "db.operation.batch.size"
DB_OPERATION_NAME: Final = "db.operation.name"
DB_RESPONSE_STATUS_CODE: Final = "db.response.status_code"
DB_SYSTEM_NAME: Final = "db.system.name"
ERROR_TYPE: Final = "error.type"
HTTP_RESPONSE_STATUS_CODE: Final = "http.response.status_code"
SERVER_ADDRESS: Final = "server.address"
SERVER_PORT: Final = "server.port"
DB_CLIENT_OPERATION_DURATION: Final = "db.client.operation.duration"
"""Metric: a histogram in seconds."""

# --- conventions in development ------------------------------------------------------------------
AWS_DYNAMODB_CONSUMED_CAPACITY: Final = "aws.dynamodb.consumed_capacity"
AWS_DYNAMODB_CONSISTENT_READ: Final = "aws.dynamodb.consistent_read"
AWS_DYNAMODB_INDEX_NAME: Final = "aws.dynamodb.index_name"
AWS_DYNAMODB_LIMIT: Final = "aws.dynamodb.limit"
AWS_DYNAMODB_SCAN_FORWARD: Final = "aws.dynamodb.scan_forward"
AWS_DYNAMODB_SEGMENT: Final = "aws.dynamodb.segment"
AWS_DYNAMODB_SCANNED_COUNT: Final = "aws.dynamodb.scanned_count"
AWS_DYNAMODB_TABLE_NAMES: Final = "aws.dynamodb.table_names"
AWS_DYNAMODB_TOTAL_SEGMENTS: Final = "aws.dynamodb.total_segments"
AWS_REQUEST_ID: Final = "aws.request_id"
CLOUD_ACCOUNT_ID: Final = "cloud.account.id"
CLOUD_REGION: Final = "cloud.region"
DB_RESPONSE_RETURNED_ROWS: Final = "db.response.returned_rows"
RPC_METHOD: Final = "rpc.method"
RPC_SYSTEM_NAME: Final = "rpc.system.name"
SECURITY_RULE_NAME: Final = "security_rule.name"
SECURITY_RULE_RULESET_NAME: Final = "security_rule.ruleset.name"

# --- deprecated, read from the spans of others only ----------------------------------------------
RPC_SYSTEM: Final = "rpc.system"

# --- values --------------------------------------------------------------------------------------
AWS_API: Final = "aws-api"
"""`rpc.system` of every AWS call, from the AWS SDK page; the value has no constant."""
AWS_DYNAMODB: Final = "aws.dynamodb"
"""`db.system.name` of DynamoDB."""
ERROR_TYPE_OTHER: Final = "_OTHER"

# --- of the metrics specification, not of the conventions ----------------------------------------
OTEL_METRIC_OVERFLOW: Final = "otel.metric.overflow"
"""Marks what is beyond a bound on attribute combinations."""

# --- ours: attributes ----------------------------------------------------------------------------
ATTEMPTS: Final = "dynaguard.attempts"
ATTEMPT_NUMBER: Final = "dynaguard.attempt.number"
BUDGET_BUCKET: Final = "dynaguard.budget.bucket"
BUDGET_RATE: Final = "dynaguard.budget.rate"
"""Units per second that the resource takes from this process."""
BUDGET_THROTTLE_RATIO: Final = "dynaguard.budget.throttle_ratio"
BUDGET_TOKENS_LEFT: Final = "dynaguard.budget.tokens_left"
CAPACITY_LIMIT_LEVEL: Final = "dynaguard.capacity_limit.level"
"""`soft` or `hard`."""
CORRELATION_ID: Final = "dynaguard.correlation_id"
DECISION: Final = "dynaguard.decision"
DECISION_IS_ENFORCED: Final = "dynaguard.decision.is_enforced"
DECISION_OBSERVED: Final = "dynaguard.decision.observed"
DECISION_REASON: Final = "dynaguard.decision.reason"
IDENTITY_ACTING_AS: Final = "dynaguard.identity.acting_as"
IDENTITY_ARN: Final = "dynaguard.identity.arn"
IDENTITY_KIND: Final = "dynaguard.identity.kind"
IDENTITY_NAME: Final = "dynaguard.identity.name"
IDENTITY_SESSION_NAME: Final = "dynaguard.identity.session_name"
JOB: Final = "dynaguard.job"
KEY_HASH: Final = "dynaguard.key.hash"
"""Of a hot partition key, sixteen hexadecimal digits; never its value."""
MASKED_ATTRIBUTE: Final = "dynaguard.masked.attribute"
MASKED_COUNT: Final = "dynaguard.masked.count"
MASKED_DETECTOR: Final = "dynaguard.masked.detector"
MASKED_STRATEGY: Final = "dynaguard.masked.strategy"
OPERATION: Final = "dynaguard.operation"
"""Of metrics, which cover every service; `db.operation.name` is a database's."""
PRIORITY: Final = "dynaguard.priority"
QUERY_WARNINGS: Final = "dynaguard.query.warnings"
"""Of spans: what the call was the first of its kind to be warned of."""
QUERY_WARNING_KIND: Final = "dynaguard.query.warning.kind"
RETRY_REFUSAL: Final = "dynaguard.retry.refusal"
RUNBOOK: Final = "dynaguard.runbook"
RUN_ID: Final = "dynaguard.run_id"
SERVICE: Final = "dynaguard.service"
"""botocore's name of the service; of metrics."""
STAGE: Final = "dynaguard.stage"
STATUS: Final = "dynaguard.status"
THROTTLES: Final = "dynaguard.throttles"
THROTTLE_REASONS: Final = "dynaguard.throttle.reasons"
"""AWS's codes (`IndexWriteKeyRangeThroughputExceeded`), else the sort of limit."""
THROTTLE_RESOURCES: Final = "dynaguard.throttle.resources"
"""ARNs that the reasons are about, in the same order; empty text where AWS named none."""
UNPROCESSED_COUNT: Final = "dynaguard.unprocessed.count"
WAIT_S: Final = "dynaguard.wait_s"

# --- ours: span events and metrics ---------------------------------------------------------------
ATTEMPT_EVENT: Final = "dynaguard.attempt"
CALL_EVENT: Final = "dynaguard.call"
"""Name of the log record of a call."""
BUDGET_TOKENS_METRIC: Final = "dynaguard.budget.tokens"
"""A gauge, set after calls that had trouble."""
CAPACITY_LIMIT_METRIC: Final = "dynaguard.capacity_limit.reached"
CONSUMED_READ_METRIC: Final = "dynaguard.consumed.read_units"
CONSUMED_WRITE_METRIC: Final = "dynaguard.consumed.write_units"
DECISIONS_METRIC: Final = "dynaguard.decisions"
KEYS_DISTINCT_METRIC: Final = "dynaguard.keys.distinct"
KEYS_HOT_METRIC: Final = "dynaguard.keys.hot"
MASKED_VALUES_METRIC: Final = "dynaguard.masked.values"
QUERY_WARNINGS_METRIC: Final = "dynaguard.query.warned"
REFUSED_METRIC: Final = "dynaguard.retry.refused"
RETRIES_METRIC: Final = "dynaguard.retry.attempts"
THROTTLED_METRIC: Final = "dynaguard.retry.throttled"
WAIT_METRIC: Final = "dynaguard.retry.wait"
"""A histogram in seconds, of the calls that waited."""
