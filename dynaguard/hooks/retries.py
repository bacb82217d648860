"""botocore's own retry handlers: what they say about an attempt, without their sleep."""

from __future__ import annotations

from typing import Any

from botocore.retries.standard import RetryHandler


def suggested_delay_s(event: str, *, endpoint: Any, **attempt: Any) -> float | None:
    """What the handlers of `needs-retry` say: seconds to wait, or None for no further attempt.

    The same emission as in `Endpoint._needs_retry`. S3's redirects come this way too.

    Args:
        event: `needs-retry.dynamodb.GetItem`.
        endpoint: botocore's endpoint.
        attempt: The other arguments of the event.
    """
    answers = endpoint._event_emitter.emit(event, endpoint=endpoint, **attempt)
    return next((value for _, value in answers if value is not None), None)


def is_without_verdict(endpoint: Any, event: str, response: Any) -> bool:
    """Whether asking the handlers about this success cannot give anything but no.

    That is so where botocore's standard retry handler is the only one: it evaluates four checkers
    that look for faults, which costs a thirtieth of a whole call. Legacy mode checks DynamoDB's
    CRC32 there and adaptive mode learns its rate, so they are always asked, and so is any handler
    of somebody else.
    """
    if "Error" in response[1]:
        return False
    # The emitter's memory of who listens to an event; filled at its first emission.
    emitter = getattr(endpoint._event_emitter, "_emitter", None)
    handlers = getattr(emitter, "_lookup_cache", {}).get(event, ())
    return len(handlers) == 1 and type(getattr(handlers[0], "__self__", None)) is RetryHandler
