"""What the resource of a request leaves to ask of the statements of one action.

Statements with `Resource` are found by their patterns (`resource_index.py`). One with
`NotResource` matches wherever none of its patterns does, so these tell where it does not. A
pattern with variables is found by its shape, and stays a question to the context of each call.
"""

from __future__ import annotations

import functools
from collections.abc import Iterable, Iterator, Sequence
from typing import Final, NamedTuple, Protocol

from dynaguard.call import UNKNOWN, ContextLookup
from dynaguard.policy.resource_index import ResourceIndex
from dynaguard.policy.statement_index import StatementIndex
from dynaguard.policy.truth import Truth, any_of, negated
from dynaguard.policy.variables import ArnTemplate, parse_template, widened_text
from dynaguard.values import dataclass

_CACHED_TEMPLATES: Final = 4096


class Test(Protocol):
    """A question to the context of a call: a condition, or a resource with variables."""

    def holds(self, lookup: ContextLookup, /) -> Truth:
        """Its truth for one call."""

    def unknown_keys(self, lookup: ContextLookup, /) -> tuple[str, ...]:
        """What would settle it when it is not known; for messages, off the fast path."""


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


@functools.lru_cache(maxsize=_CACHED_TEMPLATES)
def arn_template(text: str, *, has_variables: bool) -> ArnTemplate:
    """The parsed pattern. Only patterns in doubt, or with variables, are ever parsed."""
    return ArnTemplate(parse_template(text, has_variables=has_variables))


def match_resource(
    resource: str, templates: Iterable[ArnTemplate], *, is_negated: bool
) -> ResourceTest | None:
    """What is left to ask about the resource of a statement.

    Args:
        resource: The resource of a request, marks included.
        templates: The statement's candidates; the rest of its patterns cannot match.
        is_negated: Whether they come from `NotResource`.

    Returns:
        None where the statement does not match for certain, `ALWAYS` where it does, else the
        test that tells.
    """
    left: list[ArnTemplate] = []
    for template in templates:
        truth = template.shape.truth(resource)
        if truth and template.is_closed:
            return None if is_negated else ALWAYS
        # An open `NotResource` stays: without a text for its variable nothing is certain.
        if truth is not False or (is_negated and not template.is_closed):
            left.append(template)
    if not left:
        return ALWAYS if is_negated else None
    return ResourceTest(resource, tuple(left), is_negated)


class Matched(NamedTuple):
    """The statements that match a resource, or may.

    Attributes:
        numbers: All of them, ascending.
        tests: What is left to ask about the resource, of those that do not match for certain.
    """

    numbers: list[int]
    tests: dict[int, ResourceTest]


class ActionResources:
    """The resource patterns of one action's statements; O(patterns) to build, once.

    Args:
        index: The index of the document.
        numbers: The statements that are, or may be, for the action; ascending.
    """

    __slots__ = (
        "_closed_complements",
        "_index",
        "_named",
        "_open",
        "_open_complements",
        "_plain",
        "_texts_by_shape",
    )

    def __init__(self, index: StatementIndex, numbers: Sequence[int]) -> None:
        self._index = index
        negated_ones = index.not_resources.intersection(numbers)
        with_variables = index.with_variables.intersection(numbers)
        if negated_ones or with_variables:
            special = negated_ones | with_variables
            plain: Sequence[int] = [number for number in numbers if number not in special]
        else:
            plain = numbers
        pairs = self._patterns(plain)
        self._open_complements = sorted(negated_ones & with_variables)
        self._closed_complements = sorted(negated_ones - with_variables)
        self._texts_by_shape: dict[tuple[int, str], list[str]] = {}
        for number, text in self._patterns(sorted(with_variables - negated_ones)):
            shape = widened_text(text)
            self._texts_by_shape.setdefault((number, shape), []).append(text)
        self._plain = ResourceIndex(pairs)
        self._open = ResourceIndex(self._texts_by_shape, are_shapes=True)
        self._named = ResourceIndex(self._patterns(self._closed_complements))

    def _patterns(self, numbers: Iterable[int]) -> Iterator[tuple[int, str]]:
        """The resource patterns of statements, each with the statement's number."""
        resources = self._index.resources
        for number in numbers:
            texts = resources[number]
            if isinstance(texts, str):
                yield number, texts
            else:
                for text in texts:
                    yield number, text

    def find(self, resource: str) -> Matched:
        """The statements that match a resource, or may.

        Args:
            resource: The resource of a request, marks included.

        Cost: see `ResourceIndex.find`; and O(statements with `NotResource`).
        """
        certain, doubtful = self._plain.find(resource)
        if self._texts_by_shape:
            for number, texts in self._open_patterns(resource):
                doubtful.setdefault(number, []).extend(texts)
        tests: dict[int, ResourceTest] = {}
        if doubtful:
            for number in doubtful.keys() - certain:
                self._match(number, resource, doubtful[number], certain, tests)
        if self._closed_complements or self._open_complements:
            self._match_complements(resource, certain, tests)
        if len(certain) > 1 or tests:
            certain = sorted({*certain, *tests})
        return Matched(certain, tests)

    def _open_patterns(self, resource: str) -> Iterator[tuple[int, list[str]]]:
        """The patterns with variables that have the shape of a resource, by statement."""
        found = self._open.find(resource)
        for number, shapes in found.doubtful.items():
            for shape in shapes:
                yield number, self._texts_by_shape[number, shape]

    def _match_complements(
        self, resource: str, certain: list[int], tests: dict[int, ResourceTest]
    ) -> None:
        """Adds the statements with `NotResource` that match, or may."""
        named = self._named.find(resource)
        excluded = set(named.certain)
        for number in self._closed_complements:
            if number not in excluded:
                texts = named.doubtful.get(number, ())
                self._match(number, resource, texts, certain, tests)
        for number in self._open_complements:
            texts = [text for _, text in self._patterns((number,))]
            self._match(number, resource, texts, certain, tests)

    def _match(
        self,
        number: int,
        resource: str,
        texts: Iterable[str],
        certain: list[int],
        tests: dict[int, ResourceTest],
    ) -> None:
        """Adds one statement to those that match, or may, by patterns that may match."""
        has_variables = number in self._index.with_variables
        test = match_resource(
            resource,
            [arn_template(text, has_variables=has_variables) for text in texts],
            is_negated=number in self._index.not_resources,
        )
        if test is ALWAYS:
            certain.append(number)
        elif test is not None:
            tests[number] = test
