"""Finds values of the known kinds in a text: one pass of byte classes, then a look at each anchor.

Digits become `0` and capitals `A` in a copy of the text, so that a plain substring search, which
runs at the speed of memory, finds every place where a value of a kind can be. Only there is it
looked at closely. Text without anchors costs a few searches.

The text may be many texts joined by `SEPARATOR`, which no value contains.
"""

from __future__ import annotations

import base64
import json
import re
from collections.abc import Callable, Iterator, Sequence
from itertools import accumulate, islice
from typing import Final

from dynaguard.masking.detectors.checks import (
    IBAN_LENGTH_BY_COUNTRY,
    is_es_dni,
    is_iban,
)
from dynaguard.masking.detectors.digits import (
    DIGIT_KINDS,
    LEAST_DIGITS,
    RUN,
    SEPARATORS,
    DigitRun,
    Span,
    values_in_run,
)
from dynaguard.masking.findings import SEPARATOR

_UPPER: Final = b"ABCDEFGHIJKLMNOPQRSTUVWXYZ"
_CLASSES: Final = bytes.maketrans(b"0123456789" + _UPPER, b"0" * 10 + b"A" * 26)
_WORD_BYTES: Final = frozenset(b"0123456789_" + _UPPER + _UPPER.lower())
_DIGIT: Final = ord("0")
_PLUS: Final = ord("+")
_LEAST_PHONE_DIGITS: Final = 8
_LOCAL_CHARS: Final = (
    "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789.!#$%&'+-/=?^_`{|}~"
)
_MAX_LOCAL: Final = 64
# Text in a script without spaces may go on right after a domain: only ASCII continues one.
_EMAIL_DOMAIN: Final = re.compile(
    r"(?:[^\W_](?:[\w-]{0,61}[^\W_])?\.)+(?:[A-Za-z]{2,24}+|[^\W\d_]{2,24})(?![A-Za-z0-9@])"
)
_PHONE: Final = re.compile(r"\+[1-9](?:[ .\-]?\(?[0-9]\)?){6,13}[ .\-]?[0-9](?![0-9])")
_US_PHONE: Final = re.compile(r"\(([2-9][0-9]{2})\) ?([2-9][0-9]{2})[-. ]([0-9]{4})(?![0-9])")
_IBAN: Final = re.compile(r"[A-Z]{2}[0-9]{2}(?: ?[A-Z0-9]){11,29}")
_DNI: Final = re.compile(r"(?:[0-9]{8}|[XYZ]-?[0-9]{7})-?[A-Z](?![A-Za-z0-9_])")
_AWS_KEY_ID: Final = re.compile(r"A(?:KIA|SIA)[A-Z2-7]{16}(?![A-Za-z0-9])")
_AWS_SECRET: Final = re.compile(r"[A-Za-z0-9/+]{40}(?![A-Za-z0-9/+=])")
_AWS_SECRET_LENGTH: Final = 40
_SECRET_WORD: Final = b"secret"
_ASSIGNMENT: Final = re.compile(r"""[\w -]{0,24}["']?\s*(?:[:=]|=>)\s*["']?""")
_JWT_START: Final = b"eyJ"
_JWT_PART: Final = re.compile(r"[A-Za-z0-9_-]*+")
_JWT_REST: Final = re.compile(r"\.[A-Za-z0-9_-]{4,}+\.[A-Za-z0-9_-]*+")
_MIN_JWT_HEADER: Final = 11
_MAX_JWT_HEADER: Final = 65_536
_MOST_JWT_STARTS: Final = 16
"""Places at which one header is tried to begin: nobody writes more, so more are not trusted."""
_PEM_BEGIN: Final = re.compile(r"-----BEGIN [A-Z0-9 ]{1,40}-----")
_PEM_END: Final = re.compile(r"-----END [A-Z0-9 ]{1,40}-----")


class Scanned:
    """A text, as bytes and as classes; positions are the same in all three."""

    __slots__ = ("_parts", "classes", "raw", "text")

    def __init__(self, text: str, parts: Sequence[str] | None = None) -> None:
        self.text = text
        self._parts = parts
        # One `?` for each character that is not ASCII.
        self.raw = text.encode("ascii", "replace")
        self.classes = self.raw.translate(_CLASSES)

    @property
    def parts(self) -> Sequence[str]:
        """The texts that are joined; one that holds the separator is several here."""
        parts = self._parts
        if parts is None or self.text.count(SEPARATOR) != len(parts) - 1:
            return self.text.split(SEPARATOR)
        return parts

    @property
    def has_runs(self) -> bool:
        """Whether so many digits stand together, but for separators, that `RUN` may match."""
        return b"0" * LEAST_DIGITS in self.raw.translate(_CLASSES, SEPARATORS)

    def is_start(self, at: int) -> bool:
        """Whether a word may start here."""
        return at == 0 or self.raw[at - 1] not in _WORD_BYTES

    def places(self, anchor: bytes) -> Iterator[int]:
        """Where a substring of the raw text stands."""
        return _places(self.raw, anchor)

    def class_places(self, anchor: bytes) -> Iterator[int]:
        """Where a substring of the classes stands."""
        return _places(self.classes, anchor)


def _places(data: bytes, anchor: bytes, start: int = 0, end: int | None = None) -> Iterator[int]:
    at = data.find(anchor, start, end)
    while at >= 0:
        yield at
        at = data.find(anchor, at + 1, end)


def scan(text: str, kinds: frozenset[str], parts: Sequence[str] | None = None) -> list[Span]:
    """Start, end and kind of every value found, in no order; they may overlap.

    Args:
        text: One text, or several joined by `SEPARATOR`.
        kinds: The known kinds to look for.
        parts: The several texts, where the caller has them.

    Cost: O(text), most of it substring searches; a few microseconds for each place looked at.
    """
    scanned = Scanned(text, parts)
    found: list[Span] = []
    for kind, find in _FINDERS.items():
        if kind in kinds:
            found += find(scanned)
    digit_kinds = kinds & DIGIT_KINDS
    if digit_kinds and scanned.has_runs:
        found += _in_runs(scanned, digit_kinds)
    return found


def _in_runs(scanned: Scanned, kinds: frozenset[str]) -> Iterator[Span]:
    """Values that are digits in groups."""
    classes = scanned.classes
    for found in RUN.finditer(classes):
        start, end = found.span()
        is_free = end == len(classes) or classes[end] not in _WORD_BYTES
        first = start if start == 0 else _first_place(scanned, start, end)
        if (is_free and first == start) or classes.find(b" ", start, end) >= 0:
            yield from values_in_run(scanned.text, DigitRun(start, end, first, is_free), kinds)


def _first_place(scanned: Scanned, start: int, end: int) -> int:
    """Where in a run of digits the first value of its own may begin.

    Digits right after a letter belong to an id, those of an account number all belong to it, and
    after `+` stands an international number.
    """
    before = scanned.classes[start - 1]
    if before == _PLUS:
        digits = (at for at in range(start, end) if scanned.classes[at] == _DIGIT)
        return next(islice(digits, _LEAST_PHONE_DIGITS, None), end)
    if before not in _WORD_BYTES:
        return start
    return _iban_end(scanned, start - 2) or start + 1


def _emails(scanned: Scanned) -> Iterator[Span]:
    """Addresses: the local part is read backwards from the `@`, the domain forwards."""
    text = scanned.text
    for at in scanned.places(b"@"):
        domain = _EMAIL_DOMAIN.match(text, at + 1)
        if domain is None:
            continue
        start = _local_start(text, at)
        if start < at:
            yield start, domain.end(), "email"


def _local_start(text: str, at: int) -> int:
    """Where the local part before `@` begins; `at` itself when there is none."""
    least = max(0, at - _MAX_LOCAL)
    start = at
    while start > least:
        shorter = text[least:start].rstrip(_LOCAL_CHARS)
        start = least + len(shorter)
        if start <= least or text[start - 1].isascii() or not text[start - 1].isalnum():
            break
        start -= 1  # a letter beyond ASCII
    while start < at and text[start] in ".'/=`{|?":
        start += 1  # more likely punctuation before the address
    return start


def _phones(scanned: Scanned) -> Iterator[Span]:
    """International numbers with `+`, and `(555) 123-4567`. Others: by their groups of digits."""
    text, raw = scanned.text, scanned.raw
    ends = set()
    # One byte is found far faster than two.
    for at in scanned.class_places(b"+0") if b"+" in raw else ():
        if scanned.is_start(at) and (found := _PHONE.match(text, at)):
            ends.add(found.end())
            yield at, found.end(), "phone"
    for at in scanned.class_places(b"(000)") if b"(" in raw else ():
        found = _US_PHONE.match(text, at)
        if found and found.end() not in ends:
            yield at, found.end(), "phone"


def _ibans(scanned: Scanned) -> Iterator[Span]:
    """Account numbers, in one piece or in groups of four."""
    for at in scanned.class_places(b"AA00"):
        end = _iban_end(scanned, at)
        if end is not None:
            yield at, end, "iban"


def _iban_end(scanned: Scanned, at: int) -> int | None:
    """Where the account number ends that begins at a place, or None when none does."""
    text = scanned.text
    length = IBAN_LENGTH_BY_COUNTRY.get(text[at : at + 2]) if at >= 0 else None
    if length is None or not scanned.is_start(at):
        return None
    found = _IBAN.match(text, at)
    end = None if found is None else _end_of(text, at, found.end(), length)
    return end if end is not None and is_iban(text[at:end].replace(" ", "")) else None


def _end_of(text: str, start: int, limit: int, length: int) -> int | None:
    """Where that many characters, spaces not counted, end; at the end of a word, or None."""
    count = 0
    for at in range(start, limit):
        count += text[at] != " "
        if count == length:
            # What is written without spaces may go on in letters of its own.
            following = text[at + 1 : at + 2]
            return None if following.isascii() and following.isalnum() else at + 1
    return None


def _dnis(scanned: Scanned) -> Iterator[Span]:
    text = scanned.text
    if b"0000000" not in scanned.classes:
        return
    for anchor in (b"00000000", b"A0000000", b"A-0000000"):
        for at in scanned.class_places(anchor):
            found = _DNI.match(text, at) if scanned.is_start(at) else None
            if found and is_es_dni(found[0].replace("-", "")):
                yield at, found.end(), "es-dni"


def _aws_key_ids(scanned: Scanned) -> Iterator[Span]:
    if b"AAAA" not in scanned.classes:
        return
    for anchor in (b"AKIA", b"ASIA"):
        for at in scanned.places(anchor):
            if scanned.is_start(at) and (found := _AWS_KEY_ID.match(scanned.text, at)):
                yield at, found.end(), "aws-access-key-id"


def _aws_secrets(scanned: Scanned) -> Iterator[Span]:
    """Forty characters that are a whole text, or that a word with `secret` in it is set to."""
    text = scanned.text
    for at in _places(scanned.raw.lower(), _SECRET_WORD):
        assignment = _ASSIGNMENT.match(text, at + len(_SECRET_WORD))
        start = assignment.end() if assignment else len(text)
        if _looks_random(_AWS_SECRET.match(text, start)):
            yield start, start + _AWS_SECRET_LENGTH, "aws-secret-access-key"
    lengths = list(map(len, scanned.parts))
    if _AWS_SECRET_LENGTH in lengths:
        starts = accumulate((length + 1 for length in lengths), initial=0)
        for start, length in zip(starts, lengths, strict=False):
            if length == _AWS_SECRET_LENGTH and _looks_random(_AWS_SECRET.match(text, start)):
                yield start, start + length, "aws-secret-access-key"


def _looks_random(found: re.Match[str] | None) -> bool:
    """Whether forty characters have digits and letters of both cases: no name, no hexadecimal."""
    if found is None:
        return False
    chars = set(found[0])
    return (
        any(map(str.isdigit, chars))
        and any(map(str.islower, chars))
        and any(map(str.isupper, chars))
    )


def _jwts(scanned: Scanned) -> Iterator[Span]:
    """JSON Web Tokens whose header is JSON with an algorithm. Source: RFC 7519, RFC 7515."""
    text, done = scanned.text, 0
    for at in scanned.places(_JWT_START) if b"J" in scanned.raw else ():
        if at < done or not scanned.is_start(at):
            continue
        # All places up to the end of these characters share that end: looked at together, once.
        done = _JWT_PART.match(text, at).end()  # type: ignore[union-attr]  # it matches nothing
        rest = _JWT_REST.match(text, done)
        start = _jwt_start(scanned, at, done) if rest else None
        if rest and start is not None:
            yield start, rest.end(), "jwt"


def _jwt_start(scanned: Scanned, first: int, end: int) -> int | None:
    """Where a header begins that ends at `end`; `first` itself where there is much to try."""
    starts = (at for at in _places(scanned.raw, _JWT_START, first, end) if scanned.is_start(at))
    for tried, at in enumerate(starts):
        if tried == _MOST_JWT_STARTS:
            return first
        if _is_jose_header(scanned.text[at:end]):
            return at
    return None


def _is_jose_header(text: str) -> bool:
    """Whether a text is the header of a token; one too long to be read counts."""
    if len(text) > _MAX_JWT_HEADER:
        return True
    if len(text) < _MIN_JWT_HEADER:
        return False
    try:
        header = json.loads(base64.urlsafe_b64decode(text + "=" * (-len(text) % 4)))
    except (ValueError, RecursionError):
        return False
    return isinstance(header, dict) and "alg" in header


def _pems(scanned: Scanned) -> Iterator[Span]:
    """Blocks from BEGIN to END; one that is cut off, to the end of its text. Source: RFC 7468."""
    text, covered = scanned.text, 0
    for at in scanned.places(b"-----BEGIN "):
        begin = _PEM_BEGIN.match(text, at) if at >= covered else None
        if begin is None:
            continue
        limit = text.find(SEPARATOR, at)
        limit = len(text) if limit < 0 else limit
        end = _PEM_END.search(text, begin.end(), limit)
        # The END's own hyphens may be those of the next BEGIN.
        covered = end.start() if end else limit
        yield at, end.end() if end else limit, "pem"


_FINDERS: Final[dict[str, Callable[[Scanned], Iterator[Span]]]] = {
    "aws-access-key-id": _aws_key_ids,
    "aws-secret-access-key": _aws_secrets,
    "email": _emails,
    "es-dni": _dnis,
    "iban": _ibans,
    "jwt": _jwts,
    "pem": _pems,
    "phone": _phones,
}
KNOWN_KINDS: Final = frozenset(_FINDERS) | DIGIT_KINDS
"""Every kind that `scan` finds."""
