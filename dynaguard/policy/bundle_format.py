"""The frame of a bundle: its first line, which tells whether the rest is as it was compiled.

A bundle is UTF-8 text of JSON lines. The first names the format, the length and the SHA-256 of
everything after it, and carries the signature if there is one. So a bundle that was cut off,
damaged or edited is known before anything in it is read.

**Shape** of the first line: `bundle` (`dynaguard policy`), `format` (1), `bytes`, `sha256`
(hexadecimal); signed, also `key_id` and `signature` (base64, Ed25519, over a line that tells what
is signed and the JSON of everything else in this line, keys sorted).
"""

from __future__ import annotations

import hashlib
import json
import os
import stat
from collections.abc import Mapping
from typing import Any, Final, NoReturn, Protocol

from dynaguard.errors import PolicySyntaxError, Problem
from dynaguard.values import dataclass

KIND: Final = "dynaguard policy"
FORMAT: Final = 1
MAX_BYTES: Final = 64 * 1024 * 1024
MAX_HEAD_BYTES: Final = 4096
_HOW_TO_MAKE: Final = "make it with `dynaguard compile POLICY -o BUNDLE`"
AGAIN: Final = "compile the source again"
_HEAD_KEYS: Final = frozenset({"bundle", "format", "bytes", "sha256", "key_id", "signature"})


class Signs(Protocol):
    """Signs with one key; `audit.signing.Signer` does."""

    @property
    def key_id(self) -> str:
        """Names the key."""

    def sign(self, message: bytes, /) -> str:
        """The signature in base64."""


class Verifies(Protocol):
    """Checks signatures with one key; `audit.signing.Verifier` does."""

    @property
    def key_id(self) -> str:
        """Names the key."""

    def is_valid(self, message: bytes, signature: object, /) -> bool:
        """Whether a signature was made with the key for that message."""


@dataclass(frozen=True, slots=True)
class Frame:
    """A bundle whose digest holds.

    Attributes:
        raw: The whole file. Nothing is cut out of it: a copy would take as much memory again.
        start: Where the content begins, behind the first line.
        sha256: The content's digest, hexadecimal.
        key_id: The key that it says it is signed with, or None.
        is_verified: Whether the signature was checked and holds.
    """

    raw: bytes
    start: int
    sha256: str
    key_id: str | None
    is_verified: bool


def framed(content: bytes, signer: Signs | None) -> bytes:
    """The bytes of a bundle.

    Args:
        content: Everything after the first line.
        signer: Signs it; None: it stays unsigned.
    """
    head: dict[str, Any] = {
        "bundle": KIND,
        "format": FORMAT,
        "bytes": len(content),
        "sha256": hashlib.sha256(content).hexdigest(),
    }
    if signer is not None:
        head["key_id"] = signer.key_id
        head["signature"] = signer.sign(_message(head))
    return json.dumps(head, separators=(",", ":")).encode() + b"\n" + content


def read_frame(path: str | os.PathLike[str], verifier: Verifies | None) -> Frame:
    """The frame of a bundle, once its digest holds and its signature is what is asked for.

    Args:
        path: The file.
        verifier: Checks the signature; without it a signature is not looked at.

    Raises:
        PolicySyntaxError: It is no bundle, of another format, not as it was compiled, or not
            signed with that key.

    Effects: reads the file, once.
    Cost: one pass of SHA-256 over the file.
    """
    name = os.fspath(path)
    raw = _read_bytes(name)
    start = raw.find(b"\n", 0, MAX_HEAD_BYTES) + 1
    head = _read_head(raw[:start], name)
    content = memoryview(raw)[start:]
    if len(content) < head["bytes"]:
        there = f"{len(content)} of {head['bytes']} bytes are there"
        refuse(name, f"the bundle is cut off ({there}), copy it again or {AGAIN}")
    if hashlib.sha256(content).hexdigest() != head["sha256"]:
        refuse(
            name,
            "the bundle is not as it was compiled (its digest does not hold), copy it again; "
            "to change the policy, change its source and compile that again",
        )
    if verifier is not None:
        _check_signature(head, verifier, name)
    return Frame(raw, start, head["sha256"], head.get("key_id"), verifier is not None)


def refuse(name: str, message: str, line: int = 0) -> NoReturn:
    """Raises: a bundle that cannot be used, with the one reason."""
    raise PolicySyntaxError([Problem(message, source=name, line=line)])


def _read_bytes(name: str) -> bytes:
    """The bytes of a regular file of bounded size."""
    try:
        # Unbuffered, the bytes are read once into their one place.
        with open(name, "rb", buffering=0, opener=_open_without_blocking) as file:
            state = os.fstat(file.fileno())
            if not stat.S_ISREG(state.st_mode):
                refuse(name, "this is no regular file, name a bundle")
            if state.st_size > MAX_BYTES:
                refuse(name, f"the bundle is larger than {MAX_BYTES >> 20} MiB, split the policy")
            return file.readall()
    except PolicySyntaxError:
        raise  # it is a ValueError too
    except (OSError, ValueError) as err:
        reason = getattr(err, "strerror", None) or "no valid path"
        refuse(name, f"the file cannot be read ({reason})")


def _open_without_blocking(path: str, flags: int) -> int:
    """Opens a file without waiting for the other end of a pipe."""
    return os.open(path, flags | getattr(os, "O_NONBLOCK", 0))


def _read_head(line: bytes, name: str) -> dict[str, Any]:
    """The first line, once its format is one that is known."""
    try:
        head = json.loads(line)
    except (ValueError, RecursionError):
        refuse(name, f"this is no bundle, {_HOW_TO_MAKE}")
    if not isinstance(head, dict) or head.get("bundle") != KIND:
        refuse(name, f"this is no bundle, {_HOW_TO_MAKE}")
    if head.get("format") != FORMAT:
        refuse(
            name,
            f"the bundle is of format {_shown(head.get('format'))}, this dynaguard reads format "
            f"{FORMAT}: use the dynaguard that it was compiled with, or {AGAIN} with this one",
            1,
        )
    is_whole = isinstance(head.get("bytes"), int) and isinstance(head.get("sha256"), str)
    if not is_whole or not _HEAD_KEYS.issuperset(head):
        refuse(name, f"the bundle's first line is damaged, {AGAIN}", 1)
    return head


def _shown(value: object) -> str:
    """A format's number for a message."""
    return str(value) if isinstance(value, int) else "unknown"


def _check_signature(head: Mapping[str, Any], verifier: Verifies, name: str) -> None:
    """Refuses what is not signed with the key that this process was told to trust."""
    trusted = f"only key `{verifier.key_id}` is trusted here"
    how = "sign it: `dynaguard compile POLICY -o BUNDLE --sign-key-file KEY`"
    if "signature" not in head:
        refuse(name, f"the bundle is not signed, and {trusted}; {how}", 1)
    if head.get("key_id") != verifier.key_id:
        refuse(name, f"the bundle is signed with another key, and {trusted}; {how}", 1)
    if not verifier.is_valid(_message(head), head["signature"]):
        refuse(name, f"the bundle's signature does not hold, and {trusted}; {how}", 1)


def _message(head: Mapping[str, Any]) -> bytes:
    """What is signed: a line that no other signature of dynaguard begins with, and the head."""
    signed = {key: value for key, value in head.items() if key != "signature"}
    text = json.dumps(signed, separators=(",", ":"), sort_keys=True)
    return f"{KIND} bundle\n{text}".encode()
