"""Statements and requests as a large account has them, for the benchmarks of decisions.

60 % of the statements name one table, 12 % begin with its name, 5 % have something in its midst,
5 % have a wildcard in the action, 8 % deny, 10 % have conditions. Values only: each engine that is
measured translates them into its own.
"""

from __future__ import annotations

import random
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Final, Literal, NamedTuple

from dynaguard.call import Authorization, ContextLookup, StatementRef
from dynaguard.policy.model import Condition, PolicyDocument, Statement

ARN: Final = "arn:aws:dynamodb:us-east-1:123456789012:table/"
OPERATIONS: Final = (
    *("GetItem", "Query", "PutItem", "UpdateItem"),
    *("DeleteItem", "Scan", "BatchGetItem", "BatchWriteItem"),
)
_ACTION_GLOBS: Final = ("Batch*", "Get*", "*Item", "Transact*")
_OPERATION_BY_GLOB: Final = {
    "Batch*": "BatchGetItem",
    "Get*": "GetItem",
    "*Item": "PutItem",
    "Transact*": "TransactGetItems",
    "Delete*": "DeleteItem",
}
_STAGES: Final = ("prod", "stage", "dev")
_EPOCH_S: Final = 1_900_000_000

Value = str | int | bool


class MixedCondition(NamedTuple):
    """One condition: operator in IAM's spelling, key, values."""

    operator: str
    key: str
    values: tuple[Value, ...]


class MixedStatement(NamedTuple):
    """One statement, on one resource pattern."""

    effect: Literal["Allow", "Deny"]
    actions: tuple[str, ...]
    resource: str
    conditions: tuple[MixedCondition, ...] = ()


@dataclass(frozen=True)
class Request:
    """An action on a table in some context."""

    action: str
    resource: str
    context: dict[str, Value | list[str]]

    @cached_property
    def authorization(self) -> Authorization:
        """The same as dynaguard asks for it."""
        return Authorization(self.action, self.resource)

    @cached_property
    def lookup(self) -> ContextLookup:
        """The context as dynaguard asks for it."""
        values = {key.lower(): _texts(value) for key, value in self.context.items()}
        return lambda key: values.get(key, ())


def _texts(value: Value | list[str]) -> tuple[str, ...]:
    """A value of a context as texts."""
    if isinstance(value, list):
        return tuple(value)
    return (str(value).lower() if isinstance(value, bool) else str(value),)


# --- statements -------------------------------------------------------------------------------


def mixed_statements(count: int, seed: int = 1) -> list[MixedStatement]:
    """Statements of the mix, in random order."""
    rng = random.Random(seed)
    return [_statement(rng, number, count) for number in range(count)]


def _statement(rng: random.Random, number: int, count: int) -> MixedStatement:
    """One statement; which kind is by chance."""
    kind = rng.random()
    actions = tuple(f"dynamodb:{name}" for name in rng.sample(OPERATIONS, rng.randint(1, 4)))
    table = ARN + _table(number, count)
    if kind < 0.60:
        return MixedStatement("Allow", actions, table)
    if kind < 0.72:
        head = f"{ARN}{_team(number, count)}-*" if number % 5 else f"{ARN}tmp{number:06d}*"
        return MixedStatement("Allow", actions, head)
    if kind < 0.77:
        return MixedStatement("Allow", actions, f"{ARN}*-pii-{number % max(1, count // 20):05d}-*")
    if kind < 0.82:
        return MixedStatement("Allow", (f"dynamodb:{rng.choice(_ACTION_GLOBS)}",), table)
    if kind < 0.90:
        denied = (table, f"{ARN}locked-{number:05d}-*", f"{ARN}*-frozen{number:05d}-*")
        conditions = (_condition(number),) if number % 4 == 0 else ()
        if number % 2 == 0:
            actions = ("dynamodb:Delete*",)
        return MixedStatement("Deny", actions, denied[number % 3], conditions)
    conditions = (_condition(number),)
    if number % 3 == 0:
        conditions += (_condition(number + 1),)
    return MixedStatement(
        "Allow", actions, table if number % 4 else f"{ARN}cond-{number:05d}-*", conditions
    )


def _team(number: int, count: int) -> str:
    """What a team's tables begin with; forty tables a team."""
    return f"{_STAGES[number % 3]}-team{number % max(3, count // 40):05d}"


def _table(number: int, count: int) -> str:
    """A table's name; each ninth says that it holds personal data."""
    pii = f"-pii-{number % max(1, count // 20):05d}" if number % 9 == 0 else ""
    return f"{_team(number, count)}{pii}-table{number:06d}"


def _condition(number: int) -> MixedCondition:
    """A condition; six kinds in turns."""
    kinds: tuple[MixedCondition, ...] = (
        MixedCondition("StringEquals", "aws:RequestedRegion", ("us-east-1", "eu-west-1")),
        MixedCondition("StringLike", "dynaguard:Runbook", ("refund-*",)),
        MixedCondition(
            "ForAllValues:StringEquals",
            "dynamodb:Attributes",
            ("pk", "sk", "status", "total", f"a{number % 50}"),
        ),
        MixedCondition("DateLessThan", "aws:CurrentTime", (_EPOCH_S - number % 7 * 1000,)),
        MixedCondition("Bool", "aws:SecureTransport", (True,)),
        MixedCondition("NumericLessThan", "dynamodb:Limit", (50 + number % 100,)),
    )
    return kinds[number % 6]


def document_of(statements: Sequence[MixedStatement]) -> PolicyDocument:
    """The statements as dynaguard's document; made by hand, for the loader is not measured."""
    return PolicyDocument(
        "deny", None, tuple(_checked(number, each) for number, each in enumerate(statements))
    )


def _checked(number: int, mixed: MixedStatement) -> Statement:
    """One statement of the document."""
    return Statement(
        StatementRef(f"S{number}", "policy.toml", number + 1),
        mixed.effect,
        mixed.actions,
        (mixed.resource,),
        conditions=tuple(
            Condition(
                operator.removeprefix("ForAllValues:"),
                key,
                tuple(text for value in values for text in _texts(value)),
                "ForAllValues" if operator.startswith("ForAllValues:") else None,
            )
            for operator, key, values in mixed.conditions
        ),
    )


# --- requests ---------------------------------------------------------------------------------


def busy_requests(
    statements: Sequence[MixedStatement], count: int, tables: int = 10, seed: int = 2
) -> list[Request]:
    """Requests for few tables, the first far more often than the last (Zipf).

    About one in ten is for a table that no statement names.
    """
    rng = random.Random(seed)
    targets = [_target(rng, statements, number) for number in range(tables)]
    weights = [1 / (rank + 1) ** 1.1 for rank in range(tables)]
    return [
        Request(action, resource, _context(rng))
        for action, resource in rng.choices(targets, weights, k=count)
    ]


def fresh_requests(
    statements: Sequence[MixedStatement], count: int, seed: int = 3
) -> list[Request]:
    """Requests of which no two are for the same action and table: no memo knows them."""
    rng = random.Random(seed)
    targets: dict[tuple[str, str], None] = {}
    number = 0
    while len(targets) < count:
        targets[_target(rng, statements, number)] = None
        number += 1
    return [Request(action, resource, _context(rng)) for action, resource in targets]


def _target(
    rng: random.Random, statements: Sequence[MixedStatement], number: int
) -> tuple[str, str]:
    """An action on a table that a statement names or matches, mostly."""
    if rng.random() < 0.1:
        return f"dynamodb:{rng.choice(OPERATIONS)}", f"{ARN}unknown-{number:06d}-x"
    statement = rng.choice(statements)
    name = rng.choice(statement.actions).removeprefix("dynamodb:")
    resource = statement.resource.replace("*", f"q{number:06d}")
    return f"dynamodb:{_OPERATION_BY_GLOB.get(name, name)}", resource


def _context(rng: random.Random) -> dict[str, Value | list[str]]:
    """The context of one request: most of it as the conditions want it."""
    return {
        "aws:RequestedRegion": "us-east-1" if rng.random() < 0.9 else "ap-south-1",
        "dynaguard:Runbook": "refund-user" if rng.random() < 0.8 else "adhoc",
        "dynamodb:Attributes": ["pk", "status"] if rng.random() < 0.8 else ["pk", "ssn"],
        "aws:CurrentTime": 1_800_000_000 + rng.randrange(200_000_000),
        "aws:SecureTransport": rng.random() < 0.9,
        "dynamodb:Limit": rng.randrange(200),
    }


def shares(statements: Sequence[MixedStatement]) -> Iterator[tuple[str, float]]:
    """What part of the statements is of which kind, for the report."""
    for name, count in (
        ("deny", sum(each.effect == "Deny" for each in statements)),
        ("conditions", sum(bool(each.conditions) for each in statements)),
        ("wildcard in the resource", sum("*" in each.resource for each in statements)),
    ):
        yield name, count / len(statements)
