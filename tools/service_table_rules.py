"""Which parameters of an operation name the resources that its IAM action works on.

The rules only accept what the names leave no doubt about: the parameter is called like the
placeholder of the ARN, or the operation is about that type of resource and the parameter is its
`Name`. What they do not accept stays unknown, which no Allow on a single resource satisfies.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Final

UNKNOWN: Final = "{}"
"""A placeholder that no parameter fills."""

_PLACEHOLDER: Final = re.compile(r"\$\{([^}]+)\}")
_PLACES: Final = ("Partition", "Region", "Account")
_ANYTHING: Final = ("", "resource")
_KINDS: Final = ("name", "id")
_VERB: Final = re.compile(r"[A-Z][a-z]+")
CREATING: Final = frozenset({"Create", "Run", "Register", "Allocate", "Import", "Request"})

# Placeholders whose parameter has another name; checked by hand against the API references.
ALIASES: Final[Mapping[str, Mapping[str, tuple[str, ...]]]] = {
    "appsync": {"GraphQLAPIId": ("apiId",)},
    "autoscaling": {"GroupFriendlyName": ("AutoScalingGroupName",)},
    "bedrock": {"GuardrailId": ("guardrailId", "guardrailIdentifier")},
    "cloudwatch": {"InsightRuleName": ("RuleName", "RuleNames[]")},
    "eks": {"ClusterName": ("clusterName", "name")},
    "elasticmapreduce": {"ClusterId": ("ClusterId", "JobFlowId", "JobFlowIds[]")},
    "logs": {"LogGroupName": ("logGroupName", "logGroupIdentifier")},
    "ecs": {"TaskDefinitionFamilyName": ("family", "taskDefinition")},
    "iam": {
        "GroupNameWithPath": ("GroupName",),
        "InstanceProfileNameWithPath": ("InstanceProfileName",),
        "PolicyNameWithPath": ("PolicyName",),
        "RoleNameWithPath": ("RoleName",),
        "UserNameWithPath": ("UserName",),
        "CertificateNameWithPath": ("ServerCertificateName",),
    },
    "rds": {
        "DbInstanceName": ("DBInstanceIdentifier",),
        "DbClusterInstanceName": ("DBClusterIdentifier",),
        "DbClusterEndpoint": ("DBClusterEndpointIdentifier",),
        "ClusterParameterGroupName": ("DBClusterParameterGroupName",),
        "ClusterSnapshotName": ("DBClusterSnapshotIdentifier",),
        "ParameterGroupName": ("DBParameterGroupName",),
        "SnapshotName": ("DBSnapshotIdentifier",),
        "SubnetGroupName": ("DBSubnetGroupName",),
        "SecurityGroupName": ("DBSecurityGroupName", "DBSecurityGroups[]"),
        "OptionGroupName": ("OptionGroupName",),
        "GlobalCluster": ("GlobalClusterIdentifier",),
    },
    "redshift": {"ClusterName": ("ClusterIdentifier",)},
}
# IAM knows these entities by path and name, while the calls give the name alone.
_WITH_PATH: Final = "WithPath"

# Parameters that hold an ARN of that type, though they are not called so. An inference profile
# needs the models behind it as well, which nothing tells.
_HOLDERS: Final[Mapping[tuple[str, str], str]] = {
    ("bedrock", "foundation-model"): "modelId",
    ("bedrock", "provisioned-model"): "modelId",
    ("bedrock", "imported-model"): "modelId",
    ("bedrock", "custom-model-deployment"): "modelId",
    ("elasticloadbalancing", "listener-rule/app"): "RuleArn",
    ("elasticloadbalancing", "listener-rule/net"): "RuleArn",
    ("iam", "mfa"): "SerialNumber",
    ("iam", "oidc-provider"): "OpenIDConnectProviderArn",
}
ANY_HOLDERS: Final = frozenset(
    "Arn ResourceARN ResourceArn ResourceId ResourceIdentifier ResourceName arn resource "
    "resourceARN resourceArn resourceId resourceIdentifier resourceName".split()
)
"""Parameters that hold the ARN of a resource of any type."""

# Shared by other accounts: an id does not tell whose it is.
SHARED: Final[Mapping[str, frozenset[str]]] = {
    "ec2": frozenset(
        "capacity-reservation coip-pool customer-gateway dedicated-host group ipam-pool "
        "ipam-resource-discovery local-gateway local-gateway-route-table placement-group "
        "prefix-list security-group subnet traffic-mirror-target transit-gateway "
        "transit-gateway-attachment transit-gateway-multicast-domain transit-gateway-route-table "
        "verified-access-group vpc vpc-peering-connection".split()
    ),
    "route53resolver": frozenset(
        {"resolver-rule", "firewall-rule-group", "resolver-query-log-config"}
    ),
    "appmesh": frozenset(
        "mesh virtualNode virtualRouter virtualService virtualGateway route gatewayRoute".split()
    ),
    "datazone": frozenset({"domain"}),
    "network-firewall": frozenset({"FirewallPolicy", "StatefulRuleGroup", "StatelessRuleGroup"}),
    "vpc-lattice": frozenset(
        {"Service", "ServiceNetwork", "ResourceConfiguration", "ResourceGateway"}
    ),
    "outposts": frozenset({"outpost", "site"}),
    "ssm": frozenset({"document"}),
    "codeartifact": frozenset({"domain", "repository", "package", "package-group"}),
}
# Their names are folded to lower case, so that a name in capitals is not the ARN's.
FOLDED: Final = frozenset("sagemaker rds elasticache redshift memorydb dax dms glue".split())
# The account in these ARNs is the organization's, not the caller's.
FOREIGN: Final = frozenset({"organizations"})
# Types of a botocore service that never decide beside the others: another catalogue is told by the
# account, and the second generation of event buses has a service of its own.
DROPPED: Final[Mapping[str, frozenset[str]]] = {
    "glue": frozenset({"catalog"}),
    "events": frozenset({"event-busv2", "event-sourcev2"}),
}
# A log group is asked for with what follows it: `log-group:name:log-stream:`.
TEMPLATES: Final[Mapping[tuple[str, str], str]] = {
    (
        "logs",
        "log-group",
    ): "arn:${Partition}:logs:${Region}:${Account}:log-group:${LogGroupName}:${Rest}",
}
# The default bus has no place in the ARN of its rules, named or not.
DEFAULTS: Final[Mapping[str, Mapping[str, str]]] = {"events": {"EventBusName": "default"}}


@dataclass(frozen=True, slots=True)
class Match:
    """One resource type of one operation.

    Attributes:
        template: What the reader fills, see `dynaguard.aws.table`.
        is_told: Whether it is told which resource it is, or that it is a new one.
        is_named: Whether a parameter tells it.
        is_generic: Whether that parameter is a mere `Name` or `Id`.
        is_required: Whether IAM always asks for it.
    """

    template: str
    is_told: bool
    is_named: bool
    is_generic: bool
    is_required: bool


@dataclass(frozen=True, slots=True)
class Operation:
    """An operation: its name, and those of its top-level parameters that hold text.

    Attributes:
        name: `DescribeCluster`.
        texts: Parameters that hold text.
        lists: Parameters that hold lists of texts.
        required: Parameters that every call has.
    """

    name: str
    texts: tuple[str, ...]
    lists: tuple[str, ...]
    required: frozenset[str]

    @property
    def verb(self) -> str:
        """`Describe`."""
        found = _VERB.match(self.name)
        return found.group() if found else ""

    @property
    def nouns(self) -> frozenset[str]:
        """`cluster` and `clusters`, comparable: not every final `s` is a plural's."""
        noun = _plain(self.name[len(self.verb) :])
        return frozenset({noun, _singular(noun)})


def match_type(
    prefix: str, operation: Operation, key: str, arn: str, *, is_required: bool
) -> Match:
    """The template of a resource type for an operation.

    Args:
        prefix: IAM's prefix of the service.
        operation: The operation.
        key: The resource type's name: `cluster`.
        arn: The ARN's form: `arn:${Partition}:ecs:${Region}:${Account}:cluster/${ClusterName}`.
        is_required: Whether IAM always asks for it.
    """
    # A star in the ARN's form stands for what follows there.
    arn = TEMPLATES.get((prefix, key), arn).replace("*", "${Rest}")
    names = [name for name in _PLACEHOLDER.findall(arn) if name not in _PLACES]
    filled = {name: _parameter(prefix, operation, key, name) for name in names}
    is_generic = False
    if names:
        last = names[-1]
        own = "" if filled[last] else _own_name(operation, key, last)
        is_generic = bool(own)
        filled[last] = filled[last] or own or _listed(operation, key, last)
    holders = _arn_holders(prefix, operation, key, names)
    if any(filled.values()):
        # What is told by its name is not what some other ARN stands for.
        holders = [name for name in holders if name not in ANY_HOLDERS]
    is_filled = any(filled.values()) or not names
    is_new = operation.verb in CREATING and _is_about(operation, key, names)
    is_own = (is_filled or is_new) and prefix not in FOREIGN and key not in SHARED.get(prefix, ())
    template = _template(prefix, arn, filled, is_here=is_filled or is_new, is_own=is_own)
    text = f"{','.join(holders)}={template}" if holders else template
    is_named = bool(holders) or any(filled.values())
    return Match(text, is_named or is_filled or is_new, is_named, is_generic, is_required)


def _template(
    prefix: str, arn: str, filled: Mapping[str, str], *, is_here: bool, is_own: bool
) -> str:
    """The ARN with its placeholders named; the part before the resource left out where usual."""
    _, partition, service, region, account, resource = arn.split(":", 5)
    if partition != "${Partition}":
        raise ValueError(arn)
    resource = _PLACEHOLDER.sub(lambda found: _filled(found.group(1), filled), resource)
    service = _PLACEHOLDER.sub(UNKNOWN, service)
    region = _PLACEHOLDER.sub("R" if is_here else "?", region)
    account = _PLACEHOLDER.sub("A" if is_own else "?", account)
    if (service, region, account) == (prefix, "R", "A"):
        return resource
    if (service, region, account) == (prefix, "?", "?"):
        return f"?{resource}"
    return f"arn:{service}:{region}:{account}:{resource}"


def _filled(name: str, filled: Mapping[str, str]) -> str:
    """What stands for a placeholder: `{parameter}`, `{parameter[]}` or `{}`."""
    parameter = filled.get(name, "")
    if name.endswith(_WITH_PATH) and parameter:
        return f"{UNKNOWN}{{{parameter}}}"
    return f"{{{parameter}}}"


def _parameter(prefix: str, operation: Operation, key: str, placeholder: str) -> str:
    """The parameter that is called like a placeholder, or nothing."""
    for alias in ALIASES.get(prefix, {}).get(placeholder, ()):
        if alias in operation.texts or alias.removesuffix("[]") in operation.lists:
            return alias
    stem, kind = _split(placeholder)
    if not kind:
        return ""
    if stem in _ANYTHING:
        # `${Id}` of a `hostedzone` is told by `HostedZoneId`.
        stem = _plain(key)
    for name in operation.texts:
        if _plain(name) == f"{stem}{kind}":
            return name
    if kind == "name" and stem:
        for name in operation.texts:
            if _plain(name) == stem:
                return name
    return ""


def _own_name(operation: Operation, key: str, placeholder: str) -> str:
    """`Name` (or `Id`) of the resource that the operation is about."""
    _, kind = _split(placeholder)
    if not kind or not _is_about(operation, key, [placeholder]):
        return ""
    found = next((name for name in operation.texts if _plain(name) == kind), "")
    # A name that need not be there may be the new one.
    is_change = operation.verb in ("Update", "Modify", "Rename")
    return "" if is_change and found not in operation.required else found


def _listed(operation: Operation, key: str, placeholder: str) -> str:
    """A list of names or ids of that type: `InstanceIds[]`."""
    stem, kind = _split(placeholder)
    wanted = {f"{stem}{kind}s"} if kind and stem else set()
    if kind == "name" and stem:
        wanted.add(f"{stem}s")
    if kind and _is_about(operation, key, [placeholder]):
        wanted.add(f"{kind}s")
    return next((f"{name}[]" for name in operation.lists if _plain(name) in wanted), "")


def _arn_holders(prefix: str, operation: Operation, key: str, names: Iterable[str]) -> list[str]:
    """Parameters that hold the whole ARN of that type, if they hold one."""
    stems = {_plain(key)} | {_split(name)[0] for name in list(names)[-1:]}
    wanted = {f"{stem}arn" for stem in stems if stem} | {"resourcearn", "arn"}
    if _is_about(operation, key, names):
        wanted |= {"resource", "resourceidentifier", "identifier"}
    if "Tag" in operation.name:
        wanted |= {"resourceid", "resourcename"}
    named = _HOLDERS.get((prefix, key))
    found = [name for name in operation.texts if _plain(name) in wanted or name == named]
    return sorted(found, key=lambda name: _plain(name) in ("resourcearn", "arn"))


def _is_about(operation: Operation, key: str, names: Iterable[str]) -> bool:
    """Whether the operation's noun is that type: `CreateCluster` and `cluster`."""
    return bool(operation.nouns & {_plain(key), *(_split(name)[0] for name in list(names)[-1:])})


def _split(name: str) -> tuple[str, str]:
    """`ClusterName` as `cluster` and `name`."""
    plain = _plain(name.removesuffix(_WITH_PATH))
    for kind in _KINDS:
        if plain.endswith(kind):
            return plain.removesuffix(kind), kind
    return plain, ""


def _plain(name: str) -> str:
    """Lower case, letters and digits alone."""
    return re.sub(r"[^a-z0-9]", "", name.lower())


def _singular(noun: str) -> str:
    """`cluster` for `clusters`, `policy` for `policies`."""
    if noun.endswith("ies"):
        return f"{noun[:-3]}y"
    return noun[:-1] if noun.endswith("s") and not noun.endswith("ss") else noun


def names_any(operation: Operation, arns: Mapping[str, Any]) -> bool:
    """Whether parameters name a resource of the service, as far as names tell.

    Where IAM's data knows no resource for such an operation it may be incomplete.
    """
    if operation.verb in ("Describe", "List"):
        return False
    told = {_plain(name) for name in operation.texts}
    for key, entry in arns.items():
        stems = {_plain(key)} | {_split(name)[0] for name in _PLACEHOLDER.findall(entry["arn"])}
        for stem in stems - {"", "resource"}:
            if told & {f"{stem}{end}" for end in ("name", "id", "arn", "identifier", "")}:
                return True
    return False


def read_operation(model: Any) -> Operation:
    """An operation of a botocore service model."""
    shape = model.input_shape
    members = shape.members if shape is not None else {}
    texts = tuple(name for name, member in members.items() if member.type_name == "string")
    lists = tuple(
        name
        for name, member in members.items()
        if member.type_name == "list" and member.member.type_name == "string"
    )
    required = frozenset(shape.required_members) if shape is not None else frozenset()
    return Operation(model.name, texts, lists, required)
