"""Who calls which tables: from records, from policies, by name."""

from __future__ import annotations

from typing import Any

import pytest

from dynaguard.alarms.permitted import policy_subjects
from dynaguard.alarms.recorded import recorded_subjects
from dynaguard.alarms.subjects import Pair, Subjects, merged, named_subjects, subjects_of
from dynaguard.call import Authorization, Outcome, Status
from dynaguard.policy.loading import load_policy
from tests.alarms.alarm_cases import ARN, decision, record

ROLE = "arn:aws:iam::123456789012:role/team/"


def policy(*statements: dict[str, Any], **document: Any) -> Any:
    """A document of some statements on orders, for everyone unless they say otherwise."""
    usual = {"Effect": "Allow", "Action": "dynamodb:*", "Resource": f"{ARN}orders"}
    return load_policy(
        {
            "version": 1,
            "default": "deny",
            "statement": [usual | statement for statement in statements],
            **document,
        },
        environ={},
    )


def principal(*arns: str) -> dict[str, Any]:
    """Part of a statement: for whom it is."""
    return {"Principal": {"AWS": list(arns)}}


def test_records_tell_who_called_what() -> None:
    """Each pair once, in order, whatever the order of the records."""
    records = [
        record(identity="etl"),
        record(identity="billing", decision=decision("dynamodb:Query", "orders", "customers")),
        record(identity="etl"),
    ]

    found = recorded_subjects(records)

    assert found.pairs == (
        Pair("billing", "customers"),
        Pair("billing", "orders"),
        Pair("etl", "orders"),
    )
    assert found == recorded_subjects(reversed(records))


def test_records_tell_the_indexes_of_tables() -> None:
    """From the resources that calls needed."""
    need = Authorization("dynamodb:Query", f"{ARN}orders/index/by_date", table_name="orders")
    found = recorded_subjects([record(decision=decision()._replace(authorizations=(need,)))])

    assert found.indexes_by_table == {"orders": ("by_date",)}


def test_an_identity_without_tables_is_a_subject_too() -> None:
    """It calls other services, and can fail there."""
    found = recorded_subjects(
        [record(service="ssm", decision=decision()._replace(authorizations=()))]
    )

    assert (found.pairs, found.identities) == ((), ("etl",))


def test_a_refused_call_names_its_caller_and_table() -> None:
    """That is whom the alarm is for."""
    refused = Outcome(Status.DENIED, "AccessDeniedException")

    assert recorded_subjects([record(outcome=refused)]).pairs == (Pair("etl", "orders"),)


def test_intents_and_unknown_names_are_passed_over() -> None:
    """With a note how the identity gets a name."""
    intent = {**record(identity="early"), "phase": "intent"}
    vague = record()
    vague["tables"] = ["<unknown>"]

    found = recorded_subjects([intent, record(identity="unknown"), vague, {"schema_version": 2}])

    assert found.pairs == ()
    assert found.identities == ("etl",)
    assert found.notes[0].startswith("2 recorded calls")
    assert "setting `identity`" in found.notes[0]


def test_runbook_and_owner_count_where_all_records_agree() -> None:
    """Two runbooks are none."""
    first, second = record(), record(identity="billing")
    first["runbook"] = "RB-7"
    first["identity"]["owner"] = "data team"
    second["runbook"] = "RB-8"
    second["identity"]["owner"] = None

    found = recorded_subjects([first, second, record(identity="billing")])

    assert found.runbook_by_pair == {Pair("etl", "orders"): "RB-7"}
    assert found.owner_by_identity == {"etl": "data team"}


@pytest.mark.parametrize(
    ("arn", "name"),
    [
        (f"{ROLE}etl", "etl"),
        ("arn:aws:iam::*:role/etl", "etl"),
        ("arn:aws:sts::123456789012:assumed-role/etl/run-1", "etl"),
        ("arn:aws:iam::123456789012:user/ada", "ada"),
        ("arn:aws:lambda:*:*:function:nightly", "nightly"),
    ],
)
def test_the_name_of_a_principal_is_the_one_that_records_have(arn: str, name: str) -> None:
    """The last part of its ARN, accounts left open or not."""
    assert policy_subjects(policy(principal(arn))).pairs == (Pair(name, "orders"),)


@pytest.mark.parametrize("arn", ["arn:aws:iam::*:role/etl-*", "arn:aws:iam::123456789012:root"])
def test_a_pattern_of_principals_names_nobody_by_itself(arn: str) -> None:
    """The table keeps its own alarms; a note says what would help."""
    found = policy_subjects(policy(principal(arn)))

    assert (found.pairs, found.tables) == ((), ("orders",))
    assert arn in found.notes[0]
    assert "--identity" in found.notes[0]


def test_known_names_fill_the_patterns_of_a_policy() -> None:
    """Groups are taken apart first."""
    document = policy(
        {"Principal": {"Group": "batch"}, "Resource": f"{ARN}*-orders"},
        groups={"batch": ["arn:aws:iam::*:role/etl-*"]},
        tables={"dev-orders": {"key": ["pk"], "indexes": {"by_date": ["day"]}}},
    )

    found = policy_subjects(
        document, identities=["etl-1", "web"], tables=["prod-orders", "customers"]
    )

    assert found.pairs == (Pair("etl-1", "dev-orders"), Pair("etl-1", "prod-orders"))
    assert found.indexes_by_table == {"dev-orders": ("by_date",)}
    assert found.notes == ()


def test_a_statement_for_everyone_is_about_the_process_s_own_identity() -> None:
    """The setting `identity` names it, or an option."""
    by_arn, by_name, odd = (
        policy({}, settings={"identity": text}) for text in (f"{ROLE}etl", "etl", "arn:odd")
    )

    assert policy_subjects(by_arn).pairs == (Pair("etl", "orders"),)
    assert policy_subjects(by_name) == policy_subjects(by_arn)
    assert policy_subjects(odd).identities == ("arn:odd",)
    assert policy_subjects(policy({}), identities=["web"]).pairs == (Pair("web", "orders"),)
    assert "for everyone" in policy_subjects(policy({})).notes[0]


def test_a_statement_for_everyone_makes_no_pairs_of_recorded_callers() -> None:
    """That they may is not that they do; records tell what they do."""
    recorded = named_subjects(["web"], ["customers"])

    found = policy_subjects(policy({}, principal("arn:aws:iam::*:role/w*")), recorded=recorded)

    assert found.pairs == (Pair("web", "orders"),)


def test_only_allow_statements_in_force_on_items_count() -> None:
    """Nobody is alarmed about a table that must not be called."""
    everyone = ["etl"]
    left_out = (
        {"Effect": "Deny"},
        {"Mode": "observe"},
        {"Action": "s3:GetObject", "Resource": "*"},
        {"Action": "dynamodb:DescribeTable"},
        {"Resource": "arn:aws:sqs:*:*:queue"},
    )

    assert policy_subjects(policy(*left_out), identities=everyone).pairs == ()


def test_what_a_policy_names_by_exclusion() -> None:
    """`NotPrincipal`, `NotResource` and `NotAction`."""
    not_principal = {"NotPrincipal": {"AWS": f"{ROLE}etl"}}
    not_resource = {"NotResource": f"{ARN}orders"}
    not_action = {"NotAction": "s3:*"}
    del_keys = {"Principal", "Resource", "Action"}

    def found(change: dict[str, Any]) -> tuple[Pair, ...]:
        replaced = next(iter(change)).removeprefix("Not")
        statement = {
            "Effect": "Allow",
            "Action": "dynamodb:GetItem",
            "Resource": f"{ARN}orders",
            **change,
        }
        if replaced in del_keys:
            statement.pop(replaced, None)
        document = load_policy(
            {"version": 1, "default": "deny", "statement": [statement]}, environ={}
        )
        return policy_subjects(
            document, identities=["etl", "web"], tables=["orders", "customers"]
        ).pairs

    assert found(not_principal) == (Pair("web", "orders"),)
    assert found(not_resource) == (Pair("etl", "customers"), Pair("web", "customers"))
    assert found(not_action) == (Pair("etl", "orders"), Pair("web", "orders"))


@pytest.mark.parametrize("resource", ["*", "arn:aws:dynamodb:*:*:*", f"{ARN}*"])
def test_every_table_is_every_table_that_is_known(resource: str) -> None:
    """Those of `[tables]`; without any, a note."""
    schema = {"orders": {"key": ["pk"]}}

    known = policy_subjects(policy({"Resource": resource}, tables=schema), identities=["etl"])
    unknown = policy_subjects(policy({"Resource": resource}), identities=["etl"])

    assert known.pairs == (Pair("etl", "orders"),)
    assert unknown.pairs == ()
    assert "--table" in unknown.notes[0]


def test_everyone_and_an_account_name_no_one() -> None:
    """Beside the names that are known."""
    document = policy(principal("*"), principal("123456789012"))

    assert policy_subjects(document, identities=["web"]).pairs == (Pair("web", "orders"),)


def test_options_leave_only_what_they_name() -> None:
    """Both kinds at once."""
    subjects = subjects_of(
        [Pair("a", "x"), Pair("a", "y"), Pair("b", "x")], identities=["c"], tables=["z"]
    )

    only = subjects.only(["a"], ["x"])

    assert (only.pairs, only.identities, only.tables) == ((Pair("a", "x"),), ("a",), ("x",))
    assert subjects.only([], []) == subjects


def test_subjects_of_several_sources_are_put_together() -> None:
    """The first runbook counts."""
    pair = Pair("a", "x")
    first = subjects_of(
        [pair], runbook_by_pair={pair: "one"}, indexes_by_table={"x": ["i"]}, notes=["n"]
    )
    second = subjects_of(
        [pair], runbook_by_pair={pair: "two"}, indexes_by_table={"x": ["j", "i"]}, notes=["n"]
    )

    both = merged(first, second)

    assert both.runbook_by_pair == {pair: "one"}
    assert both.indexes_by_table == {"x": ("i", "j")}
    assert both.notes == ("n",)
    assert merged() == Subjects()
