"""The published calls are decided as expected, from parameters to verdict."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from dynaguard.aws.analysis import authorizations
from dynaguard.aws.context import ContextSource
from dynaguard.aws.dynamodb.schemas import KeySchemas, schema_from
from dynaguard.call import NO_CREDENTIALS, Authorization, Call, Decision, Principal
from dynaguard.identity.resolver import IdentityResolver
from dynaguard.policy.decision import decide
from dynaguard.policy.matcher import CompiledPolicy
from dynaguard.scope import EMPTY_SCOPE
from tests.policy.iam_documents import document_of

VECTORS = [
    json.loads(line)
    for name in ("dynamodb-calls.jsonl", "own-calls.jsonl")
    for line in (Path(__file__).parent.parent / "vectors" / name)
    .read_text(encoding="utf-8")
    .splitlines()
]
all_vectors = pytest.mark.parametrize("vector", VECTORS, ids=[each["id"] for each in VECTORS])
SETS = {"dynamodb:Attributes", "dynamodb:LeadingKeys"}


def asked(vector: dict[str, Any]) -> tuple[Call, Principal, ContextSource]:
    """The call of a vector, who makes it, and where its condition keys get their values."""
    call = Call(
        service=vector["service"],
        operation=vector["operation"],
        params=vector["params"],
        region=vector["region"],
        partition="aws",
        endpoint_url=vector.get("endpoint_url", "https://dynamodb.amazonaws.com"),
        credentials=NO_CREDENTIALS,
        scope=EMPTY_SCOPE,
        correlation_id="c",
        service_prefix="dynamodb",
    )
    resolver = IdentityResolver(
        identity=vector["identity_arn"], account_id=vector["account"], groups={}, environ={}
    )
    schemas = {name: schema_from(table) for name, table in vector["table_schemas"].items()}
    context = ContextSource(
        # What the configuration gives is all that there is about the session.
        known={"aws:PrincipalTag/*": (), **listed(vector["session_context"])},
        environment=None,
        schemas=KeySchemas({name: schema for name, schema in schemas.items() if schema}),
        utcnow=lambda: datetime.fromisoformat(vector.get("now", "2026-11-20T12:00:00+00:00")),
    )
    return call, resolver.resolve(call.credentials, call.scope), context


def listed(context: dict[str, Any]) -> dict[str, tuple[str, ...]]:
    """Values as texts."""
    return {
        key: tuple(map(str, value)) if isinstance(value, list) else (str(value),)
        for key, value in context.items()
    }


def needs_of(vector: dict[str, Any]) -> tuple[Authorization, ...]:
    """What the call of a vector needs."""
    return authorizations(asked(vector)[0], vector["account"])


def decided(vector: dict[str, Any]) -> Decision:
    """The decision about a vector."""
    call, principal, context = asked(vector)
    return decide(
        CompiledPolicy(document_of(*vector["policies"])),
        call,
        principal,
        needs_of(vector),
        lambda need, who: context.lookup_for(call, who, need),
    )


@all_vectors
def test_a_call_is_decided_as_published(vector: dict[str, Any]) -> None:
    """As IAM would, or more strictly where the vector only asks for that."""
    verdict = decided(vector).verdict

    if vector["expected"] == "fail_closed":
        assert not verdict.is_allowed
    else:
        assert verdict == vector["expected"]


@all_vectors
def test_condition_keys_have_the_published_values(vector: dict[str, Any]) -> None:
    """For each expected authorisation, some need of the call has the keys as published."""
    call, principal, context = asked(vector)
    for expected in vector["expected_authorizations"]:
        found = []
        for need in needs_of(vector):
            if (need.action, need.resource) == (expected["action"], expected["resource"]):
                lookup = context.lookup_for(call, principal, need)
                keys = [*expected["context"], *expected["absent"]]
                found.append({key: comparable(key, lookup(key.lower())) for key in keys})

        wanted = {
            key: comparable(key, value)
            for key, value in [
                *listed(expected["context"]).items(),
                *((key, ()) for key in expected["absent"]),
            ]
        }
        assert wanted in found


def comparable(key: str, value: Any) -> Any:
    """Values as the vectors compare them: some as sets."""
    return frozenset(value) if key in SETS and isinstance(value, tuple) else value


def test_the_clock_of_a_vector_is_read() -> None:
    """A guard against a harness that forgets it."""
    _, _, context = asked({**VECTORS[0], "now": "2030-01-01T00:00:00+00:00"})

    assert context.utcnow() == datetime(2030, 1, 1, tzinfo=UTC)
