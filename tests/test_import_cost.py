"""What importing and installing costs beside `import boto3`, measured in pairs."""

from __future__ import annotations

import json
import os
import statistics
import subprocess
import sys
from pathlib import Path

import pytest

from dynaguard.policy.bundle_writing import bundle_bytes
from dynaguard.policy.loading import load_policy

PAIRS = 9
_PROBE = """
import json, time
started = time.process_time()
import boto3
middle = time.process_time()
{code}
ended = time.process_time()
print(json.dumps((ended - middle) / (middle - started)))
"""


def ratio(code: str, folder: Path) -> float:
    """Median of the case's CPU over that of `import boto3` in the same process."""
    environment = {**os.environ, "PYTHONPYCACHEPREFIX": str(folder / "bytecode")}
    environment.pop("PYTHONDONTWRITEBYTECODE", None)
    found = []
    for _ in range(PAIRS + 1):  # the first writes the bytecode
        done = subprocess.run(
            [sys.executable, "-c", _PROBE.format(code=code)],
            cwd=folder,
            env=environment,
            capture_output=True,
            text=True,
            check=True,
        )
        found.append(float(json.loads(done.stdout)))
    return statistics.median(found[1:])


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder with a bundle of 50 statements."""
    statements = [
        {
            "Sid": f"S{number}",
            "Effect": "Allow",
            "Action": ["dynamodb:GetItem", "dynamodb:Query"],
            "Resource": f"arn:aws:dynamodb:*:*:table/app{number}-*",
        }
        for number in range(50)
    ]
    document = load_policy({"version": 1, "default": "deny", "statement": statements}, environ={})
    (tmp_path / "policy.dgb").write_bytes(bundle_bytes(document))
    return tmp_path


def test_import_costs_a_tenth_of_boto3_at_most(folder: Path) -> None:
    """A module of the application that only imports dynaguard is not felt."""
    assert ratio("import dynaguard", folder) <= 0.1


def test_install_of_a_bundle_costs_half_of_boto3_at_most(folder: Path) -> None:
    """What every call of a plain policy needs, imported and built."""
    assert ratio("import dynaguard; dynaguard.install('policy.dgb')", folder) <= 0.5
