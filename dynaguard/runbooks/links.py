"""The pages of runbooks, for whoever is woken: which document links to which.

Reads documents and runs none: Python runbooks, which reading would execute, are passed over.
"""

from __future__ import annotations

from pathlib import Path

from dynaguard.policy.reading import SUFFIXES
from dynaguard.runbooks.finding import is_runbook_file
from dynaguard.runbooks.reading import read_runbook


def link_by_runbook(folder: Path) -> dict[str, str | None]:
    """The `link` of each runbook of a folder, by the name that the document gives itself.

    Args:
        folder: With runbooks as TOML, JSON or YAML; folders in it are not looked into.

    Returns:
        Name of the runbook to its address; None where the document has no `link`.

    Raises:
        PolicySyntaxError: One of them has a problem or cannot be read; names every problem of it.
    """
    files = sorted(each for each in folder.iterdir() if is_runbook_file(each))
    found = (read_runbook(each) for each in files if each.suffix in SUFFIXES)
    return {runbook.name: runbook.link for runbook in found}
