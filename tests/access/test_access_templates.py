"""A template allows the calls that it was made from, and no other."""

from __future__ import annotations

import copy
import json
from collections.abc import Mapping
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dynaguard.access.templates import Templates, digest_of, literal
from dynaguard.call import NO_CREDENTIALS, Call
from dynaguard.scope import EMPTY_SCOPE

_NAMES = st.sampled_from(["a", "$any", "$$any", "$sha256", "$bytes", "SS", "\u00e9"])
_ATTRIBUTES = st.recursive(
    st.one_of(
        st.builds(lambda v: {"S": v}, st.text(max_size=4)),
        st.builds(lambda v: {"N": str(v)}, st.integers(-9, 9)),
        st.builds(lambda v: {"B": v}, st.binary(max_size=4)),
        st.builds(lambda v: {"BOOL": v}, st.booleans()),
        st.builds(lambda v: {"SS": v}, st.lists(st.sampled_from("abcd"), unique=True)),
        st.just({"NULL": True}),
    ),
    lambda inner: st.one_of(
        st.builds(lambda v: {"L": v}, st.lists(inner, max_size=2)),
        st.builds(lambda v: {"M": v}, st.dictionaries(_NAMES, inner, max_size=2)),
    ),
    max_leaves=4,
)
_PARAMS = st.fixed_dictionaries(
    {"TableName": st.sampled_from(["t", "u"]), "Item": st.dictionaries(_NAMES, _ATTRIBUTES)},
    optional={"Limit": st.integers(1, 99), "Flag": st.booleans(), "Ratio": st.floats(0, 1)},
)


def _call(params: Any, operation: str = "PutItem", region: str | None = "eu-west-1") -> Call:
    return Call(
        service="dynamodb",
        operation=operation,
        params=params,
        region=region,
        partition="aws",
        endpoint_url=None,
        credentials=NO_CREDENTIALS,
        scope=EMPTY_SCOPE,
        correlation_id="c",
    )


def _templates(params: Any, **more: Any) -> Templates:
    template = {"step": "s", "service": "dynamodb", "operation": "PutItem", "params": params}
    return Templates(json.dumps([{**template, **more}]))


def _allows(params: Any, value: Any, **more: Any) -> bool:
    return _templates(params, **more).mismatch(_call(value)) is None


@given(_PARAMS)
def test_what_a_template_was_made_from_is_allowed(params: Mapping[str, Any]) -> None:
    """Names that look like the template's own signs included."""
    assert _allows(literal(params), params)


@given(_PARAMS)
def test_digests_stand_for_their_value_alone(params: Mapping[str, Any]) -> None:
    """The same value has the same digest, under the same salt."""
    wanted = {"Item": {"$sha256": [digest_of(params["Item"], "salt")]}}

    assert _allows(wanted, {"Item": params["Item"]}, salt="salt")
    assert not _allows(wanted, {"Item": params["Item"]}, salt="pepper")
    assert not _allows(wanted, {"Item": {**params["Item"], "new": {"S": "x"}}}, salt="salt")


@pytest.mark.parametrize("mark", ["$sha256", "$pbkdf2"])
@pytest.mark.parametrize("value", [object(), {"N": "no number"}], ids=["kind", "number"])
def test_what_has_no_digest_is_no_value_of_a_parameter(mark: str, value: Any) -> None:
    """A call with it is refused, not broken."""
    assert not _allows({"Item": {mark: ["00"]}}, {"Item": value}, salt="salt")


def _leaves(value: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    """Paths of all values that have no parts."""
    if isinstance(value, dict):
        return [leaf for key, each in value.items() for leaf in _leaves(each, (*path, key))]
    if isinstance(value, list):
        return [leaf for at, each in enumerate(value) for leaf in _leaves(each, (*path, at))]
    return [path]


_OTHER = {str: "another", bool: None, bytes: b"another", int: -1, float: -1.0}


@given(_PARAMS, st.data())
def test_any_change_is_refused(params: dict[str, Any], data: st.DataObject) -> None:
    """One value changed, one member more, one member less: none of them is allowed."""
    path = data.draw(st.sampled_from(_leaves(params)))
    changed, more, less = (copy.deepcopy(params) for _ in range(3))
    place: Any = changed
    for step in path[:-1]:
        place = place[step]
    place[path[-1]] = _OTHER[type(place[path[-1]])]
    more["Further"] = 1
    del less["TableName"]

    for each in (changed, more, less):
        assert not _allows(literal(params), each)


def test_sets_have_no_order() -> None:
    """Lists have one."""
    wanted = literal({"Item": {"a": {"SS": ["x", "y"]}, "b": {"L": [{"S": "x"}, {"S": "y"}]}}})

    assert _allows(wanted, {"Item": {"a": {"SS": ["y", "x"]}, "b": wanted["Item"]["b"]}})
    assert not _allows(
        wanted, {"Item": {"a": {"SS": ["x", "y"]}, "b": {"L": wanted["Item"]["b"]["L"][::-1]}}}
    )


@pytest.mark.parametrize(
    ("wanted", "value", "is_same"),
    [
        (1, 1.0, True),
        (1, Decimal(1), True),
        (1, True, False),
        (True, 1, False),
        ("1", 1, False),
        (1, "1", False),
        (None, None, True),
        (None, 0, False),
    ],
)
def test_numbers_are_numbers_and_nothing_else(wanted: Any, value: Any, is_same: bool) -> None:
    """Equal numbers are the same on the wire, whatever type holds them."""
    assert _allows({"X": wanted}, {"X": value}) is is_same


@pytest.mark.parametrize(
    ("kind", "fitting", "unfit"),
    [
        ("string", "x", 1),
        ("integer", 1, 1.5),
        ("number", 1.5, True),
        ("boolean", True, 1),
        ("binary", b"x", "x"),
        ("key", {"S": "x"}, {"BOOL": True}),
        ("key", {"N": "1"}, {"S": "x", "N": "1"}),
        ("attribute", {"M": {}}, {"X": 1}),
        ("list:string", ["a"], ["a", 1]),
        ("map", {}, []),
        ("timestamp", "2026-01-01", None),
    ],
)
def test_any_value_is_of_its_type(kind: str, fitting: Any, unfit: Any) -> None:
    """What only shows while a run goes on is compared by its type."""
    assert _allows({"X": {"$any": kind}}, {"X": fitting})
    assert not _allows({"X": {"$any": kind}}, {"X": unfit})


@pytest.mark.parametrize(
    ("limit", "is_allowed"),
    [(100, True), (1, True), (101, False), (0, False), (-1, False), (True, False), ("5", False)],
)
def test_a_limit_may_be_lower(limit: Any, is_allowed: bool) -> None:
    """Never higher, and never left out."""
    wanted = {"TableName": "t", "Limit": 100}

    assert _allows(wanted, {"TableName": "t", "Limit": limit}, max_limit=100) is is_allowed
    assert not _allows(wanted, {"TableName": "t"}, max_limit=100)


def test_free_members_may_have_any_value() -> None:
    """Tokens of pages, what botocore adds, and what only asks for the cost."""
    params = {"TableName": "t", "ExclusiveStartKey": {"k": {"S": "x"}}}

    assert not _allows({"TableName": "t"}, params)
    assert _allows({"TableName": "t"}, params, free=["ExclusiveStartKey"])
    assert _allows({"TableName": "t"}, {"TableName": "t", "ReturnConsumedCapacity": "TOTAL"})


def test_another_region_is_another_call() -> None:
    """A template without a region takes any."""
    call = _call({}, region="us-east-1")

    assert _templates({}, region="eu-west-1").mismatch(call) == "step `s` calls another region"
    assert _templates({}).mismatch(call) is None


def test_a_mismatch_names_the_nearest_step_and_no_value() -> None:
    """Of several templates the one is told that fits furthest."""
    both = [
        {"step": "a", "service": "dynamodb", "operation": "PutItem", "params": {"TableName": "x"}},
        {
            "step": "b",
            "service": "dynamodb",
            "operation": "PutItem",
            "params": {"TableName": "t", "Item": {}},
        },
    ]
    params = {"TableName": "t", "Item": {"secret": {"S": "hunter2"}}}

    told = Templates(json.dumps(both)).mismatch(_call(params))

    assert told == "`Item` of `PutItem` is not as step `b` has it"
    assert Templates("[]").mismatch(_call(params)) == "no step of it calls `PutItem`"


@given(st.recursive(st.none() | st.text(max_size=3) | st.integers(), st.lists, max_leaves=3))
def test_odd_parameters_are_refused_and_break_nothing(value: Any) -> None:
    """Parameters come as the application has them."""
    templates = _templates({"TableName": "t", "Item": {"$sha256": ["0"]}})

    assert templates.mismatch(_call(value)) is not None
    assert templates.mismatch(_call({"TableName": "t", "Item": value})) is not None
    assert templates.mismatch(_call({"TableName": "t", "Item": {1: object()}})) is not None


def test_what_no_request_holds_makes_no_template() -> None:
    """The error names its type, never its value."""
    with pytest.raises(TypeError, match=r"no request holds a value of type complex$"):
        literal({"Limit": [complex(4711, 0)]})
