"""Who calls: from what a credential provider and the environment tell, to a `Principal`.

Offline first, and never in a call's way: the environment is given, and read once; of files only a
web identity token is read, when a key is first seen; the one function that asks AWS is given from
outside, on opt-in, and runs in a thread of its own.

Left out on purpose: the account that an access key id encodes. Its form is not documented by AWS
and older keys do not follow it, so nothing may be decided by it.
"""

from __future__ import annotations

from dynaguard.identity.resolver import IdentityResolver

__all__ = ["IdentityResolver"]
