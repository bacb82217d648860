"""Wrapping methods of foreign classes and taking the wrappers off again."""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable
from typing import Any

import pytest
import wrapt

from dynaguard.hooks.patching import Patch


def make_target() -> type:
    """A fresh class with one method to wrap."""

    class Target:
        def greet(self, name: str) -> str:
            return f"hello {name}"

    return Target


def shout(wrapped: Callable[..., Any], patch: Patch) -> Callable[..., Any]:
    """A wrapper that can be seen."""

    def greet(instance: Any, *args: Any, **kwargs: Any) -> Any:
        answer = wrapped(instance, *args, **kwargs)
        return answer.upper() if patch.is_active else answer

    return greet


def test_wraps_and_restores_the_very_same_function() -> None:
    """After removal the class holds the original object again."""
    target = make_target()
    original = target.__dict__["greet"]
    patch = Patch(target, "greet", shout)

    patch.apply()
    wrapped_answer = target().greet("you")
    patch.remove()

    assert wrapped_answer == "HELLO YOU"
    assert target.__dict__["greet"] is original


def test_source_of_a_wrapped_method_is_unchanged() -> None:
    """Peers that compare digests of botocore's sources see no change."""
    target = make_target()
    source = inspect.getsource(target.greet)
    patch = Patch(target, "greet", shout)

    patch.apply()

    assert inspect.getsource(target.greet) == source


def test_removal_beneath_a_wrapt_peer_leaves_the_peer_and_drops_ours() -> None:
    """A peer that wrapped ours with wrapt points at the original afterwards."""
    target = make_target()
    original = target.__dict__["greet"]
    patch = Patch(target, "greet", shout)
    patch.apply()
    wrapt.wrap_function_wrapper(
        target, "greet", lambda wrapped, instance, args, kwargs: wrapped(*args, **kwargs) + "!"
    )

    patch.remove()

    assert target().greet("you") == "hello you!"
    assert target.__dict__["greet"].__wrapped__ is original


def test_removal_beneath_a_closure_makes_ours_pass_through() -> None:
    """A peer that hides what it wrapped keeps calling ours, which does nothing any more."""
    target = make_target()
    patch = Patch(target, "greet", shout)
    patch.apply()
    ours = target.__dict__["greet"]

    @functools.wraps(make_target().greet)
    def peer(self: Any, name: str) -> str:
        return ours.__get__(self, target)(name) + "!"

    target.greet = peer

    patch.remove()

    assert target().greet("you") == "hello you!"


@pytest.mark.parametrize("peer_takes_all_off", [False, True])
def test_knows_whether_it_is_still_in_the_chain(peer_takes_all_off: bool) -> None:
    """A peer that takes off whatever is outermost is noticed."""
    target = make_target()
    original = target.__dict__["greet"]
    patch = Patch(target, "greet", shout)
    patch.apply()

    if peer_takes_all_off:
        target.greet = original

    assert patch.is_in_place is not peer_takes_all_off
