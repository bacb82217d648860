"""STS: roles to assume. GetCallerIdentity and GetSessionToken need no permission.

Source: Service Authorization Reference, AWS Security Token Service; the API reference of
GetCallerIdentity ("no permissions are required").
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from dynaguard.aws.arns import Place, is_arn
from dynaguard.call import UNKNOWN_RUN, Authorization, Call

_FREE: Final = frozenset({"GetCallerIdentity", "GetSessionToken"})
_ROLES: Final = frozenset({"AssumeRole", "AssumeRoleWithSAML", "AssumeRoleWithWebIdentity"})


def authorizations(call: Call, _place: Place) -> Iterator[Authorization]:
    """What a call of `sts` needs."""
    if call.operation in _FREE:
        return
    action = f"sts:{call.operation}"
    if call.operation not in _ROLES:
        yield Authorization(action, UNKNOWN_RUN, call.params)
        return
    role = call.params.get("RoleArn")
    resource = str(role) if is_arn(role, "iam") else UNKNOWN_RUN
    yield Authorization(action, resource, call.params)
    if call.params.get("Tags"):
        yield Authorization("sts:TagSession", resource, call.params)
    if call.params.get("SourceIdentity"):
        yield Authorization("sts:SetSourceIdentity", resource, call.params)
