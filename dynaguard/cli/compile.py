"""`dynaguard compile POLICY -o BUNDLE`: a policy with all that it includes, in one file."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import click

from dynaguard.cli.output import counted, fail, output_option, print_json, reports_errors
from dynaguard.cli.writing import write_whole
from dynaguard.policy.bundle_reading import check_bundle, load_bundle
from dynaguard.policy.bundle_writing import bundle_bytes
from dynaguard.policy.model import PolicyDocument
from dynaguard.policy.opening import SUFFIX, is_bundle_name, open_policy
from dynaguard.settings import resolve_settings


@click.command("compile", short_help="Compiles a policy into a bundle.")
@click.argument("policy", type=click.Path())
@click.option(
    "-o",
    "--to",
    required=True,
    type=click.Path(dir_okay=False, path_type=Path),
    help=f"The bundle, `*{SUFFIX}`.",
)
@click.option(
    "--sign-key-file",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="A file with the Ed25519 private key (PEM), see `openssl genpkey -algorithm ed25519`.",
)
@output_option
@reports_errors
def command(policy: str, to: Path, sign_key_file: Path | None, output: str) -> None:
    """Compiles a policy into a bundle: one file that loads in milliseconds and is named as policy.

    The bundle holds all that the document resolved: included IAM policies and packs, settings, and
    its variables as they are now. What these took from the environment is printed, and where the
    bundle is loaded the same variables must not say otherwise. A bundle as POLICY is signed anew.

    Reads the bundle back before it replaces one that is there.
    """
    if not is_bundle_name(to.name):
        fail(f"`{to}` does not end in `{SUFFIX}`, by which a bundle is known: `{to.stem}{SUFFIX}`")
    document = open_policy(policy, environ=os.environ)
    check_bundle(document)  # nobody signs what says one thing and does another
    resolve_settings(
        {},
        {},
        document.settings,
        document_source=document.source,
        line_by_name=document.settings_line_by_name,
    )
    content = bundle_bytes(document, _signer(sign_key_file))
    write_whole(to, content, check=lambda path: _check(path, document))
    found = _summary(to, document, len(content))
    if output == "json":
        print_json(found)
    else:
        _print_text(found)


def _signer(key_file: Path | None) -> Any:
    """What signs the bundle; None: nothing does."""
    if key_file is None:
        return None
    from dynaguard.audit.signing import Signer

    return Signer(key_file)


def _check(path: Path, document: PolicyDocument) -> None:
    """Ends the command where a bundle does not give the document back, statement by statement."""
    found = load_bundle(path, environ={})
    check_bundle(found)
    if found != document:
        fail(
            f"the bundle of `{document.source}` does not give the document back, so it was not "
            "written; that is a fault of dynaguard, please report it"
        )


def _summary(to: Path, document: PolicyDocument, size: int) -> dict[str, Any]:
    """What was made.

    Returns:
        **Shape**: `bundle`, `bytes`, `sha256`, `key_id` (or None), `statements`, `masks`,
        `budgets`, `variables` (environment variable to the values taken from it or in its stead).
    """
    facts = load_bundle(to, environ={}).bundle
    return {
        "bundle": str(to),
        "bytes": size,
        "sha256": facts.sha256 if facts else "",
        "key_id": facts.key_id if facts else None,
        "statements": len(document.statements),
        "masks": len(document.masks),
        "budgets": len(document.budgets),
        "variables": {name: list(taken) for name, taken in document.read_variables.items()},
    }


def _print_text(found: dict[str, Any]) -> None:
    """For people."""
    counts = [counted(found[f"{noun}s"], noun) for noun in ("statement", "mask", "budget")]
    click.echo(f"{found['bundle']}: {', '.join(counts)}, {found['bytes']} bytes")
    click.echo(f"sha256 {found['sha256']}")
    click.echo(f"signed with key {found['key_id']}" if found["key_id"] else "not signed")
    for name, taken in found["variables"].items():
        values = ", ".join(f"`{value}`" for value in taken)
        click.echo(f"compiled with {name} = {values}: where it is loaded, {name} must not differ")
