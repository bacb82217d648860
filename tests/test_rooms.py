"""The rooms of the package import in one direction, and importing it does next to nothing.

The order is the one of the architecture page. Only run-time imports count: a `TYPE_CHECKING` block
is for annotations alone.
"""

from __future__ import annotations

import ast
import json
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

PACKAGE = Path(__file__).resolve().parent.parent / "dynaguard"
ROOMS = (
    "values",  # frozen values, made when they are first used
    "errors",
    "forks",  # objects whose locks a forked child makes anew
    "interruption",  # exceptions of the application's signal handlers
    "decorating",  # context managers as decorators
    "boundary",  # what a scope may do at most, as a value
    "scope",
    "access_change",  # what changes in who may do what, as a value, and who is told of it
    "caller",  # who calls, as values; part of call, split for size
    "call",
    "denials",  # a refusal as data
    "settings",
    "propagation",
    "policy",
    "aws",
    "identity",
    "budgets",
    "masking",
    "consumption",
    "telemetry",
    "audit",
    "loads",  # what a call asks of which resources, for budgets
    "passage",
    "attempts",  # what one call carries from step to step; part of guard, split for size
    "access",  # grants, approvals, boundaries; sessions of tasks
    "acting",  # one way into a scope, with statements that access reads
    "authorising",  # whether a call may go; part of guard likewise
    "concealment",  # what masks do to one call; part of guard likewise
    "accounting",  # what one call does to the books; likewise
    "lasting",  # whether a call that has waited may still be sent; likewise
    "limiting",  # the limits of tasks' boundaries; likewise
    "recording",  # what calls and changes in access leave behind; likewise
    "fitting",  # the parts of a guard, put together at its first call
    "guard",
    "configuration",  # what settings and document say together
    "building",  # the rooms of a guard, built at its first call
    "assembly",  # settings and documents made into a guard
    "explaining",  # the decision of a call that is not made
    "hooks",
    "runbooks",  # documents that run, are enforced and compile to IAM
    "__init__",
    "testing",
    "alarms",  # files for other tools; only the command line imports it
    "demo",  # a command of the command line runs it
    "drills",  # known failures, injected; likewise
    "cli",
)
STRANGERS = (("telemetry", "audit"),)
MAX_LINES = 400
# Top-level module of a third-party import -> rooms that may import it when they are imported.
EAGER_IN = {
    "boto3": {"demo"},
    "click": {"cli", "demo"},
    "rich": {"cli", "demo"},
    "yaml": {"cli", "demo"},
    "opentelemetry.sdk": {"demo"},
    "wrapt": set(),
}
LAZY = ("asyncio", "boto3", "click", "opentelemetry.sdk", "rich", "wrapt", "yaml")


@dataclass(frozen=True)
class Import:
    """One run-time import statement's target.

    Attributes:
        path: The importing file, relative to the package.
        line: Where.
        module: The imported module, dotted; for `from a import b` both `a` and `a.b` are given.
        is_eager: Whether it runs when the file is imported, rather than in a function.
    """

    path: Path
    line: int
    module: str
    is_eager: bool

    @property
    def room(self) -> str:
        """The room of the importing file."""
        return _room_of_path(self.path)

    @property
    def is_lazy_in_errors(self) -> bool:
        """The one way back: to what makes a message or data of an error, which imports errors."""
        return self.room == "errors" and not self.is_eager

    def __str__(self) -> str:
        return f"dynaguard/{self.path}:{self.line} imports {self.module}"


def _room_of_path(path: Path) -> str:
    return path.parts[0] if len(path.parts) > 1 else path.stem


def _room_of_module(module: str) -> str | None:
    """The room that a module name means; None for what is not a module of the package."""
    head, _, rest = module.partition(".")
    if head != "dynaguard":
        return None
    name = rest.partition(".")[0]
    return name if name in ROOMS else None


def _is_type_checking(node: ast.AST) -> bool:
    if not isinstance(node, ast.If):
        return False
    test = node.test
    name = test.attr if isinstance(test, ast.Attribute) else getattr(test, "id", None)
    return name == "TYPE_CHECKING"


def _else_of(node: ast.AST) -> ast.Module:
    """What runs where a `TYPE_CHECKING` block does not."""
    return ast.Module(body=list(getattr(node, "orelse", [])), type_ignores=[])


def _imports_below(node: ast.AST, path: Path, *, is_eager: bool = True) -> Iterator[Import]:
    """The run-time imports in a syntax tree; relative ones made absolute."""
    for child in ast.iter_child_nodes(node):
        if isinstance(child, ast.Import):
            for alias in child.names:
                yield Import(path, child.lineno, alias.name, is_eager)
        elif isinstance(child, ast.ImportFrom):
            for module in _from_targets(child, path):
                yield Import(path, child.lineno, module, is_eager)
        elif _is_type_checking(child):
            yield from _imports_below(_else_of(child), path, is_eager=is_eager)
        else:
            in_function = isinstance(child, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda)
            yield from _imports_below(child, path, is_eager=is_eager and not in_function)


def _from_targets(node: ast.ImportFrom, path: Path) -> list[str]:
    """`from a import b` may import the modules `a` and `a.b`."""
    base = node.module or ""
    if node.level:
        package = ["dynaguard", *path.parent.parts]
        kept = package[: len(package) - node.level + 1]
        base = ".".join([*kept, base] if base else kept)
    return [base, *(f"{base}.{alias.name}" for alias in node.names)]


def _imports_of(source: str, path: Path) -> list[Import]:
    return list(_imports_below(ast.parse(source), path))


def _modules() -> list[Path]:
    return sorted(path.relative_to(PACKAGE) for path in PACKAGE.rglob("*.py"))


IMPORTS = [
    found
    for path in _modules()
    for found in _imports_of((PACKAGE / path).read_text(encoding="utf-8"), path)
]


def _is_below(module: str, parent: str) -> bool:
    return module == parent or module.startswith(f"{parent}.")


@pytest.mark.parametrize("path", _modules(), ids=str)
def test_every_module_belongs_to_a_room(path: Path) -> None:
    """A new file at the top takes its place in the order first."""
    assert _room_of_path(path) in ROOMS


def test_a_room_imports_only_from_rooms_before_it() -> None:
    """Imports run one way, lazy ones too; the one exception is written in `Import`."""
    wrong = [
        str(found)
        for found in IMPORTS
        if (target := _room_of_module(found.module)) is not None
        and ROOMS.index(target) > ROOMS.index(found.room)
        and not (
            found.is_lazy_in_errors
            and found.module.startswith(("dynaguard.call", "dynaguard.denials"))
        )
    ]

    assert wrong == []


def test_telemetry_and_audit_do_not_know_each_other() -> None:
    """Either can be left out."""
    wrong = [
        str(found)
        for found in IMPORTS
        for pair in STRANGERS
        if found.room in pair
        and _room_of_module(found.module) in pair
        and _room_of_module(found.module) != found.room
    ]

    assert wrong == []


def test_only_hooks_touches_botocore() -> None:
    """Beside the hooks, errors may take `botocore.exceptions`; outer parts use it as anybody."""
    wrong = [
        str(found)
        for found in IMPORTS
        if _is_below(found.module, "botocore")
        and found.room not in {"hooks", "runbooks", "cli", "testing", "demo", "drills"}
        and not (found.room == "errors" and _is_below(found.module, "botocore.exceptions"))
    ]

    assert wrong == []


def test_heavy_and_optional_libraries_are_imported_where_they_are_used() -> None:
    """Inside a function, except in the parts that are nothing without them."""
    wrong = [
        str(found)
        for found in IMPORTS
        for library, rooms in EAGER_IN.items()
        if found.is_eager and _is_below(found.module, library) and found.room not in rooms
    ]

    assert wrong == []


@pytest.mark.parametrize("path", _modules(), ids=str)
def test_no_file_outgrows_a_reader(path: Path) -> None:
    """A file of more than 400 lines has more than one reason to change: split it."""
    assert len((PACKAGE / path).read_text(encoding="utf-8").splitlines()) <= MAX_LINES


@pytest.mark.smoke
def test_importing_the_package_loads_nothing_heavy() -> None:
    """`import dynaguard` brings neither wrapt (and with it asyncio) nor boto3 nor any extra."""
    code = (
        "import botocore.session, json, sys; before = set(sys.modules); import dynaguard; "
        "print(json.dumps(sorted(set(sys.modules) - before)))"
    )
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", code], capture_output=True, text=True, check=True
    )

    loaded = json.loads(done.stdout)

    assert [name for name in loaded if any(_is_below(name, lazy) for lazy in LAZY)] == []


@pytest.mark.smoke
def test_importing_the_package_touches_nothing_of_botocore() -> None:
    """No patch, no handler, no environment read: what `install()` does, import does not."""
    code = (
        "import botocore.client, botocore.endpoint, botocore.handlers, os; "
        "names = ('client.BaseClient', 'endpoint.Endpoint'); "
        "kinds = (botocore.client.BaseClient, botocore.endpoint.Endpoint); "
        "before = [dict(vars(kind)) for kind in kinds]; "
        "handlers = list(botocore.handlers.BUILTIN_HANDLERS); "
        "os.environ['DYNAGUARD_MODE'] = 'nonsense'; "
        "import dynaguard; "
        "assert [dict(vars(kind)) for kind in kinds] == before; "
        "assert botocore.handlers.BUILTIN_HANDLERS == handlers"
    )

    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", code], capture_output=True, text=True, check=False
    )

    assert (done.returncode, done.stderr) == (0, "")


@pytest.mark.parametrize(
    ("source", "modules"),
    [
        ("import dynaguard.call", [("dynaguard.call", True)]),
        (
            "from dynaguard import call",
            [("dynaguard", True), ("dynaguard.call", True)],
        ),
        (
            "from ..call import Call",
            [("dynaguard.call", True), ("dynaguard.call.Call", True)],
        ),
        ("from . import model", [("dynaguard.policy", True), ("dynaguard.policy.model", True)]),
        ("if TYPE_CHECKING:\n import boto3\nelse:\n import json", [("json", True)]),
        ("import typing\nif typing.TYPE_CHECKING:\n import boto3", [("typing", True)]),
        ("def work():\n import boto3", [("boto3", False)]),
        ("class A:\n import boto3", [("boto3", True)]),
        ("try:\n import yaml\nexcept ImportError:\n pass", [("yaml", True)]),
        ("async def work():\n if True:\n  import wrapt", [("wrapt", False)]),
    ],
)
def test_the_reader_of_imports_sees_what_runs(
    source: str, modules: list[tuple[str, bool]]
) -> None:
    """Relative, nested, guarded and lazy imports are told apart."""
    found = _imports_of(source, Path("policy/matcher.py"))

    assert [(each.module, each.is_eager) for each in found] == modules
