"""Reads a runbook: a file or a mapping into the checked model, or every problem at once.

Nothing half understood is given back. A Python runbook is executed when it is read, with all that
the process may do: read it only where its author is trusted, as with any program.
"""

from __future__ import annotations

import hashlib
import os
import re
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any, Final

from dynaguard.access.canonical import sha256_of
from dynaguard.errors import PolicySyntaxError, Problem
from dynaguard.policy.collecting import Findings, hint, kind_of
from dynaguard.policy.lines import Path_
from dynaguard.policy.mask_section import check_masks
from dynaguard.policy.model import BudgetStatement, PrincipalPattern
from dynaguard.policy.naming import check_principals
from dynaguard.policy.reading import Source, mapping_source, read_source
from dynaguard.policy.sections import check_budgets, check_tables
from dynaguard.runbooks.calls import calls_of
from dynaguard.runbooks.compiling import faults_of
from dynaguard.runbooks.model import PythonStep, RunAccess, Runbook, RunLimits, Step
from dynaguard.runbooks.numbers import seconds, whole
from dynaguard.runbooks.parameter_section import check_parameters
from dynaguard.runbooks.python_source import PYTHON, file_name, module_file, read_python
from dynaguard.runbooks.references import Known
from dynaguard.runbooks.steps_section import StepsChecker
from dynaguard.runbooks.terms_section import check_terms

KEYS: Final = (
    "$schema",
    "runbook",
    "name",
    "purpose",
    "owner",
    "link",
    "may_run",
    "access",
    "limits",
    "tables",
    "parameters",
    "step",
    "mask",
    "budget",
    "lint",
)
NAME: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{0,63}")
ROLE: Final = re.compile(r"arn:aws(?:-[a-z]+)*:iam::[0-9]{12}:role/[\w+=,.@/-]{1,512}", re.ASCII)
LINK: Final = re.compile(r"https?://[^\s<>]{1,1000}")
_TAG: Final = re.compile(r"[\w\s.:/=+@-]{1,128}")
DAY_S: Final = 86_400
MOST: Final = 10**12


def read_runbook(source: str | os.PathLike[str] | Mapping[str, Any]) -> Runbook:
    """Reads and checks a runbook.

    Args:
        source: A path ending in `.toml`, `.json`, `.yaml`, `.yml` or `.py`, or a mapping of the
            same grammar.

    Raises:
        PolicySyntaxError: Every problem found, each with file, line and path.
        MissingExtraError: YAML without PyYAML.

    Effects: reads the file, and those of its Python steps. EXECUTES a file that ends in `.py`.
    """
    read = _source(source)
    findings = Findings(read)
    runbook = _Reader(findings, read.data).runbook()
    if not isinstance(source, Mapping):
        runbook = replace(runbook, source=read.name, directory=read.folder)
    digests = _python_digests(findings, runbook)
    if not findings.problems:
        _check_understood(findings, runbook)
    if findings.problems:
        raise PolicySyntaxError(_in_order(findings.problems))
    content = {"runbook": read.data, "python": digests} if digests else {"runbook": read.data}
    return replace(runbook, sha256=sha256_of(content), python_sha256=digests)


def _source(source: str | os.PathLike[str] | Mapping[str, Any]) -> Source:
    """The document as plain values and lines."""
    if isinstance(source, Mapping):
        return replace(mapping_source(source), name="<runbook>")
    if Path(source).suffix.lower() == PYTHON:
        return read_python(source)
    return read_source(source, least="`runbook = 1`, `name`, `purpose`, `owner` and a `[[step]]`")


def _in_order(problems: list[Problem]) -> list[Problem]:
    """The problems by line; those of one line as they were found."""
    return sorted(problems, key=lambda each: each.line)


class _Reader:
    """Reads the sections of one document; notes their problems."""

    def __init__(self, findings: Findings, data: Mapping[str, Any]) -> None:
        self._findings = findings
        self._data = data

    def runbook(self) -> Runbook:
        """The runbook; only good where no problem was noted."""
        findings, data = self._findings, self._data
        findings.check_keys(data, (), KEYS)
        self._check_version()
        parameters = check_parameters(findings, data.get("parameters", {}))
        known = Known({parameter.name: parameter for parameter in parameters})
        if data.get("step", []) == []:
            findings.add((), "`step` is missing, write at least one `[[step]]`")
        return Runbook(
            name=self._name(),
            purpose=self._needed_text("purpose"),
            owner=self._needed_text("owner"),
            steps=StepsChecker(findings).check_all(data.get("step", []), ("step",), known),
            link=self._link(),
            parameters=parameters,
            principals=self._principals(),
            access=self._access(),
            limits=self._limits(),
            masks=check_masks(findings, data.get("mask", []), ()),
            budget=self._budget(),
            tables=check_tables(findings, data.get("tables", {})),
            ignored_findings=self._ignored(),
            source=findings.source.name,
        )

    def _check_version(self) -> None:
        """`runbook = 1`."""
        version = self._data.get("runbook")
        if version is None:
            self._findings.add((), "`runbook` is missing, write `runbook = 1`")
        elif version != 1 or isinstance(version, bool):
            self._findings.add(("runbook",), "must be `1`, the only version of the grammar")

    def _name(self) -> str:
        """The name."""
        name = self._data.get("name")
        if isinstance(name, str) and NAME.fullmatch(name):
            return name
        where: Path_ = ("name",) if "name" in self._data else ()
        self._findings.add(
            where,
            "`name` must be 1 to 64 letters, digits, `-` and `_`, not one of those two first",
        )
        return ""

    def _needed_text(self, name: str) -> str:
        """A text of one line that must be there."""
        value = self._data.get(name)
        if isinstance(value, str) and value.strip():
            return value
        where: Path_ = (name,) if name in self._data else ()
        what = "missing" if value is None else "empty" if value == "" else kind_of(value)
        self._findings.add(where, f"`{name}` is {what}, write one sentence")
        return ""

    def _link(self) -> str | None:
        """Address of a page."""
        link = self._data.get("link")
        if link is None or (isinstance(link, str) and LINK.fullmatch(link)):
            return link
        self._findings.add(("link",), "must be an address that begins with `https://`")
        return None

    def _principals(self) -> tuple[PrincipalPattern, ...] | None:
        """`may_run`: ARN patterns and `{ Group = ... }`, one or a list."""
        if "may_run" not in self._data:
            return None
        value = self._data["may_run"]
        if not isinstance(value, list):
            return check_principals(self._findings, value, ("may_run",), ())
        if not value:
            self._findings.add(("may_run",), "is an empty list, nobody could run it")
        found = [
            check_principals(self._findings, entry, ("may_run", at), ())
            for at, entry in enumerate(value)
        ]
        return tuple(pattern for patterns in found for pattern in patterns)

    def _access(self) -> RunAccess:
        """`[access]`."""
        path: Path_ = ("access",)
        table = self._findings.table(self._data.get("access", {}), path)
        self._findings.check_keys(table, path, ("role", "session_duration_s", "tags", "approval"))
        role = table.get("role")
        if role is not None and not (isinstance(role, str) and ROLE.fullmatch(role)):
            self._findings.add((*path, "role"), "must be the ARN of one role")
        duration_s = whole(
            self._findings, table, (*path, "session_duration_s"), least=900, most=DAY_S // 2
        )
        terms = None
        if "approval" in table:
            approval = self._findings.table(table["approval"], (*path, "approval"))
            terms = check_terms(self._findings, approval, (*path, "approval"))
        return RunAccess(
            role_arn=role if isinstance(role, str) else None,
            session_duration_s=duration_s or 900,
            tags=self._tags(table.get("tags", {})),
            approval=terms,
        )

    def _tags(self, value: Any) -> dict[str, str]:
        """Session tags: texts by name."""
        tags = {}
        for name, tag in self._findings.table(value, ("access", "tags")).items():
            path = ("access", "tags", name)
            if not isinstance(tag, str) or not _TAG.fullmatch(name) or not _TAG.fullmatch(tag):
                self._findings.add(path, "must be text of letters, digits and `_.:/=+-@`")
                continue
            tags[name] = tag
        return tags

    def _limits(self) -> RunLimits:
        """`[limits]`."""
        findings, path = self._findings, ("limits",)
        table = findings.table(self._data.get("limits", {}), path)
        names = ("duration_s", "items", "pages", "read_units", "write_units")
        findings.check_keys(table, path, names)
        duration_s = seconds(findings, table, (*path, "duration_s"), most=DAY_S)
        return RunLimits(
            duration_s=duration_s or RunLimits().duration_s,
            max_items=whole(findings, table, (*path, "items"), most=MOST),
            max_pages=whole(findings, table, (*path, "pages"), most=MOST),
            read_units=seconds(findings, table, (*path, "read_units"), most=MOST),
            write_units=seconds(findings, table, (*path, "write_units"), most=MOST),
        )

    def _ignored(self) -> frozenset[str]:
        """`[lint]`: the findings that are not to be reported, `DGR101` or `DGR101:sample`."""
        path: Path_ = ("lint",)
        table = self._findings.table(self._data.get("lint", {}), path)
        self._findings.check_keys(table, path, ("ignore",))
        if "ignore" not in table:
            return frozenset()
        from dynaguard.runbooks.lint.rules import RUNBOOK_RULES  # a run needs no rules

        ignored = self._findings.texts(table["ignore"], (*path, "ignore"))
        for entry in ignored:
            code = entry.partition(":")[0]
            if code not in RUNBOOK_RULES:
                near = hint(code, RUNBOOK_RULES)
                self._findings.add((*path, "ignore"), f"`{code}` is the code of no finding{near}")
        return frozenset(ignored)

    def _budget(self) -> BudgetStatement | None:
        """`[budget]`: one, of every call of a run."""
        value = self._data.get("budget")
        if value is None:
            return None
        path: Path_ = ("budget",)
        table = self._findings.table(value, path)
        for name in ("job", "tables"):
            if name in table:
                self._findings.add((*path, name), "is about every call of a run, remove it")
        found = check_budgets(self._findings, dict(table))
        return found[0] if found else None


def _python_digests(findings: Findings, runbook: Runbook) -> dict[str, str]:
    """Digests of the files of its Python steps, by their names from the runbook's folder."""
    digests: dict[str, str] = {}
    for step in runbook.steps:
        if not isinstance(step.action, PythonStep) or not step.action.target:
            continue
        try:
            file = module_file(runbook, step.action.target)
            raw = file.read_bytes()
        except ValueError as err:
            _note(findings, step, "python", str(err))
        except OSError as err:
            _note(findings, step, "python", f"its file cannot be read ({err.strerror})")
        else:
            digests[file_name(runbook, file)] = hashlib.sha256(raw).hexdigest()
    return digests


def _check_understood(findings: Findings, runbook: Runbook) -> None:
    """Notes calls without open places that the analysis of calls does not understand.

    Statements are made of what it understands: such a call could never be allowed.
    """
    for call in calls_of(runbook):
        for fault in faults_of(call):
            _note(findings, call.step, "params", fault)


def _note(findings: Findings, step: Step, key: str, message: str) -> None:
    """Notes a problem of a step."""
    name = findings.source.name
    findings.problems.append(Problem(message, f"{step.path}.{key}", name, step.line))
