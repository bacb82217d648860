"""Who is who: sessions, made-up session names, unknown parts."""

from __future__ import annotations

import pytest

from dynaguard.access.persons import Person, is_known, is_same_person, person_of
from dynaguard.call import UNKNOWN_RUN, Principal
from dynaguard.identity.arns import sso_session

ROLE = "arn:aws:iam::111122223333:role/team/etl"
SESSION = "arn:aws:sts::111122223333:assumed-role/etl/"


@pytest.mark.parametrize(
    ("arn", "kept"),
    [
        (ROLE, "arn:aws:iam::111122223333:role/etl"),
        (f"{SESSION}botocore-session-1700000000", "arn:aws:iam::111122223333:role/etl"),
        (f"{SESSION}ann@example.com", f"{SESSION}ann@example.com"),
        (f"{SESSION}{UNKNOWN_RUN}", None),
        ("arn:aws:iam::111122223333:user/ann", "arn:aws:iam::111122223333:user/ann"),
        (None, None),
    ],
)
def test_a_person_is_the_same_from_process_to_process(arn: str | None, kept: str | None) -> None:
    """Without what botocore makes up anew each time, and without what is not known."""
    assert person_of(Principal("etl", arn=arn)).arn == kept


def test_who_acts_is_kept_beside_who_signs() -> None:
    """An agent of ann's is not ann."""
    person = person_of(Principal("etl", arn=ROLE, acting_name="triage", account_id="1"))

    assert person.acting_as == "triage"
    assert str(person) == "agent `triage` for etl"


@pytest.mark.parametrize(
    ("asker", "decider"),
    [
        ("arn:aws:iam::111122223333:user/ann", f"{SESSION.replace('etl', 'lead')}ann"),
        ("arn:aws:iam::111122223333:user/team/ann", f"{SESSION.replace('etl', 'lead')}Ann"),
        (ROLE.replace("team/", ""), f"{SESSION}ann"),
        (f"{SESSION}ann", f"{SESSION.replace('etl', 'lead')}ann"),
    ],
)
def test_a_label_that_a_process_gives_itself_makes_nobody_else_of_it(
    asker: str, decider: str
) -> None:
    """The setting `identity` is a name of one's own choice; the ARN stays."""
    person, other = Person("build-17", asker), Person("lead", decider)

    assert is_same_person(person, other)
    assert is_same_person(other, person)
    assert not is_same_person(person, Person("lead", "arn:aws:iam::111122223333:user/ida"))


@pytest.mark.parametrize(
    ("one", "other", "is_same"),
    [
        (f"{SESSION}ann", f"{SESSION}bob", False),
        (f"{SESSION}ann", f"{SESSION}Ann", True),
        (f"{SESSION}ann", f"{SESSION.replace('etl', 'lead')}ann", True),
        (f"{SESSION}ann", "arn:aws:iam::111122223333:user/ann", True),
        (f"{SESSION}ann", "arn:aws:iam::111122223333:role/etl", True),
        (f"{SESSION}ann", "arn:aws:iam::111122223333:role/lead", False),
        ("arn:aws:iam::111122223333:role/etl", "arn:aws:iam::444455556666:role/etl", True),
        ("arn:aws:iam::111122223333:user/ann", "arn:aws:iam::444455556666:user/ann", True),
        ("arn:aws:iam::111122223333:user/ann", "arn:aws:iam::111122223333:user/bob", False),
        (None, f"{SESSION}x", True),
        (None, "arn:aws:iam::111122223333:user/bob", False),
        (None, "arn:aws:iam::111122223333:user/etl", True),
    ],
)
def test_in_doubt_two_are_one(one: str | None, other: str | None, is_same: bool) -> None:
    """Both ways round; a name that is not known refuses, never allows."""
    first, second = (
        Person(arn.rpartition("/")[2] if arn and ":sts:" not in arn else "etl", arn)
        for arn in (one, other)
    )

    assert is_same_person(first, second) is is_same
    assert is_same_person(second, first) is is_same


@pytest.mark.parametrize(
    ("arn", "source", "known"),
    [
        (None, "none", False),
        (None, "key_id", False),
        (None, "explicit", True),
        (None, "environment", True),
        (ROLE, "key_id", True),
        (f"{SESSION}{UNKNOWN_RUN}", "provider", False),
        (sso_session("Devs", "111122223333").arn, "provider", False),
        (sso_session("Devs", "111122223333").arn, "explicit", False),
    ],
)
def test_a_key_alone_is_nobody(arn: str | None, source: str, known: bool) -> None:
    """What cannot be told from others can neither ask nor decide."""
    assert is_known(Principal("x", arn=arn, source=source)) is known


@pytest.mark.parametrize(
    ("person", "grantee"),
    [
        (Person("etl", "arn:aws:iam::1:role/etl"), "arn:aws:sts::1:assumed-role/etl/*"),
        (Person("etl", f"{SESSION}ann"), f"{SESSION}ann"),
        (Person("nightly"), "nightly"),
    ],
)
def test_a_grant_names_whom_it_is_for(person: Person, grantee: str) -> None:
    """Whatever path the role has: its sessions' ARNs have none."""
    assert person.grantee == grantee
