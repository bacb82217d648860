"""Clocks and an STS that tests rule, and clients without a socket."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

import botocore.session
import pytest

from dynaguard.access.clock import StrictClock
from tests.hooks.conftest import Wire

ROLE = "arn:aws:iam::123456789012:role/orders-fixer"


class FakeClock(StrictClock):
    """A wall clock that a test sets; the other clock goes with it unless it jumps."""

    def __init__(self) -> None:
        self.now_s = 1_800_000_000.0
        self.monotonic_s = 100.0
        super().__init__(lambda: self.now_s, lambda: self.monotonic_s)

    def advance(self, seconds: float) -> None:
        """Lets time pass."""
        self.now_s += seconds
        self.monotonic_s += seconds


@dataclass
class FakeSts:
    """Stands for the STS client: gives keys by count, or raises what a test wants.

    Attributes:
        clock: By which credentials expire.
        asked: Parameters of every AssumeRole.
        errors: What the next calls raise.
        regions: Regions that clients were made for.
        on_call: Runs while STS "thinks".
    """

    clock: FakeClock
    asked: list[dict[str, Any]] = field(default_factory=list)
    errors: list[BaseException] = field(default_factory=list)
    regions: list[str | None] = field(default_factory=list)
    on_call: Any = None

    def make(self, region: str | None) -> FakeSts:
        """As a maker of clients."""
        self.regions.append(region)
        return self

    def assume_role(self, **params: Any) -> dict[str, Any]:
        """As botocore's client has it."""
        self.asked.append(params)
        if self.on_call is not None:
            self.on_call()
        if self.errors:
            raise self.errors.pop(0)
        count = len(self.asked)
        now = datetime.fromtimestamp(self.clock.now_s, UTC)
        name = params["RoleSessionName"]
        return {
            "Credentials": {
                "AccessKeyId": f"ASIAEXAMPLE{count:09}",
                "SecretAccessKey": f"secret-{count}",
                "SessionToken": f"token-{count}",
                "Expiration": now + timedelta(seconds=params["DurationSeconds"]),
            },
            "AssumedRoleUser": {
                "AssumedRoleId": f"AROAEXAMPLE:{name}",
                "Arn": f"arn:aws:sts::123456789012:assumed-role/orders-fixer/{name}",
            },
        }


@pytest.fixture
def clock() -> FakeClock:
    """A clock that stands still until a test moves it."""
    return FakeClock()


@pytest.fixture
def sts(clock: FakeClock) -> FakeSts:
    """An STS that gives credentials."""
    return FakeSts(clock)


@pytest.fixture
def wire() -> Wire:
    """Stands where the socket would be."""
    return Wire()


def wired(client: Any, wire: Wire) -> Any:
    """The client, its socket replaced."""
    client._endpoint.http_session = wire
    return client


def new_client(wire: Wire, service: str = "dynamodb") -> Any:
    """A client of no task's session."""
    session = botocore.session.Session()
    return wired(session.create_client(service, region_name="eu-west-1"), wire)
