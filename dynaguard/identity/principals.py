"""Makes the `Principal` of credentials from all that is known of them.

Two questions, answered apart. *Which ARN signs?* The explicit identity, the provider's assumed
role or permission set, the web identity's role, and last, on opt-in, STS. *What runs?* The Lambda
function, pod, task, instance, CI job that the environment shows. The name of a principal is the
first that is known of: the explicit name, the name in an ARN known offline, the workload's own
name, the name in STS's ARN, the sort of workload or key.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from itertools import chain
from typing import Final

from dynaguard.call import CredentialFacts, Principal, PrincipalKind
from dynaguard.identity.arns import (
    NamedIdentity,
    read_identity_arn,
    role_session,
    sso_session,
)
from dynaguard.identity.claims import NO_CLAIMS, Claims, ReadToken, claims_of_token
from dynaguard.identity.findings import static_findings
from dynaguard.identity.groups import Groups, Owners
from dynaguard.identity.lookup import Caller
from dynaguard.identity.surroundings import Surroundings, Workload, partition_of
from dynaguard.policy.patterns import has_marks
from dynaguard.values import dataclass

_USER_KEY: Final = "AKIA"
_TEMPORARY_KEY: Final = "ASIA"
_VAGUE_KINDS: Final = frozenset({PrincipalKind.ASSUMED_ROLE, PrincipalKind.UNKNOWN})


@dataclass(frozen=True, slots=True)
class Known:
    """What is known of an identity without asking anybody.

    Attributes:
        identity: What its ARN tells; None where no ARN is known.
        source: Who told the ARN, or `none`.
    """

    identity: NamedIdentity | None
    source: str

    @property
    def is_enough(self) -> bool:
        """Whether asking could tell nothing that policies need.

        The ARN of a role that signs is enough even without its session's name. A permission set is
        not: the rest of the role's name is not known, nor who signed in.
        """
        found = self.identity
        if found is None or not found.is_signer:
            return False
        return found.permission_set is None or found.session_name is not None


class PrincipalMaker:
    """Makes principals; remembers nothing.

    Args:
        identity: Explicit name or ARN, from the settings.
        account_id: The caller's account where credentials do not tell it, from the settings.
        groups: The groups of the document.
        owners: Its owners.
        surroundings: The environment.
        read_token: Gives the text of a web identity token file.
    """

    def __init__(
        self,
        *,
        identity: str | None,
        account_id: str | None,
        groups: Groups,
        owners: Owners,
        surroundings: Surroundings,
        read_token: ReadToken,
    ) -> None:
        self._explicit = read_identity_arn(identity) if identity else None
        self._explicit_name = identity if self._explicit is None else None
        self._account_id = account_id
        self._groups = groups
        self._owners = owners
        self._surroundings = surroundings
        self._read_token = read_token

    def known_offline(self, facts: CredentialFacts) -> Known:
        """The ARN that signs, as far as it is known without asking, and who told it."""
        provided, source = self._known_by_provider(facts)
        if self._explicit is None:
            return Known(provided, source if provided else "none")
        if provided is None:
            return Known(self._explicit, "explicit")
        # The provider's ARNs are true as well: a statement against one of them must hold.
        arns = _distinct(self._explicit.arns, provided.arns)
        return Known(replace(self._explicit, arns=arns), "explicit")

    def make(self, facts: CredentialFacts, offline: Known, caller: Caller | None) -> Principal:
        """The signing identity.

        Args:
            facts: The credentials.
            offline: Its ARN as known offline.
            caller: What the look-up told, or None.

        Effects: reads the token file of web identities and pods.
        """
        known, found = offline.identity, None
        if caller is not None:
            found = read_identity_arn(caller.arn)
            known = _unless_told_by(found, known)
        exact = found or known
        account_id = exact.account_id if exact else facts.account_id or self._account_id
        claims = self._claims(facts, exact)
        workload = self._workload(facts.method, account_id, claims)
        arns = _distinct(*(part.arns for part in (known, found, workload) if part))
        groups, is_a_group_in_doubt = self._groups.of(arns, claims)
        source = "sts" if found else offline.source
        principal = Principal(
            name=self._explicit_name or _name(facts, known, found, workload),
            kind=_kind(facts, known, found, workload),
            arn=exact.arn if exact else next((arn for arn in arns if not has_marks(arn)), None),
            arns=arns,
            arns_complete=exact is not None and exact.is_signer and not is_a_group_in_doubt,
            account_id=account_id,
            session_name=exact.session_name if exact else facts.role_session_name,
            groups=groups,
            source="explicit" if self._explicit_name else _source(facts, workload, source),
            is_static_key=is_static_key(facts),
            access_key_id=facts.access_key_id,
            function_version=workload.version if workload else None,
            service_account=claims.service_account,
            subject=claims.subject,
            expires_at=facts.expires_at,
            key_created_at=caller.key_created_at if caller else None,
        )
        principal = replace(principal, owner=self._owners.of(principal))
        return replace(principal, findings=static_findings(principal))

    def _known_by_provider(self, facts: CredentialFacts) -> tuple[NamedIdentity | None, str]:
        """What the provider assumes or names, or the environment gives a web identity."""
        if facts.assumed_role_arn:
            role_arn = facts.role_arn or (self._explicit.arn if self._explicit else None)
            return read_identity_arn(facts.assumed_role_arn, role_arn=role_arn), "provider"
        if facts.role_arn:
            return role_session(facts.role_arn, facts.role_session_name), "provider"
        if facts.login_arn:
            return read_identity_arn(facts.login_arn), "provider"
        if facts.sso_role_name and facts.account_id:
            partition = partition_of(facts.sso_region) if facts.sso_region else None
            return sso_session(facts.sso_role_name, facts.account_id, partition), "provider"
        around = self._surroundings
        if facts.method == "assume-role-with-web-identity" and around.role_arn:
            return role_session(around.role_arn, around.role_session_name), "environment"
        return None, "none"

    def _claims(self, facts: CredentialFacts, exact: NamedIdentity | None) -> Claims:
        """What a token and single sign-on claim of the identity."""
        path = facts.token_file or self._surroundings.token_file(facts.method)
        claims = claims_of_token(self._read_token(path)) if path else NO_CLAIMS
        role = exact.permission_set if exact else facts.sso_role_name
        if role is None:
            return claims
        values: Mapping[str, str | None] = {
            "sso:role": role,
            "sso:account": exact.account_id if exact else facts.account_id,
            "sso:person": exact.session_name if exact else None,
        }
        told = {claim: (value,) for claim, value in values.items() if value is not None}
        hidden = values.keys() - told.keys()
        return Claims({**claims.values, **told}, claims.unknown | hidden)

    def _workload(
        self, method: str | None, account_id: str | None, claims: Claims
    ) -> Workload | None:
        """What runs; a service account that a token names is a pod, wherever its token lies."""
        workload = self._surroundings.workload(method, account_id)
        service_account = claims.service_account
        if service_account is None:
            return workload
        if workload is None or workload.kind is PrincipalKind.CI_JOB:
            return Workload(PrincipalKind.EKS_POD, service_account, source="provider")
        return replace(workload, name=workload.name or service_account)


def is_static_key(facts: CredentialFacts) -> bool | None:
    """Whether a long-lived key signs; None when not known.

    A session token is a sure sign of temporary credentials; before one is known, the key's prefix
    tells.

    Source: IAM User Guide, IAM identifiers, *Understanding unique ID prefixes*.
    """
    if facts.access_key_id is None:
        return False if facts.has_session_token else None
    if facts.has_session_token is not None:
        return not facts.has_session_token
    is_static_by_prefix = {_USER_KEY: True, _TEMPORARY_KEY: False}
    return is_static_by_prefix.get(facts.access_key_id[: len(_USER_KEY)])


def _unless_told_by(
    found: NamedIdentity | None, known: NamedIdentity | None
) -> NamedIdentity | None:
    """What was known offline, without the gaps of a permission set that the look-up filled."""
    if found is None or known is None or known.permission_set is None:
        return known
    is_same = (found.permission_set, found.account_id) == (known.permission_set, known.account_id)
    return None if is_same else known


def _name(
    facts: CredentialFacts,
    known: NamedIdentity | None,
    found: NamedIdentity | None,
    workload: Workload | None,
) -> str:
    """The best label that is known; see the module's docstring for the order."""
    if known is not None:
        return known.name
    if workload is not None and workload.name:
        return workload.name
    if found is not None:
        return found.name
    if workload is not None:
        return workload.kind.replace("_", "-")
    is_static = is_static_key(facts)
    return "unknown" if is_static is None else "static-key" if is_static else "temporary-key"


def _kind(
    facts: CredentialFacts,
    known: NamedIdentity | None,
    found: NamedIdentity | None,
    workload: Workload | None,
) -> PrincipalKind:
    """What sort of identity: where a role runs tells more than that it is one."""
    if known is not None and known.kind not in _VAGUE_KINDS:
        return known.kind
    if workload is not None and (known is None or workload.is_bound):
        return workload.kind
    exact = found or known
    if exact is not None:
        return exact.kind
    is_user = is_static_key(facts) and str(facts.access_key_id).startswith(_USER_KEY)
    return PrincipalKind.USER if is_user else PrincipalKind.UNKNOWN


def _source(facts: CredentialFacts, workload: Workload | None, source: str) -> str:
    """Who told what is known: the ARN's source, else the workload's, else the key."""
    if source != "none":
        return source
    if workload is not None:
        return workload.source
    return "none" if is_static_key(facts) is None else "key_id"


def _distinct(*arns: tuple[str, ...]) -> tuple[str, ...]:
    """All of them, each once, in order."""
    return tuple(dict.fromkeys(chain.from_iterable(arns)))
