"""The seal: what was decided must be what is sent, on every attempt."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any
from urllib.parse import urlsplit

_TARGET = "X-Amz-Target"


class Seal:
    """Body, target and host of a decided request of a JSON service.

    The body is compared by identity: between serialising and sending nothing lawful makes a new
    one, so the check costs one `is`. Other protocols are not sealed: compression and checksum
    trailers rewrite their bodies, redirects their hosts.
    """

    __slots__ = ("_body", "_is_host_fixed", "_target", "_url")

    def __init__(self, request: Mapping[str, Any]) -> None:
        self._body = request["body"]
        self._target = request["headers"].get(_TARGET)
        self._url = request["url"]
        config = request["context"].get("client_config")
        # Endpoint discovery lawfully picks another host after the decision.
        self._is_host_fixed = not getattr(config, "endpoint_discovery_enabled", False)

    def broken_part(self, request: Any) -> str | None:
        """The name of a part of a prepared request that is not what was decided, or None."""
        if request.body is not self._body:
            return "body"
        if _text(request.headers.get(_TARGET)) != self._target:
            return "operation"
        if self._is_host_fixed and request.url != self._url:
            return None if _host(request.url) == _host(self._url) else "host"
        return None


def _host(url: str) -> str:
    """Host and port of a URL."""
    return urlsplit(url).netloc


def _text(value: str | bytes | None) -> str | None:
    """A header value as text; a prepared request holds bytes."""
    return value.decode("latin-1") if isinstance(value, bytes) else value
