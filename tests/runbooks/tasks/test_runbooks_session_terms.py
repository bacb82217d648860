"""What STS is asked for a task's session (duration, terms, name, region), and its answers."""

from __future__ import annotations

import json
import pickle
from typing import Any

import pytest
from botocore.exceptions import EndpointConnectionError, ReadTimeoutError

from dynaguard import ConfigurationError, SessionError
from dynaguard.access.sessions import (
    MAX_SESSION_S,
    MIN_SESSION_S,
    SessionTerms,
    check_terms,
    session_duration_s,
    session_name,
)
from tests.runbooks.tasks.conftest import ROLE, FakeClock, FakeSts
from tests.runbooks.tasks.session_tasks import STATEMENTS, client_error, manager


def test_what_sts_is_asked_for(clock: FakeClock, sts: FakeSts) -> None:
    """Role, name with the task, duration, and a policy of the task's calls with its end."""
    with manager(clock, sts, duration_s=1800.0) as task:
        task.credentials()

    asked = sts.asked[0]
    assert asked.keys() == {"RoleArn", "RoleSessionName", "DurationSeconds", "Policy"}
    assert asked["RoleArn"] == ROLE
    assert asked["RoleSessionName"] == task.id == task.session_name
    assert asked["DurationSeconds"] == 1800
    assert json.loads(asked["Policy"])["Statement"][0] == STATEMENTS[0]


@pytest.mark.parametrize("duration_s", [900, 901, 1800, 3600, 7200, 43_200])
def test_any_duration_that_sts_gives_can_be_asked_for(
    clock: FakeClock, sts: FakeSts, duration_s: int
) -> None:
    """From 900 seconds to twelve hours."""
    terms = SessionTerms(session_s=duration_s)
    with manager(clock, sts, duration_s=float(duration_s), terms=terms) as task:
        task.credentials()

    assert sts.asked[0]["DurationSeconds"] == duration_s


@pytest.mark.parametrize("session_s", [899, 43_201, 0, -900, True, 900.5, "900"])
def test_durations_that_sts_does_not_give_are_refused(session_s: Any) -> None:
    """Before anything begins."""
    with pytest.raises(ConfigurationError, match="900 to 43200"):
        check_terms(SessionTerms(session_s=session_s))


def test_a_short_task_has_the_shortest_session_and_a_policy_that_ends_with_it(
    clock: FakeClock, sts: FakeSts
) -> None:
    """AWS gives 900 seconds at least; the policy refuses what comes after the task."""
    with manager(clock, sts, duration_s=60.0) as task:
        found = task.credentials()

    assert sts.asked[0]["DurationSeconds"] == MIN_SESSION_S
    end = json.loads(sts.asked[0]["Policy"])["Statement"][-1]["Condition"]
    assert end == {"DateGreaterThanEquals": {"aws:CurrentTime": "2027-01-15T08:01:00Z"}}
    assert found.expires_at == task.expires_at


def test_credentials_last_no_longer_than_needed() -> None:
    """As long as the task, within what the role gives."""
    assert session_duration_s(30.2, None) == MIN_SESSION_S
    assert session_duration_s(1000.2, None) == 1001
    assert session_duration_s(86_400, None) == 3600
    assert session_duration_s(86_400, MAX_SESSION_S) == MAX_SESSION_S


@pytest.mark.parametrize(
    ("error", "message"),
    [
        (
            client_error("PackedPolicyTooLarge", "Packed policy consumes 112% of allotted space"),
            "112 % of what it takes.*name fewer tables",
        ),
        (client_error("AccessDenied"), "trust policy.*`sts:AssumeRole`"),
        (
            client_error(
                "ValidationError",
                "The requested DurationSeconds exceeds the MaxSessionDuration set for this role.",
            ),
            "raise its maximum session duration",
        ),
        (
            client_error(
                "ValidationError",
                "The requested DurationSeconds exceeds the 1 hour session limit for roles assumed "
                "by role chaining",
            ),
            "role chaining.*an hour at most",
        ),
        (client_error("MalformedPolicyDocument"), "does not understand"),
        (client_error("ExpiredToken"), "sign in again"),
        (client_error("RegionDisabledException"), "not active in this region"),
        (client_error("SomethingNew"), "`SomethingNew`"),
        (EndpointConnectionError(endpoint_url="https://sts"), "did not answer"),
        (ReadTimeoutError(endpoint_url="https://sts"), "ReadTimeoutError"),
    ],
)
def test_what_sts_answers_is_told_in_clear(
    clock: FakeClock, sts: FakeSts, error: BaseException, message: str
) -> None:
    """What happened and what to do, and which role it was."""
    sts.errors = [error]
    with manager(clock, sts) as task, pytest.raises(SessionError, match=message) as caught:
        task.credentials()

    assert caught.value.role == ROLE
    assert caught.value.code
    copied = pickle.loads(pickle.dumps(caught.value))
    assert (str(copied), copied.role, copied.code) == (
        str(caught.value),
        ROLE,
        caught.value.code,
    )


def test_a_denial_names_every_action_that_is_needed(clock: FakeClock, sts: FakeSts) -> None:
    """Tags and source identity want permissions of their own."""
    sts.errors = [client_error("AccessDenied")]
    terms = SessionTerms(tags={"team": "shop"}, source_identity=True)
    with manager(clock, sts, terms=terms) as task, pytest.raises(SessionError) as caught:
        task.credentials()

    assert "`sts:TagSession` and `sts:SetSourceIdentity`" in str(caught.value)


def test_terms_reach_sts(clock: FakeClock, sts: FakeSts) -> None:
    """Source identity, tags, external id, MFA."""
    terms = SessionTerms(
        source_identity=True,
        tags={"team": "shop", "incident": "INC-1"},
        transitive_tags=("incident",),
        external_id="partner-7",
        mfa_serial="arn:aws:iam::123456789012:mfa/ada",
        mfa_code="123456",
    )
    with manager(clock, sts, terms=terms) as task:
        task.credentials()

    asked = sts.asked[0]
    assert asked["SourceIdentity"] == task.id
    assert asked["Tags"] == [
        {"Key": "team", "Value": "shop"},
        {"Key": "incident", "Value": "INC-1"},
    ]
    assert asked["TransitiveTagKeys"] == ["incident"]
    assert (asked["ExternalId"], asked["TokenCode"]) == ("partner-7", "123456")


def test_an_mfa_code_is_good_once(clock: FakeClock, sts: FakeSts) -> None:
    """A refresh would send it again, so it is refused with what to do."""
    terms = SessionTerms(mfa_serial="arn:aws:iam::123456789012:mfa/ada", mfa_code="123456")
    with manager(clock, sts, duration_s=7200.0, terms=terms) as task:
        task.credentials()
        clock.advance(3590)

        with pytest.raises(SessionError, match="MFA code was good once"):
            task.credentials()

    assert len(sts.asked) == 1


@pytest.mark.parametrize(
    ("terms", "message"),
    [
        (SessionTerms(source_identity="a b"), "source_identity"),
        (SessionTerms(source_identity="x"), "2 to 64"),
        (SessionTerms(external_id="!"), "external_id"),
        (SessionTerms(mfa_serial="x"), "go together"),
        (SessionTerms(tags={"aws:x": "1"}), "`aws:x`"),
        (SessionTerms(tags={"x": "v" * 257}), "256"),
        (SessionTerms(tags={"x": "1", "X": "2"}), "case of their keys"),
        (SessionTerms(tags={str(index): "" for index in range(51)}), "51 session tags"),
        (SessionTerms(transitive_tags=("x",)), "none of the session tags"),
    ],
)
def test_terms_that_sts_would_not_take_are_refused(terms: SessionTerms, message: str) -> None:
    """Before anything begins, without their values."""
    with pytest.raises(ConfigurationError, match=message) as caught:
        check_terms(terms)

    assert "vvv" not in str(caught.value)


@pytest.mark.parametrize(
    ("name", "task", "expected"),
    [
        ("fix-orders", "fix-orders-1a2b", "fix-orders-1a2b"),
        ("fix orders", "INC-7", "fix-orders-INC-7"),
        ("größe: alle", "t1", "gr-e-alle-t1"),
        ("", "t1", "task-t1"),
    ],
)
def test_the_name_of_a_session_carries_the_task(name: str, task: str, expected: str) -> None:
    """In the characters that STS takes."""
    assert session_name(name, task) == expected


def test_names_of_sessions_fit_and_stay_apart() -> None:
    """Long names are cut, and two tasks never share one."""
    ids = ["x" * 64, "x" * 63 + "y", "a/b", "a-b", "t" * 40, "t" * 39]
    names = [session_name("a-very-long-runbook-name-" * 4, task) for task in ids]

    assert len(set(names)) == len(ids)
    assert all(2 <= len(name) <= 64 for name in names)


def test_the_region_of_sts_is_the_task_s_then_the_partition_s(
    clock: FakeClock, sts: FakeSts, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A role of another partition is asked for there, where no region is set."""
    with manager(clock, sts, region="eu-central-1") as task:
        task.credentials()
    monkeypatch.delenv("AWS_DEFAULT_REGION")
    role = ROLE.replace("arn:aws:", "arn:aws-cn:")
    with manager(clock, sts, role=role) as task:
        task.credentials()

    assert sts.regions == ["eu-central-1", "cn-north-1"]
