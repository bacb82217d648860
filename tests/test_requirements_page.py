"""The page on what is promised points to what there is."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

ACCESS_LINES = (
    *("S1.1", "S1.7", "S1.10", "S1.18", "S1.19", "S1.26", "S1.27", "S2.4"),
    *(f"S2.{number}" for number in (*range(8, 16), 20, 22, *range(27, 31))),
    *(f"S3.{number}" for number in range(1, 36)),
    *("S4.18", "S4.30", "S4.31", "S4.35", "S4.41", "S5.25"),
)


@pytest.fixture
def page(repository: Path) -> str:
    """Its text."""
    return (repository / "docs/requirements.md").read_text(encoding="utf-8")


def test_every_test_that_it_names_is_there(page: str, repository: Path) -> None:
    """Files and folders, by their paths from the root."""
    named = re.findall(r"`((?:tests|benchmarks|docs|dynaguard)/[^`]*)`", page)

    assert len(named) > len(ACCESS_LINES)
    assert [each for each in named if not (repository / each).exists()] == []


def test_every_page_that_it_names_is_there(page: str, repository: Path) -> None:
    """Links go to pages beside it."""
    named = re.findall(r"\]\(([^)#]+\.md)\)", page)

    assert len(named) >= len(ACCESS_LINES)
    assert [each for each in named if not (repository / "docs" / each).exists()] == []


def test_each_line_on_access_has_one_row(page: str) -> None:
    """With a promise, a page and a test."""
    rows = re.findall(r"^\| ([DS][\d.]+(?:, [DS][\d.]+)*) \|", page, re.MULTILINE)
    lines = [line for row in rows for line in row.split(", ")]

    assert [line for line in ACCESS_LINES if lines.count(line) != 1] == []
    for line in ACCESS_LINES:
        (row,) = re.findall(rf"^\| {re.escape(line)} \| (.*) \|$", page, re.MULTILINE)
        promise, link, tests = row.split(" | ")
        assert promise
        assert link.endswith(".md)")
        assert "`tests/" in tests or "`benchmarks/" in tests
