"""Members of `[groups]` that are no ARN: claims of a web identity token, and single sign-on facts.

`oidc:repository=acme/orders` names the token's claim and a pattern of its value, with `*` and `?`;
`sso:role=DataEngineer` a fact of IAM Identity Center. The first `=` ends the name, so a value may
hold more of them. Claims within claims are joined with a slash:
`oidc:kubernetes.io/serviceaccount/name=etl-*`.
"""

from __future__ import annotations

from typing import Final

from dynaguard.values import dataclass

OIDC: Final = "oidc:"
SSO: Final = "sso:"
SSO_FACTS: Final = ("sso:role", "sso:account", "sso:person")
"""Permission set, account id, session name (who signed in)."""


@dataclass(frozen=True, slots=True)
class ClaimMember:
    """Whoever has a claim with a value like this.

    Attributes:
        claim: `oidc:sub`, `sso:role` ...
        pattern: What its value looks like, with `*` and `?`; case-sensitive.
    """

    claim: str
    pattern: str


def is_claim(text: str) -> bool:
    """Whether a member means a claim, well formed or not, rather than an ARN."""
    return text.startswith((OIDC, SSO))


def read_claim(text: str) -> ClaimMember | None:
    """The claim that a member names; None where a part is missing or no such fact exists."""
    claim, mark, pattern = text.partition("=")
    if not mark or not pattern or claim == OIDC:
        return None
    if claim.startswith(SSO) and claim not in SSO_FACTS:
        return None
    return ClaimMember(claim, pattern)
