"""Real servers for the tests: how each is started, found and ended. Not test doubles of ours."""

from __future__ import annotations

import contextlib
import json
import os
import platform
import socket
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

START_TIMEOUT_S = 30.0
STOP_TIMEOUT_S = 10.0
DEFAULT_REGION = "eu-west-1"
FAKE_ACCESS_KEY_ID = "AKIAIOSFODNN7EXAMPLE"
_ROOT = Path(__file__).resolve().parent.parent
_LOOKUP_EVENTS = "com.amazonaws.cloudtrail.v20131101.CloudTrail_20131101.LookupEvents"


@dataclass(frozen=True, slots=True)
class Server:
    """An AWS endpoint that listens on loopback.

    Attributes:
        url: Such as `http://127.0.0.1:40123`.
        pid: Its process.
    """

    url: str
    pid: int

    def session(
        self, *, region: str = DEFAULT_REGION, access_key_id: str = FAKE_ACCESS_KEY_ID
    ) -> Any:
        """A fresh boto3 session with fake credentials."""
        import boto3

        return boto3.Session(
            aws_access_key_id=access_key_id,
            aws_secret_access_key="not-a-secret",
            region_name=region,
        )

    def client(self, service: str, *, region: str = DEFAULT_REGION, config: Any = None) -> Any:
        """A boto3 client of a session of its own; guarded if dynaguard is installed."""
        session = self.session(region=region)
        return session.client(service, endpoint_url=self.url, config=config)

    def resource(self, service: str, *, region: str = DEFAULT_REGION, config: Any = None) -> Any:
        """A boto3 resource of a session of its own; guarded if dynaguard is installed."""
        session = self.session(region=region)
        return session.resource(service, endpoint_url=self.url, config=config)


@dataclass(frozen=True, slots=True)
class RecordedEvent:
    """One call that reached the server, as its CloudTrail shows it.

    Attributes:
        name: The operation, such as `GetItem`.
        source: Such as `dynamodb.amazonaws.com`.
        access_key_id: Who signed it.
        user_agent: The whole User-Agent header.
        region: The region of its signature.
        request_id: As the caller got it.
        parameters: `requestParameters`.
    """

    name: str
    source: str
    access_key_id: str
    user_agent: str
    region: str
    request_id: str
    parameters: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Ministack(Server):
    """A ministack that records what reaches it."""

    def recorded_events(self, *, region: str = DEFAULT_REGION) -> tuple[RecordedEvent, ...]:
        """Every recorded call of a region, oldest first.

        Asks over a bare HTTP connection, not through botocore, so that an installed dynaguard
        neither sees nor changes the witness.
        """
        found: list[RecordedEvent] = []
        token: str | None = None
        while True:
            answer = _lookup_events(self.url, region, token)
            found += [_recorded_event(event) for event in answer["Events"]]
            token = answer.get("NextToken")
            if not token:
                return tuple(reversed(found))


def _lookup_events(url: str, region: str, token: str | None) -> Any:
    """One page of LookupEvents."""
    body: dict[str, Any] = {"MaxResults": 50}
    if token:
        body["NextToken"] = token
    request = urllib.request.Request(  # noqa: S310  # a server that this process started
        url,
        data=json.dumps(body).encode(),
        headers={
            "Content-Type": "application/x-amz-json-1.1",
            "X-Amz-Target": _LOOKUP_EVENTS,
            "Authorization": "AWS4-HMAC-SHA256 Credential="
            f"{FAKE_ACCESS_KEY_ID}/20260101/{region}/cloudtrail/aws4_request, "
            "SignedHeaders=host, Signature=0",
        },
    )
    with urllib.request.urlopen(request, timeout=START_TIMEOUT_S) as response:  # noqa: S310
        return json.load(response)


def _recorded_event(event: Mapping[str, Any]) -> RecordedEvent:
    """One event of LookupEvents, its detail unpacked."""
    detail = json.loads(event["CloudTrailEvent"])
    return RecordedEvent(
        name=detail["eventName"],
        source=detail["eventSource"],
        access_key_id=detail["userIdentity"]["accessKeyId"],
        user_agent=detail["userAgent"],
        region=detail["awsRegion"],
        request_id=detail["requestID"],
        parameters=detail["requestParameters"] or {},
    )


class ServerMissing(Exception):
    """A server is not installed; the message says what installs it."""


def find_ministack() -> Path:
    """ministack's command, in the environment that `make ministack` made.

    Raises:
        ServerMissing: It is not there.
    """
    command = _ROOT / ".venv-ministack" / "bin" / "ministack"
    if not command.exists():
        raise ServerMissing("ministack is not installed, run `make ministack`")
    return command


def find_dynoxide() -> Path:
    """dynoxide's binary, in the `node_modules` that `make dynoxide` made.

    Raises:
        ServerMissing: It is not there: no npm, or no package for this platform.
    """
    system = platform.system().lower()
    machine = {"x86_64": "x64", "aarch64": "arm64"}.get(platform.machine(), platform.machine())
    command = _ROOT / "node_modules" / "@dynoxide" / f"{system}-{machine}" / "dynoxide"
    if not command.exists():
        raise ServerMissing(
            f"dynoxide is not installed for {system}-{machine}, run `make dynoxide` (needs npm)"
        )
    return command


@contextlib.contextmanager
def ministack(*, checks_access: bool = False) -> Iterator[Ministack]:
    """Runs a ministack on a free port of loopback, recording every call.

    With `checks_access` it verifies signatures and holds calls to IAM and session policies; the
    key `test` with the secret `test` is root.

    Its MQTT and SFTP listeners have fixed ports and stay off, so that several can run at once.
    """
    port = free_port()
    environment = {
        "BIND_HOST": "127.0.0.1",
        "GATEWAY_PORT": str(port),
        "CLOUDTRAIL_RECORDING": "1",
        "IOT_MTLS_ENABLED": "0",
        "SFTP_ENABLED": "0",
        "LOG_LEVEL": "WARNING",
    }
    if checks_access:
        environment["AUTH"] = "true"
    with running([str(find_ministack())], port, environment) as pid:
        yield Ministack(f"http://127.0.0.1:{port}", pid)


@contextlib.contextmanager
def dynoxide() -> Iterator[Server]:
    """Runs a dynoxide (DynamoDB with exact capacity figures) on a free port of loopback."""
    port = free_port()
    command = [str(find_dynoxide()), "--host", "127.0.0.1", "--port", str(port)]
    with running(command, port) as pid:
        yield Server(f"http://127.0.0.1:{port}", pid)


@contextlib.contextmanager
def moto_server() -> Iterator[Server]:
    """Runs moto's server, of the environment of the tests, on a free port of loopback."""
    port = free_port()
    command = [sys.executable, "-W", "ignore", "-m", "moto.server", "-H", "127.0.0.1"]
    with running([*command, "-p", str(port)], port) as pid:
        yield Server(f"http://127.0.0.1:{port}", pid)


def free_port() -> int:
    """A port of loopback that nobody listened on a moment ago."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


@contextlib.contextmanager
def running(
    command: list[str], port: int, environment: Mapping[str, str] | None = None
) -> Iterator[int]:
    """Runs a server until the block ends; gives its pid once the port answers.

    It gets no `AWS_*` or `DYNAGUARD_*` variable of ours. Ended by its own process object, first
    politely.

    Raises:
        RuntimeError: It ended or was silent for `START_TIMEOUT_S`; holds the end of its output.
    """
    clean = {
        name: value
        for name, value in os.environ.items()
        if not name.startswith(("AWS_", "DYNAGUARD_", "PYTHONPATH", "COVERAGE"))
    }
    with tempfile.TemporaryFile() as output:
        process = subprocess.Popen(
            command,
            env={**clean, **(environment or {})},
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
        )
        try:
            if not _answers(process, port):
                output.seek(0)
                tail = output.read()[-2000:].decode(errors="replace")
                raise RuntimeError(f"`{command[0]}` did not start:\n{tail}")
            yield process.pid
        finally:
            _stop(process)


def _answers(process: subprocess.Popen[bytes], port: int) -> bool:
    """Whether the port took a connection before the process ended or the time was up."""
    deadline_s = time.monotonic() + START_TIMEOUT_S
    while process.poll() is None and time.monotonic() < deadline_s:
        with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), 0.5):
            return True
        time.sleep(0.02)
    return False


def _stop(process: subprocess.Popen[bytes]) -> None:
    """Ends the process: asks, waits, insists."""
    process.terminate()
    try:
        process.wait(STOP_TIMEOUT_S)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait(STOP_TIMEOUT_S)
