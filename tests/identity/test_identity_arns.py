"""What the ARN of an identity tells, and what it leaves open."""

from __future__ import annotations

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from dynaguard.call import UNKNOWN_RUN, PrincipalKind
from dynaguard.identity.arns import NamedIdentity, read_identity_arn, role_session
from dynaguard.identity.surroundings import read_surroundings

ACCOUNT = "123456789012"


@pytest.mark.parametrize(
    ("arn", "name", "kind", "is_signer"),
    [
        (f"arn:aws:iam::{ACCOUNT}:user/bob", "bob", PrincipalKind.USER, True),
        (f"arn:aws:iam::{ACCOUNT}:user/a/b/bob", "bob", PrincipalKind.USER, True),
        (f"arn:aws:iam::{ACCOUNT}:root", "root", PrincipalKind.ROOT, True),
        (f"arn:aws:sts::{ACCOUNT}:federated-user/eve", "eve", PrincipalKind.UNKNOWN, True),
        (
            f"arn:aws:lambda:eu-west-1:{ACCOUNT}:function:nightly:42",
            "nightly",
            PrincipalKind.LAMBDA,
            False,
        ),
        (f"arn:aws:ecs:eu-west-1:{ACCOUNT}:task/c/4711", "4711", PrincipalKind.UNKNOWN, False),
        (f"arn:aws:ecs:eu-west-1:{ACCOUNT}:task/", "task", PrincipalKind.UNKNOWN, False),
    ],
)
def test_an_arn_names_one_identity(
    arn: str, name: str, kind: PrincipalKind, is_signer: bool
) -> None:
    """Name, kind, account; only IAM's and STS's identities sign."""
    assert read_identity_arn(arn) == NamedIdentity(
        arn, (arn,), name, kind, ACCOUNT, is_signer=is_signer
    )


@pytest.mark.parametrize("partition", ["aws", "aws-cn", "aws-us-gov"])
def test_a_session_and_its_role_are_one_identity(partition: str) -> None:
    """In the session's partition and account."""
    session = f"arn:{partition}:sts::{ACCOUNT}:assumed-role/etl/a@b.example"

    found = read_identity_arn(session)

    assert found == NamedIdentity(
        session,
        (
            session,
            f"arn:{partition}:iam::{ACCOUNT}:role/etl",
            f"arn:{partition}:iam::{ACCOUNT}:role/{UNKNOWN_RUN}etl",
        ),
        "etl",
        PrincipalKind.ASSUMED_ROLE,
        ACCOUNT,
        "a@b.example",
    )


@pytest.mark.parametrize(
    "role_arn",
    [
        f"arn:aws:iam::{ACCOUNT}:role/other",
        "arn:aws:iam::999999999999:role/etl",
        f"arn:aws-cn:iam::{ACCOUNT}:role/etl",
        "etl",
        "",
    ],
)
def test_a_role_that_is_another_does_not_tell_the_path(role_arn: str) -> None:
    """Chained roles: the provider's own role may not be the one that it assumes."""
    session = f"arn:aws:sts::{ACCOUNT}:assumed-role/etl/run"

    assert read_identity_arn(session, role_arn=role_arn) == read_identity_arn(session)


def test_a_role_is_a_session_whose_name_is_open() -> None:
    """The role's ARN is then the most exact one."""
    role = f"arn:aws:iam::{ACCOUNT}:role/team/etl"

    found = read_identity_arn(role)

    assert found == role_session(role, None)
    assert found is not None
    assert (found.arn, found.session_name) == (role, None)
    assert found.arns[0].endswith(f"assumed-role/etl/{UNKNOWN_RUN}")


@pytest.mark.parametrize(
    "arn",
    [
        "",
        "etl",
        "arn:aws:iam::123:role/etl",
        f"arn:aws:iam::{ACCOUNT}:",
        f"arn:aws:iam::{ACCOUNT}:role",
        f"arn:aws:iam::{ACCOUNT}:role/",
        f"arn:aws:iam::{ACCOUNT}:role/team/",
        f"arn:aws:sts::{ACCOUNT}:assumed-role/",
        f"arn:aws:iam::{ACCOUNT}:role/e tl",
        "arn:aws:s3:::bucket",
    ],
)
def test_what_is_no_arn_of_an_identity_tells_nothing(arn: str) -> None:
    """It is a label at best."""
    assert read_identity_arn(arn) is None


@pytest.mark.parametrize(
    "arn",
    [f"arn:aws:iam::{ACCOUNT}:user/etl", f"arn:aws:sts::{ACCOUNT}:role/etl", "etl", "role/etl"],
)
def test_a_session_needs_a_role(arn: str) -> None:
    """Nothing else can be assumed."""
    assert role_session(arn, "run") is None


PIECES = st.sampled_from(
    ["arn", "aws", "iam", "sts", ":", ":", "::", "/", ACCOUNT, "role", "assumed-role", "x", "\n"]
)


@example("arn:aws:iam::123456789012::")
@given(st.lists(PIECES, max_size=14).map("".join))
def test_any_text_is_read_or_is_none(text: str) -> None:
    """What is read has a name, and its own ARN among its ARNs."""
    found = read_identity_arn(text)

    if found is not None:
        assert found.name
        assert found.arn == text
        assert text in found.arns
        assert len(set(found.arns)) == len(found.arns)


@given(st.dictionaries(st.sampled_from(["GITHUB_ACTIONS", "GITHUB_WORKFLOW"]), st.text()))
def test_a_label_fits_one_line_of_a_record(environ: dict[str, str]) -> None:
    """Printable and bounded, whatever a workflow is called."""
    label = read_surroundings(environ).ci_job

    assert label is None or (label.isprintable() and 0 < len(label) <= 256)


@pytest.mark.parametrize(
    ("region", "partition"),
    [
        ("eu-west-1", "aws"),
        ("cn-north-1", "aws-cn"),
        ("us-gov-west-1", "aws-us-gov"),
        ("us-iso-east-1", "aws-iso"),
        ("us-isob-east-1", "aws-iso-b"),
        ("eu-isoe-west-1", "aws-iso-e"),
        ("us-isof-south-1", "aws-iso-f"),
        ("eusc-de-east-1", "aws-eusc"),
    ],
)
def test_a_function_is_in_the_partition_of_its_region(region: str, partition: str) -> None:
    """As botocore's own table has them."""
    around = read_surroundings({"AWS_LAMBDA_FUNCTION_NAME": "f", "AWS_DEFAULT_REGION": region})

    workload = around.workload("env", ACCOUNT)

    assert workload is not None
    assert workload.arns == (f"arn:{partition}:lambda:{region}:{ACCOUNT}:function:f",)
