"""Follows the tickets of a store: each as it opens, and whenever something happens to it."""

from __future__ import annotations

import shlex
import subprocess
import time
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Final

import click

from dynaguard.access.tickets import Ticket, TicketState
from dynaguard.errors import AccessStoreError

if TYPE_CHECKING:
    from dynaguard.access.ticket_book import TicketBook

_PROGRAM_TIMEOUT_S: Final = 60.0


def follow(
    book: TicketBook,
    *,
    every_s: float,
    until_s: float | None = None,
    monotonic: Callable[[], float] = time.monotonic,
    sleep: Callable[[float], None] = time.sleep,
) -> Iterator[tuple[Ticket, float]]:
    """Tickets as they change, with the time of the look; those that are open, first.

    A store that cannot be read is told of once and asked again.

    Args:
        book: The tickets.
        every_s: Seconds between two looks.
        until_s: Clock reading at which it ends; None: never.
        monotonic: The clock.
        sleep: Waits some seconds.
    """
    known: dict[str, tuple[TicketState, int]] = {}
    is_first, is_lost = True, False
    while until_s is None or monotonic() < until_s:
        now_s = book.clock.for_end_s()
        try:
            found, is_lost = book.tickets(with_ended=True), False
        except AccessStoreError as err:
            if not is_lost:
                click.echo(f"warning: {err}", err=True)
            found, is_lost = [], True
        for ticket in found:
            state = ticket.state_at(now_s)
            look = state, len(ticket.decisions)
            is_news = known.get(ticket.id) != look
            known[ticket.id] = look
            if is_news and not (is_first and state is not TicketState.PENDING):
                yield ticket, now_s
        is_first = is_first and is_lost
        sleep(every_s)


def run_program(program: str, ticket_id: str, state: str) -> None:
    """Runs what a person named for each ticket; its failure is told and changes nothing."""
    command = [*shlex.split(program), ticket_id, state]
    try:
        subprocess.run(command, timeout=_PROGRAM_TIMEOUT_S, check=True)
    except (OSError, subprocess.SubprocessError) as err:
        click.echo(f"warning: `{command[0]}` failed ({type(err).__name__})", err=True)
