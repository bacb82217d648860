"""Reads who calls from a client's credential provider, without ever causing a refresh.

Source: botocore's `credentials.py` (1.34 to 1.44): `RefreshableCredentials` keeps the current key
in `_access_key` and refreshes when the public `access_key` is read.
"""

from __future__ import annotations

from typing import Any

from dynaguard.call import NO_CREDENTIALS, CredentialFacts


def access_key_id_of(credentials: Any) -> str | None:
    """The key id that these credentials hold now; never refreshes, never blocks."""
    if hasattr(credentials, "_access_key"):
        return credentials._access_key  # type: ignore[no-any-return]
    return getattr(credentials, "access_key", None)


def credential_facts(credentials: Any) -> CredentialFacts:
    """What the provider knows offline; secret and token are looked at, never kept.

    Effects: no network call, no refresh. Cost: a dozen attribute reads; callers cache it by
    access key id.
    """
    if credentials is None:
        return NO_CREDENTIALS
    is_refreshable = hasattr(credentials, "_access_key")
    fetcher = _fetcher_of(credentials)
    key_id = access_key_id_of(credentials)
    token = credentials._token if is_refreshable else getattr(credentials, "token", None)
    account = credentials._account_id if hasattr(credentials, "_account_id") else None
    return CredentialFacts(
        access_key_id=key_id,
        method=getattr(credentials, "method", None),
        account_id=account
        or (None if is_refreshable else getattr(credentials, "account_id", None)),
        role_arn=getattr(fetcher, "_role_arn", None),
        role_session_name=getattr(fetcher, "_role_session_name", None),
        assumed_role_arn=_assumed_role_arn(fetcher),
        has_session_token=None if key_id is None else token is not None,
    )


def _fetcher_of(credentials: Any) -> Any:
    """The assume-role fetcher behind refreshable credentials, or None.

    With `mfa_serial` a refresher object stands between; its own `_refresh` is the fetcher's.
    """
    for refresh in ("_refresh_using", "_refresh"):
        bound = getattr(credentials, refresh, None)
        owner = getattr(bound, "__self__", None)
        if hasattr(owner, "_role_arn"):
            return owner
        inner = getattr(getattr(bound, "_refresh", None), "__self__", None)
        if hasattr(inner, "_role_arn"):
            return inner
    return None


def _assumed_role_arn(fetcher: Any) -> str | None:
    """The exact assumed-role ARN that STS gave at the last refresh, or None before it."""
    cache = getattr(fetcher, "_cache", None)
    entry = cache.get(getattr(fetcher, "_cache_key", None)) if isinstance(cache, dict) else None
    if not isinstance(entry, dict):
        return None
    return entry.get("AssumedRoleUser", {}).get("Arn")  # type: ignore[no-any-return]
