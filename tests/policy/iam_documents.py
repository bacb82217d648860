"""IAM JSON documents as values, for tests of the evaluators alone (the loader has its own)."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from dynaguard.call import StatementRef
from dynaguard.policy.model import Condition, PolicyDocument, PrincipalPattern, Statement


def document_of(*documents: Mapping[str, Any], default: str = "deny") -> PolicyDocument:
    """One policy document of several IAM documents, all in force together.

    A bare statement (a mapping with `Effect`) is a document of the current version.
    """
    statements: list[Statement] = []
    for document in documents:
        is_bare = "Effect" in document
        version = "2012-10-17" if is_bare else document.get("Version", "2008-10-17")
        for content in [document] if is_bare else _listed(document["Statement"]):
            number = len(statements)
            statements.append(_statement(content, number, has_variables=version == "2012-10-17"))
    return PolicyDocument("allow" if default == "allow" else "deny", None, tuple(statements))


def _statement(content: Mapping[str, Any], number: int, *, has_variables: bool) -> Statement:
    """One statement; it must be well formed."""
    principals = content.get("Principal", content.get("NotPrincipal"))
    return Statement(
        StatementRef(content.get("Sid", f"statement[{number}]"), "policy.toml", number + 1),
        content["Effect"],
        actions=_listed(content.get("Action", content.get("NotAction"))),
        resources=_listed(content.get("Resource", content.get("NotResource"))),
        principals=None if principals is None else tuple(map(_principal, _listed(principals))),
        is_not_principal="NotPrincipal" in content,
        is_not_action="NotAction" in content,
        is_not_resource="NotResource" in content,
        conditions=tuple(_conditions(content.get("Condition", {}))),
        is_observed=content.get("Mode") == "observe",
        has_variables=has_variables,
    )


def _principal(text: str) -> PrincipalPattern:
    """`group:name`, twelve digits, or an ARN pattern."""
    if text.startswith("group:"):
        return PrincipalPattern("group", text.removeprefix("group:"))
    return PrincipalPattern("account" if text.isdigit() else "arn", text)


def _conditions(content: Mapping[str, Mapping[str, Any]]) -> Iterable[Condition]:
    """The conditions of a `Condition` block."""
    for name, values_by_key in content.items():
        qualifier, _, operator = name.rpartition(":")
        for key, values in values_by_key.items():
            yield Condition(
                operator.removesuffix("IfExists"),
                key,
                tuple(map(str, _listed(values))),
                qualifier or None,  # type: ignore[arg-type]
                if_exists=operator.endswith("IfExists"),
            )


def _listed(value: Any) -> tuple[Any, ...]:
    """The value as a tuple; a single one is a list of one."""
    return tuple(value) if isinstance(value, list) else (value,)
