"""What is built from the project is whole, and asks for no more than it says."""

from __future__ import annotations

import subprocess
import sys
import tomllib
import zipfile
from pathlib import Path

import pytest


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> zipfile.ZipFile:
    """The wheel, built from the checkout by the installed build back end."""
    pytest.importorskip("hatchling", reason="the build back end is in the group `dev`")
    root = Path(__file__).resolve().parent.parent
    target = tmp_path_factory.mktemp("wheel")
    subprocess.run(
        [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(target)],
        cwd=root,
        check=True,
        capture_output=True,
    )
    return zipfile.ZipFile(next(target.glob("*.whl")))


def test_the_wheel_holds_every_file_of_the_package(
    wheel: zipfile.ZipFile, repository: Path
) -> None:
    """Modules, `py.typed` and JSON files, and nothing from beside the package."""
    wanted = {
        path.relative_to(repository).as_posix()
        for path in (repository / "dynaguard").rglob("*")
        if path.is_file() and "__pycache__" not in path.parts
    }

    packed = {name for name in wheel.namelist() if ".dist-info/" not in name}

    assert packed == wanted
    assert "dynaguard/py.typed" in packed


def test_the_wheel_carries_the_licence_and_the_command(wheel: zipfile.ZipFile) -> None:
    """As its metadata promises."""
    names = {Path(name).name for name in wheel.namelist()}

    assert {"LICENSE", "METADATA", "entry_points.txt"} <= names


def test_the_core_needs_four_libraries(repository: Path) -> None:
    """Everything else is an extra (requirement D.1)."""
    project = tomllib.loads((repository / "pyproject.toml").read_text(encoding="utf-8"))["project"]

    needed = {line.split(">")[0] for line in project["dependencies"]}

    assert needed == {"botocore", "cachetools", "opentelemetry-api", "wrapt"}


def test_the_licence_is_whole(repository: Path) -> None:
    """Apache-2.0, from title to end."""
    text = (repository / "LICENSE").read_text(encoding="utf-8")

    assert "Version 2.0, January 2004" in text
    assert "END OF TERMS AND CONDITIONS" in text
