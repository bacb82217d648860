"""aiobotocore's twin of the deciding wrapper: the decision covers asynchronous clients too.

Pacing, stamps, masks and outcomes come later for them; each decision is on record with status
`decided`. A policy that has masks warns once, since answers reach the caller unmasked.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

from dynaguard.call import Status
from dynaguard.hooks.events import CONTEXT_KEY
from dynaguard.hooks.wrappers import UNGUARDED, first_three

if TYPE_CHECKING:
    from dynaguard.hooks.installation import Installation


class AioWrappers:
    """Wrappers for aiobotocore's classes."""

    __slots__ = ("_installation",)

    def __init__(self, installation: Installation) -> None:
        self._installation = installation

    async def _convert_to_request_dict(
        self,
        wrapped: Callable[..., Any],
        instance: Any,
        args: tuple[Any, ...],
        kwargs: Mapping[str, Any],
    ) -> Any:
        """Decides, as the synchronous wrapper does; awaits nothing of its own."""
        request = await wrapped(instance, *args, **kwargs)
        params, model, endpoint_url = first_three(args, kwargs)
        installation = self._installation
        context = request["context"]
        if not installation.covers(instance, model.name):
            context[CONTEXT_KEY] = UNGUARDED
            return request
        is_presign = "is_presign_request" in context
        facts = installation.clients.facts_of(instance)
        call = facts.call(model.name, params, endpoint_url, is_presign=is_presign)
        passage = installation.guard.enter(call)
        if passage.plan is not None:
            installation.warn_unmasked()
        installation.guard.leave(passage, Status.DECIDED)
        context[CONTEXT_KEY] = UNGUARDED
        return request
