"""Ed25519 signatures, of audit checkpoints and of access stores in files.

Needs the extra `sign`, and imports it when a key is read.

Source: RFC 8032 (Ed25519), RFC 8410 (its keys as PEM).
"""

from __future__ import annotations

import base64
import binascii
import hashlib
from pathlib import Path
from typing import TYPE_CHECKING, Final

from dynaguard.errors import ConfigurationError, MissingExtraError

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.ed25519 import (
        Ed25519PrivateKey,
        Ed25519PublicKey,
    )

_KEY_ID_LENGTH: Final = 16
_HINT: Final = "an Ed25519 key in PEM form is needed, see `openssl genpkey -algorithm ed25519`"


class Signer:
    """Signs with one private key. Thread-safe.

    Args:
        path: A file with an unencrypted Ed25519 private key, PEM (PKCS #8).

    Raises:
        ConfigurationError: It cannot be read, or holds another sort of key.
        MissingExtraError: `cryptography` is not installed.

    Attributes:
        key_id: Names the key: the start of the SHA-256 of its public half.
    """

    def __init__(self, path: Path) -> None:
        key = _private_key(path)
        self._sign = key.sign
        self.key_id = _key_id(key.public_key())

    def sign(self, message: bytes) -> str:
        """The signature in base64. Cost: some 50 microseconds."""
        return base64.b64encode(self._sign(message)).decode("ascii")


class Verifier:
    """Checks signatures with one public key; arguments and errors as `Signer`'s.

    Args:
        path: A file with the public key; or with the private one, whose public half counts.
    """

    def __init__(self, path: Path) -> None:
        self._key = _public_key(path)
        self.key_id = _key_id(self._key)

    def is_valid(self, message: bytes, signature: object) -> bool:
        """Whether a signature, as text of base64, was made with the key for that message."""
        from cryptography.exceptions import InvalidSignature

        try:
            self._key.verify(base64.b64decode(str(signature), validate=True), message)
        except (InvalidSignature, binascii.Error, ValueError):
            return False
        return True


def _private_key(path: Path) -> Ed25519PrivateKey:
    """The private key in a file."""
    _need_extra()
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
    from cryptography.hazmat.primitives.serialization import load_pem_private_key

    pem = _pem(path)
    try:
        key = load_pem_private_key(pem, password=None)
    except (ValueError, TypeError) as err:
        raise ConfigurationError(f"`{path}` holds no usable private key: {_HINT}") from err
    if not isinstance(key, Ed25519PrivateKey):
        raise ConfigurationError(f"`{path}` holds a key of another kind: {_HINT}")
    return key


def _public_key(path: Path) -> Ed25519PublicKey:
    """The public key in a file."""
    _need_extra()
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
    from cryptography.hazmat.primitives.serialization import load_pem_public_key

    pem = _pem(path)
    if b"PRIVATE KEY" in pem:
        return _private_key(path).public_key()
    try:
        key = load_pem_public_key(pem)
    except ValueError as err:
        raise ConfigurationError(f"`{path}` holds no usable public key: {_HINT}") from err
    if not isinstance(key, Ed25519PublicKey):
        raise ConfigurationError(f"`{path}` holds a key of another kind: {_HINT}")
    return key


def _pem(path: Path) -> bytes:
    """The bytes of a key file."""
    try:
        return path.read_bytes()
    except OSError as err:
        raise ConfigurationError(f"key file `{path}` cannot be read ({err.strerror})") from err


def _key_id(key: Ed25519PublicKey) -> str:
    """The name of a key."""
    from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

    raw = key.public_bytes(Encoding.Raw, PublicFormat.Raw)
    return hashlib.sha256(raw).hexdigest()[:_KEY_ID_LENGTH]


def _need_extra() -> None:
    """Refuses where the extra is not installed."""
    try:
        import cryptography  # noqa: F401 - asked for, not used
    except ImportError as err:
        raise MissingExtraError("an Ed25519 signature", "sign") from err
