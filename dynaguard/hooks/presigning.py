"""Holds a presigned URL to the method that was decided.

`generate_presigned_url(..., HttpMethod=...)` writes another method into the request after it was
converted, so after the decision: a URL decided as `GetObject` would delete the object.

Source: botocore's `signers.py`, `generate_presigned_url` (1.34 to 1.44).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from dynaguard.guard import Guard
    from dynaguard.passage import Passage

_READING: Final = frozenset({"GET", "HEAD"})
"""HEAD tells less than GET, and needs the same permission."""


class DecidedRequest(dict[str, Any]):
    """A request dict whose method stays the one that was decided.

    Args:
        request: The request dict.
        refusal: Gives what is raised where somebody changes it.
    """

    def __init__(self, request: dict[str, Any], refusal: Callable[[], Exception]) -> None:
        super().__init__(request)
        self._refusal = refusal

    def __setitem__(self, name: str, value: Any) -> None:
        """Takes whatever is written but another method."""
        if name == "method" and value != self[name] and not {value, self[name]} <= _READING:
            raise self._refusal()
        super().__setitem__(name, value)


def presigned(
    request: dict[str, Any], passage: Passage, guard: Guard, protocol: str
) -> dict[str, Any]:
    """The request of a URL that was decided, as it goes on to be signed.

    Args:
        request: The request dict.
        passage: Its decision.
        guard: Makes the refusal.
        protocol: The service's; those that are not REST name the operation elsewhere, and their
            URLs are made for any method.
    """
    if not protocol.startswith("rest"):
        return request
    return DecidedRequest(request, lambda: guard.seal_broken(passage, "HTTP method"))
