"""What AWS's models mark sensitive is masked in any shape: lists, maps, streams, messages."""

from __future__ import annotations

import io
from typing import Any

import botocore.session
import pytest
from botocore.eventstream import EventStream
from botocore.response import StreamingBody

from dynaguard.hooks.sensitive import MaskedEvents, sensitive_model, stand_in
from dynaguard.masking import MARKER
from dynaguard.masking.cursors import CursorBinding
from dynaguard.masking.plans import MaskedRequest
from dynaguard.masking.secrets import Members, SecretsPlan
from dynaguard.masking.strategies import REDACT, REDACTED


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
