"""The values that travel through the guard: a call, who makes it, what it needs, how it ended.

Every room speaks in these values. They are frozen, built once at the edge (`hooks/`) or by the
step that owns them, and never changed afterwards. Nothing here knows botocore. Those that every
call makes anew are named tuples, which cost a quarter of a frozen dataclass to make.

INVARIANT: no value in this module keeps a secret key or a session token. `Call.params` holds the
caller's item values and therefore never enters a repr, a record, a span or a message.
"""

from __future__ import annotations

import enum
from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Any, Final, NamedTuple

from dynaguard.caller import (
    NO_CREDENTIALS,
    UNKNOWN_PRINCIPAL,
    CredentialFacts,
    Principal,
    PrincipalKind,
)
from dynaguard.scope import Scope
from dynaguard.values import dataclass

__all__ = [
    "NO_CREDENTIALS",
    "UNKNOWN",
    "UNKNOWN_ACCOUNT",
    "UNKNOWN_CHAR",
    "UNKNOWN_PRINCIPAL",
    "UNKNOWN_RUN",
    "Authorization",
    "BudgetState",
    "Call",
    "ConsumedCapacity",
    "ContextLookup",
    "ContextValue",
    "CredentialFacts",
    "Decision",
    "MaskedValues",
    "Outcome",
    "Principal",
    "PrincipalKind",
    "Ruling",
    "StatementRef",
    "Status",
    "Unknown",
    "Verdict",
]

UNKNOWN_CHAR: Final = "\ufdd0"
"""Stands for exactly one character of an ARN that this process cannot know.

A Unicode noncharacter, so no real ARN holds it. An Allow pattern covers it only by a wildcard;
a Deny pattern is taken to match it by any character (fail closed).
"""

UNKNOWN_RUN: Final = "\ufdd1"
"""Stands for any run of characters (zero or more) of an ARN that this process cannot know.

An Allow pattern covers it only by `*`; a Deny pattern is taken to match it.
"""

UNKNOWN_ACCOUNT: Final = UNKNOWN_CHAR * 12
"""An AWS account id (always twelve digits) that is not known to this process."""


class Unknown(enum.Enum):
    """The third value of a condition key: present or absent, with any value.

    Unknown never satisfies an Allow and always satisfies a Deny.
    """

    UNKNOWN = "unknown"


UNKNOWN: Final = Unknown.UNKNOWN

ContextValue = tuple[str, ...] | Unknown
"""What a condition key holds: its values as text, `()` for known absent, or `UNKNOWN`.

Booleans are `"true"` / `"false"`, numbers decimal text, instants ISO 8601 or epoch seconds.
"""

ContextLookup = Callable[[str], ContextValue]
"""Gives the value of a condition key. The key comes in lower case; an unheard-of key is absent."""


class Call(NamedTuple):
    """One call as botocore is about to serialise and send it.

    Attributes:
        service: botocore's service name (`dynamodb`, `dynamodbstreams`, `s3`).
        operation: The API operation (`GetItem`).
        params: The low-level parameters as the client API takes them, attribute values in
            DynamoDB JSON (`{"S": "..."}`; binary as bytes). Not copied: read, never written.
        region: The client's region, or None (`aws-global` services).
        partition: `aws`, `aws-cn`, `aws-us-gov` ...
        endpoint_url: Where the call goes, as resolved by botocore.
        credentials: Facts about the signing credentials.
        scope: The ambient scope at the moment of the call.
        correlation_id: The scope's correlation id, or one made for this call.
        is_presign: True when a presigned URL or POST is made; nothing is sent then.
        service_prefix: IAM's prefix of the service (`dynamodb` for `dynamodbstreams` too).
        page_number: Which page of a paginator it asks for, from 1; None outside of one.
    """

    service: str
    operation: str
    params: Mapping[str, Any]
    region: str | None
    partition: str
    endpoint_url: str | None
    credentials: CredentialFacts
    scope: Scope
    correlation_id: str
    is_presign: bool = False
    service_prefix: str = ""
    page_number: int | None = None

    def __repr__(self) -> str:
        """Everything but the item values."""
        return _repr_without(self, "params")


class Authorization(NamedTuple):
    """One permission that a call needs: an IAM action on one resource.

    Attributes:
        action: `dynamodb:GetItem`, in IAM's spelling.
        resource: The ARN, `*` where the action knows no resource. May hold `UNKNOWN_CHAR` and
            `UNKNOWN_RUN` where a part is not known.
        member: The part of the parameters that this authorisation stands for (one item of a
            transaction, the whole parameters of a GetItem); condition keys are read from it.
        enclosing_operation: `TransactWriteItems` and the like, else None.
        table_name: When the resource is a table or one of its indexes.
        index_name: When the resource is an index.
        problem: Why this part of the request could not be understood, or None. A problem never
            satisfies an Allow.
    """

    action: str
    resource: str
    member: Mapping[str, Any] = MappingProxyType({})
    enclosing_operation: str | None = None
    table_name: str | None = None
    index_name: str | None = None
    problem: str | None = None

    def __repr__(self) -> str:
        """Everything but the item values."""
        return _repr_without(self, "member")

    @property
    def is_resource_known(self) -> bool:
        """Whether every character of the resource is known."""
        return UNKNOWN_CHAR not in self.resource and UNKNOWN_RUN not in self.resource


@dataclass(frozen=True, slots=True)
class StatementRef:
    """Where a policy statement stands, for messages and records.

    Attributes:
        sid: The statement's Sid, or a generated `statement[3]`.
        source: The document's file name as given (or `<policy>` for a mapping).
        line: Line of the statement's first key; 0 when not known.
    """

    sid: str
    source: str = "<policy>"
    line: int = 0

    def __str__(self) -> str:
        """`EtlReadsOrders (policy.toml:12)`."""
        place = f"{self.source}:{self.line}" if self.line else self.source
        return f"{self.sid} ({place})"


class Verdict(enum.StrEnum):
    """IAM's outcomes, one for calls that wait for an approval, one for services not governed."""

    ALLOW = "allow"
    DENY = "deny"
    IMPLICIT_DENY = "implicit_deny"
    REQUIRE_APPROVAL = "require_approval"
    UNGOVERNED = "ungoverned"

    @property
    def is_allowed(self) -> bool:
        """Whether the call may go on."""
        return self is Verdict.ALLOW or self is Verdict.UNGOVERNED


class GrantRef(NamedTuple):
    """The grant that allows a call, for messages and records.

    Attributes:
        id: Its id.
        owner: Who made it, and answers for it.
        reason: Why it was made.
        expires_epoch_s: When it ends, in seconds since the epoch.
        is_break_glass: Whether it was taken in an emergency, without anybody's approval.
    """

    id: str
    owner: str
    reason: str
    expires_epoch_s: float
    is_break_glass: bool = False


class ApprovalRef(NamedTuple):
    """The approval that allows a call, for messages and records.

    Attributes:
        ticket: Id of the ticket.
        subject_sha256: Hash of what was approved: a request, or a runbook with its parameters.
        approvers: Names of those who approved, in the order of their decisions.
        approved_epoch_s: When the last of them did, in seconds since the epoch.
        expires_epoch_s: When the approval ends.
    """

    ticket: str
    subject_sha256: str
    approvers: tuple[str, ...]
    approved_epoch_s: float
    expires_epoch_s: float


@dataclass(frozen=True, slots=True)
class Ruling:
    """The policy's answer for one authorisation.

    Attributes:
        verdict: allow, deny (explicit), implicit_deny or require_approval.
        statement: The statement that decided; None for the default.
        unknown_keys: Condition keys (as written in the policy) and facts (`aws:PrincipalArn`,
            `account`) whose being unknown kept a statement from matching, or made a Deny match.
        observed: Statements with `Mode = "observe"` that would have matched.
        grant: The grant that allows what no statement does, or None.
        required_by: Statements that require an approval, the one that decides first; also where
            an implicit deny comes before them. Each wants its own terms met.
    """

    verdict: Verdict
    statement: StatementRef | None = None
    unknown_keys: tuple[str, ...] = ()
    observed: tuple[StatementRef, ...] = ()
    grant: GrantRef | None = None
    required_by: tuple[StatementRef, ...] = ()


class Decision(NamedTuple):
    """The answer for a whole call: every authorisation must be allowed.

    Attributes:
        verdict: The worst of the rulings.
        authorizations: What the call needs, in request order.
        offending: The first authorisation that was not allowed, or None.
        statement: The statement behind the verdict, or None for the default.
        reason: One clause, lower case, names only; empty when allowed.
        how_to_allow: What would allow it, one clause; empty when allowed.
        unknown_keys: As in `Ruling`, over all authorisations.
        observed: As in `Ruling`, over all authorisations.
        is_enforced: False when the mode let a refused call through.
        grants: The grants that it needs, each once.
        approval: The approval that it needs, once given; or None.
        required_by: As in `Ruling`, over all authorisations, where an approval is required; of an
            allowed call, what it is below the threshold of.
    """

    verdict: Verdict
    authorizations: tuple[Authorization, ...] = ()
    offending: Authorization | None = None
    statement: StatementRef | None = None
    reason: str = ""
    how_to_allow: str = ""
    unknown_keys: tuple[str, ...] = ()
    observed: tuple[StatementRef, ...] = ()
    is_enforced: bool = True
    grants: tuple[GrantRef, ...] = ()
    approval: ApprovalRef | None = None
    required_by: tuple[StatementRef, ...] = ()


class Status(enum.StrEnum):
    """How a call ended, seen from the caller."""

    OK = "ok"
    ERROR = "error"
    DENIED = "denied"
    PRESIGNED = "presigned"


@dataclass(frozen=True, slots=True)
class ConsumedCapacity:
    """Capacity units that one table or index reported, as AWS counts them.

    `index` is None for the table itself, and where AWS did not split the units.
    """

    table: str
    read_units: float = 0.0
    write_units: float = 0.0
    total_units: float = 0.0
    index: str | None = None


class MaskedValues(NamedTuple):
    """Values of an answer that were masked in the same way.

    Attributes:
        table: The table; several, joined by commas, where the answer does not tell which; None
            when not known, and for services without tables.
        attribute: Attribute path as written in the policy; for secrets of other services, the
            member (`Parameters[].Value`).
        strategy: `redact`, `partial`, `hash`, `tokenize` or `custom:NAME`.
        detector: What found them, or None for attributes that are masked whole.
        value_count: How many.
    """

    table: str | None
    attribute: str
    strategy: str
    detector: str | None
    value_count: int


class BudgetState(NamedTuple):
    """The retry budget of a call, as it stood after the call's last trouble.

    Attributes:
        bucket: What shares it: ``job `nightly` on `table/orders` (write)``.
        tokens_left: Retry tokens; below zero they are promised.
        throttle_ratio: Throttled attempts of the bucket over all answered ones.
        rate_per_s: Units per second that the resource takes from this process; None: no limit.
    """

    bucket: str
    tokens_left: float
    throttle_ratio: float
    rate_per_s: float | None


class Outcome(NamedTuple):
    """What came of a call.

    Attributes:
        status: How it ended.
        error_code: AWS error code, or the exception's class name for client-side failures.
        http_status: Status of the last answer, or None when none came.
        request_id: AWS request id of the last answer, or None.
        attempts: Requests sent; 0 for a denial.
        throttles: Attempts answered by a throttle, leftovers of batch calls included.
        wait_s: Time spent waiting for admission and between attempts, in seconds.
        elapsed_s: From entering the client to leaving it, in seconds.
        masked: What was masked in the answer.
        capacity: Consumed capacity, where the answer reports it.
        item_count: Items returned, or None where the operation returns none.
        unprocessed_count: Members that a batch call handed back unprocessed.
        budget_refusal: Why a further attempt was refused, or None.
        budget: Its retry budget, where it was throttled, failed or waited; else None.
        scanned_count: Items that a read looked at before its filter, or None.
        warnings: What it was the first to be warned of: `scan`, `unbounded`, `filter`.
    """

    status: Status
    error_code: str | None = None
    http_status: int | None = None
    request_id: str | None = None
    attempts: int = 0
    throttles: int = 0
    wait_s: float = 0.0
    elapsed_s: float = 0.0
    masked: tuple[MaskedValues, ...] = ()
    capacity: tuple[ConsumedCapacity, ...] = ()
    item_count: int | None = None
    unprocessed_count: int = 0
    budget_refusal: str | None = None
    budget: BudgetState | None = None
    scanned_count: int | None = None
    warnings: tuple[str, ...] = ()


def _repr_without(value: NamedTuple, hidden: str) -> str:
    """The text of a value that leaves one field out."""
    shown = ", ".join(
        f"{name}={part!r}"
        for name, part in zip(value._fields, value, strict=True)
        if name != hidden
    )
    return f"{type(value).__name__}({shown})"
