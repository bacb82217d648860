"""What an answer tells about the load on the resource behind it.

Decides from error codes, statuses and exception names alone. Knows AWS's names, not botocore.
"""

from __future__ import annotations

import enum
from typing import Final


class Signal(enum.StrEnum):
    """What one answer says."""

    OK = "ok"
    THROTTLE = "throttle"
    LEFTOVERS = "leftovers"
    """A 200 that hands back part of a batch: `UnprocessedItems`, `UnprocessedKeys`."""
    CONFLICT = "conflict"
    """Another request holds the item; repeating soon may help, slowing down does not."""
    TRANSIENT = "transient"
    """The service or the network failed; whether the request took effect is not known."""
    FATAL = "fatal"
    """Repeating the same request would fail again."""


# Source: AWS SDKs and Tools Reference Guide, "Retry behavior"; DynamoDB developer guide, "Error
# handling". LimitExceededException is left out on purpose: DynamoDB uses it for too many tables
# or control-plane operations, which says nothing about the load on a table.
_THROTTLES: Final = frozenset(
    {
        "BandwidthLimitExceeded",
        "EC2ThrottledException",
        "PriorRequestNotComplete",
        "ProvisionedThroughputExceededException",
        "RequestLimitExceeded",
        "RequestThrottled",
        "RequestThrottledException",
        "SlowDown",
        "ThrottledException",
        "Throttling",
        "ThrottlingException",
        "TooManyRequestsException",
    }
)
_CONFLICTS: Final = frozenset(
    {
        "ReplicatedWriteConflictException",
        "TransactionConflictException",
        "TransactionInProgressException",
    }
)
_TRANSIENTS: Final = frozenset(
    {
        "InternalError",
        "InternalFailure",
        "InternalServerError",
        "InternalServerErrorException",
        "RequestTimeout",
        "RequestTimeoutException",
        "ServiceUnavailable",
        "ServiceUnavailableException",
        # client-side: the subclasses of botocore's ConnectionError and HTTPClientError, and a
        # body that does not fit its checksum
        "ChecksumError",
        "ConnectTimeoutError",
        "ConnectionClosedError",
        "ConnectionError",
        "EndpointConnectionError",
        "HTTPClientError",
        "IncompleteReadError",
        "ProxyConnectionError",
        "ReadTimeoutError",
        "ResponseStreamingError",
        "SSLError",
    }
)
_SIGNAL_BY_NAME: Final = {
    **dict.fromkeys(_THROTTLES, Signal.THROTTLE),
    **dict.fromkeys(_CONFLICTS, Signal.CONFLICT),
    **dict.fromkeys(_TRANSIENTS, Signal.TRANSIENT),
}

# Source: DynamoDB API reference, TransactionCanceledException, cancellation reason codes.
_SIGNAL_BY_REASON: Final = {
    "ProvisionedThroughputExceeded": Signal.THROTTLE,
    "RequestLimitExceeded": Signal.THROTTLE,
    "ThrottlingError": Signal.THROTTLE,
    "TransactionConflict": Signal.CONFLICT,
    "InternalServerError": Signal.TRANSIENT,
}
# plain integers: reading a member of HTTPStatus costs more than the rest of the judgement
_FIRST_CLIENT_ERROR: Final = 400
_REQUEST_TIMEOUT: Final = 408
_TOO_MANY_REQUESTS: Final = 429
_FIRST_SERVER_ERROR: Final = 500
_MOST_SERIOUS_FIRST: Final = (Signal.FATAL, Signal.THROTTLE, Signal.CONFLICT, Signal.TRANSIENT)


def classify(
    error_code: str | None,
    http_status: int | None,
    *,
    exception_name: str | None = None,
    cancellation_codes: tuple[str, ...] = (),
) -> Signal:
    """What an answer, or the failure to get one, tells about the load.

    Leftovers of a batch are in the body of a 200, so the caller reports those itself.

    Args:
        error_code: AWS error code; None or empty when the answer carries none.
        http_status: Status of the answer; None when none came.
        exception_name: Class name of a client-side failure (`ReadTimeoutError`), or None.
        cancellation_codes: `CancellationReasons[].Code` of a cancelled transaction.

    Returns:
        `FATAL` for whatever is not known to be anything else.
    """
    if error_code == "TransactionCanceledException":
        return _classify_cancellation(cancellation_codes)
    name = error_code or exception_name
    signal = _SIGNAL_BY_NAME.get(name) if name else None
    if signal is not None:
        return signal
    return _classify_status(http_status, is_failure=bool(name))


def _classify_cancellation(codes: tuple[str, ...]) -> Signal:
    """One hopeless reason makes the whole transaction hopeless; then throttles come first."""
    reasons = {_SIGNAL_BY_REASON.get(code, Signal.FATAL) for code in codes if code != "None"}
    for signal in _MOST_SERIOUS_FIRST:
        if signal in reasons:
            return signal
    return Signal.FATAL


def _classify_status(http_status: int | None, *, is_failure: bool) -> Signal:
    """By status alone; `is_failure` when an error that we do not know came with it."""
    if http_status is None:
        return Signal.FATAL
    if http_status == _TOO_MANY_REQUESTS:
        return Signal.THROTTLE
    if http_status == _REQUEST_TIMEOUT or http_status >= _FIRST_SERVER_ERROR:
        return Signal.TRANSIENT
    return Signal.FATAL if is_failure or http_status >= _FIRST_CLIENT_ERROR else Signal.OK
