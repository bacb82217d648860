"""Files that commands write: whole or not at all, for a guard may read them at any moment."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

from dynaguard.cli.output import fail


def write_whole(
    path: Path, content: bytes, *, check: Callable[[Path], None] | None = None
) -> None:
    """Writes a file under another name and renames it; ends the command where it cannot.

    Args:
        path: The file.
        content: Its bytes.
        check: Called with the file before it gets its name; what it raises leaves nothing behind.
    """
    partial = path.with_name(f".{os.getpid()}.{path.name}")
    try:
        partial.write_bytes(content)
        if check is not None:
            check(partial)
        partial.replace(path)
    except OSError as err:
        fail(f"`{path}` cannot be written ({err.strerror})")
    finally:
        partial.unlink(missing_ok=True)
