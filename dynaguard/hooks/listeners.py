"""Who listens to botocore's events, as its emitter remembers them, in the order they are asked."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import lru_cache
from typing import Any

from botocore.retries.adaptive import ClientRateLimiter
from botocore.retries.standard import RetryHandler
from botocore.retryhandler import RetryHandler as LegacyRetryHandler

Handler = Callable[..., Any]


def remembered_handlers(emitter: Any, event: str) -> Sequence[Handler]:
    """Who listens to an event; nobody where it was never asked."""
    inner = getattr(emitter, "_emitter", None)
    found: Sequence[Handler] = getattr(inner, "_lookup_cache", {}).get(event, ())
    return found


def handlers_of(emitter: Any, event: str) -> Sequence[Handler] | None:
    """Who listens to an event; None where this botocore does not tell."""
    handlers = remembered_handlers(emitter, event)
    if handlers:
        return handlers
    inner = getattr(emitter, "_emitter", None)
    search = getattr(getattr(inner, "_handlers", None), "prefix_search", None)
    if search is None:
        return None
    found: Sequence[Handler] = search(event)
    inner._lookup_cache[event] = found  # type: ignore[union-attr]
    return found


def is_botocores_retry_handler(handler: Handler) -> bool:
    """Whether a handler of `needs-retry` is botocore's own, of whichever retry mode."""
    owner = getattr(handler, "__self__", None)
    return (
        type(owner) is RetryHandler
        or type(owner) is ClientRateLimiter
        or type(handler) is LegacyRetryHandler
    )


def is_untouched(emitter: Any, operation: str, *, reader: Handler, masker: Handler) -> bool:
    """Whether nobody but botocore and ourselves sees an answer of DynamoDB before it is masked.

    Args:
        emitter: The client's.
        operation: The operation.
        reader: Our handler of `before-parse`, after which nobody may come.
        masker: Our handler of `after-call`, before which nobody may come.
    """
    received, retry, parse, after = _events_of(operation)
    if handlers_of(emitter, received):
        return False
    readers, maskers = handlers_of(emitter, parse), handlers_of(emitter, after)
    if not readers or not maskers or readers[-1] != reader or maskers[0] != masker:
        return False
    return all(map(is_botocores_retry_handler, handlers_of(emitter, retry) or ()))


@lru_cache(maxsize=64)
def _events_of(operation: str) -> tuple[str, ...]:
    """The events between reading and masking."""
    names = ("response-received", "needs-retry", "before-parse", "after-call")
    return tuple(f"{name}.dynamodb.{operation}" for name in names)
