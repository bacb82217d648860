"""Who is said to call, in each situation in which a process can find itself."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dynaguard.call import CredentialFacts, PrincipalKind
from dynaguard.identity import IdentityResolver
from dynaguard.identity.lookup import Caller
from dynaguard.policy.patterns import arn_matches, arn_may_match
from dynaguard.scope import EMPTY_SCOPE, Scope
from tests.identity.principal_parts import ACCOUNT, ASIA, ASSUMED, ECS_ENV, GITHUB_ENV, Situation
from tests.identity.principal_situations import SITUATIONS


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
