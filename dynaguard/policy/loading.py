"""Loads a policy document: one file or mapping, and the IAM policies that it includes.

Every problem of every file is found before anything is refused; nothing half understood is ever
given back. Files are read once; the digest covers the bytes that were parsed.
"""

from __future__ import annotations

import hashlib
import os
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final, Literal, cast

from dynaguard.errors import PolicySyntaxError, Problem
from dynaguard.policy.approval_section import (
    check_access_requests,
    check_runbooks,
    check_standing_access,
)
from dynaguard.policy.collecting import Findings, hint, kind_of
from dynaguard.policy.lines import Path_
from dynaguard.policy.mask_section import check_detectors, check_masks
from dynaguard.policy.model import BudgetStatement, MaskStatement, PolicyDocument, Statement
from dynaguard.policy.packs import PACK_PREFIX, pack_names, pack_path
from dynaguard.policy.reading import Source, mapping_source, read_source
from dynaguard.policy.sections import (
    check_budgets,
    check_capacity_limits,
    check_context,
    check_groups,
    check_lint,
    check_owners,
    check_tables,
)
from dynaguard.policy.statements import StatementChecker
from dynaguard.values import dataclass

_KEYS: Final = (
    "$schema",
    "access_requests",
    "version",
    "revision",
    "default",
    "govern",
    "policies",
    "variables",
    "groups",
    "owners",
    "tables",
    "statement",
    "mask",
    "detectors",
    "budget",
    "capacity_limit",
    "runbooks",
    "standing_access",
    "context",
    "settings",
    "lint",
)
_PACK_KEYS: Final = ("variables", "statement", "mask", "budget")
_IAM_KEYS: Final = ("Version", "Id", "Statement")
_IAM_VERSIONS: Final = ("2012-10-17", "2008-10-17")
_VARIABLE: Final = re.compile(r"\$\{([^}:$*?,]*)\}")
_VARIABLE_NAME: Final = re.compile(r"[A-Za-z_][A-Za-z0-9_-]*$")
_SAFE_VALUE: Final = re.compile(r"[A-Za-z0-9._/@:-]*$")
_PREFIX: Final = re.compile(r"[a-z0-9-]+$")


def load_policy(
    source: str | os.PathLike[str] | Mapping[str, Any], *, environ: Mapping[str, str]
) -> PolicyDocument:
    """Loads and checks a document.

    Args:
        source: A path ending in `.toml`, `.json`, `.yaml` or `.yml`, or a mapping of the same
            grammar. A plain IAM policy is a document too.
        environ: Where `[variables]` are looked up.

    Raises:
        PolicySyntaxError: Every problem found, each with file, line and path.
        MissingExtraError: YAML without PyYAML.

    Effects: reads the files; nothing else.
    """
    read = mapping_source(source) if isinstance(source, Mapping) else read_source(source)
    loader = _Loader(read, environ)
    if "Statement" in read.data or "Version" in read.data:
        document = loader.load_iam()
    else:
        document = loader.load_native()
    if loader.problems:
        raise PolicySyntaxError(loader.problems)
    return document


@dataclass(frozen=True, slots=True)
class _Included:
    """An included IAM policy or pack: what it brings, its bytes."""

    statements: list[Statement]
    raw: bytes
    masks: tuple[MaskStatement, ...] = ()
    budgets: tuple[BudgetStatement, ...] = ()


class _Loader:
    """Loads one document; notes problems of all its files."""

    def __init__(
        self,
        source: Source,
        environ: Mapping[str, str],
        read_variables: dict[str, tuple[str, ...]] | None = None,
    ) -> None:
        self._source = source
        self._environ = environ
        self._findings = Findings(source)
        self._included_problems: list[Problem] = []
        self._variables: dict[str, str] = {}
        self._read_variables = {} if read_variables is None else read_variables

    @property
    def problems(self) -> list[Problem]:
        """All problems, the document's own first."""
        return [*self._findings.problems, *self._included_problems]

    def load_iam(self) -> PolicyDocument:
        """A plain IAM policy as the whole document: default deny."""
        statements = _iam_statements(self._findings, self._source.data, ())
        return PolicyDocument(
            default="deny",
            govern=_named_services(statements),
            statements=tuple(statements),
            source=self._source.name,
            digest=_digest([self._source.raw]),
        )

    def load_native(self) -> PolicyDocument:
        """A native document with all its sections."""
        findings = self._findings
        data = dict(self._source.data)
        findings.check_keys(data, (), _KEYS)
        self._variables = self._resolve_variables(data.pop("variables", {}))
        settings = data.pop("settings", {})
        data = self._substitute(data, (), findings)
        default = self._default(data)
        groups = check_groups(findings, data.get("groups", {}))
        names = tuple(groups)
        checker = StatementChecker(findings, names, has_variables=True)
        statements = checker.check_all(data.get("statement", []), ("statement",))
        included = self._include(data.get("policies", []))
        statements += [statement for each in included for statement in each.statements]
        settings = findings.table(settings, ("settings",))
        patterns = findings.table(data.get("detectors", {}), ("detectors",))
        detectors = check_detectors(findings, patterns)
        masks = check_masks(findings, data.get("mask", []), names, patterns)
        masks += tuple(mask for each in included for mask in each.masks)
        budgets = check_budgets(findings, data.get("budget", []))
        budgets += tuple(budget for each in included for budget in each.budgets)
        limits = check_capacity_limits(findings, data.get("capacity_limit", []))
        named = (statements, masks, budgets, limits)
        sids = [entry.ref.sid for entries in named for entry in entries]
        return PolicyDocument(
            default=default,
            govern=self._govern(data, statements),
            statements=tuple(statements),
            groups=groups,
            owners=check_owners(findings, data.get("owners", {}), names),
            tables=check_tables(findings, data.get("tables", {})),
            masks=masks,
            detectors=detectors,
            budgets=budgets,
            capacity_limits=limits,
            runbooks=check_runbooks(findings, data.get("runbooks", {}), names),
            has_standing_access=check_standing_access(findings, data, statements),
            access_requests=check_access_requests(findings, data, names),
            context=check_context(findings, data.get("context", {})),
            environment=self._variables.get("environment"),
            read_variables=self._read_variables,
            settings=settings,
            settings_line_by_name={
                name: self._source.line(("settings", name)) for name in settings
            },
            ignored_findings=check_lint(findings, data.get("lint", {}), sids),
            version=self._revision(data),
            source=self._source.name,
            digest=_digest([self._source.raw, *(each.raw for each in included)]),
        )

    def load_pack(self, variables: Mapping[str, str]) -> _Included:
        """A starter pack; the including document's variables count before its own."""
        findings = self._findings
        data = dict(self._source.data)
        findings.check_keys(data, (), _PACK_KEYS)
        own = data.pop("variables", {})
        left = {name: entry for name, entry in own.items() if name not in variables}
        self._variables = {**self._resolve_variables(left), **variables}
        data = self._substitute(data, (), findings)
        checker = StatementChecker(findings, (), has_variables=True)
        return _Included(
            checker.check_all(data.get("statement", []), ("statement",)),
            self._source.raw,
            check_masks(findings, data.get("mask", []), ()),
            check_budgets(findings, data.get("budget", [])),
        )

    def _default(self, data: Mapping[str, Any]) -> Literal["allow", "deny"]:
        """`version` must be 1, `default` must be written."""
        findings = self._findings
        version = data.get("version")
        if version is None:
            findings.add((), "`version` is missing, write `version = 1`")
        elif version != 1 or isinstance(version, bool):
            findings.add(("version",), "must be `1`, the only version of the grammar")
        if "default" not in data:
            findings.add((), '`default` is missing, write `default = "deny"` or `"allow"`')
            return "deny"
        choice = findings.choice(data["default"], ("default",), ("deny", "allow"))
        return cast(Literal["allow", "deny"], choice or "deny")

    def _revision(self, data: Mapping[str, Any]) -> str | None:
        """Free text that `status()` shows."""
        revision = data.get("revision")
        if revision is None or isinstance(revision, str):
            return revision
        if isinstance(revision, int) and not isinstance(revision, bool):
            return str(revision)
        self._findings.add(("revision",), f"must be text, this is {kind_of(revision)}")
        return None

    def _govern(
        self, data: Mapping[str, Any], statements: list[Statement]
    ) -> frozenset[str] | None:
        """The services under the policy: as written, or those that statements name."""
        if "govern" not in data:
            return _named_services(statements)
        prefixes = self._findings.texts(data["govern"], ("govern",))
        for prefix in prefixes:
            if prefix != "*" and not _PREFIX.match(prefix):
                self._findings.add(
                    ("govern",),
                    f"`{prefix}` is no IAM service prefix, write for example `dynamodb`",
                )
        return None if "*" in prefixes else frozenset(prefixes)

    def _resolve_variables(self, value: Any) -> dict[str, str]:
        """`[variables]`: texts, or what the environment says."""
        found = {}
        for name, entry in self._findings.table(value, ("variables",)).items():
            path: Path_ = ("variables", name)
            if not _VARIABLE_NAME.match(name):
                self._findings.add(path, f"`{name}` is no variable name, use letters and digits")
            text = entry
            if isinstance(entry, Mapping):
                text = self._from_environment(entry, path)
            if text is None and text is not entry:
                found[name] = ""
                continue
            if not isinstance(text, str):
                self._findings.add(path, f"must be text or a table, this is {kind_of(text)}")
                text = ""
            elif not _SAFE_VALUE.match(text):
                self._findings.add(
                    path,
                    "its value holds characters other than letters, digits and `._/@:-`; a "
                    "variable never brings in wildcards",
                )
            found[name] = text
        return found

    def _from_environment(self, entry: Mapping[str, Any], path: Path_) -> str | None:
        """`{ env = "STAGE", default = "dev" }`."""
        self._findings.check_keys(entry, path, ("env", "default"))
        variable = entry.get("env")
        if not isinstance(variable, str) or not variable:
            self._findings.add(path, "`env` is missing, name an environment variable")
            return None
        value = self._environ.get(variable) or entry.get("default")
        if value is None:
            self._findings.add(
                path, f"environment variable `{variable}` is not set, set it or give a `default`"
            )
        elif isinstance(value, str):
            taken = self._read_variables.get(variable, ())
            self._read_variables[variable] = tuple(dict.fromkeys((*taken, value)))
        return value

    def _substitute(self, value: Any, path: Path_, findings: Findings) -> Any:
        """The value with `${name}` replaced in all its texts."""
        if isinstance(value, str):
            return _VARIABLE.sub(lambda match: self._value_of(match, path, findings), value)
        if isinstance(value, list):
            return [
                self._substitute(entry, (*path, at), findings) for at, entry in enumerate(value)
            ]
        if isinstance(value, Mapping):
            return {
                key: self._substitute(entry, (*path, key), findings)
                for key, entry in value.items()
            }
        return value

    def _value_of(self, match: re.Match[str], path: Path_, findings: Findings) -> str:
        """The value of one `${name}`."""
        name = match.group(1)
        if name in self._variables:
            return self._variables[name]
        findings.add(path, f"unknown variable `{name}`{hint(name, self._variables)}")
        return ""

    def _include(self, value: Any) -> list[_Included]:
        """The IAM policies that `policies` names."""
        included = []
        patterns = () if value == [] else self._findings.texts(value, ("policies",))
        for at, pattern in enumerate(patterns):
            if pattern.startswith(PACK_PREFIX):
                included += self._include_pack(pattern, ("policies", at))
                continue
            matches = sorted(_matches(self._source.folder, pattern))
            if not matches:
                place = ("policies", at)
                self._findings.add(place, f"`{pattern}` matches no file in the document's folder")
            for name in matches:
                read = self._read_included(name)
                if read is not None:
                    included.append(read)
        return included

    def _include_pack(self, name: str, path: Path_) -> list[_Included]:
        """A starter pack by its name, such as `pack:no-scans`."""
        choices = [f"{PACK_PREFIX}{each}" for each in pack_names()]
        if name not in choices:
            listed = ", ".join(f"`{choice}`" for choice in choices)
            near = hint(name, choices)
            self._findings.add(path, f"unknown pack `{name}`{near}; there are {listed}")
            return []
        read = read_source(pack_path(name.removeprefix(PACK_PREFIX)))
        source = Source(name, read.data, read.line_by_path, read.raw, read.folder)
        loader = _Loader(source, self._environ, self._read_variables)
        included = loader.load_pack(self._variables)
        self._included_problems += loader.problems
        return [included]

    def _read_included(self, path: Path) -> _Included | None:
        """One included policy, or None where it cannot be read."""
        shown = os.path.relpath(path, self._source.folder)
        try:
            read = read_source(path)
        except PolicySyntaxError as err:
            self._included_problems += [
                Problem(each.message, each.path, shown, each.line) for each in err.problems
            ]
            return None
        source = Source(shown, read.data, read.line_by_path, read.raw, read.folder)
        findings = Findings(source)
        data = self._substitute(dict(source.data), (), findings)
        statements = _iam_statements(findings, data, ())
        self._included_problems += findings.problems
        return _Included(statements, source.raw)


def _iam_statements(findings: Findings, data: Mapping[str, Any], path: Path_) -> list[Statement]:
    """The statements of an IAM policy; without `Version` it is of 2008 and has no variables."""
    findings.check_keys(data, path, _IAM_KEYS)
    version = data.get("Version", "2008-10-17")
    findings.choice(version, (*path, "Version"), _IAM_VERSIONS)
    if "Statement" not in data:
        findings.add(path, "`Statement` is missing")
        return []
    has_variables = version == "2012-10-17"
    checker = StatementChecker(findings, (), has_variables=has_variables, is_iam=True)
    return checker.check_all(data["Statement"], (*path, "Statement"))


def _matches(folder: Path, pattern: str) -> list[Path]:
    """The files that a glob names; an absolute one starts at its own root."""
    import glob

    return [Path(name) for name in glob.glob(str(folder / pattern), recursive=True)]  # noqa: PTH207 - `Path.glob` refuses absolute patterns


def _named_services(statements: list[Statement]) -> frozenset[str] | None:
    """The services that statements name; None where one is about every service."""
    actions = [action for statement in statements for action in statement.actions]
    if any(statement.is_not_action for statement in statements) or "*" in actions:
        return None
    return frozenset(action.partition(":")[0].lower() for action in actions)


def _digest(parts: list[bytes]) -> str:
    """SHA-256 over all files, each preceded by its length."""
    digest = hashlib.sha256()
    for part in parts:
        digest.update(f"{len(part)}:".encode())
        digest.update(part)
    return digest.hexdigest()
