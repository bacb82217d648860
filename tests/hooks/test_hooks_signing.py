"""Guarded requests are signed as AWS expects, whatever is not computed twice."""

from __future__ import annotations

import io
import re
from typing import Any

import pytest
from botocore import auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials

import dynaguard
from dynaguard.hooks.frames import LEFT_ALONE, Frame, current_frame
from dynaguard.hooks.patching import Patch
from dynaguard.hooks.points import (
    HOST_POINT,
    PAYLOAD_POINT,
    SIGNED_HEADERS_POINT,
    SIGNING_KEY_POINT,
)
from dynaguard.hooks.signing import (
    MAX_HOSTS,
    MAX_KEYS,
    headers_to_sign,
    host_from_url,
    payload,
    sign,
)

KEY = {"pk": {"S": "1"}}
_AUTHORIZATION = re.compile(
    r"AWS4-HMAC-SHA256 Credential=[^/]+/\d{8}/(?P<region>[^/]+)/(?P<service>[^/]+)/aws4_request, "
    r"SignedHeaders=(?P<headers>[^,]+), Signature=(?P<signature>[0-9a-f]{64})"
)


@pytest.fixture
def credentials(monkeypatch: pytest.MonkeyPatch) -> Credentials:
    """What the clients of this test sign with."""
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "AKIAIOSFODNN7EXAMPLE")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "not-a-secret")
    monkeypatch.setenv("AWS_SESSION_TOKEN", "token")
    return Credentials("AKIAIOSFODNN7EXAMPLE", "not-a-secret", "token")


def signature_of(
    wire: Any, credentials: Credentials, index: int = -1, signer_type: Any = auth.SigV4Auth
) -> tuple[str, str]:
    """The signature that a request bears, and the one that it should: from what was sent."""
    sent, headers = wire.sent[index], wire.headers(index)
    found = _AUTHORIZATION.fullmatch(headers["authorization"])
    assert found is not None
    signed = {name: headers.get(name) for name in found["headers"].split(";")}
    request = AWSRequest(sent.method, sent.url, {k: v for k, v in signed.items() if v}, sent.body)
    request.context["timestamp"] = headers["x-amz-date"]
    signer = signer_type(credentials, found["service"], found["region"])
    canonical = signer.canonical_request(request)
    assert signer.signed_headers(signer.headers_to_sign(request)) == found["headers"]
    return found["signature"], signer.signature(signer.string_to_sign(request, canonical), request)


@pytest.mark.smoke
def test_each_attempt_is_signed_as_aws_will_check_it(
    credentials: Credentials, make_client: Any, wire: Any
) -> None:
    """With the stamp's header, and anew for every attempt."""
    client = make_client()
    wire.throttle()
    wire.answer({})
    dynaguard.install()

    client.get_item(TableName="orders", Key=KEY)

    for index in range(2):
        found, expected = signature_of(wire, credentials, index)
        assert found == expected
        assert "x-dynaguard-correlation-id" in wire.headers(index)["authorization"]


@pytest.mark.smoke
def test_headers_of_other_handlers_are_signed_too(
    credentials: Credentials, make_client: Any, wire: Any
) -> None:
    """A header that a handler of the application sets before signing."""
    client = make_client()
    client.meta.events.register(
        "before-sign.dynamodb", lambda request, **_: request.headers.add_header("X-Mine", "1")
    )
    dynaguard.install()

    client.get_item(TableName="orders", Key=KEY)

    found, expected = signature_of(wire, credentials)
    assert found == expected
    assert "x-mine" in wire.headers()["authorization"]


URLS = [
    "https://dynamodb.eu-west-1.amazonaws.com/",
    "http://localhost:8000/",
    "http://localhost:80/",
    "https://[2001:db8::1]:4566/",
    "https://User@Host.Example/Path?a=b",
]


@pytest.mark.smoke
@pytest.mark.parametrize("url", URLS)
def test_the_host_of_a_url_is_botocores(url: str) -> None:
    """The first time, and when it is kept; after uninstalling it is computed again."""
    bare = auth._host_from_url(url)
    patch = Patch(auth, HOST_POINT.name, host_from_url)
    patch.apply()

    kept = [auth._host_from_url(url) for _ in range(2)]
    patch.remove()

    assert kept == [bare, bare]
    assert auth._host_from_url.__name__ == "_host_from_url"
    assert not hasattr(auth._host_from_url, "__wrapped__")


def test_hosts_are_computed_once_and_few_are_kept() -> None:
    """Many URLs, as S3 has them, push the oldest out."""
    asked: list[str] = []

    def original(url: str) -> str:
        asked.append(url)
        return "host"

    patch = Patch(auth, HOST_POINT.name, host_from_url)
    patch.is_active = True
    host_of = host_from_url(original, patch)
    urls = [f"https://host/{number}" for number in range(MAX_HOSTS + 1)]

    for url in (*urls, urls[-1], urls[0]):
        host_of(url)

    assert asked == [*urls, urls[0]]


class Selecting:
    """`headers_to_sign` within a frame, and how often botocore's own was asked."""

    def __init__(self) -> None:
        self.count = 0
        patch = Patch(auth.SigV4Auth, SIGNED_HEADERS_POINT.name, headers_to_sign)
        patch.is_active = True
        self.select = headers_to_sign(self._original, patch)

    def _original(self, signer: Any, request: Any) -> Any:
        self.count += 1
        return auth.SigV4Auth.headers_to_sign(signer, request)


@pytest.fixture
def selecting(in_call: None) -> Selecting:
    """Selects headers as within a guarded call."""
    return Selecting()


def request_of(url: str = URLS[0]) -> AWSRequest:
    """A request about to be signed."""
    return AWSRequest("POST", url, {"X-Amz-Target": "T", "User-Agent": "no"}, b"{}")


def test_headers_are_selected_once_while_nothing_changes(
    credentials: Credentials, selecting: Any
) -> None:
    """Signing asks for them twice."""
    signer, request = auth.SigV4Auth(credentials, "dynamodb", "eu-west-1"), request_of()

    first, second = selecting.select(signer, request), selecting.select(signer, request)

    assert selecting.count == 1
    assert second.items() == first.items() == signer.headers_to_sign(request).items()


@pytest.mark.parametrize("change", ["value", "name", "url", "signer"])
def test_headers_are_selected_anew_after_a_change(
    credentials: Credentials, selecting: Any, change: str
) -> None:
    """Whatever of the request changed, or if somebody else signs."""
    signer, request = auth.SigV4Auth(credentials, "dynamodb", "eu-west-1"), request_of()
    selecting.select(signer, request)
    if change == "value":
        request.headers.replace_header("X-Amz-Target", "U")
    elif change == "name":
        request.headers["X-More"] = "1"
    elif change == "url":
        request.url = URLS[1]
    else:
        signer = auth.SigV4Auth(credentials, "s3", "eu-west-1")

    selected = selecting.select(signer, request)

    assert selecting.count == 2
    assert selected.items() == signer.headers_to_sign(request).items()


class Deriving:
    """`_sign` within a frame, and what botocore's own was asked."""

    def __init__(self) -> None:
        self.asked: list[tuple[bytes, str]] = []
        patch = Patch(auth.SigV4Auth, SIGNING_KEY_POINT.name, sign)
        patch.is_active = True
        self.sign = sign(self._original, patch)

    def _original(self, signer: Any, key: bytes, msg: str, hex: bool = False) -> Any:  # noqa: A002 - botocore's name
        self.asked.append((key, msg))
        return auth.SigV4Auth._sign(signer, key, msg, hex=hex)


@pytest.fixture
def in_call() -> Any:
    """Within a guarded call."""
    token = current_frame.set(Frame(object(), 0.0))
    yield
    current_frame.reset(token)


@pytest.fixture
def deriving(in_call: None) -> Deriving:
    """Derives keys as within a guarded call."""
    return Deriving()


def test_a_step_of_a_signing_key_is_derived_once(credentials: Credentials, deriving: Any) -> None:
    """For the same key and text, whoever signs; another key or text is another step."""
    signer = auth.SigV4Auth(credentials, "dynamodb", "eu-west-1")
    steps = [(b"one", "20260101"), (b"one", "20260102"), (b"two", "20260101")]

    found = [deriving.sign(signer, *step) for step in [*steps, *steps]]

    assert deriving.asked == steps
    assert found == [signer._sign(*step) for step in [*steps, *steps]]


def test_a_signature_is_never_kept(credentials: Credentials, deriving: Any) -> None:
    """It is asked for in hexadecimal."""
    signer = auth.SigV4Auth(credentials, "dynamodb", "eu-west-1")

    found = [deriving.sign(signer, b"key", "text", hex=True) for _ in range(2)]

    assert len(deriving.asked) == 2
    assert found == [signer._sign(b"key", "text", hex=True)] * 2


def test_keys_of_calls_that_are_left_alone_are_not_kept(
    credentials: Credentials, deriving: Any
) -> None:
    """A secret that dynaguard has nothing to do with stays where it is."""
    signer = auth.SigV4Auth(credentials, "dynamodb", "eu-west-1")
    token = current_frame.set(LEFT_ALONE)
    for _ in range(2):
        deriving.sign(signer, b"key", "text")
    current_frame.reset(token)

    assert len(deriving.asked) == 2


def test_few_signing_keys_are_kept(credentials: Credentials, deriving: Any) -> None:
    """A process that signs for many identities forgets them all, and begins again."""
    signer = auth.SigV4Auth(credentials, "dynamodb", "eu-west-1")
    for number in range(MAX_KEYS + 1):
        deriving.sign(signer, b"%d" % number, "text")
    deriving.asked.clear()

    deriving.sign(signer, b"%d" % MAX_KEYS, "text")
    deriving.sign(signer, b"0", "text")

    assert deriving.asked == [(b"0", "text")]


@pytest.mark.smoke
def test_rotated_credentials_sign_with_their_own_key(
    credentials: Credentials, make_client: Any, wire: Any
) -> None:
    """Even where the access key's id stays."""
    client = make_client()
    dynaguard.install()
    client.get_item(TableName="orders", Key=KEY)
    client._request_signer._credentials.secret_key = "another"
    credentials.secret_key = "another"

    client.get_item(TableName="orders", Key=KEY)

    found, expected = signature_of(wire, credentials)
    assert found == expected


BODIES = [b"{}", b"", "text", {"a": ["1", "2"]}, io.BytesIO(b"file"), None]


@pytest.mark.smoke
@pytest.mark.parametrize("data", BODIES, ids=lambda data: type(data).__name__)
@pytest.mark.parametrize("is_signed", [True, False])
def test_the_digest_of_a_body_is_botocores(
    credentials: Credentials, in_call: None, data: Any, is_signed: bool
) -> None:
    """Whatever the body is, and where it is left out of the signature."""
    patch = Patch(auth.SigV4Auth, PAYLOAD_POINT.name, payload)
    patch.is_active = True
    digest = payload(auth.SigV4Auth.payload, patch)
    for kind in (auth.SigV4Auth, auth.S3SigV4Auth):
        request = AWSRequest("POST", URLS[0], {}, data)
        request.context["payload_signing_enabled"] = is_signed
        signer = kind(credentials, "dynamodb", "eu-west-1")

        assert digest(signer, request) == signer.payload(request)


@pytest.mark.smoke
def test_bytes_are_signed_without_preparing_the_request(
    credentials: Credentials, in_call: None
) -> None:
    """What signing is about to change would have to be prepared again anyway."""
    prepared: list[AWSRequest] = []

    class Request(AWSRequest):
        """Notes when it is prepared."""

        def prepare(self) -> Any:
            prepared.append(self)
            return super().prepare()

    patch = Patch(auth.SigV4Auth, PAYLOAD_POINT.name, payload)
    patch.is_active = True
    digest = payload(auth.SigV4Auth.payload, patch)
    signer = auth.SigV4Auth(credentials, "dynamodb", "eu-west-1")

    digest(signer, Request("POST", URLS[0], {}, b"{}"))

    assert not prepared


@pytest.mark.smoke
@pytest.mark.parametrize("body", [b"bytes", io.BytesIO(b"file")], ids=["bytes", "file"])
def test_requests_of_other_services_are_signed_as_aws_will_check_them(
    credentials: Credentials, make_client: Any, wire: Any, body: Any
) -> None:
    """S3 has a signer of its own, and bodies that are files."""
    client = make_client("s3")
    wire.answer("")
    dynaguard.install()

    client.put_object(Bucket="reports", Key="a b/c", Body=body)

    found, expected = signature_of(wire, credentials, signer_type=auth.S3SigV4Auth)
    assert found == expected
