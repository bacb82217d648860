from __future__ import annotations

from pathlib import Path
from xml.etree import ElementTree

import pytest

from benchmarks.flame.drawing import draw
from benchmarks.flame.folding import (
    Profile,
    fold,
    load_profile,
    owner,
    pruned,
    shares_by_owner,
    shown,
)

BELOW = "main (benchmarks/flame/target.py:9)"
WITHIN = f"{BELOW};one_call (benchmarks/flame/target.py:5)"
WITHIN_BOTOCORE = f"{WITHIN};Client._make_api_call (botocore/client.py:100)"
RAW = [
    f"{WITHIN_BOTOCORE};decide (dynaguard/guard.py:7) 60",
    f"{WITHIN_BOTOCORE} 40",
    f"{BELOW};install (dynaguard/hooks/lifecycle.py:3) 5",
]
CALL = "Client._make_api_call (botocore/client.py)"
DECIDE = "decide (dynaguard/guard.py)"


def profile(samples: dict[str, int]) -> Profile:
    """Of a machine that does not matter."""
    return Profile("2026-01-02", {"botocore": "1"}, {"cores": 2}, samples, {})


def test_only_what_a_call_does_is_kept() -> None:
    """Not what set it up, and no frames below the call."""
    assert fold(RAW) == {f"{CALL};{DECIDE}": 60, CALL: 40}


@pytest.mark.parametrize(
    ("frame", "name"),
    [
        (
            "f (/home/ada/.venv/lib/python3.11/site-packages/botocore/hooks.py:3)",
            "f (botocore/hooks.py)",
        ),
        ("f (/somewhere/else/own.py:3)", "f (own.py)"),
        ("C.make.<locals>.inner (dynaguard/call.py:12)", "inner (dynaguard/call.py)"),
        ("_run (<frozen runpy>:88)", "_run (frozen runpy)"),
        ("process 12", "process 12"),
    ],
)
def test_a_frame_is_named_without_lines_closures_and_local_paths(frame: str, name: str) -> None:
    """The picture is published."""
    assert shown(frame) == name


def test_frames_belong_to_whose_code_they_are() -> None:
    """What has no package of ours or botocore's is the standard library."""
    frames = (DECIDE, CALL, "loads (json/__init__.py)", "f (urllib3/util.py)")

    assert [owner(each) for each in frames] == [
        "dynaguard",
        "botocore",
        "standard library",
        "botocore",
    ]


def test_shares_are_those_of_innermost_frames() -> None:
    """A wrapper does not count for what it wraps."""
    assert shares_by_owner(fold(RAW)) == {"dynaguard": 0.6, "botocore": 0.4}


def test_rare_frames_are_left_to_their_callers() -> None:
    """No sample is lost."""
    samples = {"a (x.py)": 90, "a (x.py);b (x.py)": 6, "a (x.py);b (x.py);c (x.py)": 1}

    assert pruned(samples, 5) == {"a (x.py)": 90, "a (x.py);b (x.py)": 7}


def test_a_profile_comes_back_as_it_was_saved(tmp_path: Path) -> None:
    """Frames are kept once, stacks by their numbers."""
    kept = profile(fold(RAW))

    kept.save(tmp_path / "flame.json")

    assert load_profile(tmp_path / "flame.json") == kept
    assert load_profile(tmp_path / "nothing.json") is None


def test_the_picture_is_well_formed_and_names_frames_and_shares() -> None:
    """Names are escaped; each frame tells its share when pointed at."""
    text = draw(profile({CALL: 40, f"{CALL};<genexpr> (a.py)": 60}), "a & b", "note")

    tree = ElementTree.fromstring(text)  # noqa: S314 - our own

    titles = [each.text for each in tree.iter("{http://www.w3.org/2000/svg}title")]
    assert titles == ["a & b", f"{CALL}, 100.0%", "<genexpr> (a.py), 60.0%"]


def test_equal_samples_give_equal_pictures() -> None:
    """In whatever order they came."""
    one = draw(profile({CALL: 40, DECIDE: 60}), "a", "b")
    other = draw(profile({DECIDE: 60, CALL: 40}), "a", "b")

    assert one == other
