"""Whether a failed attempt is repeated, and after which wait. Pure but for the bucket's tokens."""

from __future__ import annotations

import math
from typing import Final, NamedTuple

from dynaguard.budgets.bucket import DRIP_SHARE, Bucket, BucketKey
from dynaguard.budgets.classes import ClassRules
from dynaguard.budgets.lane import Lane
from dynaguard.budgets.load import MAX_RETRY_AFTER_S
from dynaguard.budgets.signals import Signal
from dynaguard.budgets.turns import tell_late
from dynaguard.scope import Scope
from dynaguard.values import dataclass

MAX_CONFLICT_ATTEMPTS: Final = 5
"""Another request holds the item: after four repeats the application has to look at it."""
TRANSIENT_COST: Final = 2.0
"""Tokens of a retry after a failure of the service, which load makes worse."""
_LOAD_SIGNALS: Final = frozenset({Signal.THROTTLE, Signal.LEFTOVERS})
_REDIRECTABLE: Final = frozenset({Signal.OK, Signal.FATAL})


class Asked(NamedTuple):
    """An attempt that failed, and what is known about it.

    Attributes:
        signal: What its answer said.
        attempt: Its number, from 1.
        started_s: When the call began.
        suggested_s: The delay that botocore would take; None: it would not repeat the call.
        max_attempts: What the application set, or None.
        is_dynamodb: Whether the service's throttles and failures are known to be short.
        is_ambiguous: Whether a repeat could take effect twice.
        is_paced_by_lane: Whether a lane paces the retry; False for a hot key that is not known.
        retry_after_s: The pause that AWS asked for; 0.0 for none.
    """

    signal: Signal
    attempt: int
    started_s: float
    suggested_s: float | None = None
    max_attempts: int | None = None
    is_dynamodb: bool = True
    is_ambiguous: bool = False
    is_paced_by_lane: bool = True
    retry_after_s: float = 0.0


@dataclass(frozen=True, slots=True)
class RetryRuling:
    """Whether a call may be repeated, and when.

    Attributes:
        is_granted: Whether to repeat it.
        wait_s: Seconds to wait before that; 0.0 when it is not granted.
        is_paced: Whether it then waits for its turn.
        refusal: Why it is refused, in one clause. None when it is granted, and when nothing here
            refused: the attempts are used up, or a repeat would not help.
        tokens_left: What the bucket holds afterwards.
    """

    is_granted: bool
    wait_s: float
    is_paced: bool
    refusal: str | None
    tokens_left: float


def deadline_s(scope: Scope, rules: ClassRules, started_s: float) -> float:
    """When a call has to be through with waiting: the scope's deadline, or its class's."""
    own_s = started_s + rules.max_wait_s
    given_s = scope.deadline_monotonic_s
    return own_s if given_s is None else min(own_s, given_s)


def rule(
    bucket: Bucket,
    lanes: list[Lane],
    asked: Asked,
    *,
    key: BucketKey,
    now_s: float,
    deadline_s: float,
    share: float,
) -> RetryRuling:
    """The ruling on one failed attempt.

    Args:
        bucket: What the retry draws on.
        lanes: The lanes of the call's resources, as far as there are any.
        asked: The attempt.
        key: The bucket's key, for messages.
        now_s: The clock.
        deadline_s: When the call has to be through.
        share: Uniform in [0, 1), for the jitter.
    """
    drip_per_s = DRIP_SHARE * max((lane.rate.known_per_s for lane in lanes), default=0.0)
    bucket.tokens.refill(now_s, drip_per_s)
    if bucket.statement.is_observed:
        return _as_suggested(bucket, asked)
    if asked.signal in _REDIRECTABLE and asked.suggested_s is not None and asked.suggested_s <= 0:
        # botocore re-sends to another host or region (S3 redirects), once per call: that is
        # part of the first try, and a refusal would break calls that are not under load.
        return RetryRuling(True, 0.0, False, None, bucket.tokens.tokens)
    refusal = _reason_against(bucket, lanes, asked, key)
    if refusal is not None:
        return _refused(bucket, refusal or None)
    delay_s = _delay_s(bucket.rules, asked, share)
    cost = TRANSIENT_COST if asked.signal is Signal.TRANSIENT else 1.0
    deferral_s = bucket.tokens.wait_s(cost, drip_per_s)
    if now_s + deferral_s > deadline_s and deferral_s > 0:
        return _refused(bucket, _tell_spent(key, bucket))
    delay_s = max(delay_s, deferral_s)
    if now_s + delay_s > deadline_s:
        return _refused(bucket, tell_late(delay_s, max(0.0, deadline_s - now_s), str(key)))
    bucket.tokens.promise(cost)
    bucket.granted += 1
    return RetryRuling(True, delay_s, bucket.rules.is_paced, None, bucket.tokens.tokens)


def _as_suggested(bucket: Bucket, asked: Asked) -> RetryRuling:
    """botocore's own will, counted; a token is taken where there is one."""
    if asked.suggested_s is None:
        return RetryRuling(False, 0.0, False, None, bucket.tokens.tokens)
    bucket.tokens.take()
    bucket.granted += 1
    return RetryRuling(True, asked.suggested_s, False, None, bucket.tokens.tokens)


def _reason_against(bucket: Bucket, lanes: list[Lane], asked: Asked, key: BucketKey) -> str | None:
    """Why the attempt is not repeated, whatever the budget holds.

    None: it may be. Empty: for no reason that is ours to tell.
    """
    if not _helps(asked):
        return ""
    if asked.is_ambiguous and not bucket.statement.repeats_ambiguous_writes:
        return "the write may have taken effect and would add to it again"
    bound = bucket.rules.max_attempts
    if bound is not None and bucket.statement.max_attempts is None:
        bound = asked.max_attempts or bound
    if bound is not None and asked.attempt >= bound:
        return ""
    if asked.signal is Signal.CONFLICT and asked.attempt >= MAX_CONFLICT_ATTEMPTS:
        return ""
    if asked.signal is Signal.TRANSIENT and any(lane.breaker.is_open for lane in lanes):
        return f"the circuit is open: more than half of the calls failed for {key}"
    return None


def _helps(asked: Asked) -> bool:
    """Whether a repeat of such an attempt can help at all."""
    if asked.suggested_s is not None:
        return True
    if not asked.is_dynamodb:
        return False
    if asked.signal in _LOAD_SIGNALS:
        return True
    return asked.signal is Signal.CONFLICT or asked.signal is Signal.TRANSIENT


def _delay_s(rules: ClassRules, asked: Asked, share: float) -> float:
    """The back-off; where a lane paces the retry, none is needed after a throttle."""
    is_for_lane = rules.is_paced and asked.is_paced_by_lane and asked.signal in _LOAD_SIGNALS
    delay_s = 0.0 if is_for_lane else rules.delay_s(asked.attempt, share)
    if not asked.is_dynamodb or asked.signal is Signal.FATAL:
        delay_s = max(delay_s, asked.suggested_s or 0.0)
    return max(delay_s, min(asked.retry_after_s, MAX_RETRY_AFTER_S))


def _refused(bucket: Bucket, refusal: str | None) -> RetryRuling:
    bucket.refused += refusal is not None
    return RetryRuling(False, 0.0, False, refusal, bucket.tokens.tokens)


def _tell_spent(key: BucketKey, bucket: Bucket) -> str:
    """The refusal of an empty bucket."""
    # cut, not rounded: 0.97 must not read as a whole token
    shown = math.floor(max(0.0, bucket.tokens.tokens) * 10) / 10
    return f"retry budget spent: {shown:.1f} of {bucket.tokens.max_tokens:g} tokens left for {key}"
