"""Documents that each lint rule finds, and near misses that it does not: data for the tests.

A case is a list of statements (mappings of the native grammar) or a whole document.
"""

from __future__ import annotations

from typing import Any, Final

TABLE: Final = "arn:aws:dynamodb:*:*:table/orders"
INDEX: Final = f"{TABLE}/index/*"
OTHER: Final = "arn:aws:dynamodb:*:*:table/others"


def stated(effect: str, actions: str, resource: Any = TABLE, **more: Any) -> dict[str, Any]:
    """A statement; actions of DynamoDB by name, blanks between them."""
    listed = [
        name if ":" in name or name == "*" else f"dynamodb:{name}" for name in actions.split()
    ]
    return {"Effect": effect, "Action": listed, "Resource": resource, **more}


def allow(actions: str, resource: Any = TABLE, **more: Any) -> dict[str, Any]:
    """An Allow."""
    return stated("Allow", actions, resource, **more)


def deny(actions: str, resource: Any = TABLE, **more: Any) -> dict[str, Any]:
    """A Deny."""
    return stated("Deny", actions, resource, **more)


def asks(actions: str, resource: Any = TABLE, **more: Any) -> dict[str, Any]:
    """One that requires an approval of managers."""
    more = {"Approval": {"any_of": "managers"}, **more}
    return stated("RequireApproval", actions, resource, **more)


def when(operator: str, key: str, *values: Any) -> dict[str, Any]:
    """The `Condition` of one key."""
    return {"Condition": {operator: {key: list(values)}}}


def _listed(key: str, **more: Any) -> dict[str, Any]:
    """A list of values of a key, and further operators."""
    return {"Condition": {"ForAllValues:StringEquals": {key: ["a"]}, **more}}


def _document(*statements: dict[str, Any], **more: Any) -> dict[str, Any]:
    """A whole document."""
    return {"statement": list(statements), **more}


_IN_PROD: Final = when("StringEquals", "dynaguard:Environment", "prod")
_OBSERVED: Final = {"Mode": "observe"}
_BATCH: Final = {"Principal": {"Group": "batch"}}
_LEADING: Final = "dynamodb:LeadingKeys"
_ATTRIBUTES: Final = "dynamodb:Attributes"
_SELECT: Final = {"StringEqualsIfExists": {"dynamodb:Select": "SPECIFIC_ATTRIBUTES"}}
_RETURN: Final = {"StringEqualsIfExists": {"dynamodb:ReturnValues": "NONE"}}
_FULL: Final = when("Bool", "dynamodb:FullTableScan", True)
_ANN: Final = "arn:aws:iam::111122223333:user/ann"
_PEOPLE: Final = {
    "managers": [_ANN, "sso:person=bob@acme.example"],
    "roles": ["arn:aws:iam::*:role/m"],
}
_MANAGED: Final = {"groups": _PEOPLE}
_TWO: Final = {"Approval": {"any_of": "managers", "quorum": 2}}
_PIN: Final = {"sha256": "ab" * 32}
_TABLES: Final = {"orders": {"key": ["pk"], "indexes": {"by_day": ["day"]}}}

FOUND: Final[dict[str, list[Any]]] = {
    "DG101": [
        [allow("GetItem"), deny("*", "*")],
        [allow("GetItem Query"), deny("GetItem Query PutItem", f"{TABLE}*")],
        [allow("GetItem", **_IN_PROD), deny("GetItem", **_IN_PROD)],
        [allow("GetItem", **_BATCH), deny("GetItem")],
        [{"Effect": "Allow", "NotAction": "dynamodb:Scan", "Resource": TABLE}, deny("*", "*")],
    ],
    "DG102": [
        [allow("Query Scan"), deny("Scan", "*")],
        [allow("dynamodb:Get* Query"), deny("dynamodb:g*")],
    ],
    "DG103": [
        [allow("GetItem"), allow("GetItem")],
        [allow("GetItem"), allow("GetItem Query")],
        [deny("Scan", **_IN_PROD), deny("Scan", "*")],
        [allow("GetItem", **_BATCH), allow("GetItem")],
        _document(asks("GetItem"), asks("GetItem Query"), **_MANAGED),
    ],
    "DG104": [
        _document(deny("sqs:SendMessage", "*"), govern=["dynamodb"]),
        _document(allow("GetItem ssm:GetParameter"), govern=["dynamodb"]),
        _document(allow("GetItem", **_OBSERVED), govern=["ssm"]),
    ],
    "DG105": [
        _document(allow("GetItem"), default="allow"),
        _document(allow("GetItem", **_IN_PROD), default="allow"),
    ],
    "DG106": [
        {"budget": [{}, {"job": "nightly-*"}]},
        {"budget": [{"tables": ["*-a", "*-b"]}, {"job": "n", "tables": "x-a"}]},
    ],
    "DG107": [
        [allow("GetItem", **_BATCH)],
        [deny("Scan", NotPrincipal={"Group": "leads"})],
        {"mask": [{"tables": "t", "attributes": "a", "unless": {"Group": "leads"}}]},
        {"mask": [{"tables": "t", "attributes": "a", "only": {"Group": "leads"}}]},
        {"runbooks": {"a": {**_PIN, "may_run": {"Group": "leads"}}}},
    ],
    "DG108": [
        _document(asks("DeleteItem"), deny("Delete*", "*"), **_MANAGED),
    ],
    "DG109": [
        _document(allow("DeleteItem"), asks("DeleteItem PutItem", "*"), **_MANAGED),
    ],
    "DG201": [
        [allow("Query Scan", **_listed(_LEADING))],
        [allow("PartiQLSelect", **_listed("dynamodb:FirstPartitionKeyValues"))],
        [allow("dynamodb:*", **_listed(_LEADING.upper()))],
        [allow("Scan", **_listed(_LEADING, Null={_LEADING: True}))],
        [allow("Scan", **_listed(_LEADING, Null={"dynamodb:Select": False}))],
        [allow("Scan", **_listed(_LEADING, Bool={"dynamodb:FullTableScan": False}))],
        [allow("Query Scan", **_listed(_LEADING)), deny("Scan", OTHER)],
        [allow("Scan", **_listed(_LEADING)), deny("Scan", **_OBSERVED)],
    ],
    "DG202": [
        [allow("GetItem", **_listed(_ATTRIBUTES))],
        [allow("dynamodb:*", **_listed(_ATTRIBUTES, **_RETURN))],
        [
            allow("Query", **_listed(_ATTRIBUTES)),
            deny("Scan", "*", **when("StringNotEquals", "dynamodb:Select", "COUNT")),
        ],
        [
            allow("Query", **_listed(_ATTRIBUTES)),
            deny("Query", OTHER, **when("StringNotEquals", "dynamodb:Select", "COUNT")),
        ],
    ],
    "DG203": [
        [allow("UpdateItem", **_listed(_ATTRIBUTES))],
        [allow("PutItem DeleteItem UpdateItem", **_listed(_ATTRIBUTES, **_SELECT))],
    ],
    "DG204": [
        [allow("Scan PartiQLSelect"), deny("Scan")],
        [allow("dynamodb:*"), deny("DeleteItem")],
        [allow("BatchWriteItem"), deny("DeleteItem", **_IN_PROD)],
        [allow("BatchWriteItem"), deny("PutItem", **_BATCH)],
        [allow("BatchWriteItem", **_BATCH), deny("PutItem")],
        [allow("Query"), deny("GetItem")],
        [allow("PartiQLUpdate", TABLE), deny("UpdateItem", "*")],
        _document(deny("Scan"), default="allow"),
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
        [allow("Scan PartiQLSelect"), deny("Scan PartiQLSelect", "*", **_FULL)],
        _document(deny("dynamodb:*", "*", **_FULL), default="allow"),
    ],
    "DG206": [
        [allow("Scan", f"{TABLE}*"), deny("Scan")],
        [allow("Query", [TABLE, INDEX]), deny("dynamodb:Query")],
        [allow("Query", "*"), deny("Query"), deny("Query", f"{OTHER}*")],
        _document(deny("Scan"), default="allow"),
    ],
    "DG207": [
        _document(allow("Query"), tables=_TABLES),
        _document(allow("GetItem", INDEX), allow("PartiQLSelect", [OTHER, TABLE]), tables=_TABLES),
        _document(allow("Query"), allow("Query", f"{OTHER}/index/*"), tables=_TABLES),
    ],
    "DG301": [
        [allow("TransactWriteItems")],
        [deny("dynamodb:executestatement", **_OBSERVED)],
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
        [allow("*", "*", **_IN_PROD)],
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
        [allow("GetItem", **when("DateEquals", "aws:EpochTime", "1700000000"), **_OBSERVED)],
    ],
    "DG502": [
        [allow("GetItem", Sid="TemporaryAccess")],
        [deny("Scan", Sid="deny-hotfix-7")],
        [allow("GetItem", Sid="BreakGlass")],
        [allow("GetItem", Sid="EMERGENCYRead")],
        [allow("Scan", Sid="Workaround", **when("DateGreaterThan", "aws:CurrentTime", "2020"))],
    ],
    "DG601": [
        _document(asks("DeleteItem", Approval={"any_of": "managers", "quorum": 3}), **_MANAGED),
        _document(asks("DeleteItem", Principal={"Group": "managers"}, **_TWO), **_MANAGED),
        _document(asks("DeleteItem", Principal={"AWS": _ANN}, **_TWO), **_MANAGED),
        _document(
            asks("DeleteItem", Principal={"AWS": _ANN}, Approval={"all_of": "ann"}),
            groups={"ann": [_ANN]},
        ),
        {"runbooks": {"a": {**_PIN, "approval": {"any_of": "managers", "quorum": 3}}}, **_MANAGED},
    ],
    "DG602": [
        [asks("DeleteItem", Approval={})],
        {"runbooks": {"a": {**_PIN, "approval": {"quorum": 2}}}},
    ],
    "DG603": [
        _document(allow("DeleteItem BatchWriteItem"), asks("DeleteItem"), **_MANAGED),
        _document(allow("*", "*"), asks("PutItem"), **_MANAGED),
        _document(allow("Scan", [TABLE, INDEX]), asks("Scan"), **_MANAGED),
        _document(asks("UpdateItem"), default="allow", govern=["dynamodb"], **_MANAGED),
        _document(
            allow("BatchWriteItem"),
            asks("DeleteItem"),
            asks("BatchWriteItem PartiQLDelete", **_IN_PROD),
            **_MANAGED,
        ),
    ],
}

NOT_FOUND: Final[dict[str, list[Any]]] = {
    "DG101": [
        [allow("GetItem"), deny("GetItem", OTHER)],
        [allow("GetItem"), deny("GetItem", **_IN_PROD)],
        [allow("GetItem"), deny("GetItem", **_BATCH)],
        [allow("GetItem"), deny("GetItem", **_OBSERVED)],
        [allow("GetItem", **_OBSERVED), deny("GetItem")],
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
        [allow("GetItem"), allow("GetItem Query", **_IN_PROD)],
        [allow("GetItem"), allow("GetItem Query", **_OBSERVED)],
        [deny("GetItem"), allow("Scan")],
    ],
    "DG104": [
        [deny("sqs:SendMessage", "*")],
        _document(deny("*", "*"), govern=["dynamodb"]),
        _document(deny("s3express:CreateSession", "*"), govern=["s3"]),
        _document(
            {"Effect": "Deny", "NotAction": "sqs:SendMessage", "Resource": "*"},
            govern=["dynamodb"],
        ),
    ],
    "DG105": [
        [allow("GetItem")],
        _document(deny("GetItem"), default="allow"),
        _document(allow("GetItem", **_OBSERVED), default="allow"),
    ],
    "DG106": [
        {"budget": [{"job": "nightly-*"}, {}]},
        {"budget": [{"job": "a"}, {"job": "b"}]},
        {"budget": [{"job": "a", "tables": "x"}, {"job": "a"}]},
    ],
    "DG107": [
        _document(allow("GetItem", **_BATCH), groups={"batch": "arn:aws:iam::*:role/etl"}),
        [allow("GetItem", Principal="arn:aws:iam::*:role/etl")],
    ],
    "DG108": [
        _document(asks("DeleteItem PutItem"), deny("DeleteItem"), **_MANAGED),
        _document(asks("DeleteItem"), deny("DeleteItem", **_OBSERVED), **_MANAGED),
    ],
    "DG109": [
        _document(allow("DeleteItem PutItem"), asks("DeleteItem"), **_MANAGED),
        _document(allow("DeleteItem"), asks("DeleteItem", **_IN_PROD), **_MANAGED),
        _document(allow("DeleteItem"), asks("DeleteItem", **_OBSERVED), **_MANAGED),
    ],
    "DG201": [
        [allow("Query GetItem", **_listed(_LEADING))],
        [allow("Scan", **_listed(_LEADING, Null={_LEADING: False}))],
        [allow("Query Scan", **_listed(_LEADING)), deny("Scan", "*")],
        [allow("PartiQLSelect", **_listed(_LEADING, Bool={"dynamodb:FullTableScan": False}))],
        [allow("PartiQLSelect", **_listed(_LEADING)), deny("PartiQLSelect", **_FULL)],
        [allow("Scan", **_listed(_LEADING)), deny("Scan", **when("Null", _LEADING, True))],
        [allow("Scan", **when("ForAnyValue:StringEquals", _LEADING, "a"))],
        [deny("Scan", **_listed(_LEADING))],
    ],
    "DG202": [
        [allow("GetItem", **_listed(_ATTRIBUTES, **_SELECT))],
        [allow("PutItem", **_listed(_ATTRIBUTES))],
        [
            allow("Query", **_listed(_ATTRIBUTES)),
            deny("Query", "*", **when("StringNotEquals", "dynamodb:Select", "COUNT")),
        ],
    ],
    "DG203": [
        [allow("UpdateItem", **_listed(_ATTRIBUTES, **_RETURN))],
        [allow("GetItem", **_listed(_ATTRIBUTES))],
    ],
    "DG204": [
        [allow("GetItem Query"), deny("Scan", "*")],
        [allow("PartiQLSelect"), deny("Scan PartiQLSelect")],
        [allow("PartiQLSelect", OTHER), deny("Scan")],
        [allow("PartiQLSelect", **_OBSERVED), deny("Scan")],
        [allow("PartiQLSelect"), deny("Scan"), deny("PartiQLSelect", **_FULL)],
        [allow("PartiQLSelect", **when("Bool", "dynamodb:FullTableScan", False)), deny("Scan")],
        [allow("BatchWriteItem", **_BATCH), deny("DeleteItem", Principal={"Group": "leads"})],
        [allow("BatchWriteItem"), deny("DeleteItem"), deny("BatchWriteItem", "*")],
        [allow("dynamodb:*"), deny("dynamodb:*", **_IN_PROD)],
        _document(deny("Scan"), default="allow", govern=["ssm"]),
    ],
    "DG205": [
        [allow("PartiQLSelect"), deny("Scan PartiQLSelect", "*", **_FULL)],
        [allow("dynamodb:*"), deny("PartiQLSelect", "*", **_FULL)],
        [
            allow("dynamodb:*"),
            deny("Scan", "*", **when("BoolIfExists", "dynamodb:FullTableScan", True)),
        ],
        [allow("dynamodb:*"), deny("Scan", "*", **when("Bool", "dynamodb:FullTableScan", False))],
        [allow("dynamodb:*"), deny("dynamodb:*", "*", **_FULL), deny("Scan", "*")],
        [allow("dynamodb:*"), deny("Scan", "*", **_IN_PROD)],
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
        [allow("Scan", "*"), deny("Scan"), deny("Scan", INDEX, **_BATCH), deny("Scan", INDEX)],
        [allow("Scan", "*", **_BATCH), deny("Scan"), deny("Scan", INDEX, **_BATCH)],
        [allow("Scan", "*"), {"Effect": "Deny", "Action": "dynamodb:Scan", "NotResource": TABLE}],
    ],
    "DG207": [
        [allow("Query")],
        _document(allow("Query", [TABLE, INDEX]), tables=_TABLES),
        _document(allow("Query"), allow("Query", f"{TABLE}/index/by_day"), tables=_TABLES),
        _document(allow("Query", f"{TABLE}*"), tables=_TABLES),
        _document(allow("GetItem Scan"), tables=_TABLES),
        _document(allow("Query"), tables={"orders": {"key": ["pk"]}}),
        _document(allow("Query", OTHER), tables=_TABLES),
        _document(
            {"Effect": "Allow", "Action": "dynamodb:Query", "NotResource": TABLE}, tables=_TABLES
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
        _document(allow("GetItem", "*"), default="allow"),
    ],
    "DG402": [
        [allow("dynamodb:*Item")],
        [deny("dynamodb:*")],
        [{"Effect": "Allow", "NotAction": "dynamodb:*", "Resource": TABLE}],
        [allow("dynamodb:*", **_OBSERVED)],
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
        _document(asks("DeleteItem", **_TWO), **_MANAGED),
        _document(asks("DeleteItem", NotPrincipal={"AWS": _ANN}, **_TWO), **_MANAGED),
        _document(
            asks("DeleteItem", Principal={"Group": ["managers", "roles"]}, **_TWO), **_MANAGED
        ),
        _document(asks("DeleteItem", Approval={"any_of": "roles", "quorum": 9}), **_MANAGED),
        _document(asks("DeleteItem", Approval={"all_of": ["roles", "managers"]}), **_MANAGED),
        {"runbooks": {"a": _PIN}},
    ],
    "DG602": [
        _document(asks("DeleteItem"), **_MANAGED),
        _document(asks("DeleteItem", Approval={"all_of": "managers"}), **_MANAGED),
    ],
    "DG603": [
        _document(allow("Scan", [TABLE, INDEX]), asks("Scan", [TABLE, INDEX]), **_MANAGED),
        _document(allow("Scan", [TABLE, INDEX]), asks("Scan", f"{TABLE}*"), **_MANAGED),
        _document(allow("Scan", TABLE), asks("Scan"), **_MANAGED),
        _document(
            allow("Scan", [TABLE, INDEX]),
            {"Effect": "RequireApproval", "Action": "dynamodb:Scan", "NotResource": OTHER},
            **_MANAGED,
        ),
        _document(allow("Scan", [TABLE, INDEX]), asks("Scan"), deny("Scan", INDEX), **_MANAGED),
        _document(allow("DeleteItem"), asks("DeleteItem"), **_MANAGED),
        _document(allow("*", "*"), asks("DeleteItem BatchWriteItem PartiQLDelete"), **_MANAGED),
        _document(
            allow("*", "*"),
            asks("GetItem"),
            deny("Batch* PartiQL* Query Scan Export*", "*"),
            **_MANAGED,
        ),
        _document(allow("BatchWriteItem", OTHER), asks("DeleteItem"), **_MANAGED),
        _document(
            allow("*", "*"),
            asks("DeleteItem"),
            asks("BatchWriteItem PartiQLDelete", "*"),
            **_MANAGED,
        ),
        _document(
            allow("BatchWriteItem"), asks("DeleteItem"), deny("DeleteItem", "*"), **_MANAGED
        ),
    ],
}
