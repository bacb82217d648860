"""What situations are made of, and those of long-lived keys."""

from __future__ import annotations

import inspect
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from typing import Any

import botocore.config
import botocore.credentials
import botocore.session
import botocore.utils

from dynaguard.call import UNKNOWN_CHAR, UNKNOWN_RUN, Principal, PrincipalKind
from tests.identity.fake_aws import ACCOUNT, SECRET, TOKEN

AKIA = "AKIAIOSFODNN7EXAMPLE"
ASIA = "ASIAIOSFODNN7EXAMPLE"
FIRST_KEY = f"ASIA{1:016}"
# botocore knows accounts of credentials from 1.36 on.
KNOWS_ACCOUNTS = "account_id" in inspect.signature(botocore.credentials.Credentials).parameters
TOLD_ACCOUNT = ACCOUNT if KNOWS_ACCOUNTS else None
ROLE = f"arn:aws:iam::{ACCOUNT}:role/team/etl"
BARE_ROLE = f"arn:aws:iam::{ACCOUNT}:role/etl"
ANY_PATH = f"arn:aws:iam::{ACCOUNT}:role/{UNKNOWN_RUN}etl"
SESSION = f"arn:aws:sts::{ACCOUNT}:assumed-role/etl/run-7"
USER = f"arn:aws:iam::{ACCOUNT}:user/people/bob"
ROOT = f"arn:aws:iam::{ACCOUNT}:root"
FUNCTION = f"arn:aws:lambda:eu-west-1:{ACCOUNT}:function:nightly"
SSO_ROLE = "AWSReservedSSO_DataEngineer_0123456789abcdef"
SSO_SESSION = f"arn:aws:sts::{ACCOUNT}:assumed-role/{SSO_ROLE}/ann@acme.example"
OPEN_SSO_ROLE = f"AWSReservedSSO_DataEngineer_{UNKNOWN_CHAR * 16}"
OPEN_SSO_ARNS = (
    f"arn:aws:sts::{ACCOUNT}:assumed-role/{OPEN_SSO_ROLE}/{UNKNOWN_RUN}",
    f"arn:aws:iam::{ACCOUNT}:role/aws-reserved/sso.amazonaws.com/{UNKNOWN_RUN}{OPEN_SSO_ROLE}",
)
EXPIRES_AT = (datetime.now(UTC) + timedelta(hours=2)).replace(microsecond=0)
KEY_MADE_AT = datetime(2020, 2, 29, 1, 2, 3, tzinfo=UTC)
POD_CLAIMS = {
    "sub": "system:serviceaccount:prod:etl-reader",
    "kubernetes.io": {"namespace": "prod", "serviceaccount": {"name": "etl-reader"}},
}
GITHUB_CLAIMS = {"sub": "repo:acme/orders:ref:refs/heads/main", "repository": "acme/orders"}
GITLAB_CLAIMS = {"sub": "project_path:acme/orders", "project_path": "acme/orders"}

STATIC_ENV = {"AWS_ACCESS_KEY_ID": AKIA, "AWS_SECRET_ACCESS_KEY": SECRET}
SESSION_ENV = {
    "AWS_ACCESS_KEY_ID": ASIA,
    "AWS_SECRET_ACCESS_KEY": SECRET,
    "AWS_SESSION_TOKEN": TOKEN,
}
LAMBDA_ENV = {
    "AWS_LAMBDA_FUNCTION_NAME": "nightly",
    "AWS_LAMBDA_FUNCTION_VERSION": "42",
    "AWS_REGION": "eu-west-1",
}
GITHUB_ENV = {
    "GITHUB_ACTIONS": "true",
    "GITHUB_REPOSITORY": "acme/orders",
    "GITHUB_WORKFLOW": "Nightly",
}
GITLAB_ENV = {"GITLAB_CI": "true", "CI_PROJECT_PATH": "acme/orders", "CI_JOB_NAME": "load"}
WEB_ENV = {
    "AWS_ROLE_ARN": ROLE,
    "AWS_ROLE_SESSION_NAME": "run-7",
    "AWS_WEB_IDENTITY_TOKEN_FILE": "{folder}/token",
}
IRSA_FOLDER = "eks.amazonaws.com/serviceaccount"
IRSA_ENV = {**WEB_ENV, "AWS_WEB_IDENTITY_TOKEN_FILE": f"{{folder}}/{IRSA_FOLDER}/token"}
ECS_ENV = {"AWS_CONTAINER_CREDENTIALS_RELATIVE_URI": "/container"}
POD_ENV = {
    "AWS_CONTAINER_CREDENTIALS_FULL_URI": "{url}/container",
    "AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE": "{folder}/token",
}
EC2_ENV = {"AWS_EC2_METADATA_DISABLED": "false", "AWS_EC2_METADATA_SERVICE_ENDPOINT": "{url}/"}
KEYS = f"aws_access_key_id = {AKIA}\naws_secret_access_key = {SECRET}\n"
PROCESS = f"{sys.executable} {{folder}}/process.py"
SSO_PROFILE = (
    f"sso_start_url = https://acme.awsapps.com/start\nsso_region = eu-west-1\n"
    f"sso_account_id = {ACCOUNT}\nsso_role_name = DataEngineer\n"
)


@dataclass(frozen=True)
class Situation:
    """How a process gets its credentials, and the principal that must come of it.

    `{folder}` and `{url}` in variables and files stand for the test's folder and the endpoints.

    Attributes:
        title: What it is about.
        expected: The principal; `access_key_id`, `findings` and `expires_at` as noted below.
        environ: Variables; those of static keys are not set otherwise.
        config: `~/.aws/config`.
        credentials: `~/.aws/credentials`.
        files: Further files by name.
        client: Arguments of `create_client`.
        install: Arguments of `install()`.
        caller_arn: Who STS says calls.
        key: The key that signs.
        expires: Whether the endpoints' expiry must be known; or the expiry itself.
        acting: Somebody who acts.
    """

    title: str
    expected: Principal
    environ: Mapping[str, str] = field(default_factory=dict)
    config: str = ""
    credentials: str = ""
    files: Mapping[str, str] = field(default_factory=dict)
    client: Mapping[str, Any] = field(default_factory=dict)
    install: Mapping[str, Any] = field(default_factory=dict)
    caller_arn: str | None = None
    key: str | None = FIRST_KEY
    expires: bool | datetime = True
    acting: str | None = None


def key(key_id: str = AKIA, **changes: Any) -> dict[str, Any]:
    """What is told of a bare key: `key` and `expected` of a situation."""
    principal = Principal(
        name="static-key" if key_id == AKIA else "temporary-key",
        kind=PrincipalKind.USER if key_id == AKIA else PrincipalKind.UNKNOWN,
        source="key_id",
        is_static_key=key_id == AKIA,
    )
    return {"key": key_id, "expires": False, "expected": replace(principal, **changes)}


def role(**changes: Any) -> Principal:
    """A session of the role with its path, and what the policy says of it."""
    principal = Principal(
        name="etl",
        kind=PrincipalKind.ASSUMED_ROLE,
        arn=SESSION,
        arns=(SESSION, ROLE),
        arns_complete=True,
        account_id=ACCOUNT,
        session_name="run-7",
        groups=frozenset({"etl"}),
        source="provider",
        is_static_key=False,
        owner="data-platform",
    )
    return replace(principal, **changes)


def told_role(**changes: Any) -> Principal:
    """The same role as STS tells it: its path stays open."""
    return role(**{"arns": (SESSION, BARE_ROLE, ANY_PATH), "source": "sts", **changes})


def user(**changes: Any) -> Principal:
    """A user that STS tells."""
    principal = Principal(
        name="bob",
        kind=PrincipalKind.USER,
        arn=USER,
        arns=(USER,),
        arns_complete=True,
        account_id=ACCOUNT,
        source="sts",
        is_static_key=True,
        owner="people",
    )
    return replace(principal, **changes)


def workload(name: str, kind: PrincipalKind, **changes: Any) -> Principal:
    """What runs with credentials of its own, of which no ARN is known."""
    principal = Principal(name=name, kind=kind, source="environment", is_static_key=False)
    return replace(principal, **changes)


def sso(**changes: Any) -> Principal:
    """A permission set, as a profile tells it."""
    principal = Principal(
        name="DataEngineer",
        kind=PrincipalKind.SSO,
        arn=OPEN_SSO_ARNS[1],
        arns=OPEN_SSO_ARNS,
        arns_complete=True,
        account_id=ACCOUNT,
        groups=frozenset({"engineers"}),
        source="provider",
        is_static_key=False,
    )
    return replace(principal, **changes)


def process_prints(**more: Any) -> dict[str, str]:
    """A credential process."""
    answer = {"Version": 1, "AccessKeyId": ASIA, "SecretAccessKey": SECRET, **more}
    return {"process.py": f"import json; print(json.dumps({answer!r}))"}


ASSUME = (
    f"[profile base]\n{KEYS}"
    f"[default]\nrole_arn = {ROLE}\nsource_profile = base\nrole_session_name = run-7\n"
)
LOOK_UP = {"identity_lookup": "sts"}
KEY_SITUATIONS = [
    Situation("user key in variables", environ=STATIC_ENV, **key()),
    Situation(
        "user key and account in variables",
        environ={**STATIC_ENV, "AWS_ACCOUNT_ID": ACCOUNT},
        **key(account_id=TOLD_ACCOUNT),
    ),
    Situation("user key in the shared file", credentials=f"[default]\n{KEYS}", **key()),
    Situation(
        "user key in a profile of the config file",
        environ={"AWS_PROFILE": "work"},
        config=f"[profile work]\n{KEYS}",
        **key(),
    ),
    Situation(
        "user key given to the client",
        environ=SESSION_ENV,
        client={"aws_access_key_id": AKIA, "aws_secret_access_key": SECRET},
        **key(),
    ),
    Situation(
        "user key of a process",
        config=f"[default]\ncredential_process = {PROCESS}\n",
        files=process_prints(AccessKeyId=AKIA),
        **key(),
    ),
    Situation(
        "key of an emulator",
        environ={"AWS_ACCESS_KEY_ID": "testing", "AWS_SECRET_ACCESS_KEY": SECRET},
        expected=Principal("static-key", source="key_id", is_static_key=True),
        key="testing",
        expires=False,
    ),
    Situation(
        "user, asked",
        user(),
        environ=STATIC_ENV,
        install=LOOK_UP,
        caller_arn=USER,
        key=AKIA,
        expires=False,
    ),
    Situation(
        "user, asked for the key's age",
        user(key_created_at=KEY_MADE_AT),
        environ=STATIC_ENV,
        install={"identity_lookup": "iam"},
        caller_arn=USER,
        key=AKIA,
        expires=False,
    ),
    Situation(
        "root, asked",
        user(name="root", kind=PrincipalKind.ROOT, arn=ROOT, arns=(ROOT,), owner=None),
        environ=STATIC_ENV,
        install=LOOK_UP,
        caller_arn=ROOT,
        key=AKIA,
        expires=False,
    ),
    Situation("user, asked in vain", environ=STATIC_ENV, install=LOOK_UP, **key()),
    Situation(
        "user by the settings",
        user(source="explicit"),
        environ=STATIC_ENV,
        install={"identity": USER},
        key=AKIA,
        expires=False,
    ),
    Situation(
        "owner by the settings",
        environ=STATIC_ENV,
        install={"owner": "team-orders"},
        **key(owner="team-orders"),
    ),
]
