"""The published decision vectors hold in both evaluators."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from dynaguard.call import Authorization, Principal, Verdict
from dynaguard.policy import reference
from dynaguard.policy.matcher import CompiledPolicy
from dynaguard.testing import load_cases, run_case
from tests.policy.iam_documents import document_of

APPROVALS = Path(__file__).parent.parent / "vectors" / "approvals.jsonl"
LINES = (Path(__file__).parent.parent / "vectors" / "requests.jsonl").read_text().splitlines()
VECTORS = [json.loads(line) for line in LINES]


@pytest.mark.parametrize("vector", VECTORS, ids=[vector["id"] for vector in VECTORS])
def test_vector_is_decided_as_published(vector: dict[str, Any]) -> None:
    """What is listed in the context is known, all else is known to be absent."""
    document = document_of(*vector["policies"])
    request = vector["request"]
    context = {
        key.lower(): tuple(value) if isinstance(value, list) else (value,)
        for key, value in request["context"].items()
    }
    asked = (
        Authorization(request["action"], request["resource"]),
        Principal(arns=(request["principal"],), arns_complete=True),
        lambda key: context.get(key, ()),
    )

    verdicts = {
        CompiledPolicy(document).rule(*asked).verdict,
        reference.rule(document, *asked).verdict,
    }

    if vector["expected"] == "fail_closed":
        assert Verdict.ALLOW not in verdicts
    else:
        assert verdicts == {Verdict(vector["expected"])}


@pytest.mark.parametrize("case", load_cases([APPROVALS]), ids=str)
def test_an_approval_is_required_as_published(case: Any) -> None:
    """Of actions on resources and of whole calls, by both evaluators."""
    result = run_case(case)
    assert result.holds, result.text

    if case.authorization is not None and case.refusal is None:
        known = {key.lower(): values for key, values in case.context.items()}
        asked = case.document, case.authorization, case.principal
        ruling = reference.rule(*asked, lambda key: known.get(key, ()))
        assert ruling.verdict.value == result.verdict
