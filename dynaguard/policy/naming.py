"""Checks who a statement names (ARN patterns, accounts, groups) and what (resource ARNs).

Source: IAM User Guide, IAM JSON policy elements: Principal, Resource.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Final

from dynaguard.policy.collecting import Findings, hint
from dynaguard.policy.members import SSO, SSO_FACTS, is_claim, read_claim
from dynaguard.policy.model import PrincipalPattern

if TYPE_CHECKING:
    from dynaguard.policy.lines import Path_

_SERVICE: Final = re.compile(r"[a-z0-9-]+$")
_PARTITION: Final = re.compile(r"(?:aws(?:-[a-z]+)*|\*)$")
_ACCOUNT: Final = re.compile(r"(?:[0-9]{12}|[0-9*?]*[*?][0-9*?]*|)$")
_DIGITS: Final = re.compile(r"[0-9]{12}$")
_PARTS: Final = 6


def check_resource(findings: Findings, resource: str, path: Path_) -> None:
    """`*`, or an ARN of six parts."""
    if resource == "*":
        return
    parts = resource.split(":", _PARTS - 1)
    if len(parts) != _PARTS or parts[0] != "arn":
        findings.add(
            path,
            f"`{resource}` is no ARN, write `*` or six parts such as "
            "`arn:aws:dynamodb:*:*:table/orders`",
        )
        return
    fault = _arn_fault(parts)
    if fault:
        findings.add(path, f"`{resource}`: {fault}")


def check_principals(
    findings: Findings, value: Any, path: Path_, groups: tuple[str, ...]
) -> tuple[PrincipalPattern, ...]:
    """`"*"`, ARN patterns, `{ Group = ... }`, `{ AWS = ... }` as patterns."""
    if isinstance(value, Mapping):
        findings.check_keys(value, path, ("Group", "AWS"))
        if not value:
            findings.add(path, "is empty, write `Group` or `AWS`")
        found = []
        if "Group" in value:
            for name in findings.texts(value["Group"], (*path, "Group")):
                # `acting_as()` brings groups that no document lists, so only a near miss of a
                # listed one is a fault.
                if name not in groups and hint(name, groups):
                    place = (*path, "Group")
                    findings.add(place, f"unknown group `{name}`{hint(name, groups)}")
                found.append(PrincipalPattern("group", name))
        if "AWS" in value:
            place = (*path, "AWS")
            found += [
                _arn_principal(findings, text, place)
                for text in findings.texts(value["AWS"], place)
            ]
        return tuple(found)
    return tuple(_arn_principal(findings, text, path) for text in findings.texts(value, path))


def check_member(findings: Findings, text: str, path: Path_) -> None:
    """A member of a group: an ARN pattern, or a claim such as `oidc:sub=repo:acme/*`."""
    if not is_claim(text):
        check_arn_pattern(findings, text, path)
    elif read_claim(text) is None:
        name = text.partition("=")[0]
        if name.startswith(SSO) and name not in SSO_FACTS:
            listed = ", ".join(f"`{fact}`" for fact in SSO_FACTS)
            findings.add(path, f"`{name}` is none of {listed}{hint(name, SSO_FACTS)}")
        else:
            findings.add(
                path,
                f"`{text}` has no claim or no value, write for example "
                "`oidc:repository=acme/orders`",
            )


def check_arn_pattern(findings: Findings, text: str, path: Path_) -> None:
    """An ARN pattern of an identity: `*`, or six parts."""
    parts = text.split(":", _PARTS - 1)
    if text != "*" and (len(parts) != _PARTS or parts[0] != "arn" or not _ACCOUNT.match(parts[4])):
        findings.add(
            path,
            f"`{text}` is no ARN pattern, write for example `arn:aws:iam::*:role/etl-*`",
        )


def _arn_principal(findings: Findings, text: str, path: Path_) -> PrincipalPattern:
    """One identity: an account id, or an ARN pattern."""
    if _DIGITS.match(text):
        return PrincipalPattern("account", text)
    check_arn_pattern(findings, text, path)
    return PrincipalPattern("arn", text)


def _arn_fault(parts: list[str]) -> str | None:
    """What is wrong with the parts of a resource ARN, or None."""
    _, partition, service, _, account, resource = parts
    if not _PARTITION.match(partition):
        return f"`{partition}` is no partition, write `aws`"
    if not _SERVICE.match(service):
        return "the service must be written out, without wildcards"
    if "${" not in account and not _ACCOUNT.match(account):
        return f"`{account}` is no account, write twelve digits or `*`"
    kind = resource.partition("/")[0]
    if not resource:
        return "the resource is missing"
    if service == "dynamodb" and resource != "*" and ("*" in kind or "?" in kind):
        return "the kind of resource must be written out, such as `table/`"
    return None
