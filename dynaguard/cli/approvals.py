"""`dynaguard approvals`: what waits for somebody's approval, and deciding about it."""

from __future__ import annotations

import json
import sys
import time
from pathlib import Path
from typing import Any, Final

import click
from rich.text import Text

from dynaguard.access.clock import iso_utc
from dynaguard.access.tickets import Ticket, TicketState, told, who_may_decide
from dynaguard.cli.groups import NearestGroup
from dynaguard.cli.output import (
    FINDINGS,
    console,
    output_option,
    print_json,
    reports_errors,
    table,
)
from dynaguard.errors import TicketError
from dynaguard.hooks.ticket_desk import TicketDesk, open_desk
from dynaguard.policy.advice import one_line
from dynaguard.policy.durations import duration_text

_SHORTEST_PREFIX: Final = len("ticket-xxxx")
_store_option = click.option("--store", help="Instead of `access_store` of the settings.")
_reason_option = click.option("--reason", required=True, help="Why; stands in every record.")
_yes_option = click.option("--yes", is_flag=True, help="Ask nothing; for automation.")


@click.group(
    "approvals", short_help="Lists tickets, and approves or denies them.", cls=NearestGroup
)
def command() -> None:
    """Lists, shows and decides what waits for somebody's approval.

    Who decides is whom the credentials name (`sts:GetCallerIdentity`); without any,
    DYNAGUARD_IDENTITY. In which groups that is, says the policy of this machine. Times are UTC.

    Exit codes: 0 done, 1 not approved, 2 refused or unusable input.
    """


@command.command("list")
@click.option("--all", "with_ended", is_flag=True, help="Those that are over, too.")
@_store_option
@output_option
@reports_errors
def list_(with_ended: bool, store: str | None, output: str) -> None:
    """Lists what is open or approved, oldest first.

    Exits 1 when the store holds documents that are no tickets; those approve nothing.
    """
    with open_desk(store) as desk:
        now_s = desk.book.clock.for_end_s()
        tickets, problems = desk.book.listing(with_ended=with_ended)
        shown = [each for each in tickets if with_ended or each.state_at(now_s) in _CURRENT]
    if output == "json":
        print_json({"tickets": [as_json(each, now_s) for each in shown]})
    elif shown:
        _print_list(shown, now_s)
    else:
        console().print("nothing waits for an approval")
    for problem in problems:
        click.echo(f"warning: {problem}", err=True)
    if problems:
        sys.exit(FINDINGS)


@command.command("show", short_help="Shows one ticket.")
@click.argument("ticket")
@_store_option
@output_option
@reports_errors
def show(ticket: str, store: str | None, output: str) -> None:
    """Shows one ticket: what is asked, by whom, who may approve, what was decided.

    TICKET is its id, or the beginning of it. Values of the request are never shown.

    Exits 1 unless it is approved.
    """
    with open_desk(store) as desk:
        found, now_s = _named(desk, ticket), desk.book.clock.for_end_s()
    _show(found, now_s, output)
    if found.state_at(now_s) not in (TicketState.APPROVED, TicketState.USED_UP):
        sys.exit(FINDINGS)


@command.command("approve")
@click.argument("ticket")
@_reason_option
@_yes_option
@_store_option
@output_option
@reports_errors
def approve(ticket: str, reason: str, yes: bool, store: str | None, output: str) -> None:
    """Approves a ticket, in the name of whom the credentials name.

    Nobody approves what they asked for. Exits 1 while further people have to approve.
    """
    state = _decide(ticket, reason, store, output, is_approval=True, is_sure=yes)
    if state is not TicketState.APPROVED:
        sys.exit(FINDINGS)


@command.command("deny", short_help="Denies a ticket: that ends it.")
@click.argument("ticket")
@_reason_option
@_yes_option
@_store_option
@output_option
@reports_errors
def deny(ticket: str, reason: str, yes: bool, store: str | None, output: str) -> None:
    """Denies a ticket: one denial ends it, and the same call is refused until its time is up."""
    _decide(ticket, reason, store, output, is_approval=False, is_sure=yes)


@command.command("cancel", short_help="Takes back a ticket or an approval.")
@click.argument("ticket")
@_reason_option
@_store_option
@output_option
@reports_errors
def cancel(ticket: str, reason: str, store: str | None, output: str) -> None:
    """Takes back a ticket, or an approval: who asked for it, or who may decide it."""
    with open_desk(store) as desk:
        found = _named(desk, ticket)
        deciding = desk.deciding()
        cancelled = deciding.cancel(found.id, desk.decider(), why=reason)
        _show(cancelled, desk.book.clock.for_end_s(), output)


@command.command("watch")
@click.option("--exec", "program", metavar="COMMAND", help="Run for each; gets its id and state.")
@click.option("--every", default=2.0, show_default=True, metavar="SECONDS")
@click.option("--for", "for_s", type=float, metavar="SECONDS", help="Ends after so long.")
@_store_option
@output_option
@reports_errors
def watch(
    program: str | None, every: float, for_s: float | None, store: str | None, output: str
) -> None:
    """Follows tickets: a line for each that opens, is decided or expires. Ends with Ctrl-C.

    COMMAND is run without a shell, the ticket's id and state as its last arguments; what it does
    changes nothing here.
    """
    from dynaguard.cli.ticket_watching import follow, run_program

    with open_desk(store) as desk:
        until_s = None if for_s is None else time.monotonic() + for_s
        for ticket, now_s in follow(desk.book, every_s=every, until_s=until_s):
            if output == "json":
                click.echo(json.dumps(as_json(ticket, now_s)))  # one line each, to be piped
            else:
                console().print(_plain(f"{ticket.id} {_line(ticket, now_s)}"))
            if program is not None:
                run_program(program, ticket.id, ticket.state_at(now_s).value)


@command.command("serve")
@click.option(
    "--config",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    required=True,
    help="The file of webhooks: secrets, people.",
)
@click.option("--host", default="127.0.0.1", show_default=True)
@click.option("--port", default=8477, show_default=True)
@_store_option
@reports_errors
def serve(config: Path, host: str, port: int, store: str | None) -> None:
    """Takes signed decisions over HTTP: Slack's buttons, or JSON. Listens on loopback.

    Put TLS and what faces the internet in front of it. Ends with Ctrl-C.
    """
    from dynaguard.access.webhook_config import read_webhooks
    from dynaguard.access.webhook_server import make_server

    webhooks = read_webhooks(config)
    with open_desk(store) as desk:
        server = make_server(desk.deciding(), webhooks, desk.document, (host, port))
        click.echo(f"decisions are taken on http://{host}:{server.server_port}", err=True)
        try:
            server.serve_forever()
        except KeyboardInterrupt:
            pass
        finally:
            server.server_close()


def as_json(ticket: Ticket, now_s: float) -> dict[str, Any]:
    """A ticket for programs; instants in ISO 8601."""
    approved_s = ticket.approved_epoch_s
    return {
        "id": ticket.id,
        "kind": ticket.kind,
        "state": ticket.state_at(now_s).value,
        "requester": ticket.requester.as_dict(),
        "reason": ticket.reason,
        "summary": ticket.summary.as_dict(),
        "subject_sha256": ticket.subject_sha256,
        "who_may_decide": who_may_decide(ticket.terms),
        "demands": [each.statement for each in ticket.terms.demands],
        "created": iso_utc(ticket.created_epoch_s),
        "open_until": iso_utc(ticket.open_until_epoch_s),
        "approved": None if approved_s is None else iso_utc(approved_s),
        "approved_until": None if approved_s is None else iso_utc(ticket.end_epoch_s),
        "uses_left": ticket.uses_left,
        "decisions": [
            {
                "by": str(each.person),
                "arn": each.person.arn,
                "groups": list(each.groups),
                "verdict": "approve" if each.is_approval else "deny",
                "reason": each.why,
                "at": iso_utc(each.decided_epoch_s),
                "channel": each.channel,
            }
            for each in ticket.decisions
        ],
        "outcome": told(ticket, now_s),
    }


def _decide(
    ticket: str, reason: str, store: str | None, output: str, *, is_approval: bool, is_sure: bool
) -> TicketState:
    """Decides in the name of who runs this; where it stands then."""
    with open_desk(store) as desk:
        found, now_s = _named(desk, ticket), desk.book.clock.for_end_s()
        decider = desk.decider()
        if not is_sure and sys.stdin.isatty() and output == "text":
            _show(found, now_s, output)
            verb = "approve" if is_approval else "deny"
            click.confirm(f"{verb} this as {decider.person}?", abort=True)
        decided = desk.deciding().decide(
            found.id, decider, is_approval=is_approval, why=reason, channel="cli"
        )
        now_s = desk.book.clock.for_end_s()
        if output == "json":
            print_json(as_json(decided, now_s))
        else:
            console().print(one_line(f"ticket {decided.id} {told(decided, now_s)}"), markup=False)
        return decided.state_at(now_s)


def _named(desk: TicketDesk, text: str) -> Ticket:
    """The ticket that a text names, in full or by its beginning.

    Raises:
        TicketError: There is none, or several.
    """
    found = desk.book.find(text)
    if found is not None:
        return found
    near = [each for each in desk.book.tickets(with_ended=True) if each.id.startswith(text)]
    if len(near) == 1 and len(text) >= _SHORTEST_PREFIX:
        return near[0]
    if near:
        raise TicketError(f"`{text}` is the beginning of {len(near)} tickets, write more of it")
    raise TicketError(f"there is no ticket `{text}` in `{desk.book.store.name}`")


def _show(ticket: Ticket, now_s: float, output: str) -> None:
    """One ticket, for people or programs."""
    if output == "json":
        print_json(as_json(ticket, now_s))
        return
    rows = table("ticket", ticket.id)

    def row(name: str, text: str) -> None:
        rows.add_row(_plain(name), _plain(text))

    row("asks for", ticket.summary.title)
    row("by", str(ticket.requester))
    if ticket.requester.arn:
        row("", ticket.requester.arn)
    row("why", ticket.reason or "-")
    for action, resource in ticket.summary.resources:
        row(action, resource)
    for name, text in ticket.summary.facts:
        row(f"  {name}", text)
    row("required by", ", ".join(each.statement for each in ticket.terms.demands))
    row("to approve it", who_may_decide(ticket.terms))
    row("good for", _good_for(ticket))
    row("sha256", ticket.subject_sha256)
    for each in ticket.decisions:
        verdict = "approved" if each.is_approval else "denied"
        when = iso_utc(each.decided_epoch_s)
        row(verdict, f"{each.person} at {when} by {each.channel}: {each.why}")
    row("state", f"it {told(ticket, now_s)}")
    console().print(rows)


def _print_list(tickets: list[Ticket], now_s: float) -> None:
    """Tickets, two lines each: ids stay whole however narrow the terminal is."""
    out = console()
    for each in tickets:
        state = each.state_at(now_s).value
        out.print(_plain(f"{each.id}  {state} until {iso_utc(each.end_epoch_s)}"))
        out.print(_plain(f"    {each.summary.title}, asked by {each.requester}"))


def _plain(text: str) -> Text:
    """A cell: no markup, no characters that steer terminals, whoever wrote it."""
    return Text(one_line(text))


def _line(ticket: Ticket, now_s: float) -> str:
    """One ticket on one line."""
    asked = f"({ticket.summary.title}, asked by {ticket.requester})"
    return one_line(f"{asked} {told(ticket, now_s)}")


def _good_for(ticket: Ticket) -> str:
    """What an approval of a ticket gives."""
    uses = ticket.terms.uses
    count = "any number of times" if uses is None else "once" if uses == 1 else f"{uses} times"
    return f"{count}, {duration_text(ticket.terms.duration_s)} from the approval"


_CURRENT: Final = frozenset({TicketState.PENDING, TicketState.APPROVED})
