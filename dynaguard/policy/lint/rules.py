"""The table of lint rules. The reference page and the SARIF output are made from it.

Codes never change their meaning. DG1xx: without effect; DG2xx: holes; DG3xx: names; DG4xx: wide
grants; DG5xx: time; DG6xx: approvals.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from dynaguard.call import StatementRef
from dynaguard.policy.lint.findings import Finding, Severity


@dataclass(frozen=True, slots=True)
class Rule:
    """One rule.

    Attributes:
        code: `DG101`.
        name: `unreachable-allow`, as in SARIF.
        severity: Of all its findings.
        title: What it finds, a short clause.
        reason: Why that matters; one or two sentences.
        example: A document in TOML that has it; `version` (and `default = "deny"`) left out.
        fix: What to do about it.
    """

    code: str
    name: str
    severity: Severity
    title: str
    reason: str
    example: str
    fix: str

    def finding(self, ref: StatementRef, message: str, fix: str, path: str = "") -> Finding:
        """A finding of the rule."""
        return Finding(self.code, self.severity, message, fix, ref, path)


def _statement(*lines: str, effect: str = "Allow") -> str:
    """A statement of an example."""
    return "\n".join(("[[statement]]", f'Effect = "{effect}"', *lines))


def _access(actions: str, resource: str = "arn:aws:dynamodb:*:*:table/orders") -> tuple[str, str]:
    """The `Action` and `Resource` lines of an example."""
    return f"Action = {actions}", f'Resource = "{resource}"'


_GET: Final = _access('"dynamodb:GetItem"')
_DELETE: Final = _access('"dynamodb:DeleteItem"')
_ASKS: Final = ("Approval = { quorum = 2 }",)

_ALL_RULES: Final = (
    Rule(
        "DG101",
        "unreachable-allow",
        "warning",
        "an Allow that a Deny takes back whole",
        "An explicit Deny beats every Allow. Where the Deny matches each call that the Allow "
        "matches, the Allow never lets anything through.",
        _statement(*_GET) + "\n\n" + _statement(*_access('"dynamodb:*"', "*"), effect="Deny"),
        "Remove the Allow, or narrow the Deny by a condition, a principal or its resources.",
    ),
    Rule(
        "DG102",
        "unreachable-action",
        "warning",
        "an action of an Allow that a Deny takes back whole",
        "As DG101, for one action of the statement: it stands there and is never allowed.",
        _statement(*_access('["dynamodb:Query", "dynamodb:Scan"]'))
        + "\n\n"
        + _statement(*_access('"dynamodb:Scan"', "*"), effect="Deny"),
        "Remove the action from the Allow, or narrow the Deny.",
    ),
    Rule(
        "DG103",
        "shadowed-statement",
        "warning",
        "a statement that another one of the same effect covers",
        "The other statement matches wherever this one does, so this one decides nothing. Who "
        "edits it later will believe that it does.",
        _statement(*_access('"dynamodb:*"')) + "\n\n" + _statement(*_GET),
        "Remove the statement, or narrow the other one if that is too wide.",
    ),
    Rule(
        "DG104",
        "ungoverned-service",
        "warning",
        "a statement about a service that the document does not govern",
        "`govern` lists the services under the policy; calls to all others pass. A statement "
        "about another service decides nothing, a Deny least of all.",
        'govern = ["dynamodb"]\n\n'
        + _statement(*_access('"sqs:DeleteQueue"', "*"), effect="Deny"),
        "Add the service to `govern`, or remove the statement (or the action).",
    ),
    Rule(
        "DG105",
        "allow-under-default-allow",
        "warning",
        'an Allow in a document with `default = "allow"`',
        "What no statement denies passes anyway. The Allow restricts nothing, and its conditions "
        "protect nothing.",
        'default = "allow"\n\n' + _statement(*_GET),
        'Write `default = "deny"`, or remove the Allow.',
    ),
    Rule(
        "DG106",
        "unreached-budget",
        "warning",
        "a budget behind a wider one",
        "The first `[[budget]]` whose patterns match a call is its budget; a later one that "
        "matches only a part of that is never used.",
        '[[budget]]\ntables = ["*"]\n\n[[budget]]\njob = "nightly-*"\nretry_ratio = 0.5',
        "Move the narrower budget before the wider one.",
    ),
    Rule(
        "DG107",
        "unlisted-group",
        "note",
        "a group that `[groups]` does not list",
        "Only `acting_as(..., groups=[...])` in the program can bring such a group, and that only "
        "narrows: an Allow for it, or a mask's `unless`, is dead. Where no program brings it, a "
        "Deny for it stops nobody.",
        _statement('Principal = { Group = "batch-jobs" }', *_GET),
        "List the group under `[groups]`, unless the program brings it.",
    ),
    Rule(
        "DG108",
        "unreachable-approval",
        "warning",
        "a statement that requires an approval of what a Deny takes back whole",
        "An explicit Deny comes before every approval: nobody is ever asked.",
        _statement(*_DELETE, *_ASKS, effect="RequireApproval")
        + "\n\n"
        + _statement(*_access('"dynamodb:Delete*"', "*"), effect="Deny"),
        "Remove the statement, or narrow the Deny.",
    ),
    Rule(
        "DG109",
        "allow-behind-approval",
        "warning",
        "an Allow of which all requires an approval",
        "`RequireApproval` comes before Allow, and allows by itself once approved. The Allow "
        "exempts nobody and decides nothing.",
        _statement(*_DELETE) + "\n\n" + _statement(*_DELETE, *_ASKS, effect="RequireApproval"),
        "Remove the Allow; to exempt somebody, narrow the other statement by `NotPrincipal`.",
    ),
    Rule(
        "DG201",
        "vacuous-for-all-values",
        "warning",
        "ForAllValues on partition keys, granted with actions that name none",
        "`ForAllValues` is true where the key is absent. A Scan names no partition key, nor need "
        "a PartiQL select: they pass such a condition and read every partition.",
        _statement(
            *_access('["dynamodb:Query", "dynamodb:Scan"]'),
            '[statement.Condition."ForAllValues:StringEquals"]',
            '"dynamodb:LeadingKeys" = ["customer-1"]',
        ),
        'Grant those actions elsewhere or not at all, or add `Null = { "dynamodb:LeadingKeys" = '
        "false }`.",
    ),
    Rule(
        "DG202",
        "attributes-without-select",
        "warning",
        "an attribute list without a condition on `dynamodb:Select`",
        "`dynamodb:Attributes` holds the attributes that a request names. A read without a "
        "projection names hardly any, passes, and gives every attribute back.",
        _statement(
            *_GET,
            '[statement.Condition."ForAllValues:StringEquals"]',
            '"dynamodb:Attributes" = ["order_id", "total"]',
        ),
        'Add `StringEqualsIfExists = { "dynamodb:Select" = "SPECIFIC_ATTRIBUTES" }`.',
    ),
    Rule(
        "DG203",
        "attributes-without-return-values",
        "warning",
        "an attribute list without a condition on `dynamodb:ReturnValues`",
        "A write with `ReturnValues` of `ALL_OLD` or `ALL_NEW` gives the whole item back, "
        "whatever attributes the request names.",
        _statement(
            *_access('"dynamodb:UpdateItem"'),
            '[statement.Condition."ForAllValues:StringEquals"]',
            '"dynamodb:Attributes" = ["order_id", "total"]',
        ),
        'Add `StringEqualsIfExists = { "dynamodb:ReturnValues" = ["NONE", "UPDATED_OLD", '
        '"UPDATED_NEW"] }`.',
    ),
    Rule(
        "DG204",
        "denied-action-has-another-way",
        "warning",
        "a Deny of an action, while another action that does the same is allowed",
        "Each item of a batch is written under `BatchWriteItem`, not under `PutItem` or "
        "`DeleteItem`; PartiQL statements have actions of their own. Denying one way leaves the "
        "others open.",
        _statement(*_access('"dynamodb:*Item"'))
        + "\n\n"
        + _statement(*_access('"dynamodb:DeleteItem"'), effect="Deny"),
        "Deny the other actions too, or do not allow them: an allow-list has no such holes.",
    ),
    Rule(
        "DG205",
        "full-table-scan-key-on-scan",
        "warning",
        "a Deny of Scan that asks for `dynamodb:FullTableScan`",
        "Only PartiQL selects carry `dynamodb:FullTableScan`; a Scan never does, so a condition "
        "that the key is true does not stop one.",
        _statement(*_access('["dynamodb:Scan", "dynamodb:PartiQLSelect"]'))
        + "\n\n"
        + _statement(
            *_access('["dynamodb:Scan", "dynamodb:PartiQLSelect"]', "*"),
            'Condition = { Bool = { "dynamodb:FullTableScan" = true } }',
            effect="Deny",
        ),
        "Deny `dynamodb:Scan` in a statement without that condition.",
    ),
    Rule(
        "DG206",
        "deny-forgets-indexes",
        "warning",
        "a Deny of reads on a table that leaves its indexes open",
        "The resource of a Query, Scan or PartiQL select of an index is the index: "
        "`table/orders` does not match `table/orders/index/by_day`.",
        _statement('Action = "dynamodb:Scan"', 'Resource = "arn:aws:dynamodb:*:*:table/orders*"')
        + "\n\n"
        + _statement(*_access('"dynamodb:Scan"'), effect="Deny"),
        "Add the resource `<table>/index/*` to the Deny.",
    ),
    Rule(
        "DG207",
        "allow-forgets-indexes",
        "warning",
        "an Allow of queries on a table whose indexes the document knows but never allows",
        "The resource of a Query, Scan or PartiQL select of an index is the index. `[tables]` "
        "lists indexes of this table, and no statement allows to read one.",
        '[tables.orders]\nkey = ["customer_id", "order_id"]\nindexes.by_day = ["day"]\n\n'
        + _statement(*_access('"dynamodb:Query"')),
        "Add the resource `<table>/index/*` (or the one index that is needed).",
    ),
    Rule(
        "DG301",
        "operation-is-no-action",
        "error",
        "an API operation that is no IAM action",
        "Transactions and PartiQL calls are authorised by the actions of their members. A "
        "statement that names the operation allows nothing and denies nothing.",
        _statement(*_access('"dynamodb:TransactWriteItems"')),
        "Name the actions of the members.",
    ),
    Rule(
        "DG302",
        "unknown-action",
        "error",
        "an action that DynamoDB does not have",
        "It matches no call: an Allow of it allows nothing, a Deny of it denies nothing.",
        _statement(*_access('"dynamodb:GetItems"')),
        "Write the action's name as in the Service Authorization Reference.",
    ),
    Rule(
        "DG401",
        "wildcard-resource",
        "warning",
        "an Allow on `*` of actions that take an ARN",
        "It takes in every table of every account and region that the identity can reach, those "
        "to come included.",
        _statement(*_access('"dynamodb:GetItem"', "*")),
        "Name the tables, such as `arn:aws:dynamodb:*:*:table/orders`.",
    ),
    Rule(
        "DG402",
        "wildcard-action",
        "note",
        "an Allow of all actions",
        "It grants to read, write, export and delete tables, and every action that AWS adds.",
        _statement(*_access('"dynamodb:*"')),
        "List the actions that are needed; `dynaguard init --from-audit` finds them.",
    ),
    Rule(
        "DG403",
        "allow-of-all-others",
        "warning",
        "an Allow with NotAction, NotResource or NotPrincipal",
        "It grants everything that it does not name, what does not exist yet included.",
        _statement('NotAction = "dynamodb:DeleteTable"', _GET[1]),
        "Allow what is needed by name; deny by name what must not be.",
    ),
    Rule(
        "DG501",
        "date-past",
        "warning",
        "a statement whose time is over",
        "Its condition on the current time can never hold again. A Deny protects no longer; an "
        "Allow is dead text.",
        _statement(
            *_GET,
            'Condition = { DateLessThan = { "aws:CurrentTime" = "2020-01-01T00:00:00Z" } }',
        ),
        "Remove the statement, or set a new date.",
    ),
    Rule(
        "DG502",
        "exception-without-expiry",
        "warning",
        "a statement that is called temporary and has no end",
        "Its Sid says that it is to pass (`temporary`, `exception`, `hotfix`, `emergency`, "
        "`workaround`, `interim`, `breakglass`), and no condition ends it: exceptions that nobody "
        "ends stay.",
        _statement('Sid = "TemporaryAccess"', *_GET),
        'Add `DateLessThan = { "aws:CurrentTime" = "<end>" }`, or rename what is to stay.',
    ),
    Rule(
        "DG601",
        "approvers-too-few",
        "error",
        "more approvers needed than there can be",
        "Nobody approves for themselves. Where the groups name single people, and fewer of them "
        "can approve than the quorum (or an `all_of` group) needs, no approval is ever given.",
        '[groups]\nmanagers = ["arn:aws:iam::111122223333:user/ann"]\n\n'
        + _statement(
            *_DELETE,
            'Approval = { quorum = 2, any_of = ["managers"] }',
            effect="RequireApproval",
        ),
        "Add people to the groups, or lower the quorum.",
    ),
    Rule(
        "DG602",
        "approval-by-anybody",
        "note",
        "an approval for which no group is named",
        "Whoever can write to the access store may approve, but who asked. That keeps slips away, "
        "and tells nobody who is responsible.",
        _statement(*_DELETE, *_ASKS, effect="RequireApproval"),
        "Name the approvers under `[groups]` and in `any_of` or `all_of`.",
    ),
    Rule(
        "DG603",
        "approval-has-another-way",
        "warning",
        "an approval of an action, while another way to do the same needs none",
        "As DG204 and DG206: a batch write and PartiQL have actions of their own, so that the "
        "approval of `DeleteItem` alone is asked of nobody who deletes by `BatchWriteItem`. An "
        "index is a resource of its own.",
        _statement(*_access('"dynamodb:*Item"'))
        + "\n\n"
        + _statement(*_DELETE, 'Approval = { any_of = ["managers"] }', effect="RequireApproval")
        + '\n\n[groups]\nmanagers = ["arn:aws:iam::*:role/manager"]',
        "Let the statement name the other actions and indexes too, or do not allow them.",
    ),
)

RULES: Final[Mapping[str, Rule]] = {rule.code: rule for rule in _ALL_RULES}
"""The rules by code, in the order of their codes."""


def rules_markdown() -> str:
    """The rules of the reference page: a table, then one section each."""
    rows = [
        f"| [{rule.code}](#{rule.code.lower()}-{rule.name}) | {rule.severity} | {rule.title} |"
        for rule in _ALL_RULES
    ]
    sections = [
        f"### {rule.code} {rule.name}\n\n*{rule.severity}*: {rule.title}. {rule.reason}\n\n"
        f"```toml\n{rule.example}\n```\n\n{rule.fix}"
        for rule in _ALL_RULES
    ]
    head = "| code | level | finds |\n|---|---|---|"
    return "\n\n".join(["\n".join([head, *rows]), *sections])
