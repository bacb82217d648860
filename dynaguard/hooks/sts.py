"""Asks AWS who the caller is, with unguarded clients; only on opt-in (`identity_lookup`).

Runs in the look-up's own thread, never in a call.
"""

from __future__ import annotations

import weakref
from contextlib import suppress
from datetime import datetime
from typing import TYPE_CHECKING, Any, Final

from dynaguard.call import CredentialFacts
from dynaguard.hooks.credentials import credential_facts
from dynaguard.hooks.exemption import own_calls

if TYPE_CHECKING:
    from dynaguard.identity.lookup import Caller

_CONNECT_TIMEOUT_S: Final = 2
_READ_TIMEOUT_S: Final = 3
# Which region of a partition answers makes no difference to who the caller is; these are always
# enabled. Another partition does not know the key at all.
_REGION_BY_PARTITION: Final = {
    "aws": "us-east-1",
    "aws-cn": "cn-north-1",
    "aws-us-gov": "us-gov-west-1",
    "aws-iso": "us-iso-east-1",
    "aws-iso-b": "us-isob-east-1",
    "aws-iso-e": "eu-isoe-west-1",
    "aws-iso-f": "us-isof-south-1",
    "aws-eusc": "eusc-de-east-1",
}
_PARTITION: Final = "aws"
_USER: Final = ":user/"
_credentials_by_key_id: weakref.WeakValueDictionary[str, Any] = weakref.WeakValueDictionary()
_partition_by_credentials: weakref.WeakKeyDictionary[Any, str] = weakref.WeakKeyDictionary()


def region_of_partition(partition: str) -> str:
    """A region of a partition whose STS is always on."""
    return _REGION_BY_PARTITION.get(partition, _REGION_BY_PARTITION[_PARTITION])


def facts_to_ask_for(credentials: Any, partition: str | None = None) -> CredentialFacts:
    """The facts of credentials, of which a weak reference is kept: a later look-up can sign.

    Args:
        credentials: The provider's object, or None.
        partition: The client's; None where it is not at hand.
    """
    facts = credential_facts(credentials)
    if facts.access_key_id is not None:
        # Whatever object an application gives to its client: without references nobody is asked.
        with suppress(TypeError):
            _credentials_by_key_id[facts.access_key_id] = credentials
            if partition in _REGION_BY_PARTITION:
                _partition_by_credentials[credentials] = partition
    return facts


def look_up_caller(facts: CredentialFacts, is_aged: bool = False) -> Caller | None:  # noqa: FBT001, FBT002 - called by position, from one place
    """The caller by `sts:GetCallerIdentity`; None when the credentials are gone, or rotated.

    Args:
        facts: Of the credentials as they were; what signs now is asked about only if it is them.
        is_aged: Whether to ask `iam:ListAccessKeys` for the age of a user's key, too.

    Effects: calls AWS, blocks some seconds at most; the calls are not guarded and not recorded.
    Source: the STS API reference, GetCallerIdentity: needs no permission. The IAM API reference,
    ListAccessKeys: without a user name it lists the caller's own keys.
    """
    from dynaguard.identity.lookup import Caller

    credentials = _credentials_by_key_id.get(facts.access_key_id or "")
    if credentials is None:
        return None
    region = _REGION_BY_PARTITION[_partition_by_credentials.get(credentials, _PARTITION)]
    with own_calls():
        frozen = credentials.get_frozen_credentials()
        if frozen.access_key != facts.access_key_id:
            return None  # whose the new key is will be asked when a call is made with it
        arn: str = _client("sts", frozen, region).get_caller_identity()["Arn"]
        is_user = is_aged and _USER in arn
        return Caller(arn, _key_created_at(frozen, region) if is_user else None)


def _key_created_at(frozen: Any, region: str) -> datetime | None:
    """When the signing key was made; None where the user may not ask."""
    from botocore.exceptions import BotoCoreError, ClientError

    try:
        pages = _client("iam", frozen, region).get_paginator("list_access_keys").paginate()
        found = [key for page in pages for key in page["AccessKeyMetadata"]]
    except (BotoCoreError, ClientError):
        return None
    dates = (key["CreateDate"] for key in found if key["AccessKeyId"] == frozen.access_key)
    return next(dates, None)


def _client(service: str, frozen: Any, region: str) -> Any:
    """A client with these very credentials, which gives up soon and does not retry."""
    import botocore.session
    from botocore.config import Config

    return botocore.session.Session().create_client(
        service,
        region_name=region,
        aws_access_key_id=frozen.access_key,
        aws_secret_access_key=frozen.secret_key,
        aws_session_token=frozen.token,
        config=Config(
            connect_timeout=_CONNECT_TIMEOUT_S,
            read_timeout=_READ_TIMEOUT_S,
            retries={"total_max_attempts": 1},
        ),
    )
