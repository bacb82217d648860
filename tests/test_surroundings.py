"""Job, run and stage as CI systems, AWS Batch, Lambda and ECS tell them."""

from __future__ import annotations

from collections.abc import Mapping

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dynaguard.settings import resolve_settings
from dynaguard.settings.surroundings import _SYSTEMS, Surroundings, read_surroundings

TASK = "cd189a933e5849daa93386466019ab50"
ECS = {"ECS_CONTAINER_METADATA_URI_V4": f"http://169.254.170.2/v4/{TASK}-2495160603"}
CASES: list[tuple[str, Mapping[str, str], Surroundings]] = [
    (
        "batch",
        {
            "AWS_BATCH_JOB_ID": "f2b6c9f4-1111-2222:3",
            "AWS_BATCH_JOB_ATTEMPT": "2",
            "AWS_BATCH_JQ_NAME": "nightly",
            **ECS,
        },
        Surroundings("nightly", "f2b6c9f4-1111-2222:3.2"),
    ),
    ("lambda", {"AWS_LAMBDA_FUNCTION_NAME": "etl"}, Surroundings("etl")),
    (
        "github",
        {
            "GITHUB_ACTIONS": "true",
            "GITHUB_REPOSITORY": "acme/orders",
            "GITHUB_WORKFLOW": "Nightly",
            "GITHUB_RUN_ID": "1658821493",
            "GITHUB_RUN_ATTEMPT": "1",
            "GITHUB_JOB": "load",
        },
        Surroundings("acme/orders/Nightly", "1658821493.1", "load"),
    ),
    (
        "gitlab",
        {
            "GITLAB_CI": "true",
            "CI_PROJECT_PATH": "acme/orders",
            "CI_JOB_NAME": "rollup",
            "CI_PIPELINE_ID": "9",
            "CI_JOB_ID": "11",
            "CI_JOB_STAGE": "deploy",
        },
        Surroundings("acme/orders/rollup", "9.11", "deploy"),
    ),
    (
        "codebuild",
        {"CODEBUILD_BUILD_ID": "orders:b1e6661e-e4f2"},
        Surroundings("orders", "b1e6661e-e4f2"),
    ),
    (
        "jenkins",
        {
            "JENKINS_URL": "https://ci.example/",
            "JOB_NAME": "etl/main",
            "BUILD_NUMBER": "5",
            "STAGE_NAME": "Load",
        },
        Surroundings("etl/main", "5", "Load"),
    ),
    (
        "circleci",
        {
            "CIRCLECI": "true",
            "CIRCLE_PROJECT_USERNAME": "acme",
            "CIRCLE_PROJECT_REPONAME": "orders",
            "CIRCLE_WORKFLOW_ID": "w",
            "CIRCLE_BUILD_NUM": "4",
            "CIRCLE_JOB": "build",
        },
        Surroundings("acme/orders", "w.4", "build"),
    ),
    (
        "buildkite",
        {
            "BUILDKITE": "true",
            "BUILDKITE_ORGANIZATION_SLUG": "acme",
            "BUILDKITE_PIPELINE_SLUG": "orders",
            "BUILDKITE_BUILD_NUMBER": "12",
            "BUILDKITE_RETRY_COUNT": "0",
            "BUILDKITE_LABEL": "Load",
        },
        Surroundings("acme/orders", "12.0", "Load"),
    ),
    (
        "azure",
        {
            "TF_BUILD": "True",
            "SYSTEM_TEAMPROJECT": "acme",
            "BUILD_DEFINITIONNAME": "orders",
            "BUILD_BUILDID": "77",
            "SYSTEM_JOBATTEMPT": "1",
            "SYSTEM_STAGENAME": "Load",
        },
        Surroundings("acme/orders", "77.1", "Load"),
    ),
    (
        "bitbucket",
        {
            "BITBUCKET_BUILD_NUMBER": "8",
            "BITBUCKET_REPO_FULL_NAME": "acme/orders",
            "BITBUCKET_DEPLOYMENT_ENVIRONMENT": "prod",
        },
        Surroundings("acme/orders", "8", "prod"),
    ),
    ("fargate", ECS, Surroundings(run_id=TASK)),
    (
        "ecs on ec2",
        {"ECS_CONTAINER_METADATA_URI_V4": "http://169.254.170.2/v4/de2a-b1c3/"},
        Surroundings(run_id="de2a-b1c3"),
    ),
]


@pytest.mark.parametrize(
    ("environ", "expected"), [case[1:] for case in CASES], ids=[case[0] for case in CASES]
)
def test_each_system_tells_job_run_and_stage(
    environ: Mapping[str, str], expected: Surroundings
) -> None:
    """The same job in every run, and the attempt as part of the run."""
    assert read_surroundings(environ) == expected


def test_every_system_has_a_case() -> None:
    """What is documented is tested."""
    markers = {system.marker for system in _SYSTEMS}

    assert markers == {
        next(each.marker for each in _SYSTEMS if each.marker in environ) for _, environ, _ in CASES
    }


@pytest.mark.parametrize("value", ["", " ", "false", "False"])
def test_a_marker_that_is_off_does_not_count(value: str) -> None:
    """Some set `GITHUB_ACTIONS=false` to hide."""
    assert read_surroundings({"GITHUB_ACTIONS": value, "GITHUB_RUN_ID": "1"}) == Surroundings()


@given(
    st.dictionaries(
        st.sampled_from(
            [name for each in _SYSTEMS for name in (each.marker, *each.job, *each.run_id)]
        ),
        st.text(max_size=400),
    )
)
def test_no_value_breaks_reading_and_all_fit_a_scope(environ: dict[str, str]) -> None:
    """Printable, bounded, never empty; settings take them as they are."""
    for text in read_surroundings(environ):
        assert text is None or (0 < len(text) <= 256 and text.isprintable())


def test_settings_come_before_the_surroundings_one_by_one() -> None:
    """A job of the document's, with the run and stage of CI."""
    environ = dict(CASES[2][1])

    resolved = resolve_settings({"stage": "mine"}, environ, {"job": "nightly"})

    settings = resolved.settings
    assert (settings.job, settings.run_id, settings.stage) == ("nightly", "1658821493.1", "mine")
    assert [resolved.source_by_name[name] for name in ("job", "run_id", "stage")] == [
        "document",
        "surroundings",
        "argument",
    ]


def test_surroundings_can_be_switched_off() -> None:
    """Then nothing is picked up."""
    environ = {**CASES[2][1], "DYNAGUARD_SURROUNDINGS": "off"}

    settings = resolve_settings({}, environ).settings

    assert (settings.job, settings.run_id, settings.stage) == (None, None, None)
