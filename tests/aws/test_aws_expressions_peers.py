"""What another reader of the same expressions accepts is accepted here, with the same names.

moto's parsers are the peer: written by others, from AWS's own examples.
"""

from __future__ import annotations

import random
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from dynaguard.aws.dynamodb.expressions import condition_attributes, update_attributes

comparisons = pytest.importorskip("moto.dynamodb.comparisons")
expressions = pytest.importorskip("moto.dynamodb.parsing.expressions")

NAMES = {"#a": "alpha", "#b": "beta"}
VALUES = {":v": {"N": "1"}, ":w": {"S": "w"}, ":l": {"L": []}, ":s": {"SS": ["x"]}}
ATTRIBUTE_BY_WORD = {"a": "a", "b": "b", "c": "c", "#a": "alpha", "#b": "beta"}

paths = st.sampled_from(["a", "b", "c", "#a", "#b", "a.b", "c[0]", "a.#b[1]"])
values = st.sampled_from([":v", ":w"])
operands = st.one_of(paths, values)


def first_attribute(path: str) -> str:
    """The top-level attribute of a path of these tests."""
    return ATTRIBUTE_BY_WORD[path.split(".", maxsplit=1)[0].split("[", maxsplit=1)[0]]


def is_read(read: Callable[..., Any], *arguments: Any) -> bool:
    """Whether the peer accepts it; it refuses redundant parentheses, for one."""
    try:
        read(*arguments)
    except Exception:  # noqa: BLE001 - whatever it raises, it does not accept it
        return False
    return True


assignments = st.tuples(
    paths,
    st.one_of(
        operands.map(lambda each: (each,)),
        st.tuples(operands, operands).map(lambda each: (f"{each[0]} + {each[1]}", *each)),
        st.tuples(operands, operands).map(lambda each: (f"{each[0]} - {each[1]}", *each)),
        st.tuples(paths, operands).map(
            lambda each: (f"if_not_exists({each[0]}, {each[1]})", *each)
        ),
        st.tuples(operands, operands).map(
            lambda each: (f"list_append({each[0]},{each[1]})", *each)
        ),
    ),
)


def clause_of(keyword: str, entry: st.SearchStrategy[tuple[str, set[str]]]) -> st.SearchStrategy:
    """A clause of some entries, with the attributes in it; or nothing."""
    entries = st.lists(entry, min_size=1, max_size=3).map(
        lambda each: (
            f"{keyword} {', '.join(text for text, _ in each)}",
            set().union(*(names for _, names in each)),
        )
    )
    return st.one_of(st.none(), entries)


def named(*words: str) -> set[str]:
    """The attributes among some operands."""
    return {first_attribute(word) for word in words if not word.startswith(":")}


updates = st.tuples(
    clause_of(
        "SET",
        assignments.map(
            lambda each: (
                f"{each[0]} = {each[1][0]}",
                named(each[0], *(each[1][1:] or each[1])),
            )
        ),
    ),
    clause_of("REMOVE", paths.map(lambda each: (each, named(each)))),
    clause_of("ADD", paths.map(lambda each: (f"{each} :v", named(each)))),
    clause_of("delete", paths.map(lambda each: (f"{each} :s", named(each)))),
).map(lambda clauses: [clause for clause in clauses if clause])


@given(clauses=updates, order=st.randoms(use_true_random=False))
def test_updates_that_the_peer_reads_are_read(
    clauses: list[tuple[str, set[str]]], order: random.Random
) -> None:
    """Clauses in any order, with the names that were put into them."""
    assume(clauses)
    order.shuffle(clauses)
    text = " ".join(clause for clause, _ in clauses)
    assume(is_read(expressions.UpdateExpressionParser.make, text))

    written, read = update_attributes(text, NAMES, VALUES)

    assert {*written, *read} == set().union(*(names for _, names in clauses))


tests = st.one_of(
    st.tuples(operands, st.sampled_from(["=", "<>", "<", "<=", ">", ">="]), operands).map(
        lambda each: (" ".join(each), named(each[0], each[2]))
    ),
    st.tuples(paths, values, values).map(
        lambda each: (f"{each[0]} BETWEEN {each[1]} AND {each[2]}", named(each[0]))
    ),
    st.tuples(paths, values, values).map(
        lambda each: (f"{each[0]} IN ({each[1]}, {each[2]})", named(each[0]))
    ),
    paths.map(lambda each: (f"attribute_exists({each})", named(each))),
    paths.map(lambda each: (f"attribute_not_exists({each})", named(each))),
    st.tuples(paths, values).map(
        lambda each: (f"begins_with({each[0]}, {each[1]})", named(each[0]))
    ),
    st.tuples(paths, operands).map(lambda each: (f"contains({each[0]}, {each[1]})", named(*each))),
    paths.map(lambda each: (f"size({each}) > :v", named(each))),
)
conditions = st.recursive(
    tests,
    lambda inner: st.one_of(
        inner.map(lambda each: (f"({each[0]})", each[1])),
        inner.map(lambda each: (f"NOT ({each[0]})", each[1])),
        st.tuples(inner, inner).map(
            lambda each: (f"{each[0][0]} AND {each[1][0]}", each[0][1] | each[1][1])
        ),
        st.tuples(inner, inner).map(
            lambda each: (f"({each[0][0]}) OR ({each[1][0]})", each[0][1] | each[1][1])
        ),
    ),
    max_leaves=6,
)


@given(condition=conditions)
def test_conditions_that_the_peer_reads_are_read(condition: tuple[str, set[str]]) -> None:
    """With the names that were put into them."""
    text, names = condition
    assume(is_read(comparisons.get_filter_expression, text, NAMES, VALUES))

    assert set(condition_attributes(text, NAMES, VALUES)) == names
