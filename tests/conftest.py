"""What holds for every test: no real account, nothing installed before, nothing left behind."""

from __future__ import annotations

import importlib.util
import os
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

# Examples differ in cost with the machine's load, so no example has a deadline; pytest-timeout
# ends a test that hangs. `make fuzz` chooses the second profile.
settings.register_profile("default", deadline=None, max_examples=200)
settings.register_profile(
    "fuzz", deadline=None, max_examples=20_000, suppress_health_check=[HealthCheck.too_slow]
)
settings.load_profile(os.environ.get("DYNAGUARD_TEST_PROFILE", "default"))

# aiobotocore pins one botocore and lives in an environment of its own (`make smoke-aio`); there
# the directory is collected, and an empty run is an error of pytest's.
collect_ignore = [] if importlib.util.find_spec("aiobotocore") else ["aio"]

FAKE_AWS_ENVIRONMENT = {
    "AWS_ACCESS_KEY_ID": "AKIAIOSFODNN7EXAMPLE",
    "AWS_SECRET_ACCESS_KEY": "not-a-secret",
    "AWS_DEFAULT_REGION": "eu-west-1",
    "AWS_EC2_METADATA_DISABLED": "true",
    "AWS_CONFIG_FILE": os.devnull,
    "AWS_SHARED_CREDENTIALS_FILE": os.devnull,
}
_FOREIGN_PREFIXES = (
    *("AWS_", "_X_AMZN_", "DYNAGUARD_", "ECS_", "OTEL_", "POWERTOOLS_", "TRACEPARENT"),
    # What CI systems tell of the job that runs the tests.
    *("BITBUCKET_", "BUILDKITE", "CIRCLE", "CODEBUILD_", "GITHUB_", "GITLAB_", "JENKINS_"),
    "TF_BUILD",
)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Marks what compares costs, by its file's name: coverage and mutation would distort it."""
    for item in items:
        if item.path.name.endswith("_cost.py"):
            item.add_marker(pytest.mark.cost)


@pytest.fixture(autouse=True)
def _clean_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    """The environment names a fake account and no settings of dynaguard or of peers."""
    for name in list(os.environ):
        if name.startswith(_FOREIGN_PREFIXES):
            monkeypatch.delenv(name)
    for name, value in FAKE_AWS_ENVIRONMENT.items():
        monkeypatch.setenv(name, value)


if "MUTANT_UNDER_TEST" in os.environ:

    @pytest.fixture(autouse=True)
    def _nothing_remembered() -> None:
        """mutmut forks after a clean run: what that remembered would hide the mutant."""
        for name, module in list(sys.modules.items()):
            if name.startswith("dynaguard."):
                for value in list(vars(module).values()):
                    if hasattr(value, "cache_clear"):
                        value.cache_clear()


@pytest.fixture(autouse=True)
def _nothing_left_behind() -> Iterator[None]:
    """After each test nothing is installed, no scope is open and boto3 has no default session."""
    yield
    _uninstall()
    _reset_scope()
    boto3 = sys.modules.get("boto3")
    if boto3 is not None:
        boto3.DEFAULT_SESSION = None


def _uninstall() -> None:
    """Takes dynaguard out, however often the test installed it."""
    dynaguard = sys.modules.get("dynaguard")
    uninstall = getattr(dynaguard, "uninstall", None)
    if uninstall is not None:
        uninstall()


def _reset_scope() -> None:
    """Forgets the process's scope and one that a test entered and did not leave."""
    scope = sys.modules.get("dynaguard.scope")
    if scope is not None:
        scope.set_process_scope(scope.EMPTY_SCOPE)
        scope._current.set(None)
        scope._outer_scopes.set(())


@pytest.fixture(scope="session")
def repository() -> Path:
    """The root of the checkout, for tests that read its files."""
    return Path(__file__).resolve().parent.parent
