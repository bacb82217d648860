"""Keeps the demo and the user's own set-up apart: environment, credentials, AWS configuration."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator, Mapping
from typing import Any, Final

import boto3  # type: ignore[import-untyped]
from botocore.config import Config

from dynaguard.settings.table import ENV_PREFIX

REGION: Final = "eu-west-1"
ACCOUNT_ID: Final = "123456789012"
# Of the form of a role's temporary credentials; no secrets, since emulators check no signatures.
ACCESS_KEY_ID: Final = "ASIADYNAGUARDDEMO000"
_SECRET_ACCESS_KEY: Final = "of-the-demo-alone"
_SESSION_TOKEN: Final = "of-the-demo-alone"
_FOREIGN_PREFIXES: Final = ("AWS_", "MOTO_", "OTEL_", "POWERTOOLS_", ENV_PREFIX)
# Without these, a broken ~/.aws/config would break the demo.
_OWN: Final = {"AWS_CONFIG_FILE": os.devnull, "AWS_SHARED_CREDENTIALS_FILE": os.devnull}


@contextlib.contextmanager
def clean_environment(**added: str) -> Iterator[None]:
    """Takes the user's settings of AWS, dynaguard and telemetry out of the environment.

    Args:
        added: Variables to set instead.

    Effects: changes `os.environ` for the whole process; at the end it is as it was.
    """
    before = dict(os.environ)
    kept = {
        name: value
        for name, value in before.items()
        if not name.upper().startswith(_FOREIGN_PREFIXES)
    }
    try:
        _replace_environment({**kept, **_OWN, **added})
        yield
    finally:
        _replace_environment(before)


def _replace_environment(wanted: Mapping[str, str]) -> None:
    """Makes the environment that; never empty in between, since other threads may read it."""
    for name in [name for name in os.environ if name not in wanted]:
        del os.environ[name]
    os.environ.update(wanted)


class Connections:
    """Makes clients and resources for one endpoint, with the demo's own credentials.

    Args:
        url: The endpoint.
    """

    def __init__(self, url: str) -> None:
        self._url = url

    def client(self, *, region: str = REGION) -> Any:
        """A DynamoDB client; of a session of its own, so that threads share nothing."""
        return self._session(region).client("dynamodb", **self._options())

    def resource(self, *, region: str = REGION) -> Any:
        """A DynamoDB resource; of a session of its own."""
        return self._session(region).resource("dynamodb", **self._options())

    def _session(self, region: str) -> boto3.session.Session:
        return boto3.session.Session(
            aws_access_key_id=ACCESS_KEY_ID,
            aws_secret_access_key=_SECRET_ACCESS_KEY,
            aws_session_token=_SESSION_TOKEN,
            region_name=region,
        )

    def _options(self) -> dict[str, Any]:
        """The endpoint, reached without the user's HTTP proxies."""
        return {"endpoint_url": self._url, "config": Config(proxies={})}
