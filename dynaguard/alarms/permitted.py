"""Subjects of alarms from a policy: who may call which tables.

A policy names ARNs: the name that records have is read from it as the identity room does. A
pattern names nobody by itself; it is filled with names that are known otherwise.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Final

from dynaguard.alarms.subjects import NOBODY, Pair, Subjects, subjects_of, table_and_index
from dynaguard.call import PrincipalKind
from dynaguard.identity.arns import read_identity_arn
from dynaguard.policy.model import PolicyDocument, PrincipalPattern, Statement
from dynaguard.policy.patterns import ARN_PARTS, action_matches, text_matches

_ANY_ACCOUNT: Final = "0" * 12
"""Stands in for an account pattern while a name is read from an ARN; never given out."""
_SAMPLE_ACTIONS: Final = (
    "dynamodb:GetItem",
    "dynamodb:BatchGetItem",
    "dynamodb:Query",
    "dynamodb:Scan",
    "dynamodb:PutItem",
    "dynamodb:UpdateItem",
    "dynamodb:DeleteItem",
    "dynamodb:BatchWriteItem",
    "dynamodb:ConditionCheckItem",
    "dynamodb:PartiQLSelect",
    "dynamodb:PartiQLInsert",
    "dynamodb:PartiQLUpdate",
    "dynamodb:PartiQLDelete",
)
"""Actions on the items of tables."""


@dataclass(frozen=True, slots=True)
class Known:
    """Names that fill the patterns of a policy.

    Attributes:
        everyone: Identities that statements for everyone are about.
        identities: Those, and further ones that fit patterns of principals.
        tables: Tables.
    """

    everyone: tuple[str, ...] = ()
    identities: tuple[str, ...] = ()
    tables: tuple[str, ...] = ()


def policy_subjects(
    document: PolicyDocument,
    *,
    identities: Iterable[str] = (),
    tables: Iterable[str] = (),
    recorded: Subjects = NOBODY,
) -> Subjects:
    """Who may call which tables.

    Args:
        document: Its Allow statements on items of DynamoDB tables count. A statement for
            everyone is about the process's own identity (setting `identity`).
        identities: Names that patterns of principals, and statements for everyone, are filled
            with.
        tables: Names that patterns of tables are filled with, beside those of `[tables]`.
        recorded: Further names for patterns. What a statement for everyone lets them do is not
            taken for what they do.

    Returns:
        The pairs; tables of callers unknown; a note for each pattern that no name fills.
    """
    known = _known(document, tuple(identities), tuple(tables), recorded)
    pairs: set[Pair] = set()
    callers: set[str] = set()
    called: set[str] = set()
    notes: list[str] = []
    for statement in document.statements:
        if statement.effect == "Deny" or statement.is_observed or not _is_on_items(statement):
            continue
        who = _identities_of(statement, document, known, notes)
        what = _tables_of(statement, known.tables, notes)
        pairs.update(Pair(identity, table) for identity in who for table in what)
        callers |= who
        called |= what
    return subjects_of(
        pairs,
        identities=callers,
        tables=called,
        indexes_by_table={name: tuple(each.indexes) for name, each in document.tables.items()},
        notes=notes,
    )


def _known(
    document: PolicyDocument,
    identities: tuple[str, ...],
    tables: tuple[str, ...],
    recorded: Subjects,
) -> Known:
    """The names from everywhere, each once."""
    own = document.settings.get("identity")
    # As the identity room has it: an ARN's name, and any other text is a name itself.
    everyone = (*identities, _principal_name(own) or own) if isinstance(own, str) else identities
    return Known(
        tuple(dict.fromkeys(everyone)),
        tuple(dict.fromkeys([*everyone, *recorded.identities])),
        tuple(dict.fromkeys([*document.tables, *tables, *recorded.tables])),
    )


def _is_on_items(statement: Statement) -> bool:
    """Whether a statement allows some call on items."""
    return any(
        any(action_matches(pattern, action) for pattern in statement.actions)
        is not statement.is_not_action
        for action in _SAMPLE_ACTIONS
    )


def _identities_of(
    statement: Statement, document: PolicyDocument, known: Known, notes: list[str]
) -> set[str]:
    """The names of those that a statement is for."""
    if statement.principals is None:
        if not known.identities:
            notes.append(
                f"statement `{statement.ref.sid}` is for everyone and the document has no setting "
                "`identity`, name callers with --identity or --from-audit"
            )
        return set(known.everyone)
    patterns = list(_arn_patterns(statement.principals, document))
    named = {name for pattern in patterns for name in _names_of(pattern, known)}
    if statement.is_not_principal:
        return set(known.everyone) - named
    if not named:
        shown = ", ".join(f"`{pattern}`" for pattern in patterns[:3]) or "its principals"
        notes.append(
            f"statement `{statement.ref.sid}`: no caller is known of {shown}, name callers with "
            "--identity or --from-audit"
        )
    return named


def _arn_patterns(
    principals: Iterable[PrincipalPattern], document: PolicyDocument
) -> Iterator[str]:
    """The ARN patterns of principals, groups taken apart; accounts name no one."""
    for principal in principals:
        if principal.kind == "group":
            yield from document.groups.get(principal.value, ())
        elif principal.kind == "arn":
            yield principal.value


def _names_of(pattern: str, known: Known) -> set[str]:
    """The name in an ARN; where it holds wildcards, the known names that fit."""
    if pattern == "*":
        return set(known.everyone)
    name = _principal_name(pattern)
    if name is None:
        return set()
    if "*" in name or "?" in name:
        return {each for each in known.identities if text_matches(name, each)}
    return {name}


def _principal_name(arn: str) -> str | None:
    """The name that records give the identity of an ARN, whose account may be a pattern."""
    parts = arn.split(":", ARN_PARTS - 1)
    if len(parts) != ARN_PARTS:
        return None
    found = read_identity_arn(":".join(["arn", "aws", parts[2], "", _ANY_ACCOUNT, parts[5]]))
    return None if found is None or found.kind is PrincipalKind.ROOT else found.name


def _tables_of(statement: Statement, known: tuple[str, ...], notes: list[str]) -> set[str]:
    """The tables that a statement is about."""
    found: set[str] = set()
    for resource in statement.resources:
        named = _tables_named(resource, known)
        found |= named
        if not named and _is_of_dynamodb(resource):
            notes.append(
                f"statement `{statement.ref.sid}`: no table is known of `{resource}`, name tables "
                "with --table or --from-audit"
            )
    return set(known) - found if statement.is_not_resource else found


def _is_of_dynamodb(resource: str) -> bool:
    return resource == "*" or resource.split(":")[2:3] == ["dynamodb"]


def _tables_named(resource: str, known: Iterable[str]) -> set[str]:
    """The tables that one resource pattern names."""
    if resource == "*":
        return set(known)
    table, _ = table_and_index(resource)
    if table is None:
        is_any = _is_of_dynamodb(resource) and resource.endswith(":*")
        return set(known) if is_any else set()
    if "${" in table or "*" in table or "?" in table:
        return {each for each in known if text_matches(table, each)}
    return {table}
