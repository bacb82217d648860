"""The public surface is `dynaguard.__all__`, the namespace and the API page, and they agree."""

from __future__ import annotations

import inspect
import re
from pathlib import Path
from types import ModuleType

import dynaguard
from dynaguard import errors

FUNCTIONS = {
    "acting_as",
    "approval",
    "attach",
    "carry",
    "correlation",
    "current_task",
    "deadline",
    "detach",
    "explain",
    "grant",
    "grants",
    "install",
    "invocation",
    "job",
    "key_hash",
    "mask_item",
    "register_detector",
    "register_strategy",
    "run_runbook",
    "runbook_handler",
    "request_access",
    "revoke_grant",
    "scope_environ",
    "status",
    "task",
    "uninstall",
    "unmask_item",
    "unwritten",
}
ERRORS = {name for name in errors.__all__ if issubclass(getattr(errors, name), Exception)}
VALUES = {
    "Approval",
    "Detector",
    "Explanation",
    "Grant",
    "Guard",
    "GuardStatus",
    "Problem",
    "RunResult",
    "Task",
}
_DIRECTIVE = re.compile(r"^\.\. auto\w+:: dynaguard\.(\w+)$", re.MULTILINE)


def _names_on_the_api_page(repository: Path) -> list[str]:
    page = (repository / "docs/reference/api.md").read_text(encoding="utf-8")
    return _DIRECTIVE.findall(page)


def test_all_is_sorted_and_without_repeats() -> None:
    """A reader finds a name where the alphabet puts it."""
    assert list(dynaguard.__all__) == sorted(set(dynaguard.__all__))


def test_all_names_the_agreed_surface() -> None:
    """The functions of the design, the guard, and every error and warning of the tree."""
    public = set(dynaguard.__all__) - {"__version__"}

    assert public - VALUES == FUNCTIONS | ERRORS
    assert "Guard" in public


def test_the_namespace_holds_nothing_else() -> None:
    """What is not in `__all__` is a submodule or begins with an underscore."""
    public = {
        name
        for name, value in vars(dynaguard).items()
        if not name.startswith("_") and not isinstance(value, ModuleType) and name != "annotations"
    }

    assert public <= set(dynaguard.__all__)


def test_every_public_name_exists_and_is_documented() -> None:
    """Lazy names resolve too."""
    undocumented = [
        name
        for name in dynaguard.__all__
        if name != "__version__" and not inspect.getdoc(getattr(dynaguard, name))
    ]

    assert undocumented == []


def test_the_api_page_lists_every_public_name_once(repository: Path) -> None:
    """Neither more nor less than `__all__`."""
    listed = _names_on_the_api_page(repository)

    assert sorted(listed) == sorted(set(dynaguard.__all__) - {"__version__"})


def test_the_version_is_the_distribution_s() -> None:
    """`dynaguard.__version__` is read from the installed metadata, not written twice."""
    from importlib.metadata import version

    assert dynaguard.__version__ == version("dynaguard")
