"""`dynaguard demo`: options, exit codes and what goes to which stream; one real run."""

from __future__ import annotations

import builtins
import io
import json
import os
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import click
import pytest
from click.testing import CliRunner
from rich.console import Console

from dynaguard.audit.reading import read_records
from dynaguard.cli import demo as module
from dynaguard.cli.commands import cli
from dynaguard.demo.results import DemoResult
from dynaguard.demo.running import Options, Watcher
from dynaguard.errors import ConfigurationError, MissingExtraError, PolicyDenied
from tests.demo.demo_results import GOOD


class FakeDemo:
    """Stands for the run: keeps the options, gives a result or raises."""

    def __init__(self) -> None:
        self.result: DemoResult | BaseException = GOOD
        self.options: list[Options] = []

    def __call__(self, options: Options, watcher: Watcher) -> DemoResult:
        self.options.append(options)
        watcher.begin("loading items", 3)
        watcher.advance(3)
        watcher.begin("reading customers")
        if isinstance(self.result, BaseException):
            raise self.result
        return self.result


@pytest.fixture
def demo(monkeypatch: pytest.MonkeyPatch) -> FakeDemo:
    """The run of the command's tests; takes no time."""
    fake = FakeDemo()
    monkeypatch.setattr("dynaguard.demo.running.run_demo", fake)
    return fake


Invoke = Callable[..., Any]


@pytest.fixture
def invoke() -> Invoke:
    """Runs `dynaguard demo ARGUMENTS`."""
    return lambda *arguments: CliRunner().invoke(cli, ["demo", *arguments])


def test_a_good_run_exits_with_0(demo: FakeDemo, invoke: Invoke) -> None:
    """The report on standard output, nothing beside it where that is no terminal."""
    done = invoke()

    assert done.exit_code == 0
    assert "Everything went as the policy says." in done.stdout
    assert done.stderr == ""
    assert demo.options == [Options()]


def test_a_finding_exits_with_1(demo: FakeDemo, invoke: Invoke) -> None:
    """The report says what was not as expected."""
    demo.result = replace(GOOD, unmet=("`Scan prod-orders` was not refused",))

    done = invoke()

    assert done.exit_code == 1
    assert "Not as expected: `Scan prod-orders` was not refused" in done.stdout


@pytest.mark.parametrize(("unmet", "exit_code"), [((), 0), (("something",), 1)])
def test_json_is_one_document(
    demo: FakeDemo, invoke: Invoke, unmet: tuple[str, ...], exit_code: int
) -> None:
    """And nothing else, findings included."""
    demo.result = replace(GOOD, unmet=unmet)

    done = invoke("--output", "json")

    assert done.exit_code == exit_code
    document = json.loads(done.stdout)
    assert document["is_as_expected"] is (exit_code == 0)
    assert document["unmet"] == list(unmet)
    assert document["summary"]["calls"] == GOOD.summary.calls


def test_options_reach_the_run(demo: FakeDemo, invoke: Invoke, tmp_path: Path) -> None:
    """Endpoint, audit file, what becomes of the tables."""
    audit = tmp_path / "audit.jsonl"

    invoke("--endpoint-url", "http://x", "--keep", "--replace", "--audit", str(audit))

    assert demo.options == [
        Options(endpoint_url="http://x", audit=audit, keep=True, replace=True),
    ]


@pytest.mark.parametrize("option", ["--keep", "--replace"])
def test_options_for_another_endpoint_need_one(
    demo: FakeDemo, invoke: Invoke, option: str
) -> None:
    """Wrong usage is exit code 2."""
    done = invoke(option)

    assert done.exit_code == 2
    assert "--endpoint-url" in done.stderr
    assert demo.options == []


@pytest.mark.parametrize(
    ("error", "exit_code", "shown"),
    [
        (ConfigurationError("no such endpoint"), 2, "error: no such endpoint"),
        (MissingExtraError("the endpoint", "demo"), 2, "pip install 'dynaguard[demo]'"),
        (PolicyDenied("no Query", operation="Query"), 1, "was refused"),
        (KeyboardInterrupt(), 1, "Aborted!"),
    ],
)
def test_errors_are_lines_without_a_traceback(
    demo: FakeDemo, invoke: Invoke, error: BaseException, exit_code: int, shown: str
) -> None:
    """On standard error, with the exit code of their kind."""
    demo.result = error

    done = invoke()

    assert done.exit_code == exit_code
    assert shown in done.stderr
    assert done.stdout == ""


def test_settings_of_the_user_are_told_in_one_line(
    demo: FakeDemo, invoke: Invoke, monkeypatch: pytest.MonkeyPatch
) -> None:
    """They are ignored, and named; values are not shown."""
    monkeypatch.setenv("DYNAGUARD_MASK_KEY", "very-secret-and-long")
    monkeypatch.setenv("DYNAGUARD_MODE", "off")

    done = invoke("--output", "json")

    assert done.stderr == "note: the demo ignores DYNAGUARD_MASK_KEY, DYNAGUARD_MODE\n"
    assert json.loads(done.stdout)


@pytest.mark.parametrize(
    ("missing", "expected"),
    [("boto3", MissingExtraError), ("opentelemetry.sdk.trace", MissingExtraError), ("json", None)],
)
def test_a_missing_package_names_the_install_command(
    missing: str, expected: type[Exception] | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Packages of the extra alone; any other missing module is a fault to be seen."""
    real = builtins.__import__

    def fake(name: str, *arguments: Any, **keywords: Any) -> Any:
        if name == "dynaguard.demo.running":
            raise ModuleNotFoundError(f"No module named {missing!r}", name=missing)
        return real(name, *arguments, **keywords)

    monkeypatch.setattr(builtins, "__import__", fake)

    with pytest.raises(expected or ModuleNotFoundError) as caught:
        module._run(None, keep=False, replace=False, audit=None)

    assert ("dynaguard[demo]" in str(caught.value)) is (expected is MissingExtraError)


def test_a_terminal_sees_the_steps(demo: FakeDemo, monkeypatch: pytest.MonkeyPatch) -> None:
    """With a bar where items are counted, on one line that changes."""
    screen = io.StringIO()
    terminal = Console(file=screen, force_terminal=True, width=80)
    monkeypatch.setattr(module, "Console", lambda **_: terminal)

    with module._Bar() as bar:
        bar.begin("loading items", 4000)
        bar.advance(1000)
        bar._progress.refresh()
        bar.begin("reading customers")
        bar._progress.refresh()

    shown = screen.getvalue().split("\r")
    assert any("loading items" in line and "1000/4000" in line for line in shown)
    assert any("reading customers" in line for line in shown)
    assert not any("reading customers" in line and "/" in line for line in shown)


def test_the_command_is_listed() -> None:
    """`dynaguard --help` names it without loading what it needs."""
    command = cli.get_command(click.Context(cli), "demo")

    assert command is not None
    assert "nightly job" in command.get_short_help_str(200)


@pytest.mark.integration
def test_the_real_demo_as_json(tmp_path: Path) -> None:
    """In a folder with a policy of the user's, under settings of the user's."""
    (tmp_path / "dynaguard.toml").write_text('version = 1\ndefault = "deny"\n')
    done = subprocess.run(
        [sys.executable, "-m", "dynaguard.cli", "demo", "--output", "json"],
        cwd=tmp_path,
        env={**os.environ, "DYNAGUARD_MODE": "observe", "TMPDIR": str(tmp_path)},
        capture_output=True,
        text=True,
        timeout=100,
        check=False,
    )

    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)
    assert found["unmet"] == []
    assert found["elapsed_s"] < 60
    assert done.stderr == "note: the demo ignores DYNAGUARD_MODE\n"
    audit = Path(found["summary"]["audit_path"])
    assert audit.parent.parent == tmp_path
    assert len(list(read_records(audit))) == found["summary"]["records"]
    assert (audit.parent / "policy.toml").is_file()
