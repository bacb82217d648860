"""A flame graph as SVG: whose code a frame is shows in its colour, its share when pointed at."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Final
from xml.sax.saxutils import escape

from benchmarks.flame.folding import STANDARD, Profile, owner
from benchmarks.retry.svg import FAINT, INK

WIDTH: Final = 1_280.0
_MARGIN: Final = 16.0
_HEAD: Final = 76.0
_ROW: Final = 18.0
_LETTER: Final = 5.9
"""Pixels that a letter of 10.5 pixels takes, wide ones included."""
_LEAST: Final = 0.0012
"""Share of all samples below which a frame is not drawn."""
_COLOURS: Final = {
    # Fill and text.
    "dynaguard": ("#1463c4", "#ffffff"),
    "botocore": ("#d3d8e0", INK),
    "OpenTelemetry's API": ("#b9dcc5", INK),
    STANDARD: ("#f1dfc4", INK),
    "the stub of the socket": ("#eef0f3", FAINT),
}


@dataclass(slots=True)
class _Node:
    """A frame with what it calls."""

    frame: str
    count: int = 0
    called: dict[str, _Node] = field(default_factory=dict)

    def depth(self, least: float) -> int:
        """Rows above this one that are drawn."""
        return max(
            (1 + each.depth(least) for each in self.called.values() if each.count >= least),
            default=0,
        )


def draw(profile: Profile, title: str, note: str) -> str:
    """The picture; equal samples give equal text."""
    root = _tree(profile)
    least = profile.total * _LEAST
    rows = root.depth(least)
    height = _HEAD + rows * _ROW + _MARGIN
    size = f"width='{WIDTH:g}' height='{height:g}'"
    font = "font-family='system-ui, sans-serif' font-size='10.5'"
    bold = f"font-size='16' font-weight='600' fill='{INK}'"
    box = f"viewBox='0 0 {WIDTH:g} {height:g}'"
    parts = [
        f"<svg xmlns='http://www.w3.org/2000/svg' {size} {box} role='img' {font}>",
        f"<title>{escape(title)}</title>",
        f"<rect {size} fill='#ffffff'/>",
        f"<text x='{_MARGIN:g}' y='27' {bold}>{escape(title)}</text>",
        f"<text x='{_MARGIN:g}' y='46' font-size='12' fill='{FAINT}'>{escape(note)}</text>",
        *_legend(),
    ]
    scale = (WIDTH - 2 * _MARGIN) / profile.total
    parts += _frames(root, _MARGIN, height - _MARGIN, scale, least)
    return "\n".join([*parts, "</svg>", ""])


def _tree(profile: Profile) -> _Node:
    """All stacks put together."""
    root = _Node("", profile.total)
    for stack, count in profile.samples.items():
        node = root
        for frame in stack.split(";"):
            node = node.called.setdefault(frame, _Node(frame))
            node.count += count
    return root


def _legend() -> Iterator[str]:
    """Whose code has which colour."""
    x = _MARGIN
    for name, (fill, _) in _COLOURS.items():
        yield f"<rect x='{x:.0f}' y='56' width='12' height='12' fill='{fill}' rx='2'/>"
        yield f"<text x='{x + 17:.0f}' y='66' fill='{INK}'>{escape(name)}</text>"
        x += 17 + _LETTER * len(name) + 22


def _frames(node: _Node, x: float, bottom: float, scale: float, least: float) -> Iterator[str]:
    """What a frame calls, in the order of names, each with what it calls above it."""
    for name in sorted(node.called):
        each = node.called[name]
        width = each.count * scale
        if each.count >= least:
            yield _box(each, x, bottom - _ROW, width, scale)
            yield from _frames(each, x, bottom - _ROW, scale, least)
        x += width


def _box(node: _Node, x: float, y: float, width: float, scale: float) -> str:
    """One frame with its name, as far as it fits."""
    fill, ink = _COLOURS[owner(node.frame)]
    share = node.count * scale / (WIDTH - 2 * _MARGIN)
    name = node.frame.partition(" (")[0]
    room = int((width - 6) / _LETTER)
    if len(name) > room:
        name = name.rpartition(".")[2]
    if len(name) > room:
        name = name[: room - 1] + "\N{HORIZONTAL ELLIPSIS}" if room > 3 else ""
    written = f"<text x='{x + 3:.1f}' y='{y + 12.5:.1f}' fill='{ink}'>{escape(name)}</text>"
    return (
        f"<g><title>{escape(node.frame)}, {share:.1%}</title>"
        f"<rect x='{x:.1f}' y='{y:.1f}' width='{max(width - 0.6, 0.4):.1f}' height='{_ROW - 1:g}' "
        f"fill='{fill}' rx='1.5'/>{written if name else ''}</g>"
    )
