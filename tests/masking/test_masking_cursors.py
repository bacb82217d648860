"""Sealed cursors: what they open for, and what they do not."""

from __future__ import annotations

import copy
import sys
from dataclasses import replace
from typing import Any

import pytest

from dynaguard.call import NO_CREDENTIALS, Call, Principal, StatementRef
from dynaguard.masking import MARKER, Masks
from dynaguard.masking.cursors import (
    CURSOR_PREFIX,
    GENERATION,
    CursorBinding,
    CursorFault,
    CursorSeals,
    binding_of,
    openings_of,
)
from dynaguard.masking.strategies import REDACTED
from dynaguard.masking.tree import Node
from dynaguard.masking.walk import Sink
from dynaguard.policy.model import MaskStatement
from dynaguard.scope import EMPTY_SCOPE

KEY = b"k" * 32
ROLE = "arn:aws:iam::111122223333:role/etl"
SESSION = "arn:aws:sts::111122223333:assumed-role/etl"
CALLER = Principal(
    name="etl", arns=(f"{SESSION}/one", ROLE), arns_complete=True, account_id="111122223333"
)
ARN = "arn:aws:dynamodb:eu-west-1:111122223333:table/customers"
CURSOR = {
    "pk": {"S": "ada@example.org"},
    "sk": {"N": "41.50"},
    "b": {"B": b"\0x"},
    "o": {"S": "o"},
}


class Clock:
    """Seconds since the epoch, set by hand."""

    def __init__(self) -> None:
        self.now_s = 1_000.0

    def __call__(self) -> float:
        return self.now_s


@pytest.fixture
def clock() -> Clock:
    """A clock that stands."""
    return Clock()


@pytest.fixture(params=["portable", "in-process"])
def seals(request: Any, clock: Clock) -> CursorSeals:
    """Both kinds of seals, with the same behaviour."""
    key = KEY if request.param == "portable" else None
    return CursorSeals(key=key, max_age_s=60, clock_s=clock)


def tree(*names: str) -> Node:
    """Masks of these attributes."""
    statement = MaskStatement(StatementRef("m"), ("*",), tuple((name,) for name in names))
    found = Masks((statement,), key=None).tree_for("t", Principal())
    assert found is not None
    return found


def call(operation: str = "Query", region: str = "eu-west-1", **params: Any) -> Call:
    """A call."""
    return Call(
        "dynamodb",
        operation,
        {"TableName": "customers", **params},
        region,
        "aws",
        None,
        NO_CREDENTIALS,
        EMPTY_SCOPE,
        "c",
    )


BINDING = binding_of(call(), CALLER)


def seal(seals: CursorSeals, binding: CursorBinding = BINDING) -> Any:
    """The cursor as a caller sees it."""
    return seals.seal(copy.deepcopy(CURSOR), tree("pk", "sk", "b"), binding, Sink())


def test_masked_keys_are_sealed_and_come_back_as_they_were(seals: CursorSeals) -> None:
    """hides the value and its type, keeps what no mask names, opens to the same."""
    sealed = seal(seals)

    assert sealed["o"] == {"S": "o"}
    assert all(sealed[name]["S"].startswith(CURSOR_PREFIX) for name in ("pk", "sk", "b"))
    assert "ada" not in repr(sealed)
    assert "41.5" not in repr(sealed)
    assert seals.unseal(sealed, BINDING) == CURSOR


def test_every_page_has_another_token(seals: CursorSeals) -> None:
    """although they share the masked key: which pages do is not shown."""
    pages = [{**CURSOR, "o": {"S": str(number)}} for number in range(3)]

    sealed = [seals.seal(page, tree("pk"), BINDING, Sink()) for page in pages]

    assert len({page["pk"]["S"] for page in sealed}) == len(pages)
    assert [seals.unseal(page, BINDING) for page in sealed] == pages


def test_the_same_page_has_the_same_token_for_a_while(seals: CursorSeals, clock: Clock) -> None:
    """so a paginator sees that a cursor does not move; another caller's differs."""
    first = seal(seals)
    clock.now_s += 2
    assert seal(seals) == first
    assert seal(seals, BINDING._replace(arn="other"))["pk"] != first["pk"]

    clock.now_s += 1
    assert seal(seals)["pk"] != first["pk"]
    assert len({first[name]["S"] for name in ("pk", "sk", "b")}) == 3


def test_a_token_is_not_told_by_its_page(clock: Clock) -> None:
    """it is keyed, by the process or by the key."""
    keys = (None, None, KEY, b"x" * 32)
    tokens = {seal(CursorSeals(key=key, max_age_s=60, clock_s=clock))["pk"]["S"] for key in keys}

    assert len(tokens) == len(keys)


@pytest.mark.parametrize(
    "other",
    [
        binding_of(call(TableName="other"), CALLER),
        binding_of(call(IndexName="by_status"), CALLER),
        binding_of(call("Scan"), CALLER),
        binding_of(call(region="us-east-1"), CALLER),
        binding_of(call(TableName=ARN.replace("eu-west-1", "us-east-1")), CALLER),
        binding_of(call(TableName=ARN.replace("111122223333", "444455556666")), CALLER),
        binding_of(call(), replace(CALLER, account_id="444455556666")),
        binding_of(call(), replace(CALLER, account_id=None)),
        binding_of(call(), replace(CALLER, acting_name="helper")),
        binding_of(call(), replace(CALLER, arns=(f"{ROLE}2",))),
    ],
)
def test_a_cursor_opens_for_what_it_was_made_for_only(
    seals: CursorSeals, other: CursorBinding
) -> None:
    """refuses another table, index, operation, region, acting name or role."""
    with pytest.raises(CursorFault, match="was made for another") as caught:
        seals.unseal(seal(seals), other)

    assert caught.value.attribute == "pk"


@pytest.mark.parametrize(
    ("table", "principal"),
    [
        (ARN, CALLER),
        ("customers", replace(CALLER, arns=(f"{SESSION}/other", ROLE))),
    ],
)
def test_the_same_table_and_role_go_on(
    seals: CursorSeals, table: str, principal: Principal
) -> None:
    """opens for the table by its ARN, and for another session of the role."""
    assert seals.unseal(seal(seals), binding_of(call(TableName=table), principal)) == CURSOR


def test_a_cursor_goes_on_when_the_account_becomes_known(seals: CursorSeals) -> None:
    """as credentials are fetched by the first call; not for a table that is named by its ARN."""
    unknown = replace(CALLER, account_id=None)
    sealed = seal(seals, binding_of(call(), unknown))

    assert seals.unseal(sealed, *openings_of(call(), CALLER)) == CURSOR
    assert seals.unseal(sealed, *openings_of(call(), unknown)) == CURSOR
    with pytest.raises(CursorFault):
        seals.unseal(sealed, *openings_of(call(TableName=ARN), CALLER))


@pytest.mark.parametrize("text", ["cursor", "redacted", "CURSOR"])
def test_a_token_in_another_type_is_refused(seals: CursorSeals, text: str) -> None:
    """it would be sent to AWS as a key."""
    token = seal(seals)["pk"]["S"] if text == "cursor" else f"{MARKER}{text}"
    odd = token.upper() if text.isupper() else token
    values = ({"SS": [odd]}, {"B": odd.encode()}, {"S": f" {odd}"}, {"M": {odd: {"S": "x"}}})

    for value in values:
        with pytest.raises(CursorFault, match="not a cursor"):
            seals.unseal({"pk": value}, BINDING)


def test_the_token_of_one_attribute_is_none_of_another(seals: CursorSeals) -> None:
    """refuses tokens that changed places."""
    sealed = seal(seals)
    sealed["pk"], sealed["b"] = sealed["b"], sealed["pk"]

    with pytest.raises(CursorFault):
        seals.unseal(sealed, BINDING)


def test_a_cursor_expires(seals: CursorSeals, clock: Clock) -> None:
    """opens until its age is past, and not after."""
    sealed = seal(seals)
    clock.now_s += 60
    assert seals.unseal(sealed, BINDING) == CURSOR

    clock.now_s += 1
    with pytest.raises(CursorFault, match="has expired"):
        seals.unseal(sealed, BINDING)


@pytest.mark.parametrize(
    "text",
    [CURSOR_PREFIX, CURSOR_PREFIX + "A" * 80, CURSOR_PREFIX + "é!", CURSOR_PREFIX + "A" * 7],
)
def test_a_forged_cursor_is_refused(seals: CursorSeals, text: str) -> None:
    """opens nothing that it did not make."""
    with pytest.raises(CursorFault, match="is forged"):
        seals.unseal({"pk": {"S": text}}, BINDING)


def test_a_masked_value_of_an_item_is_no_cursor(seals: CursorSeals) -> None:
    """refuses a page made by hand from a masked item, which would go on at the wrong place."""
    with pytest.raises(CursorFault, match="not a cursor"):
        seals.unseal({"pk": {"S": REDACTED}}, BINDING)


def test_a_plain_cursor_passes(seals: CursorSeals) -> None:
    """callers who know a key may begin there."""
    assert seals.unseal(CURSOR, BINDING) == CURSOR


@pytest.mark.parametrize("odd", [{"pk": 5}, {"pk": {}}, {"pk": {"S": 1}}, {"pk": {"BOOL": True}}])
def test_a_key_of_odd_shape_is_withheld(seals: CursorSeals, odd: dict[str, Any]) -> None:
    """shows nothing of what it does not understand."""
    assert seals.seal(odd, tree("pk"), BINDING, Sink()) == {"pk": {"S": REDACTED}}


def test_a_cursor_that_is_no_mapping_is_withheld(seals: CursorSeals) -> None:
    """None stays None, which ends a pagination."""
    assert seals.seal("ada", tree("pk"), BINDING, Sink()) == {}
    assert seals.seal(None, tree("pk"), BINDING, Sink()) is None


def test_a_key_in_which_a_detector_finds_something_is_sealed(seals: CursorSeals) -> None:
    """seals what a mask by detector names, and leaves other keys."""
    statement = MaskStatement(StatementRef("m"), ("*",), (), detectors=("email",))
    found = Masks((statement,), key=None).tree_for("t", Principal())
    assert found is not None

    sealed = seals.seal(copy.deepcopy(CURSOR), found, BINDING, Sink())

    assert sealed["pk"]["S"].startswith(CURSOR_PREFIX)
    assert sealed["o"] == {"S": "o"}
    assert seals.unseal(sealed, BINDING) == CURSOR


def test_a_portable_cursor_opens_in_another_process(clock: Clock) -> None:
    """with the same key, and not with another."""
    here, there, foreign = (
        CursorSeals(key=key, max_age_s=60, clock_s=clock) for key in (KEY, KEY, b"x" * 32)
    )
    sealed = seal(here)

    assert here.is_portable
    assert there.unseal(sealed, BINDING) == CURSOR
    with pytest.raises(CursorFault):
        foreign.unseal(sealed, BINDING)


def test_without_the_extra_cursors_stay_in_the_process(
    clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    """a key alone is not enough; nothing fails."""
    monkeypatch.setitem(sys.modules, "cryptography.hazmat.primitives.ciphers.aead", None)

    seals = CursorSeals(key=KEY, max_age_s=60, clock_s=clock)

    assert not seals.is_portable
    assert seals.unseal(seal(seals), BINDING) == CURSOR


def test_a_process_forgets_old_cursors(clock: Clock) -> None:
    """remembers a bounded number, the youngest at least."""
    seals = CursorSeals(key=None, max_age_s=60, clock_s=clock)
    assert not seals.is_portable
    first, tree_of_pk = seal(seals), tree("pk")
    for number in range(2 * GENERATION + 1):
        page = {"pk": {"S": str(number)}}
        last = seals.seal(page, tree_of_pk, BINDING, Sink())

    assert seals.unseal(last, BINDING) == {"pk": {"S": str(2 * GENERATION)}}
    with pytest.raises(CursorFault, match="long ago"):
        seals.unseal(first, BINDING)
    assert len(seals._young) + len(seals._old) <= 2 * GENERATION


def test_a_sealed_cursor_is_counted_and_carries_the_marker(seals: CursorSeals) -> None:
    """so that it is refused on its way into a table."""
    sink = Sink(plain=[])

    sealed = seals.seal(copy.deepcopy(CURSOR), tree("pk"), BINDING, sink)

    assert sealed["pk"]["S"].startswith(MARKER)
    assert sum(sink.counts.values()) == 1
    assert sink.plain == ["ada@example.org"]
