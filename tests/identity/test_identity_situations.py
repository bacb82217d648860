"""Who is said to call, with botocore's own credential providers asking fake endpoints.

One row of `SITUATIONS` is one way in which a process gets its credentials: files, variables,
endpoints. Each expects the whole principal, as a call has it and as its record tells it.
"""

from __future__ import annotations

import hashlib
import inspect
import json
import socket
import sys
import threading
import tracemalloc
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import botocore.config
import botocore.credentials
import botocore.session
import botocore.utils
import pytest
from botocore import UNSIGNED

import dynaguard
from dynaguard.audit.log import read_records
from dynaguard.audit.record import identity_part
from dynaguard.call import (
    UNKNOWN_ACCOUNT,
    UNKNOWN_CHAR,
    UNKNOWN_RUN,
    CredentialFacts,
    Principal,
    PrincipalKind,
)
from dynaguard.hooks.credentials import credential_facts
from dynaguard.hooks.sts import facts_to_ask_for, look_up_caller
from dynaguard.identity import IdentityResolver, findings, lookup, resolver
from dynaguard.scope import EMPTY_SCOPE, Scope, current_scope
from tests.identity.fake_aws import ACCOUNT, SECRET, TOKEN, FakeAws, fake_aws, instant, web_token

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
POLICY: dict[str, Any] = {
    "version": 1,
    "default": "allow",
    "govern": ["dynamodb"],
    "groups": {
        "etl": [ROLE, BARE_ROLE, "arn:aws:lambda:*:*:function:nightly"],
        "orders": ["oidc:repository=acme/orders", "oidc:project_path=acme/orders"],
        "prod-pods": ["oidc:sub=system:serviceaccount:prod:*"],
        "engineers": ["sso:role=DataEngineer"],
    },
    "owners": {"data-platform": {"Group": ["etl", "prod-pods"]}, "people": [USER]},
}
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
SITUATIONS = [
    # --- long-lived keys -----------------------------------------------------------------------
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
    # --- temporary keys ------------------------------------------------------------------------
    Situation("session in variables", environ=SESSION_ENV, **key(ASIA)),
    Situation(
        "session in variables, with its end",
        key(ASIA)["expected"],
        environ={**SESSION_ENV, "AWS_CREDENTIAL_EXPIRATION": instant(EXPIRES_AT)},
        key=ASIA,
        expires=EXPIRES_AT,
    ),
    Situation(
        "session given to the client",
        client={
            "aws_access_key_id": ASIA,
            "aws_secret_access_key": SECRET,
            "aws_session_token": TOKEN,
        },
        **key(ASIA),
    ),
    Situation(
        "session of a process, with account and end",
        key(ASIA, account_id=TOLD_ACCOUNT)["expected"],
        config=f"[default]\ncredential_process = {PROCESS}\n",
        files=process_prints(
            SessionToken=TOKEN, AccountId=ACCOUNT, Expiration=instant(EXPIRES_AT)
        ),
        key=ASIA,
        expires=EXPIRES_AT,
    ),
    Situation(
        "session in variables, asked",
        told_role(),
        environ=SESSION_ENV,
        install=LOOK_UP,
        caller_arn=SESSION,
        key=ASIA,
        expires=False,
    ),
    # --- roles ---------------------------------------------------------------------------------
    Situation("role of a profile", role(), config=ASSUME),
    Situation(
        "role of a profile, look-up on",
        role(),
        config=ASSUME,
        install=LOOK_UP,
        caller_arn=ROOT,
    ),
    Situation(
        "role of a role",
        role(),
        config=ASSUME.replace("[default]", "[profile middle]").replace("team/etl", "middle")
        + f"[default]\nrole_arn = {ROLE}\nsource_profile = middle\nrole_session_name = run-7\n",
        key=f"ASIA{2:016}",
    ),
    Situation(
        "role of a profile by credentials of variables",
        role(),
        environ=STATIC_ENV,
        config=f"[profile job]\nrole_arn = {ROLE}\ncredential_source = Environment\n"
        "role_session_name = run-7\n",
        client={"profile": "job"},
    ),
    Situation(
        "web identity of a profile",
        role(subject="anybody", groups=frozenset({"etl"})),
        config=f"[default]\nrole_arn = {ROLE}\nrole_session_name = run-7\n"
        "web_identity_token_file = {folder}/token\n",
        files={"token": web_token({"sub": "anybody"})},
    ),
    # --- what runs -----------------------------------------------------------------------------
    Situation(
        "EKS pod with a role",
        role(
            kind=PrincipalKind.EKS_POD,
            subject=POD_CLAIMS["sub"],
            service_account="prod/etl-reader",
            groups=frozenset({"etl", "prod-pods"}),
        ),
        environ=IRSA_ENV,
        files={f"{IRSA_FOLDER}/token": web_token(POD_CLAIMS)},
    ),
    Situation(
        "EKS pod with Pod Identity",
        workload(
            "prod/etl-reader",
            PrincipalKind.EKS_POD,
            subject=POD_CLAIMS["sub"],
            service_account="prod/etl-reader",
            groups=frozenset({"prod-pods"}),
            account_id=TOLD_ACCOUNT,
            owner="data-platform",
        ),
        environ=POD_ENV,
        files={"token": web_token(POD_CLAIMS)},
    ),
    Situation(
        "EKS pod with Pod Identity and a token that is none",
        workload("eks-pod", PrincipalKind.EKS_POD, account_id=TOLD_ACCOUNT),
        environ=POD_ENV,
        files={"token": "opaque"},
    ),
    Situation(
        "ECS task",
        workload("ecs-task", PrincipalKind.ECS_TASK, account_id=TOLD_ACCOUNT),
        environ=ECS_ENV,
    ),
    Situation(
        "ECS task, asked",
        told_role(kind=PrincipalKind.ECS_TASK),
        environ=ECS_ENV,
        install=LOOK_UP,
        caller_arn=SESSION,
    ),
    Situation(
        "EC2 instance",
        workload("ec2-instance", PrincipalKind.EC2_INSTANCE, source="provider"),
        environ=EC2_ENV,
    ),
    Situation(
        "EC2 instance, asked",
        told_role(
            kind=PrincipalKind.EC2_INSTANCE,
            session_name="i-0abc",
            arn=SESSION.replace("run-7", "i-0abc"),
            arns=(SESSION.replace("run-7", "i-0abc"), BARE_ROLE, ANY_PATH),
        ),
        environ=EC2_ENV,
        install=LOOK_UP,
        caller_arn=SESSION.replace("run-7", "i-0abc"),
    ),
    Situation(
        "Lambda function",
        workload(
            "nightly",
            PrincipalKind.LAMBDA,
            arns=(
                f"arn:aws:lambda:eu-west-1:{UNKNOWN_ACCOUNT}:function:nightly",
                f"arn:aws:lambda:eu-west-1:{UNKNOWN_ACCOUNT}:function:nightly:42",
            ),
            function_version="42",
            groups=frozenset({"etl"}),
            owner="data-platform",
        ),
        environ={**SESSION_ENV, **LAMBDA_ENV},
        key=ASIA,
        expires=False,
    ),
    Situation(
        "Lambda function of a known account, unpublished",
        workload(
            "nightly",
            PrincipalKind.LAMBDA,
            arn=FUNCTION,
            arns=(FUNCTION,),
            account_id=ACCOUNT,
            function_version="$LATEST",
            groups=frozenset({"etl"}),
            owner="data-platform",
        ),
        environ={**SESSION_ENV, **LAMBDA_ENV, "AWS_LAMBDA_FUNCTION_VERSION": "$LATEST"},
        install={"account_id": ACCOUNT},
        key=ASIA,
        expires=False,
    ),
    Situation(
        "Lambda function with SnapStart",
        workload(
            "nightly",
            PrincipalKind.LAMBDA,
            arn=FUNCTION,
            arns=(FUNCTION, f"{FUNCTION}:42"),
            account_id=ACCOUNT,
            function_version="42",
            groups=frozenset({"etl"}),
            owner="data-platform",
        ),
        environ={
            **LAMBDA_ENV,
            "AWS_CONTAINER_CREDENTIALS_FULL_URI": "{url}/container",
            "AWS_CONTAINER_AUTHORIZATION_TOKEN": "t",
        },
        install={"account_id": ACCOUNT},
    ),
    Situation(
        "Lambda function, asked",
        told_role(
            name="nightly",
            kind=PrincipalKind.LAMBDA,
            arns=(SESSION, BARE_ROLE, ANY_PATH, FUNCTION, f"{FUNCTION}:42"),
            function_version="42",
        ),
        environ={**SESSION_ENV, **LAMBDA_ENV},
        install=LOOK_UP,
        caller_arn=SESSION,
        key=ASIA,
        expires=False,
    ),
    Situation(
        "keys of its own within a Lambda function",
        environ={**SESSION_ENV, **LAMBDA_ENV},
        client={"aws_access_key_id": AKIA, "aws_secret_access_key": SECRET},
        **key(),
    ),
    # --- continuous integration ----------------------------------------------------------------
    Situation(
        "GitHub job with a user's key",
        environ={**STATIC_ENV, **GITHUB_ENV},
        **key(name="github:acme/orders/Nightly", kind=PrincipalKind.CI_JOB, source="environment"),
    ),
    Situation(
        "GitHub job that trades its token",
        role(
            kind=PrincipalKind.CI_JOB,
            subject=GITHUB_CLAIMS["sub"],
            groups=frozenset({"etl", "orders"}),
            source="provider",
        ),
        environ={**WEB_ENV, **GITHUB_ENV},
        files={"token": web_token(GITHUB_CLAIMS)},
    ),
    Situation(
        "GitLab job that trades its token",
        role(
            kind=PrincipalKind.CI_JOB,
            subject=GITLAB_CLAIMS["sub"],
            groups=frozenset({"etl", "orders"}),
        ),
        environ={**WEB_ENV, **GITLAB_ENV},
        files={"token": web_token(GITLAB_CLAIMS)},
    ),
    Situation(
        "Jenkins job on an instance",
        workload("jenkins:orders/main", PrincipalKind.CI_JOB),
        environ={**EC2_ENV, "JENKINS_URL": "https://ci.example/", "JOB_NAME": "orders/main"},
    ),
    # --- people --------------------------------------------------------------------------------
    Situation("single sign-on", sso(), config=f"[default]\n{SSO_PROFILE}"),
    Situation(
        "single sign-on, asked",
        sso(
            arn=SSO_SESSION,
            arns=(
                SSO_SESSION,
                f"arn:aws:iam::{ACCOUNT}:role/{SSO_ROLE}",
                f"arn:aws:iam::{ACCOUNT}:role/{UNKNOWN_RUN}{SSO_ROLE}",
            ),
            session_name="ann@acme.example",
            source="sts",
        ),
        config=f"[default]\n{SSO_PROFILE}",
        install=LOOK_UP,
        caller_arn=SSO_SESSION,
    ),
    # --- who acts, and nobody ------------------------------------------------------------------
    Situation("agent with a role", role(), config=ASSUME, acting="assistant"),
    Situation(
        "unsigned",
        Principal(),
        environ=STATIC_ENV,
        client={"config": botocore.config.Config(signature_version=UNSIGNED)},
        key=None,
        expires=False,
    ),
]


@pytest.fixture
def aws() -> Iterator[FakeAws]:
    """The endpoints."""
    with fake_aws() as state:
        yield state


@pytest.fixture
def prepare(
    aws: FakeAws, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Callable[[Situation], None]:
    """Makes files and variables of a situation."""

    def filled(text: str) -> str:
        return text.replace("{folder}", str(tmp_path)).replace("{url}", aws.url)

    def make(situation: Situation) -> None:
        for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
            monkeypatch.delenv(name, raising=False)
        for name in [*GITHUB_ENV, *GITLAB_ENV, "CI", "JENKINS_URL", "TF_BUILD"]:
            monkeypatch.delenv(name, raising=False)
        (tmp_path / "config").write_text(filled(situation.config))
        (tmp_path / "credentials").write_text(situation.credentials)
        monkeypatch.setenv("AWS_CONFIG_FILE", str(tmp_path / "config"))
        monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(tmp_path / "credentials"))
        monkeypatch.setenv("AWS_ENDPOINT_URL", aws.url)
        for name, text in situation.files.items():
            path = tmp_path / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(filled(text))
        for name, text in situation.environ.items():
            monkeypatch.setenv(name, filled(text))
        monkeypatch.setattr(
            botocore.utils.ContainerMetadataFetcher, "IP_ADDRESS", aws.url.partition("//")[2]
        )
        folder = tmp_path / "sso"
        folder.mkdir()
        monkeypatch.setattr(botocore.credentials.SSOProvider, "_SSO_TOKEN_CACHE_DIR", str(folder))
        start_url = b"https://acme.awsapps.com/start"
        (folder / f"{hashlib.sha1(start_url).hexdigest()}.json").write_text(  # noqa: S324 - the file's name in botocore
            json.dumps({"accessToken": TOKEN, "expiresAt": "2099-01-01T00:00:00Z"})
        )
        aws.caller_arn, aws.key_made_at = situation.caller_arn, KEY_MADE_AT

    return make


def client_of(options: Mapping[str, Any], service: str = "dynamodb") -> Any:
    """A client of a new session, with whatever credentials that finds."""
    found = dict(options)
    session = botocore.session.Session(profile=found.pop("profile", None))
    return session.create_client(service, region_name="eu-west-1", **found)


def records_of(audit: Path) -> list[dict[str, Any]]:
    """The records of calls, without the checkpoints between them."""
    lines = list(read_records(audit))
    return [line for line in lines if "operation" in line]


def facts_of(client: Any) -> CredentialFacts:
    """What the client's credentials tell now."""
    return credential_facts(client._request_signer._credentials)


def expected_of(situation: Situation, aws: FakeAws) -> Principal:
    """The principal with the key, its expiry and the static findings."""
    codes = ["long_lived_key"] if situation.expected.is_static_key else []
    if situation.expected.owner is None and situation.expected.source != "none":
        codes.append("owner_missing")
    expires = situation.expires
    return replace(
        situation.expected,
        access_key_id=situation.key,
        expires_at=aws.expires_at if expires is True else expires or None,
        findings=tuple(codes),
    )


@pytest.mark.parametrize("situation", SITUATIONS, ids=lambda situation: situation.title)
def test_every_way_to_credentials_gives_the_right_principal(
    situation: Situation, aws: FakeAws, prepare: Callable[[Situation], None], tmp_path: Path
) -> None:
    """The whole principal, on the second call and in its record; nothing secret anywhere."""
    prepare(situation)
    audit = tmp_path / "audit.jsonl"
    expected = expected_of(situation, aws)
    with dynaguard.install(POLICY, audit=audit, **situation.install) as guard:
        client = client_of(situation.client)
        client.list_tables()
        guard.rooms.resolver.settled(facts_of(client), EMPTY_SCOPE)
        if situation.acting is not None:
            with dynaguard.acting_as(situation.acting, groups=["agents"]):
                client.list_tables()
                found = guard.rooms.resolver.resolve(facts_of(client), current_scope())
            expected = replace(
                expected,
                acting_name=situation.acting,
                kind=PrincipalKind.AGENT,
                groups=expected.groups | {"agents"},
                signer=expected,
            )
        else:
            client.list_tables()
            found = guard.rooms.resolver.resolve(facts_of(client), EMPTY_SCOPE)
    written = audit.read_text()

    assert found == expected
    records = records_of(audit)
    assert records[-1]["identity"] == identity_part(expected)
    # What providers ask for credentials is botocore's own: neither decided nor recorded.
    assert [record["operation"] for record in records] == ["ListTables"] * 2
    assert "CANARY" not in written
    if situation.key is not None:
        assert situation.key not in written
    assert "sts:GetCallerIdentity" not in aws.asked or "identity_lookup" in situation.install


def test_the_table_is_long_enough() -> None:
    """Every row is another situation."""
    assert len({situation.title for situation in SITUATIONS}) == len(SITUATIONS) >= 25


@pytest.mark.skipif(
    not hasattr(botocore.credentials, "LoginCredentialFetcher"), reason="an older botocore"
)
def test_a_login_session_is_who_signed_in() -> None:
    """Its provider needs the CRT, its fetcher does not."""
    fetcher = botocore.credentials.LoginCredentialFetcher(USER, None, None)
    credentials = botocore.credentials.RefreshableCredentials(
        ASIA, SECRET, TOKEN, EXPIRES_AT, fetcher.refresh_credentials, "login"
    )
    resolves = IdentityResolver(identity=None, account_id=None, groups={}, environ={})

    found = resolves.resolve(credential_facts(credentials), EMPTY_SCOPE)

    assert (found.arn, found.kind, found.expires_at) == (USER, PrincipalKind.USER, EXPIRES_AT)


# --- rotation ----------------------------------------------------------------------------------


def test_rotation_is_seen_on_the_next_call(
    aws: FakeAws, prepare: Callable[[Situation], None], tmp_path: Path
) -> None:
    """Another role, by the same provider's object: the next call is the new one's."""
    prepare(next(each for each in SITUATIONS if each.title == "ECS task, asked"))
    audit = tmp_path / "audit.jsonl"
    with dynaguard.install(POLICY, audit=audit, identity_lookup="sts") as guard:
        client = client_of({})
        client.list_tables()
        guard.rooms.resolver.settled(facts_of(client), EMPTY_SCOPE)
        client.list_tables()
        credentials = client._request_signer._credentials
        credentials._expiry_time = datetime.now(UTC) - timedelta(seconds=1)
        aws.caller_arn = SESSION.replace("etl", "other")
        client.list_tables()
        guard.rooms.resolver.settled(facts_of(client), EMPTY_SCOPE)
        client.list_tables()
    identities = [record["identity"] for record in records_of(audit)]

    assert [each["arn"] for each in identities] == [
        None,
        SESSION,
        None,
        SESSION.replace("etl", "other"),
    ]
    prints = [each["key_fingerprint"] for each in identities]
    assert prints[0] == prints[1] != prints[2] == prints[3]
    assert "etl" not in identities[2]["groups"]


def test_a_key_that_changes_while_a_call_is_signed_is_decided_about(
    aws: FakeAws, prepare: Callable[[Situation], None], tmp_path: Path
) -> None:
    """The new key's identity has to be allowed too; where it is not, nothing is sent."""
    prepare(next(each for each in SITUATIONS if each.title == "ECS task, asked"))
    deny = {
        "Sid": "NotOthers",
        "Effect": "Deny",
        "Principal": {"AWS": "arn:aws:sts::*:assumed-role/other/*"},
        "Action": "ssm:*",
        "Resource": "*",
    }
    document = {**POLICY, "govern": ["ssm"], "statement": [deny]}
    audit = tmp_path / "audit.jsonl"
    with dynaguard.install(document, audit=audit, identity_lookup="sts"):
        client = client_of({}, "ssm")
        credentials = client._request_signer._credentials
        client.describe_parameters()
        credentials._expiry_time = datetime.now(UTC) - timedelta(seconds=1)
        client.describe_parameters()
        credentials._expiry_time = datetime.now(UTC) - timedelta(seconds=1)
        aws.caller_arn = SESSION.replace("etl", "other")
        with pytest.raises(dynaguard.PolicyDenied, match="NotOthers"):
            client.describe_parameters()
    records = records_of(audit)
    prints = [record["identity"]["key_fingerprint"] for record in records]

    assert aws.asked.count("ssm:DescribeParameters") == 2
    assert [record["outcome"]["status"] for record in records] == ["ok", "ok", "denied"]
    assert prints == [
        hashlib.sha256(f"ASIA{number:016}".encode()).hexdigest()[:16] for number in (1, 2, 3)
    ]


def test_clients_with_credentials_of_their_own_are_told_apart(
    prepare: Callable[[Situation], None], tmp_path: Path
) -> None:
    """Turn by turn, in one process."""
    prepare(Situation("", Principal(), config=ASSUME))
    audit = tmp_path / "audit.jsonl"
    static = {"aws_access_key_id": AKIA, "aws_secret_access_key": SECRET}
    session = {**static, "aws_access_key_id": ASIA, "aws_session_token": TOKEN}
    with dynaguard.install(POLICY, audit=audit):
        clients = [client_of(options) for options in ({}, static, session)]
        for _ in range(3):
            for client in clients:
                client.list_tables()
    names = [record["identity"]["name"] for record in records_of(audit)]

    assert names == ["etl", "static-key", "temporary-key"] * 3


# --- no network on the hot path ----------------------------------------------------------------


def test_no_call_goes_to_the_network_for_an_identity(
    aws: FakeAws, prepare: Callable[[Situation], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The calling thread connects for its own calls alone, the look-up's thread for STS."""
    prepare(next(each for each in SITUATIONS if each.title == "user, asked"))
    connects: dict[int, int] = {}
    connect = socket.socket.connect

    def counted(self: socket.socket, address: Any) -> None:
        here = threading.get_ident()
        connects[here] = connects.get(here, 0) + 1
        connect(self, address)

    monkeypatch.setattr(socket.socket, "connect", counted)
    with dynaguard.install(POLICY, identity_lookup="iam") as guard:
        client = client_of({})
        for _ in range(20):
            client.list_tables()
        guard.rooms.resolver.settled(facts_of(client), EMPTY_SCOPE)
        for _ in range(20):
            client.list_tables()
    here = connects.pop(threading.get_ident())

    assert here == 1  # one kept-alive connection of the client's own
    assert sum(connects.values()) == 2
    assert aws.asked.count("dynamodb:ListTables") == 40
    assert sorted({*aws.asked} - {"dynamodb:ListTables"}) == [
        "iam:ListAccessKeys",
        "sts:GetCallerIdentity",
    ]
    assert aws.asked.count("sts:GetCallerIdentity") == 1


def test_a_call_that_is_refused_for_want_of_the_arn_waits_for_it(
    aws: FakeAws, prepare: Callable[[Situation], None]
) -> None:
    """The first call of a key is decided as every later one; others wait for nothing."""
    prepare(next(each for each in SITUATIONS if each.title == "user, asked"))
    allow = {
        "Effect": "Allow",
        "Principal": {"AWS": USER},
        "Action": "dynamodb:ListTables",
        "Resource": "*",
    }
    document = {**POLICY, "default": "deny", "statement": [allow]}

    with dynaguard.install(document, identity_lookup="sts") as guard:
        client_of({}).list_tables()
        assert guard.counters.denials == 0
    aws.caller_arn = ROOT
    with (
        dynaguard.install(document, identity_lookup="sts"),
        pytest.raises(dynaguard.PolicyDenied),
    ):
        client_of({}).list_tables()


def test_a_key_s_age_that_may_not_be_asked_for_stays_unknown(
    aws: FakeAws, prepare: Callable[[Situation], None]
) -> None:
    """The ARN is told all the same."""
    prepare(next(each for each in SITUATIONS if each.title == "user, asked"))
    aws.key_made_at = None

    with dynaguard.install(POLICY, identity_lookup="iam") as guard:
        client = client_of({})
        client.list_tables()
        guard.rooms.resolver.settled(facts_of(client), EMPTY_SCOPE)
        found = guard.rooms.resolver.resolve(facts_of(client), EMPTY_SCOPE)

    assert (found.arn, found.key_created_at) == (USER, None)


# --- memory ------------------------------------------------------------------------------------


def test_memory_is_bounded_under_ten_thousand_identities() -> None:
    """Entries of every memory by its bound; all of them together by eight megabytes."""
    resolves = IdentityResolver(
        identity=None,
        account_id=None,
        groups=POLICY["groups"],
        environ=GITHUB_ENV,
        lookup=lambda facts: lookup.Caller(f"{USER}-{facts.access_key_id}"),
        start=lambda work: work(),
    )
    tracemalloc.start()
    try:
        for n in range(10_000):
            facts = CredentialFacts(f"AKIA{n:016}", "env", has_session_token=False)
            found = resolves.resolve(facts, Scope(acting_name=f"bot-{n}", job=f"job-{n}"))
            assert found.arn == f"{USER}-{facts.access_key_id}"
        _, peak_bytes = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()

    assert len(resolves._entry_by_facts) <= resolver.MAX_REMEMBERED
    assert len(resolves._acting_by_key) <= resolver.MAX_REMEMBERED
    assert len(resolves._job_by_key_id) <= resolver.MAX_REMEMBERED
    assert resolves._lookup is not None
    assert len(resolves._lookup._answers) <= lookup.MAX_KEYS
    assert not resolves._lookup._waiting
    assert len(resolves.findings) <= findings.MAX_FINDINGS
    assert peak_bytes < 8 * 2**20


def test_status_shows_what_was_found(prepare: Callable[[Situation], None]) -> None:
    """For reviewers, in JSON too; never a key."""
    prepare(next(each for each in SITUATIONS if each.title == "user key in variables"))
    with dynaguard.install(POLICY):
        client = client_of({})
        with dynaguard.job("a"):
            client.list_tables()
        with dynaguard.job("b"):
            client.list_tables()
        found = json.dumps(dynaguard.status().as_dict())

    assert AKIA not in found
    assert [each["code"] for each in json.loads(found)["identity_findings"]] == [
        "key_in_several_jobs",
        "long_lived_key",
        "owner_missing",
    ]


def test_masks_that_name_identities_wait_for_the_answer(
    prepare: Callable[[Situation], None],
) -> None:
    """The first answer is masked for whom every later one is."""
    prepare(next(each for each in SITUATIONS if each.title == "user, asked"))
    mask = {"tables": ["*"], "attributes": ["email"], "unless": {"AWS": USER}}

    with dynaguard.install({**POLICY, "mask": [mask]}, identity_lookup="sts") as guard:
        client = client_of({})
        client.list_tables()
        plan = guard.rooms.masks.plan_for(  # type: ignore[union-attr]
            "dynamodb",
            "GetItem",
            ("orders",),
            guard.rooms.resolver.resolve(facts_of(client), EMPTY_SCOPE),
        )

    assert plan is None


def test_a_client_with_credentials_of_an_odd_kind_is_served() -> None:
    """An object that takes no weak reference: nobody is asked, and no call breaks."""

    class Odd:
        __slots__ = ("access_key", "method", "secret_key", "token")

    odd = Odd()
    odd.access_key, odd.secret_key, odd.token, odd.method = "AKIAODD", SECRET, None, "odd"

    assert facts_to_ask_for(odd).access_key_id == "AKIAODD"
    assert look_up_caller(facts_to_ask_for(odd), False) is None
