"""Gives requests back the values of tokens, for writers that a `tokenize` mask trusts."""

from __future__ import annotations

from collections.abc import Mapping
from collections.abc import Set as AbstractSet
from typing import Any, Final

from dynaguard.masking.tokens import TOKEN_PATTERN, TOKEN_PREFIX, Tokenizer

_WHOLE: Final = TOKEN_PATTERN.fullmatch


def restore(
    params: Mapping[str, Any], tokenizer: Tokenizer, masks: AbstractSet[str] | None
) -> Mapping[str, Any]:
    """The parameters with the values in place of tokens; the same object where there are none.

    A token of a mask that is not among `masks`, one under another key and one inside of PartiQL
    text stay as they are, and are refused afterwards as any masked value on its way into a table.

    Args:
        params: Low-level request parameters, attribute values in DynamoDB JSON. Not changed.
        tokenizer: Reads tokens.
        masks: Sids of the masks whose tokens this caller may have opened; None: of any.
    """
    restored = _Restoring(tokenizer, masks).value(params)
    return restored if isinstance(restored, Mapping) else params


class _Restoring:
    """Copies on the way to what changes, and nothing else."""

    __slots__ = ("_masks", "_tokenizer")

    def __init__(self, tokenizer: Tokenizer, masks: AbstractSet[str] | None) -> None:
        self._tokenizer = tokenizer
        self._masks = masks

    def value(self, value: Any) -> Any:
        """A part of the parameters, itself unless something in it changes."""
        if isinstance(value, Mapping):
            return self._leaf(value) if len(value) == 1 else self._parts(value)
        if isinstance(value, (list, tuple)):
            parts = [self.value(part) for part in value]
            is_same = all(new is old for new, old in zip(parts, value, strict=True))
            return value if is_same else parts
        return value

    def _parts(self, value: Mapping[str, Any]) -> Mapping[str, Any]:
        parts = {name: self.value(part) for name, part in value.items()}
        return value if all(parts[name] is part for name, part in value.items()) else parts

    def _leaf(self, value: Mapping[str, Any]) -> Mapping[str, Any]:
        """A mapping of one entry, which is mostly an attribute value."""
        ((kind, payload),) = value.items()
        if kind == "S" and isinstance(payload, str):
            return self._text(value, payload)
        if kind == "SS" and isinstance(payload, (list, tuple)):
            return self._set(value, list(payload))
        return self._parts(value)

    def _text(self, value: Mapping[str, Any], text: str) -> Mapping[str, Any]:
        if TOKEN_PREFIX not in text:
            return value
        if _WHOLE(text):
            return self._opened(text) or value
        # A detector masks parts of a text: each of them becomes what it was.
        changed = TOKEN_PATTERN.sub(lambda found: self._text_of(found[0]), text)
        return value if changed == text else {"S": changed}

    def _set(self, value: Mapping[str, Any], elements: list[Any]) -> Mapping[str, Any]:
        """A string set: each element a string, or one token for all of a number set."""
        opened = [
            self._opened(element) if isinstance(element, str) else None for element in elements
        ]
        if not any(opened):
            return value
        first = opened[0]
        if len(opened) == 1 and first is not None and "S" not in first:
            return first
        plain = [
            found["S"] if found is not None and "S" in found else element
            for found, element in zip(opened, elements, strict=True)
        ]
        return {"SS": plain}

    def _opened(self, token: str) -> dict[str, Any] | None:
        sealed = self._tokenizer.read(token)
        if sealed is None or (self._masks is not None and sealed.mask not in self._masks):
            return None
        return sealed.value

    def _text_of(self, token: str) -> str:
        opened = self._opened(token)
        return str(opened["S"]) if opened is not None and "S" in opened else token
