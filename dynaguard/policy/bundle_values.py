"""The values of a document as JSON, and back: everything but its statements.

A value is written by its fields, without those that have their default. Reading is strict about
names and types: what is not understood is `Unfit`, and never guessed. Whether numbers and patterns
make sense was checked when the bundle was compiled.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping
from typing import Any, Final

from dynaguard.call import StatementRef
from dynaguard.policy.model import (
    ApprovalTerms,
    BudgetStatement,
    CapacityLimit,
    KeySchema,
    MaskStatement,
    MaskStep,
    NamePattern,
    PrincipalPattern,
    RunbookPin,
    TableSchema,
    Threshold,
)
from dynaguard.scope import Priority

Reader = Callable[[Any], Any]
"""Gives the value that JSON stands for, or raises `Unfit`."""


class Unfit(ValueError):
    """JSON that stands for no value; says what was expected."""


def plain(value: Any) -> Any:
    """A value as JSON has it; fields with their default are left out."""
    write = _WRITERS.get(type(value))
    if write is not None:
        return write(value)
    if dataclasses.is_dataclass(value):
        return plain_fields(value)
    if isinstance(value, Mapping):
        return {key: plain(each) for key, each in value.items()}
    if isinstance(value, tuple | list):
        return [plain(each) for each in value]
    return value


_WRITERS: Final[Mapping[type, Callable[[Any], Any]]] = {
    StatementRef: lambda value: [value.sid, value.source, value.line],
    PrincipalPattern: lambda value: [value.kind, value.value],
    NamePattern: lambda value: {"like": value.text},
    MaskStep: lambda value: {"step": value.value},
    frozenset: sorted,
}


def plain_fields(value: Any, without: frozenset[str] = frozenset()) -> dict[str, Any]:
    """The fields of a value that differ from their default."""
    found = {}
    for field in dataclasses.fields(value):
        given = getattr(value, field.name)
        if field.name not in without and not _is_default(field, given):
            found[field.name] = plain(given)
    return found


def _is_default(field: dataclasses.Field[Any], value: Any) -> bool:
    """Whether a field has its default."""
    if field.default_factory is not dataclasses.MISSING:
        return bool(value == field.default_factory())
    return bool(value == field.default)


# --- readers ----------------------------------------------------------------------------------


def text(value: Any) -> str:
    """A text."""
    if not isinstance(value, str):
        raise Unfit("must be text")
    return value


def flag(value: Any) -> bool:
    """A boolean."""
    if not isinstance(value, bool):
        raise Unfit("must be `true` or `false`")
    return value


def whole(value: Any) -> int:
    """A whole number."""
    if not isinstance(value, int) or isinstance(value, bool):
        raise Unfit("must be a whole number")
    return value


def number(value: Any) -> float:
    """A number."""
    if not isinstance(value, int | float) or isinstance(value, bool):
        raise Unfit("must be a number")
    return value


def anything(value: Any) -> Any:
    """JSON as it is: `[settings]`, which are read by whoever reads settings."""
    return value


def optional(read: Reader) -> Reader:
    """The value, or None."""
    return lambda value: None if value is None else read(value)


def choice(*choices: str) -> Reader:
    """One of some texts."""

    def read(value: Any) -> str:
        if value not in choices or not isinstance(value, str):
            raise Unfit(f"must be one of {', '.join(choices)}")
        return value

    return read


def listed(read: Reader) -> Reader:
    """A list, as a tuple."""

    def read_all(value: Any) -> tuple[Any, ...]:
        if not isinstance(value, list):
            raise Unfit("must be a list")
        return tuple([read(each) for each in value])

    return read_all


def mapped(read: Reader) -> Reader:
    """An object with values of one kind."""

    def read_all(value: Any) -> dict[str, Any]:
        if not isinstance(value, dict):
            raise Unfit("must be an object")
        return {key: read(each) for key, each in value.items()}

    return read_all


def fields_of(value: Any, readers: Mapping[str, Reader]) -> dict[str, Any]:
    """The fields of an object, each by its reader; a field without one is `Unfit`."""
    if not isinstance(value, dict):
        raise Unfit("must be an object")
    found = {}
    for key, each in value.items():
        read = readers.get(key)
        if read is None:
            raise Unfit(f"`{key}` is not known")
        try:
            found[key] = read(each)
        except Unfit as err:
            raise Unfit(f"`{key}` {err}") from None
    return found


def record(kind: Callable[..., Any], **readers: Reader) -> Reader:
    """A value by its fields."""

    def read(value: Any) -> Any:
        found = fields_of(value, readers)
        try:
            return kind(**found)
        except TypeError:
            raise Unfit("lacks a field that it needs") from None

    return read


def principal(value: Any) -> PrincipalPattern:
    """`[kind, value]`."""
    pair = texts(value)
    if len(pair) != 2 or pair[0] not in ("group", "arn", "account"):
        raise Unfit("names no identity")
    return PrincipalPattern(*pair)


def ref(value: Any) -> StatementRef:
    """`[sid, source, line]`."""
    if not isinstance(value, list) or len(value) != 3:
        raise Unfit("must be sid, source and line")
    return StatementRef(text(value[0]), text(value[1]), whole(value[2]))


def step(value: Any) -> Any:
    """A step of a mask's path: a name, a position, `{"like": ...}` or `{"step": ...}`."""
    if isinstance(value, str) or (isinstance(value, int) and not isinstance(value, bool)):
        return value
    if isinstance(value, dict) and len(value) == 1:
        if "like" in value:
            return NamePattern(text(value["like"]))
        if value.get("step") in ("[*]", "**"):
            return MaskStep(value["step"])
    raise Unfit("is no step of a path")


def _priority(value: Any) -> Priority:
    """A class of calls."""
    return Priority(choice(*Priority)(value))


texts: Final = listed(text)
principals: Final = listed(principal)
_number: Final = optional(number)
_whole: Final = optional(whole)
_principals: Final = optional(principals)
threshold: Final = record(
    Threshold,
    window_s=number,
    calls=_whole,
    items=_whole,
    read_units=_number,
    write_units=_number,
)
terms: Final = record(
    ApprovalTerms,
    quorum=whole,
    any_of=texts,
    all_of=texts,
    threshold=optional(threshold),
    timeout_s=number,
    duration_s=number,
    uses=_whole,
)
key_schema: Final = record(KeySchema, attributes=texts, partition_key_count=whole)
table: Final = record(TableSchema, key=key_schema, indexes=mapped(key_schema))
runbook: Final = record(
    RunbookPin, name=text, sha256=text, principals=_principals, approval=optional(terms)
)
mask: Final = record(
    MaskStatement,
    ref=ref,
    tables=texts,
    attributes=listed(listed(step)),
    strategy=text,
    unless=_principals,
    only=_principals,
    keep=whole,
    operations=texts,
    detectors=texts,
    unseal=_principals,
    services=texts,
    except_services=texts,
)
budget: Final = record(
    BudgetStatement,
    ref=ref,
    jobs=texts,
    tables=texts,
    priority=optional(_priority),
    retry_ratio=_number,
    max_tokens=_number,
    min_retries_per_s=_number,
    max_attempts=_whole,
    max_wait_s=_number,
    capacity_units_per_s=_number,
    max_share=number,
    repeats_ambiguous_writes=flag,
    is_measuring=flag,
    is_observed=flag,
)
limit: Final = record(
    CapacityLimit,
    ref=ref,
    jobs=texts,
    tables=texts,
    read_units=_number,
    write_units=_number,
    soft=number,
    is_observed=flag,
)
HEADER_READERS: Final[Mapping[str, Reader]] = {
    "default": choice("allow", "deny"),
    "govern": optional(lambda value: frozenset(texts(value))),
    "groups": mapped(texts),
    "owners": mapped(principals),
    "tables": mapped(table),
    "masks": listed(mask),
    "detectors": mapped(text),
    "budgets": listed(budget),
    "capacity_limits": listed(limit),
    "runbooks": mapped(runbook),
    "has_standing_access": flag,
    "access_requests": optional(terms),
    "context": mapped(texts),
    "environment": optional(text),
    "read_variables": mapped(texts),
    "settings": mapped(anything),
    "settings_line_by_name": mapped(whole),
    "ignored_findings": lambda value: frozenset(texts(value)),
    "version": optional(text),
    "source": text,
    "digest": text,
}
"""The fields of `PolicyDocument` that stand in a bundle's header."""
