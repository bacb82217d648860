"""The values of condition keys for one authorisation, computed when a statement asks.

Three-valued: known values, known absent (`()`), `UNKNOWN`. Nothing is guessed: what a request does
not tell and the configuration does not give is unknown.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Mapping
from datetime import datetime
from typing import TYPE_CHECKING, Any, Final

from dynaguard.aws.arns import account_of, is_arn, last_part
from dynaguard.aws.dynamodb.schemas import KeySchemas
from dynaguard.call import (
    UNKNOWN,
    UNKNOWN_CHAR,
    UNKNOWN_RUN,
    Authorization,
    Call,
    ContextLookup,
    ContextValue,
    Principal,
    PrincipalKind,
)

if TYPE_CHECKING:
    from dynaguard.aws.dynamodb.items import ItemKeyReader

ABSENT: Final[ContextValue] = ()
_TAGS_READ: Final = frozenset(
    {
        *("dynamodb", "dynamodbstreams", "kms", "lambda", "secretsmanager"),
        *("sns", "sqs", "ssm", "sts"),
    }
)
"""Services whose requests carry tags in `Tags` or not at all."""


class Question:
    """What a key's value is computed from: one authorisation of one call."""

    __slots__ = ("authorization", "call", "principal", "source")

    def __init__(
        self,
        source: ContextSource,
        call: Call,
        principal: Principal,
        authorization: Authorization,
    ) -> None:
        self.source = source
        self.call = call
        self.principal = principal
        self.authorization = authorization

    def lookup(self, key: str) -> ContextValue:
        """The value of a key, given in lower case."""
        known = self.source.known.get(key)
        if known is not None:
            return known
        reader = _READERS.get(key)
        if reader is not None:
            return reader(self)
        for prefix, read_tag in _PREFIXED.items():
            if key.startswith(prefix):
                family = self.source.known.get(f"{prefix}*")
                return read_tag(self, key[len(prefix) :]) if family is None else family
        item_reader = _item_keys().get(key)
        if item_reader is not None:
            return item_reader(self.call, self.authorization, self.source.schemas)
        return UNKNOWN


@functools.cache
def _item_keys() -> Mapping[str, ItemKeyReader]:
    """The keys of DynamoDB's items; their parsers are imported where a policy asks for one."""
    from dynaguard.aws.dynamodb.items import ITEM_KEYS

    return ITEM_KEYS


class ContextSource:
    """Where condition keys get their values; made once, thread-safe.

    Args:
        known: Keys given by `[context]`, any case; they override what the call tells. `*` stands
            for the rest of a family of keys (`aws:PrincipalTag/*`).
        environment: Value of `dynaguard:Environment`, or None.
        schemas: Key schemas of tables.
        utcnow: The clock.
        trusts_labels: Whether a scope's `runbook` counts as it is. If not, as where there is no
            standing access, a runbook is only what a boundary of the scope holds to its steps.
    """

    __slots__ = ("environment", "known", "schemas", "trusts_labels", "utcnow")

    def __init__(
        self,
        *,
        known: Mapping[str, tuple[str, ...]],
        environment: str | None,
        schemas: KeySchemas,
        utcnow: Callable[[], datetime],
        trusts_labels: bool = True,
    ) -> None:
        self.trusts_labels = trusts_labels
        self.known = {key.lower(): values for key, values in known.items()}
        self.environment = environment
        self.schemas = schemas
        self.utcnow = utcnow

    def lookup_for(
        self, call: Call, principal: Principal, authorization: Authorization
    ) -> ContextLookup:
        """What gives the keys of one authorisation. Cost: one small object; keys are lazy."""
        return Question(self, call, principal, authorization).lookup


# --- readers -------------------------------------------------------------------------------------


def _one(value: str | None) -> ContextValue:
    """A single value, absent when there is none."""
    return ABSENT if value is None else (value,)


def _or_unknown(value: str | None) -> ContextValue:
    """A single value, unknown when it is not told."""
    return UNKNOWN if value is None else (value,)


def _runbook(question: Question) -> ContextValue:
    """The runbook that executes; a mere name is none where names are not trusted."""
    scope = question.call.scope
    name = scope.runbook
    if name is None or question.source.trusts_labels:
        return _one(name)
    is_held = any(each.kind == "runbook" and each.name == name for each in scope.boundaries)
    return (name,) if is_held else ABSENT


_REGION_BY_GLOBAL_NAME: Final = {
    "aws-cn-global": "cn-northwest-1",
    "aws-global": "us-east-1",
    "aws-us-gov-global": "us-gov-west-1",
}
# Roles that AWS makes lie below a path, which the ARN of their sessions leaves out.
_ROLES_WITH_PATHS: Final = ("AWSReservedSSO_", "AWSServiceRoleFor")


def _secure_transport(question: Question) -> ContextValue:
    """By the endpoint's scheme."""
    url = question.call.endpoint_url
    return UNKNOWN if url is None else (str(url.startswith("https:")).lower(),)


def _principal_arn(question: Question) -> ContextValue:
    """The ARN of the user or role; a session's ARN does not tell the role's path."""
    principal = question.principal
    if any(UNKNOWN_CHAR in arn or UNKNOWN_RUN in arn for arn in principal.arns):
        return UNKNOWN  # an ARN with a gap is no value that a condition could be held against
    for arn in principal.arns:
        if is_arn(arn, "iam"):
            return (arn,)
    for arn in principal.arns:
        if is_arn(arn, "sts") and last_part(arn).startswith("assumed-role/"):
            role = last_part(arn).split("/")[1]
            if role.startswith(_ROLES_WITH_PATHS):
                return UNKNOWN
            partition = arn.split(":")[1]
            return (f"arn:{partition}:iam::{account_of(arn)}:role/{role}",)
    return UNKNOWN


def _principal_type(question: Question) -> ContextValue:
    """`User` or `AssumedRole`, as far as the ARN tells."""
    arn = question.principal.arn
    if arn is None:
        return UNKNOWN
    if is_arn(arn, "iam") and last_part(arn).startswith("user/"):
        return ("User",)
    if "assumed-role/" in arn or ":role/" in arn:
        return ("AssumedRole",)
    return ("Account",) if last_part(arn) == "root" else UNKNOWN


def _username(question: Question) -> ContextValue:
    """Name of an IAM user; roles have none."""
    kind = _principal_type(question)
    if kind == ("User",):
        return (last_part(question.principal.arn or "").split("/")[-1],)
    return UNKNOWN if kind is UNKNOWN else ABSENT


def _resource_account(question: Question) -> ContextValue:
    """The account in the resource's ARN, where one stands there."""
    resource = question.authorization.resource
    if not is_arn(resource):
        return UNKNOWN
    account = account_of(resource)
    is_known = account and UNKNOWN_CHAR not in account and UNKNOWN_RUN not in account
    return (account,) if is_known else UNKNOWN


def _tags(question: Question) -> dict[str, str] | None:
    """`Tags` of a call: a list of Key and Value, or a mapping; None when not understood."""
    params = question.call.params
    tags = params.get("Tags", params.get("tags"))
    if tags is None:
        # Elsewhere tags may stand in `TagSpecifications`, `TagSet` ...: not seen is not absent.
        return {} if question.call.service in _TAGS_READ else None
    if isinstance(tags, Mapping):
        return {str(key): str(value) for key, value in tags.items()}
    if not isinstance(tags, list | tuple) or not all(isinstance(tag, Mapping) for tag in tags):
        return None
    return {
        str(tag.get("Key", tag.get("TagKey"))): str(tag.get("Value", tag.get("TagValue", "")))
        for tag in tags
    }


def _request_tag(question: Question, name: str) -> ContextValue:
    """`aws:RequestTag/name`; tag keys are compared without case, as condition keys are."""
    tags = _tags(question)
    if tags is None:
        return UNKNOWN
    values = tuple(value for key, value in tags.items() if key.lower() == name)
    return UNKNOWN if len(values) > 1 else values


def _tag_keys(question: Question) -> ContextValue:
    """`aws:TagKeys`."""
    tags = _tags(question)
    removed = question.call.params.get("TagKeys")
    if tags is None or not (removed is None or isinstance(removed, list | tuple)):
        return UNKNOWN
    return (*tags, *map(str, removed or ()))


def _unknown(_question: Question, _suffix: str = "") -> ContextValue:
    """A key that only the configuration can tell."""
    return UNKNOWN


def _groups(question: Question) -> ContextValue:
    """Groups of the identity; membership may be more than what is known."""
    principal = question.principal
    return tuple(sorted(principal.groups)) if principal.arns_complete else UNKNOWN


def _parameter(name: str) -> Callable[[Question], ContextValue]:
    """A text or number of the parameters, absent when not given."""

    def read(question: Question) -> ContextValue:
        value = _member(question).get(name)
        return ABSENT if value is None else (str(value),)

    return read


def _member(question: Question) -> Mapping[str, Any]:
    """The parameters that the authorisation stands for."""
    return question.authorization.member or question.call.params


def _kms_alias(question: Question) -> ContextValue:
    """`kms:RequestAlias`: the alias by which the key was named."""
    key = question.call.params.get("KeyId")
    if not isinstance(key, str) or "alias/" not in key:
        return ABSENT
    return (key[key.index("alias/") :],)


def _agent(question: Question) -> ContextValue:
    """`dynaguard:ActingAs`."""
    return _one(question.principal.acting_name)


def _identity(question: Question) -> ContextValue:
    """`dynaguard:Identity`; an identity of which nothing is known has no name either."""
    principal = question.principal
    is_known = principal.kind is not PrincipalKind.UNKNOWN or principal.source != "none"
    return (principal.name,) if is_known else UNKNOWN


def _runbook_sha256(question: Question) -> ContextValue:
    """`dynaguard:RunbookSha256`: of the run whose runbook the scope names, never of a claim.

    The innermost of that name counts, where one run starts another.
    """
    scope = question.call.scope
    for boundary in reversed(scope.boundaries):
        if boundary.kind == "runbook" and boundary.name == scope.runbook:
            return _one(boundary.runbook_sha256)
    return ABSENT


def _page_number(question: Question) -> ContextValue:
    """`dynaguard:PageNumber`; outside of a paginator it may be any page of a hand-made loop."""
    page = question.call.page_number
    return UNKNOWN if page is None else (str(page),)


_READERS: Final[Mapping[str, Callable[[Question], ContextValue]]] = {
    "aws:currenttime": lambda q: (q.source.utcnow().strftime("%Y-%m-%dT%H:%M:%SZ"),),
    "aws:epochtime": lambda q: (str(int(q.source.utcnow().timestamp())),),
    "aws:requestedregion": lambda q: _or_unknown(
        _REGION_BY_GLOBAL_NAME.get(q.call.region or "", q.call.region)
    ),
    "aws:securetransport": _secure_transport,
    "aws:principalarn": _principal_arn,
    "aws:principalaccount": lambda q: _or_unknown(q.principal.account_id),
    "aws:principaltype": _principal_type,
    "aws:username": _username,
    "aws:resourceaccount": _resource_account,
    "aws:tagkeys": _tag_keys,
    "s3:prefix": _parameter("Prefix"),
    "s3:delimiter": _parameter("Delimiter"),
    "s3:max-keys": _parameter("MaxKeys"),
    "s3:versionid": _parameter("VersionId"),
    "kms:requestalias": _kms_alias,
    "secretsmanager:secretid": _parameter("SecretId"),
    "dynaguard:identity": _identity,
    "dynaguard:group": _groups,
    "dynaguard:actingas": _agent,
    "dynaguard:job": lambda q: _one(q.call.scope.job),
    "dynaguard:runid": lambda q: _one(q.call.scope.run_id),
    "dynaguard:stage": lambda q: _one(q.call.scope.stage),
    "dynaguard:runbook": _runbook,
    "dynaguard:runbooksha256": _runbook_sha256,
    "dynaguard:task": lambda q: _one(q.call.scope.task),
    "dynaguard:environment": lambda q: _or_unknown(q.source.environment),
    "dynaguard:service": lambda q: (q.call.service,),
    "dynaguard:operation": lambda q: (q.call.operation,),
    "dynaguard:tablename": lambda q: _one(q.authorization.table_name),
    "dynaguard:indexname": lambda q: _one(q.authorization.index_name),
    "dynaguard:limit": _parameter("Limit"),
    "dynaguard:pagenumber": _page_number,
}
_PREFIXED: Final[Mapping[str, Callable[[Question, str], ContextValue]]] = {
    "aws:requesttag/": _request_tag,
    "aws:principaltag/": _unknown,
    "aws:resourcetag/": _unknown,
}
