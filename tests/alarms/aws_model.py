"""Validates parameters against botocore's model of an operation: types, lengths, patterns, enums.

botocore itself checks types and minimal lengths alone; what AWS would refuse beyond that stands in
the model and is checked here.
"""

from __future__ import annotations

import functools
import re
from collections.abc import Iterator
from typing import Any

import botocore.session


def faults(service: str, operation: str, params: dict[str, Any]) -> list[str]:
    """What AWS would refuse; empty when nothing."""
    return list(_faults(_input_shape(service, operation), params, operation))


@functools.cache
def _input_shape(service: str, operation: str) -> Any:
    """Reading a model takes a while."""
    model = botocore.session.Session().get_service_model(service)
    return model.operation_model(operation).input_shape


def _faults(shape: Any, value: Any, path: str) -> Iterator[str]:
    check = {
        "structure": _structure_faults,
        "list": _list_faults,
        "map": _map_faults,
        "string": _text_faults,
        "boolean": _no_faults,
    }.get(shape.type_name, _size_faults)
    yield from check(shape, value, path)


def _structure_faults(shape: Any, value: Any, path: str) -> Iterator[str]:
    for name in set(shape.required_members) - set(value):
        yield f"{path}: {name} is missing"
    for name, member in value.items():
        if name not in shape.members:
            yield f"{path}: {name} is unknown"
        else:
            yield from _faults(shape.members[name], member, f"{path}.{name}")


def _list_faults(shape: Any, value: Any, path: str) -> Iterator[str]:
    yield from _size_faults(shape, len(value), path)
    for at, member in enumerate(value):
        yield from _faults(shape.member, member, f"{path}[{at}]")


def _map_faults(shape: Any, value: Any, path: str) -> Iterator[str]:
    yield from _size_faults(shape, len(value), path)
    for key, member in value.items():
        yield from _faults(shape.key, key, f"{path} key")
        yield from _faults(shape.value, member, f"{path}[{key}]")


def _no_faults(_shape: Any, _value: Any, _path: str) -> Iterator[str]:
    yield from ()


def _text_faults(shape: Any, value: Any, path: str) -> Iterator[str]:
    if not isinstance(value, str):
        yield f"{path}: {value!r} is no text"
        return
    yield from _size_faults(shape, len(value), path)
    if getattr(shape, "enum", None) and value not in shape.enum:
        yield f"{path}: {value} is none of {shape.enum}"
    pattern = shape.metadata.get("pattern")
    if pattern and not re.fullmatch(pattern, value):
        yield f"{path}: {value} does not match {pattern}"


def _size_faults(shape: Any, size: float, path: str) -> Iterator[str]:
    least, most = shape.metadata.get("min"), shape.metadata.get("max")
    if (least is not None and size < least) or (most is not None and size > most):
        yield f"{path}: {size} is not within {least} and {most}"
