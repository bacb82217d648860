"""Patterns with `*` and `?`: globs, ARN patterns and action patterns, matched without regexes.

A pattern is a tuple of tokens: literal text, `Wild.ONE` (`?`) and `Wild.RUN` (`*`). Wildcards come
from the text of a policy alone: whatever is substituted for a variable is a literal token.

INVARIANT: no backtracking over `*`. A match costs at most O(pattern x text), mostly one pass.

An ARN may hold marks for characters that this process does not know (`UNKNOWN_CHAR`,
`UNKNOWN_RUN` in `call.py`). Matching is then three-valued: certain only where wildcards cover
every mark, and possible where some real value of the marks would match.
"""

from __future__ import annotations

import enum
import functools
from collections.abc import Callable, Iterable, Iterator
from typing import Final, TypeVar, cast

from dynaguard.call import UNKNOWN_CHAR, UNKNOWN_RUN
from dynaguard.policy.truth import Truth, all_of
from dynaguard.values import dataclass

ARN_PARTS: Final = 6
"""`arn`, partition, service, region, account, resource."""
_ACCOUNT_PART: Final = 4
_CACHED_PATTERNS: Final = 4096


class Wild(enum.Enum):
    """A wildcard of a pattern."""

    ONE = "?"
    RUN = "*"


Token = str | Wild
Tokens = tuple[Token, ...]
_TokenT = TypeVar("_TokenT")
_ANY: Final[Tokens] = (Wild.RUN,)


def has_marks(text: str) -> bool:
    """Whether part of an ARN (or action) is not known."""
    return UNKNOWN_CHAR in text or UNKNOWN_RUN in text


def parse_wildcards(text: str) -> Iterator[Token]:
    """The tokens of a text in which every `*` and `?` is a wildcard."""
    start = 0
    for at, char in enumerate(text):
        if char in "*?":
            if start < at:
                yield text[start:at]
            yield Wild.RUN if char == "*" else Wild.ONE
            start = at + 1
    if start < len(text):
        yield text[start:]


# --- one glob ---------------------------------------------------------------------------------


class _Segment:
    """What stands between two `*`: literal pieces with one `?` between each two of them."""

    __slots__ = ("anchor", "anchor_offset", "length", "pieces")

    def __init__(self, tokens: Iterable[Token]) -> None:
        pieces = [""]
        for token in tokens:
            if isinstance(token, str):
                pieces[-1] += token
            else:
                pieces.append("")
        self.pieces = tuple(pieces)
        self.length = sum(map(len, pieces)) + len(pieces) - 1
        # The longest piece is the cheapest to look for.
        longest = max(range(len(pieces)), key=lambda i: len(pieces[i]))
        self.anchor = pieces[longest]
        self.anchor_offset = sum(map(len, pieces[:longest])) + longest

    def fits(self, text: str, at: int) -> bool:
        """Whether the segment stands at `at`, where the text is long enough."""
        for piece in self.pieces:
            if not text.startswith(piece, at):
                return False
            at += len(piece) + 1
        return True

    def find(self, text: str, start: int, end: int) -> int:
        """The first place within `text[start:end]` where the segment stands, or -1."""
        offset, last = self.anchor_offset, end - self.length
        at = text.find(self.anchor, start + offset, end) - offset
        while start <= at <= last:
            if self.fits(text, at):
                return at
            at = text.find(self.anchor, at + offset + 1, end) - offset
        return -1


def _segments(tokens: Tokens) -> list[_Segment]:
    """The segments between the `*` of a pattern: one more than it has `*`."""
    groups: list[list[Token]] = [[]]
    for token in tokens:
        if token is Wild.RUN:
            groups.append([])
        else:
            groups[-1].append(token)
    return [_Segment(group) for group in groups]


def _compile(tokens: Tokens) -> Callable[[str], bool]:
    """A function that tells whether a whole text fits the pattern."""
    if tokens == _ANY:
        return _fits_anything
    head, *middles = _segments(tokens)
    if not middles:
        if len(head.pieces) == 1:
            return head.pieces[0].__eq__
        return lambda text: len(text) == head.length and head.fits(text, 0)
    tail = middles.pop()
    inner = [segment for segment in middles if segment.length]

    def fits(text: str) -> bool:
        at, end = head.length, len(text) - tail.length
        if end < at or not head.fits(text, 0) or not tail.fits(text, end):
            return False
        for segment in inner:
            # Leftmost is best: it leaves the most room for the segments that follow.
            at = segment.find(text, at, end)
            if at < 0:
                return False
            at += segment.length
        return True

    return fits


def _fits_anything(_text: str) -> bool:
    """The pattern `*`."""
    return True


class Glob:
    """One pattern over one text.

    Attributes:
        tokens: The pattern.
        matches: Whether a text without marks fits; every character counts as itself.
    """

    __slots__ = ("matches", "tokens")

    def __init__(self, tokens: Iterable[Token]) -> None:
        self.tokens = tuple(tokens)
        self.matches: Callable[[str], bool] = _compile(self.tokens)

    def truth(self, text: str) -> Truth:
        """Whether a text fits that may hold marks; None when that depends on the marks."""
        if not has_marks(text):
            return self.matches(text)
        units = _units(self.tokens)
        if _reaches_end(units, text, is_sure=True):
            return True
        return None if _reaches_end(units, text, is_sure=False) else False


def _units(tokens: Tokens) -> Tokens:
    """The tokens with literal text taken apart into characters."""
    return tuple(
        unit for token in tokens for unit in (token if isinstance(token, str) else (token,))
    )


def _reaches_end(units: Tokens, text: str, *, is_sure: bool) -> bool:
    """Walks all ways through a pattern at once; O(pattern x text).

    Args:
        units: The pattern by characters.
        text: The text, marks included.
        is_sure: True: marks are covered by wildcards alone; False: by whatever could fit.
    """
    reached = _past_runs(units, {0})
    for char in text:
        step = _step_surely if is_sure else _step_possibly
        reached = _past_runs(units, {to for at in reached for to in step(units, at, char)})
    return len(units) in reached


def _past_runs(units: Tokens, places: set[int]) -> set[int]:
    """The places, and those behind each `*` among them: it may stand for nothing."""
    for at in sorted(places):
        after = at
        while after < len(units) and units[after] is Wild.RUN:
            after += 1
            places.add(after)
    return places


def _step_surely(units: Tokens, at: int, char: str) -> Iterable[int]:
    """Where one character of a text leads when marks must be covered whatever they hide."""
    if at == len(units):
        return ()
    unit = units[at]
    if unit is Wild.RUN:
        return (at,)
    if unit is Wild.ONE:
        # A run may be empty or long, so one `?` never covers it.
        return () if char == UNKNOWN_RUN else (at + 1,)
    # A literal mark comes from substituted text; it is not the same unknown.
    return (at + 1,) if unit == char and not has_marks(char) else ()


def _step_possibly(units: Tokens, at: int, char: str) -> Iterable[int]:
    """Where one character of a text can lead when marks may hide anything."""
    if char == UNKNOWN_RUN:
        return range(at, len(units) + 1)
    if char == UNKNOWN_CHAR and at < len(units):
        return (at,) if units[at] is Wild.RUN else (at + 1,)
    return _step_surely(units, at, char)


# --- ARN patterns -----------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class ArnPattern:
    """A pattern for ARNs, matched part by part; `*` in the last part crosses `:` and `/`.

    Attributes:
        parts: One glob for each of the six parts, or a single one: `*`, or a pattern that is no
            ARN and therefore never surely matches.

    Source: IAM User Guide, IAM JSON policy elements: Resource.
    """

    parts: tuple[Glob, ...]

    @property
    def is_any(self) -> bool:
        """Whether it is `*`, which also covers calls that know no resource."""
        tokens = self.parts[0].tokens
        return len(self.parts) == 1 and bool(tokens) and set(tokens) == {Wild.RUN}

    def truth(self, resource: str) -> Truth:
        """Whether it matches; None when that depends on marks, or the pattern is malformed."""
        parts = resource.split(":", ARN_PARTS - 1)
        if len(self.parts) == len(parts) == ARN_PARTS:
            return all_of(glob.truth(part) for glob, part in zip(self.parts, parts, strict=True))
        if self.is_any:
            return True
        return self._truth_of_misfit(resource)

    def _truth_of_misfit(self, resource: str) -> Truth:
        """As `truth`, where one side is not in six parts: never certain, possible as a whole."""
        if len(self.parts) == ARN_PARTS and not has_marks(resource):
            return False
        tokens: list[Token] = []
        for glob in self.parts:
            tokens += [":", *glob.tokens]
        return False if Glob(tokens[1:]).truth(resource) is False else None

    def doubts(self, resource: str) -> tuple[str, ...]:
        """Which facts about the resource would settle a match: `account`, `resource`."""
        parts = resource.split(":", ARN_PARTS - 1)
        if len(self.parts) != ARN_PARTS or len(parts) != ARN_PARTS:
            return ("resource",) if has_marks(resource) else ()
        doubtful = {
            "account" if at == _ACCOUNT_PART else "resource"
            for at, (glob, part) in enumerate(zip(self.parts, parts, strict=True))
            if has_marks(part) and glob.truth(part) is None
        }
        return tuple(sorted(doubtful))


def split_arn(tokens: Iterable[_TokenT]) -> tuple[tuple[_TokenT, ...], ...]:
    """The tokens of an ARN pattern by part; a pattern that is not in six parts stays whole.

    Split at the first five colons of the pattern's own text, before anything is substituted:
    a colon in a variable's value makes no part.
    """
    whole = tuple(tokens)
    parts: list[list[_TokenT]] = [[]]
    for token in whole:
        if not isinstance(token, str):
            parts[-1].append(token)
            continue
        first, *others = token.split(":", ARN_PARTS - len(parts))
        parts[-1].append(cast(_TokenT, first))
        parts += [[cast(_TokenT, other)] for other in others]
    return tuple(map(tuple, parts)) if len(parts) == ARN_PARTS else (whole,)


@functools.lru_cache(maxsize=_CACHED_PATTERNS)
def parse_arn_pattern(pattern: str) -> ArnPattern:
    """The ARN pattern of a text without variables."""
    return ArnPattern(tuple(map(Glob, split_arn(parse_wildcards(pattern)))))


def arn_matches(pattern: str, resource: str) -> bool:
    """Whether an ARN pattern matches for certain: the side of an Allow.

    Args:
        pattern: `*`, or six parts with `*` and `?`; literal parts are case-sensitive.
        resource: The ARN, or `*`; marks for unknown parts are covered by wildcards alone.
    """
    return parse_arn_pattern(pattern).truth(resource) is True


def arn_may_match(pattern: str, resource: str) -> bool:
    """Whether an ARN pattern matches for some real value of the marks: the side of a Deny."""
    return parse_arn_pattern(pattern).truth(resource) is not False


# --- plain text and actions -------------------------------------------------------------------


@functools.lru_cache(maxsize=_CACHED_PATTERNS)
def cached_glob(tokens: Tokens) -> Glob:
    """The glob of tokens; for patterns that each call fills anew, mostly with the same text."""
    return Glob(tokens)


@functools.lru_cache(maxsize=_CACHED_PATTERNS)
def _parse_glob(pattern: str) -> Glob:
    """The glob of a text without variables."""
    return Glob(parse_wildcards(pattern))


def glob_fits(pattern: str, text: str) -> bool:
    """Whether a whole text without marks fits a pattern; case-sensitive.

    For patterns that are mostly asked once: nothing is remembered, which costs less than a glob
    to compile (0.7 against 4 us), but for patterns with `?`.
    """
    if "?" in pattern:
        return _parse_glob(pattern).matches(text)
    head, *middles = pattern.split("*")
    if not middles:
        return pattern == text
    tail = middles.pop()
    at, end = len(head), len(text) - len(tail)
    if end < at or not text.startswith(head) or not text.endswith(tail):
        return False
    for middle in middles:
        at = text.find(middle, at, end)
        if at < 0:
            return False
        at += len(middle)
    return True


def arn_start_truth(pattern: str, start: str) -> Truth:
    """Whether the first five parts of an ARN pattern match those of a resource.

    Args:
        pattern: Five parts, each with the colon behind it.
        start: The same of the resource; marks included.
    """
    return all_of(
        mine in (theirs, "*") if _is_plain(mine, theirs) else _parse_glob(mine).truth(theirs)
        for mine, theirs in zip(pattern.split(":"), start.split(":"), strict=True)
    )


def _is_plain(pattern: str, text: str) -> bool:
    """Whether a look tells: no wildcard but a lone `*`, and no marks."""
    is_literal = "*" not in pattern and "?" not in pattern
    return pattern == "*" or (is_literal and not has_marks(text))


def text_matches(pattern: str, text: str) -> bool:
    """Whether a whole text fits a pattern with `*` and `?`; case-sensitive."""
    return _parse_glob(pattern).matches(text)


def action_truth(pattern: str, action: str) -> Truth:
    """Whether an action pattern matches an action that may hold marks.

    Case does not count. Wildcards stand in the name alone, but for `*` and `*:*`, which are all
    actions; any other pattern without a literal service matches nothing.
    """
    if pattern in {"*", "*:*"}:
        return True
    service, colon, name = pattern.lower().partition(":")
    if not colon or "*" in service or "?" in service:
        return False
    called_service, _, called_name = action.lower().partition(":")
    return service == called_service and _parse_glob(name).truth(called_name)


def action_matches(pattern: str, action: str) -> bool:
    """Whether a pattern such as `dynamodb:Get*` matches for certain; see `action_truth`."""
    return action_truth(pattern, action) is True
