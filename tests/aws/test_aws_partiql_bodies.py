"""What PartiQL statements say: names, conditions, inserted items."""

from __future__ import annotations

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dynaguard.aws.dynamodb.partiql.bodies import read_body
from dynaguard.aws.dynamodb.partiql.conditions import Operand, fixed_values
from dynaguard.aws.dynamodb.partiql.statements import read_statement

NAMES: list[tuple[str, set[str]]] = [
    ("SELECT * FROM t", set()),
    (
        'SELECT a, b.c[0], "d e" FROM "t"."i" WHERE f = 1 ORDER BY g DESC, h',
        set("abfgh") | {"d e"},
    ),
    ("select a from t where begins_with(b, 'x') and contains(c, ?)", set("abc")),
    ("SELECT a FROM t WHERE b BETWEEN 1 AND c AND d IS NOT MISSING", set("abcd")),
    ("SELECT a FROM t WHERE NOT (b IN [1, 2] OR c IN ('x')) AND size(d) > 3", set("abcd")),
    ("SELECT * FROM t WHERE a['b'] = 1 AND attribute_type(c, 'S')", {"a", "c"}),
    ("INSERT INTO t VALUE {'a': 1, 'b': {'c': [2, <<'x', 'y'>>]}, 'd': ?}", set("abd")),
    ("INSERT INTO t VALUE {}", set()),
    ("UPDATE t SET a = b + 1 SET c = list_append(d, [?]) REMOVE e.f WHERE g = 'x'", set("abcdeg")),
    ("UPDATE t SET a = 1, b = 2 WHERE c = 1 RETURNING MODIFIED NEW *", set("abc")),
    ("UPDATE t REMOVE a[0] WHERE b = 1", {"a", "b"}),
    ("DELETE FROM t WHERE a = 1 AND b = -2.5e-3 RETURNING ALL OLD *", {"a", "b"}),
    ("EXISTS(SELECT a FROM t WHERE b = 'it''s')", {"a", "b"}),
    ("SELECT a FROM t WHERE b = TRUE AND c = null AND d IS NULL;", set("abcd")),
    ("SELECT a FROM t WHERE (b) = ((?)) AND c || d = 'xy'", set("abcd")),
    ("SELECT a -- b\nFROM t /* c */ WHERE d = 1", {"a", "d"}),
    ("SELECT a FROM t WHERE b NOT IN (1) AND c NOT BETWEEN 1 AND 2", set("abc")),
]

NOT_UNDERSTOOD = [
    "",
    "DROP TABLE t",
    "SELECT FROM t",
    "SELECT a",
    "SELECT a FROM t WHERE",
    "SELECT a FROM t WHERE b",
    "SELECT a FROM t WHERE b =",
    "SELECT a FROM t WHERE b = 1 c = 2",
    "SELECT a FROM t WHERE (b = 1",
    "SELECT a FROM t WHERE b = 1)",
    "SELECT a FROM t WHERE b IN 1",
    "SELECT a FROM t WHERE b IN []",
    "SELECT a FROM t WHERE b IS 1",
    "SELECT a FROM t WHERE b NOT = 1",
    "SELECT a FROM t WHERE b = 1e-x",
    "SELECT a FROM t WHERE b = {c: 1}",
    "SELECT a FROM t WHERE b = {'c' 1}",
    "SELECT a FROM t WHERE b = ]",
    "SELECT a AS b FROM t",
    "SELECT a FROM t, u",
    "SELECT a FROM t GROUP BY a",
    "SELECT a[b] FROM t",
    "SELECT where FROM t",
    "INSERT INTO t",
    "INSERT INTO t VALUE",
    "INSERT INTO t VALUE {'a': }",
    "INSERT INTO t VALUE <<{'a': 1}>>",
    "INSERT t VALUE {'a': 1}",
    "UPDATE t WHERE a = 1",
    "UPDATE t SET a WHERE b = 1",
    "UPDATE t SET a = 1 WHERE b = 1 RETURNING SOME",
    "DELETE t WHERE a = 1",
    "DELETE FROM t WHERE a = 1 RETURNING ALL",
    "EXISTS SELECT a FROM t",
    "EXISTS(DELETE FROM t)",
    "SELECT a FROM t WHERE " + "(" * 60 + "b = 1" + ")" * 60,
    "SELECT a FROM t WHERE b = " + "[" * 60 + "]" * 60,
    "SELECT a FROM t WHERE (b = 1",
]


@pytest.mark.parametrize(("text", "names"), NAMES)
def test_a_statement_names_its_attributes(text: str, names: set[str]) -> None:
    """Everywhere in it; tables, strings and comments are none."""
    body = read_body(text)

    assert body is not None
    assert body.names == names
    assert read_statement(text) is not None


@pytest.mark.parametrize("text", NOT_UNDERSTOOD)
def test_what_is_not_understood_says_nothing(text: str) -> None:
    """No part of it counts."""
    assert read_body(text) is None


@pytest.mark.parametrize(
    ("where", "values"),
    [
        ("k = 'a'", ["S a"]),
        ("'a' = k", ["S a"]),
        ('"k" = ?', ["? 0"]),
        ("x = ? AND k = ?", ["? 1"]),
        ("k = 1.50", ["N 1.50"]),
        ("k = -1e+2", ["N -1e+2"]),
        ("(k) = ('a')", ["S a"]),
        ("k IN ['a', 'b']", ["S a", "S b"]),
        ("k IN ('a', ?)", ["S a", "? 0"]),
        ("k = 'a' OR k = 'b'", ["S a", "S b"]),
        ("(k = 'a' OR k = 'b') AND x > 1", ["S a", "S b"]),
        ("k = 'a' AND k = 'b'", ["S a", "S b"]),
        ("k = 'it''s'", ["S it's"]),
        ("k IN ['a', x]", ["S a", "- "]),
        ("k = 'a' OR x = 1", None),
        ("NOT k = 'a'", None),
        ("NOT (k = 'a')", None),
        ("k NOT IN ['a']", None),
        ("k <> 'a'", None),
        ("k > 'a'", None),
        ("k BETWEEN 'a' AND 'b'", None),
        ("begins_with(k, 'a')", None),
        ("k.x = 'a'", None),
        ("k[0] = 'a'", None),
        ("size(k) = 1", None),
        ("k = x", None),
        ("k + 1 = 2", None),
        ("k = [1]", None),
        ("k IS NOT MISSING", None),
        ("K = 'a'", None),
        ("x = 'k = 1'", None),
    ],
)
def test_a_condition_fixes_an_attribute(where: str, values: list[str] | None) -> None:
    """By `=` and IN, in every branch of an OR; values are literals or parameters in order."""
    body = read_body("SELECT * FROM t WHERE " + where)  # noqa: S608 - nothing runs it

    assert body is not None
    found = fixed_values(body.condition, "k")
    assert (None if found is None else [f"{each.kind} {each.text}" for each in found]) == values


def test_an_inserted_item_is_told() -> None:
    """Names and values; parameters by their place."""
    body = read_body("INSERT INTO t VALUE {'a': 'x', 'b': ?, 'c': {'d': ?}, 'e': ?}")

    assert body is not None
    assert body.item == (
        ("a", Operand("S", "x")),
        ("b", Operand("?", "0")),
        ("c", Operand("-")),
        ("e", Operand("?", "2")),
    )
    parameter = read_body("INSERT INTO t VALUE ?")
    assert parameter is not None
    assert parameter.item_parameter == 0


@pytest.mark.parametrize(
    "text",
    [
        "SELECT a FROM t WHERE " + "(" * 4000,
        "SELECT a FROM t WHERE " + "((b = 1) AND " * 600,
        "SELECT a FROM t WHERE " + "b = 1 OR " * 880 + "b = 1",
        "SELECT a FROM t WHERE b IN [" + "1," * 4000 + "1]",
        "SELECT a FROM t WHERE " + "NOT " * 2000 + "b = 1",
        "SELECT a FROM t WHERE " + "(b) = 1 AND " * 600 + "c = 1",
        "INSERT INTO t VALUE " + "{'a': " * 1300,
        "UPDATE t " + "SET a = 1 " * 800 + "WHERE b = 1",
        "SELECT " + "a," * 4000 + "a FROM t",
    ],
)
def test_hostile_statements_end_soon(text: str) -> None:
    """Understood or not, 8 KB are read in a moment."""
    started_s = time.process_time()

    read_body(text[:8192])

    # Not a figure: a bound that only something worse than linear can pass, on any machine.
    assert time.process_time() - started_s < 10


pieces = st.sampled_from(
    [
        *("SELECT", "*", "FROM", "t", "WHERE", "a", '"b"', "=", "'x'", "?", "AND", "OR", "NOT"),
        *("(", ")", "[", "]", "{", "}", "<<", ">>", ",", ":", "IN", "BETWEEN", "IS", "MISSING"),
        *("INSERT", "INTO", "VALUE", "UPDATE", "SET", "REMOVE", "DELETE", "RETURNING", "ALL"),
        *("1", "-", "1e", "+", "|", ".", ";", "EXISTS", "size", "ORDER", "BY", "\ud800", "é"),
    ]
)


@given(text=st.one_of(st.lists(pieces, max_size=25).map(" ".join), st.text(max_size=60)))
def test_no_text_raises(text: str) -> None:
    """Whatever it is, it is understood or not; and never understood only here."""
    body = read_body(text)

    assert body is None or read_statement(text) is not None
