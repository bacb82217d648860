"""IAM's policy variables: `${key}`, `${key, 'default'}`, and `${*}`, `${?}`, `${$}` for the signs.

A text with variables is parsed once into a template; each call fills the template from its
context. What is filled in is literal text: a `*` in a tag's value never becomes a wildcard.

A variable has a text only when its key holds exactly one value, or is known to be absent and a
default is written. Otherwise the template stays open, and what depends on it is not known: no
match in an Allow, a match in a Deny.

Source: IAM User Guide, IAM policy elements: Variables and tags.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Final

from dynaguard.call import UNKNOWN, ContextLookup
from dynaguard.policy.patterns import (
    ArnPattern,
    Glob,
    Token,
    Tokens,
    Wild,
    cached_glob,
    parse_wildcards,
    split_arn,
)
from dynaguard.policy.truth import Truth
from dynaguard.values import dataclass

_SIGNS: Final = frozenset("*?$")


@dataclass(frozen=True, slots=True)
class Variable:
    """A variable of a template.

    Attributes:
        key: The condition key as written; empty where the text between the braces is malformed.
        default: The text of an absent key, or None.
    """

    key: str
    default: str | None = None

    def text(self, lookup: ContextLookup) -> str | None:
        """Its text for one call, or None where it has none."""
        if not self.key:
            return None
        values = lookup(self.key.lower())
        if values is UNKNOWN:
            return None
        if not values:
            return self.default
        return values[0] if len(values) == 1 else None


Template = tuple[Token | Variable, ...]


def parse_template(text: str, *, has_variables: bool) -> Template:
    """The template of a pattern.

    Args:
        text: The pattern as written; `*` and `?` are wildcards.
        has_variables: Whether `${...}` means a variable (IAM's Version rule) or itself.
    """
    if not has_variables or "${" not in text:
        return tuple(parse_wildcards(text))
    return tuple(_merged(_parse(text)))


def _parse(text: str) -> Iterator[Token | Variable]:
    """The tokens of a text with variables; neighbouring literals are not merged yet."""
    while text:
        before, opening, rest = text.partition("${")
        yield from parse_wildcards(before)
        if not opening:
            return
        content, text = _split_at_brace(rest)
        yield content if content in _SIGNS else _parse_variable(content)


def _split_at_brace(rest: str) -> tuple[str, str]:
    """What stands before the closing brace, and behind it; a brace in quotes closes nothing."""
    is_quoted = False
    for at, char in enumerate(rest):
        if char == "'":
            is_quoted = not is_quoted
        elif char == "}" and not is_quoted:
            return rest[:at], rest[at + 1 :]
    return "", ""


def _parse_variable(content: str) -> Variable:
    """The variable between two braces."""
    key, comma, default = content.partition(",")
    default = default.strip()
    if not comma:
        return Variable(key.strip())
    is_quoted = len(default) > 1 and default[0] == default[-1] == "'"
    return Variable(key.strip(), default[1:-1]) if is_quoted else Variable("")


def _merged(tokens: Iterable[Token | Variable]) -> Iterator[Token | Variable]:
    """The tokens with neighbouring literals joined."""
    literal = ""
    for token in tokens:
        if isinstance(token, str):
            literal += token
            continue
        if literal:
            yield literal
            literal = ""
        yield token
    if literal:
        yield literal


def fill(template: Template, lookup: ContextLookup) -> Tokens | None:
    """The tokens of a template for one call; None where a variable has no text."""
    tokens: list[Token] = []
    for token in template:
        text = token.text(lookup) if isinstance(token, Variable) else token
        if text is None:
            return None
        tokens.append(text)
    return tuple(tokens)


def widened(template: Template) -> Tokens:
    """The template with `*` for each variable: the shape of every text it could have."""
    return tuple(Wild.RUN if isinstance(token, Variable) else token for token in template)


def widened_text(text: str) -> str:
    """A pattern's text with `*` for each variable: fits whatever the pattern can match.

    `${*}` and its like become `*` too, which fits more than the sign itself.
    """
    if "'" in text:
        # A brace in quotes closes nothing: worth a real parse.
        tokens = widened(parse_template(text, has_variables=True))
        return "".join(
            token.value if isinstance(token, Wild) else token.replace("*", "?") for token in tokens
        )
    first, *others = text.split("${")
    return "*".join((first, *(other.partition("}")[2] for other in others)))


def variable_keys(template: Template) -> tuple[str, ...]:
    """The keys of its variables, as written."""
    return tuple(token.key for token in template if isinstance(token, Variable) and token.key)


def is_closed(template: Template) -> bool:
    """Whether it has no variables."""
    return not any(isinstance(token, Variable) for token in template)


def fixed(template: Template) -> Tokens:
    """The tokens of a template without variables."""
    return tuple(token for token in template if not isinstance(token, Variable))


def text_of(template: Template) -> str:
    """The text of tokens where wildcards are plain signs, as in StringEquals."""
    return "".join(token if isinstance(token, str) else token.value for token in fixed(template))


class ArnTemplate:
    """An ARN pattern that may hold variables.

    Attributes:
        keys: The keys of its variables, as written.
        shape: The pattern with `*` for each variable.
    """

    __slots__ = ("_parts", "is_closed", "keys", "shape")

    def __init__(self, template: Template) -> None:
        self._parts = split_arn(template)
        self.keys = variable_keys(template)
        self.is_closed = is_closed(template)
        self.shape = ArnPattern(tuple(Glob(widened(part)) for part in self._parts))

    def filled(self, lookup: ContextLookup) -> ArnPattern:
        """The pattern for one call, or its shape where a variable has no text."""
        if self.is_closed:
            return self.shape
        parts = [fill(part, lookup) for part in self._parts]
        tokens = [part for part in parts if part is not None]
        if len(tokens) < len(parts):
            return self.shape
        return ArnPattern(tuple(map(cached_glob, tokens)))

    def truth(self, arn: str, lookup: ContextLookup) -> Truth:
        """Whether it matches for one call; None where a variable has no text."""
        pattern = self.filled(lookup)
        if pattern is self.shape and not self.is_closed:
            return None
        return pattern.truth(arn)
