"""Guards AWS calls from inside the process that makes them.

`import dynaguard; dynaguard.install()` hooks botocore; importing alone does nothing.
"""

from dynaguard.errors import (
    AuditUnavailable,
    ConfigurationError,
    DynaguardError,
    DynaguardWarning,
    GuardFailure,
    MaskedWriteRefused,
    MissingExtraError,
    PatchPointError,
    PolicyDenied,
    PolicySyntaxError,
    Problem,
    TamperedRequest,
)
from dynaguard.explaining import explain
from dynaguard.guard import Guard
from dynaguard.hooks.lifecycle import attach, detach, install, uninstall
from dynaguard.hooks.status import GuardStatus, status
from dynaguard.scope import acting_as, correlation, job

__all__ = [
    "AuditUnavailable",
    "ConfigurationError",
    "DynaguardError",
    "DynaguardWarning",
    "Guard",
    "GuardFailure",
    "GuardStatus",
    "MaskedWriteRefused",
    "MissingExtraError",
    "PatchPointError",
    "PolicyDenied",
    "PolicySyntaxError",
    "Problem",
    "TamperedRequest",
    "acting_as",
    "attach",
    "correlation",
    "detach",
    "explain",
    "install",
    "job",
    "status",
    "uninstall",
]


def __getattr__(name: str) -> str:
    """`__version__`, read from the installed package when asked for."""
    if name == "__version__":
        from importlib.metadata import version

        return version("dynaguard")
    raise AttributeError(f"module `dynaguard` has no attribute `{name}`")
