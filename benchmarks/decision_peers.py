"""Engines that decide the same requests by the same statements, each in its own words.

Each is given what suits it: parsed once beforehand, exact names where there is no wildcard, its
own test of prefixes where it has one. A decision takes three arguments, made beforehand too.
"""

from __future__ import annotations

import fnmatch
import json
import logging
from collections.abc import Callable, Iterable, Sequence
from typing import Any, Final, Protocol

from benchmarks.decision_mix import (
    MixedCondition,
    MixedStatement,
    Request,
    Value,
    document_of,
)
from dynaguard.call import UNKNOWN_PRINCIPAL, Ruling
from dynaguard.policy import reference
from dynaguard.policy.matcher import CompiledPolicy

Context = dict[str, Value | list[str]]


class Engine(Protocol):
    """Something that decides. Made of statements, which it may translate as it likes."""

    def arguments(self, request: Request) -> tuple[Any, Any, Any]:
        """What `decide` is called with; not measured."""

    def decide(self, first: Any, second: Any, third: Any, /) -> Any:
        """One decision; measured."""

    def is_allowed(self, answer: Any) -> bool:
        """Whether an answer of `decide` allows; not measured."""


# --- dynaguard, and what it is held against ---------------------------------------------------


class Dynaguard:
    """The compiled policy."""

    def __init__(self, statements: Sequence[MixedStatement]) -> None:
        self._document = document_of(statements)
        self.load()

    def load(self) -> None:
        """Compiles the document (anew): nothing is remembered of earlier decisions."""
        self.decide = CompiledPolicy(self._document).rule

    def arguments(self, request: Request) -> tuple[Any, Any, Any]:
        """Authorisation, principal, context."""
        return request.authorization, UNKNOWN_PRINCIPAL, request.lookup

    def is_allowed(self, answer: Ruling) -> bool:
        """By the verdict."""
        return answer.verdict.is_allowed


class Floor:
    """A method call and two look-ups: what any memo costs at least. It decides nothing."""

    def __init__(self, requests: Iterable[Request]) -> None:
        self._memo: dict[str, dict[str, bool]] = {}
        for request in requests:
            self._memo.setdefault(request.action, {})[request.resource] = True

    def arguments(self, request: Request) -> tuple[Any, Any, Any]:
        """Action, resource, context."""
        return request.action, request.resource, request.context

    def decide(self, action: str, resource: str, _context: Context) -> bool:
        """The look-ups."""
        return self._memo[action][resource]


class _PlainArguments:
    """Engines that take action, resource and context as they are, and answer by a truth."""

    def arguments(self, request: Request) -> tuple[Any, Any, Any]:
        """Action, resource, context."""
        return request.action, request.resource, request.context

    def is_allowed(self, answer: object) -> bool:
        """By its truth."""
        return bool(answer)


class Reference(Dynaguard):
    """Our own naive evaluator, which the tests hold the compiled one against."""

    def __init__(self, statements: Sequence[MixedStatement]) -> None:
        self._document = document_of(statements)
        self.decide = lambda *asked: reference.rule(self._document, *asked)


class FnmatchLoop(_PlainArguments):
    """What a first draft does: `fnmatch` over all statements, explicit denies first to return."""

    def __init__(self, statements: Sequence[MixedStatement]) -> None:
        self._statements = [
            (
                each.effect == "Deny",
                [action.lower() for action in each.actions],
                each.resource,
                [_test(condition) for condition in each.conditions],
            )
            for each in statements
        ]

    def decide(self, action: str, resource: str, context: Context) -> bool:
        """Tries every statement."""
        action, fits, is_allowed = action.lower(), fnmatch.fnmatchcase, False
        for is_deny, actions, pattern, tests in self._statements:
            if (
                any(fits(action, each) for each in actions)
                and fits(resource, pattern)
                and all(test(context) for test in tests)
            ):
                if is_deny:
                    return False
                is_allowed = True
        return is_allowed


def _test(condition: MixedCondition) -> Callable[[Context], bool]:
    """A condition as a Python function."""
    operator, key, values = condition
    tests: dict[str, Callable[[Any], bool]] = {
        "StringEquals": values.__contains__,
        "Bool": values.__contains__,
        "StringLike": lambda value: any(fnmatch.fnmatchcase(value, str(each)) for each in values),
        "ForAllValues:StringEquals": frozenset(values).issuperset,
        "DateLessThan": lambda value: value < values[0],
        "NumericLessThan": lambda value: value < values[0],
    }
    holds = tests[operator]
    return lambda context: holds(context[key])


# --- cedarpy ----------------------------------------------------------------------------------


class Cedar:
    """cedarpy. `like` works on strings alone, so action and ARN also travel in the context."""

    def __init__(self, statements: Sequence[MixedStatement]) -> None:
        import cedarpy

        self._authorize = cedarpy.is_authorized
        self._policies = cedarpy.PolicySet.from_str("\n".join(map(_cedar_policy, statements)))
        self._entities = cedarpy.Entities.from_json_str("[]")

    def arguments(self, request: Request) -> tuple[Any, Any, Any]:
        """The request as cedarpy has it, policies, entities."""
        context = {key.replace(":", "_"): value for key, value in request.context.items()}
        asked = {
            "principal": {"type": "Role", "id": "service"},
            "action": {"type": "Action", "id": request.action},
            "resource": {"type": "Table", "id": request.resource},
            "context": {**context, "action": request.action, "arn": request.resource},
        }
        return asked, self._policies, self._entities

    def decide(self, asked: Any, policies: Any, entities: Any) -> Any:
        """Cedar's own decision."""
        return self._authorize(asked, policies, entities)

    def is_allowed(self, answer: Any) -> bool:
        """As it says."""
        return bool(answer.allowed)


def _cedar_policy(statement: MixedStatement) -> str:
    """One statement in Cedar's language."""
    when = []
    action, resource = "action", "resource"
    if any("*" in each for each in statement.actions):
        likes = [f"context.action like {json.dumps(each)}" for each in statement.actions]
        when.append(f"({' || '.join(likes)})")
    else:
        named = ", ".join(f"Action::{json.dumps(each)}" for each in statement.actions)
        action = f"action in [{named}]"
    if "*" in statement.resource:
        when.append(f"context.arn like {json.dumps(statement.resource)}")
    else:
        resource = f"resource == Table::{json.dumps(statement.resource)}"
    when += [_cedar_condition(each) for each in statement.conditions]
    effect = "permit" if statement.effect == "Allow" else "forbid"
    condition = f" when {{ {' && '.join(when)} }}" if when else ""
    return f"{effect}(principal, {action}, {resource}){condition};"


def _cedar_condition(condition: MixedCondition) -> str:
    """One condition in Cedar's language."""
    name = f"context.{condition.key.replace(':', '_')}"
    values = [json.dumps(value) for value in condition.values]
    match condition.operator:
        case "ForAllValues:StringEquals":
            return f"[{', '.join(values)}].containsAll({name})"
        case "StringEquals" | "Bool":
            return f"[{', '.join(values)}].contains({name})"
        case "StringLike":
            return f"{name} like {values[0]}"
        case _:
            return f"{name} < {values[0]}"


# --- casbin -----------------------------------------------------------------------------------

_CASBIN_MODEL: Final = """
[request_definition]
r = act, obj, ctx
[policy_definition]
p = act, obj, cond, eft
[policy_effect]
e = some(where (p.eft == allow)) && !some(where (p.eft == deny))
[matchers]
m = fits(r.act, p.act) && fits(r.obj, p.obj) && holds(r.ctx, p.cond)
"""


class Casbin(_PlainArguments):
    """pycasbin. It has denies; wildcards and conditions are functions of ours that it calls."""

    def __init__(self, statements: Sequence[MixedStatement]) -> None:
        import casbin

        logging.getLogger("casbin").setLevel(logging.ERROR)
        model = casbin.Model()
        model.load_model_from_text(_CASBIN_MODEL)
        enforcer = casbin.Enforcer(model)
        tests = {
            f"c{number}": [_test(condition) for condition in each.conditions]
            for number, each in enumerate(statements)
        }
        enforcer.add_function("fits", _fits)
        enforcer.add_function(
            "holds", lambda context, name: all(test(context) for test in tests[name])
        )
        enforcer.add_policies(
            [
                [action, each.resource, f"c{number}", each.effect.lower()]
                for number, each in enumerate(statements)
                for action in each.actions
            ]
        )
        self.decide = enforcer.enforce


def _fits(text: str, pattern: str) -> bool:
    """A wildcard function for casbin; its own `keyMatch` has no `*` in the midst."""
    return text == pattern or ("*" in pattern and fnmatch.fnmatchcase(text, pattern))


# --- vakt -------------------------------------------------------------------------------------


class Vakt:
    """vakt with its checker of rules; a wildcard in the midst is a regular expression there."""

    def __init__(self, statements: Sequence[MixedStatement]) -> None:
        import vakt
        from vakt.rules import Any as Anything

        self._inquiry = vakt.Inquiry
        storage = vakt.MemoryStorage()
        effect = {"Allow": vakt.ALLOW_ACCESS, "Deny": vakt.DENY_ACCESS}
        for number, each in enumerate(statements):
            policy = vakt.Policy(
                str(number),
                effect=effect[each.effect],
                subjects=[Anything()],
                actions=[_vakt_pattern(action) for action in each.actions],
                resources=[_vakt_pattern(each.resource)],
                context={condition.key: _vakt_rule(condition) for condition in each.conditions},
            )
            storage.add(policy)
        guard = vakt.Guard(storage, vakt.RulesChecker())
        self.decide = lambda inquiry, _none, _nothing: guard.is_allowed(inquiry)

    def arguments(self, request: Request) -> tuple[Any, Any, Any]:
        """The inquiry."""
        inquiry = self._inquiry(
            subject="service",
            action=request.action,
            resource=request.resource,
            context=request.context,
        )
        return inquiry, None, None

    def is_allowed(self, answer: bool) -> bool:  # noqa: FBT001 (as the other engines have it)
        """As it says."""
        return answer


def _vakt_pattern(pattern: str) -> Any:
    """A pattern as vakt's cheapest rule."""
    from vakt.rules import Eq, RegexMatch, StartsWith

    if "*" not in pattern:
        return Eq(pattern)
    if pattern.find("*") == len(pattern) - 1:
        return StartsWith(pattern[:-1])
    return RegexMatch(fnmatch.translate(pattern))


def _vakt_rule(condition: MixedCondition) -> Any:
    """A condition as vakt's rule."""
    from vakt.rules import AllIn, In, Less

    match condition.operator:
        case "ForAllValues:StringEquals":
            return AllIn(*condition.values)
        case "StringLike":
            return _vakt_pattern(str(condition.values[0]))
        case "StringEquals" | "Bool":
            return In(*condition.values)
        case _:
            return Less(condition.values[0])


PEERS: Final[dict[str, Callable[[Sequence[MixedStatement]], Engine]]] = {
    "cedarpy": Cedar,
    "casbin": Casbin,
    "vakt": Vakt,
    "fnmatch loop": FnmatchLoop,
    "reference": Reference,
}
