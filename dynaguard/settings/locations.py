"""Where grants and tickets are kept, as the text of a setting says it."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Final, Literal
from urllib.parse import parse_qsl, urlsplit

from dynaguard.errors import nearest
from dynaguard.values import dataclass

_SUFFIXES: Final = (".sqlite", ".sqlite3", ".db")
_SIGNED_SUFFIX: Final = ".json"
_SCHEME: Final = "dynamodb"
_TABLE: Final = re.compile(r"[A-Za-z0-9_.-]{3,255}")
_REGION: Final = re.compile(r"[a-z]{2}(-[a-z]+)+-[0-9]{1,2}")
_OPTIONS: Final = ("region", "endpoint_url")
_FORMS: Final = "`dynamodb://TABLE`, or a path that ends in `.sqlite`, `.db` or (signed) `.json`"


@dataclass(frozen=True, slots=True)
class StoreLocation:
    """Where a store is.

    Attributes:
        kind: What it is.
        text: As it was given; how messages name the store.
        path: The file of `sqlite` and `signed`.
        table: The table of `dynamodb`.
        region: Its region; None: as the process has it.
        endpoint_url: Where its service answers; None: AWS.
    """

    kind: Literal["sqlite", "signed", "dynamodb"]
    text: str
    path: str = ""
    table: str = ""
    region: str | None = None
    endpoint_url: str | None = None


def read_store_location(text: str) -> StoreLocation:
    """The location that a text names.

    Raises:
        ValueError: It names none; the message says which forms there are.
    """
    if not text or not text.isprintable():
        raise ValueError(f"{_FORMS} is needed, not {'unprintable' if text else 'empty'} text")
    scheme, separator, _ = text.partition("://")
    if separator:
        return _read_url(text, scheme)
    suffix = Path(text).suffix.lower()
    if suffix in _SUFFIXES:
        return StoreLocation("sqlite", text, path=text)
    if suffix == _SIGNED_SUFFIX:
        return StoreLocation("signed", text, path=text)
    guess = nearest(suffix, (*_SUFFIXES, _SIGNED_SUFFIX)) if len(suffix) > 1 else None
    raise ValueError(_wrong(text, f"{text.removesuffix(suffix)}{guess}" if guess else None))


def is_store_path(text: str) -> bool:
    """Whether a location is a file."""
    return "://" not in text


def _read_url(text: str, scheme: str) -> StoreLocation:
    """The table that a URL names."""
    shown = re.sub(r"//[^/]*@", "//", text)  # without a password, which does not belong there
    if scheme != _SCHEME:
        guess = nearest(scheme, (_SCHEME,))
        raise ValueError(_wrong(shown, f"{guess}{shown[len(scheme) :]}" if guess else None))
    parts = urlsplit(text)
    if not _TABLE.fullmatch(parts.netloc) or parts.path.strip("/") or parts.fragment:
        raise ValueError(
            f"`{shown}` names no table, `dynamodb://TABLE` with 3 to 255 letters, digits, `_`, "
            "`-` or `.` is needed"
        )
    options = dict(parse_qsl(parts.query, keep_blank_values=True))
    _check_options(options, shown)
    return StoreLocation("dynamodb", text, table=parts.netloc, **options)


def _check_options(options: Mapping[str, str], shown: str) -> None:
    """Refuses what follows a table's name and is not understood."""
    for name in options:
        if name not in _OPTIONS:
            guess = nearest(name, _OPTIONS)
            listed = "it must be `region` or `endpoint_url`"
            hint = f"did you mean `{guess}`?" if guess else listed
            raise ValueError(f"`{name}` in `{shown}` is unknown, {hint}")
    region, endpoint_url = (options.get(name) for name in _OPTIONS)
    if region is not None and not _REGION.fullmatch(region):
        raise ValueError(f"`{region}` in `{shown}` is no region, such as `eu-west-1`")
    if endpoint_url is None:
        return
    if not endpoint_url.startswith(("https://", "http://")):
        raise ValueError(f"`endpoint_url` in `{shown}` must begin with `https://` or `http://`")
    if "@" in urlsplit(endpoint_url).netloc:
        raise ValueError("`endpoint_url` may hold no password, credentials come from the process")


def _wrong(text: str, guess: str | None) -> str:
    """That a text is no location, and which one was probably meant."""
    hint = f"did you mean `{guess}`?" if guess else f"it must be {_FORMS}"
    return f"`{text}` is no access store, {hint}"
