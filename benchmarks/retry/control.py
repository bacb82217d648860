"""The harness's hold on the server process: start, settings, counts, end."""

from __future__ import annotations

import json
import subprocess
import sys
import urllib.request
from types import TracebackType
from typing import Any, Final, Self

_TIMEOUT_S: Final = 10.0
# A proxy of the surroundings is none of the loopback's business.
_opener: Final = urllib.request.build_opener(urllib.request.ProxyHandler({}))


class ServerProcess:
    """A running stand-in; a context manager that ends it."""

    def __enter__(self) -> Self:
        """Starts it."""
        self._process = subprocess.Popen(
            [sys.executable, "-m", "benchmarks.retry.server"], stdout=subprocess.PIPE, text=True
        )
        assert self._process.stdout is not None
        self.endpoint = f"http://127.0.0.1:{int(self._process.stdout.readline())}"
        return self

    def __exit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        """Ends it."""
        self._process.terminate()
        try:
            self._process.wait(_TIMEOUT_S)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()

    def reset(self, settings: dict[str, Any]) -> None:
        """Starts a fresh run."""
        self._ask("/_ctl", settings)

    def stats(self) -> dict[str, Any]:
        """The counts of the run."""
        return self._ask("/_stats")

    def keys(self, table: str) -> frozenset[str]:
        """The keys that were written to a table."""
        return frozenset(self._ask(f"/_keys?table={table}&full=1")["keys"])

    def _ask(self, path: str, body: dict[str, Any] | None = None) -> dict[str, Any]:
        """One control request."""
        data = None if body is None else json.dumps(body).encode()
        request = urllib.request.Request(self.endpoint + path, data=data)  # noqa: S310
        with _opener.open(request, timeout=_TIMEOUT_S) as answer:
            found: dict[str, Any] = json.load(answer)
            return found
