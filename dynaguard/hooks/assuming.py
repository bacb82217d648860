"""Assumes a role for a task, by a call of dynaguard's own, and says in clear what STS answers."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any, Final

from botocore.exceptions import BotoCoreError, ClientError, NoCredentialsError

from dynaguard.access.sessions import SessionRequest, role_partition
from dynaguard.errors import SessionError
from dynaguard.hooks.exemption import own_calls
from dynaguard.hooks.sts import region_of_partition

_CONNECT_TIMEOUT_S: Final = 3
_READ_TIMEOUT_S: Final = 10
_ATTEMPTS: Final = 2
_PACKED: Final = re.compile(r"(\d+)\s?%")
_CHAINED: Final = (
    "a role that was itself assumed (role chaining) gives sessions of an hour at most; leave "
    "`session_s` out, the session is refreshed while its task lives"
)
_TOO_LARGE: Final = (
    "its session policy and tags are too large once STS has packed them{size}; that size is not "
    "known before, name fewer tables and attributes, or give fewer session tags"
)
_EXPIRED: Final = (
    "the credentials that would assume the role have expired themselves, sign in again"
)
MakeClient = Callable[[str | None], Any]
"""Makes the STS client, for a region or, with None, for the one of the base session."""


def assume(request: SessionRequest, make_client: MakeClient, region: str | None) -> dict[str, Any]:
    """One set of credentials of the role.

    Args:
        request: What is asked for.
        make_client: Makes the STS client.
        region: Region whose STS is asked; None: the base session's, else the partition's first.

    Returns:
        STS's answer: `Credentials`, `AssumedRoleUser`, `PackedPolicySize` where it told.

    Raises:
        SessionError: STS refused, or did not answer in time.

    Effects: calls AWS, blocks half a minute at most; not guarded. Safe to repeat: a session more
        is all that comes of it.
    """
    with own_calls():
        try:
            client = make_client(region or region_of_partition(role_partition(request.role_arn)))
            answer: dict[str, Any] = client.assume_role(**request.as_params())
        except ClientError as err:
            raise _told(request, err) from err
        except NoCredentialsError as err:
            raise SessionError(
                f"the session `{request.session_name}` was not had: no AWS credentials were found "
                f"to assume `{request.role_arn}` with",
                role=request.role_arn,
                code=type(err).__name__,
            ) from err
        except BotoCoreError as err:
            raise SessionError(
                f"the session `{request.session_name}` was not had: STS did not answer "
                f"({type(err).__name__}); nothing was sent with it",
                role=request.role_arn,
                code=type(err).__name__,
            ) from err
    return answer


def sts_client_maker(base: Any) -> MakeClient:
    """Makes STS clients of a boto3 or botocore session; they give up soon.

    Args:
        base: The session whose credentials assume the role.
    """

    def make(region: str | None) -> Any:
        from botocore.config import Config

        config = Config(
            connect_timeout=_CONNECT_TIMEOUT_S,
            read_timeout=_READ_TIMEOUT_S,
            retries={"total_max_attempts": _ATTEMPTS},
        )
        create = getattr(base, "create_client", None) or base.client
        return create("sts", region_name=region, config=config)

    return make


def _told(request: SessionRequest, err: ClientError) -> SessionError:
    """STS's refusal in words that say what to do."""
    answer = err.response.get("Error", {})
    code, message = str(answer.get("Code", "")), str(answer.get("Message", ""))
    why = _why(request, code, message)
    return SessionError(
        f"the session `{request.session_name}` was not had: {why}",
        role=request.role_arn,
        code=code,
    )


def _why(request: SessionRequest, code: str, message: str) -> str:
    """What an answer of STS's means here.

    Source: AWS STS API reference, AssumeRole, Errors; IAM user guide, "Troubleshooting roles".
    """
    found = _PACKED.search(message)
    size = f" ({found[1]} % of what it takes)" if found else ""
    if "chain" in message.lower():
        return _CHAINED
    if "MaxSessionDuration" in message or "DurationSeconds" in message:
        return (
            f"the role gives no session of {request.duration_s} seconds; raise its maximum "
            "session duration, or leave `session_s` out: the session is refreshed while its task "
            "lives"
        )
    why_by_code = {
        "PackedPolicyTooLarge": _TOO_LARGE.format(size=size),
        "MalformedPolicyDocument": "STS does not understand its session policy",
        "AccessDenied": _denied(request),
        "AccessDeniedException": _denied(request),
        "ExpiredToken": _EXPIRED,
        "ExpiredTokenException": _EXPIRED,
        "RegionDisabledException": "STS is not active in this region for the account",
    }
    return why_by_code.get(code, f"STS answered `{code}`")


def _denied(request: SessionRequest) -> str:
    """What a refusal to assume the role may come from."""
    needed = ["sts:AssumeRole"]
    if request.tags:
        needed.append("sts:TagSession")
    if request.source_identity is not None:
        needed.append("sts:SetSourceIdentity")
    return (
        f"STS refuses to assume `{request.role_arn}`; the role's trust policy and the caller's "
        f"own policy both have to allow {' and '.join(f'`{action}`' for action in needed)}"
    )
