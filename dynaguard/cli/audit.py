"""`dynaguard audit`: verify, show, follow and sum up what calls left behind."""

from __future__ import annotations

import json
import sys
import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping
from itertools import chain
from pathlib import Path
from typing import Any, Final

import click
from rich.markup import escape

from dynaguard.audit.following import Follower
from dynaguard.audit.heads import read_heads, write_heads
from dynaguard.audit.reading import audit_files, read_file, read_lines
from dynaguard.audit.statistics import Statistics
from dynaguard.audit.verifying import Verification, verify
from dynaguard.cli.evidence import export_command, query_command
from dynaguard.cli.groups import NearestGroup
from dynaguard.cli.output import (
    FINDINGS,
    console,
    counted,
    fail,
    output_option,
    print_json,
    reports_errors,
    table,
)
from dynaguard.cli.records import Filter, describe_record, filter_options, unfinished_among
from dynaguard.cli.streams import streams_command

MAX_FAULTS_SHOWN: Final = 20
MAX_LOOKS: Final = 3
"""How often files are verified anew that are put aside meanwhile."""
_FOLLOW_INTERVAL_S: Final = 0.5
_COLUMNS: Final = {
    "calls": "calls",
    "denied": "denied",
    "would_be_denied": "would be",
    "failed": "failed",
    "throttles": "throttled",
    "read_units": "read units",
    "write_units": "write units",
}
_paths = click.argument("paths", nargs=-1, required=True, type=click.Path(path_type=Path))

_mixed = click.option(
    "--mixed", is_flag=True, help="Lines of others stand between the records, as in a container's."
)


@click.group("audit", cls=NearestGroup)
def command() -> None:
    """Reads audit files: are they whole, who called what, how often.

    PATHS are audit files, each with what was put aside from it, or folders of them.
    """


@command.command("verify")
@_paths
@click.option(
    "--public-key",
    "public_keys",
    multiple=True,
    type=click.Path(dir_okay=False, path_type=Path),
    help="An Ed25519 key (PEM) that checkpoints may be signed with; then all of them must be.",
)
@click.option(
    "--heads",
    "heads_file",
    type=click.Path(dir_okay=False, path_type=Path),
    help="What --keep-heads wrote earlier; all of it must still be there.",
)
@click.option(
    "--keep-heads",
    type=click.Path(dir_okay=False, path_type=Path),
    help="Write how far each writer came. Keep it where the writers cannot reach it.",
)
@click.option(
    "--complete",
    is_flag=True,
    help="Every line must be vouched for: exit 1 where a writer did not end with a checkpoint.",
)
@click.option("--part", is_flag=True, help="Earlier files are elsewhere: writers begin anywhere.")
@click.option("--unordered", is_flag=True, help="Lines were delivered in any order (Firehose).")
@_mixed
@output_option
@reports_errors
def verify_command(
    paths: tuple[Path, ...],
    public_keys: tuple[Path, ...],
    heads_file: Path | None,
    keep_heads: Path | None,
    complete: bool,
    part: bool,
    unordered: bool,
    mixed: bool,
    output: str,
) -> None:
    """Finds every record that was changed, removed, moved or added.

    Exits 1 when something is not as it was written. What was changed, added or cut off behind a
    writer's last checkpoint shows only against --heads; --complete allows no such lines.
    """
    from dynaguard.audit.signing import Verifier

    heads = {} if heads_file is None else read_heads(heads_file)
    verifiers = [Verifier(path) for path in public_keys]

    def verify_once(files: Iterable[Path]) -> Verification:
        return verify(
            map(read_lines, files),
            verifiers=verifiers,
            heads=heads,
            is_part=part,
            is_unordered=unordered,
            is_mixed=mixed,
        )

    found, file_count = _verify_still(paths, verify_once)
    _print_verification(found, file_count, is_signed=bool(verifiers), output=output)
    if found.faults or (complete and found.open_count):
        sys.exit(FINDINGS)
    if keep_heads is not None:
        write_heads(keep_heads, {**heads, **found.heads()} if part else found.heads())


def _verify_still(
    paths: tuple[Path, ...], verify_once: Callable[[Iterable[Path]], Verification]
) -> tuple[Verification, int]:
    """What is found in files, and how many there are; anew if one was put aside meanwhile."""
    for _ in range(MAX_LOOKS):
        files = _files(paths)
        found = verify_once(files)
        if not found.faults or _files(paths) == files:
            break
    return found, len(files)


def _files(paths: Iterable[Path]) -> list[Path]:
    """The files that paths stand for; none at all is an error."""
    files = audit_files(*paths)
    if not files:
        fail(f"no audit files in {', '.join(map(str, paths))}")
    return files


@command.command("show", short_help="Shows records, one line each.")
@_paths
@filter_options
@_mixed
@click.option("--last", type=click.IntRange(min=1), help="Only so many records, the last ones.")
@click.option(
    "--unfinished",
    is_flag=True,
    help="Intents without an outcome: what was under way when a process ended.",
)
@output_option
@reports_errors
def show_command(
    paths: tuple[Path, ...],
    which: Filter,
    mixed: bool,
    last: int | None,
    unfinished: bool,
    output: str,
) -> None:
    """Shows records, one line each; JSON is one record per line, whole."""
    records = _records(paths, is_mixed=mixed)
    if unfinished:
        records = iter(unfinished_among(records))
    chosen: Iterable[Mapping[str, Any]] = filter(which, records)
    for record in chosen if last is None else deque(chosen, maxlen=last):
        _print_record(record, output)


@command.command("tail", short_help="Shows records as they are written.")
@click.argument("path", type=click.Path(dir_okay=False, path_type=Path))
@filter_options
@output_option
@reports_errors
def tail_command(path: Path, which: Filter, output: str) -> None:
    """Shows records as they are written, until Ctrl-C; the last ones of the file first."""
    follower = Follower(path, tail_bytes=16 * 1024)
    try:
        while True:
            for record in filter(which, follower.read()):
                _print_record(record, output)
            sys.stdout.flush()
            time.sleep(_FOLLOW_INTERVAL_S)
    except KeyboardInterrupt:
        return


@command.command("stats", short_help="Sums up records.")
@_paths
@filter_options
@_mixed
@click.option("--top", type=click.IntRange(min=1), default=10, show_default=True, help="Rows.")
@output_option
@reports_errors
def stats_command(
    paths: tuple[Path, ...], which: Filter, mixed: bool, top: int, output: str
) -> None:
    """Sums up records: calls, denials, errors, throttles, capacity, by whom and of what."""
    statistics = Statistics()
    for record in filter(which, _records(paths, is_mixed=mixed)):
        statistics.add(record)
    if output == "json":
        print_json(statistics.summary(top))
    else:
        _print_statistics(statistics.summary(top))


def _records(paths: Iterable[Path], *, is_mixed: bool) -> Iterator[Mapping[str, Any]]:
    """The records of files and folders."""
    return chain.from_iterable(
        read_file(path, is_mixed=is_mixed, with_changes=True) for path in _files(paths)
    )


def _print_record(record: Mapping[str, Any], output: str) -> None:
    """One record on one line."""
    click.echo(json.dumps(record) if output == "json" else describe_record(record))


def _print_verification(
    found: Verification, file_count: int, *, is_signed: bool, output: str
) -> None:
    """What was found."""
    if output == "json":
        print_json(found.as_mapping(file_count))
        return
    for fault in found.faults[:MAX_FAULTS_SHOWN]:
        whose = f" (writer {fault.writer_id})" if fault.writer_id else ""
        click.echo(f"{fault.place}: {fault.problem}{whose}")
    if len(found.faults) > MAX_FAULTS_SHOWN:
        click.echo(f"... and {len(found.faults) - MAX_FAULTS_SHOWN} more, see --output json")
    verdict = "NOT AS WRITTEN" if found.faults else "ok"
    click.echo(
        f"{verdict}: {counted(found.record_count, 'record')} of "
        f"{counted(len(found.states), 'writer')} in {counted(file_count, 'file')}, "
        f"{counted(found.checkpoints, 'checkpoint')}"
        f"{' signed with the key' if is_signed and not found.faults else ''}"
    )
    for note in _notes(found):
        click.echo(f"    {note}")


def _notes(found: Verification) -> Iterator[str]:
    """What is no fault, and should be known."""
    if found.open_count:
        open_writers = sum(state.vouched < state.sequence for state in found.states.values())
        yield (
            f"{counted(found.open_count, 'line')} of {counted(open_writers, 'writer')} behind the "
            "last checkpoint: nothing vouches for them or what came after them, see --heads"
        )
    if found.lost_count:
        yield f"{counted(found.lost_count, 'record')} could not be written, say the writers"
    if found.torn:
        yield f"{counted(found.torn, 'line')} torn by a crash or a full disk"
    if found.foreign:
        yield f"{counted(len(found.foreign), 'line')} no record, the first is {found.foreign[0]}"
    if found.unchained:
        yield f"{counted(found.unchained, 'record')} of version 1, which had no chain"


def _print_statistics(summary: Mapping[str, Any]) -> None:
    """The sums for people: columns that hold nothing are left out."""
    printer = console()
    printer.print(
        f"{counted(summary['calls'], 'call')}: {summary['denied']} denied, "
        f"{summary['would_be_denied']} that would be, {summary['failed']} failed, "
        f"{counted(summary['throttles'], 'throttled attempt')}, "
        f"{counted(summary['masked'], 'masked value')}"
    )
    if summary["calls"]:
        _print_sums(summary)
    _print_privileged(summary["privileged"])


def _print_sums(summary: Mapping[str, Any]) -> None:
    """Times, latencies, and the sums by name."""
    printer = console()
    printer.print(f"from {summary['from']} to {summary['to']}")
    if summary["latency_p50_s"] is not None:
        medians = [_milliseconds(summary[f"latency_{name}_s"]) for name in ("p50", "p99")]
        printer.print(f"latency p50 {medians[0]}, p99 {medians[1]}")
    for name, rows in summary["by"].items():
        keys = [key for key in _COLUMNS if any(row[key] for row in rows)]
        if not rows:
            continue
        made = table()
        made.add_column(name, no_wrap=True)
        for key in keys:
            made.add_column(_COLUMNS[key], justify="right")
        for row in rows:
            made.add_row(escape(row["name"]), *(f"{row[key]:g}" for key in keys))
        printer.print()
        printer.print(made)


def _print_privileged(privileged: Mapping[str, Any]) -> None:
    """What was done by special leave, and who gave it; nothing where nothing was."""
    if not (privileged["actions"] or privileged["changes"]):
        return
    printer = console()
    printer.print("\n[bold]privileged actions[/]")
    for kind, count in privileged["changes"].items():
        printer.print(f"  {escape(kind)}: {count}")
    if not privileged["actions"]:
        return
    made = table("what", "id", "answers for it", "used by", "calls", "last", "reason")
    for each in privileged["actions"]:
        row = (
            *(each["what"], each["id"], ", ".join(each["by"]), ", ".join(each["identities"])),
            *(str(each["calls"]), each["last"], each["reason"]),
        )
        made.add_row(*map(escape, row))
    printer.print(made)


def _milliseconds(seconds: float) -> str:
    return f"{1000 * seconds:.1f} ms"


command.add_command(query_command)
command.add_command(streams_command)
command.add_command(export_command)
