"""The rules by which parameters are taken for parts of a resource's ARN."""

from __future__ import annotations

import importlib
import sys
from pathlib import Path
from types import ModuleType

import pytest

TOOLS = Path(__file__).parent.parent.parent / "tools"


@pytest.fixture
def rules(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    """The script's module, which is outside of the package."""
    monkeypatch.syspath_prepend(str(TOOLS))
    monkeypatch.delitem(sys.modules, "service_table_rules", raising=False)
    return importlib.import_module("service_table_rules")


BOX = "arn:${Partition}:svc:${Region}:${Account}:box/${BoxName}"
ITEM = "arn:${Partition}:svc:${Region}:${Account}:box/${BoxName}/item/${ItemId}"
GLOBAL = "arn:${Partition}:svc::${Account}:box/${BoxName}"

CASES = [
    # operation, texts, lists, required, type, ARN, template, named
    ("DeleteBox", "BoxName", "", "", "box", BOX, "box/{BoxName}", True),
    ("DeleteBox", "boxName", "", "", "box", BOX, "box/{boxName}", True),
    ("DeleteBox", "box", "", "", "box", BOX, "box/{box}", True),
    ("DeleteBox", "Name", "", "", "box", BOX, "box/{Name}", True),
    ("DeleteBox", "BoxName", "", "", "box", GLOBAL, "arn:svc::A:box/{BoxName}", True),
    ("DeleteBox", "BoxArn", "", "", "box", BOX, "BoxArn=?box/{}", True),
    ("DeleteBox", "BoxName BoxArn", "", "", "box", BOX, "BoxArn=box/{BoxName}", True),
    ("DescribeBoxes", "", "BoxNames", "", "box", BOX, "box/{BoxNames[]}", True),
    ("DescribeBoxes", "", "Names", "", "box", BOX, "?box/{}", False),
    ("GetItem", "BoxName ItemId", "", "", "item", ITEM, "box/{BoxName}/item/{ItemId}", True),
    ("GetItem", "BoxName", "", "", "item", ITEM, "box/{BoxName}/item/{}", True),
    # The name of something else; an id is no name; a name that may be the new one.
    ("PutItem", "Name", "", "Name", "box", BOX, "?box/{}", False),
    ("DeleteBox", "BoxId", "", "", "box", BOX, "?box/{}", False),
    ("CopyBox", "SourceBoxName", "", "", "box", BOX, "?box/{}", False),
    ("UpdateBox", "Name", "", "", "box", BOX, "?box/{}", False),
    ("UpdateBox", "Name", "", "Name", "box", BOX, "box/{Name}", True),
    # What is made anew is here, though nothing names it.
    ("CreateBox", "", "", "", "box", BOX, "box/{}", False),
]


@pytest.mark.parametrize(
    ("operation", "texts", "lists", "required", "key", "arn", "template", "is_named"),
    CASES,
    ids=[f"{case[0]}-{at}" for at, case in enumerate(CASES)],
)
def test_a_parameter_is_taken_by_its_name_alone(
    rules: ModuleType,
    operation: str,
    texts: str,
    lists: str,
    required: str,
    key: str,
    arn: str,
    template: str,
    is_named: bool,
) -> None:
    """What names leave in doubt stays a gap."""
    given = rules.Operation(
        operation, tuple(texts.split()), tuple(lists.split()), frozenset(required.split())
    )

    match = rules.match_type("svc", given, key, arn, is_required=True)

    assert (match.template, match.is_named) == (template, is_named)
