"""Who gets masks: `unless` and `only`, with identities known in part."""

from __future__ import annotations

from dataclasses import replace

import pytest

from dynaguard.call import UNKNOWN_ACCOUNT, UNKNOWN_PRINCIPAL, Principal, StatementRef
from dynaguard.masking.audience import is_masked_for, is_trusted_by
from dynaguard.policy.model import MaskStatement, PrincipalPattern

ROLE = "arn:aws:iam::111122223333:role/support"
LEAD = Principal(
    arns=(ROLE,), arns_complete=True, account_id="111122223333", groups=frozenset({"leads"})
)
OTHER = replace(
    LEAD, arns=("arn:aws:iam::444455556666:role/x",), groups=frozenset(), account_id="444455556666"
)
PARTLY_KNOWN = replace(OTHER, arns_complete=False)
HALF_AN_ARN = replace(OTHER, arns=(f"arn:aws:iam::{UNKNOWN_ACCOUNT}:role/x",))

GROUP = PrincipalPattern("group", "leads")
ARN = PrincipalPattern("arn", "arn:aws:iam::*:role/supp*")
ACCOUNT = PrincipalPattern("account", "111122223333")
ANYBODY = PrincipalPattern("arn", "*")

CASES = [
    # pattern, principal, does `unless` mask, does `only` mask
    (GROUP, LEAD, False, True),
    (GROUP, OTHER, True, False),
    (GROUP, PARTLY_KNOWN, True, True),
    (GROUP, UNKNOWN_PRINCIPAL, True, True),
    (GROUP, HALF_AN_ARN, True, True),
    (ARN, LEAD, False, True),
    (ARN, replace(LEAD, arns_complete=False), False, True),
    (ARN, OTHER, True, False),
    (ARN, PARTLY_KNOWN, True, True),
    (ARN, UNKNOWN_PRINCIPAL, True, True),
    (ARN, HALF_AN_ARN, True, True),
    (ACCOUNT, LEAD, False, True),
    (ACCOUNT, OTHER, True, False),
    (ACCOUNT, UNKNOWN_PRINCIPAL, True, True),
    (ANYBODY, UNKNOWN_PRINCIPAL, False, True),
]


@pytest.mark.parametrize(("pattern", "principal", "unless_masks", "only_masks"), CASES)
def test_what_is_not_known_never_shows_a_value(
    pattern: PrincipalPattern, principal: Principal, unless_masks: bool, only_masks: bool
) -> None:
    """masks unless a match is certain; spares `only` strangers when a mismatch is certain."""
    mask = MaskStatement(StatementRef("m"), ("*",), (("a",),))

    assert is_masked_for(replace(mask, unless=(pattern,)), principal) is unless_masks
    assert is_masked_for(replace(mask, only=(pattern,)), principal) is only_masks


@pytest.mark.parametrize(
    ("unless", "only", "masks"),
    [
        (None, None, True),
        ((), None, True),
        (None, (), False),
        ((ACCOUNT, GROUP), None, False),
        ((GROUP,), (ANYBODY,), False),
        ((ACCOUNT,), (GROUP,), False),
    ],
)
def test_lists_and_their_combination(
    unless: tuple[PrincipalPattern, ...] | None,
    only: tuple[PrincipalPattern, ...] | None,
    masks: bool,
) -> None:
    """needs one entry of a list, and both lists to agree that it masks."""
    statement = MaskStatement(StatementRef("m"), ("*",), (("a",),), unless=unless, only=only)

    assert is_masked_for(statement, LEAD) is masks


@pytest.mark.parametrize(("pattern", "signer", "unless_masks", "only_masks"), CASES)
@pytest.mark.parametrize("groups", [set(), {"leads"}, {"others"}])
def test_who_acts_sees_no_more_than_the_signer(
    pattern: PrincipalPattern,
    signer: Principal,
    unless_masks: bool,
    only_masks: bool,
    groups: set[str],
) -> None:
    """A mask of the signer's holds whatever is claimed; one for who acts comes on top."""
    mask = MaskStatement(StatementRef("m"), ("*",), (("a",),))
    acting = replace(signer, acting_name="bot", groups=signer.groups | groups, signer=signer)

    assert is_masked_for(replace(mask, unless=(pattern,)), acting) is unless_masks
    assert is_masked_for(replace(mask, only=(pattern,)), acting) is (
        only_masks or (pattern is GROUP and "leads" in groups)
    )
    trusts = replace(mask, unseal=(pattern,))
    assert is_trusted_by(trusts, acting) is is_trusted_by(trusts, signer)
