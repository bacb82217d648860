"""Loading policy documents: the same model from every format, every problem with its place."""

from __future__ import annotations

import contextlib
import json
import os
import tempfile
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from dynaguard.errors import MissingExtraError, PolicySyntaxError
from dynaguard.policy.loading import load_policy
from dynaguard.policy.model import (
    BudgetStatement,
    CapacityLimit,
    KeySchema,
    MaskStep,
    NamePattern,
    PolicyDocument,
    PrincipalPattern,
    TableSchema,
)
from dynaguard.scope import Priority

HEAD = 'version = 1\ndefault = "deny"\n'
DESIGN_EXAMPLE = """\
version  = 1
default  = "deny"
govern   = ["dynamodb", "ssm"]
policies = ["iam/*.json"]

[variables]
stage = { env = "STAGE", default = "dev" }

[groups]
batch-processors = ["arn:aws:iam::*:role/etl-*", "arn:aws:lambda:*:*:function:nightly-*"]

[tables.orders]
key = ["customer_id", "order_id"]
indexes.by_status = ["status", "created_at"]

[[statement]]
Sid       = "EtlReadsOrders"
Effect    = "Allow"
Principal = { Group = "batch-processors" }
Action    = ["dynamodb:Query", "dynamodb:GetItem"]
Resource  = "arn:aws:dynamodb:*:*:table/${stage}-orders*"
Condition = { StringEquals = { "aws:RequestedRegion" = "eu-west-1" }, \
"ForAllValues:StringEquals" = { "dynamodb:Attributes" = ["customer_id", "order_id", "total"] } }

[[mask]]
tables     = ["*-customers"]
attributes = ["email", "profile.ssn", "cards[*].number"]
with       = "partial"
unless     = { Group = "support-leads" }

[[budget]]
job = "nightly-*"
tables = ["*-orders"]
retry_ratio = 0.1
"""
IAM = {
    "Version": "2012-10-17",
    "Statement": {
        "Effect": "Allow",
        "Action": "s3:GetObject",
        "Resource": "arn:aws:s3:::data-${stage}/*",
    },
}
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


@pytest.fixture
def write(tmp_path: Path) -> Callable[..., Path]:
    """Writes a document and gives its path."""

    def put(text: str | bytes, name: str = "policy.toml") -> Path:
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(text.encode() if isinstance(text, str) else text)
        return path

    return put


def problems_of(source: Any, **environ: str) -> list[Any]:
    """The problems of a document that must have some."""
    with pytest.raises(PolicySyntaxError) as caught:
        load_policy(source, environ=environ)
    return list(caught.value.problems)


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


STATEMENT = '[[statement]]\nEffect = "Allow"\nAction = "dynamodb:GetItem"\nResource = "*"\n'
# (text after version and default, line, fragment of the message)
BAD_TOML = [
    ("gover = []\n", 3, "did you mean `govern`"),
    ("govern = [3]\n", 3, "must be text"),
    ('govern = ["Dynamo DB"]\n', 3, "no IAM service prefix"),
    ('govern = [""]\n', 3, "is empty"),
    ("revision = 1.5\n", 3, "must be text"),
    ("policies = []\n[variables]\nx = 3\n", 5, "must be text or a table"),
    ('policies = ["nothing/*.json"]\n', 3, "matches no file"),
    ('[variables]\nx = "a*b"\n', 4, "never brings in wildcards"),
    ('[variables]\n"x y" = "a"\n', 4, "no variable name"),
    ('[variables]\nx = { env = "NOT_SET" }\n', 4, "`NOT_SET` is not set"),
    ("[variables]\nx = { default = 'd' }\n", 4, "`env` is missing"),
    ("[variables]\nx = { env = 'X', defalt = 'd' }\n", 4, "did you mean `default`"),
    ('[variables]\nstage = "a"\n[context]\n"aws:x" = "${stag}"\n', 6, "did you mean `stage`"),
    ('groups = "x"\n', 3, "must be a table"),
    ('[groups]\nx = "role/etl"\n', 4, "no ARN pattern"),
    ("[groups]\nx = []\n", 4, "empty list"),
    ('[groups]\nx = "oidc:repository"\n', 4, "has no claim or no value"),
    ('[groups]\nx = "oidc:sub="\n', 4, "has no claim or no value"),
    ('[groups]\nx = "oidc:=acme"\n', 4, "has no claim or no value"),
    ('[groups]\nx = "sso:role"\n', 4, "has no claim or no value"),
    ('[groups]\nx = "sso:rol=Data"\n', 4, "did you mean `sso:role`"),
    ('[groups]\nx = "sso:=Data"\n', 4, "is none of `sso:role`"),
    ('owners = "x"\n', 3, "must be a table"),
    ("[owners]\nx = []\n", 4, "empty list"),
    ("[owners]\nx = 3\n", 4, "must be text"),
    ('[owners]\nx = "role/etl"\n', 4, "no ARN pattern"),
    ('[owners]\n"" = "*"\n', 4, "1 to 256 characters"),
    ('[owners]\nx = { Grup = "a" }\n', 4, "did you mean `Group`"),
    ('[owners]\nx = { Group = "etl" }\n', 4, "unknown group `etl`, list its members"),
    ('[groups]\njobs = "*"\n[owners]\nx = { Group = "job" }\n', 6, "did you mean `jobs`"),
    ("[tables.orders]\n", 3, "`key` is missing"),
    ('[tables.orders]\nkey = ["a", "b", "c"]\n', 4, "one or two"),
    ('[tables]\norders = "pk"\n', 4, "must be a table"),
    ('[tables.o]\nkey = "a"\nkeys = 1\n', 5, "did you mean `key`"),
    ("[context]\nfoo = 1\n", 4, "no condition key"),
    ('[context]\n"aws:x" = { a = 1 }\n', 4, "must be text, number"),
    ("statement = 3\n", 3, "must be a list of tables"),
    ("statement = [3]\n", 3, "must be a table"),
    (STATEMENT + 'Efect = "x"\n', 7, "did you mean `Effect`"),
    (STATEMENT.replace("Effect", "effect"), 4, "did you mean `Effect`"),
    (STATEMENT.replace('Effect = "Allow"\n', ""), 3, "`Effect` is missing"),
    (STATEMENT.replace("Allow", "allow"), 4, "did you mean `Allow`"),
    (STATEMENT.replace("Allow", "RequireAproval"), 4, "did you mean `RequireApproval`"),
    (STATEMENT.replace('"Allow"', "true"), 4, "is a boolean"),
    (STATEMENT.replace('Action = "dynamodb:GetItem"\n', ""), 3, "`Action` is missing"),
    (STATEMENT + 'NotAction = "s3:*"\n', 3, "both `Action` and `NotAction`"),
    (STATEMENT.replace("dynamodb:GetItem", "dynamodb:Get Item"), 5, "no action"),
    (STATEMENT.replace("dynamodb:GetItem", "*:GetItem"), 5, "no action"),
    (STATEMENT.replace("dynamodb:GetItem", "GetItem,PutItem"), 5, "no action"),
    (STATEMENT.replace('"*"', '"table/orders"'), 6, "no ARN"),
    (STATEMENT.replace('"*"', '"arn:aws:sqs:*"'), 6, "no ARN"),
    (STATEMENT.replace('"*"', '"arn:aws:*:*:*:x"'), 6, "the service must be written out"),
    (STATEMENT.replace('"*"', '"arn:awz:dynamodb:*:*:table/x"'), 6, "no partition"),
    (STATEMENT.replace('"*"', '"arn:aws:dynamodb:*:12:table/x"'), 6, "no account"),
    (STATEMENT.replace('"*"', '"arn:aws:dynamodb:*:*:*/x"'), 6, "kind of resource"),
    (STATEMENT.replace('"*"', '"arn:aws:dynamodb:*:*:"'), 6, "resource is missing"),
    (STATEMENT.replace('"*"', "[]"), 6, "empty list"),
    (STATEMENT + "Sid = 3\n", 7, "printable text"),
    (STATEMENT + 'Sid = "A"\n' + STATEMENT + 'Sid = "A"\n', 12, "stands twice"),
    (STATEMENT + 'Mode = "obsrve"\n', 7, "did you mean `observe`"),
    (STATEMENT + 'Principal = "*"\nNotPrincipal = "*"\n', 3, "both `Principal`"),
    (STATEMENT + "Principal = {}\n", 7, "is empty"),
    (STATEMENT + 'Principal = { Grup = "x" }\n', 7, "did you mean `Group`"),
    (
        '[groups]\njobs = "*"\n' + STATEMENT + 'Principal = { Group = "job" }\n',
        9,
        "did you mean `jobs`",
    ),
    (STATEMENT + 'Condition = { StringEqual = { "aws:x" = "1" } }\n', 7, "`StringEquals`"),
    (STATEMENT + 'Condition = { "ForAllValues:Null" = { "aws:x" = "true" } }\n', 7, "neither"),
    (STATEMENT + 'Condition = { NullIfExists = { "aws:x" = "true" } }\n', 7, "neither"),
    (STATEMENT + 'Condition = { NumericEquals = { "aws:x" = "ten" } }\n', 7, "write a number"),
    (STATEMENT + 'Condition = { NumericEquals = { "aws:x" = inf } }\n', 7, "write a number"),
    (STATEMENT + 'Condition = { DateLessThan = { "aws:x" = "tomorrow" } }\n', 7, "a date"),
    (STATEMENT + 'Condition = { Bool = { "aws:x" = "yes" } }\n', 7, "`true` or `false`"),
    (STATEMENT + 'Condition = { IpAddress = { "aws:x" = "10.0.0.300" } }\n', 7, "IP address"),
    (STATEMENT + "Condition = { StringEquals = { nokey = 1 } }\n", 7, "no condition key"),
    (STATEMENT + 'Condition = { StringEquals = { "aws:x" = [] } }\n', 7, "empty list"),
    (STATEMENT + 'Condition = { StringEquals = { "aws:x" = {} } }\n', 7, "must be text, number"),
    (STATEMENT + 'Condition = { StringEquals = { "dynaguard:Jobb" = "x" } }\n', 7, "did you mean"),
    (
        STATEMENT + 'Condition = { StringEquals = { "dynamodb:Attributes" = "x" } }\n',
        7,
        "several values",
    ),
    (STATEMENT + "Condition = 3\n", 7, "must be a table"),
    ("[[mask]]\ntables = ['*']\n", 3, "`attributes` is missing"),
    ("[[mask]]\nattributes = ['a']\n", 3, "`tables` is missing"),
    ("[[mask]]\ntables = ['*']\nattributes = ['a']\nwith = 'drop'\n", 6, "would lose"),
    ("[[mask]]\ntables = ['*']\nattributes = ['a']\nwith = 'redct'\n", 6, "`redact`"),
    ("[[mask]]\ntables = ['*']\nattributes = ['a..b']\n", 5, "no attribute path"),
    ("[[mask]]\ntables = ['*']\nattributes = ['a[x]']\n", 5, "no attribute path"),
    ("[[mask]]\ntables = ['*']\nattributes = ['[0]']\n", 5, "no attribute path"),
    ("[[mask]]\ntables = ['*']\nattributes = ['a[0]b']\n", 5, "no attribute path"),
    ("[[mask]]\ntables = ['*']\nattributes = [['a', -3]]\n", 5, "no attribute path"),
    ("[[mask]]\ntables = ['*']\nattributes = [['a', true]]\n", 5, "no attribute path"),
    ("[[mask]]\ntables = ['*']\nattributes = [['[*]', 'a']]\n", 5, "no attribute path"),
    ("[[mask]]\ntables = ['*']\ndetect = 'e-mail'\n", 5, "did you mean `email`"),
    ("[[mask]]\ntables = ['*']\n", 3, "`attributes` is missing, or `detect`"),
    ("[[mask]]\nattributes = ['a']\n", 3, "`tables` is missing, or `services`"),
    ("[[mask]]\ntables = ['*']\nattributes = 'a'\nexcept = 'kms'\n", 6, "`services` only"),
    ("[[mask]]\ntables = ['*']\nattributes = 'a'\nunseal = '*'\n", 6, "tokenize"),
    ("[[mask]]\ntables = ['*']\nattributes = 'a'\nwith = 'custom:A'\n", 6, "is no name"),
    ("[[mask]]\ntables = ['*']\ndetect = 'custom:A'\n", 5, "is no name, write `custom:`"),
    (
        "[[mask]]\ntables = ['*']\nattributes = 'a'\noperations = 'Querry'\n",
        6,
        "did you mean `Query`",
    ),
    ("[[mask]]\nservices = '*'\nattributes = 'a'\n", 5, "does not go with `services`"),
    ("[[mask]]\nservices = '*'\nwith = 'drop'\n", 5, "would lose the attribute"),
    ("[detectors]\nemail = 'x'\n", 4, "is a detector already"),
    ("[detectors]\nMine = 'x'\n", 4, "small letters"),
    ("[detectors]\nmine = 7\n", 4, "must be a regular expression"),
    ("detectors = 5\n", 3, "must be a table"),
    ("[detectors]\nmine = '('\n", 4, "is no regular expression"),
    ("[detectors]\nmine = 'a*'\n", 4, "matches the empty text"),
    ("[[mask]]\ntables = ['*']\nattributes = []\n", 5, "empty list"),
    ("[[mask]]\ntables = ['*']\nattributes = ['a']\nkeep = -1\n", 6, "0 to 64"),
    ("[[mask]]\ntables = ['*']\nattributes = ['a']\nSid = 3\n", 6, "must be text"),
    ("[[budget]]\nretry_ratio = 2\n", 4, "at most 1"),
    ("[[budget]]\npriority = 'batsh'\n", 4, "did you mean `batch`"),
    ("[[budget]]\nmax_attempts = 1.5\n", 4, "a whole number from 1 to 1000"),
    ("[[budget]]\nmax_attempts = 0\n", 4, "a whole number from 1 to 1000"),
    ("[[budget]]\nmeasure_capacity = 'yes'\n", 4, "true or false"),
    ("[[budget]]\nmax_share = 1.5\n", 4, "more than 0 and at most 1"),
    ("[[budget]]\nmax_tokens = 0\n", 4, "more than 0"),
    ("[[budget]]\nmin_retries_per_s = true\n", 4, "must be a number"),
    ("[[budget]]\nMode = 'x'\n", 4, "must be one of"),
    ("[[budget]]\nretries = 3\n", 4, "unknown key `retries`"),
    ("[[capacity_limit]]\njob = 'a'\n", 3, "limits nothing, write `read_units`"),
    ("[[capacity_limit]]\nread_units = 0\n", 4, "more than 0"),
    ("[[capacity_limit]]\nwrite_units = '9'\n", 4, "must be a number"),
    ("[[capacity_limit]]\nread_units = 9\nsoft = 80\n", 5, "more than 0 and at most 1"),
    ("[[capacity_limit]]\nread_units = 9\ntables = []\n", 5, "empty list"),
    ("[[capacity_limit]]\nread_units = 9\nMode = 'x'\n", 5, "must be one of"),
    ("[[capacity_limit]]\nread_units = 9\nSid = 3\n", 5, "must be text"),
    ("[[capacity_limit]]\nread_unit = 9\n", 4, "did you mean `read_units`"),
    ("capacity_limit = 5\n", 3, "must be a list of tables"),
    ("settings = 3\n", 3, "must be a table"),
    ("x = \n", 3, "no valid TOML"),
    ("x = 1\nx = 2\n", 4, "no valid TOML"),
    ('x = "', 3, "no valid TOML"),
]


@pytest.mark.parametrize(("text", "line", "fragment"), BAD_TOML)
def test_each_fault_is_told_with_its_line_and_a_way_out(
    write: Any, text: str, line: int, fragment: str
) -> None:
    """One clear problem at its place."""
    problems = problems_of(write(HEAD + text))

    assert any(p.line == line and fragment in p.message for p in problems), problems
    assert all(p.source.endswith("policy.toml") for p in problems)


@pytest.mark.parametrize(
    ("text", "fragment"),
    [
        ('default = "deny"\n', "`version` is missing"),
        ('version = 2\ndefault = "deny"\n', "the only version"),
        ('version = true\ndefault = "deny"\n', "the only version"),
        ("version = 1\n", "`default` is missing"),
        ('version = 1\ndefault = "denny"\n', "did you mean `deny`"),
    ],
)
def test_version_and_default_must_be_written(write: Any, text: str, fragment: str) -> None:
    """Nothing is assumed about what matters most."""
    assert fragment in str(problems_of(write(text)))


def test_all_problems_come_at_once(write: Any) -> None:
    """Own ones first, then those of included files, each with its file."""
    path = write(
        HEAD + 'policies = ["iam/*.json"]\n' + STATEMENT.replace("Allow", "Alow") + "X = 1\n"
    )
    write('{\n "Version": "2012-10-17",\n "Statment": []\n}', "iam/a.json")
    write('{"Statement": ', "iam/b.json")

    problems = problems_of(path)

    assert [p.source.rpartition(os.sep)[2] for p in problems][:2] == ["policy.toml"] * 2
    assert {p.source for p in problems} >= {
        os.path.join("iam", "a.json"),  # noqa: PTH118
        os.path.join("iam", "b.json"),  # noqa: PTH118
    }
    assert any(p.line == 3 and "`Statement`" in p.message for p in problems)


@pytest.mark.parametrize(
    ("name", "text", "line", "fragment"),
    [
        ("p.json", '{"version": 1, "version": 2}', 0, "stands twice"),
        ("p.json", '{"version": NaN}', 0, "`NaN` is no number"),
        ("p.json", '{"version": 1\n"default": 2}', 2, "no valid JSON"),
        ("p.json", "[1]", 0, "must be a table"),
        ("p.json", "7", 0, "must be a table"),
        ("p.json", '{\n"version": 1,\n"default": "x"\n}', 3, "must be one of"),
        ("p.json", '{"version": 1, "default": "deny",\n"statement": [\n{},\n{}]}', 4, "`Effect`"),
        ("p.json", "[" * 5000 + "]" * 5000, 0, "nests deeper"),
        ("p.json", "{" * 100_000, 0, ""),
        ("p.yaml", "a: &x 1\nb: *x\n", 1, "anchors and aliases"),
        ("p.yaml", "a: 1\na: 2\n", 2, "stands twice"),
        ("p.yaml", "version: !!python/object:os.system 1\n", 1, ""),
        ("p.yaml", "version: !x 1\n", 1, "tag `!x`"),
        ("p.yaml", "? [a]\n: 1\n", 1, "must be text"),
        ("p.yaml", "a: [1\n", 0, "no valid YAML"),
        ("p.yaml", "[" * 100, 1, "nests deeper"),
        ("p.yaml", "version: 1\ndefault: no\n", 2, "`no`"),
        ("p.yaml", "# nothing\n", 0, "must be a table"),
        ("p.yml", "version: 1.5\ndefault: deny\n", 1, "the only version"),
        ("p.txt", "version = 1", 0, "unknown suffix `.txt`"),
        ("p.toml", "", 0, "is empty"),
        ("p.toml", " \n", 0, "is empty"),
        ("p.toml", b"version = 1\n\xff", 2, "not UTF-8"),
        ("p.toml", "x = " + "[" * 200 + "]" * 200, 0, "nests deeper"),
        ("p.toml", "x = " + "[" * 100_000, 0, "nests deeper"),
        ("p.toml", "#" * 1_100_000, 0, "over 1048576 bytes"),
    ],
)
def test_hostile_and_broken_files_are_refused_with_a_reason(
    write: Any, name: str, text: str | bytes, line: int, fragment: str
) -> None:
    """Whatever the file holds, there is one kind of error, quickly."""
    problems = problems_of(write(text, name))

    assert any(fragment in p.message and (not line or p.line == line) for p in problems), problems


def test_what_is_no_file_is_refused(tmp_path: Path) -> None:
    """A folder, a missing file, a device, a pipe that nobody writes to."""
    (tmp_path / "folder.toml").mkdir()
    os.mkfifo(tmp_path / "pipe.toml")
    (tmp_path / "zero.toml").symlink_to("/dev/zero")

    assert "a folder" in str(problems_of(tmp_path / "folder.toml"))
    assert "No such file" in str(problems_of(tmp_path / "missing.toml"))
    assert "no regular file" in str(problems_of(tmp_path / "pipe.toml"))
    assert "no regular file" in str(problems_of(tmp_path / "zero.toml"))
    assert "cannot be read" in str(problems_of("nul\0.toml"))


@pytest.mark.parametrize("value", [{1: 2}, {"a": b"x"}, {"a": {1, 2}}, {"a": float("nan")}])
def test_a_mapping_that_no_document_could_hold_is_refused(value: dict[Any, Any]) -> None:
    """The same error as for a file."""
    assert problems_of(value)


def test_a_mapping_that_holds_itself_is_refused() -> None:
    """Bounded depth, no recursion error."""
    loop: dict[str, Any] = {}
    loop["a"] = loop

    assert "nests deeper" in str(problems_of(loop))


def test_lines_are_right_within_multi_line_toml(write: Any) -> None:
    """Texts over several lines hide what looks like keys; sub-tables and dotted keys count."""
    path = write(
        HEAD
        + 'revision = """\n[[statement]]\nEffect = 3\n"""\n'
        + '[[statement]]\n# comment\nEffect = "Allow"\nAction = [\n  "dynamodb:GetItem",\n'
        + '  "bad action",\n]\nResource = "*"\n[statement.Condition.StringEqual]\n"aws:x" = "1"\n'
    )

    problems = problems_of(path)

    assert {(p.line, p.path) for p in problems} == {
        (10, "statement[0].Action[1]"),
        (15, "statement[0].Condition.StringEqual"),
    }


@given(
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.text(max_size=8) | st.floats(),
        lambda inner: (
            st.lists(inner, max_size=3)
            | st.dictionaries(
                st.sampled_from(
                    ["version", "default", "statement", "mask", "Effect", "Action", "groups", "x"]
                ),
                inner,
                max_size=4,
            )
        ),
        max_leaves=12,
    ).map(lambda value: value if isinstance(value, dict) else {"statement": value})
)
def test_any_mapping_loads_or_is_a_policy_syntax_error(value: dict[str, Any]) -> None:
    """No other exception, whatever is passed."""
    with contextlib.suppress(PolicySyntaxError):
        load_policy(value, environ={})


@given(st.data())
def test_any_damage_to_a_text_is_a_policy_syntax_error(data: st.DataObject) -> None:
    """Cut, doubled or overwritten pieces of a valid document."""
    text = DESIGN_EXAMPLE.replace('policies = ["iam/*.json"]\n', "")
    at = data.draw(st.integers(0, len(text)))
    piece = data.draw(st.text(max_size=5) | st.sampled_from(['"', "[[", "]", "=", "${", "\n"]))
    skip = data.draw(st.integers(0, 20))
    damaged = text[:at] + piece + text[at + skip :]

    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "p.toml"
        path.write_text(damaged, encoding="utf-8", errors="replace")
        with contextlib.suppress(PolicySyntaxError):
            load_policy(path, environ={})


def test_an_index_may_have_several_partition_and_sort_keys() -> None:
    """Up to four of each; a table's own key has one or two attributes."""
    document = load_policy(
        {
            "version": 1,
            "default": "deny",
            "tables": {
                "cups": {
                    "key": "pk",
                    "indexes": {"by_cup": {"partition": ["a", "b"], "sort": ["c"]}},
                }
            },
        },
        environ={},
    )

    assert document.tables == {
        "cups": TableSchema(
            KeySchema(("pk",)), {"by_cup": KeySchema(("a", "b", "c"), partition_key_count=2)}
        )
    }


@pytest.mark.parametrize(
    ("entry", "fragment"),
    [
        ({"key": ["a", "b", "c"]}, "a key has one or two; for an index with more write"),
        ({"key": {"partition": ["a"]}}, "must be text, this is a table"),
        ({"key": "a", "indexes": {"i": {"sort": ["b"]}}}, "`partition` is missing"),
        ({"key": "a", "indexes": {"i": {"partition": list("abcde")}}}, "names 5 attributes"),
        ({"key": "a", "indexes": {"i": {"partition": "a", "srt": "b"}}}, "did you mean `sort`?"),
    ],
)
def test_a_key_schema_that_no_table_has_is_refused(entry: dict[str, Any], fragment: str) -> None:
    """With what to write instead."""
    problems = problems_of({"version": 1, "default": "deny", "tables": {"t": entry}})

    assert any(fragment in problem.message for problem in problems)


def test_a_plain_operator_on_a_key_of_several_values_is_iams_own_affair() -> None:
    """A native document names a set operator; an IAM policy may be as IAM takes it."""
    statement = {
        "Effect": "Allow",
        "Action": "dynamodb:GetItem",
        "Resource": "*",
        "Condition": {"StringEquals": {"dynamodb:LeadingKeys": "me"}},
    }
    iam = load_policy({"Version": "2012-10-17", "Statement": [statement]}, environ={})

    problems = problems_of({"version": 1, "default": "deny", "statement": [statement]})

    assert len(iam.statements) == 1
    assert "write `ForAllValues:StringEquals`" in problems[0].message


def test_a_budget_says_what_it_changes_of_its_class() -> None:
    """All of its numbers; what is not given stays the class's."""
    (budget,) = load_policy(
        {
            "version": 1,
            "default": "allow",
            "budget": [
                {
                    "Sid": "Nightly",
                    "job": "nightly-*",
                    "tables": ["orders"],
                    "priority": "background",
                    "max_attempts": 4,
                    "max_wait_s": 30,
                    "capacity_units_per_s": 100,
                    "max_share": 0.9,
                    "repeat_ambiguous_writes": True,
                    "measure_capacity": True,
                }
            ],
        },
        environ={},
    ).budgets
    assert budget == BudgetStatement(
        ref=budget.ref,
        jobs=("nightly-*",),
        tables=("orders",),
        priority=Priority.BACKGROUND,
        max_attempts=4,
        max_wait_s=30.0,
        capacity_units_per_s=100.0,
        max_share=0.9,
        repeats_ambiguous_writes=True,
        is_measuring=True,
    )


def test_a_capacity_limit_says_what_a_run_may_consume() -> None:
    """All of its parts, and what counts where they are left out."""
    entries = [
        {
            "Sid": "Nightly",
            "job": "nightly-*",
            "tables": ["orders", "customers"],
            "read_units": 50_000,
            "write_units": 100.5,
            "soft": 0.5,
            "Mode": "observe",
        },
        {"write_units": 1},
    ]
    document = {"version": 1, "default": "allow", "capacity_limit": entries}

    whole, least = load_policy(document, environ={}).capacity_limits

    assert whole == CapacityLimit(
        ref=whole.ref,
        jobs=("nightly-*",),
        tables=("orders", "customers"),
        read_units=50_000.0,
        write_units=100.5,
        soft=0.5,
        is_observed=True,
    )
    assert least == CapacityLimit(ref=least.ref, write_units=1.0)
    assert (whole.ref.sid, least.ref.sid) == ("Nightly", "capacity_limit[1]")
