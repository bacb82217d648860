"""install, uninstall, attach, detach: what is in force, and that it can be taken back."""

from __future__ import annotations

from typing import Any

import pytest
from botocore.client import BaseClient
from botocore.endpoint import Endpoint
from botocore.signers import RequestSigner

import dynaguard
from dynaguard import ConfigurationError, PolicyDenied, PolicySyntaxError
from dynaguard.hooks import lifecycle
from dynaguard.hooks.frames import CONTEXT_KEY

POINTS = [
    (BaseClient, "_make_api_call"),
    (BaseClient, "_convert_to_request_dict"),
    (Endpoint, "_needs_retry"),
    (Endpoint, "_send"),
    (RequestSigner, "sign"),
]


def methods() -> list[Any]:
    """The methods as the classes hold them now."""
    return [owner.__dict__[name] for owner, name in POINTS]


@pytest.mark.smoke
def test_uninstall_restores_the_very_same_methods(client: Any, wire: Any, policy: Any) -> None:
    """Afterwards every patched class holds the original objects, and calls are unguarded."""
    before = methods()
    dynaguard.install(policy())
    during = methods()

    dynaguard.uninstall()
    client.scan(TableName="orders")

    assert all(now is not then for now, then in zip(during, before, strict=True))
    assert all(now is then for now, then in zip(methods(), before, strict=True))
    assert "x-dynaguard-correlation-id" not in wire.headers()


def test_uninstall_without_install_does_nothing() -> None:
    """Calling it twice, or first, is harmless."""
    dynaguard.uninstall()
    dynaguard.uninstall()

    assert not dynaguard.status().is_installed


def test_installing_twice_with_equal_settings_gives_the_same_guard(policy: Any) -> None:
    """The layer and the application may both install."""
    wrapped = None

    first = dynaguard.install(policy())
    wrapped = methods()
    second = dynaguard.install(policy())

    assert first is second
    assert all(now is then for now, then in zip(methods(), wrapped, strict=True))


def test_installing_again_with_other_settings_is_refused_and_changes_nothing(
    client: Any, policy: Any
) -> None:
    """The error names what differs; the first installation stays in force."""
    dynaguard.install(policy())

    with pytest.raises(ConfigurationError, match="mode"):
        dynaguard.install(policy(), mode="observe")
    with pytest.raises(ConfigurationError, match="policy"):
        dynaguard.install(policy({"Effect": "Allow", "Action": "*", "Resource": "*"}))

    with pytest.raises(PolicyDenied):
        client.scan(TableName="orders")


def test_only_the_outermost_context_manager_uninstalls(policy: Any) -> None:
    """Nested `with dynaguard.install()` blocks end with the outer one."""
    with dynaguard.install(policy()):
        with dynaguard.install(policy()):
            pass
        inside = dynaguard.status().is_installed

    assert inside
    assert not dynaguard.status().is_installed


def test_a_context_manager_inside_a_plain_install_leaves_it_in_force(policy: Any) -> None:
    """A plain `install()` counts as the outermost."""
    dynaguard.install(policy())

    with dynaguard.install(policy()):
        pass

    assert dynaguard.status().is_installed


def test_a_bad_policy_installs_nothing() -> None:
    """All or nothing."""
    before = methods()

    with pytest.raises(PolicySyntaxError):
        dynaguard.install({"version": 1, "default": "deny", "statement": [{"Effect": "Alow"}]})

    assert all(now is then for now, then in zip(methods(), before, strict=True))
    assert not dynaguard.status().is_installed


def test_a_bad_environment_installs_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    """A misspelt variable is an error with the nearest name."""
    monkeypatch.setenv("DYNAGUARD_POLCY", "x.toml")

    with pytest.raises(ConfigurationError, match="DYNAGUARD_POLICY"):
        dynaguard.install()

    assert not dynaguard.status().is_installed


def test_an_audit_file_that_cannot_be_opened_installs_nothing(tmp_path: Any) -> None:
    """The error names the path."""
    with pytest.raises(ConfigurationError, match="nowhere"):
        dynaguard.install(audit=tmp_path / "nowhere" / "audit.jsonl")

    assert not dynaguard.status().is_installed


def test_the_policy_is_found_in_the_working_directory(
    client: Any, tmp_path: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """`dynaguard.toml` beside the program is enough; its [settings] count."""
    (tmp_path / "dynaguard.toml").write_text(
        'version = 1\ndefault = "deny"\ngovern = ["dynamodb"]\n'
        '[settings]\nidentity = "from-file"\n'
    )
    monkeypatch.chdir(tmp_path)
    dynaguard.install()

    with pytest.raises(PolicyDenied) as caught:
        client.scan(TableName="orders")

    assert caught.value.identity == "from-file"
    assert dynaguard.status().sources["identity"] == "document"


def test_attach_guards_one_client_only(make_client: Any, wire: Any, policy: Any) -> None:
    """Without a global install other clients stay as they are."""
    ours, other = make_client(), make_client()

    same = dynaguard.attach(ours, policy())
    other.scan(TableName="orders")

    assert same is ours
    with pytest.raises(PolicyDenied):
        ours.scan(TableName="orders")
    assert len(wire.sent) == 1
    assert "x-dynaguard-correlation-id" not in wire.headers()
    assert dynaguard.status().attached == 1


def test_detach_leaves_one_client_alone_and_is_counted(
    make_client: Any, wire: Any, policy: Any
) -> None:
    """A detached client of a global install passes; attaching it again guards it again."""
    ours = make_client()
    dynaguard.install(policy())

    dynaguard.detach(ours)
    ours.scan(TableName="orders")
    detached = dynaguard.status().detached
    dynaguard.attach(ours)

    assert detached == 1
    with pytest.raises(PolicyDenied):
        ours.scan(TableName="orders")


@pytest.mark.parametrize("wrong", [None, "client", object()])
def test_attach_refuses_what_is_no_client(wrong: object) -> None:
    """The error says what to pass."""
    with pytest.raises(ConfigurationError, match="botocore client"):
        dynaguard.attach(wrong)


def test_status_tells_policy_settings_and_patch_points(policy: Any) -> None:
    """Everything that an operator asks is in one value."""
    dynaguard.install(policy(), identity="me", mask_key="0123456789abcdef")

    status = dynaguard.status()

    assert status.covers == "all clients"
    assert status.policy is not None
    assert status.policy.statements == 2
    assert status.settings["identity"] == "me"
    assert status.sources["identity"] == "argument"
    assert status.settings["mask_key"] == "<set>"
    assert set(status.patch_points.values()) == {"wrapped"}
    assert "0123456789abcdef" not in repr(status)


def test_handlers_are_visible_on_a_new_client(make_client: Any) -> None:
    """A client made after `install()` carries the handlers before its first call."""
    dynaguard.install()

    emitter = make_client().meta.events._emitter

    assert "dynaguard-before-call.*.*" in emitter._unique_id_handlers


def test_a_broken_policy_does_not_keep_the_switch_from_working(
    client: Any, wire: Any, tmp_path: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """DYNAGUARD_DISABLED is for the day when the policy is the problem."""
    (tmp_path / "dynaguard.toml").write_text("this is no policy")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("DYNAGUARD_DISABLED", "1")

    dynaguard.install()
    client.scan(TableName="orders")

    assert len(wire.sent) == 1
    assert dynaguard.status().covers == "nothing"


MASKS = {
    "version": 1,
    "default": "allow",
    "mask": [{"tables": ["orders"], "attributes": ["email"], "with": "redact"}],
}


def test_a_first_call_that_outlives_its_installation_leaves_nothing_behind(
    client: Any, wire: Any
) -> None:
    """Else handlers of before would stand where those of the next installation belong."""
    dynaguard.install()
    installation = lifecycle.current()[1]
    assert installation is not None
    dynaguard.uninstall()

    installation.facts_of(client)  # as its thread would, a moment later
    dynaguard.install(MASKS)
    wire.answer({"Item": {"email": {"S": "ann@example.org"}}})

    item = client.get_item(TableName="orders", Key={"pk": {"S": "1"}})["Item"]

    assert "ann@" not in item["email"]["S"]


def test_a_guard_without_masks_hands_out_nothing_that_is_to_be_masked(
    client: Any, wire: Any
) -> None:
    """Whose plan it is does not matter: nobody here could apply it."""
    dynaguard.install()
    wire.answer({"Item": {"email": {"S": "ann@example.org"}}})

    def plan(context: Any, **_: Any) -> None:
        context[CONTEXT_KEY].plan = object()

    client.meta.events.register("before-call.dynamodb.GetItem", plan)

    with pytest.raises(dynaguard.GuardFailure, match="withheld"):
        client.get_item(TableName="orders", Key={"pk": {"S": "1"}})
