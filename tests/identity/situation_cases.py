"""Ways in which a process gets its credentials, and who is said to call: data for the tests."""

from __future__ import annotations

import botocore.config
import botocore.credentials
import botocore.session
import botocore.utils
from botocore import UNSIGNED

from dynaguard.call import UNKNOWN_ACCOUNT, UNKNOWN_RUN, Principal, PrincipalKind
from tests.identity.fake_aws import ACCOUNT, SECRET, TOKEN, instant, web_token
from tests.identity.situation_parts import (
    AKIA,
    ANY_PATH,
    ASIA,
    ASSUME,
    BARE_ROLE,
    EC2_ENV,
    ECS_ENV,
    EXPIRES_AT,
    FUNCTION,
    GITHUB_CLAIMS,
    GITHUB_ENV,
    GITLAB_CLAIMS,
    GITLAB_ENV,
    IRSA_ENV,
    IRSA_FOLDER,
    KEY_SITUATIONS,
    LAMBDA_ENV,
    LOOK_UP,
    POD_CLAIMS,
    POD_ENV,
    PROCESS,
    ROLE,
    ROOT,
    SESSION,
    SESSION_ENV,
    SSO_PROFILE,
    SSO_ROLE,
    SSO_SESSION,
    STATIC_ENV,
    TOLD_ACCOUNT,
    WEB_ENV,
    Situation,
    key,
    process_prints,
    role,
    sso,
    told_role,
    workload,
)

SITUATIONS = [
    *KEY_SITUATIONS,
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
