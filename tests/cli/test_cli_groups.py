"""A slip in the name of a command is answered with the nearest one; tables keep ids whole."""

from __future__ import annotations

import pytest
from click.testing import CliRunner

from dynaguard.cli.commands import cli
from dynaguard.cli.output import console, table


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (["runbok"], "no command `runbok`, did you mean `runbook`?"),
        (["grant", "list"], "no command `grant`, did you mean `grants`?"),
        (["runbook", "ran"], "no command `ran`, did you mean `run`?"),
        (["approvals", "aprove"], "no command `aprove`, did you mean `approve`?"),
    ],
)
def test_the_nearest_command_is_named(arguments: list[str], told: str) -> None:
    """In groups, too."""
    done = CliRunner().invoke(cli, arguments)

    assert done.exit_code == 2
    assert told in done.stderr


@pytest.mark.parametrize(
    "group", [[], ["access"], ["approvals"], ["audit"], ["grants"], ["runbook"]]
)
def test_a_list_of_commands_is_not_cut_off(group: list[str]) -> None:
    """Each line says in full what its command does."""
    listing = CliRunner().invoke(cli, [*group, "--help"]).output.split("Commands:")[1]

    assert [line for line in listing.splitlines() if line.endswith("...")] == []


def test_a_table_in_a_file_keeps_a_row_on_one_line(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """So that a search finds an id."""
    monkeypatch.delenv("COLUMNS", raising=False)
    made = table("id", "purpose")
    made.add_row("grant-" + "x" * 60, "y" * 90)

    console().print(made)

    assert len(capsys.readouterr().out.splitlines()) == 2


def test_a_narrow_table_keeps_its_first_column_whole(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Names are there to be copied."""
    monkeypatch.setenv("COLUMNS", "60")
    made = table("id", "purpose")
    made.add_row("library:query-with-filter-and-pages", "word " * 20)

    console().print(made)

    assert "library:query-with-filter-and-pages" in capsys.readouterr().out
