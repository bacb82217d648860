"""Documents that are not loaded: every problem with its place and a way out, whatever the text."""

from __future__ import annotations

import contextlib
import os
import tempfile
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dynaguard.errors import PolicySyntaxError
from dynaguard.policy.loading import load_policy
from tests.policy.policy_texts import DESIGN_EXAMPLE, HEAD, problems_of, write

__all__ = ["write"]  # the fixture


STATEMENT = '[[statement]]\nEffect = "Allow"\nAction = "dynamodb:GetItem"\nResource = "*"\n'
# (text after version and default, line, fragment of the message)
BAD_TOML = [
    ("gover = []\n", 3, "did you mean `govern`"),
    ("govern = [3]\n", 3, "must be text"),
    ('govern = ["Dynamo DB"]\n', 3, "no IAM service prefix"),
    ('govern = [""]\n', 3, "is empty"),
    ("revision = 1.5\n", 3, "must be text"),
    ("policies = []\n[variables]\nx = 3\n", 5, "must be text or a table"),
    ('policies = ["nothing/*.json"]\n', 3, "matches no file"),
    ('[variables]\nx = "a*b"\n', 4, "never brings in wildcards"),
    ('[variables]\n"x y" = "a"\n', 4, "no variable name"),
    ('[variables]\nx = { env = "NOT_SET" }\n', 4, "`NOT_SET` is not set"),
    ("[variables]\nx = { default = 'd' }\n", 4, "`env` is missing"),
    ("[variables]\nx = { env = 'X', defalt = 'd' }\n", 4, "did you mean `default`"),
    ('[variables]\nstage = "a"\n[context]\n"aws:x" = "${stag}"\n', 6, "did you mean `stage`"),
    ('groups = "x"\n', 3, "must be a table"),
    ('[groups]\nx = "role/etl"\n', 4, "no ARN pattern"),
    ("[groups]\nx = []\n", 4, "empty list"),
    ('[groups]\nx = "oidc:repository"\n', 4, "has no claim or no value"),
    ('[groups]\nx = "oidc:sub="\n', 4, "has no claim or no value"),
    ('[groups]\nx = "oidc:=acme"\n', 4, "has no claim or no value"),
    ('[groups]\nx = "sso:role"\n', 4, "has no claim or no value"),
    ('[groups]\nx = "sso:rol=Data"\n', 4, "did you mean `sso:role`"),
    ('[groups]\nx = "sso:=Data"\n', 4, "is none of `sso:role`"),
    ('owners = "x"\n', 3, "must be a table"),
    ("[owners]\nx = []\n", 4, "empty list"),
    ("[owners]\nx = 3\n", 4, "must be text"),
    ('[owners]\nx = "role/etl"\n', 4, "no ARN pattern"),
    ('[owners]\n"" = "*"\n', 4, "1 to 256 characters"),
    ('[owners]\nx = { Grup = "a" }\n', 4, "did you mean `Group`"),
    ('[owners]\nx = { Group = "etl" }\n', 4, "unknown group `etl`, list its members"),
    ('[groups]\njobs = "*"\n[owners]\nx = { Group = "job" }\n', 6, "did you mean `jobs`"),
    ("[tables.orders]\n", 3, "`key` is missing"),
    ('[tables.orders]\nkey = ["a", "b", "c"]\n', 4, "one or two"),
    ('[tables]\norders = "pk"\n', 4, "must be a table"),
    ('[tables.o]\nkey = "a"\nkeys = 1\n', 5, "did you mean `key`"),
    ("[context]\nfoo = 1\n", 4, "no condition key"),
    ('[context]\n"aws:x" = { a = 1 }\n', 4, "must be text, number"),
    ("statement = 3\n", 3, "must be a list of tables"),
    ("statement = [3]\n", 3, "must be a table"),
    (STATEMENT + 'Efect = "x"\n', 7, "did you mean `Effect`"),
    (STATEMENT.replace("Effect", "effect"), 4, "did you mean `Effect`"),
    (STATEMENT.replace('Effect = "Allow"\n', ""), 3, "`Effect` is missing"),
    (STATEMENT.replace("Allow", "allow"), 4, "did you mean `Allow`"),
    (STATEMENT.replace("Allow", "RequireAproval"), 4, "did you mean `RequireApproval`"),
    (STATEMENT.replace('"Allow"', "true"), 4, "is a boolean"),
    (STATEMENT.replace('Action = "dynamodb:GetItem"\n', ""), 3, "`Action` is missing"),
    (STATEMENT + 'NotAction = "s3:*"\n', 3, "both `Action` and `NotAction`"),
    (STATEMENT.replace("dynamodb:GetItem", "dynamodb:Get Item"), 5, "no action"),
    (STATEMENT.replace("dynamodb:GetItem", "*:GetItem"), 5, "no action"),
    (STATEMENT.replace("dynamodb:GetItem", "GetItem,PutItem"), 5, "no action"),
    (STATEMENT.replace('"*"', '"table/orders"'), 6, "no ARN"),
    (STATEMENT.replace('"*"', '"arn:aws:sqs:*"'), 6, "no ARN"),
    (STATEMENT.replace('"*"', '"arn:aws:*:*:*:x"'), 6, "the service must be written out"),
    (STATEMENT.replace('"*"', '"arn:awz:dynamodb:*:*:table/x"'), 6, "no partition"),
    (STATEMENT.replace('"*"', '"arn:aws:dynamodb:*:12:table/x"'), 6, "no account"),
    (STATEMENT.replace('"*"', '"arn:aws:dynamodb:*:*:*/x"'), 6, "kind of resource"),
    (STATEMENT.replace('"*"', '"arn:aws:dynamodb:*:*:"'), 6, "resource is missing"),
    (STATEMENT.replace('"*"', "[]"), 6, "empty list"),
    (STATEMENT + "Sid = 3\n", 7, "printable text"),
    (STATEMENT + 'Sid = "A"\n' + STATEMENT + 'Sid = "A"\n', 12, "stands twice"),
    (STATEMENT + 'Mode = "obsrve"\n', 7, "did you mean `observe`"),
    (STATEMENT + 'Principal = "*"\nNotPrincipal = "*"\n', 3, "both `Principal`"),
    (STATEMENT + "Principal = {}\n", 7, "is empty"),
    (STATEMENT + 'Principal = { Grup = "x" }\n', 7, "did you mean `Group`"),
    (
        '[groups]\njobs = "*"\n' + STATEMENT + 'Principal = { Group = "job" }\n',
        9,
        "did you mean `jobs`",
    ),
    (STATEMENT + 'Condition = { StringEqual = { "aws:x" = "1" } }\n', 7, "`StringEquals`"),
    (STATEMENT + 'Condition = { "ForAllValues:Null" = { "aws:x" = "true" } }\n', 7, "neither"),
    (STATEMENT + 'Condition = { NullIfExists = { "aws:x" = "true" } }\n', 7, "neither"),
    (STATEMENT + 'Condition = { NumericEquals = { "aws:x" = "ten" } }\n', 7, "write a number"),
    (STATEMENT + 'Condition = { NumericEquals = { "aws:x" = inf } }\n', 7, "write a number"),
    (STATEMENT + 'Condition = { DateLessThan = { "aws:x" = "tomorrow" } }\n', 7, "a date"),
    (STATEMENT + 'Condition = { Bool = { "aws:x" = "yes" } }\n', 7, "`true` or `false`"),
    (STATEMENT + 'Condition = { IpAddress = { "aws:x" = "10.0.0.300" } }\n', 7, "IP address"),
    (STATEMENT + "Condition = { StringEquals = { nokey = 1 } }\n", 7, "no condition key"),
    (STATEMENT + 'Condition = { StringEquals = { "aws:x" = [] } }\n', 7, "empty list"),
    (STATEMENT + 'Condition = { StringEquals = { "aws:x" = {} } }\n', 7, "must be text, number"),
    (STATEMENT + 'Condition = { StringEquals = { "dynaguard:Jobb" = "x" } }\n', 7, "did you mean"),
    (
        STATEMENT + 'Condition = { StringEquals = { "dynamodb:Attributes" = "x" } }\n',
        7,
        "several values",
    ),
    (STATEMENT + "Condition = 3\n", 7, "must be a table"),
    ("[[mask]]\ntables = ['*']\n", 3, "`attributes` is missing"),
    ("[[mask]]\nattributes = ['a']\n", 3, "`tables` is missing"),
    ("[[mask]]\ntables = ['*']\nattributes = ['a']\nwith = 'drop'\n", 6, "would lose"),
    ("[[mask]]\ntables = ['*']\nattributes = ['a']\nwith = 'redct'\n", 6, "`redact`"),
    ("[[mask]]\ntables = ['*']\nattributes = ['a..b']\n", 5, "no attribute path"),
    ("[[mask]]\ntables = ['*']\nattributes = ['a[x]']\n", 5, "no attribute path"),
    ("[[mask]]\ntables = ['*']\nattributes = ['[0]']\n", 5, "no attribute path"),
    ("[[mask]]\ntables = ['*']\nattributes = ['a[0]b']\n", 5, "no attribute path"),
    ("[[mask]]\ntables = ['*']\nattributes = [['a', -3]]\n", 5, "no attribute path"),
    ("[[mask]]\ntables = ['*']\nattributes = [['a', true]]\n", 5, "no attribute path"),
    ("[[mask]]\ntables = ['*']\nattributes = [['[*]', 'a']]\n", 5, "no attribute path"),
    ("[[mask]]\ntables = ['*']\ndetect = 'e-mail'\n", 5, "did you mean `email`"),
    ("[[mask]]\ntables = ['*']\n", 3, "`attributes` is missing, or `detect`"),
    ("[[mask]]\nattributes = ['a']\n", 3, "`tables` is missing, or `services`"),
    ("[[mask]]\ntables = ['*']\nattributes = 'a'\nexcept = 'kms'\n", 6, "`services` only"),
    ("[[mask]]\ntables = ['*']\nattributes = 'a'\nunseal = '*'\n", 6, "tokenize"),
    ("[[mask]]\ntables = ['*']\nattributes = 'a'\nwith = 'custom:A'\n", 6, "is no name"),
    ("[[mask]]\ntables = ['*']\ndetect = 'custom:A'\n", 5, "is no name, write `custom:`"),
    (
        "[[mask]]\ntables = ['*']\nattributes = 'a'\noperations = 'Querry'\n",
        6,
        "did you mean `Query`",
    ),
    ("[[mask]]\nservices = '*'\nattributes = 'a'\n", 5, "does not go with `services`"),
    ("[[mask]]\nservices = '*'\nwith = 'drop'\n", 5, "would lose the attribute"),
    ("[detectors]\nemail = 'x'\n", 4, "is a detector already"),
    ("[detectors]\nMine = 'x'\n", 4, "small letters"),
    ("[detectors]\nmine = 7\n", 4, "must be a regular expression"),
    ("detectors = 5\n", 3, "must be a table"),
    ("[detectors]\nmine = '('\n", 4, "is no regular expression"),
    ("[detectors]\nmine = 'a*'\n", 4, "matches the empty text"),
    ("[[mask]]\ntables = ['*']\nattributes = []\n", 5, "empty list"),
    ("[[mask]]\ntables = ['*']\nattributes = ['a']\nkeep = -1\n", 6, "0 to 64"),
    ("[[mask]]\ntables = ['*']\nattributes = ['a']\nSid = 3\n", 6, "must be text"),
    ("[[budget]]\nretry_ratio = 2\n", 4, "at most 1"),
    ("[[budget]]\npriority = 'batsh'\n", 4, "did you mean `batch`"),
    ("[[budget]]\nmax_attempts = 1.5\n", 4, "a whole number from 1 to 1000"),
    ("[[budget]]\nmax_attempts = 0\n", 4, "a whole number from 1 to 1000"),
    ("[[budget]]\nmeasure_capacity = 'yes'\n", 4, "true or false"),
    ("[[budget]]\nmax_share = 1.5\n", 4, "more than 0 and at most 1"),
    ("[[budget]]\nmax_tokens = 0\n", 4, "more than 0"),
    ("[[budget]]\nmin_retries_per_s = true\n", 4, "must be a number"),
    ("[[budget]]\nMode = 'x'\n", 4, "must be one of"),
    ("[[budget]]\nretries = 3\n", 4, "unknown key `retries`"),
    ("[[capacity_limit]]\njob = 'a'\n", 3, "limits nothing, write `read_units`"),
    ("[[capacity_limit]]\nread_units = 0\n", 4, "more than 0"),
    ("[[capacity_limit]]\nwrite_units = '9'\n", 4, "must be a number"),
    ("[[capacity_limit]]\nread_units = 9\nsoft = 80\n", 5, "more than 0 and at most 1"),
    ("[[capacity_limit]]\nread_units = 9\ntables = []\n", 5, "empty list"),
    ("[[capacity_limit]]\nread_units = 9\nMode = 'x'\n", 5, "must be one of"),
    ("[[capacity_limit]]\nread_units = 9\nSid = 3\n", 5, "must be text"),
    ("[[capacity_limit]]\nread_unit = 9\n", 4, "did you mean `read_units`"),
    ("capacity_limit = 5\n", 3, "must be a list of tables"),
    ("settings = 3\n", 3, "must be a table"),
    ("x = \n", 3, "no valid TOML"),
    ("x = 1\nx = 2\n", 4, "no valid TOML"),
    ('x = "', 3, "no valid TOML"),
]


@pytest.mark.parametrize(("text", "line", "fragment"), BAD_TOML)
def test_each_fault_is_told_with_its_line_and_a_way_out(
    write: Any, text: str, line: int, fragment: str
) -> None:
    """One clear problem at its place."""
    problems = problems_of(write(HEAD + text))

    assert any(p.line == line and fragment in p.message for p in problems), problems
    assert all(p.source.endswith("policy.toml") for p in problems)


@pytest.mark.parametrize(
    ("text", "fragment"),
    [
        ('default = "deny"\n', "`version` is missing"),
        ('version = 2\ndefault = "deny"\n', "the only version"),
        ('version = true\ndefault = "deny"\n', "the only version"),
        ("version = 1\n", "`default` is missing"),
        ('version = 1\ndefault = "denny"\n', "did you mean `deny`"),
    ],
)
def test_version_and_default_must_be_written(write: Any, text: str, fragment: str) -> None:
    """Nothing is assumed about what matters most."""
    assert fragment in str(problems_of(write(text)))


def test_all_problems_come_at_once(write: Any) -> None:
    """Own ones first, then those of included files, each with its file."""
    path = write(
        HEAD + 'policies = ["iam/*.json"]\n' + STATEMENT.replace("Allow", "Alow") + "X = 1\n"
    )
    write('{\n "Version": "2012-10-17",\n "Statment": []\n}', "iam/a.json")
    write('{"Statement": ', "iam/b.json")

    problems = problems_of(path)

    assert [p.source.rpartition(os.sep)[2] for p in problems][:2] == ["policy.toml"] * 2
    assert {p.source for p in problems} >= {
        os.path.join("iam", "a.json"),  # noqa: PTH118
        os.path.join("iam", "b.json"),  # noqa: PTH118
    }
    assert any(p.line == 3 and "`Statement`" in p.message for p in problems)


@pytest.mark.parametrize(
    ("name", "text", "line", "fragment"),
    [
        ("p.json", '{"version": 1, "version": 2}', 0, "stands twice"),
        ("p.json", '{"version": NaN}', 0, "`NaN` is no number"),
        ("p.json", '{"version": 1\n"default": 2}', 2, "no valid JSON"),
        ("p.json", "[1]", 0, "must be a table"),
        ("p.json", "7", 0, "must be a table"),
        ("p.json", '{\n"version": 1,\n"default": "x"\n}', 3, "must be one of"),
        ("p.json", '{"version": 1, "default": "deny",\n"statement": [\n{},\n{}]}', 4, "`Effect`"),
        ("p.json", "[" * 5000 + "]" * 5000, 0, "nests deeper"),
        ("p.json", "{" * 100_000, 0, ""),
        ("p.yaml", "a: &x 1\nb: *x\n", 1, "anchors and aliases"),
        ("p.yaml", "a: 1\na: 2\n", 2, "stands twice"),
        ("p.yaml", "version: !!python/object:os.system 1\n", 1, ""),
        ("p.yaml", "version: !x 1\n", 1, "tag `!x`"),
        ("p.yaml", "? [a]\n: 1\n", 1, "must be text"),
        ("p.yaml", "a: [1\n", 0, "no valid YAML"),
        ("p.yaml", "[" * 100, 1, "nests deeper"),
        ("p.yaml", "version: 1\ndefault: no\n", 2, "`no`"),
        ("p.yaml", "# nothing\n", 0, "must be a table"),
        ("p.yml", "version: 1.5\ndefault: deny\n", 1, "the only version"),
        ("p.txt", "version = 1", 0, "unknown suffix `.txt`"),
        ("p.toml", "", 0, "is empty"),
        ("p.toml", " \n", 0, "is empty"),
        ("p.toml", b"version = 1\n\xff", 2, "not UTF-8"),
        ("p.toml", "x = " + "[" * 200 + "]" * 200, 0, "nests deeper"),
        ("p.toml", "x = " + "[" * 100_000, 0, "nests deeper"),
        ("p.toml", "#" * 1_100_000, 0, "over 1048576 bytes"),
    ],
)
def test_hostile_and_broken_files_are_refused_with_a_reason(
    write: Any, name: str, text: str | bytes, line: int, fragment: str
) -> None:
    """Whatever the file holds, there is one kind of error, quickly."""
    problems = problems_of(write(text, name))

    assert any(fragment in p.message and (not line or p.line == line) for p in problems), problems


def test_what_is_no_file_is_refused(tmp_path: Path) -> None:
    """A folder, a missing file, a device, a pipe that nobody writes to."""
    (tmp_path / "folder.toml").mkdir()
    os.mkfifo(tmp_path / "pipe.toml")
    (tmp_path / "zero.toml").symlink_to("/dev/zero")

    assert "a folder" in str(problems_of(tmp_path / "folder.toml"))
    assert "No such file" in str(problems_of(tmp_path / "missing.toml"))
    assert "no regular file" in str(problems_of(tmp_path / "pipe.toml"))
    assert "no regular file" in str(problems_of(tmp_path / "zero.toml"))
    assert "cannot be read" in str(problems_of("nul\0.toml"))


@pytest.mark.parametrize("value", [{1: 2}, {"a": b"x"}, {"a": {1, 2}}, {"a": float("nan")}])
def test_a_mapping_that_no_document_could_hold_is_refused(value: dict[Any, Any]) -> None:
    """The same error as for a file."""
    assert problems_of(value)


def test_a_mapping_that_holds_itself_is_refused() -> None:
    """Bounded depth, no recursion error."""
    loop: dict[str, Any] = {}
    loop["a"] = loop

    assert "nests deeper" in str(problems_of(loop))


def test_lines_are_right_within_multi_line_toml(write: Any) -> None:
    """Texts over several lines hide what looks like keys; sub-tables and dotted keys count."""
    path = write(
        HEAD
        + 'revision = """\n[[statement]]\nEffect = 3\n"""\n'
        + '[[statement]]\n# comment\nEffect = "Allow"\nAction = [\n  "dynamodb:GetItem",\n'
        + '  "bad action",\n]\nResource = "*"\n[statement.Condition.StringEqual]\n"aws:x" = "1"\n'
    )

    problems = problems_of(path)

    assert {(p.line, p.path) for p in problems} == {
        (10, "statement[0].Action[1]"),
        (15, "statement[0].Condition.StringEqual"),
    }


@given(
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.text(max_size=8) | st.floats(),
        lambda inner: (
            st.lists(inner, max_size=3)
            | st.dictionaries(
                st.sampled_from(
                    ["version", "default", "statement", "mask", "Effect", "Action", "groups", "x"]
                ),
                inner,
                max_size=4,
            )
        ),
        max_leaves=12,
    ).map(lambda value: value if isinstance(value, dict) else {"statement": value})
)
def test_any_mapping_loads_or_is_a_policy_syntax_error(value: dict[str, Any]) -> None:
    """No other exception, whatever is passed."""
    with contextlib.suppress(PolicySyntaxError):
        load_policy(value, environ={})


@given(st.data())
def test_any_damage_to_a_text_is_a_policy_syntax_error(data: st.DataObject) -> None:
    """Cut, doubled or overwritten pieces of a valid document."""
    text = DESIGN_EXAMPLE.replace('policies = ["iam/*.json"]\n', "")
    at = data.draw(st.integers(0, len(text)))
    piece = data.draw(st.text(max_size=5) | st.sampled_from(['"', "[[", "]", "=", "${", "\n"]))
    skip = data.draw(st.integers(0, 20))
    damaged = text[:at] + piece + text[at + skip :]

    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "p.toml"
        path.write_text(damaged, encoding="utf-8", errors="replace")
        with contextlib.suppress(PolicySyntaxError):
            load_policy(path, environ={})
