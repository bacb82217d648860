"""What tests of resolvers share: an STS, a clock and a background that tests rule."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace

from dynaguard.call import CredentialFacts
from dynaguard.identity import IdentityResolver
from dynaguard.identity.lookup import Caller

ARN = "arn:aws:iam::123456789012:user/bob"
KEY_ID = "AKIAIOSFODNN7EXAMPLE"
FACTS = CredentialFacts(KEY_ID, "env", has_session_token=False)
ASSUMED = replace(FACTS, role_arn="arn:aws:iam::123456789012:role/etl", role_session_name="run")


@dataclass
class FakeSts:
    """Answers look-ups as told, and counts them by key."""

    answer: Callable[[CredentialFacts], str | None] = lambda _facts: ARN
    asked: list[str | None] = field(default_factory=list)

    def __call__(self, facts: CredentialFacts) -> Caller | None:
        self.asked.append(facts.access_key_id)
        arn = self.answer(facts)
        return None if arn is None else Caller(arn)


@dataclass
class FakeClock:
    """A clock that is set by hand."""

    now_s: float = 100.0

    def __call__(self) -> float:
        return self.now_s


@dataclass
class Background:
    """Work that runs when the test says so."""

    works: list[Callable[[], None]] = field(default_factory=list)

    def __call__(self, work: Callable[[], None]) -> None:
        self.works.append(work)

    def run(self) -> None:
        """Runs what was started meanwhile."""
        works, self.works = self.works, []
        for work in works:
            work()


def at_once(work: Callable[[], None]) -> None:
    """A background that is faster than the caller."""
    work()


def fail(_facts: CredentialFacts) -> str | None:
    """A look-up without a network."""
    raise ConnectionError("no route to AWS with key AKIA-SECRET")


def make(
    sts: FakeSts | None = None,
    clock: FakeClock | None = None,
    identity: str | None = None,
    start: Callable[[Callable[[], None]], None] = at_once,
) -> IdentityResolver:
    """A resolver without surroundings, whose look-ups answer at once unless said otherwise."""
    return IdentityResolver(
        identity=identity,
        account_id=None,
        groups={"people": ("arn:aws:iam::*:user/*",)},
        environ={},
        lookup=sts,
        monotonic=clock or FakeClock(),
        start=start,
    )
