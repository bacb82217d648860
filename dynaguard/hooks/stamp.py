"""The stamp of a request: a signed header, and in the User-Agent, which CloudTrail shows.

The header bears the correlation id. The User-Agent bears it too, and after it what else the scope
names: `md/dynaguard#INC-4711 md/dynaguard-job#nightly md/dynaguard-run#7 md/dynaguard-stage#load
md/dynaguard-runbook#failover md/dynaguard-task#t-42`. Values are cut to 64 characters each, and
made of those that the SDKs allow there; 495 characters at most.

Source: AWS CloudTrail user guide, record contents: `userAgent` is cut to 1 KB; botocore's
`useragent.py` for the `md/NAME#VALUE` form and its characters.
"""

from __future__ import annotations

import functools
from collections.abc import MutableMapping
from typing import Any, Final

from dynaguard.call import Call
from dynaguard.scope import sanitise_correlation_id

HEADER: Final = "X-Dynaguard-Correlation-Id"
USER_AGENT_TOKEN: Final = "md/dynaguard#"
MAX_AGENT_LENGTH: Final = 1024
"""What CloudTrail keeps of a User-Agent."""


def put_header(headers: MutableMapping[str, Any], correlation_id: str) -> None:
    """Puts the id into a request that is about to be signed, for the signature to cover it."""
    headers[HEADER] = correlation_id


def settle_stamp(headers: MutableMapping[str, Any], call: Call, *, names_scope: bool) -> None:
    """Completes the stamp of a prepared request, or takes it off where nothing was signed.

    botocore builds the User-Agent anew on every attempt and leaves it out of the signature, so it
    can grow here, after everything that builds it.

    Args:
        headers: Of the prepared request.
        call: What is stamped.
        names_scope: Whether job, run, stage, runbook and task are named. Not where CloudTrail
            would cut them: the id stands first, and alone where the text is long.
    """
    if "Authorization" not in headers:
        headers.pop(HEADER, None)
        return
    agent = headers.get("User-Agent")
    if agent:
        text = agent.decode("latin-1") if isinstance(agent, bytes) else agent
        stamped = f"{text} {USER_AGENT_TOKEN}{call.correlation_id}"
        if names_scope:
            scope = call.scope
            tokens = scope_tokens(scope.job, scope.run_id, scope.stage, scope.runbook, scope.task)
            if len(stamped) + len(tokens) <= MAX_AGENT_LENGTH:
                stamped += tokens
        headers["User-Agent"] = stamped


@functools.lru_cache(maxsize=256)
def scope_tokens(
    job: str | None,
    run_id: str | None,
    stage: str | None,
    runbook: str | None,
    task: str | None,
) -> str:
    """What a scope adds to the User-Agent, each token with a space before it."""
    values = {"job": job, "run": run_id, "stage": stage, "runbook": runbook, "task": task}
    return "".join(
        f" md/dynaguard-{name}#{sanitise_correlation_id(text)}"
        for name, text in values.items()
        if text is not None
    )
