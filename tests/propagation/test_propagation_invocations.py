"""One invocation of a Lambda function as a scope."""

from __future__ import annotations

import time
from typing import Any

import pytest

import dynaguard
from dynaguard.errors import ConfigurationError
from dynaguard.scope import Scope, current_scope, set_process_scope


class Context:
    """What AWS Lambda hands to a handler."""

    function_name = "nightly-rollup"
    aws_request_id = "6bc28136-xmpl-4365-b021-0ce6b2e64ab0"

    def get_remaining_time_in_millis(self) -> int:
        return 10_500


def test_an_invocation_names_function_and_request_and_ends_in_time() -> None:
    """Half a second is kept back to answer in."""
    before_s = time.monotonic()
    with dynaguard.invocation(Context()) as scope:
        assert current_scope() is scope
    after_s = time.monotonic()

    assert (scope.job, scope.run_id, scope.stage) == (
        "nightly-rollup",
        "6bc28136-xmpl-4365-b021-0ce6b2e64ab0",
        None,
    )
    assert scope.deadline_monotonic_s is not None
    assert before_s + 10 <= scope.deadline_monotonic_s <= after_s + 10


def test_what_is_given_comes_before_the_scope_around_and_that_before_the_context() -> None:
    """A state machine's names, then those of the settings, then Lambda's."""
    set_process_scope(Scope(job="daemon", stage="load"))

    with dynaguard.invocation(Context(), job="etl", run_id="exec-1", stage="extract") as given:
        pass
    with dynaguard.invocation(Context()) as around:
        pass

    assert (given.job, given.run_id, given.stage) == ("etl", "exec-1", "extract")
    assert (around.job, around.run_id, around.stage) == (
        "daemon",
        "6bc28136-xmpl-4365-b021-0ce6b2e64ab0",
        "load",
    )


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (({"aws_request_id": "1"},), "context object"),
        ((None,), "context object"),
    ],
)
def test_what_is_no_context_is_refused(arguments: Any, words: str) -> None:
    """Handing in the event is the likely mistake."""
    with pytest.raises(ConfigurationError, match=words):
        dynaguard.invocation(*arguments)


@pytest.mark.parametrize("name", ["job", "run_id", "stage"])
def test_names_are_checked_at_once(name: str) -> None:
    """An empty one would vanish from records."""
    with pytest.raises(ConfigurationError, match="1 to 256"):
        dynaguard.invocation(Context(), **{name: ""})  # type: ignore[arg-type]
