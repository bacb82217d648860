"""The part of a scope that no setting of its own tells, as text for a subprocess.

Who acts, the task, and the boundaries: compact JSON in one variable, readable, so that an operator
sees what a process was given. INVARIANT: text that is not fully understood gives no scope; a
process that cannot read what bounds it must not start.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from dataclasses import fields, replace
from typing import Any, Final

from dynaguard.boundary import Boundary
from dynaguard.errors import ConfigurationError
from dynaguard.scope import Scope
from dynaguard.values import dataclass

MAX_SCOPE_CHARACTERS: Final = 32_000
"""What every system takes in one variable (Windows: 32,767)."""
_VERSION: Final = 1
_KINDS: Final = ("runbook", "agent", "task")
_TEXTS: Final = ("name", "task", "runbook_sha256", "subject_sha256", "ticket")
_DOCUMENTS: Final = ("statements", "templates")
_COUNTS: Final = ("max_items", "max_pages")
_NUMBERS: Final = ("expires_epoch_s", "read_units", "write_units")
_KNOWN: Final = frozenset(field.name for field in fields(Boundary))


class Unreadable(ValueError):
    """Text that is no scope; says where, never what stands there."""


@dataclass(frozen=True, slots=True)
class CarriedScope:
    """What a process was started with.

    Attributes:
        acting_name: Who acts, or None.
        acting_kind: Its kind.
        acting_groups: Its groups.
        task: Id of the task, or None.
        boundaries: What its calls may do at most.
    """

    acting_name: str | None = None
    acting_kind: str | None = None
    acting_groups: frozenset[str] = frozenset()
    task: str | None = None
    boundaries: tuple[Boundary, ...] = ()

    def within(self, scope: Scope) -> Scope:
        """The scope of a process that has `scope` by its other settings."""
        return replace(
            scope,
            acting_name=self.acting_name,
            acting_kind=self.acting_kind,
            acting_groups=self.acting_groups,
            task=self.task,
            boundaries=self.boundaries,
        )


def scope_text(scope: Scope) -> str | None:
    """The text of what a scope carries; None where that is nothing.

    Raises:
        ConfigurationError: It is longer than a variable may be; names the largest boundary.
    """
    if scope.acting_name is None and scope.task is None and not scope.boundaries:
        return None
    carried: dict[str, Any] = {"v": _VERSION}
    if scope.task is not None:
        carried["task"] = scope.task
    if scope.acting_name is not None:
        carried["acting"] = {
            "name": scope.acting_name,
            "kind": scope.acting_kind,
            "groups": sorted(scope.acting_groups),
        }
    carried["boundaries"] = [boundary.as_dict() for boundary in scope.boundaries]
    text = json.dumps(carried, separators=(",", ":"))
    if len(text) > MAX_SCOPE_CHARACTERS:
        largest = max(scope.boundaries, key=lambda each: len(json.dumps(each.as_dict())))
        raise ConfigurationError(
            f"the scope has {len(text)} characters as text, a subprocess takes "
            f"{MAX_SCOPE_CHARACTERS}; the largest boundary is {largest.kind} `{largest.name}`"
        )
    return text


def read_scope_text(text: str) -> CarriedScope:
    """The scope that `scope_text` wrote.

    Raises:
        Unreadable: It is not fully understood; tells where, never what stands there.
    """
    if len(text) > MAX_SCOPE_CHARACTERS:
        raise Unreadable(f"it has {len(text)} characters, at most {MAX_SCOPE_CHARACTERS} are read")
    try:
        carried = json.loads(text)
    except (RecursionError, ValueError):
        raise Unreadable("it is no JSON, only `dynaguard.scope_environ()` writes it") from None
    if not isinstance(carried, dict) or carried.get("v") != _VERSION:
        raise Unreadable(
            f"it is no scope of version {_VERSION}, it was written by another version"
        )
    _only(carried, {"v", "task", "acting", "boundaries"}, "it")
    acting = carried.get("acting", {})
    boundaries = carried.get("boundaries")
    if not isinstance(acting, dict) or not isinstance(boundaries, list):
        raise Unreadable("`acting` must be an object, `boundaries` a list")
    _only(acting, {"name", "kind", "groups"}, "`acting`")
    groups = acting.get("groups", [])
    if not isinstance(groups, list):
        raise Unreadable("`acting.groups` must be a list")
    return CarriedScope(
        acting_name=_text(acting.get("name"), "acting.name") if acting else None,
        acting_kind=_text(acting.get("kind"), "acting.kind") if acting else None,
        acting_groups=frozenset(_text(group, "acting.groups") for group in groups),
        task=_text(carried["task"], "task") if "task" in carried else None,
        boundaries=tuple(_boundary(each, place) for place, each in enumerate(boundaries)),
    )


def _boundary(data: Any, place: int) -> Boundary:
    """One boundary, each attribute checked: a wrong type must not mean "no limit"."""
    where = f"boundaries[{place}]"
    if not isinstance(data, dict):
        raise Unreadable(f"`{where}` must be an object")
    _only(data, _KNOWN, f"`{where}`")
    if data.get("kind") not in _KINDS:
        raise Unreadable(f"`{where}.kind` is none of {', '.join(_KINDS)}")
    for name in _TEXTS:
        if name in data or name in ("name", "task"):
            _text(data.get(name), f"{where}.{name}")
    for name in _DOCUMENTS:
        if name in data:
            _document(data[name], f"{where}.{name}")
    for name in (*_COUNTS, *_NUMBERS):
        if name in data:
            _number(data[name], f"{where}.{name}", is_whole=name in _COUNTS)
    return Boundary.from_dict(data)


def _only(data: Mapping[str, Any], known: frozenset[str] | set[str], where: str) -> None:
    """Refuses what is not known: it might be a limit of a newer version."""
    unknown = sorted(set(data) - known)
    if unknown:
        raise Unreadable(f"{where} has {len(unknown)} parts that are not known")


def _text(value: Any, where: str) -> str:
    """A name."""
    if not isinstance(value, str) or not value:
        raise Unreadable(f"`{where}` must be text")
    return value


def _document(value: Any, where: str) -> None:
    """JSON text of a list."""
    try:
        is_list = isinstance(json.loads(_text(value, where)), list)
    except (RecursionError, json.JSONDecodeError):
        is_list = False
    if not is_list:
        raise Unreadable(f"`{where}` must be JSON text of a list")


def _number(value: Any, where: str, *, is_whole: bool) -> None:
    """A finite number, 0 or more."""
    kinds = int if is_whole else int | float
    if isinstance(value, bool) or not isinstance(value, kinds):
        raise Unreadable(f"`{where}` must be a number")
    if not 0 <= value < math.inf:
        raise Unreadable(f"`{where}` must be 0 or more")
