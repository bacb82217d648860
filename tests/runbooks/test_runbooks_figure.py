"""Random calls in and out of every shipped runbook, decided by the guard and by IAM's rules.

`FIGURE_CALLS=10000` in the environment decides that many for each runbook, and prints a table.
"""

from __future__ import annotations

import os
import random
import sys
from collections import Counter
from dataclasses import replace
from datetime import UTC, datetime

import pytest

from dynaguard.access.boundaries import Boundaries
from dynaguard.access.clock import StrictClock
from dynaguard.call import UNKNOWN_PRINCIPAL, Decision, Verdict
from dynaguard.policy import reference
from dynaguard.policy.loading import load_policy
from dynaguard.policy.model import PolicyDocument
from dynaguard.runbooks.binding import bind
from dynaguard.runbooks.bound import BoundRunbook
from dynaguard.runbooks.calls import calls_of
from dynaguard.runbooks.library import library_names, library_path
from dynaguard.runbooks.reading import read_runbook
from dynaguard.scope import EMPTY_SCOPE
from tests.runbooks.random_calls import (
    ACCOUNT,
    REGION,
    VALUES,
    Mutant,
    inside,
    is_covered,
    needs_of,
    outside,
    source_of,
    views,
)

IS_FIGURE = "FIGURE_CALLS" in os.environ
CALLS = int(os.environ.get("FIGURE_CALLS", "300"))
CALLS_PER_BINDING = 50


def _bound(name: str, chance: random.Random) -> BoundRunbook:
    runbook = read_runbook(library_path(name))
    values = {
        each.name: VALUES[each.name](chance) for each in runbook.parameters if each.name in VALUES
    }
    return bind(runbook, values, region=REGION, account_id=ACCOUNT)


class Judges:
    """The guard within the boundary of a run, and IAM with the compiled policy of that run."""

    def __init__(self, bound: BoundRunbook) -> None:
        self._source = source_of(bound)
        self._boundaries = Boundaries(StrictClock())
        boundary = bound.boundary(
            "t", expires_epoch_s=datetime(2100, 1, 1, tzinfo=UTC).timestamp()
        )
        self._scope = replace(EMPTY_SCOPE, boundaries=(boundary,))
        policy = {"Version": "2012-10-17", "Statement": list(bound.iam_statements)}
        self._policy: PolicyDocument = load_policy(policy, environ={})

    def guard_allows(self, mutant: Mutant) -> bool:
        """Whether the boundary lets a call through that the policy allows."""
        call = mutant.call._replace(scope=self._scope)
        decision = Decision(Verdict.ALLOW, needs_of(mutant))

        def lookup_for(need, who):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN202
            return self._source.lookup_for(call, who, need)

        return self._boundaries.refusal(call, UNKNOWN_PRINCIPAL, decision, lookup_for) is None

    def iam_allows(self, mutant: Mutant) -> bool:
        """Whether the compiled policy allows every permission of a call."""
        return all(
            need.problem is None
            and reference.rule(
                self._policy,
                need,
                UNKNOWN_PRINCIPAL,
                self._source.lookup_for(mutant.call, UNKNOWN_PRINCIPAL, need),
            ).verdict
            is Verdict.ALLOW
            for need in needs_of(mutant)
        )


@pytest.mark.parametrize("name", library_names())
@pytest.mark.timeout(600)
def test_guard_and_iam_agree_on_random_calls(
    name: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """Calls of the steps pass both; others fail in the guard, and in IAM where IAM can see it."""
    chance = random.Random(f"{name}-20261121")
    counts: Counter[str] = Counter()
    wrong: list[str] = []
    for at in range(CALLS):
        if at % CALLS_PER_BINDING == 0:
            bound = _bound(name, chance)
            judges = Judges(bound)
            steps = [inside(bound, chance, each)[1] for each in calls_of(bound.runbook)]
            allowed = [view for each in steps for view in views(each, ACCOUNT, bound)]
        step, call = inside(bound, chance)
        if at % 3 == 0:
            counts["inside"] += 1
            if not (judges.guard_allows(Mutant("", call)) and judges.iam_allows(Mutant("", call))):
                wrong.append(f"refused inside: {step.step.name}")
            continue
        mutant = outside(call, chance)
        is_unseen = all(
            any(is_covered(view, inner) for inner in allowed)
            for view in views(mutant.call, mutant.account, bound)
        )
        counts["unseen by IAM" if is_unseen else "outside"] += 1
        if judges.guard_allows(mutant):
            wrong.append(f"guard allows: {step.step.name}, {mutant.kind}")
        if judges.iam_allows(mutant) is not is_unseen:
            wrong.append(
                f"IAM {'refuses' if is_unseen else 'allows'}: {step.step.name}, {mutant.kind}"
            )

    if IS_FIGURE:
        with capsys.disabled():
            told = ", ".join(f"{counts[kind]} {kind}" for kind in sorted(counts))
            sys.stdout.write(f"\n{name}: {told}; disagreements: {len(wrong)}")
    assert Counter(wrong) == {}
    assert all(counts[kind] for kind in ("inside", "outside"))
