"""Asks DynamoDB for the key schema of a table, with the client of the call that needs it.

Only on opt-in (`key_schema_lookup`), once per table.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping
from typing import Any, Final

from dynaguard.call import Call
from dynaguard.hooks.exemption import own_calls
from dynaguard.hooks.frames import current_frame

_log: Final = logging.getLogger("dynaguard")


def describe_table(call: Call, table: str) -> Mapping[str, Any] | None:
    """The answer's `Table` of DescribeTable, or None when there is none.

    Args:
        call: The call that is being decided.
        table: Name or ARN.

    Effects: calls AWS and blocks, with the retries and timeouts of the client that makes the call;
    not guarded itself. None for presigned and for asynchronous calls. Never raises.
    """
    frame = current_frame.get()
    if frame is None or not hasattr(frame.client, "describe_table"):
        return None
    try:
        with own_calls():
            return frame.client.describe_table(TableName=table)["Table"]  # type: ignore[no-any-return]
    except Exception as err:  # noqa: BLE001 - without a schema the key is unknown, which denies
        kind = type(err).__name__
        _log.warning("the key schema of a table could not be looked up (%s)", kind)
        return None
