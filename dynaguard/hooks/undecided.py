"""A request that reaches signing without a decision is decided from what is about to be sent.

That happens when a wrapper was undone, when `client._endpoint` is used directly, or to a call
that was under way during `install()`. JSON services are read from the body; what cannot be read
is refused if the policy governs the service.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from dynaguard.aws.analysis import service_prefix
from dynaguard.call import UNKNOWN_RUN, Authorization, Call
from dynaguard.hooks.exemption import is_credential_call
from dynaguard.hooks.seal import Seal
from dynaguard.hooks.sts import facts_to_ask_for
from dynaguard.hooks.task_credentials import binding_of
from dynaguard.scope import correlation_id_of, current_scope

if TYPE_CHECKING:
    from dynaguard.hooks.installation import Installation

_SERVICE_BY_TARGET_PREFIX = {
    "DynamoDB_20120810": "dynamodb",
    "DynamoDBStreams_20120810": "dynamodbstreams",
}


def decide_from_wire(
    installation: Installation,
    service: str,
    operation: str,
    request: Mapping[str, Any],
    context: dict[str, Any],
    signer: Any,
) -> None:
    """Decides a request dict that carries no decision, and seals it.

    Args:
        installation: The installation in force.
        service: botocore's service name, or the name that is signed for.
        operation: Operation name as botocore gives it.
        request: `{"url", "headers", "body", ...}` as about to be signed.
        context: botocore's request context; gets the passage.
        signer: botocore's request signer.

    Raises:
        PolicyDenied: The policy refuses it, or cannot read it while it governs the service.
    """
    target = _text(request["headers"].get("X-Amz-Target")) or ""
    prefix, _, wire_operation = target.partition(".")
    service = _SERVICE_BY_TARGET_PREFIX.get(prefix, service)
    if is_credential_call(service):
        return
    guard = installation.guard
    params, scope = _params_of(request), current_scope()
    binding = binding_of(signer._credentials)
    if binding is not None:
        scope = binding(scope)
    call = Call(
        service=service,
        operation=wire_operation or operation,
        params=params or {},
        region=signer._region_name,
        partition="aws",
        endpoint_url=request["url"],
        credentials=facts_to_ask_for(signer._credentials),
        scope=scope,
        correlation_id=correlation_id_of(scope),
        is_presign=bool(context.get("is_presign_request")),
        service_prefix=service_prefix(service),
    )
    guard.counters.undecided_caught += 1
    needs = None if params is not None else (_unreadable(call),)
    passage = guard.enter(call, needs=needs, may_wait=False)  # may be within an event loop
    if passage.call.params is not call.params and guard.concealment is not None:
        raise guard.concealment.out_of_reach(passage)
    if params is not None:
        passage.seal = Seal({**request, "context": context})
    installation.adopt(context, passage)


def _params_of(request: Mapping[str, Any]) -> dict[str, Any] | None:
    """The parameters in a JSON body, or None when the body is not one JSON object."""
    if "X-Amz-Target" not in request["headers"]:
        return None
    try:
        params = json.loads(request["body"])
    except (TypeError, ValueError):
        return None
    return params if isinstance(params, dict) else None


def _unreadable(call: Call) -> Authorization:
    """What a request needs whose parameters cannot be read: more than any Allow gives."""
    return Authorization(
        action=f"{call.service_prefix}:{call.operation}",
        resource=UNKNOWN_RUN,
        problem="the request was never decided and its parameters cannot be read",
    )


def _text(value: str | bytes | None) -> str | None:
    """A header value as text."""
    return value.decode("latin-1") if isinstance(value, bytes) else value
