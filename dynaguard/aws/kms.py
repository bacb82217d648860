"""KMS: keys by id or ARN. An alias does not tell its key, so its resource is not known.

Source: Service Authorization Reference, AWS Key Management Service.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final

from dynaguard.aws.arns import Place, is_arn, last_part
from dynaguard.call import UNKNOWN_RUN, Authorization, Call

_EVERYTHING: Final = frozenset(
    {"CreateKey", "ListKeys", "ListAliases", "GenerateRandom", "DescribeCustomKeyStores"}
)


def authorizations(call: Call, place: Place) -> Iterator[Authorization]:
    """What a call of `kms` needs."""
    params = call.params
    if call.operation == "ReEncrypt":
        source, target = params.get("SourceKeyId"), params.get("DestinationKeyId")
        yield Authorization("kms:ReEncryptFrom", _key(place, source), params)
        yield Authorization("kms:ReEncryptTo", _key(place, target), params)
    elif call.operation in _EVERYTHING:
        yield Authorization(f"kms:{call.operation}", "*", params)
    else:
        yield Authorization(f"kms:{call.operation}", _key(place, params.get("KeyId")), params)
        if call.operation == "ReplicateKey":
            yield Authorization("kms:CreateKey", "*", params)


def _key(place: Place, key: Any) -> str:
    """The ARN of a key, or nothing known: Decrypt needs no `KeyId`, an alias names none."""
    if not isinstance(key, str) or not key or key.startswith("alias/"):
        return UNKNOWN_RUN
    if is_arn(key, "kms"):
        return UNKNOWN_RUN if last_part(key).startswith("alias/") else key
    return place.arn("kms", f"key/{key}")
