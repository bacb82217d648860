"""Run as a program: guarded GetItem calls with everything on, for as long as they are sampled."""

from __future__ import annotations

import sys
import tempfile
import time
from pathlib import Path

import dynaguard
from benchmarks.policies import policy_document
from benchmarks.stub import GET_ITEM, make_client


def one_call(client: object) -> None:
    """The frame that samples are cut at: what is above it is the program, not the call."""
    client.get_item(**GET_ITEM)  # type: ignore[attr-defined]


def main(duration_s: float) -> None:
    """Calls until the time is over."""
    with tempfile.TemporaryDirectory() as folder:
        path = str(Path(folder, "audit.jsonl"))
        with (
            dynaguard.install(policy_document(1_000, masks=True), audit=path),
            dynaguard.job("bench", run_id="1"),
        ):
            client = make_client()
            until_s = time.monotonic() + duration_s
            while time.monotonic() < until_s:
                for _ in range(100):
                    one_call(client)


if __name__ == "__main__":
    main(float(sys.argv[1]))
