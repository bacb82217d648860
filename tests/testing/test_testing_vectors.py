"""Decision vectors: the published ones hold, and one that does not hold says how."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from dynaguard.cli.commands import cli
from dynaguard.errors import PolicySyntaxError
from dynaguard.testing import load_cases, run_cases
from tests.testing.policy_folder import folder

__all__ = ["folder"]  # the fixture


VECTORS = Path(__file__).parent.parent / "vectors"


@pytest.mark.parametrize("name", ["dynamodb-calls.jsonl", "own-calls.jsonl", "requests.jsonl"])
def test_the_published_vectors_hold(name: str) -> None:
    """Verdict, needed permissions and condition keys."""
    results = run_cases([VECTORS / name])

    assert [result.text for result in results if not result.holds] == []
    assert len(results) > 20


def vectors_in(folder: Path, *vectors: Any) -> Path:
    """A JSONL file of them, an empty line between."""
    path = folder / "vectors.jsonl"
    path.write_text("\n\n".join(map(json.dumps, vectors)), encoding="utf-8")
    return path


def first_of(name: str, **changed: Any) -> dict[str, Any]:
    """The first vector of a file, changed."""
    line = (VECTORS / name).read_text(encoding="utf-8").splitlines()[0]
    return {**json.loads(line), **changed}


@pytest.mark.parametrize(
    ("changed", "fragment"),
    [
        ({"expected": "deny"}, "expected deny, got allow"),
        (
            {"expected_authorizations": [{"action": "dynamodb:Scan", "resource": "*"}]},
            "expected dynamodb:Scan on * to be needed, got dynamodb:GetItem on arn:",
        ),
        (
            {
                "expected_authorizations": [
                    {
                        "action": "dynamodb:GetItem",
                        "resource": "arn:aws:dynamodb:eu-west-1:111122223333:table/GameScores",
                        "context": {"dynamodb:LeadingKeys": ["bob"]},
                        "absent": ["dynamodb:Select"],
                    }
                ]
            },
            "expected `dynamodb:LeadingKeys` of dynamodb:GetItem to be `bob`, got `alice`",
        ),
        (
            {"policies": [{"Version": "2012-10-17", "Statement": [{"Effect": "Alow"}]}]},
            "expected allow, the policy is refused: ",
        ),
    ],
)
def test_a_vector_that_does_not_hold_says_how(
    folder: Path, changed: dict[str, Any], fragment: str
) -> None:
    """The verdict, a permission or a condition key."""
    (result,) = run_cases([vectors_in(folder, first_of("dynamodb-calls.jsonl", **changed))])

    assert not result.holds
    assert fragment in result.text


def test_a_key_that_is_unknown_is_said_to_be(folder: Path) -> None:
    """Where a value or its absence is expected."""
    vector = first_of("dynamodb-calls.jsonl", table_schemas={})
    vector["expected_authorizations"][0]["absent"] = ["aws:ResourceTag/x"]

    (result,) = run_cases([vectors_in(folder, vector)])

    assert "to be `alice`, got unknown" in result.text
    assert "to be absent, got unknown" in result.text


def test_a_refused_policy_fails_closed(folder: Path) -> None:
    """Nothing would be installed with it."""
    changed = {
        "policies": [{"Version": "2012-10-17", "Statement": [{"Effect": "Alow"}]}],
        "expected": "fail_closed",
    }

    (result,) = run_cases([vectors_in(folder, first_of("requests.jsonl", **changed))])

    assert result.holds


@pytest.mark.parametrize(
    ("vector", "fragment"),
    [
        ([1], "is no JSON object"),
        ({"policies": [], "expected": "allow", "requst": {}}, "did you mean `request`?"),
        ({"request": {}, "policies": [], "expected": "alow"}, "did you mean `allow`?"),
        (first_of("requests.jsonl", request={}), "`principal` is missing"),
        (first_of("requests.jsonl", request=7), "another kind"),
        (first_of("dynamodb-calls.jsonl", table_schemas=7), "another kind"),
    ],
)
def test_a_vector_that_is_not_understood_is_an_error(
    folder: Path, vector: Any, fragment: str
) -> None:
    """With the line's number; good lines do not hide it."""
    path = vectors_in(folder, first_of("requests.jsonl"), vector)

    with pytest.raises(PolicySyntaxError) as caught:
        load_cases([path])

    assert fragment in str(caught.value)
    assert f"{path}:3" in str(caught.value)


@pytest.mark.parametrize("content", [b"{", b"\xff"])
def test_a_file_of_vectors_that_cannot_be_read_is_an_error(tmp_path: Path, content: bytes) -> None:
    """No JSON, no UTF-8, no file."""
    path = tmp_path / "vectors.jsonl"
    path.write_bytes(content)

    for each in (path, tmp_path / "none.jsonl"):
        with pytest.raises(PolicySyntaxError):
            load_cases([each])


def test_the_command_prints_vectors_without_a_call(folder: Path) -> None:
    """An action on a resource has no statements to explain."""
    path = vectors_in(folder, first_of("requests.jsonl", expected="ungoverned"))

    done = CliRunner().invoke(cli, ["test", str(path)])

    assert done.exit_code == 1
    assert "expected ungoverned" in done.output
