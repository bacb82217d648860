"""Writes the parts of the reference, and the schemas, that come from tables in the code.

A page holds `<!-- generated: NAME -->` and `<!-- end of NAME -->`; what stands between them is
replaced. `python docs/generate.py` writes, `--check` only compares (exit code 1: a page is old).
The code owns each table, so that the page cannot say something else than what runs; figures come
from what `make bench` saved.
"""

from __future__ import annotations

import argparse
import importlib
import json
import sys
from dataclasses import dataclass
from pathlib import Path

DOCS = Path(__file__).resolve().parent
sys.path.insert(0, str(DOCS.parent))  # `benchmarks` is not installed


@dataclass(frozen=True, slots=True)
class Part:
    """One generated part.

    Attributes:
        name: As in the page's markers.
        page: Relative to `docs/`.
        module: Where the function is.
        function: Takes nothing, gives Markdown.
    """

    name: str
    page: str
    module: str
    function: str

    def markdown(self) -> str:
        """The part as the code has it now."""
        text: str = getattr(importlib.import_module(self.module), self.function)()
        return text.strip()


PARTS = (
    Part("settings", "reference/settings.md", "dynaguard.settings.page", "settings_markdown"),
    Part(
        "surroundings",
        "correlation.md",
        "dynaguard.settings.surroundings",
        "surroundings_markdown",
    ),
    Part("signals", "telemetry.md", "dynaguard.telemetry.catalogue", "signals_markdown"),
    Part(
        "condition keys",
        "reference/condition-keys.md",
        "dynaguard.aws.condition_keys",
        "condition_keys_markdown",
    ),
    Part(
        "audit record",
        "reference/audit-record.md",
        "dynaguard.audit.schema",
        "record_schema_markdown",
    ),
    Part(
        "audit checkpoint",
        "reference/audit-record.md",
        "dynaguard.audit.schema",
        "checkpoint_schema_markdown",
    ),
    Part(
        "audit access",
        "reference/audit-record.md",
        "dynaguard.audit.schema",
        "access_schema_markdown",
    ),
    Part("commands", "reference/cli.md", "dynaguard.cli.reference", "commands_markdown"),
    Part("packs", "packs.md", "dynaguard.policy.packs", "packs_markdown"),
    Part("lint rules", "reference/lint.md", "dynaguard.policy.lint.rules", "rules_markdown"),
    Part(
        "runbook library",
        "runbook-library.md",
        "dynaguard.runbooks.rendering",
        "library_markdown",
    ),
    Part(
        "runbook lint rules",
        "reference/runbook-lint.md",
        "dynaguard.runbooks.lint.rules",
        "runbook_rules_markdown",
    ),
    *(
        Part(name, "performance.md", "benchmarks.tables", name.replace(" ", "_"))
        for name in (
            "measured on",
            "summary",
            "calls",
            "recording",
            "steps",
            "flame",
            "decisions",
            "loading",
            "imports",
            "memory",
            "rate",
            "evidence",
            "masking",
            "bars",
        )
    ),
)


@dataclass(frozen=True, slots=True)
class SchemaFile:
    """A JSON Schema that editors read.

    Attributes:
        file: Relative to the root.
        module: Where the function is.
        function: Takes nothing, gives the schema.
    """

    file: str
    module: str
    function: str

    @property
    def path(self) -> Path:
        """The file."""
        return DOCS.parent / self.file

    def text(self) -> str:
        """The schema as the code has it now."""
        schema = getattr(importlib.import_module(self.module), self.function)()
        return json.dumps(schema, indent=2) + "\n"


SCHEMAS = (
    SchemaFile("dynaguard/policy/policy.schema.json", "dynaguard.policy.schema", "policy_schema"),
    SchemaFile(
        "dynaguard/runbooks/runbook.schema.json", "dynaguard.runbooks.schema", "runbook_schema"
    ),
)


def with_part(page: str, part: Part) -> str:
    """The page with the part put between its markers.

    Raises:
        ValueError: The page lacks a marker, or has it twice.
    """
    opening, closing = f"<!-- generated: {part.name} -->", f"<!-- end of {part.name} -->"
    if page.count(opening) != 1 or page.count(closing) != 1:
        raise ValueError(f"`{part.page}` needs `{opening}` and `{closing}` once each")
    before, rest = page.split(opening)
    after = rest.split(closing)[1]
    return f"{before}{opening}\n\n{part.markdown()}\n\n{closing}{after}"


def outdated(*, write: bool = False) -> list[str]:
    """The pages whose text differs from what the code gives; written on demand."""
    found = []
    for schema in SCHEMAS:
        text = schema.text()
        if not schema.path.exists() or schema.path.read_text(encoding="utf-8") != text:
            found.append(f"../{schema.file}")
            if write:
                schema.path.write_text(text, encoding="utf-8")
    for part in PARTS:
        path = DOCS / part.page
        old = path.read_text(encoding="utf-8")
        new = with_part(old, part)
        if new != old:
            found.append(part.page)
            if write:
                path.write_text(new, encoding="utf-8")
    return found


def main() -> int:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--check", action="store_true", help="compare only")
    is_check = parser.parse_args().check
    pages = outdated(write=not is_check)
    for page in pages:
        print(f"docs/{page}", "is old, run `make generate`" if is_check else "written")
    return 1 if pages and is_check else 0


if __name__ == "__main__":
    sys.exit(main())
