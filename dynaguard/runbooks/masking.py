"""The masks of a runbook: what of its answers nobody sees, on top of what the policy masks.

The guard masks every answer by its policy first, as for any call. A runbook's own masks act where
values leave the run: on its outputs, and on what its Python steps are given. Within the run its
places are filled with the values as the policy shows them: a reviewed template may pass a key on
that no output shows.
"""

from __future__ import annotations

import copy
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from dynaguard.masking import MaskedRequest, Masks
from dynaguard.runbooks.answers import tables_in

if TYPE_CHECKING:
    from dynaguard.call import Principal
    from dynaguard.guard import Guard
    from dynaguard.policy.model import MaskStatement


class RunMasks:
    """The masks of one run. One thread.

    Args:
        statements: The runbook's `[[mask]]` entries.
        guard: The guard in force: its key of masks, and who calls.
        principal: Who runs it.

    Raises:
        ConfigurationError: A mask needs a key that the guard does not have.
    """

    __slots__ = ("_masks", "_principal")

    def __init__(
        self, statements: tuple[MaskStatement, ...], guard: Guard, principal: Principal
    ) -> None:
        from dynaguard.configuration import mask_key

        key = mask_key(guard.resolved.settings) if statements else None
        self._masks = Masks(statements, key=key) if statements else None
        self._principal = principal

    def shown(
        self, service: str, operation: str, params: Mapping[str, Any], answer: Mapping[str, Any]
    ) -> dict[str, Any]:
        """An answer as it may be shown; the given one stays as it is.

        A cursor is left out: it would show the key that it holds.
        """
        found = {name: each for name, each in answer.items() if name not in _NOT_SHOWN}
        if self._masks is None:
            return found
        plan = self._masks.plan_for(service, operation, tables_in(params), self._principal, params)
        if plan is None:
            return found
        found = copy.deepcopy(found)
        plan.apply(found, MaskedRequest(params, _no_cursor))
        return found


_NOT_SHOWN = frozenset({"LastEvaluatedKey", "ResponseMetadata"})


def _no_cursor() -> Any:
    """Nothing is bound: cursors are left out before."""
    raise AssertionError
