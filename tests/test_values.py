"""Frozen values are dataclasses to everybody, though their methods are made late."""

from __future__ import annotations

import copy
import dataclasses
import pickle
from collections.abc import Mapping
from dataclasses import field
from typing import Any

import pytest

from dynaguard import values

made_late: Any = values.dataclass


@made_late(frozen=True, slots=True)
class Late:
    """With every sort of field."""

    name: str
    size: int = 3
    tags: tuple[str, ...] = ()
    more: Mapping[str, int] = field(default_factory=dict)
    secret: str = field(default="s", repr=False)
    note: str = field(default="", compare=False)
    doubled: int = field(init=False)

    def __post_init__(self) -> None:
        """Fills in what follows from the rest."""
        object.__setattr__(self, "doubled", self.size * 2)


@dataclasses.dataclass(frozen=True, slots=True)
class Early:
    """The same by the standard library."""

    name: str
    size: int = 3
    tags: tuple[str, ...] = ()
    more: Mapping[str, int] = field(default_factory=dict)
    secret: str = field(default="s", repr=False)
    note: str = field(default="", compare=False)
    doubled: int = field(init=False)

    def __post_init__(self) -> None:
        """Fills in what follows from the rest."""
        object.__setattr__(self, "doubled", self.size * 2)


@made_late(frozen=True, slots=True)
class Named:
    """Says some of it itself."""

    name: str

    def __repr__(self) -> str:
        return "mine"

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Named)

    def __hash__(self) -> int:
        return 1


@made_late(frozen=True, slots=True)
class Empty:
    """Has no field at all."""


ARGUMENTS: list[tuple[tuple[Any, ...], dict[str, Any]]] = [
    (("a",), {}),
    (("a", 4), {"tags": ("x",)}),
    ((), {"name": "a", "more": {"k": 1}, "secret": "t", "note": "n"}),
]


@pytest.mark.parametrize(("positional", "named"), ARGUMENTS)
def test_a_value_is_what_the_standard_library_makes(
    positional: tuple[Any, ...], named: dict[str, Any]
) -> None:
    """The same fields, text and mapping."""
    late, early = Late(*positional, **named), Early(*positional, **named)

    assert repr(late) == repr(early).replace("Early", "Late")
    assert dataclasses.asdict(late) == dataclasses.asdict(early)
    assert dataclasses.replace(late, size=9).doubled == 18
    assert [each.name for each in dataclasses.fields(Late)] == list(Late.__slots__)
    assert Late.__match_args__ == Early.__match_args__


def test_values_are_equal_by_what_is_compared() -> None:
    """And hash alike; others are not equal, whatever they hold."""
    assert Late("a", note="x") == Late("a", note="y")
    assert hash(Late("a", more=(), note="x")) == hash(Late("a", more=(), note="y"))
    assert Late("a") != Late("b")
    assert Late("a") != Early("a")
    assert Empty() == Empty()
    assert {Empty(), Empty()} == {Empty()}


def test_a_value_does_not_change() -> None:
    """Neither its fields nor anything else of it."""
    value = Late("a")

    with pytest.raises(dataclasses.FrozenInstanceError, match="cannot assign to field 'name'"):
        value.name = "b"
    with pytest.raises(dataclasses.FrozenInstanceError, match="cannot delete field 'name'"):
        del value.name
    with pytest.raises(dataclasses.FrozenInstanceError):
        value.other = 1


@pytest.mark.parametrize(
    "way", [copy.copy, copy.deepcopy, lambda v: pickle.loads(pickle.dumps(v))]
)
def test_values_are_copied_and_pickled(way: Any) -> None:
    """With all their fields, those of no `__init__` too."""
    value = Late("a", more={"k": 1}, note="n")

    found = way(value)

    assert (found, found.note, found.doubled) == (value, "n", 6)


def test_what_a_class_says_itself_counts() -> None:
    """Nothing of it is replaced."""
    assert repr(Named("a")) == "mine"
    assert Named("a") == Named("b")
    assert hash(Named("a")) == 1


def test_wrong_arguments_are_refused_as_ever() -> None:
    """By the text of the standard library's own `__init__`."""
    with pytest.raises(TypeError, match="missing 1 required positional argument: 'name'"):
        Late()
    with pytest.raises(TypeError, match="unexpected keyword argument 'sise'"):
        Late("a", sise=1)


def test_only_frozen_values_with_slots_are_made() -> None:
    """Anything else is the standard library's work."""
    with pytest.raises(TypeError, match="frozen and has slots"):
        made_late(frozen=False, slots=True)


def test_what_is_never_given_has_no_default() -> None:
    """It would have nowhere to stand: there are slots."""
    with pytest.raises(TypeError, match="a default for what is never given"):

        @values.dataclass(frozen=True, slots=True)
        class Odd:
            computed: int = dataclasses.field(init=False, default=1)
