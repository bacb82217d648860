"""Opens the access store that a setting names. Reads and makes nothing: stores open when used."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

from dynaguard.access.store import AccessStore
from dynaguard.errors import ConfigurationError
from dynaguard.settings.locations import read_store_location

if TYPE_CHECKING:
    from dynaguard.access.table_calls import MakeTableCalls


def open_store(
    location: str | os.PathLike[str],
    *,
    make_table_calls: MakeTableCalls | None = None,
    verify_key_file: Path | None = None,
) -> AccessStore:
    """The store at a location.

    Args:
        location: `*.sqlite` or `*.db`, `dynamodb://TABLE` (with `?region=` and `?endpoint_url=`),
            or `*.json`, a signed file.
        make_table_calls: Gives the calls of DynamoDB; needed for such a location.
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
    if found.kind == "dynamodb" and make_table_calls is not None:
        from dynaguard.access.dynamodb_store import DynamoDbStore

        calls = make_table_calls(found.region, found.endpoint_url)
        return DynamoDbStore(found.table, calls)
    if found.kind == "dynamodb":
        raise ConfigurationError(f"`{found.text}` needs calls of DynamoDB, and none were given")
    from dynaguard.access.signed_store import SignedStore

    return SignedStore(found.path, verify_key_file)
