"""`explain()`: what would be decided about a call, and how each statement bears on it."""

from __future__ import annotations

import dataclasses
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

from dynaguard.assembly import read_configuration
from dynaguard.aws.analysis import authorizations, service_prefix
from dynaguard.aws.context import ContextSource
from dynaguard.aws.dynamodb.schemas import KeySchemas
from dynaguard.call import (
    Authorization,
    Call,
    ContextLookup,
    CredentialFacts,
    Decision,
    Principal,
    Ruling,
    Verdict,
)
from dynaguard.configuration import Configuration
from dynaguard.errors import ConfigurationError, readable_arn
from dynaguard.identity.resolver import IdentityResolver
from dynaguard.policy.bundle_statements import asking_statements
from dynaguard.policy.decision import decide, denial_message
from dynaguard.policy.describing import terms_text
from dynaguard.policy.matcher import CompiledPolicy
from dynaguard.policy.opening import PolicySource
from dynaguard.policy.principals import views_of
from dynaguard.policy.suggestion import nearest_allow, smallest_statements
from dynaguard.policy.trace import ConsideredStatement, trace
from dynaguard.scope import Scope, correlation_id_of, current_scope

if TYPE_CHECKING:
    from dynaguard.access.grants import Grant
    from dynaguard.policy.decision import LookupFor, Widen
    from dynaguard.policy.model import PolicyDocument


_NOT_MISSING = frozenset({Verdict.ALLOW, Verdict.UNGOVERNED, Verdict.REQUIRE_APPROVAL})


@dataclass(frozen=True, slots=True)
class ExplainedAuthorization:
    """One permission that the call needs, and how each statement bears on it.

    Attributes:
        action, resource: What is needed; `<unknown>` stands for what is not known of it.
        problem: Why this part of the request is not understood, or None.
        is_allowed: Whether it would be allowed.
        statements: Every statement of the document, in order.
        nearest: The Allow that comes closest to allowing it, if it is refused and one is near.
    """

    action: str
    resource: str
    problem: str | None
    is_allowed: bool
    statements: tuple[ConsideredStatement, ...]
    nearest: ConsideredStatement | None = None


@dataclass(frozen=True, slots=True)
class ExplainedGrant:
    """A grant of the identity that a call was explained for.

    Attributes:
        id, owner, reason: As it was made.
        expires: When it ends, ISO 8601 in UTC.
        is_needed: Whether the call rests on it.
    """

    id: str
    owner: str
    reason: str
    expires: str
    is_needed: bool


@dataclass(frozen=True, slots=True)
class Explanation:
    """What would be decided about a call, and why.

    Attributes:
        service, operation: The call.
        identity: Label of the identity that it was explained for.
        verdict: `allow`, `deny`, `implicit_deny`, `require_approval` or `ungoverned`.
        is_allowed: Whether it would go on.
        statement: The statement behind the verdict as text, or None for the default.
        sid: Its Sid, or None.
        approvals: Of `require_approval`: each statement that asks, and whose approval it takes
            and for how long, in words. A threshold that it has is not looked at.
        message: As the denial would say it; empty when allowed.
        unknown_keys: Condition keys and facts that are not known and mattered.
        authorizations: Every permission that it needs.
        suggestions: The smallest statements that would allow what no statement allows, as
            mappings for a policy document; none where that would not help: an explicit deny
            stands against it, or the request is not understood.
        grants: Grants of the identity, of those that were given.
    """

    service: str
    operation: str
    identity: str
    verdict: str
    is_allowed: bool
    statement: str | None
    message: str
    unknown_keys: tuple[str, ...]
    authorizations: tuple[ExplainedAuthorization, ...]
    suggestions: tuple[Mapping[str, Any], ...] = ()
    sid: str | None = None
    approvals: tuple[str, ...] = ()
    grants: tuple[ExplainedGrant, ...] = ()

    def as_dict(self) -> dict[str, Any]:
        """The same, nested mappings and lists only; for JSON."""
        return dataclasses.asdict(self)


def explain(
    service: str,
    operation: str,
    params: Mapping[str, Any],
    *,
    policy: PolicySource | None = None,
    region: str | None = None,
    identity: str | None = None,
    account_id: str | None = None,
    expires_in: timedelta = timedelta(days=1),
    grants: Sequence[Grant] = (),
) -> Explanation:
    """What would be decided about a call, and how each statement bears on it. Sends nothing.

    Args:
        service: botocore's service name, such as `dynamodb`.
        operation: The operation, such as `GetItem`.
        params: The parameters of the low-level client, attribute values in DynamoDB JSON.
        policy: As for `install()`; not given, the policy that `install()` would find.
        region: The region called; not given, `AWS_REGION` or `AWS_DEFAULT_REGION`.
        identity: Name or ARN of the caller; not given, from the settings.
        account_id: The account called; not given, from the settings.
        expires_in: How long a suggested statement would hold.
        grants: Grants that count, as `dynaguard.grants()` gives them; no use is taken of any.

    Returns:
        The explanation. Names only: no parameter value stands in it.

    Raises:
        ConfigurationError: No policy is found, or settings cannot be used.
        PolicySyntaxError: A policy that is not fully understood.
    """
    given = {"identity": identity, "account_id": account_id}
    configuration = read_configuration(
        policy,
        {name: value for name, value in given.items() if value is not None},
        environ=os.environ,
        working_directory=Path.cwd(),
    )
    if configuration.document is None:
        raise ConfigurationError(
            "no policy is found, pass `policy` (`--policy`), set DYNAGUARD_POLICY or write "
            "`dynaguard.toml`"
        )
    where = region or os.environ.get("AWS_REGION") or os.environ.get("AWS_DEFAULT_REGION")
    call = _call(service, operation, params, where, current_scope())
    now = datetime.now(UTC)
    return _explain(call, configuration, configuration.document, now, now + expires_in, grants)


def _call(
    service: str, operation: str, params: Mapping[str, Any], region: str | None, scope: Scope
) -> Call:
    """The call as a client in that region would make it."""
    return Call(
        service=service,
        operation=operation,
        params=params,
        region=region,
        partition=_partition_of(region),
        endpoint_url=f"https://{service}.{region}.amazonaws.com" if region else None,
        credentials=CredentialFacts(),
        scope=scope,
        correlation_id=correlation_id_of(scope),
        service_prefix=service_prefix(service),
    )


def _partition_of(region: str | None) -> str:
    """The partition of a region by its prefix."""
    for prefix, partition in (("cn-", "aws-cn"), ("us-gov-", "aws-us-gov")):
        if region and region.startswith(prefix):
            return partition
    return "aws"


def _explain(
    call: Call,
    configuration: Configuration,
    document: PolicyDocument,
    now: datetime,
    expires: datetime,
    grants: Sequence[Grant],
) -> Explanation:
    """Decides and traces, as of `now`, for the identity that the settings tell."""
    settings = configuration.resolved.settings
    resolver = IdentityResolver(
        identity=settings.identity,
        account_id=settings.account_id,
        groups=document.groups,
        environ=os.environ,
    )
    context = ContextSource(
        known=document.context,
        environment=settings.environment or document.environment,
        schemas=KeySchemas(document.tables),
        utcnow=lambda: now,
        trusts_labels=document.has_standing_access,
    )
    principal = resolver.resolve(call.credentials, call.scope)
    return explain_call(
        call, principal, document, context, expires=expires, grants=grants, now=now
    )


def explain_call(
    call: Call,
    principal: Principal,
    document: PolicyDocument,
    context: ContextSource,
    *,
    expires: datetime,
    grants: Sequence[Grant] = (),
    now: datetime | None = None,
) -> Explanation:
    """The same for a call and an identity that are made already.

    Args:
        call: The call; nothing is sent.
        principal: Who would make it.
        document: The policy.
        context: Where condition keys get their values.
        expires: When a suggested statement ceases to match.
        grants: Grants that count.
        now: As of when they do; needed with grants.
    """

    def lookup_for(authorization: Authorization, who: Principal) -> ContextLookup:
        return context.lookup_for(call, who, authorization)

    needs = authorizations(call, principal.account_id)
    policy = CompiledPolicy(document)
    held = _Held(grants, call, now) if grants and now else None
    widen = None if held is None else held.widen_for(lookup_for)
    decision = decide(policy, call, principal, needs, lookup_for, widen)
    refused: list[Authorization] = []
    explained = []
    for need in needs:
        # While somebody acts, statements are shown as they bear on whom they refuse.
        verdicts = [
            (each, decide(policy, call, each, (need,), lookup_for, widen).verdict)
            for each in views_of(principal)
        ]
        refusing = [each for each, verdict in verdicts if not verdict.is_allowed]
        who = refusing[0] if refusing else principal
        # What requires an approval is allowed by it: no further statement is missing.
        if any(verdict is Verdict.IMPLICIT_DENY for _, verdict in verdicts):
            refused.append(need)
        is_missing = any(each not in _NOT_MISSING for _, each in verdicts)
        explained.append(
            _explain_need(
                document,
                need,
                who,
                lookup_for(need, who),
                is_allowed=not refusing,
                is_missing=is_missing,
            )
        )
    is_helped = decision.verdict is Verdict.IMPLICIT_DENY and not any(n.problem for n in refused)
    suggested = smallest_statements(refused, principal, expires=expires) if is_helped else ()
    found = _explanation(call, principal, decision, tuple(explained), suggested)
    found = replace(found, approvals=_approvals(document, decision))
    return found if held is None else replace(found, grants=held.explained(principal, decision))


class _Held:
    """Grants that count in an explanation."""

    def __init__(self, grants: Sequence[Grant], call: Call, now: datetime) -> None:
        from dynaguard.access.snapshot import snapshot_of  # only with grants

        self._snapshot = snapshot_of(grants)
        self._call = call
        self._now_s = now.timestamp()

    def widen_for(self, lookup_for: LookupFor) -> Widen:
        """What they allow."""
        from dynaguard.access.widening import rule_by

        def widen(need: Authorization, who: Principal, ruling: Ruling) -> Ruling | None:
            span_s = self._now_s, self._now_s
            return rule_by(self._snapshot, self._call, need, who, ruling, lookup_for, span_s)

        return widen

    def explained(self, principal: Principal, decision: Decision) -> tuple[ExplainedGrant, ...]:
        """Those of the identity, and of who acts with it."""
        from dynaguard.access.clock import iso_utc
        from dynaguard.access.snapshot import View

        acting = self._call.scope.acting_name
        views = [
            View(each.signer or each, acting, each.signer is not None)
            for each in views_of(principal)
        ]
        held = {grant.id: grant for view in views for grant in self._snapshot.held_by(view)}
        needed = {ref.id for ref in decision.grants}
        return tuple(
            ExplainedGrant(
                grant.id,
                grant.owner,
                grant.reason,
                iso_utc(grant.expires_epoch_s),
                grant.id in needed,
            )
            for grant in held.values()
            if self._now_s < grant.expires_epoch_s
        )


def _approvals(document: PolicyDocument, decision: Decision) -> tuple[str, ...]:
    """Whose approval each statement takes that requires one."""
    terms_by_ref = {each.ref: each.approval for each in asking_statements(document.statements)}
    asked = [(ref, terms_by_ref.get(ref)) for ref in decision.required_by]
    return tuple(f"{ref}: {terms_text(terms)}" for ref, terms in asked if terms is not None)


def _explain_need(
    document: PolicyDocument,
    need: Authorization,
    principal: Principal,
    lookup: ContextLookup,
    *,
    is_allowed: bool,
    is_missing: bool,
) -> ExplainedAuthorization:
    """One permission; where it is missing or denied, an Allow that comes near is looked for."""
    considered = trace(document, need, principal, lookup)
    return ExplainedAuthorization(
        need.action,
        readable_arn(need.resource),
        need.problem,
        is_allowed,
        considered,
        nearest_allow(considered) if is_missing else None,
    )


def _explanation(
    call: Call,
    principal: Principal,
    decision: Decision,
    explained: tuple[ExplainedAuthorization, ...],
    suggestions: tuple[Mapping[str, Any], ...],
) -> Explanation:
    """The value that the caller gets."""
    is_allowed = decision.verdict.is_allowed
    return Explanation(
        service=call.service,
        operation=call.operation,
        identity=principal.name,
        verdict=decision.verdict.value,
        is_allowed=is_allowed,
        statement=str(decision.statement) if decision.statement else None,
        message="" if is_allowed else denial_message(call, principal, decision),
        unknown_keys=decision.unknown_keys,
        authorizations=explained,
        suggestions=suggestions,
        sid=decision.statement.sid if decision.statement else None,
    )
