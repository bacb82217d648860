"""What would allow a refused call: the nearest statement, and the smallest new ones.

For `explain`, off the call path. INVARIANT: names only, never the values of keys or items.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any, Final

from dynaguard.call import Authorization, Principal
from dynaguard.policy.advice import as_pattern
from dynaguard.policy.trace import ConsideredStatement

_KINDS: Final = ("condition", "principal", "resource", "action")


def nearest_allow(considered: Iterable[ConsideredStatement]) -> ConsideredStatement | None:
    """The Allow statement that the fewest of its parts kept from matching, or None.

    A statement for another action on another resource is not near, whatever else matches.
    """
    near = [
        statement
        for statement in considered
        if statement.effect == "Allow"
        and statement.match != "yes"
        and not statement.is_observed
        and not _is_elsewhere(statement.failing)
    ]
    return min(near, key=_distance, default=None)


def _distance(statement: ConsideredStatement) -> tuple[int, int]:
    """How many parts do not match; of equals, a condition is nearer than a resource or action."""
    kinds = [_KINDS.index(part.split()[0]) for part in statement.failing]
    return len(kinds), max(kinds, default=0)


def _is_elsewhere(failing: Sequence[str]) -> bool:
    """Whether neither the action nor the resource matches."""
    return sum(part.startswith(("action", "resource")) for part in failing) > 1


def smallest_statements(
    refused: Sequence[Authorization], principal: Principal, *, expires: datetime
) -> tuple[dict[str, Any], ...]:
    """The smallest Allow statements for some authorisations, as a document would write them.

    Args:
        refused: What no statement allows.
        principal: For whom; named where its ARN is known, otherwise they are for everyone.
        expires: When the statements cease to match.

    Returns:
        One for each set of actions that some resources need. **Shape** of each: `{"Sid",
        "Effect", "Principal"?, "Action": [...], "Resource": [...], "Condition":
        {"DateLessThan": {"aws:CurrentTime": ...}}}`. Parts of an ARN that are not known are
        wildcards.
    """
    until = expires.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    arn = next((arn for arn in principal.arns if as_pattern(arn) == arn), None)
    actions_by_resource: dict[str, set[str]] = {}
    for need in refused:
        actions_by_resource.setdefault(as_pattern(need.resource), set()).add(
            as_pattern(need.action)
        )
    resources_by_actions: dict[tuple[str, ...], list[str]] = {}
    for resource in sorted(actions_by_resource):
        actions = tuple(sorted(actions_by_resource[resource]))
        resources_by_actions.setdefault(actions, []).append(resource)
    return tuple(
        {
            "Sid": f"Suggested{number}",
            "Effect": "Allow",
            **({"Principal": {"AWS": arn}} if arn else {}),
            "Action": list(actions),
            "Resource": resources,
            "Condition": {"DateLessThan": {"aws:CurrentTime": until}},
        }
        for number, (actions, resources) in enumerate(resources_by_actions.items(), 1)
    )


def statement_toml(statement: Mapping[str, Any]) -> str:
    """A statement as an entry of a TOML document."""
    lines = [f"{name} = {_toml(value)}" for name, value in statement.items()]
    return "\n".join(["[[statement]]", *lines]) + "\n"


def _toml(value: Any) -> str:
    """Texts, lists of texts and tables of them, on one line. JSON's texts are TOML's."""
    if isinstance(value, Mapping):
        members = ", ".join(f"{_name(name)} = {_toml(each)}" for name, each in value.items())
        return f"{{ {members} }}"
    if isinstance(value, list):
        return f"[{', '.join(map(_toml, value))}]"
    return json.dumps(value)


def _name(name: str) -> str:
    """A bare key, or one in quotes."""
    return name if name.isalnum() else json.dumps(name)
