"""What is claimed of an identity besides its ARN: by its web identity token, by single sign-on.

A token is read from the file that the credential provider exchanges for credentials, and its
signature is **not** verified: AWS does that. So its claims are worth as much as the environment
that names the file, like the name of a Lambda function. The token itself is never kept.

Source: RFC 7519 (JSON Web Token) section 3; the OIDC references of Kubernetes, GitHub and GitLab.
"""

from __future__ import annotations

import base64
import binascii
import json
from collections.abc import Callable, Iterator, Mapping
from dataclasses import field
from itertools import islice
from pathlib import Path
from typing import Any, Final

from dynaguard.policy.members import OIDC
from dynaguard.scope import MAX_NAME_LENGTH
from dynaguard.values import dataclass

MAX_TOKEN_BYTES: Final = 65_536
MAX_CLAIMS: Final = 256
_PARTS: Final = 3
_MAX_DEPTH: Final = 3
_SERVICE_ACCOUNT: Final = "system:serviceaccount:"

ReadToken = Callable[[str], str | None]
"""Gives the text of a token file, or None where it cannot be read."""


@dataclass(frozen=True, slots=True)
class Claims:
    """What is claimed of an identity.

    Attributes:
        values: Values by claim: `oidc:sub`, `oidc:kubernetes.io/namespace`, `sso:role` ...
        unknown: Claims that there may be, with values that are not known; `oidc:` for a token that
            cannot be read.
    """

    values: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    unknown: frozenset[str] = frozenset()

    def of(self, claim: str) -> tuple[str, ...] | None:
        """The values of a claim; None where they are not known."""
        if claim in self.values:
            return self.values[claim]
        is_hidden = claim in self.unknown or (claim.startswith(OIDC) and OIDC in self.unknown)
        return None if is_hidden else ()

    @property
    def subject(self) -> str | None:
        """The token's subject as a record can hold it: one printable line of bounded length."""
        subjects = self.values.get(f"{OIDC}sub")
        return printable(subjects[0]) if subjects else None

    @property
    def service_account(self) -> str | None:
        """`namespace/name` where the subject is a service account of Kubernetes."""
        subject = self.subject
        if subject is None or not subject.startswith(_SERVICE_ACCOUNT):
            return None
        return subject[len(_SERVICE_ACCOUNT) :].replace(":", "/", 1)


NO_CLAIMS: Final = Claims()
UNREADABLE: Final = Claims(unknown=frozenset({OIDC}))


def read_token_file(path: str) -> str | None:
    """The text of a token file, or None where it cannot be read or is far too long for a token.

    Effects: reads the file. Never raises.
    """
    try:
        with Path(path).open("rb") as file:
            raw = file.read(MAX_TOKEN_BYTES + 1)
    except (OSError, ValueError):  # ValueError: a null character in the path
        return None
    return raw.decode("ascii", "replace").strip() if len(raw) <= MAX_TOKEN_BYTES else None


def claims_of_token(token: str | None) -> Claims:
    """The claims of a token, its signature not verified; `UNREADABLE` for what is no token."""
    payload = _payload(token or "")
    if payload is None:
        return UNREADABLE
    return Claims(dict(islice(_values_in(payload, OIDC, depth=1), MAX_CLAIMS)))


def printable(text: str) -> str:
    """A label that fits one line of a record: what does not print becomes `?`."""
    return "".join(char if char.isprintable() else "?" for char in text)[:MAX_NAME_LENGTH]


def _payload(token: str) -> Mapping[str, Any] | None:
    """The middle part of a token."""
    parts = token.split(".")
    if len(parts) != _PARTS:
        return None
    try:
        raw = base64.urlsafe_b64decode(parts[1] + "=" * (-len(parts[1]) % 4))
        payload = json.loads(raw)
    except (binascii.Error, ValueError, RecursionError):
        return None
    return payload if isinstance(payload, dict) else None


def _values_in(
    part: Mapping[str, Any], prefix: str, *, depth: int
) -> Iterator[tuple[str, tuple[str, ...]]]:
    """The texts, numbers and booleans of a part by claim; claims within claims after a slash."""
    for name, value in part.items():
        if not isinstance(value, dict):
            entries = value if isinstance(value, list) else [value]
            yield (
                f"{prefix}{name}",
                tuple(_text(entry) for entry in entries if isinstance(entry, str | int | float)),
            )
        elif depth < _MAX_DEPTH:
            yield from _values_in(value, f"{prefix}{name}/", depth=depth + 1)


def _text(value: str | float) -> str:
    """A claim's value as a pattern is held against it: booleans as JSON writes them."""
    return str(value).lower() if isinstance(value, bool) else str(value)
