"""Real servers as fixtures. Everything in this directory carries the mark `integration`."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests import servers

_HERE = Path(__file__).resolve().parent


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Marks the tests of this directory, so that no file can forget to."""
    for item in items:
        if _HERE in item.path.parents:
            item.add_marker(pytest.mark.integration)


@pytest.fixture(scope="session")
def ministack() -> Iterator[servers.Ministack]:
    """A ministack whose CloudTrail is the witness of what was sent; missing, it is an error."""
    try:
        servers.find_ministack()
    except servers.ServerMissing as missing:
        pytest.fail(str(missing), pytrace=False)
    with servers.ministack() as server:
        yield server


@pytest.fixture(scope="session")
def strict_ministack() -> Iterator[servers.Ministack]:
    """A ministack that holds calls to IAM and session policies."""
    try:
        servers.find_ministack()
    except servers.ServerMissing as missing:
        pytest.fail(str(missing), pytrace=False)
    with servers.ministack(checks_access=True) as server:
        yield server


@pytest.fixture(scope="session")
def dynoxide() -> Iterator[servers.Server]:
    """A dynoxide, for exact capacity figures; skipped where there is none for the platform."""
    try:
        servers.find_dynoxide()
    except servers.ServerMissing as missing:
        pytest.skip(str(missing))
    with servers.dynoxide() as server:
        yield server


@pytest.fixture(scope="session")
def moto_server() -> Iterator[servers.Server]:
    """moto's server over real sockets: every service a little, DynamoDB roughly."""
    with servers.moto_server() as server:
        yield server
