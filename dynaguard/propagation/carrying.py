"""Takes the scope of the running code to threads, worker processes and subprocesses."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final, Generic, ParamSpec, TypeVar, cast

from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

from dynaguard.errors import ConfigurationError
from dynaguard.scope import Scope, ScopeManager, shared_scope
from dynaguard.settings.carried import scope_text
from dynaguard.settings.table import SETTING_BY_NAME

_ParamsT = ParamSpec("_ParamsT")
_ResultT = TypeVar("_ResultT")
_CARRIED: Final = ("correlation_id", "job", "run_id", "stage", "runbook", "priority")


def carry(function: Callable[_ParamsT, _ResultT]) -> Callable[_ParamsT, _ResultT]:
    """A function that runs in the scope that is current now, wherever it is called.

    For threads and worker processes, which inherit no scope: `pool.submit(carry(work), item)`,
    `pool.map(carry(work), items)`, `Thread(target=carry(work))`, `Process(target=carry(work))`.
    asyncio tasks, `asyncio.to_thread` and forked children inherit the scope without it.

    Outside of a scope with a correlation id of its own, the calls get the id of the trace that is
    current now; without a trace, one each. The span itself stays where it is.

    Args:
        function: What to run; for other processes it must be picklable, as they ask for. A
            coroutine function gives one.

    Returns:
        The function, bound to the scope; picklable where `function` is. Another process must
        install dynaguard itself, its initializer say; else the scope has no effect there.

    Raises:
        ConfigurationError: Not callable, or a generator function, whose body runs outside of the
            call.
    """
    name = getattr(function, "__name__", type(function).__name__)
    if not callable(function):
        raise ConfigurationError(f"`carry` takes a function, not a `{type(function).__name__}`")
    if inspect.isgeneratorfunction(function) or inspect.isasyncgenfunction(function):
        raise ConfigurationError(
            f"`{name}` is a generator function and cannot be carried, carry what uses it"
        )
    return cast("Callable[_ParamsT, _ResultT]", _Carried(function, shared_scope()))


def scope_environ() -> dict[str, str]:
    """Variables that put a subprocess into the scope that is current now.

    `subprocess.run(command, env=os.environ | dynaguard.scope_environ())`. In the subprocess
    `dynaguard.install()` reads them, or `dynaguard run`.

    Returns:
        **Shape**: `DYNAGUARD_CORRELATION_ID`, `DYNAGUARD_JOB`, `DYNAGUARD_RUN_ID`,
        `DYNAGUARD_STAGE`, `DYNAGUARD_RUNBOOK` and `DYNAGUARD_PRIORITY`, as far as the scope has
        them; `DYNAGUARD_SCOPE` with who acts, the task and every boundary; `TRACEPARENT` and
        `TRACESTATE` of the current OpenTelemetry span. Deadlines are not among them. The variable
        holds digests of the parameters that a runbook's calls are bound to: hand it to the
        subprocess alone.

    Raises:
        ConfigurationError: The boundaries are longer than a variable may be.
    """
    return environ_of(shared_scope())


def environ_of(scope: Scope) -> dict[str, str]:
    """As `scope_environ`, of another scope than the current one."""
    found = {
        str(SETTING_BY_NAME[name].env): str(value)
        for name in _CARRIED
        if (value := getattr(scope, name)) is not None and str(value).strip()
    }
    text = scope_text(scope)
    if text is not None:
        found[str(SETTING_BY_NAME["scope"].env)] = text
    headers: dict[str, str] = {}
    TraceContextTextMapPropagator().inject(headers)
    return found | {name.upper(): value for name, value in headers.items()}


@dataclass(frozen=True, slots=True)
class _Carried(Generic[_ResultT]):
    """A function and the scope that it runs in.

    Attributes:
        function: The function.
        scope: Entered around each call of it.
    """

    function: Callable[..., _ResultT]
    scope: Scope

    def __call__(self, *args: Any, **kwargs: Any) -> _ResultT:
        """Runs the function in the scope; of a coroutine function, its body."""
        entered = ScopeManager(lambda _: self.scope)
        return entered(self.function)(*args, **kwargs)
