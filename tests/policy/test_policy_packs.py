"""Starter packs: each decides as its own cases say, and merges as documented."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from dynaguard.errors import ConfigurationError, PolicySyntaxError
from dynaguard.policy.lint import lint
from dynaguard.policy.loading import load_policy
from dynaguard.policy.packs import pack_names, pack_summary
from dynaguard.policy.starter import pack_document
from dynaguard.testing import Case, load_cases, run_case

FOLDER = Path(__file__).parent / "packs"


@pytest.mark.parametrize("case", load_cases([FOLDER]), ids=str)
def test_a_pack_decides_as_its_cases_say(case: Case) -> None:
    """The cases are files that users can copy."""
    assert run_case(case).text == ""


def test_every_pack_has_cases_and_a_summary() -> None:
    """Named after it; the summary is what the packs page shows."""
    assert {path.name.removesuffix("-tests.toml") for path in FOLDER.iterdir()} == {*pack_names()}
    assert all(len(pack_summary(name)) > 60 for name in pack_names())


def including(*policies: str, **more: Any) -> dict[str, Any]:
    """A document that includes packs."""
    return {
        "version": 1,
        "default": "deny",
        "govern": ["dynamodb"],
        "policies": list(policies),
        **more,
    }


@pytest.mark.parametrize("name", pack_names())
def test_the_document_that_init_writes_for_a_pack_is_clean(name: str, tmp_path: Path) -> None:
    """It can be installed, and the lint has nothing to say about it."""
    path = tmp_path / "dynaguard.toml"
    path.write_text(pack_document(name), encoding="utf-8")

    document = load_policy(path, environ={})

    assert document.statements
    assert lint(document, now=datetime(2026, 1, 1, tzinfo=UTC)) == ()


def test_a_pack_comes_after_the_documents_own_statements() -> None:
    """Statements, masks and budgets; each statement names the pack as its file."""
    own = {"Sid": "Own", "Effect": "Allow", "Action": "dynamodb:Query", "Resource": "*"}
    document = load_policy(
        including("pack:batch-job", statement=[own], budget=[{"job": "own"}]), environ={}
    )

    assert [each.ref.sid for each in document.statements][:2] == ["Own", "JobReadsAndWritesItems"]
    assert document.statements[1].ref.source == "pack:batch-job"
    assert document.statements[1].ref.line > 0
    assert [each.jobs for each in document.budgets] == [("own",), ("nightly*",)]


def test_the_documents_variables_count_before_a_packs_own() -> None:
    """And those of the environment where the pack says so."""
    document = load_policy(including("pack:batch-job", variables={"tables": "dev-"}), environ={})
    region = load_policy(including("pack:required-region"), environ={"AWS_REGION": "eu-west-3"})

    assert document.statements[0].resources == ("arn:*:dynamodb:*:*:table/dev-*",)
    assert region.statements[0].conditions[0].values == ("eu-west-3",)


def test_what_is_in_force_has_a_digest_of_its_packs() -> None:
    """A pack that changes with a release changes the digest."""
    digests = {
        load_policy(including(*policies), environ={}).digest
        for policies in ((), ("pack:no-scans",), ("pack:batch-job",))
    }

    assert len(digests) == 3


def test_an_unknown_pack_names_the_nearest() -> None:
    """And all that there are."""
    with pytest.raises(PolicySyntaxError) as caught:
        load_policy(including("pack:no-scan"), environ={})

    assert "did you mean `pack:no-scans`?" in str(caught.value)
    assert "`pack:batch-job`" in str(caught.value)


@pytest.mark.parametrize(("name", "hint"), [("no-scan", "did you mean `no-scans`?"), ("x", "")])
def test_init_names_the_packs_that_there_are(name: str, hint: str) -> None:
    """And the nearest to one that there is not."""
    with pytest.raises(ConfigurationError) as caught:
        pack_document(name)

    assert hint in str(caught.value)
    assert "there are batch-job, " in str(caught.value)
