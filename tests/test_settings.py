"""Where each setting's value comes from: the table, precedence, the policy file."""

from __future__ import annotations

import dataclasses
import os
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dynaguard.errors import ConfigurationError
from dynaguard.scope import Priority
from dynaguard.settings import SETTINGS, FoundPolicy, Kind, Mode, Setting, Settings, find_policy
from dynaguard.settings.carried import CarriedScope
from dynaguard.settings.page import settings_markdown
from tests.settings_cases import KEY, problems, resolve

# A valid value of each setting that differs from its default, as an argument and in a variable.
OTHER_VALUES: list[tuple[str, Any, str, Any]] = [
    ("policy", "p.toml", "p.toml", Path("p.toml")),
    ("policy_verify_key_file", "policy.pem", "policy.pem", Path("policy.pem")),
    ("mode", "observe", "observe", Mode.OBSERVE),
    ("on_error", "allow", "allow", "allow"),
    ("audit", "stdout", "stdout", "stdout"),
    ("audit_mode", "required", "required", "required"),
    ("audit_fsync", "interval", "interval", "interval"),
    ("audit_max_bytes", 1_000_000, "1000000", 1_000_000),
    ("audit_sign_key_file", "audit.pem", "audit.pem", Path("audit.pem")),
    ("audit_logs", True, "on", True),
    ("account_id", "012345678901", "012345678901", "012345678901"),
    ("identity", "etl", "etl", "etl"),
    ("identity_lookup", "sts", "sts", "sts"),
    ("owner", "team-orders", "team-orders", "team-orders"),
    ("key_schema_lookup", "describe-table", "describe-table", "describe-table"),
    ("service", "orders", "orders", "orders"),
    ("environment", "prod", "prod", "prod"),
    ("runbook", "failover", "failover", "failover"),
    ("job", "nightly", "nightly", "nightly"),
    ("run_id", "7", "7", "7"),
    ("stage", "load", "load", "load"),
    ("priority", "background", "background", Priority.BACKGROUND),
    ("correlation_id", "INC-4711", "INC-4711", "INC-4711"),
    ("scope", None, '{"v":1,"task":"t-1","boundaries":[]}', CarriedScope(task="t-1")),
    ("surroundings", False, "off", False),
    ("stamp", False, "off", False),
    ("stamp_scope", False, "no", False),
    ("mask", False, "0", False),
    ("mask_key", KEY, KEY, KEY),
    ("mask_key_file", "key", "key", Path("key")),
    ("cursor_max_age_s", 90.5, "90.5", 90.5),
    ("budget", False, "No", False),
    ("coordinator", "redis://r/0", "redis://r/0", "redis://r/0"),
    ("consumed_capacity", "indexes", "indexes", "indexes"),
    ("key_statistics", True, "on", True),
    ("query_warnings", True, "on", True),
    ("access_store", "a.sqlite", "a.sqlite", "a.sqlite"),
    ("access_verify_key_file", "access.pem", "access.pem", Path("access.pem")),
    ("access_max_age_s", 5, "5", 5.0),
    ("access_max_duration_s", 3600, "3600", 3600.0),
    ("approval_wait_s", 120, "120", 120.0),
    ("approval_webhooks", "hooks.toml", "hooks.toml", Path("hooks.toml")),
    ("fast_parse", False, "off", False),
    ("disabled", True, "1", True),
]
BY_ARGUMENT = [row for row in OTHER_VALUES if row[0] not in {"disabled", "scope"}]
BY_DOCUMENT = [
    row
    for row in OTHER_VALUES
    if row[0]
    not in {
        "policy",
        "policy_verify_key_file",
        "audit_sign_key_file",
        "mask_key",
        "mask_key_file",
        "approval_webhooks",
        "coordinator",
        "disabled",
        "scope",
    }
]


# --- the table ---------------------------------------------------------------------------------


def test_the_table_has_every_field_once_in_order() -> None:
    """What is not in the table would have neither a variable nor a line in the docs."""
    assert [row.name for row in SETTINGS] == [row.name for row in dataclasses.fields(Settings)]
    assert [row[0] for row in OTHER_VALUES] == [row.name for row in SETTINGS]


@pytest.mark.parametrize("row", SETTINGS, ids=lambda row: row.name)
def test_a_row_agrees_with_the_field(row: Setting) -> None:
    """Default, variable, choices and meaning are there and fit together."""
    assert row.default == getattr(Settings(), row.name)
    assert row.env == f"DYNAGUARD_{row.name.upper()}"
    assert bool(row.choices) is (row.kind is Kind.CHOICE)
    assert not row.choices or row.default in row.choices
    assert row.doc.endswith(".")


def test_the_docs_table_has_a_line_for_every_setting() -> None:
    """Name, variable, choices, default, meaning."""
    head, rule, *lines = settings_markdown().splitlines()

    assert head.count("|") == rule.count("|") == 7
    assert [line.split("`")[1] for line in lines] == [row.name for row in SETTINGS]
    assert all(line.count("|") == 7 for line in lines)
    mode = next(line for line in lines if line.startswith("| `mode`"))
    assert "`enforce`, `observe`, `off` | `enforce` | yes" in mode
    stamp = next(line for line in lines if line.startswith("| `stamp`"))
    assert "`on` or `off` | `on` | yes" in stamp
    key = next(line for line in lines if line.startswith("| `mask_key` "))
    assert "| none | no |" in key
    assert "| `off` | no | Switches everything off" in lines[-1]


def test_a_secret_is_in_no_repr() -> None:
    """Settings are printed and logged; the key of masks is not."""
    found = resolve({"mask_key": KEY})

    assert KEY not in repr(found)
    assert found.settings.mask_key == KEY


def test_importing_reads_no_environment() -> None:
    """A bad variable is an error of `install()`, not of `import`."""
    done = subprocess.run(
        [sys.executable, "-c", "import dynaguard.settings"],
        env={**os.environ, "DYNAGUARD_MODE": "nonsense", "DYNAGUARD_NO_SUCH": "1"},
        capture_output=True,
        text=True,
        check=False,
    )

    assert (done.returncode, done.stderr) == (0, "")


# --- precedence --------------------------------------------------------------------------------


def test_nothing_given_is_the_defaults() -> None:
    """Each setting says that it is a default."""
    found = resolve({"mode": None})

    assert found.settings == Settings()
    assert set(found.source_by_name.values()) == {"default"}
    assert list(found.source_by_name) == [row.name for row in SETTINGS]


@pytest.mark.parametrize(("name", "value", "_text", "expected"), BY_ARGUMENT)
def test_an_argument_gives_its_setting(
    name: str, value: object, _text: str, expected: object
) -> None:
    """Every setting is an argument, but `disabled` and `scope`."""
    found = resolve({name: value})

    assert getattr(found.settings, name) == expected
    assert type(getattr(found.settings, name)) is type(expected)
    assert found.source_by_name[name] == "argument"


@pytest.mark.parametrize(("name", "_value", "text", "expected"), OTHER_VALUES)
def test_a_variable_gives_its_setting(
    name: str, _value: object, text: str, expected: object
) -> None:
    """White space around the value does not count."""
    found = resolve(environ={f"DYNAGUARD_{name.upper()}": f" {text}\n"})

    assert getattr(found.settings, name) == expected
    assert found.source_by_name[name] == "environment"


@pytest.mark.parametrize(("name", "value", "_text", "expected"), BY_DOCUMENT)
def test_a_document_gives_its_setting(
    name: str, value: object, _text: str, expected: object
) -> None:
    """As `[settings]` of TOML, JSON or YAML has it."""
    found = resolve(document={name: value}, source="policy.toml")

    assert getattr(found.settings, name) == expected
    assert found.source_by_name[name] == "document"


ALL_SOURCES = st.fixed_dictionaries(
    {},
    optional={
        "argument": st.sampled_from(["a", "b"]),
        "environment": st.sampled_from(["c", "d"]),
        "document": st.sampled_from(["e", "f"]),
    },
)


@given(st.sampled_from(["service", "job", "stage", "run_id", "runbook"]), ALL_SOURCES)
def test_the_strongest_source_wins(name: str, value_by_source: Mapping[str, str]) -> None:
    """Argument > environment > document > default, for whichever of them are given."""
    found = resolve(
        {name: value_by_source.get("argument")},
        {f"DYNAGUARD_{name.upper()}": value_by_source["environment"]}
        if "environment" in value_by_source
        else {},
        {name: value_by_source["document"]} if "document" in value_by_source else {},
    )

    order = ("argument", "environment", "document")
    strongest = next((source for source in order if source in value_by_source), "default")
    assert found.source_by_name[name] == strongest
    assert getattr(found.settings, name) == value_by_source.get(strongest)


def test_off_and_disabled_are_two_switches() -> None:
    """An argument overrides DYNAGUARD_MODE, none overrides DYNAGUARD_DISABLED."""
    by_mode = resolve({"mode": "enforce"}, {"DYNAGUARD_MODE": "off"}).settings
    by_switch = resolve({"mode": "enforce"}, {"DYNAGUARD_DISABLED": "yes"}).settings

    assert (by_mode.mode, by_mode.disabled) == (Mode.ENFORCE, False)
    assert (by_switch.mode, by_switch.disabled) == (Mode.ENFORCE, True)


@pytest.mark.parametrize(
    ("environ", "document", "service", "source"),
    [
        ({"OTEL_SERVICE_NAME": "otel", "POWERTOOLS_SERVICE_NAME": "p"}, {}, "otel", "environment"),
        (
            {"POWERTOOLS_SERVICE_NAME": "p", "AWS_LAMBDA_FUNCTION_NAME": "f"},
            {},
            "p",
            "environment",
        ),
        ({"AWS_LAMBDA_FUNCTION_NAME": " f "}, {}, "f", "environment"),
        ({"OTEL_SERVICE_NAME": "", "AWS_LAMBDA_FUNCTION_NAME": "f"}, {}, "f", "environment"),
        ({"OTEL_SERVICE_NAME": "two\nlines"}, {}, None, "default"),
        ({"OTEL_SERVICE_NAME": "x" * 257}, {}, None, "default"),
        ({"OTEL_SERVICE_NAME": "otel"}, {"service": "own"}, "own", "document"),
        ({"OTEL_SERVICE_NAME": "otel", "DYNAGUARD_SERVICE": "own"}, {}, "own", "environment"),
    ],
)
def test_the_service_falls_back_to_what_others_call_it(
    environ: dict[str, str], document: dict[str, object], service: str | None, source: str
) -> None:
    """Only where dynaguard was told nothing; what does not fit a record is passed over."""
    found = resolve({}, environ, document)

    assert found.settings.service == service
    assert found.source_by_name["service"] == source


@pytest.mark.parametrize(
    ("arguments", "environ", "kept"),
    [
        ({"mask_key": KEY}, {"DYNAGUARD_MASK_KEY_FILE": "key"}, "mask_key"),
        ({"mask_key_file": "key"}, {"DYNAGUARD_MASK_KEY": KEY}, "mask_key_file"),
    ],
)
def test_key_and_key_file_follow_precedence(
    arguments: dict[str, object], environ: dict[str, str], kept: str
) -> None:
    """A key by argument overrides a key file by variable, and the other way round."""
    found = resolve(arguments, environ)

    given = {name for name in ("mask_key", "mask_key_file") if getattr(found.settings, name)}
    assert given == {kept}
    assert found.source_by_name[kept] == "argument"
    assert sorted(found.source_by_name.values()).count("default") == len(SETTINGS) - 1


def test_key_and_key_file_by_the_same_source_is_an_error() -> None:
    """Which of them was meant cannot be known."""
    lines = problems({}, {"DYNAGUARD_MASK_KEY": KEY, "DYNAGUARD_MASK_KEY_FILE": "key"})

    assert lines == [
        "environment: `mask_key` and `mask_key_file` are both given, keep one of them"
    ]


# --- the policy file ---------------------------------------------------------------------------


def test_the_policy_is_named_by_argument_then_variable_then_folder(tmp_path: Path) -> None:
    """The first that names one, and who did."""
    environ = {"DYNAGUARD_POLICY": " by/env.toml "}
    (tmp_path / "dynaguard.toml").write_text("")

    assert find_policy("arg.toml", environ, tmp_path) == FoundPolicy(Path("arg.toml"), "argument")
    assert find_policy(None, environ, tmp_path) == FoundPolicy(Path("by/env.toml"), "environment")
    assert find_policy(None, {}, tmp_path) == FoundPolicy(
        tmp_path / "dynaguard.toml", "working directory"
    )


def test_parents_of_the_working_directory_are_not_looked_at(tmp_path: Path) -> None:
    """Which policy guards a process must not depend on what lies above."""
    (tmp_path / "dynaguard.toml").write_text("")
    below = tmp_path / "below"
    below.mkdir()

    assert find_policy(None, {}, below) is None


def test_a_broken_link_counts_as_a_policy(tmp_path: Path) -> None:
    """Loading then tells that it cannot be read, rather than nothing being guarded."""
    (tmp_path / "dynaguard.toml").symlink_to(tmp_path / "gone.toml")

    assert find_policy(None, {}, tmp_path) is not None


@pytest.mark.parametrize(
    ("given_policy", "environ", "message"),
    [
        ("", {}, "argument `policy`: a path is needed, not empty text"),
        (3, {}, "argument `policy`: a path is needed, not a number"),
        (None, {"DYNAGUARD_POLICY": " "}, "DYNAGUARD_POLICY: a path is needed, not empty text"),
    ],
)
def test_a_policy_that_is_no_path_is_an_error(
    given_policy: Any, environ: dict[str, str], message: str, tmp_path: Path
) -> None:
    """An empty variable does not mean no policy."""
    with pytest.raises(ConfigurationError) as caught:
        find_policy(given_policy, environ, tmp_path)

    assert str(caught.value) == message


def test_a_found_policy_stands_for_its_path(tmp_path: Path) -> None:
    """Wherever a path is taken."""
    path = tmp_path / "dynaguard.toml"
    path.write_text("version = 1")
    found = FoundPolicy(path, "argument")

    assert Path(found) == path
    assert str(found) == str(path)
    assert Path(os.fspath(found)).read_text() == "version = 1"
