"""`dynaguard init`: a starter policy, empty and commented or from what was recorded."""

from __future__ import annotations

from pathlib import Path

import click

from dynaguard.audit.reading import read_records
from dynaguard.cli.output import console, fail, output_option, print_json, reports_errors
from dynaguard.policy.starter import pack_document, policy_from_records, starter_document


@click.command("init")
@click.argument("path", type=click.Path(path_type=Path), default=Path("dynaguard.toml"))
@click.option(
    "--from-audit",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="An audit file, recorded with mode `observe`: writes the smallest statements that the "
    "recorded calls need.",
)
@click.option("--pack", metavar="NAME", help="Include a starter pack; see the packs page.")
@click.option("--force", is_flag=True, help="Replace the file if it exists.")
@output_option
@reports_errors
def command(
    path: Path, from_audit: Path | None, pack: str | None, force: bool, output: str
) -> None:
    """Writes a starter policy to PATH (dynaguard.toml)."""
    if pack is not None and from_audit is not None:
        fail("--pack and --from-audit write two different policies, choose one of them")
    if path.exists() and not force:
        fail(f"`{path}` exists, name another file or add --force to replace it")
    text = starter_document() if pack is None else pack_document(pack)
    if from_audit is not None:
        text = policy_from_records(read_records(from_audit))
    try:
        path.write_text(text, encoding="utf-8")
    except OSError as err:
        fail(f"`{path}` cannot be written ({err.strerror})")
    if output == "json":
        print_json({"path": str(path), "from_audit": str(from_audit) if from_audit else None})
        return
    console().print(f"wrote {path}")
    console().print(f"next: dynaguard check {path}, then dynaguard.install('{path}')")
