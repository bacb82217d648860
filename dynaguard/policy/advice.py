"""What a refusal says: why, and what would allow it. Written for refusals alone.

INVARIANT: names only. Texts hold actions, ARNs, statements, condition keys and settings, never the
values of keys or items; characters that do not print are shown as `?`, so each text is one line.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

from dynaguard.call import (
    UNKNOWN_ACCOUNT,
    UNKNOWN_CHAR,
    UNKNOWN_RUN,
    Authorization,
    Ruling,
    StatementRef,
    Verdict,
)

_SETTING_BY_FACT: Final = {
    "account": "set `account_id` (DYNAGUARD_ACCOUNT_ID)",
    "aws:principalarn": (
        "set `identity` (DYNAGUARD_IDENTITY) or `identity_lookup` (DYNAGUARD_IDENTITY_LOOKUP)"
    ),
    "resource": "name the resource in full in the request",
    "action": "send a request that can be understood",
}
ASK: Final = (
    "ask for an approval: `access_store` (DYNAGUARD_ACCESS_STORE) names where tickets are kept, "
    "`dynaguard approvals list` shows them, somebody else approves"
)
"""How to get the approval that a statement requires."""
_KEYS_BY_SCHEMA: Final = frozenset(
    {
        "dynamodb:leadingkeys",
        "dynamodb:firstpartitionkeyvalues",
        "dynamodb:secondpartitionkeyvalues",
        "dynamodb:thirdpartitionkeyvalues",
        "dynamodb:fourthpartitionkeyvalues",
    }
)


def reason_for(authorization: Authorization, ruling: Ruling) -> str:
    """Why one authorisation was refused, one clause."""
    unknown = _listed(ruling.unknown_keys)
    verb = "are" if len(ruling.unknown_keys) > 1 else "is"
    if ruling.verdict is Verdict.DENY and ruling.statement is not None:
        doubt = f", which applies since {unknown} {verb} unknown" if unknown else ""
        return one_line(f"denied by {_named(ruling.statement)}{doubt}")
    if ruling.verdict is Verdict.REQUIRE_APPROVAL and ruling.statement is not None:
        doubt = f", which may apply since {unknown} {verb} unknown" if unknown else ""
        others = len(ruling.required_by) - 1
        more = f" and {others} more" if others > 0 else ""
        return one_line(f"approval is required by {_named(ruling.statement)}{more}{doubt}")
    if authorization.problem:
        return one_line(authorization.problem)
    doubt = f" for certain, since {unknown} {verb} unknown" if unknown else ""
    return one_line(f"no statement allows it{doubt}")


def how_to_allow(authorization: Authorization, ruling: Ruling) -> str:
    """What would allow it, one clause."""
    hints = dict.fromkeys(_hint(key, authorization) for key in ruling.unknown_keys)
    if ruling.verdict is Verdict.DENY:
        otherwise = "narrow or remove that statement"
    elif ruling.verdict is Verdict.REQUIRE_APPROVAL:
        otherwise = ASK
    elif authorization.problem:
        otherwise = "send a request that can be understood, or leave its service out of `govern`"
    else:
        otherwise = (
            f"add a statement with Effect `Allow`, Action `{as_pattern(authorization.action)}` "
            f"and Resource `{as_pattern(authorization.resource)}`"
        )
    return one_line(f"{' and '.join(hints)}, or {otherwise}" if hints else otherwise)


def one_line(text: str) -> str:
    """The text with a `?` for every character that does not print."""
    return "".join(char if char.isprintable() else "?" for char in text)


def _named(statement: StatementRef) -> str:
    """A statement as messages name it, such as ``statement `NoScans` (policy.toml:31)``."""
    place = f"{statement.source}:{statement.line}" if statement.line else statement.source
    return f"statement `{statement.sid}` ({place})"


def _listed(keys: Iterable[str]) -> str:
    """The keys in backticks: `a`, `a` and `b`, `a`, `b` and `c`."""
    *others, last = [f"`{key}`" for key in keys] or [""]
    return f"{', '.join(others)} and {last}" if others else last


def _hint(key: str, authorization: Authorization) -> str:
    """Where the value of an unknown key or fact can be given."""
    folded = key.lower()
    if folded in _SETTING_BY_FACT:
        return _SETTING_BY_FACT[folded]
    if folded in _KEYS_BY_SCHEMA:
        table = f"table `{authorization.table_name}`" if authorization.table_name else "the table"
        return f"write the key schema of {table} in `[tables]`"
    if folded.startswith("dynamodb:"):
        return f"write the request so that `{key}` can be read from it"
    return f"give `{key}` in `[context]`"


def as_pattern(name: str) -> str:
    """An action or resource as a statement would name it, with wildcards for what is unknown."""
    for mark in (UNKNOWN_ACCOUNT, UNKNOWN_RUN):
        name = name.replace(mark, "*")
    return name.replace(UNKNOWN_CHAR, "?")
