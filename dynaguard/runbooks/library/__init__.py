"""Runbooks that come with dynaguard: to run, and to copy by `dynaguard runbook init`."""

from __future__ import annotations

from pathlib import Path
from typing import Final

LIBRARY_PREFIX: Final = "library:"
_FOLDER: Final = Path(__file__).parent


def library_names() -> tuple[str, ...]:
    """Names of all shipped runbooks, sorted."""
    return tuple(sorted(path.stem for path in _FOLDER.glob("*.toml")))


def library_path(name: str) -> Path:
    """The file of a shipped runbook; of one that does not exist too."""
    return _FOLDER / f"{name}.toml"
