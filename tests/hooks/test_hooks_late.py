"""A guard is complete from its first call on: what is late, and what never is."""

from __future__ import annotations

import copy
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import wrapt
from botocore.client import BaseClient
from botocore.exceptions import ClientError

import dynaguard
from dynaguard.call import CredentialFacts, PrincipalKind
from dynaguard.errors import ConfigurationError
from dynaguard.hooks import lifecycle
from dynaguard.hooks.patching import Patch, late
from dynaguard.scope import EMPTY_SCOPE

MASK = {"tables": ["*"], "attributes": ["email"], "with": "hash"}
Policy = Callable[..., dict[str, Any]]


def installation() -> Any:
    """What is in force."""
    return lifecycle.current()[1]


def test_a_call_completes_the_guard(client: Any, policy: Policy) -> None:
    """And is decided, as every later one."""
    guard = dynaguard.install(policy())
    assert not guard.is_complete

    client.get_item(TableName="orders", Key={"id": {"S": "1"}})

    assert guard.is_complete
    assert guard.counters.decisions == 1


def test_the_first_call_may_be_the_one_that_is_refused(client: Any) -> None:
    """Nothing passes before the guard is complete."""
    dynaguard.install({"version": 1, "default": "deny", "govern": ["dynamodb"]})

    with pytest.raises(ClientError, match="no statement"):
        client.get_item(TableName="orders", Key={"id": {"S": "1"}})


def test_what_is_asked_of_a_guard_completes_it(policy: Policy) -> None:
    """Its rooms, or anything else that calls need; once."""
    guard = dynaguard.install(policy())

    rooms = guard.rooms

    assert guard.is_complete
    assert guard.rooms is rooms
    guard.complete()
    assert guard.rooms is rooms


def test_a_guard_has_no_other_attributes(policy: Policy) -> None:
    """A wrong name is an error as ever, and completes nothing."""
    guard = dynaguard.install(policy())

    with pytest.raises(AttributeError, match="a guard has no attribute `room`"):
        guard.room()  # type: ignore[attr-defined]
    assert not guard.is_complete


def test_threads_complete_a_guard_once(policy: Policy) -> None:
    """Whoever comes first; all get the same."""
    guard = dynaguard.install(policy())
    found: list[Any] = []
    threads = [threading.Thread(target=lambda: found.append(guard.attempts)) for _ in range(8)]

    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert len({id(each) for each in found}) == 1


def test_a_forked_child_gets_a_lock_of_its_own(policy: Policy) -> None:
    """Another thread of the parent may hold the parent's forever."""
    guard = dynaguard.install(policy())
    with guard._lock:
        guard.renew()
        thread = threading.Thread(target=guard.complete)
        thread.start()
        thread.join(timeout=10)

    assert guard.is_complete


def test_uninstalling_needs_no_complete_guard(policy: Policy, tmp_path: Path) -> None:
    """An audit log that was opened is closed all the same."""
    guard = dynaguard.install(policy(), audit=str(tmp_path / "a.jsonl"))

    dynaguard.uninstall()

    assert not guard.is_complete
    assert guard._opened is not None
    assert not guard._opened.is_on or guard._opened.written_count == 0


@pytest.mark.parametrize(
    ("more", "arguments", "error"),
    [
        ({"mask": [MASK]}, {}, ConfigurationError),
        ({}, {"audit": "none/such/folder/a.jsonl"}, ConfigurationError),
        ({}, {"key_statistics": True, "mask_key_file": "none"}, ConfigurationError),
    ],
)
def test_what_can_fail_fails_at_install(
    policy: Policy,
    more: dict[str, Any],
    arguments: dict[str, Any],
    error: Any,
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
) -> None:
    """Never in the application's first call; nothing is installed then."""
    monkeypatch.chdir(tmp_path)
    Path("none").write_text("short")

    with pytest.raises(error):
        dynaguard.install(policy(**more), **arguments)
    assert installation() is None


def test_a_later_failure_closes_the_audit_log(policy: Policy, tmp_path: Path) -> None:
    """A mask without its key, beside an audit log that was opened."""
    closed = []
    from dynaguard.audit.log import AuditLog

    close = AuditLog.close
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(AuditLog, "close", lambda self: (closed.append(self), close(self)))
        with pytest.raises(ConfigurationError):
            dynaguard.install(policy(mask=[MASK]), audit=str(tmp_path / "a.jsonl"))

    assert len(closed) == 1


def test_the_environment_counts_as_it_was_at_install(
    policy: Policy, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Though the rooms that read it are built later."""
    monkeypatch.setenv("CODEBUILD_BUILD_ID", "project:1")
    guard = dynaguard.install(policy())
    monkeypatch.delenv("CODEBUILD_BUILD_ID")

    facts = CredentialFacts(access_key_id="AKIAIOSFODNN7EXAMPLE", method="env")
    principal = guard.rooms.resolver.resolve(facts, EMPTY_SCOPE, 0.0)
    assert principal.kind is PrincipalKind.CI_JOB


# --- wrappers that are made late --------------------------------------------------------------


def make_target() -> type:
    """A fresh class with one method to wrap."""

    class Target:
        def greet(self, name: str) -> str:
            return f"hello {name}"

    return Target


class Shouting:
    """Makes a wrapper that can be seen, and counts how often."""

    def __init__(self) -> None:
        self.made = 0

    def __call__(self) -> Any:
        """The wrapper."""
        self.made += 1

        def wrapper(wrapped: Callable[..., Any], patch: Patch) -> Callable[..., Any]:
            def greet(instance: Any, *args: Any) -> Any:
                answer = wrapped(instance, *args)
                return answer.upper() if patch.is_active else answer

            return greet

        return wrapper


def test_a_late_wrapper_is_made_by_the_first_call() -> None:
    """From then on it stands in the method's place itself."""
    target, shouting = make_target(), Shouting()
    patch = Patch(target, "greet", late(shouting))
    patch.apply()
    first = target.__dict__["greet"]
    assert shouting.made == 0

    assert target().greet("a") == "HELLO A"

    assert target.__dict__["greet"] is not first
    assert target.__dict__["greet"].__wrapped__ is first.__wrapped__
    assert patch.is_in_place
    assert target().greet("b") == "HELLO B"
    assert shouting.made == 1


def test_a_late_wrapper_that_was_never_called_is_taken_off() -> None:
    """Nothing was made for it."""
    target, shouting = make_target(), Shouting()
    original = target.__dict__["greet"]
    patch = Patch(target, "greet", late(shouting))
    patch.apply()

    patch.remove()

    assert target.__dict__["greet"] is original
    assert shouting.made == 0


def test_beneath_a_peer_a_late_wrapper_stays_and_hands_on() -> None:
    """Its place in the chain is kept, and so is the peer's."""
    target, shouting = make_target(), Shouting()
    patch = Patch(target, "greet", late(shouting))
    patch.apply()
    wrapt.wrap_function_wrapper(target, "greet", lambda f, _i, a, k: f"<{f(*a, **k)}>")

    assert [target().greet("a"), target().greet("b")] == ["<HELLO A>", "<HELLO B>"]
    assert shouting.made == 1
    assert patch.is_in_place
    patch.remove()
    assert target().greet("a") == "<hello a>"


def test_a_late_wrapper_that_is_off_only_passes_through() -> None:
    """A peer that hides what it wrapped keeps calling it."""
    target, shouting = make_target(), Shouting()
    patch = Patch(target, "greet", late(shouting))
    patch.apply()
    hidden = target.__dict__["greet"]
    patch.remove()

    assert hidden(target(), "a") == "hello a"
    assert shouting.made == 0


def test_two_threads_may_make_the_wrapper_twice() -> None:
    """Whichever stands in the end does the same, and no call goes past both."""
    target, shouting = make_target(), Shouting()
    patch = Patch(target, "greet", late(shouting))
    patch.apply()
    first = target.__dict__["greet"]

    assert target().greet("a") == "HELLO A"
    assert first(target(), "b") == "HELLO B"
    assert patch.is_in_place


def test_installing_wraps_every_point_before_any_call(policy: Policy) -> None:
    """What is wrapped is wrapped at once, though the wrapper's code is not there yet."""
    before = BaseClient.__dict__["_make_api_call"]

    dynaguard.install(policy())

    assert BaseClient.__dict__["_make_api_call"] is not before
    states = dynaguard.status().patch_points
    assert states["BaseClient._make_api_call"] == "wrapped"
    assert copy.copy(states) == dict(states)


def test_a_table_resource_of_before_does_not_complete_the_guard(
    client: Any, policy: Policy
) -> None:
    """Its batch writer is patched at once, and calls come later."""
    import boto3

    boto3.resource("dynamodb", region_name="eu-west-1").Table("orders")

    assert not dynaguard.install(policy()).is_complete
