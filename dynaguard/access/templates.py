"""Operation templates: which parameters the calls of a runbook may have, down to each value.

Statements of IAM name actions, resources and a few keys; a template names the whole request. What
is bound when a run begins is compared as it is; what only shows while it runs (an item of a loop)
is compared by its type.

**Shape** of the text: a list of
`{"step": name, "service": ..., "operation": ..., "region": text or null, "params": {...},
"free": [names], "max_limit": number or null, "salt": text}`. Within `params` a mapping with one
key that begins with a single `$` stands for something else:

- `{"$any": TYPE}`: any value of a type, see `_TYPES`;
- `{"$sha256": [DIGEST, ...]}`: one of the values with these digests. Values of parameters are
  written so: a boundary travels in environment variables, where they do not belong;
- `{"$pbkdf2": [DIGEST, ...]}`: the same for secrets, which may be short: to try one takes a tenth
  of a second;
- `{"$bytes": BASE64}`: bytes.

Names of the request itself that begin with `$` have one more. Members in `free` may have any value
or be missing: tokens of pages, and what botocore adds. `Limit` may be less than the template has,
and at most `max_limit` where the template has none.

INVARIANT: a mismatch names parameters, never their values.
"""

from __future__ import annotations

import base64
import hashlib
import json
from collections.abc import Callable, Mapping
from datetime import date
from decimal import Decimal
from functools import lru_cache
from io import BytesIO
from typing import TYPE_CHECKING, Any, Final

from dynaguard.access.canonical import canonical_json

if TYPE_CHECKING:
    from dynaguard.call import Call

ANY: Final = "$any"
DIGESTS: Final = "$sha256"
SLOW_DIGESTS: Final = "$pbkdf2"
SLOW_ROUNDS: Final = 200_000
"""Of PBKDF2, for what is short enough to be guessed: a tenth of a second."""
BYTES: Final = "$bytes"
LIMIT: Final = "Limit"
_DIGEST_LENGTH: Final = 32
_FREE: Final = frozenset({"ReturnConsumedCapacity", "ReturnItemCollectionMetrics"})
"""Members that change nothing but what the answer tells of its cost."""
_SETS: Final = frozenset({"SS", "NS", "BS"})
_ATTRIBUTE_TYPES: Final = frozenset("S N B BOOL NULL SS NS BS L M".split())
_KEY_TYPES: Final = frozenset("SNB")
_EVERYWHERE: Final = frozenset(
    f"{partition}-global" for partition in ("aws", "aws-cn", "aws-us-gov", "aws-iso", "aws-iso-b")
)
"""What botocore names for services that have one endpoint for all regions, such as IAM."""
_BINARY: Final = (bytes, bytearray, memoryview)


def digest_of(value: Any, salt: str) -> str:
    """What stands for a value that does not travel: 32 hexadecimal characters.

    Args:
        value: As it stands in the parameters of a call.
        salt: Keeps equal values of different runs apart.
    """
    text = f"{salt}\n{canonical_json(_comparable(value))}"
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()[:_DIGEST_LENGTH]


def slow_digest_of(value: Any, salt: str) -> str:
    """As `digest_of`, for a secret: whoever reads it cannot try many values.

    Cost: a tenth of a second for each value that was not asked for lately.
    """
    return _slowed(digest_of(value, salt), salt)


@lru_cache(maxsize=256)
def _slowed(digest: str, salt: str) -> str:
    """A digest that takes long to have."""
    made = hashlib.pbkdf2_hmac("sha256", digest.encode(), salt.encode(), SLOW_ROUNDS)
    return made.hex()[:_DIGEST_LENGTH]


def literal(value: Any) -> Any:
    """A value of a request as a template has it: JSON's own types, names escaped.

    Raises:
        TypeError: No request has such a value.
    """
    if isinstance(value, Mapping):
        return {_escaped(name): literal(each) for name, each in value.items()}
    if isinstance(value, list | tuple):
        return [literal(each) for each in value]
    if isinstance(value, _BINARY):
        return {BYTES: _base64(value)}
    if value is None or isinstance(value, str | bool | int | float):
        return value
    raise TypeError(f"no request holds a value of type {type(value).__name__}")


def _base64(value: Any) -> str:
    """Bytes as text."""
    return base64.b64encode(bytes(value)).decode("ascii")


def _escaped(name: str) -> str:
    """A name of the request as a template has it."""
    return f"${name}" if name.startswith("$") else name


class Templates:
    """The templates of a boundary, ready to hold calls against. Immutable.

    Args:
        text: JSON, of the shape that the module's docstring gives.
    """

    __slots__ = ("_by_operation",)

    def __init__(self, text: str) -> None:
        self._by_operation: dict[tuple[str, str], list[_Template]] = {}
        for data in json.loads(text):
            place = data["service"], data["operation"]
            self._by_operation.setdefault(place, []).append(_Template(data))

    def mismatch(self, call: Call) -> str | None:
        """Why no template allows a call, in one clause; None where one does.

        Cost: one walk over the parameters for each template of the operation.
        """
        templates = self._by_operation.get((call.service, call.operation))
        if templates is None:
            return f"no step of it calls `{call.operation}`"
        nearest: tuple[int, str] | None = None
        for template in templates:
            found = template.difference(call)
            if found is None:
                return None
            if nearest is None or found[0] > nearest[0]:
                nearest = found
        return nearest[1] if nearest else None


class _Template:
    """One template."""

    __slots__ = ("_free", "_max_limit", "_operation", "_params", "_region", "_salt", "_step")

    def __init__(self, data: Mapping[str, Any]) -> None:
        self._step: str = data["step"]
        self._operation: str = data["operation"]
        self._region: str | None = data.get("region")
        self._params: Mapping[str, Any] = data["params"]
        self._free = _FREE | set(data.get("free", ()))
        self._max_limit: int | None = data.get("max_limit")
        self._salt: str = data.get("salt", "")

    def difference(self, call: Call) -> tuple[int, str] | None:
        """How many parameters are as wanted, and the first that is not; None where all are."""
        is_elsewhere = self._region is not None and call.region != self._region
        if is_elsewhere and call.region not in _EVERYWHERE:
            return 0, f"step `{self._step}` calls another region"
        params: object = call.params  # of any shape until botocore has refused it
        if not isinstance(params, Mapping):
            return 0, f"the parameters of `{call.operation}` are no mapping"
        names = (*self._params, *(name for name in params if name not in self._params))
        for at, name in enumerate(names):
            if name not in self._free and not self._is_as_wanted(name, params):
                what = f"`{name}` of `{self._operation}` is not as step `{self._step}` has it"
                return at, what
        return None

    def _is_as_wanted(self, name: str, params: Mapping[Any, Any]) -> bool:
        """Whether one parameter is as the template has it."""
        if name == LIMIT and name in params and self._max_limit is not None:
            limit = params[name]
            return type(limit) is int and 0 < limit <= self._max_limit
        if name not in self._params or name not in params:
            return False
        return _is_same(self._params[name], _unwrapped(params[name]), self._salt)


def _unwrapped(value: Any) -> Any:
    """The bytes of a body, where botocore made a stream of them; anything else as it is."""
    if type(value) is BytesIO and value.tell() == 0:
        return value.getvalue()
    return value


def _is_same(wanted: Any, value: Any, salt: str) -> bool:
    """Whether a value is what a template has in its place."""
    if isinstance(wanted, Mapping):
        stands_for = _stands_for(wanted)
        if stands_for is not None:
            return stands_for(wanted, value, salt)
        return (
            isinstance(value, Mapping)
            and len(wanted) == len(value)
            and all(
                isinstance(name, str)
                and _escaped(name) in wanted
                and _is_same_member(name, wanted[_escaped(name)], each, salt)
                for name, each in value.items()
            )
        )
    if isinstance(wanted, list):
        return (
            isinstance(value, list | tuple)
            and len(wanted) == len(value)
            and all(_is_same(*pair, salt) for pair in zip(wanted, value, strict=True))
        )
    return _is_same_scalar(wanted, value)


def _is_same_member(name: str, wanted: Any, value: Any, salt: str) -> bool:
    """As `_is_same`; the elements of a set have no order."""
    if name in _SETS and isinstance(wanted, list) and isinstance(value, _SEQUENCES):
        wanted = sorted(wanted, key=canonical_json)
        value = sorted(value, key=canonical_json)
    return _is_same(wanted, value, salt)


_SEQUENCES: Final = (list, tuple, set, frozenset)


def _is_same_scalar(wanted: Any, value: Any) -> bool:
    """Text as text, booleans as booleans; a number may be an int, a float or a Decimal."""
    if isinstance(wanted, bool) or isinstance(value, bool):
        return wanted is value
    if isinstance(wanted, int | float):
        return isinstance(value, int | float | Decimal) and value == wanted
    if wanted is None:
        return value is None
    return isinstance(value, str) and value == wanted


def _stands_for(wanted: Mapping[str, Any]) -> Callable[[Mapping[str, Any], Any, str], bool] | None:
    """What compares a mapping that stands for something else."""
    return _READERS.get(next(iter(wanted))) if len(wanted) == 1 else None


def _is_any(wanted: Mapping[str, Any], value: Any, _salt: str) -> bool:
    """Any value of a type; the type may be `list:` and the type of each element."""
    return _has_type(wanted[ANY], value)


def _has_type(kind: str, value: Any) -> bool:
    """Whether a value is of a type."""
    head, colon, inner = kind.partition(":")
    if colon:
        return isinstance(value, _SEQUENCES) and all(_has_type(inner, each) for each in value)
    if head in ("key", "attribute"):
        types = _KEY_TYPES if head == "key" else _ATTRIBUTE_TYPES
        return isinstance(value, Mapping) and len(value) == 1 and next(iter(value)) in types
    if isinstance(value, bool):
        return head in ("boolean", "any")
    return isinstance(value, _TYPES[head])


_TYPES: Final[Mapping[str, tuple[type, ...]]] = {
    "string": (str,),
    "numeral": (str,),
    "integer": (int,),
    "number": (int, float, Decimal),
    "binary": _BINARY,
    "blob": (*_BINARY, str),
    "boolean": (bool,),
    "timestamp": (str, int, float, date),
    "list": (list, tuple),
    "map": (Mapping,),
    "any": (object,),
}


def _is_digested(wanted: Mapping[str, Any], value: Any, salt: str) -> bool:
    """One of the values with these digests."""
    try:
        return digest_of(value, salt) in wanted[DIGESTS]
    except (ArithmeticError, TypeError, ValueError):
        return False


def _is_slowly_digested(wanted: Mapping[str, Any], value: Any, salt: str) -> bool:
    """One of the secrets with these digests."""
    try:
        return slow_digest_of(value, salt) in wanted[SLOW_DIGESTS]
    except (ArithmeticError, TypeError, ValueError):
        return False


def _is_bytes(wanted: Mapping[str, Any], value: Any, _salt: str) -> bool:
    """These bytes."""
    return isinstance(value, _BINARY) and _base64(value) == wanted[BYTES]


_READERS: Final[Mapping[str, Callable[[Mapping[str, Any], Any, str], bool]]] = {
    ANY: _is_any,
    DIGESTS: _is_digested,
    SLOW_DIGESTS: _is_slowly_digested,
    BYTES: _is_bytes,
}


def _comparable(value: Any) -> Any:
    """A value in the one form of all that mean the same on the wire."""
    if isinstance(value, Mapping):
        return {
            name: sorted(each, key=canonical_json)
            if name in _SETS and isinstance(each, _SEQUENCES)
            else _comparable(each)
            for name, each in value.items()
        }
    if isinstance(value, list | tuple):
        return [_comparable(each) for each in value]
    if isinstance(value, int | float | Decimal) and not isinstance(value, bool):
        return {"$number": str(Decimal(str(value)).normalize())}
    return value
