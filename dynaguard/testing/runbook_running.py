"""Runs the cases of runbooks: each on tables of its own, within the guard, without a wait."""

from __future__ import annotations

import contextlib
import tempfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from dynaguard.errors import ApprovalRequired, PolicyDenied, RunbookError
from dynaguard.hooks.exemption import own_calls
from dynaguard.hooks.lifecycle import current, install, uninstall
from dynaguard.runbooks.entering import enter_boundary
from dynaguard.runbooks.interaction import ApprovalQuestion, Interaction
from dynaguard.runbooks.lookup import follow
from dynaguard.runbooks.starting import RunOptions, run
from dynaguard.testing.embedded import (
    RecordedSession,
    attributes,
    embedded,
    fake_session,
    make_table,
    plain,
)

if TYPE_CHECKING:
    from dynaguard.runbooks.results import RunResult
    from dynaguard.testing.runbook_cases import ExpectedItem, RunbookCase

_ALLOW: Final = {"version": 1, "default": "allow"}


@dataclass(frozen=True, slots=True)
class RunbookCaseResult:
    """What came of a case.

    Attributes:
        case: Its name.
        source: File and line.
        problems: What was not as expected, a line each.
    """

    case: str
    source: str
    problems: tuple[str, ...] = ()

    @property
    def holds(self) -> bool:
        """Whether all was as expected."""
        return not self.problems

    @property
    def text(self) -> str:
        """One line, and one for each problem."""
        state = "as expected" if self.holds else "not as expected"
        return "\n".join([f"{self.source}: {self.case}: {state}", *self.problems])


def run_runbook_case(case: RunbookCase, *, endpoint_url: str | None = None) -> RunbookCaseResult:
    """Runs one case.

    Args:
        case: The case.
        endpoint_url: An endpoint to run it at; its tables are made there, and deleted afterwards.
            None: an in-process DynamoDB. Not used by cases with recorded answers.

    Raises:
        MissingExtraError: moto or boto3 is not installed.

    Effects: without a guard in force, installs one that allows everything: then the runbook alone
    bounds the run. No role is assumed, and who may run it is not asked.
    """
    with (
        _guarded(),
        _place(case, endpoint_url) as session,
        _tables(case, session, endpoint_url),
        tempfile.TemporaryDirectory() as directory,
    ):
        problems = list(_judge(case, session, Path(directory), endpoint_url))
    return RunbookCaseResult(case.name, f"{case.source}:{case.line}", tuple(problems))


def _judge(
    case: RunbookCase, session: Any, directory: Path, endpoint_url: str | None
) -> Iterator[str]:
    """What is not as expected."""
    result, err = _run(case, session, directory, endpoint_url)
    outcome = _outcome(err)
    if outcome != case.outcome:
        told = f": {err}" if err is not None else ""
        yield f"  outcome: expected `{case.outcome}`, it is `{outcome}`{told}"
    step = getattr(err, "step", None)
    if case.step is not None and step != case.step:
        yield f"  step: expected to end at `{case.step}`, it ended at `{step}`"
    if case.message not in str(err or ""):
        yield f"  message: does not contain `{case.message}`, it is `{err}`"
    if result is not None:
        if case.items is not None and result.items != case.items:
            yield f"  items: expected {case.items}, there are {result.items}"
        yield from _result_problems(case.results, result)
    if case.recorded is None:
        client = session.client("dynamodb", endpoint_url=endpoint_url)
        for item in case.expected_items:
            yield from _item_problems(client, item)


def _run(
    case: RunbookCase, session: Any, directory: Path, endpoint_url: str | None
) -> tuple[RunResult | None, Exception | None]:
    """The run's result, or its error."""

    def ask(question: ApprovalQuestion) -> str | None:
        if case.approves:
            return "test"
        step = f"step `{question.step}` waits for an approval"
        raise ApprovalRequired(step, operation="RunRunbook", service="dynaguard")

    options = RunOptions(
        session=session,
        endpoint_url=None if case.recorded else endpoint_url,
        is_interactive=True,
        directory=directory,
        interaction=Interaction(
            confirm=lambda _: case.confirms, ask_approval=ask, sleep=lambda _: None
        ),
        enter=enter_boundary,
    )
    try:
        return run(case.runbook, case.params, options), None
    except (RunbookError, PolicyDenied) as err:
        return None, err


def _outcome(err: Exception | None) -> str:
    """How a run ended, in the words of cases."""
    if err is None:
        return "done"
    if isinstance(err, ApprovalRequired):
        return "waiting"
    refused = isinstance(err, PolicyDenied) or isinstance(err.__cause__, PolicyDenied)
    return "refused" if refused else "failed"


def _result_problems(expected: Mapping[str, Any], result: RunResult) -> Iterator[str]:
    """Outputs that are not as expected."""
    for path, value in expected.items():
        try:
            found = plain(follow(result.outputs, tuple(path.split("."))))
        except KeyError:
            yield f"  results: there is no `{path}`"
            continue
        if found != value:
            yield f"  results: `{path}` is not as expected"


def _item_problems(client: Any, expected: ExpectedItem) -> Iterator[str]:
    """What a table holds otherwise than expected. Names attributes, no values."""
    with own_calls():
        answer = client.get_item(
            TableName=expected.table, Key=attributes(expected.key), ConsistentRead=True
        )
    item = answer.get("Item")
    place = f"item of `{expected.table}` with this key"
    if (item is None) != expected.is_absent:
        yield f"  {place}: {'there is none' if item is None else 'it is still there'}"
        return
    for name, value in expected.values.items():
        if plain((item or {}).get(name)) != value:
            yield f"  {place}: `{name}` is not as expected"


@contextlib.contextmanager
def _guarded() -> Iterator[None]:
    """The guard in force, or one that allows everything for the time of the case."""
    if current()[0] is not None:
        yield
        return
    install(_ALLOW)
    try:
        yield
    finally:
        uninstall()


@contextlib.contextmanager
def _place(case: RunbookCase, endpoint_url: str | None) -> Iterator[Any]:
    """The session of the case's calls."""
    if case.recorded is not None:
        yield RecordedSession(case.recorded)
    elif endpoint_url is not None:
        yield fake_session()
    else:
        with embedded() as session:
            yield session


@contextlib.contextmanager
def _tables(case: RunbookCase, session: Any, endpoint_url: str | None) -> Iterator[None]:
    """The tables of a case, for its time."""
    if case.recorded is not None or not case.tables:
        yield
        return
    client = session.client("dynamodb", endpoint_url=endpoint_url)
    with own_calls():  # a policy need not allow to make tables
        for table in case.tables:
            make_table(client, table)
    try:
        yield
    finally:
        with own_calls():
            for table in case.tables:
                client.delete_table(TableName=table.name)
