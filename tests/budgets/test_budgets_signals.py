"""What an answer's code, status and exception name tell about the load."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from botocore import exceptions
from botocore.retries.standard import ThrottledRetryableChecker, TransientRetryableChecker

from dynaguard.budgets.signals import Signal, classify

BY_CODE = [
    ("ProvisionedThroughputExceededException", 400, Signal.THROTTLE),
    ("ThrottlingException", 400, Signal.THROTTLE),
    ("RequestLimitExceeded", 400, Signal.THROTTLE),
    ("SlowDown", 503, Signal.THROTTLE),
    ("SlowDown", 200, Signal.THROTTLE),
    ("TransactionConflictException", 400, Signal.CONFLICT),
    ("TransactionInProgressException", 400, Signal.CONFLICT),
    ("ReplicatedWriteConflictException", 409, Signal.CONFLICT),
    ("InternalServerError", 500, Signal.TRANSIENT),
    ("RequestTimeout", 400, Signal.TRANSIENT),
    ("SomethingUnheardOf", 502, Signal.TRANSIENT),
    ("SomethingUnheardOf", 429, Signal.THROTTLE),
    ("SomethingUnheardOf", 400, Signal.FATAL),
    ("SomethingUnheardOf", 200, Signal.FATAL),
    ("SomethingUnheardOf", None, Signal.FATAL),
    ("ConditionalCheckFailedException", 400, Signal.FATAL),
    ("ValidationException", 400, Signal.FATAL),
    ("AccessDeniedException", 400, Signal.FATAL),
    ("LimitExceededException", 400, Signal.FATAL),
]


@pytest.mark.parametrize(("code", "status", "expected"), BY_CODE)
def test_error_code_and_status(code: str, status: int | None, expected: Signal) -> None:
    """A known code decides; an unknown one leaves it to the status."""
    assert classify(code, status) is expected


@pytest.mark.parametrize(
    ("status", "expected"),
    [
        (200, Signal.OK),
        (307, Signal.OK),
        (400, Signal.FATAL),
        (408, Signal.TRANSIENT),
        (429, Signal.THROTTLE),
        (500, Signal.TRANSIENT),
        (503, Signal.TRANSIENT),
        (None, Signal.FATAL),
    ],
)
def test_status_alone(status: int | None, expected: Signal) -> None:
    """Without a code the status decides; without either nothing is known, which is fatal."""
    assert classify(None, status) is expected
    assert classify("", status) is expected


@pytest.mark.parametrize(
    ("codes", "expected"),
    [
        (("None", "ConditionalCheckFailed"), Signal.FATAL),
        (("ThrottlingError", "ConditionalCheckFailed"), Signal.FATAL),
        (("TransactionConflict", "ItemCollectionSizeLimitExceeded"), Signal.FATAL),
        (("ThrottlingError", "ValidationError"), Signal.FATAL),
        (("TransactionConflict", "DuplicateItem"), Signal.FATAL),
        (("ThrottlingError", "AccessDenied"), Signal.FATAL),
        (("None", "TransactionConflict", "ThrottlingError"), Signal.THROTTLE),
        (("ProvisionedThroughputExceeded", "None"), Signal.THROTTLE),
        (("None", "TransactionConflict"), Signal.CONFLICT),
        (("TransactionConflict", "InternalServerError"), Signal.CONFLICT),
        (("InternalServerError",), Signal.TRANSIENT),
        (("None", "None"), Signal.FATAL),
        ((), Signal.FATAL),
    ],
)
def test_cancelled_transaction(codes: tuple[str, ...], expected: Signal) -> None:
    """A cancelled transaction is judged by its reasons; a hopeless one outweighs the rest."""
    signal = classify("TransactionCanceledException", 400, cancellation_codes=codes)

    assert signal is expected


def _subclass_names(kind: type[Exception]) -> Iterator[str]:
    yield kind.__name__
    for child in kind.__subclasses__():
        yield from _subclass_names(child)


def test_every_transient_exception_of_botocore_is_transient() -> None:
    """No failure that botocore would repeat as transient is taken for fatal."""
    kinds = TransientRetryableChecker._TRANSIENT_EXCEPTION_CLS  # the list to keep up with
    names = {
        name
        for kind in kinds
        for name in _subclass_names(kind)
        if hasattr(exceptions, name)  # other tests may have made subclasses of their own
    }

    assert {
        name for name in names if classify(None, None, exception_name=name) != "transient"
    } == (set())


def test_other_exceptions_are_fatal() -> None:
    """A client-side failure that never reached the wire would fail again."""
    assert classify(None, None, exception_name="ParamValidationError") is Signal.FATAL


def test_every_throttling_code_of_botocore_is_known() -> None:
    """Of botocore's own list, only the documented exceptions are no throttle here."""
    codes = ThrottledRetryableChecker._THROTTLED_ERROR_CODES

    others = {code: classify(code, 400) for code in codes if classify(code, 400) != "throttle"}

    assert others == {
        "TransactionInProgressException": Signal.CONFLICT,
        "LimitExceededException": Signal.FATAL,
    }
