"""The files of the service tables, and the templates in them."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from importlib.resources import files
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from dynaguard.aws.arns import Place
from dynaguard.aws.table import VERBS, operations_of
from dynaguard.aws.table.templates import read_template
from dynaguard.call import UNKNOWN_RUN

REGION, ACCOUNT = "eu-west-1", "111122223333"
MAX_BYTES = 400_000

NAMES = st.text(st.sampled_from("ab/:*?{}[]| é\n1"), max_size=6)


@given(name=NAMES, folder=NAMES)
def test_a_name_never_changes_the_shape_of_the_arn(name: str, folder: str) -> None:
    """What is filled in holds no separator that would make another resource of it."""
    template = read_template("thing/{Folder}/{Name}", call_prefix="svc")

    [found] = template.fill({"Folder": folder, "Name": name}, Place("aws", REGION, ACCOUNT))

    head, _, resource = found.rpartition(":")
    assert head == f"arn:aws:svc:{REGION}:{ACCOUNT}"
    thing, inner, last = resource.split("/", 2)
    assert thing == "thing"
    assert inner in (folder, UNKNOWN_RUN)
    assert last in (name, UNKNOWN_RUN)


def test_words_stand_for_operations() -> None:
    """Verbs by letter, nouns by comma, anything else as it is."""
    assert list(operations_of("CD:Thing,Other RunTask")) == [
        "CreateThing",
        "DeleteThing",
        "CreateOther",
        "DeleteOther",
        "RunTask",
    ]


def tables() -> Iterator[tuple[str, dict[str, Any]]]:
    """Every table as it stands in its file."""
    for file in files("dynaguard.aws.table").iterdir():
        if file.name.endswith(".json"):
            yield file.name, json.loads(file.read_text(encoding="utf-8"))


def test_tables_are_whole() -> None:
    """Every number names a resource and no operation stands twice."""
    for name, table in tables():
        listed = [one for words in table["operations"].values() for one in operations_of(words)]
        numbers = {
            part.rstrip("?")
            for asked in table["operations"]
            for text in asked.split()
            for part in text.split("|")
        } - {"", "*", "!"}

        assert len(listed) == len(set(listed)), name
        assert {int(number) for number in numbers} == set(range(len(table["resources"]))), name


def test_tables_are_small() -> None:
    """They travel with every installation, a Lambda function's too."""
    sizes = [
        len(file.read_bytes())
        for file in files("dynaguard.aws.table").iterdir()
        if file.name.endswith(".json")
    ]

    assert sum(sizes) < MAX_BYTES


def test_letters_stand_for_one_verb_each() -> None:
    """A word with a colon can be read in one way."""
    assert len(set(VERBS.values())) == len(VERBS)
    assert all(len(letter) == 1 for letter in VERBS)


def test_no_table_is_read_before_a_call_of_its_service() -> None:
    """Neither at import nor for DynamoDB."""
    code = (
        "import sys, dynaguard, dynaguard.aws.analysis\n"
        "assert 'dynaguard.aws.table' not in sys.modules\n"
        "from dynaguard.aws.table import table_of\n"
        "assert table_of.cache_info().currsize == 0\n"
    )

    subprocess.run([sys.executable, "-c", code], check=True)
