"""What a client's credential provider tells, without a refresh."""

from __future__ import annotations

import datetime
from typing import Any

import botocore.session
import pytest
from botocore.credentials import (
    AssumeRoleCredentialFetcher,
    Credentials,
    DeferredRefreshableCredentials,
    RefreshableCredentials,
    create_mfa_serial_refresher,
)

from dynaguard.hooks.credentials import access_key_id_of, credential_facts

SECRET = "CANARY-SECRET"
TOKEN = "CANARY-TOKEN"
ROLE = "arn:aws:iam::111122223333:role/team/etl"
SESSION_ARN = "arn:aws:sts::111122223333:assumed-role/etl/run-7"


class FakeSts:
    """Answers AssumeRole, and counts."""

    def __init__(self) -> None:
        self.calls = 0

    def assume_role(self, **_: Any) -> dict[str, Any]:
        self.calls += 1
        return {
            "Credentials": {
                "AccessKeyId": f"ASIA{self.calls:016}",
                "SecretAccessKey": SECRET,
                "SessionToken": TOKEN,
                "Expiration": datetime.datetime(2100, 1, 1, tzinfo=datetime.UTC),
            },
            "AssumedRoleUser": {"Arn": SESSION_ARN, "AssumedRoleId": "AROA:run-7"},
        }


def assume_role_fetcher(sts: FakeSts) -> AssumeRoleCredentialFetcher:
    """botocore's own fetcher, over a fake STS."""
    return AssumeRoleCredentialFetcher(
        lambda *_, **__: sts,
        Credentials("AKIASOURCE", SECRET),
        ROLE,
        extra_args={"RoleSessionName": "run-7"},
    )


def deferred(refresh: Any) -> DeferredRefreshableCredentials:
    """Credentials that call `refresh` when first used."""
    return DeferredRefreshableCredentials(refresh, "assume-role")


def test_static_keys_tell_the_key_id_and_no_more() -> None:
    """Secret and token are not kept."""
    facts = credential_facts(Credentials("AKIA1", SECRET, TOKEN, method="env"))

    assert facts.access_key_id == "AKIA1"
    assert facts.method == "env"
    assert facts.has_session_token is True
    assert "CANARY" not in repr(facts)


@pytest.mark.parametrize("with_mfa", [False, True])
def test_an_assume_role_profile_tells_role_and_session_before_any_call(with_mfa: bool) -> None:
    """Reading the facts asks nobody."""
    sts = FakeSts()
    refresh = assume_role_fetcher(sts).fetch_credentials
    facts = credential_facts(
        deferred(create_mfa_serial_refresher(refresh) if with_mfa else refresh)
    )

    assert sts.calls == 0
    assert facts.role_arn == ROLE
    assert facts.role_session_name == "run-7"
    assert facts.access_key_id is None
    assert facts.has_session_token is None


def test_after_the_first_refresh_the_exact_session_arn_is_known() -> None:
    """STS's answer lies in the fetcher's cache."""
    sts = FakeSts()
    credentials = deferred(assume_role_fetcher(sts).fetch_credentials)
    credentials.get_frozen_credentials()

    facts = credential_facts(credentials)

    assert facts.assumed_role_arn == SESSION_ARN
    assert facts.access_key_id == "ASIA0000000000000001"
    assert sts.calls == 1
    assert "CANARY" not in repr(facts)


def test_reading_an_expired_key_does_not_refresh_it() -> None:
    """The public attribute would refresh; the current key is read without."""

    def refresh() -> dict[str, str]:
        raise AssertionError

    credentials = RefreshableCredentials(
        "ASIAOLD", SECRET, TOKEN, datetime.datetime(2000, 1, 1, tzinfo=datetime.UTC), refresh, "x"
    )

    assert access_key_id_of(credentials) == "ASIAOLD"
    assert credential_facts(credentials).access_key_id == "ASIAOLD"


def test_no_credentials_are_no_facts() -> None:
    """An anonymous client has none."""
    assert credential_facts(None).access_key_id is None


def test_rotation_is_seen_on_the_next_call(client: Any, wire: Any, tmp_path: Any) -> None:
    """Facts are read again when the key changes."""
    from dynaguard.hooks.clients import ClientRegistry

    registry = ClientRegistry()
    first = registry.facts_of(client).call("GetItem", {}, None).credentials
    client._request_signer._credentials.access_key = "ASIAROTATED"
    second = registry.facts_of(client).call("GetItem", {}, None).credentials

    assert first.access_key_id != second.access_key_id
    assert second.access_key_id == "ASIAROTATED"


def test_a_client_with_keys_of_its_own_differs_from_its_session() -> None:
    """The client is asked, not the session."""
    from dynaguard.hooks.clients import ClientRegistry

    client = botocore.session.Session().create_client(
        "dynamodb",
        region_name="eu-west-1",
        aws_access_key_id="AKIAEXPLICIT",
        aws_secret_access_key=SECRET,
    )

    call = ClientRegistry().facts_of(client).call("GetItem", {}, None)

    assert call.credentials.access_key_id == "AKIAEXPLICIT"
