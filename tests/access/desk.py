"""A desk to try grants at: clocks that tests turn, a store in memory, a book that reads it."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from dynaguard.access.book import Book
from dynaguard.access.clock import StrictClock
from dynaguard.access.granting import create_grant, revoke_grant
from dynaguard.access.grants import Grant
from dynaguard.access.terms import GrantTerms
from dynaguard.access.widening import Grants
from dynaguard.call import NO_CREDENTIALS, Authorization, Call, Decision, Principal
from dynaguard.policy.decision import decide
from dynaguard.policy.matcher import CompiledPolicy
from dynaguard.scope import EMPTY_SCOPE, Scope
from dynaguard.testing import MemoryStore
from tests.policy.iam_documents import document_of

BEGIN_S = 1_800_000_000.0
ORDERS = "arn:aws:dynamodb:eu-west-1:111122223333:table/orders"
NEED = Authorization("dynamodb:GetItem", ORDERS)
ROLE = "arn:aws:iam::111122223333:role/etl"
SESSION = "arn:aws:sts::111122223333:assumed-role/etl/nightly"
ETL = Principal(
    "etl",
    arn=SESSION,
    arns=(SESSION, ROLE),
    arns_complete=True,
    account_id="111122223333",
    groups=frozenset({"batch"}),
)
NOTHING = document_of()


def statements(*resources: str, action: str = "dynamodb:GetItem", **parts: Any) -> str:
    """One Allow as JSON text."""
    allow = {"Effect": "Allow", "Action": action, "Resource": list(resources or (ORDERS,))}
    return json.dumps([{**allow, **parts}])


def call(scope: Scope = EMPTY_SCOPE, **changes: Any) -> Call:
    """A GetItem."""
    made = Call(
        service="dynamodb",
        operation="GetItem",
        params={},
        region="eu-west-1",
        partition="aws",
        endpoint_url=None,
        credentials=NO_CREDENTIALS,
        scope=scope,
        correlation_id="c-1",
        service_prefix="dynamodb",
    )
    return made._replace(**changes)


@dataclass
class Desk:
    """What a process knows of a store, with everything in the hands of the test.

    Attributes:
        wall_s: The wall clock.
        steady_s: The clock that never goes back.
        store: The store.
        waiting: Work for the background that nobody has done yet.
    """

    wall_s: float = BEGIN_S
    steady_s: float = 1000.0
    store: MemoryStore = field(default_factory=MemoryStore)
    waiting: list[Callable[[], None]] = field(default_factory=list)
    max_age_s: float = 30.0
    max_duration_s: float = 86_400.0
    is_enforcing: bool = True

    def __post_init__(self) -> None:
        self.clock = StrictClock(lambda: self.wall_s, lambda: self.steady_s)
        self.book = Book(
            self.store,
            self.clock,
            max_age_s=self.max_age_s,
            max_duration_s=self.max_duration_s,
            start=self.waiting.append,
        )
        self.grants = Grants(self.book, is_enforcing=self.is_enforcing)

    def passes(self, seconds: float) -> None:
        """Time goes on."""
        self.wall_s += seconds
        self.steady_s += seconds

    def work(self) -> None:
        """The background does what waits for it."""
        while self.waiting:
            self.waiting.pop(0)()

    def give(self, **changes: Any) -> Grant:
        """A grant of 15 minutes for the ETL role, made by somebody else a moment ago."""
        terms = {
            "statements": statements(),
            "identity": ROLE,
            "reason": "INC-4711",
            "duration_s": 900.0,
        }
        return create_grant(
            self.store, GrantTerms(**{**terms, **changes}), owner="ada", now_epoch_s=self.wall_s
        )

    def revoke(self, grant: Grant) -> None:
        """Takes it back, somewhere else."""
        revoke_grant(self.store, grant.id, by="ada", why="over", now_epoch_s=self.wall_s)

    def decide(
        self,
        who: Principal = ETL,
        *needs: Authorization,
        scope: Scope = EMPTY_SCOPE,
        policy: CompiledPolicy | None = None,
        **of_call: Any,
    ) -> Decision:
        """One decision by what is known, without a second look."""
        made = call(scope, **of_call)

        def lookup_for(_need: Authorization, _who: Principal) -> Any:
            return lambda _key: ()

        def widen(need: Authorization, asked: Principal, ruling: Any) -> Any:
            return self.grants.rule(made, need, asked, ruling, lookup_for)

        return decide(
            policy or CompiledPolicy(NOTHING), made, who, needs or (NEED,), lookup_for, widen
        )

    def allows(self, who: Principal = ETL, *needs: Authorization, **options: Any) -> bool:
        """Whether a call goes on after a second look at the store, as a guard does it."""
        decision = self.decide(who, *needs, **options)
        if not decision.verdict.is_allowed and self.grants.learns_more(decision):
            decision = self.decide(who, *needs, **options)
        return decision.verdict.is_allowed
