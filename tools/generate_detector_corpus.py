"""Writes `tests/corpus/detectors.jsonl`: texts with the values that detectors should find.

    python tools/generate_detector_corpus.py

One JSON object a line: `text`, and `spans`, each `[start, end, kind]`. Values are made with the
check digits of the package python-stdnum, not with dynaguard's own, in the forms in which people
write them, alone and within sentences. Hard negatives look alike and are labelled as nothing: ids,
order numbers, times, hashes, versions, numbers with a wrong check digit. Among the random numbers
some pass a check by chance; they count as false findings, which is what precision is about.

The output depends on the seed and on this file alone. No value is anybody's.
"""

from __future__ import annotations

import base64
import json
import random
import string
import uuid
from collections.abc import Callable
from pathlib import Path
from typing import Final

from stdnum import iban as stdnum_iban
from stdnum import luhn
from stdnum.br import cpf
from stdnum.de import idnr
from stdnum.es import dni, nie
from stdnum.fr import nir
from stdnum.nl import bsn
from stdnum.pl import pesel

TARGET: Final = Path(__file__).parent.parent / "tests" / "corpus" / "detectors.jsonl"
SEED: Final = 20_260_101
VALUES_OF_EACH_KIND: Final = 120
NEGATIVES: Final = 3_000
PLACE: Final = "{}"
HALF: Final = 0.5

SENTENCES: Final = (
    "{}",
    "{}",
    "please call back about {} today",
    "customer gave {}, checked by phone",
    "Ref: {}; status=open",
    "note ({}) from the second visit",
    'payload: {{"value":"{}","n":1}}',
    "{}\nsecond line without anything",
    "old value <{}> was replaced",
    "Straße 12, München; {}, danke",
)
WORDS: Final = (
    "amber basket copper delta ember forest garden harbour island jacket kernel lantern meadow "
    "nickel orbit pepper quarry ribbon saddle timber umbrella velvet window yellow zephyr"
).split()
CARD_ISSUERS: Final = (
    ("4", 16),
    ("4", 13),
    ("51", 16),
    ("2223", 16),
    ("34", 15),
    ("37", 15),
    ("6011", 16),
    ("3530", 16),
    ("36", 14),
    ("62", 19),
)
IBAN_FORMS: Final = (
    ("DE", "########" + "##########"),
    ("GB", "@@@@######" + "########"),
    ("NL", "@@@@##########"),
    ("FR", "##########" + "&&&&&&&&&&&" + "##"),
    ("ES", "####" * 5),
    ("PL", "#" * 24),
    ("CH", "#####" + "&" * 12),
    ("NO", "#" * 11),
    ("MT", "@@@@#####" + "&" * 18),
    ("SA", "##" + "&" * 18),
)
IBAN_BBAN_CHARS: Final = {"#": string.digits, "@": string.ascii_uppercase, "&": string.digits}


class Maker:
    """Makes values and texts from one random source."""

    def __init__(self, seed: int) -> None:
        self._random = random.Random(seed)  # noqa: S311 - reproducible, not secret

    # --- values by kind ------------------------------------------------------------------------

    def _digits(self, count: int, first: str = string.digits) -> str:
        return self._random.choice(first) + "".join(
            self._random.choices(string.digits, k=count - 1)
        )

    def _chars(self, alphabet: str, count: int) -> str:
        return "".join(self._random.choices(alphabet, k=count))

    def email(self) -> str:
        """An address."""
        word = self._random.choice
        local = word(
            [
                f"{word(WORDS)}.{word(WORDS)}",
                f"{word(WORDS)}+{word(WORDS)}",
                f"{word(WORDS)}{self._digits(3)}",
                f"jörg_{word(WORDS)}",
                f"{word(WORDS)[0]}.o'{word(WORDS)}",
            ]
        )
        domain = word(["example.org", "mail.example.co.uk", "example-shop.com", "exämple.de"])
        return f"{local}@{domain}"

    def payment_card(self) -> str:
        """A number of ten issuers, in one piece or as printed."""
        prefix, length = self._random.choice(CARD_ISSUERS)
        body = prefix + self._chars(string.digits, length - len(prefix) - 1)
        number = body + luhn.calc_check_digit(body)
        separator = self._random.choice(["", " ", "-"])
        if not separator or length in {13, 19}:
            return number
        cuts = {16: (4, 8, 12), 15: (4, 10), 14: (4, 10)}[length]
        return separator.join(_cut(number, cuts))

    def iban(self) -> str:
        """An account number, in one piece or in groups of four."""
        country, form = self._random.choice(IBAN_FORMS)
        bban = "".join(self._random.choice(IBAN_BBAN_CHARS[mark]) for mark in form)
        number = country + stdnum_iban.calc_check_digits(f"{country}00{bban}") + bban
        if self._random.random() < HALF:
            return number
        return " ".join(number[at : at + 4] for at in range(0, len(number), 4))

    def phone(self) -> str:
        """An international number, or one of North America."""
        area, exchange, line = (
            self._digits(3, "23456789"),
            self._digits(3, "23456789"),
            self._digits(4),
        )
        if area[1:] == "11":
            area = "415"
        return self._random.choice(
            [
                f"+49 30 {self._digits(7, '123456789')}",
                f"+44 20 {self._digits(4)} {self._digits(4)}",
                f"+33{self._digits(9, '123456789')}",
                f"+1 ({area}) {exchange}-{line}",
                f"({area}) {exchange}-{line}",
                f"{area}-{exchange}-{line}",
                f"{area}.{exchange}.{line}",
            ]
        )

    def us_ssn(self) -> str:
        """Of an area that is assigned."""
        area = self._random.choice([n for n in range(1, 900) if n != 666])
        group, serial = self._random.randint(1, 99), self._random.randint(1, 9999)
        return f"{area:03}-{group:02}-{serial:04}"

    def br_cpf(self) -> str:
        """With and without dots."""
        body = self._digits(9, "123456789")
        number = next(f"{body}{n:02}" for n in range(100) if cpf.is_valid(f"{body}{n:02}"))
        return self._random.choice([number, cpf.format(number)])

    def de_tax_id(self) -> str:
        """Ten digits of which one comes twice, and a check digit."""
        while True:
            kept = self._random.sample(string.digits, 9)
            body = [*kept, self._random.choice(kept)]
            self._random.shuffle(body)
            for digit in string.digits:
                number = "".join([*body, digit])
                if number[0] != "0" and idnr.is_valid(number):
                    return self._random.choice([number, idnr.format(number)])

    def es_dni(self) -> str:
        """Of citizens and of residents."""
        if self._random.random() < HALF:
            body = self._digits(8)
            return body + dni.calc_check_digit(body)
        body = self._random.choice("XYZ") + self._digits(7)
        return body + nie.calc_check_digit(body)

    def fr_nir(self) -> str:
        """With its key, in one piece or in groups."""
        month, department = self._random.randint(1, 12), self._random.randint(1, 95)
        body = (
            f"{self._random.choice('12')}{self._digits(2)}{month:02}{department:02}"
            f"{self._random.randint(1, 990):03}{self._random.randint(1, 999):03}"
        )
        number = body + nir.calc_check_digits(body)
        if self._random.random() < HALF:
            return number
        return " ".join(_cut(number, (1, 3, 5, 7, 10, 13)))

    def nl_bsn(self) -> str:
        """Nine digits, or with dots."""
        while True:
            number = self._digits(9, "123456789")
            if bsn.is_valid(number):
                return self._random.choice([number, ".".join(_cut(number, (4, 6)))])

    def pl_pesel(self) -> str:
        """With a date of birth."""
        while True:
            body = (
                f"{self._random.randint(0, 99):02}{self._random.randint(1, 12):02}"
                f"{self._random.randint(1, 28):02}{self._digits(4)}"
            )
            number = body + pesel.calc_check_digit(body)
            if pesel.is_valid(number):
                return number

    def aws_access_key_id(self) -> str:
        """Of a user or of a session."""
        alphabet = string.ascii_uppercase + "234567"
        return self._random.choice(["AKIA", "ASIA"]) + self._chars(alphabet, 16)

    def jwt(self) -> str:
        """Signed, or not."""
        header = {"alg": self._random.choice(["HS256", "RS256", "none"]), "typ": "JWT"}
        claims = {"sub": self._digits(6), "name": self._random.choice(WORDS)}
        signature = "" if header["alg"] == "none" else self._chars(string.ascii_letters, 43)
        return f"{_base64url(header)}.{_base64url(claims)}.{signature}"

    def pem(self) -> str:
        """A key or a certificate."""
        label = self._random.choice(["PRIVATE KEY", "RSA PRIVATE KEY", "CERTIFICATE"])
        body = "\n".join(self._chars(string.ascii_letters + "+/", 64) for _ in range(3))
        return f"-----BEGIN {label}-----\n{body}\n-----END {label}-----"

    def aws_secret(self) -> str:
        """Forty characters of both cases and digits."""
        alphabet = string.ascii_letters + string.digits + "/+"
        return "aA1" + self._chars(alphabet, 37)

    # --- texts ---------------------------------------------------------------------------------

    def planted(self, kind: str, value: str) -> tuple[str, list[tuple[int, int, str]]]:
        """A text with one value."""
        sentence = self._random.choice(SENTENCES)
        if kind == "aws-secret-access-key" and value[:3] == "aA1":
            sentence = self._random.choice(
                ["{}", "aws_secret_access_key = {}", '"SecretAccessKey": "{}"', "secret={}"]
            )
            sentence = sentence.replace("{{", "{").replace("}}", "}")
        before, after = sentence.replace("{{", "\1").replace("}}", "\2").split(PLACE)
        before, after = (part.replace("\1", "{").replace("\2", "}") for part in (before, after))
        return before + value + after, [(len(before), len(before) + len(value), kind)]

    def negative(self) -> str:
        """A text that only looks as if it held something."""
        word, digits, chars = self._random.choice, self._digits, self._chars
        makers: tuple[Callable[[], str], ...] = (
            lambda: digits(9),
            lambda: digits(10),
            lambda: digits(11),
            lambda: digits(12),
            lambda: digits(13),
            lambda: digits(16),
            lambda: f"order {digits(7)}-{digits(3)}",
            lambda: f"2026-0{digits(1, '123456789')}-1{digits(1)}T10:{digits(2, '012345')}:00Z",
            lambda: f"2026-01-1{digits(1)} 12:00:00.{digits(6)}",
            lambda: str(uuid.UUID(int=self._random.getrandbits(128))),
            lambda: chars("0123456789abcdef", 40),
            lambda: chars("0123456789abcdef", 64),
            lambda: f"{digits(1)}.{digits(2)}.{digits(4)}.{digits(3)}",
            lambda: f"10.{digits(2)}.{digits(2)}.{digits(2)}",
            lambda: f"EUR {digits(5)}.{digits(2)} / {digits(4)}",
            lambda: f"@{word(WORDS)} and @{word(WORDS)}/{word(WORDS)}@{digits(1)}.0.1",
            lambda: f"{word(WORDS)}@localhost:{digits(4)}",
            lambda: f"part AB12{chars(string.ascii_uppercase, 3)}{digits(9)}",
            lambda: f"DE00{digits(18)}",
            lambda: f"https://example.org/{word(WORDS)}?id={digits(14)}",
            lambda: base64.b64encode(chars(string.printable, 60).encode()).decode(),
            lambda: f"-{digits(4)}.{digits(9)}",
            lambda: f"session eyJ{chars(string.ascii_letters, 12)}",
            lambda: f"ID {chars(string.ascii_uppercase, 1)}{digits(12)}X",
            lambda: f"{digits(8)}{word('TRWAG')}{digits(3)}",
            lambda: " ".join(self._random.choices(WORDS, k=8)),
            lambda: f"tracking 1Z{chars(string.ascii_uppercase, 6)}{digits(10)}",
            lambda: f"room {digits(3)}-{digits(2)}, floor {digits(1)}",
        )
        return word(makers)()


def _cut(text: str, places: tuple[int, ...]) -> list[str]:
    """A text in pieces."""
    ends = (*places, len(text))
    return [text[start:end] for start, end in zip((0, *places), ends, strict=True)]


def _base64url(value: object) -> str:
    return base64.urlsafe_b64encode(json.dumps(value).encode()).rstrip(b"=").decode()


def main() -> None:
    """Writes the corpus."""
    maker = Maker(SEED)
    kinds: dict[str, Callable[[], str]] = {
        "aws-access-key-id": maker.aws_access_key_id,
        "aws-secret-access-key": maker.aws_secret,
        "br-cpf": maker.br_cpf,
        "de-tax-id": maker.de_tax_id,
        "email": maker.email,
        "es-dni": maker.es_dni,
        "fr-nir": maker.fr_nir,
        "iban": maker.iban,
        "jwt": maker.jwt,
        "nl-bsn": maker.nl_bsn,
        "payment-card": maker.payment_card,
        "pem": maker.pem,
        "phone": maker.phone,
        "pl-pesel": maker.pl_pesel,
        "us-ssn": maker.us_ssn,
    }
    lines = [
        maker.planted(kind, make())
        for kind, make in kinds.items()
        for _ in range(VALUES_OF_EACH_KIND)
    ]
    lines += [(maker.negative(), []) for _ in range(NEGATIVES)]
    with TARGET.open("w", encoding="utf-8") as file:
        for text, spans in lines:
            file.write(json.dumps({"text": text, "spans": spans}, ensure_ascii=False) + "\n")


if __name__ == "__main__":
    main()
