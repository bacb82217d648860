"""Every known failure mode is executable, and dynaguard does what it must about it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from dynaguard.demo.endpoint import embedded_endpoint
from dynaguard.drills.catalogue import DRILLS, find_drill
from dynaguard.drills.running import run_drill
from dynaguard.errors import ConfigurationError


@pytest.fixture(scope="module")
def url() -> Iterator[str]:
    """One endpoint for all drills."""
    with embedded_endpoint() as endpoint:
        yield endpoint.url


@pytest.mark.parametrize("name", DRILLS)
def test_a_drill_passes(name: str, url: str) -> None:
    """Paced, refused, resumed: as the catalogue says, within seconds."""
    result = run_drill(find_drill(name), endpoint_url=url)

    assert result.problems == ()
    assert 0 <= result.recovery_s < 20


def test_a_drill_that_does_not_go_as_expected_fails(url: str) -> None:
    """Without its fault nothing is throttled, and the drill says so."""
    drill = replace(find_drill("throttled-table"), fault=None)

    result = run_drill(drill, endpoint_url=url)

    assert result.problems == ("nothing was throttled",)
    assert "FAILED" in result.as_text()


def test_an_unknown_drill_names_the_nearest() -> None:
    """And lists all of them."""
    with pytest.raises(ConfigurationError, match="did you mean `hot-key`"):
        find_drill("hotkey")


def test_the_page_tells_every_drill(repository: Path) -> None:
    """By its name."""
    page = (repository / "docs/drills.md").read_text(encoding="utf-8")

    assert [name for name in DRILLS if f"`{name}`" not in page] == []
