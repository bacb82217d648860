"""`dynaguard status`: what this environment would install, and where each setting came from."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import Any

import botocore
import click

from dynaguard.assembly import read_configuration
from dynaguard.cli.output import (
    FINDINGS,
    console,
    counted,
    output_option,
    print_json,
    reports_errors,
    table,
)
from dynaguard.hooks.status import document_status, patch_point_states, readable_settings


@click.command("status", short_help="Shows what would be in force here.")
@click.option("--policy", type=click.Path(), help="Instead of DYNAGUARD_POLICY.")
@output_option
@reports_errors
def command(policy: str | None, output: str) -> None:
    """Shows what `install()` would put in force here, without doing it.

    Policy file with version and digest, every setting with its source, and the patch points of
    the installed botocore. Exits 1 when this botocore cannot be guarded.
    """
    found = _read(policy)
    if output == "json":
        print_json(found)
    else:
        _print_text(found)
    if any(state != "not wrapped" for state in found["patch_points"].values()):
        sys.exit(FINDINGS)


def _read(policy: str | None) -> dict[str, Any]:
    """Everything that the command shows."""
    configuration = read_configuration(
        policy, {}, environ=os.environ, working_directory=Path.cwd()
    )
    return {
        "would_install": not configuration.is_off,
        "policy": document_status(configuration.document),
        "settings": readable_settings(configuration.resolved),
        "sources": dict(configuration.resolved.source_by_name),
        "botocore_version": botocore.__version__,
        "patch_points": patch_point_states(None),
    }


def _print_text(found: dict[str, Any]) -> None:
    """For people."""
    out = console()
    policy = found["policy"]
    if policy is None:
        out.print("policy: none, so nothing would be denied")
    else:
        revision = f", revision {policy['version']}" if policy["version"] else ""
        out.print(f"policy: {policy['source']}{revision}, sha256 {policy['digest'][:16]}")
        if policy["bundle"] is not None:
            out.print(f"        {_bundle_text(policy['bundle'])}", markup=False)
        nouns = ("statement", "mask", "budget", "capacity limit")
        counts = [counted(policy[f"{noun.replace(' ', '_')}s"], noun) for noun in nouns]
        out.print(f"        {', '.join(counts)}")
    out.print()
    settings = table("setting", "value", "from")
    for name, value in found["settings"].items():
        settings.add_row(name, value, found["sources"].get(name, "default"))
    out.print(settings)
    out.print()
    out.print(f"botocore {found['botocore_version']}, patch points:")
    for label, state in found["patch_points"].items():
        out.print(f"  {label}: {'ready' if state == 'not wrapped' else state}")


def _bundle_text(bundle: dict[str, Any]) -> str:
    """The bundle that the policy came from, and who vouches for it."""
    if bundle["key_id"] is None:
        signed = "not signed"
    elif bundle["is_verified"]:
        signed = f"signed with the trusted key {bundle['key_id']}"
    else:
        signed = f"signed with key {bundle['key_id']}, which nothing checks here"
    return f"from bundle {bundle['path']}, sha256 {bundle['sha256'][:16]}, {signed}"
