"""Reads the ARN of an identity: what it names, and every further ARN that names the same one.

An assumed role has two ARNs: the session's (`arn:aws:sts::1...:assumed-role/etl/run-7`) and the
role's (`arn:aws:iam::1...:role/team/etl`). A session's leaves out the role's path, and a role's
says nothing of the session. Where only one is known, what it leaves out is marked as unknown in
the other, so that statements about it are neither taken to hold nor passed over.

Source: IAM User Guide, IAM identifiers; AWS JSON policy elements: Principal.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final

from dynaguard.call import UNKNOWN_RUN, PrincipalKind

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
    """

    arn: str
    arns: tuple[str, ...]
    name: str
    kind: PrincipalKind
    account_id: str
    session_name: str | None = None
    is_signer: bool = True


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
    name = rest.split(":")[0] if separator == ":" else rest.rpartition("/")[2]
    return NamedIdentity(
        arn, (arn,), name or sort, kind, account, is_signer=service in _SIGNING_SERVICES
    )


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
        name=name,
        kind=PrincipalKind.ASSUMED_ROLE,
        account_id=match["account"],
        session_name=session_name,
    )


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
        name=name,
        kind=PrincipalKind.ASSUMED_ROLE,
        account_id=account,
        session_name=session_name or None,
    )


def _split_resource(resource: str) -> tuple[str, str, str]:
    """`role/team/etl` as `role`, `/`, `team/etl`; `function:nightly` likewise at its colon."""
    for at, char in enumerate(resource):
        if char in "/:":
            return resource[:at], char, resource[at + 1 :]
    return resource, "", ""
