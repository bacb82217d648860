"""Just enough SVG for charts in small panels: lines, bars, text, axes."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Final
from xml.sax.saxutils import escape

INK: Final = "#1f2430"
FAINT: Final = "#8a91a0"
GRID: Final = "#e4e7ec"
_FONT: Final = "font-family='system-ui, sans-serif'"
Points = Sequence[tuple[float, float]]


class Canvas:
    """A drawing of fixed size.

    Args:
        width, height: In pixels.
        label: What it shows, for readers who do not see it.
    """

    def __init__(self, width: float, height: float, label: str) -> None:
        self._parts = [
            f"<svg xmlns='http://www.w3.org/2000/svg' width='{width:g}' height='{height:g}'",
            f"viewBox='0 0 {width:g} {height:g}' role='img' {_FONT}>",
            f"<title>{escape(label)}</title>",
            f"<rect width='{width:g}' height='{height:g}' fill='#ffffff'/>",
        ]

    def line(self, start: tuple[float, float], end: tuple[float, float], colour: str) -> None:
        """A hairline."""
        self._parts.append(
            f"<line x1='{start[0]:.1f}' y1='{start[1]:.1f}' x2='{end[0]:.1f}' y2='{end[1]:.1f}' "
            f"stroke='{colour}'/>"
        )

    def path(self, points: Points, colour: str, *, width: float = 1.8, dash: str = "") -> None:
        """A line through points."""
        if not points:
            return
        shown = " ".join(f"{x:.1f},{y:.1f}" for x, y in points)
        dashes = f" stroke-dasharray='{dash}'" if dash else ""
        self._parts.append(
            f"<polyline points='{shown}' fill='none' stroke='{colour}' stroke-width='{width:g}' "
            f"stroke-linejoin='round'{dashes}/>"
        )

    def bar(self, x: float, y: float, width: float, height: float, colour: str) -> None:
        """A filled rectangle."""
        self._parts.append(
            f"<rect x='{x:.1f}' y='{y:.1f}' width='{max(width, 0.5):.1f}' height='{height:.1f}' "
            f"fill='{colour}'/>"
        )

    def text(
        self,
        x: float,
        y: float,
        text: str,
        *,
        colour: str = INK,
        size: float = 11,
        anchor: str = "start",
        is_bold: bool = False,
    ) -> None:
        """A line of text; `anchor` is `start`, `middle` or `end`."""
        weight = " font-weight='600'" if is_bold else ""
        self._parts.append(
            f"<text x='{x:.1f}' y='{y:.1f}' fill='{colour}' font-size='{size:g}' "
            f"text-anchor='{anchor}'{weight}>{escape(text)}</text>"
        )

    def render(self) -> str:
        """The file's text."""
        return "\n".join([*self._parts, "</svg>", ""])


@dataclass(frozen=True, slots=True)
class Axis:
    """A scale from values to 0..1.

    Attributes:
        low, high: Values at its ends.
        ticks: Values that are marked.
        transform: Applied to a value first; a logarithm for example.
    """

    low: float
    high: float
    ticks: Sequence[float]
    transform: Callable[[float], float] = float

    def place(self, value: float) -> float:
        """Where a value lies; outside of the ends it is put at the end."""
        low, high = self.transform(self.low), self.transform(self.high)
        held = min(max(value, self.low), self.high)
        return (self.transform(held) - low) / (high - low)


@dataclass(frozen=True, slots=True)
class Panel:
    """One chart of several on a canvas.

    Attributes:
        canvas: Where it is drawn.
        left, top, width, height: Its plot, without titles and labels.
        across, up: Its axes.
    """

    canvas: Canvas
    left: float
    top: float
    width: float
    height: float
    across: Axis
    up: Axis

    def frame(self, title: str, note: str, across_unit: str) -> None:
        """Draws title, grid and labels."""
        self.canvas.text(self.left, self.top - 18, title, size=12, is_bold=True)
        self.canvas.text(self.left, self.top - 5, note, colour=FAINT, size=10)
        right, bottom = self.left + self.width, self.top + self.height
        for value in self.up.ticks:
            _, y = self.at(self.across.low, value)
            self.canvas.line((self.left, y), (right, y), GRID)
            self.canvas.text(
                self.left - 5, y + 3.5, f"{value:,g}", colour=FAINT, size=10, anchor="end"
            )
        for value in self.across.ticks:
            x, _ = self.at(value, self.up.low)
            unit = across_unit if value == self.across.ticks[-1] else ""
            self.canvas.text(
                x, bottom + 13, f"{value:g}{unit}", colour=FAINT, size=10, anchor="middle"
            )

    def at(self, x: float, y: float) -> tuple[float, float]:
        """Where a point lies on the canvas."""
        return (
            self.left + self.width * self.across.place(x),
            self.top + self.height * (1 - self.up.place(y)),
        )

    def plot(
        self,
        points: Iterable[tuple[float, float]],
        colour: str,
        *,
        width: float = 1.8,
        dash: str = "",
    ) -> None:
        """Draws a line through values."""
        self.canvas.path([self.at(x, y) for x, y in points], colour, width=width, dash=dash)
