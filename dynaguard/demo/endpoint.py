"""The endpoint that the demo calls: an embedded one for its own time, or the user's."""

from __future__ import annotations

import contextlib
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Final

from dynaguard.demo.server import MISSING_EXTRA
from dynaguard.errors import DynaguardError, MissingExtraError

START_TIMEOUT_S: Final = 30.0
_STOP_TIMEOUT_S: Final = 5.0
_SERVER: Final = Path(__file__).with_name("server.py")


@dataclass(frozen=True, slots=True)
class Endpoint:
    """An AWS endpoint that answers.

    Attributes:
        url: Such as `http://127.0.0.1:40123`.
        is_embedded: Whether the demo started it and ends it.
        pid: Its process, where it is embedded.
        start_s: How long it took to start, in seconds; 0.0 where it was there already.
    """

    url: str
    is_embedded: bool = False
    pid: int | None = None
    start_s: float = 0.0


@contextlib.contextmanager
def embedded_endpoint() -> Iterator[Endpoint]:
    """Runs moto's server on a free port of loopback until the block ends.

    Raises:
        MissingExtraError: moto's server is not installed.
        DynaguardError: It did not start within `START_TIMEOUT_S`.

    Effects: starts one process and ends it, by its own handle, however the block ends. Where this
    process is killed, the server's standard input ends and so does the server.
    """
    started_s = time.monotonic()
    # -P: a `moto.py` in the user's working directory is not ours to run
    command = [sys.executable, "-P", "-W", "ignore", str(_SERVER)]
    with tempfile.TemporaryFile() as errors:
        process = subprocess.Popen(
            command,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=errors,
            # Ctrl-C ends the demo, and the demo ends the server, in this order
            start_new_session=True,
        )
        try:
            port = _read_port(process, errors)
            url = f"http://127.0.0.1:{port}"
            yield Endpoint(url, True, process.pid, time.monotonic() - started_s)
        finally:
            _stop(process)


def _read_port(process: subprocess.Popen[bytes], errors: IO[bytes]) -> int:
    """The port that the server prints once it listens."""
    timer = threading.Timer(START_TIMEOUT_S, process.kill)
    timer.start()
    try:
        line = process.stdout.readline() if process.stdout else b""
    finally:
        timer.cancel()
    if line.strip().isdigit():
        return int(line)
    if process.wait(_STOP_TIMEOUT_S) == MISSING_EXTRA:
        raise MissingExtraError("an embedded endpoint", "demo")
    raise DynaguardError(f"the demo's embedded endpoint did not start{_last_line(errors)}")


def _last_line(errors: IO[bytes]) -> str:
    """` (what it said last)`, or nothing."""
    errors.seek(0)
    lines = errors.read().decode(errors="replace").split("\n")
    last = next((line.strip() for line in reversed(lines) if line.strip()), "")
    return f" ({last})" if last else ""


def _stop(process: subprocess.Popen[bytes]) -> None:
    """Ends the server: asks by the end of its input, waits, insists."""
    try:
        process.communicate(timeout=_STOP_TIMEOUT_S)
    except subprocess.TimeoutExpired:
        process.kill()
        process.communicate()
