"""DynamoDB's expressions are read as a whole, or not at all."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dynaguard.aws.dynamodb.expressions import (
    ExpressionError,
    condition_attributes,
    key_equalities,
    projected_attributes,
    update_attributes,
)
from dynaguard.aws.dynamodb.expressions.conditions import parse_condition
from dynaguard.aws.dynamodb.expressions.projections import parse_projection
from dynaguard.aws.dynamodb.expressions.tokens import MAX_DEPTH, MAX_EXPRESSION_LENGTH
from dynaguard.aws.dynamodb.expressions.updates import parse_update

NAMES = {"#a": "alpha", "#b": "be.ta", "#s": "set", "#n": "näme"}
VALUES = {f":{name}": {"S": name} for name in "abcuvwxyz"}

CONDITIONS: list[tuple[str, set[str]]] = [
    ("a = :v", {"a"}),
    (":v = a", {"a"}),
    ("a <> :v", {"a"}),
    ("a<:v", {"a"}),
    ("a <= b", {"a", "b"}),
    ("a.b.c[0].d >= :v", {"a"}),
    ("#a > :v", {"alpha"}),
    ("#b.#a[3] = :v", {"be.ta"}),
    ("#n = :v", {"näme"}),
    ("a BETWEEN :v AND :w", {"a"}),
    ("a between b and c and d = :v", {"a", "b", "c", "d"}),
    ("a IN (:v)", {"a"}),
    ("a in (:v, b, :w) or c = :x", {"a", "b", "c"}),
    ("attribute_exists(a)", {"a"}),
    ("attribute_not_exists ( a.b )", {"a"}),
    ("attribute_type(a, :v)", {"a"}),
    ("begins_with(a, :v)", {"a"}),
    ("contains(a, b)", {"a", "b"}),
    ("size(a) > :v", {"a"}),
    (":v < size(a[1])", {"a"}),
    ("NOT a = :v", {"a"}),
    ("not not (a = :v)", {"a"}),
    ("not contains(a, :v) and not b = :w", {"a", "b"}),
    ("((a = :v))", {"a"}),
    ("(a) = :v", {"a"}),
    ("((a)) = (:v) AND (b = :w OR c = :x)", {"a", "b", "c"}),
    ("a\t=\n:v\r\nAND b = :w", {"a", "b"}),
    ("size = :v", {"size"}),
    ("contains = :v", {"contains"}),
    ("_x1 = :v", {"_x1"}),
]

BAD_CONDITIONS = [
    "",
    " ",
    "a",
    "a =",
    "= :v",
    "a = :v AND",
    "a = :v OR",
    "AND a = :v",
    "a = :v b = :w",
    "(a = :v",
    "a = :v)",
    "()",
    "a == :v",
    "a != :v",
    "a = 1",
    "a = 'x'",
    "a[b] = :v",
    "a[-1] = :v",
    "a[0 = :v",
    "a. = :v",
    ".a = :v",
    "1a = :v",
    "a-b = :v",
    "a IN :v",
    "a IN ()",
    "a BETWEEN :v",
    "a BETWEEN :v OR :w",
    "Contains(a, :v)",
    "SIZE(a) > :v",
    "size(:v) > :w",
    "size(a)",
    "attribute_exists(:v)",
    "attribute_exists(a, :v)",
    "begins_with(a)",
    "nothing(a)",
    "not",
    "and = :v",
    "# = :v",
    ": = a",
    "#z = :v",
    "a = :nope",
    "a.#z = :v",
    "näme = :v",
    "a = :v; b = :w",
    "a = \ud800",
    "a = :v --",
    "a + :v",
    "a , :v",
    "a [ :v",
]


@pytest.mark.parametrize(("text", "attributes"), CONDITIONS)
def test_conditions_name_their_attributes(text: str, attributes: set[str]) -> None:
    """On either side, in functions and ranges; the top-level attribute of each path."""
    assert set(condition_attributes(text, NAMES, VALUES)) == attributes


@pytest.mark.parametrize("text", BAD_CONDITIONS)
def test_what_is_no_condition_is_not_understood(text: str) -> None:
    """Nothing of it counts then: a part that was missed could be the one that matters."""
    with pytest.raises(ExpressionError):
        condition_attributes(text, NAMES, VALUES)


UPDATES: list[tuple[str, set[str], set[str]]] = [
    ("SET a = :v", {"a"}, set()),
    ("set a=:v,b=:w", {"a", "b"}, set()),
    ("SET a = b", {"a"}, {"b"}),
    ("SET a = a + :v", {"a"}, {"a"}),
    ("SET a.b[0] = c.d - :v", {"a"}, {"c"}),
    ("SET a = if_not_exists(b, :v)", {"a"}, {"b"}),
    ("SET a = list_append(:v, list_append(b, c))", {"a"}, {"b", "c"}),
    ("SET a = if_not_exists(b, c) + :v", {"a"}, {"b", "c"}),
    ("SET a = (b + :v)", {"a"}, {"b"}),
    ("REMOVE a, b[1], #b", {"a", "b", "be.ta"}, set()),
    ("ADD a :v, b.c :w", {"a", "b"}, set()),
    ("DELETE a :v", {"a"}, set()),
    ("remove a set b = :v delete c :w add d :x", {"a", "b", "c", "d"}, set()),
    ("SET #s = :v REMOVE #a", {"set", "alpha"}, set()),
    ("SET if_not_exists = :v", {"if_not_exists"}, set()),
]

BAD_UPDATES = [
    "",
    "a = :v",
    "SET",
    "SET a",
    "SET a = ",
    "SET a :v",
    "SET a = :v,",
    "SET a = :v SET b = :w",
    "SET a = :v, REMOVE b",
    "SET a = :v b = :w",
    "SET :v = a",
    "SET a = size(b)",
    "SET a = if_not_exists(b)",
    "SET a = list_append(b, c, d)",
    "SET a = IF_NOT_EXISTS(b, :v)",
    "SET a = b * :v",
    "SET a = 1",
    "REMOVE",
    "REMOVE :v",
    "ADD a",
    "ADD a b",
    "ADD a = :v",
    "DELETE a b",
    "DROP a",
    "SET set = :v",
    "SET a = #z",
    "SET #z = :v",
    "SET a = :nope",
]


@pytest.mark.parametrize(("text", "written", "read"), UPDATES)
def test_updates_tell_what_they_write_and_read(
    text: str, written: set[str], read: set[str]
) -> None:
    """Targets of every clause, and both sides of an assignment."""
    found = update_attributes(text, NAMES, VALUES)

    assert tuple(map(set, found)) == (written, read)


@pytest.mark.parametrize("text", BAD_UPDATES)
def test_what_is_no_update_is_not_understood(text: str) -> None:
    """Neither for what it writes nor for what it reads."""
    with pytest.raises(ExpressionError):
        update_attributes(text, NAMES, VALUES)


@pytest.mark.parametrize(
    ("text", "attributes"),
    [
        ("a", ("a",)),
        ("a, b.c[0].d , #a", ("a", "b", "alpha")),
        ("a.b, a.c", ("a",)),
        ("#b.x", ("be.ta",)),
        ("a[0][1]", ("a",)),
    ],
)
def test_projections_name_their_attributes(text: str, attributes: tuple[str, ...]) -> None:
    """The top-level attribute of each path, each once."""
    assert projected_attributes(text, NAMES) == attributes


@pytest.mark.parametrize(
    "text", ["", ",", "a,", "a b", "a..b", "a[]", ":v", "size(a)", "#z", "a = :v", "*", "NOT"]
)
def test_what_is_no_projection_is_not_understood(text: str) -> None:
    """A placeholder that is not defined included."""
    with pytest.raises(ExpressionError):
        projected_attributes(text, NAMES)


@pytest.mark.parametrize(
    ("text", "fixed"),
    [
        ("a = :v", {"a": "v"}),
        (":v = a", {"a": "v"}),
        ("(((a)) = :v)", {"a": "v"}),
        ("a = :v AND b > :w", {"a": "v"}),
        ("begins_with(b, :w) and (a = :v)", {"a": "v"}),
        ("b BETWEEN :w AND :x AND a = :v", {"a": "v"}),
        ("a = :v AND #b = :w", {"a": "v", "be.ta": "w"}),
        ("a = :v OR b = :w", {}),
        ("NOT a = :v", {}),
        ("NOT (a = :v) AND b = :w", {"b": "w"}),
        ("(a = :v OR a = :w) AND b = :x", {"b": "x"}),
        ("a.b = :v", {}),
        ("a[0] = :v", {}),
        ("size(a) = :v", {}),
        ("a = b", {}),
        ("a IN (:v)", {}),
        (":v = :w", {}),
    ],
)
def test_key_conditions_fix_what_holds_for_every_item(text: str, fixed: dict[str, str]) -> None:
    """Whichever side and however many parentheses; nothing under OR or NOT."""
    found = key_equalities(text, NAMES, VALUES)

    assert found == {name: {"S": value} for name, value in fixed.items()}


@pytest.mark.parametrize("text", ["a = :v AND a = :w", "a = :v AND #z = :w", "a = :nope", 7])
def test_a_doubtful_key_condition_fixes_nothing(text: Any) -> None:
    """Two values for one attribute, or placeholders that are not defined."""
    with pytest.raises(ExpressionError):
        key_equalities(text, NAMES, VALUES)


@pytest.mark.parametrize(
    "names", [None, {}, {"#x": 7}, {"#x": ""}, {"#x": None}, [("#x", "a")], "#x"]
)
def test_odd_names_define_nothing(names: Any) -> None:
    """What is no mapping of text to text."""
    with pytest.raises(ExpressionError):
        projected_attributes("#x", names)


@pytest.mark.parametrize("values", [None, [], "x", {":w": {"S": "w"}}])
def test_odd_values_define_nothing(values: Any) -> None:
    """A value that is not given makes the server refuse, so nothing is concluded."""
    with pytest.raises(ExpressionError):
        condition_attributes("a = :v", {}, values)


# --- bounds --------------------------------------------------------------------------------------

HOSTILE: list[tuple[Callable[[str], Any], str]] = [
    (parse_condition, "(" * 4096),
    (parse_condition, "(" * 2000 + "a = :v" + ")" * 2000),
    (parse_condition, "(" * 99 + "a" + ")" * 99 + " = :v"),
    (parse_condition, "NOT " * 1000 + "a = :v"),
    (parse_condition, "a = :v AND " * 370 + "a = :v"),
    (parse_condition, "a IN (" + ":v," * 1300 + ":v)"),
    (parse_condition, "size(" * 800),
    (parse_condition, "a" + ".a" * 2000 + " = :v"),
    (parse_condition, "a" * 4096),
    (parse_condition, "((a) = :v AND " * 290),
    (parse_update, "SET a = " + "(" * 4000),
    (parse_update, "SET a = " + "list_append(" * 300),
    (parse_update, "SET a = :v" + " + :v" * 800),
    (parse_update, "REMOVE " + "a," * 2000),
    (parse_projection, "a," * 2040 + "a"),
    (parse_projection, "#" * 4096),
    (parse_projection, "a" * 5000),
]


@pytest.mark.parametrize(("read", "text"), HOSTILE, ids=[text[:12] for _, text in HOSTILE])
def test_hostile_texts_end_soon(read: Callable[[str], Any], text: str) -> None:
    """Understood or not, a text of 4 KB takes far less than a call does."""
    taken_s = []
    for _ in range(3):  # the collector of a long test run may fall into one of them
        started_s = time.process_time()
        with contextlib.suppress(ExpressionError):
            read(text)
        taken_s.append(time.process_time() - started_s)
    # Not a figure: a bound that only something worse than linear can pass.
    assert min(taken_s) < 0.25


@pytest.mark.parametrize(
    ("text", "is_understood"),
    [
        ("(" * MAX_DEPTH + "a = :v" + ")" * MAX_DEPTH, True),
        ("(" * (MAX_DEPTH + 1) + "a = :v" + ")" * (MAX_DEPTH + 1), False),
        ("NOT " * MAX_DEPTH + "a = :v", True),
        ("NOT " * (MAX_DEPTH + 1) + "a = :v", False),
        # Depth is given back: levels side by side are no deeper than one.
        (" AND ".join(["(NOT (a = :v))"] * (MAX_DEPTH + 1)), True),
        ("a = :v".ljust(MAX_EXPRESSION_LENGTH), True),
        ("a = :v".ljust(MAX_EXPRESSION_LENGTH + 1), False),
    ],
)
def test_depth_and_length_have_their_limits(text: str, is_understood: bool) -> None:
    """Exactly at the limit it is understood, one more is too many."""
    if is_understood:
        assert condition_attributes(text, {}, VALUES) == ("a",)
    else:
        with pytest.raises(ExpressionError):
            condition_attributes(text, {}, VALUES)


def test_a_nearly_full_stack_is_not_understood() -> None:
    """Whatever called, nothing but `ExpressionError` comes out."""

    def deep(levels: int) -> None:
        if levels:
            deep(levels - 1)
            return
        for read, text in HOSTILE:
            with pytest.raises((ExpressionError, RecursionError)) as caught:
                read(text + " ?")
            assert caught.type is ExpressionError

    for levels in (0, 300):
        deep(levels)


pieces = st.sampled_from(
    [
        *("a", "#a", "#z", ":v", ":nope", "a.b", "a[0]", "size(a)", "=", "<>", "<", "AND", "OR"),
        *("NOT", "(", ")", ",", "BETWEEN", "IN", "contains", "SET", "REMOVE", "ADD", "DELETE"),
        *("if_not_exists", "list_append", "+", "-", " ", ".", "[", "]", "7", "é", "'", "\ud800"),
    ]
)


@given(text=st.one_of(st.lists(pieces, max_size=25).map(" ".join), st.text(max_size=60)))
def test_no_text_raises_anything_else(text: str) -> None:
    """Whatever it is, it is understood or an `ExpressionError`."""
    for told in (condition_attributes, update_attributes, key_equalities):
        try:
            told(text, NAMES, VALUES)
        except ExpressionError:
            continue
    try:
        projected_attributes(text, NAMES)
    except ExpressionError:
        return


# --- against a naive reference: trees that are printed and read again ----------------------------

attributes = st.sampled_from(["a", "b", "#a", "c.d", "e[2].f"])
operands = st.one_of(attributes, st.sampled_from([":v", ":w"]), attributes.map("size({})".format))
comparisons = st.one_of(
    st.tuples(operands, st.sampled_from(["=", "<>", "<", ">="]), operands).map(" ".join),
    st.tuples(operands, operands, operands).map(lambda o: f"{o[0]} BETWEEN {o[1]} AND {o[2]}"),
    st.tuples(operands, st.lists(operands, min_size=1, max_size=3)).map(
        lambda o: f"{o[0]} in ({', '.join(o[1])})"
    ),
    attributes.map("attribute_exists({})".format),
    st.tuples(attributes, operands).map(lambda o: f"begins_with({o[0]}, {o[1]})"),
)
conditions = st.recursive(
    comparisons,
    lambda inner: st.one_of(
        inner.map("({})".format),
        inner.map("NOT ({})".format),
        st.tuples(inner, inner).map("({0[0]}) AND {0[1]}".format),
        st.tuples(inner, inner).map("({0[0]}) OR ({0[1]})".format),
    ),
    max_leaves=8,
)
FIRST = {"a": "a", "b": "b", "#a": "alpha", "c.d": "c", "e[2].f": "e"}


@given(text=conditions)
def test_every_condition_that_can_be_written_is_read(text: str) -> None:
    """And names the attributes that were put into it, no more and no fewer."""
    found = set(condition_attributes(text, NAMES, VALUES))

    spaced = text.replace("(", " ").replace(")", " ").replace(",", " ").split()
    assert found == {FIRST[word] for word in spaced if word in FIRST}
