"""Loading policy documents: the same model from every format, every problem with its place."""

from __future__ import annotations

import json
import os
from dataclasses import replace
from typing import Any

import pytest
import yaml

from dynaguard.errors import MissingExtraError
from dynaguard.policy.loading import load_policy
from dynaguard.policy.model import (
    MaskStep,
    NamePattern,
    PolicyDocument,
    PrincipalPattern,
    TableSchema,
)
from tests.policy.policy_texts import DESIGN_EXAMPLE, HEAD, IAM, write

__all__ = ["write"]  # the fixture


FULL: dict[str, Any] = {
    "version": 1,
    "revision": "7",
    "default": "allow",
    "govern": ["dynamodb"],
    "variables": {"environment": "prod"},
    "groups": {
        "jobs": ["arn:aws:iam::*:role/etl-*", "oidc:repository=acme/*", "sso:role=DataEngineer"],
        "all": "*",
    },
    "owners": {
        "data-platform": {"Group": "jobs", "AWS": "arn:aws:iam::*:role/rollup"},
        "ops@acme.example": ["111122223333", "*"],
    },
    "tables": {"orders": {"key": "pk"}},
    "context": {"aws:SourceVpce": "vpce-1", "aws:MultiFactorAuthPresent": True, "aws:x": [1, 2.5]},
    "settings": {"mode": "observe"},
    "statement": [
        {
            "Effect": "Deny",
            "NotPrincipal": {"AWS": ["111122223333", "arn:aws:iam::*:role/x"], "Group": ["jobs"]},
            "NotAction": "dynamodb:Get*",
            "NotResource": ["*"],
            "Condition": {
                "NumericLessThanIfExists": {"dynaguard:Limit": 100},
                "Bool": {"aws:SecureTransport": False},
                "Null": {"dynamodb:LeadingKeys": "false"},
                "DateLessThan": {"aws:CurrentTime": "2030-01-01T00:00:00Z"},
                "IpAddress": {"aws:SourceIp": ["10.0.0.0/8", "2001:db8::/32"]},
                "StringLike": {"aws:PrincipalTag/team": "${aws:username}"},
            },
            "Mode": "observe",
        },
        {"Sid": "Any", "Effect": "Allow", "Principal": "*", "Action": "*", "Resource": "*"},
    ],
    "mask": [
        {
            "Sid": "M",
            "tables": "*",
            "attributes": ["a[0].b", ["name.with.dots", "sub"], "c[*]"],
            "with": "hash",
            "only": "arn:aws:iam::*:role/x",
            "keep": 0,
        }
    ],
    "budget": [{"job": ["a", "b"], "max_tokens": 5, "min_retries_per_s": 0, "Mode": "observe"}],
}


def without_places(document: PolicyDocument) -> PolicyDocument:
    """The document without what differs from file to file."""

    def bare(entry: Any) -> Any:
        return replace(entry, ref=replace(entry.ref, source="", line=0))

    return replace(
        document,
        statements=tuple(map(bare, document.statements)),
        masks=tuple(map(bare, document.masks)),
        budgets=tuple(map(bare, document.budgets)),
        settings_line_by_name={},
        source="",
        digest="",
    )


def test_the_example_of_the_documentation_loads(write: Any) -> None:
    """Every section of the grammar, an included IAM policy, a variable with its default."""
    path = write(DESIGN_EXAMPLE)
    write(json.dumps(IAM, indent=1), "iam/read.json")

    document = load_policy(path, environ={})

    first, included = document.statements
    assert document.govern == {"dynamodb", "ssm"}
    assert first.resources == ("arn:aws:dynamodb:*:*:table/dev-orders*",)
    assert first.principals == (PrincipalPattern("group", "batch-processors"),)
    assert (first.ref.sid, first.ref.line) == ("EtlReadsOrders", 16)
    assert included.resources == ("arn:aws:s3:::data-dev/*",)
    assert str(included.ref.source) == os.path.join("iam", "read.json")  # noqa: PTH118
    assert isinstance(document.tables["orders"], TableSchema)
    assert document.masks[0].attributes == (
        ("email",),
        ("profile", "ssn"),
        ("cards", MaskStep.EACH, "number"),
    )
    assert document.budgets[0].jobs == ("nightly-*",)


def test_every_form_of_a_mask_loads() -> None:
    """Paths by steps, detectors, services, audiences, operations."""
    masks = [
        {
            "Sid": "A",
            "tables": "t",
            "attributes": [["a.b", 0, "[*]", "**", "c*"], "x?.y", "**.z"],
            "operations": ["Query", "Batch*"],
            "detect": ["email", "badge", "custom:mine"],
            "with": "tokenize",
            "unseal": "*",
        },
        {"services": "ssm", "except": ["kms"], "with": "custom:mine", "keep": 0},
    ]
    document = load_policy(
        {"version": 1, "default": "deny", "detectors": {"badge": "B+"}, "mask": masks}, environ={}
    )

    first, second = document.masks
    assert first.attributes == (
        ("a.b", 0, MaskStep.EACH, MaskStep.ANY_DEPTH, "c*"),
        (NamePattern("x?"), "y"),
        (MaskStep.ANY_DEPTH, "z"),
    )
    assert (first.operations, first.detectors) == (
        ("Query", "Batch*"),
        ("email", "badge", "custom:mine"),
    )
    assert first.unseal == (PrincipalPattern("arn", "*"),)
    assert (second.services, second.except_services) == (("ssm",), ("kms",))
    assert (second.strategy, second.tables, second.keep) == ("custom:mine", (), 0)
    assert document.detectors == {"badge": "B+"}


def test_a_variable_comes_from_the_environment(write: Any) -> None:
    """And falls back to its default when the variable is empty."""
    path = write(
        HEAD
        + '[variables]\nstage = { env = "STAGE", default = "dev" }\n'
        + '[[statement]]\nEffect = "Allow"\nAction = "dynamodb:*"\n'
        + 'Resource = "arn:aws:dynamodb:*:*:table/${stage}-*"\n'
    )

    assert "prod-*" in load_policy(path, environ={"STAGE": "prod"}).statements[0].resources[0]
    assert "dev-*" in load_policy(path, environ={"STAGE": ""}).statements[0].resources[0]


def test_every_format_gives_the_same_model(write: Any) -> None:
    """A mapping, JSON and YAML of the same content, and TOML where it can say it."""
    from_mapping = load_policy(FULL, environ={})
    from_json = load_policy(write(json.dumps(FULL, indent=2), "p.json"), environ={})
    from_yaml = load_policy(write(yaml.safe_dump(FULL, sort_keys=False), "p.yaml"), environ={})
    toml_like = {key: value for key, value in FULL.items() if key in ("version", "default")}
    from_toml = load_policy(write('version = 1\ndefault = "allow"\n'), environ={})

    assert without_places(from_json) == without_places(from_mapping)
    assert without_places(from_yaml) == without_places(from_mapping)
    assert without_places(from_toml) == without_places(load_policy(toml_like, environ={}))
    assert from_mapping.environment == "prod"
    assert from_mapping.version == "7"
    assert load_policy({**FULL, "revision": 7}, environ={}).version == "7"
    assert from_mapping.context["aws:x"] == ("1", "2.5")
    assert from_mapping.statements[0].is_observed


def test_a_plain_iam_policy_is_a_document(write: Any) -> None:
    """It denies by default; without `Version` it is of 2008 and knows no variables."""
    old = {"Id": "x", "Statement": [{"Effect": "Allow", "Action": "s3:*", "Resource": "*"}]}

    current = load_policy(write(json.dumps(IAM), "a.json"), environ={})
    from_2008 = load_policy(old, environ={})

    assert current.default == "deny"
    assert current.statements[0].has_variables
    assert current.govern == {"s3"}
    assert not from_2008.statements[0].has_variables


@pytest.mark.parametrize(
    ("statement", "govern"),
    [
        ({"Action": ["DynamoDB:Get*", "s3:*"]}, {"dynamodb", "s3"}),
        ({"Action": "*"}, None),
        ({"NotAction": "s3:*"}, None),
    ],
)
def test_without_govern_the_services_that_statements_name_are_governed(
    statement: dict[str, Any], govern: set[str] | None
) -> None:
    """A statement about everything governs everything."""
    document = {
        "version": 1,
        "default": "deny",
        "statement": [{"Effect": "Allow", "Resource": "*", **statement}],
    }

    assert load_policy(document, environ={}).govern == govern


def test_the_digest_follows_every_byte_of_every_file(write: Any) -> None:
    """An included policy counts."""
    path = write(HEAD + 'policies = ["iam/*.json"]\n')
    included = write(json.dumps(IAM).replace("-${stage}", ""), "iam/a.json")
    before = load_policy(path, environ={}).digest
    included.write_text(included.read_text() + " ")

    assert load_policy(path, environ={}).digest != before


def test_yaml_without_pyyaml_names_the_extra(write: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """The install command is in the error."""
    monkeypatch.setitem(__import__("sys").modules, "yaml", None)

    with pytest.raises(MissingExtraError, match=r"dynaguard\[yaml\]"):
        load_policy(write("version: 1\n", "p.yaml"), environ={})
