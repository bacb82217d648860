"""Which parameters of an operation hold a role that the service gets: `iam:PassRole`."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any, Final

_MAX_DEPTH: Final = 6
_READING: Final = re.compile(
    r"(BatchGet|Check|Delete|Describe|Disassociate|Get|Head|List|Remove|Search|Simulate|Validate)"
)
# An instance profile stands for a role that the call does not name.
_PROFILES: Final = ("iaminstanceprofile", "iaminstanceprofilearn", "iaminstanceprofilename")
_NO_ROLES: Final = frozenset({"iam", "sts", "sso", "organizations", "access-analyzer"})
# `Role` is the name of many things; only what its description calls an IAM role is meant.
_IS_IAM_ROLE: Final = re.compile(r"(?i)\b(iam|service|execution)\b[^.]*\brole\b|role[^.]*\bARN\b")


def role_parameters(
    prefix: str, operation: Any, action: Mapping[str, Any] | None
) -> tuple[str, ...]:
    """The names of the parameters, at any depth, that hold roles.

    Args:
        prefix: IAM's prefix of the service.
        operation: botocore's operation model.
        action: The action in the data set, which may list `iam:PassRole` as a dependent.
    """
    if (prefix, operation.name) == ("iam", "AddRoleToInstanceProfile"):
        return ("RoleName",)
    if prefix in _NO_ROLES or _READING.match(operation.name) or operation.input_shape is None:
        return ()
    is_passing = action is not None and "iam:PassRole" in _dependents(action)
    found = {
        name
        for name, shape in _members(operation.input_shape, frozenset(), _MAX_DEPTH)
        if _is_role(name, shape, is_passing=is_passing)
    }
    return tuple(sorted(found))


def _is_role(name: str, shape: Any, *, is_passing: bool) -> bool:
    """Whether a parameter holds a role: by its name, and where that says little by its text."""
    plain = name.lower()
    if plain.endswith(_PROFILES):
        return True
    if shape.type_name != "string" or shape.enum:
        return False
    if plain.endswith(("rolearn", "role_arn")):
        return True
    text = shape.documentation or ""
    return plain.endswith("role") and (is_passing or bool(_IS_IAM_ROLE.search(text)))


def _members(shape: Any, above: frozenset[str], depth: int) -> Iterator[tuple[str, Any]]:
    """Every named member of a shape, and of those within it."""
    if depth == 0 or shape.name in above:
        return
    above |= {shape.name}
    if shape.type_name == "structure":
        for name, member in shape.members.items():
            yield name, member
            yield from _members(member, above, depth - 1)
    elif shape.type_name == "list":
        yield from _members(shape.member, above, depth - 1)
    elif shape.type_name == "map":
        yield from _members(shape.value, above, depth - 1)


def _dependents(action: Mapping[str, Any]) -> set[str]:
    """Actions that the data set says to be needed too."""
    found = set(action["dependentActions"])
    for entry in action["resourceTypes"]:
        found.update(entry["dependentActions"])
    return found
