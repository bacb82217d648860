"""The stand-in for DynamoDB as a process: HTTP/1.1 on 127.0.0.1, JSON 1.0.

`python -m benchmarks.retry.server` prints its port. `POST /_ctl` with settings starts a fresh
run, `GET /_stats` gives its counts, `GET /_keys?table=T` how many distinct keys were written
(`&full=1`: and which). Everything else is a DynamoDB request; its access key id is its role.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import json
import re
import zlib
from typing import Final
from urllib.parse import parse_qs, urlsplit

from benchmarks.retry.standin import Answer, JsonObject, StandIn

_ACCESS_KEY: Final = re.compile(r"Credential=([^/]+)/")
_MAX_HEAD_BYTES: Final = 1 << 16


class Server:
    """Serves one run after the other."""

    def __init__(self) -> None:
        self._run = StandIn({})

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Answers the requests of one connection until the peer leaves."""
        try:
            while True:
                head = await reader.readuntil(b"\r\n\r\n")
                target, headers = _parse_head(head.decode("latin-1"))
                body = await reader.readexactly(int(headers.get("content-length", 0)))
                answer = self._answer(target, headers, body)
                if answer.delay_s:
                    await asyncio.sleep(answer.delay_s)
                writer.write(self._encode(answer))
                await writer.drain()
        except (asyncio.IncompleteReadError, ConnectionError):
            pass
        finally:
            writer.close()

    def _answer(self, target: str, headers: dict[str, str], body: bytes) -> Answer:
        """What answers a request."""
        if target.startswith("/_"):
            return self._control(target, body)
        found = _ACCESS_KEY.search(headers.get("authorization", ""))
        operation = headers.get("x-amz-target", "").rpartition(".")[2]
        return self._run.answer(operation, json.loads(body), found[1] if found else "?")

    def _control(self, target: str, body: bytes) -> Answer:
        """What the harness asks of the server itself."""
        url = urlsplit(target)
        if url.path == "/_ctl":
            try:
                self._run = StandIn(json.loads(body or b"{}"))
            except ValueError as error:
                return Answer(400, {"message": str(error)})
            return Answer(200, {})
        if url.path == "/_stats":
            return Answer(200, self._run.stats())
        if url.path == "/_keys":
            query = parse_qs(url.query)
            keys = self._run.keys(query["table"][0])
            counted: JsonObject = {"count": len(keys)}
            return Answer(200, {**counted, "keys": keys} if "full" in query else counted)
        return Answer(404, {"message": target})

    def _encode(self, answer: Answer) -> bytes:
        """The answer as it goes over the wire."""
        body = json.dumps(answer.body).encode()
        lines = [
            f"HTTP/1.1 {answer.status} Answer",
            "Content-Type: application/x-amz-json-1.0",
            f"Content-Length: {len(body)}",
            f"x-amz-crc32: {zlib.crc32(body)}",
            "x-amzn-RequestId: LOOPBACK",
        ]
        if answer.status == 400 and self._run.retry_after_ms is not None:
            lines.append(f"x-amz-retry-after: {self._run.retry_after_ms}")
        return "\r\n".join([*lines, "", ""]).encode() + body


def _parse_head(text: str) -> tuple[str, dict[str, str]]:
    """The target of a request and its headers, by lower-case name."""
    first, *lines = text.split("\r\n")
    headers = {}
    for line in lines:
        name, _, value = line.partition(":")
        headers[name.strip().lower()] = value.strip()
    return first.split(" ")[1], headers


async def serve(port: int) -> None:
    """Serves until the process is ended; prints the port first."""
    server = await asyncio.start_server(Server().serve, "127.0.0.1", port, limit=_MAX_HEAD_BYTES)
    print(server.sockets[0].getsockname()[1], flush=True)
    async with server:
        await server.serve_forever()


def main() -> None:
    """What `python -m benchmarks.retry.server` does."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--port", type=int, default=0, help="0: one that is free")
    arguments = parser.parse_args()
    with contextlib.suppress(KeyboardInterrupt):
        asyncio.run(serve(arguments.port))


if __name__ == "__main__":
    main()
