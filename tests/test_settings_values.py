"""What a setting takes, and what is said about a value that does not fit."""

from __future__ import annotations

from datetime import date
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dynaguard.errors import ConfigurationError
from dynaguard.settings import SETTINGS, Settings, resolve_settings
from tests.settings_cases import KEY, problems, resolve


@pytest.mark.parametrize("text", ["1", "true", "yes", "on", "TRUE", "Yes", " oN "])
def test_a_switch_is_on(text: str) -> None:
    """Any case."""
    assert resolve(environ={"DYNAGUARD_DISABLED": text}).settings.disabled is True


@pytest.mark.parametrize("text", ["0", "false", "no", "off", "FALSE", "No", " ofF "])
def test_a_switch_is_off(text: str) -> None:
    """Any case."""
    assert resolve(environ={"DYNAGUARD_STAMP": text}).settings.stamp is False


@pytest.mark.parametrize(
    ("source", "value", "expected"),
    [
        ("conf/policy.toml", "audit.jsonl", "conf/audit.jsonl"),
        ("conf/policy.toml", "/var/audit.jsonl", "/var/audit.jsonl"),
        ("conf/policy.toml", "STDOUT", "stdout"),
        ("conf/policy.toml", "off", "off"),
        ("policy.toml", "audit.jsonl", "audit.jsonl"),
        ("<policy>", "audit.jsonl", "audit.jsonl"),
        ("", "audit.jsonl", "audit.jsonl"),
    ],
)
def test_a_documents_path_starts_at_its_folder(source: str, value: str, expected: str) -> None:
    """The names of sinks are no paths; a document that is no file has no folder."""
    assert resolve(document={"audit": value}, source=source).settings.audit == expected


def test_paths_may_be_path_objects() -> None:
    """`audit` is kept as text, since it may be a name as well."""
    settings = resolve({"audit": Path("a.jsonl"), "mask_key_file": Path("key")}).settings

    assert (settings.audit, settings.mask_key_file) == ("a.jsonl", Path("key"))


def test_false_is_no_choice_that_has_no_off() -> None:
    """Only where `off` is one."""
    (line,) = problems(document={"on_error": False})

    assert line.endswith("one of `deny`, `allow` is needed, not true or false")


@pytest.mark.parametrize("name", ["mode", "audit", "identity_lookup"])
def test_yaml_s_bare_off_is_off(name: str) -> None:
    """YAML 1.1 reads `mode: off` as false."""
    assert getattr(resolve(document={name: False}).settings, name) == "off"


def test_a_correlation_id_is_kept_as_it_is_stamped() -> None:
    """What a header cannot carry is replaced; 64 characters at most."""
    found = resolve({"correlation_id": "INC 4711 " + "x" * 80})

    assert found.settings.correlation_id == ("INC-4711-" + "x" * 80)[:64]


@pytest.mark.parametrize(
    "arn",
    [
        "arn:aws:iam::123456789012:role/team/etl",
        "arn:aws-us-gov:sts::123456789012:assumed-role/etl/run",
        "arn:aws:lambda:eu-west-1:123456789012:function:nightly",
        f"arn:aws:iam::123456789012:role/{'p' * 500}/etl",
        "the arn of nobody",
    ],
)
def test_an_identity_is_a_label_or_an_arn(arn: str) -> None:
    """An ARN has all of its parts."""
    assert resolve({"identity": arn}).settings.identity == arn


BAD_VALUES: list[tuple[str, object, str]] = [
    (
        "mode",
        "enfroce",
        "`enfroce` is unknown, it must be one of `enforce`, `observe`, `off`, did you mean `enf",
    ),
    (
        "priority",
        "???",
        "`???` is unknown, it must be one of `interactive`, `batch`, `background`",
    ),
    ("on_error", 3, "one of `deny`, `allow` is needed, not a number"),
    ("on_error", False, "one of `deny`, `allow` is needed, not true or false"),
    ("mode", "x\n" * 40, f"`{'x?' * 20}...` is unknown, it must be one of "),
    ("stamp", "off", "true or false is needed, not text of 3 characters"),
    ("stamp", 1, "true or false is needed, not a number"),
    ("job", "", "1 to 256 printable characters are needed, not text of 0 characters"),
    ("job", "x" * 257, "1 to 256 printable characters are needed, not text of 257 characters"),
    (
        "job",
        "two\nlines",
        "1 to 256 printable characters are needed, not text of 9 characters, some of which",
    ),
    ("job", ["nightly"], "text is needed, not a list"),
    ("job", b"nightly", "text is needed, not bytes"),
    ("job", {"name": "nightly"}, "text is needed, not a table"),
    ("job", date(2026, 1, 1), "text is needed, not a `date`"),
    (
        "account_id",
        12345678901,
        "twelve digits are needed as text, not a number, put it in quotes",
    ),
    ("account_id", True, "text of twelve digits is needed, not true or false"),
    ("account_id", "12345", "twelve digits are needed, not text of 5 characters"),
    ("account_id", "\u0661" * 12, "twelve digits are needed, not text of 12 characters"),
    (
        "identity",
        "arn:aws:iam::*:role/etl",
        "`arn:aws:iam::*:role/etl` is no ARN of one identity, such as `arn:aws:iam::1234567890",
    ),
    ("identity", "arn:aws:iam::123456789012:role/*", "`arn:aws:iam::123456789012:role/*` is no"),
    (
        "identity",
        "arn:aws:iam::123456789012:role/e tl",
        "`arn:aws:iam::123456789012:role/e tl` is",
    ),
    ("identity", f"arn:aws:iam::123456789012:role/{'p' * 2048}", "`arn:aws:iam::123456789012:rol"),
    ("audit", 3, "a path is needed, not a number"),
    ("audit", "", "a path is needed, not empty text"),
    ("audit", "a\0b", "a path is needed, not unprintable text"),
]


@pytest.mark.parametrize(("name", "value", "expected"), BAD_VALUES)
def test_a_bad_argument_is_named_with_what_is_needed(
    name: str, value: object, expected: str
) -> None:
    """One line: the argument, and what would fit."""
    (line,) = problems({name: value})

    assert line.startswith(f"argument `{name}`: {expected}")


@pytest.mark.parametrize(
    ("name", "value", "expected"),
    # Nothing at all is a value in a document; false is one of them: `off`, where that is a choice.
    [*(row for row in BAD_VALUES if row[1] is not False), ("job", None, "text is needed, not no")],
)
def test_a_bad_entry_is_named_with_file_and_line(name: str, value: object, expected: str) -> None:
    """As problems of the policy itself are."""
    (line,) = problems(document={name: value}, lines={name: 7})

    assert line.startswith(f"conf/policy.toml:7: settings.{name}: {expected}")


@pytest.mark.parametrize(
    ("name", "text", "expected"),
    [
        ("MODE", "observ", "did you mean `observe`?"),
        ("STAMP", "maybe", "`maybe` is no switch, it must be `on` or `off`"),
        ("ACCOUNT_ID", "1234567890123", "twelve digits are needed, not text of 13 characters"),
        ("JOB", "", "empty, unset it or give it a value"),
        ("MASK_KEY", "  ", "empty, unset it or give it a value"),
        ("MASK_KEY", "short", "at least 16 characters are needed, not 5"),
    ],
)
def test_a_bad_variable_is_named(name: str, text: str, expected: str) -> None:
    """An empty one too: passing it over could drop a guard unseen."""
    (line,) = problems(environ={f"DYNAGUARD_{name}": text})

    assert line.startswith(f"DYNAGUARD_{name}: ")
    assert line.endswith(expected)


@pytest.mark.parametrize("name", ["policy", "mask_key", "mask_key_file", "disabled", "scope"])
def test_a_document_may_not_give_everything(name: str) -> None:
    """No secrets, no other policy, no kill switch; the error names the variable."""
    (line,) = problems(document={name: KEY})

    assert line == (
        f"conf/policy.toml: settings.{name}: may not stand in a document, "
        f"set DYNAGUARD_{name.upper()}"
    )


@pytest.mark.parametrize(
    ("name", "guess"),
    [
        ("DYNAGUARD_POLCY", "did you mean `DYNAGUARD_POLICY`?"),
        ("DYNAGUARD_AUDITMODE", "did you mean `DYNAGUARD_AUDIT_MODE`?"),
        ("dynaguard_mode", "did you mean `DYNAGUARD_MODE`?"),
        ("DYNAGUARD_QQQ", "unset it"),
        ("DYNAGUARD_", "unset it"),
    ],
)
def test_an_unknown_variable_is_an_error_with_the_nearest_name(name: str, guess: str) -> None:
    """A misspelt variable would be a hole."""
    assert problems(environ={name: "off"}) == [f"{name}: unknown variable, {guess}"]


def test_variables_of_others_are_left_alone() -> None:
    """Only the prefix with its underscore is dynaguard's."""
    assert resolve(environ={"DYNAGUARDIAN": "x", "MODE": "off"}).settings == Settings()


def test_unknown_names_are_errors_in_arguments_and_documents() -> None:
    """Each with the nearest name that is valid there, or with all of them."""
    assert problems({"modes": "off"}) == [
        "argument `modes`: unknown setting, did you mean `mode`?"
    ]
    (line,) = problems({"disabled": True})
    assert line.startswith("argument `disabled`: unknown setting")
    (line,) = problems(document={"mask_keys": 1})
    assert line.endswith("settings.mask_keys: unknown setting, did you mean `mask`?")
    (line,) = problems(document={"zzz": 1}, source="")
    assert line.startswith("<policy>: settings.zzz: unknown setting, it must be one of mode, ")
    assert "mask_key" not in line


def test_all_problems_are_told_at_once_without_secrets() -> None:
    """One line each, in the order of the sources, overridden values included."""
    lines = problems(
        {"mode": "enfroce", "mask_key": "tiny-secret"},
        {"DYNAGUARD_MODE": "offf", "DYNAGUARD_MASK_KEY": "small-secret"},
        {"mode": "obs", "mask_key": KEY},
    )

    assert [line.split(":")[0] for line in lines] == [
        "argument `mode`",
        "argument `mask_key`",
        "DYNAGUARD_MODE",
        "DYNAGUARD_MASK_KEY",
        "conf/policy.toml",
        "conf/policy.toml",
    ]
    text = "\n".join(lines)
    assert not any(secret in text for secret in ("tiny-secret", "small-secret", KEY))


ANYTHING = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(),
    st.floats(),
    st.text(),
    st.binary(),
    st.lists(st.text(), max_size=2),
    st.dictionaries(st.text(), st.text(), max_size=2),
)
SOME_NAME = st.one_of(st.sampled_from([row.name for row in SETTINGS]), st.text())


@given(
    st.dictionaries(SOME_NAME, ANYTHING, max_size=4),
    st.dictionaries(
        SOME_NAME.map(lambda name: f"DYNAGUARD_{name.upper()}"), st.text(), max_size=4
    ),
    st.dictionaries(SOME_NAME, ANYTHING, max_size=4),
)
def test_whatever_is_given_there_are_settings_or_one_error(
    arguments: dict[str, object], environ: dict[str, str], document: dict[str, object]
) -> None:
    """No value makes it fail otherwise, and no secret value stands in the error."""
    message = ""
    try:
        resolve(arguments, {**environ, "DYNAGUARD_MASK_KEY": KEY}, document)
    except ConfigurationError as err:
        message = str(err)

    assert KEY not in message


@pytest.mark.parametrize("value", ["http://redis", "", 7, "redis://\n"])
def test_a_coordinator_is_a_url_of_redis_and_is_never_shown(value: Any) -> None:
    """It may hold a password."""
    with pytest.raises(ConfigurationError) as caught:
        resolve_settings({"coordinator": value}, {}, {})
    assert "redis://" in str(caught.value)
    assert "http" not in str(caught.value)


def test_a_coordinator_may_be_an_object_that_answers() -> None:
    """Whatever shares rates in its own way."""

    class Mine:
        def ask(self, errand: Any) -> Any:
            return errand

    mine = Mine()
    assert resolve_settings({"coordinator": mine}, {}, {}).settings.coordinator is mine
