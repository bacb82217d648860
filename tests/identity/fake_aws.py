"""Every endpoint that hands out credentials, and DynamoDB, on one port of this machine.

Real botocore providers ask it over real sockets: STS, IAM, IAM Identity Center, the container
endpoint of ECS and EKS, the instance metadata service.
"""

from __future__ import annotations

import base64
import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlsplit

ACCOUNT = "123456789012"
SECRET = "CANARY-SECRET"
TOKEN = "CANARY-TOKEN"
LIFETIME = timedelta(hours=1)
_STS = "https://sts.amazonaws.com/doc/2011-06-15/"
_IAM = "https://iam.amazonaws.com/doc/2010-05-08/"


def web_token(claims: dict[str, Any]) -> str:
    """A web identity token; nobody verifies its signature."""
    middle = base64.urlsafe_b64encode(json.dumps(claims).encode()).decode().rstrip("=")
    return f"eyJhbGciOiJSUzI1NiJ9.{middle}.{TOKEN}"


def instant(moment: datetime) -> str:
    """As AWS writes it."""
    return moment.strftime("%Y-%m-%dT%H:%M:%SZ")


@dataclass
class FakeAws:
    """What it answers, and what it was asked.

    Attributes:
        url: Where it listens.
        caller_arn: Who `GetCallerIdentity` says calls; None: it refuses.
        expires_at: When the credentials that it hands out expire.
        key_made_at: When `ListAccessKeys` says the calling key was made; None: it refuses.
        asked: Every request, as `service:what`.
        keys: How many keys it has handed out.
    """

    url: str = ""
    caller_arn: str | None = None
    expires_at: datetime = field(
        default_factory=lambda: (datetime.now(UTC) + LIFETIME).replace(microsecond=0)
    )
    key_made_at: datetime | None = None
    asked: list[str] = field(default_factory=list)
    keys: int = 0

    def new_key(self) -> str:
        """The id of another temporary key."""
        self.keys += 1
        return f"ASIA{self.keys:016}"

    def answer(self, method: str, path: str, headers: Any, body: str) -> tuple[int, str]:
        """Status and text of the answer."""
        target = headers.get("X-Amz-Target", "")
        if target:
            service = "ssm" if "SSM" in target else "dynamodb"
            self.asked.append(f"{service}:{target.partition('.')[2]}")
            return 200, '{"TableNames": []}'
        query = {name: values[0] for name, values in parse_qs(body).items()}
        if "Action" in query:
            signer = headers.get("Authorization", "").partition("Credential=")[2].partition("/")[0]
            return self._query(query, signer)
        return self._metadata(method, urlsplit(path).path)

    def _query(self, query: dict[str, str], signer: str) -> tuple[int, str]:
        """STS and IAM."""
        action = query["Action"]
        self.asked.append(f"sts:{action}" if action != "ListAccessKeys" else f"iam:{action}")
        if action == "GetCallerIdentity":
            return self._or_refused(
                self.caller_arn and f"<Arn>{self.caller_arn}</Arn><Account>{ACCOUNT}</Account>",
                action,
                _STS,
            )
        if action == "ListAccessKeys":
            made_at = self.key_made_at
            return self._or_refused(
                made_at
                and "<IsTruncated>false</IsTruncated><AccessKeyMetadata><member>"
                f"<AccessKeyId>{signer}</AccessKeyId><CreateDate>{instant(made_at)}</CreateDate>"
                "</member></AccessKeyMetadata>",
                action,
                _IAM,
            )
        role = query["RoleArn"].rpartition("/")[2]
        arn = f"arn:aws:sts::{ACCOUNT}:assumed-role/{role}/{query['RoleSessionName']}"
        inner = (
            f"<Credentials><AccessKeyId>{self.new_key()}</AccessKeyId>"
            f"<SecretAccessKey>{SECRET}</SecretAccessKey><SessionToken>{TOKEN}</SessionToken>"
            f"<Expiration>{instant(self.expires_at)}</Expiration></Credentials>"
            f"<AssumedRoleUser><AssumedRoleId>AROA:x</AssumedRoleId><Arn>{arn}</Arn>"
            "</AssumedRoleUser>"
        )
        return self._or_refused(inner, action, _STS)

    def _or_refused(self, inner: str | None, action: str, namespace: str) -> tuple[int, str]:
        """An answer of the query protocol, or a refusal."""
        if inner is None:
            return 403, (
                f'<ErrorResponse xmlns="{namespace}"><Error><Code>AccessDenied</Code>'
                "<Message>no</Message></Error></ErrorResponse>"
            )
        return 200, (
            f'<{action}Response xmlns="{namespace}"><{action}Result>{inner}</{action}Result>'
            f"</{action}Response>"
        )

    def _metadata(self, method: str, path: str) -> tuple[int, str]:
        """IAM Identity Center, the container endpoint, the instance metadata service."""
        self.asked.append(f"{method}:{path}")
        if path == "/federation/credentials":
            found = {
                "accessKeyId": self.new_key(),
                "secretAccessKey": SECRET,
                "sessionToken": TOKEN,
                "expiration": int(self.expires_at.timestamp() * 1000),
            }
            return 200, json.dumps({"roleCredentials": found})
        if path == "/latest/api/token":
            return 200, "imds-token"
        if path == "/latest/meta-data/iam/security-credentials/":
            return 200, "web-server"
        if path.startswith("/latest/meta-data/iam/security-credentials/"):
            return 200, json.dumps({**self._credentials(), "Code": "Success"})
        if path == "/container":
            return 200, json.dumps({**self._credentials(), "AccountId": ACCOUNT})
        return 404, "{}"

    def _credentials(self) -> dict[str, str]:
        """Further credentials, as both metadata services write them."""
        return {
            "AccessKeyId": self.new_key(),
            "SecretAccessKey": SECRET,
            "Token": TOKEN,
            "Expiration": instant(self.expires_at),
        }


@contextmanager
def fake_aws() -> Iterator[FakeAws]:
    """The endpoints, served until the end of the block."""
    state = FakeAws()

    class Handler(BaseHTTPRequestHandler):
        """Hands requests to the state."""

        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            """As the base class wants it."""
            length = int(self.headers.get("Content-Length", 0))
            body = self.rfile.read(length).decode()
            status, text = state.answer(self.command, self.path, self.headers, body)
            data = text.encode()
            self.send_response(status)
            self.send_header("Content-Length", str(len(data)))
            self.send_header("Content-Type", "application/json")
            self.end_headers()
            self.wfile.write(data)

        do_POST = do_PUT = do_GET  # noqa: N815 - as the base class names them

        def log_message(self, *_args: Any) -> None:
            """Prints nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    state.url = f"http://127.0.0.1:{server.server_address[1]}"
    thread = threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True)
    thread.start()
    try:
        yield state
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
