"""Paths and the walk over items, against a naive masker that copies."""

from __future__ import annotations

import copy
from collections import defaultdict
from typing import Any

import pytest
from boto3.dynamodb.types import TypeDeserializer
from hypothesis import given
from hypothesis import strategies as st

from dynaguard.call import StatementRef
from dynaguard.errors import ConfigurationError
from dynaguard.masking import MARKER
from dynaguard.masking.strategies import REDACTED, strategy_of
from dynaguard.masking.tree import (
    MAX_PATH_STEPS,
    MaskedPath,
    Node,
    compile_tree,
    label_of,
    mask_item,
    mask_items,
)
from dynaguard.policy.model import MaskStatement, MaskStrategy

KEY = b"k" * 32
SECRET = "s3cr3t"
Steps = tuple[str | int, ...]


def path(steps: Steps, kind: MaskStrategy = "redact", position: int = 0) -> MaskedPath:
    """A path of a mask of that kind."""
    strategy = strategy_of(MaskStatement(StatementRef("m"), ("*",), (steps,), kind), KEY)
    return MaskedPath(steps, strategy, label_of(steps), position)


def masked(item: Any, *paths: Steps, kind: MaskStrategy = "redact") -> tuple[Any, dict[str, int]]:
    """A copy of the item, masked, and the counts."""
    root = compile_tree([path(steps, kind, place) for place, steps in enumerate(paths)])
    counts: defaultdict[str, int] = defaultdict(int)
    return mask_item(copy.deepcopy(item), root, counts), dict(counts)


# --- the naive reference ------------------------------------------------------------------------


def naive_value(value: dict[str, Any], place: Steps, paths: list[MaskedPath], counts: Any) -> Any:
    """The value at `place`, copied and masked by comparing every path at every leaf."""
    ((kind, payload),) = value.items()
    if kind == "M":
        return {"M": {k: naive_value(v, (*place, k), paths, counts) for k, v in payload.items()}}
    if kind == "L":
        return {"L": [naive_value(v, (*place, n), paths, counts) for n, v in enumerate(payload)]}
    covering = [p for p in paths if covers(p.steps, place)]
    if not covering or kind == "NULL":
        return copy.deepcopy(value)
    best = min(covering, key=lambda p: (p.strategy.strictness, p.position))
    counts[best.label] += 1
    return naive_leaf(kind, payload, best)


def naive_leaf(kind: str, payload: Any, best: MaskedPath) -> dict[str, Any]:
    """The token or tokens of a leaf."""
    tokens = {
        "S": lambda: {"S": best.strategy.mask_text(payload)},
        "N": lambda: {"S": best.strategy.mask_text(payload)},
        "B": lambda: {"S": best.strategy.mask_bytes(payload)},
        "BOOL": lambda: {"S": REDACTED},
        "SS": lambda: {"SS": list(dict.fromkeys(best.strategy.mask_text(v) for v in payload))},
        "NS": lambda: {"SS": [best.strategy.mask_set(payload)]},
        "BS": lambda: {"SS": [best.strategy.mask_set(payload)]},
    }
    return tokens[kind]()


def covers(steps: Steps, place: Steps) -> bool:
    """Whether a path names a place or something around it. `*` is for list elements only."""
    return len(steps) <= len(place) and all(
        isinstance(at, int) if step == "*" else (step == at and type(step) is type(at))
        for step, at in zip(steps, place, strict=False)
    )


def naive_item(item: dict[str, Any], paths: list[MaskedPath], counts: Any) -> dict[str, Any]:
    """A copy of the item, masked."""
    return {name: naive_value(value, (name,), paths, counts) for name, value in item.items()}


# --- random items and paths ---------------------------------------------------------------------

NAMES = st.sampled_from(["a", "b", "c"])
TEXTS = st.sampled_from(["", "x", SECRET, "anna@example.org", "4111111111111111"]) | st.text(
    max_size=6
)
NUMBERS = st.sampled_from(["0", "-1.5", "123456789", "1E+20"])
BYTES = st.binary(max_size=4)
LEAVES = st.one_of(
    st.builds(lambda v: {"S": v}, TEXTS),
    st.builds(lambda v: {"N": v}, NUMBERS),
    st.builds(lambda v: {"B": v}, BYTES),
    st.builds(lambda v: {"BOOL": v}, st.booleans()),
    st.just({"NULL": True}),
    st.builds(lambda v: {"SS": v}, st.lists(TEXTS, min_size=1, max_size=3, unique=True)),
    st.builds(lambda v: {"NS": v}, st.lists(NUMBERS, min_size=1, max_size=3, unique=True)),
    st.builds(lambda v: {"BS": v}, st.lists(BYTES, min_size=1, max_size=3, unique=True)),
)
VALUES = st.recursive(
    LEAVES,
    lambda inner: st.one_of(
        st.builds(lambda v: {"M": v}, st.dictionaries(NAMES, inner, max_size=3)),
        st.builds(lambda v: {"L": v}, st.lists(inner, max_size=3)),
    ),
    max_leaves=12,
)
ITEMS = st.dictionaries(NAMES, VALUES, max_size=3)
STEPS = st.tuples(
    NAMES,
    st.lists(NAMES | st.just("*") | st.integers(0, 2), max_size=3).map(tuple),
).map(lambda parts: (parts[0], *parts[1]))
PATHS = st.lists(
    st.tuples(STEPS, st.sampled_from(["redact", "hash", "partial"])), min_size=1, max_size=5
).map(lambda found: [path(steps, kind, n) for n, (steps, kind) in enumerate(found)])


def leaves(value: Any, place: Steps) -> list[tuple[Steps, dict[str, Any]]]:
    """Every leaf of a value, with its place."""
    ((kind, payload),) = value.items()
    if kind == "M":
        return [leaf for k, v in payload.items() for leaf in leaves(v, (*place, k))]
    if kind == "L":
        return [leaf for n, v in enumerate(payload) for leaf in leaves(v, (*place, n))]
    return [(place, value)]


@given(items=st.lists(ITEMS, max_size=3), paths=PATHS)
def test_the_compiled_walk_equals_the_naive_masker(
    items: list[dict[str, Any]], paths: list[MaskedPath]
) -> None:
    """masks the same values to the same tokens with the same counts, and nothing else."""
    expected_counts: defaultdict[str, int] = defaultdict(int)
    expected = [naive_item(item, paths, expected_counts) for item in items]
    counts: defaultdict[str, int] = defaultdict(int)

    mask_items(items, compile_tree(paths), counts)

    assert items == expected
    assert counts == expected_counts


@given(item=ITEMS, paths=PATHS)
def test_masking_twice_is_masking_once(item: dict[str, Any], paths: list[MaskedPath]) -> None:
    """keeps what is masked already, and counts it again."""
    root = compile_tree(paths)
    first: defaultdict[str, int] = defaultdict(int)
    second: defaultdict[str, int] = defaultdict(int)
    mask_item(item, root, first)
    once = copy.deepcopy(item)

    mask_item(item, root, second)

    assert item == once
    assert first == second


@given(item=ITEMS, paths=PATHS)
def test_every_leaf_at_a_masked_path_carries_the_marker(
    item: dict[str, Any], paths: list[MaskedPath]
) -> None:
    """leaves no leaf at a masked path without the marker, NULL apart."""
    mask_item(item, compile_tree(paths), defaultdict(int))

    for name, value in item.items():
        for place, leaf in leaves(value, (name,)):
            if any(covers(p.steps, place) for p in paths) and "NULL" not in leaf:
                tokens = leaf.get("SS") or [leaf["S"]]
                assert all(token.startswith(MARKER) for token in tokens)


@given(item=ITEMS, paths=PATHS)
def test_no_planted_secret_survives(item: dict[str, Any], paths: list[MaskedPath]) -> None:
    """shows a planted text nowhere at or below a masked path."""
    for p in paths:
        plant(item, p.steps)

    mask_item(item, compile_tree(paths), defaultdict(int))

    shown = [
        place
        for name, value in item.items()
        for place, leaf in leaves(value, (name,))
        if leaf.get("S") == SECRET or SECRET in leaf.get("SS", [])
    ]
    assert not [place for place in shown if any(covers(p.steps, place) for p in paths)]


def plant(item: dict[str, Any], steps: Steps) -> None:
    """Puts a secret at a path, replacing what is in its way."""
    value: dict[str, Any] = {"S": SECRET}
    for step in reversed(steps[1:]):
        is_name = isinstance(step, str) and step != "*"
        value = {"M": {step: value}} if is_name else {"L": [value] * 3}
    item[str(steps[0])] = copy.deepcopy(value)


@given(item=ITEMS, paths=PATHS)
def test_boto3_reads_every_masked_item(item: dict[str, Any], paths: list[MaskedPath]) -> None:
    """gives answers that the resource API can deserialise, without a number that is NaN."""
    mask_item(item, compile_tree(paths), defaultdict(int))

    plain = {name: TypeDeserializer().deserialize(value) for name, value in item.items()}

    assert "Decimal('NaN')" not in repr(plain)


# --- single behaviours --------------------------------------------------------------------------


def test_a_whole_map_keeps_its_shape() -> None:
    """masks every leaf of a map or list, NULL apart."""
    item = {"p": {"M": {"x": {"N": "1"}, "y": {"L": [{"BOOL": True}, {"NULL": True}]}}}}

    found, counts = masked(item, ("p",))

    token = {"S": REDACTED}
    assert found == {"p": {"M": {"x": token, "y": {"L": [token, {"NULL": True}]}}}}
    assert counts == {"p": 2}


def test_sets_become_string_sets() -> None:
    """gives string sets one token per value, and other sets one token."""
    item = {"s": {"SS": ["a-long-1111", "b-long-1111", "c"]}, "n": {"NS": ["1", "2"]}}

    found, counts = masked(item, ("s",), ("n",), kind="partial")

    assert found == {
        "s": {"SS": [MARKER + "***1111", MARKER + "***"]},
        "n": {"SS": [REDACTED]},
    }
    assert counts == {"s": 1, "n": 1}


@pytest.mark.parametrize("kinds", [("partial", "redact"), ("redact", "partial")])
def test_the_strictest_of_several_masks_decides(kinds: tuple[MaskStrategy, ...]) -> None:
    """redacts where one mask redacts and another keeps a part, in any order."""
    root = compile_tree([path(("a",), kind, n) for n, kind in enumerate(kinds)])
    item = {"a": {"S": "4111111111111111"}}

    mask_item(item, root, defaultdict(int))

    assert item == {"a": {"S": REDACTED}}


def test_a_part_can_be_stricter_than_its_whole() -> None:
    """masks a map partly, and one member of it fully."""
    root = compile_tree([path(("p",), "partial"), path(("p", "ssn"), "redact", 1)])
    item = {"p": {"M": {"ssn": {"S": "123456789"}, "name": {"S": "Anna Smith"}}}}
    counts: defaultdict[str, int] = defaultdict(int)

    mask_item(item, root, counts)

    assert item["p"]["M"] == {"ssn": {"S": REDACTED}, "name": {"S": MARKER + "***mith"}}
    assert counts == {"p": 1, "p.ssn": 1}


def test_the_same_name_at_another_depth_is_not_touched() -> None:
    """masks `email`, not `contact.email`, nor a name with a dot."""
    item = {
        "email": {"S": "x"},
        "contact": {"M": {"email": {"S": "y"}}},
        "contact.email": {"S": "z"},
    }

    found, _ = masked(item, ("email",))

    assert found == {**item, "email": {"S": REDACTED}}


def test_a_path_through_another_type_names_nothing() -> None:
    """leaves a value alone in which the path cannot go on."""
    item = {"p": {"S": "{'ssn': 1}"}, "q": {"L": [{"S": "x"}]}, "r": {"M": {"0": {"S": "y"}}}}

    assert masked(item, ("p", "ssn"), ("q", "ssn"), ("q", 7), ("q", -1), ("r", 0), ("r", "*")) == (
        item,
        {},
    )


ODD = [
    None,
    "plain",
    5,
    [],
    {},
    {"S": 5},
    {"S": "a", "N": "1"},
    {"N": 5},
    {"B": "text"},
    {"BOOL": "true"},
    {"NULL": "secret"},
    {"M": "secret"},
    {"L": "secret"},
    {"SS": "secret"},
    {"SS": [1]},
    {"NS": [5]},
    {"BS": ["text"]},
    {"SDK_UNKNOWN_MEMBER": {"name": "V"}},
    {"X": "secret"},
    {("odd",): 1},
]


@pytest.mark.parametrize("value", ODD, ids=repr)
def test_a_value_that_is_not_understood_is_withheld(value: object) -> None:
    """replaces it by the marker string, at the top and inside."""
    withheld = {"S": REDACTED}

    assert masked({"a": value}, ("a",)) == ({"a": withheld}, {"a": 1})
    assert masked({"a": {"M": {"b": value}}}, ("a", "b"))[0] == {"a": {"M": {"b": withheld}}}
    assert masked({"a": {"L": [value]}}, ("a", "*"))[0] == {"a": {"L": [withheld]}}


def test_a_value_of_two_types_shows_no_part_of_either() -> None:
    """withholds the whole, also where a partial mask would keep an end."""
    item = {"a": {"S": "4111111111111111", "N": "1"}}

    assert masked(item, ("a",), kind="partial") == ({"a": {"S": REDACTED}}, {"a": 1})


@pytest.mark.parametrize("value", [{"M": "odd"}, {"L": 5}, "plain", {"X": {}}, {}], ids=repr)
def test_an_odd_value_on_the_way_is_withheld(value: object) -> None:
    """withholds a value in which the masked part cannot be told."""
    assert masked({"a": value}, ("a", "b")) == ({"a": {"S": REDACTED}}, {"a.b": 1})


@pytest.mark.parametrize("item", ["plain", 5, ["a"]])
def test_an_item_that_is_not_understood_is_withheld(item: object) -> None:
    """gives an item that holds its masked attributes only, withheld."""
    items = [item, None, {"a": {"S": "x"}}]
    token = {"S": REDACTED}

    mask_items(items, compile_tree([path(("a",)), path(("b", "c"))]), defaultdict(int))

    assert items == [{"a": token, "b": token}, None, {"a": token}]


def test_a_value_that_contains_itself_is_withheld() -> None:
    """ends on an endless value, which only a stubbed answer can hold."""
    endless: dict[str, Any] = {"M": {}}
    endless["M"]["again"] = endless
    item: dict[str, Any] = {"a": endless, "b": {"S": "x"}}

    mask_item(item, compile_tree([path(("a",))]), defaultdict(int))

    assert item == {"a": {"S": REDACTED}, "b": {"S": "x"}}


def test_lists_and_sets_given_as_tuples_are_masked() -> None:
    """masks what a stubbed answer gives as a tuple."""
    item = {"l": {"L": ({"S": "x"},)}, "s": {"SS": ("x", "y")}}

    assert masked(item, ("l", 0), ("s",))[0] == {
        "l": {"L": [{"S": REDACTED}]},
        "s": {"SS": [REDACTED]},
    }


@pytest.mark.parametrize(
    ("steps", "label"),
    [
        (("email",), "email"),
        (("profile", "ssn"), "profile.ssn"),
        (("cards", "*", "number"), "cards[*].number"),
        (("cards", 0, 1), "cards[0][1]"),
        (("a.b", "c[0]"), '"a.b"."c[0]"'),
    ],
)
def test_labels_read_as_in_the_policy(steps: Steps, label: str) -> None:
    """writes a path as the policy does, names with dots quoted."""
    assert label_of(steps) == label


@pytest.mark.parametrize("steps", [(), (0,), ("*",), ("a",) * (MAX_PATH_STEPS + 1)])
def test_an_impossible_path_is_refused(steps: Steps) -> None:
    """refuses an empty path, one into a list that has no name, and one too deep."""
    with pytest.raises(ConfigurationError, match="is no attribute to mask"):
        compile_tree([path(steps)])


def test_paths_that_multiply_are_refused() -> None:
    """ends with an error where list positions combine without end."""
    paths = [path(("a", *["*"] * n, 0, *["*"] * (19 - n), "x"), position=n) for n in range(20)]

    with pytest.raises(ConfigurationError, match="overlap in too many list positions"):
        compile_tree(paths)


def test_no_paths_make_an_empty_tree() -> None:
    """masks nothing without paths."""
    assert compile_tree([]) == Node("")
