"""Runs one drill and judges it: what was injected, what happened, how long it took to recover."""

from __future__ import annotations

import contextlib
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from dynaguard.demo.endpoint import embedded_endpoint
from dynaguard.drills.faults import Injector
from dynaguard.errors import PolicyDenied, RunbookError
from dynaguard.hooks.exemption import own_calls
from dynaguard.hooks.lifecycle import install, uninstall
from dynaguard.runbooks.calling import code_of
from dynaguard.runbooks.entering import enter_boundary, enter_task
from dynaguard.runbooks.interaction import Interaction
from dynaguard.runbooks.reading import read_runbook
from dynaguard.runbooks.starting import RunOptions, run
from dynaguard.scope import deadline
from dynaguard.testing.embedded import fake_session, make_table
from dynaguard.testing.runbook_cases import TestTable

if TYPE_CHECKING:
    from dynaguard.drills.faults import Fault
    from dynaguard.runbooks.model import Runbook

TABLE: Final = "staging-orders"
CUSTOMER: Final = "C-00001"
_KEY: Final = ("customer_id", "order_id")


@dataclass(frozen=True, slots=True)
class Place:
    """What a fault may use: the table behind it, as another writer sees it.

    Attributes:
        client: A client that the fault does not stand before.
    """

    client: Any


@dataclass(frozen=True, slots=True)
class Drill:
    """One failure mode.

    Attributes:
        name: Its name.
        mode: What it is, one sentence.
        injection: How it is injected.
        expectation: What dynaguard must do.
        runbook: Reads the runbook that meets it.
        params: Its parameters.
        judge: Tells what was not as expected, a line each.
        fault: Makes what goes wrong; None: nothing does on the way.
        policy: The policy in force, made for the runbook.
        repaired_policy: The policy once it is repaired; None: the same.
        orders: How many orders of the customer there are.
        limit_s: Deadline around the run, in seconds; None: its own.
        is_bound_to_pins: Whether who may run it, and its pin, are asked.
    """

    name: str
    mode: str
    injection: str
    expectation: str
    runbook: Callable[[], Runbook]
    params: Mapping[str, Any]
    judge: Callable[[Observed], Iterator[str]]
    fault: Callable[[Place], Fault] | None = None
    policy: Callable[[Runbook], Mapping[str, Any]] = lambda _: ALLOW
    repaired_policy: Callable[[Runbook], Mapping[str, Any]] | None = None
    orders: int = 12
    limit_s: float | None = None
    is_bound_to_pins: bool = False


ALLOW: Final[Mapping[str, Any]] = {"version": 1, "default": "allow"}


@dataclass(frozen=True, slots=True)
class Observed:
    """What happened.

    Attributes:
        outcome: How the run ended the first time: `done`, `failed` or `refused`.
        error: AWS's code or the kind of the error, or None.
        step: Where it ended, or None.
        resumed: How it ended once the fault was gone and it was gone on with; None: not needed.
        sent: Requests that went out until the first end, by operation.
        faults: How many requests met the fault.
        statuses: Status by id of the customer's orders afterwards.
        writes: How many writes of each order reached the table, by id.
        elapsed_s: Seconds of the first start.
        recovery_s: Seconds from the first fault, or the refusal, until the run was done.
        run_s: Seconds of all of it.
    """

    outcome: str
    error: str | None
    step: str | None
    resumed: str | None
    sent: Mapping[str, int]
    faults: int
    statuses: Mapping[str, str]
    writes: Mapping[str, int]
    elapsed_s: float
    recovery_s: float
    run_s: float


@dataclass(frozen=True, slots=True)
class DrillResult:
    """A drill, run and judged.

    Attributes:
        name, mode, injection, expectation: As the drill has them.
        runbook: Name of its runbook.
        happened: What happened, one clause each.
        problems: What was not as expected.
        recovery_s: Seconds from the first fault until the run was done.
    """

    name: str
    mode: str
    injection: str
    expectation: str
    runbook: str
    happened: tuple[str, ...]
    problems: tuple[str, ...] = field(default=())
    recovery_s: float = 0.0

    @property
    def passed(self) -> bool:
        """Whether dynaguard did what it must."""
        return not self.problems

    def as_text(self) -> str:
        """A few lines for people."""
        state = "passed" if self.passed else "FAILED"
        lines = [
            f"{self.name}: {state}, recovered in {self.recovery_s:.2f} s",
            f"  mode      {self.mode}",
            f"  injected  {self.injection}",
            f"  runbook   {self.runbook}",
            f"  expected  {self.expectation}",
            *(f"  happened  {each}" for each in self.happened),
            *(f"  problem   {each}" for each in self.problems),
        ]
        return "\n".join(lines)


def run_drill(drill: Drill, *, endpoint_url: str | None = None) -> DrillResult:
    """Runs one drill.

    Args:
        drill: The drill.
        endpoint_url: A DynamoDB to run it against, not AWS's: a table is made there and deleted.
            None: an embedded one, for the time of the drill.

    Raises:
        ConfigurationError: A guard with other settings is in force in this process.
        MissingExtraError: moto's server or boto3 is not installed.

    Effects: installs a guard for its time; everything else stays in the endpoint and in a folder
    of its own. Takes seconds.
    """
    with _endpoint(endpoint_url) as url, tempfile.TemporaryDirectory() as folder:
        session, runbook = fake_session(), drill.runbook()
        client = session.client("dynamodb", endpoint_url=url)
        with _orders(client, drill.orders):
            observed = _observe(drill, runbook, Stage(session, client, url, Path(folder)))
    return DrillResult(
        name=drill.name,
        mode=drill.mode,
        injection=drill.injection,
        expectation=drill.expectation,
        runbook=runbook.name,
        happened=tuple(_happened(observed)),
        problems=tuple(drill.judge(observed)),
        recovery_s=observed.recovery_s,
    )


@contextlib.contextmanager
def _endpoint(given: str | None) -> Iterator[str]:
    """The endpoint of drills."""
    if given is not None:
        yield given
        return
    with embedded_endpoint() as endpoint:
        yield endpoint.url


@dataclass(frozen=True, slots=True)
class Stage:
    """Where a drill takes place.

    Attributes:
        session: Its session.
        client: A client that no fault stands before.
        url: The endpoint.
        folder: Folder of journals and records.
    """

    session: Any
    client: Any
    url: str
    folder: Path


def _observe(drill: Drill, runbook: Runbook, stage: Stage) -> Observed:
    """Runs the runbook into the fault, takes it away, and goes on."""
    injector = Injector(drill.fault(Place(stage.client)) if drill.fault else None)
    enter = enter_task if drill.is_bound_to_pins else enter_boundary
    options = RunOptions(
        session=stage.session,
        endpoint_url=stage.url,
        directory=stage.folder,
        interaction=Interaction(),
        enter=injector.entering(enter),
    )
    started_s = time.monotonic()
    with _installed(drill.policy(runbook)):
        err = _run(runbook, drill.params, options, drill.limit_s)
    sent, ended_s = dict(injector.sent), time.monotonic()
    resumed = None
    if err is not None:
        injector.fault = None
        again = _again(options, err)
        policy = (drill.repaired_policy or drill.policy)(runbook)
        with _installed(policy):
            resumed = _outcome(_run(runbook, drill.params, again, None))
    done_s = time.monotonic()
    with own_calls():
        statuses = _statuses(stage.client)
    return Observed(
        outcome=_outcome(err),
        error=None if err is None else code_of(err.__cause__ or err),
        step=getattr(err, "step", None),
        resumed=resumed,
        sent=sent,
        faults=injector.faults,
        statuses=statuses,
        writes=injector.writes,
        elapsed_s=ended_s - started_s,
        recovery_s=done_s - (injector.first_fault_s or (ended_s if err else started_s)),
        run_s=done_s - started_s,
    )


def _run(
    runbook: Runbook, params: Mapping[str, Any], options: RunOptions, limit_s: float | None
) -> RunbookError | PolicyDenied | None:
    """The error that ended the run, or None."""
    with deadline(limit_s) if limit_s is not None else contextlib.nullcontext():
        try:
            run(runbook, params, options)
        except (RunbookError, PolicyDenied) as err:
            return err
    return None


def _again(options: RunOptions, err: RunbookError | PolicyDenied) -> RunOptions:
    """Goes on with a run that began; one that was refused before begins anew."""
    from dataclasses import replace

    return replace(options, resume=getattr(err, "run", None))


def _outcome(err: Exception | None) -> str:
    if err is None:
        return "done"
    is_refused = isinstance(err, PolicyDenied) or isinstance(err.__cause__, PolicyDenied)
    return "refused" if is_refused else "failed"


@contextlib.contextmanager
def _installed(policy: Mapping[str, Any]) -> Iterator[None]:
    """A guard with a policy, for its time."""
    install(dict(policy), identity="arn:aws:iam::123456789012:role/drill")
    try:
        yield
    finally:
        uninstall()


@contextlib.contextmanager
def _orders(client: Any, count: int) -> Iterator[None]:
    """A table with so many paid orders of one customer, for the time of a drill."""
    items = tuple(
        {"customer_id": CUSTOMER, "order_id": f"O-{number:04}", "status": "paid"}
        for number in range(count)
    )
    make_table(client, TestTable(TABLE, _KEY, items=items))
    try:
        yield
    finally:
        with own_calls():
            client.delete_table(TableName=TABLE)


def _statuses(client: Any) -> dict[str, str]:
    """Status by id of the customer's orders."""
    pages = client.get_paginator("query").paginate(
        TableName=TABLE,
        KeyConditionExpression="customer_id = :c",
        ExpressionAttributeValues={":c": {"S": CUSTOMER}},
        ConsistentRead=True,
    )
    return {item["order_id"]["S"]: item["status"]["S"] for page in pages for item in page["Items"]}


def _happened(observed: Observed) -> Iterator[str]:
    """What happened, for people."""
    told = f"the run was {observed.outcome} after {observed.elapsed_s:.2f} s"
    if observed.outcome == "failed":
        told = f"the run ended after {observed.elapsed_s:.2f} s"
    if observed.step:
        told += f" at step `{observed.step}`"
    if observed.error:
        told += f" ({observed.error})"
    yield told
    if observed.faults:
        yield f"{observed.faults} requests met the fault"
    sent = ", ".join(f"{count} {name}" for name, count in observed.sent.items() if name)
    yield f"sent until then: {sent or 'nothing'}"
    if observed.resumed:
        yield f"gone on with when the fault was gone: {observed.resumed}"


def library(name: str) -> Callable[[], Runbook]:
    """Reads a runbook that ships."""

    def read() -> Runbook:
        from dynaguard.runbooks.finding import find_runbook

        return read_runbook(find_runbook(f"library:{name}"))

    return read
