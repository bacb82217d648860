"""`acting_as()`: calls on behalf of somebody, an agent say, who may do no more than who signs."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

from dynaguard.errors import ConfigurationError
from dynaguard.scope import Scope, ScopeManager, check_name


def acting_as(name: str, groups: Iterable[str] = (), kind: str = "agent") -> ScopeManager:
    """A scope whose calls are made on behalf of somebody: an agent, a user of a service.

    The signing identity stays on every record beside the acting name. A policy sees the acting
    name as `dynaguard:ActingAs` and the groups as further groups of the principal. It only ever
    narrows: a call has to be allowed for the signing identity alone and for who acts, and a mask
    that holds for one of them holds.

    Args:
        name: Who acts.
        groups: Groups that statements, masks and `dynaguard:Group` may name.
        kind: `agent`, `user`, `service`: free text for the record.

    Returns:
        A context manager (`with`, `async with`) that gives the `Scope`, and a decorator.

    Raises:
        ConfigurationError: A name is not text or empty; `groups` is a single string.
    """
    check_name("acting name", name)
    check_name("kind", kind)
    if isinstance(groups, str):
        raise ConfigurationError(f"`groups` is the text `{groups}`, write `[{groups!r}]`")
    checked_groups = frozenset(groups)
    for group in checked_groups:
        check_name("group", group)

    def derive(scope: Scope) -> Scope:
        return replace(scope, acting_name=name, acting_kind=kind, acting_groups=checked_groups)

    return ScopeManager(derive)
