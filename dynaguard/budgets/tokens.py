"""A token bucket: the arithmetic of one retry budget.

INVARIANT: `0 <= tokens <= max_tokens`, for any sequence of calls and clock readings.
Not thread-safe; whoever owns it holds the lock.
"""

from __future__ import annotations

# Ten times 0.1 is 0.9999999999999999 in binary; a token earned so is a whole token.
_ROUNDING = 1e-9


class TokenBucket:
    """Tokens that retries cost, successes earn and time drips in.

    Over any run, retries granted <= max_tokens + ratio * successes + drip * elapsed.

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

    def refill(self, now_s: float) -> None:
        """Adds what dripped in until `now_s`. A clock that went back adds nothing."""
        elapsed_s = now_s - self._refilled_at_s
        if elapsed_s > 0:
            self._refilled_at_s = now_s
            self._add(elapsed_s * self._drip_per_s)

    def earn(self) -> None:
        """Adds what one success earns."""
        self._add(self._earned_per_success)

    def take(self) -> bool:
        """Takes one token, when there is a whole one; says whether it did."""
        if self.tokens < 1.0 - _ROUNDING:
            return False
        self.tokens = max(0.0, self.tokens - 1.0)
        return True

    def _add(self, tokens: float) -> None:
        self.tokens = min(self.max_tokens, self.tokens + tokens)
