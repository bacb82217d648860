"""Services without a module of their own: what their calls need, from generated tables.

One JSON file per service is read at the first call of that service. It holds only what differs
from the default, the action of the operation's own name on a resource that is not known:

- `actions`: IAM action -> operations, where the names differ;
- `resources`: ARNs with `{Parameter}` for the text of a parameter, `{Parameter[]}` for each text
  of a list, `{}` for what nothing tells. Without `arn:` they stand for a resource of the service
  in the region and account of the call; `arn:service:R:A:...` says which of both the ARN has, and
  `?` that it is not known; `?...` is both not known. `ThingArn=...` names parameters that hold the
  whole ARN, and `ThingArn=?*` takes one of any type of the service;
- `operations`: what IAM asks for -> operations. `*` is no resource, `0` the first of `resources`,
  `0?` that one if the parameters tell it, `0|1` the one of them that the parameters tell, `!`
  something that is not known; several are asked for together where a space stands between;
- `roles`: parameters at any depth that hold a role which the service gets -> operations;
- `defaults`: parameters whose value of that text is as good as none;
- `folded`: whether the service turns names into lower case.

Operations stand as words: `RunTask`, or `CD:Cluster,Service` for all of those verbs of `VERBS`
with all of those nouns.

Source: `tools/generate_service_table.py`; NOTICE.md beside this module names the data set.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache
from importlib.resources import files
from typing import Any, Final

from dynaguard.aws.arns import Place, is_arn, values_named
from dynaguard.aws.table.templates import Template, read_template
from dynaguard.call import UNKNOWN_RUN, Authorization, Call

VERBS: Final[Mapping[str, str]] = {
    "A": "Associate",
    "B": "BatchGet",
    "C": "Create",
    "D": "Delete",
    "E": "Describe",
    "G": "Get",
    "I": "Disassociate",
    "L": "List",
    "M": "Modify",
    "P": "Put",
    "R": "Register",
    "S": "Start",
    "T": "Stop",
    "U": "Update",
    "a": "Add",
    "b": "Batch",
    "c": "Cancel",
    "d": "Disable",
    "e": "Enable",
    "g": "Deregister",
    "i": "Import",
    "j": "Reject",
    "k": "Revoke",
    "m": "Remove",
    "n": "Send",
    "o": "Restore",
    "p": "Accept",
    "r": "Reset",
    "s": "Search",
    "t": "Tag",
    "u": "Untag",
    "v": "Invoke",
    "x": "Set",
    "z": "Admin",
}
"""The verbs that are written as one letter."""

# A call on behalf of another account names it; the resource's account is not the caller's then.
_ACCOUNTS: Final = (
    "accountid",
    "catalogid",
    "domainowner",
    "jobowner",
    "meshowner",
    "owneraccount",
    "profileowner",
    "registryid",
    "resourceowner",
)
_PASS_ROLE: Final = "iam:PassRole"


@dataclass(frozen=True, slots=True)
class ServiceTable:
    """What differs from the default in one service; the empty table differs in nothing.

    Attributes:
        actions: Operation -> IAM actions.
        asked: Operation -> what IAM asks for, each part a tuple of alternatives.
        roles: Operation -> names of the parameters that hold roles.
        resources: The templates that `asked` counts.
        defaults: Parameter -> the text that is as good as none.
        is_folded: Whether names are turned into lower case by the service.
    """

    actions: Mapping[str, Sequence[str]] = field(default_factory=dict)
    asked: Mapping[str, str] = field(default_factory=dict)
    roles: Mapping[str, Sequence[str]] = field(default_factory=dict)
    resources: Sequence[Template] = ()
    defaults: Mapping[str, str] = field(default_factory=dict)
    is_folded: bool = False


def authorizations(call: Call, place: Place) -> Iterator[Authorization]:
    """What a call of any service needs, by its table.

    Args:
        call: The call; parameters of any shape.
        place: Where its resources live.

    Yields:
        One authorisation per action and resource, then `iam:PassRole` per role that is handed on.
    """
    table = table_of(call.service)
    actions = table.actions.get(call.operation) or (f"{call.service_prefix}:{call.operation}",)
    params = _told(call.params, table.defaults)
    resources = _resources(table, call, params, _place_named(place, params))
    for resource in dict.fromkeys(resources):
        for action in actions:
            yield Authorization(action, resource, call.params)
    for name in table.roles.get(call.operation, ()):
        yield from pass_role(call, name)


def pass_role(call: Call, name: str) -> Iterator[Authorization]:
    """`iam:PassRole` for every role under that name; a role without its path is not known."""
    roles = (role for role in values_named(call.params, name) if role is not None and role != "")
    for role in dict.fromkeys(role if is_arn(role, "iam") else UNKNOWN_RUN for role in roles):
        yield Authorization(_PASS_ROLE, role, call.params)


@cache
def table_of(service: str) -> ServiceTable:
    """The table of a botocore service, read at its first call; the empty one if it has none."""
    source = files(__name__).joinpath(f"{service}.json")
    if not service.replace("-", "").isalnum() or not source.is_file():
        return ServiceTable()
    data = json.loads(source.read_text(encoding="utf-8"))
    prefix = data["prefix"]
    return ServiceTable(
        actions=_by_operation(data.get("actions", {})),
        asked={name: asked[0] for name, asked in _by_operation(data["operations"]).items()},
        roles=_by_operation(data.get("roles", {})),
        resources=tuple(read_template(text, call_prefix=prefix) for text in data["resources"]),
        defaults=data.get("defaults", {}),
        is_folded=data.get("folded", False),
    )


def operations_of(words: str) -> Iterator[str]:
    """The operations that a text of words stands for: `CD:Cluster` is two of them."""
    for word in words.split():
        verbs, colon, nouns = word.partition(":")
        if not colon:
            yield word
        for noun in nouns.split(","):
            for verb in verbs if colon else "":
                yield f"{VERBS[verb]}{noun}"


def _by_operation(words_by_value: Mapping[str, str]) -> dict[str, list[str]]:
    """Operation -> the values whose words name it, in the order of the file."""
    values: dict[str, list[str]] = {}
    for value, words in words_by_value.items():
        for operation in operations_of(words):
            values.setdefault(operation, []).append(value)
    return values


def _told(params: Mapping[str, Any], defaults: Mapping[str, str]) -> Mapping[str, Any]:
    """The parameters that tell something."""
    if not defaults and None not in params.values():
        return params
    return {
        name: value
        for name, value in params.items()
        if value is not None and (name not in defaults or value != defaults[name])
    }


def _place_named(place: Place, params: Mapping[str, Any]) -> Place:
    """The place, with an unknown account where the parameters name another one."""
    for name, value in params.items():
        if str(name).lower().endswith(_ACCOUNTS) and value != place.account:
            return Place(place.partition, place.region, UNKNOWN_RUN)
    return place


def _resources(
    table: ServiceTable, call: Call, params: Mapping[str, Any], place: Place
) -> Iterator[str]:
    """The resources that IAM asks for, in the order of the table."""
    for part in table.asked.get(call.operation, "!").split():
        if part == "*":
            yield "*"
        elif part == "!":
            yield UNKNOWN_RUN
        elif part.endswith("?"):
            template = table.resources[int(part[:-1])]
            if template.is_told_by(params):
                yield from template.fill(params, place, is_folded=table.is_folded)
        elif "|" in part:
            yield from _alternative(table, part, params, place)
        else:
            template = table.resources[int(part)]
            yield from template.fill(params, place, is_folded=table.is_folded)


def _alternative(
    table: ServiceTable, part: str, params: Mapping[str, Any], place: Place
) -> Sequence[str]:
    """The one alternative that the parameters tell most of; nothing known where two do."""
    templates = [table.resources[int(number)] for number in part.split("|") if number]
    told = [template for template in templates if template.is_told_by(params)]
    named = frozenset[str]().union(*(template.named for template in told))
    chosen = [template for template in told if template.named == named]
    if len(chosen) != 1:
        return (UNKNOWN_RUN,)
    return chosen[0].fill(params, place, is_folded=table.is_folded)
