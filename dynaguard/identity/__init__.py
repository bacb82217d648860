"""Who calls: from what a credential provider and the environment tell, to a `Principal`.

Offline first: nothing here reads a file, the environment or the network. The one function that
asks AWS is given from outside, on opt-in.

Left out on purpose: the account that an access key id encodes. Its form is not documented by AWS
and older keys do not follow it, so nothing may be decided by it.
"""

from __future__ import annotations

from dynaguard.identity.resolver import IdentityResolver

__all__ = ["IdentityResolver"]
