"""The User-Agent, built once per client and not twice per call.

botocore builds it when it prepares a request and again on every attempt, from the same parts each
time: a fifth of the CPU of a small call. In guarded calls the text is kept for as long as nothing
that goes into it has changed: the client's settings, those of its session, and the features of
botocore (`m/...`) that client and call have used; within a call the features alone.
"""

from __future__ import annotations

import importlib.util
import weakref
from collections.abc import Callable, Mapping
from collections.abc import Set as AbstractSet
from typing import TYPE_CHECKING, Any, Final

from botocore import useragent

from dynaguard.hooks.frames import LEFT_ALONE, current_frame

if TYPE_CHECKING:
    from dynaguard.hooks.patching import Patch

_NO_FEATURES: Final[AbstractSet[str]] = frozenset()
MAX_TEXTS: Final = 16
"""Texts that are kept per client, one for each set of features that its calls have used."""


class _Text:
    """A User-Agent, and what it was built from."""

    __slots__ = ("_config", "_creator", "_customise", "_features", "_retries", "text")

    def __init__(self, creator: Any, text: str) -> None:
        parts = vars(creator)
        config = parts.get("_client_config")
        self.text = text
        self._customise = _customising()
        self._creator = dict(parts)
        # Both are changed in place: what they hold now counts.
        self._features = frozenset(parts.get("_client_features") or ())
        self._config = dict(vars(config)) if config is not None else {}
        self._retries = dict(self._config.get("retries") or {})

    def holds(self, parts: Mapping[str, Any]) -> bool:
        """Whether its parts are as they were; mostly the same objects, so this is quick."""
        if parts != self._creator or self._customise is not _customising():
            return False
        if frozenset(parts.get("_client_features") or ()) != self._features:
            return False
        config = parts.get("_client_config")
        settings = vars(config) if config is not None else {}
        return settings == self._config and (settings.get("retries") or {}) == self._retries


def to_string(wrapped: Callable[..., str], patch: Patch) -> Callable[..., str]:
    """Makes what stands in place of `UserAgentString.to_string`; the same text comes out."""
    get_features = _feature_reader()
    texts_by_creator: weakref.WeakKeyDictionary[Any, dict[frozenset[str], _Text]]
    texts_by_creator = weakref.WeakKeyDictionary()

    def user_agent(creator: Any, /, *more: Any, **options: Any) -> str:
        frame = current_frame.get()
        if frame is None or frame is LEFT_ALONE or more or options or not patch.is_active:
            return wrapped(creator, *more, **options)
        features = get_features()
        last = frame.user_agent
        if last is not None and last[0] is creator and last[1] == features:
            return last[2]
        features = frozenset(features)
        texts = texts_by_creator.get(creator)
        if texts is None:
            texts = texts_by_creator[creator] = {}
        kept = texts.get(features)
        if kept is not None and kept.holds(vars(creator)):
            text = kept.text
        else:
            text = wrapped(creator)
            _keep(texts, features, _Text(creator, text))
        frame.user_agent = (creator, features, text)
        return text

    return user_agent


def _customising() -> object:
    """What a distributor of botocore may change the text by; None in versions without."""
    return getattr(useragent, "modify_components", None)


def _keep(texts: dict[frozenset[str], _Text], features: frozenset[str], text: _Text) -> None:
    """Keeps a text; a full memory is dropped whole first."""
    customise = _customising()
    if getattr(customise, "__module__", useragent.__name__) != useragent.__name__:
        return  # a distributor's function may make another text each time
    if len(texts) >= MAX_TEXTS:
        texts.clear()
    texts[features] = text


def _feature_reader() -> Callable[[], AbstractSet[str]]:
    """Gives the features that the running call has used; older versions know none."""
    if importlib.util.find_spec("botocore.context") is None:
        return lambda: _NO_FEATURES
    from botocore.context import get_context

    def features() -> AbstractSet[str]:
        context = get_context()
        return context.features if context is not None else _NO_FEATURES

    return features
