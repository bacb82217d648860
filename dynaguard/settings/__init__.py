"""Settings: one table of them, and how arguments, environment and document give their values.

Order of precedence: explicit argument > `DYNAGUARD_*` environment > `[settings]` of the policy
document > default. Everything is read once, by `install()`; nothing on the call path reads the
environment, and importing this package reads nothing.
"""

from __future__ import annotations

from dynaguard.settings.reading import is_audit_path
from dynaguard.settings.resolving import (
    FoundPolicy,
    ResolvedSettings,
    find_policy,
    resolve_settings,
)
from dynaguard.settings.table import SETTINGS, Kind, Mode, Setting, Settings

__all__ = [
    "SETTINGS",
    "FoundPolicy",
    "Kind",
    "Mode",
    "ResolvedSettings",
    "Setting",
    "Settings",
    "find_policy",
    "is_audit_path",
    "resolve_settings",
]
