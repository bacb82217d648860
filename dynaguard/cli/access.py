"""`dynaguard access`: makes, checks and signs the stores of grants and approvals."""

from __future__ import annotations

import os
import stat
import sys
import time
from collections.abc import Callable
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

import click

from dynaguard.access.clock import StrictClock
from dynaguard.access.exporting import exported
from dynaguard.access.opening import open_store
from dynaguard.access.signed_store import SignedStore, signed_text
from dynaguard.access.sqlite_store import SqliteStore
from dynaguard.access.store import AccessStore, RecordKind
from dynaguard.access.table_layout import (
    check_table,
    cloudformation_template,
    create_table,
    terraform_configuration,
)
from dynaguard.assembly import read_configuration
from dynaguard.cli.groups import NearestGroup
from dynaguard.cli.output import (
    FINDINGS,
    counted,
    fail,
    output_option,
    print_json,
    reports_errors,
)
from dynaguard.cli.writing import write_whole
from dynaguard.errors import AccessStoreError
from dynaguard.hooks.access_clients import table_calls
from dynaguard.settings import Settings
from dynaguard.settings.locations import StoreLocation, read_store_location

_KINDS: Final[tuple[RecordKind, ...]] = ("grant", "ticket")
_OTHERS_MAY_WRITE: Final = stat.S_IWGRP | stat.S_IWOTH
_store_option = click.option("--store", help="Instead of `access_store` of the settings.")
_TEMPLATES: Final[dict[str, Callable[[str], dict[str, Any]]]] = {
    "cloudformation": cloudformation_template,
    "terraform": terraform_configuration,
}


@click.group("access", short_help="Makes, checks and signs access stores.", cls=NearestGroup)
def command() -> None:
    """Makes, checks and signs access stores: where grants, tickets and approvals are kept.

    The store is the one of the settings (`access_store`, DYNAGUARD_ACCESS_STORE) unless --store
    names another: `*.sqlite`, `*.db`, `dynamodb://TABLE` or `*.json`.
    """


@command.command("init")
@_store_option
@click.option(
    "--cloudformation",
    "template",
    flag_value="cloudformation",
    help="Only print a CloudFormation template of the table, with IAM policies.",
)
@click.option(
    "--terraform",
    "template",
    flag_value="terraform",
    help="Only print the same as Terraform JSON (`*.tf.json`).",
)
@output_option
@reports_errors
def init_command(store: str | None, template: str | None, output: str) -> None:
    """Makes the SQLite file, or the DynamoDB table with its index and TTL. Safe to repeat."""
    location, _ = _location(store)
    if template is not None:
        if location.kind != "dynamodb":
            fail(f"`{location.text}` is no table, name one: `--store dynamodb://TABLE`")
        print_json(_TEMPLATES[template](location.table))
        return
    if location.kind == "signed":
        fail(f"`{location.text}` is a signed file, make it with `dynaguard access sign`")
    if location.kind == "dynamodb":
        calls = table_calls(location.region, location.endpoint_url)
        is_new = create_table(location.table, calls)
    else:
        is_new = SqliteStore(location.path).create()
    if output == "json":
        print_json({"store": location.text, "is_new": is_new})
    else:
        click.echo(f"{location.text}: {'made' if is_new else 'is there already'}")


@command.command("status")
@_store_option
@output_option
@reports_errors
def status_command(store: str | None, output: str) -> None:
    """Shows whether the store can be used, and what lives in it. Exits 1 when it cannot be."""
    location, settings = _location(store)
    found = _look(location, settings)
    if output == "json":
        print_json(found)
    else:
        _print_status(found)
    if found["problem"] is not None or found["warnings"]:
        sys.exit(FINDINGS)


@command.command("sign", short_help="Puts living grants into a signed file.")
@_store_option
@click.option(
    "--key-file",
    required=True,
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="A file with the Ed25519 private key (PEM), see `openssl genpkey -algorithm ed25519`.",
)
@click.option(
    "--to",
    required=True,
    type=click.Path(dir_okay=False, path_type=Path),
    help="The signed file, `*.json`.",
)
@output_option
@reports_errors
def sign_command(store: str | None, key_file: Path, to: Path, output: str) -> None:
    """Puts the living grants of a store into a signed file, for places that reach no store.

    Grants with counted uses are left out: a file counts nothing. So are revoked ones. A grant that
    is revoked later lives on in the file until it ends: sign and ship the file again.
    """
    from dynaguard.audit.signing import Signer

    signer = Signer(key_file)
    found = exported(_opened(*_location(store)), StrictClock())
    now = datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    write_whole(to, signed_text(found.records, signer, signed_at=now).encode())
    if output == "json":
        print_json(
            {
                "file": str(to),
                "key_id": signer.key_id,
                "grants": len(found.records),
                "left_out": {"counted": found.counted, "revoked": found.revoked},
            }
        )
        return
    click.echo(f"{to}: {counted(len(found.records), 'grant')}, key {signer.key_id}")
    if found.counted:
        click.echo(f"left out: {counted(found.counted, 'grant')} with counted uses")


@command.command("verify")
@click.argument("file", type=click.Path(dir_okay=False, path_type=Path))
@click.option(
    "--public-key",
    required=True,
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="A file with the Ed25519 public key (PEM).",
)
@output_option
@reports_errors
def verify_command(file: Path, public_key: Path, output: str) -> None:
    """Checks that a signed file is as it was signed. Exits 1 when it is not."""
    location = StoreLocation("signed", str(file), path=str(file))
    found = _look(location, Settings(access_verify_key_file=public_key))
    if output == "json":
        print_json(found)
    else:
        _print_status(found)
    if found["problem"] is not None:
        sys.exit(FINDINGS)


def _location(store: str | None) -> tuple[StoreLocation, Settings]:
    """The store that is meant, and the settings."""
    configuration = read_configuration(None, {}, environ=os.environ, working_directory=Path.cwd())
    settings = configuration.resolved.settings
    text = settings.access_store if store is None else store
    if text is None:
        fail(
            "no access store is set, pass `--store` or set `access_store` (DYNAGUARD_ACCESS_STORE)"
        )
    try:
        return read_store_location(text), settings
    except ValueError as err:
        fail(str(err))


def _opened(location: StoreLocation, settings: Settings) -> AccessStore:
    """The store at a location."""
    if location.kind == "signed":
        return SignedStore(location.path, settings.access_verify_key_file, name=location.text)
    return open_store(location.text, make_table_calls=table_calls)


def _look(location: StoreLocation, settings: Settings) -> dict[str, Any]:
    """Whether a store can be used, and what lives in it.

    Returns:
        **Shape**: `store`, `kind`, `is_there`, `is_read_only`, `grants` and `tickets` (how many
        live), `answered_in_s`, `problem` (text or None), `warnings` (texts).
    """
    store = _opened(location, settings)
    found: dict[str, Any] = {
        "store": location.text,
        "kind": location.kind,
        "is_there": location.kind != "sqlite" or Path(location.path).exists(),
        "is_read_only": store.is_read_only,
        "problem": None,
        "warnings": _warnings(location),
    }
    began_s, now_s = time.monotonic(), time.time()
    try:
        if location.kind == "dynamodb":
            check_table(location.table, table_calls(location.region, location.endpoint_url))
        for kind in _KINDS:
            found[f"{kind}s"] = len(store.records(kind, after_epoch_s=now_s))
        found["answered_in_s"] = round(time.monotonic() - began_s, 4)
    except AccessStoreError as err:
        found["problem"] = str(err)
    finally:
        store.close()
    return found


def _warnings(location: StoreLocation) -> list[str]:
    """What a reviewer should know of a file: who else may write to it may grant."""
    if location.kind != "sqlite":
        return []
    with suppress(OSError):
        if Path(location.path).stat().st_mode & _OTHERS_MAY_WRITE:
            return ["others than its owner may write to it, and so may grant: `chmod 600` it"]
    return []


def _print_status(found: dict[str, Any]) -> None:
    """For people."""
    click.echo(f"{found['store']}: {'read only' if found['is_read_only'] else 'read and write'}")
    if found["problem"] is not None:
        click.echo(f"problem: {found['problem']}")
    elif not found["is_there"]:
        click.echo("it is not there, so nothing is granted; the first grant makes it")
    else:
        living = ", ".join(counted(found[f"{kind}s"], kind) for kind in _KINDS)
        click.echo(f"alive: {living}; it answered in {found['answered_in_s']} s")
    for warning in found["warnings"]:
        click.echo(f"warning: {warning}")
