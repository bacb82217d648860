"""Which statements of one action can matter for a resource: an index over their patterns.

Patterns that agree in the first five parts of their ARN (mostly `arn:aws:dynamodb:*:*:`) are one
group, compared with a resource once for all. Within a group a pattern is filed by the rest: by its
whole text where that has no wildcard; by what stands before the `*` where that is its end; else by
the rarest five characters in a row that every text it matches must hold. No regular expression.
"""

from __future__ import annotations

import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Final, NamedTuple

from dynaguard.call import UNKNOWN_CHAR, UNKNOWN_RUN
from dynaguard.policy.patterns import ARN_PARTS, arn_start_truth, glob_fits, has_marks
from dynaguard.policy.truth import Truth

GRAM_LENGTH: Final = 5
"""Characters that a pattern with a wildcard in its midst is filed by."""
GRAM_STRIDE: Final = 3
"""Only each third place of a resource is looked at: 1.4 us less of 8 for a new resource."""
MAX_TRIED: Final = 10
"""So many such patterns are tried one by one: cheaper than to look for their characters."""
_MAX_STARTS: Final = 256
"""Beginnings of resources (region and account) that an index remembers the groups of."""

Numbers = int | list[int]
"""The statements of a pattern: mostly one, and then no list is made for it."""


class GramIndex:
    """Patterns by the rarest few characters in a row that a text must hold to match.

    A pattern is filed by `stride` such grams, each one place behind the other: so one of them
    stands where a text is looked at, though that is only at every `stride`-th place.

    Args:
        patterns: Different ones, with wildcards.
        length: Characters of a gram.
        stride: How far the places are apart that are looked at; for patterns whose literals are
            too short for that, it is every place.
    """

    __slots__ = ("_by_gram", "_finer", "_first", "_length", "_stride", "_unfiled")

    def __init__(self, patterns: Sequence[str], length: int, stride: int) -> None:
        self._length, self._stride = length, stride
        self._by_gram: dict[str, list[str]] = {}
        self._finer: GramIndex | None = None
        self._unfiled: list[str] = []
        self._first = sys.maxsize
        pieces_by_pattern = {each: each.replace("?", "*").split("*") for each in patterns}
        count: dict[str, int] = {}
        for pieces in pieces_by_pattern.values():
            for gram in {gram for piece in pieces for gram in _grams(piece, length)}:
                count[gram] = count.get(gram, 0) + 1
        for pattern, pieces in pieces_by_pattern.items():
            self._file(pattern, pieces, count)
        if stride > 1 and len(self._unfiled) > MAX_TRIED:
            self._finer = GramIndex(self._unfiled, length, 1)
            self._unfiled = []

    def _file(self, pattern: str, pieces: Sequence[str], count: Mapping[str, int]) -> None:
        """Files one pattern where its grams are rarest."""
        rarest, place = (sys.maxsize, 0, ""), 0
        for piece in pieces:
            counts = [count[gram] for gram in _grams(piece, self._length)]
            for at in range(len(counts) - self._stride + 1):
                total = sum(counts[at : at + self._stride])
                rarest = min(rarest, (total, place + at, piece[at:]))
            place += len(piece)
        if rarest[0] == sys.maxsize:
            self._unfiled.append(pattern)
            return
        _, place, rest = rarest
        # Wildcards may push it back from there, never forward.
        self._first = min(self._first, place)
        for gram in dict.fromkeys(_grams(rest, self._length)[: self._stride]):
            self._by_gram.setdefault(gram, []).append(pattern)

    def candidates(self, text: str) -> Iterable[str]:
        """The patterns that could match a text. Cost: O(length of the text + patterns found)."""
        found = [*self._unfiled]
        length, by_gram = self._length, self._by_gram
        for at in range(self._first, len(text) - length + 1, self._stride):
            gram = text[at : at + length]
            if gram in by_gram:
                found += by_gram[gram]
        if self._finer is not None:
            found += self._finer.candidates(text)
        return dict.fromkeys(found)


def _grams(text: str, length: int) -> list[str]:
    """All so many characters in a row of a text, by place."""
    return [text[at : at + length] for at in range(len(text) - length + 1)]


def _file(filed: dict[str, Numbers], key: str, number: int) -> None:
    """Adds a statement to those of a pattern."""
    held = filed.setdefault(key, number)
    if held is not number:
        if isinstance(held, int):
            filed[key] = held = [held]
        held.append(number)


class _Group:
    """The patterns that agree in the first five parts of their ARN, filed by the sixth.

    Attributes:
        start: These parts, with the colon behind them.
        by_text: Statements by sixth parts without wildcards.
    """

    __slots__ = ("_by_glob", "_by_head", "_grams", "_heads", "by_text", "start")

    def __init__(self, start: str) -> None:
        self.start = start
        self.by_text: dict[str, Numbers] = {}
        self._by_head: dict[int, dict[str, Numbers]] = {}
        self._by_glob: dict[str, Numbers] = {}
        self._heads: tuple[tuple[int, dict[str, Numbers]], ...] = ()
        self._grams: GramIndex | None = None

    def file_wild(self, last: str, number: int) -> None:
        """Files a pattern by its sixth part, where that has wildcards."""
        wild_at = last.find("*")
        if wild_at == len(last) - 1 and "?" not in last:
            _file(self._by_head.setdefault(wild_at, {}), last[:-1], number)
        else:
            _file(self._by_glob, last, number)

    def finish(self) -> None:
        """Makes ready to be asked; nothing is filed after it."""
        self._heads = tuple(sorted(self._by_head.items()))
        if len(self._by_glob) > MAX_TRIED:
            self._grams = GramIndex(tuple(self._by_glob), GRAM_LENGTH, GRAM_STRIDE)

    def matching(self, last: str) -> list[tuple[str, Numbers]]:
        """The sixth parts that match a text without marks, and whose they are."""
        found = []
        numbers = self.by_text.get(last)
        if numbers is not None:
            found.append((last, numbers))
        for length, by_head in self._heads:
            head = last[:length]
            if head in by_head:
                found.append((f"{head}*", by_head[head]))
        by_glob = self._by_glob
        if by_glob:
            globs = by_glob if self._grams is None else self._grams.candidates(last)
            found += [(glob, by_glob[glob]) for glob in globs if glob_fits(glob, last)]
        return found

    def possible(self, start: str) -> Iterator[tuple[str, Numbers]]:
        """The sixth parts that could match a text of which only the start is known."""
        for text, numbers in self.by_text.items():
            if text.startswith(start):
                yield text, numbers
        for length, by_head in self._heads:
            for head, numbers in by_head.items():
                if head.startswith(start[:length]):
                    yield f"{head}*", numbers
        yield from self._by_glob.items()


class Found(NamedTuple):
    """The statements of which a pattern matches, or may match, a resource.

    Attributes:
        certain: Numbers of statements of which one matches for certain; a number may come twice.
        doubtful: For statements of which patterns are in doubt, or hold variables: these patterns.
    """

    certain: list[int]
    doubtful: dict[int, list[str]]

    def doubt(self, numbers: Numbers, pattern: str) -> None:
        """Adds a pattern that is in doubt."""
        for number in (numbers,) if isinstance(numbers, int) else numbers:
            self.doubtful.setdefault(number, []).append(pattern)


class ResourceIndex:
    """Resource patterns, each of a statement; O(patterns) to build, once.

    Args:
        patterns: Number of the statement and text.
        are_shapes: Whether a pattern is only the shape of one that has variables: what matches is
            then in doubt.
    """

    __slots__ = ("_any", "_are_shapes", "_groups", "_groups_by_start", "_odd")

    def __init__(self, patterns: Iterable[tuple[int, str]], *, are_shapes: bool = False) -> None:
        self._are_shapes = are_shapes
        self._any: list[int] = []
        self._odd: list[tuple[int, str]] = []
        self._groups: dict[str, _Group] = {}
        self._groups_by_start: dict[str, tuple[tuple[_Group, Truth], ...]] = {}
        start, size, group = "\0", 0, _Group("")
        by_text = group.by_text
        for number, text in patterns:
            # Neighbours mostly begin alike, which is cheaper to see than to split each.
            if not text.startswith(start):
                parts = text.split(":", ARN_PARTS - 1)
                if len(parts) < ARN_PARTS:
                    self._file_odd(number, text)
                    continue
                size = len(text) - len(parts[-1])
                start = text[:size]
                group = self._groups.setdefault(start, _Group(start))
                by_text = group.by_text
            last = text[size:]
            if "*" in last or "?" in last:
                group.file_wild(last, number)
            # In line, for this is most of an action's first use.
            elif by_text.setdefault(last, number) is not number:
                _file(by_text, last, number)
        for group in self._groups.values():
            group.finish()

    def _file_odd(self, number: int, text: str) -> None:
        """Files what is not in six parts: `*`, or a malformed pattern."""
        if text.strip("*") or not text or self._are_shapes:
            self._odd.append((number, text))
        else:
            self._any.append(number)

    def find(self, resource: str) -> Found:
        """The statements that match a resource, or may.

        Cost: O(groups that fit x (length of the resource + different lengths of heads) + what
        is found); O(patterns) where the sixth part is not known.
        """
        found = Found([*self._any], {})
        for number, text in self._odd:
            found.doubt(number, text)
        parts = resource.split(":", ARN_PARTS - 1)
        if len(parts) < ARN_PARTS:
            # Its parts are not known: any pattern could be meant.
            if has_marks(resource):
                self._doubt_possible(self._groups.values(), "", found)
            return found
        last = parts[-1]
        groups = self._groups_of(resource[: len(resource) - len(last)])
        if has_marks(last):
            known = last.partition(UNKNOWN_CHAR)[0].partition(UNKNOWN_RUN)[0]
            self._doubt_possible((group for group, _ in groups), known, found)
            return found
        for group, truth in groups:
            for pattern, numbers in group.matching(last):
                if truth is None or self._are_shapes:
                    found.doubt(numbers, group.start + pattern)
                elif isinstance(numbers, int):
                    found.certain.append(numbers)
                else:
                    found.certain.extend(numbers)
        return found

    def _doubt_possible(self, groups: Iterable[_Group], known: str, found: Found) -> None:
        """Adds every pattern that could match a sixth part of which only the start is known."""
        for group in groups:
            for pattern, numbers in group.possible(known):
                found.doubt(numbers, group.start + pattern)

    def _groups_of(self, start: str) -> tuple[tuple[_Group, Truth], ...]:
        """The groups that match the first five parts of a resource, or may."""
        groups = self._groups_by_start.get(start)
        if groups is None:
            truths = [
                (group, arn_start_truth(group.start, start)) for group in self._groups.values()
            ]
            groups = tuple((group, truth) for group, truth in truths if truth is not False)
            if len(self._groups_by_start) >= _MAX_STARTS:
                self._groups_by_start.clear()
            self._groups_by_start[start] = groups
        return groups
