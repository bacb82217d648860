"""What situations are made of: credentials, environments, principals; and those without a role."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

from dynaguard.call import NO_CREDENTIALS, UNKNOWN_RUN, CredentialFacts, Principal, PrincipalKind

ACCOUNT = "123456789012"
ROLE = f"arn:aws:iam::{ACCOUNT}:role/etl"
PATH_ROLE = f"arn:aws:iam::{ACCOUNT}:role/team/data/etl"
SESSION = f"arn:aws:sts::{ACCOUNT}:assumed-role/etl/run-7"
ANY_SESSION = f"arn:aws:sts::{ACCOUNT}:assumed-role/etl/{UNKNOWN_RUN}"
ANY_PATH = f"arn:aws:iam::{ACCOUNT}:role/{UNKNOWN_RUN}etl"
USER = f"arn:aws:iam::{ACCOUNT}:user/people/bob"
FUNCTION = f"arn:aws:lambda:eu-west-1:{ACCOUNT}:function:nightly"

LAMBDA_ENV = {
    "AWS_LAMBDA_FUNCTION_NAME": "nightly",
    "AWS_LAMBDA_FUNCTION_VERSION": "$LATEST",
    "AWS_REGION": "eu-west-1",
}
IRSA_ENV = {
    "AWS_ROLE_ARN": PATH_ROLE,
    "AWS_ROLE_SESSION_NAME": "run-7",
    "AWS_WEB_IDENTITY_TOKEN_FILE": "/var/run/secrets/eks.amazonaws.com/serviceaccount/token",
}
POD_ENV = {
    "AWS_CONTAINER_CREDENTIALS_FULL_URI": "http://169.254.170.23/v1/credentials",
    "AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE": "/var/run/secrets/pods.eks.amazonaws.com/token",
}
ECS_ENV = {"AWS_CONTAINER_CREDENTIALS_RELATIVE_URI": "/v2/credentials/4711"}
GITHUB_ENV = {
    "GITHUB_ACTIONS": "true",
    "GITHUB_REPOSITORY": "acme/orders",
    "GITHUB_WORKFLOW": "Nightly",
}
AKIA = CredentialFacts("AKIAIOSFODNN7EXAMPLE", "env", has_session_token=False)
ASIA = CredentialFacts("ASIAIOSFODNN7EXAMPLE", "env", has_session_token=True)


@dataclass(frozen=True)
class Situation:
    """Credentials and surroundings, and the principal that must come of them."""

    title: str
    facts: CredentialFacts
    expected: Principal
    environ: Mapping[str, str] = field(default_factory=dict)
    identity: str | None = None
    account_id: str | None = None
    sts_arn: str | None = None


def role_principal(**changes: object) -> Principal:
    """A session of the role without a path, known offline to the last character."""
    principal = Principal(
        name="etl",
        kind=PrincipalKind.ASSUMED_ROLE,
        arn=SESSION,
        arns=(SESSION, ROLE),
        arns_complete=True,
        account_id=ACCOUNT,
        session_name="run-7",
        source="provider",
        is_static_key=False,
        access_key_id=ASIA.access_key_id,
    )
    return replace(principal, **changes)  # type: ignore[arg-type]


def key_principal(facts: CredentialFacts, **changes: object) -> Principal:
    """An identity of which only its key is known."""
    principal = Principal(
        name="static-key" if facts is AKIA else "temporary-key",
        kind=PrincipalKind.USER if facts is AKIA else PrincipalKind.UNKNOWN,
        source="key_id",
        is_static_key=facts is AKIA,
        access_key_id=facts.access_key_id,
    )
    return replace(principal, **changes)  # type: ignore[arg-type]


ASSUMED = replace(ASIA, method="assume-role", role_arn=ROLE, role_session_name="run-7")
KEY_SITUATIONS = [
    Situation("unsigned", NO_CREDENTIALS, Principal()),
    Situation("user key in the environment", AKIA, key_principal(AKIA)),
    Situation(
        "user key with an account from the provider",
        replace(AKIA, account_id=ACCOUNT),
        key_principal(AKIA, account_id=ACCOUNT),
        account_id="999999999999",
    ),
    Situation(
        "temporary key, account from the settings",
        ASIA,
        key_principal(ASIA, account_id=ACCOUNT),
        account_id=ACCOUNT,
    ),
    Situation(
        "key of unknown make in a shared file",
        CredentialFacts("testing", "shared-credentials-file"),
        Principal(access_key_id="testing"),
    ),
    Situation(
        "long-lived key of an emulator",
        CredentialFacts("testing", "explicit", has_session_token=False),
        Principal(name="static-key", source="key_id", is_static_key=True, access_key_id="testing"),
    ),
    Situation(
        "key by prefix alone",
        CredentialFacts("ASIAX", "custom-process"),
        Principal(
            name="temporary-key", source="key_id", is_static_key=False, access_key_id="ASIAX"
        ),
    ),
    Situation(
        "token seen before a key",
        CredentialFacts(method="login", has_session_token=True),
        Principal(name="temporary-key", source="key_id", is_static_key=False),
    ),
]
