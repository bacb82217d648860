"""Opens the access store that a setting names. Reads and makes nothing: stores open when used."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

from dynaguard.access.store import AccessStore
from dynaguard.errors import ConfigurationError
from dynaguard.settings.locations import read_store_location

MakeClient = Callable[[str | None, str | None], Any]
"""Gives a context manager with a DynamoDB client, unguarded; for a region and an endpoint."""


def open_store(
    location: str | os.PathLike[str],
    *,
    make_client: MakeClient | None = None,  # noqa: ARG001 - for stores to come
    verify_key_file: Path | None = None,  # noqa: ARG001 - likewise
) -> AccessStore:
    """The store at a location.

    Args:
        location: `*.sqlite` or `*.db`, `dynamodb://TABLE` (with `?region=` and `?endpoint_url=`),
            or `*.json`, a signed file.
        make_client: Makes clients of DynamoDB; needed for such a location.
        verify_key_file: A file with the public key that signed files are checked with.

    Raises:
        ConfigurationError: The text names no store.
    """
    try:
        found = read_store_location(os.fspath(location))
    except ValueError as err:
        raise ConfigurationError(str(err)) from None
    if found.kind == "sqlite":
        from dynaguard.access.sqlite_store import SqliteStore

        return SqliteStore(found.path)
    raise ConfigurationError(f"`{found.text}`: this kind of access store is not there yet")
