"""The pages that repeat what the code says, say it as the code does."""

from __future__ import annotations

import importlib.util
import os
import re
import subprocess
import sys
import tomllib
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

import dynaguard
from dynaguard import errors
from dynaguard.call import PrincipalKind
from dynaguard.identity.findings import FindingCode
from dynaguard.policy.loading import load_policy


def _load_generator() -> ModuleType:
    """`docs/generate.py`, which is a script and in no package."""
    path = Path(__file__).resolve().parent.parent / "docs" / "generate.py"
    spec = importlib.util.spec_from_file_location("docs_generate", path)
    assert spec
    assert spec.loader
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module


generate = _load_generator()


@pytest.mark.parametrize("part", generate.PARTS, ids=lambda part: part.name)
def test_a_generated_part_is_what_the_code_gives(part: generate.Part) -> None:  # type: ignore[name-defined]
    """Else run `make generate` and commit the pages."""
    page = (generate.DOCS / part.page).read_text(encoding="utf-8")

    assert generate.with_part(page, part) == page


@pytest.mark.parametrize("part", generate.PARTS, ids=lambda part: part.name)
def test_a_page_without_its_markers_is_refused(part: generate.Part) -> None:  # type: ignore[name-defined]
    """A lost marker would leave an old table standing."""
    with pytest.raises(ValueError, match="once each"):
        generate.with_part("# A page\n", part)


@pytest.mark.parametrize("schema", generate.SCHEMAS, ids=lambda schema: schema.file)
def test_a_schema_is_what_the_code_gives(schema: generate.SchemaFile) -> None:  # type: ignore[name-defined]
    """Else run `make generate` and commit the file."""
    assert schema.path.read_text(encoding="utf-8") == schema.text()


def test_the_error_tree_of_the_docs_is_the_one_of_the_code(repository: Path) -> None:
    """`errors.py` draws it at its top; the page shows the same drawing."""
    drawing = [
        line.strip()
        for line in (errors.__doc__ or "").splitlines()
        if line.strip().startswith(("DynaguardError", "|--", "|   ", "`--"))
    ]
    page = (repository / "docs/reference/errors.md").read_text(encoding="utf-8")

    assert drawing
    assert [line for line in drawing if line not in page] == []


def test_the_architecture_page_lists_every_room(repository: Path) -> None:
    """In the order in which they may import."""
    from tests.test_rooms import ROOMS

    page = (repository / "docs/architecture.md").read_text(encoding="utf-8")
    table = page.split("| room | knows |")[1].split("\n\n")[0]

    places = [
        table.find(f"`{room}.py`") if f"`{room}.py`" in table else table.find(f"`{room}/`")
        for room in ROOMS
    ]

    assert -1 not in places
    assert places == sorted(places)


def _blocks(repository: Path, page: str, language: str) -> list[str]:
    """The code blocks of a page in one language."""
    text = (repository / page).read_text(encoding="utf-8")
    return re.findall(rf"^```{language}\n(.*?)^```$", text, re.MULTILINE | re.DOTALL)


def test_the_policies_of_the_masking_page_load(repository: Path) -> None:
    """Each fragment, put into a document."""
    fragments = _blocks(repository, "docs/masking.md", "toml")

    masks = [
        mask
        for fragment in fragments
        for mask in load_policy(
            {**tomllib.loads(fragment), "version": 1, "default": "deny"}, environ={}
        ).masks
    ]

    assert [mask.strategy for mask in masks] == ["partial", "redact", "redact", "tokenize"]


def test_the_programs_of_the_masking_page_run(
    repository: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Registering, and the records of an event."""
    for registry in ("_strategies", "_detectors"):
        monkeypatch.setattr(f"dynaguard.masking.registry.{registry}", {})
    names: dict[str, Any] = {
        "dynaguard": dynaguard,
        "BADGE": re.compile("B-[0-9]+"),
        "event": {
            "Records": [
                {
                    "eventSourceARN": "arn:aws:dynamodb:eu-west-1:111122223333:table/t/stream/1",
                    "dynamodb": {"NewImage": {"name": {"S": "Ada Lovelace"}}},
                }
            ]
        },
    }
    register, records = _blocks(repository, "docs/masking.md", "python")
    exec(register.replace("dynaguard.install()", ""), names)  # noqa: S102 - our own page
    mask = {"tables": ["t"], "attributes": ["name"], "with": "custom:initials"}

    with dynaguard.install({"version": 1, "default": "deny", "mask": [mask]}):
        exec(records, names)  # noqa: S102 - our own page

    assert names["image"] == {"name": {"S": "masked!dg1:initials:AL"}}


def test_the_policy_of_the_page_on_cost_loads(repository: Path) -> None:
    """Put into a document; the editor's schema accepts it too."""
    (fragment,) = _blocks(repository, "docs/cost-and-keys.md", "toml")
    document = {**tomllib.loads(fragment), "version": 1, "default": "allow"}

    (limit,) = load_policy(document, environ={}).capacity_limits

    assert (limit.read_units, limit.write_units, limit.soft) == (50_000.0, 10_000.0, 0.8)


def test_the_programs_of_the_page_on_cost_run(repository: Path) -> None:
    """One after the other."""
    names: dict[str, Any] = {}

    for block in _blocks(repository, "docs/cost-and-keys.md", "python"):
        exec(block.replace("    ...", "    pass"), names)  # noqa: S102 - our own page

    assert len(dynaguard.key_hash("orders", "customer#1")) == 16


def test_the_identity_page_is_what_the_code_does(repository: Path) -> None:
    """Its policies load, its program runs, its codes and kinds are those of the code."""
    page = (repository / "docs/identity.md").read_text(encoding="utf-8")
    groups, owners = _blocks(repository, "docs/identity.md", "toml")

    documents = [
        load_policy({**tomllib.loads(text), "version": 1, "default": "deny"}, environ={})
        for text in (groups, owners)
    ]
    (program,) = _blocks(repository, "docs/identity.md", "python")
    exec(program, {})  # noqa: S102 - our own page

    assert set(documents[0].groups) == {"etl", "etl-pods", "deployers", "engineers"}
    assert list(documents[1].owners) == ["data-platform", "ops@acme.example"]
    assert re.findall(r"^\| `([a-z_]+)` \| .* its records", page, re.MULTILINE) == sorted(
        ["long_lived_key", "key_in_several_jobs", "credentials_expiring", "owner_missing"],
        key=page.index,
    )
    assert all(f"`{code}`" in page for code in FindingCode)
    assert all(f"`{kind}`" in page for kind in PrincipalKind)


def test_the_runbook_of_the_page_reads_and_has_no_findings(repository: Path) -> None:
    """And compiles for the customer that the page names."""
    from dynaguard.runbooks.binding import bind
    from dynaguard.runbooks.lint import lint_runbook
    from dynaguard.runbooks.reading import read_runbook

    (text,) = _blocks(repository, "docs/runbooks.md", "toml")
    runbook = read_runbook(tomllib.loads(text))
    bound = bind(runbook, {"customer_id": "C-17"}, region="eu-west-1", account_id=None)

    assert lint_runbook(runbook) == ()
    assert [each["Sid"] for each in bound.iam_statements] == ["Quiet", "Find"]


EVIDENCE_PAGES = ("docs/correlation.md", "docs/telemetry.md")
EVIDENCE_PROGRAMS = [
    pytest.param(program, id=f"{page}-{number}")
    for page in EVIDENCE_PAGES
    for number, program in enumerate(
        _blocks(Path(__file__).resolve().parent.parent, page, "python"), start=1
    )
]


@pytest.mark.parametrize("program", EVIDENCE_PROGRAMS)
def test_the_programs_of_the_evidence_pages_run(program: str) -> None:
    """Each in a process of its own, silently."""
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", program],
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
        capture_output=True,
        text=True,
        check=False,
    )

    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


def test_the_evidence_pages_have_programs() -> None:
    """An empty list would test nothing."""
    assert len(EVIDENCE_PROGRAMS) >= 6
