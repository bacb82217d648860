"""What a temporary session is asked for and what comes back, as values: names, terms, keys.

Nothing here calls AWS; `hooks/assuming.py` does. The name of a session is where CloudTrail shows
who did something, so it carries the task.

INVARIANT: no repr of a value in this module shows a secret key or a session token.
"""

from __future__ import annotations

import hashlib
import math
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Final

from dynaguard.errors import ConfigurationError

MIN_SESSION_S: Final = 900
MAX_SESSION_S: Final = 43_200
DEFAULT_MAX_SESSION_S: Final = 3_600
"""The longest that every role gives, and the longest that role chaining gives."""
MAX_NAME_LENGTH: Final = 64
MAX_TAGS: Final = 50
_UNSAFE_IN_NAME: Final = re.compile(r"[^\w+=,.@-]+", re.ASCII)
_ROLE_ARN: Final = re.compile(
    r"arn:(aws[a-z-]*):iam::(\d{12}):role/(?:[\x21-\x7e]+/)?([\w+=,.@-]+)"
)
_TAG_KEY: Final = re.compile(r"[\w .:/=+\-@]{1,128}")
_TAG_VALUE: Final = re.compile(r"[\w .:/=+\-@]{0,256}")
_EXTERNAL_ID: Final = re.compile(r"[\w+=,.@:/-]{2,1224}", re.ASCII)


@dataclass(frozen=True, slots=True)
class SessionRequest:
    """One session as STS is asked for it.

    Attributes:
        role_arn: The role.
        session_name: Its name in CloudTrail, see `session_name`.
        duration_s: How long its credentials last, in whole seconds.
        policy: Session policy as JSON text, or None.
        source_identity: Who is behind it; stays on record through role chaining. None: not set.
        tags: Session tags.
        transitive_tags: Keys of those that further sessions inherit.
        external_id: As the role's trust policy demands it, or None.
        mfa_serial: ARN or serial number of the caller's MFA device, or None.
        mfa_code: Its code; good for one request.
    """

    role_arn: str
    session_name: str
    duration_s: int
    policy: str | None = field(default=None, repr=False)
    source_identity: str | None = None
    tags: Mapping[str, str] = field(default_factory=dict)
    transitive_tags: tuple[str, ...] = ()
    external_id: str | None = field(default=None, repr=False)
    mfa_serial: str | None = None
    mfa_code: str | None = field(default=None, repr=False)

    def as_params(self) -> dict[str, Any]:
        """Parameters of `sts:AssumeRole`.

        Source: AWS STS API reference, AssumeRole.
        """
        params: dict[str, Any] = {
            "RoleArn": self.role_arn,
            "RoleSessionName": self.session_name,
            "DurationSeconds": self.duration_s,
            "Policy": self.policy,
            "SourceIdentity": self.source_identity,
            "Tags": [{"Key": key, "Value": value} for key, value in self.tags.items()],
            "TransitiveTagKeys": list(self.transitive_tags),
            "ExternalId": self.external_id,
            "SerialNumber": self.mfa_serial,
            "TokenCode": self.mfa_code,
        }
        return {name: value for name, value in params.items() if value not in (None, [])}


@dataclass(frozen=True, slots=True)
class SessionTerms:
    """How a role is assumed, beyond which and for what.

    Attributes:
        session_s: How long one set of credentials lasts, in seconds; None: as long as the task,
            within 900 and 3,600.
        source_identity: Name of who is behind it; True: the task's; None: not set, since the
            role's trust policy has to allow `sts:SetSourceIdentity`.
        tags: Session tags; the trust policy has to allow `sts:TagSession`.
        transitive_tags: Keys of those that further sessions inherit.
        external_id: As the trust policy demands it.
        mfa_serial, mfa_code: For roles that demand MFA; the credentials cannot be refreshed then.
        allow_widening: Whether conditions may be left out of a session policy that is too long.
    """

    session_s: int | None = None
    source_identity: str | bool | None = None
    tags: Mapping[str, str] | None = None
    transitive_tags: tuple[str, ...] = ()
    external_id: str | None = field(default=None, repr=False)
    mfa_serial: str | None = None
    mfa_code: str | None = field(default=None, repr=False)
    allow_widening: bool = False


@dataclass(frozen=True, slots=True)
class SessionCredentials:
    """Credentials of a temporary session.

    Attributes:
        access_key_id: Its key id.
        secret_access_key: Its secret.
        session_token: Its token; None for long-lived keys (a task without a role).
        expires_at: When they end; None where that is not known.
    """

    access_key_id: str
    secret_access_key: str = field(repr=False)
    session_token: str | None = field(default=None, repr=False)
    expires_at: datetime | None = None

    def environ(self) -> dict[str, str]:
        """Variables that AWS's SDKs and tools read.

        Source: AWS CLI user guide, "Environment variables supported by the AWS CLI";
        `AWS_CREDENTIAL_EXPIRATION` is what `aws configure export-credentials` prints.
        """
        found = {
            "AWS_ACCESS_KEY_ID": self.access_key_id,
            "AWS_SECRET_ACCESS_KEY": self.secret_access_key,
        }
        if self.session_token is not None:
            found["AWS_SESSION_TOKEN"] = self.session_token
        if self.expires_at is not None:
            found["AWS_CREDENTIAL_EXPIRATION"] = instant_text(self.expires_at)
        return found

    def as_process_output(self) -> dict[str, object]:
        """**Shape**: what a `credential_process` prints.

        Source: AWS SDKs and Tools reference guide, "Process credential provider".
        """
        found: dict[str, object] = {
            "Version": 1,
            "AccessKeyId": self.access_key_id,
            "SecretAccessKey": self.secret_access_key,
        }
        if self.session_token is not None:
            found["SessionToken"] = self.session_token
        if self.expires_at is not None:
            found["Expiration"] = instant_text(self.expires_at)
        return found


def instant_text(instant: datetime) -> str:
    """`2026-11-21T16:00:00Z`."""
    from datetime import UTC

    return f"{instant.astimezone(UTC):%Y-%m-%dT%H:%M:%SZ}"


def safe_name(text: str) -> str:
    """The text as STS takes it in names: what it does not take becomes `-`.

    Source: AWS STS API reference, AssumeRole, `RoleSessionName`: letters, digits, `_+=,.@-`.
    """
    return _UNSAFE_IN_NAME.sub("-", text).strip("-") or "task"


def session_name(name: str, task: str) -> str:
    """The name of a task's session: what it is for, and a tail that tells runs apart.

    At most 64 characters; the task's id is kept whole where it fits, else a hash of it stands in
    for it: so the same task always has the same name, and another never has it.

    Args:
        name: Name of the runbook or the task.
        task: Id of the task.
    """
    tail = safe_name(task)
    if tail != task or len(tail) > MAX_NAME_LENGTH // 2:
        digest = hashlib.sha256(task.encode("utf-8", "surrogatepass")).hexdigest()[:12]
        tail = f"{tail[:19]}-{digest}"
    head = safe_name(name)[: MAX_NAME_LENGTH - len(tail) - 1]
    return tail if tail.startswith(head) and len(tail) > 1 else f"{head}-{tail}"


def session_duration_s(left_s: float, session_s: int | None) -> int:
    """How long the next credentials last, in whole seconds: never longer than needed.

    Args:
        left_s: What is left of the task, in seconds.
        session_s: The longest that they may last; None: 3,600, which every role gives.

    Returns:
        Between 900, the least that STS gives, and `session_s`.
    """
    longest = DEFAULT_MAX_SESSION_S if session_s is None else session_s
    return max(MIN_SESSION_S, min(longest, math.ceil(left_s)))


def role_partition(role_arn: str) -> str:
    """The partition of a role's ARN.

    Raises:
        ConfigurationError: It is no ARN of a role.
    """
    found = _ROLE_ARN.fullmatch(str(role_arn))
    if found is None:
        raise ConfigurationError(
            f"`{role_arn}` is no ARN of a role, write `arn:aws:iam::ACCOUNT:role/NAME`"
        )
    return found[1]


def account_of(role_arn: str) -> str:
    """The account of a role's ARN that was checked before."""
    return role_arn.split(":")[4]


def check_terms(terms: SessionTerms) -> None:
    """Refuses terms that STS would not take.

    Raises:
        ConfigurationError: Names every problem.
    """
    problems = [*_duration_problems(terms), *_tag_problems(terms)]
    identity = terms.source_identity
    if isinstance(identity, str) and safe_name(identity) != identity:
        problems.append("`source_identity` may hold letters, digits and `_+=,.@-` alone")
    if isinstance(identity, str) and not 2 <= len(identity) <= MAX_NAME_LENGTH:
        problems.append(f"`source_identity` must have 2 to {MAX_NAME_LENGTH} characters")
    if terms.external_id is not None and not _EXTERNAL_ID.fullmatch(terms.external_id):
        problems.append("`external_id` must have 2 to 1,224 letters, digits and `_+=,.@:/-`")
    if (terms.mfa_serial is None) != (terms.mfa_code is None):
        problems.append("`mfa_serial` and `mfa_code` go together")
    if problems:
        raise ConfigurationError("\n".join(problems))


def _duration_problems(terms: SessionTerms) -> list[str]:
    """What is wrong with how long credentials should last."""
    session_s: object = terms.session_s
    if session_s is None or (
        isinstance(session_s, int)
        and not isinstance(session_s, bool)
        and MIN_SESSION_S <= session_s <= MAX_SESSION_S
    ):
        return []
    return [f"`session_s` is `{session_s}`, it must be {MIN_SESSION_S} to {MAX_SESSION_S} seconds"]


def _tag_problems(terms: SessionTerms) -> list[str]:
    """What is wrong with session tags; values are not shown."""
    tags: Mapping[Any, Any] = terms.tags or {}
    problems = []
    for key, value in tags.items():
        if not isinstance(key, str) or not _TAG_KEY.fullmatch(key) or key.startswith("aws:"):
            problems.append(
                f"session tag `{key}`: a key has 1 to 128 letters, digits, ` .:/=+-@_`"
            )
        elif not isinstance(value, str) or not _TAG_VALUE.fullmatch(value):
            problems.append(
                f"session tag `{key}`: a value is text of up to 256 letters, digits, ` .:/=+-@_`"
            )
    if len(tags) > MAX_TAGS:
        problems.append(f"{len(tags)} session tags are given, STS takes {MAX_TAGS}")
    folded = {str(key).casefold() for key in tags}
    if len(folded) < len(tags):
        problems.append("session tags differ in the case of their keys alone, STS refuses that")
    unknown = [key for key in terms.transitive_tags if key not in tags]
    problems += [f"transitive tag `{key}` is none of the session tags" for key in unknown]
    return problems
