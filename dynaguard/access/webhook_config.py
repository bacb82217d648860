"""The file of webhooks: where tickets are told of, who may answer. Secrets are named, not held.

**Shape** (TOML): `[[out]]` with `url`, `url_env` or `url_file`; `format` (`slack` or `json`);
`secret_env` or `secret_file`. `[in]` with `slack_secret_env` or `slack_secret_file`, and
`secret_env` or `secret_file` for decisions as JSON. `[people]`: the ARN of an identity by the user
id that Slack, or a JSON decision, gives.
"""

from __future__ import annotations

import os
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final, Literal
from urllib.parse import urlsplit

from dynaguard.errors import ConfigurationError, nearest

MIN_SECRET_BYTES: Final = 16
_LOOPBACK: Final = frozenset({"127.0.0.1", "::1", "localhost"})
_SECTIONS: Final = ("out", "in", "people")
_OUT_KEYS: Final = ("url", "url_env", "url_file", "format", "secret_env", "secret_file")
_IN_KEYS: Final = ("slack_secret_env", "slack_secret_file", "secret_env", "secret_file")


@dataclass(frozen=True, slots=True)
class Target:
    """Where tickets are told of.

    Attributes:
        url: Where to; may itself be a secret.
        format: `slack`: text and blocks; `json`: the ticket, too.
        secret: What bodies are signed with; None: they are not.
    """

    url: str = field(repr=False)
    format: Literal["slack", "json"] = "slack"
    secret: bytes | None = field(default=None, repr=False)


@dataclass(frozen=True, slots=True)
class Webhooks:
    """All of the file.

    Attributes:
        targets: Where tickets are told of.
        slack_secret: The signing secret of the Slack app, or None.
        secret: What decisions as JSON are signed with, or None.
        identity_by_user: ARN of an identity by user id.
    """

    targets: tuple[Target, ...] = ()
    slack_secret: bytes | None = field(default=None, repr=False)
    secret: bytes | None = field(default=None, repr=False)
    identity_by_user: Mapping[str, str] = field(default_factory=dict)


def read_webhooks(path: Path, environ: Mapping[str, str] | None = None) -> Webhooks:
    """Reads the file, and the secrets that it names.

    Args:
        path: The file.
        environ: Where variables come from; None: the process's own.

    Raises:
        ConfigurationError: Every problem of it.
    """
    try:
        data = tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as err:
        raise ConfigurationError(f"`{path}` cannot be read ({err.strerror})") from err
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as err:
        raise ConfigurationError(f"`{path}` is no TOML: {err}") from err
    reader = _Reader(path, os.environ if environ is None else environ)
    webhooks = reader.read(data)
    if reader.problems:
        raise ConfigurationError("\n".join(f"{path}: {each}" for each in reader.problems))
    return webhooks


class _Reader:
    """Reads one file; notes its problems."""

    def __init__(self, path: Path, environ: Mapping[str, str]) -> None:
        self._folder = path.parent
        self._environ = environ
        self.problems: list[str] = []

    def read(self, data: Mapping[str, Any]) -> Webhooks:
        """All of it."""
        self._check_keys(data, _SECTIONS, "")
        inward = self._table(data.get("in", {}), "in")
        self._check_keys(inward, _IN_KEYS, "in.")
        people = self._table(data.get("people", {}), "people")
        for user, identity in people.items():
            if not isinstance(identity, str) or not identity.startswith("arn:"):
                self.problems.append(f"people.{user}: must be the ARN of an identity")
        targets = data.get("out", [])
        if not isinstance(targets, list):
            self.problems.append("out: write `[[out]]`, once for each")
            targets = []
        return Webhooks(
            tuple(self._target(each, f"out[{at}]") for at, each in enumerate(targets)),
            self._secret(inward, "slack_secret", "in"),
            self._secret(inward, "secret", "in"),
            {str(user): str(identity) for user, identity in people.items()},
        )

    def _target(self, value: Any, place: str) -> Target:
        """One `[[out]]`."""
        table = self._table(value, place)
        self._check_keys(table, _OUT_KEYS, f"{place}.")
        url = table.get("url")
        if url is None:
            found = self._named(table, "url", place)
            url = "" if found is None else found.decode("utf-8", "replace")
        parts = urlsplit(url if isinstance(url, str) else "")
        if parts.scheme != "https" and not (
            parts.scheme == "http" and parts.hostname in _LOOPBACK
        ):
            self.problems.append(f"{place}.url: must be an https:// URL (http:// on loopback)")
        chosen = table.get("format", "slack")
        if chosen not in ("slack", "json"):
            self.problems.append(f"{place}.format: must be `slack` or `json`")
        return Target(str(url), chosen, self._secret(table, "secret", place))

    def _secret(self, table: Mapping[str, Any], name: str, place: str) -> bytes | None:
        """A secret that a table names, or None where it names none."""
        if f"{name}_env" not in table and f"{name}_file" not in table:
            return None
        secret = self._named(table, name, place)
        if secret is not None and len(secret) < MIN_SECRET_BYTES:
            self.problems.append(
                f"{place}.{name}: holds {len(secret)} bytes, it must hold at least "
                f"{MIN_SECRET_BYTES}"
            )
        return secret

    def _named(self, table: Mapping[str, Any], name: str, place: str) -> bytes | None:
        """What a variable or a file holds that a table names."""
        variable, file = table.get(f"{name}_env"), table.get(f"{name}_file")
        if (variable is None) == (file is None):
            self.problems.append(f"{place}: write `{name}_env` or `{name}_file`")
            return None
        if variable is not None:
            value = self._environ.get(str(variable))
            if not value:
                self.problems.append(f"{place}.{name}_env: the variable `{variable}` is not set")
                return None
            return value.strip().encode()
        try:
            return (self._folder / str(file)).read_bytes().strip()
        except OSError as err:
            self.problems.append(f"{place}.{name}_file: cannot be read ({err.strerror})")
            return None

    def _table(self, value: Any, place: str) -> Mapping[str, Any]:
        """The value, which has to be a table."""
        if isinstance(value, Mapping):
            return value
        self.problems.append(f"{place}: must be a table")
        return {}

    def _check_keys(self, table: Mapping[str, Any], keys: tuple[str, ...], prefix: str) -> None:
        """Notes keys that nobody knows."""
        for key in table.keys() - set(keys):
            guess = nearest(key, keys)
            hint = f", did you mean `{guess}`?" if guess else f", it is one of {', '.join(keys)}"
            self.problems.append(f"{prefix}{key}: is not known{hint}")
