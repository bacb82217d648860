"""What arguments, environment and document say together, as a value; and the key of masks."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, NamedTuple

from dynaguard.errors import ConfigurationError
from dynaguard.settings import Mode, ResolvedSettings, Settings
from dynaguard.values import dataclass

if TYPE_CHECKING:
    from dynaguard.access.table_calls import MakeTableCalls
    from dynaguard.aws.dynamodb.schemas import Describe
    from dynaguard.call import CredentialFacts
    from dynaguard.identity.lookup import Caller
    from dynaguard.policy.model import PolicyDocument

    LookUpCaller = Callable[[CredentialFacts, bool], Caller | None]
    """Gives the caller for credentials; whether to ask for the age of their key, too."""


@dataclass(frozen=True, slots=True)
class Configuration:
    """What arguments, environment and document say together.

    Attributes:
        resolved: The settings in force and where each came from.
        document: The policy document, or None.
    """

    resolved: ResolvedSettings
    document: PolicyDocument | None

    @property
    def is_off(self) -> bool:
        """Whether nothing is to be guarded at all."""
        return self.resolved.settings.disabled or self.resolved.settings.mode is Mode.OFF


class Surrounding(NamedTuple):
    """What rooms are built with besides settings and document; see `build_guard`."""

    environ: Mapping[str, str]
    lookup: LookUpCaller | None
    describe: Describe | None
    table_calls: MakeTableCalls | None
    time_ns: Callable[[], int]
    monotonic: Callable[[], float]


def mask_key(settings: Settings) -> bytes | None:
    """The key of masks and cursors. Reads the key file, if one is named.

    Raises:
        ConfigurationError: The file cannot be read, or holds fewer than 16 bytes.
    """
    if settings.mask_key is not None:
        return settings.mask_key.encode()
    if settings.mask_key_file is None:
        return None
    try:
        key = settings.mask_key_file.read_bytes().strip()
    except OSError as err:
        raise ConfigurationError(
            f"`mask_key_file` `{settings.mask_key_file}` cannot be read ({err.strerror})"
        ) from err
    if len(key) < 16:
        raise ConfigurationError(
            f"`mask_key_file` `{settings.mask_key_file}` holds {len(key)} bytes, it must hold at "
            "least 16"
        )
    return key
