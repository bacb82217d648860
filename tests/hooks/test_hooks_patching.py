"""Wrapping methods of foreign classes and taking the wrappers off again."""

from __future__ import annotations

import functools
import inspect
import threading
from collections.abc import Callable
from typing import Any

import pytest
import wrapt

from dynaguard.hooks.patching import Patch, Wrapper, late


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


def interrupted_target(act: Callable[[], None]) -> type:
    """A fresh class where something happens just before the late wrapper takes its place."""
    writes = 0

    class Watching(type):
        def __setattr__(cls, name: str, value: Any) -> None:
            nonlocal writes
            writes += 1
            if writes == 2:  # the first was `apply()`
                act()
            super().__setattr__(name, value)

    return Watching("Target", (), {"greet": make_target().__dict__["greet"]})


def test_a_signal_handler_that_removes_in_the_middle_of_a_first_call_leaves_nothing() -> None:
    """The wrapper that is about to take its place does not outlive its patch."""

    def handle() -> None:
        patch.remove()

    target = interrupted_target(handle)
    original = target.__dict__["greet"]
    patch = Patch(target, "greet", late(lambda: shout))
    patch.apply()

    target().greet("you")

    assert target.__dict__["greet"] is original


def test_a_thread_that_removes_in_the_middle_of_a_first_call_leaves_nothing() -> None:
    """It waits until the wrapper has taken its place, and takes that one off."""
    begun = threading.Event()

    def remove() -> None:
        begun.set()
        patch.remove()

    remover = threading.Thread(target=remove)

    def begin() -> None:
        remover.start()
        begun.wait()
        remover.join(0.05)  # without a lock it would be through by then

    target = interrupted_target(begin)
    original = target.__dict__["greet"]
    patch = Patch(target, "greet", late(lambda: shout))
    patch.apply()

    target().greet("you")
    remover.join()

    assert target.__dict__["greet"] is original


def test_a_patch_that_is_removed_while_its_wrapper_is_made_leaves_nothing() -> None:
    """As where importing it takes longer than the program lives."""
    target = make_target()
    original = target.__dict__["greet"]

    def make() -> Wrapper:
        patch.remove()
        return shout

    patch = Patch(target, "greet", late(make))
    patch.apply()

    assert target().greet("you") == "hello you"
    assert target.__dict__["greet"] is original
