"""`dynaguard grants`: what may be done for a while on top of the policy."""

from __future__ import annotations

import json
import os
import sys
import time
from collections.abc import Iterable, Mapping
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from dynaguard.access.clock import iso_utc
from dynaguard.access.granting import list_grants, show_grant, state_of
from dynaguard.access.grants import Grant
from dynaguard.assembly import read_configuration
from dynaguard.cli.durations import end, instant
from dynaguard.cli.groups import NearestGroup
from dynaguard.cli.output import FINDINGS, fail, output_option, print_json, reports_errors
from dynaguard.hooks.granting import grant, opened_store, revoke_grant
from dynaguard.policy.advice import one_line
from dynaguard.policy.collecting import hint
from dynaguard.policy.durations import duration_text

if TYPE_CHECKING:
    from dynaguard.access.store import AccessStore

_store_option = click.option("--store", help="Instead of `access_store` of the settings.")
_FILES = (".sqlite", ".db")
_SHORTEST_PREFIX = "grant-xxxx"
_WHOLE = "grant-xxxx-xxxx-xxxx-xxxx"
_INSTANTS = ("created", "not_before", "expires", "revoked")


@click.group("grants", short_help="Makes, lists, shows and revokes grants.", cls=NearestGroup)
def command() -> None:
    """Makes, lists, shows and revokes grants: time-limited exceptions from the policy.

    The store is the one of the settings (`access_store`, DYNAGUARD_ACCESS_STORE) unless `--store`
    names another. Times are UTC.
    """


@command.command("create")
@click.option("--identity", help="For whom: an ARN pattern, `group:NAME` or a label.")
@click.option("--reason", help="Why; stands in every record.")
@click.option("--action", "actions", multiple=True, help="An action; may be given several times.")
@click.option("--resource", "resources", multiple=True, help="An ARN pattern; likewise.")
@click.option("--statements", help="Allow statements as JSON, or `@FILE`, instead.")
@click.option(
    "--expires",
    type=end,
    metavar="DURATION|INSTANT",
    help="How long (`15m`, `2h`) or until when (ISO 8601).",
)
@click.option(
    "--not-before",
    type=instant,
    metavar="INSTANT",
    help="When it begins (ISO 8601).  [default: now]",
)
@click.option("--uses", type=int, help="How many calls it is good for.  [default: any number]")
@click.option("--acting-as", metavar="NAME", help="For who acts by this name, an agent say.")
@click.option("--owner", help="Who answers for it.  [default: identity, or the user]")
@click.option("--break-glass", is_flag=True, help="An emergency: at most 1 h, told everywhere.")
@_store_option
@output_option
@reports_errors
def create(
    identity: str | None,
    reason: str | None,
    actions: tuple[str, ...],
    resources: tuple[str, ...],
    statements: str | None,
    expires: float | datetime | None,
    not_before: datetime | None,
    uses: int | None,
    acting_as: str | None,
    owner: str | None,
    break_glass: bool,
    store: str | None,
    output: str,
) -> None:
    """Opens something for somebody for a while.

    Without `--expires` and `--reason` nothing is opened:

      dynaguard grants create --identity etl --expires 15m --reason INC-1 --statements @scan.json

    A Deny of the policy still holds.
    """
    if break_glass:
        click.echo(
            "BREAK-GLASS: nobody approves this. It is told as a warning now and when it is used, "
            "and marked in every record.",
            err=True,
        )
    _warn_of_unknown_group(identity or "")
    made = grant(
        identity=identity or "",
        reason=reason or "",
        statements=_read(statements),
        actions=actions,
        resources=resources,
        expires_in=None if isinstance(expires, datetime) else expires,
        expires=expires if isinstance(expires, datetime) else None,
        not_before=not_before,
        acting_as=acting_as,
        uses=uses,
        break_glass=break_glass,
        owner=owner,
        store=store,
    )
    if output == "json":
        print_json(as_json(made, time.time()))
    else:
        _print(["opened:", *describe(made, time.time())])
        _print([f"take it back with: dynaguard grants revoke {made.id} --reason ..."])


@command.command("list")
@click.option("--all", "include_ended", is_flag=True, help="Those that are over, too.")
@_store_option
@output_option
@reports_errors
def list_(include_ended: bool, store: str | None, output: str) -> None:
    """Lists grants that are in force or to begin, what ends first first.

    Exits 1 when the store holds documents that are no grants; those open nothing.
    """
    now_s = time.time()
    with opened_store(store) as (opened, _):
        found = list_grants(opened, now_epoch_s=now_s, include_ended=include_ended)
        name = opened.name
    if output == "json":
        print_json(
            {
                "store": name,
                "grants": [as_json(each, now_s) for each in found.grants],
                "unreadable": found.unreadable,
            }
        )
    elif not found.grants:
        is_missing = name.endswith(_FILES) and not Path(name).exists()
        _print([f"no grants in {name}" + (", there is no such file yet" if is_missing else "")])
    else:
        _print(line for each in found.grants for line in summary(each, now_s))
    for why in found.unreadable.values():
        click.echo(f"warning: {why}", err=True)
    if found.unreadable:
        sys.exit(FINDINGS)


@command.command("show", short_help="Shows one grant.")
@click.argument("id")
@_store_option
@output_option
@reports_errors
def show(id: str, store: str | None, output: str) -> None:
    """Shows one grant: what it opens, for whom, until when, who made it and why.

    ID may be the beginning of one.
    """
    with opened_store(store) as (opened, _):
        found = show_grant(opened, _full_id(opened, id))
    if output == "json":
        print_json(as_json(found, time.time()))
    else:
        _print(describe(found, time.time()))


@command.command("revoke")
@click.argument("id")
@click.option("--reason", help="Why.")
@click.option("--by", help="Who takes it back.  [default: identity, or the user]")
@_store_option
@output_option
@reports_errors
def revoke(id: str, reason: str | None, by: str | None, store: str | None, output: str) -> None:
    """Takes a grant back, for good.

    Processes that use it see this within about two seconds. ID may be the beginning of one.
    """
    with opened_store(store) as (opened, _):
        named = _full_id(opened, id)
    found = revoke_grant(named, reason or "", by=by, store=store)
    if output == "json":
        print_json(as_json(found, time.time()))
    else:
        _print(["closed:", *describe(found, time.time())])


def _warn_of_unknown_group(identity: str) -> None:
    """A group that the policy found here has not: the grant is made, and may open nothing.

    The process that it is for may have another policy, so this is no error.
    """
    kind, _, name = identity.partition(":")
    if kind != "group":
        return
    here = read_configuration(None, {}, environ=os.environ, working_directory=Path.cwd())
    if here.document is not None and name not in here.document.groups:
        near = hint(name, here.document.groups)
        click.echo(f"warning: the policy found here has no group `{name}`{near}", err=True)


def _full_id(store: AccessStore, text: str) -> str:
    """The id of the one grant whose id begins with a text; else the text, as it is.

    Nothing is listed for an id that is given in full.
    """
    if not len(_SHORTEST_PREFIX) <= len(text) < len(_WHOLE):
        return text
    listed = list_grants(store, now_epoch_s=time.time(), include_ended=True).grants
    near = [each.id for each in listed if each.id.startswith(text)]
    if len(near) > 1:
        fail(f"`{text}` is the beginning of {len(near)} grants, write more of it")
    return near[0] if near else text


def as_json(grant: Grant, now_epoch_s: float) -> dict[str, Any]:
    """**Shape**: the grant's attributes, instants in ISO 8601 without `_epoch_s`, `state`."""
    found = grant.as_dict()
    for name in _INSTANTS:
        epoch_s = found.pop(f"{name}_epoch_s")
        found[name] = None if epoch_s is None else iso_utc(epoch_s)
    return {"state": state_of(grant, now_epoch_s), **found}


def summary(grant: Grant, now_epoch_s: float) -> list[str]:
    """What a grant is, in two lines."""
    left = "any number of calls"
    if grant.uses is not None:
        left = f"{grant.uses_left} of {grant.uses} calls left"
    loud = "BREAK-GLASS, " if grant.is_break_glass else ""
    state = state_of(grant, now_epoch_s)
    return [
        f"{grant.id}  {loud}{state}, until {iso_utc(grant.expires_epoch_s)}, {left}",
        f"    {'; '.join(_opened(grant))}, for {_for_whom(grant)} ({grant.owner}: {grant.reason})",
    ]


def describe(grant: Grant, now_epoch_s: float) -> list[str]:
    """What a grant is, a line for each thing."""
    lasts = duration_text(round(grant.expires_epoch_s - grant.not_before_epoch_s))
    uses = "any number of calls"
    if grant.uses is not None:
        uses = f"{grant.uses_left} of {grant.uses} calls left"
    lines = [
        f"  {grant.id}: {state_of(grant, now_epoch_s)}",
        *(["  BREAK-GLASS: nobody approved it"] if grant.is_break_glass else []),
        f"  for    {_for_whom(grant)}",
        *(f"  opens  {each}" for each in _opened(grant)),
        f"  from   {iso_utc(grant.not_before_epoch_s)}",
        f"  until  {iso_utc(grant.expires_epoch_s)} ({lasts})",
        f"  uses   {uses}",
        f"  owner  {grant.owner}",
        f"  reason {grant.reason}",
    ]
    if grant.ticket is not None:
        lines.append(f"  ticket {grant.ticket}")
    if grant.revoked_epoch_s is not None:
        when = iso_utc(grant.revoked_epoch_s)
        lines.append(f"  revoked {when} by {grant.revoked_by}: {grant.revoked_why}")
    return lines


def _for_whom(grant: Grant) -> str:
    """Whom it is for."""
    if grant.acting_as is None:
        return grant.identity
    return f"{grant.acting_as}, acting as {grant.identity}"


def _opened(grant: Grant) -> list[str]:
    """What each statement opens."""
    return [_statement_text(each) for each in json.loads(grant.statements)]


def _statement_text(statement: Mapping[str, Any]) -> str:
    """A statement on one line."""
    actions, resources = (_joined(statement[name]) for name in ("Action", "Resource"))
    condition = statement.get("Condition")
    when = f" if {json.dumps(condition)}" if condition else ""
    return f"{actions} on {resources}{when}"


def _joined(value: str | list[str]) -> str:
    """One text, or several."""
    return value if isinstance(value, str) else ", ".join(value)


def _print(lines: Iterable[str]) -> None:
    """Lines, without characters that steer terminals, whoever wrote them."""
    for line in lines:
        click.echo(one_line(line))


def _read(text: str | None) -> str | None:
    """The statements; `@FILE` reads them from a file."""
    if text is None or not text.startswith("@"):
        return text
    try:
        return Path(text[1:]).read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as err:
        fail(f"`{text[1:]}` cannot be read ({getattr(err, 'strerror', 'not UTF-8')})")
