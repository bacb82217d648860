"""The frozen plan that every format is made from: who, which tables, whence the metrics.

A plan that exists keeps CloudWatch's rules for names, periods and namespaces; what breaks one is
refused while it is built, all faults at once. What a format alone limits (resources of a template,
widgets of a dashboard) that format checks.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Final, Literal
from urllib.parse import quote

from dynaguard.alarms import limits
from dynaguard.alarms.kinds import DEFAULT_TIMINGS, AlarmKind, Timing
from dynaguard.alarms.subjects import Pair, Subjects
from dynaguard.errors import ConfigurationError, nearest
from dynaguard.telemetry import names

MetricsFrom = Literal["logs", "otel", "aws"]
"""`logs`: metric filters over the audit records in a log group. `otel`: dynaguard's OpenTelemetry
metrics, as a collector hands them to CloudWatch. `aws`: DynamoDB's own metrics alone."""

_PLACEHOLDER: Final = re.compile(r"\{([^{}]*)\}")
_PLACEHOLDERS: Final = ("identity", "table", "kind")
_FIELD_PREFIX: Final = re.compile(r"[A-Za-z0-9_-]+(?:\.[A-Za-z0-9_-]+)*$")
_LOG_GROUP: Final = re.compile(r"[A-Za-z0-9._/#-]+$")
_URL: Final = re.compile(r"https?://[^\s\"'<>`\\]+$")


@dataclass(frozen=True, slots=True)
class MetricNames:
    """What metrics are called in CloudWatch.

    Attributes:
        namespace: Of dynaguard's metrics.
        identity: Dimension that holds the identity's name.
        table: Dimension that holds the table's name.
    """

    namespace: str
    identity: str
    table: str


DEFAULT_NAMES: Final[Mapping[MetricsFrom, MetricNames]] = {
    "logs": MetricNames("dynaguard", "Identity", "Table"),
    "otel": MetricNames("dynaguard", names.IDENTITY_NAME, names.DB_COLLECTION_NAME),
    "aws": MetricNames("dynaguard", "Identity", "Table"),
}

_NO_LINKS: Final[Mapping[str, str]] = {}


@dataclass(frozen=True, slots=True)
class Runbook:
    """Where the person on call reads on.

    Attributes:
        name: Template of its name; `{identity}`, `{table}` and `{kind}` are filled in.
        url: Template of its address, likewise; what is filled in is percent-encoded.
    """

    name: str | None = None
    url: str | None = None

    def text(
        self,
        kind: AlarmKind,
        identity: str | None,
        table: str | None,
        links: Mapping[str, str] = _NO_LINKS,
    ) -> str:
        """`orders-throttled https://...`; empty when there is none.

        Args:
            kind: Of the alarm.
            identity: Of the alarm, or None.
            table: Of the alarm, or None.
            links: Addresses that runbooks of that very name have themselves; they come first.
        """
        values = {"identity": identity or "-", "table": table or "-", "kind": kind.value}
        name = _filled(self.name or "", values)
        url = links.get(name) or _filled(
            self.url or "", {key: quote(text, "") for key, text in values.items()}
        )
        return " ".join(part for part in (name, url) if part)


def _filled(template: str, values: Mapping[str, str]) -> str:
    return _PLACEHOLDER.sub(lambda match: values[match.group(1)], template)


@dataclass(frozen=True, slots=True)
class AlarmPlan:
    """Everything that generated files are made from.

    Attributes:
        subjects: Who calls which tables.
        metrics_from: Where dynaguard's metrics come from.
        names: What they are called.
        log_group: The log group with the audit records; None where it is not known.
        field_prefix: Field of the log event that holds the record; empty: the event is one.
        has_filters: Whether the metric filters belong to this file.
        runbook: Of all alarms; a subject's own runbook comes before its name.
        link_by_runbook: Addresses of runbooks by their names, as their documents have them.
        owner: Whom to ask, where the subject does not know.
        prefix: First part of alarm names, and the title of dashboards.
        region: Of CloudWatch dashboards.
        timings: Of every kind.
    """

    subjects: Subjects
    metrics_from: MetricsFrom = "logs"
    names: MetricNames = DEFAULT_NAMES["logs"]
    log_group: str | None = None
    field_prefix: str = ""
    has_filters: bool = True
    runbook: Runbook = Runbook()
    link_by_runbook: Mapping[str, str] = field(default_factory=dict)
    owner: str | None = None
    prefix: str = "dynaguard"
    region: str | None = None
    timings: Mapping[AlarmKind, Timing] = field(default_factory=lambda: DEFAULT_TIMINGS)

    def __post_init__(self) -> None:
        """Refuses what CloudWatch would refuse.

        Raises:
            ConfigurationError: Every fault, one per line.
        """
        faults = list(dict.fromkeys(_faults(self)))
        if faults:
            raise ConfigurationError("\n".join(faults))

    def runbook_text(self, kind: AlarmKind, identity: str | None, table: str | None) -> str:
        """Name and address of the runbook for one alarm; empty when there is none."""
        own = None
        if identity is not None and table is not None:
            own = self.subjects.runbook_by_pair.get(Pair(identity, table))
        runbook = self.runbook
        if own and runbook.name is None:
            runbook = Runbook(_PLACEHOLDER.sub(r"\1", own), runbook.url)
        return runbook.text(kind, identity, table, self.link_by_runbook)

    def owner_text(self, identity: str | None) -> str:
        """Whom to ask about an identity; empty when not known."""
        known = self.subjects.owner_by_identity.get(identity) if identity else None
        return known or self.owner or ""


def _faults(plan: AlarmPlan) -> Iterator[str]:
    """What is wrong with a plan, most general first."""
    yield from _source_faults(plan)
    yield from _runbook_faults(plan.runbook)
    for link in plan.link_by_runbook.values():
        yield from _address_faults(link)
    for noun, text in (("runbook", plan.runbook.name), ("owner", plan.owner)):
        if text is not None and not text.isprintable():
            yield f"{noun} `{text!r}` must be printable characters on one line"
    for kind, timing in plan.timings.items():
        yield from _timing_faults(kind, timing)
    for identity in plan.subjects.identities:
        yield from _value_faults("identity", identity)
    for table in plan.subjects.tables:
        yield from _value_faults("table", table)


def _source_faults(plan: AlarmPlan) -> Iterator[str]:
    """Faults of names and places."""
    if plan.log_group is not None and (
        not _LOG_GROUP.match(plan.log_group) or len(plan.log_group) > limits.MAX_LOG_GROUP_NAME
    ):
        yield (
            f"log group `{plan.log_group}` is no name of one, write letters, digits and `._/#-`, "
            f"at most {limits.MAX_LOG_GROUP_NAME}"
        )
    if plan.field_prefix and not _FIELD_PREFIX.match(plan.field_prefix):
        yield f"`{plan.field_prefix}` is no field of a log event, write for example `log`"
    namespace = plan.names.namespace
    if not namespace.isascii() or not 1 <= len(namespace.strip()) <= limits.MAX_NAMESPACE:
        yield (
            f"namespace `{namespace}` must be 1 to {limits.MAX_NAMESPACE} ASCII characters, write "
            "for example `dynaguard`"
        )
    elif namespace.startswith("AWS/") or re.search(r"[:*$\"'\\\x00-\x1f]", namespace):
        yield (
            f"namespace `{namespace}` is not for custom metrics, which begin otherwise than "
            "`AWS/` and hold no quotes and none of `:*$`, write for example `dynaguard`"
        )
    for name in (plan.names.identity, plan.names.table):
        if not re.fullmatch(r"[A-Za-z0-9_][A-Za-z0-9_. /#-]{0,254}", name):
            yield f"`{name}` is no name of a dimension, write for example `Identity`"
    if plan.names.identity == plan.names.table:
        yield f"identity and table need two dimensions, both are `{plan.names.identity}`"
    if not re.fullmatch(r"[A-Za-z0-9_.][A-Za-z0-9_. -]{0,63}", plan.prefix):
        yield (
            f"`{plan.prefix}` cannot begin the names of alarms, write up to 64 letters, digits "
            "and `._-`"
        )


def _runbook_faults(runbook: Runbook) -> Iterator[str]:
    """Faults of the templates."""
    for text in (runbook.name, runbook.url):
        for name in _PLACEHOLDER.findall(text or ""):
            if name not in _PLACEHOLDERS:
                guess = nearest(name, _PLACEHOLDERS)
                near = f", did you mean `{{{guess}}}`?" if guess else ""
                yield (
                    f"runbook: nothing stands for `{{{name}}}`{near}; there are `{{identity}}`, "
                    "`{table}` and `{kind}`"
                )
    if runbook.url is not None:
        yield from _address_faults(runbook.url)


def _address_faults(url: str) -> Iterator[str]:
    """Faults of an address, before anything is filled in."""
    if not _URL.match(url):
        yield "the runbook's URL must begin with `https://` or `http://` and hold no spaces"
    if len(url) > limits.MAX_RUNBOOK_URL:
        yield (
            f"the runbook's URL has {len(url)} characters, at most "
            f"{limits.MAX_RUNBOOK_URL} leave room for the rest of a description, use a shorter one"
        )


def _timing_faults(kind: AlarmKind, timing: Timing) -> Iterator[str]:
    """Faults of thresholds and periods."""
    if not 0 < timing.threshold < float("inf"):
        yield f"{kind}: the threshold must be above 0, this is {timing.threshold:g}"
    if timing.period_s < limits.MIN_PERIOD_S or timing.period_s % limits.MIN_PERIOD_S:
        yield f"{kind}: a period must be a multiple of 60 s, this is {timing.period_s}"
    if not 1 <= timing.datapoints <= timing.evaluation_periods:
        yield (
            f"{kind}: {timing.datapoints} of {timing.evaluation_periods} periods cannot be, write "
            "for example `3/5`"
        )
    is_long = timing.period_s >= limits.LONG_PERIOD_S
    longest_s = limits.MAX_LONG_PERIODS_S if is_long else limits.MAX_PERIODS_S
    if timing.period_s * timing.evaluation_periods > longest_s:
        yield (
            f"{kind}: {timing.evaluation_periods} periods of {timing.period_s} s are longer than "
            f"the {longest_s} s that CloudWatch looks back, take fewer or shorter ones"
        )


def _value_faults(noun: str, value: str) -> Iterator[str]:
    """A name that cannot be the value of a dimension.

    Source: CloudWatch API reference, Dimension.
    """
    shown = value if len(value) <= 80 else f"{value[:80]}..."
    if not value.isascii() or not value.isprintable():
        yield (
            f"{noun} {shown!a}: CloudWatch takes printable ASCII characters in dimensions alone, "
            "name it otherwise (setting `identity`) or leave it out"
        )
    elif not value.strip() or len(value) > limits.MAX_SUBJECT:
        yield (
            f"{noun} `{shown}` must be 1 to {limits.MAX_SUBJECT} characters, not all of them blank"
        )
