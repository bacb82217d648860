"""Makes the calls of a run: pages within bounds, writes once, every one counted and on record."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, Final

from dynaguard.aws.analysis import is_write
from dynaguard.aws.dynamodb.repeats import is_additive
from dynaguard.call import Verdict
from dynaguard.consumption.units import REPORTING
from dynaguard.errors import ApprovalRequired, PolicyDenied, RunbookError
from dynaguard.runbooks import answers
from dynaguard.runbooks.journal import encoded
from dynaguard.runbooks.results import RepeatClass, RunEvent

if TYPE_CHECKING:
    from dynaguard.runbooks.model import Step
    from dynaguard.runbooks.state import RunState

_COUNTS: Final = frozenset({"Count", "ScannedCount"})
_CURSORS: Final = frozenset({"LastEvaluatedKey", "LastEvaluatedTableName", "NextToken"})
_HELP: Final = {
    "EndpointConnectionError": "nothing answers there, look at region and endpoint",
    "ExpiredTokenException": "the credentials ended, sign in again",
    "NoCredentialsError": "no AWS credentials were found",
    "NoRegionError": "name a region, by `region` (`--region`) or AWS_REGION",
    "ProfileNotFound": "there is no such AWS profile, look at AWS_PROFILE",
    "ResourceNotFoundException": "no such table or index there, look at region and account",
    "UnrecognizedClientException": "AWS does not know these credentials",
}
"""What to do about failures that have little to do with the runbook. Messages of AWS stay out."""
_LEFTOVERS: Final = ("UnprocessedItems", "UnprocessedKeys")
_SERVER_FAULT: Final = 500
_RANK: Final[Mapping[RepeatClass | None, int]] = {
    None: 0,
    "read": 1,
    "repeatable": 2,
    "additive": 3,
}


@dataclass(slots=True)
class Tally:
    """What the calls of one step came to."""

    operation: str | None = None
    repeat_class: RepeatClass | None = None
    tables: dict[str, None] = field(default_factory=dict)
    calls: int = 0
    skipped_calls: int = 0
    pages: int = 0
    items: int = 0
    attributes: set[str] = field(default_factory=set)

    def note_call(self, request: Request) -> None:
        """Takes in what is known before a call leaves."""
        self.operation = f"{request.service}:{request.operation}"
        if _RANK[request.repeat_class] > _RANK[self.repeat_class]:
            self.repeat_class = request.repeat_class
        self.tables.update(dict.fromkeys(answers.tables_in(request.params)))

    def note_answer(self, answer: Mapping[str, Any], items: int, pages: int) -> None:
        """Takes in an answer."""
        self.calls += 1
        self.items += items
        self.pages += pages
        if len(self.attributes) < answers.MAX_ATTRIBUTES:
            self.attributes |= answers.attribute_names(answer)


@dataclass(frozen=True, slots=True)
class Request:
    """One call, its places filled.

    Attributes:
        step: The step that makes it.
        service: botocore's service name.
        operation: The operation.
        params: Its parameters.
        region: Where it goes; None: the run's region.
        max_pages: How many pages are read at most; None: the first alone.
        max_items: How many items are taken at most; None: as the run's limits say.
    """

    step: Step
    service: str
    operation: str
    params: dict[str, Any] = field(repr=False)
    region: str | None = None
    max_pages: int | None = None
    max_items: int | None = None

    @property
    def is_write(self) -> bool:
        """Whether it changes something."""
        return is_write(self.service, self.operation, self.params)

    @property
    def repeat_class(self) -> RepeatClass:
        """Whether it may be made again after a failure.

        DynamoDB's writes are told apart by their expressions. Of other services a write counts as
        additive: to publish, send or invoke twice is to do it twice.
        """
        if not self.is_write:
            return "read"
        if self.service != "dynamodb":
            return "additive"
        return "additive" if is_additive(self.operation, self.params) else "repeatable"


class Calls:
    """Makes calls for a run. One thread.

    Args:
        state: The run.
    """

    __slots__ = ("_state",)

    def __init__(self, state: RunState) -> None:
        self._state = state

    def make(self, request: Request, tally: Tally, *, keeps_result: bool) -> dict[str, Any]:
        """Makes one call, or leaves out a write that an earlier start of the run completed.

        Args:
            request: The call.
            tally: Counts of its step.
            keeps_result: Whether a later step may ask for the answer of a write.

        Returns:
            The answer, pages joined; of a write that was left out, what was kept of it.

        Raises:
            RunbookError: It failed, was refused, or would go past a limit of the run.
        """
        tally.note_call(request)
        if not request.is_write:
            return self._read(request, tally)
        journal = self._state.journal
        target = answers.target_of(request.params, self._state.keys_by_table)
        key = journal.write_key(request.step.name, request.service, request.operation, target)
        known = journal.state_of(key)
        if known == "done":
            tally.skipped_calls += 1
            return dict(journal.result_of(key) or {})
        if known == "doubtful" and self._is_taken_as_done(request, key):
            tally.skipped_calls += 1
            return {}
        return self._write(request, tally, key, keeps_result=keeps_result)

    def is_written(self, request: Request) -> bool:
        """Whether an earlier start of the run completed a write."""
        target = answers.target_of(request.params, self._state.keys_by_table)
        journal = self._state.journal
        key = journal.write_key(request.step.name, request.service, request.operation, target)
        return journal.was_done(key)

    # --- reads ---------------------------------------------------------------------------------

    def _read(self, request: Request, tally: Tally) -> dict[str, Any]:
        """A read: one page, or as many as its bounds let."""
        request = self._measured(request)
        client = self._client(request)
        method = _method(client, request)
        if request.max_pages is None or not client.can_paginate(method):
            answer = self._page(request, tally, lambda: getattr(client, method)(**request.params))
            found = answer if request.max_items is None else _cut(answer, request.max_items)
            return answers.merged([found], _COUNTS)
        pages = iter(client.get_paginator(method).paginate(**request.params))
        return answers.merged(self._pages(request, tally, pages), _COUNTS)

    def _pages(
        self, request: Request, tally: Tally, pages: Iterator[Any]
    ) -> Iterator[Mapping[str, Any]]:
        """Pages until one of the bounds; the page that goes past the items is cut."""
        taken, left = 0, request.max_items
        for number in range(1, (request.max_pages or 1) + 1):
            page = self._page(request, tally, lambda: next(pages, None))
            if page is None:
                return
            self._state.tell(RunEvent("page", request.step.name, *self._state.place, count=number))
            count = answers.item_count(page)
            if left is not None and taken + count >= left:
                yield _cut(page, left - taken)
                return
            taken += count
            yield page
            if request.service == "dynamodb" and _CURSORS.isdisjoint(page):
                return  # asking for more would need room that the run may not have

    def _page(self, request: Request, tally: Tally, send: Any) -> Any:
        """One answer of a read, counted."""
        spending, step = self._state.spending, request.step.name
        if request.service == "dynamodb":
            spending.check_room(step, is_paged=_is_paged(request), is_write=False)
        spending.check_time(step)
        answer = self._sent(request, send)
        if answer is None:
            return None
        self._refuse_leftovers(request, answer)
        items, pages = answers.item_count(answer), 1 if _is_paged(request) else 0
        tally.note_answer(answer, items, pages)
        spending.add(step, answer, items=items, pages=pages, is_write=False)
        return answer

    # --- writes --------------------------------------------------------------------------------

    def _write(
        self, request: Request, tally: Tally, key: str, *, keeps_result: bool
    ) -> dict[str, Any]:
        """A write, with its intent on disk before and its end after."""
        state, step = self._state, request.step.name
        count = answers.written_count(request.params)
        state.spending.check_room(step, is_paged=False, is_write=True, items=count)
        request = self._measured(request)
        client = self._client(request)
        method = _method(client, request)
        state.journal.note("intent", step=step, key=key, operation=request.operation)
        try:
            answer = self._sent(request, lambda: getattr(client, method)(**request.params))
        except (RunbookError, ApprovalRequired) as err:
            if not _may_have_happened(err.__cause__ or err):
                state.journal.note("failed", step=step, key=key)
            raise
        self._refuse_leftovers(request, answer)
        kept = {name: each for name, each in answer.items() if name != "ResponseMetadata"}
        result = {"result": encoded(kept)} if keeps_result and kept else {}
        state.journal.note("done", step=step, key=key, **result)
        tally.note_answer(answer, count, 0)
        state.spending.add(step, answer, items=count, pages=0, is_write=True)
        return kept

    def _is_taken_as_done(self, request: Request, key: str) -> bool:
        """Whether a write that was cut off counts as done; else it is made again.

        One that sets a state is made again. Of one that adds, nobody but a look at the data can
        tell, so whoever resumes has to say.

        Raises:
            RunbookError: Nobody said.
        """
        state, name = self._state, request.step.name
        is_additive = request.repeat_class == "additive"
        if is_additive and state.doubtful is None:
            raise state.error(
                f"it is not known whether the {request.operation} of step `{name}` took effect "
                "before the run was cut off, and it adds to what is there: look at the item, then "
                'resume with `doubtful="done"` or `doubtful="repeat"`',
                name,
            )
        is_done = state.doubtful == "done"
        state.journal.note("done" if is_done else "failed", step=name, key=key)
        return is_done

    # --- both ----------------------------------------------------------------------------------

    def _measured(self, request: Request) -> Request:
        """The call, asked for the capacity that it consumes where the run has a limit of it."""
        limits = self._state.bound.runbook.limits
        if limits.read_units is None and limits.write_units is None:
            return request
        if request.service != "dynamodb" or request.operation not in REPORTING:
            return request
        return replace(request, params={"ReturnConsumedCapacity": "TOTAL", **request.params})

    def _client(self, request: Request) -> Any:
        """The client of a call; one of a single attempt where nothing may be repeated."""
        is_once = request.step.retries == "never" or (
            request.repeat_class == "additive" and not self._state.has_budgets
        )
        self._state.limit_attempts(is_once=request.step.retries == "never")
        clients, service = self._state.clients, request.service
        return self._sent(
            request, lambda: clients.client(service, request.region, is_once=is_once)
        )

    def _sent(self, request: Request, send: Any) -> Any:
        """The answer.

        Raises:
            RunbookError: It failed or was refused; the cause is the client's own error.
            ApprovalRequired: The policy has it approved first; the run goes on with it then.
        """
        try:
            return send()
        except (RunbookError, ApprovalRequired):
            raise
        except Exception as err:
            name = request.step.name
            code = code_of(err)
            told = f"failed ({code})" + (f": {_HELP[code]}" if code in _HELP else "")
            if isinstance(err, PolicyDenied):
                told = _refusal_text(err, self._state.bound.runbook.name)
            raise self._state.error(
                f"the {request.operation} of step `{name}` {told}", name
            ) from err

    def _refuse_leftovers(self, request: Request, answer: Mapping[str, Any]) -> None:
        """A batch that came back in part is not done.

        Raises:
            RunbookError: Members are left; a write stays noted as begun, and is made again whole
                when the run is resumed, which a batch of puts and deletes bears.
        """
        left = [name for name in _LEFTOVERS if answer.get(name)]
        if left:
            name = request.step.name
            raise self._state.error(
                f"the {request.operation} of step `{name}` came back in part (`{left[0]}`), "
                "resume the run to have the rest done",
                name,
            )


def _refusal_text(err: PolicyDenied, runbook: str) -> str:
    """Why a call was refused: keys and limits are named, no values; and what would allow it."""
    told = f"was refused ({code_of(err)}): {err.reason}"
    decision = err.decision
    if decision and decision.verdict is Verdict.IMPLICIT_DENY and decision.statement is None:
        told += f"; put what `dynaguard runbook hash {runbook}` prints into the policy"
    return told


def code_of(err: BaseException) -> str:
    """AWS's code of an error, or its kind. Messages may hold values, so they are left out."""
    response = getattr(err, "response", None)
    code = response.get("Error", {}).get("Code") if isinstance(response, Mapping) else None
    return str(code or type(err).__name__)


def _may_have_happened(err: BaseException | None) -> bool:
    """Whether a write that failed may have taken effect.

    AWS's answers of status 400 say that it did not; a lost answer and a fault of the server say
    nothing.

    Source: Amazon DynamoDB Developer Guide, *Error handling*.
    """
    if isinstance(err, PolicyDenied):
        return False
    response = getattr(err, "response", None)
    if not isinstance(response, Mapping):
        return not type(err).__name__.startswith("ParamValidation")
    status = response.get("ResponseMetadata", {}).get("HTTPStatusCode", _SERVER_FAULT)
    return bool(status >= _SERVER_FAULT)


def _method(client: Any, request: Request) -> str:
    """The client's name of an operation, `get_item`."""
    by_operation = {name: method for method, name in client.meta.method_to_api_mapping.items()}
    return str(by_operation[request.operation])


def _is_paged(request: Request) -> bool:
    """Whether a call reads a page, by its own bound or its operation."""
    return request.max_pages is not None or request.operation in {"Query", "Scan"}


def _cut(page: Mapping[str, Any], count: int) -> dict[str, Any]:
    """A page with only its first items; the cursor stays, to tell that there is more."""
    found = dict(page)
    name = answers.item_list(page)
    if name is not None and len(page[name]) > count:
        found[name] = page[name][:count]
        if "Count" in page:
            found["Count"] = count
    return found
