"""What the Grafana dashboard shows: its rows, and the expressions of their panels."""

from __future__ import annotations

from typing import Final

from dynaguard.alarms.dynamodb_metrics import SIDES, consumed_units, throttle_causes, throttles
from dynaguard.alarms.grafana_access import ACCESS_ROW
from dynaguard.alarms.grafana_values import Panel, Row, Target, of_dynamodb, quantiles, rates
from dynaguard.alarms.prometheus import (
    TABLE,
    counter,
    histogram,
    least,
    legend,
    matchers,
    prometheus_name,
    share,
    summed_increase,
    summed_rate,
)
from dynaguard.telemetry import names

_WHO: Final = names.IDENTITY_NAME
_OF_BOTH: Final = matchers(_WHO, TABLE)
_CONSUMED: Final = {
    "Read": names.CONSUMED_READ_METRIC,
    "Write": names.CONSUMED_WRITE_METRIC,
}
_REFUSED: Final = matchers(_WHO, DECISION="deny|implicit_deny")


ROWS: Final = (
    Row(
        "Calls and decisions",
        (
            Panel(
                "Calls by identity",
                "Decided calls per second, of every service.",
                rates(names.DECISIONS_METRIC, matchers(_WHO), _WHO),
                "reqps",
            ),
            Panel(
                "Decisions by verdict",
                "`ungoverned`: the policy does not cover the service. Not enforced: the mode let "
                "a refused call through.",
                rates(
                    names.DECISIONS_METRIC,
                    matchers(_WHO),
                    names.DECISION,
                    names.DECISION_IS_ENFORCED,
                ),
                "reqps",
            ),
        ),
    ),
    Row(
        "Denials",
        (
            Panel(
                "Denials by identity and table",
                "Calls per second that the policy refused.",
                rates(names.DECISIONS_METRIC, _REFUSED, _WHO, TABLE),
                "reqps",
            ),
            Panel(
                "Denials by statement",
                "Over the whole time range. No statement: nothing allows the call.",
                (
                    Target(
                        "",
                        summed_increase(
                            counter(names.DECISIONS_METRIC),
                            _REFUSED,
                            names.SECURITY_RULE_NAME,
                            _WHO,
                            TABLE,
                            names.OPERATION,
                        ),
                    ),
                ),
                view="table",
            ),
        ),
    ),
    ACCESS_ROW,
    Row(
        "Throttles",
        (
            Panel(
                "Throttled attempts by identity and table",
                "Attempts per second that AWS answered by a throttle.",
                rates(names.THROTTLED_METRIC, _OF_BOTH, _WHO, TABLE),
            ),
            Panel(
                "Throttled attempts by operation and job",
                "The same, by what was being done.",
                rates(names.THROTTLED_METRIC, _OF_BOTH, names.OPERATION, names.JOB),
            ),
            Panel(
                "Throttles by table and index, as DynamoDB counts them",
                "Events per minute, of all callers. Needs the CloudWatch data source.",
                of_dynamodb(*map(throttles, SIDES)),
            ),
            Panel(
                "Why DynamoDB throttles",
                "KeyRange: a hot key. Others: too little capacity of the table or account.",
                of_dynamodb(
                    *(cause for side in SIDES for cause in throttle_causes(side)),
                ),
            ),
        ),
    ),
    Row(
        "Retries",
        (
            Panel(
                "Waits of calls that waited",
                "Before the first attempt and between attempts, all waits of a call together.",
                quantiles(names.WAIT_METRIC, _OF_BOTH, _WHO),
                "s",
            ),
            Panel(
                "Seconds waited per second",
                "How many calls wait at a time, on average.",
                (
                    Target(
                        legend(_WHO, TABLE),
                        summed_rate(f"{histogram(names.WAIT_METRIC)}_sum", _OF_BOTH, _WHO, TABLE),
                    ),
                ),
            ),
            Panel(
                "Repeated attempts by identity and table",
                "Per second; of batches those that followed a throttle.",
                rates(names.RETRIES_METRIC, _OF_BOTH, _WHO, TABLE),
            ),
            Panel(
                "Calls given up by the retry budget",
                "Further attempts per second that were refused.",
                rates(names.REFUSED_METRIC, _OF_BOTH, _WHO, TABLE),
            ),
            Panel(
                "Retry tokens left",
                "The least of all processes, as of a budget's last trouble; of every identity.",
                (
                    Target(
                        legend(names.BUDGET_BUCKET),
                        least(names.BUDGET_TOKENS_METRIC, names.BUDGET_BUCKET),
                    ),
                ),
                width=24,
            ),
        ),
    ),
    Row(
        "Masked values",
        (
            Panel(
                "Masked values by identity",
                "Values per second that were masked in answers.",
                rates(names.MASKED_VALUES_METRIC, _OF_BOTH, _WHO, TABLE),
            ),
            Panel(
                "Masked values by attribute",
                "Over the whole time range.",
                (
                    Target(
                        "",
                        summed_increase(
                            counter(names.MASKED_VALUES_METRIC),
                            _OF_BOTH,
                            TABLE,
                            names.MASKED_ATTRIBUTE,
                            names.MASKED_STRATEGY,
                        ),
                    ),
                ),
                view="table",
            ),
        ),
    ),
    Row(
        "Consumed units",
        (
            *(
                Panel(
                    f"Consumed {side.lower()} units by identity, table and index",
                    "Units per second, of calls whose consumption is asked for.",
                    rates(name, _OF_BOTH, _WHO, TABLE, names.AWS_DYNAMODB_INDEX_NAME),
                )
                for side, name in _CONSUMED.items()
            ),
            Panel(
                "Consumed units by job and runbook",
                "Over the whole time range, reads and writes.",
                tuple(
                    Target(
                        side,
                        summed_increase(counter(name), _OF_BOTH, names.JOB, names.RUNBOOK),
                    )
                    for side, name in _CONSUMED.items()
                ),
                view="table",
            ),
            Panel(
                "Capacity limits that jobs came to",
                "Over the whole time range. Soft: the job went on. Hard: it was stopped.",
                (
                    Target(
                        "",
                        summed_increase(
                            counter(names.CAPACITY_LIMIT_METRIC),
                            matchers(),
                            names.JOB,
                            names.SECURITY_RULE_NAME,
                            names.CAPACITY_LIMIT_LEVEL,
                        ),
                    ),
                ),
                view="table",
            ),
            *(
                Panel(
                    f"Consumed {side.lower()} units by table and index, as DynamoDB counts them",
                    "Units per minute, of all callers. Needs the CloudWatch data source.",
                    of_dynamodb(consumed_units(side)),
                )
                for side in SIDES
            ),
        ),
    ),
    Row(
        "Keys and reads",
        (
            Panel(
                "Hot partition keys",
                "Share of a key in its table's requests; keys are hashed.",
                (
                    Target(
                        legend(TABLE, names.AWS_DYNAMODB_INDEX_NAME, names.KEY_HASH),
                        f"{share(names.KEYS_HOT_METRIC)}{matchers(TABLE)}",
                    ),
                ),
                "percentunit",
            ),
            Panel(
                "Distinct partition keys",
                "Of the last 10 to 20 minutes, an estimate per process.",
                (
                    Target(
                        legend(TABLE, names.AWS_DYNAMODB_INDEX_NAME),
                        f"{prometheus_name(names.KEYS_DISTINCT_METRIC)}{matchers(TABLE)}",
                    ),
                ),
            ),
            Panel(
                "Reads that cost more than they look",
                "Over the whole time range: scans, reads without a limit, filters that drop much.",
                (
                    Target(
                        "",
                        summed_increase(
                            counter(names.QUERY_WARNINGS_METRIC),
                            matchers(TABLE),
                            names.QUERY_WARNING_KIND,
                            TABLE,
                            names.AWS_DYNAMODB_INDEX_NAME,
                            names.OPERATION,
                            names.JOB,
                        ),
                    ),
                ),
                view="table",
                width=24,
            ),
        ),
    ),
    Row(
        "Latency",
        (
            Panel(
                "Latency by operation",
                "As the caller sees it, waits and retries included.",
                quantiles(
                    names.DB_CLIENT_OPERATION_DURATION, matchers(TABLE), names.DB_OPERATION_NAME
                ),
                "s",
            ),
            Panel(
                "Failing calls by error",
                "DynamoDB calls per second that were sent and ended in an error.",
                (
                    Target(
                        legend(names.ERROR_TYPE, TABLE),
                        summed_rate(
                            f"{histogram(names.DB_CLIENT_OPERATION_DURATION)}_count",
                            matchers(TABLE, ERROR_TYPE=".+"),
                            names.ERROR_TYPE,
                            TABLE,
                        ),
                    ),
                ),
                "reqps",
            ),
        ),
    ),
)
