"""CPU of importing and installing after `import boto3`, over that of `import boto3` itself.

Every measurement is a process of its own with its bytecode on disk. All cases are measured in
turns, each over its own `import boto3`. A peer that is not installed is left out.
"""

from __future__ import annotations

import json
import os
import random
import subprocess
import sys
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

from benchmarks.loading_cost import document_of, leaf
from dynaguard.policy.bundle_writing import bundle_bytes
from dynaguard.policy.loading import load_policy

REPEATS: Final = 21
BARS: Final[Mapping[str, float]] = {
    "import dynaguard": 0.1,
    "install, bundle of 50 statements": 0.3,
}
_CLIENT: Final = """
import botocore.httpsession
class Answer:
    status_code, headers, content, raw = 200, {}, b"{}", None
botocore.httpsession.URLLib3Session.send = lambda self, request: Answer()
boto3.client("dynamodb").get_item(TableName="prod-orders", Key={"id": {"S": "1"}})
"""
_CALLED: Final = {
    "Sid": "Called",
    "Effect": "Allow",
    "Action": "dynamodb:GetItem",
    "Resource": "arn:aws:dynamodb:*:*:table/prod-orders",
}
_INSTALL: Final = "import dynaguard; dynaguard.install({})"
_OTEL: Final = (
    "from opentelemetry.instrumentation.botocore import BotocoreInstrumentor; "
    "BotocoreInstrumentor().instrument()"
)
_DDTRACE: Final = "import ddtrace; ddtrace.patch(botocore=True)"
_XRAY: Final = "from aws_xray_sdk.core import patch; patch(['botocore'])"
CASES: Final[Mapping[str, str]] = {
    "import dynaguard": "import dynaguard",
    "install, no policy": _INSTALL.format(""),
    "install, TOML of 50 statements": _INSTALL.format("'50.toml'"),
    "install, bundle of 50 statements": _INSTALL.format("'50.dgb'"),
    "install, bundle of 1,000 statements": _INSTALL.format("'1000.dgb'"),
    "OpenTelemetry's botocore instrumentation": _OTEL,
    "ddtrace, botocore": _DDTRACE,
    "X-Ray SDK, botocore": _XRAY,
    "first client and call, bare": _CLIENT,
    "first client and call, bundle of 50 statements": _INSTALL.format("'50.dgb'") + _CLIENT,
    "first client and call, OpenTelemetry": _OTEL + _CLIENT,
    "first client and call, ddtrace": _DDTRACE + _CLIENT,
    "first client and call, X-Ray SDK": "from aws_xray_sdk.core import xray_recorder; "
    "xray_recorder.configure(context_missing='IGNORE_ERROR'); " + _XRAY + _CLIENT,
}
_PROBE: Final = """
import json, time
started = time.process_time()
import boto3
middle = time.process_time()
{code}
ended = time.process_time()
print(json.dumps([middle - started, ended - middle]))
"""
_ENVIRONMENT: Final = {
    "AWS_ACCESS_KEY_ID": "AKIAIOSFODNN7EXAMPLE",
    "AWS_SECRET_ACCESS_KEY": "none",
    "AWS_DEFAULT_REGION": "eu-west-1",
    "DD_TRACE_ENABLED": "false",
    "DD_REMOTE_CONFIGURATION_ENABLED": "false",
    "DD_INSTRUMENTATION_TELEMETRY_ENABLED": "false",
}


def run(repeats: int = REPEATS) -> dict[str, dict[str, float]]:
    """Ratios by case: median, quartiles, how many, and the bar where there is one."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        _write_policies(folder)
        environment = {
            **os.environ,
            **_ENVIRONMENT,
            "PYTHONPYCACHEPREFIX": str(folder / "bytecode"),
            "PYTHONPATH": os.pathsep.join(filter(None, sys.path)),
        }
        environment.pop("PYTHONDONTWRITEBYTECODE", None)
        # The first run of each writes the bytecode, and tells which peers are here.
        cases = [case for case in CASES if _probe(case, folder, environment) is not None]
        ratios: dict[str, list[float]] = {case: [] for case in cases}
        for _ in range(repeats):
            for case in random.sample(cases, len(cases)):
                theirs, ours = _probe(case, folder, environment) or (1.0, 0.0)
                ratios[case].append(ours / theirs)
    return {case: leaf(found, BARS.get(case)) for case, found in ratios.items()}


def _write_policies(folder: Path) -> None:
    """The policies that are installed, as documents and as bundles."""
    for size in (50, 1_000):
        source = document_of(size - 1)
        source["statement"].append(_CALLED)
        document = load_policy(source, environ={})
        (folder / f"{size}.dgb").write_bytes(bundle_bytes(document))
        lines = ["version = 1", 'default = "deny"']
        for statement in source["statement"]:
            lines.append("[[statement]]")
            lines += [f"{key} = {_toml(value)}" for key, value in statement.items()]
        (folder / f"{size}.toml").write_text("\n".join(lines))


def _toml(value: Any) -> str:
    """A value as TOML; tables on one line."""
    if isinstance(value, dict):
        parts = (f"{json.dumps(key)} = {_toml(each)}" for key, each in value.items())
        return f"{{ {', '.join(parts)} }}"
    return json.dumps(value)


def _probe(case: str, folder: Path, environment: Mapping[str, str]) -> tuple[float, float] | None:
    """CPU seconds of `import boto3` and of the case after it; None where it cannot run."""
    done = subprocess.run(
        [sys.executable, "-c", _PROBE.format(code=CASES[case])],
        cwd=folder,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        return None
    theirs, ours = json.loads(done.stdout.splitlines()[-1])
    return theirs, ours


def main() -> None:
    """Prints the figures."""
    for case, found in run().items():
        spread = f"{found['median']:.3f} [{found['low']:.3f}-{found['high']:.3f}]"
        bar = f"bar {found['bar']}" if "bar" in found else ""
        print(f"{case:<48} {spread} {bar}".rstrip())


if __name__ == "__main__":
    main()
