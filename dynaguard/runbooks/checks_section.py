"""Checks the `check` of a step: what has to hold for a run to go on."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final, cast

from dynaguard.policy.collecting import Findings, kind_of
from dynaguard.policy.lines import Path_
from dynaguard.runbooks.model import Check, Comparison, MetricQuery, Reference
from dynaguard.runbooks.numbers import text, whole
from dynaguard.runbooks.references import Known, is_reference, read_reference

COMPARISONS: Final = ("equals", "not_equals", "at_most", "at_least", "exists", "absent")
WITHOUT_VALUE: Final = ("exists", "absent")
ORDERED: Final = ("at_most", "at_least")
_METRIC_KEYS: Final = ("namespace", "name", "dimensions", "statistic", "window_s")
STATISTICS: Final = ("Average", "Maximum", "Minimum", "SampleCount", "Sum")
LONGEST_WINDOW_S: Final = 86_400
PERIOD_S: Final = 60


def check_check(findings: Findings, value: Any, path: Path_, known: Known) -> Check | None:
    """`{ of = { "$result" = "find.Count" }, at_most = 100, message = "..." }`."""
    table = findings.table(value, path)
    findings.check_keys(table, path, ("of", "metric", "message", *COMPARISONS))
    subject = _subject(findings, table, path, known)
    comparison = _comparison(findings, table, path)
    if subject is None or comparison is None:
        return None
    wanted = _value(findings, table[comparison], (*path, comparison), known)
    return Check(
        subject,
        cast(Comparison, comparison),
        None if comparison in WITHOUT_VALUE else wanted,
        text(findings, table, (*path, "message")),
    )


def _subject(
    findings: Findings, table: Mapping[str, Any], path: Path_, known: Known
) -> Reference | MetricQuery | None:
    """What is looked at."""
    if ("of" in table) == ("metric" in table):
        findings.add(path, 'write `of = { "$result" = "..." }`, or `metric = { ... }`')
        return None
    if "metric" in table:
        return _metric(findings, table["metric"], (*path, "metric"), known)
    if not is_reference(table["of"]):
        findings.add((*path, "of"), 'must be `{ "$result" = "find.Count" }` or the like')
        return None
    return read_reference(findings, table["of"], (*path, "of"), known)


def _comparison(findings: Findings, table: Mapping[str, Any], path: Path_) -> str | None:
    """The one comparison."""
    found = [name for name in COMPARISONS if name in table]
    if len(found) != 1:
        listed = ", ".join(f"`{name}`" for name in COMPARISONS)
        findings.add(path, f"must compare once, write one of {listed}")
        return None
    name = found[0]
    if name in WITHOUT_VALUE and table[name] is not True:
        findings.add((*path, name), f"takes no value, write `{name} = true`")
    return name


def _value(findings: Findings, value: Any, path: Path_, known: Known) -> Any:
    """What is compared with."""
    if is_reference(value):
        return read_reference(findings, value, path, known)
    is_ordered = path[-1] in ORDERED
    is_number = isinstance(value, int | float) and not isinstance(value, bool)
    if is_ordered and not is_number:
        findings.add(path, f"must be a number, this is {kind_of(value)}")
    elif not isinstance(value, str | bool | int | float):
        findings.add(path, f"must be text, a number or a boolean, this is {kind_of(value)}")
    return value


def _metric(findings: Findings, value: Any, path: Path_, known: Known) -> MetricQuery | None:
    """`{ namespace = "AWS/DynamoDB", name = "ReadThrottleEvents", dimensions = {...} }`."""
    table = findings.table(value, path)
    findings.check_keys(table, path, _METRIC_KEYS)
    for name in ("namespace", "name"):
        if not table.get(name):
            findings.add(path, f"`{name}` is missing")
    window_s = whole(findings, table, (*path, "window_s"), least=PERIOD_S, most=LONGEST_WINDOW_S)
    if window_s is not None and window_s % PERIOD_S:
        findings.add((*path, "window_s"), f"must be a multiple of {PERIOD_S}")
    choice = findings.choice(table.get("statistic", "Sum"), (*path, "statistic"), STATISTICS)
    return MetricQuery(
        namespace=text(findings, table, (*path, "namespace")),
        name=text(findings, table, (*path, "name")),
        dimensions=_dimensions(findings, table.get("dimensions", {}), path, known),
        statistic=choice or "Sum",
        window_s=window_s or 300,
    )


def _dimensions(findings: Findings, value: Any, path: Path_, known: Known) -> Mapping[str, Any]:
    """Values by name: texts or references."""
    found: dict[str, Any] = {}
    for name, each in findings.table(value, (*path, "dimensions")).items():
        place = (*path, "dimensions", name)
        if is_reference(each):
            found[name] = read_reference(findings, each, place, known)
        elif isinstance(each, str) and each:
            found[name] = each
        else:
            findings.add(place, f"must be text, this is {kind_of(each)}")
    return found
