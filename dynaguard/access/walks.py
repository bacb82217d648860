"""The walk of a paginator: what was claimed for its first page holds for those that follow.

`hooks/` opens a walk around each fetch of a page; a page is fetched by one thread at a time.
"""

from __future__ import annotations

from contextvars import ContextVar
from typing import Any, Final

current_walk: Final[ContextVar[dict[str, Any] | None]] = ContextVar("dynaguard_walk", default=None)
"""What the walk has claimed, by id; None outside of one."""
