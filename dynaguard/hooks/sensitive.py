"""Which members of a service's answers and requests AWS's own models mark sensitive.

botocore carries the marks of the Smithy trait `@sensitive`; `_SECRET_NAMES` are members that hold
a secret in every service that has them and that are not marked.

Source: Smithy 2.0 specification, `sensitive` trait; AWS General Reference, temporary security
credentials (a session token is as secret as the key beside it).
"""

from __future__ import annotations

import io
from collections.abc import AsyncIterator, Callable, Iterator
from inspect import iscoroutinefunction
from typing import Any, Final, Self

from botocore.eventstream import EventStream
from botocore.model import ListShape, MapShape, OperationModel, Shape, StructureShape
from botocore.response import StreamingBody

from dynaguard.masking.secrets import Members, SensitiveModel

_SECRET_NAMES: Final = frozenset(
    {
        "accesstoken",
        "authorizationtoken",
        "idtoken",
        "masteruserpassword",
        "refreshtoken",
        "secretaccesskey",
        "sessiontoken",
    }
)
_MAX_MODELS: Final = 512

_model_by_operation: dict[tuple[str, str], SensitiveModel] = {}


def sensitive_model(operation: OperationModel) -> SensitiveModel:
    """The sensitive members of an operation; read from the model once."""
    key = (operation.service_model.service_name, operation.name)
    found = _model_by_operation.get(key)
    if found is None:
        answer = _Reading().members(operation.output_shape)
        for shape in operation.error_shapes:
            # botocore merges the members of a modelled error into the answer.
            answer.by_name.update(_Reading().members(shape).by_name)
        found = SensitiveModel(answer, _Reading().members(operation.input_shape), stand_in)
        if len(_model_by_operation) >= _MAX_MODELS:
            _model_by_operation.clear()
        _model_by_operation[key] = found
    return found


class _Reading:
    """Reads one shape and all below it. A shape may contain itself: it is read once."""

    def __init__(self) -> None:
        self._members_by_shape: dict[str, Members] = {}
        self._holds_by_shape: dict[str, bool] = {}

    def members(self, shape: Shape | None) -> Members:
        """What is sensitive of a value of that shape."""
        if shape is None:
            return Members()
        if _is_sensitive(shape):
            return Members(is_sensitive=True)
        known = self._members_by_shape.get(shape.name)
        if known is not None:
            return known
        members = self._members_by_shape[shape.name] = Members()
        for name, part in _parts(shape):
            if name is not None and _is_secret_name(name, part):
                members.by_name[name] = Members(is_sensitive=True)
            elif self._holds(part, frozenset()):
                below = self.members(part)
                if name is None:
                    members.each = below
                else:
                    members.by_name[name] = below
        return members

    def _holds(self, shape: Shape, outer: frozenset[str]) -> bool:
        """Whether anything sensitive is in a shape, at any depth."""
        if _is_sensitive(shape):
            return True
        if shape.name in outer:
            return False
        known = self._holds_by_shape.get(shape.name)
        if known is None:
            within = outer | {shape.name}
            known = any(
                (name is not None and _is_secret_name(name, part)) or self._holds(part, within)
                for name, part in _parts(shape)
            )
            # Beneath a shape that contains itself a `no` holds for this way in alone.
            if known or not outer:
                self._holds_by_shape[shape.name] = known
        return known


def _parts(shape: Shape) -> Iterator[tuple[str | None, Shape]]:
    """Members by name; the one shape of elements or values under no name."""
    if isinstance(shape, StructureShape):
        yield from shape.members.items()
    elif isinstance(shape, ListShape):
        yield None, shape.member
    elif isinstance(shape, MapShape):
        yield None, shape.value


def _is_sensitive(shape: Shape) -> bool:
    return bool(shape.metadata.get("sensitive"))


def _is_secret_name(name: str, shape: Shape) -> bool:
    return shape.type_name in {"string", "blob"} and name.lower() in _SECRET_NAMES


class MaskedEvents:
    """An event stream whose events are masked as they come."""

    def __init__(self, stream: Any, mask: Callable[[Any], Any]) -> None:
        self._stream = stream
        self._mask = mask

    def __iter__(self) -> Iterator[Any]:
        """Each event, masked."""
        return map(self._mask, self._stream)

    async def __aiter__(self) -> AsyncIterator[Any]:
        """The same, of an asynchronous client."""
        async for event in self._stream:
            yield self._mask(event)

    def close(self) -> None:
        """Closes the connection."""
        self._stream.close()


class _AsyncBody:
    """The body of an asynchronous client's answer, which is a token."""

    def __init__(self, data: bytes) -> None:
        self._body = io.BytesIO(data)

    async def read(self, amount: int | None = -1) -> bytes:
        """As aiobotocore's own."""
        return self._body.read(amount)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Nothing is open."""


def stand_in(value: Any, token: str, mask: Callable[[Any], Any] | None) -> Any:
    """What stands for a value that is no plain data.

    Args:
        value: A streaming body or an event stream; anything else becomes the token.
        token: What the caller may see.
        mask: Masks one event, for event streams.

    Effects: closes a body, unread.
    """
    if mask is not None and isinstance(value, EventStream):
        return MaskedEvents(value, mask)
    if hasattr(value, "read"):
        value.close()
        data = token.encode()
        if iscoroutinefunction(value.read):
            return _AsyncBody(data)
        return StreamingBody(io.BytesIO(data), len(data))
    return token
