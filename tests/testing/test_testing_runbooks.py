"""A runbook's own tests: tables, recorded answers, expectations; every problem is told."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from dynaguard.errors import PolicySyntaxError
from dynaguard.testing import run_runbook_case, runbook_cases

RUNBOOK = """
runbook = 1
name = "close-orders"
purpose = "Closes the orders of one customer"
owner = "team-orders"
[limits]
items = 20
[tables.orders]
key = ["customer_id", "order_id"]
[parameters.customer_id]
type = "string"
pattern = "C-[0-9]{1,9}"
[[step]]
name = "find"
call = "dynamodb:Query"
pages = 3
[step.params]
TableName = "orders"
KeyConditionExpression = "customer_id = :c"
ProjectionExpression = "customer_id, order_id"
ExpressionAttributeValues = { ":c" = { "$param" = "customer_id" } }
[[step]]
name = "few"
check = { of = { "$result" = "find.Count" }, at_most = 2, message = "too many orders" }
[[step]]
name = "look"
pause = "look at the orders"
[[step]]
name = "each"
loop = { over = { "$result" = "find.Items" }, at_most = 2 }
[[step.step]]
name = "drop"
call = "dynamodb:DeleteItem"
[step.step.params]
TableName = "orders"
Key = { customer_id = { "$param" = "customer_id" }, order_id = { "$item" = "order_id" } }
"""

TESTS = """
[[table]]
name = "orders"
key = ["customer_id", "order_id"]
items = [
  { customer_id = "C-1", order_id = "1" },
  { customer_id = "C-1", order_id = "2" },
  { customer_id = "C-2", order_id = "1" },
  { customer_id = "C-3", order_id = "1" },
  { customer_id = "C-3", order_id = "2" },
  { customer_id = "C-3", order_id = "3" },
]

[[case]]
name = "deletes the orders of one customer"
params = { customer_id = "C-1" }
[case.expect]
items = 4
results = { "find.Count" = 2, "each.Count" = 2 }
[[case.expect.item]]
table = "orders"
key = { customer_id = "C-1", order_id = "1" }
absent = true
[[case.expect.item]]
table = "orders"
key = { customer_id = "C-2", order_id = "1" }

[[case]]
name = "stops before it deletes too many"
params = { customer_id = "C-3" }
expect = { outcome = "failed", step = "few", message = "too many" }

[[case]]
name = "stops when it is not confirmed"
params = { customer_id = "C-1" }
confirm = false
expect = { outcome = "failed", step = "look" }
"""


def _files(folder: Path, tests: str = TESTS) -> Path:
    (folder / "close-orders.toml").write_text(RUNBOOK)
    path = folder / "close-orders.test.toml"
    path.write_text(tests)
    return path


def test_cases_that_hold(tmp_path: Path) -> None:
    """Each on tables of its own, so that they do not depend on one another."""
    results = [run_runbook_case(case) for case in runbook_cases(_files(tmp_path))]

    assert [result.problems for result in results] == [(), (), ()]


def test_cases_stay_in_process_whatever_endpoint_the_variables_name(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Tables of cases are made and deleted: never where a developer's shell happens to point."""
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:9")
    monkeypatch.setenv("AWS_MAX_ATTEMPTS", "1")

    results = [run_runbook_case(case) for case in runbook_cases(_files(tmp_path))]

    assert [result.problems for result in results] == [(), (), ()]


def test_what_is_not_as_expected_is_told_without_values(tmp_path: Path) -> None:
    """Outcome, results, items, what tables hold."""
    wrong = TESTS.replace('"find.Count" = 2', '"find.Count" = 3, "find.Nothing" = 1')
    wrong = wrong.replace("items = 4", "items = 5").replace("absent = true", "is = { a = 1 }")
    wrong = wrong.replace('outcome = "failed", step = "few"', 'step = "find"')
    cases = runbook_cases(_files(tmp_path, wrong))

    first, second, _ = [run_runbook_case(case) for case in cases]

    assert [line.split(":")[0].strip() for line in first.problems] == [
        "items",
        "results",
        "results",
        "item of `orders` with this key",
    ]
    assert [line.split(":")[0].strip() for line in second.problems] == ["outcome", "step"]
    assert "C-1" not in "".join(first.problems)


def test_recorded_answers_stand_in_for_an_endpoint(tmp_path: Path) -> None:
    """Through botocore's Stubber, so within the guard."""
    answers = [
        {"service": "dynamodb", "operation": "Query", "answer": {"Items": [], "Count": 0}},
    ]
    (tmp_path / "none.json").write_text(json.dumps(answers))
    tests = '[[case]]\nname = "none"\nrecorded = "none.json"\n[case.params]\ncustomer_id = "C-9"\n'

    (case,) = runbook_cases(_files(tmp_path, tests))

    assert run_runbook_case(case).problems == ()


def test_a_recorded_error_ends_the_run(tmp_path: Path) -> None:
    """At its step."""
    error = {"code": "ResourceNotFoundException"}
    answers = [{"service": "dynamodb", "operation": "Query", "error": error}]
    (tmp_path / "gone.json").write_text(json.dumps(answers))
    tests = (
        '[[case]]\nname = "gone"\nrecorded = "gone.json"\nparams = { customer_id = "C-9" }\n'
        'expect = { outcome = "failed", step = "find", message = "ResourceNotFound" }\n'
    )

    (case,) = runbook_cases(_files(tmp_path, tests))

    assert run_runbook_case(case).problems == ()


def test_every_problem_of_a_test_file_is_told(tmp_path: Path) -> None:
    """With its line and the nearest name."""
    tests = '[[case]]\nnme = "x"\nexpect = { outcome = "don", itms = 1 }\n[[tabel]]\n'

    with pytest.raises(PolicySyntaxError) as caught:
        runbook_cases(_files(tmp_path, tests))

    told = [problem.message for problem in caught.value.problems]
    assert len(told) == 4
    assert "did you mean `done`?" in " ".join(told)


def test_a_runbook_without_tests_says_what_to_write(tmp_path: Path) -> None:
    """The name of the file that is missing."""
    _files(tmp_path).unlink()

    with pytest.raises(PolicySyntaxError, match=r"write `close-orders\.test\.toml`"):
        runbook_cases(tmp_path / "close-orders.toml")
