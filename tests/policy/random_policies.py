"""Random policies and requests from small pools, so that much of it nearly matches.

The pools hold what is hard: case, wildcards in names, marks for unknown parts, variables without a
text, several values, values that do not parse, malformed patterns.
"""

from __future__ import annotations

import random
from dataclasses import dataclass
from typing import Final

from dynaguard.call import (
    UNKNOWN,
    UNKNOWN_CHAR,
    UNKNOWN_RUN,
    Authorization,
    ContextLookup,
    ContextValue,
    Principal,
    StatementRef,
)
from dynaguard.policy.model import (
    Condition,
    Effect,
    PolicyDocument,
    PrincipalPattern,
    Statement,
)

ACCOUNTS: Final = ("1111", "2222")
LASTS: Final = (
    *("t/a", "t/ab", "t/b", "t/a/i/b", "t/a:b", "t/a*", "t/", "t/${k}", "b/a"),
    *("t/x-pii-y", "t/a-pii-", "t/b-frozen-a", "t/a-ab-b"),
)
ACTIONS: Final = ("ddb:GetItem", "ddb:PutItem", "ddb:Query", "s3:GetItem")
ACTION_PATTERNS: Final = (
    *ACTIONS,
    "DDB:getITEM",
    "ddb:*",
    "ddb:Get*",
    "ddb:*Item",
    "ddb:?etItem",
    "*",
    "*:*",
    "*:GetItem",
    "ddb",
    "ddb:GetItem, ddb:PutItem",
)
LAST_PATTERNS: Final = (
    *LASTS,
    "t/*",
    "t/a*",
    "t/?",
    "t/?*",
    "*b",
    "*",
    "t/*/i/?",
    "t/*a*b",
    "t/${team}",
    "t/${team}*",
    "${team}/a",
    "t/${none, 'a'}",
    "t/${many}",
    "t/a${*}",
    "t/*-pii-*",
    "*-pii-?",
    "t/a*-frozen-*",
    "*-ab-*",
    "t/${team}-pii-*",
    "t/*-${team}-b",
    "t/${",
    "t/${}",
)
ODD_RESOURCES: Final = ("*", "**", "arn:aws:ddb:*", "t/a", "arn:${team}", "${team}", "")
OPERATORS: Final = {
    "String": (
        ("Equals", "NotEquals", "EqualsIgnoreCase", "NotEqualsIgnoreCase", "Like", "NotLike"),
        ("a", "A", "ab", "a*", "?", "", "*", "${team}", "${none, 'a'}", "${none}", "${*}b"),
    ),
    "Numeric": (
        (
            "Equals",
            "NotEquals",
            "LessThan",
            "LessThanEquals",
            "GreaterThan",
            "GreaterThanEquals",
        ),
        ("1", "1.0", "-1", "1e1", "10", ".5", "ten", "1_0", " 1"),
    ),
    "Date": (
        (
            "Equals",
            "NotEquals",
            "LessThan",
            "LessThanEquals",
            "GreaterThan",
            "GreaterThanEquals",
        ),
        (
            "2026",
            "2026-01-01T00:00Z",
            "2026-01-01T01:00:00+01:00",
            "2025-12-31T23:59:59.999999999Z",
            "1767225600",
            "2026-01-01T00:00:00",
            "2026-13-01",
            "soon",
        ),
    ),
    "Bool": (("",), ("true", "True", "false", "maybe")),
    "Binary": (("Equals",), ("YQ==", "Yg==", "YQ", "?")),
    "Ip": (
        ("Address", "NotAddress"),
        ("10.0.0.1", "10.0.0.0/8", "::1", "2001:db8::/32", "010.0.0.1", "x", "10.0.0.0/33"),
    ),
    "Arn": (
        ("Equals", "Like", "NotEquals", "NotLike"),
        (
            "arn:aws:ddb:eu:1111:t/a",
            "arn:aws:ddb:*:*:t/*",
            "arn:aws:ddb:eu:1111:${team}",
            "*",
            "a",
        ),
    ),
    "Null": (("",), ("true", "false", "perhaps")),
    "Unheard": (("Of",), ("a",)),
}
EFFECTS: Final[tuple[Effect, ...]] = (
    "Allow",
    "Allow",
    "Allow",
    "Deny",
    "RequireApproval",
    "RequireApproval",
)
KEYS: Final = ("k", "K2", "aws:x", "team", "none", "many")
ARNS: Final = (
    "arn:aws:iam::1111:role/a",
    "arn:aws:sts::1111:assumed-role/a/s",
    "arn:aws:iam::2222:user/b",
)
PRINCIPAL_PATTERNS: Final = (
    PrincipalPattern("arn", "*"),
    PrincipalPattern("arn", "arn:aws:iam::*:role/?"),
    PrincipalPattern("arn", "arn:aws:sts::1111:assumed-role/a/*"),
    PrincipalPattern("account", "1111"),
    PrincipalPattern("account", "2222"),
    PrincipalPattern("group", "g"),
    PrincipalPattern("group", "h"),
)


@dataclass(frozen=True)
class Request:
    """What is asked of a policy."""

    authorization: Authorization
    principal: Principal
    context: dict[str, ContextValue]

    @property
    def lookup(self) -> ContextLookup:
        """The context as the policy sees it."""
        return lambda key: self.context.get(key, ())


def random_document(rng: random.Random) -> PolicyDocument:
    """A policy of up to eight statements, now and then of more."""
    count = rng.randint(0, 8) if rng.random() < 0.9 else rng.randint(9, 30)
    statements = tuple(_statement(rng, number) for number in range(count))
    return PolicyDocument(rng.choice(("deny", "deny", "deny", "allow")), None, statements)


def random_request(rng: random.Random) -> Request:
    """An action on a resource, by somebody, in some context."""
    action = rng.choice(ACTIONS) if rng.random() < 0.95 else f"ddb:Get{UNKNOWN_RUN}"
    arns = tuple(rng.sample(ARNS, rng.randint(0, 2)))
    if rng.random() < 0.1:
        arns = (*arns, f"arn:aws:iam::{UNKNOWN_CHAR * 4}:role/a")
    principal = Principal(
        arns=arns,
        arns_complete=rng.random() < 0.7,
        account_id=rng.choice((*ACCOUNTS, None)),
        groups=frozenset(rng.sample(("g", "h"), rng.randint(0, 2))),
    )
    context = {key.lower(): _context_value(rng, key) for key in KEYS}
    return Request(Authorization(action, _resource(rng)), principal, context)


def _resource(rng: random.Random) -> str:
    """The resource of a request, some of it unknown at times."""
    if rng.random() < 0.08:
        return rng.choice(("*", UNKNOWN_RUN, "x", f"arn:{UNKNOWN_RUN}"))
    region, account = rng.choice(("eu", "us")), rng.choice(ACCOUNTS)
    last = rng.choice(LASTS)
    if rng.random() < 0.3:
        account = UNKNOWN_CHAR * 4
    if rng.random() < 0.1:
        region = UNKNOWN_RUN
    if rng.random() < 0.15:
        last = rng.choice((f"t/{UNKNOWN_CHAR}", f"t/a{UNKNOWN_CHAR}", f"t/{UNKNOWN_RUN}b"))
    return f"arn:aws:ddb:{region}:{account}:{last}"


def _context_value(rng: random.Random, key: str) -> ContextValue:
    """The value of a key; some keys keep to their names, so that variables do what they say."""
    if key == "none":
        return UNKNOWN if rng.random() < 0.1 else ()
    if key == "many":
        return ("a", "b")
    if key == "team":
        return rng.choice((("a",), ("*",), ("ab",), ("t/a",), (UNKNOWN_CHAR,), (), UNKNOWN))
    kind = rng.random()
    if kind < 0.15:
        return UNKNOWN
    if kind < 0.3:
        return ()
    pool = rng.choice(list(OPERATORS.values()))[1]
    return tuple(rng.choices(pool, k=1 if kind < 0.8 else rng.randint(2, 3)))


def _statement(rng: random.Random, number: int) -> Statement:
    """One statement."""
    principals = None
    if rng.random() < 0.35:
        principals = tuple(rng.sample(PRINCIPAL_PATTERNS, rng.randint(1, 2)))
    return Statement(
        StatementRef(f"s{number}"),
        rng.choice(EFFECTS),
        actions=tuple(rng.choices(ACTION_PATTERNS, k=rng.randint(1, 2))),
        resources=tuple(_resource_pattern(rng) for _ in range(rng.randint(1, 3))),
        principals=principals,
        is_not_principal=rng.random() < 0.25,
        is_not_action=rng.random() < 0.15,
        is_not_resource=rng.random() < 0.15,
        conditions=tuple(_condition(rng) for _ in range(rng.choice((0, 0, 1, 1, 2)))),
        is_observed=rng.random() < 0.15,
        has_variables=rng.random() < 0.85,
    )


def _resource_pattern(rng: random.Random) -> str:
    """A resource pattern."""
    if rng.random() < 0.15:
        return rng.choice(ODD_RESOURCES)
    region = rng.choice(("eu", "us", "*", "*", "e?"))
    account = rng.choice((*ACCOUNTS, "*", "*", "11*", "????"))
    return f"arn:aws:ddb:{region}:{account}:{rng.choice(LAST_PATTERNS)}"


def _condition(rng: random.Random) -> Condition:
    """A condition, mostly with values of its operator's kind."""
    prefix = rng.choice(list(OPERATORS))
    suffixes, pool = OPERATORS[prefix]
    operator = prefix + rng.choice(suffixes)
    operator = {"IpNotAddress": "NotIpAddress"}.get(operator, operator)
    return Condition(
        operator,
        rng.choice(KEYS),
        tuple(rng.choices(pool, k=rng.randint(1, 3))),
        rng.choice((None, None, "ForAllValues", "ForAnyValue")),
        if_exists=rng.random() < 0.25,
    )
