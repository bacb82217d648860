"""The `dynaguard` command. Needs the extra `cli`; nothing of the library imports it."""

from __future__ import annotations

import sys


def main() -> None:
    """Entry point of the `dynaguard` command.

    Exits 0 when all is well, 1 with findings, 2 on wrong usage or unusable input.
    """
    try:
        from dynaguard.cli.commands import cli
    except ImportError as err:
        if err.name not in ("click", "rich"):
            raise
        sys.stderr.write("error: the command line needs an extra: pip install 'dynaguard[cli]'\n")
        raise SystemExit(2) from None
    cli(prog_name="dynaguard")
