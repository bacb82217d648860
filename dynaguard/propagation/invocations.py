"""One invocation of an AWS Lambda function as a scope."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from dynaguard.errors import ConfigurationError
from dynaguard.scope import Scope, ScopeManager, check_name, deadline


def invocation(
    context: Any,
    *,
    job: str | None = None,
    run_id: str | None = None,
    stage: str | None = None,
    reserve_s: float = 0.5,
) -> ScopeManager:
    """A scope for one invocation of a Lambda function: its name, its request id, its time.

    Nothing is read from the event: whoever may invoke the function could name any job there, and
    policies decide on jobs. Hand in what your state machine puts there, as far as you trust it.

    Args:
        context: The context object that AWS Lambda hands to a handler.
        job: Name of the job; None: the job around it, else the function's name.
        run_id: The run; None: the run around it, else `context.aws_request_id`.
        stage: The pipeline stage; None: the stage around it.
        reserve_s: Seconds kept back of the function's remaining time, to answer in; nothing waits
            past that, as in `deadline()`.

    Returns:
        A context manager (`with`, `async with`) that gives the `Scope`.

    Raises:
        ConfigurationError: The context is none of AWS Lambda's, or a name is no text or empty.

    Source: AWS Lambda developer guide, "Using the Lambda context object"; AWS Step Functions
    developer guide, "Accessing execution data from the Context object".
    """
    names = (getattr(context, "function_name", None), getattr(context, "aws_request_id", None))
    if None in names or not hasattr(context, "get_remaining_time_in_millis"):
        raise ConfigurationError("`invocation` takes the context object of an AWS Lambda handler")
    function_name, request_id = names
    check_name("function name", function_name)
    check_name("request id", request_id)
    for what, text in (("job name", job), ("run id", run_id), ("stage", stage)):
        if text is not None:
            check_name(what, text)
    until = deadline(context, reserve_s=reserve_s)

    def derive(scope: Scope) -> Scope:
        named = replace(
            scope,
            job=job or scope.job or function_name,
            run_id=run_id or scope.run_id or request_id,
            stage=stage or scope.stage,
        )
        return until.derive(named)

    return ScopeManager(derive)
