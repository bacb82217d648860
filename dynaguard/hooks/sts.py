"""Asks STS who the caller is, with an unguarded client; only on opt-in (`identity_lookup`)."""

from __future__ import annotations

import weakref
from typing import Any

from dynaguard.call import CredentialFacts
from dynaguard.hooks.exemption import own_calls

_TIMEOUT_S = 5
# Which region answers makes no difference to who the caller is; this one is always enabled.
_REGION = "us-east-1"
_credentials_by_key_id: weakref.WeakValueDictionary[str, Any] = weakref.WeakValueDictionary()


def remember_credentials(key_id: str | None, credentials: Any) -> None:
    """Keeps a weak reference to the provider's object, so that a later look-up can sign."""
    if key_id is not None:
        _credentials_by_key_id[key_id] = credentials


def look_up_caller(facts: CredentialFacts) -> str | None:
    """The caller's ARN by `sts:GetCallerIdentity`, or None when the credentials are gone.

    Effects: calls AWS, blocks up to five seconds; the call itself is not guarded.
    Source: the STS API reference, GetCallerIdentity: needs no permission.
    """
    credentials = _credentials_by_key_id.get(facts.access_key_id or "")
    if credentials is None:
        return None
    import botocore.session
    from botocore.config import Config

    frozen = credentials.get_frozen_credentials()
    with own_calls():
        client: Any = botocore.session.Session().create_client(
            "sts",
            region_name=_REGION,
            aws_access_key_id=frozen.access_key,
            aws_secret_access_key=frozen.secret_key,
            aws_session_token=frozen.token,
            config=Config(
                connect_timeout=_TIMEOUT_S,
                read_timeout=_TIMEOUT_S,
                retries={"total_max_attempts": 1},
            ),
        )
        arn: str = client.get_caller_identity()["Arn"]
    return arn
