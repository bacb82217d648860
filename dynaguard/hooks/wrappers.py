"""The wrappers around botocore's methods; one method here per patch point of `points.py`."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from contextvars import ContextVar
from typing import TYPE_CHECKING, Any

from botocore.exceptions import ClientError

from dynaguard.budgets.signals import Signal
from dynaguard.call import Call, Status
from dynaguard.hooks.answers import has_leftovers, read_answer
from dynaguard.hooks.events import CONTEXT_KEY, HEADER
from dynaguard.hooks.exemption import is_within_botocore
from dynaguard.hooks.retries import is_without_verdict, suggested_delay_s
from dynaguard.hooks.seal import Seal
from dynaguard.hooks.undecided import decide_from_wire
from dynaguard.passage import Passage

if TYPE_CHECKING:
    from dynaguard.hooks.installation import Installation

Wrapped = Callable[..., Any]
_CONVERT_NAMES = ("api_params", "operation_model", "endpoint_url", "context", "headers")
_SIGN_NAMES = (
    "operation_name",
    "request",
    "region_name",
    "signing_type",
    "expires_in",
    "signing_name",
)
_RETRY_NAMES = ("attempts", "operation_model", "request_dict", "response", "caught_exception")
_THROTTLING_CODE_BY_SERVICE = {"s3": "SlowDown"}

UNGUARDED = None
"""Stands in the request context where a passage would, for calls that are left alone."""


class Frame:
    """One call of `_make_api_call` under way, and the passage that its decision gave.

    Attributes:
        client: Whose call; None for one that is left alone.
        started_s: The guard's clock at the start.
        is_decided: Whether the decision was asked for.
        passage: What it gave, unless it refused.
    """

    __slots__ = ("client", "is_decided", "passage", "started_s")

    def __init__(self, client: Any, started_s: float) -> None:
        self.client = client
        self.started_s = started_s
        self.is_decided = False
        self.passage: Passage | None = None


_LEFT_ALONE = Frame(None, 0.0)
_frame: ContextVar[Frame | None] = ContextVar("dynaguard_frame", default=None)
_signed: ContextVar[Passage | None] = ContextVar("dynaguard_signed", default=None)


class SyncWrappers:
    """Wrappers for botocore's own classes.

    Args:
        installation: The installation in force.
    """

    __slots__ = ("_installation",)

    def __init__(self, installation: Installation) -> None:
        self._installation = installation

    def _make_api_call(
        self, wrapped: Wrapped, instance: Any, args: tuple[Any, ...], kwargs: Mapping[str, Any]
    ) -> Any:
        """Observes the whole call: the only place that also sees what never became a request."""
        installation = self._installation
        operation = args[0] if args else kwargs["operation_name"]
        outer = _frame.get()
        frame = _LEFT_ALONE
        if installation.covers(instance, operation, is_nested=outer is not None):
            frame = Frame(instance, installation.guard.monotonic())
        token = _frame.set(frame)
        try:
            result = wrapped(instance, *args, **kwargs)
        except BaseException as err:
            if frame is not _LEFT_ALONE:
                installation.close_with_error(frame, operation, err)
            raise
        finally:
            _frame.reset(token)
        if frame.passage is not None:
            installation.close(frame.passage)
        return result

    def _convert_to_request_dict(
        self, wrapped: Wrapped, instance: Any, args: tuple[Any, ...], kwargs: Mapping[str, Any]
    ) -> Any:
        """Decides: the one narrow place that every call and presigned URL goes through."""
        request = wrapped(instance, *args, **kwargs)
        params, model, endpoint_url = first_three(args, kwargs)
        installation, context, frame = self._installation, request["context"], _frame.get()
        if frame is None or frame.client is not instance:
            # Presigning, or a peer took the outer wrapper off.
            frame = None if frame is not _LEFT_ALONE else frame
            if frame is _LEFT_ALONE or not installation.covers(instance, model.name):
                context[CONTEXT_KEY] = UNGUARDED
                return request
        facts = installation.clients.facts_of(instance)
        if not facts.has_handlers:
            installation.handlers.register(instance.meta.events)
            facts.has_handlers = True
        is_presign = "is_presign_request" in context
        call = facts.call(model.name, params, endpoint_url, is_presign=is_presign)
        passage = installation.decide(call, context, frame, facts.service_id)
        if is_presign:
            installation.guard.leave(passage, Status.PRESIGNED)
            return request
        if facts.is_json:
            passage.seal = Seal(request)
        self._wait_for_admission(passage, instance)
        return request

    def _wait_for_admission(self, passage: Passage, client: Any) -> None:
        """Waits as the retry budget's pacing says, before anything is signed.

        Raises:
            ClientError: The wait would pass the scope's deadline; the service's throttling code.
        """
        admission = self._installation.guard.attempts.admit(passage)
        if admission.refusal is not None:
            passage.budget_refusal = admission.refusal
            raise _throttling_error(client, passage.call, admission.refusal)
        if admission.wait_s > 0:
            passage.wait_s += admission.wait_s
            self._wait(admission.wait_s)

    def _wait(self, seconds: float) -> None:
        """Blocks the calling thread; no lock is held."""
        time.sleep(seconds)

    def _needs_retry(
        self, wrapped: Wrapped, instance: Any, args: tuple[Any, ...], kwargs: Mapping[str, Any]
    ) -> bool:
        """Takes in an attempt; botocore's handlers say whether and when, the budget may refuse."""
        attempts, model, request, response, exception = _retry_arguments(args, kwargs)
        passage = request["context"].get(CONTEXT_KEY)
        if passage is None:
            return wrapped(instance, *args, **kwargs)  # type: ignore[no-any-return]
        signal = self._learn(passage, response, exception)
        event = f"needs-retry.{model.service_model.service_id.hyphenize()}.{model.name}"
        if signal is Signal.OK and is_without_verdict(instance, event, response):
            return False
        delay_s = suggested_delay_s(
            event,
            response=response,
            endpoint=instance,
            operation=model,
            attempts=attempts,
            caught_exception=exception,
            request_dict=request,
        )
        if delay_s is None:
            return False
        ruling = self._installation.guard.attempts.rule_retry(passage, signal, delay_s)
        if ruling is not None and not ruling.is_granted:
            _note_refusal(response, ruling.refusal)
            return False
        wait_s = delay_s if ruling is None else ruling.wait_s
        passage.wait_s += wait_s
        self._wait(wait_s)
        return True

    def _learn(self, passage: Passage, response: Any, exception: Any) -> Signal:
        """Hands one attempt's end to the guard."""
        guard = self._installation.guard
        if response is None:
            return guard.attempts.learn(passage, None, type(exception).__name__)
        http, parsed = response
        status = http.status_code
        if status < 300 and not has_leftovers(parsed):
            guard.attempts.learn_success(passage)
            passage.late_answer = (read_answer, parsed, status)
            return Signal.OK
        return guard.attempts.learn(passage, read_answer(parsed, status), None)

    def _send(
        self, wrapped: Wrapped, instance: Any, args: tuple[Any, ...], kwargs: Mapping[str, Any]
    ) -> Any:
        """The last look before the wire: what was decided is what is sent."""
        passage = _signed.get()
        if passage is not None and passage.seal is not None:
            request = args[0] if args else kwargs["request"]
            broken = passage.seal.broken_part(request)
            if broken is not None:
                raise self._installation.guard.seal_broken(passage, broken)
        return wrapped(instance, *args, **kwargs)

    def sign(
        self, wrapped: Wrapped, instance: Any, args: tuple[Any, ...], kwargs: Mapping[str, Any]
    ) -> Any:
        """Nothing undecided is signed; what botocore fetches meanwhile is its own.

        The correlation id goes into a header before that, so that the signature covers it. Never
        when presigning (the URL would demand the header of whoever uses it) or unsigned.
        """
        operation, request, signing_name = _sign_arguments(args, kwargs)
        context = request.context
        if CONTEXT_KEY not in context and self._installation.is_global:
            as_dict = {"url": request.url, "headers": request.headers, "body": request.data}
            service = signing_name or instance._signing_name
            decide_from_wire(self._installation, service, operation, as_dict, context, instance)
        passage = context.get(CONTEXT_KEY)
        _signed.set(passage)
        is_stamping = (
            passage is not None and self._installation.is_stamping and not passage.call.is_presign
        )
        if is_stamping:
            request.headers[HEADER] = passage.call.correlation_id
        token = is_within_botocore.set("signing")
        try:
            result = wrapped(instance, *args, **kwargs)
        finally:
            is_within_botocore.reset(token)
        if is_stamping:
            passage.is_stamped = "Authorization" in request.headers
            if not passage.is_stamped:
                del request.headers[HEADER]
        return result


def first_three(args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> tuple[Any, Any, Any]:
    """`api_params`, `operation_model`, `endpoint_url`, however they were passed."""
    if not args:
        return kwargs["api_params"], kwargs["operation_model"], kwargs["endpoint_url"]
    given = {**dict(zip(_CONVERT_NAMES, args, strict=False)), **kwargs}
    return given["api_params"], given["operation_model"], given["endpoint_url"]


def _sign_arguments(
    args: tuple[Any, ...], kwargs: Mapping[str, Any]
) -> tuple[str, Any, str | None]:
    """`operation_name`, `request` and `signing_name`, however they were passed."""
    if len(args) == 2:  # as botocore signs every attempt
        return args[0], args[1], kwargs.get("signing_name")
    given = {**dict(zip(_SIGN_NAMES, args, strict=False)), **kwargs}
    return given["operation_name"], given["request"], given.get("signing_name")


def _retry_arguments(
    args: tuple[Any, ...], kwargs: Mapping[str, Any]
) -> tuple[int, Any, Any, Any, Any]:
    """The five arguments of `_needs_retry`; botocore renamed the fourth."""
    if len(args) == 5:  # as botocore calls it
        return args
    given = {**dict(zip(_RETRY_NAMES, args, strict=False)), **kwargs}
    response = given.get("response", given.get("parsed_response"))
    return (
        given["attempts"],
        given["operation_model"],
        given["request_dict"],
        response,
        given.get("caught_exception"),
    )


def _note_refusal(response: Any, refusal: str | None) -> None:
    """Leaves the reason where callers of `except ClientError` find it."""
    if response is not None and refusal is not None:
        response[1].setdefault("ResponseMetadata", {})["DynaguardRetryBudget"] = refusal


def _throttling_error(client: Any, call: Call, refusal: str) -> ClientError:
    """A throttle that dynaguard answers itself, in the service's own words."""
    code = _THROTTLING_CODE_BY_SERVICE.get(call.service, "ThrottlingException")
    error: ClientError = client.exceptions.from_code(code)(
        {
            "Error": {"Code": code, "Message": refusal},
            "ResponseMetadata": {
                "RequestId": "",
                "HTTPStatusCode": 400,
                "HTTPHeaders": {},
                "RetryAttempts": 0,
                "DynaguardRetryBudget": refusal,
            },
        },
        call.operation,
    )
    return error
