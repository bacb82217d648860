"""The call that the running code is in the middle of, as the wrappers see it.

One `ContextVar` holds the innermost call of `_make_api_call`; a call that botocore makes inside of
another (to fetch credentials, say) has a frame of its own for as long as it lasts.
"""

from __future__ import annotations

from contextvars import ContextVar
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from dynaguard.passage import Passage

CONTEXT_KEY: Final = "dynaguard"
"""Key of the passage in botocore's request context."""


class Frame:
    """One call of `_make_api_call` under way.

    Attributes:
        client: Whose call; None for one that is left alone.
        started_s: The guard's clock at the start.
        is_decided: Whether the decision was asked for.
        passage: What it gave, unless it refused.
        is_signing: Whether botocore is signing a request of it just now.
        signed: Passage of the request that was signed last and is sent next.
        user_agent: What built the User-Agent last, from which features, and the text.
        headers_to_sign: Signer, URL, all headers, and those of them that were selected last.
    """

    __slots__ = (
        "client",
        "headers_to_sign",
        "is_decided",
        "is_signing",
        "passage",
        "signed",
        "started_s",
        "user_agent",
    )

    def __init__(self, client: Any, started_s: float) -> None:
        self.client = client
        self.started_s = started_s
        self.is_decided = self.is_signing = False
        self.passage: Passage | None = None
        self.signed: Passage | None = None
        self.user_agent: tuple[object, frozenset[str], str] | None = None
        self.headers_to_sign: tuple[object, str, list[tuple[str, Any]], Any] | None = None


LEFT_ALONE: Final = Frame(None, 0.0)
"""The one frame of all calls that are not guarded; shared by threads, never written to."""

current_frame: ContextVar[Frame | None] = ContextVar("dynaguard_frame", default=None)
_signed: ContextVar[Passage | None] = ContextVar("dynaguard_signed", default=None)
"""As `Frame.signed`, where there is no frame: a peer took the outer wrapper off, or the call was
under way when it was put on."""


def note_signed(passage: Passage | None) -> None:
    """Keeps the passage of a request that was signed outside of a frame, until it is sent."""
    _signed.set(passage)


def take_signed() -> Passage | None:
    """The passage of the request that is sent now; once, so that no later one is held to it."""
    passage = _signed.get()
    if passage is not None:
        _signed.set(None)
    return passage
