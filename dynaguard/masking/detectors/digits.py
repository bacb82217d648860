"""Kinds of values that are digits in groups: found by the lengths of the groups, then checked."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import pairwise
from typing import Final

from dynaguard.masking.detectors import checks

Span = tuple[int, int, str]
"""Start, end (exclusive) and kind of a value in a text."""


@dataclass(frozen=True, slots=True)
class DigitKind:
    """A kind by the lengths of its groups of digits.

    Attributes:
        kind: Its name.
        is_valid: Whether digits of that form are of the kind.
        separators: What may stand between groups; each form uses one of them throughout, except
            where `last` names what stands before the last group.
        last: What stands before the last group, where that differs.
    """

    kind: str
    is_valid: Callable[[str], bool]
    separators: str = " -"
    last: str = ""


_CARD: Final = DigitKind("payment-card", checks.is_payment_card)
_SSN: Final = DigitKind("us-ssn", checks.is_us_ssn)
_CPF: Final = DigitKind("br-cpf", checks.is_br_cpf, separators=".", last="-")
_BSN: Final = DigitKind("nl-bsn", checks.is_nl_bsn, separators=". ")
_TAX: Final = DigitKind("de-tax-id", checks.is_de_tax_id, separators=" ")
_PESEL: Final = DigitKind("pl-pesel", checks.is_pl_pesel)
_NIR: Final = DigitKind("fr-nir", checks.is_fr_nir, separators=" ")
_PHONE: Final = DigitKind("phone", checks.is_nanp_phone, separators="-. ")

# A social security number without hyphens is any nine digits, and ten digits are any number: of
# these only the written forms are taken.
KINDS_BY_GROUPS: Final[dict[tuple[int, ...], tuple[DigitKind, ...]]] = {
    **{(length,): (_CARD,) for length in (13, 14, 16, 17, 18, 19)},
    (15,): (_CARD, _NIR),
    (11,): (_CPF, _TAX, _PESEL),
    (9,): (_BSN,),
    (4, 4, 4, 4): (_CARD,),
    (4, 4, 4, 4, 3): (_CARD,),
    (4, 6, 5): (_CARD,),
    (4, 6, 4): (_CARD,),
    (3, 2, 4): (_SSN,),
    (4, 2, 3): (_BSN,),
    (3, 3, 3, 2): (_CPF,),
    (2, 3, 3, 3): (_TAX,),
    (1, 2, 2, 2, 3, 3, 2): (_NIR,),
    (13, 2): (_NIR,),
    (3, 3, 4): (_PHONE,),
}
DIGIT_KINDS: Final = frozenset(each.kind for kinds in KINDS_BY_GROUPS.values() for each in kinds)
_MOST_GROUPS: Final = max(map(len, KINDS_BY_GROUPS))

LEAST_DIGITS: Final = 9
"""Of all forms, a date has eight."""
SEPARATORS: Final = b" .-"
# In a text whose digits are all `0`: so many or more, some apart by one separator.
RUN: Final = re.compile(rb"0(?:[ .\-]?0){%d,80}" % (LEAST_DIGITS - 1))
_GROUP: Final = re.compile(r"[0-9]+")


def values_in_run(text: str, start: int, end: int, kinds: frozenset[str]) -> Iterator[Span]:
    """The values of some kinds in a run of digits, from left to right, the longest first.

    Args:
        text: The text.
        start: Where the run starts.
        end: Where it ends.
        kinds: The kinds that are looked for.
    """
    groups = [(found.start(), found.end()) for found in _GROUP.finditer(text, start, end)]
    lengths = [stop - begin for begin, stop in groups]
    at = 0
    while at < len(groups):
        found = None
        # Digits behind a point or a hyphen belong to what is before it.
        if at == 0 or text[groups[at][0] - 1] == " ":
            found = _value_from(text, groups[at:], lengths[at : at + _MOST_GROUPS], kinds)
        if found is None:
            at += 1
        else:
            count, span = found
            at += count
            yield span


def _value_from(
    text: str, groups: list[tuple[int, int]], lengths: list[int], kinds: frozenset[str]
) -> tuple[int, Span] | None:
    """The longest value that begins with the first group, and how many groups it has."""
    for count in range(len(lengths), 0, -1):
        if count < len(groups) and text[groups[count - 1][1]] != " ":
            continue
        for each in KINDS_BY_GROUPS.get(tuple(lengths[:count]), ()):
            if each.kind in kinds and _is_written_so(text, groups[:count], each):
                digits = "".join(text[begin:stop] for begin, stop in groups[:count])
                if each.is_valid(digits):
                    return count, (groups[0][0], groups[count - 1][1], each.kind)
    return None


def _is_written_so(text: str, groups: list[tuple[int, int]], kind: DigitKind) -> bool:
    """Whether the groups are apart by what the kind has between them."""
    between = [text[stop] for (_, stop), _ in pairwise(groups)]
    if kind.last and between:
        return between[-1] == kind.last and all(each in kind.separators for each in between[:-1])
    return len(set(between)) <= 1 and all(each in kind.separators for each in between)
