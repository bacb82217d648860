"""Paths and the walk over items, against a naive masker that copies."""

from __future__ import annotations

import copy
from collections import OrderedDict, defaultdict
from typing import Any

import pytest
from boto3.dynamodb.types import TypeDeserializer
from hypothesis import given
from hypothesis import strategies as st

from dynaguard.errors import ConfigurationError
from dynaguard.masking import MARKER
from dynaguard.masking.paths import MAX_PATH_STEPS, MaskedPath, label_of
from dynaguard.masking.strategies import REDACTED
from dynaguard.masking.tree import MAX_NAMES, MAX_NODES, Node, compile_tree
from dynaguard.masking.walk import Sink, mask_item
from dynaguard.policy.model import NamePattern, PathStep
from tests.masking.naive_masker import (
    ANY_DEPTH,
    EACH,
    ITEMS,
    PATHS,
    PATHS_WITH_DETECTION,
    SECRET,
    Place,
    Steps,
    covers,
    naive_item,
    path,
    run,
)


def masked(item: Any, *paths: Steps, kind: str = "redact") -> tuple[Any, dict[str, int]]:
    """A copy of the item, masked, and the counts."""
    found = [path(steps, kind, place) for place, steps in enumerate(paths)]
    items = [copy.deepcopy(item)]
    counts = run(items, *found)
    return items[0], counts


def leaves(value: Any, place: Place) -> list[tuple[Place, dict[str, Any]]]:
    """Every leaf of a value, with its place."""
    ((kind, payload),) = value.items()
    if kind == "M":
        return [leaf for k, v in payload.items() for leaf in leaves(v, (*place, k))]
    if kind == "L":
        return [leaf for n, v in enumerate(payload) for leaf in leaves(v, (*place, n))]
    return [(place, value)]


@given(items=st.lists(ITEMS, max_size=3), paths=PATHS | PATHS_WITH_DETECTION)
def test_the_compiled_walk_equals_the_naive_masker(
    items: list[dict[str, Any]], paths: list[MaskedPath]
) -> None:
    """masks the same values to the same tokens with the same counts, and nothing else."""
    expected_counts: defaultdict[str, int] = defaultdict(int)
    expected = [naive_item(item, paths, expected_counts) for item in items]

    counts = run(items, *paths)

    assert items == expected
    assert counts == expected_counts


@given(item=ITEMS, paths=PATHS)
def test_masking_twice_is_masking_once(item: dict[str, Any], paths: list[MaskedPath]) -> None:
    """keeps what is masked already, and counts it again."""
    first = run([item], *paths)
    once = copy.deepcopy(item)

    second = run([item], *paths)

    assert item == once
    assert first == second


@given(item=ITEMS, paths=PATHS)
def test_every_leaf_at_a_masked_path_carries_the_marker(
    item: dict[str, Any], paths: list[MaskedPath]
) -> None:
    """leaves no leaf at a masked path without the marker, NULL apart."""
    run([item], *paths)

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

    run([item], *paths)

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
        is_name = isinstance(step, str | NamePattern) or step is ANY_DEPTH
        value = {"M": {name_for(step): value}} if is_name else {"L": [value] * 3}
    item[name_for(steps[0])] = copy.deepcopy(value)


def name_for(step: PathStep) -> str:
    """A name that a step takes."""
    if isinstance(step, NamePattern):
        return step.text.replace("*", "bc").replace("?", "q")
    return step if isinstance(step, str) else "any"


@given(item=ITEMS, paths=PATHS)
def test_boto3_reads_every_masked_item(item: dict[str, Any], paths: list[MaskedPath]) -> None:
    """gives answers that the resource API can deserialise, without a number that is NaN."""
    run([item], *paths)

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
def test_the_strictest_of_several_masks_decides(kinds: tuple[str, ...]) -> None:
    """redacts where one mask redacts and another keeps a part, in any order."""
    item = {"a": {"S": "4111111111111111"}}

    run([item], *(path(("a",), kind, n) for n, kind in enumerate(kinds)))

    assert item == {"a": {"S": REDACTED}}


def test_a_part_can_be_stricter_than_its_whole() -> None:
    """masks a map partly, and one member of it fully."""
    item = {"p": {"M": {"ssn": {"S": "123456789"}, "name": {"S": "Anna Smith"}}}}

    counts = run([item], path(("p",), "partial"), path(("p", "ssn"), "redact", 1))

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

    assert masked(
        item, ("p", "ssn"), ("q", "ssn"), ("q", 7), ("q", -1), ("r", 0), ("r", EACH)
    ) == (
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
    assert masked({"a": {"L": [value]}}, ("a", EACH))[0] == {"a": {"L": [withheld]}}


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

    run(items, path(("a",)), path(("b", "c")))

    assert items == [{"a": token, "b": token}, None, {"a": token}]


def test_a_value_that_contains_itself_is_withheld() -> None:
    """ends on an endless value, which only a stubbed answer can hold."""
    endless: dict[str, Any] = {"M": {}}
    endless["M"]["again"] = endless
    item: dict[str, Any] = {"a": endless, "b": {"S": "x"}}

    run([item], path(("a",)))

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
        (("cards", EACH, "number"), "cards[*].number"),
        ((ANY_DEPTH, "email"), "**.email"),
        ((NamePattern("addr_*"), "zip"), "addr_*.zip"),
        (("a*b",), '"a*b"'),
        (("cards", 0, 1), "cards[0][1]"),
        (("a.b", "c[0]"), '"a.b"."c[0]"'),
    ],
)
def test_labels_read_as_in_the_policy(steps: Steps, label: str) -> None:
    """writes a path as the policy does, names with dots quoted."""
    assert label_of(steps) == label


@pytest.mark.parametrize("steps", [(), (0,), (EACH,), ("a",) * (MAX_PATH_STEPS + 1)])
def test_an_impossible_path_is_refused(steps: Steps) -> None:
    """refuses an empty path, one into a list that has no name, and one too deep."""
    with pytest.raises(ConfigurationError, match="is no attribute to mask"):
        compile_tree([path(steps)])


def test_paths_that_multiply_stay_bounded() -> None:
    """remembers a bounded number of nodes, however paths combine."""
    paths = [path(("a", *[EACH] * n, 0, *[EACH] * (9 - n), "x"), position=n) for n in range(10)]
    paths.append(path((ANY_DEPTH, "y", ANY_DEPTH, "z"), position=10))
    nested: dict[str, Any] = {"M": {"x": {"S": SECRET}, "w": {"S": "kept"}}}
    for _ in range(10):
        nested = {"L": [nested, nested]}
    item = {"a": copy.deepcopy(nested), **{f"n{n}": {"S": "kept"} for n in range(3 * MAX_NAMES)}}
    root = compile_tree(paths)

    mask_item(item, root, Sink())

    assert len(root.members) <= MAX_NAMES
    assert len(reachable(root)) <= 2 * MAX_NODES
    assert SECRET not in repr(item["a"]["L"][0])
    assert "kept" in repr(item["a"]["L"][0])


def reachable(root: Node) -> set[int]:
    """Every node that a tree remembers."""
    seen: dict[int, Node] = {}
    waiting = [root]
    while waiting:
        node = waiting.pop()
        if id(node) not in seen:
            seen[id(node)] = node
            parts = [*node.members.values(), *node.elements.values()]
            waiting += [part for part in parts if part is not None]
    return set(seen)


def test_mappings_of_another_class_are_masked_too() -> None:
    """a stub may answer with them."""
    items: list[Any] = [
        {"a": OrderedDict(S="x"), "b": OrderedDict(SS=["x"])},
        {"a": OrderedDict(N="1"), "b": OrderedDict(SS=("y",))},
    ]

    run(items, path(("a",)), path(("b",)))

    token = {"S": REDACTED}
    assert items == [{"a": token, "b": {"SS": [REDACTED]}}] * 2


def test_an_odd_value_at_any_depth_is_withheld_where_it_stands() -> None:
    """and its neighbours are masked."""
    items: list[Any] = [{"p": {"M": {"x": "odd", "y": {"S": "s"}}}}, {"p": {"M": {"y": 5}}}]

    run(items, path(("p", NamePattern("*"))))

    token = {"S": REDACTED}
    assert items == [{"p": {"M": {"x": token, "y": token}}}, {"p": {"M": {"y": token}}}]


def test_a_tree_that_remembers_nothing_masks_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    """beyond the bound nodes are made anew each time."""
    monkeypatch.setattr("dynaguard.masking.tree.MAX_NODES", 0)
    monkeypatch.setattr("dynaguard.masking.tree.MAX_NAMES", 0)
    items = [{"a": {"L": [{"M": {"b": {"S": SECRET}, "c": {"S": "kept"}}}]}} for _ in range(3)]

    run(items, path((ANY_DEPTH, "b")), path(("a", EACH, NamePattern("d*")), position=1))

    assert SECRET not in repr(items)
    assert repr(items).count("kept") == 3


def test_no_paths_make_an_empty_tree() -> None:
    """masks nothing without paths."""
    item = {"a": {"S": "x"}}

    assert run([item]) == {}
    assert item == {"a": {"S": "x"}}
