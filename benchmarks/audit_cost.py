"""CPU of an audit record in a loop, over that of a whole bare call.

Within a guarded call it takes more, see `audit, to a file` among the steps of `call_figures`.
"""

from __future__ import annotations

import tempfile
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path
from typing import Final

from benchmarks.pairing import Ratio, cpu_per_call_us, paired_ratio
from benchmarks.stub import GET_ITEM, make_client
from dynaguard.audit.log import AuditLog
from dynaguard.call import (
    NO_CREDENTIALS,
    Authorization,
    Call,
    Decision,
    Outcome,
    Principal,
    StatementRef,
    Status,
    Verdict,
)
from dynaguard.scope import Priority, Scope

BAR: Final = 0.03
_PAIRS: Final = 60
_COUNT: Final = 40
_ARN: Final = "arn:aws:dynamodb:us-east-1:111122223333:table/orders"
_CALL: Final = Call(
    "dynamodb",
    "GetItem",
    GET_ITEM,
    "us-east-1",
    "aws",
    None,
    NO_CREDENTIALS,
    Scope(job="nightly", run_id="1", priority=Priority.BATCH),
    "0123456789abcdef0123456789abcdef",
)
_PRINCIPAL: Final = Principal(name="etl", account_id="111122223333")
_NEEDS: Final = (Authorization("dynamodb:GetItem", _ARN, table_name="orders"),)
_DECISION: Final = Decision(Verdict.ALLOW, _NEEDS, statement=StatementRef("Mine", "p.toml", 3))
_OUTCOME: Final = Outcome(Status.OK, None, 200, "R", attempts=1, elapsed_s=0.004, item_count=1)


def run() -> dict[str, Ratio]:
    """Shares of a bare GetItem's CPU, by what is recorded."""
    return {
        "best-effort, to a file": _share("audit.jsonl", _outcome),
        "best-effort, to a folder": _share("audit/", _outcome),
        "required, to a file: intent and outcome": _share("audit.jsonl", _both, "required"),
    }


def _outcome(log: AuditLog) -> None:
    log.outcome(_CALL, _PRINCIPAL, _DECISION, _OUTCOME, "enforce")


def _both(log: AuditLog) -> None:
    log.intent(_CALL, _PRINCIPAL, _DECISION, "enforce")
    log.outcome(_CALL, _PRINCIPAL, _DECISION, _OUTCOME, "enforce")


def _share(target: str, record: Callable[[AuditLog], None], mode: str = "best-effort") -> Ratio:
    """The ratio of recording a call to making one."""
    client = make_client()
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        log = AuditLog(f"{folder}/{target}", mode=mode)  # type: ignore[arg-type]  # one of the two
        stack.callback(log.close)
        return paired_ratio(
            lambda: cpu_per_call_us(lambda: client.get_item(**GET_ITEM), _COUNT),
            lambda: cpu_per_call_us(lambda: record(log), _COUNT * 10),
            _PAIRS,
        )


if __name__ == "__main__":
    for name, share in run().items():
        print(f"{name:<48} {share}")
