"""Writes runbooks to begin with: an empty one, a copy of a shipped one, or from recorded calls.

An audit record names operations, tables and indexes, and no parameters: those of the steps are
marked `CHANGE_ME`. What is written reads without a problem and is linted like any other.
"""

from __future__ import annotations

import json
import re
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final

from dynaguard.runbooks import models
from dynaguard.runbooks.categories import category_of
from dynaguard.runbooks.library import library_path

CHANGE_ME: Final = "CHANGE_ME"
MOST_STEPS: Final = 12
_INDEX: Final = re.compile(r":table/([^/]+)(?:/index/([^/]+))?$")
_BATCH_BY_OPERATION: Final[Mapping[str, str]] = {
    "BatchGetItem": '{ Keys = [{ CHANGE_ME = { "$param" = "key" } }], '
    'ProjectionExpression = "CHANGE_ME" }',
    "BatchWriteItem": '[{ PutRequest = { Item = { CHANGE_ME = { "$param" = "key" } } } }]',
}
_READS_PAGES: Final = frozenset({"Query", "Scan"})
_SCAN_RATIO: Final = 10
_KEY: Final = f'Key = {{ {CHANGE_ME} = {{ "$param" = "key" }} }}'
_VALUE: Final = 'ExpressionAttributeValues = { ":key" = { "$param" = "key" } }'
_LINES_BY_OPERATION: Final[Mapping[str, tuple[str, ...]]] = {
    "GetItem": (_KEY, f'ProjectionExpression = "{CHANGE_ME}"'),
    "Query": (
        f'KeyConditionExpression = "{CHANGE_ME} = :key"',
        f'ProjectionExpression = "{CHANGE_ME}"',
        "Limit = 100",
        _VALUE,
    ),
    "Scan": (f'ProjectionExpression = "{CHANGE_ME}"', "Limit = 100"),
    "DeleteItem": (_KEY, f'ConditionExpression = "attribute_exists({CHANGE_ME})"'),
    "UpdateItem": (
        _KEY,
        f'UpdateExpression = "SET {CHANGE_ME} = :value"',
        f'ConditionExpression = "attribute_exists({CHANGE_ME})"',
        'ExpressionAttributeValues = { ":value" = { "$param" = "key" } }',
    ),
    "PutItem": (
        f'Item = {{ {CHANGE_ME} = {{ "$param" = "key" }} }}',
        f'ConditionExpression = "attribute_not_exists({CHANGE_ME})"',
    ),
}


_Kind = tuple[str, str, str | None, str | None]


@dataclass(frozen=True, slots=True)
class RecordedCall:
    """Calls of one kind.

    Attributes:
        service, operation: What was called.
        table, index: On what, where that is known.
        count: How often.
        items: Items that came back, all calls together.
        scanned: Items that were looked at for them.
        write_units: Write capacity that all of them took, as far as answers told.
    """

    service: str
    operation: str
    table: str | None
    index: str | None
    count: int
    items: int = 0
    scanned: int = 0
    write_units: float = 0.0


def recorded_calls(
    records: Iterable[Mapping[str, Any]], *, job: str | None = None
) -> tuple[RecordedCall, ...]:
    """The kinds of calls on record, the most frequent first.

    Args:
        records: Audit records, as `read_records` gives them.
        job: Only those of this job; None: all.
    """
    counts: Counter[_Kind] = Counter()
    items: Counter[_Kind] = Counter()
    scanned: Counter[_Kind] = Counter()
    units: defaultdict[_Kind, float] = defaultdict(float)
    for record in records:
        outcome = record.get("outcome") or {}
        is_of_job = job is None or record.get("job") == job
        if record.get("phase") == "intent" or not is_of_job:
            continue
        kind = (str(record.get("service")), str(record.get("operation")), *_resource_of(record))
        counts[kind] += 1
        items[kind] += outcome.get("item_count") or 0
        scanned[kind] += outcome.get("scanned_count") or 0
        consumed = outcome.get("consumed_capacity") or ()
        units[kind] += sum(each.get("write_units") or 0.0 for each in consumed)
    ordered = sorted(counts, key=lambda kind: (-counts[kind], tuple(map(str, kind))))
    return tuple(
        RecordedCall(*kind, counts[kind], items[kind], scanned[kind], units[kind])
        for kind in ordered
    )


def _resource_of(record: Mapping[str, Any]) -> tuple[str | None, str | None]:
    """Table and index of a record, as far as it names one."""
    for need in record.get("authorizations") or ():
        found = _INDEX.search(str(need.get("resource", "")))
        if found and "<" not in found[1]:
            return found[1], found[2]
    return None, None


def advice_of(call: RecordedCall) -> Iterator[str]:
    """What to think of before a recorded call becomes a step; first, what sort of task it is."""
    category = category_of(call)
    if category is not None:
        yield f"this is {category.name}, `{category.template}` shows how"
    if call.operation == "Scan":
        yield "a Scan reads the whole table: is there a key or an index for this?"
    if call.scanned > max(1, call.items) * _SCAN_RATIO:
        ratio = call.scanned // max(1, call.items)
        yield f"it looked at {ratio} items for each one that it gave: query by a key instead"
    if call.operation in _LINES_BY_OPERATION and call.operation in {*_READS_PAGES, "GetItem"}:
        yield "name the attributes that the task needs in ProjectionExpression"
    if call.operation == "GetItem" and call.count >= _SCAN_RATIO:
        yield "many GetItem calls: BatchGetItem reads up to 100 items at once"
    if call.operation.startswith(("Delete", "BatchWrite")):
        yield "it deletes: let a preview, a check and an approval go before it"


# --- documents --------------------------------------------------------------------------------


def starter_runbook(name: str) -> str:
    """A commented runbook of one step, to fill in."""
    return _STARTER.replace("NAME", name)


def starter_cases() -> str:
    """The tests of that runbook, `NAME.test.toml`."""
    return _STARTER_CASES


def copied_runbook(library: str, name: str) -> str:
    """A shipped runbook under another name."""
    text = library_path(library).read_text(encoding="utf-8")
    return re.sub(r'^name = ".*"$', f'name = "{name}"', text, count=1, flags=re.MULTILINE)


def runbook_from_records(name: str, calls: Iterable[RecordedCall]) -> str:
    """A runbook with a step for each kind of recorded call, the most frequent first."""
    kept = [call for call in calls if _is_known(call)][:MOST_STEPS]
    total = sum(call.count for call in kept)
    lines = [
        f"# From {total} recorded calls. Replace every {CHANGE_ME}, remove what is not needed,",
        "# put the steps in order, then: dynaguard runbook check",
        "runbook = 1",
        f'name = "{name}"',
        f'purpose = "{CHANGE_ME}: what it is for, in one sentence"',
        f'owner = "{CHANGE_ME}"',
        "",
        "[limits]",
        "duration_s = 600",
        "items = 1000",
    ]
    for table in dict.fromkeys(call.table for call in kept if call.table):
        lines += ["", f"[tables.{json.dumps(table)}]", f'key = ["{CHANGE_ME}"]']
    lines += ["", "[parameters.key]", 'type = "string"', 'pattern = "[A-Za-z0-9_-]{1,64}"']
    seen: Counter[str] = Counter()
    for call in kept:
        lines += ["", *_step_lines(call, seen)]
    return "\n".join(lines) + "\n"


def _is_known(call: RecordedCall) -> bool:
    """Whether the installed botocore knows the operation."""
    return call.service in models.services() and call.operation in models.operations(call.service)


def _step_lines(call: RecordedCall, seen: Counter[str]) -> Iterator[str]:
    """One step."""
    base = re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "-", call.operation).lower()
    seen[base] += 1
    times = "once" if call.count == 1 else f"{call.count} times"
    yield f"# recorded {times}"
    yield from (f"# advice: {each}" for each in advice_of(call))
    yield "[[step]]"
    yield f'name = "{base if seen[base] == 1 else f"{base}-{seen[base]}"}"'
    yield f'call = "{call.service}:{call.operation}"'
    if call.operation in _READS_PAGES and call.service == "dynamodb":
        yield "pages = 5"
    yield "[step.params]"
    if call.service == "dynamodb" and call.operation in _LINES_BY_OPERATION:
        yield f"TableName = {json.dumps(call.table or CHANGE_ME)}"
        if call.index is not None:
            yield f"IndexName = {json.dumps(call.index)}"
        yield from _LINES_BY_OPERATION[call.operation]
        return
    if call.service == "dynamodb" and call.operation in _BATCH_BY_OPERATION:
        entry = _BATCH_BY_OPERATION[call.operation]
        yield f"RequestItems = {{ {json.dumps(call.table or CHANGE_ME)} = {entry} }}"
        return
    if (call.service, call.operation) == ("dynamodb", "TransactWriteItems"):
        table = json.dumps(call.table or CHANGE_ME)
        yield f"TransactItems = [{{ Delete = {{ TableName = {table}, {_KEY} }} }}]"
        return
    shape = models.operation_model(call.service, call.operation).input_shape
    for member in shape.required_members if shape is not None else ():
        is_table = member == "TableName" and call.table
        value = call.table if is_table else _placeholder(shape.members[member], member, 0)
        yield f"{member} = {_toml(value)}"


def _placeholder(shape: Any, name: str, depth: int) -> Any:
    """A value of a shape that says that it is to be replaced."""
    kind = shape.type_name
    if shape.name == "AttributeValue":
        return {"S": CHANGE_ME}
    if kind == "structure":
        needed = shape.required_members
        return {each: _placeholder(shape.members[each], each, depth + 1) for each in needed}
    if kind == "list":
        return [] if depth > _DEEPEST else [_placeholder(shape.member, name, depth + 1)]
    if kind == "map":
        return {} if depth > _DEEPEST else {CHANGE_ME: _placeholder(shape.value, name, depth + 1)}
    if kind == "string" and name.endswith(("Arn", "Statement")):
        return _STATEMENT if name == "Statement" else _ARN
    return {"integer": 1, "long": 1, "float": 1, "double": 1, "boolean": False}.get(
        kind, CHANGE_ME
    )


_ARN: Final = f"arn:aws:dynamodb:eu-west-1:111122223333:table/{CHANGE_ME}"
_STATEMENT: Final = "SELECT CHANGE_ME FROM CHANGE_ME"
_DEEPEST: Final = 6


def _toml(value: Any) -> str:
    """A value on one line of TOML. JSON's texts, numbers and booleans are TOML's."""
    if isinstance(value, Mapping):
        inner = ", ".join(f"{json.dumps(name)} = {_toml(each)}" for name, each in value.items())
        return f"{{ {inner} }}" if inner else "{}"
    if isinstance(value, list):
        return f"[{', '.join(map(_toml, value))}]"
    return json.dumps(value)


_STARTER: Final = """\
# A dynaguard runbook: what it may call stands here, and while it runs nothing else is allowed.
runbook = 1
name = "NAME"
purpose = "Show the latest orders of one customer during an incident"
owner = "team-orders"
link = "https://wiki.example.org/runbooks/NAME"

# Who may run it, beside what the policy says. Omitted: whom the policy lets.
# may_run = [{ Group = "on-call" }, "arn:aws:iam::*:role/ops-*"]

# [access]
# role = "arn:aws:iam::123456789012:role/runbooks"   # assumed for the run, narrowed to its calls
# approval = { quorum = 1, any_of = ["leads"], timeout = "1h" }

[limits]
duration_s = 300
items = 100
pages = 5

# Key schemas: with them the permission names the very partitions that a run is about.
[tables.orders]
key = ["customer_id", "order_id"]

# A value fills a whole place, by its type; it never becomes part of an expression.
[parameters.customer_id]
type = "string"             # string, number, boolean, enum, date, arn, secret or list
pattern = "C-[0-9]{1,9}"
description = "the customer, such as C-17"

[[step]]
name = "find"
call = "dynamodb:Query"
pages = 5
[step.params]
TableName = "orders"
KeyConditionExpression = "customer_id = :customer"
ProjectionExpression = "customer_id, order_id"
Limit = 100
ExpressionAttributeValues = { ":customer" = { "$param" = "customer_id" } }

[[step]]
name = "some"
check = { of = { "$result" = "find.Count" }, at_least = 1, message = "there are no orders" }
"""

_STARTER_CASES: Final = """\
# What the runbook must do: each case runs on tables of its own, made of these items.
[[table]]
name = "orders"
key = ["customer_id", "order_id"]
items = [
  { customer_id = "C-17", order_id = "O-1" },
  { customer_id = "C-17", order_id = "O-2" },
  { customer_id = "C-18", order_id = "O-3" },
]

[[case]]
name = "finds the orders of one customer"
params = { customer_id = "C-17" }
[case.expect]
results = { "find.Count" = 2 }

[[case]]
name = "says so where there are none"
params = { customer_id = "C-99" }
[case.expect]
outcome = "failed"
step = "some"
"""
