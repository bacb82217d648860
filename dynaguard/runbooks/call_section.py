"""Checks one AWS call of a runbook: its operation, its pages, its parameters."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

import botocore

from dynaguard.policy.collecting import Findings, hint, kind_of
from dynaguard.policy.lines import Path_
from dynaguard.runbooks import models
from dynaguard.runbooks.call_params import ParamsChecker, Place
from dynaguard.runbooks.model import CallTemplate
from dynaguard.runbooks.references import Known

CALL_KEYS: Final = ("call", "params", "pages", "items", "region")
MOST_PAGES: Final = 100_000
MOST_ITEMS: Final = 100_000_000


def check_call(
    findings: Findings, table: Mapping[str, Any], path: Path_, known: Known
) -> CallTemplate | None:
    """A call, or None and problems.

    Args:
        findings: Takes the problems.
        table: The step, or one of the calls of a Python step.
        path: Where it stands.
        known: What references may name.
    """
    operation = _operation(findings, table.get("call"), (*path, "call"))
    if operation is None:
        return None
    model = models.operation_model(*operation)
    params = _params(findings, table.get("params", {}), model, (*path, "params"), known)
    pages = _count(findings, table, (*path, "pages"), MOST_PAGES)
    items = _count(findings, table, (*path, "items"), MOST_ITEMS)
    if pages is not None and not models.paging_members(*operation):
        findings.add((*path, "pages"), f"`{operation[1]}` has no pages, remove `pages`")
    region = table.get("region")
    if region is not None and (not isinstance(region, str) or not region):
        findings.add((*path, "region"), f"must be text, this is {kind_of(region)}")
    return CallTemplate(*operation, params, pages, items, region)


def _operation(findings: Findings, value: Any, path: Path_) -> tuple[str, str] | None:
    """`dynamodb:Query` as service and operation."""
    if not isinstance(value, str) or value.count(":") != 1:
        findings.add(path, "must be a service and an operation, such as `dynamodb:Query`")
        return None
    service, name = value.split(":")
    if service not in models.services():
        near = hint(service, models.services())
        findings.add(path, f"unknown service `{service}`{near} (botocore {botocore.__version__})")
        return None
    names = models.operations(service)
    if name not in names:
        findings.add(path, f"`{service}` has no operation `{name}`{hint(name, names)}")
        return None
    return service, name


def _params(
    findings: Findings, value: Any, model: Any, path: Path_, known: Known
) -> Mapping[str, Any]:
    """The parameters, references read."""
    if model.input_shape is None:
        table = findings.table(value, path)
        findings.check_keys(table, path, ())
        return {}
    checked = ParamsChecker(findings, known).check(value, model.input_shape, Place(path))
    return checked if isinstance(checked, Mapping) else {}


def _count(findings: Findings, table: Mapping[str, Any], path: Path_, most: int) -> int | None:
    """A whole number from 1, or None where it is not given."""
    value = table.get(str(path[-1]))
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, int) or not 1 <= value <= most:
        findings.add(path, f"must be a whole number from 1 to {most}")
        return None
    return value
