"""What metrics are split by. Pure: values in, attributes out; every value is one of few."""

from __future__ import annotations

from dynaguard.aws.analysis import tables_of
from dynaguard.call import BudgetState, Call, Decision, MaskedValues, Outcome, Principal
from dynaguard.errors import readable_arn
from dynaguard.telemetry import names
from dynaguard.telemetry.attributes import (
    BATCHES,
    Attributes,
    add,
    error_type,
    given_table,
    response_code,
    server,
)


def decision_measure(call: Call, principal: Principal, decision: Decision) -> Attributes:
    """What the counter of decisions is split by: identity, verdict, operation, table, statement.

    The statement stands only with refusals, so that a policy's size does not multiply the series.
    """
    attributes = call_measure(call, decision)
    attributes[names.IDENTITY_NAME] = principal.name
    attributes[names.DECISION] = decision.verdict.value
    attributes[names.DECISION_IS_ENFORCED] = decision.is_enforced
    if decision.statement is not None and not decision.verdict.is_allowed:
        attributes[names.SECURITY_RULE_NAME] = decision.statement.sid
    return attributes


def call_measure(call: Call, decision: Decision | None) -> Attributes:
    """What every metric is split by: service, operation, and the table where there is one."""
    attributes: Attributes = {names.SERVICE: call.service, names.OPERATION: call.operation}
    add(attributes, names.DB_COLLECTION_NAME, _only_table(call, decision))
    return attributes


def retry_measure(call: Call, principal: Principal, decision: Decision | None) -> Attributes:
    """What throttles, waits and refused retries are split by: call, identity, job and class."""
    attributes = call_measure(call, decision)
    attributes[names.IDENTITY_NAME] = principal.name
    attributes[names.PRIORITY] = call.scope.priority.value
    add(attributes, names.JOB, call.scope.job)
    return attributes


def retry_count(call: Call, outcome: Outcome) -> int:
    """Attempts that repeated another.

    The parts of a batch are attempts too: of batches those count that followed a throttle.
    """
    further = max(0, outcome.attempts - 1)
    is_batch = call.operation in BATCHES and call.service == "dynamodb"
    return min(further, outcome.throttles) if is_batch else further


def budget_measure(budget: BudgetState) -> Attributes:
    """What the tokens that are left are split by."""
    return {names.BUDGET_BUCKET: readable_arn(budget.bucket)}


def masked_measure(call: Call, principal: Principal, masked: MaskedValues) -> Attributes:
    """What masked values are counted by: call, table, attribute, strategy and identity."""
    attributes: Attributes = {
        names.SERVICE: call.service,
        names.OPERATION: call.operation,
        names.MASKED_ATTRIBUTE: masked.attribute,
        names.MASKED_STRATEGY: masked.strategy,
        names.IDENTITY_NAME: principal.name,
    }
    add(attributes, names.DB_COLLECTION_NAME, masked.table)
    add(attributes, names.MASKED_DETECTOR, masked.detector)
    return attributes


def duration_measure(call: Call, decision: Decision | None, outcome: Outcome) -> Attributes:
    """What the conventions split the duration of a database operation by."""
    attributes: Attributes = {
        names.DB_SYSTEM_NAME: names.AWS_DYNAMODB,
        names.DB_OPERATION_NAME: call.operation,
        **server(call.endpoint_url),
    }
    add(attributes, names.DB_COLLECTION_NAME, _only_table(call, decision))
    add(attributes, names.ERROR_TYPE, error_type(outcome))
    add(attributes, names.DB_RESPONSE_STATUS_CODE, response_code(outcome))
    return attributes


def _only_table(call: Call, decision: Decision | None) -> str | None:
    """The table that a call touches, where it is known and the only one."""
    needs = decision.authorizations if decision is not None else ()
    if not needs:
        table = given_table(call)
        return table and table.rpartition("/")[2]
    tables = tables_of(needs)
    return readable_arn(tables[0]) if len(tables) == 1 else None
