"""What importing and installing dynaguard may import: sets of modules, not times.

A module that is new here costs every process that guards a call, whether it uses it or not. Import
it in the function that needs it, or move the line to the set below and say why.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterable, Mapping
from pathlib import Path

import pytest

from dynaguard.policy.bundle_writing import bundle_bytes
from dynaguard.policy.loading import load_policy

OF_IMPORT = frozenset(
    "acting access_change decorating errors hooks hooks.lifecycle interruption scope "
    "values".split()
)
HEAVY = (
    *("asyncio", "cachetools", "click", "cryptography", "duckdb", "opentelemetry", "redis"),
    *("rich", "sqlite3", "tomllib", "wrapt", "yaml"),
)
"""Never imported by `install()`, whoever imports it: each takes longer than dynaguard may."""
MOST_OF_INSTALL = 121
MOST_OF_BUNDLE = 124
MOST_OF_FIRST_CALL = 127
"""Modules of dynaguard after `install()` without a policy, after that of a bundle, and after a
first call with a plain policy: ceilings to be lowered."""
NOT_OF_FIRST_CALL = (
    *("audit.writer", "aws.dynamodb.expressions", "aws.dynamodb.items", "aws.dynamodb.partiql"),
    *("budgets.budget", "consumption.consumption", "hooks.batches", "hooks.undecided"),
    *("identity.lookup", "masking.masks", "policy.lint", "policy.loading", "telemetry.telemetry"),
)
"""Where a call is neither masked, kept on record, throttled, repeated nor observed."""
NOT_OF_MASKED_CALL = (
    *("aws.dynamodb.partiql", "budgets.budget", "masking.restoring", "masking.secrets"),
    "masking.detectors",
)
"""Where the masks are of attributes, and neither opened for writers nor of other services."""

_PROBE = """
import builtins, json, sys
{before}
known = set(sys.modules)
importer = {{}}
original = builtins.__import__
def noting(name, globals=None, locals=None, fromlist=(), level=0):
    before = set(sys.modules)
    found = original(name, globals, locals, fromlist, level)
    for new in set(sys.modules) - before:
        importer.setdefault(new, (globals or {{}}).get("__name__", "?"))
    return found
builtins.__import__ = noting
{code}
builtins.__import__ = original
new = set(sys.modules) - known
print(json.dumps({{name: importer.get(name, "?") for name in new}}))
"""
_FIRST_CALL = """
import boto3
import botocore.httpsession
class Answer:
    status_code, headers, content, raw = 200, {}, b"{}", None
botocore.httpsession.URLLib3Session.send = lambda self, request: Answer()
boto3.client("dynamodb").get_item(TableName="orders", Key={"id": {"S": "1"}})
"""
_BEFORE_FIRST_CALL = "import boto3, json, botocore.httpsession"
POLICY = """\
version = 1
default = "deny"
[[statement]]
Effect = "Allow"
Action = "dynamodb:GetItem"
Resource = "arn:aws:dynamodb:*:*:table/orders"
"""


MASK_AND_BUDGET = """
[[mask]]
tables = ["orders"]
attributes = ["email"]
with = "redact"
[[budget]]
job = "export"
tables = ["orders"]
"""


def imported_by(
    code: str, folder: Path, before: str = "import boto3, json", **variables: str
) -> Mapping[str, str]:
    """The modules that a fresh process imports by some code, and who imported each first."""
    done = subprocess.run(
        [sys.executable, "-c", _PROBE.format(before=before, code=code)],
        cwd=folder,
        env={**os.environ, **variables},
        capture_output=True,
        text=True,
        check=True,
    )
    found: dict[str, str] = json.loads(done.stdout.splitlines()[-1])
    return found


def assert_only(found: Mapping[str, str], allowed: frozenset[str]) -> None:
    """Fails with each module that is new, and who imported it."""
    names = {"dynaguard"} | {f"dynaguard.{name}" for name in allowed}
    new = {name: who for name, who in found.items() if _is_ours(name) and name not in names}
    heavy = {name: who for name, who in found.items() if name.partition(".")[0] in HEAVY}
    found_new = sorted((new | heavy).items())
    listed = "\n".join(f"  {name}, imported by {who}" for name, who in found_new)
    assert not found_new, f"imported although no call was made:\n{listed}"
    assert_no_strangers(found)
    gone = {name for name in names if name not in found}
    assert not gone, f"not imported any more, take them out of the set: {sorted(gone)}"


def assert_at_most(found: Mapping[str, str], most: int) -> None:
    """Fails where there are more modules of ours, or any of a stranger."""
    ours = sorted(name for name in found if _is_ours(name))
    assert len(ours) <= most, f"{len(ours)} modules: {ours}"
    assert_no_strangers(found)


def assert_no_strangers(found: Mapping[str, str]) -> None:
    """Fails with what is neither dynaguard's nor the standard library's."""
    strangers = {
        name: who
        for name, who in found.items()
        if not _is_ours(name) and name.partition(".")[0] not in sys.stdlib_module_names
    }
    assert not strangers, f"neither dynaguard's nor the standard library's: {strangers}"


def assert_none(found: Mapping[str, str], names: Iterable[str]) -> None:
    """Fails with each of some modules of ours, and each heavy one, and who imported it."""
    wrong = {f"dynaguard.{name}" for name in names}
    listed = "\n".join(
        f"  {name}, imported by {who}"
        for name, who in sorted(found.items())
        if name in wrong or name.partition(".")[0] in HEAVY
    )
    assert not listed, f"imported although the call does not use it:\n{listed}"


def _is_ours(name: str) -> bool:
    """Whether a module is dynaguard's."""
    return name.partition(".")[0] == "dynaguard"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A policy and its bundle."""
    path = tmp_path / "policy.toml"
    path.write_text(POLICY)
    (tmp_path / "policy.dgb").write_bytes(bundle_bytes(load_policy(path, environ={})))
    return tmp_path


def test_import_dynaguard_imports_next_to_nothing(folder: Path) -> None:
    """The names that are not lazy, and what they need."""
    assert_only(imported_by("import dynaguard", folder), OF_IMPORT)


def test_install_without_a_policy_stays_below_its_ceiling(folder: Path) -> None:
    """And needs nothing that reads, compiles or applies a policy."""
    found = imported_by("import dynaguard; dynaguard.install()", folder)

    assert_at_most(found, MOST_OF_INSTALL)
    assert_none(found, NOT_OF_FIRST_CALL)


def test_install_of_a_bundle_stays_below_its_ceiling(folder: Path) -> None:
    """No checker, no parser of documents, nothing that its settings do not use."""
    found = imported_by("import dynaguard; dynaguard.install('policy.dgb')", folder)

    assert_at_most(found, MOST_OF_BUNDLE)
    assert_none(found, NOT_OF_FIRST_CALL)


def test_a_first_call_stays_below_its_ceiling(folder: Path) -> None:
    """And needs no loader, no masks, no books, no OpenTelemetry: nothing uses them."""
    code = f"import dynaguard; dynaguard.install('policy.dgb')\n{_FIRST_CALL}"

    found = imported_by(code, folder, _BEFORE_FIRST_CALL, AWS_ACCESS_KEY_ID="AKIA")

    assert_at_most(found, MOST_OF_FIRST_CALL)
    assert_none(found, NOT_OF_FIRST_CALL)


def test_a_first_call_under_masks_and_a_budget_imports_what_acts_on_it(folder: Path) -> None:
    """Not what gives values back to writers, nor what paces calls that are throttled."""
    path = folder / "policy.toml"
    path.write_text(POLICY + MASK_AND_BUDGET)
    (folder / "policy.dgb").write_bytes(bundle_bytes(load_policy(path, environ={})))
    code = f"import dynaguard; dynaguard.install('policy.dgb')\n{_FIRST_CALL}"

    found = imported_by(code, folder, _BEFORE_FIRST_CALL, AWS_ACCESS_KEY_ID="AKIA")

    assert "dynaguard.masking.masks" in found
    assert_none(found, NOT_OF_MASKED_CALL)


def test_a_new_module_is_named_with_who_imported_it() -> None:
    """So that nobody has to look for it."""
    with pytest.raises(AssertionError, match=r"dynaguard\.aws\.new, imported by dynaguard\.call"):
        assert_only({"dynaguard.aws.new": "dynaguard.call"}, frozenset())
    with pytest.raises(AssertionError, match="click, imported by somebody"):
        assert_only({"click": "somebody"}, frozenset())
