"""Sealed cursors: pagination over keys that the caller may not see.

A masked key attribute in `LastEvaluatedKey` becomes an unguessable token, other for each page;
in `ExclusiveStartKey` the token becomes the value again before the request is built. A token
opens only for the table, index, operation, identity and attribute that it was made for, and for a
limited time. The same page of the same call has the same token for a while, since paginators end a
cursor that does not move by comparing it with the one before.

With a key (`mask_key`) and the extra `sign`, the token holds the value, encrypted and
authenticated: it opens in every process that has the key. Without, it is an unguessable name for a
value that this process keeps, the last `2 * GENERATION` of them.
"""

from __future__ import annotations

import base64
import hmac
import json
import secrets
from collections.abc import Callable, Mapping
from typing import Any, Final, NamedTuple

from dynaguard.aws.arns import account_of, is_arn, region_of
from dynaguard.call import Call, Principal
from dynaguard.errors import MissingExtraError
from dynaguard.masking.locations import table_name
from dynaguard.masking.marker import MARKER, holds_marker
from dynaguard.masking.strategies import REDACTED
from dynaguard.masking.tokens import AuthenticatedCipher, plain_value
from dynaguard.masking.tree import Node
from dynaguard.masking.walk import Sink, plain_texts

CURSOR_PREFIX: Final = MARKER + "cursor:"
GENERATION: Final = 5_000
"""Cursors that a process remembers before it starts to forget the older ones."""
_SECRET_BYTES: Final = 32
_AGES: Final = 24
"""Parts of a cursor's life: within one, the same cursor has the same token."""


class CursorBinding(NamedTuple):
    """What a cursor is for.

    Attributes:
        region: Of the table.
        account: Of the table; empty when it is not known.
        table: Its name.
        index_name: Of the index, or empty.
        operation: The API operation.
        acting_name: Who acts, or empty.
        arn: The ARN of the role or user, or empty.
    """

    region: str | None
    account: str
    table: str
    index_name: str
    operation: str
    acting_name: str
    arn: str


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

    A table's ARN tells its region and account; with a name they are those of the client and of the
    caller, as far as they are known. An identity counts by the ARN of its role or user, so that
    another session of the role, in another process, goes on with the cursor. Where no ARN is known
    it counts as nobody in particular.
    """
    table, index = call.params.get("TableName"), call.params.get("IndexName")
    table = table if isinstance(table, str) else ""
    is_by_arn = is_arn(table)
    return CursorBinding(
        region_of(table) if is_by_arn else call.region,
        account_of(table) if is_by_arn else principal.account_id or "",
        table_name(table),
        index if isinstance(index, str) else "",
        call.operation,
        principal.acting_name or "",
        _lasting_arn(principal),
    )


def openings_of(call: Call, principal: Principal) -> tuple[CursorBinding, ...]:
    """What a cursor that a call gives may be bound to.

    The account of a caller may become known between two pages, when credentials are fetched: where
    the table is named without one, a cursor from before goes on.
    """
    binding = binding_of(call, principal)
    if is_arn(call.params.get("TableName")) or not binding.account:
        return (binding,)
    return binding, binding._replace(account="")


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

    __slots__ = ("_cipher", "_clock_s", "_max_age_s", "_old", "_secret", "_young")

    def __init__(
        self, *, key: bytes | None, max_age_s: float, clock_s: Callable[[], float]
    ) -> None:
        self._max_age_s = max_age_s
        self._clock_s = clock_s
        self._cipher = _cipher(key)
        self._secret = secrets.token_bytes(_SECRET_BYTES) if key is None else key
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
        page = json.dumps([*binding, *sorted(map(_page_part, cursor.items()))])
        return {
            name: self._sealed(name, value, tree.members[name], (binding, page), sink)
            for name, value in cursor.items()
        }

    def _sealed(
        self, name: str, value: Any, node: Node | None, of: tuple[CursorBinding, str], sink: Sink
    ) -> Any:
        """One key attribute, sealed if it is masked, of a cursor with its binding and page."""
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
        return {"S": CURSOR_PREFIX + self._token(str(kind), payload, name, *of)}

    def _token(self, kind: str, payload: Any, name: str, binding: CursorBinding, page: str) -> str:
        age_s = self._max_age_s / _AGES
        expires_s = self._clock_s() // age_s * age_s + self._max_age_s
        bound_to = json.dumps([*binding, name])
        text = payload if isinstance(payload, str) else base64.b64encode(payload).decode()
        # Of the whole page, so that only what a paginator must see to be equal is: not, for one,
        # the partition keys of two pages. Keyed: nobody can tell a token from a guess at its page.
        told = json.dumps([expires_s, name, page]).encode()
        unique = hmac.digest(self._secret, b"dynaguard cursor page 1" + told, "sha256")
        if self._cipher is not None:
            plain = json.dumps([expires_s, kind, text]).encode()
            return self._cipher.close(plain, bound_to.encode(), unique)
        token = base64.urlsafe_b64encode(unique).rstrip(b"=").decode()
        if len(self._young) >= GENERATION:
            self._old, self._young = self._young, {}
        self._young[token] = (expires_s, bound_to, kind, text)
        return token

    def unseal(self, cursor: Mapping[str, Any], *bindings: CursorBinding) -> dict[str, Any]:
        """The cursor as AWS gave it, as a new mapping.

        Args:
            cursor: `ExclusiveStartKey` as the caller gives it.
            bindings: What it must be bound to, one of these.

        Raises:
            CursorFault: A token is forged, foreign, forgotten or expired; or a masked value
                stands where a cursor should.
        """
        return {name: self._unsealed(name, value, bindings) for name, value in cursor.items()}

    def _unsealed(self, name: str, value: Any, bindings: tuple[CursorBinding, ...]) -> Any:
        if not holds_marker(value):
            return value
        text = value.get("S") if isinstance(value, dict) else None
        if not isinstance(text, str) or not text.startswith(CURSOR_PREFIX):
            raise CursorFault(name, "is a masked value of an item, not a cursor")
        token = text[len(CURSOR_PREFIX) :]
        opened = (self._opened(token, json.dumps([*each, name])) for each in bindings)
        held = next((found for found in opened if found is not None), None)
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


def _page_part(attribute: tuple[Any, Any]) -> str:
    """What tells a key attribute from others of its name; nothing of a value of odd shape."""
    name, value = attribute
    payloads = value.items() if isinstance(value, dict) else ()
    return repr((name, *(p for p in payloads if isinstance(p[1], (str, bytes, bytearray)))))


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
