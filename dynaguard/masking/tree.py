"""Mask paths compiled into a tree of nodes, each of which knows what to do with one value.

The tree is deterministic: a node stands for all paths that lead to a value and knows the strictest
of them, so the walk (`walk.py`) follows one node and never compares. Nodes are made when a value
first asks for them: `**` and name patterns name more values than could be listed.

INVARIANT: what is remembered is bounded; beyond the bound nodes are made anew each time.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import TYPE_CHECKING, Final, Generic, TypeVar

from dynaguard.masking.paths import MaskedPath
from dynaguard.masking.strategies import Strategy
from dynaguard.policy.model import MaskStep, NamePattern
from dynaguard.policy.patterns import text_matches

if TYPE_CHECKING:
    from dynaguard.masking.detectors import Detection

MAX_NODES: Final = 4096
"""Most nodes of a tree that are remembered."""
MAX_NAMES: Final = 1024
"""Most names (or positions) that a node remembers the nodes of."""

MaskKey = tuple[str, str, str | None]
"""What masked values are counted by: attribute path, strategy, detector."""

_StepT = TypeVar("_StepT")
_State = tuple[int, int]  # a path by its place in the tree, and how many of its steps are taken


class _Parts(dict[_StepT, "Node | None"], Generic[_StepT]):
    """Nodes of a value's parts, by name or by position; None for parts that nothing masks."""

    __slots__ = ("_find",)

    def __init__(self, find: Callable[[_StepT], Node | None]) -> None:
        super().__init__()
        self._find = find

    def __missing__(self, step: _StepT) -> Node | None:
        """Makes the node; two threads may both, which is harmless."""
        node = self._find(step)
        if len(self) < MAX_NAMES:
            self[step] = node
        return node


class DetectionSet(tuple["tuple[Detection, str]", ...]):
    """The detections on one value with the labels of their paths, the strictest first."""

    __slots__ = ()

    # By identity: one set stands for one node and its like, and the walk groups values by it.
    __hash__ = object.__hash__
    __eq__ = object.__eq__


class Node:
    """What is to be done with one value. Immutable but for what it remembers.

    Attributes:
        key: What masked values are counted by.
        strategy: How the whole value is masked, or None when only parts of it are.
        whole: The same, where nothing in the value may ask for a stricter one.
        detections: What is looked for in it; with a `strategy`, those that are stricter.
        names: The names of members that may be masked; None for any.
        positions: The positions of elements that may be; None for any.
        members: Nodes of a map's members, by name.
        elements: Nodes of a list's elements, by index.
        are_elements_alike: Whether one node stands for every element.
        expected: The type that its values mostly are: `M` and `L` where paths go on, else `S`.
    """

    __slots__ = (
        "are_elements_alike",
        "detections",
        "elements",
        "expected",
        "key",
        "members",
        "names",
        "positions",
        "strategy",
        "whole",
    )

    def __init__(
        self,
        key: MaskKey,
        strategy: Strategy | None,
        detections: DetectionSet | None,
        names: tuple[str, ...] | None,
        positions: tuple[int, ...] | None,
        are_elements_alike: bool,  # noqa: FBT001 - made by the tree alone
        find_member: Callable[[str], Node | None],
        find_element: Callable[[int], Node | None],
    ) -> None:
        self.key = key
        self.strategy = strategy
        self.whole = strategy if detections is None else None
        self.detections = detections
        self.names = names
        self.positions = positions
        self.are_elements_alike = are_elements_alike
        self.expected = "M" if names else "L" if positions or names == () else "S"
        self.members: _Parts[str] = _Parts(find_member)
        self.elements: _Parts[int] = _Parts(find_element)


def compile_tree(paths: Sequence[MaskedPath]) -> Node:
    """The root of the tree of some paths; its members are an item's attributes.

    Raises:
        ConfigurationError: A path is empty, too long or begins with a list position.

    Cost: O(paths); nodes are made later, each once.
    """
    for path in paths:
        path.check()
    return _Tree(paths).root()


class _Tree:
    """Makes the nodes of some paths."""

    def __init__(self, paths: Sequence[MaskedPath]) -> None:
        self._paths = tuple(paths)
        self._node_by_key: dict[object, Node] = {}
        self._set_by_places: dict[tuple[int, ...], DetectionSet] = {}

    def root(self) -> Node:
        """The node of an item."""
        states = [(place, 0) for place in range(len(self._paths))]
        node = self._node(states, None, ())
        return node if node is not None else self._make((), None, ())

    def _node(
        self, states: Iterable[_State], outer: int | None, looking: tuple[int, ...]
    ) -> Node | None:
        """The node that some paths lead to; `outer` masks a value around it, `looking` look."""
        ahead, ending = self._split(states)
        wholes = [place for place in ending if self._paths[place].detection is None]
        wholes += [] if outer is None else [outer]
        whole = min(wholes, key=self._rank, default=None)
        lookers = {*looking, *(p for p in ending if self._paths[p].detection is not None)}
        found = tuple(sorted(lookers, key=self._rank))
        if whole is not None:
            # Where the whole value is masked as strictly, nothing is left to find.
            strictness = self._paths[whole].strategy.strictness
            found = tuple(p for p in found if self._paths[p].strategy.strictness < strictness)
        if not ahead and whole is None and not found:
            return None
        key = (ahead, whole, found)
        node = self._node_by_key.get(key)
        if node is None:
            node = self._make(ahead, whole, found)
            if len(self._node_by_key) < MAX_NODES:
                self._node_by_key[key] = node
        return node

    def _split(self, states: Iterable[_State]) -> tuple[tuple[_State, ...], list[int]]:
        """Paths that go on, and those that end here. `**` stands for no step at all, too."""
        ahead: set[_State] = set()
        ending: list[int] = []
        waiting = list(states)
        while waiting:
            place, taken = state = waiting.pop()
            steps = self._paths[place].steps
            if taken == len(steps):
                ending.append(place)
            elif state not in ahead:
                ahead.add(state)
                if steps[taken] is MaskStep.ANY_DEPTH:
                    waiting.append((place, taken + 1))
        return tuple(sorted(ahead)), ending

    def _make(self, ahead: tuple[_State, ...], whole: int | None, found: tuple[int, ...]) -> Node:
        own = self._paths[whole] if whole is not None else None
        first = own or self._paths[found[0] if found else ahead[0][0]] if self._paths else None
        is_all = whole is not None or bool(found)
        steps = [self._paths[place].steps[taken] for place, taken in ahead]
        return Node(
            key=(first.label if first else "", first.strategy.name if first else "", None),
            strategy=own.strategy if own else None,
            detections=self._detections(found),
            names=None if is_all else _names(steps),
            positions=None if is_all else _positions(steps),
            are_elements_alike=not any(isinstance(step, int) for step in steps),
            find_member=lambda name: self._node(
                self._beyond(ahead, lambda step: _takes_name(step, name)), whole, found
            ),
            find_element=lambda index: self._node(
                self._beyond(ahead, lambda step: _takes_index(step, index)), whole, found
            ),
        )

    def _beyond(
        self, ahead: Iterable[_State], takes: Callable[[object], bool]
    ) -> Iterable[_State]:
        """Where the paths stand after one step; `**` may take any number of them."""
        for place, taken in ahead:
            step = self._paths[place].steps[taken]
            if step is MaskStep.ANY_DEPTH:
                yield place, taken
            elif takes(step):
                yield place, taken + 1

    def _detections(self, found: tuple[int, ...]) -> DetectionSet | None:
        if not found:
            return None
        made = self._set_by_places.get(found)
        if made is None:
            pairs = [(self._paths[p].detection, self._paths[p].label) for p in found]
            made = DetectionSet((each, label) for each, label in pairs if each is not None)
            self._set_by_places[found] = made
        return made

    def _rank(self, place: int) -> tuple[tuple[int, int], int]:
        return self._paths[place].rank


def _names(steps: Iterable[object]) -> tuple[str, ...] | None:
    """The names that steps take, or None when they may take any."""
    steps = tuple(steps)
    if any(isinstance(step, NamePattern) or step is MaskStep.ANY_DEPTH for step in steps):
        return None
    return tuple(dict.fromkeys(step for step in steps if isinstance(step, str)))


def _positions(steps: Iterable[object]) -> tuple[int, ...] | None:
    """The positions that steps take, or None when they may take any."""
    steps = tuple(steps)
    if any(isinstance(step, MaskStep) for step in steps):
        return None
    return tuple(dict.fromkeys(step for step in steps if isinstance(step, int)))


def _takes_name(step: object, name: str) -> bool:
    if isinstance(step, NamePattern):
        return text_matches(step.text, name)
    return isinstance(step, str) and step == name


def _takes_index(step: object, index: int) -> bool:
    return step is MaskStep.EACH or (isinstance(step, int) and step == index)
