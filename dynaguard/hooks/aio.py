"""aiobotocore's twin of the deciding wrapper: the decision covers asynchronous clients too.

Pacing, stamps, masks and outcomes come later for them; each decision is on record with status
`decided`. A policy that has masks warns once, since answers reach the caller unmasked.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from dynaguard.call import Status
from dynaguard.hooks.events import CONTEXT_KEY
from dynaguard.hooks.wrappers import UNGUARDED

if TYPE_CHECKING:
    from dynaguard.hooks.installation import Installation
    from dynaguard.hooks.patching import Patch


class AioWrappers:
    """Wrappers for aiobotocore's classes."""

    __slots__ = ("_installation",)

    def __init__(self, installation: Installation) -> None:
        self._installation = installation

    def _convert_to_request_dict(
        self, wrapped: Callable[..., Any], patch: Patch
    ) -> Callable[..., Any]:
        """Decides, as the synchronous wrapper does; awaits nothing of its own."""
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
            request = await wrapped(
                client, api_params, operation_model, endpoint_url, *more, **options
            )
            if not patch.is_active:
                return request
            context, name = request["context"], operation_model.name
            if installation.covers(client, name):
                is_presign = "is_presign_request" in context
                facts = installation.facts_of(client)
                call = facts.call(name, api_params, endpoint_url, is_presign=is_presign)
                passage = installation.guard.enter(call)
                if passage.plan is not None:
                    installation.warn_unmasked()
                installation.guard.leave(passage, Status.DECIDED)
            context[CONTEXT_KEY] = UNGUARDED
            return request

        return convert_to_request_dict
