"""The demo's own run, read back from the audit file."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from dynaguard.audit.reading import read_records
from dynaguard.demo.results import Summary

Record = Mapping[str, Any]


def read_run(audit: Path, run_id: str) -> list[Record]:
    """The records of the calls of one run, oldest first; a file may hold many runs."""
    return [
        record
        for record in read_records(audit)
        if record["run_id"] == run_id and record["phase"] == "outcome"
    ]


def summarise(records: Sequence[Record], audit: Path) -> Summary:
    """The figures of a run."""
    outcomes = [record["outcome"] for record in records]
    masked: Counter[str] = Counter()
    for outcome in outcomes:
        for each in outcome["masked"]:
            masked[each["attribute"]] += each["count"]
    return Summary(
        calls=len(records),
        calls_by_operation=_count(record["operation"] for record in records),
        calls_by_verdict=_count(record["decision"]["verdict"] for record in records),
        denials_by_statement=_count(
            str(record["decision"]["statement"])
            for record in records
            if record["outcome"]["status"] == "denied"
        ),
        masked_by_attribute=dict(masked),
        requests=total(records, "attempts"),
        throttles=total(records, "throttles"),
        wait_s=total(records, "wait_s"),
        audit_path=str(audit),
        records=len(records),
    )


def total(records: Iterable[Record], name: str) -> Any:
    """Sum of one number over the outcomes of all records."""
    return sum(record["outcome"][name] for record in records)


def _count(words: Iterable[str]) -> dict[str, int]:
    """How often each word comes, the most frequent first."""
    return dict(Counter(words).most_common())
