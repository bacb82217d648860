"""The compiled matcher gives what the reference evaluator gives, on random policies."""

from __future__ import annotations

import os
import random
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dynaguard.call import Principal, Ruling, Verdict
from dynaguard.policy import patterns, reference, residual, resource_index
from dynaguard.policy.matcher import CompiledPolicy
from dynaguard.policy.model import PolicyDocument
from dynaguard.policy.truth import any_of, negated
from tests.policy.random_policies import Request, random_document, random_request

# Sixteen decisions a seed: `make fuzz` compares a million.
SEEDS = 62_500 if os.environ.get("DYNAGUARD_TEST_PROFILE") == "fuzz" else 400
REQUESTS_PER_POLICY = 6


def decided_cases(seeds: range) -> Iterator[tuple[PolicyDocument, Request, Ruling, Ruling]]:
    """Policies, requests and both answers. Every request is asked twice of one matcher."""
    for seed in seeds:
        rng = random.Random(seed)
        document = random_document(rng)
        policy = CompiledPolicy(document)
        requests = [random_request(rng) for _ in range(REQUESTS_PER_POLICY)]
        # The same resource in another context, too: nothing of a context may be remembered.
        requests.append(replace(requests[1], context=requests[0].context))
        # And by somebody of other groups with the same ARNs: of nobody's either.
        asked_again = requests[2].principal
        others = replace(asked_again, groups=frozenset({"g", "h"}) - asked_again.groups)
        requests.append(replace(requests[2], principal=others))
        for request in requests * 2:
            asked = (request.authorization, request.principal, request.lookup)
            yield document, request, policy.rule(*asked), reference.rule(document, *asked)


def is_same(document: PolicyDocument, request: Request, got: Ruling, expected: Ruling) -> bool:
    """Whether two rulings agree; of several certain statements either may name any."""
    if (got.verdict, got.observed) != (expected.verdict, expected.observed):
        return False
    if set(got.unknown_keys) != set(expected.unknown_keys):
        return False
    if got.required_by != expected.required_by:
        return False
    if got.statement == expected.statement:
        return True
    named = [each for each in document.statements if each.ref == got.statement]
    alone = replace(document, default="deny", statements=tuple(named))
    ruling = reference.rule(alone, request.authorization, request.principal, request.lookup)
    return (ruling.verdict, ruling.unknown_keys) == (got.verdict, got.unknown_keys)


@pytest.fixture
def _everything_filed(monkeypatch: pytest.MonkeyPatch) -> None:
    """Even a single pattern with something in its midst is filed by two characters of it."""
    monkeypatch.setattr(resource_index, "MAX_TRIED", 0)
    monkeypatch.setattr(resource_index, "GRAM_LENGTH", 2)


@pytest.mark.usefixtures("_everything_filed")
def test_compiled_equals_reference_where_all_is_filed() -> None:
    """They agree, too, where no pattern is merely tried; each way to find one is taken."""
    taken = dict.fromkeys(("text", "head", "grams", "NotResource", "variables", "marks"), 0)

    for document, request, got, expected in decided_cases(range(SEEDS)):
        assert is_same(document, request, got, expected), (document, request, got, expected)
        for way in ways_taken(document, request):
            taken[way] += 1

    assert min(taken.values()) > SEEDS, taken


def ways_taken(document: PolicyDocument, request: Request) -> Iterator[str]:
    """How the statements for an action are found, of those whose resource may match."""
    asked = request.authorization
    for each in document.statements:
        named = any_of(patterns.action_truth(text, asked.action) for text in each.actions)
        if (negated(named) if each.is_not_action else named) is False:
            continue
        for text in each.resources:
            if each.is_not_resource:
                yield "NotResource"
            elif each.has_variables and "${" in text:
                yield "variables"
            elif patterns.arn_may_match(text, asked.resource):
                last = text.split(":", 5)[-1]
                is_wild = "*" in last or "?" in last
                is_head = last.find("*") == len(last) - 1 and "?" not in last
                yield "text" if not is_wild else "head" if is_head else "grams"
                if patterns.has_marks(asked.resource):
                    yield "marks"


def test_compiled_equals_reference() -> None:
    """Both evaluators agree on verdict, statement, unknown keys and observed statements."""
    count = dict.fromkeys(Verdict, 0)

    for document, request, got, expected in decided_cases(range(SEEDS)):
        assert is_same(document, request, got, expected), (document, request, got, expected)
        count[expected.verdict] += 1

    for verdict in (Verdict.ALLOW, Verdict.DENY, Verdict.IMPLICIT_DENY, Verdict.REQUIRE_APPROVAL):
        assert count[verdict] > SEEDS, "the pools make too few of these"


@settings(max_examples=50, deadline=None)
@given(st.integers(min_value=SEEDS, max_value=2**40))
def test_compiled_equals_reference_on_fresh_policies(seed: int) -> None:
    """They also agree on policies that no run has seen before."""
    for case in decided_cases(range(seed, seed + 1)):
        assert is_same(*case), case


def first_difference(seeds: range) -> int | None:
    """How many decisions it takes until the evaluators disagree, or None."""
    for number, case in enumerate(decided_cases(seeds), start=1):
        if not is_same(*case):
            return number
    return None


def _plant_lost_deny(patch: pytest.MonkeyPatch) -> None:
    """A settled Allow is taken before denies are asked."""
    real = residual._residual

    def plant(*args: Any) -> residual.Residual:
        left = real(*args)
        has_allow = any(each.is_settled and not each.is_doubtful for each in left.allows)
        return replace(left, denies=()) if has_allow else left

    patch.setattr(residual, "_residual", plant)


def _plant_lost_approval(patch: pytest.MonkeyPatch) -> None:
    """A settled Allow is taken before what requires an approval."""
    real = residual._residual

    def plant(*args: Any) -> residual.Residual:
        left = real(*args)
        has_allow = any(each.is_settled and not each.is_doubtful for each in left.allows)
        return replace(left, approvals=()) if has_allow else left

    patch.setattr(residual, "_residual", plant)


def _plant_sufficient_approval(patch: pytest.MonkeyPatch) -> None:
    """One statement that certainly requires an approval hides the others' terms."""
    real = residual._residual

    def plant(*args: Any) -> residual.Residual:
        left = real(*args)
        return replace(left, approvals=residual._sufficient(list(left.approvals)))

    patch.setattr(residual, "_residual", plant)


def _plant_allowing_doubt(patch: pytest.MonkeyPatch) -> None:
    """What may require an approval allows, once approved, where no Allow does."""
    real = residual.Residual._ruled_by_allow

    def plant(self: residual.Residual, lookup: Any) -> Ruling:
        ruling = real(self, lookup)
        return replace(ruling, verdict=Verdict.ALLOW) if self.approvals else ruling

    patch.setattr(residual.Residual, "_ruled_by_allow", plant)


def _plant_long_head(patch: pytest.MonkeyPatch) -> None:
    """What stands before a final `*` is looked up one character too long."""
    real = resource_index._Group.finish

    def plant(self: resource_index._Group) -> None:
        real(self)
        self._heads = tuple((length + 1, by_head) for length, by_head in self._heads)

    patch.setattr(resource_index._Group, "finish", plant)


def _plant_short_window(patch: pytest.MonkeyPatch) -> None:
    """The last characters of a text are not looked at."""
    real = resource_index.GramIndex.candidates
    patch.setattr(resource_index.GramIndex, "candidates", lambda self, text: real(self, text[:-1]))


def _plant_late_window(patch: pytest.MonkeyPatch) -> None:
    """Characters are looked for one place behind where they can stand first."""
    real = resource_index.GramIndex._file

    def plant(self: resource_index.GramIndex, *args: Any) -> None:
        self._first -= 1
        real(self, *args)
        self._first += 1

    patch.setattr(resource_index.GramIndex, "_file", plant)


def _plant_ignored_deny(patch: pytest.MonkeyPatch) -> None:
    """A Deny without conditions is overlooked where the answer is told at a glance."""
    real = residual._constant

    def plant(left: Sequence[residual.OpenStatement], default: Any) -> Ruling | None:
        kept = tuple(
            each for each in left if each.tests or each.ruling.verdict is not Verdict.DENY
        )
        return real(kept, default)

    patch.setattr(residual, "_constant", plant)


def _plant_hasty_constant(patch: pytest.MonkeyPatch) -> None:
    """An Allow without conditions is taken for the answer beside a conditional Deny."""
    real = residual._constant

    def plant(left: Sequence[residual.OpenStatement], default: Any) -> Ruling | None:
        allows = [each for each in left if each.ruling.verdict is Verdict.ALLOW and not each.tests]
        ruling = real(left, default)
        return allows[0].ruling if ruling is None and allows else ruling

    patch.setattr(residual, "_constant", plant)


def _plant_remembered_condition(patch: pytest.MonkeyPatch) -> None:
    """The first ruling of a residual is given again, whatever the context."""
    rulings: dict[int, tuple[residual.Residual, Ruling]] = {}
    real = residual.Residual.settle

    def plant(self: residual.Residual, lookup: Any) -> Ruling:
        return rulings.setdefault(id(self), (self, real(self, lookup)))[1]

    patch.setattr(residual.Residual, "settle", plant)


def _plant_forgotten_group(patch: pytest.MonkeyPatch) -> None:
    """Residuals are remembered by ARNs alone, not by groups."""
    patch.setattr(residual, "facts_of", lambda principal: principal.arns)


def _plant_unknown_as_match(patch: pytest.MonkeyPatch) -> None:
    """Marks match whatever could fit, in an Allow too."""
    real = patterns._reaches_end
    patch.setattr(
        patterns, "_reaches_end", lambda units, text, is_sure: real(units, text, is_sure=False)
    )


def _plant_negated_unknown(patch: pytest.MonkeyPatch) -> None:
    """The negation of not known is taken as true."""
    from dynaguard.policy import conditions

    patch.setattr(conditions, "negated", lambda truth: not truth)


def _plant_doubtful_deny(patch: pytest.MonkeyPatch) -> None:
    """A Deny that is not certain is left out."""
    real = residual.OpenStatement.for_principal

    def plant(self: residual.OpenStatement, principal: Principal) -> Any:
        left = real(self, principal)
        return None if left and left.is_doubtful and not self.is_doubtful else left

    patch.setattr(residual.OpenStatement, "for_principal", plant)


def _plant_wild_value(patch: pytest.MonkeyPatch) -> None:
    """A `*` in the text of a variable is a wildcard."""
    from dynaguard.policy import variables

    real = variables.fill

    def plant(*args: Any) -> Any:
        tokens = real(*args)
        if tokens is None:
            return None
        return tuple(patterns.Wild.RUN if token == "*" else token for token in tokens)

    patch.setattr(variables, "fill", plant)


@pytest.mark.usefixtures("_everything_filed")
@pytest.mark.parametrize(
    "plant",
    [
        _plant_lost_deny,
        _plant_lost_approval,
        _plant_sufficient_approval,
        _plant_allowing_doubt,
        _plant_long_head,
        _plant_short_window,
        _plant_late_window,
        _plant_ignored_deny,
        _plant_hasty_constant,
        _plant_remembered_condition,
        _plant_forgotten_group,
        _plant_unknown_as_match,
        _plant_negated_unknown,
        _plant_doubtful_deny,
        _plant_wild_value,
    ],
)
def test_comparison_finds_planted_faults(
    plant: Callable[[pytest.MonkeyPatch], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A matcher with a fault does not pass the comparison above."""
    plant(monkeypatch)

    found_after = first_difference(range(SEEDS))

    assert found_after is not None
