"""moto's server as a process of its own: a script that `endpoint` starts.

It prints its port, serves on loopback, and ends when its standard input does: a demo that is
killed outright leaves no server behind. It imports nothing of dynaguard.
"""

from __future__ import annotations

import sys
import threading
from typing import Any, Final

MISSING_EXTRA: Final = 3
"""The exit code where moto's server is not installed."""


def main() -> int:
    """Serves until standard input ends; gives the exit code."""
    try:
        from moto.moto_server.werkzeug_app import DomainDispatcherApplication, create_backend_app
        from werkzeug.serving import WSGIRequestHandler, make_server
    except ImportError as err:
        sys.stderr.write(f"{err}\n")
        return MISSING_EXTRA

    class QuietHandler(WSGIRequestHandler):
        """Prints no line for each request."""

        def log(self, *_args: Any) -> None:
            pass

    application = DomainDispatcherApplication(create_backend_app)
    server = make_server("127.0.0.1", 0, application, threaded=True, request_handler=QuietHandler)
    threading.Thread(target=_stop_with_parent, args=(server,), daemon=True).start()
    sys.stdout.write(f"{server.server_port}\n")
    sys.stdout.flush()
    server.serve_forever(poll_interval=0.05)  # its end waits for one poll
    return 0


def _stop_with_parent(server: Any) -> None:
    """Waits for the end of standard input, which is the end of the demo."""
    sys.stdin.read()
    server.shutdown()


if __name__ == "__main__":
    sys.exit(main())
