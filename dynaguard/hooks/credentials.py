"""Reads who calls from a client's credential provider, without ever causing a refresh.

Source: botocore's `credentials.py` (1.34 to 1.44): `RefreshableCredentials` keeps the current key
in `_access_key` and refreshes when the public `access_key` is read.
"""

from __future__ import annotations

from datetime import datetime
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
    method = getattr(credentials, "method", None)
    is_sso = method == "sso"
    expires_at = getattr(credentials, "_expiry_time", None)
    loader = getattr(fetcher, "_web_identity_token_loader", None)
    return CredentialFacts(
        access_key_id=key_id,
        method=method,
        account_id=_account_of(credentials, fetcher, is_refreshable=is_refreshable),
        role_arn=getattr(fetcher, "_role_arn", None),
        role_session_name=getattr(fetcher, "_role_session_name", None),
        assumed_role_arn=_assumed_role_arn(fetcher),
        has_session_token=None if key_id is None else token is not None,
        expires_at=expires_at if isinstance(expires_at, datetime) else None,
        login_arn=getattr(fetcher, "_session_name", None) if method == "login" else None,
        sso_role_name=getattr(fetcher, "_role_name", None) if is_sso else None,
        sso_region=getattr(fetcher, "_sso_region", None) if is_sso else None,
        token_file=getattr(loader, "_web_identity_token_path", None),
    )


def _account_of(credentials: Any, fetcher: Any, *, is_refreshable: bool) -> str | None:
    """The account that the provider knows; a single sign-on fetcher knows it before any call."""
    if is_refreshable:
        known = getattr(credentials, "_account_id", None)
        return known or getattr(fetcher, "_account_id", None)
    return getattr(credentials, "account_id", None)


def _fetcher_of(credentials: Any) -> Any:
    """The object that fetches refreshable credentials, or None where a function does.

    With `mfa_serial` a refresher object stands between; its own `_refresh` is the fetcher's.
    """
    bound = getattr(credentials, "_refresh_using", None) or getattr(credentials, "_refresh", None)
    inner = getattr(bound, "_refresh", None)
    return getattr(inner or bound, "__self__", None)


def _assumed_role_arn(fetcher: Any) -> str | None:
    """The exact assumed-role ARN that STS gave at the last refresh, or None before it."""
    cache = getattr(fetcher, "_cache", None)
    entry = cache.get(getattr(fetcher, "_cache_key", None)) if isinstance(cache, dict) else None
    if not isinstance(entry, dict):
        return None
    return entry.get("AssumedRoleUser", {}).get("Arn")  # type: ignore[no-any-return]
