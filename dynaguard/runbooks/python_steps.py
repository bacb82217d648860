"""Python steps: a callable of the runbook's own, given a client that makes its calls alone."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

from dynaguard.errors import ConfigurationError, RunbookError
from dynaguard.runbooks.calling import Request
from dynaguard.runbooks.python_source import file_name, load_module, module_file

if TYPE_CHECKING:
    from pathlib import Path

    from dynaguard.runbooks.model import PythonStep, Runbook, Step

CallNow = Callable[[Request], dict[str, Any]]
_PLAIN: Final = frozenset({"exceptions", "meta"})


@dataclass(frozen=True, slots=True)
class StepContext:
    """What a Python step is given.

    Attributes:
        values: Parameter values by name; secrets as `Secret`, opened by `reveal()`.
        results: What the steps before gave, masked as the run's outputs are.
        task: Id of the task.
    """

    values: Mapping[str, Any] = field(repr=False)
    results: Mapping[str, Any] = field(repr=False)
    task: str
    _step: Step = field(repr=False)
    _call: CallNow = field(repr=False)
    _plain_client: Callable[[str, str | None], Any] = field(repr=False)

    def call(
        self, service: str, operation: str, *, region: str | None = None, **params: Any
    ) -> dict[str, Any]:
        """Makes one of the calls that the step declares.

        Args:
            service: botocore's service name.
            operation: The operation, `GetItem`.
            region: Where it goes; None: the run's region.
            **params: Parameters of the low-level client.

        Returns:
            The answer without its metadata. A write that an earlier start of the run completed
            is not made again: then what was answered at that time.

        Raises:
            RunbookError: It failed, or would go past a limit; a call that the step does not
                declare is refused by the guard.
        """
        return self._call(Request(self._step, service, operation, params, region))

    def client(self, service: str, region: str | None = None) -> StepClient:
        """A client of the run's session whose methods make calls as `call` does."""
        return StepClient(self, service, region, self._plain_client(service, region))


class StepClient:
    """A client that makes the calls of a run: `client.get_item(TableName=..., Key=...)`.

    Methods are those of boto3's low-level client; of its other attributes there are `exceptions`
    and `meta` alone.
    """

    __slots__ = ("_client", "_context", "_region", "_service")

    def __init__(
        self, context: StepContext, service: str, region: str | None, client: Any
    ) -> None:
        self._context = context
        self._service = service
        self._region = region
        self._client = client

    def __getattr__(self, name: str) -> Any:
        """The method of an operation."""
        if name in _PLAIN:
            return getattr(self._client, name)
        operation = self._client.meta.method_to_api_mapping.get(name)
        if operation is None:
            raise AttributeError(f"the client of a runbook's step has no `{name}`")

        def method(**params: Any) -> dict[str, Any]:
            context = self._context
            return context.call(self._service, operation, region=self._region, **params)

        return method

    def pages(self, method: str, *, max_pages: int, **params: Any) -> Iterator[dict[str, Any]]:
        """Pages of a Query or Scan, at most so many."""
        cursor: Mapping[str, Any] = {}
        for _ in range(max_pages):
            page = getattr(self, method)(**{**params, **cursor})
            yield page
            if not page.get("LastEvaluatedKey"):
                return
            cursor = {"ExclusiveStartKey": page["LastEvaluatedKey"]}


def load_function(runbook: Runbook, action: PythonStep, step: str) -> Callable[[StepContext], Any]:
    """The callable that a step names.

    It stands beside the runbook's file, where the content hash covers it.

    Raises:
        RunbookError: There is none, or its file is another than the hash covers.
    """
    try:
        file = module_file(runbook, action.target)
        raw = file.read_bytes()
        _check_unchanged(runbook, file, raw, step)
        found = load_module(file, raw)[action.target.partition(":")[2]]
    except (ConfigurationError, KeyError, OSError, ValueError) as err:
        raise RunbookError(
            f"runbook `{runbook.name}`: step `{step}` names `{action.target}`, which cannot be "
            f"loaded ({type(err).__name__})",
            runbook=runbook.name,
            step=step,
        ) from err
    if not callable(found):
        raise RunbookError(
            f"runbook `{runbook.name}`: step `{step}` names `{action.target}`, no function",
            runbook=runbook.name,
            step=step,
        )
    return found  # type: ignore[no-any-return]


def _check_unchanged(runbook: Runbook, file: Path, raw: bytes, step: str) -> None:
    """Refuses a file that is not the one that was read with the runbook: nobody approved it."""
    name = file_name(runbook, file)
    if hashlib.sha256(raw).hexdigest() == runbook.python_sha256.get(name):
        return
    raise RunbookError(
        f"runbook `{runbook.name}`: the file `{name}` of step `{step}` was changed after the "
        "runbook was read, nothing of it was executed; begin a new run",
        runbook=runbook.name,
        step=step,
    )
