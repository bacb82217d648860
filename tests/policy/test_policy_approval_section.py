"""What a document says of approvals and of the runbooks that it trusts, and each fault in it."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dynaguard.errors import PolicySyntaxError
from dynaguard.policy.durations import duration_text, parse_duration
from dynaguard.policy.loading import load_policy
from dynaguard.policy.model import ApprovalTerms, PolicyDocument, RunbookPin, Threshold

ASKING = {"Sid": "Asks", "Effect": "RequireApproval", "Action": "s3:DeleteObject", "Resource": "*"}
GROUPS = {"managers": ["arn:aws:iam::*:role/manager"], "security": ["arn:aws:iam::*:role/sec"]}
HASH = "0123456789abcdef" * 4


def loaded(**more: Any) -> PolicyDocument:
    """A document with groups."""
    return load_policy({"version": 1, "default": "deny", "groups": GROUPS, **more}, environ={})


def asking(approval: Any) -> ApprovalTerms | None:
    """The terms of a statement with that `Approval`."""
    return loaded(statement=[{**ASKING, "Approval": approval}]).statements[0].approval


def faults(**more: Any) -> list[str]:
    """Each problem of a document: its path and message."""
    with pytest.raises(PolicySyntaxError) as caught:
        loaded(**more)
    return [f"{each.path}: {each.message}" for each in caught.value.problems]


def test_the_terms_may_be_left_out() -> None:
    """Then one other person approves one call, for a quarter of an hour."""
    (statement,) = loaded(statement=[ASKING]).statements

    assert statement.effect == "RequireApproval"
    assert statement.approval == ApprovalTerms(1, (), (), None, 3600.0, 900.0, 1)


def test_other_effects_have_no_terms() -> None:
    """An Allow asks nobody."""
    (statement,) = loaded(statement=[{**ASKING, "Effect": "Allow"}]).statements

    assert statement.approval is None


def test_every_term_is_read() -> None:
    """Groups, numbers, both forms of durations."""
    terms = asking(
        {
            "quorum": 2,
            "any_of": ["managers", "security"],
            "all_of": "security",
            "timeout": "2h",
            "duration_s": 90.5,
            "uses": 10,
            "threshold": {
                "window": "1h",
                "calls": 20,
                "items": 100,
                "read_units": 5,
                "write_units": 0.5,
            },
        }
    )

    assert terms == ApprovalTerms(
        2,
        ("managers", "security"),
        ("security",),
        Threshold(3600.0, 20, 100, 5.0, 0.5),
        7200.0,
        90.5,
        10,
    )


def test_uses_may_be_any_number() -> None:
    """An approval for as many calls as fit into its time."""
    terms = asking({"uses": "any"})

    assert terms is not None
    assert terms.uses is None


@pytest.mark.parametrize(
    ("approval", "told"),
    [
        ("managers", "Approval: must be a table, this is text"),
        ({"quorums": 2}, "Approval.quorums: unknown key `quorums`, did you mean `quorum`?"),
        ({"quorum": 0}, "Approval.quorum: must be a whole number from 1 to 20"),
        ({"quorum": True}, "Approval.quorum: must be a whole number from 1 to 20"),
        ({"quorum": 21}, "Approval.quorum: must be a whole number from 1 to 20"),
        ({"any_of": "manager"}, "unknown group `manager`, did you mean `managers`?"),
        ({"all_of": ["board"]}, "unknown group `board`, list it in `[groups]`"),
        ({"uses": "all"}, 'Approval.uses: must be a whole number, or `"any"`'),
        ({"uses": 0}, "Approval.uses: must be a whole number from 1 to 1000000"),
        ({"timeout": "1h", "timeout_s": 5}, "timeout: stands beside `timeout_s`, keep one"),
        ({"timeout": "soon"}, 'timeout: must be a duration such as `"90s"`'),
        ({"timeout": 900}, "for seconds write `timeout_s`"),
        ({"timeout": "8d"}, "Approval.timeout: must be 1 to 604800 seconds"),
        ({"duration_s": "15m"}, 'must be seconds, this is text; or write `duration = "15m"`'),
        ({"duration_s": float("nan")}, "duration_s: must be 1 to 86400 seconds"),
        ({"duration_s": 10**400}, "duration_s: must be 1 to 86400 seconds"),
        ({"duration": "25h"}, "duration: must be 1 to 86400 seconds"),
        ({"threshold": 5}, "Approval.threshold: must be a table, this is a number"),
        ({"threshold": {"calls": 5}}, "threshold: `window` is missing"),
        ({"threshold": {"window": "1h"}}, "threshold: limits nothing, write `calls`, `items`"),
        ({"threshold": {"window": "2d", "calls": 1}}, "window: must be 1 to 86400 seconds"),
        ({"threshold": {"window": "1h", "calls": 1.5}}, "calls: must be a whole number from 1"),
        ({"threshold": {"window": "1h", "write_units": 0}}, "write_units: must be a number, more"),
        ({"threshold": {"window": "1h", "read_units": True}}, "read_units: must be a number"),
        ({"threshold": {"window": "1h", "call": 1}}, "did you mean `calls`?"),
    ],
    ids=str,
)
def test_each_fault_of_the_terms_is_told(approval: Any, told: str) -> None:
    """With its place, and the nearest name where it is a slip."""
    found = faults(statement=[{**ASKING, "Approval": approval}])

    assert any(told in each for each in found), found


def test_all_faults_are_told_at_once() -> None:
    """Each with its own place."""
    found = faults(statement=[{**ASKING, "Approval": {"quorum": 0, "uses": 0, "any_of": "x"}}])

    assert len(found) == 3


def test_terms_of_another_effect_are_a_fault() -> None:
    """Who writes them means `RequireApproval`."""
    (found,) = faults(statement=[{**ASKING, "Effect": "Allow", "Approval": {}}])

    assert found == (
        "statement[0].Approval: is for Effect `RequireApproval`, this is `Allow`; change it or "
        "remove this"
    )


def test_an_iam_policy_has_two_effects() -> None:
    """AWS refuses any other, and a file that is pasted back there must stay one."""
    with pytest.raises(PolicySyntaxError) as caught:
        load_policy({"Version": "2012-10-17", "Statement": [ASKING]}, environ={})

    (problem,) = caught.value.problems
    assert problem.message.startswith("an IAM policy knows `Allow` and `Deny` alone")


# --- runbooks ------------------------------------------------------------------------------------


def test_pins_name_a_content_hash() -> None:
    """Who may run it and whose approval that needs are read too."""
    document = loaded(
        runbooks={
            "bare": {"sha256": HASH.upper()},
            "full": {
                "sha256": HASH,
                "may_run": {"Group": "managers"},
                "approval": {"quorum": 2, "any_of": "security", "duration": "1h"},
            },
        }
    )

    assert document.runbooks["bare"] == RunbookPin("bare", HASH)
    full = document.runbooks["full"]
    assert [each.value for each in full.principals or ()] == ["managers"]
    assert full.approval == ApprovalTerms(quorum=2, any_of=("security",), duration_s=3600.0)


@pytest.mark.parametrize(
    ("name", "pin", "told"),
    [
        ("a", {}, "runbooks.a: `sha256` is missing, `dynaguard runbook hash` prints it"),
        ("a", {"sha256": "abc"}, "sha256: is `abc`, it must be 64 hexadecimal digits"),
        ("a", {"sha256": f"{HASH}\n"}, "it must be 64 hexadecimal digits"),
        ("a", {"sha256": 5}, "sha256: is a number, it must be 64 hexadecimal digits"),
        ("a", {"sha": HASH}, "unknown key `sha`"),
        ("a", "hash", "runbooks.a: must be a table, this is text"),
        ("a" * 300, {"sha256": HASH}, "a runbook has 1 to"),
        ("a\n", {"sha256": HASH}, "a runbook has 1 to"),
        ("a", {"sha256": HASH, "may_run": {"Group": "manager"}}, "did you mean `managers`?"),
        ("a", {"sha256": HASH, "approval": {"any_of": "x"}}, "unknown group `x`"),
        ("a", {"sha256": HASH, "approval": {"uses": 2}}, "a run is approved as a whole"),
        (
            "a",
            {"sha256": HASH, "approval": {"threshold": {"window": "1h", "calls": 2}}},
            "`threshold` is for calls, a run is approved as a whole",
        ),
    ],
)
def test_each_fault_of_a_pin_is_told(name: str, pin: Any, told: str) -> None:
    """A hash that is not whole pins nothing."""
    found = faults(runbooks={name: pin})

    assert any(told in each for each in found), found


# --- standing access -----------------------------------------------------------------------------

ALLOW = {"Sid": "Reads", "Effect": "Allow", "Action": "dynamodb:GetItem", "Resource": "*"}


def of_run(**condition: Any) -> dict[str, Any]:
    """An Allow under a condition on the runbook."""
    return {
        **ALLOW,
        "Condition": {name: {"dynaguard:Runbook": v} for name, v in condition.items()},
    }


def without_standing(*statements: Any, **more: Any) -> dict[str, Any]:
    """A document that says `standing_access = "none"`."""
    return {"standing_access": "none", "govern": ["*"], "statement": [*statements], **more}


@pytest.mark.parametrize(
    "statement",
    [
        of_run(StringEquals="cleanup"),
        of_run(StringLike=["cleanup-*", "*"]),
        of_run(StringEqualsIgnoreCase="cleanup"),
        of_run(Null=False),
        of_run(**{"ForAnyValue:StringEquals": "cleanup"}),
        {**ALLOW, "Condition": {"StringEquals": {"DYNAGUARD:RUNBOOK": "cleanup"}}},
        {**ALLOW, "Effect": "Deny"},
        {**ALLOW, "Effect": "RequireApproval"},
        {**ALLOW, "Mode": "observe"},
    ],
    ids=str,
)
def test_what_gives_no_standing_access_is_taken(statement: Any) -> None:
    """Allows of runbooks, what needs an approval, what denies, what is left out of the verdict."""
    document = loaded(**without_standing(statement))

    assert not document.has_standing_access


@pytest.mark.parametrize(
    "statement",
    [
        ALLOW,
        of_run(StringEqualsIfExists="cleanup"),
        of_run(StringNotEquals="cleanup"),
        of_run(StringNotLike="cleanup"),
        of_run(Null=True),
        of_run(Null=[True, False]),
        of_run(NumericEquals=1),
        of_run(**{"ForAllValues:StringEquals": "cleanup"}),
        {**ALLOW, "Condition": {"StringEquals": {"dynaguard:Job": "cleanup"}}},
    ],
    ids=str,
)
def test_an_allow_outside_of_runbooks_is_refused(statement: Any) -> None:
    """Conditions that hold for an absent key demand no run."""
    (found,) = faults(**without_standing(statement))

    assert "statement `Reads` gives standing access" in found
    assert '`standing_access = "none"` rules out' in found
    assert "`RequireApproval`" in found


def test_a_default_that_allows_is_standing_access() -> None:
    """As is a service that nothing decides about."""
    data = without_standing(default="allow")
    del data["govern"]

    default, govern = faults(**data)

    assert default.startswith("default: is `allow`")
    assert "needs `govern`" in govern


def test_a_context_that_names_a_runbook_is_standing_access() -> None:
    """Every call would be one of a run; other keys may be known."""
    context = {"aws:PrincipalTag/team": "etl", "dynaguard:runbook": "cleanup"}

    (found,) = faults(**without_standing(context=context))

    assert found.startswith("context.dynaguard:runbook: would make every call one of a run")


def test_included_policies_count(tmp_path: Any) -> None:
    """With the place of each statement in its own file."""
    (tmp_path / "iam.json").write_text(
        '{"Version": "2012-10-17", "Statement": [\n{"Sid": "Old", "Effect": "Allow", '
        '"Action": "s3:GetObject", "Resource": "*"}]}'
    )
    path = tmp_path / "policy.toml"
    path.write_text(
        'version = 1\ndefault = "deny"\nstanding_access = "none"\ngovern = ["*"]\n'
        'policies = ["iam.json"]\n'
    )

    with pytest.raises(PolicySyntaxError) as caught:
        load_policy(path, environ={})

    (problem,) = caught.value.problems
    assert (problem.source, problem.path) == ("iam.json", "Old")


def test_standing_access_is_the_default() -> None:
    """It may be written, too; another word is a fault."""
    assert loaded().has_standing_access
    assert loaded(standing_access="allowed").has_standing_access
    assert "it must be one of `none`, `allowed`" in faults(standing_access="no")[0]


# --- durations -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("90s", 90.0),
        ("15m", 900.0),
        ("1h", 3600.0),
        ("2d", 172_800.0),
        ("1d2h3m4s", 93_784.0),
        ("0s", 0.0),
        ("", None),
        ("15", None),
        ("15 m", None),
        ("1m1h", None),
        ("1.5h", None),
        ("-1h", None),
        ("1h\n", None),
        ("9999999s", None),
        ("\u0661h", None),
    ],
)
def test_durations_are_read(text: str, seconds: float | None) -> None:
    """Days, hours, minutes, seconds, in that order."""
    assert parse_duration(text) == seconds


def test_fractions_are_written_in_seconds() -> None:
    """For messages."""
    assert (duration_text(0), duration_text(0.5), duration_text(60.25)) == (
        "0s",
        "0.5s",
        "1m0.25s",
    )


@given(st.integers(min_value=0, max_value=10**8))
def test_what_is_written_is_read_again(seconds: int) -> None:
    """Whole seconds."""
    assert parse_duration(duration_text(seconds)) == seconds
