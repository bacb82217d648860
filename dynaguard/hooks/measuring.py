"""Asks for consumed capacity in a request that is serialised already.

To serialise it again would cost a tenth of a small call. A request of DynamoDB is one JSON object
with members, and nothing rewrites it between here and the seal.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from collections.abc import Mapping

    from dynaguard.attempts import Attempts
    from dynaguard.passage import Passage

_ASKED: Final = "ReturnConsumedCapacity"


def is_stale(
    request: dict[str, Any], passage: Passage, params: Mapping[str, Any], attempts: Attempts
) -> bool:
    """Whether a request is no longer that of its call, and has to be serialised anew.

    Args:
        request: botocore's request; asks for consumed capacity from here on, where that is wanted.
        passage: The call; its parameters are other ones where cursors or tokens were opened.
        params: What the request was serialised from.
        attempts: Knows who wants to know consumed capacity.
    """
    is_changed = passage.call.params is not params
    attempts.measure(passage)
    return is_changed or (passage.is_measured and not _ask_in_body(request, passage, params))


def _ask_in_body(request: dict[str, Any], passage: Passage, params: Mapping[str, Any]) -> bool:
    """Puts what a measured call asks for into its request.

    Returns:
        False where it says something about that itself, or its body is not of the shape that
        botocore gives it today.
    """
    body = request.get("body")
    if _ASKED in params or type(body) is not bytes or not body.startswith(b'{"'):
        return False
    detail = passage.call.params[_ASKED]
    request["body"] = b'%s, "%s": "%s"}' % (body[:-1], _ASKED.encode(), detail.encode())
    return True
