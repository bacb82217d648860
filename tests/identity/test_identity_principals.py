"""Who is said to call, in each situation in which a process can find itself."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dynaguard.call import (
    NO_CREDENTIALS,
    UNKNOWN_ACCOUNT,
    UNKNOWN_RUN,
    CredentialFacts,
    Principal,
    PrincipalKind,
)
from dynaguard.identity import IdentityResolver
from dynaguard.identity.lookup import Caller
from dynaguard.policy.patterns import arn_matches, arn_may_match
from dynaguard.scope import EMPTY_SCOPE, Scope

ACCOUNT = "123456789012"
ROLE = f"arn:aws:iam::{ACCOUNT}:role/etl"
PATH_ROLE = f"arn:aws:iam::{ACCOUNT}:role/team/data/etl"
SESSION = f"arn:aws:sts::{ACCOUNT}:assumed-role/etl/run-7"
ANY_SESSION = f"arn:aws:sts::{ACCOUNT}:assumed-role/etl/{UNKNOWN_RUN}"
ANY_PATH = f"arn:aws:iam::{ACCOUNT}:role/{UNKNOWN_RUN}etl"
USER = f"arn:aws:iam::{ACCOUNT}:user/people/bob"
FUNCTION = f"arn:aws:lambda:eu-west-1:{ACCOUNT}:function:nightly"

LAMBDA_ENV = {
    "AWS_LAMBDA_FUNCTION_NAME": "nightly",
    "AWS_LAMBDA_FUNCTION_VERSION": "$LATEST",
    "AWS_REGION": "eu-west-1",
}
IRSA_ENV = {
    "AWS_ROLE_ARN": PATH_ROLE,
    "AWS_ROLE_SESSION_NAME": "run-7",
    "AWS_WEB_IDENTITY_TOKEN_FILE": "/var/run/secrets/eks.amazonaws.com/serviceaccount/token",
}
POD_ENV = {
    "AWS_CONTAINER_CREDENTIALS_FULL_URI": "http://169.254.170.23/v1/credentials",
    "AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE": "/var/run/secrets/pods.eks.amazonaws.com/token",
}
ECS_ENV = {"AWS_CONTAINER_CREDENTIALS_RELATIVE_URI": "/v2/credentials/4711"}
GITHUB_ENV = {
    "GITHUB_ACTIONS": "true",
    "GITHUB_REPOSITORY": "acme/orders",
    "GITHUB_WORKFLOW": "Nightly",
}
AKIA = CredentialFacts("AKIAIOSFODNN7EXAMPLE", "env", has_session_token=False)
ASIA = CredentialFacts("ASIAIOSFODNN7EXAMPLE", "env", has_session_token=True)


@dataclass(frozen=True)
class Situation:
    """Credentials and surroundings, and the principal that must come of them."""

    title: str
    facts: CredentialFacts
    expected: Principal
    environ: Mapping[str, str] = field(default_factory=dict)
    identity: str | None = None
    account_id: str | None = None
    sts_arn: str | None = None


def role_principal(**changes: object) -> Principal:
    """A session of the role without a path, known offline to the last character."""
    principal = Principal(
        name="etl",
        kind=PrincipalKind.ASSUMED_ROLE,
        arn=SESSION,
        arns=(SESSION, ROLE),
        arns_complete=True,
        account_id=ACCOUNT,
        session_name="run-7",
        source="provider",
        is_static_key=False,
        access_key_id=ASIA.access_key_id,
    )
    return replace(principal, **changes)  # type: ignore[arg-type]


def key_principal(facts: CredentialFacts, **changes: object) -> Principal:
    """An identity of which only its key is known."""
    principal = Principal(
        name="static-key" if facts is AKIA else "temporary-key",
        kind=PrincipalKind.USER if facts is AKIA else PrincipalKind.UNKNOWN,
        source="key_id",
        is_static_key=facts is AKIA,
        access_key_id=facts.access_key_id,
    )
    return replace(principal, **changes)  # type: ignore[arg-type]


ASSUMED = replace(ASIA, method="assume-role", role_arn=ROLE, role_session_name="run-7")
SITUATIONS = [
    Situation("unsigned", NO_CREDENTIALS, Principal()),
    Situation("user key in the environment", AKIA, key_principal(AKIA)),
    Situation(
        "user key with an account from the provider",
        replace(AKIA, account_id=ACCOUNT),
        key_principal(AKIA, account_id=ACCOUNT),
        account_id="999999999999",
    ),
    Situation(
        "temporary key, account from the settings",
        ASIA,
        key_principal(ASIA, account_id=ACCOUNT),
        account_id=ACCOUNT,
    ),
    Situation(
        "key of unknown make in a shared file",
        CredentialFacts("testing", "shared-credentials-file"),
        Principal(access_key_id="testing"),
    ),
    Situation(
        "long-lived key of an emulator",
        CredentialFacts("testing", "explicit", has_session_token=False),
        Principal(name="static-key", source="key_id", is_static_key=True, access_key_id="testing"),
    ),
    Situation(
        "key by prefix alone",
        CredentialFacts("ASIAX", "custom-process"),
        Principal(
            name="temporary-key", source="key_id", is_static_key=False, access_key_id="ASIAX"
        ),
    ),
    Situation(
        "token seen before a key",
        CredentialFacts(method="login", has_session_token=True),
        Principal(name="temporary-key", source="key_id", is_static_key=False),
    ),
    Situation("assume-role before its first refresh", ASSUMED, role_principal()),
    Situation(
        "assume-role with no key yet",
        replace(ASSUMED, access_key_id=None, has_session_token=None),
        role_principal(is_static_key=None, access_key_id=None),
    ),
    Situation(
        "assume-role after it",
        replace(ASSUMED, assumed_role_arn=SESSION),
        role_principal(),
    ),
    Situation(
        "assume-role of a role with a path",
        replace(ASSUMED, role_arn=PATH_ROLE, assumed_role_arn=SESSION),
        role_principal(arns=(SESSION, PATH_ROLE)),
    ),
    Situation(
        "assume-role without a session name",
        replace(ASSUMED, role_session_name=None),
        role_principal(arn=ROLE, arns=(ANY_SESSION, ROLE), session_name=None),
    ),
    Situation(
        "session whose configured role is another one",
        replace(ASSUMED, role_arn=f"{ROLE}-other", assumed_role_arn=SESSION),
        role_principal(arns=(SESSION, ROLE, ANY_PATH)),
    ),
    Situation(
        "role ARN that is none",
        replace(ASSUMED, role_arn="etl"),
        key_principal(ASIA, session_name="run-7"),
    ),
    Situation(
        "the role's account wins over the settings'",
        ASSUMED,
        role_principal(),
        account_id="999999999999",
    ),
    Situation(
        "web identity with the role in the environment",
        replace(ASIA, method="assume-role-with-web-identity"),
        role_principal(
            kind=PrincipalKind.EKS_POD, arns=(SESSION, PATH_ROLE), source="environment"
        ),
        IRSA_ENV,
    ),
    Situation(
        "web identity with the role in a profile, outside of a cluster",
        replace(ASSUMED, method="assume-role-with-web-identity"),
        role_principal(),
    ),
    Situation(
        "a role in the environment that other credentials do not take",
        AKIA,
        key_principal(AKIA),
        IRSA_ENV,
    ),
    Situation(
        "Lambda, account not known",
        ASIA,
        key_principal(
            ASIA,
            name="nightly",
            kind=PrincipalKind.LAMBDA,
            function_version="$LATEST",
            arns=(f"arn:aws:lambda:eu-west-1:{UNKNOWN_ACCOUNT}:function:nightly",),
            source="environment",
        ),
        LAMBDA_ENV,
    ),
    Situation(
        "Lambda, account known",
        ASIA,
        key_principal(
            ASIA,
            name="nightly",
            kind=PrincipalKind.LAMBDA,
            function_version="42",
            arn=FUNCTION,
            arns=(FUNCTION, f"{FUNCTION}:42"),
            account_id=ACCOUNT,
            source="environment",
        ),
        {**LAMBDA_ENV, "AWS_LAMBDA_FUNCTION_VERSION": "42"},
        account_id=ACCOUNT,
    ),
    Situation(
        "Lambda with SnapStart",
        replace(ASIA, method="container-role", account_id=ACCOUNT),
        key_principal(
            ASIA,
            name="nightly",
            kind=PrincipalKind.LAMBDA,
            function_version="$LATEST",
            arn=FUNCTION,
            arns=(FUNCTION,),
            account_id=ACCOUNT,
            source="environment",
        ),
        {**LAMBDA_ENV, **POD_ENV},
    ),
    Situation(
        "Lambda in China",
        replace(ASIA, account_id=ACCOUNT),
        key_principal(
            ASIA,
            name="nightly",
            kind=PrincipalKind.LAMBDA,
            function_version="$LATEST",
            arn=f"arn:aws-cn:lambda:cn-north-1:{ACCOUNT}:function:nightly",
            arns=(f"arn:aws-cn:lambda:cn-north-1:{ACCOUNT}:function:nightly",),
            account_id=ACCOUNT,
            source="environment",
        ),
        {**LAMBDA_ENV, "AWS_REGION": "cn-north-1"},
    ),
    Situation(
        "Lambda that hides its region",
        ASIA,
        key_principal(
            ASIA,
            name="nightly",
            kind=PrincipalKind.LAMBDA,
            arns=(f"arn:{UNKNOWN_RUN}:lambda:{UNKNOWN_RUN}:{UNKNOWN_ACCOUNT}:function:nightly",),
            source="environment",
        ),
        {"AWS_LAMBDA_FUNCTION_NAME": "nightly"},
    ),
    Situation("a role assumed within Lambda", ASSUMED, role_principal(), LAMBDA_ENV),
    Situation(
        "keys of its own within Lambda",
        replace(AKIA, method="explicit"),
        key_principal(AKIA),
        LAMBDA_ENV,
    ),
    Situation(
        "Lambda, asked",
        ASIA,
        role_principal(
            name="nightly",
            kind=PrincipalKind.LAMBDA,
            function_version="$LATEST",
            arns=(SESSION, ROLE, ANY_PATH, FUNCTION),
            source="sts",
        ),
        LAMBDA_ENV,
        sts_arn=SESSION,
    ),
    Situation(
        "ECS task",
        replace(ASIA, method="container-role"),
        key_principal(ASIA, name="ecs-task", kind=PrincipalKind.ECS_TASK, source="environment"),
        ECS_ENV,
    ),
    Situation(
        "ECS task by its metadata",
        replace(ASIA, method="container-role"),
        key_principal(ASIA, name="ecs-task", kind=PrincipalKind.ECS_TASK, source="environment"),
        {"ECS_CONTAINER_METADATA_URI_V4": "http://169.254.170.2/v4/1"},
    ),
    Situation(
        "ECS task, asked",
        replace(ASIA, method="container-role"),
        role_principal(kind=PrincipalKind.ECS_TASK, arns=(SESSION, ROLE, ANY_PATH), source="sts"),
        ECS_ENV,
        sts_arn=SESSION,
    ),
    Situation(
        "EKS pod with Pod Identity",
        replace(ASIA, method="container-role"),
        key_principal(ASIA, name="eks-pod", kind=PrincipalKind.EKS_POD, source="environment"),
        POD_ENV,
    ),
    Situation(
        "credentials of another endpoint",
        replace(ASIA, method="container-role"),
        key_principal(ASIA),
        {"AWS_CONTAINER_CREDENTIALS_FULL_URI": "http://localhost/"},
    ),
    Situation(
        "EC2 instance",
        replace(ASIA, method="iam-role"),
        key_principal(
            ASIA, name="ec2-instance", kind=PrincipalKind.EC2_INSTANCE, source="provider"
        ),
    ),
    Situation(
        "single sign-on",
        replace(ASIA, method="sso", account_id=ACCOUNT),
        key_principal(
            ASIA,
            name="sso",
            kind=PrincipalKind.SSO,
            source="provider",
            account_id=ACCOUNT,
        ),
    ),
    Situation(
        "CI job with a user's key",
        AKIA,
        key_principal(
            AKIA,
            name="github:acme/orders/Nightly",
            kind=PrincipalKind.CI_JOB,
            source="environment",
        ),
        GITHUB_ENV,
    ),
    Situation(
        "CI job on a runner of one's own",
        replace(ASIA, method="iam-role"),
        key_principal(
            ASIA,
            name="github:acme/orders/Nightly",
            kind=PrincipalKind.CI_JOB,
            source="environment",
        ),
        GITHUB_ENV,
    ),
    Situation("CI job that assumes a role", ASSUMED, role_principal(), GITHUB_ENV),
    Situation(
        "CI job, asked",
        AKIA,
        key_principal(
            AKIA,
            name="github:acme/orders/Nightly",
            kind=PrincipalKind.CI_JOB,
            arn=USER,
            arns=(USER,),
            arns_complete=True,
            account_id=ACCOUNT,
            source="sts",
        ),
        GITHUB_ENV,
        sts_arn=USER,
    ),
    Situation(
        "user key, asked",
        AKIA,
        key_principal(
            AKIA,
            name="bob",
            arn=USER,
            arns=(USER,),
            arns_complete=True,
            account_id=ACCOUNT,
            source="sts",
        ),
        sts_arn=USER,
    ),
    Situation(
        "root key, asked",
        AKIA,
        key_principal(
            AKIA,
            name="root",
            kind=PrincipalKind.ROOT,
            arn=f"arn:aws:iam::{ACCOUNT}:root",
            arns=(f"arn:aws:iam::{ACCOUNT}:root",),
            arns_complete=True,
            account_id=ACCOUNT,
            source="sts",
        ),
        sts_arn=f"arn:aws:iam::{ACCOUNT}:root",
    ),
    Situation(
        "an explicit name",
        AKIA,
        key_principal(AKIA, name="etl", source="explicit"),
        identity="etl",
    ),
    Situation(
        "an explicit name of a known role",
        ASSUMED,
        role_principal(name="the loader", source="explicit"),
        identity="the loader",
    ),
    Situation(
        "an explicit role",
        ASIA,
        role_principal(
            arn=PATH_ROLE, arns=(ANY_SESSION, PATH_ROLE), session_name=None, source="explicit"
        ),
        identity=PATH_ROLE,
    ),
    Situation(
        "an explicit user",
        AKIA,
        key_principal(
            AKIA,
            name="bob",
            arn=USER,
            arns=(USER,),
            arns_complete=True,
            account_id=ACCOUNT,
            source="explicit",
        ),
        identity=USER,
    ),
    Situation(
        "an explicit user, and a role that the client assumes",
        ASSUMED,
        role_principal(
            name="bob",
            kind=PrincipalKind.USER,
            arn=USER,
            arns=(USER, SESSION, ROLE),
            session_name=None,
            source="explicit",
        ),
        identity=USER,
    ),
    Situation(
        "an explicit role, and a session of it",
        replace(ASSUMED, role_arn=None, assumed_role_arn=SESSION),
        role_principal(
            arn=PATH_ROLE,
            arns=(ANY_SESSION, PATH_ROLE, SESSION),
            session_name=None,
            source="explicit",
        ),
        identity=PATH_ROLE,
    ),
    Situation(
        "an explicit function does not tell its role",
        ASIA,
        key_principal(
            ASIA,
            name="nightly",
            kind=PrincipalKind.LAMBDA,
            arn=FUNCTION,
            arns=(FUNCTION,),
            account_id=ACCOUNT,
            source="explicit",
        ),
        identity=FUNCTION,
    ),
]


def resolver_for(situation: Situation, groups: Mapping[str, tuple[str, ...]]) -> IdentityResolver:
    """A resolver in that situation; asking fails the test where nothing is to be asked."""

    def look_up(_facts: CredentialFacts) -> Caller | None:
        return Caller(str(situation.sts_arn))

    return IdentityResolver(
        identity=situation.identity,
        account_id=situation.account_id,
        groups=groups,
        environ=situation.environ,
        lookup=look_up if situation.sts_arn else None,
        start=lambda work: work(),
    )


@pytest.mark.parametrize("situation", SITUATIONS, ids=lambda situation: situation.title)
def test_the_principal_is_what_the_situation_tells(situation: Situation) -> None:
    """Offline first; nothing is claimed that is not known."""
    found = resolver_for(situation, {}).resolve(situation.facts, EMPTY_SCOPE)

    assert replace(found, findings=()) == situation.expected


# --- CI systems --------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("environ", "name"),
    [
        (GITHUB_ENV, "github:acme/orders/Nightly"),
        ({"GITHUB_ACTIONS": "true"}, "github"),
        (
            {"GITLAB_CI": "true", "CI_PROJECT_PATH": "acme/orders", "CI_JOB_NAME": "load"},
            "gitlab:acme/orders/load",
        ),
        ({"JENKINS_URL": "https://ci.example/", "JOB_NAME": "orders/main"}, "jenkins:orders/main"),
        ({"CODEBUILD_BUILD_ID": "orders:0b3c-4711", **ECS_ENV}, "codebuild:orders"),
        (
            {
                "CIRCLECI": "true",
                "CIRCLE_PROJECT_USERNAME": "acme",
                "CIRCLE_PROJECT_REPONAME": "orders",
                "CIRCLE_JOB": "load",
            },
            "circleci:acme/orders/load",
        ),
        (
            {
                "BUILDKITE": "true",
                "BUILDKITE_ORGANIZATION_SLUG": "acme",
                "BUILDKITE_PIPELINE_SLUG": "orders",
            },
            "buildkite:acme/orders",
        ),
        ({"GITHUB_ACTIONS": "true", "GITHUB_WORKFLOW": "a\nb"}, "github:a?b"),
        ({"GITHUB_ACTIONS": "false"}, "ecs-task"),
        ({"BUILDKITE": ""}, "ecs-task"),
    ],
)
def test_a_ci_job_is_labelled(environ: Mapping[str, str], name: str) -> None:
    """By what is the same in every run of it; wins over the container it runs in."""
    resolver = IdentityResolver(
        identity=None, account_id=None, groups={}, environ={**ECS_ENV, **environ}
    )

    found = resolver.resolve(replace(ASIA, method="container-role"), EMPTY_SCOPE)

    assert found.name == name
    assert found.arns == ()


# --- groups ------------------------------------------------------------------------------------

GROUPS = {
    "loaders": ("arn:aws:iam::*:role/etl*", "arn:aws:lambda:*:*:function:nightly"),
    "team": ("arn:aws:iam::*:role/team/*",),
    "runs": ("arn:aws:sts::*:assumed-role/etl/run-*",),
    "people": ("arn:aws:iam::*:user/*",),
    "all": ("*",),
}


@pytest.mark.parametrize(
    ("title", "groups", "is_complete"),
    [
        ("unsigned", {"all"}, False),
        ("assume-role before its first refresh", {"loaders", "runs", "all"}, True),
        ("assume-role of a role with a path", {"team", "runs", "all"}, True),
        ("assume-role without a session name", {"loaders", "all"}, False),
        ("Lambda, account not known", {"loaders", "all"}, False),
        ("an explicit user", {"people", "all"}, True),
        ("ECS task, asked", {"loaders", "runs", "all"}, False),
    ],
)
def test_groups_are_those_that_surely_hold(
    title: str, groups: set[str], is_complete: bool
) -> None:
    """A group that may hold makes the ARNs incomplete: it is neither granted nor ruled out."""
    situation = next(one for one in SITUATIONS if one.title == title)

    found = resolver_for(situation, GROUPS).resolve(situation.facts, EMPTY_SCOPE)

    assert found.groups == groups
    assert found.arns_complete is is_complete


# --- acting ------------------------------------------------------------------------------------


def test_acting_is_added_to_the_signing_identity() -> None:
    """The signer's name and ARNs stay; groups are added; an agent is of its own kind."""
    resolver = resolver_for(SITUATIONS[1], {})
    scope = Scope(acting_name="bot", acting_kind="agent", acting_groups=frozenset({"agents"}))

    found = resolver.resolve(ASSUMED, scope)

    alone = resolver.resolve(ASSUMED, EMPTY_SCOPE)
    assert found == replace(
        alone,
        acting_name="bot",
        kind=PrincipalKind.AGENT,
        groups=frozenset({"agents"}),
        signer=alone,
    )


def test_acting_for_a_user_keeps_the_kind() -> None:
    """Only an agent is a kind of principal."""
    scope = Scope(acting_name="alice", acting_kind="user")

    found = resolver_for(SITUATIONS[1], GROUPS).resolve(ASSUMED, scope)

    assert found.acting_name == "alice"
    assert found.kind is PrincipalKind.ASSUMED_ROLE
    assert found.groups == {"loaders", "runs", "all"}


# --- nothing is ruled out that may be true -----------------------------------------------------

NAMES = st.sampled_from(["etl", "etl-2", "load"])
PATHS = st.sampled_from(["", "team/", "team/data/"])
GLOBS = st.builds(
    lambda service, account, resource: f"arn:aws:{service}::{account}:{resource}",
    st.sampled_from(["iam", "sts", "*"]),
    st.sampled_from([ACCOUNT, "*", "999999999999"]),
    st.sampled_from(
        [
            "role/etl",
            "role/*",
            "role/team/*",
            "role/*/etl",
            "role/team/etl*",
            "assumed-role/etl/*",
            "assumed-role/etl/run-?",
            "assumed-role/*",
            "*",
            "user/*",
        ]
    ),
)


@given(
    name=NAMES,
    path=PATHS,
    knows_role=st.booleans(),
    knows_session=st.booleans(),
    is_explicit=st.booleans(),
    glob=GLOBS,
)
def test_what_is_true_of_a_role_is_never_ruled_out(
    *, name: str, path: str, knows_role: bool, knows_session: bool, is_explicit: bool, glob: str
) -> None:
    """Whatever part is known: a glob that fits the real ARNs fits, may fit, or all is open."""
    role = f"arn:aws:iam::{ACCOUNT}:role/{path}{name}"
    session = f"arn:aws:sts::{ACCOUNT}:assumed-role/{name}/run-7"
    facts = replace(
        ASIA,
        role_arn=role if knows_role else None,
        role_session_name="run-7" if knows_session else None,
        assumed_role_arn=session if knows_session and not knows_role else None,
    )
    resolver = IdentityResolver(
        identity=role if is_explicit else None,
        account_id=None,
        groups={"group": (glob,)},
        environ={},
    )

    found = resolver.resolve(facts, EMPTY_SCOPE)

    true_arns = [role, session]
    if not (knows_role or is_explicit):
        # A role's name is unique in its account: without its path it still means no other role.
        true_arns.append(f"arn:aws:iam::{ACCOUNT}:role/{name}")
    is_member = any(arn_matches(glob, arn) for arn in true_arns)
    may_match = any(arn_may_match(glob, arn) for arn in found.arns)
    assert not is_member or may_match or not found.arns_complete
    if found.arns_complete:
        assert ("group" in found.groups) is is_member
