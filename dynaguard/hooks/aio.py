"""aiobotocore's twins of the wrappers that observe and decide; awaits nothing of their own.

Asynchronous clients get the decision, the masks, sealed cursors, spans and records. Stamps, the
check of the seal, pacing and retry budgets come later for them: those wrap methods that are
coroutines there.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from botocore.exceptions import ParamValidationError

from dynaguard.call import Status
from dynaguard.hooks.frames import CONTEXT_KEY, LEFT_ALONE, Frame, current_frame
from dynaguard.hooks.measuring import is_stale
from dynaguard.hooks.presigning import presigned
from dynaguard.hooks.texts import hide_in_report
from dynaguard.hooks.wrappers import UNGUARDED

if TYPE_CHECKING:
    from dynaguard.hooks.installation import Installation
    from dynaguard.hooks.patching import Patch

    Wrapped = Callable[..., Any]


class AioWrappers:
    """Wrappers for aiobotocore's classes."""

    __slots__ = ("_installation",)

    def __init__(self, installation: Installation) -> None:
        self._installation = installation

    def _make_api_call(self, wrapped: Wrapped, patch: Patch) -> Wrapped:
        """Observes the whole call, as the synchronous wrapper does."""
        installation = self._installation
        monotonic = installation.guard.monotonic

        async def make_api_call(
            client: Any, /, operation_name: str, api_params: Any, *more: Any, **options: Any
        ) -> Any:
            if not patch.is_active:
                return await wrapped(client, operation_name, api_params, *more, **options)
            frame = LEFT_ALONE
            if installation.covers(client, operation_name):
                frame = Frame(client, monotonic())
            token = current_frame.set(frame)
            try:
                result = await wrapped(client, operation_name, api_params, *more, **options)
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
        """Decides, as the synchronous wrapper does."""
        installation = self._installation

        async def convert_to_request_dict(
            client: Any,
            /,
            api_params: Any,
            operation_model: Any,
            endpoint_url: Any,
            *more: Any,
            **options: Any,
        ) -> Any:
            async def convert(params: Any) -> Any:
                return await wrapped(
                    client, params, operation_model, endpoint_url, *more, **options
                )

            try:
                request = await convert(api_params)
            except ParamValidationError as err:
                if patch.is_active and installation.is_masking:
                    hide_in_report(err, api_params, operation_model.input_shape)
                raise
            if not patch.is_active:
                return request
            context, name = request["context"], operation_model.name
            frame = current_frame.get()
            if frame is None or frame.client is not client:
                if frame is LEFT_ALONE or not installation.covers(client, name):
                    context[CONTEXT_KEY] = UNGUARDED
                    return request
                frame = None
            facts = installation.facts_of(client)
            is_presign = "is_presign_request" in context
            call = facts.call(name, api_params, endpoint_url, is_presign=is_presign)
            passage = installation.decide(call, context, frame, facts.service_id, may_wait=False)
            if is_stale(request, passage, api_params, installation.guard.attempts):
                request = await convert(passage.call.params)
                request["context"][CONTEXT_KEY] = passage
            if is_presign:
                installation.guard.leave(passage, Status.PRESIGNED)
                protocol = operation_model.service_model.protocol
                return presigned(request, passage, installation.guard, protocol)
            return request

        return convert_to_request_dict
