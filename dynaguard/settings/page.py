"""The table of the settings page, written from the table of settings."""

from __future__ import annotations

from dynaguard.settings.table import SETTINGS, Setting


def settings_markdown() -> str:
    """The table of the settings page."""
    head = (
        "| setting | environment variable | takes | default | in `[settings]` | meaning |\n"
        "|---|---|---|---|---|---|\n"
    )
    return head + "".join(
        f"| `{row.name}` | `{row.env}` | {_values_markdown(row)} | {_default_markdown(row)} "
        f"| {'yes' if row.is_in_document else 'no'} | {row.doc} |\n"
        for row in SETTINGS
    )


def _values_markdown(setting: Setting) -> str:
    """What a setting takes: its choices, or its kind."""
    return ", ".join(f"`{choice}`" for choice in setting.choices) or setting.kind.value


def _default_markdown(setting: Setting) -> str:
    """A default for readers."""
    if isinstance(setting.default, bool):
        return "`on`" if setting.default else "`off`"
    return "none" if setting.default is None else f"`{setting.default}`"
