"""An agent's task: a name of its own, a session of its own, an end, limits, and a way to ask."""

from __future__ import annotations

from typing import Any

import dynaguard
from dynaguard import PolicyDenied

READ_ORDERS = [
    {
        "Effect": "Allow",
        "Action": ["dynamodb:GetItem", "dynamodb:Query"],
        "Resource": "arn:aws:dynamodb:*:*:table/orders",
    }
]


def run_agent(work: Any, role_arn: str, ticket: str) -> Any:
    """Runs `work(client)` as an agent that reads orders for ten minutes, 500 items at most.

    Args:
        work: What the agent does; gets a DynamoDB client.
        role_arn: The role that Pulumi made.
        ticket: What it works on; the correlation id of every call.
    """
    acting = dynaguard.acting_as(
        "orders-agent", ["agents"], task=ticket, expires_in=600, max_items=500
    )
    session = dynaguard.task(
        name="orders-agent",
        incident=ticket,
        statements=READ_ORDERS,
        role=role_arn,
        duration_s=600,
        source_identity=f"agent-{ticket}",
    )
    with acting, session as task:
        return work(task.client("dynamodb"))


def ask_and_go_on(call: Any, **params: Any) -> Any:
    """Makes a call; where a grant or an approval would let it through, asks, waits, calls again.

    Raises:
        PolicyDenied: Nothing that could be asked for would help, or it was not given in time.
    """
    try:
        return call(**params)
    except PolicyDenied as denial:
        asked = denial.as_dict()["how_to_ask"]
        if asked["can_be_approved"]:
            approval = dynaguard.approval(asked["ticket"])
        elif asked["can_be_granted"]:
            approval = dynaguard.request_access(
                asked["statements"], reason="the task needs it", duration_s=900
            )
        else:
            raise
        if approval.wait(timeout_s=600) != "approved":
            raise
    return call(**params)
