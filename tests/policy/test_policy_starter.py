"""Starter policies: empty and commented, or what recorded calls need."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from dynaguard.call import UNKNOWN_ACCOUNT, UNKNOWN_PRINCIPAL, Authorization, Verdict
from dynaguard.policy.loading import load_policy
from dynaguard.policy.matcher import CompiledPolicy
from dynaguard.policy.starter import policy_from_records, starter_document

TABLE = "arn:aws:dynamodb:eu-west-1:111122223333:table/orders"


def record(action: str, resource: str, **more: Any) -> dict[str, Any]:
    """A record of one call."""
    return {
        "phase": "outcome",
        "authorizations": [{"action": action, "resource": resource}],
        "outcome": {"status": "ok"},
        **more,
    }


def loaded(text: str, tmp_path: Path) -> CompiledPolicy:
    """The policy of a text."""
    path = tmp_path / "policy.toml"
    path.write_text(text)
    return CompiledPolicy(load_policy(path, environ={}))


def test_the_empty_starter_loads(tmp_path: Path) -> None:
    """With everything but the head commented out."""
    policy = loaded(starter_document(), tmp_path)

    assert policy.document.default == "deny"
    assert policy.document.statements == ()


def test_its_commented_sections_are_a_valid_document_too(tmp_path: Path) -> None:
    """Taking the comment signs off gives what the comments promise."""
    head, _, rest = starter_document().partition("# [variables]")
    body = "\n".join(line.removeprefix("# ") for line in f"# [variables]{rest}".splitlines())

    policy = loaded(head + body, tmp_path)

    effects = [statement.effect for statement in policy.document.statements]
    assert effects == ["Allow", "RequireApproval"]
    assert len(policy.document.masks) == 1
    assert len(policy.document.budgets) == 1


def test_what_was_recorded_is_allowed_and_nothing_else(tmp_path: Path) -> None:
    """One statement per set of actions, resources as recorded."""
    text = policy_from_records(
        [
            record("dynamodb:Query", TABLE),
            record("dynamodb:GetItem", TABLE),
            record("dynamodb:GetItem", f"{TABLE}-archive"),
            record("ssm:GetParameter", "arn:aws:ssm:eu-west-1:111122223333:parameter/a"),
        ]
    )
    policy = loaded(text, tmp_path)

    def verdict(action: str, resource: str) -> Verdict:
        return policy.rule(
            Authorization(action, resource), UNKNOWN_PRINCIPAL, lambda _: ()
        ).verdict

    assert policy.document.govern == {"dynamodb", "ssm"}
    assert verdict("dynamodb:Query", TABLE) is Verdict.ALLOW
    assert verdict("dynamodb:Query", f"{TABLE}-archive") is Verdict.IMPLICIT_DENY
    assert verdict("dynamodb:Scan", TABLE) is Verdict.IMPLICIT_DENY


def test_what_was_not_known_may_be_anything(tmp_path: Path) -> None:
    """An unknown account or resource becomes a wildcard."""
    unknown = TABLE.replace("111122223333", "<unknown>")
    policy = loaded(
        policy_from_records(
            [record("dynamodb:Query", unknown), record("kms:Decrypt", "<unknown>")]
        ),
        tmp_path,
    )
    need = Authorization("dynamodb:Query", TABLE.replace("111122223333", UNKNOWN_ACCOUNT))

    assert policy.rule(need, UNKNOWN_PRINCIPAL, lambda _: ()).verdict is Verdict.ALLOW


def test_refused_calls_and_intents_are_left_out() -> None:
    """What was refused must not become allowed by being recorded."""
    denied = record("dynamodb:Scan", TABLE, outcome={"status": "denied"})
    intent = record("dynamodb:PutItem", TABLE, phase="intent")

    text = policy_from_records([denied, intent])

    assert "Scan" not in text
    assert "PutItem" not in text


def test_the_same_records_give_the_same_text() -> None:
    """In any order."""
    records = [record("dynamodb:Query", f"{TABLE}-{number}") for number in range(20)]

    assert policy_from_records(records) == policy_from_records(records[::-1])
