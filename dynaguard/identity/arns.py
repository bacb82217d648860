"""Reads the ARN of an identity: what it names, and every further ARN that names the same one.

An assumed role has two ARNs: the session's (`arn:aws:sts::1...:assumed-role/etl/run-7`) and the
role's (`arn:aws:iam::1...:role/team/etl`). A session's leaves out the role's path, and a role's
says nothing of the session. Where only one is known, what it leaves out is marked as unknown in
the other, so that statements about it are neither taken to hold nor passed over.

IAM Identity Center makes a role per permission set and account, whose name holds the permission
set and whose session is named by who signed in.

Source: IAM User Guide, IAM identifiers; AWS JSON policy elements: Principal. IAM Identity Center
User Guide, Referencing permission sets in resource policies.
"""

from __future__ import annotations

import re
from typing import Any, Final

from dynaguard.call import UNKNOWN_CHAR, UNKNOWN_RUN, PrincipalKind
from dynaguard.values import dataclass

_IDENTITY_ARN: Final = re.compile(
    r"arn:(?P<partition>[a-z0-9-]+):(?P<service>[a-z0-9-]+):[a-z0-9-]*:(?P<account>[0-9]{12}):"
    r"(?P<resource>\S+)"
)
_KIND_BY_TYPE: Final = {
    ("iam", "user"): PrincipalKind.USER,
    ("iam", "role"): PrincipalKind.ASSUMED_ROLE,
    ("iam", "root"): PrincipalKind.ROOT,
    ("sts", "assumed-role"): PrincipalKind.ASSUMED_ROLE,
    ("lambda", "function"): PrincipalKind.LAMBDA,
}
_SIGNING_SERVICES: Final = frozenset({"iam", "sts"})
_SSO_ROLE: Final = re.compile(r"AWSReservedSSO_(?P<permission_set>.+)_[0-9a-f]{16}")
_SSO_SUFFIX_LENGTH: Final = 16
_SSO_PATH: Final = "aws-reserved/sso.amazonaws.com/"


@dataclass(frozen=True, slots=True)
class NamedIdentity:
    """What an ARN tells of an identity.

    Attributes:
        arn: The ARN.
        arns: It and the others of the same identity; may hold `UNKNOWN_RUN`.
        name: User, role, function: stable from run to run, so without the session.
        kind: What sort of identity.
        account_id: Twelve digits.
        session_name: Of an assumed role, where known.
        is_signer: Whether it can sign requests, so that `arns` is all that policies can mean. A
            function's ARN is not: its role signs.
        permission_set: Of a role of IAM Identity Center; then also the name.
    """

    arn: str
    arns: tuple[str, ...]
    name: str
    kind: PrincipalKind
    account_id: str
    session_name: str | None = None
    is_signer: bool = True
    permission_set: str | None = None


def read_identity_arn(arn: str, *, role_arn: str | None = None) -> NamedIdentity | None:
    """What an ARN tells, or None when it is not the ARN of an identity.

    Args:
        arn: As configured, or as AWS gave it.
        role_arn: For a session, the role's ARN with its path, where it is known.
    """
    match = _IDENTITY_ARN.fullmatch(arn)
    if match is None:
        return None
    partition, service, account, resource = match.groups()
    sort, separator, rest = _split_resource(resource)
    kind = _KIND_BY_TYPE.get((service, sort), PrincipalKind.UNKNOWN)
    if kind is PrincipalKind.ASSUMED_ROLE and not rest.strip("/"):
        return None
    if service == "sts" and kind is PrincipalKind.ASSUMED_ROLE:
        return _session(arn, partition, account, rest, role_arn)
    if kind is PrincipalKind.ASSUMED_ROLE:
        return role_session(arn, None)
    name = (rest.split(":")[0] if separator == ":" else rest.rpartition("/")[2]) or sort
    if not name:
        return None
    return NamedIdentity(arn, (arn,), name, kind, account, is_signer=service in _SIGNING_SERVICES)


def role_session(role_arn: str, session_name: str | None) -> NamedIdentity | None:
    """A session of a role that is known by its ARN, or None when that is no role's ARN.

    Args:
        role_arn: With its path.
        session_name: None where not known: any session may be meant then.
    """
    match = _IDENTITY_ARN.fullmatch(role_arn)
    if match is None or not match["resource"].startswith("role/"):
        return None
    name = match["resource"].rpartition("/")[2]
    if not name or match["service"] != "iam":
        return None
    session_arn = (
        f"arn:{match['partition']}:sts::{match['account']}:assumed-role/{name}/"
        f"{session_name or UNKNOWN_RUN}"
    )
    return NamedIdentity(
        arn=session_arn if session_name else role_arn,
        arns=(session_arn, role_arn),
        account_id=match["account"],
        session_name=session_name,
        **_named(name),
    )


def sso_session(
    permission_set: str, account_id: str, partition: str | None = None
) -> NamedIdentity:
    """A session of a permission set, of which neither the role's suffix nor the person is known.

    Args:
        permission_set: Its name, as `sso_role_name` of a profile has it.
        account_id: The account that it is for.
        partition: Of that account; None where not known.
    """
    role = f"AWSReservedSSO_{permission_set}_{UNKNOWN_CHAR * _SSO_SUFFIX_LENGTH}"
    prefix = f"arn:{partition or UNKNOWN_RUN}"
    # The path goes on with a region, except where Identity Center lives in us-east-1.
    role_arn = f"{prefix}:iam::{account_id}:role/{_SSO_PATH}{UNKNOWN_RUN}{role}"
    return NamedIdentity(
        arn=role_arn,
        arns=(f"{prefix}:sts::{account_id}:assumed-role/{role}/{UNKNOWN_RUN}", role_arn),
        name=permission_set,
        kind=PrincipalKind.SSO,
        account_id=account_id,
        permission_set=permission_set,
    )


def _named(role: str) -> dict[str, Any]:
    """Name, kind and permission set of a role by its own name."""
    match = _SSO_ROLE.fullmatch(role)
    if match is None:
        return {"name": role, "kind": PrincipalKind.ASSUMED_ROLE}
    permission_set = match["permission_set"]
    return {"name": permission_set, "kind": PrincipalKind.SSO, "permission_set": permission_set}


def _session(
    arn: str, partition: str, account: str, rest: str, role_arn: str | None
) -> NamedIdentity:
    """An assumed role known by its session's ARN."""
    name, _, session_name = rest.partition("/")
    prefix = f"arn:{partition}:iam::{account}:role/"
    if role_arn and role_arn.startswith(prefix) and role_arn.rpartition("/")[2] == name:
        role_arns: tuple[str, ...] = (role_arn,)
    else:
        # A role's name is unique in its account whatever its path, so the ARN without a path means
        # no other role. The second makes statements about paths possible, never certain: no slash
        # follows the mark, else `role/*/etl` would surely fit a role that has no path.
        role_arns = (f"{prefix}{name}", f"{prefix}{UNKNOWN_RUN}{name}")
    return NamedIdentity(
        arn=arn,
        arns=(arn, *role_arns),
        account_id=account,
        session_name=session_name or None,
        **_named(name),
    )


def _split_resource(resource: str) -> tuple[str, str, str]:
    """`role/team/etl` as `role`, `/`, `team/etl`; `function:nightly` likewise at its colon."""
    for at, char in enumerate(resource):
        if char in "/:":
            return resource[:at], char, resource[at + 1 :]
    return resource, "", ""
