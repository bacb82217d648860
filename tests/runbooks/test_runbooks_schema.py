"""The published schema of runbooks: it accepts what the reader accepts, and has the same keys."""

from __future__ import annotations

import copy
import json
import re
import runpy
import tomllib
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import jsonschema
import pytest

from dynaguard.policy.approval_section import APPROVAL_KEYS
from dynaguard.policy.collecting import Findings
from dynaguard.runbooks.model import ParameterType
from dynaguard.runbooks.reading import read_runbook
from tests.runbooks.conftest import ORDERS
from tests.runbooks.schema_cases import (
    FULL,
    PARAMETERS,
    SCHEMA,
    STEPS,
    VALIDATOR,
    having,
    is_valid,
    problems_of,
)

ROOT = Path(__file__).resolve().parents[2]


def as_json(document: Any) -> Any:
    """A document of TOML as an editor hands it over: dates are texts."""
    return json.loads(json.dumps(document, default=lambda each: each.isoformat()))


def written_runbooks() -> Iterator[tuple[str, str]]:
    """Runbooks in files and in pages, with their names."""
    folders = (ROOT / "dynaguard", ROOT / "docs", ROOT / "tests" / "runbooks")
    for file in sorted(each for folder in folders for each in folder.rglob("*.toml")):
        if re.search(r"^runbook *= *1", file.read_text(encoding="utf-8"), re.MULTILINE):
            yield file.relative_to(ROOT).as_posix(), file.read_text(encoding="utf-8")
    for page in sorted((ROOT / "docs").rglob("*.md")):
        blocks = re.findall(r"```toml\n(.*?)```", page.read_text(encoding="utf-8"), re.DOTALL)
        for at, block in enumerate(each for each in blocks if each.startswith("runbook = 1")):
            yield f"{page.name}[{at}]", block
    yield "conftest", ORDERS


WRITTEN = dict(written_runbooks())


def test_the_schema_is_one() -> None:
    """Valid by its own draft."""
    jsonschema.Draft202012Validator.check_schema(SCHEMA)


@pytest.mark.parametrize("name", WRITTEN)
def test_runbooks_of_the_package_and_its_pages_are_valid(name: str) -> None:
    """Shipped ones, those of drills, examples, pages and tests."""
    assert list(VALIDATOR.iter_errors(as_json(tomllib.loads(WRITTEN[name])))) == []


def test_runbooks_are_found_where_they_are() -> None:
    """In the library, the drills, two examples and three pages."""
    folders = {Path(name).parent.name or name for name in WRITTEN}

    assert len([each for each in WRITTEN if each.startswith("dynaguard/runbooks/library")]) >= 7
    assert folders >= {"library", "books", "runbooks", "runbooks.md[0]", "runbook-runs.md[0]"}


def test_a_runbook_with_everything_is_valid(schema_folder: Path) -> None:
    """Every section, every kind of step, every sort of value."""
    assert problems_of(FULL, schema_folder) == []
    assert list(VALIDATOR.iter_errors(FULL)) == []


# --- keys ---------------------------------------------------------------------------------------

Path_ = tuple[Any, ...]


def resolved(schema: Any) -> Any:
    """A schema without the reference at its top."""
    if "$ref" not in schema:
        return schema
    return resolved(SCHEMA["$defs"][schema["$ref"].rpartition("/")[2]])


def fits(schema: Any, value: Any) -> bool:
    """Whether a part of the schema accepts a value."""
    return bool(VALIDATOR.evolve(schema=schema).is_valid(value))


def closed_objects(schema: Any, value: Any, path: Path_ = ()) -> Iterator[tuple[Path_, Any]]:
    """The closed schemas that apply to the values of a document, with the values' paths."""
    schema = resolved(schema)
    for branch in (*schema.get("anyOf", ()), *schema.get("oneOf", ())):
        if fits(branch, value) and not {"required", "not"} >= branch.keys():
            yield from closed_objects(branch, value, path)
    if "if" in schema:
        branch = schema["then"] if fits(schema["if"], value) else schema["else"]
        yield from closed_objects(branch, value, path)
    if isinstance(value, list):
        for at, each in enumerate(value):
            yield from closed_objects(schema.get("items", {}), each, (*path, at))
    if isinstance(value, Mapping):
        if schema.get("additionalProperties") is False:
            yield path, schema
        others = schema.get("additionalProperties") or {}
        for key, each in value.items():
            yield from closed_objects(
                schema.get("properties", {}).get(key, others), each, (*path, key)
            )


def keys_of(schema: Any, value: Any) -> set[str]:
    """The keys that a closed schema lets a value have."""
    keys = set(schema["properties"])
    for form in schema.get("allOf", ()):
        if "then" in form and fits(form["if"], value):
            keys &= set(form["then"]["propertyNames"]["enum"])
    return keys


@pytest.fixture
def keys_of_reader(monkeypatch: pytest.MonkeyPatch, schema_folder: Path) -> dict[Path_, set[str]]:
    """The keys that the reader holds each table of the full runbook to, by the table's path."""
    found: dict[Path_, set[str]] = {}
    check = Findings.check_keys

    def noted(findings: Findings, table: Any, path: Path_, known: Any) -> None:
        found.setdefault(path, set()).update(names := tuple(known))
        check(findings, table, path, names)

    monkeypatch.setattr(Findings, "check_keys", noted)
    assert problems_of(FULL, schema_folder) == []
    found["budget",] -= {"job", "tables"}  # each is refused with words of its own
    approvals = [path for path, names in found.items() if names == set(APPROVAL_KEYS)]
    for path in approvals:
        found[path] -= {"threshold", "uses"}  # likewise
        if path[0] == "step":
            found[path].add("message")  # taken out before
    return found


def test_schema_and_reader_know_the_same_keys(keys_of_reader: dict[Path_, set[str]]) -> None:
    """Of each table of a runbook that holds every sort of them, in both directions."""
    references = ({"$param"}, {"$result"}, {"$item"}, {"$any"})
    found = {
        path: keys_of(schema, at(FULL, path))
        for path, schema in closed_objects(SCHEMA, FULL)
        if set(at(FULL, path)) not in references
    }

    assert found == keys_of_reader


def at(document: Any, path: Path_) -> Any:
    """What stands at a path."""
    for step in path:
        document = document[step]
    return document


def parts_of(schema: Any) -> Iterator[Any]:
    """Every mapping within the schema."""
    if isinstance(schema, Mapping):
        yield schema
    children = schema.values() if isinstance(schema, Mapping) else schema
    for each in children:
        if isinstance(each, Mapping | list):
            yield from parts_of(each)


def test_the_full_runbook_holds_every_sort_of_table() -> None:
    """So that the comparison of keys leaves none out."""
    compared = [schema for _, schema in closed_objects(SCHEMA, FULL)]
    closed = [each for each in parts_of(SCHEMA) if each.get("additionalProperties") is False]

    assert len(closed) > 20
    assert [each["properties"].keys() for each in closed if each not in compared] == []


def test_the_full_runbook_has_a_parameter_of_each_type() -> None:
    """Whose keys differ."""
    assert {each["type"] for each in PARAMETERS.values()} == {each.value for each in ParameterType}


def test_every_key_is_described() -> None:
    """Editors show the text."""
    closed = [each for each in parts_of(SCHEMA) if each.get("additionalProperties") is False]

    keys = [item for each in closed for item in each["properties"].items()]

    assert [key for key, schema in keys if not schema.get("description")] == []


# --- false alarms -------------------------------------------------------------------------------


def places_in(value: Any, path: Path_ = ()) -> list[Path_]:
    """The path of every value in a document."""
    if not isinstance(value, dict | list):
        return [path]
    children = value.items() if isinstance(value, dict) else enumerate(value)
    return [path, *(each for key, child in children for each in places_in(child, (*path, key)))]


PLACES = [path for path in places_in(FULL) if path and path != ("step",)]
ODD_VALUES: list[Any] = [None, True, 0, -1, 1.5, 99, "", "x", "*", [], ["x"], [[]], {}, {"x": "y"}]
ODD_VALUES += [{"Group": "x"}, [None], ["x", ""], {"$param": "text"}, {"$result": "find.Items"}]
ODD_VALUES += [{"$item": "id"}, {"$any": "any"}]


def shortened(path: Path_) -> dict[str, Any]:
    """The full runbook with what is beside a place left out, so that reading it takes less."""
    if path[0] != "step":
        return {**FULL, "step": STEPS[1:2]}
    kept = {key: each for key, each in FULL.items() if key not in {"tables", "mask", "access"}}
    if path[1] in (0, 1):
        return {**kept, "step": STEPS[:2]}
    return {**kept, "step": [STEPS[1], STEPS[path[1]]]}


def short_path(path: Path_) -> Path_:
    """The path of a place there."""
    return (path[0], min(path[1], 1), *path[2:]) if path[0] == "step" else path


@pytest.mark.parametrize("step", range(len(STEPS)))
def test_a_shortened_runbook_has_no_problem(step: int, schema_folder: Path) -> None:
    """So that below each problem is one of the change."""
    for path in (("name",), ("step", step)):
        assert problems_of(shortened(path), schema_folder) == []
        assert is_valid(shortened(path))


@pytest.mark.parametrize("value", ODD_VALUES, ids=json.dumps)
def test_no_change_of_a_runbook_is_refused_by_the_schema_alone(
    value: Any, schema_folder: Path
) -> None:
    """Whatever stands in place of any of its values."""
    for path in PLACES:
        *around, last = short_path(path)
        document = copy.deepcopy(shortened(path))
        at(document, tuple(around))[last] = value

        assert problems_of(document, schema_folder) or is_valid(document), path


def test_a_python_runbook_is_valid_too(schema_folder: Path) -> None:
    """Its mapping has the same grammar."""
    (schema_folder / "book.py").write_text(f"RUNBOOK = {having()!r}\n")

    read_runbook(schema_folder / "book.py")

    assert is_valid(runpy.run_path(str(schema_folder / "book.py"))["RUNBOOK"])
