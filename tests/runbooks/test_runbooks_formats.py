"""One runbook in TOML, YAML, JSON or Python is one document with one hash; nonsense is none."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dynaguard.errors import PolicySyntaxError
from dynaguard.runbooks.model import PythonStep
from dynaguard.runbooks.reading import read_runbook

Changed = Callable[..., dict[str, Any]]


def _problems(source: Any) -> list[str]:
    with pytest.raises(PolicySyntaxError) as caught:
        read_runbook(source)
    return [f"{each.path}: {each.message}" for each in caught.value.problems]


def test_white_space_and_comments_do_not_change_the_hash(orders_text: str, tmp_path: Path) -> None:
    """What counts is what the document says."""
    (tmp_path / "a.toml").write_text(orders_text)
    (tmp_path / "b.toml").write_text(
        "# a comment\n\n" + orders_text.replace("\nname = ", "\nname   =   ")
    )

    assert read_runbook(tmp_path / "a.toml").sha256 == read_runbook(tmp_path / "b.toml").sha256


def test_what_is_said_changes_the_hash(changed: Changed) -> None:
    """Any value of the document is in the hash."""
    assert read_runbook(changed()).sha256 != read_runbook(changed(owner="team-b")).sha256


def test_yaml_json_and_mappings_are_the_same_document(
    changed: Changed, orders_text: str, tmp_path: Path
) -> None:
    """The format does not change the hash."""
    import json

    import yaml

    (tmp_path / "a.toml").write_text(orders_text)
    (tmp_path / "a.yaml").write_text(yaml.safe_dump(changed(), sort_keys=False))
    (tmp_path / "a.json").write_text(json.dumps(changed()))

    sources = [tmp_path / "a.toml", tmp_path / "a.yaml", tmp_path / "a.json", changed()]

    assert len({read_runbook(source).sha256 for source in sources}) == 1


PYTHON = """\
RUNBOOK = {
    "runbook": 1, "name": "fix", "purpose": "p", "owner": "o",
    "step": [{
        "name": "go",
        "python": ":go",
        "calls": [{
            "call": "dynamodb:GetItem",
            "params": {"TableName": "t", "Key": {"id": {"$any": "key"}}},
        }],
    }],
}

def go(context):
    return 1
"""


def test_a_python_runbook_is_executed_for_its_mapping(tmp_path: Path) -> None:
    """Its function stands in the file itself, which is in the hash as it is."""
    (tmp_path / "fix.py").write_text(PYTHON)
    runbook = read_runbook(tmp_path / "fix.py")
    (tmp_path / "fix.py").write_text(PYTHON.replace("return 1", "return 2"))

    step = runbook.steps[0].action

    assert isinstance(step, PythonStep)
    assert step.target == ":go"
    assert read_runbook(tmp_path / "fix.py").sha256 != runbook.sha256


def test_a_python_runbook_that_fails_is_refused_with_the_line(tmp_path: Path) -> None:
    """The error names the kind of failure and the line, not what it says."""
    (tmp_path / "fix.py").write_text("x = 1\nraise OSError('hunter2')\n")

    with pytest.raises(PolicySyntaxError) as caught:
        read_runbook(tmp_path / "fix.py")

    assert str(caught.value) == f"{tmp_path / 'fix.py'}:2: the file fails (OSError)"


def test_a_python_step_of_a_document_stands_in_a_file_beside_it(
    orders_text: str, tmp_path: Path
) -> None:
    """Its file is in the hash; one that is not there is told."""
    (tmp_path / "a.toml").write_text(
        orders_text + '\n[[step]]\nname = "go"\npython = "tools.fix:go"\n'
    )
    told = _problems(tmp_path / "a.toml")
    (tmp_path / "tools").mkdir()
    (tmp_path / "tools/fix.py").write_text("def go(context): ...")
    before = read_runbook(tmp_path / "a.toml").sha256
    (tmp_path / "tools/fix.py").write_text("def go(context): return 1")

    assert told == ["step[3].python: there is no file `tools/fix.py` beside it"]
    assert read_runbook(tmp_path / "a.toml").sha256 != before


def test_an_empty_file_is_told_what_it_should_hold(tmp_path: Path) -> None:
    """Not what a policy would hold."""
    (tmp_path / "a.toml").write_text("\n")

    assert "`runbook = 1`" in _problems(tmp_path / "a.toml")[0]


_JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=8),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(
                "$param $item $result call params check loop over name step of python calls "
                "approval pause at_most metric TableName Key".split()
            ),
            inner,
            max_size=4,
        )
    ),
    max_leaves=12,
)


@given(step=_JSON, parameters=_JSON)
def test_nonsense_is_refused_and_never_breaks(step: Any, parameters: Any) -> None:
    """Whatever stands in steps and parameters, the answer is a model or a list of problems."""
    head = {"runbook": 1, "name": "n", "purpose": "p", "owner": "o"}
    try:
        runbook = read_runbook({**head, "step": step, "parameters": parameters})
    except PolicySyntaxError as err:
        told = len(err.problems)
    else:
        told = len(runbook.sha256)

    assert told
