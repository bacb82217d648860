"""boto3's `batch_writer`: what could not be written stays in it.

boto3 takes items out of its buffer before it sends them, and loses them when the call raises.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Final

from dynaguard.errors import ConfigurationError

if TYPE_CHECKING:
    from dynaguard.hooks.patching import Patch

MODULE: Final = "boto3.dynamodb.table"
EVENT: Final = "creating-resource-class.dynamodb.Table"
"""Emitted when a Table resource is made for the first time in a session: its methods come then."""


def unwritten(writer: Any) -> list[dict[str, Any]]:
    """The requests that a `batch_writer` still holds, after an error or before it is left.

    Args:
        writer: What `table.batch_writer()` gives.

    Returns:
        **Shape**: `[{"PutRequest": {"Item": {...}}}, {"DeleteRequest": {"Key": {...}}}]`, values
        in the resource API's own types; in the order of writing. A copy of the list.

    Raises:
        ConfigurationError: It is no batch writer.

    Effects: none. With dynaguard installed nothing that a batch writer took is lost by an error;
    without, boto3 drops what was under way.
    """
    items = getattr(writer, "_items_buffer", None)
    if not isinstance(items, list):
        kind = type(writer).__name__
        raise ConfigurationError(
            f"`unwritten` takes what `table.batch_writer()` gives, this is a `{kind}`"
        )
    return list(items)


def batch_writer_class() -> type | None:
    """boto3's class, if it is loaded and looks as known."""
    owner = getattr(sys.modules.get(MODULE), "BatchWriter", None)
    return owner if isinstance(owner, type) and "_flush" in vars(owner) else None


def flush(wrapped: Callable[[Any], Any], patch: Patch) -> Callable[[Any], Any]:
    """Makes the wrapper of `BatchWriter._flush`."""

    def _flush(writer: Any) -> Any:
        if not patch.is_active:
            return wrapped(writer)
        items = list(writer._items_buffer)
        try:
            return wrapped(writer)
        except BaseException as err:
            writer._items_buffer = items
            err.add_note(
                f"dynaguard: up to {len(items)} requests are not written; they are still in the "
                "batch writer, `dynaguard.unwritten(writer)` gives them"
            )
            raise

    return _flush
