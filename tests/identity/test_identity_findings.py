"""What a reviewer is told of identities: each finding once, on every record while it holds."""

from __future__ import annotations

import logging
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta

import pytest

from dynaguard.call import CredentialFacts, Principal
from dynaguard.identity import IdentityResolver, findings
from dynaguard.identity.findings import Findings, IdentityFinding
from dynaguard.identity.lookup import Caller
from dynaguard.scope import EMPTY_SCOPE, Scope

NOW = datetime(2026, 11, 20, 12, tzinfo=UTC)
STATIC = CredentialFacts("AKIAIOSFODNN7EXAMPLE", "env", has_session_token=False)
TEMPORARY = CredentialFacts(
    "ASIAIOSFODNN7EXAMPLE",
    "assume-role",
    role_arn="arn:aws:iam::123456789012:role/etl",
    has_session_token=True,
)


@dataclass
class Clock:
    """A monotonic and a wall clock that go together."""

    now_s: float = 1000.0

    def monotonic(self) -> float:
        return self.now_s

    def time_s(self) -> float:
        return NOW.timestamp() + self.now_s - 1000.0


def make(clock: Clock | None = None, **more: object) -> tuple[IdentityResolver, list[str]]:
    """A resolver with an owner, and the codes that it finds."""
    clock = clock or Clock()
    found: list[str] = []
    options = {
        "identity": None,
        "account_id": None,
        "groups": {},
        "environ": {},
        "owner": "data-platform",
        "start": lambda work: work(),
        "monotonic": clock.monotonic,
        "time_s": clock.time_s,
        "on_finding": lambda finding: found.append(finding.code.value),
        **more,
    }
    return IdentityResolver(**options), found  # type: ignore[arg-type]


def test_a_long_lived_key_is_found() -> None:
    """Once, and it stands on every call."""
    resolver, found = make()

    codes = [resolver.resolve(STATIC, EMPTY_SCOPE).findings for _ in range(3)]

    assert codes == [("long_lived_key",)] * 3
    assert found == ["long_lived_key"]
    (shown,) = resolver.findings
    assert (shown.identity, shown.kind) == ("static-key", "user")
    assert STATIC.access_key_id not in repr(shown)
    assert shown.key_fingerprint is not None


def test_temporary_credentials_with_an_owner_are_in_order() -> None:
    """Nothing to say."""
    resolver, found = make()

    assert resolver.resolve(TEMPORARY, EMPTY_SCOPE).findings == ()
    assert found == []


def test_a_missing_owner_is_found() -> None:
    """Of an identity; a client without credentials has none to miss."""
    resolver, found = make(owner=None)

    assert resolver.resolve(TEMPORARY, EMPTY_SCOPE).findings == ("owner_missing",)
    assert resolver.resolve(CredentialFacts(), EMPTY_SCOPE).findings == ()
    assert found == ["owner_missing"]


def test_a_key_in_several_jobs_is_found() -> None:
    """From the second job on, however jobs take turns, also by another client."""
    resolver, found = make()

    alone = [resolver.resolve(TEMPORARY, Scope(job="a")).findings for _ in range(3)]
    outside = resolver.resolve(TEMPORARY, EMPTY_SCOPE).findings
    other_client = replace(TEMPORARY, account_id="123456789012")
    second = resolver.resolve(other_client, Scope(job="b")).findings
    again = [resolver.resolve(TEMPORARY, Scope(job=job)).findings for job in "bab"]

    assert alone == [()] * 3
    assert outside == ()
    assert second == ("key_in_several_jobs",)
    assert again == [("key_in_several_jobs",)] * 3
    assert found == ["key_in_several_jobs"]


def test_a_job_without_a_key_is_not_counted() -> None:
    """Credentials that were never used."""
    resolver, found = make()
    facts = replace(TEMPORARY, access_key_id=None)

    for job in "ab":
        assert resolver.resolve(facts, Scope(job=job)).findings == ()
    assert found == []


def test_credentials_that_were_not_refreshed_are_found() -> None:
    """Within the last five minutes, when botocore should have refreshed them long before."""
    clock = Clock()
    resolver, found = make(clock)
    facts = replace(TEMPORARY, expires_at=NOW + timedelta(hours=1))

    before = resolver.resolve(facts, EMPTY_SCOPE).findings
    clock.now_s += 3600 - findings.EXPIRING_WITHIN_S - 1
    still = resolver.resolve(facts, EMPTY_SCOPE).findings
    clock.now_s += 1
    after = [resolver.resolve(facts, EMPTY_SCOPE).findings for _ in range(2)]
    refreshed = replace(facts, access_key_id="ASIANEW", expires_at=NOW + timedelta(hours=2))

    assert (before, still) == ((), ())
    assert after == [("credentials_expiring",)] * 2
    assert found == ["credentials_expiring"]
    assert resolver.resolve(refreshed, EMPTY_SCOPE).findings == ()


def test_expiry_is_found_while_a_look_up_fails() -> None:
    """Nothing is ever settled there, and still somebody has to know."""
    clock = Clock()
    resolver, found = make(clock, lookup=lambda _facts: None)
    facts = replace(TEMPORARY, role_arn=None, expires_at=NOW + timedelta(minutes=6))

    assert resolver.resolve(facts, EMPTY_SCOPE).findings == ()
    clock.now_s += 59
    assert resolver.resolve(facts, EMPTY_SCOPE).findings == ()
    clock.now_s += 1
    assert resolver.resolve(facts, EMPTY_SCOPE).findings == ("credentials_expiring",)
    clock.now_s += 1
    assert resolver.resolve(facts, EMPTY_SCOPE).findings == ("credentials_expiring",)
    assert found == ["credentials_expiring"]


def test_who_acts_carries_the_findings_of_the_signer() -> None:
    """New ones too."""
    resolver, _ = make()
    bot = Scope(acting_name="bot", job="a")
    assert resolver.resolve(STATIC, bot).findings == ("long_lived_key",)

    found = resolver.resolve(STATIC, replace(bot, job="b"))

    assert found.findings == ("key_in_several_jobs", "long_lived_key")


def test_an_answer_that_changes_the_name_is_another_finding() -> None:
    """Both are told: records before and after have either name."""
    works = []
    resolver, found = make(
        lookup=lambda _facts: Caller("arn:aws:iam::123456789012:user/bob"), start=works.append
    )
    resolver.resolve(STATIC, EMPTY_SCOPE)
    works.pop()()

    resolver.resolve(STATIC, EMPTY_SCOPE)

    assert [each.identity for each in resolver.findings] == ["bob", "static-key"]
    assert found == ["long_lived_key"] * 2


def test_findings_are_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    """The last ones are shown."""
    monkeypatch.setattr(findings, "MAX_FINDINGS", 3)
    book = Findings()

    for n in range(10):
        book.note(Principal(name=f"p{n}", findings=("owner_missing",)))

    assert [each.identity for each in book.all()] == ["p7", "p8", "p9"]
    book.renew()
    assert book.all() == ()


def test_findings_are_logged_for_who_listens(caplog: pytest.LogCaptureFixture) -> None:
    """At INFO: a process that configures no logging prints nothing; never with the key."""
    resolver, _ = make()
    with caplog.at_level(logging.INFO, "dynaguard.identity"):
        resolver.resolve(STATIC, EMPTY_SCOPE)

    assert [record.levelname for record in caplog.records] == ["INFO"]
    assert "long_lived_key" in caplog.text
    assert str(STATIC.access_key_id) not in caplog.text


def test_a_counter_that_fails_breaks_no_call(caplog: pytest.LogCaptureFixture) -> None:
    """Observation never does."""

    def fail(_finding: IdentityFinding) -> None:
        raise RuntimeError("CANARY")

    resolver, _ = make(on_finding=fail)
    with caplog.at_level(logging.INFO, "dynaguard.identity"):
        assert resolver.resolve(STATIC, EMPTY_SCOPE).findings == ("long_lived_key",)

    assert "RuntimeError" in caplog.text
    assert "CANARY" not in caplog.text
