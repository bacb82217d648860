"""IAM statements as a session policy: the shortest text that says the same.

STS takes 2,048 characters of session policy, and packs policy and tags once more into a binary
form whose limit and size it tells only when it refuses (`PackedPolicyTooLarge`); so what is made
here fits the first limit for certain, and is short for the second one's sake.

INVARIANT: what is made allows exactly what the statements allow, unless widening was asked for;
then `SessionPolicy.dropped` names every condition that was left out.

Source: AWS STS API reference, AssumeRole, `Policy`; IAM user guide, "Session policies", "Multiple
keys or values".
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any, Final

from dynaguard.access.merging import merged
from dynaguard.access.sessions import instant_text
from dynaguard.access.statement_sets import StatementSet, read_statement
from dynaguard.errors import ConfigurationError

MAX_CHARACTERS: Final = 2_048
_SHOWN: Final = 3
"""Statements that the error names as the largest."""
_OWN_PREFIX: Final = "dynaguard:"
WIDENING_ORDER: Final = (
    "dynaguard:*",
    "dynamodb:ReturnConsumedCapacity",
    "dynamodb:ReturnValues",
    "dynamodb:Select",
    "dynamodb:Attributes",
    "dynamodb:LeadingKeys",
)
"""Condition keys in the order in which widening leaves them out of Allows: first what IAM does not
know, then what costs characters and guards the least. No other condition is ever left out."""


@dataclass(frozen=True, slots=True)
class SessionPolicy:
    """A session policy that fits.

    Attributes:
        text: Compact JSON, at most 2,048 characters.
        dropped: Condition keys that widening left out, in order; mostly none.
    """

    text: str
    dropped: tuple[str, ...] = ()


def session_policy(
    statements: Iterable[Mapping[str, Any]] | None,
    *,
    end: datetime | None = None,
    allow_widening: bool = False,
    max_characters: int = MAX_CHARACTERS,
) -> SessionPolicy:
    """The session policy of some statements.

    Args:
        statements: IAM statements; None: whatever the role allows.
        end: When the session is to be of no use any more, said by a Deny from then on: AWS gives
            no session of less than 900 seconds. None: nothing is said.
        allow_widening: Whether conditions may be left out, in `WIDENING_ORDER`, where it does not
            fit without, or where IAM does not know them.
        max_characters: The most that it may have.

    Raises:
        ConfigurationError: It cannot fit, tells by how much and which statements are the largest;
            or a condition key is one that IAM does not know.
    """
    sets = _everything() if statements is None else [read_statement(each) for each in statements]
    dropped: list[str] = []
    for key in WIDENING_ORDER if allow_widening else ():
        made = merged(sets)
        is_needed = key.startswith(_OWN_PREFIX) or len(_text(made, end)) > max_characters
        if is_needed:
            dropped += _keys_like(sets, key)
            sets = [_without(each, key) for each in sets]
    _check_keys(sets)
    made = merged(sets)
    text = _text(made, end)
    if len(text) > max_characters:
        raise ConfigurationError(_too_long(made, len(text), max_characters))
    return SessionPolicy(text, tuple(dict.fromkeys(dropped)))


def _everything() -> list[StatementSet]:
    """What a session without statements of its own is narrowed to: nothing less than the role."""
    return [read_statement({"Effect": "Allow", "Action": "*", "Resource": "*"})]


def _text(sets: Iterable[StatementSet], end: datetime | None) -> str:
    """The document as it is sent."""
    statements = [each.as_dict() for each in sets]
    if end is not None:
        over = {"DateGreaterThanEquals": {"aws:CurrentTime": instant_text(end)}}
        statements.append({"Effect": "Deny", "Action": "*", "Resource": "*", "Condition": over})
    document = {"Version": "2012-10-17", "Statement": statements}
    return json.dumps(document, separators=(",", ":"), ensure_ascii=False)


def _matches(key: str, wanted: str) -> bool:
    """Whether a condition key is one of those that widening leaves out now."""
    folded, wanted = key.casefold(), wanted.casefold()
    return folded.startswith(wanted[:-1]) if wanted.endswith("*") else folded == wanted


def _keys_like(sets: Iterable[StatementSet], wanted: str) -> list[str]:
    """The condition keys of Allows that a step of widening leaves out."""
    return [
        key
        for each in sets
        if each.effect == "Allow"
        for _, key, _ in each.conditions
        if _matches(key, wanted)
    ]


def _without(each: StatementSet, wanted: str) -> StatementSet:
    """An Allow without a condition; a Deny stays as it is."""
    if each.effect != "Allow":
        return each
    kept = tuple(part for part in each.conditions if not _matches(part[1], wanted))
    return replace(each, conditions=kept)


def _check_keys(sets: Iterable[StatementSet]) -> None:
    """Refuses condition keys that IAM does not know: such an Allow would allow nothing."""
    own = {key for each in sets for _, key, _ in each.conditions if _matches(key, "dynaguard:*")}
    if own:
        names = ", ".join(f"`{key}`" for key in sorted(own))
        raise ConfigurationError(
            f"IAM does not know {names}, so a session policy cannot say it; leave the condition "
            "out, or let `allow_widening` do that for the session alone"
        )


def _too_long(sets: list[StatementSet], characters: int, max_characters: int) -> str:
    """What to tell where nothing shortens it enough."""
    by_size = sorted(sets, key=lambda each: -len(_json(each)))[:_SHOWN]
    largest = "; ".join(
        f"{len(_json(each))} characters: {each.sids} with {_counted(each.actions, 'action')} on "
        f"{_counted(each.resources, 'resource')}"
        for each in by_size
    )
    return (
        f"the session policy has {characters} characters after minimising, STS takes "
        f"{max_characters}; the largest statements are: {largest}. Name fewer tables or "
        "attributes, split the task, give the role itself the narrow policy, or let "
        f"`allow_widening` leave conditions out ({', '.join(WIDENING_ORDER)}, in this order)"
    )


def _counted(patterns: tuple[str, ...], noun: str) -> str:
    """`1 action`, `2 actions`."""
    return f"{len(patterns)} {noun}" if len(patterns) == 1 else f"{len(patterns)} {noun}s"


def _json(each: StatementSet) -> str:
    """One statement as it is sent."""
    return json.dumps(each.as_dict(), separators=(",", ":"), ensure_ascii=False)
