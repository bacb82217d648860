"""Where a runbook is looked up that somebody names.

A path is a path. `library:NAME` is one that ships. Any other name is a file in the folder
`runbooks` beside the policy document, or in the working directory.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from dynaguard.errors import ConfigurationError
from dynaguard.policy.collecting import hint
from dynaguard.policy.reading import SUFFIXES
from dynaguard.runbooks.library import LIBRARY_PREFIX, library_names, library_path
from dynaguard.runbooks.python_source import PYTHON

FOLDER: Final = "runbooks"
_SUFFIXES: Final = (*SUFFIXES, PYTHON)
_CASES: Final = ".test"
"""Ends the stem of a file of cases, `NAME.test.toml`, which stands beside its runbook."""


@dataclass(frozen=True, slots=True)
class FoundRunbook:
    """A runbook that could be read.

    Attributes:
        name: By which it is found: the file's name without suffix, or `library:NAME`.
        path: The file.
    """

    name: str
    path: Path


def find_runbook(
    name: str, *, policy: str | Path | None = None, folder: Path | None = None
) -> Path:
    """The file of a runbook.

    Args:
        name: A path, `library:NAME`, or the name of a file in a folder `runbooks`.
        policy: The policy document in force, or None.
        folder: The working directory; None: the process's.

    Raises:
        ConfigurationError: There is none; names the nearest.

    Effects: looks into folders; reads no runbook.
    """
    if name.startswith(LIBRARY_PREFIX):
        return _of_library(name)
    if "/" in name or "\\" in name or name.endswith(_SUFFIXES):
        return _of_path(name, folder)
    found = [each for each in _beside(policy, folder) if each.name == name]
    if found:
        return found[0].path
    raise ConfigurationError(_not_found(name, policy, folder))


def list_runbooks(
    *, policy: str | Path | None = None, folder: Path | None = None
) -> tuple[FoundRunbook, ...]:
    """Every runbook that can be named, the own before those that ship. Reads none of them."""
    shipped = (
        FoundRunbook(f"{LIBRARY_PREFIX}{name}", library_path(name)) for name in library_names()
    )
    return (*_beside(policy, folder), *shipped)


def _of_library(name: str) -> Path:
    """A runbook that ships."""
    known = [f"{LIBRARY_PREFIX}{each}" for each in library_names()]
    if name not in known:
        listed = ", ".join(f"`{each}`" for each in known)
        raise ConfigurationError(f"no runbook `{name}`{hint(name, known)}; there are {listed}")
    return library_path(name.removeprefix(LIBRARY_PREFIX))


def _of_path(name: str, folder: Path | None) -> Path:
    """A runbook by its path."""
    path = (folder or Path()) / name
    if not path.is_file():
        near = [each.name for each in path.parent.glob("*") if each.suffix in _SUFFIXES]
        raise ConfigurationError(f"there is no file `{name}`{hint(path.name, near)}")
    return path


def _beside(policy: str | Path | None, folder: Path | None) -> Iterator[FoundRunbook]:
    """The runbooks beside the policy, then those of the working directory; names once."""
    folders = [] if policy is None else [Path(policy).parent / FOLDER]
    folders.append((folder or Path()) / FOLDER)
    seen = set()
    for each in folders:
        files = sorted(each.glob("*")) if each.is_dir() else ()
        for path in files:
            if path.suffix not in _SUFFIXES or path.stem.endswith(_CASES):
                continue
            if path.stem not in seen and path.is_file():
                seen.add(path.stem)
                yield FoundRunbook(path.stem, path)


def _not_found(name: str, policy: str | Path | None, folder: Path | None) -> str:
    """The message about a name that is none."""
    known = [each.name for each in list_runbooks(policy=policy, folder=folder)]
    near = hint(name, known) or hint(f"{LIBRARY_PREFIX}{name}", known)
    return (
        f"no runbook `{name}` in a folder `{FOLDER}` here or beside the policy{near}; name a "
        f"file, or one that ships such as `{LIBRARY_PREFIX}{library_names()[0]}`"
    )
