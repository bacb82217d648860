"""Paths and the walk over items, against a naive masker that copies."""

from __future__ import annotations

import copy
import fnmatch
from collections import OrderedDict, defaultdict
from typing import Any

import pytest
from boto3.dynamodb.types import TypeDeserializer
from hypothesis import given
from hypothesis import strategies as st

from dynaguard.call import StatementRef
from dynaguard.errors import ConfigurationError
from dynaguard.masking import MARKER
from dynaguard.masking.detectors import detection_of
from dynaguard.masking.paths import MAX_PATH_STEPS, MaskedPath, label_of
from dynaguard.masking.strategies import REDACTED, strategy_of
from dynaguard.masking.tree import MAX_NAMES, MAX_NODES, Node, compile_tree
from dynaguard.masking.walk import Sink, mask_item, mask_items
from dynaguard.policy.model import MaskStatement, MaskStep, NamePattern, PathStep

KEY = b"k" * 32
SECRET = "s3cr3t"
EACH, ANY_DEPTH = MaskStep.EACH, MaskStep.ANY_DEPTH
Steps = tuple[PathStep, ...]
Place = tuple[str | int, ...]


def path(
    steps: Steps, kind: str = "redact", position: int = 0, detectors: tuple[str, ...] = ()
) -> MaskedPath:
    """A path of a mask of that kind."""
    statement = MaskStatement(StatementRef("m"), ("*",), (steps,), kind, detectors=detectors)
    strategy = strategy_of(statement, KEY)
    detection = detection_of(statement, strategy, {"digits": "[0-9]{4,}"})
    return MaskedPath(steps, strategy, label_of(steps), position, detection)


def run(items: list[Any], *paths: MaskedPath) -> dict[str, int]:
    """Masks items in place; gives counts by label."""
    sink = Sink()
    mask_items(items, compile_tree(paths), sink)
    sink.finish()
    return by_label(sink.counts)


def by_label(counts: Any) -> dict[str, int]:
    """Counts by the path alone."""
    found: defaultdict[str, int] = defaultdict(int)
    for (label, _, _), count in counts.items():
        found[label] += count
    return dict(found)


def masked(item: Any, *paths: Steps, kind: str = "redact") -> tuple[Any, dict[str, int]]:
    """A copy of the item, masked, and the counts."""
    found = [path(steps, kind, place) for place, steps in enumerate(paths)]
    items = [copy.deepcopy(item)]
    counts = run(items, *found)
    return items[0], counts


# --- the naive reference ------------------------------------------------------------------------


def naive_value(value: dict[str, Any], place: Place, paths: list[MaskedPath], counts: Any) -> Any:
    """The value at `place`, copied and masked by comparing every path at every leaf."""
    ((kind, payload),) = value.items()
    if kind == "M":
        return {"M": {k: naive_value(v, (*place, k), paths, counts) for k, v in payload.items()}}
    if kind == "L":
        return {"L": [naive_value(v, (*place, n), paths, counts) for n, v in enumerate(payload)]}
    covering = sorted((p for p in paths if covers(p.steps, place)), key=lambda p: p.rank)
    wholes = [p for p in covering if p.detection is None]
    lookers = [p for p in covering if p.detection is not None]
    if kind == "NULL" or not covering:
        return copy.deepcopy(value)
    if wholes:
        stricter = [p for p in lookers if p.strategy.strictness < wholes[0].strategy.strictness]
        best = next((p for p in stricter if naive_finds(kind, payload, p)), wholes[0])
        counts[best.label] += 1
        return naive_leaf(kind, payload, best)
    return naive_look(value, kind, payload, lookers, counts)


def naive_texts(kind: str, payload: Any) -> list[str]:
    """What detectors look into."""
    return {"S": [payload], "N": [payload], "SS": payload, "NS": payload}.get(kind, [])


def naive_finds(kind: str, payload: Any, p: MaskedPath) -> bool:
    """Whether a detection finds something in a leaf."""
    assert p.detection is not None
    return any(p.detection.find(text, [text]) for text in naive_texts(kind, payload))


def naive_look(
    value: dict[str, Any], kind: str, payload: Any, lookers: list[MaskedPath], counts: Any
) -> dict[str, Any]:
    """A leaf in which only parts are masked: text by text, the strictest path's hits."""
    hitting = [p for p in lookers if naive_finds(kind, payload, p)]
    if not hitting:
        return copy.deepcopy(value)
    if kind in {"N", "NS"}:
        counts[hitting[0].label] += 1
        return naive_leaf(kind, payload, hitting[0])
    texts = [naive_rewrite(text, hitting, counts) for text in naive_texts(kind, payload)]
    return {"S": texts[0]} if kind == "S" else {"SS": list(dict.fromkeys(texts))}


def naive_rewrite(text: str, lookers: list[MaskedPath], counts: Any) -> str:
    """A text with what is found in it masked, for detections whose hits do not overlap."""
    hits = []
    for p in lookers:
        assert p.detection is not None
        hits += [(start, end, p) for start, end, _ in p.detection.find(text, [text])]
    for start, end, p in sorted(hits, key=lambda hit: hit[:2], reverse=True):
        counts[p.label] += 1
        text = text[:start] + p.strategy.mask_text(text[start:end]) + text[end:]
    return text


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


def covers(steps: Steps, place: Place) -> bool:
    """Whether a path names a place or something around it, step by step."""
    if not steps:
        return True
    if steps[0] is ANY_DEPTH:
        return covers(steps[1:], place) or (bool(place) and covers(steps, place[1:]))
    return bool(place) and takes(steps[0], place[0]) and covers(steps[1:], place[1:])


def takes(step: PathStep, at: str | int) -> bool:
    """Whether one step takes one name or position."""
    if isinstance(step, NamePattern):
        return isinstance(at, str) and fnmatch.fnmatchcase(at, step.text)
    if step is EACH:
        return isinstance(at, int)
    return type(step) is type(at) and step == at


def naive_item(item: dict[str, Any], paths: list[MaskedPath], counts: Any) -> dict[str, Any]:
    """A copy of the item, masked."""
    return {name: naive_value(value, (name,), paths, counts) for name, value in item.items()}


# --- random items and paths ---------------------------------------------------------------------

NAMES = st.sampled_from(["a", "b", "ab", "*"])
TEXTS = st.sampled_from(
    ["", "x", SECRET, "anna@example.org", "4111111111111111", "to 4111111111111111 now"]
) | st.text(max_size=6)
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
NAME_STEPS = NAMES | st.sampled_from([NamePattern("a*"), NamePattern("?"), ANY_DEPTH])
STEPS = st.tuples(
    NAME_STEPS,
    st.lists(NAME_STEPS | st.just(EACH) | st.integers(0, 2), max_size=3).map(tuple),
).map(lambda parts: (parts[0], *parts[1]))
KINDS = st.sampled_from(["redact", "hash", "partial"])
PATHS = st.lists(st.tuples(STEPS, KINDS), min_size=1, max_size=5).map(
    lambda found: [path(steps, kind, n) for n, (steps, kind) in enumerate(found)]
)
# One detection alone: what overlapping hits of several become is told apart below.
PATHS_WITH_DETECTION = st.tuples(
    PATHS, STEPS, KINDS, st.sampled_from([("digits",), ("email", "payment-card")])
).map(lambda found: [*found[0][:3], path(found[1], found[2], 9, found[3])])


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


def test_a_stricter_detection_masks_the_whole_value_that_a_path_would_show_in_part() -> None:
    """redacts a note that holds a card, where another mask keeps the last characters."""
    item = {"n": {"S": "card 4111111111111111"}, "m": {"S": "no card at all"}}
    keep = [path((name,), "partial", n) for n, name in enumerate("nm")]

    counts = run([item], *keep, path((ANY_DEPTH,), "redact", 9, ("payment-card",)))

    assert item == {"n": {"S": REDACTED}, "m": {"S": MARKER + "*** all"}}
    assert counts == {"**": 1, "m": 1}


def test_hits_that_overlap_are_masked_as_one_by_the_strictest() -> None:
    """leaves no digit between two hits."""
    item = {"n": {"S": "a 4111111111111111 b"}}
    by_pattern = path(("n",), "partial", 0, ("digits",))

    run([item], by_pattern, path(("n",), "redact", 1, ("payment-card",)))

    assert item == {"n": {"S": f"a {REDACTED} b"}}


def test_a_text_with_the_separator_is_masked_whole_when_something_is_found() -> None:
    """takes a value with a NUL for one that may end elsewhere."""
    item = {"n": {"S": "-----BEGIN PRIVATE KEY-----\n\0more\n-----END PRIVATE KEY-----"}}

    run([item], path(("n",), "redact", 0, ("pem",)))

    assert item == {"n": {"S": REDACTED}}


def test_overlapping_hits_of_one_strategy_count_as_the_longer() -> None:
    """an IBAN, not the digits in it."""
    item = {"n": {"S": "DE89370400440532013000"}}
    sink = Sink()
    paths = [
        path(("n",), "redact", 0, ("digits",)),
        path(("n",), "redact", 1, ("iban",)),
    ]

    mask_item(item, compile_tree(paths), sink)
    sink.finish()

    assert item == {"n": {"S": REDACTED}}
    assert sink.counts == {("n", "redact", "iban"): 1}


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ({"N": "4711"}, {"S": REDACTED}),
        ({"NS": ["1", "4711"]}, {"SS": [REDACTED]}),
        ({"SS": ["a", "is 4711"]}, {"SS": ["a", f"is {REDACTED}"]}),
        ({"B": b"4711"}, {"B": b"4711"}),
        ({"S": 4711}, {"S": REDACTED}),
        ({"SS": [4711]}, {"S": REDACTED}),
        ({"SS": "4711"}, {"S": REDACTED}),
        ({"X": "4711"}, {"S": REDACTED}),
        ({"NULL": True}, {"NULL": True}),
    ],
)
def test_values_of_every_type_are_looked_into(value: Any, expected: Any) -> None:
    """numbers and number sets are masked whole, what is not understood is withheld."""
    items = [{"a": copy.deepcopy(value)}, {"a": {"S": "x"}}]

    run(items, path((ANY_DEPTH,), "redact", 0, ("digits",)))

    assert items == [{"a": expected}, {"a": {"S": "x"}}]


@pytest.mark.parametrize("odd", [{"S": 5}, {"SS": [5]}, {"SS": 5}])
def test_an_odd_value_under_a_mask_and_a_detection_is_withheld(odd: Any) -> None:
    """there is no text to look into."""
    item = {"a": copy.deepcopy(odd)}

    run([item], path(("a",), "partial"), path(("a",), "redact", 1, ("digits",)))

    assert item == {"a": {"S": REDACTED}}


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
