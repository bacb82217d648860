"""Findings about Allows that are wider than they need be (DG4xx)."""

from __future__ import annotations

from collections.abc import Iterator

from dynaguard.policy.lint.actions import ACTIONS, PREFIX, UNBOUND_ACTIONS
from dynaguard.policy.lint.allow_lists import enumerated
from dynaguard.policy.lint.findings import Finding
from dynaguard.policy.lint.grants import Grants, has_key
from dynaguard.policy.lint.rules import RULES
from dynaguard.policy.model import Statement
from dynaguard.policy.patterns import action_matches

_TELLING_LITTLE = frozenset({"ListTagsOfResource"})
"""Beside `ListTables` in `dynamodb:List*`, and no reason to take that apart."""
_ALL_ACTIONS = frozenset({"*", "*:*", "dynamodb:*"})


def check_width(grants: Grants) -> Iterator[Finding]:
    """DG401 to DG403, for each Allow in force."""
    for allow in grants.allows:
        yield from _wide_resource(allow, grants)
        yield from _wide_action(allow)
        yield from _all_others(allow)


def _wide_resource(allow: Statement, grants: Grants) -> Iterator[Finding]:
    """DG401: `*`, though an action takes an ARN and is not denied."""
    if allow.is_not_resource or "*" not in allow.resources:
        return
    found = grants.opened(allow, ACTIONS - UNBOUND_ACTIONS - _TELLING_LITTLE)
    if found and not has_key(allow, "dynaguard:tablename"):
        message = f"allows {_as_written(allow, found)} on every table of every account and region"
        fix = "name the tables, such as `arn:aws:dynamodb:*:*:table/orders`"
        if grants.opened(allow, ("ListTables",)):
            fix += f"; what needs `*`, such as `{PREFIX}:ListTables`, goes into another Allow"
        path = f"Resource[{allow.resources.index('*')}]"
        yield RULES["DG401"].finding(allow.ref, message, fix, path)


def _as_written(allow: Statement, found: list[str]) -> str:
    """The action patterns of an Allow that are about some actions; for `NotAction` their count."""
    if allow.is_not_action:
        return f"{len(found)} actions of DynamoDB"
    return enumerated(
        pattern
        for pattern in allow.actions
        if any(action_matches(pattern, f"{PREFIX}:{name}") for name in found)
    )


def _wide_action(allow: Statement) -> Iterator[Finding]:
    """DG402: every action there is."""
    for at, action in enumerate(allow.actions):
        if not allow.is_not_action and action.lower() in _ALL_ACTIONS:
            message = f"`{action}` allows to read, write, export and delete tables"
            fix = "list the actions that are needed, `dynaguard init --from-audit` finds them"
            yield RULES["DG402"].finding(allow.ref, message, fix, f"Action[{at}]")


def _all_others(allow: Statement) -> Iterator[Finding]:
    """DG403: each `Not...` of an Allow."""
    kinds = (
        ("NotAction", allow.is_not_action, "action", "Action"),
        ("NotResource", allow.is_not_resource, "resource", "Resource"),
        ("NotPrincipal", allow.is_not_principal, "identity", "Principal"),
    )
    for name, is_there, what, instead in kinds:
        if is_there:
            message = f"an Allow with `{name}` is for every {what} that it does not name"
            fix = f"write `{instead}` with what is needed"
            yield RULES["DG403"].finding(allow.ref, message, fix, name)
