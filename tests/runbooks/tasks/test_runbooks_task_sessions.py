"""The session of a task with a role: when STS is asked, when not, and how long keys are good."""

from __future__ import annotations

import logging
import threading

import pytest

import dynaguard
from dynaguard import PolicyDenied, SessionError
from tests.hooks.conftest import Wire
from tests.runbooks.tasks.conftest import ROLE, FakeClock, FakeSts, wired
from tests.runbooks.tasks.session_tasks import KEY, POLICY, client_error, manager


@pytest.mark.smoke
def test_nothing_is_assumed_before_credentials_are_needed(
    clock: FakeClock, sts: FakeSts, wire: Wire
) -> None:
    """Neither by beginning the task nor by making a client; by the first call, once."""
    dynaguard.install(POLICY)
    with manager(clock, sts) as task:
        client = wired(task.client("dynamodb"), wire)
        assert sts.asked == []

        client.get_item(TableName="orders", Key=KEY)
        client.get_item(TableName="orders", Key=KEY)

    assert len(sts.asked) == 1
    assert "ASIAEXAMPLE000000001" in wire.headers()["authorization"]
    assert wire.headers()["x-amz-security-token"] == "token-1"


def test_a_task_without_calls_assumes_nothing(clock: FakeClock, sts: FakeSts) -> None:
    """What nobody needed nobody was given."""
    with manager(clock, sts):
        pass

    assert (sts.asked, sts.regions) == ([], [])


def test_credentials_are_refreshed_while_the_task_lives(
    clock: FakeClock, sts: FakeSts, wire: Wire
) -> None:
    """Shortly before they end, not with every call; the last ones for what is left."""
    dynaguard.install(POLICY)
    with manager(clock, sts, duration_s=5000.0) as task:
        client = wired(task.client("dynamodb"), wire)
        client.get_item(TableName="orders", Key=KEY)
        clock.advance(3400)
        client.get_item(TableName="orders", Key=KEY)
        assert len(sts.asked) == 1
        clock.advance(100)
        client.get_item(TableName="orders", Key=KEY)
        assert len(sts.asked) == 2
        clock.advance(1450)
        client.get_item(TableName="orders", Key=KEY)

    assert [asked["DurationSeconds"] for asked in sts.asked] == [3600, 1500]
    assert "token-2" in wire.headers()["x-amz-security-token"]


def test_nothing_is_refreshed_after_the_end(clock: FakeClock, sts: FakeSts, wire: Wire) -> None:
    """Neither by a call, nor by asking, nor when time ends it."""
    dynaguard.install(POLICY)
    with manager(clock, sts) as task:
        client = wired(task.client("dynamodb"), wire)
        client.get_item(TableName="orders", Key=KEY)
    clock.advance(3500)

    with pytest.raises(PolicyDenied):
        client.get_item(TableName="orders", Key=KEY)
    with pytest.raises(PolicyDenied):
        task.credentials()

    assert (len(sts.asked), len(wire.sent)) == (1, 1)


def test_without_a_guard_the_end_holds_too(clock: FakeClock, sts: FakeSts, wire: Wire) -> None:
    """The credentials themselves refuse."""
    with manager(clock, sts) as task:
        client = wired(task.client("dynamodb"), wire)
        client.get_item(TableName="orders", Key=KEY)

    with pytest.raises(PolicyDenied, match="has ended"):
        client.get_item(TableName="orders", Key=KEY)

    assert len(wire.sent) == 1


def test_its_time_ends_a_session(clock: FakeClock, sts: FakeSts, wire: Wire) -> None:
    """A task that stays incomplete signs nothing more."""
    with manager(clock, sts) as task:
        client = wired(task.client("dynamodb"), wire)
        client.get_item(TableName="orders", Key=KEY)
        clock.advance(3600)

        with pytest.raises(PolicyDenied, match="has ended"):
            client.get_item(TableName="orders", Key=KEY)


def test_a_task_that_ends_while_sts_thinks_gets_nothing(clock: FakeClock, sts: FakeSts) -> None:
    """What comes too late is not used."""
    with manager(clock, sts, duration_s=60.0) as task:
        sts.on_call = lambda: clock.advance(60)

        with pytest.raises(PolicyDenied, match="has ended"):
            task.credentials()


def test_a_failed_refresh_in_time_goes_on_with_what_there_is(
    clock: FakeClock, sts: FakeSts
) -> None:
    """In the last minute the error is told; before that, credentials are still good."""
    with manager(clock, sts, duration_s=7200.0) as task:
        before = task.credentials()
        clock.advance(3600 - 100)
        sts.errors = [client_error("InternalFailure"), client_error("InternalFailure")]

        assert task.credentials() == before
        clock.advance(50)
        with pytest.raises(SessionError, match="InternalFailure"):
            task.credentials()
        assert task.credentials().access_key_id != before.access_key_id


def test_threads_that_need_credentials_at_once_ask_once(clock: FakeClock, sts: FakeSts) -> None:
    """One asks, the others wait for it."""
    seen: list[str] = []
    with manager(clock, sts) as task:
        threads = [
            threading.Thread(target=lambda: seen.append(task.credentials().access_key_id))
            for _ in range(8)
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()

    assert (len(sts.asked), len(set(seen)), len(seen)) == (1, 1, 8)


def test_the_guard_knows_who_calls_before_sts_was_asked(
    clock: FakeClock, sts: FakeSts, wire: Wire
) -> None:
    """A policy decides on the role, though it was not assumed yet: a refused call assumes none."""
    dynaguard.install(
        {
            "version": 1,
            "default": "allow",
            "govern": ["dynamodb"],
            "statement": [
                {
                    "Effect": "Deny",
                    "Principal": {"AWS": ROLE},
                    "Action": "dynamodb:GetItem",
                    "Resource": "*",
                }
            ],
        }
    )
    with manager(clock, sts) as task:
        client = wired(task.client("dynamodb"), wire)
        with pytest.raises(PolicyDenied):
            client.get_item(TableName="orders", Key=KEY)

    assert sts.asked == []


def test_no_secret_is_shown(
    clock: FakeClock, sts: FakeSts, caplog: pytest.LogCaptureFixture
) -> None:
    """Neither in representations nor in logs."""
    caplog.set_level(logging.DEBUG)
    with manager(clock, sts, duration_s=7200.0) as task:
        found = task.credentials()
        clock.advance(3600)
        sts.errors = [client_error("InternalFailure")]
        with pytest.raises(SessionError) as caught:
            task.credentials()

    shown = "".join([repr(found), repr(task), str(caught.value), caplog.text])
    assert "secret-1" not in shown
    assert "token-1" not in shown


def test_environ_and_process_output(clock: FakeClock, sts: FakeSts) -> None:
    """What other tools read: variables, and the output of a `credential_process`."""
    with manager(clock, sts, region="eu-west-1") as task:
        environ, found = task.environ(), task.credentials()

    assert environ["AWS_ACCESS_KEY_ID"] == "ASIAEXAMPLE000000001"
    assert environ["AWS_SESSION_TOKEN"] == "token-1"
    assert environ["AWS_REGION"] == environ["AWS_DEFAULT_REGION"] == "eu-west-1"
    assert environ["AWS_CREDENTIAL_EXPIRATION"] == "2027-01-15T09:00:00Z"
    assert found.as_process_output() == {
        "Version": 1,
        "AccessKeyId": "ASIAEXAMPLE000000001",
        "SecretAccessKey": "secret-1",
        "SessionToken": "token-1",
        "Expiration": "2027-01-15T09:00:00Z",
    }


def test_a_boto3_session_has_the_same_credentials(clock: FakeClock, sts: FakeSts) -> None:
    """`task.session` is boto3's, for resources and libraries that take one."""
    with manager(clock, sts) as task:
        frozen = task.session.get_credentials().get_frozen_credentials()
        assert frozen.access_key == task.credentials().access_key_id

    assert len(sts.asked) == 1
