"""Findings about actions that DynamoDB does not have (DG301, DG302)."""

from __future__ import annotations

from collections.abc import Iterator

from dynaguard.errors import nearest
from dynaguard.policy.lint.actions import ACTIONS, ACTIONS_BY_OPERATION, PREFIX
from dynaguard.policy.lint.allow_lists import named
from dynaguard.policy.lint.findings import Finding
from dynaguard.policy.lint.rules import RULES
from dynaguard.policy.model import PolicyDocument, Statement
from dynaguard.policy.patterns import action_matches

_ACTION_BY_FOLDED = {name.lower(): name for name in ACTIONS}
_VERB_BY_EFFECT = {"Allow": "allows", "Deny": "denies", "RequireApproval": "asks for"}
_OPERATION_BY_FOLDED = {name.lower(): name for name in ACTIONS_BY_OPERATION}


def check_names(document: PolicyDocument) -> Iterator[Finding]:
    """DG301 and DG302 for every action pattern, observed statements included."""
    for statement in document.statements:
        for at, action in enumerate(statement.actions):
            service, _, name = action.partition(":")
            if service.lower() == PREFIX and not _is_known(action):
                path = f"NotAction[{at}]" if statement.is_not_action else f"Action[{at}]"
                yield _finding(statement, name, path)


def _is_known(action: str) -> bool:
    """Whether a pattern matches some action."""
    return action.partition(":")[2].lower() in _ACTION_BY_FOLDED or any(
        action_matches(action, f"{PREFIX}:{name}") for name in ACTIONS
    )


def _finding(statement: Statement, name: str, path: str) -> Finding:
    """What a name that is no action was meant to be."""
    operation = _OPERATION_BY_FOLDED.get(name.lower())
    if operation is not None:
        members = ACTIONS_BY_OPERATION[operation]
        message = (
            f"`{PREFIX}:{operation}` is an API operation and no IAM action, so this "
            f"{_effect_of(statement)}"
        )
        fix = f"name what its members need: {named(members)}"
        return RULES["DG301"].finding(statement.ref, message, fix, path)
    guess = nearest(name, ACTIONS)
    message = f"DynamoDB has no action `{PREFIX}:{name}`, so this {_effect_of(statement)}"
    fix = f"write `{PREFIX}:{guess}`" if guess else "remove it, or look its name up"
    return RULES["DG302"].finding(statement.ref, message, fix, path)


def _effect_of(statement: Statement) -> str:
    """What naming such an action comes to."""
    if statement.is_not_action:
        return "excepts nothing"
    return f"{_VERB_BY_EFFECT[statement.effect]} nothing"
