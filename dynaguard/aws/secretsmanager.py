"""Secrets Manager: secrets by name or ARN.

A secret's ARN ends in six random characters that a bare name does not tell.

Source: Service Authorization Reference, AWS Secrets Manager.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final

from dynaguard.aws.arns import Place, is_arn
from dynaguard.call import UNKNOWN_CHAR, UNKNOWN_RUN, Authorization, Call

_SUFFIX: Final = "-" + UNKNOWN_CHAR * 6
_EVERYTHING: Final = frozenset({"ListSecrets", "GetRandomPassword"})


def authorizations(call: Call, place: Place) -> Iterator[Authorization]:
    """What a call of `secretsmanager` needs."""
    action = f"secretsmanager:{call.operation}"
    if call.operation == "BatchGetSecretValue":
        yield Authorization(action, "*", call.params)
        secrets = call.params.get("SecretIdList") or [None]
        for secret in secrets:
            resource = _secret(place, secret)
            yield Authorization("secretsmanager:GetSecretValue", resource, call.params)
    elif call.operation in _EVERYTHING:
        yield Authorization(action, "*", call.params)
    elif call.operation == "CreateSecret":
        yield Authorization(action, _secret(place, call.params.get("Name")), call.params)
        if call.params.get("Tags"):
            resource = _secret(place, call.params.get("Name"))
            yield Authorization("secretsmanager:TagResource", resource, call.params)
    else:
        yield Authorization(action, _secret(place, call.params.get("SecretId")), call.params)


def _ends_like_suffix(arn: str) -> bool:
    """Whether a text ends in a hyphen and six letters or digits."""
    _, hyphen, end = arn.rpartition("-")
    return bool(hyphen) and len(end) == len(_SUFFIX) - 1 and end.isascii() and end.isalnum()


def _secret(place: Place, secret: Any) -> str:
    """The ARN of a secret; a partial ARN (without the suffix) counts as a name."""
    if not isinstance(secret, str) or not secret:
        return UNKNOWN_RUN
    if is_arn(secret, "secretsmanager"):
        # An ARN may be given without its suffix. Where its end looks like one it is taken as
        # whole: a name can end alike, which its text does not tell.
        return secret if _ends_like_suffix(secret) else f"{secret}{_SUFFIX}"
    return place.arn("secretsmanager", f"secret:{secret}{_SUFFIX}")
