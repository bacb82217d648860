"""Systems Manager: parameters by name, with the key that opens them; other calls by table.

Source: Service Authorization Reference, AWS Systems Manager.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final

from dynaguard.aws import table
from dynaguard.aws.arns import Place, is_arn
from dynaguard.call import UNKNOWN_RUN, Authorization, Call

_BY_NAME: Final = frozenset(
    "GetParameter GetParameterHistory PutParameter DeleteParameter LabelParameterVersion "
    "UnlabelParameterVersion".split()
)
_BY_NAMES: Final = frozenset({"GetParameters", "DeleteParameters"})
_DECRYPTING: Final = frozenset(
    {"GetParameter", "GetParameters", "GetParametersByPath", "GetParameterHistory"}
)
_EVERYTHING: Final = frozenset({"DescribeParameters"})


def authorizations(call: Call, place: Place) -> Iterator[Authorization]:
    """What a call of `ssm` needs; which key a parameter has is not known here."""
    action = f"ssm:{call.operation}"
    if call.operation in _BY_NAME:
        yield Authorization(action, _parameter(place, call.params.get("Name")), call.params)
    elif call.operation in _BY_NAMES:
        for name in call.params.get("Names") or ():
            yield Authorization(action, _parameter(place, name), call.params)
    elif call.operation == "GetParametersByPath":
        yield Authorization(action, _parameter(place, call.params.get("Path")), call.params)
    elif call.operation in _EVERYTHING:
        yield Authorization(action, "*", call.params)
    else:
        yield from table.authorizations(call, place)
    if call.operation in _DECRYPTING and call.params.get("WithDecryption"):
        yield Authorization("kms:Decrypt", UNKNOWN_RUN, call.params)


def _parameter(place: Place, name: Any) -> str:
    """The ARN of a parameter; version or label after a colon do not belong to it."""
    if not isinstance(name, str) or not name:
        return UNKNOWN_RUN
    if is_arn(name, "ssm"):
        head, _, rest = name.partition(":parameter/")
        return f"{head}:parameter/{rest.partition(':')[0]}"
    return place.arn("ssm", f"parameter/{name.partition(':')[0].removeprefix('/')}")
