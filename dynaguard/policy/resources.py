"""Which statements of one action can matter for a resource: an index over their resource patterns.

A pattern is filed under the last part of its ARN, where policies differ most (region and account
are mostly wildcards): by its whole text when that has no wildcard, else by the literal text before
the first wildcard or variable. What is found is then matched as a whole; patterns without such a
text are tried each time.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Final, Protocol

from dynaguard.call import UNKNOWN, UNKNOWN_CHAR, UNKNOWN_RUN, ContextLookup
from dynaguard.policy.patterns import ARN_PARTS, has_marks
from dynaguard.policy.truth import Truth, any_of, negated
from dynaguard.policy.variables import ArnTemplate, parse_template


class Test(Protocol):
    """A question to the context of a call: a condition, or a resource with variables."""

    def holds(self, lookup: ContextLookup, /) -> Truth:
        """Its truth for one call."""

    def unknown_keys(self, lookup: ContextLookup, /) -> tuple[str, ...]:
        """What would settle it when it is not known; for messages, off the fast path."""


class ResourcePattern:
    """One resource pattern of one statement, parsed when it is first tried.

    Attributes:
        number: The statement's place in the document.
        text: The pattern as written.
    """

    __slots__ = ("_has_variables", "_template", "number", "text")

    def __init__(self, number: int, text: str, *, has_variables: bool) -> None:
        self.number = number
        self.text = text
        self._has_variables = has_variables and "${" in text
        self._template: ArnTemplate | None = None

    @property
    def template(self) -> ArnTemplate:
        """The parsed pattern. Two threads may both parse it, with the same result."""
        if self._template is None:
            parsed = parse_template(self.text, has_variables=self._has_variables)
            self._template = ArnTemplate(parsed)
        return self._template

    def file_name(self) -> tuple[str, bool]:
        """The text that it is filed under, and whether that is the whole last part."""
        literal = self.text.partition("${")[0] if self._has_variables else self.text
        parts = literal.split(":", ARN_PARTS - 1)
        if len(parts) < ARN_PARTS:
            return "", False
        head = parts[-1].partition("*")[0].partition("?")[0]
        return head, not self._has_variables and len(head) == len(parts[-1])


class ResourceIndex:
    """The resource patterns of one action's statements; O(patterns) to build, once."""

    __slots__ = ("_all", "_by_head", "_by_text", "_unfiled")

    def __init__(self, patterns: Iterable[ResourcePattern]) -> None:
        self._all = tuple(patterns)
        self._by_text: dict[str, list[ResourcePattern]] = {}
        by_head: dict[int, dict[str, list[ResourcePattern]]] = {}
        self._unfiled: list[ResourcePattern] = []
        for pattern in self._all:
            name, is_whole = pattern.file_name()
            if not name and not is_whole:
                self._unfiled.append(pattern)
            elif is_whole:
                self._by_text.setdefault(name, []).append(pattern)
            else:
                by_head.setdefault(len(name), {}).setdefault(name, []).append(pattern)
        self._by_head = tuple(sorted(by_head.items()))

    def candidates(self, resource: str) -> Iterator[ResourcePattern]:
        """Every pattern that could match.

        Cost: O(lengths of heads + patterns found); O(patterns) where the last part is not known.
        """
        parts = resource.split(":", ARN_PARTS - 1)
        if len(parts) < ARN_PARTS:
            yield from self._all if has_marks(resource) else self._unfiled
            return
        yield from self._unfiled
        last = parts[-1]
        if has_marks(last):
            yield from self._starting_like(last.partition(UNKNOWN_CHAR)[0])
            return
        yield from self._by_text.get(last, ())
        for length, by_head in self._by_head:
            yield from by_head.get(last[:length], ())

    def _starting_like(self, start: str) -> Iterator[ResourcePattern]:
        """Every filed pattern that could match a last part of which only the start is known."""
        start = start.partition(UNKNOWN_RUN)[0]
        for text, patterns in self._by_text.items():
            if text.startswith(start):
                yield from patterns
        for length, by_head in self._by_head:
            if length <= len(start):
                yield from by_head.get(start[:length], ())
                continue
            for head, patterns in by_head.items():
                if head.startswith(start):
                    yield from patterns


@dataclass(frozen=True, slots=True)
class ResourceTest:
    """Whether the resource patterns of a statement match, as far as the context has to tell."""

    resource: str
    templates: tuple[ArnTemplate, ...]
    is_negated: bool

    @property
    def is_open(self) -> bool:
        """Whether the context matters: a pattern has variables."""
        return not all(template.is_closed for template in self.templates)

    def holds(self, lookup: ContextLookup) -> Truth:
        """Whether one of them (for `NotResource`: none of them) matches for one call."""
        named = any_of(template.truth(self.resource, lookup) for template in self.templates)
        return negated(named) if self.is_negated else named

    def unknown_keys(self, lookup: ContextLookup) -> tuple[str, ...]:
        """Unknown variables, and unknown facts about the resource (`account`, `resource`)."""
        keys: list[str] = []
        for template in self.templates:
            if template.truth(self.resource, lookup) is None:
                keys += (key for key in template.keys if lookup(key.lower()) is UNKNOWN)
                keys += template.filled(lookup).doubts(self.resource)
        return tuple(dict.fromkeys(keys))


ALWAYS: Final = ResourceTest("", (), is_negated=True)
"""The test of a statement whose resource matches for certain."""


def match_resource(
    resource: str, patterns: Sequence[ResourcePattern], *, is_negated: bool
) -> ResourceTest | None:
    """What is left to ask about the resource of a statement.

    Args:
        resource: The resource of a request, marks included.
        patterns: The statement's candidates; the rest of its patterns cannot match.
        is_negated: Whether they come from `NotResource`.

    Returns:
        None where the statement does not match for certain, `ALWAYS` where it does, else the
        test that tells.
    """
    left: list[ArnTemplate] = []
    for pattern in patterns:
        template = pattern.template
        truth = template.shape.truth(resource)
        if truth and template.is_closed:
            return None if is_negated else ALWAYS
        # An open `NotResource` stays: without a text for its variable nothing is certain.
        if truth is not False or (is_negated and not template.is_closed):
            left.append(template)
    if not left:
        return ALWAYS if is_negated else None
    return ResourceTest(resource, tuple(left), is_negated)
