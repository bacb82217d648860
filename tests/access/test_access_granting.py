"""`grant()`, `revoke_grant()`, `grants()`: a store of the settings or one that is given."""

from __future__ import annotations

import json
import logging
import subprocess
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import boto3
import pytest

import dynaguard
from dynaguard.access.granting import create_grant, list_grants, revoke_grant, state_of
from dynaguard.access.store import StoredRecord
from dynaguard.access.terms import GrantTerms
from dynaguard.errors import AccessStoreError, ConfigurationError, PolicySyntaxError
from dynaguard.testing import MemoryStore
from tests.access.desk import BEGIN_S, ORDERS, ROLE, Desk, statements

READ = {"Effect": "Allow", "Action": "dynamodb:GetItem", "Resource": ORDERS}
SHORT: Any = {"identity": "etl", "reason": "INC-1", "actions": "dynamodb:GetItem"}
DENY_ALL = {"version": 1, "default": "deny", "govern": ["dynamodb"]}


@pytest.fixture
def store() -> MemoryStore:
    """A store that is given."""
    return MemoryStore()


@pytest.mark.parametrize(
    "written",
    [
        {"actions": "dynamodb:GetItem", "resources": ORDERS},
        {"actions": ["dynamodb:GetItem"], "resources": [ORDERS]},
        {"statements": [READ]},
        {"statements": READ},
        {"statements": {"Version": "2012-10-17", "Statement": [READ]}},
        {"statements": {"Version": "2012-10-17", "Statement": READ}},
        {"statements": json.dumps(READ)},
        {"statements": json.dumps({"Version": "2012-10-17", "Statement": [READ]})},
    ],
)
def test_what_is_opened_is_written_as_it_suits(
    store: MemoryStore, written: dict[str, Any]
) -> None:
    """Short, as statements, as an IAM policy; as text of them."""
    made = dynaguard.grant(identity="etl", reason="INC-1", expires_in=60, store=store, **written)

    (allow,) = json.loads(made.statements)
    assert made.identity == "etl"
    assert (allow["Effect"], allow["Resource"]) in (("Allow", ORDERS), ("Allow", [ORDERS]))


@pytest.mark.parametrize(
    "end",
    [
        {"expires_in": 90},
        {"expires_in": 90.0},
        {"expires_in": timedelta(seconds=90)},
        {"expires": None},  # an instant, made when the test runs and not when it is collected
    ],
)
def test_an_end_is_a_duration_or_an_instant(store: MemoryStore, end: dict[str, Any]) -> None:
    """Counted from the beginning."""
    if "expires" in end:
        end = {"expires": datetime.now(UTC) + timedelta(seconds=90)}
    made = dynaguard.grant(resources=ORDERS, store=store, **SHORT, **end)

    assert 20 < made.expires_epoch_s - made.not_before_epoch_s <= 90


def test_a_grant_may_begin_later(store: MemoryStore) -> None:
    """Its duration counts from then."""
    begin = datetime.now(UTC) + timedelta(hours=30)

    made = dynaguard.grant(
        resources=ORDERS, store=store, not_before=begin, expires_in=3600, **SHORT
    )

    assert made.expires_epoch_s == pytest.approx(begin.timestamp() + 3600)


def test_every_problem_is_told_at_once(store: MemoryStore) -> None:
    """Those of the way it is written, and those of what it says; nothing is stored."""
    with pytest.raises(PolicySyntaxError) as caught:
        dynaguard.grant(
            identity="*",
            reason="",
            statements=[READ],
            actions="dynamodb:Scan",
            expires=datetime(2030, 1, 1),  # noqa: DTZ001 - without a time zone, that is the point
            store=store,
        )

    assert {problem.path for problem in caught.value.problems} == {
        *("statements", "expires", "identity", "reason")
    }
    assert store.uses == []


@pytest.mark.parametrize(
    "options",
    [
        {"not_before": "tomorrow"},
        {"expires": datetime.now(UTC), "expires_in": 60},
        {"expires": datetime.now(UTC) - timedelta(seconds=5)},
        {"statements": object()},
        {"expires_in": "15m"},
        {"expires_in": 60, "statements": "[{"},
        {},
    ],
)
def test_ends_and_statements_that_are_none(store: MemoryStore, options: dict[str, Any]) -> None:
    """Refused as configuration errors."""
    given = {"actions": "dynamodb:GetItem", "resources": ORDERS}
    if "statements" in options:
        given = {}

    with pytest.raises(ConfigurationError):
        dynaguard.grant(identity="etl", reason="why", store=store, **given, **options)

    assert store.uses == []


def test_the_longest_grant_is_a_setting(
    store: MemoryStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Less than a day, or more."""
    monkeypatch.setenv("DYNAGUARD_ACCESS_MAX_DURATION_S", "600")

    with pytest.raises(PolicySyntaxError, match="a grant lasts 10m at most"):
        dynaguard.grant(resources=ORDERS, store=store, expires_in=601, **SHORT)


def test_the_store_of_the_settings_is_used(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Without a guard: where the environment names it."""
    monkeypatch.setenv("DYNAGUARD_ACCESS_STORE", str(tmp_path / "access.sqlite"))

    made = dynaguard.grant(resources=ORDERS, expires_in=60, **SHORT)

    assert dynaguard.grants() == (made,)
    assert dynaguard.revoke_grant(made.id, "over").is_revoked
    assert dynaguard.grants() == ()
    assert [each.id for each in dynaguard.grants(include_ended=True)] == [made.id]


def test_the_store_of_the_guard_in_force_is_used(store: MemoryStore) -> None:
    """And the process sees what it did at once."""
    dynaguard.install(DENY_ALL, access_store=store, identity="etl")
    client = boto3.client("dynamodb", region_name="eu-west-1")
    answer = type("Answer", (), {"status_code": 200})()
    client.meta.events.register("before-call.dynamodb", lambda **_: (answer, {"Answered": True}))

    def is_allowed() -> bool:
        try:
            return bool(client.get_item(TableName="orders", Key={"id": {"S": "1"}}))
        except dynaguard.PolicyDenied:
            return False

    seen = [is_allowed()]
    made = dynaguard.grant(resources="arn:aws:dynamodb:*:*:table/orders", expires_in=60, **SHORT)
    seen.append(is_allowed())
    dynaguard.revoke_grant(made.id, "over")
    seen.append(is_allowed())

    assert seen == [False, True, False]
    assert made.owner == "etl"
    assert dynaguard.status().access["grants"] == 1


def test_without_a_store_it_says_what_to_set() -> None:
    """Nothing is made anywhere."""
    with pytest.raises(
        ConfigurationError, match="set `access_store` \\(DYNAGUARD_ACCESS_STORE\\)"
    ):
        dynaguard.grants()


def test_an_owner_is_named_or_known(store: MemoryStore, monkeypatch: pytest.MonkeyPatch) -> None:
    """As given, as the settings say, else the user of the process."""
    monkeypatch.setattr("getpass.getuser", lambda: "ada")

    made = [
        dynaguard.grant(resources=ORDERS, expires_in=60, store=store, **SHORT, **owner)
        for owner in ({}, {"owner": "bob"})
    ]
    monkeypatch.setenv("DYNAGUARD_IDENTITY", "deploy")
    made.append(dynaguard.grant(resources=ORDERS, expires_in=60, store=store, **SHORT))

    assert [each.owner for each in made] == ["ada", "bob", "deploy"]


def test_who_is_not_known_has_to_say(store: MemoryStore, monkeypatch: pytest.MonkeyPatch) -> None:
    """A container without users."""

    def unknown() -> str:
        raise KeyError("uid")

    monkeypatch.setattr("getpass.getuser", unknown)

    with pytest.raises(ConfigurationError, match="pass `owner`"):
        dynaguard.grant(resources=ORDERS, expires_in=60, store=store, **SHORT)


def test_a_read_only_store_takes_none() -> None:
    """Such as a signed file."""
    with pytest.raises(AccessStoreError, match="is read only"):
        dynaguard.grant(
            resources=ORDERS, expires_in=60, store=MemoryStore(is_read_only=True), **SHORT
        )


def test_an_id_that_is_taken_is_not_used_twice(store: MemoryStore) -> None:
    """Another one is tried."""
    ids = iter(["grant-1", "grant-1", "grant-2"])
    terms = GrantTerms(statements(), ROLE, "why", 60.0)

    made = [
        create_grant(
            store, terms, owner="ada", now_epoch_s=BEGIN_S, new_id=lambda _prefix: next(ids)
        )
        for _ in range(2)
    ]

    assert [each.id for each in made] == ["grant-1", "grant-2"]


def test_a_store_in_which_every_id_is_taken_is_given_up(store: MemoryStore) -> None:
    """Eight tries, each would be one in 2**80."""
    terms = GrantTerms(statements(), ROLE, "why", 60.0)
    options: Any = {"owner": "ada", "now_epoch_s": BEGIN_S, "new_id": lambda _prefix: "grant-1"}
    create_grant(store, terms, **options)

    with pytest.raises(AccessStoreError, match="no free id"):
        create_grant(store, terms, **options)


@pytest.mark.parametrize("reason", ["", "  ", "a\nb", "x" * 513])
def test_a_revocation_has_a_reason(reason: str) -> None:
    """Of one line."""
    desk = Desk()
    made = desk.give()

    with pytest.raises(ConfigurationError, match="reason"):
        revoke_grant(desk.store, made.id, by="ada", why=reason, now_epoch_s=BEGIN_S)


def test_a_revocation_of_nothing_says_so(store: MemoryStore) -> None:
    """By the id as it was given, in one line."""
    with pytest.raises(ConfigurationError, match="there is no grant `grant-x` in `memory`"):
        dynaguard.revoke_grant("grant-x\n", "over", store=store)


def test_a_change_is_told_once_it_is_in_the_store(caplog: pytest.LogCaptureFixture) -> None:
    """A second revocation is none."""
    desk = Desk()
    with caplog.at_level(logging.INFO, "dynaguard.access"):
        made = desk.give()
        desk.revoke(made)
        desk.revoke(made)

    assert caplog.messages == [
        f"grant created: `{made.id}` by `ada`, for `{ROLE}`, until 2027-01-15T08:15:00Z: INC-4711",
        f"grant revoked: `{made.id}` by `ada`, for `{ROLE}`: over",
    ]


def test_a_listing_names_what_is_no_grant() -> None:
    """And hides what is over, unless it is asked for."""
    desk = Desk()
    later = desk.give(begins_epoch_s=BEGIN_S + 100)
    kept, ended, used, gone = (
        desk.give(),
        desk.give(duration_s=5.0),
        desk.give(uses=1),
        desk.give(),
    )
    desk.revoke(gone)
    record = desk.store.get("grant", used.id)
    assert record is not None
    body = record.body.replace('"uses_left":1', '"uses_left":0')
    desk.store.replace(record.changed(body, record.expires_epoch_s))
    desk.store.add(StoredRecord("grant", "grant-bad", 1, "{}", BEGIN_S + 900))

    short = list_grants(desk.store, now_epoch_s=BEGIN_S + 10)
    full = list_grants(desk.store, now_epoch_s=BEGIN_S + 10, include_ended=True)

    assert [each.id for each in short.grants] == [kept.id, later.id]
    assert list(short.unreadable) == ["grant-bad"]
    assert {state_of(each, BEGIN_S + 10) for each in full.grants} == {
        *("in force", "to begin", "ended", "used up", "revoked")
    }
    assert len(full.grants) == 5
    assert ended in full.grants


def test_installing_without_a_store_loads_nothing_of_grants() -> None:
    """Who keeps none pays for none."""
    code = (
        "import sys, dynaguard; dynaguard.install({'version': 1, 'default': 'deny'}); "
        "print([name for name in ('book', 'snapshot', 'widening', 'claiming', 'granting', "
        "'grants', 'terms', 'changes') if f'dynaguard.access.{name}' in sys.modules])"
    )

    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", code], capture_output=True, text=True, check=True
    )

    assert done.stdout.strip() == "[]"
