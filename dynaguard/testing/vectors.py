"""Reads decision vectors: JSONL, one call or one request with its policies a line.

The two forms are those of the project's own published vectors: `{"operation", "params",
"policies", "expected", ...}` and `{"request": {"principal", "action", "resource", "context"},
"policies", "expected"}`. What such a vector tells of a session is all that there is to know of it.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime
from pathlib import Path
from typing import Any, Final

from dynaguard.aws.analysis import service_prefix
from dynaguard.aws.dynamodb.schemas import schema_from
from dynaguard.call import Authorization, Call, CredentialFacts, Principal
from dynaguard.errors import PolicySyntaxError, Problem
from dynaguard.identity.resolver import IdentityResolver
from dynaguard.policy.collecting import hint
from dynaguard.policy.loading import load_policy
from dynaguard.policy.model import PolicyDocument
from dynaguard.scope import EMPTY_SCOPE
from dynaguard.testing.cases import EXPECTATIONS, Case, ExpectedAuthorization, as_values
from dynaguard.testing.entries import with_bytes

_COMMON: Final = ("id", "policies", "expected", "notes", "basis")
_CALL_KEYS: Final = (
    *_COMMON,
    *("service", "operation", "params", "region", "account", "identity_arn", "endpoint_url"),
    *("table_schemas", "session_context", "now", "expected_authorizations"),
)
_REQUEST_KEYS: Final = (*_COMMON, "request")
_EMPTY: Final = PolicyDocument("deny", None, ())
_NO_TAGS: Final[Mapping[str, tuple[str, ...]]] = {"aws:PrincipalTag/*": ()}


def read_vectors(path: Path) -> list[Case]:
    """The cases of a JSONL file.

    Raises:
        PolicySyntaxError: Every line that is not understood, with its number.
    """
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as err:
        reason = getattr(err, "strerror", None) or "not UTF-8"
        raise PolicySyntaxError([Problem(f"cannot be read ({reason})", "", str(path))]) from None
    cases, problems = [], []
    for number, line in enumerate(lines, start=1):
        if not line.strip():
            continue
        try:
            cases.append(_case(json.loads(line), f"{path}:{number}"))
        except (ValueError, TypeError, KeyError, AttributeError) as err:
            problems.append(Problem(_reason(err), "", str(path), number))
    if problems:
        raise PolicySyntaxError(problems)
    return cases


def _reason(err: Exception) -> str:
    """What is wrong with a line, by what its reading raised."""
    if isinstance(err, json.JSONDecodeError):
        return f"is no JSON: {err.msg}, column {err.colno}"
    if isinstance(err, KeyError):
        return f"`{err.args[0]}` is missing"
    return str(err) if isinstance(err, ValueError) else "a value is of another kind than expected"


def _case(vector: Any, place: str) -> Case:
    """One vector of either form."""
    if not isinstance(vector, Mapping):
        raise ValueError("is no JSON object")  # noqa: TRY004 - of the line, not of a caller
    known = _REQUEST_KEYS if "request" in vector else _CALL_KEYS
    for key in vector:
        near = hint(key, (*known, "request"))
        if key not in known and near:  # a key that is like none of them is somebody's remark
            raise ValueError(f"unknown key `{key}`{near}")
    if vector["expected"] not in EXPECTATIONS:
        expected = vector["expected"]
        raise ValueError(f"unknown expectation `{expected}`{hint(str(expected), EXPECTATIONS)}")
    name = str(vector.get("id", place))
    read = _request_case if "request" in vector else _call_case
    try:
        document = _together([load_policy(each, environ={}) for each in vector["policies"]])
    except PolicySyntaxError as err:
        refusal = "; ".join(f"{each.path}: {each.message}" for each in err.problems)
        return replace(read(vector, name, place, _EMPTY), refusal=refusal)
    return read(vector, name, place, document)


def _together(documents: list[PolicyDocument]) -> PolicyDocument:
    """Documents, all in force together: every service is governed, the first one's default.

    IAM's deny by default; approvals are required in dynaguard's own, with their groups.
    """
    statements = tuple(each for document in documents for each in document.statements)
    return replace(documents[0], govern=None, statements=statements)


def _request_case(
    vector: Mapping[str, Any], name: str, place: str, document: PolicyDocument
) -> Case:
    """An action on a resource in a context."""
    request = vector["request"]
    return Case(
        name=name,
        place=place,
        document=document,
        principal=Principal(arns=(request["principal"],), arns_complete=True),
        expect=vector["expected"],
        authorization=Authorization(request["action"], request["resource"]),
        context={key: as_values(value) for key, value in request.get("context", {}).items()},
    )


def _call_case(vector: Mapping[str, Any], name: str, place: str, document: PolicyDocument) -> Case:
    """A botocore call."""
    service = vector["service"]
    tables = vector.get("table_schemas") or {}
    schemas = {name: schema_from(table) for name, table in tables.items()}
    given = vector.get("session_context") or {}
    session = {key: as_values(value) for key, value in given.items()}
    resolver = IdentityResolver(
        identity=vector.get("identity_arn"),
        account_id=vector.get("account"),
        groups=document.groups,
        environ={},
    )
    call = Call(
        service=service,
        operation=vector["operation"],
        params=with_bytes(vector["params"]),
        region=vector["region"],
        partition="aws",
        endpoint_url=vector.get("endpoint_url")
        or f"https://{service}.{vector['region']}.amazonaws.com",
        credentials=CredentialFacts(),
        scope=EMPTY_SCOPE,
        correlation_id="vector",
        service_prefix=service_prefix(service),
    )
    now = vector.get("now")
    return Case(
        name=name,
        place=place,
        document=document,
        principal=resolver.resolve(call.credentials, call.scope),
        expect=vector["expected"],
        call=call,
        context={**_NO_TAGS, **session},
        tables={name: schema for name, schema in schemas.items() if schema is not None},
        now=None if now is None else datetime.fromisoformat(now),
        authorizations=tuple(map(_expected, vector.get("expected_authorizations") or ())),
    )


def _expected(entry: Mapping[str, Any]) -> ExpectedAuthorization:
    """A permission that the call must need."""
    return ExpectedAuthorization(
        entry["action"],
        entry["resource"],
        {key: as_values(value) for key, value in entry.get("context", {}).items()},
        tuple(entry.get("absent", ())),
    )
