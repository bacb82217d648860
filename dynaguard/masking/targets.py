"""Which attribute an expression value stands for: `:e` in `SET email = :e` stands for `email`.

Only what is certain is told. A placeholder whose attribute cannot be known (an expression that is
not understood, an undefined name, two placeholders compared with each other, a size) is left out.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final, NamedTuple

from dynaguard.aws.dynamodb.expressions.conditions import parse_condition
from dynaguard.aws.dynamodb.expressions.tokens import ExpressionCursor, ExpressionError
from dynaguard.aws.dynamodb.expressions.updates import parse_update

_CONDITIONS: Final = ("KeyConditionExpression", "FilterExpression", "ConditionExpression")
_CLAUSES: Final = frozenset({"SET", "REMOVE", "ADD", "DELETE"})
_ENDS: Final = frozenset({"AND", "OR", "NOT"})
_WORDS: Final = _ENDS | {"BETWEEN", "IN"}
_MEASURES: Final = frozenset({"size", "attribute_type"})
"""Functions that compare something else of an attribute than its value."""


class Target(NamedTuple):
    """An attribute that a placeholder's value is written to or compared with.

    Attributes:
        steps: Its path: names, and positions in lists.
        is_joined: Whether the value is joined to a list there, at positions of its own.
    """

    steps: tuple[str | int, ...]
    is_joined: bool = False


def targets_of(part: Mapping[str, Any]) -> dict[str, list[Target]]:
    """The targets of each placeholder of a request, as far as they are known for certain.

    Args:
        part: The parameters, or a member of a transaction, with its expressions.
    """
    names = part.get("ExpressionAttributeNames")
    uses: dict[str, list[Target | None]] = {}
    try:
        for member in _CONDITIONS:
            text = part.get(member)
            if isinstance(text, str):
                parse_condition(text)
                _Reader(text, names, uses).read_condition()
        text = part.get("UpdateExpression")
        if isinstance(text, str):
            parse_update(text)
            _Reader(text, names, uses).read_update()
    except ExpressionError:
        return {}
    return {
        name: [target for target in targets if target is not None]
        for name, targets in uses.items()
        if None not in targets
    }


class _Reader(ExpressionCursor):
    """Links the placeholders of one expression, which is known to be well formed."""

    def __init__(self, text: str, names: Any, uses: dict[str, list[Target | None]]) -> None:
        super().__init__(text)
        self._names: Mapping[str, Any] = names if isinstance(names, Mapping) else {}
        self._uses = uses

    def read_update(self) -> None:
        """Every value goes to the path that its entry begins with."""
        target: Target | None = None
        depth = 0
        while not self.is_at_end:
            token = self.peek()
            if token.keyword in _CLAUSES or (depth == 0 and token.is_mark(",")):
                target = None
                self.take()
            elif token.kind == "value":
                self._link(self.take().text, target)
            elif self.is_call():
                if self.take().text == "list_append" and target is not None:
                    target = target._replace(is_joined=True)
            elif token.kind in {"word", "alias"}:
                path = self._path()
                target = target or Target(path)
            else:
                depth += token.is_mark("(") - token.is_mark(")")
                self.take()

    def read_condition(self) -> None:
        """Every value is compared with the paths of its own comparison."""
        values: list[str] = []
        targets: list[Target | None] = []
        is_between = False
        while not self.is_at_end:
            token = self.peek()
            if token.keyword == "AND" and is_between:
                is_between = False
                self.take()
            elif token.keyword in _ENDS:
                self._link_all(values, targets)
                values, targets = [], []
                self.take()
            elif token.kind == "value":
                values.append(self.take().text)
            elif self.is_call():
                targets += [None] if self.take().text in _MEASURES else []
            elif token.kind == "alias" or (token.kind == "word" and token.keyword not in _WORDS):
                targets.append(Target(self._path()))
            else:
                is_between = is_between or token.keyword == "BETWEEN"
                self.take()
        self._link_all(values, targets)

    def _link_all(self, values: list[str], targets: list[Target | None]) -> None:
        for value in values:
            for target in targets or [None]:
                self._link(value, target)

    def _link(self, value: str, target: Target | None) -> None:
        self._uses.setdefault(value, []).append(target)

    def _path(self) -> tuple[str | int, ...]:
        """The steps of a document path."""
        steps: list[str | int] = [self._name()]
        while True:
            if self.accept("."):
                steps.append(self._name())
            elif self.accept("["):
                steps.append(int(self.take().text))
                self.expect("]")
            else:
                return tuple(steps)

    def _name(self) -> str:
        """A name, or what a `#name` stands for.

        Raises:
            ExpressionError: It is not defined.
        """
        token = self.take()
        name = self._names.get(token.text) if token.kind == "alias" else token.text
        if not isinstance(name, str):
            raise ExpressionError
        return name
