"""Identities over the life of a process: rotation, look-ups, memory, by botocore's providers."""

from __future__ import annotations

import hashlib
import json
import socket
import threading
import tracemalloc
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

import dynaguard
from dynaguard.call import CredentialFacts, Principal
from dynaguard.hooks.sts import facts_to_ask_for, look_up_caller
from dynaguard.identity import IdentityResolver, findings, lookup, resolver
from dynaguard.scope import EMPTY_SCOPE, Scope
from tests.identity.fake_aws import SECRET, TOKEN, FakeAws
from tests.identity.situation_cases import SITUATIONS
from tests.identity.situation_parts import (
    AKIA,
    ASIA,
    ASSUME,
    GITHUB_ENV,
    ROOT,
    SESSION,
    USER,
    Situation,
)
from tests.identity.situation_stage import POLICY, aws, client_of, facts_of, prepare, records_of

__all__ = ["aws", "prepare"]  # fixtures


# --- rotation ----------------------------------------------------------------------------------


def test_rotation_is_seen_on_the_next_call(
    aws: FakeAws, prepare: Callable[[Situation], None], tmp_path: Path
) -> None:
    """Another role, by the same provider's object: the next call is the new one's."""
    prepare(next(each for each in SITUATIONS if each.title == "ECS task, asked"))
    audit = tmp_path / "audit.jsonl"
    with dynaguard.install(POLICY, audit=audit, identity_lookup="sts") as guard:
        client = client_of({})
        client.list_tables()
        guard.rooms.resolver.settled(facts_of(client), EMPTY_SCOPE)
        client.list_tables()
        credentials = client._request_signer._credentials
        credentials._expiry_time = datetime.now(UTC) - timedelta(seconds=1)
        aws.caller_arn = SESSION.replace("etl", "other")
        client.list_tables()
        guard.rooms.resolver.settled(facts_of(client), EMPTY_SCOPE)
        client.list_tables()
    identities = [record["identity"] for record in records_of(audit)]

    assert [each["arn"] for each in identities] == [
        None,
        SESSION,
        None,
        SESSION.replace("etl", "other"),
    ]
    prints = [each["key_fingerprint"] for each in identities]
    assert prints[0] == prints[1] != prints[2] == prints[3]
    assert "etl" not in identities[2]["groups"]


def test_a_key_that_changes_while_a_call_is_signed_is_decided_about(
    aws: FakeAws, prepare: Callable[[Situation], None], tmp_path: Path
) -> None:
    """The new key's identity has to be allowed too; where it is not, nothing is sent."""
    prepare(next(each for each in SITUATIONS if each.title == "ECS task, asked"))
    deny = {
        "Sid": "NotOthers",
        "Effect": "Deny",
        "Principal": {"AWS": "arn:aws:sts::*:assumed-role/other/*"},
        "Action": "ssm:*",
        "Resource": "*",
    }
    document = {**POLICY, "govern": ["ssm"], "statement": [deny]}
    audit = tmp_path / "audit.jsonl"
    with dynaguard.install(document, audit=audit, identity_lookup="sts"):
        client = client_of({}, "ssm")
        credentials = client._request_signer._credentials
        client.describe_parameters()
        credentials._expiry_time = datetime.now(UTC) - timedelta(seconds=1)
        client.describe_parameters()
        credentials._expiry_time = datetime.now(UTC) - timedelta(seconds=1)
        aws.caller_arn = SESSION.replace("etl", "other")
        with pytest.raises(dynaguard.PolicyDenied, match="NotOthers"):
            client.describe_parameters()
    records = records_of(audit)
    prints = [record["identity"]["key_fingerprint"] for record in records]

    assert aws.asked.count("ssm:DescribeParameters") == 2
    assert [record["outcome"]["status"] for record in records] == ["ok", "ok", "denied"]
    assert prints == [
        hashlib.sha256(f"ASIA{number:016}".encode()).hexdigest()[:16] for number in (1, 2, 3)
    ]


def test_clients_with_credentials_of_their_own_are_told_apart(
    prepare: Callable[[Situation], None], tmp_path: Path
) -> None:
    """Turn by turn, in one process."""
    prepare(Situation("", Principal(), config=ASSUME))
    audit = tmp_path / "audit.jsonl"
    static = {"aws_access_key_id": AKIA, "aws_secret_access_key": SECRET}
    session = {**static, "aws_access_key_id": ASIA, "aws_session_token": TOKEN}
    with dynaguard.install(POLICY, audit=audit):
        clients = [client_of(options) for options in ({}, static, session)]
        for _ in range(3):
            for client in clients:
                client.list_tables()
    names = [record["identity"]["name"] for record in records_of(audit)]

    assert names == ["etl", "static-key", "temporary-key"] * 3


# --- no network on the hot path ----------------------------------------------------------------


def test_no_call_goes_to_the_network_for_an_identity(
    aws: FakeAws, prepare: Callable[[Situation], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The calling thread connects for its own calls alone, the look-up's thread for STS."""
    prepare(next(each for each in SITUATIONS if each.title == "user, asked"))
    connects: dict[int, int] = {}
    connect = socket.socket.connect

    def counted(self: socket.socket, address: Any) -> None:
        here = threading.get_ident()
        connects[here] = connects.get(here, 0) + 1
        connect(self, address)

    monkeypatch.setattr(socket.socket, "connect", counted)
    with dynaguard.install(POLICY, identity_lookup="iam") as guard:
        client = client_of({})
        for _ in range(20):
            client.list_tables()
        guard.rooms.resolver.settled(facts_of(client), EMPTY_SCOPE)
        for _ in range(20):
            client.list_tables()
    here = connects.pop(threading.get_ident())

    assert here == 1  # one kept-alive connection of the client's own
    assert sum(connects.values()) == 2
    assert aws.asked.count("dynamodb:ListTables") == 40
    assert sorted({*aws.asked} - {"dynamodb:ListTables"}) == [
        "iam:ListAccessKeys",
        "sts:GetCallerIdentity",
    ]
    assert aws.asked.count("sts:GetCallerIdentity") == 1


def test_a_call_that_is_refused_for_want_of_the_arn_waits_for_it(
    aws: FakeAws, prepare: Callable[[Situation], None]
) -> None:
    """The first call of a key is decided as every later one; others wait for nothing."""
    prepare(next(each for each in SITUATIONS if each.title == "user, asked"))
    allow = {
        "Effect": "Allow",
        "Principal": {"AWS": USER},
        "Action": "dynamodb:ListTables",
        "Resource": "*",
    }
    document = {**POLICY, "default": "deny", "statement": [allow]}

    with dynaguard.install(document, identity_lookup="sts") as guard:
        client_of({}).list_tables()
        assert guard.counters.denials == 0
    aws.caller_arn = ROOT
    with (
        dynaguard.install(document, identity_lookup="sts"),
        pytest.raises(dynaguard.PolicyDenied),
    ):
        client_of({}).list_tables()


def test_a_key_s_age_that_may_not_be_asked_for_stays_unknown(
    aws: FakeAws, prepare: Callable[[Situation], None]
) -> None:
    """The ARN is told all the same."""
    prepare(next(each for each in SITUATIONS if each.title == "user, asked"))
    aws.key_made_at = None

    with dynaguard.install(POLICY, identity_lookup="iam") as guard:
        client = client_of({})
        client.list_tables()
        guard.rooms.resolver.settled(facts_of(client), EMPTY_SCOPE)
        found = guard.rooms.resolver.resolve(facts_of(client), EMPTY_SCOPE)

    assert (found.arn, found.key_created_at) == (USER, None)


# --- memory ------------------------------------------------------------------------------------


def test_memory_is_bounded_under_ten_thousand_identities() -> None:
    """Entries of every memory by its bound; all of them together by eight megabytes."""
    resolves = IdentityResolver(
        identity=None,
        account_id=None,
        groups=POLICY["groups"],
        environ=GITHUB_ENV,
        lookup=lambda facts: lookup.Caller(f"{USER}-{facts.access_key_id}"),
        start=lambda work: work(),
    )
    tracemalloc.start()
    try:
        for n in range(10_000):
            facts = CredentialFacts(f"AKIA{n:016}", "env", has_session_token=False)
            found = resolves.resolve(facts, Scope(acting_name=f"bot-{n}", job=f"job-{n}"))
            assert found.arn == f"{USER}-{facts.access_key_id}"
        _, peak_bytes = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()

    assert len(resolves._entry_by_facts) <= resolver.MAX_REMEMBERED
    assert len(resolves._acting_by_key) <= resolver.MAX_REMEMBERED
    assert len(resolves._job_by_key_id) <= resolver.MAX_REMEMBERED
    assert resolves._lookup is not None
    assert len(resolves._lookup._answers) <= lookup.MAX_KEYS
    assert not resolves._lookup._waiting
    assert len(resolves.findings) <= findings.MAX_FINDINGS
    assert peak_bytes < 8 * 2**20


def test_status_shows_what_was_found(prepare: Callable[[Situation], None]) -> None:
    """For reviewers, in JSON too; never a key."""
    prepare(next(each for each in SITUATIONS if each.title == "user key in variables"))
    with dynaguard.install(POLICY):
        client = client_of({})
        with dynaguard.job("a"):
            client.list_tables()
        with dynaguard.job("b"):
            client.list_tables()
        found = json.dumps(dynaguard.status().as_dict())

    assert AKIA not in found
    assert [each["code"] for each in json.loads(found)["identity_findings"]] == [
        "key_in_several_jobs",
        "long_lived_key",
        "owner_missing",
    ]


def test_masks_that_name_identities_wait_for_the_answer(
    prepare: Callable[[Situation], None],
) -> None:
    """The first answer is masked for whom every later one is."""
    prepare(next(each for each in SITUATIONS if each.title == "user, asked"))
    mask = {"tables": ["*"], "attributes": ["email"], "unless": {"AWS": USER}}

    with dynaguard.install({**POLICY, "mask": [mask]}, identity_lookup="sts") as guard:
        client = client_of({})
        client.list_tables()
        plan = guard.rooms.masks.plan_for(  # type: ignore[union-attr]
            "dynamodb",
            "GetItem",
            ("orders",),
            guard.rooms.resolver.resolve(facts_of(client), EMPTY_SCOPE),
        )

    assert plan is None


def test_a_client_with_credentials_of_an_odd_kind_is_served() -> None:
    """An object that takes no weak reference: nobody is asked, and no call breaks."""

    class Odd:
        __slots__ = ("access_key", "method", "secret_key", "token")

    odd = Odd()
    odd.access_key, odd.secret_key, odd.token, odd.method = "AKIAODD", SECRET, None, "odd"

    assert facts_to_ask_for(odd).access_key_id == "AKIAODD"
    assert look_up_caller(facts_to_ask_for(odd), False) is None
