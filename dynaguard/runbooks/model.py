"""The checked model of a runbook: what reading gives and everybody else reads.

Values only. Once a `Runbook` exists its names are unique, every reference in it names a parameter,
a step before it or the item of a loop around it, and every operation and parameter of its calls
exists in AWS's own models.

A place in the parameters of a call where a value comes from elsewhere holds a `Reference`. It is
filled with a value of the right type, never by putting text together, so that no parameter can
become a part of an expression, a name or a pattern.
"""

from __future__ import annotations

import enum
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from dynaguard.policy.model import (
    ApprovalTerms,
    BudgetStatement,
    MaskStatement,
    PrincipalPattern,
    TableSchema,
)


class ParameterType(enum.StrEnum):
    """What a parameter's value is."""

    STRING = "string"
    NUMBER = "number"
    BOOLEAN = "boolean"
    ENUM = "enum"
    DATE = "date"
    ARN = "arn"
    SECRET = "secret"
    LIST = "list"


@dataclass(frozen=True, slots=True)
class Parameter:
    """One `[parameters.NAME]` entry.

    Attributes:
        name: Its name.
        type: What a value is. A `secret` is a string that is never shown, logged or recorded.
        description: What it means; for `show`, prompts and errors.
        pattern: For strings, secrets and ARNs: the regular expression that the whole value
            matches; None for any (of a string, 1 to 1,024 characters).
        minimum: For numbers, dates (ISO 8601 text) and lists (count of elements): the least.
        maximum: Likewise the greatest.
        choices: For an enum: its values.
        elements: For a list: the type of its elements, which `pattern` and `choices` are about.
        default: Its value where none is given; None: it must be given.
        is_required: Whether it must be given.
    """

    name: str
    type: ParameterType
    description: str = ""
    pattern: str | None = None
    minimum: Any = None
    maximum: Any = None
    choices: tuple[str, ...] = ()
    elements: ParameterType | None = None
    default: Any = None
    is_required: bool = True


class Origin(enum.StrEnum):
    """Where the value of a reference comes from."""

    PARAMETER = "param"
    """A parameter: known when the run begins."""
    ITEM = "item"
    """The item of the innermost loop, `item.order_id` say: known when the step runs."""
    RESULT = "result"
    """What an earlier step gave, `find.Count` say: known when the step runs."""
    ANY = "any"
    """Any value of a type, for the calls of a Python step and the clock: known when it calls."""


@dataclass(frozen=True, slots=True)
class Reference:
    """A place that is filled when the run begins, or when its step runs.

    Written as a mapping with one key: `{ "$param" = "customer_id" }`, `{ "$item" = "order_id" }`,
    `{ "$result" = "find.Count" }`, `{ "$any" = "string" }`. Where AWS wants an attribute value, a
    string becomes `{"S": ...}`, a number `{"N": ...}` and so on; `filling.shaped` does it.

    Attributes:
        origin: Where the value comes from.
        path: Names from there: `("customer_id",)`, `("order_id",)`, `("find", "Count")`; positions
            in lists as text; `()` for the item of a loop itself, written `"."`. Of `$any` the
            type.
        wants: What AWS takes in its place, in a call: `attribute` (a value in DynamoDB JSON),
            `key` (that of a key attribute), `numeral` (a number as text), `string`, `integer`,
            `number`, `boolean`, `blob`, `timestamp`, `map`, `list`, or `list:` and one of them;
            empty outside of calls.
    """

    origin: Origin
    path: tuple[str, ...]
    wants: str = ""


@dataclass(frozen=True, slots=True)
class CallTemplate:
    """An AWS call whose parameters are bound by type.

    Attributes:
        service: botocore's service name, such as `dynamodb`.
        operation: Such as `Query`.
        params: Parameters of the low-level client; nested mappings and lists with `Reference`s.
        max_pages: For operations with pages: how many are read at most; None: the first alone.
        max_items: How many items are taken at most; None: as the runbook's limits say.
        region: The region it goes to; None: the run's.
    """

    service: str
    operation: str
    params: Mapping[str, Any]
    max_pages: int | None = None
    max_items: int | None = None
    region: str | None = None


Comparison = Literal["equals", "not_equals", "at_most", "at_least", "exists", "absent"]


@dataclass(frozen=True, slots=True)
class MetricQuery:
    """A CloudWatch metric that a check looks at; compiles to `cloudwatch:GetMetricStatistics`.

    Attributes:
        namespace, name: The metric, such as `AWS/DynamoDB` and `ReadThrottleEvents`.
        dimensions: Its dimensions; values may be `Reference`s.
        statistic: `Average`, `Sum`, `Minimum`, `Maximum` or `SampleCount`.
        window_s: How far back it looks, in seconds; one data point covers it all.
    """

    namespace: str
    name: str
    dimensions: Mapping[str, Any]
    statistic: str = "Sum"
    window_s: int = 300


@dataclass(frozen=True, slots=True)
class Check:
    """A condition that has to hold, or the run ends.

    Attributes:
        subject: The value that is looked at, or the metric (no data points count as 0).
        comparison: How.
        value: What with: text, number, boolean or `Reference`; None for `exists` and `absent`.
        message: What to tell who runs it when the check fails.
    """

    subject: Reference | MetricQuery
    comparison: Comparison
    value: Any = None
    message: str = ""


@dataclass(frozen=True, slots=True)
class Pause:
    """A wait.

    Attributes:
        seconds: How long; None: until who runs it goes on (refused where nobody can be asked).
        message: What to tell them.
    """

    seconds: float | None
    message: str = ""


@dataclass(frozen=True, slots=True)
class Loop:
    """Steps that run once for each item.

    Attributes:
        items: What gives them: the result of a call (`find.Items`) or a list parameter.
        max_items: How many at most; a run with more of them ends before the first.
        steps: What runs for each; calls and checks alone.
    """

    items: Reference
    max_items: int
    steps: tuple[Step, ...]


@dataclass(frozen=True, slots=True)
class PythonStep:
    """A Python callable: `function(context)`, which gives JSON-like results.

    Attributes:
        target: `module:function`; in a Python runbook `:function` for one of the file itself.
        calls: All calls that it may make, through the client that its context gives.
    """

    target: str
    calls: tuple[CallTemplate, ...] = ()


@dataclass(frozen=True, slots=True)
class ApprovalStep:
    """A stop until somebody else has approved to go on.

    Attributes:
        terms: Who, how many, how long. Threshold and uses do not count.
        message: What is approved; shown with the run's parameters and the results until there.
    """

    terms: ApprovalTerms
    message: str = ""


StepAction = CallTemplate | Check | Pause | Loop | PythonStep | ApprovalStep


@dataclass(frozen=True, slots=True)
class Step:
    """One step.

    Attributes:
        name: Its name, by which results are found; unique in the runbook.
        action: What it does.
        description: Why; for `show` and for who runs it.
        retries: `safe`: failures are repeated within the retry budget, unless the call may have
            taken effect and adds to what is there; `never`: nothing is repeated.
        path: Where it stands in the document, for messages.
        line: 1-based line, 0 when not known.
    """

    name: str
    action: StepAction
    description: str = ""
    retries: Literal["safe", "never"] = "safe"
    path: str = ""
    line: int = 0


@dataclass(frozen=True, slots=True)
class RunLimits:
    """The `[limits]` table: what one run may take.

    Attributes:
        duration_s: Seconds from its begin to its end.
        max_items: Items that its calls read and write together; None: any number.
        max_pages: Pages that they read together, or None.
        read_units: Read capacity units, or None.
        write_units: Write capacity units, or None.
    """

    duration_s: float = 900.0
    max_items: int | None = None
    max_pages: int | None = None
    read_units: float | None = None
    write_units: float | None = None


@dataclass(frozen=True, slots=True)
class RunAccess:
    """The `[access]` table: how a run gets its permission.

    Attributes:
        role_arn: The role that it assumes, narrowed to its own calls; None: it runs with the
            credentials at hand.
        session_duration_s: How long the role's credentials last, in seconds; 900 at least.
        tags: Session tags.
        approval: Whose approval a run needs before it begins, or None.
    """

    role_arn: str | None = None
    session_duration_s: int = 900
    tags: Mapping[str, str] = field(default_factory=dict)
    approval: ApprovalTerms | None = None


@dataclass(frozen=True, slots=True)
class Runbook:
    """A whole runbook.

    Attributes:
        name: Its name: letters, digits, `-` and `_`, at most 64.
        purpose: What it is for, one sentence.
        owner: Who answers for it.
        steps: In order.
        link: Address of a page about it, or None.
        parameters: In document order.
        principals: Who may run it: groups of the policy, ARN patterns; None: everyone whom the
            policy lets.
        access: How a run gets its permission.
        limits: What a run may take.
        masks: Masks of its calls' answers, on top of the policy's.
        budget: Retry budget of its calls, before the policy's; None: the policy's.
        tables: Key schemas by table name, where the document tells; the statements that it
            compiles to are narrower with them.
        ignored_findings: Lint findings that the author has weighed: `DGR101`, or `DGR101:sample`
            for the step of that name alone.
        source: The file as named by the user, or `<runbook>`.
        directory: Folder of the file, where Python steps are looked up; None for mappings.
        sha256: Its content hash, hexadecimal: over the document as canonical JSON and the source
            files of its Python steps. White space and comments do not change it.
        python_sha256: Digests of those files, by their names from the folder; what is executed has
            to have them.
    """

    name: str
    purpose: str
    owner: str
    steps: tuple[Step, ...]
    link: str | None = None
    parameters: tuple[Parameter, ...] = ()
    principals: tuple[PrincipalPattern, ...] | None = None
    access: RunAccess = RunAccess()
    limits: RunLimits = RunLimits()
    masks: tuple[MaskStatement, ...] = ()
    budget: BudgetStatement | None = None
    tables: Mapping[str, TableSchema] = field(default_factory=dict)
    ignored_findings: frozenset[str] = frozenset()
    source: str = "<runbook>"
    directory: Path | None = None
    sha256: str = ""
    python_sha256: Mapping[str, str] = field(default_factory=dict)
