"""Every lint rule finds what it is for, and keeps quiet about what only looks like it."""

from __future__ import annotations

import json
import tomllib
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from dynaguard.aws.dynamodb.operations import READER_BY_OPERATION
from dynaguard.errors import PolicySyntaxError
from dynaguard.policy.lint import RULES, Finding, lint
from dynaguard.policy.lint.actions import (
    ACTIONS,
    ACTIONS_BY_OPERATION,
    INDEX_ACTIONS,
    OTHER_WAYS,
    RETURNING_WRITES,
    SELECTING_READS,
    UNBOUND_ACTIONS,
    UNKEYED_READS,
)
from dynaguard.policy.lint.rules import rules_markdown
from dynaguard.policy.loading import load_policy
from dynaguard.policy.starter import starter_document
from tests.policy.lint_cases import FOUND
from tests.policy.lint_near_misses import NOT_FOUND
from tests.policy.lint_statements import allow, deny, when

NOW = datetime(2026, 11, 21, tzinfo=UTC)
REPOSITORY = Path(__file__).resolve().parent.parent.parent


def _lint(case: Any, **more: Any) -> tuple[Finding, ...]:
    """The findings of a case: statements, or a document."""
    content = case if isinstance(case, dict) else {"statement": case}
    document = load_policy({"version": 1, "default": "deny", **content, **more}, environ={})
    return lint(document, now=NOW)


def _cases(table: dict[str, list[Any]]) -> list[Any]:
    return [
        pytest.param(code, case, id=f"{code}-{at}")
        for code, cases in table.items()
        for at, case in enumerate(cases)
    ]


@pytest.mark.parametrize(("code", "case"), _cases(FOUND))
def test_a_rule_finds(code: str, case: Any) -> None:
    """Once or more, at its own severity, with a message and a fix on one line each."""
    found = [finding for finding in _lint(case) if finding.code == code]

    assert found
    for finding in found:
        assert finding.severity == RULES[code].severity
        assert finding.message
        assert finding.fix
        assert str(finding).isprintable()


@pytest.mark.parametrize(("code", "case"), _cases(NOT_FOUND))
def test_a_rule_keeps_quiet(code: str, case: Any) -> None:
    """About the near misses."""
    assert code not in {finding.code for finding in _lint(case)}


def test_every_rule_has_cases_of_both_kinds() -> None:
    """A rule without a near miss would not show where it ends."""
    assert set(FOUND) == set(NOT_FOUND) == set(RULES)


@pytest.mark.parametrize("code", RULES)
def test_the_example_of_a_rule_has_it(code: str) -> None:
    """As the reference page says it stands: below `version` and `default`."""
    content = tomllib.loads(RULES[code].example)

    assert code in {finding.code for finding in _lint(content)}


def test_the_page_has_every_rule() -> None:
    """The table links to each section."""
    page = rules_markdown()

    for code, rule in RULES.items():
        assert f"(#{code.lower()}-{rule.name})" in page
        assert f"### {code} {rule.name}" in page


@pytest.mark.parametrize(
    ("case", "expected"),
    [
        (
            [allow("Query Scan"), deny("Scan", "*", Sid="NoScans")],
            (
                "<policy>: DG102 statement[0].Action[1]: `dynamodb:Scan` can never be "
                "allowed here, "
                "NoScans (<policy>) denies it; fix: remove the action, or narrow `NoScans`"
            ),
        ),
        (
            [allow("dynamodb:getitms")],
            (
                "<policy>: DG302 statement[0].Action[0]: DynamoDB has no action "
                "`dynamodb:getitms`, "
                "so this allows nothing; fix: write `dynamodb:GetItem`"
            ),
        ),
        (
            [
                allow(
                    "PutItem UpdateItem",
                    **when("ForAllValues:StringLike", "dynamodb:Attributes", "a"),
                )
            ],
            (
                "<policy>: DG203 statement[0].Condition.ForAllValues:StringLike."
                "dynamodb:Attributes: "
                "`dynamodb:Attributes` holds the attributes that a request names; "
                "`dynamodb:PutItem` and `dynamodb:UpdateItem` with `ReturnValues` give the whole "
                'item back; fix: add `StringEqualsIfExists = { "dynamodb:ReturnValues" = ["NONE", '
                '"UPDATED_OLD", "UPDATED_NEW"] }`'
            ),
        ),
        (
            [deny("Xyzzy")],
            (
                "<policy>: DG302 statement[0].Action[0]: DynamoDB has no action "
                "`dynamodb:Xyzzy`, so "
                "this denies nothing; fix: remove it, or look its name up"
            ),
        ),
        (
            [{"Effect": "Deny", "NotAction": "dynamodb:TransactGetItems", "Resource": "*"}],
            (
                "<policy>: DG301 statement[0].NotAction[0]: `dynamodb:TransactGetItems` is an API "
                "operation and no IAM action, so this excepts nothing; fix: name what its members "
                "need: `dynamodb:GetItem`"
            ),
        ),
        (
            [allow("GetItem", "*", Sid="Reads")],
            (
                "<policy>: DG401 Reads.Resource[0]: allows `dynamodb:GetItem` on every "
                "table of every "
                "account and region; fix: name the tables, such as "
                "`arn:aws:dynamodb:*:*:table/orders`"
            ),
        ),
        (
            [allow("PartiQLSelect ExportTableToPointInTime"), deny("Scan")],
            (
                "<policy>: DG204 statement[1].Action: denies `dynamodb:Scan`, but "
                "`dynamodb:PartiQLSelect` and `dynamodb:ExportTableToPointInTime` do the "
                "same and are "
                "allowed; fix: add `dynamodb:PartiQLSelect` and "
                "`dynamodb:ExportTableToPointInTime` "
                "to this Deny, or do not allow them"
            ),
        ),
    ],
)
def test_a_finding_reads_as_a_sentence(case: Any, expected: str) -> None:
    """Place, code, what is so and why, what to do."""
    assert expected in [str(finding) for finding in _lint(case)]


def test_a_finding_has_file_and_line(tmp_path: Path) -> None:
    """Those of its statement, in the file that it stands in; findings come in that order."""
    (tmp_path / "iam.json").write_text(
        json.dumps({"Version": "2012-10-17", "Statement": [allow("TransactGetItems")]}, indent=1)
    )
    path = tmp_path / "p.toml"
    path.write_text(
        'version = 1\ndefault = "deny"\npolicies = ["iam.json"]\n[[statement]]\n'
        'Sid = "A"\nEffect = "Allow"\nAction = "dynamodb:*"\nResource = "*"\n'
    )

    found = lint(load_policy(path, environ={}), now=NOW)

    assert [(each.code, each.ref.source, each.ref.line) for each in found] == [
        ("DG401", str(path), 4),
        ("DG402", str(path), 4),
        ("DG103", "iam.json", 4),
        ("DG301", "iam.json", 4),
    ]
    assert str(found[0]).startswith(f"{path}:4: DG401 A.Resource[0]: ")


# --- what the author has weighed ----------------------------------------------------------------


@pytest.mark.parametrize(
    ("ignored", "left"),
    [
        ([], ["DG402", "DG402"]),
        (["DG402"], []),
        (["DG402:A"], ["DG402"]),
        (["DG402:A", "DG402:B"], []),
        (["DG401"], ["DG402", "DG402"]),
    ],
)
def test_a_weighed_finding_is_not_reported(ignored: list[str], left: list[str]) -> None:
    """Everywhere, or for one Sid."""
    statements = [allow("dynamodb:*", Sid="A"), allow("dynamodb:*", f"{TABLE_B}", Sid="B")]
    more = {"lint": {"ignore": ignored}} if ignored else {"lint": {}}

    assert [finding.code for finding in _lint(statements, **more)] == left


TABLE_B = "arn:aws:dynamodb:*:*:table/b"


@pytest.mark.parametrize(
    ("section", "fragment"),
    [
        ({"ignore": "DG42"}, "`DG42` is the code of no finding, did you mean `DG402`?"),
        ({"ignore": ["DG402:Reed"]}, "no statement is called `Reed`, did you mean `Read`?"),
        ({"ignored": ["DG402"]}, "unknown key `ignored`, did you mean `ignore`?"),
        ({"ignore": 1}, "must be"),
        ([], "must be a table"),
    ],
)
def test_what_is_ignored_must_exist(section: Any, fragment: str) -> None:
    """A misspelt code would leave the author believing that it is silent."""
    with pytest.raises(PolicySyntaxError) as caught:
        _lint([allow("GetItem", Sid="Read")], lint=section)

    assert fragment in str(caught.value)


# --- the table of actions -----------------------------------------------------------------------


def test_the_actions_are_those_that_operations_ask_for() -> None:
    """Each operation is an action of its name, or is listed with the actions that it needs."""
    operations = set(READER_BY_OPERATION)

    assert operations - ACTIONS == set(ACTIONS_BY_OPERATION)
    assert not ACTIONS & set(ACTIONS_BY_OPERATION)


def test_the_tables_name_actions_that_exist() -> None:
    """None of them is misspelt."""
    named = {
        *UNBOUND_ACTIONS,
        *UNKEYED_READS,
        *SELECTING_READS,
        *RETURNING_WRITES,
        *INDEX_ACTIONS,
        *OTHER_WAYS,
        *(name for ways in OTHER_WAYS.values() for name in ways),
        *(name for needed in ACTIONS_BY_OPERATION.values() for name in needed),
    }

    assert named <= ACTIONS


# --- the documents of this repository -----------------------------------------------------------


def _published() -> list[Any]:
    """Every whole policy document in the README and the docs, the demo's, and the starter."""
    pages = [REPOSITORY / "README.md", *sorted((REPOSITORY / "docs").rglob("*.md"))]
    blocks = [
        pytest.param(block, id=f"{page.name}-{at}")
        for page in pages
        for at, block in enumerate(_toml_blocks(page.read_text(encoding="utf-8")))
        if "version" in tomllib.loads(block)
    ]
    demo = (REPOSITORY / "dynaguard/demo/policy.toml").read_text(encoding="utf-8")
    return [
        *blocks,
        pytest.param(demo, id="demo"),
        pytest.param(starter_document(), id="starter"),
    ]


def _toml_blocks(page: str) -> list[str]:
    return [part.partition("```")[0] for part in page.split("```toml\n")[1:]]


@pytest.mark.parametrize("text", _published())
def test_what_is_published_is_clean(text: str) -> None:
    """What the project shows, users copy."""
    content = tomllib.loads(text)
    content.pop("policies", None)

    assert [str(finding) for finding in _lint(content)] == []
