"""The checked model of a policy document: what the loader gives and everybody else reads.

Values only. Once a `PolicyDocument` exists every pattern in it is well formed, every variable of
`[variables]` is resolved and every group that it names exists. IAM's own `${aws:...}` policy
variables stay in the text and are resolved per call.
"""

from __future__ import annotations

import enum
from collections.abc import Mapping, Sequence
from dataclasses import field
from typing import Any, Literal

from dynaguard.call import StatementRef
from dynaguard.scope import Priority
from dynaguard.values import dataclass

Effect = Literal["Allow", "Deny", "RequireApproval"]


class MaskStep(enum.Enum):
    """A step of a mask's attribute path that is neither a name nor a position."""

    EACH = "[*]"
    """Every element of a list."""
    ANY_DEPTH = "**"
    """Any number of names and positions, none included."""


@dataclass(frozen=True, slots=True)
class NamePattern:
    """Attribute names with `*` and `?`, as a step of a mask's path."""

    text: str


PathStep = str | int | NamePattern | MaskStep


@dataclass(frozen=True, slots=True)
class PrincipalPattern:
    """One entry of `Principal` / `NotPrincipal`.

    Attributes:
        kind: `group` (a name from `[groups]`), `arn` (a pattern with `*` and `?`), or `account`
            (twelve digits). `*` is the `arn` pattern `*`.
        value: The name, pattern or account id.
    """

    kind: Literal["group", "arn", "account"]
    value: str


@dataclass(frozen=True, slots=True)
class Condition:
    """One key under one operator: `{"ForAllValues:StringLikeIfExists": {"key": [values]}}`.

    Attributes:
        operator: Base operator in IAM's spelling (`StringLike`, `Null`), without qualifier.
        key: Condition key as written; compare it in lower case.
        values: The values as text, in document order, policy variables unresolved.
        qualifier: `ForAllValues`, `ForAnyValue` or None.
        if_exists: Whether the operator carried `IfExists`.
    """

    operator: str
    key: str
    values: tuple[str, ...]
    qualifier: Literal["ForAllValues", "ForAnyValue"] | None = None
    if_exists: bool = False


@dataclass(frozen=True, slots=True)
class Threshold:
    """How much goes without an approval, within a sliding window. At least one number.

    Attributes:
        window_s: Length of the window, in seconds.
        calls: Calls that match the statement.
        items: Items that they read, write or delete, as far as the requests tell.
        read_units: Read capacity units that they consumed.
        write_units: Write capacity units that they consumed.
    """

    window_s: float
    calls: int | None = None
    items: int | None = None
    read_units: float | None = None
    write_units: float | None = None


@dataclass(frozen=True, slots=True)
class ApprovalTerms:
    """The `Approval` table of a statement with Effect `RequireApproval`.

    Attributes:
        quorum: How many different people have to approve.
        any_of: Groups of which each approver must be in one; empty: anybody but who asks.
        all_of: Groups that must each be among the approvers.
        threshold: What goes without; None: nothing does.
        timeout_s: How long a ticket stays open, in seconds.
        duration_s: How long an approval lasts, in seconds from its last decision.
        uses: Calls that one approval is good for; None: any number.
    """

    quorum: int = 1
    any_of: tuple[str, ...] = ()
    all_of: tuple[str, ...] = ()
    threshold: Threshold | None = None
    timeout_s: float = 3600.0
    duration_s: float = 900.0
    uses: int | None = 1


@dataclass(frozen=True, slots=True)
class RunbookPin:
    """One entry of `[runbooks.NAME]`: a runbook that the document trusts.

    Its runs are allowed what its steps need, on top of what statements allow; a Deny still holds.

    Attributes:
        name: Name of the runbook.
        sha256: Its content hash, hexadecimal; a runbook of that name with another one may not run.
        principals: Who may run it, on top of what the runbook itself says; None: everyone.
        approval: Whose approval a run needs, or None. Its threshold and uses do not count: a run
            is approved as a whole, once.
    """

    name: str
    sha256: str
    principals: tuple[PrincipalPattern, ...] | None = None
    approval: ApprovalTerms | None = None


@dataclass(frozen=True, slots=True)
class Statement:
    """One statement.

    Attributes:
        ref: Sid and place.
        effect: Allow, Deny or RequireApproval. What requires approval is allowed once approved;
            a Deny comes before it, and it before an Allow.
        principals: None for everyone; else the entries of `Principal` or `NotPrincipal`.
        is_not_principal: Whether they came from `NotPrincipal`.
        actions: Patterns such as `dynamodb:*Item`, as written; compare case-insensitively.
        is_not_action: Whether they came from `NotAction`.
        resources: ARN patterns, as written; compare case-sensitively, part by part.
        is_not_resource: Whether they came from `NotResource`.
        conditions: All must hold.
        is_observed: `Mode = "observe"`: evaluated and recorded, left out of the verdict.
        has_variables: Whether `${...}` is a policy variable (IAM's Version rule) or plain text.
        approval: What an approval takes; None unless the effect is RequireApproval.
    """

    ref: StatementRef
    effect: Effect
    actions: tuple[str, ...]
    resources: tuple[str, ...]
    principals: tuple[PrincipalPattern, ...] | None = None
    is_not_principal: bool = False
    is_not_action: bool = False
    is_not_resource: bool = False
    conditions: tuple[Condition, ...] = ()
    is_observed: bool = False
    has_variables: bool = True
    approval: ApprovalTerms | None = None


@dataclass(frozen=True, slots=True)
class KeySchema:
    """Key attribute names of a table or index: partition keys first, then sort keys.

    Attributes:
        attributes: `("customer_id", "order_id")`.
        partition_key_count: How many of them are partition keys (1, or up to 4 on an index).
    """

    attributes: tuple[str, ...]
    partition_key_count: int = 1


@dataclass(frozen=True, slots=True)
class TableSchema:
    """An entry of `[tables]`: a table's key schema and those of its indexes by name."""

    key: KeySchema
    indexes: Mapping[str, KeySchema] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class MaskStatement:
    """One `[[mask]]` entry: of attributes of tables, or of the secrets of other services.

    Attributes:
        ref: Its place; the sid is `mask[0]` and so on unless `Sid` is written.
        tables: Table name patterns with `*` and `?`; empty for a mask of services.
        attributes: Attribute paths, see `mask_paths`. With detectors: where these look; empty
            for every attribute.
        strategy: How a value is masked: `redact`, `partial`, `hash`, `tokenize`, or
            `custom:NAME`.
        unless: Identities that see the plain value; None for nobody.
        only: The only identities that get masks; None for everybody.
        keep: For `partial`: how many trailing characters stay (an e-mail address keeps its
            domain instead).
        operations: Patterns of the operations whose answers are masked; empty for all.
        detectors: Kinds of values that are masked where they are found; empty for the whole value
            of each attribute.
        unseal: For `tokenize`: identities whose requests get the values of their tokens back;
            None for nobody.
        services: Patterns of IAM service prefixes: what AWS's models of them mark sensitive is
            masked.
        except_services: Services that are left out of `services`.
    """

    ref: StatementRef
    tables: tuple[str, ...]
    attributes: tuple[tuple[PathStep, ...], ...]
    strategy: str = "redact"
    unless: tuple[PrincipalPattern, ...] | None = None
    only: tuple[PrincipalPattern, ...] | None = None
    keep: int = 4
    operations: tuple[str, ...] = ()
    detectors: tuple[str, ...] = ()
    unseal: tuple[PrincipalPattern, ...] | None = None
    services: tuple[str, ...] = ()
    except_services: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class BudgetStatement:
    """One `[[budget]]` entry; the first whose patterns match a call is its budget.

    Attributes:
        ref: Its place.
        jobs: Job name patterns; `("*",)` for any, calls outside of a job included.
        tables: Table name patterns.
        priority: The class of the calls, whatever their scope says; None: as the scope says.
        retry_ratio: Retry tokens earned by each success, 0 to 1.
        max_tokens: Most tokens that a bucket holds; also what it starts with.
        min_retries_per_s: Tokens that drip in per second whatever happens.
        max_attempts: Attempts of one call at most.
        max_wait_s: Longest that one call waits, all its waits together.
        capacity_units_per_s: What the resource is known to take; None: learnt.
        max_share: Share of the capacity, known or learnt, that this process asks for at most.
        repeats_ambiguous_writes: Whether a write that adds to what is there is repeated although
            the first try may have taken effect.
        is_measuring: Whether answers are asked for the capacity that they consumed.
        is_observed: `Mode = "observe"`: counted and recorded, never refused nor paced.

    A number that is None is the class's own.
    """

    ref: StatementRef
    jobs: tuple[str, ...] = ("*",)
    tables: tuple[str, ...] = ("*",)
    priority: Priority | None = None
    retry_ratio: float | None = None
    max_tokens: float | None = None
    min_retries_per_s: float | None = None
    max_attempts: int | None = None
    max_wait_s: float | None = None
    capacity_units_per_s: float | None = None
    max_share: float = 1.0
    repeats_ambiguous_writes: bool = False
    is_measuring: bool = False
    is_observed: bool = False


@dataclass(frozen=True, slots=True)
class CapacityLimit:
    """One `[[capacity_limit]]` entry: what one run of a job may consume. At least one number.

    Attributes:
        ref: Its place.
        jobs: Job name patterns.
        tables: Table name patterns; the tables that match share the limit.
        read_units: Read capacity units, or None for any number.
        write_units: Write capacity units, or None for any number.
        soft: Share of them, above 0 and at most 1, at which the run is warned of.
        is_observed: `Mode = "observe"`: told and recorded, never refused.
    """

    ref: StatementRef
    jobs: tuple[str, ...] = ("*",)
    tables: tuple[str, ...] = ("*",)
    read_units: float | None = None
    write_units: float | None = None
    soft: float = 0.8
    is_observed: bool = False


@dataclass(frozen=True, slots=True)
class BundleFacts:
    """What is known of the bundle that a document was read from.

    Attributes:
        path: Its file as named by the user.
        sha256: Over its content, hexadecimal.
        key_id: The key that it is signed with, or None.
        is_verified: Whether that signature was checked, with a key that this process trusts.
    """

    path: str
    sha256: str
    key_id: str | None = None
    is_verified: bool = False


@dataclass(frozen=True, slots=True)
class PolicyDocument:
    """A whole document, its included IAM policies folded in.

    Attributes:
        default: Verdict for a governed call that no statement matches.
        govern: IAM service prefixes under the policy, lower case; None: every service.
        statements: In document order, included policies after the document's own. A tuple, or
            what reads each from a bundle when it is asked for (`bundle_statements.py`).
        groups: Members by group name: ARN patterns, and claims (`members.py`).
        owners: Identities by the owner who answers for them; the first that names one counts.
        tables: Key schemas by table name.
        masks: `[[mask]]` entries in order.
        detectors: Regular expressions of `[detectors]`, by the name of the kind that they find.
        budgets: `[[budget]]` entries in order.
        capacity_limits: `[[capacity_limit]]` entries in order.
        runbooks: Runbooks that the document trusts, by name.
        has_standing_access: False where the document says `standing_access = "none"`: then no
            statement allows anything outside of a runbook, a grant or an approval, and loading
            refuses a document in which one would.
        access_requests: Whose approval it takes to get access that is asked for, and how long it
            may last at most (`duration_s`); None: nobody may ask. It names a group at least.
        context: Further known context keys, values as text by key (as written).
        environment: `dev`, `staging`, `prod`: the variable `environment` of the document, or None.
        read_variables: What `[variables]` took from the environment, by environment variable:
            its value, or the defaults where it was not set.
        settings: The raw `[settings]` table; names are the arguments of `install()`.
        settings_line_by_name: Line of each of them, for messages.
        ignored_findings: Lint findings that the author has weighed: `DG204`, or `DG204:NoDeletes`
            for the statement, mask or budget of that Sid alone.
        version: The document's `revision`, or None (free text, shown by `status()`).
        source: The main file as named by the user, or `<policy>`.
        digest: SHA-256 (hex) over the bytes of all files read, in reading order.
        bundle: The bundle that it was read from, or None. Two documents that differ in this alone
            are equal.
    """

    default: Literal["allow", "deny"]
    govern: frozenset[str] | None
    statements: Sequence[Statement] = ()
    groups: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    owners: Mapping[str, tuple[PrincipalPattern, ...]] = field(default_factory=dict)
    tables: Mapping[str, TableSchema] = field(default_factory=dict)
    masks: tuple[MaskStatement, ...] = ()
    detectors: Mapping[str, str] = field(default_factory=dict)
    budgets: tuple[BudgetStatement, ...] = ()
    capacity_limits: tuple[CapacityLimit, ...] = ()
    runbooks: Mapping[str, RunbookPin] = field(default_factory=dict)
    has_standing_access: bool = True
    access_requests: ApprovalTerms | None = None
    context: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    environment: str | None = None
    read_variables: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    settings: Mapping[str, Any] = field(default_factory=dict)
    settings_line_by_name: Mapping[str, int] = field(default_factory=dict)
    ignored_findings: frozenset[str] = frozenset()
    version: str | None = None
    source: str = "<policy>"
    digest: str = ""
    bundle: BundleFacts | None = field(default=None, compare=False)
