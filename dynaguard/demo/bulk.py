"""A bulk write from several threads into a table that takes less than is asked of it."""

from __future__ import annotations

import threading
import time
from collections.abc import Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextvars import copy_context
from dataclasses import dataclass
from typing import Any, Final

from botocore.exceptions import ClientError

from dynaguard.demo.data import Item
from dynaguard.demo.isolation import Connections

THREADS: Final = 4


@dataclass(frozen=True, slots=True)
class BulkRun:
    """How a bulk write went, seen from its caller.

    Attributes:
        elapsed_s: In seconds.
        error: The error that ended one of the threads early, or None.
    """

    elapsed_s: float
    error: str | None


def write_in_bulk(connections: Connections, table: str, items: Sequence[Item]) -> BulkRun:
    """Writes items as anybody would: `batch_writer()` of boto3, in `THREADS` threads.

    The threads run in copies of the caller's context, so that they belong to its job.
    """
    targets = [connections.resource().Table(table) for _ in range(THREADS)]
    stop = threading.Event()
    started_s = time.monotonic()
    with ThreadPoolExecutor(THREADS, thread_name_prefix="dynaguard-demo") as pool:
        futures = [
            pool.submit(copy_context().run, _write, target, items[index::THREADS], stop)
            for index, target in enumerate(targets)
        ]
        try:
            errors = [_error_of(future) for future in futures]
        finally:
            stop.set()  # Ctrl-C: the pool waits for its threads
    error = next(filter(None, errors), None)
    return BulkRun(time.monotonic() - started_s, error)


def _write(target: Any, items: Sequence[Item], stop: threading.Event) -> None:
    """One thread's share."""
    with target.batch_writer() as writer:
        for item in items:
            if stop.is_set():
                return
            writer.put_item(Item=item)


def _error_of(future: Future[None]) -> str | None:
    """What AWS or dynaguard refused; anything else is raised."""
    try:
        future.result()
    except ClientError as err:
        return str(err.response["Error"]["Code"])
    return None
