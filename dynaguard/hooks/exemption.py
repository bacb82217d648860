"""Calls that the guard leaves alone: botocore's own and dynaguard's own, by re-entrancy.

Assuming a role, refreshing SSO credentials or discovering an endpoint happens inside another
call's signing or sending. Such a nested call is exempt by where it happens, never by its action
name alone, so that a user's own `sts:AssumeRole` is guarded.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any, Final

CREDENTIAL_SERVICES: Final = frozenset({"sts", "sso", "sso-oidc", "signin"})

is_within_botocore: ContextVar[str | None] = ContextVar("dynaguard_within", default=None)
"""`signing` while botocore signs, `own` while dynaguard calls AWS itself, else None."""


@contextmanager
def own_calls() -> Iterator[None]:
    """Within it every call is dynaguard's own and passes unguarded."""
    token = is_within_botocore.set("own")
    try:
        yield
    finally:
        is_within_botocore.reset(token)


def is_credential_call(service: str) -> bool:
    """Whether a call to that service, made now, fetches credentials or is dynaguard's own."""
    within = is_within_botocore.get()
    return within == "own" or (within == "signing" and service in CREDENTIAL_SERVICES)


def is_exempt(service_model: Any, operation: str) -> bool:
    """Whether a call that is made inside of another is botocore's or dynaguard's own.

    Args:
        service_model: botocore's model of the client's service.
        operation: The operation.
    """
    if is_credential_call(service_model.service_name):
        return True
    model = service_model.operation_model(operation)
    return bool(getattr(model, "is_endpoint_discovery_operation", False))
