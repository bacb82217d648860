"""Samples of a call as folded stacks: read from py-spy, cut at the call, without local paths."""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Final

ROOT: Final = "one_call"
"""The frame that everything of a call stands on."""
_FRAME: Final = re.compile(r"(?P<name>.*) \((?P<file>[^()]*?)(?::\d+)?\)$")
_OWNERS: Final = {
    "dynaguard": "dynaguard",
    "botocore": "botocore",
    "urllib3": "botocore",
    "jmespath": "botocore",
    "opentelemetry": "OpenTelemetry's API",
    "benchmarks": "the stub of the socket",
}
STANDARD: Final = "standard library"

Stack = tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Profile:
    """Samples of one program.

    Attributes:
        date: The day.
        versions: Python and packages.
        machine: As of every result.
        samples: By folded stack: frames from the call down, joined by semicolons.
        shares: Of all samples, those whose innermost Python frame is an owner's.
    """

    date: str
    versions: Mapping[str, str]
    machine: Mapping[str, str | int]
    samples: Mapping[str, int]
    shares: Mapping[str, float]

    @property
    def total(self) -> int:
        """All samples."""
        return sum(self.samples.values())

    def save(self, path: Path) -> None:
        """Writes it as JSON: frames once, stacks as rows of their numbers with the count last."""
        number_by_frame: dict[str, int] = {}
        rows = [
            [
                *(number_by_frame.setdefault(each, len(number_by_frame)) for each in frames),
                count,
            ]
            for frames, count in ((stack.split(";"), n) for stack, n in self.samples.items())
        ]
        data = asdict(self) | {"samples": rows, "frames": list(number_by_frame)}
        parts = [f'"{name}": {_lines_of(value)}' for name, value in data.items()]
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("{\n" + ",\n".join(parts) + "\n}\n", encoding="utf-8")


def load_profile(path: Path) -> Profile | None:
    """What was saved, or None."""
    if not path.exists():
        return None
    data = json.loads(path.read_text(encoding="utf-8"))
    frames = data.pop("frames")
    samples = {
        ";".join(frames[number] for number in row[:-1]): row[-1] for row in data.pop("samples")
    }
    return Profile(**data, samples=samples)


def _lines_of(value: Any) -> str:
    """A list with an element on each line, anything else on one."""
    if not isinstance(value, list):
        return json.dumps(value)
    return "[\n" + ",\n".join(json.dumps(each) for each in value) + "\n]"


def pruned(samples: Mapping[str, int], least: int) -> dict[str, int]:
    """Samples whose rare frames are left to their callers, which keeps the file small."""
    counts: Counter[Stack] = Counter()
    split = [(tuple(stack.split(";")), count) for stack, count in samples.items()]
    for stack, count in split:
        counts.update({stack[:depth]: count for depth in range(1, len(stack) + 1)})
    kept: Counter[str] = Counter()
    for stack, count in split:
        depth = len(stack)
        while depth > 1 and counts[stack[:depth]] < least:
            depth -= 1
        kept[";".join(stack[:depth])] += count
    return dict(sorted(kept.items()))


def fold(lines: Iterable[str]) -> dict[str, int]:
    """Samples within the call by stack, from py-spy's raw format."""
    samples: Counter[str] = Counter()
    for line in lines:
        stack, _, count = line.rstrip().rpartition(" ")
        frames = [shown(frame) for frame in stack.split(";")]
        places = [place for place, frame in enumerate(frames) if frame.startswith(ROOT)]
        if places and places[0] + 1 < len(frames):
            samples[";".join(frames[places[0] + 1 :])] += int(count)
    return dict(sorted(samples.items()))


def shown(frame: str) -> str:
    """A frame as `Class.function (package/module.py)`: without lines, closures and local paths."""
    match = _FRAME.match(frame)
    if match is None:
        return frame
    name = match["name"].rpartition("<locals>.")[2]
    file = match["file"].rpartition("site-packages/")[2]
    if file.startswith(("/", "<")) or ":" in file:
        file = file.rpartition("/")[2].strip("<>")
    return f"{name} ({file})"


def owner(frame: str) -> str:
    """Whose code a frame is."""
    match = _FRAME.match(frame)
    package = match["file"].partition("/")[0] if match else ""
    return _OWNERS.get(package, STANDARD)


def shares_by_owner(samples: Mapping[str, int]) -> dict[str, float]:
    """Of all samples, those whose innermost Python frame is an owner's; the largest first."""
    counts: Counter[str] = Counter()
    for stack, count in samples.items():
        counts[owner(stack.rpartition(";")[2])] += count
    total = counts.total()
    return {name: round(count / total, 4) for name, count in counts.most_common()}
