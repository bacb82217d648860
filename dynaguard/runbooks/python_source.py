"""Python runbooks, and the files of Python steps.

A Python runbook is a file with a mapping `RUNBOOK` of the same grammar as the other formats. It is
EXECUTED when it is read.
"""

from __future__ import annotations

import os
import types
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any, Final

from dynaguard.errors import PolicySyntaxError, Problem
from dynaguard.policy.reading import Source, mapping_source
from dynaguard.runbooks.model import Runbook

PYTHON: Final = ".py"
VARIABLE: Final = "RUNBOOK"


def read_python(path: str | os.PathLike[str]) -> Source:
    """The document of a Python runbook.

    Raises:
        PolicySyntaxError: The file cannot be read, fails, or has no mapping `RUNBOOK`.

    Effects: EXECUTES the file.
    """
    name, file = os.fspath(path), Path(path)
    try:
        raw = file.read_bytes()
    except OSError as err:
        raise _fault(name, f"the file cannot be read ({err.strerror})") from None
    found = load_module(file, raw).get(VARIABLE)
    if not isinstance(found, Mapping):
        raise _fault(name, f"has no mapping `{VARIABLE}`, write `{VARIABLE} = {{...}}`")
    read = mapping_source(found)
    return replace(read, name=name, raw=raw, folder=file.absolute().parent)


def load_module(file: Path, raw: bytes) -> dict[str, Any]:
    """The names that a file defines.

    Args:
        file: The file, for messages and tracebacks.
        raw: Its content as read: what is hashed is what runs.

    Raises:
        PolicySyntaxError: It is no Python, or fails.

    Effects: EXECUTES it.
    """
    module = types.ModuleType(file.stem)
    module.__file__ = str(file)
    try:
        exec(compile(raw, str(file), "exec"), module.__dict__)  # noqa: S102 - a Python runbook
    except Exception as err:
        line = getattr(err, "lineno", None) or _line_of(err, str(file))
        what = f"the file fails ({type(err).__name__})"
        raise PolicySyntaxError([Problem(what, source=str(file), line=line)]) from err
    return module.__dict__


def module_file(runbook: Runbook, target: str) -> Path:
    """The file that a Python step's function stands in.

    Args:
        runbook: The runbook.
        target: `module:function`, the module looked up in the runbook's folder; or `:function`.

    Raises:
        ValueError: There is none.
    """
    module = target.partition(":")[0]
    if runbook.directory is None:
        raise ValueError("a runbook that is a mapping has no folder to look functions up in")
    if module:
        file = runbook.directory.joinpath(*module.split(".")).with_suffix(PYTHON)
        if not file.is_file():
            raise ValueError(f"there is no file `{module.replace('.', '/')}{PYTHON}` beside it")
        return file
    if not runbook.source.endswith(PYTHON):
        raise ValueError("`:function` means the runbook's own file, which is no Python")
    return runbook.directory / Path(runbook.source).name


def file_name(runbook: Runbook, file: Path) -> str:
    """The name of a Python step's file, as digests of the runbook have it."""
    return file.relative_to(runbook.directory or "").as_posix()


def _line_of(err: BaseException, file: str) -> int:
    """The line of a file at which an error was raised, 0 where it was not there."""
    line, trace = 0, err.__traceback__
    while trace is not None:
        if trace.tb_frame.f_code.co_filename == file:
            line = trace.tb_lineno
        trace = trace.tb_next
    return line


def _fault(name: str, message: str) -> PolicySyntaxError:
    """One problem as an error."""
    return PolicySyntaxError([Problem(message, source=name)])
