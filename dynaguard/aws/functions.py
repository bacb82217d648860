"""Lambda: functions by name, partial ARN or ARN; layers, mappings and the like by table.

Source: Service Authorization Reference, AWS Lambda; the `FunctionName` parameter of Invoke.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final

from dynaguard.aws import table
from dynaguard.aws.arns import Place, is_arn
from dynaguard.call import UNKNOWN_RUN, Authorization, Call

_ACTION_BY_OPERATION: Final = {
    "Invoke": "InvokeFunction",
    "InvokeAsync": "InvokeFunction",
    "InvokeWithResponseStream": "InvokeFunction",
    "GetLayerVersionByArn": "GetLayerVersion",
}
_EVERYTHING: Final = frozenset(
    {"ListFunctions", "ListLayers", "GetAccountSettings", "ListEventSourceMappings"}
)


def authorizations(call: Call, place: Place) -> Iterator[Authorization]:
    """What a call of `lambda` needs; a role that is passed needs `iam:PassRole`."""
    params = call.params
    action = f"lambda:{_ACTION_BY_OPERATION.get(call.operation, call.operation)}"
    if call.operation in _EVERYTHING:
        yield Authorization(action, "*", params)
    elif "FunctionName" in params:
        resource = _function(place, params["FunctionName"], params.get("Qualifier"))
        yield Authorization(action, resource, params)
    else:
        yield from table.authorizations(call, place)
        return
    role = params.get("Role")
    if role is not None:
        resource = role if is_arn(role, "iam") else UNKNOWN_RUN
        yield Authorization("iam:PassRole", resource, params)


def _function(place: Place, name: Any, qualifier: Any) -> str:
    """The ARN of a function (of a version or alias, where one is named)."""
    if not isinstance(name, str) or not name:
        return UNKNOWN_RUN
    if is_arn(name, "lambda"):
        resource = name
    elif ":function:" in name:  # partial ARN: account:function:name
        account, _, rest = name.partition(":function:")
        resource = Place(place.partition, place.region, account).arn("lambda", f"function:{rest}")
    else:
        resource = place.arn("lambda", f"function:{name}")
    has_qualifier = resource.partition(":function:")[2].count(":") > 0
    if isinstance(qualifier, str) and qualifier and not has_qualifier:
        return f"{resource}:{qualifier}"
    return resource
