"""Whether a line of JSON is what readers take it for."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any


def shape_problem(record: Mapping[str, Any]) -> str | None:
    """Why a record of version 2 or later is none, or None; by what readers rely on alone."""
    writer = record.get("writer")
    if not isinstance(writer, dict) or not _is_place(writer):
        return "no place in a chain"
    if not isinstance(record.get("time"), str):
        return "no time"
    phase = record.get("phase")
    if phase == "checkpoint":
        stated = record.get("checkpoint")
        is_whole = isinstance(stated, dict) and {"is_final", "key_id", "signature"} <= set(stated)
        return None if is_whole else "no checkpoint"
    if phase == "access":
        change = record.get("change")
        is_whole = isinstance(change, dict) and {"kind", "id", "by"} <= set(change)
        return None if is_whole else "no change of access"
    is_record = (
        phase in ("intent", "outcome")
        and isinstance(record.get("identity"), dict)
        and isinstance(record.get("tables"), list)
        and isinstance(record.get("outcome"), dict) == (phase == "outcome")
    )
    return None if is_record else "no audit record"


def _is_place(writer: Mapping[str, Any]) -> bool:
    """Whether a `writer` states a place."""
    previous, attempted = writer.get("previous_sha256"), writer.get("attempted_sha256")
    return (
        isinstance(writer.get("id"), str)
        and _is_count(writer.get("sequence"), least=1)
        and _is_count(writer.get("lost"), least=0)
        and (previous is None or isinstance(previous, str))
        and isinstance(attempted, list)
        and all(isinstance(each, str) for each in attempted)
    )


def _is_count(value: object, *, least: int) -> bool:
    return type(value) is int and value >= least
