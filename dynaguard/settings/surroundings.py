"""What runs this process, and which run of it: AWS Batch, Lambda, a CI system, an ECS task.

Job, run and stage come from here where no setting gives them. One system tells all three: the
first of `_SYSTEMS` whose marker is set. Names are as the system writes them, without its own name.

Source: the variable references of AWS Batch ("Job environment variables"), AWS Lambda ("Defined
runtime environment variables"), GitHub Actions, GitLab CI, Jenkins, CircleCI, Buildkite, AWS
CodeBuild, Azure Pipelines and Bitbucket Pipelines; Amazon ECS developer guide, "Task metadata
endpoint version 4".
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Final, NamedTuple

from dynaguard.scope import MAX_NAME_LENGTH
from dynaguard.values import dataclass

_ECS_URI: Final = "ECS_CONTAINER_METADATA_URI_V4"
_FARGATE_CONTAINER: Final = re.compile(r"([0-9a-f]{32})-[0-9]+")


class Surroundings(NamedTuple):
    """What the environment tells of the process; None for what it does not.

    Attributes:
        job: Name of the job, the same in every run.
        run_id: One run of it, its attempt included.
        stage: Its stage or step.
    """

    job: str | None = None
    run_id: str | None = None
    stage: str | None = None


@dataclass(frozen=True, slots=True)
class _System:
    """How one system tells what it runs.

    Attributes:
        name: As the documentation lists it.
        marker: A variable that only this system sets.
        job: Variables whose values, joined by `/`, name the job.
        run_id: Variables whose values, joined by `.`, name the run.
        stage: Variables whose first set one names the stage.
    """

    name: str
    marker: str
    job: tuple[str, ...] = ()
    run_id: tuple[str, ...] = ()
    stage: tuple[str, ...] = ()


_SYSTEMS: Final = (
    _System(
        "AWS Batch",
        "AWS_BATCH_JOB_ID",
        job=("AWS_BATCH_JQ_NAME",),
        run_id=("AWS_BATCH_JOB_ID", "AWS_BATCH_JOB_ATTEMPT"),  # a child's id ends in its index
    ),
    _System("AWS Lambda", "AWS_LAMBDA_FUNCTION_NAME", job=("AWS_LAMBDA_FUNCTION_NAME",)),
    _System(
        "GitHub Actions",
        "GITHUB_ACTIONS",
        job=("GITHUB_REPOSITORY", "GITHUB_WORKFLOW"),
        run_id=("GITHUB_RUN_ID", "GITHUB_RUN_ATTEMPT"),
        stage=("GITHUB_JOB",),
    ),
    _System(
        "GitLab CI",
        "GITLAB_CI",
        job=("CI_PROJECT_PATH", "CI_JOB_NAME"),
        run_id=("CI_PIPELINE_ID", "CI_JOB_ID"),
        stage=("CI_JOB_STAGE",),
    ),
    _System(
        "AWS CodeBuild",
        "CODEBUILD_BUILD_ID",
        job=("CODEBUILD_BUILD_ID",),
        run_id=("CODEBUILD_BUILD_ID",),
        stage=("CODEBUILD_BATCH_BUILD_IDENTIFIER",),
    ),
    _System(
        "Jenkins",
        "JENKINS_URL",
        job=("JOB_NAME",),
        run_id=("BUILD_NUMBER",),
        stage=("STAGE_NAME",),
    ),
    _System(
        "CircleCI",
        "CIRCLECI",
        job=("CIRCLE_PROJECT_USERNAME", "CIRCLE_PROJECT_REPONAME"),
        run_id=("CIRCLE_WORKFLOW_ID", "CIRCLE_BUILD_NUM"),
        stage=("CIRCLE_JOB",),
    ),
    _System(
        "Buildkite",
        "BUILDKITE",
        job=("BUILDKITE_ORGANIZATION_SLUG", "BUILDKITE_PIPELINE_SLUG"),
        run_id=("BUILDKITE_BUILD_NUMBER", "BUILDKITE_RETRY_COUNT"),
        stage=("BUILDKITE_STEP_KEY", "BUILDKITE_LABEL"),
    ),
    _System(
        "Azure Pipelines",
        "TF_BUILD",
        job=("SYSTEM_TEAMPROJECT", "BUILD_DEFINITIONNAME"),
        run_id=("BUILD_BUILDID", "SYSTEM_JOBATTEMPT"),
        stage=("SYSTEM_STAGENAME", "SYSTEM_JOBNAME"),
    ),
    _System(
        "Bitbucket Pipelines",
        "BITBUCKET_BUILD_NUMBER",
        job=("BITBUCKET_REPO_FULL_NAME",),
        run_id=("BITBUCKET_BUILD_NUMBER", "BITBUCKET_STEP_RUN_NUMBER"),
        stage=("BITBUCKET_DEPLOYMENT_ENVIRONMENT",),
    ),
    _System("Amazon ECS", _ECS_URI, run_id=(_ECS_URI,)),
)


def _part_of_build(part: int) -> Callable[[str], str]:
    """Project (0) or build (-1) of CodeBuild's id, `project:uuid`."""
    return lambda text: text.split(":")[part]


def _ecs_task(uri: str) -> str:
    """The task of a metadata endpoint, `http://169.254.170.2/v4/TASK-CONTAINER`.

    On Fargate the task's id stands in it; elsewhere it names the container.
    """
    last = uri.rstrip("/").rpartition("/")[2]
    found = _FARGATE_CONTAINER.fullmatch(last)
    return found[1] if found else last


_READER_BY_VARIABLE: Final[Mapping[tuple[str, str], Callable[[str], str]]] = {
    ("job", "CODEBUILD_BUILD_ID"): _part_of_build(0),
    ("run_id", "CODEBUILD_BUILD_ID"): _part_of_build(-1),
    ("run_id", _ECS_URI): _ecs_task,
}
"""How a value is read that says more than is asked for."""


def read_surroundings(environ: Mapping[str, str]) -> Surroundings:
    """What the environment tells; what does not print in its texts becomes `?`.

    Never raises: these variables are not dynaguard's to judge.
    """
    for system in _SYSTEMS:
        if environ.get(system.marker, "").strip().casefold() in {"", "false"}:
            continue
        stages = [_value("stage", name, environ) for name in system.stage]
        return Surroundings(
            _joined("/", [_value("job", name, environ) for name in system.job]),
            _joined(".", [_value("run_id", name, environ) for name in system.run_id]),
            _joined("", [each for each in stages if each][:1]),
        )
    return Surroundings()


def surroundings_markdown() -> str:
    """The table of systems, in the order in which they are asked."""
    head = "| system | known by | job | run id | stage |\n|---|---|---|---|---|\n"
    return head + "".join(
        f"| {each.name} | `{each.marker}` | {_listed(each.job, ' / ')} "
        f"| {_listed(each.run_id, ' . ')} | {_listed(each.stage, ', else ')} |\n"
        for each in _SYSTEMS
    )


def _value(field: str, name: str, environ: Mapping[str, str]) -> str:
    """One variable's text; empty where it is not set."""
    text = environ.get(name, "").strip()
    read = _READER_BY_VARIABLE.get((field, name))
    return read(text) if read is not None and text else text


def _joined(between: str, parts: list[str]) -> str | None:
    """One text that fits a scope, or None for an empty one."""
    text = between.join(part for part in parts if part)[:MAX_NAME_LENGTH]
    return "".join(char if char.isprintable() else "?" for char in text) or None


def _listed(names: tuple[str, ...], between: str) -> str:
    """Variables for the table."""
    return between.join(f"`{name}`" for name in names) or "none"
