"""What tests of sessions share: a task with a role, and errors of STS."""

from __future__ import annotations

from typing import Any

from botocore.exceptions import ClientError

from dynaguard.runbooks.orders import Order
from dynaguard.runbooks.tasks import TaskManager
from tests.runbooks.tasks.conftest import ROLE, FakeClock, FakeSts

POLICY = {"version": 1, "default": "allow", "govern": ["dynamodb"]}
KEY = {"pk": {"S": "1"}}
STATEMENTS = (
    {
        "Effect": "Allow",
        "Action": "dynamodb:GetItem",
        "Resource": "arn:aws:dynamodb:*:*:table/orders",
    },
)


def manager(clock: FakeClock, sts: FakeSts, **order: Any) -> TaskManager:
    """A task with the role, an hour long unless told otherwise."""
    given = {"name": "fix orders", "role": ROLE, "duration_s": 3600.0, "statements": STATEMENTS}
    return TaskManager(Order(bound=None, **{**given, **order}), clock=clock, make_client=sts.make)


def client_error(code: str, message: str = "") -> ClientError:
    """An answer of STS's."""
    return ClientError({"Error": {"Code": code, "Message": message}}, "AssumeRole")
