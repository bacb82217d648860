"""What a scope carries: correlation ids, jobs with deadlines, who acts, bounded names."""

from __future__ import annotations

import math
import os
import re
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dynaguard.acting import acting_as
from dynaguard.errors import ConfigurationError
from dynaguard.scope import (
    MAX_CORRELATION_ID_LENGTH,
    Priority,
    ScopeManager,
    correlation,
    current_scope,
    job,
    new_correlation_id,
    sanitise_correlation_id,
)

# RFC 9110, 5.6.2: token characters.
TOKEN = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]*")


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """The monotonic clock of scopes, one changeable reading."""
    reading = [1000.0]
    monkeypatch.setattr("dynaguard.scope.time.monotonic", lambda: reading[0])
    return reading


# --- correlation -------------------------------------------------------------------------------


def test_without_an_id_each_entering_makes_one() -> None:
    """The same for every call in the block."""
    manager = correlation()

    with manager as first:
        assert current_scope().correlation_id == first.correlation_id
    with manager as second:
        pass

    assert re.fullmatch("[0-9a-f]{32}", first.correlation_id or "")
    assert first.correlation_id != second.correlation_id


def test_new_ids_differ() -> None:
    """32 hexadecimal characters each."""
    ids = {new_correlation_id() for _ in range(1000)}

    assert len(ids) == 1000
    assert all(re.fullmatch("[0-9a-f]{32}", one) for one in ids)


@given(st.text())
def test_a_sanitised_id_fits_a_header_and_a_user_agent(text: str) -> None:
    """A token of RFC 9110 without `#` and backtick, bounded; sanitising again changes nothing."""
    clean = sanitise_correlation_id(text)

    assert TOKEN.fullmatch(clean)
    assert not set("#`") & set(clean)
    assert len(clean) == min(len(text), MAX_CORRELATION_ID_LENGTH)
    assert sanitise_correlation_id(clean) == clean


def test_what_is_safe_stays() -> None:
    """Ticket numbers, trace ids, UUIDs."""
    for text in ("INC-4711", "0af7651916cd43dd8448eb211c80319c", "run_7.2~a+b"):
        assert sanitise_correlation_id(text) == text


def test_an_id_with_other_characters_is_replaced_not_refused() -> None:
    """An operator's note is better than none."""
    with correlation("INC 4711: déjà vu #2") as scope:
        assert scope.correlation_id == "INC-4711--d-j--vu--2"


# --- job ---------------------------------------------------------------------------------------


def test_a_job_is_a_batch_unless_told() -> None:
    """The priority may be given by its name."""
    with job("a") as plain:
        pass
    with job("a", priority="background") as named:
        pass

    assert plain.priority is Priority.BATCH
    assert named.priority is Priority.BACKGROUND


@pytest.mark.parametrize(
    ("inner", "run_id", "stage"),
    [
        ({"name": "etl", "stage": "load"}, "7", "load"),
        ({"name": "etl", "run_id": "8"}, "8", "read"),
        ({"name": "etl"}, "7", "read"),
        ({"name": "other"}, None, None),
        ({"name": "other", "stage": "load"}, None, "load"),
    ],
)
def test_a_nested_job_of_the_same_name_keeps_what_it_does_not_give(
    inner: dict[str, str], run_id: str | None, stage: str | None
) -> None:
    """Another job has a run and a stage of its own."""
    with job("etl", run_id="7", stage="read"), job(**inner) as scope:
        assert (scope.job, scope.run_id, scope.stage) == (inner["name"], run_id, stage)


@pytest.mark.parametrize("deadline", [30, 30.0, timedelta(seconds=30)])
def test_a_deadline_counts_from_entering(deadline: float | timedelta, clock: list[float]) -> None:
    """Seconds or a timedelta; not from making the manager."""
    manager = job("etl", deadline_s=deadline)
    clock[0] = 2000.0

    with manager as scope:
        assert scope.deadline_monotonic_s == 2030.0


@given(
    st.lists(
        st.one_of(st.none(), st.floats(min_value=0, exclude_min=True, allow_nan=False)),
        min_size=1,
        max_size=4,
    )
)
def test_the_earliest_deadline_is_in_force(deadlines: list[float | None]) -> None:
    """An inner job may have less time, never more."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("dynaguard.scope.time.monotonic", lambda: 10.0)
        managers = [job("etl", deadline_s=deadline) for deadline in deadlines]
        for manager in managers:
            manager.__enter__()
        found = current_scope().deadline_monotonic_s
        for manager in managers:
            manager.__exit__(None, None, None)

    given_deadlines = [10.0 + deadline for deadline in deadlines if deadline is not None]
    assert found == min(given_deadlines, default=None)


@pytest.mark.parametrize("deadline", [0, -1, math.nan, timedelta(0), -math.inf])
def test_a_deadline_that_is_not_positive_is_refused(deadline: float) -> None:
    """It would refuse every call."""
    with pytest.raises(ConfigurationError, match="must be greater than 0 seconds"):
        job("etl", deadline_s=deadline)


@pytest.mark.parametrize("deadline", ["30", True, [30]])
def test_a_deadline_that_is_no_duration_is_refused(deadline: Any) -> None:
    """The error names the type."""
    with pytest.raises(ConfigurationError, match="must be seconds or a timedelta"):
        job("etl", deadline_s=deadline)


@pytest.mark.parametrize(
    ("priority", "hint"),
    [
        ("bach", "did you mean `batch`?"),
        ("BATCH", "did you mean `batch`?"),
        ("zzz", "it is one of interactive, batch, background"),
        (3, "it is one of interactive, batch, background"),
    ],
)
def test_an_unknown_priority_is_refused(priority: Any, hint: str) -> None:
    """With the nearest one that is known."""
    with pytest.raises(ConfigurationError) as caught:
        job("etl", priority=priority)

    assert str(caught.value).endswith(hint)


# --- acting_as ---------------------------------------------------------------------------------


def test_acting_replaces_who_acted_before() -> None:
    """Groups too: the inner one has only its own."""
    with acting_as("a", groups={"g"}), acting_as("b", kind="user") as scope:
        assert (scope.acting_name, scope.acting_kind) == ("b", "user")
        assert scope.acting_groups == frozenset()


def test_groups_given_as_one_text_are_refused() -> None:
    """Else each letter would be a group."""
    with pytest.raises(ConfigurationError, match=re.escape("write `['ops']`")):
        acting_as("bot", groups="ops")


# --- names -------------------------------------------------------------------------------------


MAKERS: list[tuple[str, Callable[[Any], ScopeManager]]] = [
    ("correlation id", correlation),
    ("job name", job),
    ("run id", lambda text: job("etl", run_id=text)),
    ("stage", lambda text: job("etl", stage=text)),
    ("acting name", acting_as),
    ("kind", lambda text: acting_as("bot", kind=text)),
    ("group", lambda text: acting_as("bot", groups=[text])),
]


@pytest.mark.parametrize(("what", "make"), MAKERS, ids=[what for what, _ in MAKERS])
@pytest.mark.parametrize(
    ("text", "message"),
    [
        (3, "is of type int, it must be text"),
        ("", "has 0 characters, must be 1 to 256, all printable"),
        ("x" * 257, "has 257 characters, must be 1 to 256, all printable"),
        ("a\nb", "has 3 characters, must be 1 to 256, all printable"),
    ],
)
def test_a_name_is_printable_text_of_bounded_length(
    what: str, make: Callable[[Any], ScopeManager], text: Any, message: str
) -> None:
    """Refused when the manager is made, not when a call is recorded."""
    with pytest.raises(ConfigurationError) as caught:
        make(text)

    assert str(caught.value) == f"{what} {message}"


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
def test_a_forked_child_makes_ids_of_its_own() -> None:
    """Workers that are forked after the first id must not all go on with the same ones."""
    new_correlation_id()
    read_end, write_end = os.pipe()
    child = os.fork()
    if not child:
        os.write(write_end, new_correlation_id().encode())
        os._exit(0)
    os.waitpid(child, 0)

    assert os.read(read_end, 64).decode() != new_correlation_id()
    os.close(read_end)
    os.close(write_end)
