"""A run that was cut off goes on where it stood: what was written is not written again."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import pytest

from dynaguard.errors import ApprovalRequired, ConfigurationError, RunbookError
from dynaguard.policy.model import ApprovalTerms
from dynaguard.runbooks.interaction import ApprovalQuestion
from dynaguard.runbooks.journal import begin, reopen, summaries
from dynaguard.runbooks.model import ApprovalStep, Check, Loop, Step
from dynaguard.runbooks.results import RunEvent
from tests.runbooks.run_cases import (
    call,
    close_orders,
    find_orders,
    item,
    order_key,
    param,
    result,
    run_once,
    runbook,
    states,
)


class Cut(BaseException):
    """The process ends here."""


def cut_after(count: int) -> Any:
    """Ends the run once so many items of a loop are done."""

    def listen(event: RunEvent) -> None:
        if event.kind == "item" and event.count == count:
            raise Cut

    return listen


def count_orders() -> Step:
    """A loop that adds to a counter: a write that must not be made twice."""
    add = Step(
        "add",
        call(
            "UpdateItem",
            {
                "Key": order_key(),
                "UpdateExpression": "ADD seen :one",
                "ExpressionAttributeValues": {":one": {"N": "1"}},
            },
        ),
    )
    return Step("each", Loop(result("find.Items"), 100, (add,)))


def seen(client: Any) -> list[str]:
    """The counters of ada's orders."""
    answer = client.scan(TableName="orders", ConsistentRead=True)
    return [
        each.get("seen", {"N": "0"})["N"]
        for each in answer["Items"]
        if each["customer"]["S"] == "ada"
    ]


def test_writes_that_were_done_are_not_made_again(orders: Any, tmp_path: Path) -> None:
    """Each item is counted once, however often the run is cut off."""
    book, params = runbook(find_orders(), count_orders()), {"customer": "ada"}
    with pytest.raises(Cut):
        run_once(book, params, tmp_path, on_event=cut_after(2))
    (run,) = summaries(tmp_path)
    with pytest.raises(Cut):
        run_once(book, params, tmp_path, on_event=cut_after(4), resume=run["task"])

    done = run_once(book, params, tmp_path, resume=run["task"])

    assert seen(orders) == ["1"] * 5
    assert {step.step: step.skipped_calls for step in done.steps}["each/add"] == 4
    assert done.task == f"{run['task']}-3"


def test_a_write_in_doubt_that_adds_waits_for_who_knows(orders: Any, tmp_path: Path) -> None:
    """Whether it took effect, only the data can tell."""
    book, params = runbook(find_orders(), count_orders()), {"customer": "ada"}
    with pytest.raises(Cut):
        run_once(book, params, tmp_path, on_event=cut_after(2))
    (path,) = tmp_path.glob("*.jsonl")
    _forget_last_end(path)

    with pytest.raises(RunbookError, match="not known whether the UpdateItem of step `add`"):
        run_once(book, params, tmp_path, resume=path.stem)
    run_once(book, params, tmp_path, resume=path.stem, doubtful="done")

    assert seen(orders) == ["1"] * 5


def test_a_write_in_doubt_that_sets_a_state_is_made_again(orders: Any, tmp_path: Path) -> None:
    """A second time changes nothing."""
    book, params = runbook(find_orders(), close_orders()), {"customer": "ada"}
    with pytest.raises(Cut):
        run_once(book, params, tmp_path, on_event=cut_after(2))
    (path,) = tmp_path.glob("*.jsonl")
    _forget_last_end(path)

    done = run_once(book, params, tmp_path, resume=path.stem)

    assert set(states(orders, "ada").values()) == {"closed"}
    assert {step.step: step.skipped_calls for step in done.steps}["each/close"] == 1


def _forget_last_end(path: Path) -> None:
    """As if the process had been killed between the write and the line that it is done."""
    lines = path.read_bytes().splitlines(keepends=True)
    last = max(place for place, line in enumerate(lines) if b'"done"' in line)
    path.write_bytes(b"".join(lines[:last]) + b'{"event":"do')


def test_checks_of_items_that_are_done_are_not_made_again(orders: Any, tmp_path: Path) -> None:
    """They would look at what the run itself has written."""
    is_open = Step("is-open", Check(item("state", ""), "equals", "open"))
    loop = close_orders()
    assert isinstance(loop.action, Loop)
    steps = (is_open, *loop.action.steps)
    book = runbook(find_orders(), Step("each", Loop(result("find.Items"), 9, steps)))
    with pytest.raises(Cut):
        run_once(book, {"customer": "ada"}, tmp_path, on_event=cut_after(3))
    (run,) = summaries(tmp_path)

    run_once(book, {"customer": "ada"}, tmp_path, resume=run["task"])

    assert set(states(orders, "ada").values()) == {"closed"}


@pytest.mark.parametrize(
    ("change", "why"),
    [
        ({"params": {"customer": "bob"}}, "with other parameters"),
        ({"sha256": "b" * 64}, "the runbook was changed since"),
    ],
)
def test_another_run_is_not_resumed(
    orders: Any, tmp_path: Path, change: dict[str, Any], why: str
) -> None:
    """The same runbook with the same parameters, or none."""
    book = runbook(find_orders(), count_orders())
    with pytest.raises(Cut):
        run_once(book, {"customer": "ada"}, tmp_path, on_event=cut_after(1))
    (run,) = summaries(tmp_path)
    params = change.pop("params", {"customer": "ada"})

    with pytest.raises(ConfigurationError, match=why):
        run_once(
            runbook(find_orders(), count_orders(), **change),
            params,
            tmp_path,
            resume=run["task"],
        )


def test_a_run_that_ended_is_over(orders: Any, tmp_path: Path) -> None:
    """And its journal holds nothing but that it took place."""
    done = run_once(runbook(find_orders(), close_orders()), {"customer": "ada"}, tmp_path)

    with pytest.raises(ConfigurationError, match="it came to its end"):
        run_once(
            runbook(find_orders(), close_orders()),
            {"customer": "ada"},
            tmp_path,
            resume=done.task,
        )
    lines = (tmp_path / f"{done.task}.jsonl").read_text().splitlines()
    assert [json.loads(line)["event"] for line in lines] == ["begin", "end"]


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"[]\n",
        b'{"event":"done"}\n',
        b'{"event":"begin"}\nx\n',
        b'{"event":"begin","salt":"zz","runbook":"a","task":"r1"}\n',
        b'{"event":"begin","salt":"00","task":"r1"}\n',
        b'{"event":"begin","salt":"00","runbook":"a","task":["r1"]}\n',
        b'{"event":"begin","salt":"00","runbook":"a","task":"r1"}\n{"event":"done"}\n',
        b'{"event":"begin","salt":"00","runbook":"a","task":"r1"}\n{"event":"ticket","ticket":[]}\n',
        b'{"event":"begin","salt":"00","runbook":"a","task":"r1"}\n' + b"[" * 99_999 + b"\n",
    ],
)
def test_a_journal_that_cannot_be_read_resumes_nothing(tmp_path: Path, content: bytes) -> None:
    """A line that is lost may be a write that would be made again."""
    (tmp_path / "r1.jsonl").write_bytes(content)

    with pytest.raises(ConfigurationError, match="nobody can tell what is done"):
        reopen(tmp_path, "r1")

    for run in summaries(tmp_path):
        assert isinstance(run["task"], str)


def test_a_run_under_way_is_not_resumed_by_another(tmp_path: Path) -> None:
    """One process holds a journal."""
    held = begin(tmp_path, {"runbook": "a", "task": "r1"})

    with pytest.raises(ConfigurationError, match="under way in another process"):
        reopen(tmp_path, "r1")
    held.close()


@pytest.mark.parametrize("name", ["../r1", "r1/../../x", "", "a.b"])
def test_an_id_names_no_file_elsewhere(tmp_path: Path, name: str) -> None:
    """It comes from people and events."""
    with pytest.raises(ConfigurationError):
        reopen(tmp_path, name)


def test_a_step_that_must_be_approved_ends_the_run_until_it_is(
    orders: Any, tmp_path: Path
) -> None:
    """Resumed by the ticket; the write before is not made again, the one behind it is made."""
    book = runbook(
        find_orders(),
        count_orders(),
        Step("sure", ApprovalStep(ApprovalTerms(), "close them all")),
        Step(
            "drop", call("DeleteItem", {"Key": {"customer": param("customer"), "id": {"S": "x"}}})
        ),
    )
    questions: list[ApprovalQuestion] = []
    answers: list[str | None] = [None, "T-1"]

    def ask(question: ApprovalQuestion) -> str | None:
        questions.append(question)
        answer = answers.pop(0)
        if answer is None:
            err = ApprovalRequired("not yet", operation="RunRunbook", service="dynaguard")
            err.ticket = "T-1"
            raise err
        return answer

    with pytest.raises(ApprovalRequired) as caught:
        run_once(book, {"customer": "ada"}, tmp_path, ask_approval=ask)
    done = run_once(book, {"customer": "ada"}, tmp_path, ask_approval=ask, resume="T-1")

    assert caught.value.run is not None
    assert "--resume" in caught.value.__notes__[0]
    assert seen(orders) == ["1"] * 5
    assert [step.step for step in done.steps][-1] == "drop"
    assert {question.task for question in questions} == {caught.value.run}
    assert "ada" not in " ".join(questions[0].summary)


def test_without_anybody_to_ask_a_run_with_an_approval_does_not_begin(
    orders: Any, tmp_path: Path
) -> None:
    """It never goes on by itself, nor is the part before the approval done."""
    book = runbook(count_orders(), Step("sure", ApprovalStep(ApprovalTerms())), find_orders())

    with pytest.raises(ConfigurationError, match="no access store"):
        run_once(book, {"customer": "ada"}, tmp_path)


def test_the_answer_of_a_write_is_there_after_a_resume(orders: Any, tmp_path: Path) -> None:
    """Kept only where a later step asks for it, and only until the run has ended."""
    first = Step(
        "first",
        call(
            "UpdateItem",
            {
                "Key": {"customer": param("customer"), "id": {"S": "o-000"}},
                "UpdateExpression": "ADD seen :one",
                "ExpressionAttributeValues": {":one": {"N": "1"}},
                "ReturnValues": "ALL_NEW",
            },
        ),
    )
    check = Step("one", Check(result("first.Attributes.seen"), "equals", 1))
    book = runbook(first, find_orders(), count_orders(), check)
    with pytest.raises(Cut):
        run_once(book, {"customer": "bob"}, tmp_path, on_event=cut_after(1))
    (run,) = summaries(tmp_path)

    done = run_once(book, {"customer": "bob"}, tmp_path, resume=run["task"])

    assert done.steps[-1].outcome == "done"
    assert "Attributes" not in (tmp_path / f"{run['task']}.jsonl").read_text()


def test_a_line_that_does_not_fit_on_the_disk_is_not_in_the_journal(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A part of a line would spoil the next, and nobody could tell what is done."""
    journal = begin(tmp_path, {"runbook": "a", "task": "r1"})
    journal.note("intent", step="s", key="k1", operation="PutItem")
    whole = os.write
    monkeypatch.setattr(os, "write", lambda fd, content: whole(fd, content[:9]))

    with pytest.raises(RunbookError, match="cannot be written"):
        journal.note("intent", step="s", key="k2", operation="PutItem")
    monkeypatch.undo()
    journal.note("done", step="s", key="k1")
    journal.close()

    found = reopen(tmp_path, "r1")
    assert (found.done, found.doubtful) == (1, 0)
    found.close()


def test_a_link_is_no_journal(tmp_path: Path) -> None:
    """Somebody else's file is neither read nor written by it."""
    begin(tmp_path, {"runbook": "a", "task": "r1"}).close()
    (tmp_path / "r2.jsonl").symlink_to(tmp_path / "r1.jsonl")

    with pytest.raises(ConfigurationError, match="no run `r2` is known"):
        reopen(tmp_path, "r2")


def test_a_folder_that_everybody_may_write_in_keeps_no_journal(tmp_path: Path) -> None:
    """What it says is done would be anybody's word."""
    begin(tmp_path, {"runbook": "a", "task": "r1"}).close()
    tmp_path.chmod(0o777)

    with pytest.raises(ConfigurationError, match="others may write there"):
        begin(tmp_path, {"runbook": "a", "task": "r2"})
    with pytest.raises(ConfigurationError, match="others may write there"):
        reopen(tmp_path, "r1")


def test_the_record_of_runs_follows_no_link(orders: Any, tmp_path: Path) -> None:
    """A link in its place is refused before anything is called."""
    target = tmp_path / "elsewhere"
    runs = tmp_path / "runs"
    runs.mkdir()
    (runs / "runs.log").symlink_to(target)

    with pytest.raises(RunbookError, match="cannot be written"):
        run_once(runbook(find_orders()), {"customer": "ada"}, runs)

    assert not target.exists()
