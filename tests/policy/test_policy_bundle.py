"""A policy from its bundle is the policy from its source: equal, and with equal decisions."""

from __future__ import annotations

import copy
import pickle
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dynaguard.call import Authorization, Principal
from dynaguard.errors import PolicySyntaxError
from dynaguard.policy.bundle_statements import LazyStatements, asking_statements
from dynaguard.policy.bundle_writing import bundle_bytes
from dynaguard.policy.loading import load_policy
from dynaguard.policy.matcher import CompiledPolicy
from dynaguard.policy.model import PolicyDocument
from dynaguard.policy.opening import open_policy
from dynaguard.policy.packs import pack_names
from dynaguard.policy.trace import trace
from dynaguard.testing import load_cases, run_case
from tests.policy.bundled import bundled, documents_in_docs, write_everything
from tests.policy.test_policy_loading import DESIGN_EXAMPLE

VECTORS = sorted((Path(__file__).parent.parent / "vectors").glob("*.jsonl"))
DOCS = dict(documents_in_docs())
ENVIRON = {"STAGE": "prod", "AWS_REGION": "eu-west-1"}


def test_everything_that_a_document_can_say_comes_back(tmp_path: Path) -> None:
    """Every section, included policies and packs, place by place."""
    document = load_policy(write_everything(tmp_path), environ=ENVIRON)

    found = bundled(document, tmp_path)

    assert found == document
    assert tuple(found.statements) == document.statements
    assert [str(each.ref) for each in found.statements] == [
        str(each.ref) for each in document.statements
    ]
    assert found.bundle is not None
    assert found.bundle.key_id is None


def test_the_same_document_gives_the_same_bytes(tmp_path: Path) -> None:
    """Also when it comes from a bundle."""
    document = load_policy(write_everything(tmp_path), environ=ENVIRON)

    assert bundle_bytes(bundled(document, tmp_path)) == bundle_bytes(document)


@pytest.mark.parametrize("text", DOCS.values(), ids=DOCS)
def test_policies_of_the_documentation_come_back(text: str, tmp_path: Path) -> None:
    """All of them that stand for themselves."""
    path = tmp_path / "policy.toml"
    path.write_text(text, encoding="utf-8")
    try:
        document = load_policy(path, environ=ENVIRON)
    except PolicySyntaxError:
        pytest.skip("it includes files, or shows a fault")

    assert bundled(document, tmp_path) == document


@pytest.mark.parametrize("pack", pack_names())
def test_packs_come_back(pack: str, tmp_path: Path) -> None:
    """Their statements name the pack as their place."""
    source = {"version": 1, "default": "allow", "policies": [f"pack:{pack}"]}
    document = load_policy(source, environ=ENVIRON)

    assert bundled(document, tmp_path) == document


@pytest.mark.parametrize("path", VECTORS, ids=[path.stem for path in VECTORS])
def test_vectors_are_decided_alike(path: Path, tmp_path: Path) -> None:
    """With the same text of the result, the statement and the missing facts in it."""
    cases = [case for case in load_cases([path]) if case.refusal is None]
    assert cases

    for case in cases:
        found = bundled(case.document, tmp_path)
        assert found == case.document
        assert run_case(replace(case, document=found)) == run_case(case)


# --- random documents -------------------------------------------------------------------------

_ACTIONS = ("dynamodb:GetItem", "dynamodb:*Item", "DynamoDB:Query", "*", "s3:Get*", "s3:GetObject")
_TABLES = ("a", "ab", "a*", "*", "a?", "${aws:username}", "b/index/x")
_PRINCIPALS = ("*", "111122223333", "arn:aws:iam::111122223333:role/x", {"Group": "g"})
_CONDITIONS: tuple[dict[str, Any], ...] = (
    {"StringEquals": {"aws:RequestedRegion": ["eu-west-1", "eu-west-2"]}},
    {"ForAnyValue:StringLike": {"dynamodb:Attributes": "a*"}, "Bool": {"aws:x": True}},
    {"NumericLessThanIfExists": {"dynaguard:Limit": 10}},
    {"Null": {"aws:username": True}},
)
_arns = st.sampled_from(_TABLES).map(lambda name: f"arn:aws:dynamodb:*:*:table/{name}")


@st.composite
def statements(draw: st.DrawFn) -> dict[str, Any]:
    """A well formed statement."""
    negated = {name: "Not" if draw(st.booleans()) else "" for name in ("Action", "Resource")}
    found: dict[str, Any] = {
        "Effect": draw(st.sampled_from(("Allow", "Deny", "RequireApproval"))),
        f"{negated['Action']}Action": draw(
            st.lists(st.sampled_from(_ACTIONS), min_size=1, max_size=3, unique=True)
        ),
        f"{negated['Resource']}Resource": draw(
            st.lists(_arns, min_size=1, max_size=3) | st.just("*")
        ),
    }
    if draw(st.booleans()):
        name = draw(st.sampled_from(("Principal", "NotPrincipal")))
        found[name] = draw(st.sampled_from(_PRINCIPALS))
    if draw(st.booleans()):
        found["Condition"] = draw(st.sampled_from(_CONDITIONS))
    if draw(st.booleans()):
        found["Mode"] = draw(st.sampled_from(("observe", "enforce")))
    return found


@given(
    st.lists(statements(), max_size=6),
    st.sampled_from(("allow", "deny")),
    st.sampled_from(("dynamodb:GetItem", "s3:GetObject", "dynamodb:Query", "dynamodb:Scan")),
    st.sampled_from(("a", "ab", "b/index/x", "u")),
    st.sampled_from(("111122223333", "999988887777")),
)
def test_random_policies_decide_alike(
    tmp_path_factory: pytest.TempPathFactory,
    found: list[dict[str, Any]],
    default: str,
    action: str,
    table: str,
    account: str,
) -> None:
    """Ruling, denial message and trace are those of the source."""
    given_groups = {"g": ["arn:aws:iam::*:role/x"]}
    mapping = {"version": 1, "default": default, "groups": given_groups, "statement": found}
    document = load_policy(mapping, environ={})
    asked = (
        Authorization(action, f"arn:aws:dynamodb:eu-west-1:{account}:table/{table}"),
        Principal(arns=(f"arn:aws:iam::{account}:role/x",), arns_complete=True),
        lambda key: ("u",) if key == "aws:username" else (),
    )

    compiled = bundled(document, tmp_path_factory.mktemp("bundle"))

    assert CompiledPolicy(compiled).rule(*asked) == CompiledPolicy(document).rule(*asked)
    assert trace(compiled, *asked) == trace(document, *asked)
    assert compiled == document


# --- the sequence -----------------------------------------------------------------------------


@pytest.fixture
def lazy(tmp_path: Path) -> tuple[PolicyDocument, PolicyDocument]:
    """A document, and itself from a bundle."""
    document = load_policy(write_everything(tmp_path), environ=ENVIRON)
    return document, bundled(document, tmp_path)


def test_no_statement_is_read_before_it_is_asked_for(
    lazy: tuple[PolicyDocument, PolicyDocument],
) -> None:
    """Nor is one that was not asked for."""
    document, found = lazy
    total = len(document.statements)

    assert f"{total} statements of " in repr(found.statements)
    assert ", 0 read" in repr(found.statements)
    assert asking_statements(found.statements) == asking_statements(document.statements)
    assert ", 1 read" in repr(found.statements)


def test_the_sequence_is_the_tuple(lazy: tuple[PolicyDocument, PolicyDocument]) -> None:
    """Positions from either end, slices, membership, equality, hash, copies and pickles."""
    statements = lazy[0].statements
    found = lazy[1].statements

    assert isinstance(found, LazyStatements)
    assert found[-1] == statements[-1]
    assert found[-1] is found[len(statements) - 1]
    assert found[1:3] == statements[1:3]
    assert statements[2] in found
    assert found == statements
    assert found != statements[1:]
    assert found != "text"
    assert found != 3
    assert hash(found) == hash(statements)
    assert copy.copy(found) == statements
    assert pickle.loads(pickle.dumps(found)) == statements
    with pytest.raises(IndexError):
        found[len(statements)]


@pytest.mark.parametrize("count", [0, 1, 63, 64, 65, 200])
def test_every_statement_is_found_wherever_it_stands(count: int, tmp_path: Path) -> None:
    """In whatever order they are asked for."""
    allow = {"Effect": "Allow", "Action": "s3:GetObject"}
    listed = [{**allow, "Resource": f"arn:aws:s3:::b{'x' * (n % 7)}/{n}"} for n in range(count)]
    document = load_policy({"version": 1, "default": "deny", "statement": listed}, environ={})

    found = bundled(document, tmp_path).statements

    for number in reversed(range(count)):
        assert found[number] == document.statements[number]
    assert found == document.statements


def test_what_was_read_is_let_go_when_it_is_much(
    lazy: tuple[PolicyDocument, PolicyDocument], monkeypatch: pytest.MonkeyPatch
) -> None:
    """And read again."""
    monkeypatch.setattr("dynaguard.policy.bundle_statements._MAX_KEPT", 2)

    assert tuple(lazy[1].statements) == lazy[0].statements
    assert "statements of" in repr(lazy[1].statements)
    assert lazy[1].statements[0] == lazy[0].statements[0]


def test_a_denial_names_the_place_in_the_source(tmp_path: Path) -> None:
    """File and line of the document, not of the bundle."""
    path = tmp_path / "policy.toml"
    path.write_text(DESIGN_EXAMPLE.replace('policies = ["iam/*.json"]', ""), encoding="utf-8")
    document = load_policy(path, environ={})

    found = bundled(document, tmp_path)

    assert found.statements[0].ref == document.statements[0].ref
    assert found.statements[0].ref.line > 0


def test_a_bundle_is_known_by_its_name(tmp_path: Path) -> None:
    """Whatever the case of the suffix."""
    document = load_policy({"version": 1, "default": "deny"}, environ={})
    path = tmp_path / "Policy.DGB"
    path.write_bytes(bundle_bytes(document))

    assert open_policy(path, environ={}) == document
    assert open_policy({"version": 1, "default": "deny"}, environ={}) == document
