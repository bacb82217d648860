"""What tokens and single sign-on claim of an identity, and what groups and owners make of it."""

from __future__ import annotations

import base64
import json
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dynaguard.call import CredentialFacts, Principal, PrincipalKind
from dynaguard.identity import IdentityResolver
from dynaguard.identity.claims import (
    MAX_CLAIMS,
    MAX_TOKEN_BYTES,
    NO_CLAIMS,
    UNREADABLE,
    Claims,
    claims_of_token,
    read_token_file,
)
from dynaguard.identity.groups import Groups, Owners
from dynaguard.identity.lookup import Caller
from dynaguard.policy.model import PrincipalPattern
from dynaguard.scope import EMPTY_SCOPE, Scope

ACCOUNT = "123456789012"
ROLE = f"arn:aws:iam::{ACCOUNT}:role/etl"
SUFFIX = "0123456789abcdef"
SSO_SESSION = (
    f"arn:aws:sts::{ACCOUNT}:assumed-role/AWSReservedSSO_DataEngineer_{SUFFIX}/ann@acme.example"
)
SSO_PATH = f"arn:aws:iam::{ACCOUNT}:role/aws-reserved/sso.amazonaws.com"


def token(payload: object) -> str:
    """A token with that payload; nobody verifies its signature."""
    raw = payload if isinstance(payload, bytes) else json.dumps(payload).encode()
    middle = base64.urlsafe_b64encode(raw).decode().rstrip("=")
    return f"eyJhbGciOiJSUzI1NiJ9.{middle}.c2lnbmF0dXJl"


POD = {
    "iss": "https://oidc.eks.eu-west-1.amazonaws.com/id/ABC",
    "sub": "system:serviceaccount:prod:etl-reader",
    "aud": ["sts.amazonaws.com", "other"],
    "exp": 1800000000,
    "kubernetes.io": {
        "namespace": "prod",
        "serviceaccount": {"name": "etl-reader", "uid": "u", "deeper": {"x": "hidden"}},
    },
}
GITHUB = {
    "iss": "https://token.actions.githubusercontent.com",
    "sub": "repo:acme/orders:ref:refs/heads/main",
    "repository": "acme/orders",
    "ref": "refs/heads/main",
    "environment": "prod",
    "runner": None,
    "is_main": True,
}


# --- tokens ------------------------------------------------------------------------------------


def test_claims_are_texts_by_name() -> None:
    """Lists have several values, numbers and booleans are as JSON writes them."""
    found = claims_of_token(token({**POD, **GITHUB, "sub": POD["sub"]}))

    assert found.of("oidc:repository") == ("acme/orders",)
    assert found.of("oidc:aud") == ("sts.amazonaws.com", "other")
    assert found.of("oidc:exp") == ("1800000000",)
    assert found.of("oidc:is_main") == ("true",)
    assert found.of("oidc:kubernetes.io/namespace") == ("prod",)
    assert found.of("oidc:kubernetes.io/serviceaccount/name") == ("etl-reader",)
    assert found.of("oidc:kubernetes.io/serviceaccount/deeper/x") == ()
    assert found.of("oidc:runner") == found.of("oidc:nothing") == ()
    assert found.subject == "system:serviceaccount:prod:etl-reader"
    assert found.service_account == "prod/etl-reader"


@pytest.mark.parametrize(
    "text",
    [
        None,
        "",
        "a.b",
        "a.b.c.d",
        "a.!.c",
        "a.e30x.c",
        token([]),
        token("x"),
        token(b"\xff\xfe"),
        token(b"[" * 100_000),
    ],
)
def test_what_is_no_token_leaves_claims_unknown(text: str | None) -> None:
    """Never an error: a call goes on, by what else is known."""
    found = claims_of_token(text)

    assert found == UNREADABLE
    assert found.of("oidc:sub") is None
    assert found.of("sso:role") == ()
    assert (found.subject, found.service_account) == (None, None)


@given(st.text(max_size=40) | st.binary(max_size=60).map(token) | st.text().map(token))
def test_any_text_is_read_or_unknown(text: str) -> None:
    """Whatever a file holds."""
    assert isinstance(claims_of_token(text), Claims)


def test_claims_are_bounded() -> None:
    """A token is the environment's, and may be anything."""
    found = claims_of_token(token({f"c{n}": str(n) for n in range(2 * MAX_CLAIMS)}))

    assert len(found.values) == MAX_CLAIMS


def test_a_subject_fits_one_line_of_a_record() -> None:
    """Printable and bounded."""
    found = claims_of_token(token({"sub": "a\nb" * 200}))

    assert found.subject is not None
    assert found.subject.startswith("a?b")
    assert len(found.subject) == 256


def test_a_token_file_is_read_as_it_is(tmp_path: Path) -> None:
    """What cannot be read, or is far too long for a token, is none."""
    path = tmp_path / "token"
    path.write_text(" abc.def.ghi\n")
    huge = tmp_path / "huge"
    huge.write_bytes(b"x" * (MAX_TOKEN_BYTES + 1))

    assert read_token_file(str(path)) == "abc.def.ghi"
    for missing in (huge, tmp_path / "missing", tmp_path, "\0"):
        assert read_token_file(str(missing)) is None


# --- groups and owners -------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("member", "is_member"),
    [
        ("oidc:sub=system:serviceaccount:prod:etl-*", True),
        ("oidc:sub=system:serviceaccount:dev:*", False),
        ("oidc:kubernetes.io/serviceaccount/name=etl-reade?", True),
        ("oidc:aud=other", True),
        ("oidc:SUB=*", False),
        ("oidc:nothing=*", False),
        ("sso:role=*", False),
        ("arn:aws:iam::*:role/etl", True),
    ],
)
def test_a_group_has_members_by_claims_and_arns(member: str, is_member: bool) -> None:
    """Claims of which the values are known settle it."""
    groups = Groups({"g": ("arn:aws:iam::*:role/other", member)})

    found = groups.of((ROLE,), claims_of_token(token(POD)))

    assert found == (frozenset({"g"} if is_member else ()), False)


def test_a_token_that_cannot_be_read_leaves_membership_open() -> None:
    """Neither granted nor ruled out, except where an ARN settles it."""
    groups = Groups({"g": ("oidc:sub=a",), "h": ("oidc:sub=a", ROLE), "i": ("sso:role=a",)})

    assert groups.of((ROLE,), UNREADABLE) == (frozenset({"h"}), True)
    assert groups.of((ROLE,), NO_CLAIMS) == (frozenset({"h"}), False)


def test_the_first_owner_that_names_the_identity_answers_for_it() -> None:
    """In the order of the document; then whom the settings name."""
    owners = Owners(
        {
            "groups": (PrincipalPattern("group", "etl"),),
            "roles": (PrincipalPattern("arn", "arn:aws:iam::*:role/*"),),
            "account": (PrincipalPattern("account", ACCOUNT),),
        },
        "everybody",
    )

    assert owners.of(Principal(arns=(ROLE,), groups=frozenset({"etl"}))) == "groups"
    assert owners.of(Principal(arns=(ROLE,), account_id=ACCOUNT)) == "roles"
    assert owners.of(Principal(account_id=ACCOUNT)) == "account"
    # An owner that may be meant is not named.
    assert owners.of(Principal()) == "everybody"
    assert Owners({}, None).of(Principal(arns=(ROLE,))) is None


# --- principals --------------------------------------------------------------------------------

WEB = CredentialFacts(
    "ASIAIOSFODNN7EXAMPLE",
    "assume-role-with-web-identity",
    role_arn=ROLE,
    role_session_name="run",
    has_session_token=True,
    token_file="/t",
)
SSO = CredentialFacts(
    "ASIAIOSFODNN7EXAMPLE",
    "sso",
    account_id=ACCOUNT,
    has_session_token=True,
    sso_role_name="DataEngineer",
    sso_region="eu-west-1",
)


def principal_of(facts: CredentialFacts, tokens: Mapping[str, Any] = {}, **more: Any) -> Principal:
    """The principal of credentials, with token files by path."""
    options: dict[str, Any] = {
        "identity": None,
        "account_id": None,
        "groups": {},
        "environ": {},
        "start": lambda work: work(),
        **more,
    }
    resolver = IdentityResolver(
        **options, read_token=lambda path: token(tokens[path]) if path in tokens else None
    )
    return resolver.resolve(facts, EMPTY_SCOPE)


def test_a_service_account_makes_a_pod_wherever_its_token_lies() -> None:
    """A cluster of one's own mounts it elsewhere."""
    found = principal_of(WEB, {"/t": POD}, groups={"g": ("oidc:kubernetes.io/namespace=prod",)})

    assert (found.kind, found.name) == (PrincipalKind.EKS_POD, "etl")
    assert found.service_account == "prod/etl-reader"
    assert found.groups == {"g"}
    assert found.arns_complete


def test_a_ci_job_that_trades_its_token_is_one() -> None:
    """Its role names it, its token says which it is."""
    environ = {"GITHUB_ACTIONS": "true", "GITHUB_REPOSITORY": "acme/orders"}

    found = principal_of(WEB, {"/t": GITHUB}, environ=environ)

    assert (found.kind, found.name, found.subject) == (
        PrincipalKind.CI_JOB,
        "etl",
        "repo:acme/orders:ref:refs/heads/main",
    )
    assert found.service_account is None


def test_a_pod_in_ci_is_a_pod() -> None:
    """A runner in a cluster signs as its service account."""
    environ = {"GITHUB_ACTIONS": "true"}

    assert principal_of(WEB, {"/t": POD}, environ=environ).kind is PrincipalKind.EKS_POD


def test_an_unreadable_token_leaves_groups_by_claims_open() -> None:
    """A Deny for such a group holds then."""
    found = principal_of(WEB, groups={"g": ("oidc:sub=*",)})

    assert (found.groups, found.arns_complete, found.subject) == (frozenset(), False, None)


def test_claims_are_those_of_the_credentials_that_sign() -> None:
    """Another client's keys in the same pod have none."""
    static = CredentialFacts("AKIAIOSFODNN7EXAMPLE", "explicit", has_session_token=False)
    environ = {"AWS_WEB_IDENTITY_TOKEN_FILE": "/t", "AWS_ROLE_ARN": ROLE}

    assert principal_of(static, {"/t": POD}, environ=environ).subject is None


# --- single sign-on ----------------------------------------------------------------------------

SSO_GROUPS = {
    "engineers": ("sso:role=DataEngineer",),
    "ann": ("sso:person=ann@*",),
    "paths": (f"{SSO_PATH}/*AWSReservedSSO_DataEngineer_*",),
    "accounts": (f"sso:account={ACCOUNT}",),
}


def test_a_permission_set_is_known_without_a_call() -> None:
    """Role and account; neither the role's suffix nor who signed in."""
    found = principal_of(SSO, groups=SSO_GROUPS)

    assert (found.name, found.kind, found.source) == (
        "DataEngineer",
        PrincipalKind.SSO,
        "provider",
    )
    assert found.groups == {"engineers", "accounts", "paths"}
    assert not found.arns_complete  # who signed in is not known, and a group asks for it
    assert found.session_name is None


@pytest.mark.parametrize("facts", [SSO, CredentialFacts("ASIA1", "env", has_session_token=True)])
def test_who_signed_in_is_the_session(facts: CredentialFacts) -> None:
    """Told by STS, also for credentials that were exported into the environment."""
    found = principal_of(facts, groups=SSO_GROUPS, lookup=lambda _facts: Caller(SSO_SESSION))

    assert (found.name, found.kind, found.session_name) == (
        "DataEngineer",
        PrincipalKind.SSO,
        "ann@acme.example",
    )
    assert found.arn == SSO_SESSION
    assert found.groups >= {"engineers", "accounts", "ann"}
    assert found.source == "sts"


def test_another_permission_set_than_the_profile_s_adds_to_it() -> None:
    """Nothing that the provider said is taken back."""
    other = SSO_SESSION.replace("DataEngineer", "Auditor")

    found = principal_of(SSO, lookup=lambda _facts: Caller(other))

    assert found.arn == other
    assert any("DataEngineer" in arn for arn in found.arns)


def test_a_partition_that_is_not_known_stays_open() -> None:
    """No region, no partition."""
    facts = CredentialFacts(method="sso", account_id=ACCOUNT, sso_role_name="Ops")

    found = principal_of(facts, groups={"g": ("arn:aws:iam::*:role/aws-reserved/*",)})

    assert (found.groups, found.arns_complete) == (frozenset(), False)


def test_a_login_session_names_itself() -> None:
    """`aws login` keeps the ARN."""
    user = f"arn:aws:iam::{ACCOUNT}:user/ann"
    facts = CredentialFacts("ASIA1", "login", has_session_token=True, login_arn=user)

    found = principal_of(facts)

    assert (found.arn, found.kind, found.source) == (user, PrincipalKind.USER, "provider")
    assert principal_of(CredentialFacts(method="login", login_arn="work")).arn is None


# --- what stands beside ------------------------------------------------------------------------


def test_owner_age_and_expiry_are_told_where_known() -> None:
    """By the document, the look-up, the provider."""
    expires_at = datetime(2030, 1, 1, tzinfo=UTC)
    created_at = datetime(2020, 1, 1, tzinfo=UTC)
    user = f"arn:aws:iam::{ACCOUNT}:user/bob"
    facts = CredentialFacts("AKIA1", "env", has_session_token=False, expires_at=expires_at)
    owners = {"people": (PrincipalPattern("arn", "arn:aws:iam::*:user/*"),)}

    found = principal_of(
        facts, owners=owners, owner="ops", lookup=lambda _facts: Caller(user, created_at)
    )
    before = principal_of(facts, owners=owners, owner="ops")

    assert (found.owner, found.key_created_at, found.expires_at) == (
        "people",
        created_at,
        expires_at,
    )
    assert (before.owner, before.key_created_at) == ("ops", None)


def test_a_scope_changes_neither_owner_nor_claims() -> None:
    """They are the signer's."""
    resolver = IdentityResolver(
        identity=ROLE, account_id=None, groups={}, environ={}, owner="data-platform"
    )

    found = resolver.resolve(WEB, Scope(acting_name="bot", acting_groups=frozenset({"x"})))

    assert found.owner == "data-platform"
    assert found.signer is not None
    assert found.signer.groups == frozenset()


def test_a_key_is_told_by_its_fingerprint() -> None:
    """The same for the same key, of 16 hexadecimal characters, without a key none."""
    prints = {Principal(access_key_id=key).key_fingerprint for key in ("AKIA1", "AKIA1", "AKIA2")}

    assert len(prints) == 2
    assert all(each is not None and len(each) == 16 for each in prints)
    assert Principal().key_fingerprint is None
