"""Secrets of other services: what AWS's models mark sensitive, for whom the policy says."""

from __future__ import annotations

import base64
import io
from typing import Any

import botocore.session
import pytest
from botocore.eventstream import EventStream
from botocore.exceptions import ClientError
from botocore.response import StreamingBody

import dynaguard
from dynaguard.hooks.sensitive import MaskedEvents, sensitive_model, stand_in
from dynaguard.masking import MARKER
from dynaguard.masking.cursors import CursorBinding
from dynaguard.masking.plans import MaskedRequest
from dynaguard.masking.secrets import Members, SecretsPlan
from dynaguard.masking.strategies import REDACT, REDACTED

SECRETS = {"services": ["*"], "except": ["kms"], "only": {"Group": "agents"}}


@pytest.fixture
def guarded(policy: Any) -> dict[str, Any]:
    """A policy that governs DynamoDB alone and hides the secrets of others from agents."""
    found: dict[str, Any] = policy(mask=[SECRETS])
    return found


def as_agent() -> Any:
    """The scope of an agent."""
    return dynaguard.acting_as("helper", groups=("agents",))


@pytest.mark.smoke
def test_parameters_and_secrets_are_masked(make_client: Any, wire: Any, guarded: Any) -> None:
    """Strings stay strings, everything that is not marked stays as it is."""
    ssm, secrets = make_client("ssm"), make_client("secretsmanager")
    dynaguard.install(guarded)
    wire.answer({"Parameters": [{"Name": "/db", "Type": "SecureString", "Value": "CANARY"}]})
    with as_agent():
        parameters = ssm.get_parameters(Names=["/db"], WithDecryption=True)["Parameters"]
    wire.answers.clear()
    wire.answer({"Name": "db", "SecretString": "CANARY", "SecretBinary": "Q0FOQVJZ"})
    with as_agent():
        secret = secrets.get_secret_value(SecretId="db")

    assert parameters == [{"Name": "/db", "Type": "SecureString", "Value": REDACTED}]
    assert secret["Name"] == "db"
    assert secret["SecretString"] == REDACTED
    assert secret["SecretBinary"] == REDACTED.encode()


def test_others_see_what_aws_sent(make_client: Any, wire: Any, guarded: Any) -> None:
    """Only the identities that the policy names, and not the services that it leaves out."""
    ssm, kms = make_client("ssm"), make_client("kms")
    dynaguard.install(guarded, identity="arn:aws:iam::111122223333:user/ops")
    wire.answer({"Parameter": {"Name": "/db", "Value": "plain"}})
    assert ssm.get_parameter(Name="/db")["Parameter"]["Value"] == "plain"
    wire.answers.clear()
    wire.answer({"KeyId": "k", "Plaintext": base64.b64encode(b"plain").decode()})

    with as_agent():
        assert kms.decrypt(CiphertextBlob=b"x")["Plaintext"] == b"plain"


def test_who_is_not_known_is_masked(make_client: Any, wire: Any, guarded: Any) -> None:
    """An identity of which not every name is known may be one that the policy means."""
    ssm = make_client("ssm")
    wire.answer({"Parameter": {"Name": "/db", "Value": "CANARY"}})
    dynaguard.install(guarded)

    assert ssm.get_parameter(Name="/db")["Parameter"]["Value"] == REDACTED


STS = """<AssumeRoleResponse xmlns="https://sts.amazonaws.com/doc/2011-06-15/"><AssumeRoleResult>
<Credentials><AccessKeyId>ASIAEXAMPLE</AccessKeyId><SecretAccessKey>CANARYKEY</SecretAccessKey>
<SessionToken>CANARYTOKEN</SessionToken><Expiration>2099-01-01T00:00:00Z</Expiration></Credentials>
<AssumedRoleUser><AssumedRoleId>A:b</AssumedRoleId>
<Arn>arn:aws:sts::111122223333:assumed-role/r/s</Arn></AssumedRoleUser>
</AssumeRoleResult></AssumeRoleResponse>"""


def test_credentials_that_code_asks_for_are_masked(
    make_client: Any, wire: Any, guarded: Any
) -> None:
    """The secret key and the session token, which AWS's model does not mark."""
    sts = make_client("sts")
    wire.answer(STS)
    dynaguard.install(guarded)

    with as_agent():
        found = sts.assume_role(
            RoleArn="arn:aws:iam::111122223333:role/r", RoleSessionName="session"
        )

    credentials = found["Credentials"]
    assert credentials["AccessKeyId"] == "ASIAEXAMPLE"
    assert credentials["SecretAccessKey"] == credentials["SessionToken"] == REDACTED
    assert credentials["Expiration"].year == 2099


@pytest.mark.parametrize("is_direct", [True, False])
def test_botocore_s_own_credential_providers_are_never_masked(
    make_client: Any, wire: Any, guarded: Any, is_direct: bool
) -> None:
    """Whether they fetch inside of a call or by `get_frozen_credentials()`."""
    from botocore.credentials import AssumeRoleCredentialFetcher, DeferredRefreshableCredentials

    def make_sts(*_: Any, **__: Any) -> Any:
        return make_client("sts")

    source = botocore.session.Session().get_credentials()
    fetcher = AssumeRoleCredentialFetcher(make_sts, source, "arn:aws:iam::111122223333:role/r")
    credentials = DeferredRefreshableCredentials(fetcher.fetch_credentials, "assume-role")
    client = make_client("ssm")
    client._request_signer._credentials = credentials
    wire.answer(STS)
    wire.answer({"Parameter": {"Value": "CANARY"}})
    dynaguard.install(guarded)

    with as_agent():
        if is_direct:
            frozen = credentials.get_frozen_credentials()
            assert frozen.secret_key == "CANARYKEY"
            assert frozen.token == "CANARYTOKEN"
        value = client.get_parameter(Name="/db")["Parameter"]["Value"]

    assert value == REDACTED
    assert credentials.get_frozen_credentials().token == "CANARYTOKEN"


def test_messages_do_not_repeat_secrets(make_client: Any, wire: Any, guarded: Any) -> None:
    """Neither what the request holds nor what looks like a secret (S4.28)."""
    ssm = make_client("ssm")
    wire.answer(
        {
            "__type": "ValidationException",
            "message": "Value 'CANARY' is not valid, db at ops:hunter2@db.example.org, "
            "key AKIAIOSFODNN7EXAMPLE",
        },
        400,
    )
    dynaguard.install(guarded)

    with as_agent(), pytest.raises(ClientError) as caught:
        ssm.put_parameter(Name="/db", Value="CANARY", Type="SecureString")

    shown = f"{caught.value} {caught.value.response}"
    assert "is not valid" in shown
    for hidden in ("CANARY", "hunter2", "AKIAIOSFODNN7EXAMPLE"):
        assert hidden not in shown


def test_a_masked_secret_is_not_written_back(make_client: Any, wire: Any, guarded: Any) -> None:
    """Copying a parameter would store the mask; the refusal names the parameter."""
    ssm = make_client("ssm")
    wire.answer({"Parameter": {"Value": "CANARY"}})
    dynaguard.install(guarded)
    with as_agent():
        value = ssm.get_parameter(Name="/db")["Parameter"]["Value"]

        with pytest.raises(dynaguard.MaskedWriteRefused, match="parameter `Value`"):
            ssm.put_parameter(Name="/copy", Value=value, Type="String")

    assert len(wire.sent) == 1


def test_masked_text_may_go_elsewhere(make_client: Any, wire: Any, guarded: Any) -> None:
    """A report of masked values in a message is no write-back."""
    sqs = make_client("sqs")
    dynaguard.install(guarded)

    with as_agent():
        sqs.send_message(QueueUrl="https://sqs/q", MessageBody=f"seen: {REDACTED}")

    assert len(wire.sent) == 1


def test_masks_of_secrets_are_counted_by_member(
    make_client: Any, wire: Any, guarded: Any, tmp_path: Any
) -> None:
    """In the audit record, without the value."""
    from dynaguard.audit.log import read_records

    ssm = make_client("ssm")
    wire.answer(
        {"Parameters": [{"Name": "a", "Value": "CANARY"}, {"Name": "b", "Value": "CANARY"}]}
    )
    dynaguard.install(guarded, audit=tmp_path / "audit.jsonl")

    with as_agent():
        ssm.get_parameters(Names=["a", "b"])

    (record,) = read_records(tmp_path / "audit.jsonl")
    assert record["outcome"]["masked"] == [
        {
            "table": None,
            "attribute": "Parameters[].Value",
            "strategy": "redact",
            "detector": None,
            "count": 2,
        }
    ]
    assert "CANARY" not in (tmp_path / "audit.jsonl").read_text()


# --- models and shapes --------------------------------------------------------------------------


def model(service: str, operation: str) -> Any:
    """The sensitive members of an operation."""
    loaded = botocore.session.get_session().get_service_model(service)
    return sensitive_model(loaded.operation_model(operation))


def sensitive_paths(shape: Any, path: str = "", seen: frozenset[str] = frozenset()) -> set[str]:
    """Naive: every path to a marked shape, each shape once on the way."""
    if shape is None or shape.name in seen:
        return set()
    if shape.metadata.get("sensitive"):
        return {path}
    seen |= {shape.name}
    kind = shape.type_name
    parts = shape.members.items() if kind == "structure" else []
    parts = [("[]", shape.member)] if kind == "list" else parts
    parts = [("{}", shape.value)] if kind == "map" else parts
    return {
        found for name, part in parts for found in sensitive_paths(part, f"{path}/{name}", seen)
    }


def is_covered(members: Members, path: str) -> bool:
    """Whether the members lead to that path."""
    for step in path.split("/")[1:]:
        found = members.each if step in {"[]", "{}"} else members.by_name.get(step)
        if found is None:
            return False
        members = found
    return members.is_sensitive


@pytest.mark.parametrize(
    "service",
    ["cognito-idp", "iam", "kms", "lambda", "rds", "secretsmanager", "ssm", "sso-oidc", "sts"],
)
def test_every_marked_member_of_every_operation_is_known(service: str) -> None:
    """Against a naive walk of the service's model."""
    loaded = botocore.session.get_session().get_service_model(service)
    for name in loaded.operation_names:
        operation = loaded.operation_model(name)
        found = sensitive_model(operation)
        for path in sensitive_paths(operation.output_shape):
            assert is_covered(found.answer, path), (name, path)
        for path in sensitive_paths(operation.input_shape):
            assert is_covered(found.request, path), (name, path)


def test_a_shape_that_contains_itself_is_followed_at_any_depth() -> None:
    """`wafv2` nests statements in statements; the mask follows as deep as the answer goes."""
    answer = Members(by_name={"name": Members(is_sensitive=True)})
    answer.by_name["inner"] = answer
    parsed: dict[str, Any] = {"name": "CANARY", "kept": "x"}
    for _ in range(20):
        parsed = {"name": "CANARY", "inner": parsed, "kept": "x"}

    apply(parsed, answer)

    assert "CANARY" not in repr(parsed)
    assert repr(parsed).count("'kept': 'x'") == 21


def apply(parsed: Any, answer: Members) -> Any:
    """Masks an answer by its members."""
    from dynaguard.masking.secrets import SensitiveModel

    request = MaskedRequest(
        {},
        lambda: CursorBinding("", "", "", "", "", "", ""),
        lambda: SensitiveModel(answer, Members(), stand_in),
    )
    return SecretsPlan(REDACT).apply(parsed, request)


def test_every_kind_of_sensitive_value_is_masked() -> None:
    """Numbers, dates, booleans, structures, maps and lists; nothing invented, None stays."""
    import datetime

    marked = Members(is_sensitive=True)
    names = ("text", "data", "number", "flag", "when", "none", "deep", "list", "body")
    parsed = {
        "text": "CANARY",
        "data": b"CANARY",
        "number": 4711,
        "flag": True,
        "when": datetime.datetime(2026, 1, 1, tzinfo=datetime.UTC),
        "none": None,
        "deep": {"a": "CANARY", "b": {"c": 4711}},
        "list": ["CANARY", b"CANARY"],
        "body": StreamingBody(io.BytesIO(b"CANARY"), 6),
        "kept": "plain",
    }

    apply(parsed, Members(by_name=dict.fromkeys(names, marked)))

    body: Any = parsed.pop("body")
    assert body.read() == REDACTED.encode()
    assert parsed == {
        "text": REDACTED,
        "data": REDACTED.encode(),
        "number": REDACTED,
        "flag": REDACTED,
        "when": REDACTED,
        "none": None,
        "deep": {"a": REDACTED, "b": {"c": REDACTED}},
        "list": [REDACTED, REDACTED.encode()],
        "kept": "plain",
    }


class _Events(EventStream):  # type: ignore[type-arg]
    """An event stream that has its events."""

    def __init__(self, events: list[Any]) -> None:
        self._events = events
        self.is_closed = False

    def __iter__(self) -> Any:
        yield from self._events

    def close(self) -> None:
        self.is_closed = True


def test_event_streams_are_masked_event_by_event() -> None:
    """As they come; closing closes the connection."""
    stream = _Events([{"chunk": {"bytes": b"CANARY", "id": 1}}, {"end": {"id": 2}}])
    chunk = Members(by_name={"bytes": Members(is_sensitive=True)})
    parsed: dict[str, Any] = {"body": stream}

    apply(parsed, Members(by_name={"body": Members(by_name={"chunk": chunk})}))

    assert isinstance(parsed["body"], MaskedEvents)
    events = list(parsed["body"])
    assert events == [{"chunk": {"bytes": REDACTED.encode(), "id": 1}}, {"end": {"id": 2}}]
    parsed["body"].close()
    assert stream.is_closed


def test_a_value_of_another_shape_than_the_model_s_is_withheld() -> None:
    """Where a structure should stand something else may hold the secret."""
    parsed: dict[str, Any] = {"Credentials": "CANARY", "List": "CANARY"}
    inner = Members(by_name={"SecretAccessKey": Members(is_sensitive=True)})

    apply(parsed, Members(by_name={"Credentials": inner, "List": Members(each=inner)}))

    assert parsed == {"Credentials": REDACTED, "List": REDACTED}
    assert REDACTED.startswith(MARKER)


def test_without_a_model_nothing_is_masked() -> None:
    """A request that never had an operation's model has no answer that is parsed by one."""
    parsed = {"SecretString": "x"}
    request = MaskedRequest({}, lambda: CursorBinding("", "", "", "", "", "", ""), None)

    assert SecretsPlan(REDACT).apply(parsed, request) == {}


def test_messages_lose_the_secrets_of_lists_and_maps(
    make_client: Any, wire: Any, guarded: Any
) -> None:
    """Of the request, as deep as they stand."""
    client = make_client("lambda")
    wire.answer(
        {
            "Type": "User",
            "message": "bad CANARY1 for CANARY2",
            "Environment": {"Error": {"Message": "CANARY3"}},
        },
        400,
    )
    dynaguard.install(guarded)

    with as_agent(), pytest.raises(ClientError) as caught:
        client.update_function_configuration(
            FunctionName="f", Environment={"Variables": {"A": "CANARY1", "B": "CANARY2"}}
        )

    assert "CANARY" not in f"{caught.value} {caught.value.response['Error']}"


def test_values_of_a_map_and_members_that_are_not_there_keep_the_shape() -> None:
    """The names of a map's entries are the caller's own, and are not told in counts."""
    marked = Members(is_sensitive=True)
    entry = Members(by_name=dict.fromkeys(("secret", "gone"), marked))
    parsed: dict[str, Any] = {
        "map": {"ada": {"secret": "CANARY"}},
        "list": [{"secret": None}],
        "whole": {"none": None},
        "empty": "",
    }
    answer = Members(
        by_name={
            "map": Members(each=entry),
            "list": Members(each=entry),
            "whole": marked,
            "empty": Members(),
        }
    )

    counts = apply(parsed, answer)

    assert parsed == {
        "map": {"ada": {"secret": REDACTED}},
        "list": [{"secret": None}],
        "whole": {"none": None},
        "empty": "",
    }
    assert counts == {None: {("map{}.secret", "redact", None): 1}}


def test_a_message_loses_what_the_answer_had_masked() -> None:
    """An error answer may carry the secret beside the text."""
    parsed: dict[str, Any] = {
        "Error": {"Code": "X", "Message": "no CANARY, no CANARYREQUEST"},
        "Detail": "CANARY",
    }
    from dynaguard.masking.secrets import SensitiveModel

    marked = Members(is_sensitive=True)
    model = SensitiveModel(
        Members(by_name={"Detail": marked}),
        Members(by_name={"List": Members(each=marked), "Odd": Members(each=marked)}),
        stand_in,
    )
    request = MaskedRequest(
        {"List": ["CANARYREQUEST"], "Odd": 5},
        lambda: CursorBinding("", "", "", "", "", "", ""),
        lambda: model,
    )

    SecretsPlan(REDACT).apply(parsed, request)

    assert "CANARY" not in repr(parsed)
