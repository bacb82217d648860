"""`dynaguard key-hash`: the hashes under which key statistics show keys that somebody suspects."""

from __future__ import annotations

import os
import sys

import click

from dynaguard.aws.dynamodb.values import key_text
from dynaguard.cli.output import fail, output_option, print_json, reports_errors
from dynaguard.configuration import mask_key
from dynaguard.consumption.keys import KeyHasher, readable_hash
from dynaguard.consumption.units import plain_name
from dynaguard.settings import resolve_settings


@click.command("key-hash", short_help="Prints hashes of partition keys.")
@click.argument("table")
@click.option(
    "--type",
    "kind",
    type=click.Choice(["S", "N"]),
    default="S",
    show_default=True,
    help="DynamoDB's type of the partition key.",
)
@output_option
@reports_errors
def command(table: str, kind: str, output: str) -> None:
    """Prints the hash of each partition key value on standard input, one value a line.

    For a table of that name, under the mask key of this environment (DYNAGUARD_MASK_KEY or
    DYNAGUARD_MASK_KEY_FILE): as hot keys stand in metrics and in `status()`. Values come by
    standard input so that they stay out of the shell's history. In JSON the hashes stand in the
    order of the lines.
    """
    secret = mask_key(resolve_settings({}, os.environ).settings)
    if secret is None:
        fail(
            "no mask key is set, set DYNAGUARD_MASK_KEY or DYNAGUARD_MASK_KEY_FILE to that of the "
            "processes; the hashes of a process without one are known to itself alone, through "
            "`dynaguard.key_hash()`"
        )
    hasher, hashes = KeyHasher(secret), []
    for number, line in enumerate(sys.stdin, 1):
        text = key_text({kind: line.rstrip("\n")})
        if text is None:
            fail(f"line {number} is no number of DynamoDB, write for example `17`")
        hashes.append(readable_hash(hasher.of(plain_name(table), text)))
    if output == "json":
        print_json({"table": table, "hashes": hashes})
        return
    for each in hashes:
        click.echo(each)
