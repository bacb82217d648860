"""Groups whose commands are imported when they are asked for: `dynaguard --help` stays quick."""

from __future__ import annotations

from collections.abc import Mapping
from importlib import import_module
from typing import Any, ClassVar

import click


class LazyGroup(click.Group):
    """Imports a command's module when the command is named or listed.

    Attributes:
        module_by_command: Where each command is; the module calls it `command`.
    """

    module_by_command: ClassVar[Mapping[str, str]] = {}

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Names of all commands."""
        return sorted(self.module_by_command)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """The command of that name, or None."""
        module = self.module_by_command.get(cmd_name)
        if module is None:
            return None
        command: click.Command = import_module(module).command
        return command


def lazy(package: str, *commands: str) -> type[LazyGroup]:
    """A group of the commands of a package, each in the module of its name (`-` as `_`)."""
    modules = {name: f"{package}.{name.replace('-', '_')}" for name in commands}
    namespace: dict[str, Any] = {"module_by_command": modules}
    return type("LazyGroup", (LazyGroup,), namespace)
