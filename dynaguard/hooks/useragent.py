"""The User-Agent, built once per client and not twice per call.

botocore builds it when it prepares a request and again on every attempt, from the same parts each
time: a fifth of the CPU of a small call. In guarded calls the text is kept for as long as nothing
that goes into it has changed: the client's settings, those of its session, and the features of
botocore (`m/...`) that client and call have used.
"""

from __future__ import annotations

import importlib.util
import weakref
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, Final

from botocore import useragent

from dynaguard.hooks.frames import LEFT_ALONE, current_frame

if TYPE_CHECKING:
    from dynaguard.hooks.patching import Patch

MAX_TEXTS: Final = 16
"""Texts that are kept per client, one for each set of features that its calls have used."""
_customise: Final[Any] = getattr(useragent, "modify_components", None)
_IS_CUSTOMISED: Final = getattr(_customise, "__module__", useragent.__name__) != useragent.__name__
"""A distributor's botocore may change the text by who knows what: nothing is kept then."""


class _Text:
    """A User-Agent, and what it was built from."""

    __slots__ = ("_config", "_creator", "_features", "_retries", "text")

    def __init__(self, creator: Any, text: str) -> None:
        parts = vars(creator)
        config = parts.get("_client_config")
        self.text = text
        self._creator = dict(parts)
        # Both are changed in place: what they hold now counts.
        self._features = frozenset(parts.get("_client_features") or ())
        self._config = dict(vars(config)) if config is not None else {}
        self._retries = dict(self._config.get("retries") or {})

    def holds(self, parts: Mapping[str, Any]) -> bool:
        """Whether its parts are as they were; mostly the same objects, so this is quick."""
        if parts != self._creator or (parts.get("_client_features") or ()) != self._features:
            return False
        config = parts.get("_client_config")
        settings = vars(config) if config is not None else {}
        return settings == self._config and (settings.get("retries") or {}) == self._retries


def to_string(wrapped: Callable[..., str], patch: Patch) -> Callable[..., str]:
    """Makes what stands in place of `UserAgentString.to_string`; the same text comes out."""
    get_context = _get_context()
    texts_by_creator: weakref.WeakKeyDictionary[Any, dict[frozenset[str], _Text]]
    texts_by_creator = weakref.WeakKeyDictionary()

    def user_agent(creator: Any, /, *more: Any, **options: Any) -> str:
        frame = current_frame.get()
        if frame is None or frame is LEFT_ALONE or more or options or not patch.is_active:
            return wrapped(creator, *more, **options)
        context = get_context()
        features = frozenset(context.features) if context is not None else frozenset()
        texts = texts_by_creator.setdefault(creator, {})
        kept = texts.get(features)
        if kept is not None and kept.holds(vars(creator)):
            return kept.text
        text = wrapped(creator)
        if not _IS_CUSTOMISED:
            if len(texts) >= MAX_TEXTS:
                texts.clear()
            texts[features] = _Text(creator, text)
        return text

    return user_agent


def _get_context() -> Callable[[], Any]:
    """botocore's context of a call; older versions know none."""
    if importlib.util.find_spec("botocore.context") is None:
        return lambda: None
    from botocore.context import get_context

    found: Callable[[], Any] = get_context
    return found
