"""Which page of a paginator a call asks for, for `dynaguard:PageNumber`.

The number is set while a page is being fetched and taken back before the caller gets it, so that
calls which the caller makes between two pages are on no page.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextvars import ContextVar
from typing import TYPE_CHECKING, Any

from dynaguard.access.walks import current_walk

if TYPE_CHECKING:
    from dynaguard.hooks.patching import Patch

current_page: ContextVar[int | None] = ContextVar("dynaguard_page", default=None)


def iterate_pages(wrapped: Callable[..., Iterator[Any]], patch: Patch) -> Callable[..., Any]:
    """Makes what stands in place of `PageIterator.__iter__`: the same pages, counted from 1."""

    def iterate(pages: Any, /) -> Iterator[Any]:
        inner = iter(wrapped(pages))
        number = 0
        walk: dict[str, Any] = {}
        while True:
            number += 1
            token = current_page.set(number if patch.is_active else None)
            walk_token = current_walk.set(walk)
            try:
                page = next(inner)
            except StopIteration:
                return
            finally:
                current_walk.reset(walk_token)
                current_page.reset(token)
            yield page

    return iterate
