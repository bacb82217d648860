"""`python -m benchmarks.audit_survival`: does the audit file survive crowds, kills and full disks?

Guarded botocore calls against stubbed HTTP, in processes of their own, all into one file. Counts,
not times: what is in the file afterwards, and whether its chains verify.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import resource
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

import dynaguard
from benchmarks.stub import GET_ITEM, make_client
from dynaguard.audit.reading import audit_files, read_lines, read_records
from dynaguard.audit.verifying import Verification, verify
from dynaguard.errors import AuditUnavailable

CALLS: Final = 100_000
PROCESSES: Final = 4
THREADS: Final = 32
KILLS: Final = 200
KILLED_THREADS: Final = 4
_LEAST_LIFE_S: Final = 0.05
_MOST_LIFE_S: Final = 0.6
_ROOM_BYTES: Final = 20_000


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs what the command line asks for; exits 1 where something is not as it should be."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.audit_survival")
    parser.add_argument("part", nargs="*", choices=[[], *_PARTS], help="default: all")
    parser.add_argument("--calls", type=int, default=CALLS)
    parser.add_argument("--kills", type=int, default=KILLS)
    parser.add_argument("--child", choices=_CHILDREN, help=argparse.SUPPRESS)
    parser.add_argument("--target", help=argparse.SUPPRESS)
    options = parser.parse_args(arguments)
    if options.child:
        _CHILDREN[options.child](options.target, options.calls)
        return 0
    failed = 0
    for part in options.part or _PARTS:
        with tempfile.TemporaryDirectory() as folder:
            row = _PARTS[part](Path(folder) / "audit.jsonl", options)
        print(json.dumps({"part": part, **row}), flush=True)
        failed += not row["is_as_promised"]
    return 1 if failed else 0


# --- the parts -----------------------------------------------------------------------------------


def _crowd(path: Path, options: argparse.Namespace) -> dict[str, Any]:
    """Many threads of several processes, one file."""
    calls = options.calls // PROCESSES
    children = [_start("crowd", path, calls) for _ in range(PROCESSES)]
    statuses = [child.wait() for child in children]
    found = _verified(path)
    ids = Counter(record["correlation_id"] for record in read_records(path))
    return {
        "processes": PROCESSES,
        "threads": THREADS,
        "calls": calls * PROCESSES,
        "whole_lines": found.record_count,
        "torn": found.torn,
        "different_ids": len(ids),
        "faults": len(found.faults),
        "unvouched": found.open_count,
        "is_as_promised": not any(statuses)
        and found.record_count == len(ids) == calls * PROCESSES
        and not (found.faults or found.torn or found.open_count),
    }


def _kills(path: Path, options: argparse.Namespace) -> dict[str, Any]:
    """Killed at random moments: only calls that were under way may be missing."""
    chance = random.Random(4711)
    missing_most = missing = acknowledged = 0
    for _ in range(options.kills):
        child = _start("killed", path, 1_000_000, stdout=subprocess.PIPE)
        assert child.stdout is not None
        child.stdout.read(1)  # it is calling
        time.sleep(chance.uniform(_LEAST_LIFE_S, _MOST_LIFE_S))
        child.send_signal(signal.SIGKILL)
        done = child.stdout.read().split()
        child.wait()
        lost = len(set(done) - _ids_of(path, child.pid))
        acknowledged += len(done)
        missing, missing_most = missing + lost, max(missing_most, lost)
    found = _verified(path)
    return {
        "kills": options.kills,
        "threads": KILLED_THREADS,
        "calls_that_had_returned": acknowledged,
        "of_those_missing": missing,
        "records": found.record_count,
        "writers": len(found.states),
        "torn": found.torn,
        "faults": len(found.faults),
        "is_as_promised": not (missing or found.faults) and found.torn <= options.kills,
    }


def _full_disk(path: Path, _: argparse.Namespace) -> dict[str, Any]:
    """A file that may not grow: `required` refuses, `best-effort` counts; both recover."""
    rows = {mode: _fill(path.with_name(f"{mode}.jsonl"), mode) for mode in _MODES}
    best, required = rows["best-effort"], rows["required"]
    return {
        **{f"{mode} {name}": value for mode, row in rows.items() for name, value in row.items()},
        "is_as_promised": best["refused"] == 0
        and best["dropped"] > 0
        # of a refused call neither the intent nor the denial can be written
        and required["dropped"] == 2 * required["refused"] > 0
        and all(row["after"] == 50 and row["faults"] == 0 for row in rows.values()),
    }


def _fill(path: Path, mode: str) -> dict[str, Any]:
    """Calls until nothing more fits, then with room again, in one process."""
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    previous = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    client = make_client()
    sent = client.get_item
    refused = after = 0
    with dynaguard.install(audit=str(path), audit_mode=mode) as guard:
        resource.setrlimit(resource.RLIMIT_FSIZE, (_ROOM_BYTES, limits[1]))
        for _ in range(200):
            try:
                sent(**GET_ITEM)
            except AuditUnavailable:
                refused += 1
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
        dropped = guard.rooms.audit.dropped_count
        for _ in range(50):
            sent(**GET_ITEM)
            after += 1
    signal.signal(signal.SIGXFSZ, previous)
    found = _verified(path)
    return {
        "calls": 250,
        "refused": refused,
        "dropped": dropped,
        "after": after,
        "lost_by_record": found.lost_count,
        "faults": len(found.faults),
    }


# --- what the children do ------------------------------------------------------------------------


def _call_from_threads(count: int, threads: int, *, tell: bool) -> None:
    """Calls from several threads; tells the id of each that returned, if asked to."""
    client = make_client()

    def run(share: int) -> None:
        for _ in range(share):
            with dynaguard.correlation() as scope:
                client.get_item(**GET_ITEM)
            if tell:
                os.write(1, f"{scope.correlation_id}\n".encode())

    shares = [count // threads + (number < count % threads) for number in range(threads)]
    workers = [threading.Thread(target=run, args=(share,)) for share in shares]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()


def _crowd_child(target: str, calls: int) -> None:
    with dynaguard.install(audit=target):
        _call_from_threads(calls, THREADS, tell=False)


def _killed_child(target: str, calls: int) -> None:
    dynaguard.install(audit=target)
    os.write(1, b"\n")
    _call_from_threads(calls, KILLED_THREADS, tell=True)


_MODES: Final = ("best-effort", "required")
_PARTS: Final = {"crowd": _crowd, "kills": _kills, "full-disk": _full_disk}
_CHILDREN: Final = {"crowd": _crowd_child, "killed": _killed_child}


def _start(child: str, path: Path, calls: int, **options: Any) -> subprocess.Popen[bytes]:
    """Another process of this module."""
    command = [sys.executable, "-m", "benchmarks.audit_survival", "--child", child]
    command += ["--target", str(path), "--calls", str(calls)]
    return subprocess.Popen(command, **options)


def _verified(path: Path) -> Verification:
    return verify(map(read_lines, audit_files(path)))


def _ids_of(path: Path, pid: int) -> set[bytes]:
    """Correlation ids of one process's records: the end of the file."""
    with path.open("rb") as file:
        file.seek(max(0, path.stat().st_size - 8_000_000))
        lines = file.read().split(b"\n")
    mark = b'"pid":%d,' % pid
    start = b'"correlation_id":"'
    return {line.split(start, 1)[1][:32] for line in lines if mark in line and start in line}


if __name__ == "__main__":
    sys.exit(main())
