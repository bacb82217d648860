"""Groups of commands: imported when they are asked for, and helpful about a name that is none."""

from __future__ import annotations

from collections.abc import Mapping
from importlib import import_module
from typing import Any

import click

from dynaguard.policy.collecting import hint


class NearestGroup(click.Group):
    """Names the nearest command where there is none of that name."""

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """The command that the arguments begin with.

        Raises:
            click.UsageError: There is none.
        """
        name = args[0]
        if not ctx.resilient_parsing and self.get_command(ctx, name) is None:
            near = hint(name, self.list_commands(ctx))
            if near:
                ctx.fail(f"there is no command `{name}`{near}")
        return super().resolve_command(ctx, args)


class LazyGroup(NearestGroup):
    """Imports a command's module when the command is named or listed.

    Args:
        module_by_command: Where the `command` of each name is.
    """

    def __init__(self, *args: Any, module_by_command: Mapping[str, str], **more: Any) -> None:
        super().__init__(*args, **more)
        self._module_by_command = module_by_command

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Names of all commands."""
        return sorted(self._module_by_command)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """The command of that name, or None."""
        module = self._module_by_command.get(cmd_name)
        if module is None:
            return None
        command: click.Command = import_module(module).command
        return command
