"""Who asks for an approval and who gives it, as people: when two identities are the same one.

A person may hold several roles, and a role may be held by several people. So sessions are told
apart by their names, whatever role they are of: who signs in as `alice` with one permission set
and then with another is one person. In doubt two identities are taken for the same person, since
that only ever refuses.

Source: IAM User Guide, IAM identifiers; *Monitor and control actions taken with assumed roles* on
what a session's name says, and that a role's trust policy can demand it to be the user's name.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from dynaguard.call import UNKNOWN_CHAR, UNKNOWN_RUN

if TYPE_CHECKING:
    from collections.abc import Mapping

    from dynaguard.call import Principal

_SESSION: Final = re.compile(
    r"arn:(?P<partition>[^:]+):sts::(?P<account>[^:]*):assumed-role/(?P<role>[^/]+)/(?P<name>.+)"
)
_ROLE: Final = re.compile(
    r"arn:(?P<partition>[^:]+):iam::(?P<account>[^:]*):role/(?:.*/)?(?P<role>[^/]+)"
)
# botocore names a session after the time where a profile does not: it tells nothing of who it is,
# and differs in the next process of the same person.
_MADE_UP_SESSION: Final = re.compile(r"botocore-session-\d+")
_VAGUE_SOURCES: Final = frozenset({"none", "key_id"})


@dataclass(frozen=True, slots=True)
class Person:
    """An identity, as a ticket keeps it.

    Attributes:
        name: Its label, as records have it.
        arn: The most exact ARN known, unknown parts and made-up session names left out; or None.
        acting_as: Name of who acts on its behalf, or None.
        account: Its account, or None.
    """

    name: str
    arn: str | None = None
    acting_as: str | None = None
    account: str | None = None

    def __str__(self) -> str:
        """`etl`, ``agent `triage` for etl``, `AdministratorAccess (alice)`."""
        session = _session_name(self.arn)
        label = f"{self.name} ({session})" if session else self.name
        return f"agent `{self.acting_as}` for {label}" if self.acting_as else label

    @property
    def label(self) -> str | None:
        """What tells this person from others; None where only the role is known.

        The name is what a process may say of itself, so it stands for who has no ARN alone.
        """
        if self.arn is None:
            return self.name.casefold()
        if _ROLE.fullmatch(self.arn):
            return None
        return (_session_name(self.arn) or self.arn.rpartition("/")[2]).casefold()

    @property
    def role(self) -> str | None:
        """The role's name, as its ARN tells it; or None."""
        match = None
        if self.arn is not None:
            match = _SESSION.fullmatch(self.arn) or _ROLE.fullmatch(self.arn)
        return None if match is None else match["role"].casefold()

    @property
    def grantee(self) -> str:
        """Whom a grant for this person names; a role by its sessions, whose ARNs have no path."""
        role = _ROLE.fullmatch(self.arn) if self.arn is not None else None
        if role is None:
            return self.arn or self.name
        return "arn:{partition}:sts::{account}:assumed-role/{role}/*".format(**role.groupdict())

    @property
    def session_arn(self) -> str | None:
        """The ARN; a role's as one of its sessions, which says that its path is not known."""
        role = _ROLE.fullmatch(self.arn) if self.arn is not None else None
        if role is None:
            return self.arn
        parts = role.groupdict()
        prefix = f"arn:{parts['partition']}:sts::{parts['account']}:assumed-role"
        return f"{prefix}/{parts['role']}/{UNKNOWN_RUN}"

    def as_dict(self) -> dict[str, Any]:
        """**Shape**: attributes by name; JSON's own types."""
        return {
            "name": self.name,
            "arn": self.arn,
            "acting_as": self.acting_as,
            "account": self.account,
        }

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> Person:
        """What `as_dict` gave.

        Raises:
            TypeError: An attribute is missing, not known, or no text.
        """
        person = cls(**data)
        texts = (person.arn, person.acting_as, person.account)
        if type(person.name) is not str or any(
            text is not None and type(text) is not str for text in texts
        ):
            raise TypeError("a part of an identity is no text")
        return person


def person_of(principal: Principal) -> Person:
    """The person behind a call; who acts stands beside who signs."""
    return Person(
        name=principal.name,
        arn=_stable(principal.arn),
        acting_as=principal.acting_name,
        account=principal.account_id,
    )


def is_known(principal: Principal) -> bool:
    """Whether an identity can be told from others at all.

    Nothing but a key is not enough; nor is a permission set of IAM Identity Center of which it is
    not known who signed in: whoever approves may be that very person.
    """
    if principal.arn is not None:
        return _stable(principal.arn) is not None
    return principal.source not in _VAGUE_SOURCES


def is_same_person(one: Person, other: Person) -> bool:
    """Whether two identities are, or may be, the same person; who acts does not count."""
    if one.arn is not None and one.arn == other.arn:
        return True
    labels = one.label, other.label
    if labels[0] == labels[1]:
        return True
    if None not in labels and None not in (one.arn, other.arn):
        return False
    is_role_shared = one.role is not None and one.role == other.role
    return is_role_shared or one.name.casefold() == other.name.casefold()


def _stable(arn: str | None) -> str | None:
    """The ARN as it is from one process of a person to the next; None where a part is unknown."""
    if arn is None or UNKNOWN_CHAR in arn or UNKNOWN_RUN in arn:
        return None
    match = _SESSION.fullmatch(arn) or _ROLE.fullmatch(arn)
    if match is None:
        return arn
    parts = match.groupdict()
    name = parts.get("name")
    if name is not None and not _MADE_UP_SESSION.fullmatch(name):
        return arn
    # Without its path, which a session's ARN does not tell: a role's name is unique without it.
    return f"arn:{parts['partition']}:iam::{parts['account']}:role/{parts['role']}"


def _session_name(arn: str | None) -> str | None:
    """The session's name in the ARN of an assumed role, or None."""
    match = _SESSION.fullmatch(arn) if arn is not None else None
    return match["name"] if match is not None else None
