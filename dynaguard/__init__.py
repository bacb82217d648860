"""Guards AWS calls from inside the process that makes them.

`import dynaguard; dynaguard.install()` hooks botocore; importing alone does nothing, and loads
little: names in `_MODULE_BY_LAZY_NAME` bring their rooms with them when they are first used.
"""

import typing as _typing
from importlib import import_module as _import_module

from dynaguard.acting import acting_as
from dynaguard.errors import (
    AccessStoreError,
    ApprovalRequired,
    AuditUnavailable,
    CapacityLimitReached,
    ConfigurationError,
    CursorRefused,
    DynaguardError,
    DynaguardWarning,
    GuardFailure,
    MaskedWriteRefused,
    MissingExtraError,
    PatchPointError,
    PolicyDenied,
    PolicySyntaxError,
    Problem,
    RunbookError,
    SessionError,
    TamperedRequest,
    TicketError,
)
from dynaguard.hooks.lifecycle import attach, detach, install, uninstall
from dynaguard.scope import correlation, deadline, job

if _typing.TYPE_CHECKING:
    from dynaguard.access.grants import Grant
    from dynaguard.explaining import Explanation, explain
    from dynaguard.guard import Guard
    from dynaguard.hooks.batch_writer import unwritten
    from dynaguard.hooks.granting import grant, grants, revoke_grant
    from dynaguard.hooks.items import mask_item, unmask_item
    from dynaguard.hooks.keys import key_hash
    from dynaguard.hooks.requesting import Approval, approval, request_access
    from dynaguard.hooks.status import GuardStatus, status
    from dynaguard.masking.registry import Detector, register_detector, register_strategy
    from dynaguard.propagation.carrying import carry, scope_environ
    from dynaguard.propagation.invocations import invocation
    from dynaguard.runbooks.handler import runbook_handler
    from dynaguard.runbooks.results import RunResult
    from dynaguard.runbooks.running import run_runbook
    from dynaguard.runbooks.task import Task
    from dynaguard.runbooks.tasks import current_task, task

_MODULE_BY_LAZY_NAME = {
    "Approval": "dynaguard.hooks.requesting",
    "Detector": "dynaguard.masking.registry",
    "Explanation": "dynaguard.explaining",
    "Grant": "dynaguard.access.grants",
    "Guard": "dynaguard.guard",
    "GuardStatus": "dynaguard.hooks.status",
    "RunResult": "dynaguard.runbooks.results",
    "Task": "dynaguard.runbooks.task",
    "approval": "dynaguard.hooks.requesting",
    "carry": "dynaguard.propagation.carrying",
    "current_task": "dynaguard.runbooks.tasks",
    "explain": "dynaguard.explaining",
    "grant": "dynaguard.hooks.granting",
    "grants": "dynaguard.hooks.granting",
    "invocation": "dynaguard.propagation.invocations",
    "key_hash": "dynaguard.hooks.keys",
    "mask_item": "dynaguard.hooks.items",
    "register_detector": "dynaguard.masking.registry",
    "register_strategy": "dynaguard.masking.registry",
    "request_access": "dynaguard.hooks.requesting",
    "revoke_grant": "dynaguard.hooks.granting",
    "run_runbook": "dynaguard.runbooks.running",
    "runbook_handler": "dynaguard.runbooks.handler",
    "scope_environ": "dynaguard.propagation.carrying",
    "status": "dynaguard.hooks.status",
    "task": "dynaguard.runbooks.tasks",
    "unmask_item": "dynaguard.hooks.items",
    "unwritten": "dynaguard.hooks.batch_writer",
}

__all__ = [
    "AccessStoreError",
    "Approval",
    "ApprovalRequired",
    "AuditUnavailable",
    "CapacityLimitReached",
    "ConfigurationError",
    "CursorRefused",
    "Detector",
    "DynaguardError",
    "DynaguardWarning",
    "Explanation",
    "Grant",
    "Guard",
    "GuardFailure",
    "GuardStatus",
    "MaskedWriteRefused",
    "MissingExtraError",
    "PatchPointError",
    "PolicyDenied",
    "PolicySyntaxError",
    "Problem",
    "RunResult",
    "RunbookError",
    "SessionError",
    "TamperedRequest",
    "Task",
    "TicketError",
    "acting_as",
    "approval",
    "attach",
    "carry",
    "correlation",
    "current_task",
    "deadline",
    "detach",
    "explain",
    "grant",
    "grants",
    "install",
    "invocation",
    "job",
    "key_hash",
    "mask_item",
    "register_detector",
    "register_strategy",
    "request_access",
    "revoke_grant",
    "run_runbook",
    "runbook_handler",
    "scope_environ",
    "status",
    "task",
    "uninstall",
    "unmask_item",
    "unwritten",
]


def __getattr__(name: str) -> _typing.Any:
    """The lazy names, and `__version__` as the installed distribution tells it."""
    if name == "__version__":
        from importlib.metadata import version

        return version("dynaguard")
    module = _MODULE_BY_LAZY_NAME.get(name)
    if module is None:
        raise AttributeError(f"module `dynaguard` has no attribute `{name}`")
    return getattr(_import_module(module), name)
