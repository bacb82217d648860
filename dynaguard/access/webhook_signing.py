"""Signatures of webhooks, out and in: HMAC-SHA256 over a timestamp and the body.

Source: Slack API documentation, "Verifying requests from Slack": the base string is
`v0:TIMESTAMP:BODY`, the signature `v0=` and the hexadecimal digest, requests older than five
minutes are to be refused.
"""

from __future__ import annotations

import hashlib
import hmac
import threading
from collections import OrderedDict
from typing import Final

from dynaguard.forks import renew_after_fork

WINDOW_S: Final = 300.0
"""How far a timestamp may be from now, either way."""
_VERSION: Final = "v0"
_MAX_REMEMBERED: Final = 10_000


def signature(secret: bytes, timestamp: str, body: bytes) -> str:
    """The signature of a body at a time."""
    base = f"{_VERSION}:{timestamp}:".encode() + body
    return f"{_VERSION}={hmac.new(secret, base, hashlib.sha256).hexdigest()}"


def is_signed(
    secret: bytes, timestamp: str | None, given: str | None, body: bytes, now_epoch_s: float
) -> bool:
    """Whether a request is signed with a secret, and neither old nor from the future.

    Args:
        secret: The shared secret.
        timestamp: Seconds since the epoch, as the request has it.
        given: Its signature.
        body: Its body, as it came.
        now_epoch_s: The wall clock.
    """
    if not timestamp or not given or not (timestamp.isascii() and timestamp.isdigit()):
        return False
    if len(timestamp) > 12 or abs(now_epoch_s - int(timestamp)) > WINDOW_S:
        return False
    expected = signature(secret, timestamp, body)
    return hmac.compare_digest(expected.encode(), given.encode("utf-8", "replace"))


class Nonces:
    """What was taken already within the window of timestamps. Thread-safe, bounded.

    A full memory refuses what is new rather than forget what may come again.
    """

    def __init__(self) -> None:
        self._until_by_nonce: OrderedDict[str, float] = OrderedDict()
        self._lock = threading.Lock()
        renew_after_fork(self)

    def take(self, nonce: str, now_epoch_s: float) -> bool:
        """Whether a nonce is new; it is taken then."""
        with self._lock:
            while self._until_by_nonce:
                oldest, until_s = next(iter(self._until_by_nonce.items()))
                if until_s > now_epoch_s:
                    break
                del self._until_by_nonce[oldest]
            if nonce in self._until_by_nonce or len(self._until_by_nonce) >= _MAX_REMEMBERED:
                return False
            self._until_by_nonce[nonce] = now_epoch_s + 2 * WINDOW_S
            return True

    def give_back(self, nonce: str) -> None:
        """Has a nonce be new again: what it was taken for was not done."""
        with self._lock:
            self._until_by_nonce.pop(nonce, None)

    def renew(self) -> None:
        """As `Renewable.renew`."""
        self._lock = threading.Lock()
