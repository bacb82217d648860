"""Reads files of cases: TOML, JSON and YAML as people write them, and JSONL vectors."""

from __future__ import annotations

import os
from collections.abc import Iterable
from pathlib import Path
from typing import Any, Final

from dynaguard.errors import PolicySyntaxError, Problem
from dynaguard.policy.collecting import Findings
from dynaguard.policy.model import PolicyDocument
from dynaguard.policy.opening import open_policy
from dynaguard.policy.reading import read_source
from dynaguard.testing.cases import Case
from dynaguard.testing.entries import CaseReader
from dynaguard.testing.vectors import read_vectors

CASE_SUFFIXES: Final = (".toml", ".json", ".yaml", ".yml", ".jsonl")
_TOP_KEYS: Final = ("policy", "defaults", "case")


def load_cases(paths: Iterable[str | os.PathLike[str]]) -> tuple[Case, ...]:
    """Every case of some files, in order.

    Args:
        paths: Files ending in `.toml`, `.json`, `.yaml` or `.yml`, in the format of the page
            *Policy tests*; or `.jsonl`, one decision vector a line. Of a folder every such file
            in it whose name begins or ends with `test` or `tests`.

    Raises:
        PolicySyntaxError: Every problem of a file, with file, line and path; a file that is not
            there, or that holds no case.

    Effects: reads the files and the policies that they name, and the environment for variables of
    those.
    """
    return tuple(case for path in paths for case in _load_any(Path(path)))


def _load_any(path: Path) -> list[Case]:
    """The cases of a file, or of a folder's files."""
    if not path.is_dir():
        return _load_file(path)
    files = [each for each in sorted(path.iterdir()) if _is_case_file(each)]
    if not files:
        raise _fault(path, "this folder holds no file of cases, such as `policy-tests.toml`")
    return [case for each in files for case in _load_file(each)]


def _is_case_file(path: Path) -> bool:
    """Whether a file's name says that it holds cases."""
    words = path.stem.lower().replace("_", "-").split("-")
    return path.suffix.lower() in CASE_SUFFIXES and not {"test", "tests"}.isdisjoint(
        (words[0], words[-1])
    )


def _load_file(path: Path) -> list[Case]:
    """The cases of one file."""
    is_vectors = path.suffix.lower() == ".jsonl"
    cases = read_vectors(path) if is_vectors else _load_document(path)
    if not cases:
        raise _fault(path, "holds no case, write `[[case]]`")
    return cases


def _load_document(path: Path) -> list[Case]:
    """The cases of a file as people write them."""
    source = read_source(path)
    findings = Findings(source)
    findings.check_keys(source.data, (), _TOP_KEYS)
    policies = _Policies(source.folder, findings)
    reader = CaseReader(findings, policies.of, source.data)
    cases = [
        reader.read(entry, entry_path)
        for entry_path, entry in findings.tables(source.data.get("case", []), ("case",))
    ]
    if findings.problems:
        raise PolicySyntaxError(findings.problems)
    return [case for case in cases if case is not None]


class _Policies:
    """The policies that a file of cases names, each loaded once."""

    def __init__(self, folder: Path, findings: Findings) -> None:
        self._folder = folder
        self._findings = findings
        self._by_name: dict[str, PolicyDocument | None] = {}

    def of(self, value: Any, path: tuple[str | int, ...]) -> PolicyDocument | None:
        """The policy of that file name, or the one that is written there; None with a problem."""
        if isinstance(value, dict):
            return self._load(value, path)
        if not isinstance(value, str):
            self._findings.add(path, "must be a file's name or a policy, write `policy.toml`")
            return None
        if value not in self._by_name:
            self._by_name[value] = self._load(self._folder / value, path)
        return self._by_name[value]

    def _load(self, source: Any, path: tuple[str | int, ...]) -> PolicyDocument | None:
        try:
            return open_policy(source, environ=os.environ)
        except PolicySyntaxError as err:
            is_inline = isinstance(source, dict)
            for problem in err.problems:
                if is_inline:
                    self._findings.add(path, f"{problem.path}: {problem.message}")
                else:
                    self._findings.problems.append(problem)
            return None


def _fault(path: Path, message: str) -> PolicySyntaxError:
    return PolicySyntaxError([Problem(message, "", str(path), 0)])
