"""The published schema of documents: it accepts what the loader accepts, and refuses no more."""

from __future__ import annotations

import copy
import json
import tomllib
from pathlib import Path
from typing import Any

import jsonschema
import pytest

from dynaguard.errors import PolicySyntaxError
from dynaguard.policy import schema
from dynaguard.policy.loading import load_policy
from dynaguard.policy.packs import pack_names
from dynaguard.policy.starter import pack_document, starter_document
from tests.policy.policy_texts import DESIGN_EXAMPLE

VALIDATOR = jsonschema.Draft202012Validator(schema.policy_schema())
VECTORS = Path(__file__).parent.parent / "vectors"
FULL = {
    **tomllib.loads(DESIGN_EXAMPLE),
    "$schema": "./policy.schema.json",
    "policies": [],
    "revision": "7",
    "context": {"aws:PrincipalTag/team": ["blue"], "aws:MultiFactorAuthPresent": True},
    "settings": {"mode": "observe", "stamp": False, "account_id": "111122223333"},
    "lint": {"ignore": ["DG204"]},
    "capacity_limit": [
        {"Sid": "Nightly", "job": ["n-*"], "tables": "t", "read_units": 5e4, "soft": 0.5},
        {"write_units": 100, "Mode": "observe"},
    ],
}
FULL["groups"]["support-leads"] = ["arn:aws:iam::*:role/support", "oidc:sub=repo:acme/*"]
FULL["statement"].append(
    {
        "Effect": "RequireApproval",
        "Action": "s3:DeleteObject",
        "Resource": "*",
        "Approval": {
            "quorum": 2,
            "any_of": ["support-leads"],
            "all_of": "support-leads",
            "timeout": "2h",
            "duration_s": 900,
            "uses": "any",
            "threshold": {"window": "1h", "calls": 10, "items": 25, "read_units": 5.5},
        },
    }
)
FULL["access_requests"] = {"any_of": ["support-leads"], "quorum": 2, "duration": "8h"}
FULL["runbooks"] = {
    "cleanup": {
        "sha256": "ab" * 32,
        "may_run": {"Group": "support-leads"},
        "approval": {"any_of": "support-leads", "timeout_s": 60},
    }
}
FULL["standing_access"] = "allowed"
FULL["owners"] = {"a": {"Group": "support-leads"}, "b": ["*"], "c": "111122223333"}
FULL["tables"]["orders"]["indexes"]["by_cup"] = {"partition": ["a", "b"], "sort": "c"}


def is_valid(document: Any) -> bool:
    """Whether the schema accepts it."""
    return bool(VALIDATOR.is_valid(document))


def is_loaded(document: Any) -> bool:
    """Whether the loader accepts it."""
    try:
        load_policy(document, environ={})
    except PolicySyntaxError:
        return False
    return True


def iam_policies() -> list[Any]:
    """The policies of the published vectors, each once."""
    texts = {
        json.dumps(policy, sort_keys=True)
        for path in sorted(VECTORS.glob("*.jsonl"))
        for line in path.read_text(encoding="utf-8").splitlines()
        for policy in json.loads(line)["policies"]
    }
    return [json.loads(text) for text in sorted(texts)]


def test_the_schema_is_one() -> None:
    """Valid by its own draft."""
    jsonschema.Draft202012Validator.check_schema(schema.policy_schema())


@pytest.mark.parametrize(
    "text", [starter_document(), *map(pack_document, pack_names())], ids=lambda text: text[:20]
)
def test_documents_that_init_writes_are_valid(text: str) -> None:
    """An empty one and those of the packs."""
    assert is_valid(tomllib.loads(text))


def test_a_document_with_everything_is_valid() -> None:
    """Every section, every sort of value."""
    assert list(VALIDATOR.iter_errors(FULL)) == []
    assert is_loaded(FULL)


def test_plain_iam_policies_are_valid() -> None:
    """Those of the published vectors."""
    assert [policy for policy in iam_policies() if not is_valid(policy)] == []


STATEMENT = {"Effect": "Allow", "Action": "dynamodb:Query", "Resource": "*"}


ASKING = {**STATEMENT, "Effect": "RequireApproval"}
BAD_APPROVALS: list[Any] = [
    "managers",
    {"quorum": 0},
    {"uses": "all"},
    {"any_of": []},
    {"timeout": "1h", "timeout_s": 3600},
    {"duration": "an hour"},
    {"duration_s": 0},
    {"threshold": {"calls": 5}},
    {"threshold": {"window": "1h"}},
    {"threshold": {"window": "1h", "calls": 0}},
    {"threshold": {"window_s": 60, "write_units": 0}},
]


def having(**more: Any) -> dict[str, Any]:
    """The smallest document, with more in it."""
    return {"version": 1, "default": "deny", **more}


MISTAKES: list[Any] = [
    [],
    "deny",
    {},
    {"version": 1},
    having(version=2),
    having(default="Deny"),
    having(statements=[]),
    having(govern=[]),
    having(statement=[{"Effect": "Allow", "Action": "dynamodb:Query"}]),
    having(statement=[{**STATEMENT, "Effect": "allow"}]),
    having(statement=[{**STATEMENT, "NotAction": "dynamodb:Scan"}]),
    having(statement=[{**STATEMENT, "Principal": "*", "NotPrincipal": "*"}]),
    having(statement=[{**STATEMENT, "Principal": {"Groups": "a"}}]),
    having(statement=[{**STATEMENT, "Principal": {}}]),
    having(statement=[{**STATEMENT, "Mode": "off"}]),
    having(statement=[{**STATEMENT, "Condition": {"StringEqual": {"aws:username": "a"}}}]),
    having(statement=[{**STATEMENT, "Condition": {"NullIfExists": {"aws:username": "true"}}}]),
    having(statement=[{**STATEMENT, "Condition": {"StringEquals": "a"}}]),
    having(statement=[{**STATEMENT, "Action": []}]),
    having(mask=[{"tables": "*"}]),
    having(mask=[{"tables": "*", "attributes": ["a"], "with": "tokenise"}]),
    having(mask=[{"tables": "*", "attributes": ["a"], "keep": 65}]),
    having(budget=[{"retry_ratio": 2}]),
    having(budget=[{"max_tokens": 0}]),
    having(capacity_limit=[{"job": "nightly"}]),
    having(capacity_limit=[{"read_units": 0}]),
    having(capacity_limit=[{"read_units": 10, "soft": 1.5}]),
    having(capacity_limit=[{"read_unit": 10, "write_units": 1}]),
    having(tables={"orders": {"keys": ["a"]}}),
    having(tables={"orders": {"key": ["a", "b", "c"]}}),
    having(tables={"orders": {"key": "a", "indexes": {"i": {"sort": "a"}}}}),
    having(groups={"a": []}),
    having(owners="a"),
    having(owners={"a": []}),
    having(owners={"a": {"Groups": "b"}}),
    having(standing_access="no"),
    having(runbooks={"a": {}}),
    having(access_requests={}),
    having(access_requests={"any_of": []}),
    having(access_requests={"any_of": ["support-leads"], "uses": 1}),
    having(access_requests={"any_of": ["support-leads"], "duration": "1h", "duration_s": 3600}),
    having(runbooks={"a": {"sha256": "abc"}}),
    having(runbooks={"a": {"sha256": "ab" * 32, "approval": {"uses": 2}}}),
    *(having(statement=[{**ASKING, "Approval": each}]) for each in BAD_APPROVALS),
    having(variables={"a": {"default": "x"}}),
    having(settings={"mod": "observe"}),
    having(settings={"mode": "observed"}),
    having(settings={"mask_key": "a secret of 16 characters"}),
    having(lint={"ignored": []}),
    {"Version": "2012-10-17"},
    {"Version": "2013", "Statement": []},
    {"Version": "2012-10-17", "Statement": [STATEMENT], "default": "allow"},
]


@pytest.mark.parametrize("document", MISTAKES, ids=lambda each: json.dumps(each)[-60:])
def test_a_mistake_is_refused(document: Any) -> None:
    """While it is typed."""
    assert not is_valid(document)


@pytest.mark.parametrize(
    "document",
    [each for each in MISTAKES if isinstance(each, dict) and "settings" not in each],
    ids=lambda each: json.dumps(each)[-60:],
)
def test_what_the_schema_refuses_the_loader_refuses(document: Any) -> None:
    """An editor raises no false alarm; settings are checked at install."""
    assert not is_loaded(document)


def places_in(value: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    """The path of every value in a document."""
    if not isinstance(value, dict | list):
        return [path]
    children = value.items() if isinstance(value, dict) else enumerate(value)
    return [path, *(each for key, child in children for each in places_in(child, (*path, key)))]


PLACES = [path for path in places_in(FULL) if path and path[0] != "settings"]
ODD_VALUES: list[Any] = [None, True, 0, -1, 1.5, 99, "", "x", "*", [], ["x"], [[]], {}, {"x": "y"}]
ODD_VALUES += [{"Group": "x"}, {"AWS": "*"}, [None], ["x", ""], {"env": "X"}]


@pytest.mark.parametrize("value", ODD_VALUES, ids=json.dumps)
def test_no_change_of_a_document_is_refused_by_the_schema_alone(value: Any) -> None:
    """Whatever stands in place of any of its values."""
    for path in PLACES:
        document = copy.deepcopy(FULL)
        parent: Any = document
        for step in path[:-1]:
            parent = parent[step]
        parent[path[-1]] = value

        assert is_valid(document) or not is_loaded(document), path
