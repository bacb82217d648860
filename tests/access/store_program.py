"""What other processes do with an access store, so that they can race, fork and be killed.

`python -m tests.access.store_program WHAT LOCATION ARGUMENTS`
"""

from __future__ import annotations

import ctypes
import os
import resource
import signal
import sys
import threading
import time

from dynaguard.access.opening import open_store
from dynaguard.access.store import AccessStore, StoredRecord
from dynaguard.errors import AccessStoreError
from tests.access.store_contract import END_S, count_up, grant


def say(text: str) -> None:
    """Tells a line to whoever started the process."""
    os.write(1, f"{text}\n".encode())


def opened(location: str) -> AccessStore:
    """The store at a location, as `install()` opens it."""
    from dynaguard.hooks.access_clients import table_calls

    return open_store(location, make_table_calls=table_calls)


def count(location: str, times: str) -> None:
    """Adds to one number, as often as asked."""
    count_up(opened(location), int(times))


def stream(location: str, name: str) -> None:
    """Adds and changes records for ever; each that was acknowledged is told by a line."""
    store = opened(location)
    number = 0
    while True:
        number += 1
        record = StoredRecord("grant", f"{name}-{number}", 1, body_of(name, number, 1), END_S)
        if not store.add(record):
            raise SystemExit("an id was taken")
        os.write(1, f"{record.id} 1\n".encode())
        if not store.replace(record.changed(body_of(name, number, 2), END_S)):
            raise SystemExit("a version was taken")
        os.write(1, f"{record.id} 2\n".encode())


def body_of(name: str, number: int, version: int) -> str:
    """A body that tells by itself whether it is whole; some are longer than a page."""
    return f'["{name}",{number},{version},"{"x" * (number % 7) * 1000}"]'


def forks(location: str, children: str, times: str) -> None:
    """Counts in threads while children are forked that count too; tells how many there were."""
    store = opened(location)
    store.get("grant", "g-1")
    threads = [threading.Thread(target=count_up, args=(store, int(times))) for _ in range(2)]
    for thread in threads:
        thread.start()
    pids = []
    for _ in range(int(children)):
        pid = os.fork()
        if pid == 0:
            code = 1
            try:
                count_up(store, int(times))
                code = 0
            finally:
                os._exit(code)
        pids.append(pid)
        time.sleep(0.01)
    codes = {os.waitpid(pid, 0)[1] for pid in pids}
    for thread in threads:
        thread.join()
    say(f"{len(pids) + len(threads)} {codes}")


def forked_close(location: str) -> None:
    """A child writes while its parent closes the store; tells how many were acknowledged."""
    store = opened(location)
    store.add(grant("g-parent"))
    (is_open, tell_open), (is_closed, tell_closed) = os.pipe(), os.pipe()
    pid = os.fork()
    if pid == 0:
        added = [store.add(grant("c-0"))]
        os.write(tell_open, b"x")
        os.read(is_closed, 1)
        added += [store.add(grant(f"c-{number}")) for number in range(1, 50)]
        say(str(sum(added)))
        os._exit(0)
    os.read(is_open, 1)
    store.get("grant", "g-parent")
    store.close()
    os.write(tell_closed, b"x")
    os.waitpid(pid, 0)


def bare_fork(location: str) -> None:
    """Forks by the C library, of which Python is not told, while the store is open."""
    store = opened(location)
    store.get("grant", "g-1")
    pid = ctypes.CDLL(None).fork()
    if pid == 0:
        for use in (lambda: store.get("grant", "g-1"), lambda: store.add(grant("g-2"))):
            try:
                use()
            except AccessStoreError as err:
                say(str(err))
        os._exit(0)
    os.waitpid(pid, 0)


def fill(location: str, max_bytes: str) -> None:
    """Writes until no file may grow any more; tells how many were acknowledged, and the error."""
    signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    store = opened(location)
    store.add(grant("g-0"))
    resource.setrlimit(resource.RLIMIT_FSIZE, (int(max_bytes), resource.RLIM_INFINITY))
    number = 0
    try:
        while True:
            store.add(grant(f"g-{number + 1}", body="x" * 20_000))
            number += 1
    except AccessStoreError as err:
        say(f"{number} {err}")


def unprivileged(location: str) -> None:
    """Reads and writes as somebody else, and tells what comes of it."""
    import dynaguard.access.sqlite_store  # noqa: F401 - somebody else may not see the library

    if os.getuid() == 0:
        os.setuid(65534)
    store = opened(location)
    for use in (lambda: store.get("grant", "g-1"), lambda: store.add(grant("g-2"))):
        try:
            say(str(use()))
        except AccessStoreError as err:
            say(str(err))
    os._exit(0)  # what others do at the end of a process is not permitted either


def add_one(location: str, id_: str) -> None:
    """Adds one record."""
    if not opened(location).add(grant(id_)):
        raise SystemExit("an id was taken")


if __name__ == "__main__":
    globals()[sys.argv[1]](*sys.argv[2:])
