"""What the environment tells of the process: Lambda, container, pod, CI job.

A signing identity is tied to the environment only where its credentials come from there: a client
with keys of its own inside a Lambda function is not the function. A CI job is a label for whatever
keys it was given.

Source: the Lambda, ECS, EKS and CodeBuild user guides on environment variables; the variable
references of GitHub Actions, GitLab CI, Jenkins, CircleCI, Buildkite, Azure Pipelines and
Bitbucket Pipelines.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from dynaguard.call import UNKNOWN_ACCOUNT, UNKNOWN_RUN, PrincipalKind
from dynaguard.identity.claims import printable
from dynaguard.values import dataclass


@dataclass(frozen=True, slots=True)
class Workload:
    """What runs, as far as the environment or the kind of credentials tells.

    Attributes:
        kind: What sort of identity.
        name: Its own name, or None where only its kind is known.
        arns: ARNs that name it; may hold marks for what is not known.
        source: `environment` or `provider`.
        version: Of a Lambda function.
        is_bound: Whether the credentials are the workload's own: what it is then tells more than
            that it has a role.
    """

    kind: PrincipalKind
    name: str | None = None
    arns: tuple[str, ...] = ()
    source: str = "environment"
    version: str | None = None
    is_bound: bool = True


@dataclass(frozen=True, slots=True)
class _CiSystem:
    """How one CI system shows itself.

    Attributes:
        marker: A variable that only it sets.
        label: What its jobs are labelled with.
        parts: Variables that name the job, the general one first.
    """

    marker: str
    label: str
    parts: tuple[str, ...]


_CI_SYSTEMS: Final = (
    _CiSystem("GITHUB_ACTIONS", "github", ("GITHUB_REPOSITORY", "GITHUB_WORKFLOW")),
    _CiSystem("GITLAB_CI", "gitlab", ("CI_PROJECT_PATH", "CI_JOB_NAME")),
    _CiSystem("JENKINS_URL", "jenkins", ("JOB_NAME",)),
    _CiSystem("CODEBUILD_BUILD_ID", "codebuild", ("CODEBUILD_BUILD_ID",)),
    _CiSystem(
        "CIRCLECI",
        "circleci",
        ("CIRCLE_PROJECT_USERNAME", "CIRCLE_PROJECT_REPONAME", "CIRCLE_JOB"),
    ),
    _CiSystem(
        "BUILDKITE", "buildkite", ("BUILDKITE_ORGANIZATION_SLUG", "BUILDKITE_PIPELINE_SLUG")
    ),
    _CiSystem("TF_BUILD", "azure", ("SYSTEM_TEAMPROJECT", "BUILD_DEFINITIONNAME")),
    _CiSystem("BITBUCKET_BUILD_NUMBER", "bitbucket", ("BITBUCKET_REPO_FULL_NAME",)),
)
_PARTITION_BY_REGION_PREFIX: Final = {
    "cn-": "aws-cn",
    "us-gov-": "aws-us-gov",
    "us-iso-": "aws-iso",
    "us-isob-": "aws-iso-b",
    "eu-isoe-": "aws-iso-e",
    "us-isof-": "aws-iso-f",
    "eusc-": "aws-eusc",
}
_KIND_BY_METHOD: Final = {
    "iam-role": PrincipalKind.EC2_INSTANCE,
    "sso": PrincipalKind.SSO,
}
_WEB_IDENTITY: Final = "assume-role-with-web-identity"
_IRSA_TOKEN_FOLDER: Final = "eks.amazonaws.com/serviceaccount"


@dataclass(frozen=True, slots=True)
class Surroundings:
    """The environment, read once.

    Attributes:
        function_name, function_version, region: Of the Lambda function; else None.
        is_pod_with_token: EKS Pod Identity gives the credentials.
        is_pod_with_role: A service account of EKS is bound to a role (IRSA).
        is_ecs_task: ECS gives the credentials.
        role_arn, role_session_name: The role for web identity credentials.
        ci_job: Label of the CI job, or None.
        web_identity_token_file, container_token_file: Where tokens are, for either kind of
            provider; or None.
    """

    function_name: str | None = None
    function_version: str | None = None
    region: str | None = None
    is_pod_with_token: bool = False
    is_pod_with_role: bool = False
    is_ecs_task: bool = False
    role_arn: str | None = None
    role_session_name: str | None = None
    ci_job: str | None = None
    web_identity_token_file: str | None = None
    container_token_file: str | None = None

    def token_file(self, method: str | None) -> str | None:
        """The token that credentials of this provider are given for, or None."""
        if method == _WEB_IDENTITY:
            return self.web_identity_token_file
        if method == "container-role" and self.is_pod_with_token:
            return self.container_token_file
        return None

    def workload(self, method: str | None, account_id: str | None) -> Workload | None:
        """What runs with credentials of this provider, or None when nothing tells.

        Args:
            method: botocore's provider name.
            account_id: The caller's account, for the ARN of a function.
        """
        # Lambda hands its role over in variables; with SnapStart, by the container endpoint.
        if self.function_name and method in {"env", "container-role"}:
            return Workload(
                PrincipalKind.LAMBDA,
                self.function_name,
                self._function_arns(self.function_name, account_id),
                version=self.function_version,
            )
        if method == _WEB_IDENTITY and self.is_pod_with_role:
            return Workload(PrincipalKind.EKS_POD)
        # Before containers and instances: CodeBuild, and runners that an organisation hosts
        # itself, are both, and which job runs tells more than where.
        if self.ci_job:
            # A job that trades its own token for a role is known by more than that role.
            return Workload(PrincipalKind.CI_JOB, self.ci_job, is_bound=method == _WEB_IDENTITY)
        if method == "container-role":
            return self._container()
        kind = _KIND_BY_METHOD.get(method or "")
        return Workload(kind, source="provider") if kind else None

    def _container(self) -> Workload | None:
        """The pod or task, or None for another endpoint that gives credentials."""
        if self.is_pod_with_token:
            return Workload(PrincipalKind.EKS_POD)
        return Workload(PrincipalKind.ECS_TASK) if self.is_ecs_task else None

    def _function_arns(self, name: str, account_id: str | None) -> tuple[str, ...]:
        """The function's ARN without and, for a published version, with its version."""
        region = self.region or UNKNOWN_RUN
        partition = partition_of(self.region) if self.region else UNKNOWN_RUN
        account = account_id or UNKNOWN_ACCOUNT
        arn = f"arn:{partition}:lambda:{region}:{account}:function:{name}"
        version = self.function_version
        return (arn, f"{arn}:{version}") if version and version != "$LATEST" else (arn,)


def read_surroundings(environ: Mapping[str, str]) -> Surroundings:
    """What the environment tells; an empty variable tells nothing."""

    def text(name: str) -> str | None:
        return environ.get(name) or None

    return Surroundings(
        function_name=text("AWS_LAMBDA_FUNCTION_NAME"),
        function_version=text("AWS_LAMBDA_FUNCTION_VERSION"),
        region=text("AWS_REGION") or text("AWS_DEFAULT_REGION"),
        is_pod_with_token=bool(
            text("AWS_CONTAINER_CREDENTIALS_FULL_URI")
            and text("AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE")
        ),
        is_pod_with_role=_IRSA_TOKEN_FOLDER in environ.get("AWS_WEB_IDENTITY_TOKEN_FILE", ""),
        is_ecs_task=bool(
            text("AWS_CONTAINER_CREDENTIALS_RELATIVE_URI") or text("ECS_CONTAINER_METADATA_URI_V4")
        ),
        role_arn=text("AWS_ROLE_ARN"),
        role_session_name=text("AWS_ROLE_SESSION_NAME"),
        ci_job=_ci_job(environ),
        web_identity_token_file=text("AWS_WEB_IDENTITY_TOKEN_FILE"),
        container_token_file=text("AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE"),
    )


def _ci_job(environ: Mapping[str, str]) -> str | None:
    """Label of the CI job, such as `github:acme/orders/Nightly`, or None outside of CI."""
    for system in _CI_SYSTEMS:
        if environ.get(system.marker, "").casefold() in {"", "false"}:
            continue
        # A build's id is `project:uuid`; only the project is the same in every run.
        parts = [environ.get(name, "").partition(":")[0] for name in system.parts]
        label = "/".join(part for part in parts if part)
        return printable(f"{system.label}:{label}" if label else system.label)
    return None


def partition_of(region: str) -> str:
    """The partition of a region.

    Source: botocore's `partitions.json`, the region patterns.
    """
    for prefix, partition in _PARTITION_BY_REGION_PREFIX.items():
        if region.startswith(prefix):
            return partition
    return "aws"
