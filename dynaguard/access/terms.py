"""What a grant is to open, for whom and for how long: checked before anybody may hold it.

The terms are the same whether a person makes a grant at once or asks others for it by a ticket.
They name what they open: no `NotAction`, no wildcard over everything but by break-glass, and whom
they open it for, so that nothing in them is for everybody.

Every problem is told at once, each with its path.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from dynaguard.call import PrincipalKind
from dynaguard.errors import PolicySyntaxError
from dynaguard.policy.collecting import Findings, kind_of
from dynaguard.policy.durations import duration_text
from dynaguard.policy.lines import Path_
from dynaguard.policy.model import PolicyDocument, Statement
from dynaguard.policy.naming import check_arn_pattern
from dynaguard.policy.reading import Source
from dynaguard.policy.statements import StatementChecker
from dynaguard.scope import MAX_NAME_LENGTH

MAX_DURATION_S: Final = 24 * 3600.0
"""Longest that a grant lasts unless the setting `access_max_duration_s` says otherwise."""
BREAK_GLASS_MAX_DURATION_S: Final = 3600.0
"""Longest that a break-glass grant lasts, whatever the setting says."""
MAX_LEAD_S: Final = 31 * 24 * 3600.0
"""How far ahead a grant may begin."""
MAX_REASON_LENGTH: Final = 512
MAX_STATEMENTS_LENGTH: Final = 32_768
MAX_USES: Final = 1_000_000
GROUP_PREFIX: Final = "group:"
NOBODY: Final = frozenset(
    {
        *("*", "unknown", "static-key", "temporary-key", GROUP_PREFIX),
        *(kind.value.replace("_", "-") for kind in PrincipalKind),
    }
)
"""What stands for many, or for whoever is not known: labels that name a sort of identity alone."""
_MAX_EPOCH_S: Final = 1e11
"""The year 5138: what is beyond is no instant."""
_KEYS: Final = frozenset({"Sid", "Effect", "Action", "Resource", "Condition"})
_WHY_NOT_BY_KEY: Final = {
    "Principal": "leave it out, the grant's identity says for whom",
    "NotPrincipal": "leave it out, the grant's identity says for whom",
    "NotAction": "write `Action`, a grant names what it opens",
    "NotResource": "write `Resource`, a grant names what it opens",
    "Mode": "leave it out, a grant is in force or it is not",
}


@dataclass(frozen=True, slots=True)
class GrantTerms:
    """What is asked for. Nothing is checked until `check_terms`.

    Attributes:
        statements: Allow statements of IAM's grammar as JSON text: a list of mappings with `Sid`
            (optional), `Effect`, `Action`, `Resource`, `Condition` (optional).
        identity: Whom it is for: an ARN pattern, `group:NAME`, or an identity's label.
        reason: Why, one line.
        duration_s: How long it lasts from its beginning, in seconds, greater than 0.
        acting_as: The name of `acting_as()` that it is for; None: for the identity itself.
        begins_epoch_s: When it begins, in seconds since the epoch; None: when it is made.
        uses: How many calls it is good for; None: any number.
        is_break_glass: Whether it is taken in an emergency, without anybody's approval.
    """

    statements: str
    identity: str
    reason: str
    duration_s: float
    acting_as: str | None = None
    begins_epoch_s: float | None = None
    uses: int | None = None
    is_break_glass: bool = False


def check_terms(
    terms: GrantTerms,
    *,
    now_epoch_s: float,
    max_duration_s: float = MAX_DURATION_S,
    source: str = "<grant>",
) -> tuple[Statement, ...]:
    """Checks the terms of a grant that is to be made.

    Args:
        terms: The terms; their types are checked too.
        now_epoch_s: Now, in seconds since the epoch.
        max_duration_s: Longest that it may last, in seconds.
        source: What messages name it.

    Returns:
        Its statements; each `ref.source` is `source`.

    Raises:
        PolicySyntaxError: Every problem there is.
    """
    from dynaguard.policy.lint.names import check_names  # only who makes grants needs it

    findings = new_findings(source)
    statements = _checked(findings, terms, max_duration_s)
    named = PolicyDocument(default="deny", govern=None, statements=statements)
    for found in check_names(named):
        findings.add(("statements",), f"{found.message}: {found.fix}")
    begins_s: Any = terms.begins_epoch_s
    if _is_number(begins_s) and begins_s - now_epoch_s > MAX_LEAD_S:
        findings.add(("not_before",), f"is more than {_days(MAX_LEAD_S)} ahead")
    if findings.problems:
        raise PolicySyntaxError(findings.problems)
    return statements


def read_statements(
    terms: GrantTerms, *, source: str, max_duration_s: float
) -> tuple[Statement, ...]:
    """The statements of terms that somebody checked before, checked again.

    Names of actions are not looked up: one that this version does not know opens nothing.

    Raises:
        PolicySyntaxError: Every problem there is.
    """
    findings = new_findings(source)
    statements = _checked(findings, terms, max_duration_s)
    if findings.problems:
        raise PolicySyntaxError(findings.problems)
    return statements


def new_findings(source: str) -> Findings:
    """An empty list of problems of a grant."""
    return Findings(Source(source, {}, {}, b"", Path()))


def _checked(
    findings: Findings, terms: GrantTerms, max_duration_s: float
) -> tuple[Statement, ...]:
    """The statements; problems of all terms are noted."""
    statements = _statements(findings, terms)
    _check_identity(findings, terms.identity)
    _check_line(findings, terms.reason, "reason", MAX_REASON_LENGTH, "say why it is needed")
    if terms.acting_as is not None:
        _check_line(findings, terms.acting_as, "acting_as", MAX_NAME_LENGTH, "name who acts")
    is_break_glass: Any = terms.is_break_glass
    if not isinstance(is_break_glass, bool):
        findings.add(("is_break_glass",), f"must be a boolean, this is {_kind(is_break_glass)}")
    _check_times(findings, terms, max_duration_s)
    uses = terms.uses
    is_count = isinstance(uses, int) and not isinstance(uses, bool) and 1 <= uses <= MAX_USES
    if uses is not None and not is_count:
        findings.add(("uses",), f"must be a count from 1 to {MAX_USES}, or be left out")
    return statements


def _kind(value: Any) -> str:
    """What a value is, in a document's words."""
    return "nothing" if value is None else kind_of(value)


def _check_times(findings: Findings, terms: GrantTerms, max_duration_s: float) -> None:
    """The duration is there, positive and not too long; the beginning is an instant."""
    begins_s: Any = terms.begins_epoch_s
    duration_s: Any = terms.duration_s
    if begins_s is not None and not _is_number(begins_s):
        findings.add(("not_before",), "must be an instant")
    if duration_s is None:
        findings.add(("expires",), "is missing, a grant without an end is never made")
    elif not _is_number(duration_s):
        findings.add(
            ("expires",), f"must be a duration or an instant, this is {_kind(duration_s)}"
        )
    elif duration_s <= 0:
        findings.add(("expires",), "is not after its beginning")
    else:
        longest_s = max_duration_s
        if terms.is_break_glass:
            longest_s = min(longest_s, BREAK_GLASS_MAX_DURATION_S)
        if duration_s > longest_s:
            of_what = "a break-glass grant lasts" if terms.is_break_glass else "a grant lasts"
            findings.add(
                ("expires",),
                f"is {duration_text(duration_s)} after its beginning, {of_what} "
                f"{duration_text(longest_s)} at most",
            )


def _is_number(value: Any) -> bool:
    """Whether it is a finite number that an instant can hold."""
    is_number = isinstance(value, int | float) and not isinstance(value, bool)
    return is_number and math.isfinite(value) and abs(value) < _MAX_EPOCH_S


def _days(seconds: float) -> str:
    """`31 days`."""
    return f"{seconds / 86_400:.0f} days"


def _check_line(findings: Findings, text: Any, name: str, longest: int, what: str) -> None:
    """A text of one printable line that says something."""
    if text is None or text == "" or (isinstance(text, str) and not text.strip()):
        findings.add((name,), f"is missing, {what}")
    elif not isinstance(text, str):
        findings.add((name,), f"must be text, this is {_kind(text)}")
    elif len(text) > longest or not text.isprintable():
        findings.add((name,), f"has {len(text)} characters, must be 1 to {longest}, all printable")


def _check_identity(findings: Findings, identity: Any) -> None:
    """Somebody in particular: an ARN pattern, a group, or a label."""
    before = len(findings.problems)
    path: Path_ = ("identity",)
    _check_line(findings, identity, "identity", 2048, "say for whom it is")
    if len(findings.problems) > before:
        return
    if identity in NOBODY:
        findings.add(
            path,
            f"`{identity}` is nobody in particular, write an ARN pattern, `group:NAME` or a label "
            "that the setting `identity` gives",
        )
    elif identity.startswith("arn:"):
        check_arn_pattern(findings, identity, path)
    elif not identity.startswith(GROUP_PREFIX) and ("*" in identity or "?" in identity):
        findings.add(path, f"`{identity}` is a label and has no wildcards, write an ARN pattern")


def _statements(findings: Findings, terms: GrantTerms) -> tuple[Statement, ...]:
    """The statements, checked as those of a policy, and more strictly."""
    path: Path_ = ("statements",)
    tables = _tables(findings, terms.statements, path)
    for at, table in enumerate(tables):
        for key in sorted(table.keys() - _KEYS):
            if key in _WHY_NOT_BY_KEY:
                findings.add((*path, at, key), f"has no place in a grant, {_WHY_NOT_BY_KEY[key]}")
        if table.get("Effect") not in (None, "Allow"):
            findings.add(
                (*path, at, "Effect"), "must be `Allow`, a grant opens and never closes anything"
            )
    if findings.problems:
        return ()
    checker = StatementChecker(findings, (), has_variables=True)
    statements = checker.check_all(tables, path)
    if not terms.is_break_glass:
        for at, statement in enumerate(statements):
            _check_breadth(findings, statement, (*path, at))
    return tuple(statements)


def _tables(findings: Findings, text: Any, path: Path_) -> list[Mapping[str, Any]]:
    """The statements as mappings."""
    if not isinstance(text, str) or not text:
        findings.add(path, "are missing, say which actions on which resources it opens")
        return []
    if len(text) > MAX_STATEMENTS_LENGTH:
        findings.add(path, f"have {len(text)} characters, at most {MAX_STATEMENTS_LENGTH} will do")
        return []
    try:
        tables = json.loads(text)
    except ValueError:
        findings.add(path, "are no JSON")
        return []
    found = [table for _, table in findings.tables(tables, path)]
    if not found and not findings.problems:
        findings.add(path, "are empty, say which actions on which resources it opens")
    return found


def _check_breadth(findings: Findings, statement: Statement, path: Path_) -> None:
    """Refuses every action of a service on every resource: that is for break-glass alone."""
    for action in statement.actions:
        for resource in statement.resources:
            if _is_all(action.partition(":")[2] or action) and _is_every(resource):
                findings.add(
                    path,
                    f"opens `{action}` on `{resource}`, name the actions or the resources; only a "
                    "break-glass grant opens everything",
                )
                return


def _is_every(resource: str) -> bool:
    """Whether an ARN pattern leaves nothing out: every resource of a service, or every table."""
    return _is_all(resource.split(":", 5)[-1].removeprefix("table/"))


def _is_all(pattern: str) -> bool:
    """Whether a pattern is made of wildcards alone."""
    return bool(pattern) and not pattern.strip("*?")
