"""The policies compared: how a client comes by its retries."""

from __future__ import annotations

import os
from collections.abc import Mapping
from contextlib import AbstractContextManager, nullcontext
from typing import Any, Final

import boto3.session  # type: ignore[import-untyped]
import botocore.config

CONNECTIONS: Final = 64
# botocore's retry settings by the policy's name; None: its default.
_RETRIES_BY_POLICY: Final[Mapping[str, Mapping[str, Any] | None]] = {
    "legacy": {"mode": "legacy"},
    "standard": {"mode": "standard"},
    "standard10": {"mode": "standard", "total_max_attempts": 10},
    "adaptive": {"mode": "adaptive"},
    "adaptive10": {"mode": "adaptive", "total_max_attempts": 10},
    "dynaguard": None,
}
POLICIES: Final = tuple(_RETRIES_BY_POLICY)


def isolate() -> None:
    """Takes from this process's environment what could change a client."""
    for name in list(os.environ):
        if name.startswith(("AWS_", "DYNAGUARD_")) or name.lower().endswith("_proxy"):
            del os.environ[name]
    os.environ["AWS_CONFIG_FILE"] = os.environ["AWS_SHARED_CREDENTIALS_FILE"] = os.devnull
    os.environ["AWS_EC2_METADATA_DISABLED"] = "true"


def make_client(policy: str, endpoint: str, role: str) -> Any:
    """A client under a policy.

    Args:
        policy: One of `POLICIES`.
        endpoint: URL of the stand-in.
        role: Its access key id, by which the stand-in tells who asks.

    Effects: for `dynaguard`, guards the whole process.
    """
    retries = _RETRIES_BY_POLICY[policy]
    if policy == "dynaguard":
        import dynaguard

        dynaguard.install(policy=None)
    options: dict[str, Any] = {} if retries is None else {"retries": dict(retries)}
    config = botocore.config.Config(
        max_pool_connections=CONNECTIONS, connect_timeout=3, read_timeout=5, **options
    )
    return boto3.session.Session().client(
        "dynamodb",
        region_name="us-east-1",
        endpoint_url=endpoint,
        aws_access_key_id=role,
        aws_secret_access_key="not-a-secret",
        config=config,
    )


def batch_scope(policy: str) -> AbstractContextManager[object]:
    """What a batch worker's thread runs in."""
    if policy != "dynaguard":
        return nullcontext()
    import dynaguard

    return dynaguard.job("job1", priority="batch")
