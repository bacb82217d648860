"""Context managers as decorators: each call of the function runs in a context of its own."""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable
from contextlib import AbstractContextManager
from typing import Any, TypeVar, cast

from dynaguard.errors import ConfigurationError

_FunctionT = TypeVar("_FunctionT", bound=Callable[..., Any])


def run_within(
    enter: Callable[[], AbstractContextManager[Any]], function: _FunctionT, what: str
) -> _FunctionT:
    """A function, plain or coroutine, each call of which runs in a context of its own.

    Args:
        enter: Gives the context of a call.
        function: The function.
        what: Names the context and how to enter it otherwise, for the error.

    Raises:
        ConfigurationError: It is a generator function, whose body runs outside of the call.
    """
    if inspect.isgeneratorfunction(function) or inspect.isasyncgenfunction(function):
        name = getattr(function, "__name__", type(function).__name__)
        raise ConfigurationError(
            f"`{name}` is a generator function and cannot be decorated with {what} inside it with "
            "`with` instead"
        )
    if inspect.iscoroutinefunction(function):

        @functools.wraps(function)
        async def async_wrapper(*args: Any, **kwargs: Any) -> Any:
            with enter():
                return await function(*args, **kwargs)

        return cast(_FunctionT, async_wrapper)

    @functools.wraps(function)
    def wrapper(*args: Any, **kwargs: Any) -> Any:
        with enter():
            return function(*args, **kwargs)

    return cast(_FunctionT, wrapper)
