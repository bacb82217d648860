"""A bundle that is not as it was compiled is one clear error, whatever happened to it."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dynaguard.errors import PolicySyntaxError
from dynaguard.policy import bundle_format
from dynaguard.policy.bundle_format import framed
from dynaguard.policy.bundle_reading import check_bundle, load_bundle
from dynaguard.policy.bundle_writing import bundle_bytes
from dynaguard.policy.loading import load_policy
from dynaguard.policy.matcher import CompiledPolicy
from dynaguard.policy.model import PolicyDocument

SOURCE: dict[str, Any] = {
    "version": 1,
    "default": "deny",
    "variables": {"stage": {"env": "STAGE", "default": "dev"}},
    "groups": {"leads": ["arn:aws:iam::*:role/lead-*"]},
    "statement": [
        {
            "Sid": "Reads",
            "Effect": "Allow",
            "Action": "dynamodb:GetItem",
            "Resource": "arn:aws:dynamodb:*:*:table/${stage}-orders",
        },
        {
            "Sid": "Asks",
            "Effect": "RequireApproval",
            "NotAction": "dynamodb:GetItem",
            "Resource": "*",
            "Approval": {"any_of": ["leads"]},
        },
    ],
}


@pytest.fixture(scope="module")
def document() -> PolicyDocument:
    """A small document."""
    return load_policy(SOURCE, environ={})


@pytest.fixture(scope="module")
def raw(document: PolicyDocument) -> bytes:
    """Its bundle."""
    return bundle_bytes(document)


@pytest.fixture
def path(tmp_path: Path, raw: bytes) -> Path:
    """The bundle in a file."""
    found = tmp_path / "policy.dgb"
    found.write_bytes(raw)
    return found


def refusal(path: Path, **options: Any) -> str:
    """The one problem of a bundle."""
    with pytest.raises(PolicySyntaxError) as caught:
        load_bundle(path, environ={}, **options)
    (problem,) = caught.value.problems
    assert problem.source == str(path)
    return problem.message


# --- not as it was compiled -------------------------------------------------------------------


@given(st.data())
def test_any_change_of_a_byte_is_found(
    tmp_path_factory: pytest.TempPathFactory, raw: bytes, data: st.DataObject
) -> None:
    """One problem, or (where the change means nothing to JSON) the same document."""
    at = data.draw(st.integers(0, len(raw) - 1))
    changed = bytearray(raw)
    changed[at] ^= data.draw(st.integers(1, 255))
    path = tmp_path_factory.mktemp("bundle") / "policy.dgb"
    path.write_bytes(bytes(changed))

    with pytest.raises(PolicySyntaxError) as caught:
        load_bundle(path, environ={})
    assert len(caught.value.problems) == 1


@given(st.data())
def test_any_cut_is_found(
    tmp_path_factory: pytest.TempPathFactory, raw: bytes, data: st.DataObject
) -> None:
    """Wherever it is."""
    path = tmp_path_factory.mktemp("bundle") / "policy.dgb"
    path.write_bytes(raw[: data.draw(st.integers(0, len(raw) - 1))])

    with pytest.raises(PolicySyntaxError, match=r"cut off|is no bundle"):
        load_bundle(path, environ={})


def test_a_cut_tells_how_much_is_there(path: Path, raw: bytes) -> None:
    """And what to do."""
    path.write_bytes(raw[:-10])

    assert "is cut off" in refusal(path)
    assert "copy it again or compile the source again" in refusal(path)


def test_an_edit_tells_what_to_do_instead(path: Path, raw: bytes) -> None:
    """The digest does not hold."""
    path.write_bytes(raw.replace(b"dev-orders", b"prd-orders"))

    message = refusal(path)
    assert "not as it was compiled" in message
    assert "change its source and compile that again" in message


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"version = 1\n",
        b"[1]\n",
        b'{"bundle":"other"}\n',
        b"\xff\xfe\n",
        b"x" * 9000,
        b"[" * 4000 + b"\n",
    ],
    ids=["empty", "toml", "list", "other", "binary", "long", "deep"],
)
def test_what_is_no_bundle_tells_how_to_make_one(path: Path, content: bytes) -> None:
    """Whatever it is."""
    path.write_bytes(content)

    assert refusal(path) == (
        "this is no bundle, make it with `dynaguard compile POLICY -o BUNDLE`"
    )


def with_head(raw: bytes, **changes: Any) -> bytes:
    """A bundle with another first line."""
    line, _, content = raw.partition(b"\n")
    return json.dumps(json.loads(line) | changes).encode() + b"\n" + content


@pytest.mark.parametrize(("version", "shown"), [(2, "format 2"), ("x", "format unknown")])
def test_another_format_is_one_clear_error(
    path: Path, raw: bytes, version: object, shown: str
) -> None:
    """A newer one than this dynaguard knows, above all."""
    path.write_bytes(with_head(raw, format=version))

    message = refusal(path)
    assert f"of {shown}, this dynaguard reads format 1" in message
    assert "use the dynaguard that it was compiled with" in message


@pytest.mark.parametrize("changes", [{"bytes": "x"}, {"sha256": 1}, {"more": 1}])
def test_a_damaged_first_line_is_told(path: Path, raw: bytes, changes: dict[str, Any]) -> None:
    """Also where something stands there that is not known."""
    path.write_bytes(with_head(raw, **changes))

    assert "first line is damaged" in refusal(path)


def test_what_cannot_be_read_tells_why(tmp_path: Path) -> None:
    """No file, a folder, a pipe, no path at all."""
    os.mkfifo(tmp_path / "pipe.dgb")

    assert "cannot be read (No such file" in refusal(tmp_path / "none.dgb")
    assert "cannot be read (Is a directory" in refusal(tmp_path)
    assert "no regular file" in refusal(tmp_path / "pipe.dgb")
    assert "no valid path" in refusal(Path("\0.dgb"))


def test_a_bundle_is_of_bounded_size(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A file that is larger is not read."""
    monkeypatch.setattr(bundle_format, "MAX_BYTES", 10)

    assert "is larger than 0 MiB, split the policy" in refusal(path)


# --- made by somebody else, with a digest that holds ------------------------------------------


def lines_of(raw: bytes) -> list[Any]:
    """The JSON of every line but the first."""
    return [json.loads(line) for line in raw.splitlines()[1:]]


def written(path: Path, lines: list[Any]) -> None:
    """A bundle of these lines, its lengths and digest as they should be."""
    header, *rest = lines
    texts = [json.dumps(line, separators=(",", ":")).encode() + b"\n" for line in rest]
    count = header.get("statements", 0) if isinstance(header, dict) else 0
    if isinstance(header, dict) and isinstance(count, int) and "parts" in header:
        parts = len(texts) - count
        texts[0] = json.dumps([sum(map(len, texts[parts:]))]).encode() + b"\n"
        header = header | {"parts": [len(text) for text in texts[:parts]]}
    head = json.dumps(header).encode() + b"\n"
    path.write_bytes(framed(b"".join((head, *texts)), None))


Change = Callable[[dict[str, Any]], object]


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda head: head.update(unknown=1), "`unknown` is not known"),
        (lambda head: head.pop("statements"), "is not understood"),
        (lambda head: head["document"].update(default="maybe"), "`default` must be one of"),
        (lambda head: head["document"].update(govern=["x", 1]), "`govern` must be text"),
        (lambda head: head["document"].update(more=1), "`document` `more` is not known"),
        (lambda head: head["document"].update(budgets=[{}]), "lacks a field"),
        (lambda head: head.update(document=3), "`document` must be an object"),
        (lambda head: head["index"].update(not_actions=[[1]]), "`not_actions` must be a list"),
        (lambda head: head.update(sources="x"), "`sources` must be a list"),
    ],
)
def test_a_header_that_is_not_understood_is_refused(
    path: Path, raw: bytes, change: Change, words: str
) -> None:
    """With what is wrong in it."""
    lines = lines_of(raw)
    change(lines[0])
    written(path, lines)

    assert words in refusal(path)


def test_a_header_that_is_no_json_is_refused(path: Path) -> None:
    """Though its digest holds."""
    path.write_bytes(framed(b"no header", None))

    assert "the bundle's header is not understood; compile the source again" in refusal(path)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda table: table.update(Effect="Maybe"), "Effect: is `Maybe`"),
        (lambda table: table.update(Action=["nonsense"]), "`nonsense` is no action"),
        (lambda table: table.update(Resource=["table/x"]), "`table/x` is no ARN"),
        (lambda table: table.update(Condition={"Odd": {}}), "unknown operator `Odd`"),
        (lambda table: table.update(more=1), "unknown key `more`"),
        (lambda table: table.pop("at"), "is no statement"),
        (lambda table: table.update(at=[7, 1]), "is no statement"),
        (lambda table: table.pop("Effect"), "is no statement"),
    ],
)
def test_a_statement_is_checked_as_the_loader_checks_it(
    path: Path, raw: bytes, change: Change, words: str
) -> None:
    """When it is read, not before; the problem names the bundle's line."""
    lines = lines_of(raw)
    change(lines[-2])
    written(path, lines)
    document = load_bundle(path, environ={})

    with pytest.raises(PolicySyntaxError, match="compile the source again") as caught:
        document.statements[0]
    assert words in str(caught.value)
    assert caught.value.problems[0].line == len(lines)
    assert len(document.statements) == 2


def test_a_decision_about_a_broken_statement_is_an_error(path: Path, raw: bytes) -> None:
    """It never passes for one that does not match."""
    from dynaguard.call import UNKNOWN_PRINCIPAL, Authorization

    lines = lines_of(raw)
    lines[-2]["Effect"] = "Maybe"
    written(path, lines)
    policy = CompiledPolicy(load_bundle(path, environ={}))
    need = Authorization("dynamodb:GetItem", "arn:aws:dynamodb:a:1:table/dev-orders")

    with pytest.raises(PolicySyntaxError, match="Effect: is `Maybe`"):
        policy.rule(need, UNKNOWN_PRINCIPAL, lambda _key: ())


@pytest.mark.parametrize("part", [3, {"a": 1}])
def test_a_part_that_is_no_list_is_refused(path: Path, raw: bytes, part: object) -> None:
    """When an action needs it."""
    lines = lines_of(raw)
    lines[2] = part
    written(path, lines)
    index = load_bundle(path, environ={}).statements.statement_index  # type: ignore[attr-defined]

    with pytest.raises(PolicySyntaxError, match="is not understood; compile the source again"):
        len(index.resources)


def test_a_part_that_is_not_there_is_refused(path: Path, raw: bytes) -> None:
    """The header names one that the bundle does not have."""
    lines = lines_of(raw)
    lines[0]["index"]["by_action"]["dynamodb:getitem"] = 99
    written(path, lines)
    index = load_bundle(path, environ={}).statements.statement_index  # type: ignore[attr-defined]

    assert "dynamodb:getitem" in index.by_action
    with pytest.raises(PolicySyntaxError, match="is not understood"):
        index.by_action["dynamodb:getitem"]


@pytest.mark.parametrize("lengths", [[1, 2], ["x"], [-5, 3], [2**40]])
def test_lengths_that_are_not_those_of_the_lines_are_refused(
    path: Path, raw: bytes, lengths: list[Any]
) -> None:
    """No statement is cut out of another."""
    header, *rest = lines_of(raw)
    parts = [json.dumps(each).encode() + b"\n" for each in [lengths, *rest[1:-2]]]
    header["parts"] = [len(part) for part in parts]
    statements = [json.dumps(each).encode() + b"\n" for each in rest[-2:]]
    path.write_bytes(
        framed(b"".join((json.dumps(header).encode() + b"\n", *parts, *statements)), None)
    )

    with pytest.raises(PolicySyntaxError, match="tells other lengths than the statements have"):
        load_bundle(path, environ={}).statements[0]


def test_check_holds_the_statements_against_the_index(path: Path, raw: bytes) -> None:
    """A Deny that the index leaves out would never be asked."""
    lines = lines_of(raw)
    check_bundle(load_bundle(path, environ={}))
    lines[0]["index"]["by_action"] = {}
    written(path, lines)

    with pytest.raises(PolicySyntaxError, match="the index is not that of the statements"):
        check_bundle(load_bundle(path, environ={}))


def test_check_holds_the_statements_against_the_list_of_approvals(path: Path, raw: bytes) -> None:
    """One that is not in it would never be asked for."""
    lines = lines_of(raw)
    lines[0]["asking"] = []
    written(path, lines)

    with pytest.raises(PolicySyntaxError, match="approvals are missing"):
        check_bundle(load_bundle(path, environ={}))


def test_a_document_from_its_source_needs_no_such_check(document: PolicyDocument) -> None:
    """The loader has checked it."""
    check_bundle(document)
