"""The User-Agent of a call, built once per call.

botocore builds it when it prepares a request and again on every attempt, from the same parts each
time: a tenth of the CPU of a small call goes into the second building. Within one guarded call the
text is kept, and built anew once the call has used another feature of botocore (`m/...`): all else
that goes into it belongs to the client.
"""

from __future__ import annotations

import importlib.util
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Final

from dynaguard.hooks.frames import LEFT_ALONE, current_frame

if TYPE_CHECKING:
    from dynaguard.hooks.patching import Patch

IS_BUILT_TWICE: Final = importlib.util.find_spec("botocore.context") is not None
"""Older versions of botocore know no features of a call and build it once."""


def to_string(wrapped: Callable[..., str], patch: Patch) -> Callable[..., str]:
    """Makes what stands in place of `UserAgentString.to_string`; the same text comes out."""
    from botocore.context import get_context

    def user_agent(creator: Any, /, *more: Any, **options: Any) -> str:
        frame = current_frame.get()
        context = get_context()
        if frame is None or frame is LEFT_ALONE or context is None or not patch.is_active:
            return wrapped(creator, *more, **options)
        kept = frame.user_agent
        if kept is not None and kept[0] is creator and kept[1] == context.features:
            return kept[2]
        text = wrapped(creator, *more, **options)
        frame.user_agent = (creator, frozenset(context.features), text)
        return text

    return user_agent
