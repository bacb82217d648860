"""The demo neither reads nor changes what the user has set up."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from dynaguard.demo.isolation import (
    ACCESS_KEY_ID,
    REGION,
    Connections,
    clean_environment,
)


def test_settings_of_the_user_are_not_there_meanwhile(monkeypatch: pytest.MonkeyPatch) -> None:
    """AWS, dynaguard and telemetry settings are gone in the block; everything else stays."""
    foreign = ("AWS_PROFILE", "DYNAGUARD_MODE", "dynaguard_audit", "OTEL_SDK_DISABLED")
    for name in (*foreign, "MOTO_PORT", "HARMLESS"):
        monkeypatch.setenv(name, "mine")

    with clean_environment():
        inside = dict(os.environ)

    assert not {*foreign, "MOTO_PORT"} & set(inside)
    assert inside["HARMLESS"] == "mine"
    assert inside["AWS_CONFIG_FILE"] == os.devnull


def test_the_environment_comes_back_as_it_was(monkeypatch: pytest.MonkeyPatch) -> None:
    """Also when the block raises, and whatever it set."""
    monkeypatch.setenv("DYNAGUARD_MODE", "observe")
    before = dict(os.environ)

    def change_it_and_fail() -> None:
        with clean_environment(DEMO_TABLE_PREFIX="x-"):
            assert os.environ["DEMO_TABLE_PREFIX"] == "x-"
            os.environ["LEFT_BEHIND"] = "1"
            raise RuntimeError

    with pytest.raises(RuntimeError):
        change_it_and_fail()

    assert dict(os.environ) == before


def test_clients_have_the_demos_credentials_and_no_http_proxy(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """Whatever the environment and the configuration files say, broken ones included."""
    broken = tmp_path / "config"
    broken.write_text("[profile broken\n")
    monkeypatch.setenv("AWS_CONFIG_FILE", str(broken))
    monkeypatch.setenv("AWS_PROFILE", "nobody")
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:9")
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:9")

    with clean_environment():
        client = Connections("http://127.0.0.1:8").client()

    assert client.meta.endpoint_url == "http://127.0.0.1:8"
    assert client.meta.region_name == REGION
    assert client._request_signer._credentials.access_key == ACCESS_KEY_ID
    assert client._endpoint.http_session._proxy_config._proxies == {}
