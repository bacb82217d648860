"""Who calls, as values: what a credential provider tells, and what is made of it.

Part of `call.py`, which hands them on; split from it for size.

INVARIANT: no value in this module keeps a secret key or a session token.
"""

from __future__ import annotations

import enum
from datetime import datetime
from typing import Final

from dynaguard.values import dataclass


@dataclass(frozen=True, slots=True)
class CredentialFacts:
    """What a client's credential provider tells about the caller without any network call.

    Attributes:
        access_key_id: The key id that signs (`AKIA...`, `ASIA...`); None before the first refresh
            of deferred credentials. Never the secret, never the token.
        method: botocore's provider name: `env`, `explicit`, `assume-role`,
            `assume-role-with-web-identity`, `container-role`, `iam-role`, `custom-process`,
            `shared-credentials-file`, `config-file`, `sso`, `login`; None for unsigned clients.
        account_id: Twelve digits where the provider knows them.
        role_arn: The role to assume, as configured (the path included).
        role_session_name: The session name asked for.
        assumed_role_arn: The exact `arn:aws:sts::...:assumed-role/...` after the first refresh.
        has_session_token: Whether the credentials are temporary; None when not known yet.
        expires_at: When they expire, where the provider knows; timezone-aware.
        login_arn: The ARN that a `login` profile names (`aws login`), or None.
        sso_role_name: The permission set of a single sign-on profile, or None.
        sso_region: Region of the IAM Identity Center behind it, or None.
        token_file: Path of the web identity token that the provider exchanges, or None.
    """

    access_key_id: str | None = None
    method: str | None = None
    account_id: str | None = None
    role_arn: str | None = None
    role_session_name: str | None = None
    assumed_role_arn: str | None = None
    has_session_token: bool | None = None
    expires_at: datetime | None = None
    login_arn: str | None = None
    sso_role_name: str | None = None
    sso_region: str | None = None
    token_file: str | None = None


NO_CREDENTIALS: Final = CredentialFacts()


class PrincipalKind(enum.StrEnum):
    """What sort of identity calls. `UNKNOWN` is honest: nothing offline tells."""

    USER = "user"
    ASSUMED_ROLE = "assumed_role"
    ROOT = "root"
    LAMBDA = "lambda"
    ECS_TASK = "ecs_task"
    EKS_POD = "eks_pod"
    EC2_INSTANCE = "ec2_instance"
    CI_JOB = "ci_job"
    SSO = "sso"
    AGENT = "agent"
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True)
class Principal:
    """The identity behind a call, as far as this process knows it.

    Attributes:
        name: A short label for messages, spans and records; never empty (`unknown` at worst).
        kind: What sort of identity it is.
        arn: The most exact ARN known, or None.
        arns: Every ARN that names this identity (assumed-role session, role, Lambda function,
            acting agent ...); patterns in `Principal` and `[groups]` match any of them.
        arns_complete: Whether `arns` is all there is to know. When False a pattern that does not
            match may still have matched in truth: unknown, not a mismatch.
        account_id: Twelve digits, or None.
        session_name: Role session name, or None.
        groups: Names from `[groups]` that this identity belongs to, and those of `acting_as()`.
        source: Where the answer came from: `explicit`, `provider`, `environment`, `sts`,
            `key_id`, `none`.
        is_static_key: True for a long-lived user key, False for temporary, None when not known.
        access_key_id: The signing key's id; for caches and findings, not for records.
        acting_name: The name given to `acting_as()`, or None.
        signer: While somebody acts, the same identity as if nobody did; else None. What acts may
            do no more than that: policies and masks ask for both.
        owner: Who answers for this identity, by `[owners]` or the settings; None: nobody named.
        function_version: Version of the Lambda function, `$LATEST` included; or None.
        service_account: `namespace/name` of the pod's service account, or None.
        subject: Subject of the web identity token; not verified; or None.
        expires_at: When the temporary credentials expire, where known; timezone-aware.
        key_created_at: When the long-lived key was made, where a look-up told; timezone-aware.
        findings: Codes of `IdentityFinding` that hold, in alphabetical order.
    """

    name: str = "unknown"
    kind: PrincipalKind = PrincipalKind.UNKNOWN
    arn: str | None = None
    arns: tuple[str, ...] = ()
    arns_complete: bool = False
    account_id: str | None = None
    session_name: str | None = None
    groups: frozenset[str] = frozenset()
    source: str = "none"
    is_static_key: bool | None = None
    access_key_id: str | None = None
    acting_name: str | None = None
    signer: Principal | None = None
    owner: str | None = None
    function_version: str | None = None
    service_account: str | None = None
    subject: str | None = None
    expires_at: datetime | None = None
    key_created_at: datetime | None = None
    findings: tuple[str, ...] = ()

    @property
    def key_fingerprint(self) -> str | None:
        """The first 16 hexadecimal characters of SHA-256 over the key's id, for records.

        Tells keys apart, and lets who knows a key's id find it; the id itself stays out.
        """
        if self.access_key_id is None:
            return None
        import hashlib  # loads OpenSSL, which importing the package must not

        return hashlib.sha256(self.access_key_id.encode()).hexdigest()[:16]


UNKNOWN_PRINCIPAL: Final = Principal()
