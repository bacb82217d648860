"""Where the widgets of a dashboard go: rows of 24 columns, one below the other."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, NamedTuple

COLUMNS: Final = 24
"""Both CloudWatch and Grafana have as many."""


class Place(NamedTuple):
    """Position and size in grid units."""

    x: int
    y: int
    width: int
    height: int


@dataclass
class Grid:
    """Hands out places from the top to the bottom.

    Attributes:
        y: The first free line.
    """

    y: int = 0

    def row(self, widths: Sequence[int], height: int) -> list[Place]:
        """Places side by side; their widths are at most 24 together."""
        places, x = [], 0
        for width in widths:
            places.append(Place(x, self.y, width, height))
            x += width
        self.y += height
        return places
