"""Tells an exception that a signal handler of the application raised from one of our own.

A handler runs between any two steps of the main thread, ours too. What it raises, a time limit of
a task queue for one, is meant for the application; to swallow it with our own failures would take
the limit away.
"""

from __future__ import annotations

import signal
from collections.abc import Callable
from types import CodeType
from typing import Any


def came_from_handler(err: BaseException) -> bool:
    """Whether an exception passed through a Python signal handler. Cost: some microseconds."""
    codes = set(filter(None, map(_code_of, map(signal.getsignal, signal.valid_signals()))))
    traceback = err.__traceback__
    while traceback is not None:
        if traceback.tb_frame.f_code in codes:
            return True
        traceback = traceback.tb_next
    return False


def _code_of(handler: Callable[..., Any] | int | None) -> CodeType | None:
    """The code that a handler runs; None for the system's own ones."""
    function: Any = getattr(handler, "func", handler)  # of a partial
    function = getattr(function, "__func__", function)  # of a method
    code = getattr(function, "__code__", None)
    if code is None and callable(function):
        code = getattr(type(function).__call__, "__code__", None)
    return code if isinstance(code, CodeType) else None
