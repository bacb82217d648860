"""Who is said to call, with botocore's own credential providers asking fake endpoints.

One row of `SITUATIONS` is one way in which a process gets its credentials: files, variables,
endpoints. Each expects the whole principal, as a call has it and as its record tells it.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import botocore.config
import botocore.credentials
import botocore.session
import botocore.utils
import pytest

import dynaguard
from dynaguard.audit.record import identity_part
from dynaguard.call import Principal, PrincipalKind
from dynaguard.hooks.credentials import credential_facts
from dynaguard.identity import IdentityResolver
from dynaguard.scope import EMPTY_SCOPE, current_scope
from tests.identity.fake_aws import SECRET, TOKEN, FakeAws
from tests.identity.situation_cases import SITUATIONS
from tests.identity.situation_parts import ASIA, EXPIRES_AT, USER, Situation
from tests.identity.situation_stage import POLICY, aws, client_of, facts_of, prepare, records_of

__all__ = ["aws", "prepare"]  # fixtures


def expected_of(situation: Situation, aws: FakeAws) -> Principal:
    """The principal with the key, its expiry and the static findings."""
    codes = ["long_lived_key"] if situation.expected.is_static_key else []
    if situation.expected.owner is None and situation.expected.source != "none":
        codes.append("owner_missing")
    expires = situation.expires
    return replace(
        situation.expected,
        access_key_id=situation.key,
        expires_at=aws.expires_at if expires is True else expires or None,
        findings=tuple(codes),
    )


@pytest.mark.parametrize("situation", SITUATIONS, ids=lambda situation: situation.title)
def test_every_way_to_credentials_gives_the_right_principal(
    situation: Situation, aws: FakeAws, prepare: Callable[[Situation], None], tmp_path: Path
) -> None:
    """The whole principal, on the second call and in its record; nothing secret anywhere."""
    prepare(situation)
    audit = tmp_path / "audit.jsonl"
    expected = expected_of(situation, aws)
    with dynaguard.install(POLICY, audit=audit, **situation.install) as guard:
        client = client_of(situation.client)
        client.list_tables()
        guard.rooms.resolver.settled(facts_of(client), EMPTY_SCOPE)
        if situation.acting is not None:
            with dynaguard.acting_as(situation.acting, groups=["agents"]):
                client.list_tables()
                found = guard.rooms.resolver.resolve(facts_of(client), current_scope())
            expected = replace(
                expected,
                acting_name=situation.acting,
                kind=PrincipalKind.AGENT,
                groups=expected.groups | {"agents"},
                signer=expected,
            )
        else:
            client.list_tables()
            found = guard.rooms.resolver.resolve(facts_of(client), EMPTY_SCOPE)
    written = audit.read_text()

    assert found == expected
    records = records_of(audit)
    assert records[-1]["identity"] == identity_part(expected)
    # What providers ask for credentials is botocore's own: neither decided nor recorded.
    assert [record["operation"] for record in records] == ["ListTables"] * 2
    assert "CANARY" not in written
    if situation.key is not None:
        assert situation.key not in written
    assert "sts:GetCallerIdentity" not in aws.asked or "identity_lookup" in situation.install


def test_the_table_is_long_enough() -> None:
    """Every row is another situation."""
    assert len({situation.title for situation in SITUATIONS}) == len(SITUATIONS) >= 25


@pytest.mark.skipif(
    not hasattr(botocore.credentials, "LoginCredentialFetcher"), reason="an older botocore"
)
def test_a_login_session_is_who_signed_in() -> None:
    """Its provider needs the CRT, its fetcher does not."""
    fetcher = botocore.credentials.LoginCredentialFetcher(USER, None, None)
    credentials = botocore.credentials.RefreshableCredentials(
        ASIA, SECRET, TOKEN, EXPIRES_AT, fetcher.refresh_credentials, "login"
    )
    resolves = IdentityResolver(identity=None, account_id=None, groups={}, environ={})

    found = resolves.resolve(credential_facts(credentials), EMPTY_SCOPE)

    assert (found.arn, found.kind, found.expires_at) == (USER, PrincipalKind.USER, EXPIRES_AT)
