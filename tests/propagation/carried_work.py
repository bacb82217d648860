"""What runs in other processes: importable there, as `spawn` asks for."""

from __future__ import annotations

from typing import Any

import dynaguard
from dynaguard.scope import Scope, current_scope


def scope_here(_: object = None) -> Scope:
    """The scope of the code that calls it."""
    return current_scope()


async def scope_of_task() -> Scope:
    """The same, as a coroutine."""
    return current_scope()


def stamped_header(_: object = None) -> str:
    """The correlation header of a call made here, by a guard of this process's own."""
    import botocore.session
    from botocore.awsrequest import AWSResponse

    sent: list[Any] = []

    class Wire:
        def send(self, request: Any) -> AWSResponse:
            sent.append(request)
            return AWSResponse(request.url, 200, {}, _Body())

        def close(self) -> None:
            pass

    with dynaguard.install():
        client = botocore.session.Session().create_client("dynamodb", region_name="eu-west-1")
        client._endpoint.http_session = Wire()
        client.get_item(TableName="orders", Key={"pk": {"S": "1"}})
    value = sent[0].headers["X-Dynaguard-Correlation-Id"]
    return value.decode() if isinstance(value, bytes) else str(value)


class _Body:
    """An empty JSON object as botocore reads it."""

    def stream(self, **_: Any) -> Any:
        yield b"{}"
