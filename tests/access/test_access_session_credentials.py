"""Credentials of a session as AWS's tools read them: what is not known is not said."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone

from dynaguard.access.sessions import SessionCredentials

KEYS = {"AWS_ACCESS_KEY_ID": "AKIA", "AWS_SECRET_ACCESS_KEY": "s"}
END = datetime(2026, 11, 21, 17, tzinfo=timezone(timedelta(hours=1)))


def test_a_session_is_whole() -> None:
    """The end is in UTC, whatever zone it was given in."""
    credentials = SessionCredentials("AKIA", "s", "t", END)

    assert credentials.environ() == {
        **KEYS,
        "AWS_SESSION_TOKEN": "t",
        "AWS_CREDENTIAL_EXPIRATION": "2026-11-21T16:00:00Z",
    }
    assert credentials.as_process_output() == {
        "Version": 1,
        "AccessKeyId": "AKIA",
        "SecretAccessKey": "s",
        "SessionToken": "t",
        "Expiration": "2026-11-21T16:00:00Z",
    }


def test_long_lived_keys_have_neither_token_nor_end() -> None:
    """An empty token would have AWS refuse them, and an end would have tools refresh them."""
    credentials = SessionCredentials("AKIA", "s")

    assert credentials.environ() == KEYS
    assert credentials.as_process_output() == {
        "Version": 1,
        "AccessKeyId": "AKIA",
        "SecretAccessKey": "s",
    }


def test_a_session_whose_end_is_not_known_says_none() -> None:
    """As from a provider that does not tell it."""
    credentials = SessionCredentials("AKIA", "s", "t")

    assert credentials.environ() == {**KEYS, "AWS_SESSION_TOKEN": "t"}
    assert "Expiration" not in credentials.as_process_output()


def test_an_end_without_a_token_is_said() -> None:
    """Keys of a vault that takes them back."""
    credentials = SessionCredentials("AKIA", "s", None, END.astimezone(UTC))

    assert credentials.environ() == {**KEYS, "AWS_CREDENTIAL_EXPIRATION": "2026-11-21T16:00:00Z"}
