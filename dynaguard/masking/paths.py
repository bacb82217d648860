"""Mask paths: their labels, and the forms that an answer may give them."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from typing import TYPE_CHECKING, Final

from dynaguard.errors import ConfigurationError
from dynaguard.masking.strategies import Strategy
from dynaguard.policy.model import MaskStep, NamePattern, PathStep
from dynaguard.values import dataclass

if TYPE_CHECKING:
    from dynaguard.masking.detectors import Detection

MAX_PATH_STEPS: Final = 64
"""DynamoDB nests values 32 levels deep, so a longer path can name nothing."""


@dataclass(frozen=True, slots=True)
class MaskedPath:
    """One attribute path of one `[[mask]]` entry.

    Attributes:
        steps: The path.
        strategy: How the value is masked.
        label: The path as written in the policy.
        position: Place in the policy; of two equally strict paths the first decides.
        detection: What is masked of the value; None for the whole.
    """

    steps: tuple[PathStep, ...]
    strategy: Strategy
    label: str
    position: int
    detection: Detection | None = None

    @property
    def rank(self) -> tuple[tuple[int, int], int]:
        """Orders paths; the smallest decides."""
        return self.strategy.strictness, self.position

    def check(self) -> None:
        """Raises ConfigurationError for a path that can name no attribute."""
        first = self.steps[0] if self.steps else MaskStep.EACH
        is_name = first is not MaskStep.EACH and not isinstance(first, int)
        if not is_name or len(self.steps) > MAX_PATH_STEPS:
            raise ConfigurationError(
                f"`{self.label[:80]}` is no attribute to mask, write a name followed by at most "
                f"{MAX_PATH_STEPS - 1} names or list positions"
            )


def label_of(steps: Iterable[PathStep]) -> str:
    """The path as written in a policy: `cards[*].number`; a name with dots in double quotes."""
    label = ""
    for step in steps:
        if isinstance(step, int):
            label += f"[{step}]"
        elif step is MaskStep.EACH:
            label += MaskStep.EACH.value
        else:
            name = _name_of(step)
            label += f".{name}" if label else name
    return label


def _name_of(step: str | NamePattern | MaskStep) -> str:
    if isinstance(step, NamePattern):
        return step.text
    if isinstance(step, MaskStep):
        return step.value
    return f'"{step}"' if any(mark in step for mark in ".[]*?") else step


def at_any_position(path: MaskedPath) -> MaskedPath:
    """The path with every list position taken for all positions."""
    steps = tuple(MaskStep.EACH if isinstance(step, int) else step for step in path.steps)
    return replace(path, steps=steps)


def with_endings(path: MaskedPath) -> list[MaskedPath]:
    """The path and each end of it that begins with a name: `a.b[*].c`, `b[*].c`, `c`."""
    return [
        replace(path, steps=path.steps[start:])
        for start, step in enumerate(path.steps)
        if not isinstance(step, int) and step is not MaskStep.EACH
    ]
