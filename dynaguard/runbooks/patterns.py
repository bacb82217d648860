"""Regular expressions of parameters, held to what takes little time on any value.

A pattern is the author's, the value anybody's: a pattern that tries many ways to match must not
let a value keep the process busy. What a pattern could try is estimated from its repeats, and one
that could try too much is refused when the runbook is read.
"""

from __future__ import annotations

import re
import warnings
from dataclasses import dataclass
from typing import Final

MAX_LENGTH: Final = 1024
"""Most characters of a value."""
MAX_PATTERN_LENGTH: Final = 512
MAX_WAYS: Final = 4_000_000
"""Most ways to match that a pattern may leave open: some tenths of a second at worst."""
_REPEAT: Final = re.compile(r"\{(?!\})(\d*)(?:(,)(\d*))?\}")
"""As Python reads repeats: `{}` is none, and digits may be many."""
_LOOSE_BY_SIGN: Final = {"*": MAX_LENGTH + 1, "+": MAX_LENGTH, "?": 2}


class PatternError(ValueError):
    """A pattern that cannot be used; the message says why."""


def compile_pattern(text: str) -> re.Pattern[str]:
    """The pattern, ready for `fullmatch`; letters, digits and blanks of ASCII alone.

    Raises:
        PatternError: No regular expression, one of a kind that is not taken, or one that could
            take long.
    """
    if len(text) > MAX_PATTERN_LENGTH:
        raise PatternError(f"it has over {MAX_PATTERN_LENGTH} characters")
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error")  # what the next Python reads otherwise
            compiled = re.compile(text, re.ASCII)
    except (re.error, OverflowError, RecursionError, Warning) as err:
        raise PatternError(str(err) or type(err).__name__) from None
    if _Scanner(text).ways() > MAX_WAYS:
        raise PatternError(
            "it could try too many ways to match, bound its repeats such as `[a-z]{1,64}` and "
            "repeat no group that repeats something itself"
        )
    return compiled


@dataclass(slots=True)
class _Scanner:
    """Estimates in how many ways a pattern can divide a text among its repeats."""

    text: str
    at: int = 0

    def ways(self) -> float:
        """Of the branches from here to the end, or to the end of the group."""
        total, product = 0.0, 1.0
        while self.at < len(self.text) and self.text[self.at] != ")":
            if self.text[self.at] == "|":
                self.at += 1
                total, product = total + product, 1.0
            else:
                product = _bounded(product * self._repeated())
        return total + product

    def _repeated(self) -> float:
        """Of one element and its repeat."""
        is_group = self.text[self.at] == "("
        inner = self._element()
        least, most = self._repeat()
        if most == least == 1:
            return inner
        # Each turn of a group may go another way: two ways in 22 turns are too many already.
        ways = _bounded(inner ** min(most, 22)) if is_group else 1.0
        # And each turn costs, also where nothing is matched in it: `(){9999}`.
        return _bounded(ways * (most if is_group else most - least + 1))

    def _element(self) -> float:
        """Passes one element: a character, a class, or a group and what it holds."""
        sign = self.text[self.at]
        self.at += 1
        if sign == "\\":
            self._escape()
        elif sign == "[":
            self._class()
        elif sign == "(":
            return self._group()
        return 1.0

    def _escape(self) -> None:
        """Passes what follows a backslash."""
        if self.text[self.at].isdigit():
            raise PatternError("references to groups are not taken")
        self.at += 1

    def _class(self) -> None:
        """Passes `[...]`."""
        self.at += self.text[self.at] == "^"
        self.at += self.text[self.at] == "]"
        while self.text[self.at] != "]":
            self.at += 2 if self.text[self.at] == "\\" else 1
        self.at += 1

    def _group(self) -> float:
        """Passes `(...)` or `(?:...)`."""
        if self.text[self.at] == "?":
            if self.text[self.at : self.at + 2] != "?:":
                raise PatternError("of groups only `(...)` and `(?:...)` are taken")
            self.at += 2
        inner = self.ways()
        self.at += 1
        return inner

    def _repeat(self) -> tuple[int, int]:
        """Passes a repeat; how often at least and at most."""
        least = most = 1
        if self.at < len(self.text) and self.text[self.at] in _LOOSE_BY_SIGN:
            least, most = 0, _LOOSE_BY_SIGN[self.text[self.at]] - 1
            self.at += 1
        elif found := _REPEAT.match(self.text, self.at):
            low, comma, high = found.groups()
            least = int(low or 0)
            most = (int(high) if high else max(MAX_LENGTH, least)) if comma else least
            self.at = found.end()
        else:
            return 1, 1
        if self.text[self.at : self.at + 1] in ("?", "+"):
            self.at += 1
        return least, max(least, most)


def _bounded(ways: float) -> float:
    """A number that stays small enough to reckon with."""
    return min(ways, 10.0 * MAX_WAYS)
