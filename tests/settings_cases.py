"""What tests of settings share: the settings, or the problems, of what is given."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest

from dynaguard.errors import ConfigurationError
from dynaguard.settings import ResolvedSettings, resolve_settings

KEY = "not-for-anybody-to-see"


def resolve(
    arguments: Mapping[str, object] | None = None,
    environ: Mapping[str, str] | None = None,
    document: Mapping[str, object] | None = None,
    source: str = "conf/policy.toml",
    lines: Mapping[str, int] | None = None,
) -> ResolvedSettings:
    """The settings from what a test gives."""
    return resolve_settings(
        arguments or {},
        environ or {},
        document or {},
        document_source=source,
        line_by_name=lines or {},
    )


def problems(*args: Any, **kwargs: Any) -> list[str]:
    """The lines of the error that a test provokes."""
    with pytest.raises(ConfigurationError) as caught:
        resolve(*args, **kwargs)
    text: str = caught.value.args[0]
    return text.splitlines()
