"""A token bucket: the arithmetic of one retry budget.

INVARIANT: over any run, tokens taken <= max_tokens + earned + dripped; `tokens <= max_tokens`.
Tokens below zero are promised: whoever took them waits until they have dripped in.
Not thread-safe; whoever owns it holds the lock.
"""

from __future__ import annotations

# Ten times 0.1 is 0.9999999999999999 in binary; a token earned so is a whole token.
_ROUNDING = 1e-9


class TokenBucket:
    """Tokens that retries cost, successes earn and time drips in.

    Args:
        max_tokens: Most that it holds; also what it starts with.
        earned_per_success: Tokens earned by one success.
        drip_per_s: Tokens that come with time.
        now_s: The clock at the start.

    Source: M. Brooker, "Fixing retries with token buckets and circuit breakers" (2022).
    """

    __slots__ = ("_drip_per_s", "_earned_per_success", "_refilled_at_s", "max_tokens", "tokens")

    def __init__(
        self, *, max_tokens: float, earned_per_success: float, drip_per_s: float, now_s: float
    ) -> None:
        self.max_tokens = max_tokens
        self.tokens = max_tokens
        self._earned_per_success = earned_per_success
        self._drip_per_s = drip_per_s
        self._refilled_at_s = now_s

    def refill(self, now_s: float, drip_per_s: float = 0.0) -> None:
        """Adds what dripped in until `now_s`, at the bucket's drip or a faster one.

        A clock that went back adds nothing.
        """
        elapsed_s = now_s - self._refilled_at_s
        if elapsed_s > 0:
            self._refilled_at_s = now_s
            self._add(elapsed_s * max(drip_per_s, self._drip_per_s))

    def earn(self, successes: float = 1.0) -> None:
        """Adds what successes earn."""
        self._add(successes * self._earned_per_success)

    def take(self, cost: float = 1.0) -> bool:
        """Takes tokens, when they are all there; says whether it did."""
        if self.tokens < cost - _ROUNDING:
            return False
        self.tokens = max(0.0, self.tokens - cost)
        return True

    def wait_s(self, cost: float = 1.0, drip_per_s: float = 0.0) -> float:
        """Seconds until so many tokens will have dripped in; infinite without a drip."""
        missing = cost - self.tokens
        if missing <= _ROUNDING:
            return 0.0
        drip_per_s = max(drip_per_s, self._drip_per_s)
        return missing / drip_per_s if drip_per_s > 0 else float("inf")

    def promise(self, cost: float = 1.0) -> None:
        """Takes tokens that are not there yet; the taker waits `wait_s` first."""
        self.tokens -= cost

    def _add(self, tokens: float) -> None:
        self.tokens = min(self.max_tokens, self.tokens + tokens)
