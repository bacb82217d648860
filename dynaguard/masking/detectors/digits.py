"""Kinds of values that are digits in groups: found by the lengths of the groups, then checked."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import pairwise
from typing import Final, NamedTuple

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
RUN: Final = re.compile(rb"0(?:[ .\-]?0){%d,}+" % (LEAST_DIGITS - 1))
_GROUP: Final = re.compile(r"[0-9]+")


class DigitRun(NamedTuple):
    """Digits in groups, apart by one separator each, and what stands around them.

    Attributes:
        start: Where the run starts in its text.
        end: Where it ends.
        first: The first place at which a value may begin: what is before it belongs to something
            else, such as the id whose letters the run continues.
        is_free: Whether a value may end with the run: no letter goes on where it ends.
    """

    start: int
    end: int
    first: int
    is_free: bool


def values_in_run(text: str, run: DigitRun, kinds: frozenset[str]) -> Iterator[Span]:
    """The values of some kinds in a run of digits, from left to right, the longest first.

    Args:
        text: The text.
        run: The run.
        kinds: The kinds that are looked for.

    Cost: O(groups of the run).
    """
    groups = [found.span() for found in _GROUP.finditer(text, run.start, run.end)]
    lengths = [stop - begin for begin, stop in groups]
    free = len(groups) - (not run.is_free)
    at = 0
    while at < free:
        begin, count = groups[at][0], 0
        # Digits behind a point or a hyphen belong to what is before it.
        if begin >= run.first and (at == 0 or text[begin - 1] == " "):
            upto = min(at + _MOST_GROUPS, free)
            count, kind = _value_in(text, groups[at : upto + 1], lengths[at:upto], kinds)
            if count:
                yield begin, groups[at + count - 1][1], kind
        at += count or 1


def _value_in(
    text: str, groups: list[tuple[int, int]], lengths: list[int], kinds: frozenset[str]
) -> tuple[int, str]:
    """How many groups the longest value has that begins with the first, and its kind; or 0.

    Args:
        text: The text.
        groups: Start and end of the groups, one more than may belong to the value if there is one.
        lengths: Their lengths, of those that may belong to it.
        kinds: The kinds that are looked for.
    """
    for count in range(len(lengths), 0, -1):
        if count < len(groups) and text[groups[count - 1][1]] != " ":
            continue
        for each in KINDS_BY_GROUPS.get(tuple(lengths[:count]), ()):
            if each.kind in kinds and _is_written_so(text, groups[:count], each):
                digits = "".join(text[begin:stop] for begin, stop in groups[:count])
                if each.is_valid(digits):
                    return count, each.kind
    return 0, ""


def _is_written_so(text: str, groups: list[tuple[int, int]], kind: DigitKind) -> bool:
    """Whether the groups are apart by what the kind has between them."""
    between = [text[stop] for (_, stop), _ in pairwise(groups)]
    if kind.last and between:
        return between[-1] == kind.last and all(each in kind.separators for each in between[:-1])
    return len(set(between)) <= 1 and all(each in kind.separators for each in between)
