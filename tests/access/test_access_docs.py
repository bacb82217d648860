"""The page on grants does what it says."""

from __future__ import annotations

import re
import shlex
import tomllib
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from dynaguard.access.clock import SKEW_TOLERANCE_S
from dynaguard.access.terms import BREAK_GLASS_MAX_DURATION_S, MAX_DURATION_S, MAX_LEAD_S
from dynaguard.cli.commands import cli
from dynaguard.policy.loading import load_policy


@pytest.fixture
def page(repository: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """Its text, in a folder with a store."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("DYNAGUARD_ACCESS_STORE", "access.sqlite")
    return (repository / "docs/grants.md").read_text(encoding="utf-8")


def _blocks(page: str, language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```$", page, re.MULTILINE | re.DOTALL)


def test_its_policy_loads(page: str) -> None:
    """And names a store, and the identity that its grants are for."""
    (fragment,) = _blocks(page, "toml")

    assert load_policy(tomllib.loads(fragment), environ={}).settings == {
        "access_store": "access.sqlite",
        "identity": "etl",
    }


def test_its_programs_run(page: str, capsys: pytest.CaptureFixture[str]) -> None:
    """One after the other."""
    names: dict[str, Any] = {}

    for program in _blocks(page, "python"):
        exec(program, names)  # noqa: S102 - our own page

    assert capsys.readouterr().out.startswith("grant-")
    assert names["found"].is_allowed


def test_its_commands_run(page: str) -> None:
    """Each opens something."""
    commands = [shlex.split(block)[2:] for block in _blocks(page, "console")]

    codes = [CliRunner().invoke(cli, command).exit_code for command in commands]

    assert codes == [0, 0]
    assert all(command[:2] == ["grants", "create"] for command in commands)


def test_its_numbers_are_those_of_the_code(page: str) -> None:
    """Ages and longest times."""
    from dynaguard.access.book import AT_ONCE_AFTER_S, REFRESH_AFTER_S
    from dynaguard.settings.table import Settings

    defaults = Settings()
    numbers = (REFRESH_AFTER_S, AT_ONCE_AFTER_S, SKEW_TOLERANCE_S, MAX_LEAD_S / 86_400)

    assert numbers == (2.0, 0.25, 60.0, 31.0)
    assert (MAX_DURATION_S, BREAK_GLASS_MAX_DURATION_S) == (86_400.0, 3600.0)
    assert (defaults.access_max_age_s, defaults.access_max_duration_s) == (30.0, MAX_DURATION_S)
    for text in ("older than 2 s", "four times a second", "60 s ahead", "at most 31 days ahead"):
        assert text in page
