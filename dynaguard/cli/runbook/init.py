"""`dynaguard runbook init`: a runbook to begin with."""

from __future__ import annotations

from pathlib import Path

import click

from dynaguard.audit.reading import read_records
from dynaguard.cli.output import console, fail, output_option, print_json, reports_errors
from dynaguard.runbooks.finding import FOLDER, find_runbook
from dynaguard.runbooks.library import LIBRARY_PREFIX
from dynaguard.runbooks.reading import NAME
from dynaguard.runbooks.recording import (
    advice_of,
    copied_runbook,
    recorded_calls,
    runbook_from_records,
    starter_cases,
    starter_runbook,
)


@click.command("init", short_help="Writes a runbook to begin with.")
@click.argument("name")
@click.option("--from", "source", metavar="library:NAME", help="Copy one that ships.")
@click.option(
    "--from-audit",
    type=click.Path(exists=True, path_type=Path),
    help="An audit file: a step for each kind of recorded call, the most frequent first.",
)
@click.option("--job", help="With --from-audit: only the calls of this job.")
@click.option("--path", type=click.Path(path_type=Path), help="Instead of `runbooks/NAME.toml`.")
@click.option("--force", is_flag=True, help="Replace the file if it exists.")
@output_option
@reports_errors
def command(
    name: str,
    source: str | None,
    from_audit: Path | None,
    job: str | None,
    path: Path | None,
    force: bool,
    output: str,
) -> None:
    """Writes a runbook to begin with, by default to `runbooks/NAME.toml`.

    Without --from and --from-audit a test stands beside it, `NAME.test.toml`.
    """
    if not NAME.fullmatch(name):
        fail("a name has 1 to 64 letters, digits, `-` and `_`")
    if source is not None and from_audit is not None:
        fail("--from and --from-audit write two different runbooks, choose one of them")
    target = path or Path(FOLDER) / f"{name}.toml"
    if target.exists() and not force:
        fail(f"`{target}` exists, name another file or add --force to replace it")
    text, advice = _text(name, source, from_audit, job)
    text_by_path = {target: text}
    cases = target.with_name(f"{target.stem}.test.toml")
    if source is None and from_audit is None and not cases.exists():
        text_by_path[cases] = starter_cases()
    for written, content in text_by_path.items():
        _write(written, content)
    if output == "json":
        print_json({"path": str(target), "files": [*map(str, text_by_path)], "advice": advice})
        return
    for written in text_by_path:
        console().print(f"wrote {written}", markup=False)
    for each in advice:
        console().print(f"advice: {each}", markup=False)
    console().print(f"next: dynaguard runbook check {target}", markup=False)


def _write(path: Path, text: str) -> None:
    """Writes a file, and its folder."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
    except OSError as err:
        fail(f"`{path}` cannot be written ({err.strerror})")


def _text(
    name: str, source: str | None, from_audit: Path | None, job: str | None
) -> tuple[str, list[str]]:
    """The document, and advice about what it was made from."""
    if source is not None:
        if not source.startswith(LIBRARY_PREFIX):
            fail(f"`{source}` is none that ships, write `{LIBRARY_PREFIX}NAME`")
        return copied_runbook(find_runbook(source).stem, name), []
    if from_audit is None:
        return starter_runbook(name), []
    calls = recorded_calls(read_records(from_audit), job=job)
    if not calls:
        fail(f"`{from_audit}` holds no records" + (f" of job `{job}`" if job else ""))
    advice = [
        f"{call.operation} on {call.table or 'no table'} ({call.count}x): {each}"
        for call in calls
        for each in advice_of(call)
    ]
    return runbook_from_records(name, calls), advice
