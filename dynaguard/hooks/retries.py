"""botocore's own retry handlers: what they say about an attempt, without their sleep and quota.

The quota is one per client and refunds itself, the limiter of adaptive mode sleeps in a handler:
inside of a guarded call neither acts (`docs/retry-budgets.md` says why). What an application
registered itself is asked as ever.
"""

from __future__ import annotations

from binascii import crc32
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Final

from botocore.retries.adaptive import ClientRateLimiter
from botocore.retries.standard import RetryHandler
from botocore.retryhandler import RetryHandler as LegacyRetryHandler

from dynaguard.hooks.frames import current_frame
from dynaguard.hooks.listeners import Handler, handlers_of, remembered_handlers

if TYPE_CHECKING:
    from dynaguard.hooks.patching import Patch

_OF_DYNAMODB: Final = "needs-retry.dynamodb."

_CRC32: Final = "x-amz-crc32"
"""Source: botocore's `retries.special.RetryDDBChecksumError`."""


def suggested_delay_s(
    event: str, *, endpoint: Any, is_budgeted: bool, **attempt: Any
) -> float | None:
    """What the handlers of `needs-retry` say: seconds to wait, or None for no further attempt.

    The first answer that is not None counts, as in `Endpoint._needs_retry`. S3's redirects come
    this way too.

    Args:
        event: `needs-retry.dynamodb.GetItem`.
        endpoint: botocore's endpoint.
        is_budgeted: Whether retry budgets act on the call; else everything of botocore's does.
        attempt: The other arguments of the event.
    """
    handlers = handlers_of(endpoint._event_emitter, event) if is_budgeted else None
    if handlers is None:
        answers = endpoint._event_emitter.emit(event, endpoint=endpoint, **attempt)
        return next((value for _, value in answers if value is not None), None)
    found: float | None = None
    for handler in handlers:
        answer = _ask(handler, event, endpoint=endpoint, **attempt)
        found = answer if found is None else found
    return found


def on_sending_request(wrapped: Handler, patch: Patch) -> Handler:
    """Adaptive mode's limiter lets budgeted calls pass: the lanes pace them, or nothing does."""

    def on_sending_request(limiter: Any, /, request: Any, *more: Any, **options: Any) -> Any:
        frame = current_frame.get()
        passage = frame.passage if patch.is_active and frame is not None else None
        if passage is not None and passage.is_budgeted:
            return None
        return wrapped(limiter, request, *more, **options)

    return on_sending_request


def is_without_verdict(endpoint: Any, event: str, response: Any) -> bool:
    """Whether asking the handlers about this success cannot give anything but no.

    That is so where botocore's standard retry handler is the only one: it evaluates four checkers
    that look for faults, which costs a thirtieth of a whole call. Of a success they look at
    DynamoDB's CRC32 alone; where that is not what the body has, they are asked. Legacy mode's
    handler is always asked, and so is any of somebody else.
    """
    if "Error" in response[1]:
        return False
    if event.startswith(_OF_DYNAMODB) and not _is_intact(*response):
        return False
    handlers = remembered_handlers(endpoint._event_emitter, event)
    return len(handlers) == 1 and type(getattr(handlers[0], "__self__", None)) is RetryHandler


def _is_intact(http: Any, parsed: Mapping[str, Any]) -> bool:
    """Whether a body has the CRC32 that its answer tells; also where it tells none."""
    headers = (parsed.get("ResponseMetadata") or {}).get("HTTPHeaders") or {}
    told = headers.get(_CRC32)
    return told is None or told == str(crc32(http.content))


def set_max_attempts(request: Any) -> int | None:
    """Attempts that the application set (`Config`, environment, file), or None."""
    config = request["context"].get("client_config")
    retries = getattr(config, "retries", None) or {}
    total = retries.get("total_max_attempts")
    return total if isinstance(total, int) else None


def _ask(handler: Handler, event: str, **attempt: Any) -> float | None:
    """One handler's answer; botocore's own are asked beneath their quota."""
    owner = getattr(handler, "__self__", None)
    answer: float | None
    if type(owner) is RetryHandler:
        return _standard_verdict(owner, **attempt)
    if type(owner) is ClientRateLimiter:
        return None
    if type(handler) is LegacyRetryHandler:
        return _legacy_verdict(handler, event, **attempt)
    answer = handler(event_name=event, **attempt)
    return answer


def _standard_verdict(handler: Any, **attempt: Any) -> float | None:
    """Standard and adaptive mode: the policy, without the quota."""
    context = handler._retry_event_adapter.create_retry_context(**attempt)
    policy = handler._retry_policy
    delay: float | None = None
    if policy.should_retry(context):
        delay = policy.compute_retry_delay(context)
    handler._retry_event_adapter.adapt_retry_response_from_context(context)
    return delay


def _legacy_verdict(handler: Any, event: str, **attempt: Any) -> float | None:
    """Legacy mode has no quota; it raises what it will not repeat, which the endpoint does too."""
    try:
        delay: float | None = handler(event_name=event, **attempt)
    except Exception as err:
        if err is attempt.get("caught_exception"):
            return None
        raise
    return delay
