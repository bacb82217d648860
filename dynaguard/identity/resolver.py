"""From credential facts and scope to the `Principal` behind a call, from memory where possible.

The acting name of `acting_as()` does not change `name`, it stands beside it in `acting_name`: the
signing identity stays on every record, and names stay few where spans and budgets count by them.
What acts keeps the identity that signs in `signer`, for policies and masks to ask about both.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final, TypeVar

from dynaguard.call import CredentialFacts, Principal, PrincipalKind
from dynaguard.identity.claims import ReadToken, read_token_file
from dynaguard.identity.findings import (
    EXPIRING_WITHIN_S,
    FindingCode,
    Findings,
    IdentityFinding,
    OnFinding,
)
from dynaguard.identity.groups import Groups, Owners
from dynaguard.identity.principals import PrincipalMaker
from dynaguard.identity.surroundings import read_surroundings
from dynaguard.policy.model import PrincipalPattern
from dynaguard.scope import Scope

if TYPE_CHECKING:
    from dynaguard.identity.lookup import CallerLookup, IdentityLookup, Start

MAX_REMEMBERED: Final = 1024
"""Entries of each memory before it is dropped."""
_KeyT = TypeVar("_KeyT")
_ValueT = TypeVar("_ValueT")
_ActingKey = tuple[CredentialFacts, str | None, str | None, frozenset[str]]


@dataclass(slots=True)
class _Entry:
    """The principal of some credentials, as remembered.

    Attributes:
        principal: The principal.
        job: The job that its key was last seen in.
        is_shared: Whether the key was seen in several, so that jobs need not be watched any more.
        check_from_s: Clock reading from which the entry has to be looked after.
        expiring_from_s: Clock reading from which its credentials should have been refreshed.
        open_until: While a look-up may tell more: how many answers there had been, and the clock
            reading from which it may be asked again. None when nothing more will be known.
    """

    principal: Principal
    job: str | None = None
    is_shared: bool = False
    check_from_s: float = math.inf
    expiring_from_s: float = math.inf
    open_until: tuple[int, float] | None = None


class IdentityResolver:
    """Gives the principal behind a call, from memory after the first call of the same identity.

    Memory is plain dicts, read without a lock and dropped whole when full. A `get` of a dict is
    atomic and costs a third of an LRU's, which must move what it reads, under a lock; there are
    about as many entries as clients and acting names, and making one anew costs microseconds. A
    rotated key is a new entry, since its facts differ. Answers of look-ups and findings, which no
    call reads that finds its entry, are in `cachetools`' LRU caches.

    Args:
        identity: Explicit name or ARN, from the settings.
        account_id: The caller's account where credentials do not tell it, from the settings.
        groups: ARN globs and claims by group name, from the document.
        environ: The environment; read here once.
        owners: Identities by owner, from the document.
        owner: Who answers for everybody else, from the settings.
        lookup: Gives the caller for credentials; None: never ask.
        on_finding: Is told of each new finding.
        monotonic: Clock of look-ups and of `resolve`, in seconds.
        time_s: Clock of expiry, in seconds since the epoch.
        read_token: Gives the text of a web identity token file.
        start: Runs the look-up's work; None: in a thread of its own.

    Thread-safe: filling the memory twice is harmless.
    """

    def __init__(
        self,
        *,
        identity: str | None,
        account_id: str | None,
        groups: Mapping[str, tuple[str, ...]],
        environ: Mapping[str, str],
        owners: Mapping[str, tuple[PrincipalPattern, ...]] | None = None,
        owner: str | None = None,
        lookup: IdentityLookup | None = None,
        on_finding: OnFinding | None = None,
        monotonic: Callable[[], float] = time.monotonic,
        time_s: Callable[[], float] = time.time,
        read_token: ReadToken = read_token_file,
        start: Start | None = None,
    ) -> None:
        self._maker = PrincipalMaker(
            identity=identity,
            account_id=account_id,
            groups=Groups(groups),
            owners=Owners(owners or {}, owner),
            surroundings=read_surroundings(environ),
            read_token=read_token,
        )
        self._monotonic = monotonic
        self._time_s = time_s
        self._lookup = _caller_lookup(lookup, monotonic, start) if lookup else None
        self._findings = Findings(on_finding)
        self._entry_by_facts: dict[CredentialFacts, _Entry] = {}
        self._acting_by_key: dict[_ActingKey, tuple[Principal, Principal]] = {}
        self._job_by_key_id: dict[str, str] = {}

    @property
    def asks(self) -> bool:
        """Whether there is a look-up that may tell more than is known offline."""
        return self._lookup is not None

    @property
    def lookup_failures(self) -> int:
        """Look-ups that raised or gave no ARN, since the start."""
        return self._lookup.failures if self._lookup else 0

    @property
    def findings(self) -> tuple[IdentityFinding, ...]:
        """What a reviewer should know of the identities seen so far."""
        return self._findings.all()

    def resolve(
        self, credentials: CredentialFacts, scope: Scope, now_s: float | None = None
    ) -> Principal:
        """The principal behind a call.

        Args:
            credentials: What the client's provider tells.
            scope: The ambient scope: who acts, in which job.
            now_s: The clock, where the caller has read it already.

        Effects: none but memory, and findings; the first call of an access key reads the token
            file of a web identity, and may have the look-up asked in the background. Never blocks
            on the network.
        Cost: one look-up in a dict and three comparisons; one more look-up while somebody acts.
        """
        if now_s is None:
            now_s = self._monotonic()
        entry = self._entry_by_facts.get(credentials)
        if entry is None or now_s >= entry.check_from_s:
            entry = self._looked_after(credentials, entry, now_s)
        job = scope.job
        if job is not entry.job and job is not None and not entry.is_shared:
            self._note_job(entry, job)
        if scope.acting_name is None:
            return entry.principal
        return self._with_acting(entry.principal, credentials, scope)

    def settled(self, credentials: CredentialFacts, scope: Scope) -> Principal | None:
        """The principal once the look-up that is under way has answered; None where none is.

        For a call that would be refused, or masked, because the caller is not known.

        Effects: blocks up to `MAX_WAIT_S` seconds, no longer than to the scope's deadline.
        """
        if self._lookup is None:
            return None
        from dynaguard.identity.lookup import MAX_WAIT_S

        timeout_s = MAX_WAIT_S
        if scope.deadline_monotonic_s is not None:
            timeout_s = min(timeout_s, max(0.0, scope.deadline_monotonic_s - self._monotonic()))
        if not self._lookup.wait(credentials.access_key_id, timeout_s):
            return None
        return self.resolve(credentials, scope)

    def _looked_after(self, facts: CredentialFacts, entry: _Entry | None, now_s: float) -> _Entry:
        """The entry of some credentials: made, made anew with a look-up's answer, or as it is."""
        if entry is None or self._is_answered(entry, now_s):
            entry = self._make(facts, now_s)
            _keep(self._entry_by_facts, facts, entry)
            self._findings.note(entry.principal)
        if now_s >= entry.expiring_from_s:
            entry.expiring_from_s = math.inf
            entry.check_from_s = math.inf if entry.open_until is None else -math.inf
            self._add_finding(entry, FindingCode.CREDENTIALS_EXPIRING)
        return entry

    def _is_answered(self, entry: _Entry, now_s: float) -> bool:
        """Whether the look-up may tell more than when the entry was made."""
        lookup, open_until = self._lookup, entry.open_until
        return (
            lookup is not None
            and open_until is not None
            and (lookup.answered != open_until[0] or now_s >= open_until[1])
        )

    def _make(self, facts: CredentialFacts, now_s: float) -> _Entry:
        """A new entry; has the look-up asked where that can tell more."""
        offline = self._maker.known_offline(facts)
        lookup, key_id = self._lookup, facts.access_key_id
        # Credentials that were never used have no key yet, and with one they are another entry.
        if lookup is None or key_id is None or offline.is_enough:
            entry = _Entry(self._maker.make(facts, offline, None))
        else:
            # Read before the answer: one that comes in between is noticed by the next call.
            answered = lookup.answered
            answer = lookup.answer(key_id, facts)
            entry = _Entry(self._maker.make(facts, offline, answer.caller))
            if answer.caller is None:
                again_at_s = answer.ask_again_at_s
                entry.open_until = (answered, math.inf if again_at_s is None else again_at_s)
        if facts.expires_at is not None:
            left_s = facts.expires_at.timestamp() - self._time_s()
            entry.expiring_from_s = now_s + left_s - EXPIRING_WITHIN_S
        entry.check_from_s = entry.expiring_from_s if entry.open_until is None else -math.inf
        return entry

    def _note_job(self, entry: _Entry, job: str) -> None:
        """Notes in which job a key is used; a second job is a finding."""
        entry.job = job
        key_id = entry.principal.access_key_id
        if key_id is None:
            return
        first = self._job_by_key_id.get(key_id)
        if first is None:
            _keep(self._job_by_key_id, key_id, job)
        elif first != job:
            entry.is_shared = True
            self._add_finding(entry, FindingCode.KEY_IN_SEVERAL_JOBS)

    def _add_finding(self, entry: _Entry, code: FindingCode) -> None:
        """Puts a finding on an identity, from this call on."""
        principal = entry.principal
        findings = tuple(sorted({*principal.findings, code.value}))
        entry.principal = replace(principal, findings=findings)
        self._findings.note(entry.principal)

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
            signer=signer,
        )
        _keep(self._acting_by_key, key, (signer, principal))
        return principal


def _caller_lookup(
    lookup: IdentityLookup, monotonic: Callable[[], float], start: Start | None
) -> CallerLookup:
    """What asks who calls; imported where that was asked for."""
    from dynaguard.identity.lookup import CallerLookup, start_thread

    return CallerLookup(lookup, monotonic, start or start_thread)


def _keep(memory: dict[_KeyT, _ValueT], key: _KeyT, value: _ValueT) -> None:
    """Remembers; a full memory is dropped whole first."""
    if len(memory) >= MAX_REMEMBERED:
        memory.clear()
    memory[key] = value
