"""The fast encoding of a record is the same record: one line of ASCII, behind the line before."""

from __future__ import annotations

import dataclasses
import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dynaguard.audit import encoding
from dynaguard.audit.chain import Chain
from dynaguard.audit.encoding import Encoder, encode_record
from dynaguard.audit.record import WriterFacts, build_record
from dynaguard.call import (
    BudgetState,
    ConsumedCapacity,
    MaskedValues,
    Outcome,
    Principal,
    StatementRef,
    Status,
)
from dynaguard.scope import Scope
from tests.audit.audit_cases import (
    DECISION,
    NOW_NS,
    OUTCOME,
    PRINCIPAL,
    calls,
    decisions,
    outcomes,
    principals,
    record_values,
)

WRITER = WriterFacts("billing", 4711, "1.2.3", "f00d", 1, None, (), 0)


def record(**changed: Any) -> dict[str, Any]:
    """A record of the usual values, some of them changed."""
    fixed = {"phase": "outcome", "time_ns": NOW_NS, "writer": WRITER, "policy_digest": "d1"}
    return build_record(**(fixed | record_values(**changed)))


def encoder() -> Encoder:
    """An encoder that has encoded nothing yet."""
    return Encoder(policy_digest="d1")


def chain() -> Chain:
    """The chain of that writer, before its first record."""
    return Chain(service="billing", version="1.2.3", pid=4711, writer_id="f00d")


def in_order(line: bytes) -> Any:
    """A record's members as pairs, so that their order counts too."""
    return json.loads(line, object_pairs_hook=list)


def test_a_line_follows_the_clock() -> None:
    """From second to second, and back where somebody sets it back."""
    fast = encoder()
    clock = (NOW_NS, NOW_NS + 10**9, NOW_NS)
    lines = [chain().link(fast.text("outcome", ns, **record_values())) for ns in clock]

    assert [json.loads(line)["time"][17:] for line in lines] == [
        "15.000042Z",
        "16.000042Z",
        "15.000042Z",
    ]


@given(
    values=st.lists(
        st.fixed_dictionaries(
            {
                "call": calls,
                "principal": principals,
                "decision": st.none() | decisions,
                "outcome": st.none() | outcomes,
            }
        ),
        min_size=1,
        max_size=3,
    )
)
def test_the_fast_encoding_is_the_plain_one(values: list[dict[str, Any]]) -> None:
    """Same members, order and values, from an empty memory and from a full one, calls mixed."""
    fast = encoder()
    for each in [*values, *values]:
        text = fast.text(phase="outcome", time_ns=NOW_NS, mode="enforce", **each)
        line = chain().link(text)

        assert in_order(line) == in_order(encode_record(record(**each)))


SMOOTH = Outcome(Status.OK, None, 200, "REQ1", 1, elapsed_s=0.0125, item_count=1)
MASKED = MaskedValues("orders", "email", "redact", None, 1)
CHANGES = (
    {"status": Status.ERROR},
    {"error_code": "Other"},
    {"http_status": 500},
    {"request_id": "REQ2"},
    {"attempts": 2},
    {"throttles": 1},
    {"wait_s": 0.5},
    {"elapsed_s": 1.5},
    {"masked": (MASKED,)},
    {"masked": (MASKED._replace(value_count=2),)},
    {"capacity": (ConsumedCapacity("orders", 0.5, 0.0, 0.5),)},
    {"item_count": None},
    {"unprocessed_count": 1},
    {"budget_refusal": "no tokens"},
    {"budget": BudgetState("nightly", 1.5, 0.25, None)},
    {"scanned_count": 4},
    {"warnings": ("scan",)},
)


def test_outcomes_that_differ_in_anything_have_texts_that_do() -> None:
    """Of an outcome without trouble the text is kept; each member counts all the same."""
    fast = encoder()
    assert {name for change in CHANGES for name in change} == set(Outcome._fields)

    for outcome in (SMOOTH, *(SMOOTH._replace(**change) for change in CHANGES), SMOOTH):
        values = record_values(outcome=outcome)
        line = chain().link(fast.text(phase="outcome", time_ns=NOW_NS, **values))

        assert in_order(line) == in_order(encode_record(record(outcome=outcome)))


def test_what_the_encoder_keeps_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    """A process that never ends and a scope per request fill no memory."""
    monkeypatch.setattr(encoding, "MAX_PARTS", 3)
    fast = encoder()
    for number in range(10):
        principal = dataclasses.replace(PRINCIPAL, name=f"etl-{number}")
        values = record_values(principal=principal, outcome=SMOOTH._replace(item_count=number))

        line = chain().link(fast.text(phase="outcome", time_ns=NOW_NS, **values))

        assert json.loads(line)["identity"]["name"] == f"etl-{number}"
        assert len(fast._identities._entries) <= 3
        assert len(fast._middles) <= 3
        assert len(fast._outcomes) <= 3


def test_what_the_encoder_keeps_leads_to_no_item_value() -> None:
    """It outlives the call, the caller's values must not."""
    fast = encoder()

    fast.text(phase="outcome", time_ns=NOW_NS, **record_values())

    parts = [part._entries for part in (fast._identities, fast._scopes, fast._needs)]
    anchors = [entry[0] for part in parts for entry in part.values()]
    anchors += [anchor for entry in fast._middles.values() for anchor in entry[1:]]
    assert DECISION.authorizations not in anchors
    assert DECISION not in anchors
    assert {type(anchor) for anchor in anchors} <= {
        type(None),
        Principal,
        Scope,
        StatementRef,
    }


def test_a_line_is_ascii_and_one_line() -> None:
    """Whatever a name holds: line breaks of every sort, quotes, halves of surrogate pairs."""
    odd = 'a"b\\c\n\r\u2028\u0085\ud800\x00'
    values = record_values(outcome=OUTCOME._replace(error_code=odd))

    line = chain().link(encoder().text(phase="outcome", time_ns=NOW_NS, **values))

    assert line.isascii()
    assert line.splitlines(keepends=True) == [line]
    assert json.loads(line)["outcome"]["error_code"] == odd


def test_a_stubbed_answer_may_count_by_anything() -> None:
    """What no memory can be searched by is encoded all the same."""
    outcome = SMOOTH._replace(scanned_count=[1])

    text = encoder().text(phase="outcome", time_ns=NOW_NS, **record_values(outcome=outcome))

    assert json.loads(chain().link(text))["outcome"]["scanned_count"] == [1]
