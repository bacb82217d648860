"""Secrets of other services: what AWS's own models mark sensitive, masked in any answer.

The shape stays: strings become tokens, binary values the bytes of a token, streams a stream of
one; numbers, dates and booleans become tokens too, since none can be shown that is not invented.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from dynaguard.masking.plans import MaskedCounts, MaskedRequest
from dynaguard.masking.scrubbing import Scrubber, has_messages, leaf_texts
from dynaguard.masking.strategies import REDACTED, Strategy

StandIn = Callable[[Any, str, Callable[[Any], Any] | None], Any]
"""Gives what stands in for a value that is no plain data, from it, a token, and what masks one
event of an event stream."""


@dataclass(slots=True)
class Members:
    """Which parts of a structure are sensitive. Shapes may contain themselves, and so may this.

    Attributes:
        is_sensitive: Whether the whole value is.
        by_name: The members of a structure that are sensitive, or hold something that is.
        each: What holds for each element of a list or value of a map, or None.
    """

    is_sensitive: bool = False
    by_name: dict[str, Members] = field(default_factory=dict, repr=False)
    each: Members | None = field(default=None, repr=False)


@dataclass(frozen=True, slots=True)
class SensitiveModel:
    """What an operation's model tells.

    Attributes:
        answer: Of its output and its errors.
        request: Of its input.
        stand_in: For values that are no plain data.
    """

    answer: Members
    request: Members
    stand_in: StandIn


@dataclass(frozen=True, slots=True)
class SecretsPlan:
    """Masks the sensitive members of one answer. Immutable, thread-safe.

    Attributes:
        strategy: How.
    """

    strategy: Strategy

    def apply(self, parsed: Any, request: MaskedRequest) -> MaskedCounts:
        """Masks an answer in place; see `MaskPlan.apply`.

        Cost: O(sensitive members of the answer).
        """
        model = request.sensitive() if request.sensitive is not None else None
        if not isinstance(model, SensitiveModel) or not isinstance(parsed, dict):
            return {}
        run = _Run(self.strategy, model.stand_in, [] if has_messages(parsed) else None)
        run.mask(parsed, model.answer, "")
        if run.plain is not None:
            plain = run.plain
            asked = _sensitive_texts(request.params, model.request)
            Scrubber(lambda: [*plain, *asked]).scrub_answer(parsed)
        name = self.strategy.name
        return {None: {(path, name, None): count for path, count in run.counts.items()}}


class _Run:
    """One application."""

    __slots__ = ("_stand_in", "_strategy", "counts", "plain")

    def __init__(self, strategy: Strategy, stand_in: StandIn, plain: list[str] | None) -> None:
        self._strategy = strategy
        self._stand_in = stand_in
        self.counts: dict[str, int] = {}
        self.plain = plain

    def mask(self, value: Any, members: Members, path: str) -> Any:
        """The value as the caller may see it; structures are changed in place."""
        if value is None:
            return None
        if members.is_sensitive:
            return self._mask_all(value, path)
        if isinstance(value, dict):
            for name in list(value) if members.each is not None else members.by_name:
                below = members.by_name.get(name, members.each)
                if name in value and below is not None:
                    # Names of a map's entries may be anything; they are not told.
                    step = "{}" if members.each is not None else f".{name}" if path else name
                    value[name] = self.mask(value[name], below, path + step)
        elif isinstance(value, list) and members.each is not None:
            value[:] = [self.mask(part, members.each, f"{path}[]") for part in value]
        elif members.by_name or members.each:
            return self._stand_in(
                value, self._count(path), lambda event: self.mask(event, members, path)
            )
        return value

    def _mask_all(self, value: Any, path: str) -> Any:
        """A sensitive value, every leaf of it masked."""
        if value is None:
            return None
        if isinstance(value, dict):
            for name in value:
                value[name] = self._mask_all(value[name], path)
            return value
        if isinstance(value, list):
            value[:] = [self._mask_all(part, path) for part in value]
            return value
        token = self._token(value)
        self._count(path)
        if self.plain is not None:
            self.plain += leaf_texts(value)
        if isinstance(value, (bytes, bytearray)):
            return token.encode()
        return self._stand_in(value, token, None) if hasattr(value, "read") else token

    def _count(self, path: str) -> str:
        self.counts[path] = self.counts.get(path, 0) + 1
        return REDACTED

    def _token(self, value: Any) -> str:
        if isinstance(value, str):
            return self._strategy.mask_text(value)
        if isinstance(value, (bytes, bytearray)):
            return self._strategy.mask_bytes(bytes(value))
        if isinstance(value, (int, float)) and not isinstance(value, bool):
            return self._strategy.mask_number(str(value))
        return REDACTED


def _sensitive_texts(params: Any, members: Members) -> Iterator[str]:
    """The texts of the sensitive members of a request."""
    if members.is_sensitive:
        yield from leaf_texts(params)
    elif isinstance(params, Mapping):
        for name, part in params.items():
            below = members.by_name.get(name, members.each)
            if below is not None:
                yield from _sensitive_texts(part, below)
    elif isinstance(params, (list, tuple)) and members.each is not None:
        for part in params:
            yield from _sensitive_texts(part, members.each)
