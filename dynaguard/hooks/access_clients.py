"""Calls of dynaguard's own for an access store in DynamoDB: not guarded, not recorded, soon over.

Source: the DynamoDB API reference, "Common Errors" and "Error handling" (which codes say that a
request had no effect); the Developer Guide, "Tuning AWS SDK HTTP request settings".
"""

from __future__ import annotations

import os
import threading
from collections.abc import Mapping
from contextlib import suppress
from typing import Any, Final

from dynaguard.access.forking import pause_for_forks
from dynaguard.access.table_calls import TableCallError
from dynaguard.hooks.exemption import own_calls

_CONNECT_TIMEOUT_S: Final = 1
_READ_TIMEOUT_S: Final = 2
_FORK_WAIT_S: Final = 5.0
_SERVER_FAULT: Final = 500


def table_calls(region: str | None, endpoint_url: str | None) -> OwnTableCalls:
    """The calls of a region at an endpoint; None: as the process has it.

    Effects: none yet; a client is made with the first call, from the default credentials.
    """
    return OwnTableCalls(region, endpoint_url)


class OwnTableCalls:
    """Makes its client when it is first needed, once per process. Thread-safe.

    Args:
        region: The region, or None.
        endpoint_url: Where DynamoDB answers, or None.
    """

    def __init__(self, region: str | None, endpoint_url: str | None) -> None:
        self._region, self._endpoint_url = region, endpoint_url
        self._lock = threading.Lock()
        self._client: Any = None
        self._pid = 0
        pause_for_forks(self)

    def __call__(self, operation: str, params: Mapping[str, Any]) -> Mapping[str, Any]:
        """As `TableCalls`."""
        from botocore import xform_name
        from botocore.exceptions import (
            BotoCoreError,
            ClientError,
            ConnectTimeoutError,
            EndpointConnectionError,
            HTTPClientError,
            NoCredentialsError,
        )

        with own_calls():
            try:
                call = getattr(self._own_client(), xform_name(operation))
                return call(**params)  # type: ignore[no-any-return]
            except ClientError as err:
                raise _from_answer(err.response) from err
            except (ConnectTimeoutError, EndpointConnectionError) as err:
                raise TableCallError("Unreachable") from err
            except HTTPClientError as err:
                raise TableCallError("Unanswered", is_effect_unknown=True) from err
            except NoCredentialsError as err:
                raise TableCallError("NoCredentials") from err
            except BotoCoreError as err:
                raise TableCallError(type(err).__name__) from err

    def close(self) -> None:
        """As `TableCalls.close`."""
        client, self._client = self._client, None
        if client is not None:
            with suppress(Exception):
                client.close()

    def before_fork(self) -> bool:
        """Waits until no client is being made: a child would wait for its imports for ever."""
        return self._lock.acquire(timeout=_FORK_WAIT_S)

    def after_fork(self, *, is_child: bool, was_paused: bool) -> None:
        """Lets everybody in again."""
        if is_child:
            self._lock = threading.Lock()
        elif was_paused:
            self._lock.release()

    def _own_client(self) -> Any:
        """The client of this process. A child's sockets would be its parent's."""
        client = self._client
        if client is not None and self._pid == os.getpid():
            return client
        with self._lock:
            client = self._client
            if client is None or self._pid != os.getpid():
                client = self._client = _make_client(self._region, self._endpoint_url)
                self._pid = os.getpid()
        return client


def _make_client(region: str | None, endpoint_url: str | None) -> Any:
    """A client that gives up soon; the store tries again by itself."""
    import botocore.session
    from botocore.config import Config

    return botocore.session.Session().create_client(
        "dynamodb",
        region_name=region,
        endpoint_url=endpoint_url,
        config=Config(
            connect_timeout=_CONNECT_TIMEOUT_S,
            read_timeout=_READ_TIMEOUT_S,
            retries={"total_max_attempts": 1},
            tcp_keepalive=True,
        ),
    )


def _from_answer(response: Mapping[str, Any]) -> TableCallError:
    """The error of an answer that is one."""
    status = response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0)
    return TableCallError(
        str(response.get("Error", {}).get("Code", "")),
        is_effect_unknown=status >= _SERVER_FAULT,
    )
