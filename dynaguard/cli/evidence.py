"""`dynaguard audit query` and `export`: what was done under one task, ticket or grant."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from itertools import chain
from pathlib import Path
from typing import Any, Final, cast, get_args

import click

from dynaguard.alarms.trail_sources import Sources
from dynaguard.alarms.trails import Engine, query_text
from dynaguard.audit.evidence import collect, write
from dynaguard.audit.heads import read_heads
from dynaguard.audit.reading import audit_files, read_file
from dynaguard.audit.subject import Subject, SubjectKind
from dynaguard.cli.output import (
    FINDINGS,
    counted,
    fail,
    output_option,
    print_json,
    reports_errors,
)

_DEFAULT_AUDIT: Final = {"duckdb": "audit/**/*.jsonl"}
_DEFAULT_TRAIL: Final = {"athena": "cloudtrail_logs", "cloudtrail-lake": "EVENT_DATA_STORE_ID"}
_HELP: Final = {
    "task": "Id of a task, such as one run of a runbook.",
    "ticket": "Id of a ticket.",
    "grant": "Id of a grant.",
    "session": "Name of a role session, as CloudTrail has it.",
    "role": "Name of a role.",
}
_since = click.option("--since", metavar="TIME", default="", help="From then on, in UTC.")
_until = click.option("--until", metavar="TIME", default="", help="Before then.")


def _subject_options(command: Callable[..., None]) -> Callable[..., None]:
    """Adds an option for each kind of subject."""
    for kind in reversed(get_args(SubjectKind)):
        command = click.option(f"--{kind}", metavar="ID", help=_HELP[kind])(command)
    return command


def _subject_of(given: Mapping[str, str | None]) -> Subject | None:
    """The one that the options name; None where none does."""
    found = [Subject(cast(SubjectKind, kind), id) for kind, id in given.items() if id is not None]
    if len(found) > 1:
        fail(f"one of {', '.join(f'--{each.kind}' for each in found)} at a time")
    return found[0] if found else None


@click.command("query", short_help="Prints a query over audit and CloudTrail.")
@_subject_options
@click.option(
    "--for",
    "engine",
    type=click.Choice(get_args(Engine)),
    default="duckdb",
    show_default=True,
    help="Who is to run it. `insights`: Logs Insights over the log group of the audit records; "
    "`insights-cloudtrail`: over that of the trail.",
)
@click.option(
    "--audit-table", metavar="NAME", help="Table of the audit records; for DuckDB paths, with `*`."
)
@click.option(
    "--trail",
    metavar="NAME",
    help="Table of CloudTrail's events, id of the event data store, or paths for DuckDB.",
)
@click.option(
    "--audit",
    "paths",
    multiple=True,
    type=click.Path(path_type=Path),
    help="Audit files in which to look up correlation ids, for CloudTrail alone.",
)
@_since
@_until
@reports_errors
def query_command(
    engine: Engine,
    audit_table: str | None,
    trail: str | None,
    paths: tuple[Path, ...],
    since: str,
    until: str,
    **given: str | None,
) -> None:
    """Prints a query over audit records and CloudTrail's events of one task, ticket or grant.

    It joins them by request id and correlation id, and tells what only one of both has. Nothing is
    sent anywhere.
    """
    subject = _subject_of(given)
    if subject is None:
        fail("name a --task, --ticket, --grant, --session or --role")
    records = chain.from_iterable(
        read_file(path, is_mixed=True, with_changes=True)
        for path in (audit_files(*paths) if paths else ())
    )
    sources = Sources(
        audit_table or _DEFAULT_AUDIT.get(engine, "audit"),
        trail or _DEFAULT_TRAIL.get(engine, ""),
        since,
        until,
    )
    text = query_text(subject, engine, sources, subject.correlation_ids(records))
    click.echo(text, nl=False)


@click.command("export", short_help="Writes one bundle of evidence.")
@click.argument("paths", nargs=-1, required=True, type=click.Path(path_type=Path))
@_subject_options
@_since
@_until
@click.option(
    "--to",
    "target",
    required=True,
    type=click.Path(path_type=Path),
    help="A new folder, or a file that ends in `.zip`.",
)
@click.option(
    "--public-key",
    "public_keys",
    multiple=True,
    type=click.Path(dir_okay=False, path_type=Path),
    help="An Ed25519 key (PEM) that checkpoints may be signed with.",
)
@click.option(
    "--heads",
    "heads_file",
    type=click.Path(dir_okay=False, path_type=Path),
    help="What `verify --keep-heads` wrote earlier; all of it must still be there.",
)
@click.option("--part", is_flag=True, help="Earlier files are elsewhere: writers begin anywhere.")
@click.option("--mixed", is_flag=True, help="Lines of others stand between the records.")
@output_option
@reports_errors
def export_command(
    paths: tuple[Path, ...],
    since: str,
    until: str,
    target: Path,
    public_keys: tuple[Path, ...],
    heads_file: Path | None,
    part: bool,
    mixed: bool,
    output: str,
    **given: str | None,
) -> None:
    """Writes one bundle of evidence: records, approvals, runbook hashes, verification, manifest.

    Exits 1 when the files are not as they were written; the bundle is made all the same, and says
    so.
    """
    from dynaguard.audit.signing import Verifier

    subject, files = _subject_of(given), audit_files(*paths)
    if not files:
        fail(f"no audit files in {', '.join(map(str, paths))}")
    if subject is None and not (since or until):
        fail("name a --task, --ticket, --grant, --session or --role, or a time with --since")

    def takes(record: Mapping[str, Any]) -> bool:
        is_in_time = since <= record["time"] < (until or "~")
        return is_in_time and (subject is None or subject.has(record))

    about: dict[str, str] = {} if subject is None else {subject.kind: subject.id}
    about |= {name: text for name, text in (("since", since), ("until", until)) if text}
    bundle = collect(
        files,
        takes,
        about=about,
        time_ns=time.time_ns(),
        version=_version(),
        verifiers=[Verifier(path) for path in public_keys],
        heads=None if heads_file is None else read_heads(heads_file),
        is_part=part,
        is_mixed=mixed,
    )
    write(bundle, target)
    faults = len(bundle.verification.faults)
    if output == "json":
        print_json({"path": str(target), "lines": bundle.line_count, "faults": faults})
    else:
        verdict = f"NOT AS WRITTEN, {counted(faults, 'fault')}" if faults else "as written"
        click.echo(f"wrote {target}: {counted(bundle.line_count, 'line')}, files are {verdict}")
    if not bundle.line_count:
        click.echo("warning: no line is about it, look at the id and at the files", err=True)
    if faults:
        raise SystemExit(FINDINGS)


def _version() -> str:
    """dynaguard's version."""
    import importlib.metadata

    try:
        return importlib.metadata.version("dynaguard")
    except importlib.metadata.PackageNotFoundError:
        return "unknown"
