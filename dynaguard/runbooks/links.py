"""The pages of runbooks, for whoever is woken: which document links to which.

Reads documents and runs none: Python runbooks, which reading would execute, are passed over.
"""

from __future__ import annotations

from pathlib import Path
from typing import Final

from dynaguard.policy.reading import SUFFIXES
from dynaguard.runbooks.reading import read_runbook

_CASES: Final = ".test"
"""Ends the stem of a file of cases, which stands beside its runbook."""


def link_by_runbook(folder: Path) -> dict[str, str | None]:
    """The `link` of each runbook of a folder, by the name that the document gives itself.

    Args:
        folder: With runbooks as TOML, JSON or YAML; folders in it are not looked into.

    Returns:
        Name of the runbook to its address; None where the document has no `link`.

    Raises:
        PolicySyntaxError: One of them has a problem or cannot be read; names every problem of it.
    """
    files = (each for each in sorted(folder.iterdir()) if each.suffix in SUFFIXES)
    found = (read_runbook(each) for each in files if not each.stem.endswith(_CASES))
    return {runbook.name: runbook.link for runbook in found}
