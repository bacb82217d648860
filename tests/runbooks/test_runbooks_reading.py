"""A runbook is read whole or refused with everything that is wrong about it."""

from __future__ import annotations

import tomllib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from dynaguard.errors import PolicySyntaxError
from dynaguard.runbooks.model import (
    ApprovalStep,
    CallTemplate,
    Check,
    Loop,
    MetricQuery,
    Origin,
    Pause,
    Reference,
)
from dynaguard.runbooks.reading import read_runbook

Changed = Callable[..., dict[str, Any]]


def _problems(source: Any) -> list[str]:
    with pytest.raises(PolicySyntaxError) as caught:
        read_runbook(source)
    return [f"{each.path}: {each.message}" for each in caught.value.problems]


def _of_step(changed: Changed, text: str) -> list[str]:
    """The problems of a runbook whose only step is this one."""
    return _problems(changed(step=tomllib.loads(text)["step"]))


def test_a_file_becomes_a_model(orders_text: str, tmp_path: Path) -> None:
    """Steps, references, limits and who may run it are where the model has them."""
    (tmp_path / "orders.toml").write_text(orders_text)

    runbook = read_runbook(tmp_path / "orders.toml")

    find, enough, each = runbook.steps
    assert isinstance(find.action, CallTemplate)
    assert find.action.max_pages == 5
    assert find.action.params["ExpressionAttributeValues"] == {
        ":c": Reference(Origin.PARAMETER, ("customer_id",), "attribute")
    }
    assert isinstance(enough.action, Check)
    assert isinstance(each.action, Loop)
    assert find.line == orders_text.splitlines().index("[[step]]") + 1
    assert [(each.kind, each.value) for each in runbook.principals or ()] == [
        ("group", "on-call"),
        ("arn", "arn:aws:iam::*:role/ops-*"),
    ]
    assert (runbook.limits.duration_s, runbook.limits.max_items) == (300.0, 100)
    assert runbook.directory == tmp_path


def test_every_problem_is_told_at_once_with_its_line(tmp_path: Path) -> None:
    """One error names each place, with the nearest name that is valid."""
    text = """\
runbook = 1
name = "x"
purpose = "p"
ownr = "o"
[parameters.table]
type = "enm"
[[step]]
name = "find"
call = "dynamodb:Qury"
[[step]]
name = "get"
call = "dynamodb:GetItem"
[step.params]
TableNam = "orders"
"""
    (tmp_path / "x.toml").write_text(text)

    with pytest.raises(PolicySyntaxError) as caught:
        read_runbook(tmp_path / "x.toml")

    told = [(each.line, each.path, each.message) for each in caught.value.problems]
    assert told == [
        (1, "", "`owner` is missing, write one sentence"),
        (4, "ownr", "unknown key `ownr`, did you mean `owner`?"),
        (
            6,
            "parameters.table.type",
            (
                "is `enm`, it must be one of `string`, `number`, `boolean`, "
                "`enum`, `date`, `arn`, "
                "`secret`, `list`, did you mean `enum`?"
            ),
        ),
        (9, "step[0].call", "`dynamodb` has no operation `Qury`, did you mean `Query`?"),
        (13, "step[1].params", "`TableName` is missing"),
        (13, "step[1].params", "`Key` is missing"),
        (
            14,
            "step[1].params.TableNam",
            "`TableNam` is no parameter here, did you mean `TableName`?",
        ),
    ]


@pytest.mark.parametrize(
    ("step", "problem"),
    [
        (
            'name = "s"\ncall = "dynamdb:Scan"',
            "step[0].call: unknown service `dynamdb`, did you mean `dynamodb`?",
        ),
        (
            'name = "s"\ncall = "dynamodb:Scan"\nparams = { TableName = "t", Limit = "5" }',
            "step[0].params.Limit: must be a whole number, this is text",
        ),
        (
            'name = "s"\ncall = "dynamodb:Scan"\nparams = { TableName = "t", Select = "CONT" }',
            "step[0].params.Select: `CONT` is no value here, did you mean `COUNT`?",
        ),
        (
            (
                'name = "s"\ncall = "dynamodb:Scan"\n'
                'params = { TableName = { "$param" = "customer_id" } }'
            ),
            (
                "step[0].params.TableName: names the resource: only a "
                "parameter of type `enum` may "
                "stand here, so that the runbook tells what it can reach"
            ),
        ),
        (
            (
                'name = "s"\ncall = "dynamodb:Scan"\n'
                'params = { TableName = "t", FilterExpression = { "$param" = "customer_id" } }'
            ),
            (
                "step[0].params.FilterExpression: takes no value from "
                "elsewhere, write `:name` in the "
                "expression and the value in `ExpressionAttributeValues` "
                "(`Parameters` of a PartiQL "
                "statement)"
            ),
        ),
        (
            (
                'name = "s"\ncall = "dynamodb:Scan"\n'
                'params = { TableName = "t", FilterExpression = "a = ${customer_id}" }'
            ),
            (
                "step[0].params.FilterExpression: `${customer_id}` is not "
                "filled in: text is never "
                'put together; let `{ "$param" = "customer_id" }` be a whole value'
            ),
        ),
        (
            (
                'name = "s"\ncall = "dynamodb:Scan"\n'
                'params = { TableName = "t", Limit = { "$param" = "customer_id" } }'
            ),
            "step[0].params.Limit: takes a whole number, `customer_id` is a string",
        ),
        (
            (
                'name = "s"\ncall = "dynamodb:Scan"\n'
                'params = { TableName = "t", Limit = { "$param" = "custmer_id" } }'
            ),
            (
                "step[0].params.Limit.$param: unknown parameter `custmer_id`, did you mean "
                "`customer_id`?"
            ),
        ),
        (
            'name = "s"\ncheck = { of = { "$result" = "find.Count" }, at_most = 1 }',
            "step[0].check.of.$result: no step before this one gives a result `find`",
        ),
        (
            (
                'name = "s"\ncall = "dynamodb:GetItem"\n'
                'params = { TableName = "t", Key = { a = { "$item" = "a" } } }'
            ),
            "step[0].params.Key.a.$item: `$item` stands within a loop only",
        ),
        (
            (
                'name = "s"\ncall = "dynamodb:GetItem"\n'
                'params = { TableName = "t", Key = { a = { "$any" = "key" } } }'
            ),
            "step[0].params.Key.a.$any: `$any` stands in the calls of a Python step only",
        ),
        (
            (
                'name = "s"\ncall = "dynamodb:BatchWriteItem"\n'
                'params = { RequestItems = { "$param" = "customer_id" } }'
            ),
            (
                "step[0].params.RequestItems: names tables within, write it out and let values "
                "alone come from elsewhere"
            ),
        ),
        (
            (
                'name = "s"\ncall = "dynamodb:GetItem"\npages = 2\n'
                'params = { TableName = "t", Key = { a = "1" } }'
            ),
            "step[0].pages: `GetItem` has no pages, remove `pages`",
        ),
        (
            'name = "s"\npause = 1\ncheck = {}',
            (
                "step[0]: must do one thing, write one of `call`, `check`, "
                "`pause`, `loop`, `python`, "
                "`approval`"
            ),
        ),
        (
            'name = "s"\npython = ":go"',
            "step[0].python: a runbook that is a mapping has no folder to look functions up in",
        ),
        (
            'name = "s"\nloop = { over = { "$param" = "customer_id" }, at_most = 5 }',
            "step[0].loop.over: `customer_id` is no list",
        ),
        (
            (
                'name = "s"\ncall = "dynamodb:GetItem"\n'
                'params = { TableName = "t", Key = { "$key" = "1", b = "2" } }'
            ),
            "step[0].params.Key.$key: begins with `$`, write `$$key` for the name `$key`",
        ),
    ],
)
def test_a_wrong_step_is_told(changed: Changed, step: str, problem: str) -> None:
    """The message says what is wrong and what to write."""
    told = _of_step(changed, f"[[step]]\n{step}\n")

    assert problem in [each.partition(" (botocore")[0] for each in told]


def test_a_call_that_could_never_be_allowed_is_a_problem(changed: Changed) -> None:
    """A PartiQL statement that is none has no action that could be allowed."""
    step = """
[[step]]
name = "s"
call = "dynamodb:ExecuteStatement"
params = { Statement = "all of it, please" }
"""

    (told,) = _of_step(changed, step)

    assert told.startswith("step[0].params: ")


def test_results_are_checked_against_the_answer(changed: Changed) -> None:
    """A member that the answer does not have is refused, with the nearest that it has."""
    data = changed()
    data["step"][1]["check"]["of"] = {"$result": "find.Cuont"}

    assert _problems(data) == [
        "step[1].check.of.$result: `find` gives no `Cuont`, did you mean `Count`?"
    ]


def test_plain_values_become_attribute_values(changed: Changed) -> None:
    """Text, numbers and booleans are typed by what they are."""
    data = changed()
    data["step"][0]["params"]["ExpressionAttributeValues"] |= {":a": "x", ":b": 1.50, ":c": True}

    params = read_runbook(data).steps[0].action.params  # type: ignore[union-attr]

    assert {**params["ExpressionAttributeValues"], ":c": None} == {
        ":a": {"S": "x"},
        ":b": {"N": "1.5"},
        ":c": None,
    }


def test_names_that_begin_with_a_dollar_are_doubled(changed: Changed) -> None:
    """An attribute may be called `$param`; it stands as `$$param`."""
    data = changed()
    data["step"] = data["step"][:1]
    data["step"][0] |= {
        "call": "dynamodb:PutItem",
        "params": {"TableName": "t", "Item": {"$$param": "x"}},
    }
    del data["step"][0]["pages"]

    action = read_runbook(data).steps[0].action

    assert isinstance(action, CallTemplate)
    assert action.params["Item"] == {"$param": {"S": "x"}}


def test_other_kinds_of_steps(changed: Changed) -> None:
    """Pauses, metric checks and approvals are read with what they leave out filled in."""
    steps = tomllib.loads("""
[[step]]
name = "quiet"
[step.check]
metric = { namespace = "AWS/DynamoDB", name = "ReadThrottleEvents", dimensions = { T = "t" } }
at_most = 0
[[step]]
name = "wait"
pause = 2.5
[[step]]
name = "look"
pause = "look at the board"
[[step]]
name = "agreed"
approval = { quorum = 2, any_of = ["leads"], duration = "15m", message = "go on" }
""")["step"]

    quiet, wait, look, agreed = (each.action for each in read_runbook(changed(step=steps)).steps)

    assert isinstance(quiet, Check)
    assert quiet.subject == MetricQuery(
        "AWS/DynamoDB", "ReadThrottleEvents", {"T": "t"}, "Sum", 300
    )
    assert (wait, look) == (Pause(2.5), Pause(None, "look at the board"))
    assert isinstance(agreed, ApprovalStep)
    terms = agreed.terms
    assert (terms.quorum, terms.duration_s, agreed.message) == (2, 900.0, "go on")


def _with_call(operation: str, params: dict[str, Any]) -> str:
    """A Python runbook whose step declares one call."""
    call = {"call": f"dynamodb:{operation}", "params": params}
    step = [{"name": "go", "python": ":go", "calls": [call]}]
    named = {"runbook": 1, "name": "fix", "purpose": "p", "owner": "o", "step": step}
    return f"RUNBOOK = {named!r}\n\ndef go(context):\n    return 1\n"


@pytest.mark.parametrize(
    ("operation", "params"),
    [
        ("TransactWriteItems", {"TransactItems": {"$any": "list"}}),
        ("TransactWriteItems", {"TransactItems": [{"Put": {"$any": "map"}}]}),
        ("BatchWriteItem", {"RequestItems": {"$any": "map"}}),
        ("BatchExecuteStatement", {"Statements": [{"$any": "map"}]}),
    ],
)
def test_what_names_tables_within_is_written_out(
    tmp_path: Path, operation: str, params: dict[str, Any]
) -> None:
    """A part of a request that holds names of tables, or expressions, is no free value."""
    file = tmp_path / "fix.py"
    file.write_text(_with_call(operation, params))

    with pytest.raises(PolicySyntaxError, match=r"names tables within|holds expressions"):
        read_runbook(file)


@pytest.mark.parametrize(
    ("kind", "words"),
    [
        ("string", "`key`, `attribute`, `map`, `any`"),
        ("number", "`key`, `attribute`, `map`, `any`"),
    ],
)
def test_any_value_of_a_type_that_never_fits_is_told(
    tmp_path: Path, kind: str, words: str
) -> None:
    """A key's value is in DynamoDB's JSON, which no plain text or number matches."""
    file = tmp_path / "fix.py"
    file.write_text(_with_call("GetItem", {"TableName": "t", "Key": {"id": {"$any": kind}}}))

    with pytest.raises(PolicySyntaxError) as caught:
        read_runbook(file)

    assert f"`{kind}` never is a value of a key attribute, write one of {words}" in str(
        caught.value
    )
