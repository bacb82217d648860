"""Globs, ARN patterns and action patterns: what they match, and what they must not."""

from __future__ import annotations

import re
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dynaguard.call import UNKNOWN_ACCOUNT, UNKNOWN_CHAR, UNKNOWN_RUN
from dynaguard.policy.patterns import (
    Glob,
    Wild,
    action_matches,
    arn_matches,
    arn_may_match,
    parse_wildcards,
    text_matches,
)

TABLE = "arn:aws:dynamodb:eu-west-1:111122223333:table/orders"
UNKNOWN_TABLE = f"arn:aws:dynamodb:eu-west-1:{UNKNOWN_ACCOUNT}:table/orders"
KEY = f"arn:aws:kms:eu-west-1:111122223333:key/{UNKNOWN_RUN}"
SECRET = f"arn:aws:secretsmanager:eu-west-1:111122223333:secret:db-{UNKNOWN_CHAR * 6}"

small_patterns = st.text(alphabet="ab*?", max_size=8)
small_texts = st.text(alphabet="ab*?", max_size=8)
marked_texts = st.text(alphabet=["a", "b", UNKNOWN_CHAR, UNKNOWN_RUN], max_size=4)


def regex_matches(pattern: str, text: str) -> bool:
    """What a pattern means, by a regular expression."""
    wild = {"*": ".*", "?": "."}
    expression = "".join(wild.get(char) or re.escape(char) for char in pattern)
    return re.fullmatch(expression, text, re.DOTALL) is not None


def possible_texts(marked: str) -> set[str]:
    """Some texts that a text with marks may be: each mark replaced by short texts of `a`, `b`."""
    texts = {""}
    for char in marked:
        hidden = {
            UNKNOWN_CHAR: ("a", "b"),
            UNKNOWN_RUN: ("", "a", "b", "aa", "ab", "ba", "bb"),
        }.get(char, (char,))
        texts = {text + part for text in texts for part in hidden}
    return texts


@given(small_patterns, small_texts)
def test_text_matches_as_a_regex_would(pattern: str, text: str) -> None:
    """A glob matches exactly where the equivalent regular expression does."""
    assert text_matches(pattern, text) == regex_matches(pattern, text)


@given(small_patterns, marked_texts)
def test_certain_match_holds_for_every_possible_text(pattern: str, marked: str) -> None:
    """What is certain is true whatever the marks hide; what is ruled out never happens."""
    truth = Glob(parse_wildcards(pattern)).truth(marked)
    outcomes = {regex_matches(pattern, text) for text in possible_texts(marked)}

    if truth is True:
        assert outcomes == {True}
    if truth is False:
        assert outcomes == {False}


def test_hostile_pattern_takes_no_exponential_time() -> None:
    """Many wildcards over a long text are matched in one pass each."""
    started_s = time.perf_counter()

    is_match = text_matches("*a?a" * 40 + "c", "a" * 5000)

    assert not is_match
    assert time.perf_counter() - started_s < 1


def test_substituted_text_is_literal() -> None:
    """A `*` in a literal token is a character, not a wildcard."""
    glob = Glob(("table/", "*"))

    assert glob.matches("table/*")
    assert not glob.matches("table/orders")


def test_wildcards_are_parsed_from_text() -> None:
    """Each `*` and `?` of a pattern is a wildcard token between literal ones."""
    assert tuple(parse_wildcards("a*b?")) == ("a", Wild.RUN, "b", Wild.ONE)


@pytest.mark.parametrize(
    ("pattern", "is_match"),
    [
        ("*", True),
        ("**", True),
        (TABLE, True),
        (TABLE.upper(), False),
        ("arn:aws:dynamodb:*:*:table/ord*", True),
        ("arn:aws:dynamodb:*:*:*", True),
        ("arn:aws:dynamodb:eu-*-1:1111????3333:table/order?", True),
        ("arn:aws:dynamodb:*:table/orders", False),
        ("arn:aws:dynamodb:*", False),
        ("arn:*", False),
        ("table/orders", False),
        ("", False),
        ("?*", False),
    ],
)
def test_arn_is_matched_part_by_part(pattern: str, is_match: bool) -> None:
    """Wildcards stay within their part; what is not in six parts never matches for certain."""
    assert arn_matches(pattern, TABLE) is is_match


@pytest.mark.parametrize(
    "last", ["table/orders/index/by_day", "table/orders:2026", "table/orders"]
)
def test_star_in_the_last_part_crosses_separators(last: str) -> None:
    """`*` in the last part of an ARN also covers `/` and `:`."""
    arn = f"arn:aws:dynamodb:eu-west-1:111122223333:{last}"

    assert arn_matches("arn:aws:dynamodb:*:*:table/ord*", arn)


@pytest.mark.parametrize(
    ("pattern", "resource", "is_certain", "is_possible"),
    [
        ("arn:aws:dynamodb:*:*:table/orders", UNKNOWN_TABLE, True, True),
        ("arn:aws:dynamodb:*:????????????:table/orders", UNKNOWN_TABLE, True, True),
        (TABLE, UNKNOWN_TABLE, False, True),
        ("arn:aws:dynamodb:*:1111*:table/orders", UNKNOWN_TABLE, False, True),
        ("arn:aws:dynamodb:*:1111:table/orders", UNKNOWN_TABLE, False, False),
        ("arn:aws:dynamodb:*:111122223333:table/other", UNKNOWN_TABLE, False, False),
        (SECRET.replace(UNKNOWN_CHAR, "?"), SECRET, True, True),
        ("arn:aws:secretsmanager:*:*:secret:db-*", SECRET, True, True),
        ("arn:aws:secretsmanager:*:*:secret:db-a1B2c3", SECRET, False, True),
        ("arn:aws:secretsmanager:*:*:secret:db-a1B2", SECRET, False, False),
        ("arn:aws:kms:*:*:key/*", KEY, True, True),
        ("arn:aws:kms:*:*:key/?*", KEY, False, True),
        ("arn:aws:kms:*:*:key/1234", KEY, False, True),
        ("arn:aws:kms:*:*:alias/*", KEY, False, False),
        ("*", UNKNOWN_RUN, True, True),
        (TABLE, UNKNOWN_RUN, False, True),
        (TABLE, "*", False, False),
        ("arn:aws:dynamodb:*", TABLE, False, True),
        ("arn:aws:sqs:*", TABLE, False, False),
    ],
)
def test_unknown_parts_are_covered_by_wildcards_alone(
    pattern: str, resource: str, is_certain: bool, is_possible: bool
) -> None:
    """An Allow needs a wildcard over each mark; a Deny takes whatever could be there."""
    assert arn_matches(pattern, resource) is is_certain
    assert arn_may_match(pattern, resource) is is_possible


def test_literal_mark_is_not_the_unknown_one() -> None:
    """A mark that came into a pattern as text does not cover a mark of the resource."""
    assert Glob((UNKNOWN_CHAR,)).truth(UNKNOWN_CHAR) is None


@pytest.mark.parametrize(
    ("pattern", "is_match"),
    [
        ("dynamodb:GetItem", True),
        ("DynamoDB:getITEM", True),
        ("dynamodb:Get*", True),
        ("dynamodb:?etItem", True),
        ("dynamodb:*", True),
        ("*", True),
        ("*:*", True),
        ("*:GetItem", False),
        ("dynamo*:GetItem", False),
        ("dynamo?b:GetItem", False),
        ("dynamodb", False),
        ("GetItem", False),
        ("dynamodb:GetItem,dynamodb:PutItem", False),
        ("dynamodb: GetItem", False),
        ("s3:*", False),
    ],
)
def test_action_patterns(pattern: str, is_match: bool) -> None:
    """Case does not count; the service is literal, wildcards stand in the name."""
    assert action_matches(pattern, "dynamodb:GetItem") is is_match


@pytest.mark.parametrize(
    ("pattern", "text", "is_match"),
    [
        ("a?c*e?g", "abcdefg", True),
        ("a?c*e?g", "aceg", False),
        ("*?b?*", "aabaa", True),
        ("*??*", "a", False),
        ("??", "ab", True),
        ("??", "abc", False),
        ("ab*ba", "aba", False),
        ("*b*a*", "aab", False),
        ("*a?b*", "ab-axb", True),
        ("*a?b*", "ab-ax", False),
        ("*?a*b", "aab", True),
        ("", "", True),
        ("", "a", False),
        ("*", "", True),
    ],
)
def test_text_patterns(pattern: str, text: str, is_match: bool) -> None:
    """`?` is one character, `*` any run; the whole text counts."""
    assert text_matches(pattern, text) is is_match
