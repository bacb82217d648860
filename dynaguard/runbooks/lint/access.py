"""Rules about how a runbook reads: what it pays for, and what its permission has to cover."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Final

from dynaguard.aws.dynamodb.expressions import ExpressionError, key_equalities
from dynaguard.call import StatementRef
from dynaguard.policy.lint import Finding
from dynaguard.policy.model import TableSchema
from dynaguard.runbooks.calls import StepCall, calls_of
from dynaguard.runbooks.lint.rules import RUNBOOK_RULES
from dynaguard.runbooks.model import CallTemplate, Origin, Reference, Runbook

_SEARCHES: Final = frozenset({"Query", "Scan"})
_READS: Final = _SEARCHES | {"GetItem"}
_KEYED: Final = frozenset({"GetItem", "PutItem", "UpdateItem", "DeleteItem"})
_COUNTED: Final = frozenset({"COUNT"})


def check_access(runbook: Runbook) -> Iterator[Finding]:
    """The findings about the DynamoDB calls of a runbook."""
    for call in calls_of(runbook):
        if call.template.service == "dynamodb":
            ref = ref_of(call, runbook)
            yield from _of_reads(call, ref, runbook)
            yield from _of_keys(call, ref, runbook)


def ref_of(call: StepCall, runbook: Runbook) -> StatementRef:
    """Where a finding about a call stands."""
    return StatementRef(call.step.name, runbook.source, call.step.line)


def tables_named(template: CallTemplate, runbook: Runbook) -> tuple[str, ...]:
    """Names of the tables that a call may go to: the choices of a parameter are all of them."""
    name = template.params.get("TableName")
    if isinstance(name, Reference) and name.origin is Origin.PARAMETER:
        parameters = {each.name: each for each in runbook.parameters}
        return parameters[name.path[0]].choices
    return (name.rpartition("/")[2],) if isinstance(name, str) else ()


def schemas_of(template: CallTemplate, runbook: Runbook) -> tuple[TableSchema, ...]:
    """The key schemas that are known of its tables."""
    names = tables_named(template, runbook)
    return tuple(runbook.tables[name] for name in names if name in runbook.tables)


def _of_reads(call: StepCall, ref: StatementRef, runbook: Runbook) -> Iterator[Finding]:
    """DGR101 to DGR106."""
    template, rules = call.template, RUNBOOK_RULES
    operation, params = template.operation, template.params
    if operation == "Scan":
        yield rules["DGR101"].finding(
            ref, "reads, and pays for, every item", "query a key or an index"
        )
    if operation in _SEARCHES and "Limit" not in params and template.max_items is None:
        yield rules["DGR102"].finding(
            ref, f"the {operation} takes as many items as fit in a page", "write `Limit`"
        )
    if operation in _READS and not _is_projected(params):
        yield rules["DGR103"].finding(
            ref, f"the {operation} reads whole items", "write `ProjectionExpression`"
        )
    yield from _of_filters(call, ref, runbook)
    yield from _of_consistency(call, ref, runbook)
    if operation == "GetItem" and call.loop is not None:
        yield rules["DGR106"].finding(
            ref, "reads one item for each turn of the loop", "read them by `BatchGetItem`"
        )


def _is_projected(params: Mapping[str, Any]) -> bool:
    """Whether a read names what it wants."""
    names = ("ProjectionExpression", "AttributesToGet")
    return any(name in params for name in names) or params.get("Select") in _COUNTED


def _of_filters(call: StepCall, ref: StatementRef, runbook: Runbook) -> Iterator[Finding]:
    """DGR104: an equality in a filter on what is the partition key of the table or an index."""
    params = call.template.params
    if call.template.operation not in _SEARCHES or "FilterExpression" not in params:
        return
    filtered = _equalities(params, "FilterExpression")
    keyed: dict[str, str] = {}
    for schema in schemas_of(call.template, runbook):
        for index, key in (*schema.indexes.items(), ("", schema.key)):
            keyed[key.attributes[0]] = f"index `{index}`" if index else "the table"
    for attribute in filtered:
        if attribute in keyed:
            yield RUNBOOK_RULES["DGR104"].finding(
                ref,
                f"filters by `{attribute}`, the partition key of {keyed[attribute]}",
                f"query {keyed[attribute]} by it",
            )


def _of_consistency(call: StepCall, ref: StatementRef, runbook: Runbook) -> Iterator[Finding]:
    """DGR105: an index with another partition key than its table is a global one."""
    params = call.template.params
    index = params.get("IndexName")
    if params.get("ConsistentRead") is not True or not isinstance(index, str):
        return
    for schema in schemas_of(call.template, runbook):
        key = schema.indexes.get(index)
        if key is not None and key.attributes[0] != schema.key.attributes[0]:
            yield RUNBOOK_RULES["DGR105"].finding(
                ref, f"index `{index}` is a global one", "remove `ConsistentRead`"
            )
            return


def _of_keys(call: StepCall, ref: StatementRef, runbook: Runbook) -> Iterator[Finding]:
    """DGR107 and DGR303."""
    template = call.template
    if template.operation not in _KEYED | {"Query"}:
        return
    unknown = [name for name in tables_named(template, runbook) if name not in runbook.tables]
    if unknown:
        yield RUNBOOK_RULES["DGR303"].finding(
            ref, f"the keys of `{unknown[0]}` are not told", f"write `[tables.{unknown[0]}]`"
        )
    schemas = schemas_of(template, runbook)
    key = template.params.get("Key")
    if not schemas or not isinstance(key, Mapping):
        return
    partition = schemas[0].key.attributes[0]
    value = key.get(partition)
    if not isinstance(value, Reference) or value.origin is not Origin.ITEM:
        return
    fixing = _fixing_parameter(call, partition, runbook)
    if fixing is not None:
        yield RUNBOOK_RULES["DGR107"].finding(
            ref,
            f"takes `{partition}` from each item, although it is parameter `{fixing}`",
            f'write `{{ "$param" = "{fixing}" }}`',
        )


def _fixing_parameter(call: StepCall, partition: str, runbook: Runbook) -> str | None:
    """The parameter to which the step that found a loop's items fixed their partition key."""
    items = call.loop.items if call.loop else None
    if items is None or items.origin is not Origin.RESULT:
        return None
    for other in calls_of(runbook):
        if other.step.name != items.path[0] or other.template.operation != "Query":
            continue
        value = _equalities(other.template.params, "KeyConditionExpression").get(partition)
        if isinstance(value, Reference) and value.origin is Origin.PARAMETER:
            return value.path[0]
    return None


def _equalities(params: Mapping[str, Any], expression: str) -> Mapping[str, Any]:
    """Value by attribute that an expression wants equal; empty where it is not understood."""
    names, values = params.get("ExpressionAttributeNames"), params.get("ExpressionAttributeValues")
    try:
        return key_equalities(params.get(expression), names, values)
    except ExpressionError:
        return {}
