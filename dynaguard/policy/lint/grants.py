"""What a document lets through, action by action: the ground of the findings about holes.

Only DynamoDB's actions; only statements in force (`Mode = "observe"` neither allows nor denies).
"""

from __future__ import annotations

import functools
from collections.abc import Iterable, Iterator
from dataclasses import replace

from dynaguard.call import StatementRef
from dynaguard.policy.lint.actions import ACTIONS, PREFIX
from dynaguard.policy.lint.covering import (
    covers,
    principals_cover,
    resources_cover,
    resources_may_meet,
)
from dynaguard.policy.model import PolicyDocument, Statement
from dynaguard.policy.patterns import action_matches

_CACHED = 16_384

DEFAULT_ALLOW = Statement(StatementRef('default = "allow"'), "Allow", ("*",), ("*",))
"""What a document with the default `allow` does where no statement matches."""


class Grants:
    """What the statements of a document allow and deny.

    Attributes:
        allows: Allows in force, in document order.
        denies: Denies in force, in document order.
        approvals: Statements in force that require an approval, in document order.
    """

    def __init__(self, document: PolicyDocument) -> None:
        acting = [statement for statement in document.statements if not statement.is_observed]
        self.allows = tuple(each for each in acting if each.effect == "Allow")
        self.denies = tuple(each for each in acting if each.effect == "Deny")
        self.approvals = tuple(each for each in acting if each.effect == "RequireApproval")
        is_open = document.default == "allow"
        self._sources = (DEFAULT_ALLOW,) if is_open else self.allows

    def opened(self, statement: Statement, names: Iterable[str] = ACTIONS) -> list[str]:
        """The actions that an Allow is about and no Deny takes back whole, sorted."""
        return sorted(
            name
            for name in names
            if is_about(statement, name) and not self.is_denied(only(statement, name))
        )

    def ways(self, statement: Statement, name: str) -> Iterator[Statement]:
        """What lets an action through on resources and for identities of a statement.

        Yields:
            Allows (and the default, where that is `allow`), narrowed to the action; only those
            that no Deny takes back whole.
        """
        for source in self._sources:
            if not is_about(source, name) or not resources_may_meet(source, statement):
                continue
            narrowed = only(source, name)
            same_people = principals_cover(narrowed, statement) or principals_cover(
                statement, narrowed
            )
            if same_people and not self.is_denied(narrowed):
                yield narrowed

    def is_denied(self, narrowed: Statement) -> bool:
        """Whether one Deny matches wherever a statement does."""
        return any(covers(deny, narrowed) for deny in self.denies)

    def is_asked_for(self, narrowed: Statement) -> bool:
        """Whether one statement requires an approval wherever another one matches."""
        return any(covers(asking, narrowed) for asking in self.approvals)

    def is_denied_by_key(self, statement: Statement, name: str, *keys: str) -> bool:
        """Whether some Deny that reads a condition key bears on an action of an Allow."""
        narrowed = only(statement, name)
        return any(
            has_key(deny, *keys)
            and is_about(deny, name)
            and resources_cover(deny, narrowed)
            and principals_cover(deny, narrowed)
            for deny in self.denies
        )


def is_about(statement: Statement, name: str) -> bool:
    """Whether a statement's `Action` or `NotAction` takes in an action of DynamoDB."""
    named = any(_is_named(pattern, name) for pattern in statement.actions)
    return named != statement.is_not_action


@functools.lru_cache(maxsize=_CACHED)
def _is_named(pattern: str, name: str) -> bool:
    """Whether a pattern matches an action of DynamoDB."""
    return action_matches(pattern, f"{PREFIX}:{name}")


def only(statement: Statement, name: str) -> Statement:
    """The statement narrowed to one action of DynamoDB."""
    return replace(statement, actions=(f"{PREFIX}:{name}",), is_not_action=False)


def has_key(statement: Statement, *keys: str) -> bool:
    """Whether a condition of a statement reads one of some keys (given in lower case)."""
    return any(condition.key.lower() in keys for condition in statement.conditions)
