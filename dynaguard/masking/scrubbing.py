"""Takes masked values out of texts: messages of AWS, exceptions, per-statement errors.

A message is scrubbed of the values that the answer had masked, of those of the request that stand
at masked attributes or that no attribute is known of (expression values, PartiQL parameters and
literals), and of what the detectors for secrets and personal numbers find in any text.

Limit: a value that AWS quotes although neither request nor answer holds it, and that no detector
knows, stays; so does a part of a value that AWS cut.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any, Final

from dynaguard.masking.strategies import REDACTED
from dynaguard.masking.tree import Node
from dynaguard.masking.walk import plain_texts

SURE_KINDS: Final = frozenset(
    {
        "aws-access-key-id",
        "aws-secret-access-key",
        "email",
        "iban",
        "jwt",
        "payment-card",
        "pem",
        "us-ssn",
    }
)
"""Kinds that are taken out of every message, whatever the policy names."""

_ITEMS: Final = ("Item", "Key", "Expected", "AttributeUpdates", "ExclusiveStartKey")
_NAMELESS: Final = ("ExpressionAttributeValues", "Parameters")
_CONDITIONS: Final = ("KeyConditions", "QueryFilter", "ScanFilter")
_LITERAL: Final = re.compile(r"'((?:[^']|'')*)'|(?<![\w.])-?[0-9]+(?:\.[0-9]+)?(?![\w.])")
_WORD: Final = re.compile(r"\w\w")
_MESSAGES: Final = ("Message", "message")


class Scrubber:
    """Takes some values out of texts.

    Args:
        values: Gives the values; asked once, when there is a text to scrub.
    """

    __slots__ = ("_ask", "_values")

    def __init__(self, values: Callable[[], Iterable[str]]) -> None:
        self._ask = values
        self._values: frozenset[str] | None = None

    def scrub(self, text: str) -> str:
        """The text with the stand-in for each value.

        A value counts where it stands for itself, not inside of a longer word or number.

        Cost: one substring search for each value that is not longer than the text.
        """
        if self._values is None:
            values = {value for value in self._ask() if value}
            # Messages of Python's own quote values as `repr` writes them.
            self._values = frozenset(values | {repr(value)[1:-1] for value in values})
        length = len(text)
        held = [value for value in self._values if len(value) <= length and value in text]
        places = sorted(place for value in held for place in _places_of(value, text))
        return _without_sure_kinds(_without(places, text))

    def scrub_answer(self, parsed: dict[str, Any]) -> None:
        """Scrubs the messages of a parsed answer in place."""
        for holder in _message_holders(parsed):
            for name in _MESSAGES:
                text = holder.get(name)
                if isinstance(text, str) and text:
                    holder[name] = self.scrub(text)


def has_messages(parsed: Mapping[str, Any]) -> bool:
    """Whether an answer tells of an error, of the call or of one of its statements."""
    if "Error" in parsed:
        return True
    responses = parsed.get("Responses")
    return isinstance(responses, list) and any(
        isinstance(each, dict) and "Error" in each for each in responses
    )


def _message_holders(parsed: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    """Everything of an answer that may hold a message."""
    responses, reasons = parsed.get("Responses"), parsed.get("CancellationReasons")
    holders = [parsed, parsed.get("Error")]
    holders += [each.get("Error") for each in _dicts(responses)]
    holders += _dicts(reasons)
    return (holder for holder in holders if isinstance(holder, dict))


def _dicts(value: Any) -> list[dict[str, Any]]:
    return [each for each in value if isinstance(each, dict)] if isinstance(value, list) else []


def _places_of(value: str, text: str) -> Iterator[tuple[int, int]]:
    """Where a value stands in a text and does not go on as a word."""
    at = text.find(value)
    while at >= 0:
        end = at + len(value)
        if not (_is_within_word(text, at) or _is_within_word(text, end)):
            yield at, end
        at = text.find(value, at + 1)


def _is_within_word(text: str, at: int) -> bool:
    """Whether a word goes on from before a place to behind it."""
    return 0 < at < len(text) and _WORD.fullmatch(text, at - 1, at + 1) is not None


def _without(places: Iterable[tuple[int, int]], text: str) -> str:
    """The text with a stand-in for places, given from left to right; one where they overlap."""
    shown: list[str] = []
    end = 0
    for start, stop in places:
        if start >= end:
            shown += [text[end:start], REDACTED]
        end = max(end, stop)
    return "".join([*shown, text[end:]])


def _without_sure_kinds(text: str) -> str:
    from dynaguard.masking.detectors import scan  # only messages and detecting masks need them

    return _without(sorted(hit[:2] for hit in scan(text, SURE_KINDS)), text)


def request_texts(params: Mapping[str, Any], tree: Node | None) -> Iterator[str]:
    """The texts of a request that a message must not repeat.

    Args:
        params: Request parameters, attribute values in DynamoDB JSON or (as a resource takes
            them) in Python's own types.
        tree: The masks of the call; None: every attribute counts.
    """
    for part in _parts(params):
        for member in _ITEMS:
            item = part.get(member)
            if isinstance(item, Mapping):
                yield from _item_texts(item, tree)
        for member in _NAMELESS:
            yield from leaf_texts(part.get(member))
        for member in _CONDITIONS:
            yield from leaf_texts(part.get(member))
        statement = part.get("Statement")
        if isinstance(statement, str):
            yield from _literals(statement)


def _parts(params: Mapping[str, Any]) -> Iterator[Mapping[str, Any]]:
    """The parameters, and every request inside of a batch or transaction."""
    yield params
    for name in ("RequestItems", "TransactItems", "TransactStatements", "Statements"):
        yield from _parts_of_batch(params.get(name))


def _parts_of_batch(value: Any) -> Iterator[Mapping[str, Any]]:
    """Mappings down to those that hold an item, a key or a statement."""
    if isinstance(value, (list, tuple)):
        for each in value:
            yield from _parts_of_batch(each)
    elif isinstance(value, Mapping):
        keys = value.get("Keys")
        if isinstance(keys, (list, tuple)):
            yield from ({"Key": key} for key in keys)
        yield value
        if not value.keys() & {"Item", "Key", "Statement"}:
            for each in value.values():
                yield from _parts_of_batch(each)


def _item_texts(item: Mapping[Any, Any], tree: Node | None) -> Iterator[str]:
    for name, value in item.items():
        if tree is None or not isinstance(name, str) or tree.members[name] is not None:
            yield from leaf_texts(value)


def leaf_texts(value: Any, depth: int = 0) -> Iterator[str]:
    """The texts of all leaves of a value, typed or plain; names of types are not told apart."""
    if depth > 64:
        return  # it contains itself
    if isinstance(value, Mapping):
        for part in value.values():
            yield from leaf_texts(part, depth + 1)
    elif isinstance(value, (list, tuple, set, frozenset)):
        for part in value:
            yield from leaf_texts(part, depth + 1)
    elif isinstance(value, (str, bytes, bytearray)):
        yield from plain_texts(value)
    elif value is not None and not isinstance(value, bool):
        yield str(value)


def _literals(text: str) -> Iterator[str]:
    """Strings and numbers that stand in PartiQL or in an expression."""
    for found in _LITERAL.finditer(text):
        yield found[1].replace("''", "'") if found[1] is not None else found[0]
