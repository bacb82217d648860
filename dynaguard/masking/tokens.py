"""Tokens that hold the value they stand for, for holders of the key.

`masked!dg1:tok:` + base64url(nonce, AES-SIV of type, value and mask) + `!`. A random nonce makes
the tokens of equal values differ; AES-SIV keeps that harmless at any number of tokens, where a
96-bit nonce would have to be counted. The name of the mask stands inside: a token is given back
only to those whom *that* mask trusts, so it cannot be carried into a table with another audience.
The length of a token tells about that of its value.

Source: RFC 5297 (AES-SIV), through the `cryptography` package (extra `sign`).
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import json
import re
import secrets
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final, Literal

from dynaguard.errors import MissingExtraError
from dynaguard.masking.marker import MARKER

Kind = Literal["S", "N", "B", "NS", "BS"]
"""The type of a value in DynamoDB JSON."""

TOKEN_PREFIX: Final = MARKER + "tok:"
TOKEN_PATTERN: Final = re.compile(re.escape(TOKEN_PREFIX) + r"[A-Za-z0-9_-]{20,}!")
_NONCE_BYTES: Final = 16


@dataclass(frozen=True, slots=True, repr=False)
class Sealed:
    """What a token holds.

    Attributes:
        mask: Sid of the mask that made it.
        value: The value in DynamoDB JSON, `{"N": "41"}`.
    """

    mask: str
    value: dict[str, Any]


class AuthenticatedCipher:
    """AES-256-SIV under a key of its own for each purpose. Immutable, thread-safe.

    Args:
        key: The secret of the settings, any length.
        purpose: What for: texts of one purpose do not open as another's.

    Raises:
        MissingExtraError: `cryptography` is not installed.
    """

    __slots__ = ("_cipher", "_purpose")

    def __init__(self, key: bytes, purpose: str) -> None:
        try:
            from cryptography.hazmat.primitives.ciphers.aead import AESSIV
        except ImportError as err:
            raise MissingExtraError("a `tokenize` mask", "sign") from err
        self._purpose = f"dynaguard {purpose}".encode()
        self._cipher = AESSIV(hmac.new(key, self._purpose, hashlib.sha512).digest())

    def close(self, plain: bytes, bound_to: bytes = b"", unique: bytes | None = None) -> str:
        """Encrypts and authenticates; each time to another text, in base64url.

        Args:
            plain: What is closed.
            bound_to: What must be given again to open it.
            unique: Stands in for a random nonce: where it is equal, equal texts close alike.
        """
        nonce = (unique or secrets.token_bytes(_NONCE_BYTES))[:_NONCE_BYTES]
        closed = self._cipher.encrypt(plain, [self._purpose, bound_to, nonce])
        return base64.urlsafe_b64encode(nonce + closed).rstrip(b"=").decode()

    def open(self, text: str, bound_to: bytes = b"") -> bytes | None:
        """What `close` was given, or None for a text that it did not make with these."""
        from cryptography.exceptions import InvalidTag

        try:
            data = base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))
            nonce, closed = data[:_NONCE_BYTES], data[_NONCE_BYTES:]
            return self._cipher.decrypt(closed, [self._purpose, bound_to, nonce])
        except (InvalidTag, ValueError, binascii.Error):
            return None


class Tokenizer:
    """Makes and reads tokens under one key. Immutable, thread-safe.

    Raises:
        MissingExtraError: `cryptography` is not installed.
    """

    __slots__ = ("_cipher",)

    def __init__(self, key: bytes) -> None:
        self._cipher = AuthenticatedCipher(key, "tokenize 1")

    def make(self, kind: Kind, elements: Sequence[str | bytes], *, mask: str) -> str:
        """The token of a value: its one element, or all of a set."""
        plain = json.dumps([mask, kind, *map(_to_json, elements)], separators=(",", ":"))
        return f"{TOKEN_PREFIX}{self._cipher.close(plain.encode())}!"

    def read(self, token: str) -> Sealed | None:
        """What a token holds, or None for a text that is no token under this key."""
        if not token.startswith(TOKEN_PREFIX) or not token.endswith("!"):
            return None
        plain = self._cipher.open(token[len(TOKEN_PREFIX) : -1])
        if plain is None:
            return None
        mask, kind, *elements = json.loads(plain)
        return Sealed(mask, plain_value(kind, elements))


def _to_json(element: str | bytes) -> str:
    if isinstance(element, str):
        return element
    return base64.b64encode(element).decode()


def plain_value(kind: str, elements: Sequence[str]) -> dict[str, Any]:
    """The value in DynamoDB JSON from its type and the texts of its elements."""
    found = [base64.b64decode(e) if kind in {"B", "BS"} else e for e in elements]
    return {kind: found if kind in {"NS", "BS"} else found[0]}
