"""Near misses: documents that a lint rule looks at and does not find; data for the tests.

A case is as in `lint_cases`.
"""

from __future__ import annotations

from typing import Any, Final

from tests.policy.lint_statements import (
    ANN,
    ATTRIBUTES,
    BATCH,
    FULL,
    IN_PROD,
    INDEX,
    LEADING,
    MANAGED,
    OBSERVED,
    OTHER,
    PIN,
    RETURN,
    SELECT,
    TABLE,
    TABLES,
    TWO,
    allow,
    asks,
    deny,
    document,
    listing,
    when,
)

NOT_FOUND: Final[dict[str, list[Any]]] = {
    "DG101": [
        [allow("GetItem"), deny("GetItem", OTHER)],
        [allow("GetItem"), deny("GetItem", **IN_PROD)],
        [allow("GetItem"), deny("GetItem", **BATCH)],
        [allow("GetItem"), deny("GetItem", **OBSERVED)],
        [allow("GetItem", **OBSERVED), deny("GetItem")],
        [allow("GetItem", f"{TABLE}*"), deny("GetItem")],
        [allow("Query Scan"), deny("Scan", "*")],
    ],
    "DG102": [
        [allow("dynamodb:*"), deny("Scan", "*")],
        [allow("GetItem"), deny("*", "*")],
        [
            {"Effect": "Allow", "NotAction": ["dynamodb:A", "dynamodb:B"], "Resource": TABLE},
            deny("dynamodb:*"),
        ],
    ],
    "DG103": [
        [allow("GetItem"), allow("GetItem", OTHER)],
        [allow("GetItem"), allow("Query")],
        [allow("GetItem"), allow("GetItem Query", **IN_PROD)],
        [allow("GetItem"), allow("GetItem Query", **OBSERVED)],
        [deny("GetItem"), allow("Scan")],
    ],
    "DG104": [
        [deny("sqs:SendMessage", "*")],
        document(deny("*", "*"), govern=["dynamodb"]),
        document(deny("s3express:CreateSession", "*"), govern=["s3"]),
        document(
            {"Effect": "Deny", "NotAction": "sqs:SendMessage", "Resource": "*"},
            govern=["dynamodb"],
        ),
    ],
    "DG105": [
        [allow("GetItem")],
        document(deny("GetItem"), default="allow"),
        document(allow("GetItem", **OBSERVED), default="allow"),
    ],
    "DG106": [
        {"budget": [{"job": "nightly-*"}, {}]},
        {"budget": [{"job": "a"}, {"job": "b"}]},
        {"budget": [{"job": "a", "tables": "x"}, {"job": "a"}]},
    ],
    "DG107": [
        document(allow("GetItem", **BATCH), groups={"batch": "arn:aws:iam::*:role/etl"}),
        [allow("GetItem", Principal="arn:aws:iam::*:role/etl")],
    ],
    "DG108": [
        document(asks("DeleteItem PutItem"), deny("DeleteItem"), **MANAGED),
        document(asks("DeleteItem"), deny("DeleteItem", **OBSERVED), **MANAGED),
    ],
    "DG109": [
        document(allow("DeleteItem PutItem"), asks("DeleteItem"), **MANAGED),
        document(allow("DeleteItem"), asks("DeleteItem", **IN_PROD), **MANAGED),
        document(allow("DeleteItem"), asks("DeleteItem", **OBSERVED), **MANAGED),
    ],
    "DG201": [
        [allow("Query GetItem", **listing(LEADING))],
        [allow("Scan", **listing(LEADING, Null={LEADING: False}))],
        [allow("Query Scan", **listing(LEADING)), deny("Scan", "*")],
        [allow("PartiQLSelect", **listing(LEADING, Bool={"dynamodb:FullTableScan": False}))],
        [allow("PartiQLSelect", **listing(LEADING)), deny("PartiQLSelect", **FULL)],
        [allow("Scan", **listing(LEADING)), deny("Scan", **when("Null", LEADING, True))],
        [allow("Scan", **when("ForAnyValue:StringEquals", LEADING, "a"))],
        [deny("Scan", **listing(LEADING))],
    ],
    "DG202": [
        [allow("GetItem", **listing(ATTRIBUTES, **SELECT))],
        [allow("PutItem", **listing(ATTRIBUTES))],
        [
            allow("Query", **listing(ATTRIBUTES)),
            deny("Query", "*", **when("StringNotEquals", "dynamodb:Select", "COUNT")),
        ],
    ],
    "DG203": [
        [allow("UpdateItem", **listing(ATTRIBUTES, **RETURN))],
        [allow("GetItem", **listing(ATTRIBUTES))],
    ],
    "DG204": [
        [allow("GetItem Query"), deny("Scan", "*")],
        [allow("PartiQLSelect"), deny("Scan PartiQLSelect")],
        [allow("PartiQLSelect", OTHER), deny("Scan")],
        [allow("PartiQLSelect", **OBSERVED), deny("Scan")],
        [allow("PartiQLSelect"), deny("Scan"), deny("PartiQLSelect", **FULL)],
        [allow("PartiQLSelect", **when("Bool", "dynamodb:FullTableScan", False)), deny("Scan")],
        [allow("BatchWriteItem", **BATCH), deny("DeleteItem", Principal={"Group": "leads"})],
        [allow("BatchWriteItem"), deny("DeleteItem"), deny("BatchWriteItem", "*")],
        [allow("dynamodb:*"), deny("dynamodb:*", **IN_PROD)],
        document(deny("Scan"), default="allow", govern=["ssm"]),
    ],
    "DG205": [
        [allow("PartiQLSelect"), deny("Scan PartiQLSelect", "*", **FULL)],
        [allow("dynamodb:*"), deny("PartiQLSelect", "*", **FULL)],
        [
            allow("dynamodb:*"),
            deny("Scan", "*", **when("BoolIfExists", "dynamodb:FullTableScan", True)),
        ],
        [allow("dynamodb:*"), deny("Scan", "*", **when("Bool", "dynamodb:FullTableScan", False))],
        [allow("dynamodb:*"), deny("dynamodb:*", "*", **FULL), deny("Scan", "*")],
        [allow("dynamodb:*"), deny("Scan", "*", **IN_PROD)],
    ],
    "DG206": [
        [allow("Scan", f"{TABLE}*"), deny("Scan", [TABLE, INDEX])],
        [allow("Scan", f"{TABLE}*"), deny("Scan", f"{TABLE}*")],
        [allow("Scan"), deny("Scan")],
        [allow("GetItem", "*"), deny("GetItem")],
        [allow("Scan", f"{TABLE}*"), deny("Scan"), deny("Scan", INDEX)],
        [
            allow("Scan", f"{TABLE}*"),
            deny("Scan"),
            deny("*", "arn:aws:dynamodb:*:*:table/*/index/*"),
        ],
        [allow("Scan", "*"), deny("Scan"), deny("Scan", INDEX, **BATCH), deny("Scan", INDEX)],
        [allow("Scan", "*", **BATCH), deny("Scan"), deny("Scan", INDEX, **BATCH)],
        [allow("Scan", "*"), {"Effect": "Deny", "Action": "dynamodb:Scan", "NotResource": TABLE}],
    ],
    "DG207": [
        [allow("Query")],
        document(allow("Query", [TABLE, INDEX]), tables=TABLES),
        document(allow("Query"), allow("Query", f"{TABLE}/index/by_day"), tables=TABLES),
        document(allow("Query", f"{TABLE}*"), tables=TABLES),
        document(allow("GetItem Scan"), tables=TABLES),
        document(allow("Query"), tables={"orders": {"key": ["pk"]}}),
        document(allow("Query", OTHER), tables=TABLES),
        document(
            {"Effect": "Allow", "Action": "dynamodb:Query", "NotResource": TABLE}, tables=TABLES
        ),
    ],
    "DG301": [[allow("ConditionCheckItem PutItem")], [allow("ssm:TransactWriteItems", "*")]],
    "DG302": [
        [allow("getitem dynamodb:Get* dynamodb:?can *")],
        [allow("ssm:GetParametr", "*")],
        [allow("TransactWriteItems")],
    ],
    "DG401": [
        [allow("ListTables DescribeLimits", "*")],
        [deny("GetItem", "*")],
        [allow("GetItem", "arn:aws:dynamodb:*:*:table/*")],
        [allow("ssm:GetParameter", "*")],
        [allow("dynamodb:List*", "*")],
        [allow("GetItem", "*", **when("StringEquals", "dynaguard:TableName", "orders"))],
        [{"Effect": "Allow", "Action": "dynamodb:GetItem", "NotResource": "*"}],
        [allow("GetItem", "*"), deny("dynamodb:*", "*")],
        document(allow("GetItem", "*"), default="allow"),
    ],
    "DG402": [
        [allow("dynamodb:*Item")],
        [deny("dynamodb:*")],
        [{"Effect": "Allow", "NotAction": "dynamodb:*", "Resource": TABLE}],
        [allow("dynamodb:*", **OBSERVED)],
    ],
    "DG403": [
        [{"Effect": "Deny", "NotAction": "dynamodb:Scan", "Resource": TABLE}],
        [deny("Scan", NotPrincipal="arn:aws:iam::*:role/etl")],
    ],
    "DG501": [
        [allow("GetItem", **when("DateLessThan", "aws:CurrentTime", "2026-11-22"))],
        [allow("GetItem", **when("DateLessThan", "aws:CurrentTime", "2020", "2030"))],
        [allow("GetItem", **when("DateGreaterThan", "aws:CurrentTime", "2020"))],
        [allow("GetItem", **when("DateLessThan", "aws:TokenIssueTime", "2020"))],
        [allow("GetItem", **when("DateLessThan", "aws:CurrentTime", "${aws:EpochTime}"))],
        [allow("GetItem", **when("StringEquals", "aws:CurrentTime", "2020"))],
        [allow("GetItem", **when("ForAllValues:DateLessThan", "aws:CurrentTime", "2020"))],
    ],
    "DG502": [
        [allow("GetItem", Sid="ReadTemporal")],
        [allow("GetItem", Sid="Hotfixes")],
        [allow("GetItem", Sid="Hotfix", **when("DateLessThan", "aws:CurrentTime", "2030"))],
        [allow("GetItem", Sid="Hotfix", **when("NumericLessThan", "aws:EpochTime", 2**31))],
    ],
    "DG601": [
        document(asks("DeleteItem", **TWO), **MANAGED),
        document(asks("DeleteItem", NotPrincipal={"AWS": ANN}, **TWO), **MANAGED),
        document(asks("DeleteItem", Principal={"Group": ["managers", "roles"]}, **TWO), **MANAGED),
        document(asks("DeleteItem", Approval={"any_of": "roles", "quorum": 9}), **MANAGED),
        document(asks("DeleteItem", Approval={"all_of": ["roles", "managers"]}), **MANAGED),
        {"runbooks": {"a": PIN}},
    ],
    "DG602": [
        document(asks("DeleteItem"), **MANAGED),
        document(asks("DeleteItem", Approval={"all_of": "managers"}), **MANAGED),
    ],
    "DG603": [
        document(allow("Scan", [TABLE, INDEX]), asks("Scan", [TABLE, INDEX]), **MANAGED),
        document(allow("Scan", [TABLE, INDEX]), asks("Scan", f"{TABLE}*"), **MANAGED),
        document(allow("Scan", TABLE), asks("Scan"), **MANAGED),
        document(
            allow("Scan", [TABLE, INDEX]),
            {"Effect": "RequireApproval", "Action": "dynamodb:Scan", "NotResource": OTHER},
            **MANAGED,
        ),
        document(allow("Scan", [TABLE, INDEX]), asks("Scan"), deny("Scan", INDEX), **MANAGED),
        document(allow("DeleteItem"), asks("DeleteItem"), **MANAGED),
        document(allow("*", "*"), asks("DeleteItem BatchWriteItem PartiQLDelete"), **MANAGED),
        document(
            allow("*", "*"),
            asks("GetItem"),
            deny("Batch* PartiQL* Query Scan Export*", "*"),
            **MANAGED,
        ),
        document(allow("BatchWriteItem", OTHER), asks("DeleteItem"), **MANAGED),
        document(
            allow("*", "*"),
            asks("DeleteItem"),
            asks("BatchWriteItem PartiQLDelete", "*"),
            **MANAGED,
        ),
        document(allow("BatchWriteItem"), asks("DeleteItem"), deny("DeleteItem", "*"), **MANAGED),
    ],
}
