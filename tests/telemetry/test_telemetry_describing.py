"""Descriptions say what their parts say, whatever they remember."""

from __future__ import annotations

import dataclasses
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from dynaguard.call import Decision, Outcome, Status, Verdict
from dynaguard.telemetry import attributes
from dynaguard.telemetry.describing import MAX_PARTS, Descriptions
from tests.audit.audit_cases import (
    CALL,
    CANARY,
    DECISION,
    NEED,
    OUTCOME,
    PRINCIPAL,
    calls,
    decisions,
    outcomes,
    principals,
)

plain_outcomes = st.builds(
    lambda http_status, request_id, attempts, masked, item_count, scanned_count: Outcome(
        Status.OK,
        http_status=http_status,
        request_id=request_id,
        attempts=attempts,
        masked=masked,
        item_count=item_count,
        scanned_count=scanned_count,
    ),
    st.sampled_from([None, 200]),
    st.sampled_from([None, "REQ"]),
    st.integers(0, 3),
    st.sampled_from([(), OUTCOME.masked]),
    st.sampled_from([None, 0, 25]),
    st.sampled_from([None, 30]),
)
"""Nearly all calls end so; these take the short way."""


def naive(call: Any, principal: Any, decision: Any, outcome: Any) -> dict[str, Any]:
    """Every part made anew."""
    return {
        **attributes.scope_attributes(call),
        **attributes.identity_attributes(principal),
        **attributes.target_attributes(call, principal, decision),
        **attributes.decision_attributes(decision),
        **attributes.request_attributes(call),
        **attributes.outcome_attributes(call, outcome),
    }


@given(
    st.lists(
        st.tuples(
            calls,
            principals,
            st.none() | decisions | st.just(DECISION),
            outcomes | plain_outcomes,
            st.booleans(),
        ),
        max_size=8,
    ),
    st.lists(st.tuples(*[st.integers(0, 7)] * 4), max_size=30),
)
def test_what_is_remembered_is_what_would_be_made(
    values: list[tuple[Any, ...]], picks: list[tuple[int, int, int, int]]
) -> None:
    """Calls, identities, decisions and outcomes in any combination and order."""
    descriptions = Descriptions()
    for one, two, three, four in picks if values else ():
        call, _, _, _, is_dynamodb = values[one % len(values)]
        if is_dynamodb:
            call = call._replace(service="dynamodb")
        principal = values[two % len(values)][1]
        decision = values[three % len(values)][2]
        outcome = values[four % len(values)][3]

        found = descriptions.of(call, principal, decision, outcome)

        assert found == naive(call, principal, decision, outcome)


def test_the_correlation_id_is_each_call_s_own() -> None:
    """Although the rest of the scope is remembered."""
    descriptions = Descriptions()

    found = [
        descriptions.of(CALL._replace(correlation_id=each), PRINCIPAL, DECISION, OUTCOME)
        for each in ("a", "b")
    ]

    assert [each["dynaguard.correlation_id"] for each in found] == ["a", "b"]


def test_memory_is_bounded_and_holds_no_item_value() -> None:
    """Ten thousand identities leave as many parts as one bound allows."""
    descriptions = Descriptions()
    for number in range(10_000):
        principal = dataclasses.replace(PRINCIPAL, name=f"p{number}")
        descriptions.of(CALL, principal, DECISION, OUTCOME)

    assert len(descriptions._parts) <= MAX_PARTS
    assert CANARY not in repr([each.attributes for each in descriptions._parts.values()])


def test_a_new_principal_at_an_old_address_is_not_taken_for_it() -> None:
    """What is remembered keeps its principal alive, so that no other gets the address."""
    descriptions = Descriptions()
    for number in range(100):
        principal = dataclasses.replace(PRINCIPAL, name=f"p{number}")
        decision = Decision(Verdict.ALLOW, (NEED,))

        found = descriptions.of(CALL, principal, decision, OUTCOME)

        assert found["dynaguard.identity.name"] == f"p{number}"
