"""The correlation id on a request: a signed header, and in the User-Agent for CloudTrail."""

from __future__ import annotations

from collections.abc import MutableMapping
from typing import Any, Final

HEADER: Final = "X-Dynaguard-Correlation-Id"
USER_AGENT_TOKEN: Final = "md/dynaguard#"


def put_header(headers: MutableMapping[str, Any], correlation_id: str) -> None:
    """Puts the id into a request that is about to be signed, for the signature to cover it."""
    headers[HEADER] = correlation_id


def settle_stamp(headers: MutableMapping[str, Any], correlation_id: str) -> None:
    """Completes the stamp of a prepared request, or takes it off where nothing was signed.

    botocore builds the User-Agent anew on every attempt and leaves it out of the signature, so it
    can grow here, after everything that builds it.
    """
    if "Authorization" not in headers:
        headers.pop(HEADER, None)
        return
    agent = headers.get("User-Agent")
    if agent:
        text = agent.decode("latin-1") if isinstance(agent, bytes) else agent
        headers["User-Agent"] = f"{text} {USER_AGENT_TOKEN}{correlation_id}"
