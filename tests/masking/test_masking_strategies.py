"""Tokens: what each strategy shows of a value."""

from __future__ import annotations

import hashlib
import hmac
import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dynaguard.call import Principal, StatementRef
from dynaguard.errors import ConfigurationError
from dynaguard.masking import MARKER, Masks
from dynaguard.masking.strategies import REDACTED, Strategy, strategy_of
from dynaguard.masking.walk import Sink, mask_item
from dynaguard.policy.model import MaskStatement

KEY = b"0123456789abcdef0123456789abcdef"


def make(kind: str, keep: int = 4) -> Strategy:
    """The strategy of a mask of that kind."""
    return strategy_of(MaskStatement(StatementRef("m"), ("*",), (("a",),), kind, keep=keep), KEY)


@pytest.mark.parametrize(
    ("text", "keep", "shown"),
    [
        ("4111111111111111", 4, "***1111"),
        ("4111111111111111", 0, "***"),
        ("12345", 4, "***45"),
        ("7", 4, "***"),
        ("", 4, "***"),
        ("anna.smith@example.org", 4, "***@example.org"),
        ("anna@mail.example.co.uk", 0, "***@mail.example.co.uk"),
        ("@example.org", 4, "***.org"),
        ("two@signs@example.org", 4, "***.org"),
        ("a b@example.org", 4, "***.org"),
        ("https://user:pass@example.org", 4, "***.org"),
        ("user@localhost", 4, "***host"),
        ("user@", 4, "***r@"),
        ("-12.50", 2, "***50"),
    ],
)
def test_partial_keeps_the_end_or_the_domain(text: str, keep: int, shown: str) -> None:
    """shows at most `keep` characters, at most half, or the domain of an address."""
    assert make("partial", keep).mask_text(text) == MARKER + shown


def test_redact_shows_nothing() -> None:
    """gives one token for all values."""
    strategy = make("redact")

    tokens = {strategy.mask_text("a"), strategy.mask_bytes(b"b"), strategy.mask_set(["1", "2"])}
    assert tokens == {REDACTED}


def test_hash_is_a_truncated_keyed_digest() -> None:
    """equals HMAC-SHA256 of the UTF-8 text, 128 bits."""
    expected = hmac.new(KEY, "Zoë".encode(), hashlib.sha256).hexdigest()[:32]

    assert make("hash").mask_text("Zoë") == f"{MARKER}hmac:{expected}"


def test_hash_of_bytes_equals_that_of_their_text() -> None:
    """hashes binary values by their bytes."""
    assert make("hash").mask_bytes(b"abc") == make("hash").mask_text("abc")


def test_hash_of_a_set_ignores_order_and_respects_bounds() -> None:
    """tells {1, 23} from {12, 3} and not {1, 2} from {2, 1}."""
    strategy = make("hash")

    assert strategy.mask_set(["1", "2"]) == strategy.mask_set(["2", "1"])
    assert strategy.mask_set(["1", "23"]) != strategy.mask_set(["12", "3"])
    assert strategy.mask_set([b"\x00", bytearray(b"1")]) == strategy.mask_set([b"1", b"\x00"])


@pytest.mark.parametrize("kind", ["redact", "hash", "partial"])
def test_half_a_surrogate_pair_is_masked(kind: str) -> None:
    """does not fail on text that UTF-8 cannot carry."""
    assert make(kind).mask_text("\ud800x").startswith(MARKER)


@pytest.mark.parametrize("kind", ["redact", "hash", "partial"])
@given(text=st.text() | st.emails() | st.from_regex(rf"{MARKER}(\*\*\*|hmac:)[0-9a-f@.]{{0,40}}"))
def test_masking_a_token_again_keeps_it(kind: str, text: str) -> None:
    """is idempotent, whatever it began with."""
    strategy = make(kind)
    token = strategy.mask_text(text)

    assert token.startswith(MARKER)
    assert strategy.mask_text(token) == token


@pytest.mark.parametrize("weaker", ["hash", "partial"])
@pytest.mark.parametrize("stricter", ["redact", "hash"])
def test_a_stricter_token_is_kept_by_a_weaker_mask(stricter: str, weaker: str) -> None:
    """never hashes or cuts a token that shows less already."""
    token = make(stricter).mask_text("secret")

    assert make(weaker).mask_text(token) == token


@pytest.mark.parametrize("kind", ["redact", "hash", "partial"])
@pytest.mark.parametrize("tail", ["secret-number", "***secret-number", "hmac:secret-number"])
def test_a_value_that_only_begins_like_a_token_is_masked(kind: str, tail: str) -> None:
    """does not let a value through because it carries the marker."""
    assert "secret" not in make(kind).mask_text(MARKER + tail)


@given(text=st.text(min_size=1), keep=st.integers(0, 40))
def test_partial_never_shows_more_than_half(text: str, keep: int) -> None:
    """keeps at most half of what is no address."""
    token = make("partial", keep).mask_text(text)
    shown = len(token) - len(MARKER) - 3

    assert shown <= max(0, min(keep, len(text) // 2)) or "@" in text or text.startswith(MARKER)


def test_partial_with_a_negative_keep_shows_nothing() -> None:
    """treats a negative count as none."""
    assert make("partial", -3).mask_text("abcdefgh") == MARKER + "***"


def test_the_marker_survives_json_as_it_stands() -> None:
    """can be searched for in an encoded body."""
    assert MARKER in json.dumps({"a": make("partial").mask_text("\u00e9t\u00e9 long enough")})


@pytest.mark.parametrize("key", [None, b""])
def test_a_hash_mask_needs_a_key(key: bytes | None) -> None:
    """names the mask and both variables when the key is missing."""
    statement = MaskStatement(StatementRef("cards", "p.toml", 7), ("*",), (("a",),), "hash")

    with pytest.raises(ConfigurationError) as caught:
        Masks((statement,), key=key)

    assert str(caught.value) == (
        "mask cards (p.toml:7) is a `hash` mask and there is no key for it, set "
        "`DYNAGUARD_MASK_KEY` or `DYNAGUARD_MASK_KEY_FILE`"
    )


def test_other_masks_need_no_key() -> None:
    """compiles redact and partial masks without a key."""
    statements = tuple(
        MaskStatement(StatementRef("m"), ("*",), (("a",),), kind) for kind in ("redact", "partial")
    )

    assert not Masks(statements, key=None).is_empty


@pytest.mark.parametrize(
    ("show", "expected"),
    [
        (lambda text: text[0], f"{MARKER}mine:x"),
        (lambda text: 1 / 0, REDACTED),
        (lambda text: None, REDACTED),
    ],
)
def test_a_strategy_of_the_program_shows_what_it_gives(
    show: Any, expected: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """and nothing where it fails, or where the value is masked already."""
    monkeypatch.setattr("dynaguard.masking.registry._strategies", {"mine": show})
    strategy = make("custom:mine")

    assert strategy.mask_text("xyz") == expected
    assert strategy.mask_text(f"{MARKER}mine:x") == REDACTED
    assert strategy.mask_bytes(b"xyz") == REDACTED
    assert strategy.strictness > make("partial", keep=64).strictness


def test_a_binary_value_of_an_event_hashes_as_its_bytes() -> None:
    """Lambda writes it in base64; what is no base64 is redacted."""
    statement = MaskStatement(StatementRef("m"), ("*",), (("a",),), "hash")
    tree = Masks((statement,), key=KEY).tree_for("t", Principal())
    assert tree is not None

    def masked(payload: Any) -> Any:
        found: Any = mask_item({"a": {"B": payload}}, tree, Sink())
        return found["a"]["S"]

    assert masked("ZmFjZQ==") == masked(b"face")
    assert masked("no base64!") == masked(5) == REDACTED
