"""Every runbook that ships is executed; the pages' own runbook and programs are, too."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import boto3
import pytest
from moto import mock_aws

import dynaguard
from dynaguard.runbooks.library import library_names
from dynaguard.testing import RunbookCase, run_runbook_case, runbook_cases

HERE = Path(__file__).parent / "library"
CASES = [case for path in sorted(HERE.glob("*.test.toml")) for case in runbook_cases(path)]


@pytest.mark.parametrize("case", CASES, ids=lambda case: f"{case.runbook.name}: {case.name}")
def test_a_runbook_that_ships_does_what_it_says(case: RunbookCase) -> None:
    """On tables of its own, or recorded answers."""
    result = run_runbook_case(case)

    assert result.holds, result.text


def test_every_runbook_that_ships_is_executed() -> None:
    """None is left out."""
    assert {case.runbook.name for case in CASES} == set(library_names())


def _blocks(page: Path, language: str) -> list[str]:
    text = page.read_text(encoding="utf-8")
    return re.findall(rf"^```{language}\n(.*?)^```$", text, re.MULTILINE | re.DOTALL)


def _execute(program: str, names: dict[str, Any]) -> None:
    exec(compile(program, "<page>", "exec"), names)  # noqa: S102 - our own page


@pytest.fixture
def page(repository: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The page; its runbook and tests are files of the working directory."""
    found = repository / "docs" / "runbook-runs.md"
    runbook, tests = _blocks(found, "toml")
    (tmp_path / "runbooks").mkdir()
    (tmp_path / "runbooks" / "orders-of-customer.toml").write_text(runbook)
    (tmp_path / "runbooks" / "orders-of-customer.test.toml").write_text(tests)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    return found


def test_the_programs_of_the_page_run(page: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """The run, the handler, the tests for pytest."""
    run, handler, tests = _blocks(page, "python")
    names: dict[str, Any] = {}

    _execute(tests, names)
    for case in names["CASES"]:
        names["test_runbook"](case)
    with mock_aws():
        client = boto3.client("dynamodb")
        client.create_table(
            TableName="orders",
            AttributeDefinitions=[
                {"AttributeName": name, "AttributeType": "S"}
                for name in ("customer_id", "order_id")
            ],
            KeySchema=[
                {"AttributeName": "customer_id", "KeyType": "HASH"},
                {"AttributeName": "order_id", "KeyType": "RANGE"},
            ],
            BillingMode="PAY_PER_REQUEST",
        )
        _execute(run, names)
        _execute(handler, names)
        answer = names["handler"]({"id": "ev-1", "detail": {"customer": "C-17"}}, 30.0)

    assert answer["outcome"] == "done"
    assert "## Run of `orders-of-customer`" in capsys.readouterr().out
    dynaguard.uninstall()


def test_the_program_of_the_page_of_drills_runs(repository: Path) -> None:
    """A drill of one's own."""
    (program,) = _blocks(repository / "docs" / "drills.md", "python")

    _execute(program, {})
