"""Detectors where values stand close to other text, and on texts made to take long."""

from __future__ import annotations

import base64
import time
from collections.abc import Callable

import pytest

from dynaguard.masking.detectors import KNOWN_KINDS, scan

CARD = "4111 1111 1111 1111"
PLAIN_CARD = "4111111111111111"
IBAN = "DE89370400440532013000"
JWT = "eyJhbGciOiJub25lIn0.eyJhIjoxfQ.c2ln"
PEM = "-----BEGIN A-----\nabc\n-----END A-----"


def found_in(text: str, *kinds: str) -> list[str]:
    """The values found, from left to right."""
    spans = sorted(scan(text, frozenset(kinds or KNOWN_KINDS)))
    return [text[start:end] for start, end, _ in spans]


@pytest.mark.parametrize(
    ("text", "found"),
    [
        (f"Room A1 {CARD}", [CARD]),
        (f"{CARD} 2nd card", [CARD]),
        (f"{CARD} 234th card", [CARD]),
        ("SSN 219-09-9999 1st try", ["219-09-9999"]),
        ("Q3 219-09-9999", ["219-09-9999"]),
        (f"{PLAIN_CARD} 0x1F", [PLAIN_CARD]),
        (f"0x1F {PLAIN_CARD}", [PLAIN_CARD]),
        (f"+31612345678 {PLAIN_CARD}", ["+31612345678", PLAIN_CARD]),
        (f"{IBAN} {PLAIN_CARD}", [IBAN, PLAIN_CARD]),
        (f"DE89 3704 0044 0532 0130 00 {CARD}", ["DE89 3704 0044 0532 0130 00", CARD]),
        (" ".join([PLAIN_CARD] * 6), [PLAIN_CARD] * 6),
        (" ".join(["100"] * 40 + [CARD, "200"]), [CARD]),
        (f"A{PLAIN_CARD} 12", []),
        (f"12 {PLAIN_CARD}B", []),
        ("+31 123456782", ["+31 123456782"]),
        ("+1", []),
    ],
)
def test_neighbours_hide_no_number(text: str, found: list[str]) -> None:
    """only what touches a number tells that it is part of something else."""
    assert found_in(text) == found


def test_the_groups_of_an_account_number_are_no_other_number() -> None:
    """a card number in the middle of one is a part of it."""
    candidates = [f"PL{check:02} {CARD} 0000 0000" for check in range(2, 99)]
    (iban,) = (text for text in candidates if found_in(text, "iban"))
    other = candidates[candidates.index(iban) - 1]

    assert found_in(iban) == [iban]
    assert found_in(iban, "payment-card") == []
    assert found_in(other, "payment-card") == [CARD]


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("ann@example.orgまでご連絡くださいますようお願い申し上げます。", ["ann@example.org"]),
        ("ann@example.orgまで。", ["ann@example.org"]),
        ("ann@例え.テスト", ["ann@例え.テスト"]),
        ("ann@example.org1", []),
        (f"请把钱转到{IBAN}谢谢", [IBAN]),
        (f"{IBAN}です", [IBAN]),
        (f"{IBAN}X", []),
    ],
)
def test_text_without_spaces_hides_no_value(text: str, found: list[str]) -> None:
    """letters beyond ASCII do not continue a domain of ASCII or an account number."""
    assert found_in(text, "email", "iban") == found


def jose(header: str) -> str:
    """A token with this header."""
    return base64.urlsafe_b64encode(header.encode()).decode().rstrip("=") + ".eyJhIjoxfQ.c2ln"


@pytest.mark.parametrize(
    ("text", "found"),
    [
        (f"-eyJ-{JWT}", [JWT]),
        (f"token {JWT}, and {JWT}", [JWT, JWT]),
        (f"{JWT}.{JWT}", [JWT, JWT]),
        (jose('{"alg":"x","k":"' + "a" * 70_000 + '"}'), None),
        (jose('{"k":"' + "a" * 70_000 + '"}'), None),
        (jose('{"a":' * 9_000), []),
        ("-eyJ" * 17 + "AAAAAAAA.aaaa.b", None),
        ("-eyJ" * 15 + "AAAAAAAA.aaaa.b", []),
    ],
    ids=[
        "behind a hyphen",
        "two",
        "joined",
        "long",
        "long, no token",
        "deep",
        "many",
        "fewer",
    ],
)
def test_a_token_is_found_by_its_header(text: str, found: list[str] | None) -> None:
    """one that is too long to read or has too many beginnings is taken for a token (None)."""
    hits = found_in(text, "jwt")

    if found is None:
        assert len(hits) == 1
        assert text.endswith(hits[0])
    else:
        assert hits == found


@pytest.mark.parametrize(
    ("text", "found"),
    [
        (f"{PEM}\n{PEM}", [PEM, PEM]),
        (f"{PEM[:-5]}{PEM}", [PEM, PEM]),
        (f"-----BEGIN B-----{PEM} and more", [f"-----BEGIN B-----{PEM}"]),
        ("-----BEGIN B-----x\0" + PEM, ["-----BEGIN B-----x", PEM]),
        ("-----BEGIN B-----x-----BEGIN C-----y", ["-----BEGIN B-----x-----BEGIN C-----y"]),
    ],
    ids=["two", "sharing hyphens", "inside of one", "of two texts", "not closed"],
)
def test_a_pem_block_is_found_once(text: str, found: list[str]) -> None:
    """from its BEGIN to the next END, or to the end of its text."""
    assert found_in(text, "pem") == found


HOSTILE = {
    "starts of headers": lambda size: "-eyJ" * size,
    "starts of a header": lambda size: "-eyJ" * size + ".aaaa.b",
    "headers": lambda size: "eyJhbGciOiJIUzI1NiJ9." * (size // 5),
    "begins": lambda size: "-----BEGIN A-----" * (size // 4),
    "begins and odd ends": lambda size: "-----BEGIN A-----\n-----END \n" * (size // 7),
    "cards": lambda size: "4111 " * size,
    "digits": lambda size: "1" * size * 4,
    "account numbers": lambda size: "PL61 " * size,
    "addresses": lambda size: "a@a." * size,
}


@pytest.mark.parametrize("make", HOSTILE.values(), ids=HOSTILE.keys())
def test_no_text_takes_long(make: Callable[[int], str]) -> None:
    """four times the text takes about four times as long, whoever wrote it."""

    def seconds(size: int) -> float:
        text = make(size)
        started = time.process_time()
        scan(text, KNOWN_KINDS)
        return time.process_time() - started

    seconds(1_000)
    short, long = (min(seconds(size) for _ in range(3)) for size in (12_500, 50_000))

    assert long < 10 * max(short, 0.002)
