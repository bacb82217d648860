"""The wrappers around botocore's methods: each method here makes the one of its patch point.

What they make takes the original's parameters by name (`points.py` checks these at install) and
hands on whatever else a version of botocore passes.
"""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING, Any, Final

from botocore.exceptions import ParamValidationError

from dynaguard.budgets.signals import Signal
from dynaguard.call import Status
from dynaguard.hooks.attempting import SyncAttempting
from dynaguard.hooks.credentials import access_key_id_of
from dynaguard.hooks.exemption import signing_calls
from dynaguard.hooks.frames import (
    CONTEXT_KEY,
    LEFT_ALONE,
    Frame,
    current_frame,
    note_signed,
    take_signed,
)
from dynaguard.hooks.measuring import is_stale
from dynaguard.hooks.presigning import presigned
from dynaguard.hooks.retries import is_without_verdict, suggested_delay_s
from dynaguard.hooks.seal import Seal
from dynaguard.hooks.stamp import put_header, settle_stamp
from dynaguard.hooks.sts import facts_to_ask_for
from dynaguard.hooks.texts import hide_in_report
from dynaguard.loads import BATCH_MEMBERS
from dynaguard.passage import Passage

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from dynaguard.hooks.installation import Installation
    from dynaguard.hooks.patching import Patch

    Wrapped = Callable[..., Any]

_SIGNING_TYPE: Final = 1  # of `sign`'s further parameters
_SIGNING_NAME: Final = 3

UNGUARDED = None
"""Stands in the request context where a passage would, for calls that are left alone."""


class SyncWrappers:
    """Wrappers for botocore's own classes.

    Args:
        installation: The installation in force.
    """

    __slots__ = ("_attempting", "_installation")

    def __init__(self, installation: Installation) -> None:
        self._installation = installation
        self._attempting = SyncAttempting(installation)

    def _make_api_call(self, wrapped: Wrapped, patch: Patch) -> Wrapped:
        """Observes the whole call: the only place that also sees what never became a request."""
        installation = self._installation
        monotonic = installation.guard.monotonic

        def make_api_call(
            client: Any, /, operation_name: str, api_params: Any, *more: Any, **options: Any
        ) -> Any:
            if not patch.is_active:
                return wrapped(client, operation_name, api_params, *more, **options)
            frame = LEFT_ALONE
            if installation.covers(client, operation_name):
                frame = Frame(client, monotonic())
            token = current_frame.set(frame)
            try:
                result = wrapped(client, operation_name, api_params, *more, **options)
            except BaseException as err:
                if frame is not LEFT_ALONE:
                    installation.close_with_error(frame, operation_name, err, api_params)
                raise
            finally:
                current_frame.reset(token)
            if frame.passage is not None:
                installation.close(frame.passage)
            return result

        return make_api_call

    def _convert_to_request_dict(self, wrapped: Wrapped, patch: Patch) -> Wrapped:
        """Decides: the one narrow place that every call and presigned URL goes through."""
        installation, attempting = self._installation, self._attempting

        def convert_to_request_dict(
            client: Any,
            /,
            api_params: Any,
            operation_model: Any,
            endpoint_url: Any,
            *more: Any,
            **options: Any,
        ) -> Any:
            try:
                request = wrapped(
                    client, api_params, operation_model, endpoint_url, *more, **options
                )
            except ParamValidationError as err:
                if patch.is_active and installation.is_masking:
                    hide_in_report(err, api_params, operation_model.input_shape)
                raise
            if not patch.is_active:
                return request
            context, frame = request["context"], current_frame.get()
            if frame is None or frame.client is not client:
                # Presigning, or a peer took the outer wrapper off.
                if frame is LEFT_ALONE or not installation.covers(client, operation_model.name):
                    context[CONTEXT_KEY] = UNGUARDED
                    return request
                frame = None
            facts = installation.facts_of(client)
            is_presign = "is_presign_request" in context
            call = facts.call(
                operation_model.name, api_params, endpoint_url, is_presign=is_presign
            )
            passage = installation.decide(call, context, frame, facts.service_id)
            if is_stale(request, passage, api_params, installation.guard.attempts):
                params = passage.call.params
                request = wrapped(client, params, operation_model, endpoint_url, *more, **options)
                request["context"][CONTEXT_KEY] = passage
            if is_presign:
                installation.guard.leave(passage, Status.PRESIGNED)
                protocol = operation_model.service_model.protocol
                return presigned(request, passage, installation.guard, protocol)
            if facts.is_json:
                passage.seal = Seal(request)
            attempting.begin(passage, client)
            return request

        return convert_to_request_dict

    def _send_request(self, wrapped: Wrapped, patch: Patch) -> Wrapped:
        """Cuts batches to what their tables take, and has them wait for their turn."""
        attempting = self._attempting

        def send_request(
            endpoint: Any, /, request_dict: Any, operation_model: Any, *more: Any, **options: Any
        ) -> Any:
            if operation_model.name in BATCH_MEMBERS and patch.is_active:
                passage = request_dict["context"].get(CONTEXT_KEY)
                if passage is not None:
                    attempting.begin_batch(passage, request_dict)
            return wrapped(endpoint, request_dict, operation_model, *more, **options)

        return send_request

    def _needs_retry(self, wrapped: Wrapped, patch: Patch) -> Wrapped:
        """Takes in an attempt; the budget rules whether there is a next one, and waits for it."""
        attempting = self._attempting

        def needs_retry(
            endpoint: Any,
            /,
            attempts: int,
            operation_model: Any,
            request_dict: Any,
            response: Any = None,
            caught_exception: Any = None,
            **options: Any,
        ) -> Any:
            passage = request_dict["context"].get(CONTEXT_KEY) if patch.is_active else None
            if passage is None:
                return wrapped(
                    endpoint,
                    attempts,
                    operation_model,
                    request_dict,
                    response,
                    caught_exception,
                    **options,
                )
            signal = attempting.learn(passage, response, caught_exception)
            event = _retry_event(operation_model.service_model.service_id, operation_model.name)
            is_over = signal is Signal.OK and passage.batch is None
            if is_over and is_without_verdict(endpoint, event, response):
                return False
            delay_s = suggested_delay_s(
                event,
                endpoint=endpoint,
                is_budgeted=passage.is_budgeted,
                response=response,
                operation=operation_model,
                attempts=attempts,
                caught_exception=caught_exception,
                request_dict=request_dict,
            )
            is_partial = signal is Signal.LEFTOVERS and passage.seal and passage.is_budgeted
            if passage.batch is not None or is_partial:
                return attempting.goes_on(passage, signal, request_dict, response, delay_s)
            if delay_s is None and (signal is Signal.OK or signal is Signal.FATAL):
                return False
            return attempting.repeats(passage, signal, request_dict, response, delay_s)

        return needs_retry

    def _send(self, wrapped: Wrapped, patch: Patch) -> Wrapped:
        """The last look before the wire: what was decided is what is sent, and bears its stamp."""
        installation = self._installation

        def send(endpoint: Any, /, request: Any, *more: Any, **options: Any) -> Any:
            if patch.is_active:
                frame = current_frame.get()
                # Within a guarded call it is its own request that is sent, whatever else a
                # handler has signed meanwhile.
                passage = take_signed() if frame is None else frame.passage or frame.signed
                if passage is not None:
                    broken = passage.seal and passage.seal.broken_part(request)
                    if broken:
                        raise installation.guard.seal_broken(passage, broken)
                    if installation.is_stamping:
                        settle_stamp(
                            request.headers, passage.call, names_scope=installation.names_scope
                        )
            return wrapped(endpoint, request, *more, **options)

        return send

    def sign(self, wrapped: Wrapped, patch: Patch) -> Wrapped:
        """Nothing undecided is signed; what botocore fetches meanwhile is its own.

        The correlation id goes into a header before that, so that the signature covers it. Never
        when presigning: the URL would demand the header of whoever uses it.
        """
        installation = self._installation

        def sign(
            signer: Any, /, operation_name: str, request: Any, *more: Any, **options: Any
        ) -> Any:
            if not patch.is_active:
                return wrapped(signer, operation_name, request, *more, **options)
            context = request.context
            if CONTEXT_KEY not in context and installation.is_global:
                positional = more[_SIGNING_NAME] if len(more) > _SIGNING_NAME else None
                name = options.get("signing_name") or positional
                _decide_unsigned(installation, signer, operation_name, request, name)
            passage = context.get(CONTEXT_KEY)
            if passage is not None and installation.is_stamping and not passage.call.is_presign:
                put_header(request.headers, passage.call.correlation_id)
            frame = current_frame.get()
            if frame is None or frame is LEFT_ALONE:
                with signing_calls():
                    result = wrapped(signer, operation_name, request, *more, **options)
                if _is_sent(more, options):
                    note_signed(passage)
            else:
                outer, frame.is_signing = frame.is_signing, True
                try:
                    result = wrapped(signer, operation_name, request, *more, **options)
                finally:
                    frame.is_signing = outer
                if _is_sent(more, options):
                    frame.signed = passage
            if passage is not None:
                self._check_signer(passage, context, signer)
            return result

        return sign

    def _check_signer(self, passage: Passage, context: Mapping[str, Any], signer: Any) -> None:
        """The identity that was decided is the one that signed, and still may.

        botocore signs with credentials that stand in the request's context before the client's
        own, and puts none there itself: who does changes who calls. Its own it may refresh while
        it signs: then the new key's identity has to be allowed.
        """
        guard = self._installation.guard
        signing = context.get("signing")
        if not passage.attempts:
            guard.lasting.check(passage)
        if signing and signing.get("request_credentials") is not None:
            raise guard.seal_broken(passage, "credentials")
        credentials = signer._credentials
        if access_key_id_of(credentials) != passage.call.credentials.access_key_id:
            guard.signed_by(passage, facts_to_ask_for(credentials))


def _is_sent(more: tuple[Any, ...], options: Mapping[str, Any]) -> bool:
    """Whether what is signed is a request that is sent next, and no URL for somebody else."""
    positional = more[_SIGNING_TYPE] if len(more) > _SIGNING_TYPE else "standard"
    return bool(options.get("signing_type", positional) == "standard")


@lru_cache(maxsize=512)
def _retry_event(service_id: Any, operation: str) -> str:
    """`needs-retry.dynamodb.GetItem`."""
    return f"needs-retry.{service_id.hyphenize()}.{operation}"


def _decide_unsigned(
    installation: Installation, signer: Any, operation: str, request: Any, name: str | None
) -> None:
    """Decides a request that came to be signed without a decision."""
    from dynaguard.hooks.undecided import decide_from_wire  # few processes make such requests

    as_dict = {"url": request.url, "headers": request.headers, "body": request.data}
    service = name or signer._signing_name
    decide_from_wire(installation, service, operation, as_dict, request.context, signer)
