"""Checks statements, native and IAM's, and gives them as values.

Source: IAM User Guide, Grammar of the IAM JSON policy language.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any, Final, cast

from dynaguard.call import StatementRef
from dynaguard.policy.collecting import Findings, hint, kind_of
from dynaguard.policy.literals import (
    parse_bool,
    parse_bytes,
    parse_instant,
    parse_network,
    parse_number,
)
from dynaguard.policy.model import (
    ApprovalTerms,
    Condition,
    Effect,
    PrincipalPattern,
    Statement,
)
from dynaguard.policy.naming import check_principals, check_resource

if TYPE_CHECKING:
    from dynaguard.policy.lines import Path_

_KEYS: Final = (
    "Sid",
    "Effect",
    "Principal",
    "NotPrincipal",
    "Action",
    "NotAction",
    "Resource",
    "NotResource",
    "Condition",
    "Mode",
    "Approval",
)
EFFECTS: Final[tuple[Effect, ...]] = ("Allow", "Deny", "RequireApproval")
_NUMERIC: Final = ("Equals", "NotEquals", "LessThan", "LessThanEquals", "GreaterThan")
_COMPARISONS: Final = (*_NUMERIC, "GreaterThanEquals")
OPERATORS: Final = (
    "StringEquals",
    "StringNotEquals",
    "StringEqualsIgnoreCase",
    "StringNotEqualsIgnoreCase",
    "StringLike",
    "StringNotLike",
    *(f"Numeric{name}" for name in _COMPARISONS),
    *(f"Date{name}" for name in _COMPARISONS),
    "Bool",
    "BinaryEquals",
    "IpAddress",
    "NotIpAddress",
    "ArnEquals",
    "ArnLike",
    "ArnNotEquals",
    "ArnNotLike",
    "Null",
)
OWN_KEYS: Final = (
    "Identity",
    "Group",
    "ActingAs",
    "Job",
    "RunId",
    "Stage",
    "Runbook",
    "RunbookSha256",
    "Task",
    "Environment",
    "Service",
    "Operation",
    "Limit",
    "ConsistentRead",
    "HasFilter",
    "HasCondition",
    "ItemCount",
    "TableName",
    "IndexName",
    "ScanInEffect",
    "PageNumber",
    "WrittenAttributes",
    "FilteredAttributes",
    "ReturnedAttributes",
    "ReturnValuesOnConditionCheckFailure",
)
MULTIVALUED_KEYS: Final = frozenset(
    {
        "dynamodb:attributes",
        "dynamodb:leadingkeys",
        "dynamodb:firstpartitionkeyvalues",
        "dynamodb:secondpartitionkeyvalues",
        "dynamodb:thirdpartitionkeyvalues",
        "dynamodb:fourthpartitionkeyvalues",
        "aws:tagkeys",
        "dynaguard:group",
        "dynaguard:writtenattributes",
        "dynaguard:filteredattributes",
        "dynaguard:returnedattributes",
    }
)
_ACTION: Final = re.compile(r"(?:\*|[A-Za-z0-9-]+:[A-Za-z0-9*?_-]+)$")
_KEY: Final = re.compile(r"[A-Za-z0-9-]+:[^\s]+$")
_LITERALS: Final = {
    "Numeric": (parse_number, "a number"),
    "Date": (parse_instant, "a date (ISO 8601 or epoch seconds)"),
    "Bool": (parse_bool, "`true` or `false`"),
    "Null": (parse_bool, "`true` or `false`"),
    "BinaryEquals": (parse_bytes, "base64"),
    "IpAddress": (parse_network, "an IP address or network"),
    "NotIpAddress": (parse_network, "an IP address or network"),
}


class StatementChecker:
    """Checks the statements of one source.

    Args:
        findings: Where problems go.
        groups: Names of the groups that statements may use.
        has_variables: Whether `${...}` is a policy variable in this source.
        is_iam: Whether it is an IAM policy that is used as it is.
    """

    def __init__(
        self,
        findings: Findings,
        groups: tuple[str, ...],
        *,
        has_variables: bool,
        is_iam: bool = False,
    ) -> None:
        self._findings = findings
        self._groups = groups
        self._has_variables = has_variables
        self._is_iam = is_iam
        self._sids: set[str] = set()

    def check_all(self, value: Any, path: Path_) -> list[Statement]:
        """Every statement of a list that is well formed."""
        found: list[Statement] = []
        for place, table in self._findings.tables(value, path):
            before = len(self._findings.problems)
            statement = self._check(table, place, len(found))
            if len(self._findings.problems) == before and statement is not None:
                found.append(statement)
        return found

    def _check(self, table: Mapping[str, Any], path: Path_, at: int) -> Statement | None:
        """One statement; problems are noted."""
        findings = self._findings
        findings.check_keys(table, path, _KEYS)
        number = path[-1] if path and isinstance(path[-1], int) else at
        sid = self._sid(table, path) or f"statement[{number}]"
        effect = self._effect(table, path)
        approval = self._approval(table, path, effect)
        principals, is_not_principal = self._principals(table, path)
        actions, is_not_action = self._one_of(table, path, "Action")
        for place, action in self._placed(table, path, "NotAction" if is_not_action else "Action"):
            self._check_action(action, place)
        resources, is_not_resource = self._one_of(table, path, "Resource")
        name = "NotResource" if is_not_resource else "Resource"
        for place, resource in self._placed(table, path, name):
            check_resource(self._findings, resource, place)
        conditions = tuple(self._conditions(table.get("Condition", {}), (*path, "Condition")))
        mode = table.get("Mode", "enforce")
        findings.choice(mode, (*path, "Mode"), ("enforce", "observe"))
        if effect is None:
            return None
        return Statement(
            ref=StatementRef(sid, findings.source.name, findings.source.line(path)),
            effect=effect,
            actions=actions,
            resources=resources,
            principals=principals,
            is_not_principal=is_not_principal,
            is_not_action=is_not_action,
            is_not_resource=is_not_resource,
            conditions=conditions,
            is_observed=mode == "observe",
            has_variables=self._has_variables,
            approval=approval,
        )

    def _sid(self, table: Mapping[str, Any], path: Path_) -> str | None:
        """The Sid, unique in its source."""
        sid = table.get("Sid")
        if sid is None or sid == "":
            return None
        place = (*path, "Sid")
        if not isinstance(sid, str) or not sid.isprintable():
            self._findings.add(place, f"must be printable text, this is {kind_of(sid)}")
            return None
        if sid in self._sids:
            self._findings.add(place, f"the Sid `{sid}` stands twice, give each statement its own")
        self._sids.add(sid)
        return sid

    def _effect(self, table: Mapping[str, Any], path: Path_) -> Effect | None:
        """`Allow`, `Deny`, and in native documents `RequireApproval`."""
        place = (*path, "Effect")
        if "Effect" not in table:
            self._findings.add(path, "`Effect` is missing, write `Allow` or `Deny`")
            return None
        effect = table["Effect"]
        if self._is_iam and effect == "RequireApproval":
            self._findings.add(
                place,
                "an IAM policy knows `Allow` and `Deny` alone, write the statement in a document "
                "with `version = 1`",
            )
            return None
        choices = EFFECTS[:2] if self._is_iam else EFFECTS
        return cast("Effect | None", self._findings.choice(effect, place, choices))

    def _approval(
        self, table: Mapping[str, Any], path: Path_, effect: Effect | None
    ) -> ApprovalTerms | None:
        """The `Approval` table: of `RequireApproval`, where it may be left out, alone."""
        place = (*path, "Approval")
        if effect == "RequireApproval":
            from dynaguard.policy.approval_section import check_approval  # few statements do

            return check_approval(self._findings, table.get("Approval", {}), place, self._groups)
        if "Approval" in table and effect is not None:
            message = (
                f"is for Effect `RequireApproval`, this is `{effect}`; change it or remove this"
            )
            self._findings.add(place, message)
        return None

    def _one_of(
        self, table: Mapping[str, Any], path: Path_, name: str
    ) -> tuple[tuple[str, ...], bool]:
        """The values of `Action` or `NotAction` (`Resource` ...), and whether it is the latter."""
        negated = f"Not{name}"
        if name in table and negated in table:
            self._findings.add(path, f"has both `{name}` and `{negated}`, keep one of them")
        if name not in table and negated not in table:
            self._findings.add(path, f"`{name}` is missing (or `{negated}`)")
            return (), False
        chosen = name if name in table else negated
        return self._findings.texts(table[chosen], (*path, chosen)), chosen == negated

    def _placed(
        self, table: Mapping[str, Any], path: Path_, name: str
    ) -> Iterator[tuple[Path_, str]]:
        """Each text of a value with its path."""
        value = table.get(name)
        if isinstance(value, list):
            yield from (
                ((*path, name, at), text)
                for at, text in enumerate(value)
                if isinstance(text, str) and text
            )
        elif isinstance(value, str) and value:
            yield (*path, name), value

    def _check_action(self, action: str, path: Path_) -> None:
        """`service:Name` with wildcards in the name, or `*`."""
        if not _ACTION.match(action):
            self._findings.add(
                path, f"`{action}` is no action, write `service:Name` such as `dynamodb:GetItem`"
            )

    def _principals(
        self, table: Mapping[str, Any], path: Path_
    ) -> tuple[tuple[PrincipalPattern, ...] | None, bool]:
        """`Principal` or `NotPrincipal`, and whether it is the latter."""
        if "Principal" in table and "NotPrincipal" in table:
            self._findings.add(path, "has both `Principal` and `NotPrincipal`, keep one of them")
        for name in ("Principal", "NotPrincipal"):
            if name in table:
                place = (*path, name)
                found = check_principals(self._findings, table[name], place, self._groups)
                return found, name == "NotPrincipal"
        return None, False

    def _conditions(self, value: Any, path: Path_) -> Iterator[Condition]:
        """Each key under each operator."""
        for operator, keys in self._findings.table(value, path).items():
            place = (*path, operator)
            base, qualifier, if_exists = _split_operator(operator)
            if base not in OPERATORS:
                message = f"unknown operator `{operator}`{hint(base, OPERATORS)}"
                self._findings.add(place, message)
                continue
            if base == "Null" and (qualifier or if_exists):
                self._findings.add(place, "`Null` takes neither a set qualifier nor `IfExists`")
                continue
            for key, values in self._findings.table(keys, place).items():
                yield from self._condition(
                    Condition(
                        base,
                        key,
                        (),
                        cast(Any, qualifier),
                        if_exists,
                    ),
                    values,
                    (*place, key),
                )

    def _condition(self, condition: Condition, values: Any, path: Path_) -> Iterator[Condition]:
        """One key: its name, whether its operator fits, its values."""
        self._check_key(condition, path)
        texts = self._condition_values(values, path)
        parse, wanted = _literal_parser(condition.operator)
        for text in texts:
            if parse is not None and "${" not in text and parse(text) is None:
                self._findings.add(
                    path, f"`{text}` is no value of `{condition.operator}`, write {wanted}"
                )
        yield Condition(
            condition.operator, condition.key, texts, condition.qualifier, condition.if_exists
        )

    def _check_key(self, condition: Condition, path: Path_) -> None:
        """A condition key's form, and whether it may hold several values."""
        key = condition.key
        if not _KEY.match(key):
            self._findings.add(path, f"`{key}` is no condition key, write `prefix:name`")
            return
        prefix, _, name = key.partition(":")
        if prefix.lower() == "dynaguard" and name.lower() not in map(str.lower, OWN_KEYS):
            self._findings.add(path, f"unknown condition key `{key}`{hint(name, OWN_KEYS)}")
        is_set = condition.qualifier is not None or condition.operator == "Null"
        # IAM takes a plain operator here, and so does an IAM policy that is used as it is: it
        # matches one value, and several values fail closed.
        if key.lower() in MULTIVALUED_KEYS and not is_set and not self._is_iam:
            self._findings.add(
                path,
                f"`{key}` can hold several values, write `ForAllValues:{condition.operator}` or "
                f"`ForAnyValue:{condition.operator}`",
            )

    def _condition_values(self, values: Any, path: Path_) -> tuple[str, ...]:
        """The values as text."""
        entries = values if isinstance(values, list) else [values]
        if not entries:
            self._findings.add(path, "is an empty list, write at least one value")
        texts = []
        for entry in entries:
            text = condition_text(entry)
            if text is None:
                kind = kind_of(entry)
                self._findings.add(path, f"must be text, number or boolean, this is {kind}")
            else:
                texts.append(text)
        return tuple(texts)


def condition_text(value: Any) -> str | None:
    """A condition's value as text: booleans in lower case, numbers as decimals."""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int):
        return str(value)
    if isinstance(value, float):
        return repr(value)
    return value if isinstance(value, str) else None


def _split_operator(operator: str) -> tuple[str, str | None, bool]:
    """Base, set qualifier and whether `IfExists` stands at the end."""
    qualifier, colon, rest = operator.partition(":")
    has_qualifier = bool(colon) and qualifier in ("ForAllValues", "ForAnyValue")
    base = rest if has_qualifier else operator
    if_exists = base.endswith("IfExists")
    base = base.removesuffix("IfExists")
    return base, qualifier if has_qualifier else None, if_exists


def _literal_parser(operator: str) -> tuple[Any, str]:
    """What reads the values of an operator, and what it wants; nothing for texts and ARNs."""
    for prefix, entry in _LITERALS.items():
        if operator.startswith(prefix):
            return entry
    return None, ""
