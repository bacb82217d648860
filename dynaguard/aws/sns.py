"""SNS: topics by ARN.

Source: Service Authorization Reference, Amazon SNS.
"""

from __future__ import annotations

from collections.abc import Iterator

from dynaguard.aws.arns import Place, is_arn
from dynaguard.call import UNKNOWN_RUN, Authorization, Call


def authorizations(call: Call, place: Place) -> Iterator[Authorization]:
    """What a call of `sns` needs."""
    action = "sns:Publish" if call.operation == "PublishBatch" else f"sns:{call.operation}"
    yield Authorization(action, _resource(call, place), call.params)


def _resource(call: Call, place: Place) -> str:
    """The topic, or another target; a phone number has no ARN."""
    params = call.params
    for name in ("TopicArn", "TargetArn", "ResourceArn", "EndpointArn"):
        if is_arn(params.get(name), "sns"):
            return str(params[name])
    if call.operation == "CreateTopic" and isinstance(params.get("Name"), str):
        return place.arn("sns", params["Name"])
    if "PhoneNumber" in params or call.operation.startswith("List"):
        return "*"
    return UNKNOWN_RUN
