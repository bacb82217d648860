"""Calls that the guard leaves alone: botocore's own and dynaguard's own, by re-entrancy.

Assuming a role, refreshing SSO credentials or discovering an endpoint happens inside another call,
before or while it is signed and sent. Such a nested call is exempt by where it happens, never by
its action name alone, so that a user's own `sts:AssumeRole` is guarded.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from types import FrameType
from typing import Any, Final

from dynaguard.hooks.frames import current_frame

CREDENTIAL_SERVICES: Final = frozenset({"sts", "sso", "sso-oidc", "signin"})
_CREDENTIAL_MODULES: Final = (
    "aiobotocore.credentials",
    "aiobotocore.tokens",
    "botocore.credentials",
    "botocore.tokens",
)

_within: ContextVar[str | None] = ContextVar("dynaguard_within", default=None)
"""`own` while dynaguard calls AWS itself, `signing` while botocore signs outside of a frame."""


@contextmanager
def own_calls() -> Iterator[None]:
    """Within it every call is dynaguard's own and passes unguarded."""
    token = _within.set("own")
    try:
        yield
    finally:
        _within.reset(token)


@contextmanager
def signing_calls() -> Iterator[None]:
    """Within it calls that fetch credentials are botocore's own; a frame tells it by itself."""
    token = _within.set("signing")
    try:
        yield
    finally:
        _within.reset(token)


def is_within_another() -> bool:
    """Whether the running code is inside of another call, so that a call may be exempt."""
    return current_frame.get() is not None or _within.get() is not None


def is_credential_call(service: str) -> bool:
    """Whether a call to that service, made now, fetches credentials or is dynaguard's own."""
    within, frame = _within.get(), current_frame.get()
    if within == "own":
        return True
    is_signing = within == "signing" or (frame is not None and frame.is_signing)
    if is_signing:
        return service in CREDENTIAL_SERVICES
    # Endpoints by account id (botocore 1.36): the provider is asked before anything is signed.
    return frame is not None and is_for_botocore(service)


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


def is_for_botocore(service: str) -> bool:
    """Whether botocore itself asked, to get credentials or tokens: it must see the answer plain.

    Such a call may be made outside of any other, by `session.get_credentials()`.

    Cost: for the few services that give credentials, a look at the stack.
    """
    if service not in CREDENTIAL_SERVICES:
        return False
    frame: FrameType | None = sys._getframe(1)
    while frame is not None:
        if str(frame.f_globals.get("__name__", "")).startswith(_CREDENTIAL_MODULES):
            return True
        frame = frame.f_back
    return False
