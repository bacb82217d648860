"""Ids of grants and tickets: hard to guess, easy to read out and to type."""

from __future__ import annotations

import secrets
from collections.abc import Callable
from typing import Final

_LETTERS: Final = "0123456789abcdefghjkmnpqrstvwxyz"
"""Crockford's 32: none of `i`, `l`, `o`, `u`, which are taken for others or make words."""
_GROUPS: Final = 4
_GROUP_LENGTH: Final = 4


def new_id(prefix: str, random_bytes: Callable[[int], bytes] = secrets.token_bytes) -> str:
    """A fresh id, such as `grant-7k3m-x9qd-2hfv-0ptw`: 80 random bits after the prefix.

    Args:
        prefix: What it is the id of: `grant`, `ticket`.
        random_bytes: Where chance comes from.
    """
    letters = [_LETTERS[byte % 32] for byte in random_bytes(_GROUPS * _GROUP_LENGTH)]
    starts = range(0, len(letters), _GROUP_LENGTH)
    return "-".join([prefix, *("".join(letters[at : at + _GROUP_LENGTH]) for at in starts)])
