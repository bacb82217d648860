"""Starter policies: an empty one with comments, or the smallest that recorded calls need."""

from __future__ import annotations

import json
import textwrap
import tomllib
from collections.abc import Iterable, Mapping
from typing import Any, Final

from dynaguard.errors import ConfigurationError, nearest
from dynaguard.policy.packs import PACK_PREFIX, pack_names, pack_path, pack_summary

UNKNOWN_MARK: Final = "<unknown>"

_STARTER: Final = """\
# A dynaguard policy. Statements use IAM's grammar: what you know from IAM can be pasted here.
version = 1

# What happens to a call of a governed service that no statement matches: "deny" or "allow".
default = "deny"

# IAM prefixes of the services under this policy. Calls of others pass, traced and audited.
govern = ["dynamodb"]

# Settings may stand here too; each has an environment variable that overrides it.
[settings]
mode = "observe"            # "enforce" once the audit file shows no denial that surprises you
audit = "audit.jsonl"       # one JSON line per call, beside this document

# [variables]
# stage = { env = "STAGE", default = "dev" }      # used as ${stage} in any text

# [groups]
# batch-processors = ["arn:aws:iam::*:role/etl-*"]
# managers = ["arn:aws:iam::*:role/manager"]

# [[statement]]
# Sid = "ReadOrders"
# Effect = "Allow"
# Action = ["dynamodb:GetItem", "dynamodb:Query"]
# Resource = [
#     "arn:aws:dynamodb:*:*:table/${stage}-orders",
#     "arn:aws:dynamodb:*:*:table/${stage}-orders/index/*",
# ]

# [[statement]]
# Sid = "DeletesAreApproved"
# Effect = "RequireApproval"                       # somebody else agrees first
# Action = ["dynamodb:DeleteItem", "dynamodb:BatchWriteItem", "dynamodb:PartiQLDelete"]
# Resource = "arn:aws:dynamodb:*:*:table/prod-*"
# Approval = { any_of = ["managers"], threshold = { window = "1h", items = 100 } }

# [[mask]]
# tables = ["*-customers"]
# attributes = ["email", "cards[*].number"]
# with = "partial"

# [[budget]]
# job = "nightly-*"
# tables = ["*"]
# retry_ratio = 0.1
"""


def starter_document() -> str:
    """An empty policy in TOML, with a comment at each thing that can be filled in."""
    return _STARTER


def pack_document(name: str) -> str:
    """A policy in TOML that includes a starter pack, with the pack's variables to fill in.

    Raises:
        ConfigurationError: There is no such pack.
    """
    if name not in pack_names():
        choices = pack_names()
        guess = nearest(name, choices)
        near = f", did you mean `{guess}`?" if guess else ""
        raise ConfigurationError(f"unknown pack `{name}`{near}; there are {', '.join(choices)}")
    variables = tomllib.loads(pack_path(name).read_text(encoding="utf-8")).get("variables", {})
    lines = [
        *(f"# {line}" for line in textwrap.wrap(pack_summary(name), 96)),
        "version = 1",
        'default = "deny"',
        'govern = ["dynamodb"]',
        f'policies = ["{PACK_PREFIX}{name}"]',
    ]
    if variables:
        lines += ["", "[variables]"]
    for variable, value in variables.items():
        text = value if isinstance(value, str) else value["default"]
        lines.append(f"{variable} = {json.dumps(text)}")
    return "\n".join(lines) + "\n"


def policy_from_records(records: Iterable[Mapping[str, Any]]) -> str:
    """The smallest statements that recorded calls need, as TOML.

    Args:
        records: Audit records, as `read_records` gives them. Calls that were refused are left
            out; recorded with mode `observe`, where nothing is refused, they are all there.

    Returns:
        A document with default `deny` and one statement per resource, its actions sorted; the
        same records give the same text. Unknown parts of ARNs become `*`.
    """
    actions_by_resource: dict[str, set[str]] = {}
    count = 0
    for record in records:
        outcome = record.get("outcome") or {}
        if record.get("phase") == "intent" or outcome.get("status") == "denied":
            continue
        count += 1
        for need in record.get("authorizations") or ():
            resource = _pattern(str(need.get("resource", "*")))
            actions_by_resource.setdefault(resource, set()).add(str(need.get("action")))
    return _document(actions_by_resource, count)


def _document(actions_by_resource: Mapping[str, set[str]], count: int) -> str:
    """The text of the document."""
    services = sorted({a.partition(":")[0] for each in actions_by_resource.values() for a in each})
    lines = [
        f"# The smallest statements that {count} recorded calls need. Review each before use.",
        "version = 1",
        'default = "deny"',
        f"govern = {_listed(services or ['dynamodb'])}",
    ]
    resources_by_actions: dict[tuple[str, ...], list[str]] = {}
    for resource in sorted(actions_by_resource):
        actions = tuple(sorted(actions_by_resource[resource]))
        resources_by_actions.setdefault(actions, []).append(resource)
    for number, (actions, resources) in enumerate(resources_by_actions.items(), 1):
        lines += [
            "",
            "[[statement]]",
            f'Sid = "Recorded{number}"',
            'Effect = "Allow"',
            f"Action = {_listed(actions)}",
            f"Resource = {_listed(resources)}",
        ]
    return "\n".join(lines) + "\n"


def _pattern(resource: str) -> str:
    """A resource as a statement names it: what was not known may be anything."""
    if resource == UNKNOWN_MARK:
        return "*"
    return resource.replace(UNKNOWN_MARK, "*")


def _listed(values: Iterable[str]) -> str:
    """A TOML list of texts; over one line when it is long. JSON's texts are TOML's."""
    texts = [json.dumps(value) for value in values]
    short = f"[{', '.join(texts)}]"
    if len(short) <= 80:
        return short
    return "[\n" + "".join(f"    {text},\n" for text in texts) + "]"
