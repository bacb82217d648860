"""Three-valued truth: what a policy can say about a request that is only partly known.

`True` and `False` are certain, `None` is not known. An Allow takes only `True`, a Deny takes all
but `False`; the negation of not known stays not known, so that ignorance never allows.

Source: S. C. Kleene's strong logic of indeterminacy.
"""

from __future__ import annotations

from collections.abc import Iterable

Truth = bool | None


def any_of(truths: Iterable[Truth]) -> Truth:
    """Whether one of them is true; empty is False. Stops at the first True."""
    result: Truth = False
    for truth in truths:
        if truth:
            return True
        if truth is None:
            result = None
    return result


def all_of(truths: Iterable[Truth]) -> Truth:
    """Whether each of them is true; empty is True. Stops at the first False."""
    result: Truth = True
    for truth in truths:
        if truth is None:
            result = None
        elif not truth:
            return False
    return result


def negated(truth: Truth) -> Truth:
    """The opposite; not known stays not known."""
    return None if truth is None else not truth
