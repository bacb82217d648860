"""Starter packs: policies that a document includes by name, `policies = ["pack:no-scans"]`."""

from __future__ import annotations

from itertools import takewhile
from pathlib import Path
from typing import Final

PACK_PREFIX: Final = "pack:"
_FOLDER: Final = Path(__file__).parent


def pack_names() -> tuple[str, ...]:
    """Names of all packs, sorted."""
    return tuple(sorted(path.stem for path in _FOLDER.glob("*.toml")))


def pack_path(name: str) -> Path:
    """The file of a pack; of one that does not exist too."""
    return _FOLDER / f"{name}.toml"


def pack_summary(name: str) -> str:
    """What a pack is for: the comment at its top, as one paragraph."""
    lines = pack_path(name).read_text(encoding="utf-8").splitlines()
    comment = takewhile(lambda line: line.startswith("#"), lines)
    return " ".join(line.removeprefix("#").strip() for line in comment)


def packs_markdown() -> str:
    """Every pack with its summary and its text, for the packs page."""
    parts = []
    for name in pack_names():
        text = pack_path(name).read_text(encoding="utf-8")
        body = text[text.index("\n[") :].strip() if "\n[" in text else text
        parts.append(f"## {name}\n\n{pack_summary(name)}\n\n```toml\n{body}\n```\n")
    return "\n".join(parts)
