"""The indexes over actions and resources find what a try of every pattern finds."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import overload

import pytest
from hypothesis import event, given
from hypothesis import strategies as st

from dynaguard.call import UNKNOWN_CHAR, UNKNOWN_RUN, Authorization, StatementRef
from dynaguard.policy import resource_index
from dynaguard.policy.action_index import ActionIndex
from dynaguard.policy.matcher import CompiledPolicy
from dynaguard.policy.model import PolicyDocument, Statement
from dynaguard.policy.patterns import (
    Glob,
    action_truth,
    arn_start_truth,
    glob_fits,
    parse_arn_pattern,
    parse_wildcards,
)
from dynaguard.policy.resource_index import GramIndex, ResourceIndex
from dynaguard.policy.resources import (
    ALWAYS,
    ActionResources,
    ResourceTest,
    arn_template,
    match_resource,
)
from dynaguard.policy.statement_index import index_statements
from dynaguard.policy.truth import Truth, any_of, negated
from dynaguard.policy.variables import parse_template, widened, widened_text
from tests.policy.asking import ALL_ABSENT, ETL, TABLES

# Few characters, so that much of it nearly matches.
WORDS = st.text("ab/", max_size=6)
LONG_WORDS = st.text("ab/", max_size=14)
PIECES = st.one_of(WORDS, st.sampled_from(("*", "?", "*", "aab", "bba", ":")))
GLOBS = st.lists(PIECES, max_size=5).map("".join)
VARIABLES = st.sampled_from(
    ("${k}", "${a:b}", "${*}", "${?}", "${k, 'a}b'}", "${", "${}", "}", "'")
)
TEMPLATES = st.lists(st.one_of(PIECES, VARIABLES), max_size=5).map("".join)
MARKED = st.lists(st.one_of(WORDS, st.sampled_from((UNKNOWN_CHAR, UNKNOWN_RUN))), max_size=4).map(
    "".join
)
REGIONS = st.sampled_from(("eu", "us"))


def arns(regions: st.SearchStrategy[str], lasts: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
    """ARNs (or patterns of them) with these regions and sixth parts; some are malformed."""
    whole = st.builds("arn:aws:ddb:{}:11:{}".format, regions, lasts)
    return st.one_of(
        whole, whole, whole, whole, st.sampled_from(("*", "**", "", "a", "arn:aws:*"))
    )


PATTERNS = arns(st.sampled_from(("eu", "us", "*", "e?", "*u*")), GLOBS)
RESOURCES = st.one_of(
    arns(REGIONS, WORDS),
    arns(REGIONS, WORDS),
    arns(st.one_of(REGIONS, st.just(UNKNOWN_RUN)), MARKED),
    st.sampled_from((UNKNOWN_RUN, f"arn:{UNKNOWN_RUN}")),
)


@pytest.fixture(autouse=True, params=["as it is", "all by characters"])
def _filing(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Everything holds for the thresholds in use, and where even few patterns are filed."""
    if request.param == "all by characters":
        monkeypatch.setattr(resource_index, "MAX_TRIED", 0)
        monkeypatch.setattr(resource_index, "GRAM_LENGTH", 2)


# --- one pattern ------------------------------------------------------------------------------


@given(GLOBS, WORDS)
def test_glob_fits_as_a_compiled_one(pattern: str, text: str) -> None:
    """What is matched without compiling is what a compiled glob matches."""
    assert glob_fits(pattern, text) is Glob(parse_wildcards(pattern)).matches(text)


@given(TEMPLATES, WORDS)
def test_shape_fits_what_the_template_can(text: str, other: str) -> None:
    """The shape of a pattern with variables misses nothing that the pattern can match."""
    exact = Glob(widened(parse_template(text, has_variables=True)))

    for tried in (other, text):
        assert glob_fits(widened_text(text), tried) or not exact.matches(tried)


def test_shape_keeps_what_stands_around_variables() -> None:
    """A shape still tells patterns with variables from one another."""
    assert widened_text("a/${k}/b-${c, 'd'}?") == "a/*/b-*?"
    assert widened_text("a/${k}/b${l}") == "a/*/b*"


STARTS = st.lists(
    st.one_of(st.sampled_from(("", "*", "a", "ab", "a?", "*b")), MARKED), min_size=5, max_size=5
).map(lambda parts: "".join(f"{part}:" for part in parts))


@given(STARTS, STARTS)
def test_start_of_an_arn_matches_as_the_whole_would(pattern: str, start: str) -> None:
    """The first five parts are told by themselves as within a whole ARN."""
    whole = parse_arn_pattern(f"{pattern}*").truth(f"{start}x")

    assert arn_start_truth(pattern, start) is whole


# --- characters in a row ----------------------------------------------------------------------


@given(st.lists(GLOBS, max_size=12, unique=True), LONG_WORDS, st.integers(1, 3), st.integers(1, 4))
def test_no_candidate_is_missed(patterns: list[str], text: str, length: int, stride: int) -> None:
    """Every pattern that matches is a candidate, wherever its characters stand."""
    index = GramIndex(patterns, length, stride)

    candidates = [*index.candidates(text)]

    assert len(candidates) == len(set(candidates))
    assert {each for each in patterns if glob_fits(each, text)} <= {*candidates}
    event(f"{len(candidates)} of {len(patterns)} candidates")


def test_candidates_are_few() -> None:
    """Of many patterns only those are tried whose rarest characters the text holds."""
    index = GramIndex([f"*-pii-{number:05d}-*" for number in range(1_000)], 5, 3)

    assert [*index.candidates("table/x-pii-00017-y")] == ["*-pii-00017-*"]
    assert [*index.candidates("table/x")] == []


# --- resources --------------------------------------------------------------------------------


@given(st.lists(PATTERNS, max_size=14), RESOURCES)
def test_finds_the_statements_that_match(patterns: list[str], resource: str) -> None:
    """Each pattern that matches for certain, or may match, is found as what it is."""
    numbered = [(number // 2, text) for number, text in enumerate(patterns)]
    truths = [(number, parse_arn_pattern(text).truth(resource)) for number, text in numbered]

    found = ResourceIndex(numbered).find(resource)

    resolved = {
        number: any_of(parse_arn_pattern(text).truth(resource) for text in texts)
        for number, texts in found.doubtful.items()
    }
    certain = {*found.certain} | {number for number, truth in resolved.items() if truth}
    assert certain == {number for number, truth in truths if truth}
    doubtful = {number for number, truth in resolved.items() if truth is None} - certain
    assert doubtful == {number for number, truth in truths if truth is None} - certain
    assert all(
        (number, text) in numbered for number in resolved for text in found.doubtful[number]
    )
    event("certain" if certain else "doubtful" if doubtful else "nothing")


STATEMENTS = st.builds(
    lambda resources, is_negated, has_variables: Statement(
        StatementRef("s"),
        "Allow",
        ("ddb:Get",),
        tuple(resources),
        is_not_resource=is_negated,
        has_variables=has_variables,
    ),
    st.lists(
        st.one_of(PATTERNS, arns(st.sampled_from(("eu", "*", "${k}")), TEMPLATES)), max_size=3
    ),
    st.sampled_from((False, False, True)),
    st.sampled_from((False, True, True)),
)


@given(st.lists(STATEMENTS, max_size=8), RESOURCES)
def test_asks_what_every_pattern_would(statements: list[Statement], resource: str) -> None:
    """What is left to ask is what trying all patterns leaves, for `NotResource` and variables."""
    expected = {}
    for number, statement in enumerate(statements):
        templates = [
            arn_template(text, has_variables=statement.has_variables)
            for text in statement.resources
        ]
        test = match_resource(resource, templates, is_negated=statement.is_not_resource)
        if test is not None:
            expected[number] = _content(test)

    every = range(len(statements))
    numbers, tests = ActionResources(index_statements(statements), every).find(resource)

    assert numbers == sorted(numbers)
    asked = {number: _content(tests.get(number, ALWAYS)) for number in numbers}
    assert asked == expected


def _content(test: ResourceTest) -> tuple[object, ...]:
    """What a test asks; which of its patterns comes first is of no matter."""
    asked = {
        (tuple(glob.tokens for glob in template.shape.parts), template.keys)
        for template in test.templates
    }
    return test.resource, asked, test.is_negated


# --- actions ----------------------------------------------------------------------------------

NAMES = st.one_of(
    st.lists(st.sampled_from(("Get", "get", "Put", "*", "?", "Item")), max_size=3).map("".join),
)
ACTION_PATTERNS = st.one_of(
    st.builds("{}:{}".format, st.sampled_from(("ddb", "DDB", "s3", "*", "d*")), NAMES),
    st.sampled_from(("*", "*:*", "ddb")),
)
ACTIONS = st.builds(
    "{}:{}".format,
    st.sampled_from(("ddb", "s3", "S3")),
    st.lists(
        st.sampled_from(("Get", "Put", "Item", "I", UNKNOWN_RUN, UNKNOWN_CHAR)), max_size=3
    ).map("".join),
)


@given(
    st.lists(st.tuples(st.lists(ACTION_PATTERNS, max_size=3), st.booleans()), max_size=8), ACTIONS
)
def test_finds_the_statements_of_an_action(
    listed: list[tuple[list[str], bool]], action: str
) -> None:
    """Statements that are, or may be, for an action are found as what they are, in order."""
    statements = [
        Statement(StatementRef("s"), "Allow", tuple(patterns), (), is_not_action=is_negated)
        for patterns, is_negated in listed
    ]
    truths: list[Truth] = []
    for patterns, is_negated in listed:
        named = any_of(action_truth(pattern, action) for pattern in patterns)
        truths.append(negated(named) if is_negated else named)

    index = ActionIndex(index_statements(statements))
    numbers, doubtful = index.numbers(index.concern_of(action))

    assert [*numbers] == [number for number, truth in enumerate(truths) if truth is not False]
    assert doubtful == {number for number, truth in enumerate(truths) if truth is None}


def test_an_action_tries_few_patterns(monkeypatch: pytest.MonkeyPatch) -> None:
    """Patterns of other services, and those that begin otherwise, are not tried."""
    statements = [
        Statement(StatementRef("s"), "Allow", (f"s{number}:Get*", f"ddb:G{number}*"), ())
        for number in range(500)
    ]
    index = ActionIndex(index_statements(statements))
    tried = []

    def count(pattern: str, action: str) -> Truth:
        tried.append(pattern)
        return action_truth(pattern, action)

    monkeypatch.setattr("dynaguard.policy.action_index.action_truth", count)
    index.concern_of("ddb:G17Item")

    assert tried == ["ddb:g1*", "ddb:g17*"]


# --- lazy statements --------------------------------------------------------------------------


class Counted(Sequence[Statement]):
    """Statements that note which of them are asked for."""

    def __init__(self, statements: Sequence[Statement]) -> None:
        self._statements = statements
        self.asked: list[int] = []

    def __len__(self) -> int:
        return len(self._statements)

    def __iter__(self) -> Iterator[Statement]:
        raise AssertionError("all statements are asked for")

    @overload
    def __getitem__(self, place: int) -> Statement: ...
    @overload
    def __getitem__(self, place: slice) -> Sequence[Statement]: ...
    def __getitem__(self, place: int | slice) -> Statement | Sequence[Statement]:
        assert isinstance(place, int)
        self.asked.append(place)
        return self._statements[place]


def test_asks_for_statements_that_match_alone() -> None:
    """With an index given, a statement is asked for once, when it first matches."""
    names = ("orders", "orders-*", "users", "*-orders-*", "${aws:username}", "carts")
    statements = [
        Statement(StatementRef(name), "Allow", ("dynamodb:GetItem",), (TABLES + name,))
        for name in names
    ]
    others = Statement(StatementRef("n"), "Deny", ("*",), (f"{TABLES}*",), is_not_resource=True)
    counted = Counted([*statements, others])
    document = PolicyDocument("deny", None, counted)  # type: ignore[arg-type]
    policy = CompiledPolicy(document, index_statements([*statements, others]))
    assert counted.asked == []

    for name in ("orders", "orders", "carts", "orders-1"):
        asked = Authorization("dynamodb:GetItem", TABLES + name)
        assert policy.rule(asked, ETL, ALL_ABSENT).verdict.is_allowed

    assert counted.asked == [0, 4, 5, 1]
