"""Sealed cursors: pagination over keys that the caller may not see.

A masked key attribute in `LastEvaluatedKey` becomes an unguessable token, other for each page;
in `ExclusiveStartKey` the token becomes the value again before the request is built. A token
opens only for the table, index, operation, identity and attribute that it was made for, and for a
limited time.

With a key (`mask_key`) and the extra `sign`, the token holds the value, encrypted and
authenticated: it opens in every process that has the key. Without, it is a random name for a value
that this process keeps, the last `2 * GENERATION` of them.
"""

from __future__ import annotations

import base64
import json
import secrets
from collections.abc import Callable, Mapping
from typing import Any, Final

from dynaguard.call import Call, Principal
from dynaguard.errors import MissingExtraError
from dynaguard.masking.locations import table_name
from dynaguard.masking.marker import MARKER
from dynaguard.masking.strategies import REDACTED
from dynaguard.masking.tokens import AuthenticatedCipher, plain_value
from dynaguard.masking.tree import Node
from dynaguard.masking.walk import Sink, plain_texts

CURSOR_PREFIX: Final = MARKER + "cursor:"
GENERATION: Final = 5_000
"""Cursors that a process remembers before it starts to forget the older ones."""
_RANDOM_BYTES: Final = 24

CursorBinding = tuple[str | None, str, str, str, str, str]
"""Region, table, index, operation, acting name and ARN of whom a cursor is for."""


class CursorFault(Exception):
    """A cursor that is not opened.

    Attributes:
        attribute: The key attribute.
        reason: Why, as the end of a sentence about the cursor.
    """

    def __init__(self, attribute: str, reason: str) -> None:
        super().__init__(reason)
        self.attribute = attribute
        self.reason = reason


def binding_of(call: Call, principal: Principal) -> CursorBinding:
    """What a cursor of a call is bound to.

    An identity counts by the ARN of its role or user, so that another session of the role, in
    another process, goes on with the cursor. Where no ARN is known it counts as nobody in
    particular.
    """
    table, index = call.params.get("TableName"), call.params.get("IndexName")
    return (
        call.region,
        table_name(table) if isinstance(table, str) else "",
        index if isinstance(index, str) else "",
        call.operation,
        principal.acting_name or "",
        _lasting_arn(principal),
    )


def _lasting_arn(principal: Principal) -> str:
    """The ARN that stays the same over sessions."""
    for part in (":role/", ":user/", ":function:"):
        for arn in principal.arns:
            if part in arn:
                return arn
    return principal.arn or ""


class CursorSeals:
    """Seals and unseals the cursors of one guard. Thread-safe, and safe to fork.

    Args:
        key: The secret of the settings, or None.
        max_age_s: How long a cursor opens, in seconds.
        clock_s: The time in seconds since the epoch.
    """

    __slots__ = ("_cipher", "_clock_s", "_max_age_s", "_old", "_young")

    def __init__(
        self, *, key: bytes | None, max_age_s: float, clock_s: Callable[[], float]
    ) -> None:
        self._max_age_s = max_age_s
        self._clock_s = clock_s
        self._cipher = _cipher(key)
        # Two generations instead of a lock: what is forgotten is always the older half.
        self._young: dict[str, tuple[float, str, str, Any]] = {}
        self._old: dict[str, tuple[float, str, str, Any]] = {}

    @property
    def is_portable(self) -> bool:
        """Whether cursors open in other processes with the same key."""
        return self._cipher is not None

    def seal(self, cursor: Any, tree: Node, binding: CursorBinding, sink: Sink) -> Any:
        """The cursor as the caller may see it; others are left as they are.

        Args:
            cursor: `LastEvaluatedKey`: key attributes in DynamoDB JSON.
            tree: The masks of the table.
            binding: What it is bound to.
            sink: Counts what is sealed.
        """
        if not isinstance(cursor, dict):
            return cursor if cursor is None else {}
        return {
            name: self._sealed(name, value, tree, binding, sink) for name, value in cursor.items()
        }

    def _sealed(
        self, name: str, value: Any, tree: Node, binding: CursorBinding, sink: Sink
    ) -> Any:
        """One key attribute, sealed if it is masked."""
        node = tree.members[name]
        if node is None:
            return value
        ((kind, payload),) = (
            value.items() if isinstance(value, dict) and len(value) == 1 else ((None, None),)
        )
        is_text = kind in {"S", "N"} and isinstance(payload, str)
        if not is_text and not (kind == "B" and isinstance(payload, (bytes, bytearray))):
            sink.count(node.key)
            return {"S": REDACTED}
        if node.strategy is None and not _is_found(payload, node):
            return value
        sink.count(node.key)
        if sink.plain is not None:
            sink.plain += plain_texts(payload)
        return {"S": CURSOR_PREFIX + self._token(str(kind), payload, name, binding)}

    def _token(self, kind: str, payload: Any, name: str, binding: CursorBinding) -> str:
        expires_s = self._clock_s() + self._max_age_s
        bound_to = json.dumps([*binding, name])
        text = payload if isinstance(payload, str) else base64.b64encode(payload).decode()
        if self._cipher is not None:
            return self._cipher.close(
                json.dumps([expires_s, kind, text]).encode(), bound_to.encode()
            )
        token = secrets.token_urlsafe(_RANDOM_BYTES)
        if len(self._young) >= GENERATION:
            self._old, self._young = self._young, {}
        self._young[token] = (expires_s, bound_to, kind, text)
        return token

    def unseal(self, cursor: Mapping[str, Any], binding: CursorBinding) -> dict[str, Any]:
        """The cursor as AWS gave it, as a new mapping.

        Args:
            cursor: `ExclusiveStartKey` as the caller gives it.
            binding: What it must be bound to.

        Raises:
            CursorFault: A token is forged, foreign, forgotten or expired; or a masked value
                stands where a cursor should.
        """
        return {name: self._unsealed(name, value, binding) for name, value in cursor.items()}

    def _unsealed(self, name: str, value: Any, binding: CursorBinding) -> Any:
        text = value.get("S") if isinstance(value, dict) else None
        if not isinstance(text, str) or MARKER not in text:
            return value
        if not text.startswith(CURSOR_PREFIX):
            raise CursorFault(name, "is a masked value of an item, not a cursor")
        held = self._opened(text[len(CURSOR_PREFIX) :], json.dumps([*binding, name]))
        if held is None:
            raise CursorFault(
                name,
                "is forged, or was made for another table, index, operation or identity"
                + ("" if self.is_portable else ", or in another process, or long ago"),
            )
        expires_s, kind, plain = held
        if expires_s < self._clock_s():
            raise CursorFault(name, "has expired")
        return plain_value(kind, [plain])

    def _opened(self, token: str, bound_to: str) -> tuple[float, str, str] | None:
        """Expiry, type and text behind a token that was made for this binding."""
        if self._cipher is not None:
            plain = self._cipher.open(token, bound_to.encode())
            return None if plain is None else tuple(json.loads(plain))
        entry = self._young.get(token) or self._old.get(token)
        if entry is None or entry[1] != bound_to:
            return None
        return entry[0], entry[2], entry[3]


def _is_found(payload: Any, node: Node) -> bool:
    """Whether a detector finds something in a key attribute."""
    return isinstance(payload, str) and any(
        detection.find(payload, [payload]) for detection, _ in node.detections or ()
    )


def _cipher(key: bytes | None) -> AuthenticatedCipher | None:
    """What makes cursors portable; None without a key or without the extra."""
    if key is None:
        return None
    try:
        return AuthenticatedCipher(key, "cursor 1")
    except MissingExtraError:
        return None
