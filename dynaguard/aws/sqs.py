"""SQS: queues by URL.

Source: Service Authorization Reference, Amazon SQS.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final
from urllib.parse import urlsplit

from dynaguard.aws.arns import Place
from dynaguard.call import UNKNOWN_RUN, Authorization, Call

_ACTION_BY_OPERATION: Final = {
    "SendMessageBatch": "SendMessage",
    "DeleteMessageBatch": "DeleteMessage",
    "ChangeMessageVisibilityBatch": "ChangeMessageVisibility",
}
_BY_NAME: Final = frozenset({"CreateQueue", "GetQueueUrl"})


def authorizations(call: Call, place: Place) -> Iterator[Authorization]:
    """What a call of `sqs` needs."""
    action = f"sqs:{_ACTION_BY_OPERATION.get(call.operation, call.operation)}"
    if call.operation == "ListQueues":
        resource = "*"
    elif call.operation in _BY_NAME:
        resource = _named(place, call.params)
    elif "QueueUrl" in call.params:
        resource = _queue(place, call.params["QueueUrl"])
    else:
        resource = UNKNOWN_RUN
    yield Authorization(action, resource, call.params)


def _named(place: Place, params: Any) -> str:
    """The queue of that name, in the account of its owner where one is named."""
    owner = params.get("QueueOwnerAWSAccountId") or place.account
    return Place(place.partition, place.region, owner).arn("sqs", str(params.get("QueueName")))


def _queue(place: Place, url: Any) -> str:
    """The ARN of the queue behind a URL: the last two parts of its path are account and name."""
    parts = urlsplit(url).path.strip("/").split("/") if isinstance(url, str) else []
    if len(parts) < 2 or not parts[-1]:
        return UNKNOWN_RUN
    account, name = parts[-2:]
    host = urlsplit(url).hostname or ""
    labels = host.split(".")
    is_regional = len(labels) > 2 and labels[0] == "sqs" and labels[2] == "amazonaws"
    # The client's endpoint is asked, the URL may name another: then neither is certain.
    region = UNKNOWN_RUN if is_regional and labels[1] != place.region else place.region
    return Place(place.partition, region, account).arn("sqs", name)
