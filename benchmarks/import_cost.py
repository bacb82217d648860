"""CPU of `import dynaguard` after `import boto3`, over that of `import boto3` itself."""

from __future__ import annotations

import json
import os
import statistics
import subprocess
import sys
import tempfile

_PROBE = """
import json, time
started = time.process_time()
import boto3
middle = time.process_time()
import dynaguard
ended = time.process_time()
print(json.dumps([middle - started, ended - middle]))
"""
REPEATS = 15


def run() -> float:
    """Median ratio over fresh interpreters that have their bytecode on disk."""
    with tempfile.TemporaryDirectory() as folder:
        environment = {**os.environ, "PYTHONPYCACHEPREFIX": folder}
        environment.pop("PYTHONDONTWRITEBYTECODE", None)
        _probe(environment)  # writes the bytecode
        ratios = [ours / theirs for theirs, ours in (_probe(environment) for _ in range(REPEATS))]
    return statistics.median(ratios)


def _probe(environment: dict[str, str]) -> tuple[float, float]:
    """CPU seconds of `import boto3` and of `import dynaguard` after it."""
    done = subprocess.run(
        [sys.executable, "-c", _PROBE], env=environment, capture_output=True, text=True, check=True
    )
    theirs, ours = json.loads(done.stdout)
    return theirs, ours
