"""What the README and the tutorial show, runs: every marked block, in order, as a reader would.

A block is a fence; an HTML comment on the line before it says what it is:

    run: moto         Python, with moto's server as the endpoint; a page's blocks share names
    run: offline      Python, with no endpoint
    run: console      each `$ dynaguard` and `$ python` command must succeed; `exit=N`: end with N
    run: console, compare     and print what the block shows
    file: NAME        written into the page's directory, for the blocks after it
    output            what the block before it printed; `...` stands for anything
    not run: REASON   left alone

A block of Python or a console without a mark is an error: nothing is shown untested by accident.
"""

from __future__ import annotations

import contextlib
import doctest
import io
import os
import re
import shlex
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from tests import servers

PAGES = (
    "README.md",
    "docs/tutorial.md",
    "docs/access-stores.md",
    "docs/agents.md",
    "docs/alarms.md",
    "docs/approvals.md",
    "docs/bundles.md",
    "docs/runbook-runs.md",
    "docs/runbooks.md",
    "docs/tasks.md",
    "docs/worked-examples.md",
)
_FENCE = re.compile(
    r"^(?:<!-- (?P<mark>[^\n]*?) -->\n)?```(?P<language>\w+)\n(?P<text>.*?)^```$",
    re.MULTILINE | re.DOTALL,
)
_CHECKED = {"python", "console"}
_RUNNABLE = ("dynaguard", "python")
_COMMAND_TIMEOUT_S = 60
_OPTIONS = doctest.ELLIPSIS | doctest.NORMALIZE_WHITESPACE


@dataclass(frozen=True)
class Block:
    """One fenced block of a page."""

    page: str
    line: int
    language: str
    mark: str
    text: str

    @property
    def place(self) -> str:
        return f"{self.page}:{self.line}"


def blocks_of(page: str, text: str) -> list[Block]:
    """The fenced blocks of a page that name a language."""
    return [
        Block(
            page=page,
            line=text.count("\n", 0, found.start("text")),
            language=found["language"],
            mark=found["mark"] or "",
            text=found["text"],
        )
        for found in _FENCE.finditer(text)
    ]


@dataclass
class Reader:
    """Follows a page: writes its files, runs its blocks, compares its output."""

    directory: Path
    endpoint: str
    monkeypatch: pytest.MonkeyPatch
    names: dict[str, Any] = field(default_factory=lambda: {"__name__": "__main__"})
    printed: str = ""

    def follow(self, block: Block) -> None:
        """Does what the block's mark says."""
        kind, _, detail = block.mark.partition(": ")
        if kind == "file":
            (self.directory / detail).parent.mkdir(exist_ok=True)
            (self.directory / detail).write_text(block.text, encoding="utf-8")
        elif kind == "output":
            _compare(block, block.text, self.printed)
        elif kind == "run" and block.language == "console":
            self._run_console(block, detail)
        elif kind == "run":
            self._run_python(block, detail)
        elif kind != "not run" and block.language in _CHECKED:
            pytest.fail(f"{block.place}: a {block.language} block needs a mark", pytrace=False)

    def _run_python(self, block: Block, detail: str) -> None:
        if detail == "moto":
            self.monkeypatch.setenv("AWS_ENDPOINT_URL", self.endpoint)
        else:
            self.monkeypatch.delenv("AWS_ENDPOINT_URL", raising=False)
        code = compile("\n" * block.line + block.text, block.page, "exec")
        with contextlib.redirect_stdout(io.StringIO()) as output:
            exec(code, self.names)  # noqa: S102  # the page is ours
        self.printed = output.getvalue()

    def _run_console(self, block: Block, detail: str) -> None:
        options = {option.strip() for option in detail.split(",")}
        wanted = next((int(each[5:]) for each in options if each.startswith("exit=")), 0)
        shown = []
        for command, expected in _commands_of(block.text):
            if command.split()[0] not in _RUNNABLE:
                continue
            done = self._run_command(command)
            assert done.returncode == wanted, f"{block.place}: `{command}`: {done.stderr}"
            shown.append(done.stdout)
            if "compare" in options:
                _compare(block, expected, done.stdout)
        self.printed = "".join(shown)

    def _run_command(self, command: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            shlex.split(command),
            cwd=self.directory,
            env={
                **os.environ,
                "AWS_ENDPOINT_URL": self.endpoint,
                "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}",
                "COLUMNS": "100",
                "NO_COLOR": "1",
            },
            capture_output=True,
            text=True,
            timeout=_COMMAND_TIMEOUT_S,
            check=False,
        )


def _commands_of(text: str) -> list[tuple[str, str]]:
    """Each command of a console block with the output shown under it."""
    parts = re.split(r"^\$ (.*)\n", text, flags=re.MULTILINE)[1:]
    return list(zip(parts[::2], parts[1::2], strict=True))


def _compare(block: Block, expected: str, printed: str) -> None:
    if not doctest.OutputChecker().check_output(expected, printed, _OPTIONS):
        pytest.fail(f"{block.place}: shows\n{expected}\nbut it printed\n{printed}", pytrace=False)


@pytest.fixture(scope="module")
def endpoint() -> Iterator[str]:
    """A moto server with the tables that the pages assume."""
    with servers.moto_server() as server:
        client = server.client("dynamodb")
        client.create_table(
            TableName="dev-orders",
            KeySchema=[{"AttributeName": "order_id", "KeyType": "HASH"}],
            AttributeDefinitions=[{"AttributeName": "order_id", "AttributeType": "S"}],
            BillingMode="PAY_PER_REQUEST",
        )
        client.put_item(
            TableName="dev-orders",
            Item={"order_id": {"S": "A-1"}, "email": {"S": "ada@example.com"}},
        )
        names = ("customer_id", "order_id")
        client.create_table(
            TableName="orders",
            KeySchema=[
                {"AttributeName": name, "KeyType": kind}
                for name, kind in zip(names, ("HASH", "RANGE"), strict=True)
            ],
            AttributeDefinitions=[{"AttributeName": name, "AttributeType": "S"} for name in names],
            BillingMode="PAY_PER_REQUEST",
        )
        client.put_item(
            TableName="orders", Item={"customer_id": {"S": "C-17"}, "order_id": {"S": "O-1"}}
        )
        yield server.url


@pytest.mark.integration
@pytest.mark.parametrize("page", PAGES)
def test_what_a_page_shows_runs(
    page: str,
    endpoint: str,
    repository: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Block by block, in one directory."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    reader = Reader(tmp_path, endpoint, monkeypatch)

    for block in blocks_of(page, (repository / page).read_text(encoding="utf-8")):
        reader.follow(block)


def test_blocks_are_found_with_mark_language_and_line() -> None:
    """The mark is the comment just above the fence."""
    text = "# A\n\n<!-- run: moto -->\n```python\nx = 1\n```\n\n```toml\ny = 2\n```\n"

    found = blocks_of("page.md", text)

    assert found == [
        Block("page.md", 4, "python", "run: moto", "x = 1\n"),
        Block("page.md", 8, "toml", "", "y = 2\n"),
    ]


def test_commands_are_split_from_their_output() -> None:
    """A line that begins with a dollar sign is a command; the rest is what it prints."""
    text = "$ dynaguard check a.toml\nfine\n$ dynaguard status\n"

    assert _commands_of(text) == [
        ("dynaguard check a.toml", "fine\n"),
        ("dynaguard status", ""),
    ]


def _reader(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Reader:
    return Reader(tmp_path, "http://127.0.0.1:9", monkeypatch)


def test_a_block_s_output_is_compared(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What is shown differs from what was printed: the page is wrong."""
    reader = _reader(tmp_path, monkeypatch)
    reader.follow(Block("p.md", 1, "python", "run: offline", "print('one two')"))

    reader.follow(Block("p.md", 4, "text", "output", "one ...\n"))

    with pytest.raises(pytest.fail.Exception, match=r"p\.md:8"):
        reader.follow(Block("p.md", 8, "text", "output", "three\n"))


def test_blocks_of_a_page_share_names(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """As if a reader typed them one after the other."""
    reader = _reader(tmp_path, monkeypatch)

    reader.follow(Block("p.md", 1, "python", "run: offline", "number = 41"))
    reader.follow(Block("p.md", 4, "python", "run: offline", "print(number + 1)"))

    assert reader.printed == "42\n"


def test_a_file_block_is_written_for_the_commands_after_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Commands run in the page's directory and must end as the mark says."""
    reader = _reader(tmp_path, monkeypatch)
    reader.follow(Block("p.md", 1, "python", "file: a.py", "print('hello')\nraise SystemExit(3)"))

    reader.follow(
        Block("p.md", 6, "console", "run: console, exit=3, compare", "$ python a.py\nhello\n")
    )

    assert reader.printed == "hello\n"


def test_a_block_without_a_mark_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nothing is shown untested by accident."""
    reader = _reader(tmp_path, monkeypatch)

    with pytest.raises(pytest.fail.Exception, match="needs a mark"):
        reader.follow(Block("p.md", 1, "python", "", "x = 1"))
