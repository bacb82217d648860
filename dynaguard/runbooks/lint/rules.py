"""The table of lint rules of runbooks. Codes never change their meaning.

DGR1xx: inefficient access; DGR2xx: risky steps; DGR3xx: what a reader or approver would miss.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from dynaguard.policy.lint import Rule

_ALL: Final = (
    Rule(
        "DGR101",
        "scan",
        "warning",
        "a Scan",
        "A Scan reads, and pays for, every item of the table; what its filter leaves out too.",
        'call = "dynamodb:Scan"',
        "Query the table or an index by its partition key; else bound pages and read units.",
    ),
    Rule(
        "DGR102",
        "no-limit",
        "note",
        "a Query or Scan without a bound on its items",
        "Each page holds up to 1 MB, however many items that is, at some 128 units a page.",
        'call = "dynamodb:Query"  # neither Limit nor items',
        "Write `Limit` in its parameters, or `items` in the step.",
    ),
    Rule(
        "DGR103",
        "no-projection",
        "warning",
        "a read of whole items",
        "Every attribute comes back, and the permission it needs covers all of them: those that "
        "hold personal data, and those that are added tomorrow.",
        'call = "dynamodb:GetItem"  # no ProjectionExpression',
        "Name the attributes that the task needs in `ProjectionExpression`.",
    ),
    Rule(
        "DGR104",
        "filter-instead-of-key",
        "warning",
        "a filter where a key or an index would do",
        "A filter is applied after reading: what it leaves out is paid for. `[tables]` names a "
        "key, or an index, with that attribute as partition key.",
        'FilterExpression = "country = :c"  # by_country has it as its partition key',
        "Query by that key, with `KeyConditionExpression` (and `IndexName`).",
    ),
    Rule(
        "DGR105",
        "consistent-read-on-index",
        "error",
        "a consistent read of a global secondary index",
        "DynamoDB refuses it: such indexes are eventually consistent.",
        'IndexName = "by_day"\nConsistentRead = true',
        "Remove `ConsistentRead`, or read the table.",
    ),
    Rule(
        "DGR106",
        "get-in-loop",
        "note",
        "a GetItem for each item of a loop",
        "One request for each item, one after the other.",
        'call = "dynamodb:GetItem"  # in a loop',
        "Read up to 100 items at once by `BatchGetItem`.",
    ),
    Rule(
        "DGR107",
        "key-from-item",
        "warning",
        "a partition key that is taken from items although a parameter has it",
        "The step that found the items fixed their partition key to a parameter's value. Taken "
        "from each item it only shows while the run goes on, and the permission cannot name it.",
        'Key = { customer_id = { "$item" = "customer_id" } }',
        "Write the parameter there: the permission then covers that one partition.",
    ),
    Rule(
        "DGR201",
        "additive-write",
        "warning",
        "a write that adds, and may be repeated",
        "After a failure that may have taken effect, the run cannot tell whether to repeat it; "
        "run again as a whole, it adds twice.",
        'UpdateExpression = "ADD points :n"  # no condition, retries = "safe"',
        'Add a `ConditionExpression` that fails the second time, or write `retries = "never"`.',
    ),
    Rule(
        "DGR202",
        "unchecked-write",
        "warning",
        "a write with nothing looked at before it",
        "No check stands before it, and no condition within it: it does what it does in whatever "
        "state things are.",
        'call = "dynamodb:DeleteItem"  # first step, no condition',
        "Let a `check` go before it, or write a `ConditionExpression`.",
    ),
    Rule(
        "DGR203",
        "unapproved-bulk-delete",
        "warning",
        "many items deleted without anybody's approval",
        "What is deleted in a loop or a batch is gone; a second pair of eyes costs a minute.",
        'call = "dynamodb:DeleteItem"  # in a loop',
        "Add an `approval` step behind the one that shows them, or `approval` in `[access]`.",
    ),
    Rule(
        "DGR204",
        "person-first",
        "warning",
        "a person is asked before anything is looked at",
        "A runbook of a service begins with logs, metrics and checks that run by themselves; it "
        "asks a person when those have said what they can.",
        'pause = "look at the dashboard"  # first step',
        "Move the pause behind the calls and checks, or make a metric check of it.",
    ),
    Rule(
        "DGR301",
        "no-limits",
        "warning",
        "a runbook without limits",
        "Nothing bounds what a run may take beside the 15 minutes that every run has.",
        "# no [limits]",
        "Write `[limits]`: `duration_s`, `items`, `pages`, `read_units`, `write_units`.",
    ),
    Rule(
        "DGR302",
        "no-link",
        "note",
        "a runbook without a link",
        "Who runs it at night wants to read why it is there.",
        "# no link",
        'Write `link = "https://..."`.',
    ),
    Rule(
        "DGR303",
        "unknown-keys",
        "note",
        "a table whose keys the runbook does not tell",
        "Without them the permission cannot be narrowed to the partitions that a run is about.",
        "# no [tables.orders]",
        'Write `[tables.NAME]` with `key = ["partition", "sort"]`.',
    ),
    Rule(
        "DGR304",
        "free-text",
        "note",
        "a parameter that takes any text",
        "A pattern tells who runs it what is wanted, and refuses what was pasted by mistake.",
        '[parameters.customer_id]\ntype = "string"',
        "Write a `pattern`, or make it an `enum`.",
    ),
)

RUNBOOK_RULES: Final[Mapping[str, Rule]] = {rule.code: rule for rule in _ALL}
"""The rules by code."""


def runbook_rules_markdown() -> str:
    """The rules of the reference page: a table, then one section each."""
    rows = [f"| {rule.code} {rule.name} | {rule.severity} | {rule.title} |" for rule in _ALL]
    sections = [
        f"## {rule.code} {rule.name}\n\n*{rule.severity}*: {rule.title}. {rule.reason}\n\n"
        f"```text\n{rule.example}\n```\n\n{rule.fix}"
        for rule in _ALL
    ]
    head = "| code | level | finds |\n|---|---|---|"
    return "\n\n".join(["\n".join([head, *rows]), *sections])
