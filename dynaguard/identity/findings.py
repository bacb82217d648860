"""What a reviewer should know about the identities of this process.

A finding is no verdict: nothing is refused for it. It stands on the identity's records while it
holds, is counted and logged once, and is shown by `status()`.
"""

from __future__ import annotations

import enum
import logging
import threading
from collections.abc import Callable
from typing import Final

from cachetools import LRUCache

from dynaguard.call import Principal
from dynaguard.forks import renew_after_fork
from dynaguard.values import dataclass

MAX_FINDINGS: Final = 256
"""Findings that are shown; those of the identities found last."""
EXPIRING_WITHIN_S: Final = 300.0
"""Credentials with less than this left were due to be refreshed, and were not.

botocore refreshes from 15 minutes before the end, and makes calls wait for it from 10.
"""
_log: Final = logging.getLogger("dynaguard.identity")


class FindingCode(enum.StrEnum):
    """The kinds of findings."""

    CREDENTIALS_EXPIRING = "credentials_expiring"
    KEY_IN_SEVERAL_JOBS = "key_in_several_jobs"
    LONG_LIVED_KEY = "long_lived_key"
    OWNER_MISSING = "owner_missing"


_MEANING_BY_CODE: Final = {
    FindingCode.CREDENTIALS_EXPIRING: "the credentials are about to expire and were not refreshed",
    FindingCode.KEY_IN_SEVERAL_JOBS: "one access key signs for several jobs",
    FindingCode.LONG_LIVED_KEY: "a long-lived access key signs",
    FindingCode.OWNER_MISSING: "nobody is named as its owner",
}


@dataclass(frozen=True, slots=True)
class IdentityFinding:
    """One finding about one identity.

    Attributes:
        code: What was found.
        identity: The identity's name.
        kind: Its kind.
        key_fingerprint: The long-lived key that it is about, as records have it; None for
            temporary credentials, whose keys change.
        meaning: The code in words.
    """

    code: FindingCode
    identity: str
    kind: str
    key_fingerprint: str | None
    meaning: str


OnFinding = Callable[[IdentityFinding], None]


class Findings:
    """The findings of one guard, each once. Thread-safe; bounded by `MAX_FINDINGS`.

    Args:
        on_finding: Is told of each new one; what it raises goes no further.

    Logged at INFO, so that a process that configures no logging prints nothing.
    """

    def __init__(self, on_finding: OnFinding | None = None) -> None:
        self._on_finding = on_finding
        self.renew()
        renew_after_fork(self)

    def renew(self) -> None:
        """Forgets them: a forked child finds its own."""
        self._lock = threading.Lock()
        self._found: LRUCache[IdentityFinding, None] = LRUCache(MAX_FINDINGS)

    def note(self, principal: Principal) -> None:
        """Takes in the findings that a principal carries."""
        for code in principal.findings:
            finding = _finding(FindingCode(code), principal)
            with self._lock:
                is_new = finding not in self._found
                self._found[finding] = None
            if is_new:
                self._tell(finding)

    def all(self) -> tuple[IdentityFinding, ...]:
        """Those that are remembered, ordered by identity and code."""
        with self._lock:
            found = list(self._found)
        return tuple(sorted(found, key=lambda each: (each.identity, each.code, str(each))))

    def _tell(self, finding: IdentityFinding) -> None:
        """Logs and counts a new one."""
        _log.info("identity `%s`: %s (%s)", finding.identity, finding.meaning, finding.code)
        if self._on_finding is None:
            return
        try:
            self._on_finding(finding)
        except Exception as err:  # noqa: BLE001 - observation never breaks a call
            _log.info("a finding was not counted (%s)", type(err).__name__)


def static_findings(principal: Principal) -> tuple[str, ...]:
    """The codes that hold for an identity whatever it does, in alphabetical order."""
    codes = []
    if principal.is_static_key:
        codes.append(FindingCode.LONG_LIVED_KEY.value)
    if principal.owner is None and principal.source != "none":
        codes.append(FindingCode.OWNER_MISSING.value)
    return tuple(codes)


def _finding(code: FindingCode, principal: Principal) -> IdentityFinding:
    """A finding about a principal."""
    is_about_a_key = principal.is_static_key is True
    return IdentityFinding(
        code,
        principal.name,
        principal.kind.value,
        principal.key_fingerprint if is_about_a_key else None,
        _MEANING_BY_CODE[code],
    )
