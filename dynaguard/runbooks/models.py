"""What AWS's own models say of an operation: its parameters, pages, and what botocore adds.

Through botocore's public interfaces alone.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from functools import cache
from typing import Any, Final

from botocore.exceptions import DataNotFoundError
from botocore.session import Session, get_session

_ADDED_BY_BOTOCORE: Final[Mapping[str, frozenset[str]]] = {
    "s3": frozenset({"ChecksumAlgorithm", "ChecksumMode", "EncodingType"})
}
"""Members that botocore fills in itself, by service."""


@cache
def _session() -> Session:
    """A session that knows models and nothing of credentials."""
    return get_session()


def services() -> tuple[str, ...]:
    """Names of all services that the installed botocore knows."""
    return tuple(_session().get_available_services())


@cache
def operations(service: str) -> tuple[str, ...]:
    """Names of a service's operations."""
    return tuple(_session().get_service_model(service).operation_names)


@cache
def operation_model(service: str, operation: str) -> Any:
    """botocore's model of an operation. Effects: reads the service's model, once."""
    return _session().get_service_model(service).operation_model(operation)


@cache
def paging_members(service: str, operation: str) -> tuple[str, ...]:
    """Parameters that name the next page; empty where an operation has no pages."""
    try:
        paginator = _session().get_paginator_model(service).get_paginator(operation)
    except (ValueError, DataNotFoundError):
        return ()
    tokens = paginator["input_token"]
    return tuple(tokens) if isinstance(tokens, list) else (tokens,)


@cache
def added_members(service: str, operation: str) -> tuple[str, ...]:
    """Parameters that botocore adds: tokens against doing a thing twice, and the like."""
    shape = operation_model(service, operation).input_shape
    if shape is None:
        return ()
    added = _ADDED_BY_BOTOCORE.get(service, frozenset())
    return tuple(
        name
        for name, member in shape.members.items()
        if name in added or "idempotencyToken" in member.metadata
    )


@cache
def input_members(service: str, operation: str) -> tuple[str, ...]:
    """Parameters of an operation."""
    shape = operation_model(service, operation).input_shape
    return () if shape is None else tuple(shape.members)


@cache
def answer_members(service: str, operation: str) -> tuple[str, ...]:
    """Members of an operation's answer."""
    shape = operation_model(service, operation).output_shape
    return () if shape is None else (*shape.members, "ResponseMetadata")


def members_named(value: Any, names: frozenset[str]) -> Iterator[Any]:
    """Every value of such a name in nested parameters."""
    if isinstance(value, Mapping):
        for name, each in value.items():
            if name in names:
                yield each
            yield from members_named(each, names)
    elif isinstance(value, list | tuple):
        for each in value:
            yield from members_named(each, names)
