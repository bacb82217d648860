"""Names are the conventions' own, compared to the installed package, or stand under our prefix."""

from __future__ import annotations

import ast
import importlib
import inspect
import itertools
import pkgutil
from types import ModuleType

import pytest

from dynaguard.telemetry import names

# The conventions of the oldest supported API know none of the current names.
_incubating = pytest.importorskip("opentelemetry.semconv._incubating", exc_type=ImportError)
attributes = importlib.import_module("opentelemetry.semconv.attributes")
db_attributes = importlib.import_module(
    "opentelemetry.semconv._incubating.attributes.db_attributes"
)
db_metrics = importlib.import_module("opentelemetry.semconv.metrics.db_metrics")

SPECIFIED = {"OTEL_METRIC_OVERFLOW"}  # by the metrics specification, not by the conventions
VALUES = {"AWS_API", "AWS_DYNAMODB", "ERROR_TYPE_OTHER"}
METRICS = {"DB_CLIENT_OPERATION_DURATION"}
STABLE = {
    "DB_COLLECTION_NAME",
    "DB_OPERATION_BATCH_SIZE",
    "DB_OPERATION_NAME",
    "DB_RESPONSE_STATUS_CODE",
    "DB_SYSTEM_NAME",
    "ERROR_TYPE",
    "HTTP_RESPONSE_STATUS_CODE",
    "SERVER_ADDRESS",
    "SERVER_PORT",
}
DEPRECATED = {"RPC_SYSTEM"}
NAMES = {name: value for name, value in vars(names).items() if name.isupper()}
OWN = {name for name, value in NAMES.items() if value.startswith("dynaguard.")}
CONVENTIONAL = sorted(set(NAMES) - OWN - VALUES - METRICS - SPECIFIED)


def modules_of(package: ModuleType) -> list[ModuleType]:
    """The modules in a package of attribute constants."""
    found = pkgutil.iter_modules(package.__path__, f"{package.__name__}.")
    return [importlib.import_module(each.name) for each in found]


def constants_of(modules: list[ModuleType]) -> dict[str, str]:
    """Every constant of these modules."""
    return {
        name: value
        for module in modules
        for name, value in vars(module).items()
        if name.isupper() and isinstance(value, str)
    }


INCUBATING = modules_of(importlib.import_module(f"{_incubating.__name__}.attributes"))


def deprecated_in(module: ModuleType) -> set[str]:
    """The constants whose description begins with `Deprecated`."""
    body = ast.parse(inspect.getsource(module)).body
    return {
        node.target.id
        for node, after in itertools.pairwise(body)
        if isinstance(node, ast.AnnAssign)
        and isinstance(node.target, ast.Name)
        and isinstance(after, ast.Expr)
        and isinstance(after.value, ast.Constant)
        and str(after.value.value).strip().startswith("Deprecated")
    }


@pytest.mark.parametrize("name", CONVENTIONAL)
def test_a_conventional_name_is_the_conventions_own(name: str) -> None:
    """The same constant, the same text."""
    assert constants_of(INCUBATING)[name] == NAMES[name]


def test_stable_names_are_stable() -> None:
    """They may be relied on in dashboards."""
    stable = constants_of(modules_of(attributes))

    assert {name: stable[name] for name in STABLE} == {name: NAMES[name] for name in STABLE}


def test_no_name_that_we_send_is_deprecated() -> None:
    """One is, which only peers still send. What became stable is deprecated where it was."""
    deprecated = set().union(*(deprecated_in(module) for module in INCUBATING))

    assert deprecated.intersection(CONVENTIONAL) - STABLE == DEPRECATED


def test_metric_and_system_are_the_conventions_own() -> None:
    """The one stable metric, and DynamoDB's value."""
    assert db_metrics.DB_CLIENT_OPERATION_DURATION == names.DB_CLIENT_OPERATION_DURATION
    assert db_attributes.DbSystemNameValues.AWS_DYNAMODB.value == names.AWS_DYNAMODB


def test_names_are_distinct() -> None:
    """No two constants mean the same."""
    assert len(set(NAMES.values())) == len(NAMES)
