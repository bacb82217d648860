"""Reads one value of one setting: from an argument, the text of a variable, or a document.

INVARIANT: no message shows a secret. Of other values a message shows only what was to be a choice
or a switch; else it tells the kind or the length.
"""

from __future__ import annotations

import math
import os
import re
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Final

from dynaguard.errors import nearest
from dynaguard.scope import MAX_NAME_LENGTH, sanitise_correlation_id
from dynaguard.settings.table import MIN_BYTES, MIN_MASK_KEY_LENGTH, Kind, Setting

_MAX_SHOWN_LENGTH: Final = 40
_SWITCH_BY_TEXT: Final = {
    **dict.fromkeys(("1", "true", "yes", "on"), True),
    **dict.fromkeys(("0", "false", "no", "off"), False),
}
_REDIS_SCHEMES: Final = ("redis://", "rediss://", "unix://")
_AUDIT_WORDS: Final = ("stdout", "off")
_REMOTE_AUDIT: Final = re.compile(
    r"s3://[a-z0-9][a-z0-9.-]{1,61}[a-z0-9](/[!-~]*)?|firehose://[A-Za-z0-9_.-]{1,64}"
)
_KINDS: Final[tuple[tuple[type | tuple[type, ...], str], ...]] = (
    (type(None), "nothing"),
    (bool, "true or false"),
    ((int, float), "a number"),
    (bytes, "bytes"),
    (Mapping, "a table"),
    (Sequence, "a list"),
)
_ACCOUNT_ID: Final = re.compile(r"[0-9]{12}")
_IDENTITY_ARN: Final = re.compile(r"arn:[a-z-]+:[a-z0-9-]+:[a-z0-9-]*:[0-9]{12}:[!-)+->@-~]+")
_MAX_ARN_LENGTH: Final = 2048


class Misfit(ValueError):
    """A value that does not fit; the text says what is wrong, without its place."""


def read_value(setting: Setting, value: object) -> object:
    """The value of a setting, checked; from an argument or a document.

    Raises:
        Misfit: It does not fit the setting's kind.
    """
    if setting.kind is Kind.CHOICE:
        return _read_choice(setting, value)
    return _READER_BY_KIND[setting.kind](value)


def read_variable(setting: Setting, text: str) -> object:
    """The value of a setting from the text of a variable; white space around it does not count.

    Raises:
        Misfit: It does not fit the setting's kind, or is empty. An empty variable is mostly one
            that another failed to fill; to take it as not set would drop a guard unseen.
    """
    text = text.strip()
    if not text:
        raise Misfit("empty, unset it or give it a value")
    if setting.kind is not Kind.SWITCH:
        return read_value(setting, text)
    value = _SWITCH_BY_TEXT.get(text.casefold())
    if value is None:
        raise Misfit(f"`{_shown(text)}` is no switch, it must be `on` or `off`")
    return value


def read_document_value(setting: Setting, value: object, folder: Path | None) -> object:
    """The value of a setting from a document in `folder`.

    Raises:
        Misfit: It does not fit the setting's kind, or documents may not give it.
    """
    if not setting.is_in_document:
        raise Misfit(f"may not stand in a document, set {setting.env}")
    if value is False and "off" in (*setting.choices, setting.default):
        value = "off"  # YAML 1.1 reads a bare `off` as false
    found = read_value(setting, value)
    if setting.kind is Kind.AUDIT and folder is not None and is_audit_path(str(found)):
        slash = "/" if str(found).endswith("/") else ""
        return f"{folder / str(found)}{slash}"
    return found if folder is None else _within(folder, setting, found)


def _within(folder: Path, setting: Setting, found: object) -> object:
    """A value with its relative path beginning at a document's folder."""
    if setting.kind is Kind.ACCESS_STORE and isinstance(found, str):
        from dynaguard.settings.locations import is_store_path

        return str(folder / found) if is_store_path(found) else found
    return folder / found if isinstance(found, Path) else found


def read_path(value: object) -> Path:
    """A path, relative ones as they are.

    Raises:
        Misfit: It is none, or empty.
    """
    return Path(_read_path_text(value))


def _read_choice(setting: Setting, value: object) -> object:
    """A choice as `Settings` keeps it; case does not count."""
    listed = _listed(setting.choices)
    text = _text_of(value, f"one of {listed}")
    for choice in setting.choices:
        if choice == text.casefold():
            return choice
    guess = nearest(text, setting.choices)
    hint = f", did you mean `{guess}`?" if guess else ""
    raise Misfit(f"`{_shown(text)}` is unknown, it must be one of {listed}{hint}")


def _read_switch(value: object) -> bool:
    """A boolean; text is refused, since every text counts as true somewhere."""
    if not isinstance(value, bool):
        raise Misfit(f"true or false is needed, not {_kind_of(value)}")
    return value


def _read_text(value: object) -> str:
    """Text that fits a record: not empty, bounded, printable."""
    text = _text_of(value, "text")
    if not 0 < len(text) <= MAX_NAME_LENGTH or not text.isprintable():
        raise Misfit(
            f"1 to {MAX_NAME_LENGTH} printable characters are needed, not {_kind_of(text)}"
            + ("" if text.isprintable() else ", some of which do not print")
        )
    return text


def _read_correlation_id(value: object) -> str:
    """An id as `correlation()` would keep it."""
    return sanitise_correlation_id(_read_text(value))


def _read_account_id(value: object) -> str:
    """An account id. A number is refused: its leading zeros are gone."""
    if isinstance(value, int) and not isinstance(value, bool):
        raise Misfit("twelve digits are needed as text, not a number, put it in quotes")
    text = _text_of(value, "text of twelve digits")
    if not _ACCOUNT_ID.fullmatch(text):
        raise Misfit(f"twelve digits are needed, not {_kind_of(text)}")
    return text


def _read_identity(value: object) -> str:
    """A label, or one exact ARN with its account; a role's path may be long."""
    if not isinstance(value, str) or not value.startswith("arn:"):
        return _read_text(value)
    text = value
    if len(text) > _MAX_ARN_LENGTH or not _IDENTITY_ARN.fullmatch(text):
        raise Misfit(
            f"`{_shown(text)}` is no ARN of one identity, such as "
            "`arn:aws:iam::123456789012:role/etl`"
        )
    return text


def _read_path_text(value: object) -> str:
    """A path as text."""
    path = os.fspath(value) if isinstance(value, os.PathLike) else value
    text = _text_of(path, "a path")
    if not text or not text.isprintable():
        raise Misfit(f"a path is needed, not {'unprintable' if text else 'empty'} text")
    return text


def _read_audit(value: object) -> str:
    """`stdout`, `off`, a remote target or a path."""
    text = _read_path_text(value)
    if "://" in text and not _REMOTE_AUDIT.fullmatch(text):
        raise Misfit("`s3://BUCKET/PREFIX`, `firehose://STREAM` or a path is needed")
    return text.casefold() if text.casefold() in _AUDIT_WORDS else text


def is_audit_path(target: str) -> bool:
    """Whether an audit target is a file or folder."""
    return target not in _AUDIT_WORDS and "://" not in target


def _read_secret(value: object) -> str:
    """A secret; what is wrong with it is told by its length alone."""
    text = _text_of(value, "text")
    if len(text) < MIN_MASK_KEY_LENGTH:
        raise Misfit(f"at least {MIN_MASK_KEY_LENGTH} characters are needed, not {len(text)}")
    return text


def _read_coordinator(value: object) -> object:
    """A URL of Redis, which may hold a password, or something that answers errands."""
    if callable(getattr(value, "ask", None)):
        return value
    text = _text_of(value, "a `redis://` URL or a `Coordinator`")
    if not text.startswith(_REDIS_SCHEMES) or not text.isprintable():
        raise Misfit(f"a URL that begins with {_listed(_REDIS_SCHEMES)} is needed")
    return text


def _read_access_store(value: object) -> object:
    """A location, or something that keeps records."""
    if callable(getattr(value, "change_token", None)):
        return value
    from dynaguard.settings.locations import read_store_location  # few processes have a store

    text = _read_path_text(value)
    try:
        read_store_location(text)
    except ValueError as err:
        raise Misfit(str(err)) from None
    return text


def _read_scope(value: object) -> object:
    """A scope that a parent process handed on."""
    from dynaguard.settings.carried import Unreadable, read_scope_text  # few processes get one

    try:
        return read_scope_text(_text_of(value, "a scope"))
    except Unreadable as err:
        raise Misfit(f"the scope cannot be read: {err}") from None


def _read_seconds(value: object) -> float:
    """A number of seconds; the text of a variable counts as one."""
    if isinstance(value, bool):
        raise Misfit("a number of seconds is needed, not true or false")
    try:
        seconds = float(value)  # type: ignore[arg-type]  # what is no number raises
    except (TypeError, ValueError):
        raise Misfit(f"a number of seconds is needed, not {_kind_of(value)}") from None
    if not 0 < seconds < math.inf:
        raise Misfit("a number of seconds greater than 0 is needed")
    return seconds


def _read_bytes(value: object) -> int:
    """A size in bytes; the text of a variable counts as one."""
    text = str(value) if isinstance(value, str | int) and not isinstance(value, bool) else ""
    if not text.isdecimal() or int(text) < MIN_BYTES:
        raise Misfit(f"a whole number of bytes is needed, at least {MIN_BYTES}")
    return int(text)


def _text_of(value: object, needed: str) -> str:
    """The value, if it is text."""
    if not isinstance(value, str):
        raise Misfit(f"{needed} is needed, not {_kind_of(value)}")
    return value


def _kind_of(value: object) -> str:
    """What sort of value it is, without the value."""
    if isinstance(value, str):
        return f"text of {len(value)} characters"
    for types, kind in _KINDS:
        if isinstance(value, types):
            return kind
    return f"a `{type(value).__name__}`"


def _shown(text: str) -> str:
    """Text of a user for a message: one line, bounded."""
    line = "".join(char if char.isprintable() else "?" for char in text)
    return line if len(line) <= _MAX_SHOWN_LENGTH else f"{line[:_MAX_SHOWN_LENGTH]}..."


def _listed(choices: tuple[str, ...]) -> str:
    """The choices for a message."""
    return ", ".join(f"`{choice}`" for choice in choices)


_READER_BY_KIND: Final[Mapping[Kind, Callable[[object], object]]] = {
    Kind.SCOPE: _read_scope,
    Kind.SWITCH: _read_switch,
    Kind.TEXT: _read_text,
    Kind.CORRELATION_ID: _read_correlation_id,
    Kind.ACCOUNT_ID: _read_account_id,
    Kind.IDENTITY: _read_identity,
    Kind.PATH: read_path,
    Kind.AUDIT: _read_audit,
    Kind.SECONDS: _read_seconds,
    Kind.BYTES: _read_bytes,
    Kind.ACCESS_STORE: _read_access_store,
    Kind.COORDINATOR: _read_coordinator,
    Kind.SECRET: _read_secret,
}
