"""What would allow a refused call: the nearest statement and the smallest new ones."""

from __future__ import annotations

import tomllib
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dynaguard.call import (
    UNKNOWN_ACCOUNT,
    UNKNOWN_PRINCIPAL,
    UNKNOWN_RUN,
    Authorization,
    ContextLookup,
    Principal,
    Verdict,
)
from dynaguard.policy.loading import load_policy
from dynaguard.policy.matcher import CompiledPolicy
from dynaguard.policy.suggestion import nearest_allow, smallest_statements, statement_toml
from dynaguard.policy.trace import trace
from tests.policy.iam_documents import document_of

NOW = datetime(2026, 11, 20, 12, 0, tzinfo=UTC)
TOMORROW = NOW + timedelta(days=1)
TABLE = "arn:aws:dynamodb:eu-west-1:111122223333:table/"
ANN = Principal(
    name="ann", arns=("arn:aws:iam::111122223333:user/ann",), arns_complete=True, kind="user"
)  # type: ignore[arg-type]


def at(moment: datetime) -> ContextLookup:
    """A context that knows the time and nothing else."""
    text = moment.strftime("%Y-%m-%dT%H:%M:%SZ")
    return lambda key: (text,) if key == "aws:currenttime" else ()


needs = st.builds(
    Authorization,
    action=st.sampled_from([f"dynamodb:{name}" for name in ("GetItem", "PutItem", "Scan")]),
    resource=st.sampled_from(
        [
            f"{TABLE}orders",
            f"{TABLE}customers/index/by_day",
            f"arn:aws:dynamodb:eu-west-1:{UNKNOWN_ACCOUNT}:table/orders",
            UNKNOWN_RUN,
            "*",
        ]
    ),
    member=st.just({}),
    enclosing_operation=st.none(),
    table_name=st.none(),
    index_name=st.none(),
    problem=st.none(),
)


@given(
    refused=st.lists(needs, min_size=1, max_size=5),
    principal=st.sampled_from([ANN, UNKNOWN_PRINCIPAL]),
)
def test_a_suggestion_allows_what_was_refused_until_it_expires(
    refused: list[Authorization], principal: Principal
) -> None:
    """Read back as a policy: each need is allowed today, and not the day after tomorrow."""
    statements = smallest_statements(refused, principal, expires=TOMORROW)
    text = "".join(map(statement_toml, statements))
    document = tomllib.loads(f'version = 1\ndefault = "deny"\ngovern = ["dynamodb"]\n{text}')
    policy = CompiledPolicy(load_policy(document, environ={}))

    for need in refused:
        assert policy.rule(need, principal, at(NOW)).verdict is Verdict.ALLOW
        later = policy.rule(need, principal, at(TOMORROW + timedelta(seconds=1)))
        assert later.verdict is Verdict.IMPLICIT_DENY


def test_a_suggestion_allows_no_more_than_was_refused() -> None:
    """Actions of one table are not allowed on another."""
    refused = [
        Authorization("dynamodb:PutItem", f"{TABLE}orders"),
        Authorization("dynamodb:DeleteItem", f"{TABLE}customers"),
        Authorization("dynamodb:PutItem", f"{TABLE}totals"),
    ]

    statements = smallest_statements(refused, ANN, expires=TOMORROW)

    assert [(each["Action"], each["Resource"]) for each in statements] == [
        (["dynamodb:DeleteItem"], [f"{TABLE}customers"]),
        (["dynamodb:PutItem"], [f"{TABLE}orders", f"{TABLE}totals"]),
    ]
    assert {each["Principal"]["AWS"] for each in statements} == {ANN.arns[0]}


def test_a_statement_is_written_as_toml() -> None:
    """One entry that can be pasted; names with a colon stand in quotes."""
    (statement,) = smallest_statements(
        [Authorization("dynamodb:GetItem", f"{TABLE}orders")], ANN, expires=TOMORROW
    )

    assert statement_toml(statement) == (
        "[[statement]]\n"
        'Sid = "Suggested1"\n'
        'Effect = "Allow"\n'
        'Principal = { AWS = "arn:aws:iam::111122223333:user/ann" }\n'
        'Action = ["dynamodb:GetItem"]\n'
        'Resource = ["arn:aws:dynamodb:eu-west-1:111122223333:table/orders"]\n'
        'Condition = { DateLessThan = { "aws:CurrentTime" = "2026-11-21T12:00:00Z" } }\n'
    )


GET = Authorization("dynamodb:GetItem", f"{TABLE}orders")


def allow(sid: str, action: str, resource: str, **more: Any) -> dict[str, Any]:
    """An Allow statement."""
    return {"Sid": sid, "Effect": "Allow", "Action": action, "Resource": resource, **more}


FAR = allow("Far", "dynamodb:PutItem", f"{TABLE}customers")
OTHER_TABLE = allow("OtherTable", "dynamodb:GetItem", f"{TABLE}customers")
OTHER_ACTION = allow(
    "OtherAction",
    "dynamodb:PutItem",
    f"{TABLE}orders",
    Condition={"StringEquals": {"aws:RequestedRegion": "us-east-1"}},
)
OTHER_REGION = allow(
    "OtherRegion",
    "dynamodb:*",
    "*",
    Condition={"StringEquals": {"aws:RequestedRegion": "us-east-1"}},
)
DENY = {"Sid": "Deny", "Effect": "Deny", "Action": "dynamodb:*", "Resource": "*"}


@pytest.mark.parametrize(
    ("statements", "nearest", "failing"),
    [
        ([], None, None),
        ([FAR], None, None),
        ([DENY], None, None),
        ([{**OTHER_TABLE, "Mode": "observe"}], None, None),
        ([FAR, OTHER_ACTION, OTHER_TABLE], "OtherTable", ("resource",)),
        (
            [OTHER_TABLE, OTHER_REGION],
            "OtherRegion",
            ("condition `StringEquals` on `aws:RequestedRegion`",),
        ),
        (
            [OTHER_ACTION, OTHER_REGION],
            "OtherRegion",
            ("condition `StringEquals` on `aws:RequestedRegion`",),
        ),
    ],
)
def test_the_nearest_statement_misses_by_the_fewest_parts(
    statements: list[dict[str, Any]], nearest: str | None, failing: tuple[str, ...] | None
) -> None:
    """A condition before a resource, the first of equals; one for something else is not near."""
    found = nearest_allow(trace(document_of(*statements), GET, ANN, at(NOW)))

    assert (found and found.statement.sid) == nearest
    assert (found and found.failing) == failing
