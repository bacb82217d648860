"""Documents that each lint rule finds: data for the tests.

A case is a list of statements (mappings of the native grammar) or a whole document.
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

FOUND: Final[dict[str, list[Any]]] = {
    "DG101": [
        [allow("GetItem"), deny("*", "*")],
        [allow("GetItem Query"), deny("GetItem Query PutItem", f"{TABLE}*")],
        [allow("GetItem", **IN_PROD), deny("GetItem", **IN_PROD)],
        [allow("GetItem", **BATCH), deny("GetItem")],
        [{"Effect": "Allow", "NotAction": "dynamodb:Scan", "Resource": TABLE}, deny("*", "*")],
    ],
    "DG102": [
        [allow("Query Scan"), deny("Scan", "*")],
        [allow("dynamodb:Get* Query"), deny("dynamodb:g*")],
    ],
    "DG103": [
        [allow("GetItem"), allow("GetItem")],
        [allow("GetItem"), allow("GetItem Query")],
        [deny("Scan", **IN_PROD), deny("Scan", "*")],
        [allow("GetItem", **BATCH), allow("GetItem")],
        document(asks("GetItem"), asks("GetItem Query"), **MANAGED),
    ],
    "DG104": [
        document(deny("sqs:SendMessage", "*"), govern=["dynamodb"]),
        document(allow("GetItem ssm:GetParameter"), govern=["dynamodb"]),
        document(allow("GetItem", **OBSERVED), govern=["ssm"]),
    ],
    "DG105": [
        document(allow("GetItem"), default="allow"),
        document(allow("GetItem", **IN_PROD), default="allow"),
    ],
    "DG106": [
        {"budget": [{}, {"job": "nightly-*"}]},
        {"budget": [{"tables": ["*-a", "*-b"]}, {"job": "n", "tables": "x-a"}]},
    ],
    "DG107": [
        [allow("GetItem", **BATCH)],
        [deny("Scan", NotPrincipal={"Group": "leads"})],
        {"mask": [{"tables": "t", "attributes": "a", "unless": {"Group": "leads"}}]},
        {"mask": [{"tables": "t", "attributes": "a", "only": {"Group": "leads"}}]},
        {"runbooks": {"a": {**PIN, "may_run": {"Group": "leads"}}}},
    ],
    "DG108": [
        document(asks("DeleteItem"), deny("Delete*", "*"), **MANAGED),
    ],
    "DG109": [
        document(allow("DeleteItem"), asks("DeleteItem PutItem", "*"), **MANAGED),
    ],
    "DG201": [
        [allow("Query Scan", **listing(LEADING))],
        [allow("PartiQLSelect", **listing("dynamodb:FirstPartitionKeyValues"))],
        [allow("dynamodb:*", **listing(LEADING.upper()))],
        [allow("Scan", **listing(LEADING, Null={LEADING: True}))],
        [allow("Scan", **listing(LEADING, Null={"dynamodb:Select": False}))],
        [allow("Scan", **listing(LEADING, Bool={"dynamodb:FullTableScan": False}))],
        [allow("Query Scan", **listing(LEADING)), deny("Scan", OTHER)],
        [allow("Scan", **listing(LEADING)), deny("Scan", **OBSERVED)],
    ],
    "DG202": [
        [allow("GetItem", **listing(ATTRIBUTES))],
        [allow("dynamodb:*", **listing(ATTRIBUTES, **RETURN))],
        [
            allow("Query", **listing(ATTRIBUTES)),
            deny("Scan", "*", **when("StringNotEquals", "dynamodb:Select", "COUNT")),
        ],
        [
            allow("Query", **listing(ATTRIBUTES)),
            deny("Query", OTHER, **when("StringNotEquals", "dynamodb:Select", "COUNT")),
        ],
    ],
    "DG203": [
        [allow("UpdateItem", **listing(ATTRIBUTES))],
        [allow("PutItem DeleteItem UpdateItem", **listing(ATTRIBUTES, **SELECT))],
    ],
    "DG204": [
        [allow("Scan PartiQLSelect"), deny("Scan")],
        [allow("dynamodb:*"), deny("DeleteItem")],
        [allow("BatchWriteItem"), deny("DeleteItem", **IN_PROD)],
        [allow("BatchWriteItem"), deny("PutItem", **BATCH)],
        [allow("BatchWriteItem", **BATCH), deny("PutItem")],
        [allow("Query"), deny("GetItem")],
        [allow("PartiQLUpdate", TABLE), deny("UpdateItem", "*")],
        document(deny("Scan"), default="allow"),
        [
            allow("PartiQLSelect"),
            {"Effect": "Deny", "NotAction": "dynamodb:PartiQLSelect", "Resource": "*"},
        ],
        [
            {"Effect": "Allow", "Action": "dynamodb:BatchWriteItem", "NotResource": OTHER},
            deny("DeleteItem"),
        ],
    ],
    "DG205": [
        [allow("Scan PartiQLSelect"), deny("Scan PartiQLSelect", "*", **FULL)],
        document(deny("dynamodb:*", "*", **FULL), default="allow"),
    ],
    "DG206": [
        [allow("Scan", f"{TABLE}*"), deny("Scan")],
        [allow("Query", [TABLE, INDEX]), deny("dynamodb:Query")],
        [allow("Query", "*"), deny("Query"), deny("Query", f"{OTHER}*")],
        document(deny("Scan"), default="allow"),
    ],
    "DG207": [
        document(allow("Query"), tables=TABLES),
        document(allow("GetItem", INDEX), allow("PartiQLSelect", [OTHER, TABLE]), tables=TABLES),
        document(allow("Query"), allow("Query", f"{OTHER}/index/*"), tables=TABLES),
    ],
    "DG301": [
        [allow("TransactWriteItems")],
        [deny("dynamodb:executestatement", **OBSERVED)],
        [{"Effect": "Deny", "NotAction": "dynamodb:TransactGetItems", "Resource": "*"}],
    ],
    "DG302": [
        [allow("GetItems")],
        [deny("dynamodb:Qery*")],
        [allow("GetItem DynamoDB:Xyzzy")],
        [{"Effect": "Deny", "NotAction": "dynamodb:GetItms", "Resource": "*"}],
    ],
    "DG401": [
        [allow("GetItem ListTables", "*")],
        [allow("dynamodb:*", [TABLE, "*"])],
        [allow("*", "*", **IN_PROD)],
        [{"Effect": "Allow", "NotAction": "dynamodb:Scan", "Resource": "*"}],
    ],
    "DG402": [[allow("dynamodb:*")], [allow("DynamoDB:*")], [allow("*", "*")]],
    "DG403": [
        [{"Effect": "Allow", "NotAction": "dynamodb:Scan", "Resource": TABLE}],
        [{"Effect": "Allow", "Action": "dynamodb:Scan", "NotResource": TABLE}],
        [allow("GetItem", NotPrincipal="arn:aws:iam::*:role/etl")],
    ],
    "DG501": [
        [allow("GetItem", **when("DateLessThan", "aws:CurrentTime", "2026-11-20"))],
        [deny("Scan", **when("DateLessThanEquals", "AWS:currenttime", "2025", "2026-11-20"))],
        [allow("GetItem", **when("NumericLessThan", "aws:EpochTime", 1700000000))],
        [allow("GetItem", **when("DateEquals", "aws:EpochTime", "1700000000"), **OBSERVED)],
    ],
    "DG502": [
        [allow("GetItem", Sid="TemporaryAccess")],
        [deny("Scan", Sid="deny-hotfix-7")],
        [allow("GetItem", Sid="BreakGlass")],
        [allow("GetItem", Sid="EMERGENCYRead")],
        [allow("Scan", Sid="Workaround", **when("DateGreaterThan", "aws:CurrentTime", "2020"))],
    ],
    "DG601": [
        document(asks("DeleteItem", Approval={"any_of": "managers", "quorum": 3}), **MANAGED),
        document(asks("DeleteItem", Principal={"Group": "managers"}, **TWO), **MANAGED),
        document(asks("DeleteItem", Principal={"AWS": ANN}, **TWO), **MANAGED),
        document(
            asks("DeleteItem", Principal={"AWS": ANN}, Approval={"all_of": "ann"}),
            groups={"ann": [ANN]},
        ),
        {"runbooks": {"a": {**PIN, "approval": {"any_of": "managers", "quorum": 3}}}, **MANAGED},
    ],
    "DG602": [
        [asks("DeleteItem", Approval={})],
        {"runbooks": {"a": {**PIN, "approval": {"quorum": 2}}}},
    ],
    "DG603": [
        document(allow("DeleteItem BatchWriteItem"), asks("DeleteItem"), **MANAGED),
        document(allow("*", "*"), asks("PutItem"), **MANAGED),
        document(allow("Scan", [TABLE, INDEX]), asks("Scan"), **MANAGED),
        document(asks("UpdateItem"), default="allow", govern=["dynamodb"], **MANAGED),
        document(
            allow("BatchWriteItem"),
            asks("DeleteItem"),
            asks("BatchWriteItem PartiQLDelete", **IN_PROD),
            **MANAGED,
        ),
    ],
}
