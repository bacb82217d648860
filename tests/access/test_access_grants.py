"""A grant is made of checked terms, and whatever does not read as one in every part is none."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from typing import Any

import pytest

from dynaguard.access.grants import Grant, from_record, make_grant
from dynaguard.access.ids import new_id
from dynaguard.access.store import StoredRecord
from dynaguard.access.terms import MAX_DURATION_S, GrantTerms
from dynaguard.errors import AccessStoreError, ConfigurationError, PolicySyntaxError

NOW_S = 1_800_000_000.0
ORDERS = "arn:aws:dynamodb:eu-west-1:111122223333:table/orders"
READ = {"Effect": "Allow", "Action": "dynamodb:GetItem", "Resource": ORDERS}
TERMS = GrantTerms(
    statements=json.dumps([READ]),
    identity="arn:aws:iam::111122223333:role/etl",
    reason="INC-4711",
    duration_s=900.0,
)


def _make(terms: GrantTerms = TERMS, **options: Any) -> Grant:
    return make_grant(terms, owner="ada", now_epoch_s=NOW_S, **options)


def _problems(**changes: Any) -> dict[str, str]:
    with pytest.raises(PolicySyntaxError) as caught:
        _make(replace(TERMS, **changes))
    return {problem.path: problem.message for problem in caught.value.problems}


def test_a_grant_begins_when_it_is_made_and_ends_by_itself() -> None:
    """Without a beginning of its own."""
    grant = _make()

    assert (grant.not_before_epoch_s, grant.expires_epoch_s) == (NOW_S, NOW_S + 900)
    assert (grant.owner, grant.reason, grant.uses_left) == ("ada", "INC-4711", None)


def test_a_beginning_in_the_past_is_now() -> None:
    """Who writes `not_before` a moment ago gets the whole duration, no more."""
    grant = _make(replace(TERMS, begins_epoch_s=NOW_S - 500))

    assert (grant.not_before_epoch_s, grant.expires_epoch_s) == (NOW_S, NOW_S + 900)


def test_a_grant_comes_back_from_its_document() -> None:
    """Every part of it, and its statements with its id as source."""
    grant = _make(replace(TERMS, uses=3, acting_as="agent-7", begins_epoch_s=NOW_S + 60))

    found, statements = from_record(grant.to_record())

    assert found == grant
    assert [each.ref.source for each in statements] == [grant.id]
    assert statements[0].actions == ("dynamodb:GetItem",)


def test_ids_are_long_and_can_be_read_out() -> None:
    """80 random bits, without letters that look like others."""
    assert re.fullmatch(r"grant(-[0-9a-hjkmnp-tv-z]{4}){4}", new_id("grant"))
    assert len({new_id("grant") for _ in range(1000)}) == 1000


def test_without_end_and_reason_nothing_is_granted() -> None:
    """All problems are told at once."""
    found = _problems(duration_s=None, reason=" ", identity="", statements="")

    assert found == {
        "expires": "is missing, a grant without an end is never made",
        "reason": "is missing, say why it is needed",
        "identity": "is missing, say for whom it is",
        "statements": "are missing, say which actions on which resources it opens",
    }


@pytest.mark.parametrize(
    ("changes", "path", "message"),
    [
        ({"duration_s": 0.0}, "expires", "is not after its beginning"),
        ({"duration_s": -5.0}, "expires", "is not after its beginning"),
        (
            {"duration_s": MAX_DURATION_S + 1},
            "expires",
            "is 1d1s after its beginning, a grant lasts 1d at most",
        ),
        (
            {"duration_s": 3601.0, "is_break_glass": True},
            "expires",
            "is 1h1s after its beginning, a break-glass grant lasts 1h at most",
        ),
        (
            {"duration_s": float("nan")},
            "expires",
            "must be a duration or an instant, this is a number",
        ),
        ({"begins_epoch_s": "soon"}, "not_before", "must be an instant"),
        (
            {"begins_epoch_s": NOW_S + 40 * 86_400},
            "not_before",
            "is more than 31 days ahead",
        ),
        ({"reason": "x" * 513}, "reason", "has 513 characters, must be 1 to 512, all printable"),
        (
            {"reason": "two\nlines"},
            "reason",
            "has 9 characters, must be 1 to 512, all printable",
        ),
        ({"uses": 0}, "uses", "must be a count from 1 to 1000000, or be left out"),
        ({"uses": True}, "uses", "must be a count from 1 to 1000000, or be left out"),
        (
            {"identity": "*"},
            "identity",
            (
                "`*` is nobody in particular, write an ARN pattern, `group:NAME` or a label "
                "that the setting `identity` gives"
            ),
        ),
        (
            {"identity": "ec2-instance"},
            "identity",
            (
                "`ec2-instance` is nobody in particular, write an ARN pattern, `group:NAME` or a "
                "label that the setting `identity` gives"
            ),
        ),
        (
            {"identity": "etl-*"},
            "identity",
            "`etl-*` is a label and has no wildcards, write an ARN pattern",
        ),
        (
            {"identity": "arn:aws:iam"},
            "identity",
            "`arn:aws:iam` is no ARN pattern, write for example `arn:aws:iam::*:role/etl-*`",
        ),
        ({"statements": "["}, "statements", "are no JSON"),
        (
            {"statements": "[]"},
            "statements",
            "are empty, say which actions on which resources it opens",
        ),
        ({"acting_as": ""}, "acting_as", "is missing, name who acts"),
        ({"reason": 5}, "reason", "must be text, this is a number"),
        ({"is_break_glass": "no"}, "is_break_glass", "must be a boolean, this is text"),
        (
            {"statements": json.dumps([READ] * 400)},
            "statements",
            "have 47600 characters, at most 32768 will do",
        ),
    ],
)
def test_terms_that_are_refused(changes: dict[str, Any], path: str, message: str) -> None:
    """Each by its path, in words that say what to write instead."""
    assert _problems(**changes) == {path: message}


@pytest.mark.parametrize(
    ("statement", "path", "message"),
    [
        (
            {**READ, "Effect": "Deny"},
            "statements[0].Effect",
            "must be `Allow`, a grant opens and never closes anything",
        ),
        (
            {**READ, "Principal": "*"},
            "statements[0].Principal",
            "has no place in a grant, leave it out, the grant's identity says for whom",
        ),
        (
            {"Effect": "Allow", "NotAction": "dynamodb:Scan", "Resource": ORDERS},
            "statements[0].NotAction",
            "has no place in a grant, write `Action`, a grant names what it opens",
        ),
        (
            {**READ, "Action": "*", "Resource": "*"},
            "statements[0]",
            (
                "opens `*` on `*`, name the actions or the resources; only a break-glass grant "
                "opens everything"
            ),
        ),
        (
            {**READ, "Action": ["dynamodb:GetItem", "dynamodb:*"], "Resource": "*"},
            "statements[0]",
            (
                "opens `dynamodb:*` on `*`, name the actions or the resources; only a break-glass "
                "grant opens everything"
            ),
        ),
        (
            {**READ, "Action": "dynamodb:*", "Resource": "arn:aws:dynamodb:*:*:table/*"},
            "statements[0]",
            "opens `dynamodb:*` on `arn:aws:dynamodb:*:*:table/*`, name the actions or the",
        ),
        (
            {**READ, "Action": "dynamodb:GetItm"},
            "statements",
            (
                "DynamoDB has no action `dynamodb:GetItm`, so this allows nothing: write "
                "`dynamodb:GetItem`"
            ),
        ),
        (
            {**READ, "Condition": {"StringEquals": {"dynaguard:Jop": "x"}}},
            "statements[0].Condition.StringEquals.dynaguard:Jop",
            "unknown condition key `dynaguard:Jop`, did you mean `Job`?",
        ),
        ({**READ, "Acton": "x"}, "statements[0].Acton", "unknown key `Acton`, did you mean "),
    ],
)
def test_statements_that_are_refused(statement: dict[str, Any], path: str, message: str) -> None:
    """As the policy loader finds them, and more strictly."""
    found = _problems(statements=json.dumps([statement]))

    assert list(found) == [path]
    assert found[path].startswith(message)


@pytest.mark.parametrize(
    ("action", "resource"),
    [
        ("dynamodb:*", ORDERS),
        ("dynamodb:*", f"{ORDERS}*"),
        ("dynamodb:Get*", "*"),
        ("s3:*", "arn:aws:s3:::reports/*"),
        ("logs:*", "arn:aws:logs:*:*:log-group:*"),
    ],
)
def test_what_names_its_actions_or_its_resources_may_be_wide(action: str, resource: str) -> None:
    """A whole table, or one kind of read everywhere."""
    allow = {"Effect": "Allow", "Action": action, "Resource": resource}

    assert _make(replace(TERMS, statements=json.dumps([allow])))


def test_break_glass_may_open_everything() -> None:
    """For an hour."""
    everything = json.dumps([{"Effect": "Allow", "Action": "*", "Resource": "*"}])

    grant = _make(replace(TERMS, statements=everything, is_break_glass=True))

    assert grant.ref.is_break_glass


def test_a_grant_has_an_owner() -> None:
    """Somebody answers for it."""
    with pytest.raises(ConfigurationError, match="owner has 0 characters"):
        make_grant(TERMS, owner="", now_epoch_s=NOW_S)


def test_the_first_revocation_stays() -> None:
    """Who takes back what is taken back changes nothing."""
    grant = _make().revoked(by="bob", why="over", now_epoch_s=NOW_S + 1)

    assert grant.revoked(by="eve", why="again", now_epoch_s=NOW_S + 2) is grant
    assert (grant.is_revoked, grant.revoked_by) == (True, "bob")


def _tampered(**changes: Any) -> StoredRecord:
    record = _make(replace(TERMS, uses=2)).to_record()
    body = json.loads(record.body) | changes
    body = {name: value for name, value in body.items() if value is not ...}
    return replace(record, body=json.dumps(body))


@pytest.mark.parametrize(
    "changes",
    [
        {"id": "grant-other"},
        {"format": 2},
        {"expires_epoch_s": NOW_S + 800},
        {"not_before_epoch_s": NOW_S - 90_000},
        {"identity": "*"},
        {"identity": ...},
        {"reason": ""},
        {"reason": ...},
        {"owner": " "},
        {"uses": ...},
        {"uses_left": 3},
        {"uses_left": -1},
        {"uses_left": True},
        {"is_break_glass": 1},
        {"statements": "[]"},
        {"statements": []},
        {"statements": [{**READ, "Effect": "Deny"}]},
        {"statements": [{**READ, "Action": "*", "Resource": "*"}]},
        {"surprise": 1},
    ],
    ids=str,
)
def test_a_changed_document_opens_nothing(changes: dict[str, Any]) -> None:
    """Whichever part of it was touched so that it is no grant that could have been made."""
    with pytest.raises(AccessStoreError, match="is no grant and opens nothing"):
        from_record(_tampered(**changes))


@pytest.mark.parametrize("body", ["", "{", "[]", "null", '"text"', "[" * 100_000])
def test_what_is_no_document_at_all_opens_nothing(body: str) -> None:
    """However broken."""
    with pytest.raises(AccessStoreError, match="is no grant and opens nothing"):
        from_record(replace(_make().to_record(), body=body))


def test_a_grant_that_lasts_longer_than_the_reader_allows_opens_nothing() -> None:
    """The setting of the deciding process counts, not that of who made it."""
    with pytest.raises(AccessStoreError, match="a grant lasts 10m at most"):
        from_record(_make().to_record(), max_duration_s=600.0)
