"""The calls of runs that tests make by hand: filled as the engine fills them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from dynaguard.runbooks.lookup import Known
from dynaguard.runbooks.model import CallTemplate, Origin, Reference


@dataclass(frozen=True, slots=True)
class Given(Known):
    """What a test says that items and results are, by their references."""

    given: Mapping[Reference, Any] = field(default_factory=dict)

    def find(self, reference: Reference) -> Any:
        """Parameters as in a run, everything else as given."""
        if reference.origin is Origin.PARAMETER:
            return Known.find(self, reference)
        return self.given[reference]


def call_params(
    template: CallTemplate, values: Mapping[str, Any], given: Mapping[Reference, Any] | None = None
) -> dict[str, Any]:
    """The parameters of a call as a run makes it."""
    return Given(values, {}, given=given or {}).fill(template.params)
