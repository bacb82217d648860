"""The statements by which a task or an agent is narrowed, checked before anything begins.

INVARIANT: they are Allows alone, so that a boundary only ever takes away.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from typing import Any

from dynaguard.errors import ConfigurationError, PolicySyntaxError
from dynaguard.policy.loading import load_policy

Statements = Iterable[Mapping[str, Any]]


def narrowing_statements(
    statements: Statements | None,
    actions: Iterable[str] | None = None,
    resources: Iterable[str] | None = None,
) -> tuple[Mapping[str, Any], ...] | None:
    """The IAM statements that an argument `statements`, or the short form, stands for.

    Args:
        statements: IAM statements, Allow alone.
        actions: Short form of one statement: IAM actions; with `resources`.
        resources: ARNs of the short form; None: `*`.

    Returns:
        The statements; None where nothing narrows.

    Raises:
        ConfigurationError: Both forms are given, `resources` stand without `actions`, one is a
            single text, or a statement is no Allow.
        PolicySyntaxError: Statements that are not fully understood; tells every problem.
    """
    if statements is not None and (actions is not None or resources is not None):
        raise ConfigurationError("`statements` is given with `actions` or `resources`, keep one")
    if statements is None and actions is None:
        if resources is not None:
            raise ConfigurationError("`resources` narrows nothing without `actions`, give both")
        return None
    if statements is None:
        statements = [_short_form(actions or (), resources)]
    if isinstance(statements, str | bytes | Mapping):
        raise ConfigurationError("`statements` is a list of IAM statements, put it into `[...]`")
    checked = tuple(statements)
    if not checked:
        raise ConfigurationError("`statements` is empty, so that no call would be allowed")
    _check(checked)
    return checked


def statements_text(statements: Iterable[Mapping[str, Any]] | None) -> str | None:
    """The statements as a boundary keeps them."""
    if statements is None:
        return None
    return json.dumps([dict(each) for each in statements], separators=(",", ":"))


def _short_form(actions: Iterable[str], resources: Iterable[str] | None) -> dict[str, Any]:
    """One statement of actions and resources."""
    for name, given in (("actions", actions), ("resources", resources)):
        if isinstance(given, str):
            raise ConfigurationError(f"`{name}` is the text `{given}`, write `[{given!r}]`")
    return {
        "Effect": "Allow",
        "Action": list(actions),
        "Resource": ["*"] if resources is None else list(resources),
    }


def _check(statements: tuple[Mapping[str, Any], ...]) -> None:
    """Reads them as a policy of their own, so that every problem is told at once."""
    for index, statement in enumerate(statements):
        if not isinstance(statement, Mapping):
            raise ConfigurationError(
                f"`statements[{index}]` is of type {type(statement).__name__}, it must be a "
                "mapping"
            )
        effect = statement.get("Effect")
        if effect != "Allow":
            raise ConfigurationError(
                f"`statements[{index}]` has the Effect `{effect}`; what narrows names what is "
                "allowed, write `Allow`"
            )
        if "Principal" in statement or "NotPrincipal" in statement:
            raise ConfigurationError(
                f"`statements[{index}]` names a principal; a boundary holds for whoever is in it"
            )
    try:
        json.dumps([dict(each) for each in statements])
    except (TypeError, ValueError) as err:
        raise ConfigurationError(f"`statements` cannot be written as JSON ({err})") from err
    try:
        load_policy({"Version": "2012-10-17", "Statement": list(statements)}, environ={})
    except PolicySyntaxError as err:
        raise PolicySyntaxError(err.problems) from None
