"""`dynaguard key-hash`: from a suspected key to the hash that figures show."""

from __future__ import annotations

import json

import pytest
from click.testing import CliRunner

import dynaguard
from dynaguard.cli.commands import cli

KEY = "a mask key of enough characters"


@pytest.fixture
def mask_key(monkeypatch: pytest.MonkeyPatch) -> None:
    """The environment of the fleet."""
    monkeypatch.setenv("DYNAGUARD_MASK_KEY", KEY)


def test_it_is_the_hash_of_the_process(mask_key: None) -> None:
    """Which has the same mask key."""
    dynaguard.install(key_statistics=True)

    result = CliRunner().invoke(cli, ["key-hash", "orders"], input="customer#1\ncustomer#2\n")

    assert result.output.splitlines() == [
        dynaguard.key_hash("orders", "customer#1"),
        dynaguard.key_hash("orders", "customer#2"),
    ]


def test_numbers_are_compared_as_dynamodb_does(mask_key: None) -> None:
    """However they are written."""
    arguments = ["key-hash", "orders", "--type", "N", "--output", "json"]

    found = json.loads(CliRunner().invoke(cli, arguments, input="17\n17.0\n").output)

    assert found["table"] == "orders"
    assert found["hashes"][0] == found["hashes"][1]


def test_what_is_no_number_is_refused_without_showing_it(mask_key: None) -> None:
    """By its line."""
    arguments = ["key-hash", "orders", "--type", "N"]

    result = CliRunner().invoke(cli, arguments, input="17\nCANARY\n")

    assert result.exit_code == 2
    assert "line 2 is no number" in result.output
    assert "CANARY" not in result.output


def test_without_a_mask_key_it_says_what_to_do() -> None:
    """A process without one keeps its secret."""
    result = CliRunner().invoke(cli, ["key-hash", "orders"], input="a\n")

    assert result.exit_code == 2
    assert "DYNAGUARD_MASK_KEY" in result.output
