"""Runs and steps that others approve, by tickets of the access store."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import boto3
import pytest
from moto import mock_aws

import dynaguard
from dynaguard.errors import AccessStoreError, ApprovalRequired, ConfigurationError
from dynaguard.policy.model import ApprovalTerms
from dynaguard.runbooks.journal import reopen
from dynaguard.runbooks.model import ApprovalStep, RunAccess, Step
from dynaguard.runbooks.reading import read_runbook
from dynaguard.testing.stores import MemoryStore
from tests.access.approving import ETL_ARN, LEADS, approve, deny
from tests.runbooks.run_cases import POLICY, find_orders, log_lines, make_table, run_once, runbook
from tests.runbooks.test_runbooks_resuming import count_orders, seen

TERMS = ApprovalTerms(any_of=("leads",))
PARAMS = {"customer": "ada"}


@pytest.fixture
def store() -> MemoryStore:
    """Where tickets are kept."""
    return MemoryStore()


@pytest.fixture
def asked(store: MemoryStore) -> Iterator[Any]:
    """A client of a table of orders; the guard has that store."""
    policy = {**POLICY, "groups": {"leads": [LEADS]}}
    with mock_aws():
        client = boto3.client("dynamodb")
        make_table(client, {"ada": 3})
        with dynaguard.install(policy, identity=ETL_ARN, access_store=store):
            yield client


def waiting(book: Any, directory: Path, **options: Any) -> ApprovalRequired:
    """The error of a run that has to be approved."""
    with pytest.raises(ApprovalRequired) as caught:
        run_once(book, PARAMS, directory, **options)
    return caught.value


def test_a_run_begins_once_it_is_approved(asked: Any, store: MemoryStore, tmp_path: Path) -> None:
    """Nothing is called before; the approval is good for this one run."""
    book = runbook(find_orders(), access=RunAccess(approval=TERMS))

    err = waiting(book, tmp_path)
    again = waiting(book, tmp_path, resume=err.run)
    approve(store, str(err.ticket))
    done = run_once(book, PARAMS, tmp_path, resume=err.ticket)

    assert again.ticket == err.ticket
    assert done.outputs["find"]["Count"] == 3
    assert waiting(book, tmp_path).ticket != err.ticket


def test_what_runbook_and_policy_demand_is_approved_each(
    store: MemoryStore, tmp_path: Path
) -> None:
    """One approval does not stand for the other."""
    book = runbook(find_orders(), access=RunAccess(approval=TERMS))
    lead = {"any_of": ["leads"], "quorum": 1, "duration_s": 600}
    policy = {
        **POLICY,
        "groups": {"leads": [LEADS]},
        "runbooks": {book.name: {"sha256": book.sha256, "approval": lead}},
    }
    with mock_aws():
        make_table(boto3.client("dynamodb"), {"ada": 3})
        with dynaguard.install(policy, identity=ETL_ARN, access_store=store):
            first = waiting(book, tmp_path)
            approve(store, str(first.ticket))
            second = waiting(book, tmp_path, resume=first.run)
            approve(store, str(second.ticket))
            done = run_once(book, PARAMS, tmp_path, resume=first.run)

    assert first.ticket != second.ticket
    assert done.outputs["find"]["Count"] == 3


def test_an_approval_holds_for_these_parameters_alone(
    asked: Any, store: MemoryStore, tmp_path: Path
) -> None:
    """Others are another question."""
    book = runbook(find_orders(), access=RunAccess(approval=TERMS))
    err = waiting(book, tmp_path)
    approve(store, str(err.ticket))

    with pytest.raises(ConfigurationError, match="other parameters"):
        run_once(book, {"customer": "bob"}, tmp_path, resume=err.run)
    with pytest.raises(ApprovalRequired) as caught:
        run_once(book, {"customer": "bob"}, tmp_path)

    assert caught.value.ticket != err.ticket


def test_a_step_is_approved_for_its_run_alone(
    asked: Any, store: MemoryStore, tmp_path: Path
) -> None:
    """What was approved for one run does not let another past."""
    book = runbook(find_orders(), Step("sure", ApprovalStep(TERMS, "count them")), count_orders())
    first, second = waiting(book, tmp_path), waiting(book, tmp_path)
    approve(store, str(first.ticket))

    run_once(book, PARAMS, tmp_path, resume=first.run)

    assert seen(asked) == ["1"] * 3
    assert second.ticket != first.ticket
    waiting(book, tmp_path, resume=second.run)
    assert seen(asked) == ["1"] * 3


def test_a_run_goes_on_with_the_approval_that_it_claimed(
    asked: Any, store: MemoryStore, tmp_path: Path
) -> None:
    """Cut off behind the approval, it does not ask again."""
    steps = (Step("sure", ApprovalStep(TERMS)), find_orders(), count_orders())
    book = runbook(*steps)
    err = waiting(book, tmp_path)
    approve(store, str(err.ticket))

    def cut(event: Any) -> None:
        if event.kind == "item" and event.count == 1:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        run_once(book, PARAMS, tmp_path, resume=err.run, on_event=cut)
    run_once(book, PARAMS, tmp_path, resume=err.run)

    assert seen(asked) == ["1"] * 3


def test_a_process_killed_between_claim_and_its_record_asks_again(
    asked: Any, store: MemoryStore, tmp_path: Path
) -> None:
    """An approval that was claimed by who knows whom begins nothing."""
    book = runbook(Step("sure", ApprovalStep(TERMS)), find_orders())
    err = waiting(book, tmp_path)
    approve(store, str(err.ticket))
    run_once(book, PARAMS, tmp_path, resume=err.run)
    path = tmp_path / f"{err.run}.jsonl"
    lines = path.read_bytes().splitlines(keepends=True)
    started = b'{"event":"start"}\n' * 2
    path.write_bytes(lines[0].replace(b'"salt":""', b'"salt":"00"') + started)

    assert waiting(book, tmp_path, resume=err.run).ticket != err.ticket
    reopen(tmp_path, str(err.run)).close()


def test_a_denied_step_stays_closed(asked: Any, store: MemoryStore, tmp_path: Path) -> None:
    """To resume tells so; nothing goes on by itself."""
    book = runbook(Step("sure", ApprovalStep(TERMS)), find_orders())
    err = waiting(book, tmp_path)
    deny(store, str(err.ticket))

    assert f"`{err.ticket}` is denied" in str(waiting(book, tmp_path, resume=err.run))
    assert [line["outcome"] for line in log_lines(tmp_path) if line["event"] == "step"] == [
        "waiting",
        "waiting",
    ]


def test_a_store_that_cannot_be_reached_lets_nothing_past(
    asked: Any, store: MemoryStore, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One clear error; the run can be resumed."""
    book = runbook(Step("sure", ApprovalStep(TERMS)), find_orders())

    def fail(*_args: Any, **_kwargs: Any) -> Any:
        raise AccessStoreError("`access.sqlite` cannot be read (disk)")

    monkeypatch.setattr(MemoryStore, "get", fail)
    monkeypatch.setattr(MemoryStore, "records", fail)

    with pytest.raises(AccessStoreError, match="cannot be read") as caught:
        run_once(book, PARAMS, tmp_path)

    assert "--resume" in caught.value.__notes__[0]
    assert log_lines(tmp_path)[-1]["outcome"] == "failed"


READING: dict[str, Any] = {
    "runbook": 1,
    "name": "find-orders",
    "purpose": "Finds orders",
    "owner": "team-orders",
    "access": {"approval": {"any_of": ["leads"]}},
    "step": [{"name": "find", "call": "dynamodb:Scan", "params": {"TableName": "orders"}}],
}


def task_of(book: Any) -> Any:
    """A task of a runbook."""
    return dynaguard.task(book, region="eu-west-1", session=boto3.Session())


def test_a_task_asks_though_no_statement_requires_an_approval(
    asked: Any, store: MemoryStore
) -> None:
    """What the runbook demands is enough; once it is approved the task begins, and once alone."""
    with pytest.raises(ApprovalRequired) as caught, task_of(READING):
        pass
    approve(store, str(caught.value.ticket))

    with task_of(READING) as begun:
        assert begun.boundary.ticket == caught.value.ticket
    with pytest.raises(ApprovalRequired), task_of(READING):
        pass


@pytest.mark.parametrize(
    ("options", "why"),
    [
        ({"policy": None}, "without a policy nobody is in a group"),
        ({"mode": "observe"}, "mode `observe`"),
        ({"access_store": None}, "there is no access store"),
    ],
)
def test_why_nobody_can_be_asked_is_told_by_tasks_and_runs_alike(
    store: MemoryStore, tmp_path: Path, options: dict[str, Any], why: str
) -> None:
    """Nothing begins, and the message says what to set."""
    settings = {"policy": POLICY, "access_store": store, "identity": ETL_ARN, **options}
    book = read_runbook(READING)
    with mock_aws(), dynaguard.install(**settings):
        with pytest.raises(ConfigurationError, match=why), task_of(book):
            pass
        with pytest.raises(ConfigurationError, match=why):
            dynaguard.run_runbook(book, directory=tmp_path)


def test_a_call_that_the_policy_has_approved_first_is_waited_for(
    store: MemoryStore, tmp_path: Path
) -> None:
    """The run ends with the call's ticket, its write not in doubt, and goes on with it."""
    counting = {
        "Sid": "CountsNeedALead",
        "Effect": "RequireApproval",
        "Action": "dynamodb:UpdateItem",
        "Resource": "*",
        "Approval": {"any_of": ["leads"], "duration_s": 300, "uses": 3},
    }
    policy = {
        **POLICY,
        "groups": {"leads": [LEADS]},
        "statement": [*POLICY["statement"], counting],
    }
    book = runbook(find_orders(), count_orders())
    with mock_aws():
        client = boto3.client("dynamodb")
        make_table(client, {"ada": 1})
        with dynaguard.install(policy, identity=ETL_ARN, access_store=store):
            err = waiting(book, tmp_path)
            journal = reopen(tmp_path, str(err.run))
            assert (journal.doubtful, journal.tickets) == (0, [err.ticket])
            journal.close()
            approve(store, str(err.ticket))
            run_once(book, PARAMS, tmp_path, resume=err.ticket)
        assert seen(client) == ["1"]
