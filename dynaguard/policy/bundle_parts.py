"""The parts of a bundle: lines behind the header that are read when somebody asks for them.

**Shape**: part 0 holds the lengths in bytes of blocks of 64 statements' lines, newlines included;
the others are of the index (`bundle_index.py`).
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from itertools import accumulate
from typing import Any, Final, NoReturn

from dynaguard.policy.bundle_format import AGAIN, refuse

BLOCK_LENGTHS: Final = 0
BLOCK: Final = 64
"""Statements of a block: so many newlines are looked for in the time of one statement's parse."""
FIRST_LINE: Final = 3
"""Line of part 0 in the file, behind the frame's and the header's."""


class Parts:
    """The parts of one bundle.

    Args:
        bundle: The bundle's file, for messages.
        raw: The whole file.
        start: Where part 0 begins.
        lengths: Length of each part in bytes, newline included.
    """

    __slots__ = ("_bundle", "_raw", "_starts")

    def __init__(self, bundle: str, raw: bytes, start: int, lengths: Sequence[int]) -> None:
        self._bundle = bundle
        self._raw = raw
        self._starts = tuple(accumulate(lengths, initial=start))

    @property
    def next_line(self) -> int:
        """Line of the file behind the parts."""
        return FIRST_LINE + len(self._starts) - 1

    def read(self, number: int) -> Any:
        """The list in a part.

        Raises:
            PolicySyntaxError: There is none.
        """
        try:
            found = json.loads(self._raw[self._starts[number] : self._starts[number + 1]])
        except (IndexError, ValueError, RecursionError):
            found = None
        if not isinstance(found, list):
            self._refuse(number, "is not understood")
        return found

    def block_starts(self) -> tuple[int, ...]:
        """Where each block of statements begins, and where the last one ends.

        Raises:
            PolicySyntaxError: The lengths are not those of the blocks.
        """
        try:
            starts = tuple(accumulate(self.read(BLOCK_LENGTHS), initial=self._starts[-1]))
        except TypeError:
            starts = (0,)
        if starts[-1] != len(self._raw):
            self._refuse(BLOCK_LENGTHS, "tells other lengths than the statements have")
        return starts

    def _refuse(self, number: int, why: str) -> NoReturn:
        """Raises: a part that cannot be used."""
        refuse(self._bundle, f"this part of the bundle {why}; {AGAIN}", FIRST_LINE + number)
