"""Operations whose IAM action has another name, as far as public documentation says."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, Final

_BUDGETS: Final = {
    **{
        f"{verb}{noun}": ("budgets:ModifyBudget",)
        for verb in ("Create", "Update", "Delete")
        for noun in ("Budget", "Notification", "Subscriber")
    },
    **{
        f"Describe{noun}": ("budgets:ViewBudget",)
        for noun in (
            "Budget",
            "Budgets",
            "BudgetNotificationsForAccount",
            "BudgetPerformanceHistory",
            "NotificationsForBudget",
            "SubscribersForNotification",
        )
    },
}
_KEYSPACES: Final = {
    **{f"Create{noun}": ("cassandra:Create",) for noun in ("Keyspace", "Table", "Type")},
    **{f"Delete{noun}": ("cassandra:Drop",) for noun in ("Keyspace", "Table", "Type")},
    **{f"Get{noun}": ("cassandra:Select",) for noun in ("Keyspace", "Table", "Type")},
    **{f"List{noun}": ("cassandra:Select",) for noun in ("Keyspaces", "Tables", "Types")},
    **{f"Update{noun}": ("cassandra:Alter",) for noun in ("Keyspace", "Table")},
    "GetTableAutoScalingSettings": ("cassandra:Select",),
    "ListTagsForResource": ("cassandra:Select",),
    "RestoreTable": ("cassandra:Restore",),
}
_CONTROL: Final = {
    "GetPublicAccessBlock": ("s3:GetAccountPublicAccessBlock",),
    "PutPublicAccessBlock": ("s3:PutAccountPublicAccessBlock",),
    "DeletePublicAccessBlock": ("s3:PutAccountPublicAccessBlock",),
}
_NAMED: Final[Mapping[str, Mapping[str, tuple[str, ...]]]] = {
    "apigatewaymanagementapi": {
        f"{verb}Connection": ("execute-api:ManageConnections",)
        for verb in ("Delete", "Get", "PostTo")
    },
    "bedrock-runtime": {
        "Converse": ("bedrock:InvokeModel",),
        "ConverseStream": ("bedrock:InvokeModelWithResponseStream",),
        "StartAsyncInvoke": ("bedrock:InvokeModel",),
    },
    "budgets": _BUDGETS,
    "cloudfront": {
        "CreateDistributionWithTags": ("cloudfront:CreateDistribution", "cloudfront:TagResource")
    },
    "cloudsearchdomain": {"UploadDocuments": ("cloudsearch:document",)},
    "keyspaces": _KEYSPACES,
    "s3control": _CONTROL,
    "timestream-query": {"Query": ("timestream:Select",)},
    "verifiedpermissions": {
        "BatchIsAuthorized": ("verifiedpermissions:IsAuthorized",),
        "BatchIsAuthorizedWithToken": ("verifiedpermissions:IsAuthorizedWithToken",),
    },
}
# API Gateway asks for the method of the request on its path.
_GATEWAYS: Final = frozenset({"apigateway", "apigatewayv2"})
_PATHS: Final = frozenset(
    "account apikeys apis clientcertificates domainnames restapis usageplans vpclinks".split()
)


def named_actions(service: str, operation: Any) -> tuple[str, ...]:
    """The IAM actions of an operation where they are not its own name.

    Args:
        service: botocore's service name.
        operation: botocore's operation model.
    """
    if service in _GATEWAYS:
        return (f"apigateway:{operation.http['method']}",)
    return _NAMED.get(service, {}).get(operation.name, ())


def http_resource(service: str, operation: Any) -> str:
    """The template of a path of API Gateway; empty where the path does not tell the ARN."""
    if service not in _GATEWAYS:
        return ""
    path = operation.http["requestUri"].partition("?")[0].removeprefix("/v2")
    members = operation.input_shape.members if operation.input_shape is not None else {}
    if path.split("/")[1] not in _PATHS or "domainNameId" in members:
        return ""
    name_on_wire = {shape.serialization.get("name", name): name for name, shape in members.items()}
    filled = re.sub(r"\{([^}+]+)\+?\}", lambda found: f"{{{name_on_wire[found.group(1)]}}}", path)
    return f"arn:apigateway:R::{filled}"
