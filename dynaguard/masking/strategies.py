"""How one value becomes a token: redact, tokenize, hash, partial, or a way of the program's own.

INVARIANT: every token begins with `MARKER`, and masking a token again gives the same token (one
of a `custom:` strategy becomes the `redact` token).
"""

from __future__ import annotations

import hmac
import re
from collections.abc import Callable, Sequence
from typing import Final

from dynaguard.errors import ConfigurationError
from dynaguard.masking.marker import MARKER
from dynaguard.masking.registry import ShowPart, registered_strategy
from dynaguard.masking.tokens import Kind, Tokenizer
from dynaguard.policy.mask_section import CUSTOM
from dynaguard.policy.model import MaskStatement
from dynaguard.values import dataclass

REDACTED: Final = MARKER + "redacted"
"""The token that tells nothing; also the stand-in for a value that is not understood."""

_HASHED: Final = MARKER + "hmac:"
_HIDDEN: Final = MARKER + "***"
_FIRST: Final = MARKER[0]
_HEX_DIGITS: Final = 32  # 128 bits: no two of 2**60 values are likely to share a token
# Possessive, so that nothing is tried twice.
_DOMAIN: Final = r"@(?:[A-Za-z0-9-]++\.)++[A-Za-z]{2,}+"
# A local part with `:` or `/` is more likely the credentials of a URL than an address.
_EMAIL: Final = re.compile(rf"[^@\s:/]++({_DOMAIN})")
_KEPT_DOMAIN: Final = re.compile(_DOMAIN)
_HASH_DIGITS: Final = re.compile(rf"[0-9a-f]{{{_HEX_DIGITS}}}")


@dataclass(frozen=True, slots=True)
class Strategy:
    """How values become tokens.

    Attributes:
        name: As in the policy, for counts.
        strictness: Orders strategies; the smallest is the strictest.
        mask_text: Token of a string.
        mask_number: Token of a number's decimal text.
        mask_bytes: Token of a binary value.
        mask_set: The one token of a number set (texts) or binary set.
        token: The token of every value, where it is always the same; else None.
    """

    name: str
    strictness: tuple[int, int]
    mask_text: Callable[[str], str]
    mask_number: Callable[[str], str]
    mask_bytes: Callable[[bytes], str]
    mask_set: Callable[[Sequence[str | bytes]], str]
    token: str | None = None


def strategy_of(statement: MaskStatement, key: bytes | None) -> Strategy:
    """The strategy that a `[[mask]]` entry asks for.

    Raises:
        ConfigurationError: It needs a key and there is none; or it names a strategy that nobody
            has registered.
        MissingExtraError: It tokenizes and `cryptography` is not installed.
    """
    if statement.strategy == "hash":
        return _hash_strategy(_required_key(statement, key))
    if statement.strategy == "tokenize":
        return _tokenize_strategy(Tokenizer(_required_key(statement, key)), statement.ref.sid)
    if statement.strategy == "partial":
        return _partial_strategy(max(0, statement.keep))
    if statement.strategy.startswith(CUSTOM):
        return _custom_strategy(statement)
    return REDACT


def _required_key(statement: MaskStatement, key: bytes | None) -> bytes:
    """The key, or the error that says where to give it."""
    if key:
        return key
    raise ConfigurationError(
        f"mask {statement.ref} is a `{statement.strategy}` mask and there is no key for it, set "
        "`DYNAGUARD_MASK_KEY` or `DYNAGUARD_MASK_KEY_FILE`"
    )


def _redact(_: object) -> str:
    """The same token for everything."""
    return REDACTED


REDACT: Final = Strategy("redact", (0, 0), _redact, _redact, _redact, _redact, REDACTED)


def _tokenize_strategy(tokenizer: Tokenizer, mask: str) -> Strategy:
    """Tokens that hold the value, for holders of the key; see `tokens.py`."""

    def mask_as(kind: Kind, text: str) -> str:
        if text == REDACTED or tokenizer.read(text) is not None:
            return text
        return tokenizer.make(kind, (text,), mask=mask)

    def mask_set(elements: Sequence[str | bytes]) -> str:
        is_text = isinstance(elements[0], str) if elements else True
        return tokenizer.make("NS" if is_text else "BS", elements, mask=mask)

    return Strategy(
        "tokenize",
        (1, 0),
        mask_text=lambda text: mask_as("S", text),
        mask_number=lambda text: mask_as("N", text),
        mask_bytes=lambda data: tokenizer.make("B", (data,), mask=mask),
        mask_set=mask_set,
    )


def _is_opaque_token(text: str) -> bool:
    """Whether a text is a `redact` or a `hash` token already."""
    return text == REDACTED or (
        text.startswith(_HASHED) and _HASH_DIGITS.fullmatch(text, len(_HASHED)) is not None
    )


def _to_bytes(text: str) -> bytes:
    """UTF-8; JSON can carry half of a surrogate pair, which plain UTF-8 refuses."""
    return text.encode("utf-8", "surrogatepass")


def _hash_strategy(key: bytes) -> Strategy:
    """HMAC-SHA256 under `key`, its first 128 bits in hexadecimal. Source: RFC 2104, FIPS 180-4."""
    keyed = hmac.new(key, digestmod="sha256")  # a copy costs less than keying each time

    def mask_bytes(data: bytes) -> str:
        digest = keyed.copy()
        digest.update(data)
        return _HASHED + digest.hexdigest()[:_HEX_DIGITS]

    def mask_text(text: str) -> str:
        return text if _is_opaque_token(text) else mask_bytes(_to_bytes(text))

    def mask_set(elements: Sequence[str | bytes]) -> str:
        encoded = sorted(_to_bytes(e) if isinstance(e, str) else bytes(e) for e in elements)
        # Lengths in front keep {"1", "23"} apart from {"12", "3"}.
        return mask_bytes(b"".join(b"%d:%b" % (len(data), data) for data in encoded))

    return Strategy("hash", (2, 0), mask_text, mask_text, mask_bytes, mask_set)


def _partial_strategy(keep: int) -> Strategy:
    """Keeps the last `keep` characters, never more than half; an e-mail address its domain."""

    def is_partial_token(text: str) -> bool:
        # More than this strategy would have kept is no token of it: masked like any other value.
        tail_length = len(text) - len(_HIDDEN)
        return text.startswith(_HIDDEN) and (
            tail_length <= keep or _KEPT_DOMAIN.fullmatch(text, len(_HIDDEN)) is not None
        )

    match_email = _EMAIL.fullmatch

    def mask_text(text: str) -> str:
        if text[:1] == _FIRST and (_is_opaque_token(text) or is_partial_token(text)):
            return text
        if "@" in text and (email := match_email(text)):
            return _HIDDEN + email[1]
        length = len(text)
        return _HIDDEN + text[length - (keep if 2 * keep <= length else length // 2) :]

    return Strategy("partial", (3, keep), mask_text, mask_text, _redact, _redact)


def _custom_strategy(statement: MaskStatement) -> Strategy:
    """What the program registered: gets a text, gives what may be shown of it.

    It may show anything, so it is the least strict. Where it fails, or gives no text, the value
    is redacted: an error of it must not show what it was given.
    """
    name = statement.strategy.removeprefix(CUSTOM)
    show: ShowPart = registered_strategy(name, statement.ref)

    def mask_text(text: str) -> str:
        if text.startswith(MARKER):
            return REDACTED
        try:
            shown: object = show(text)
        except Exception:  # noqa: BLE001 - its message may hold the value: withheld, not told
            return REDACTED
        return f"{MARKER}{name}:{shown}" if isinstance(shown, str) else REDACTED

    return Strategy(statement.strategy, (4, 0), mask_text, mask_text, _redact, _redact)
