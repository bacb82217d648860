"""Checks `[[mask]]` and `[detectors]`: what answers do not show, and how to know it."""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping
from typing import Any, Final

from dynaguard.policy.collecting import Findings, hint, kind_of
from dynaguard.policy.lines import Path_
from dynaguard.policy.mask_paths import PATH_EXAMPLES, read_mask_path
from dynaguard.policy.model import MaskStatement, PathStep
from dynaguard.policy.naming import check_principals
from dynaguard.policy.sections import ref_of

STRATEGIES: Final = ("redact", "partial", "hash", "tokenize")
"""Those that are known; `unseal` goes with the last."""
CUSTOM: Final = "custom:"
"""Before the name of a strategy or detector that the program registers."""

DETECTORS: Final = (
    "aws-access-key-id",
    "aws-secret-access-key",
    "br-cpf",
    "de-tax-id",
    "email",
    "es-dni",
    "fr-nir",
    "iban",
    "jwt",
    "nl-bsn",
    "payment-card",
    "pem",
    "phone",
    "pl-pesel",
    "us-ssn",
)
"""Kinds of values that are known without a pattern of the document's; `masking/` finds them."""

MASKED_OPERATIONS: Final = (
    "BatchExecuteStatement",
    "BatchGetItem",
    "BatchWriteItem",
    "DeleteItem",
    "ExecuteStatement",
    "ExecuteTransaction",
    "GetItem",
    "GetRecords",
    "PutItem",
    "Query",
    "Scan",
    "SearchVectors",
    "TransactGetItems",
    "TransactWriteItems",
    "UpdateItem",
)
"""Operations whose answers hold items."""

_KEYS: Final = (
    "Sid",
    "tables",
    "operations",
    "attributes",
    "detect",
    "services",
    "except",
    "with",
    "keep",
    "unless",
    "only",
    "unseal",
)
_OF_TABLES_ONLY: Final = ("attributes", "detect", "operations", "unseal")
_NAME: Final = re.compile(r"[a-z][a-z0-9-]{0,63}")
_CUSTOM_FORM: Final = f"write `{CUSTOM}` and small letters, digits and hyphens"
_DROP: Final = "`drop` would lose the attribute when an item is written back, write `redact`"


def check_detectors(findings: Findings, patterns: Mapping[str, Any]) -> dict[str, str]:
    """`[detectors]`: regular expressions by the name of the kind that they find."""
    detectors = {}
    for name, pattern in patterns.items():
        path = ("detectors", name)
        if name in DETECTORS:
            findings.add(path, f"`{name}` is a detector already, choose another name")
        elif not _NAME.fullmatch(name):
            findings.add(path, f"`{name}` is no name, write small letters, digits and hyphens")
        elif not isinstance(pattern, str) or not pattern:
            findings.add(path, f"must be a regular expression, this is {kind_of(pattern)}")
        elif (fault := _fault_of(pattern)) is not None:
            findings.add(path, f"is no regular expression that can be used ({fault})")
        else:
            detectors[name] = pattern
    return detectors


def _fault_of(pattern: str) -> str | None:
    """Why a pattern finds nothing that could be masked, or None."""
    try:
        compiled = re.compile(pattern)
    except (re.error, OverflowError, RecursionError) as err:
        return str(err) or type(err).__name__
    return "it matches the empty text" if compiled.match("") else None


def check_masks(
    findings: Findings, value: Any, groups: tuple[str, ...], detectors: Collection[str] = ()
) -> tuple[MaskStatement, ...]:
    """`[[mask]]`."""
    masks = []
    for path, table in findings.tables(value, ("mask",)):
        findings.check_keys(table, path, _KEYS)
        is_of_services = "services" in table
        fits = _has_fitting_keys(findings, table, path, is_of_services=is_of_services)
        check = _mask_of_services if is_of_services else _mask_of_tables
        mask = check(findings, table, path, (groups, detectors))
        if fits and mask is not None:
            masks.append(mask)
    return tuple(masks)


def _has_fitting_keys(
    findings: Findings, table: Mapping[str, Any], path: Path_, *, is_of_services: bool
) -> bool:
    """Whether the entry names tables and what to mask in them, or else services."""
    before = len(findings.problems)
    if is_of_services:
        for name in ("tables", *_OF_TABLES_ONLY):
            if name in table:
                findings.add((*path, name), f"`{name}` does not go with `services`, remove one")
        return len(findings.problems) == before
    if "tables" not in table:
        findings.add(path, "`tables` is missing, or `services` for secrets of other services")
    if "attributes" not in table and "detect" not in table:
        findings.add(path, "`attributes` is missing, or `detect` for values of known kinds")
    if "except" in table:
        findings.add((*path, "except"), "`except` goes with `services` only")
    if "unseal" in table and table.get("with", "redact") in STRATEGIES[:-1]:
        findings.add((*path, "unseal"), '`unseal` goes with `with = "tokenize"` only')
    return len(findings.problems) == before


_Names = tuple[tuple[str, ...], Collection[str]]
"""Names of the document's groups, and of its own detectors."""


def _mask_of_tables(
    findings: Findings, table: Mapping[str, Any], path: Path_, names: _Names
) -> MaskStatement | None:
    """An entry for attributes of tables."""
    common = _common(findings, table, path, names[0])
    tables = findings.texts(table["tables"], (*path, "tables")) if "tables" in table else ()
    attributes: tuple[tuple[PathStep, ...], ...] = ()
    if "attributes" in table:
        attributes = _attribute_paths(findings, table["attributes"], (*path, "attributes"))
    operations = _operations(findings, table, path)
    detectors = _detectors(findings, table, path, names[1])
    if common is None:
        return None
    return MaskStatement(
        tables=tables,
        attributes=attributes,
        operations=operations,
        detectors=detectors,
        **common,
    )


def _mask_of_services(
    findings: Findings, table: Mapping[str, Any], path: Path_, names: _Names
) -> MaskStatement | None:
    """An entry for the secrets of other services."""
    common = _common(findings, table, path, names[0])
    services = findings.texts(table["services"], (*path, "services"))
    left_out = findings.texts(table["except"], (*path, "except")) if "except" in table else ()
    if common is None:
        return None
    return MaskStatement(
        tables=(), attributes=(), services=services, except_services=left_out, **common
    )


def _common(
    findings: Findings, table: Mapping[str, Any], path: Path_, groups: tuple[str, ...]
) -> dict[str, Any] | None:
    """What both kinds of entries have: strategy and audience."""
    strategy = _strategy(findings, table.get("with", "redact"), (*path, "with"))
    keep = table.get("keep", 4)
    if isinstance(keep, bool) or not isinstance(keep, int) or not 0 <= keep <= 64:
        findings.add((*path, "keep"), "must be a number of characters, 0 to 64")
    audiences = {
        name: check_principals(findings, table[name], (*path, name), groups)
        for name in ("unless", "only", "unseal")
        if name in table
    }
    if strategy is None:
        return None
    return {
        "ref": ref_of(findings, table, path, "mask"),
        "strategy": strategy,
        "unless": audiences.get("unless"),
        "only": audiences.get("only"),
        "unseal": audiences.get("unseal"),
        "keep": keep if isinstance(keep, int) else 4,
    }


def _strategy(findings: Findings, value: Any, path: Path_) -> str | None:
    """How values are masked."""
    if value == "drop":
        findings.add(path, _DROP)
        return None
    if _is_custom(value):
        return str(value)
    if isinstance(value, str) and value.startswith(CUSTOM):
        findings.add(path, f"`{value}` is no name, {_CUSTOM_FORM}")
        return None
    return findings.choice(value, path, STRATEGIES)


def _detectors(
    findings: Findings, table: Mapping[str, Any], path: Path_, own: Collection[str]
) -> tuple[str, ...]:
    """`detect`: kinds of values, known ones, the document's own, or registered ones."""
    if "detect" not in table:
        return ()
    place = (*path, "detect")
    names = findings.texts(table["detect"], place)
    known = (*DETECTORS, *own)
    for name in names:
        if name.startswith(CUSTOM) and not _is_custom(name):
            findings.add(place, f"`{name}` is no name, {_CUSTOM_FORM}")
        elif name not in known and not _is_custom(name):
            listed = ", ".join(f"`{each}`" for each in sorted(known))
            findings.add(place, f"`{name}` is no detector, known are {listed}{hint(name, known)}")
    return names


def _operations(findings: Findings, table: Mapping[str, Any], path: Path_) -> tuple[str, ...]:
    """`operations`: those whose answers are masked."""
    if "operations" not in table:
        return ()
    place = (*path, "operations")
    patterns = findings.texts(table["operations"], place)
    for pattern in patterns:
        is_pattern = "*" in pattern or "?" in pattern
        if pattern not in MASKED_OPERATIONS and not is_pattern:
            near = hint(pattern, MASKED_OPERATIONS)
            findings.add(place, f"`{pattern}` is no operation that returns items{near}")
    return patterns


def _is_custom(value: Any) -> bool:
    """`custom:NAME`."""
    return (
        isinstance(value, str)
        and value.startswith(CUSTOM)
        and _NAME.fullmatch(value, len(CUSTOM)) is not None
    )


def _attribute_paths(
    findings: Findings, value: Any, path: Path_
) -> tuple[tuple[PathStep, ...], ...]:
    """Attribute paths, each checked on its own."""
    entries = value if isinstance(value, list) else [value]
    if not entries:
        findings.add(path, "is an empty list, write at least one attribute")
    found = []
    for at, entry in enumerate(entries):
        place = (*path, at) if isinstance(value, list) else path
        steps = read_mask_path(entry)
        if steps is None:
            shown = f"`{entry}`" if isinstance(entry, str) else kind_of(entry)
            findings.add(place, f"{shown} is no attribute path, write {PATH_EXAMPLES}")
        else:
            found.append(steps)
    return tuple(found)
