"""The one table of settings: type, default, environment variable and meaning of each.

Order of precedence: explicit argument > `DYNAGUARD_*` environment > `[settings]` of the policy
document > default. Everything is read once, by `install()`; nothing on the call path reads the
environment.
"""

from __future__ import annotations

import enum
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from dynaguard.scope import Priority


class Mode(enum.StrEnum):
    """What a refusal does."""

    ENFORCE = "enforce"
    OBSERVE = "observe"
    OFF = "off"


@dataclass(frozen=True, slots=True)
class Settings:
    """Every setting, resolved. Field names are the arguments of `install()`.

    See `SETTINGS` for the meaning, the environment variable and the accepted values of each.
    """

    policy: Path | None = None
    mode: Mode = Mode.ENFORCE
    on_error: Literal["deny", "allow"] = "deny"
    audit: str = "off"
    audit_mode: Literal["best-effort", "required"] = "best-effort"
    account_id: str | None = None
    identity: str | None = None
    identity_lookup: Literal["off", "sts"] = "off"
    service: str | None = None
    environment: str | None = None
    runbook: str | None = None
    job: str | None = None
    run_id: str | None = None
    stage: str | None = None
    priority: Priority = Priority.INTERACTIVE
    correlation_id: str | None = None
    stamp: bool = True
    mask: bool = True
    mask_key_file: Path | None = None
    budget: bool = True
    disabled: bool = False
