"""Items that arrive elsewhere: `mask_item`."""

from __future__ import annotations

import base64
import copy
from typing import Any

import pytest

import dynaguard
from dynaguard.masking import MARKER

EVENT = {
    "eventSourceARN": "arn:aws:dynamodb:eu-west-1:111122223333:table/orders/stream/2026-01-01T00",
    "dynamodb": {
        "NewImage": {
            "pk": {"S": "1"},
            "email": {"S": "ann@example.org"},
            "photo": {"B": base64.b64encode(b"face").decode()},
            "cards": {"L": [{"M": {"number": {"S": "4111111111111111"}}}]},
        }
    },
}
MASKS = [
    {"tables": ["orders"], "attributes": ["email", "photo"], "with": "hash"},
    {"tables": ["orders"], "attributes": ["cards[*].number"], "with": "partial"},
]


def test_a_stream_record_of_a_lambda_event_is_masked(policy: Any) -> None:
    """By the ARN of its stream; the event stays as it came."""
    dynaguard.install(policy(mask=MASKS), mask_key="k" * 32)
    image: Any = EVENT["dynamodb"]["NewImage"]  # type: ignore[index]
    before = copy.deepcopy(EVENT)

    masked = dynaguard.mask_item(image, table=str(EVENT["eventSourceARN"]))

    assert before == EVENT
    assert masked["pk"] == {"S": "1"}
    assert masked["email"]["S"].startswith(MARKER)
    assert masked["cards"] == {"L": [{"M": {"number": {"S": f"{MARKER}***1111"}}}]}
    in_bytes = dynaguard.mask_item({"photo": {"B": b"face"}}, table="orders")
    assert masked["photo"] == in_bytes["photo"]
    assert dynaguard.mask_item(image, table="other") == image


@pytest.mark.parametrize("role", ["support", "other", None])
def test_an_item_is_masked_for_the_identity_of_the_settings(policy: Any, role: str | None) -> None:
    """`unless` needs a certain match; whoever acts sees no more, and less where a mask says so."""
    spared = {**MASKS[1], "unless": {"Group": "support"}}
    hidden = {"tables": ["orders"], "attributes": ["email"], "only": {"Group": "interns"}}
    groups = {"support": ["arn:aws:iam::*:role/support"]}
    identity = f"arn:aws:iam::111122223333:role/{role}" if role else None
    dynaguard.install(policy(mask=[spared, hidden], groups=groups), identity=identity)
    item = {
        "cards": {"L": [{"M": {"number": {"S": "4111111111111111"}}}]},
        "email": {"S": "ann@example.org"},
    }

    is_plain = "41111" in repr(dynaguard.mask_item(item, table="orders"))
    with dynaguard.acting_as("carol", groups=("support",)):
        is_plain_for_carol = "41111" in repr(dynaguard.mask_item(item, table="orders"))
    with dynaguard.acting_as("dave", groups=("interns",)):
        for_dave = dynaguard.mask_item(item, table="orders")

    assert is_plain == is_plain_for_carol == (role == "support")
    assert "ann@" not in repr(for_dave)


def test_values_are_found_in_items_too(policy: Any) -> None:
    """Detectors look into them."""
    dynaguard.install(policy(mask=[{"tables": ["*"], "detect": ["email"], "with": "partial"}]))

    masked = dynaguard.mask_item({"n": {"S": "mail ann@example.org now"}}, table="orders")

    assert masked == {"n": {"S": f"mail {MARKER}***@example.org now"}}


def test_without_masks_an_item_is_only_copied(policy: Any) -> None:
    """Switched off by a setting, or not in the policy."""
    item = {"email": {"S": "x"}}
    dynaguard.install(policy(mask=MASKS), mask=False)

    found = dynaguard.mask_item(item, table="orders")

    assert found == item
    assert found is not item


def test_nothing_installed_is_an_error() -> None:
    """No mask is known: an unmasked copy would be a lie."""
    with pytest.raises(dynaguard.ConfigurationError, match="nothing is installed"):
        dynaguard.mask_item({}, table="orders")


def test_what_is_no_item_is_an_error(policy: Any) -> None:
    """Names the kind, not the value."""
    dynaguard.install(policy(mask=MASKS), mask_key="k" * 32)

    with pytest.raises(dynaguard.ConfigurationError, match="this is a `str`") as caught:
        dynaguard.mask_item("CANARY", table="orders")  # type: ignore[arg-type]

    assert "CANARY" not in str(caught.value)


def test_a_table_and_a_key_are_checked(policy: Any) -> None:
    """Neither a number for a name, nor a key that nobody could have set."""
    dynaguard.install(policy(mask=MASKS), mask_key="k" * 32)

    with pytest.raises(dynaguard.ConfigurationError, match="`table` is the name"):
        dynaguard.mask_item({}, table=5)  # type: ignore[arg-type]
    with pytest.raises(dynaguard.ConfigurationError, match="at least 16 characters"):
        dynaguard.unmask_item({}, key="short")
    with pytest.raises(dynaguard.ConfigurationError, match="no key for tokens"):
        dynaguard.unmask_item({})


ARN = "arn:aws:dynamodb:eu-west-1:111122223333"


@pytest.mark.parametrize("table", ["orders", f"{ARN}:table/orders", f"{ARN}:table/orders/index/i"])
def test_a_table_is_known_by_name_and_arn(policy: Any, table: str) -> None:
    """Of itself, or of what belongs to it."""
    dynaguard.install(policy(mask=[{"tables": ["orders"], "attributes": ["email"]}]))

    assert dynaguard.mask_item({"email": {"S": "x"}}, table=table) != {"email": {"S": "x"}}


@pytest.mark.parametrize(
    "table",
    [
        "",
        " orders",
        "orders/",
        f"{ARN}:global-table/orders",
        f"{ARN}:table/",
        f"{ARN}:table/ orders",
        "arn:aws:kinesis:eu-west-1:111122223333:stream/orders-cdc",
        "arn:aws:dynamodb:eu-west-1",
        b"orders",
    ],
)
def test_what_tells_no_table_is_an_error(policy: Any, table: Any) -> None:
    """No mask names such a table: a plain copy would pass for a masked one."""
    dynaguard.install(policy(mask=[{"tables": ["orders"], "attributes": ["email"]}]))

    with pytest.raises(dynaguard.ConfigurationError, match="pass the table's name"):
        dynaguard.mask_item({"email": {"S": "x"}}, table=table)


def test_tokens_in_elements_of_a_set_open_for_holders_of_the_key(policy: Any) -> None:
    """Those that a detector put into a text, too."""
    mask = {"Sid": "Mails", "tables": ["*"], "detect": ["email"], "with": "tokenize"}
    dynaguard.install(policy(mask=[mask]), mask_key="k" * 32)
    item = {"notes": {"SS": ["mail ann@example.org", "none"]}}

    masked = dynaguard.mask_item(item, table="orders")

    assert "ann" not in repr(masked)
    assert dynaguard.unmask_item(masked) == item


def test_a_policy_names_strategies_of_the_program(
    client: Any, wire: Any, policy: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """`custom:` strategies and detectors act once they are registered."""
    monkeypatch.setattr("dynaguard.masking.registry._strategies", {})
    monkeypatch.setattr("dynaguard.masking.registry._detectors", {})
    masks = [
        {"tables": ["*"], "attributes": ["name"], "with": "custom:initials"},
        {"tables": ["*"], "attributes": ["note"], "detect": ["custom:badge", "room"]},
    ]
    document = policy(mask=masks, detectors={"room": "R-[0-9]{3}"})
    with pytest.raises(dynaguard.ConfigurationError, match=r"custom:initials.*register_strategy"):
        dynaguard.install(document)
    dynaguard.register_strategy("initials", lambda text: "".join(w[0] for w in text.split()))
    dynaguard.register_detector("badge", lambda text: [(0, 2)] if text.startswith("B7") else [])
    dynaguard.install(document)
    wire.answer({"Item": {"name": {"S": "Ada Lovelace"}, "note": {"S": "B7 in R-101"}}})

    item = client.get_item(TableName="orders", Key={"pk": {"S": "1"}})["Item"]

    assert item == {
        "name": {"S": f"{MARKER}initials:AL"},
        "note": {"S": f"{MARKER}redacted in {MARKER}redacted"},
    }
