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

is_signing: ContextVar[bool] = ContextVar("dynaguard_is_signing", default=False)
_is_own: ContextVar[bool] = ContextVar("dynaguard_is_own", default=False)


@contextmanager
def own_calls() -> Iterator[None]:
    """Within it every call is dynaguard's own and passes unguarded."""
    token = _is_own.set(True)
    try:
        yield
    finally:
        _is_own.reset(token)


def is_exempt(
    service: str, operation_model: Any | None = None, *, is_nested: bool = False
) -> bool:
    """Whether the call that is being made now is botocore's or dynaguard's own.

    Args:
        service: botocore's service name.
        operation_model: botocore's model of the operation, where at hand.
        is_nested: Whether it is made while another guarded call of this context is under way.
    """
    if _is_own.get():
        return True
    if service in CREDENTIAL_SERVICES and is_signing.get():
        return True
    return (
        is_nested
        and operation_model is not None
        and bool(getattr(operation_model, "is_endpoint_discovery_operation", False))
    )
