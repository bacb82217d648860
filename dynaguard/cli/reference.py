"""The reference page of the command line, from click's own objects."""

from __future__ import annotations

import re
from collections.abc import Iterator
from inspect import cleandoc

import click

from dynaguard.cli.commands import cli


def commands_markdown() -> str:
    """Every command with its arguments and options, as Markdown."""
    context = click.Context(cli, info_name="dynaguard")
    return "\n".join(
        line
        for name in cli.list_commands(context)
        for line in _command(name, cli.get_command(context, name), context)
    )


def _command(name: str, command: click.Command | None, parent: click.Context) -> Iterator[str]:
    """One command: usage, what it does, its options."""
    if command is None:
        return
    context = click.Context(command, parent=parent, info_name=name)
    usage = " ".join(command.collect_usage_pieces(context))
    if isinstance(command, click.Group):
        yield f"## dynaguard {name}\n\n{_text(command.help or '')}\n"
        for each in command.list_commands(context):
            yield from _command(f"{name} {each}", command.get_command(context, each), parent)
        return
    yield f"## dynaguard {name}\n"
    yield f"```console\n$ dynaguard {name} {usage}\n```\n"
    yield f"{_text(command.help or '')}\n"
    yield "| option | takes | default | meaning |\n|---|---|---|---|"
    for option in command.params:
        if isinstance(option, click.Option):
            yield _row(option, context)
    yield "| `-h`, `--help` | | | Shows the help and exits. |\n"


def _row(option: click.Option, context: click.Context) -> str:
    """One option."""
    names = ", ".join(f"`{name}`" for name in option.opts)
    takes = "" if option.is_flag else f"`{option.make_metavar(context)}`"
    default = f"`{option.default}`" if option.show_default else ""
    meaning = re.sub(r"(?<!`)(--[a-z-]+)", r"`\1`", option.help or "")
    return f"| {names} | {takes.replace('|', chr(92) + '|')} | {default} | {meaning} |"


def _text(text: str) -> str:
    """Help as Markdown: an indented line becomes a code block."""
    paragraphs = []
    for paragraph in cleandoc(text.replace("\b", "")).split("\n\n"):
        lines = paragraph.strip("\n")
        if lines.startswith("  "):
            paragraphs.append(f"```console\n$ {lines.strip()}\n```")
        else:
            paragraphs.append(lines.strip())
    return "\n\n".join(paragraphs)
