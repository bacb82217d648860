"""A situation set up around a process, and what its calls and records tell."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import botocore.config
import botocore.credentials
import botocore.session
import botocore.utils
import pytest

from dynaguard.audit.log import read_records
from dynaguard.call import CredentialFacts
from dynaguard.hooks.credentials import credential_facts
from tests.identity.fake_aws import TOKEN, FakeAws, fake_aws
from tests.identity.situation_parts import (
    BARE_ROLE,
    GITHUB_ENV,
    GITLAB_ENV,
    KEY_MADE_AT,
    ROLE,
    USER,
    Situation,
)

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
