"""Plans and records for tests of alarms: one of each, and any."""

from __future__ import annotations

import json
import string
from dataclasses import replace
from typing import Any, Final

from hypothesis import strategies as st

from dynaguard.alarms.plan import DEFAULT_NAMES, AlarmPlan, Runbook
from dynaguard.alarms.subjects import Pair, Subjects, subjects_of
from dynaguard.audit.encoding import encode_record
from dynaguard.audit.record import WriterFacts, build_record
from dynaguard.call import Authorization, Decision, Outcome, Status, Verdict
from tests.audit.audit_cases import CALL, NOW_NS, PRINCIPAL, record_values

LOG_GROUP: Final = "/aws/lambda/nightly"
ETL: Final = Pair("etl", "orders")
SUBJECTS: Final = subjects_of(
    [ETL, Pair("etl", "customers"), Pair("billing", "orders")],
    indexes_by_table={"orders": ("by_status",)},
)
RUNBOOK: Final = Runbook("on call", "https://wiki.example.com/{kind}/{identity}/{table}")
WRITER: Final = WriterFacts("billing", 4711, "1.2.3", "f00d", 1, None, (), 0)
ARN: Final = "arn:aws:dynamodb:eu-west-1:123456789012:table/"

ascii_names = st.text(
    alphabet="".join(sorted(set(string.printable) - set(string.whitespace))) + " ",
    min_size=1,
    max_size=256,
).filter(str.strip)
any_names = st.text(min_size=1, max_size=256)


def plan(subjects: Subjects = SUBJECTS, **changed: Any) -> AlarmPlan:
    """A plan of the usual values, some of them changed."""
    metrics_from = changed.get("metrics_from", "logs")
    usual = {
        "log_group": LOG_GROUP,
        "runbook": RUNBOOK,
        "region": "eu-west-1",
        "names": DEFAULT_NAMES[metrics_from],
    }
    return AlarmPlan(subjects, **(usual | changed))


def decision(
    action: str = "dynamodb:GetItem",
    *tables: str,
    verdict: Verdict = Verdict.ALLOW,
    is_enforced: bool = True,
) -> Decision:
    """What was decided about a call of some tables."""
    needs = tuple(
        Authorization(action, f"{ARN}{table}", table_name=table) for table in tables or ("orders",)
    )
    return Decision(verdict, needs, is_enforced=is_enforced)


def record(
    operation: str = "GetItem", *, identity: str = "etl", service: str = "dynamodb", **changed: Any
) -> dict[str, Any]:
    """The record of one call, as it stands in the log."""
    outcome: Outcome = changed.pop("outcome", Outcome(Status.OK, attempts=1, elapsed_s=0.01))
    return encoded_record(
        call=CALL._replace(operation=operation, service=service),
        principal=replace(PRINCIPAL, name=identity),
        decision=changed.pop("decision", decision(f"dynamodb:{operation}")),
        outcome=outcome,
        **changed,
    )


def encoded_record(**changed: Any) -> dict[str, Any]:
    """A record of any values, read back from the line that it makes."""
    built = build_record(
        phase="outcome",
        time_ns=NOW_NS,
        writer=WRITER,
        policy_digest=None,
        **record_values(**changed),
    )
    made: dict[str, Any] = json.loads(encode_record(built))
    return made
