"""The grants that commands show beside a policy."""

from __future__ import annotations

import os
import time
from pathlib import Path
from typing import TYPE_CHECKING

from dynaguard.assembly import read_configuration

if TYPE_CHECKING:
    from dynaguard.access.grants import Grant


def held_grants(policy: str | None) -> tuple[Grant, ...]:
    """The grants of the store that the settings name; none where they name none.

    Raises:
        AccessStoreError: The store cannot be read.
    """
    configuration = read_configuration(
        policy, {}, environ=os.environ, working_directory=Path.cwd()
    )
    if configuration.resolved.settings.access_store is None:
        return ()
    from dynaguard.access.granting import list_grants  # only with a store
    from dynaguard.hooks.granting import opened_store

    with opened_store(None, policy) as (store, _):
        return list_grants(store, now_epoch_s=time.time()).grants
