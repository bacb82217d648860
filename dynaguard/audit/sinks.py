"""Where lines go, and which sink a target names."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Final, Literal, Protocol

from dynaguard.errors import ConfigurationError
from dynaguard.values import dataclass

RECHECK_AFTER_S: Final = 1.0
"""How long a file that was removed or replaced may go unnoticed where records may be lost."""
REMOTE_SCHEMES: Final = ("s3://", "firehose://")

Fsync = Literal["never", "interval", "always"]
Ship = Callable[[Sequence[bytes]], None]
"""Sends lines in order, all of them or none; raises where they may not have arrived."""


class UnsureError(OSError):
    """A line may have been written, or not."""


class AuditSink(Protocol):
    """Takes lines."""

    def write(self, line: bytes) -> None:
        """Takes one line that ends in a newline, whole.

        Raises:
            UnsureError: Nobody knows whether it did.
            OSError: It surely does not.
        """
        ...

    def close(self) -> None:
        """Gives back what is held; a line that comes later is still written, if it can be."""
        ...


@dataclass(frozen=True, slots=True)
class SinkOptions:
    """How a sink is to behave.

    Attributes:
        is_required: Whether no line may be lost.
        fsync: When a file's lines are made to outlive the machine: `never` (the system decides),
            at an `interval` of a second, `always`.
        max_bytes: Size at which a file is put aside and a new one begun; None: never.
        service: Name of the service, or None.
        monotonic: A clock in seconds.
        time_ns: A clock in nanoseconds since the epoch.
        ship: Gives what sends batches to a remote target; None: there is nobody to do that.
    """

    is_required: bool
    fsync: Fsync
    max_bytes: int | None
    service: str | None
    monotonic: Callable[[], float]
    time_ns: Callable[[], int]
    ship: Callable[[str], Ship] | None = None


class Batch:
    """Lines that are sent together.

    Args:
        ship: Sends them.
    """

    def __init__(self, ship: Ship) -> None:
        self._ship = ship
        self._lines: list[bytes] = []

    def write(self, line: bytes) -> None:
        """Adds a line."""
        self._lines.append(line)

    def flush(self) -> None:
        """Sends what was added; whatever comes of it, the next batch is empty."""
        lines, self._lines = self._lines, []
        if lines:
            self._ship(lines)

    def close(self) -> None:
        """Sends what was added."""
        self.flush()


def open_sink(target: str, options: SinkOptions, writer_id: Callable[[], str]) -> AuditSink:
    """The sink that a target names.

    Args:
        target: `stdout`, the path of a file whose folder exists, a folder (one that exists, or a
            path that ends in a slash), `s3://BUCKET/PREFIX` or `firehose://STREAM`.
        options: How it is to behave.
        writer_id: Gives the id of the writer at that moment, for the names of files.

    Raises:
        OSError: The file or folder cannot be opened.
        ConfigurationError: The target cannot be what is required.
    """
    from dynaguard.audit.files import FileSink, FolderSink
    from dynaguard.audit.streams import StdoutSink

    if target.startswith(REMOTE_SCHEMES):
        return Batch(_shipper(target, options))
    if target == "stdout":
        return StdoutSink()

    def open_file(path: Path) -> FileSink:
        return FileSink(
            str(path),
            recheck_after_s=0.0 if options.is_required else RECHECK_AFTER_S,
            monotonic=options.monotonic,
            fsync=options.fsync,
            max_bytes=options.max_bytes,
            time_ns=options.time_ns,
        )

    if target.endswith("/") or Path(target).is_dir():
        return FolderSink(
            Path(target),
            service=options.service,
            writer_id=writer_id,
            time_ns=options.time_ns,
            open_file=open_file,
        )
    return open_file(Path(target))


def _shipper(target: str, options: SinkOptions) -> Ship:
    """What sends to a remote target."""
    if options.is_required:
        raise ConfigurationError(
            f"`audit_mode` is `required` and `audit` is `{target}`, where a record arrives only "
            "after the call: write to a file, a folder or `stdout`, and ship that"
        )
    if options.ship is None:
        raise ConfigurationError(f"`audit` is `{target}`, and nothing here can send to it")
    return options.ship(target)
