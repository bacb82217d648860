"""`check`: what the lint found, for people, programs and code hosts."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import jsonschema
import pytest
from click.testing import CliRunner, Result

from dynaguard.cli.commands import cli
from dynaguard.policy.lint import RULES

HEAD = 'version = 1\ndefault = "deny"\n'
NOTE = HEAD + (
    '[[statement]]\nSid = "All"\nEffect = "Allow"\nAction = "dynamodb:*"\n'
    'Resource = "arn:aws:dynamodb:*:*:table/[orders]"\n'
)
WARNING = NOTE + (
    '[[statement]]\nSid = "NoDeletes"\nEffect = "Deny"\nAction = ["dynamodb:DeleteItem"]\n'
    'Resource = "*"\n'
)
ERROR = WARNING + (
    '[[statement]]\nSid = "Wrong"\nEffect = "Deny"\nAction = ["dynamodb:TransactGetItems"]\n'
    'Resource = "*"\n'
)
CLEAN = NOTE + '[lint]\nignore = ["DG402:All"]\n'
SARIF = {
    "type": "object",
    "required": ["$schema", "version", "runs"],
    "properties": {
        "version": {"const": "2.1.0"},
        "runs": {
            "type": "array",
            "minItems": 1,
            "items": {
                "type": "object",
                "required": ["tool", "results"],
                "properties": {
                    "tool": {
                        "type": "object",
                        "required": ["driver"],
                        "properties": {
                            "driver": {
                                "type": "object",
                                "required": ["name", "rules"],
                                "properties": {
                                    "rules": {
                                        "type": "array",
                                        "items": {
                                            "type": "object",
                                            "required": ["id", "shortDescription", "help"],
                                        },
                                    }
                                },
                            }
                        },
                    },
                    "results": {
                        "type": "array",
                        "items": {"$ref": "#/$defs/result"},
                    },
                },
            },
        },
    },
    "$defs": {
        "result": {
            "type": "object",
            "required": ["ruleId", "ruleIndex", "level", "message", "locations"],
            "properties": {
                "level": {"enum": ["none", "note", "warning", "error"]},
                "message": {"type": "object", "required": ["text"]},
                "locations": {
                    "type": "array",
                    "minItems": 1,
                    "items": {
                        "type": "object",
                        "required": ["physicalLocation"],
                        "properties": {
                            "physicalLocation": {
                                "type": "object",
                                "required": ["artifactLocation", "region"],
                                "properties": {
                                    "artifactLocation": {
                                        "type": "object",
                                        "required": ["uri"],
                                        "properties": {"uri": {"type": "string", "minLength": 1}},
                                    },
                                    "region": {
                                        "type": "object",
                                        "required": ["startLine"],
                                        "properties": {
                                            "startLine": {"type": "integer", "minimum": 1}
                                        },
                                    },
                                },
                            }
                        },
                    },
                },
            },
        }
    },
}
"""The parts of the SARIF 2.1.0 schema that readers of results rely on."""
Check = Callable[..., Result]


@pytest.fixture
def check(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Check:
    """Runs `dynaguard check` on a text, in a folder of its own."""
    monkeypatch.chdir(tmp_path)

    def invoke(text: str, *options: str, name: str = "p.toml") -> Result:
        path = Path(name)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
        return CliRunner().invoke(cli, ["check", name, *options])

    return invoke


@pytest.mark.parametrize(
    ("text", "usual", "strict"),
    [(CLEAN, 0, 0), (NOTE, 0, 1), (WARNING, 1, 1), (ERROR, 1, 1), (HEAD + "x = 1\n", 2, 2)],
)
@pytest.mark.parametrize("output", ["text", "json", "sarif"])
def test_exit_codes(check: Check, text: str, usual: int, strict: int, output: str) -> None:
    """1 for a warning or worse, with --strict for a note too; the same for every output."""
    more = ("--output", output)

    assert check(text, *more).exit_code == usual
    assert check(text, "--strict", *more).exit_code == strict


def test_text_is_grouped_by_severity(check: Check) -> None:
    """The worst first; place, code, message and fix; a last line that sums up."""
    lines = check(ERROR).stdout.splitlines()

    assert lines == [
        "p.toml:13: error DG301: Wrong.Action[0]",
        (
            "    `dynamodb:TransactGetItems` is an API operation and no IAM action, so this "
            "denies "
            "nothing"
        ),
        "    fix: name what its members need: `dynamodb:GetItem`",
        "p.toml:8: warning DG204: NoDeletes.Action",
        (
            "    denies `dynamodb:DeleteItem`, but `dynamodb:BatchWriteItem` and "
            "`dynamodb:PartiQLDelete` do the same and are allowed"
        ),
        (
            "    fix: add `dynamodb:BatchWriteItem` and `dynamodb:PartiQLDelete` to this "
            "Deny, or do "
            "not allow them"
        ),
        "p.toml:3: note DG402: All.Action[0]",
        "    `dynamodb:*` allows to read, write, export and delete tables",
        "    fix: list the actions that are needed, `dynaguard init --from-audit` finds them",
        "p.toml: can be installed, 3 statements, 0 masks, 0 budgets, 1 error, 1 warning, 1 note",
    ]


def test_text_of_notes_alone(check: Check) -> None:
    """The document is ok, the note is told."""
    lines = check(NOTE).stdout.splitlines()

    assert lines[-1] == "p.toml: ok, 1 statement, 0 masks, 0 budgets, 1 note"


def test_budgets_and_masks_have_places_too(check: Check) -> None:
    """A finding need not be about a statement; several are counted."""
    done = check(HEAD + '[[budget]]\n[[budget]]\njob = "a"\n[[budget]]\njob = "b"\n')

    assert "p.toml:4: warning DG106: budget[1]\n" in done.stdout
    assert done.stdout.endswith("2 warnings\n")


def test_json_has_the_findings(check: Check) -> None:
    """Beside what it had before."""
    found = json.loads(check(WARNING, "--output", "json").stdout)

    assert found["is_valid"] is True
    assert found["statements"] == 2
    assert [each["code"] for each in found["findings"]] == ["DG402", "DG204"]
    assert found["findings"][1]["ref"] == {"sid": "NoDeletes", "source": "p.toml", "line": 8}
    assert {"severity", "message", "fix", "path"} <= set(found["findings"][1])


def _sarif(done: Result) -> Any:
    """The one run of a log that has SARIF's structure."""
    log = json.loads(done.stdout)
    jsonschema.validate(log, SARIF)
    (run,) = log["runs"]
    for result in run["results"]:
        assert run["tool"]["driver"]["rules"][result["ruleIndex"]]["id"] == result["ruleId"]
    return run


def _places(run: Any) -> list[tuple[str, str, int]]:
    """Rule, file and line of each result."""
    found = [(each["ruleId"], each["locations"][0]["physicalLocation"]) for each in run["results"]]
    return [
        (rule, place["artifactLocation"]["uri"], place["region"]["startLine"])
        for rule, place in found
    ]


def test_sarif_has_rules_results_and_places(check: Check) -> None:
    """Every rule is described, whether it found something or not."""
    run = _sarif(check(ERROR, "--output", "sarif"))

    assert [rule["id"] for rule in run["tool"]["driver"]["rules"]] == list(RULES)
    assert run["tool"]["driver"]["rules"][0]["name"] == "UnreachableAllow"
    assert _places(run) == [
        ("DG402", "p.toml", 3),
        ("DG204", "p.toml", 8),
        ("DG301", "p.toml", 13),
    ]
    assert [each["level"] for each in run["results"]] == ["note", "warning", "error"]
    assert "fix: name what its members need" in run["results"][2]["message"]["text"]


def test_sarif_of_a_clean_document_has_no_results(check: Check) -> None:
    """An empty list, so that code hosts close what was open."""
    assert _sarif(check(CLEAN, "--output", "sarif"))["results"] == []


def test_sarif_names_included_files_from_the_working_directory(check: Check) -> None:
    """Not from the document's folder, which readers do not know; blanks are escaped."""
    Path("my policies").mkdir()
    Path("my policies/iam.json").write_text(
        json.dumps(
            {
                "Version": "2012-10-17",
                "Statement": [
                    {"Effect": "Deny", "Action": "dynamodb:GetItems", "Resource": "*"},
                ],
            },
            indent=1,
        )
    )
    text = HEAD + 'policies = ["iam.json"]\n'

    run = _sarif(check(text, "--output", "sarif", name="my policies/p.toml"))

    assert _places(run) == [("DG302", "my%20policies/iam.json", 4)]


@pytest.mark.parametrize(
    ("text", "place", "fragment"),
    [
        (HEAD + "x = 1\n", ("DG001", "p.toml", 3), "x: unknown key `x`"),
        ("", ("DG001", "p.toml", 1), "is empty"),
        (HEAD + '[settings]\nmod = "x"\n', ("DG001", "p.toml", 1), "mod"),
    ],
)
def test_sarif_of_a_document_with_problems(
    check: Check, text: str, place: tuple[str, str, int], fragment: str
) -> None:
    """They are results of a rule of their own."""
    run = _sarif(check(text, "--output", "sarif"))

    assert _places(run)[0] == place
    assert fragment in run["results"][0]["message"]["text"]
