"""From credential facts and scope to the `Principal` behind a call.

Two questions, answered apart. *Which ARN signs?* The explicit identity, the provider's assumed
role, the web identity's role, and last, on opt-in, STS. *What runs?* The Lambda function, pod,
task, instance, CI job that the environment shows. The name of a principal is the first that is
known of: the explicit name, the name in an ARN known offline, the workload's own name, the name
in STS's ARN, the sort of workload or key.

The acting name of `acting_as()` does not change `name`, it stands beside it in `acting_name`: the
signing identity stays on every record, and names stay few where spans and budgets count by them.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import replace
from itertools import chain
from typing import Final, TypeVar

from dynaguard.call import CredentialFacts, Principal, PrincipalKind
from dynaguard.identity.arns import NamedIdentity, read_identity_arn, role_session
from dynaguard.identity.lookup import CallerAnswer, CallerLookup, IdentityLookup
from dynaguard.identity.surroundings import Surroundings, Workload, read_surroundings
from dynaguard.policy.patterns import arn_matches, arn_may_match, has_marks
from dynaguard.scope import Scope

MAX_REMEMBERED: Final = 1024
"""Entries of each memory before it is dropped."""
_USER_KEY: Final = "AKIA"
_TEMPORARY_KEY: Final = "ASIA"
_VAGUE_KINDS: Final = frozenset({PrincipalKind.ASSUMED_ROLE, PrincipalKind.UNKNOWN})
_KeyT = TypeVar("_KeyT")
_ValueT = TypeVar("_ValueT")
_ActingKey = tuple[CredentialFacts, str | None, str | None, frozenset[str]]


class IdentityResolver:
    """Gives the principal behind a call, from memory after the first call of the same identity.

    Memory is two plain dicts, read without a lock and dropped whole when full. A `get` of a dict
    is atomic and costs a third of an LRU's, which must move what it reads, under a lock; there
    are about as many entries as clients and acting names, and making one anew costs microseconds.
    A rotated key is a new entry, since its facts differ.

    Args:
        identity: Explicit name or ARN, from the settings.
        account_id: The caller's account where credentials do not tell it, from the settings.
        groups: ARN globs by group name, from the document.
        environ: The environment; read here once.
        lookup: Gives the caller's ARN for credentials; None: never ask.
        monotonic: Clock of failed look-ups, in seconds.

    Thread-safe: filling the memory twice is harmless.
    """

    def __init__(
        self,
        *,
        identity: str | None,
        account_id: str | None,
        groups: Mapping[str, tuple[str, ...]],
        environ: Mapping[str, str],
        lookup: IdentityLookup | None = None,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self._explicit = read_identity_arn(identity) if identity else None
        self._explicit_name = identity if self._explicit is None else None
        self._account_id = account_id
        self._groups = dict(groups)
        self._surroundings: Surroundings = read_surroundings(environ)
        self._monotonic = monotonic
        self._lookup = CallerLookup(lookup, monotonic) if lookup else None
        self._principal_by_facts: dict[CredentialFacts, Principal] = {}
        self._provisional_by_facts: dict[CredentialFacts, tuple[Principal, CallerAnswer]] = {}
        self._acting_by_key: dict[_ActingKey, tuple[Principal, Principal]] = {}

    @property
    def lookup_failures(self) -> int:
        """Look-ups that raised or gave no ARN, since the start."""
        return self._lookup.failures if self._lookup else 0

    def resolve(self, credentials: CredentialFacts, scope: Scope) -> Principal:
        """The principal behind a call.

        Args:
            credentials: What the client's provider tells.
            scope: The ambient scope: who acts.

        Effects: none but memory; with a look-up, the first call of an access key may block.
        Cost: one look-up in a dict; two while somebody acts.
        """
        signer = self._principal_by_facts.get(credentials)
        if signer is None:
            signer = self._resolve_signer(credentials)
        if scope.acting_name is None:
            return signer
        return self._with_acting(signer, credentials, scope)

    def _resolve_signer(self, facts: CredentialFacts) -> Principal:
        """The signing identity, where memory has none that stays."""
        provisional = self._provisional_by_facts.get(facts)
        if provisional is not None and provisional[1].holds_at(self._monotonic()):
            return provisional[0]
        known, source = self._known_offline(facts)
        if self._lookup is None or (known is not None and known.is_signer):
            principal = self._principal(facts, known, None, source)
            _keep(self._principal_by_facts, facts, principal)
            return principal
        answer = self._lookup.ask(facts)
        found = read_identity_arn(answer.arn) if answer.arn else None
        principal = self._principal(facts, known, found, "sts" if found else source)
        if found is None:
            _keep(self._provisional_by_facts, facts, (principal, answer))
        else:
            self._provisional_by_facts.pop(facts, None)
            _keep(self._principal_by_facts, facts, principal)
        return principal

    def _with_acting(self, signer: Principal, facts: CredentialFacts, scope: Scope) -> Principal:
        """The signing identity on behalf of the acting one."""
        key = (facts, scope.acting_name, scope.acting_kind, scope.acting_groups)
        remembered = self._acting_by_key.get(key)
        if remembered is not None and remembered[0] is signer:
            return remembered[1]
        is_agent = scope.acting_kind == PrincipalKind.AGENT
        principal = replace(
            signer,
            acting_name=scope.acting_name,
            kind=PrincipalKind.AGENT if is_agent else signer.kind,
            groups=signer.groups | scope.acting_groups,
        )
        _keep(self._acting_by_key, key, (signer, principal))
        return principal

    def _known_offline(self, facts: CredentialFacts) -> tuple[NamedIdentity | None, str]:
        """The ARN that signs, as far as it is known without asking, and who told it."""
        provided, source = self._known_by_provider(facts)
        if self._explicit is None:
            return provided, source if provided else "none"
        if provided is None:
            return self._explicit, "explicit"
        # The provider's ARNs are true as well: a statement against one of them must hold.
        arns = _distinct(self._explicit.arns, provided.arns)
        return replace(self._explicit, arns=arns), "explicit"

    def _known_by_provider(self, facts: CredentialFacts) -> tuple[NamedIdentity | None, str]:
        """The role that the provider assumes, or that the environment gives a web identity."""
        if facts.assumed_role_arn:
            role_arn = facts.role_arn or (self._explicit.arn if self._explicit else None)
            return read_identity_arn(facts.assumed_role_arn, role_arn=role_arn), "provider"
        if facts.role_arn:
            return role_session(facts.role_arn, facts.role_session_name), "provider"
        around = self._surroundings
        if facts.method == "assume-role-with-web-identity" and around.role_arn:
            return role_session(around.role_arn, around.role_session_name), "environment"
        return None, "none"

    def _principal(
        self,
        facts: CredentialFacts,
        known: NamedIdentity | None,
        found: NamedIdentity | None,
        source: str,
    ) -> Principal:
        """The signing identity from all that is known of it.

        Args:
            facts: The credentials.
            known: Its ARN as known offline.
            found: Its ARN as the look-up gave it.
            source: Who told the ARN, or `none`.
        """
        exact = found or known
        account_id = exact.account_id if exact else facts.account_id or self._account_id
        workload = self._surroundings.workload(facts.method, account_id)
        arns = _distinct(*(part.arns for part in (known, found, workload) if part))
        groups, is_a_group_in_doubt = _groups_of(arns, self._groups)
        is_signer_known = exact is not None and exact.is_signer
        return Principal(
            name=self._explicit_name or _name(facts, known, found, workload),
            kind=_kind(facts, known, found, workload),
            arn=exact.arn if exact else next((arn for arn in arns if not has_marks(arn)), None),
            arns=arns,
            arns_complete=is_signer_known and not is_a_group_in_doubt,
            account_id=account_id,
            session_name=exact.session_name if exact else facts.role_session_name,
            groups=groups,
            source="explicit" if self._explicit_name else _source(facts, workload, source),
            is_static_key=is_static_key(facts),
            access_key_id=facts.access_key_id,
        )


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
    if workload is not None and (known is None or workload.kind is not PrincipalKind.CI_JOB):
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


def _groups_of(
    arns: tuple[str, ...], globs_by_group: Mapping[str, tuple[str, ...]]
) -> tuple[frozenset[str], bool]:
    """The groups that ARNs surely belong to, and whether they may belong to another one."""
    member_of = []
    is_in_doubt = False
    for group, globs in globs_by_group.items():
        if any(glob == "*" or any(arn_matches(glob, arn) for arn in arns) for glob in globs):
            member_of.append(group)
        elif any(arn_may_match(glob, arn) for glob in globs for arn in arns):
            is_in_doubt = True
    return frozenset(member_of), is_in_doubt


def _distinct(*arns: tuple[str, ...]) -> tuple[str, ...]:
    """All of them, each once, in order."""
    return tuple(dict.fromkeys(chain.from_iterable(arns)))


def _keep(memory: dict[_KeyT, _ValueT], key: _KeyT, value: _ValueT) -> None:
    """Remembers; a full memory is dropped whole first."""
    if len(memory) >= MAX_REMEMBERED:
        memory.clear()
    memory[key] = value
