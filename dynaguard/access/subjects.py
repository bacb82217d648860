"""What a ticket is about, as one hash: the same request has one, another has another.

Two spellings of one request agree: order of keys and of sets, numbers that are written
differently, instants in other time zones. Left out is what does not change what the request does:
cursors (an approval of a read is one of all its pages), tokens that botocore makes anew for each
call, and what only has the answer tell of its cost. Who asks is no part of it and is bound beside
it.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable, Mapping
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import urlsplit

from dynaguard.access.canonical import canonical_json, sha256_of

if TYPE_CHECKING:
    from dynaguard.call import Call

_FREE: Final = frozenset(
    {
        # cursors
        *("ExclusiveStartKey", "ExclusiveStartTableName", "ExclusiveStartBackupArn"),
        *("ExclusiveStartShardId", "NextToken", "nextToken", "NextMarker", "Marker", "marker"),
        *("ContinuationToken", "KeyMarker", "VersionIdMarker", "UploadIdMarker", "PageToken"),
        *("PartNumberMarker", "pageToken", "position"),
        # tokens against doing it twice, which botocore makes where nobody gives one
        *("ClientRequestToken", "ClientToken", "clientToken", "clientRequestToken"),
        *("IdempotencyToken", "idempotencyToken"),
        # what the answer tells of its cost
        *("ReturnConsumedCapacity", "ReturnItemCollectionMetrics"),
    }
)
# Names among those that mean something to one service.
# Source: the models of botocore 1.40: the place of a filter of Macie, half of a job's credentials.
_MEANT: Final = frozenset({("macie2", "position"), ("codepipeline", "clientToken")})
_DYNAMODB_HOST: Final = re.compile(
    r"(?:[a-z0-9-]+\.)?(?:streams[.-])?(?:dynamodb|ddb)(?:-fips)?\.(?P<region>[a-z]{2}-[a-z0-9-]+)"
    r"(?:\.vpce)?\.(?:amazonaws\.com|amazonaws\.com\.cn|amazonaws\.eu|api\.aws|c2s\.ic\.gov"
    r"|sc2s\.sgov\.gov|csp\.hci\.ic\.gov|cloud\.adc-e\.uk)"
)
_SETS: Final = frozenset({"SS", "NS", "BS"})
_CHUNK: Final = 1 << 20


class SubjectError(ValueError):
    """The request holds something of which no hash can be made, such as a stream of once."""


def subject_of_call(call: Call, account_id: str | None) -> str:
    """The hash of a call, 64 hexadecimal characters.

    Args:
        call: The call. A stream in it is read and set back to where it stood.
        account_id: The account of who calls, where known.

    Raises:
        SubjectError: It holds a stream that cannot be set back, or a value of an unknown type.
    """
    is_dynamodb = call.service == "dynamodb"
    service = call.service
    params = {
        name: each
        for name, each in call.params.items()
        if name not in _FREE or (service, name) in _MEANT
    }
    try:
        return sha256_of(
            {
                "kind": "call",
                "service": call.service,
                "operation": call.operation,
                "region": call.region,
                "partition": call.partition,
                "account": account_id,
                "host": place_of_call(call),
                "is_presign": call.is_presign,
                "params": _normal(params, is_dynamodb=is_dynamodb),
            }
        )
    except (TypeError, ValueError, OSError, RecursionError) as err:
        raise SubjectError(str(err)) from err


def place_of_call(call: Call) -> str | None:
    """Where a call goes; None for DynamoDB of its region: what was approved elsewhere is not here.

    DynamoDB's own hosts differ for the same account and region (by account, dual-stack, VPC), so
    they are not told apart. All others are: under AWS's domains anybody may have a host, and for
    some services (an API of API Gateway, a search domain) the host alone says what is meant.
    """
    if call.endpoint_url is None:
        return None
    parts = urlsplit(call.endpoint_url)
    if call.service_prefix == "dynamodb" and parts.scheme == "https" and parts.port in (None, 443):
        match = _DYNAMODB_HOST.fullmatch((parts.hostname or "").rstrip("."))
        if match is not None and match["region"] == call.region:
            return None
    return f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}"


def _normal(value: Any, *, is_dynamodb: bool) -> Any:
    """The value in one spelling, for `canonical_json`."""
    if isinstance(value, Mapping):
        return _normal_map(value, is_dynamodb=is_dynamodb)
    if isinstance(value, list | tuple):
        return [_normal(each, is_dynamodb=is_dynamodb) for each in value]
    if isinstance(value, set | frozenset):
        return _sorted(_normal(each, is_dynamodb=is_dynamodb) for each in value)
    return _normal_leaf(value)


def _normal_leaf(value: Any) -> Any:
    """The same of a value that holds no others. Bytes are hashed, so that streams can be, too."""
    if value is None or isinstance(value, bool | str):
        return value
    if isinstance(value, int | float | Decimal):
        return _number(value)
    if isinstance(value, datetime):
        # botocore takes an instant without a zone for local time.
        return value.astimezone(UTC)
    if isinstance(value, date):
        return value
    is_bytes = isinstance(value, bytes | bytearray | memoryview)
    return hashlib.sha256(value).digest() if is_bytes else _stream_digest(value)


def _normal_map(value: Mapping[Any, Any], *, is_dynamodb: bool) -> dict[str, Any]:
    """A mapping; a number or a set of DynamoDB in one spelling."""
    if is_dynamodb and len(value) == 1:
        ((mark, inner),) = value.items()
        if mark in _SETS and isinstance(inner, list | tuple | set | frozenset):
            elements = [_number_text(each) if mark == "NS" else each for each in inner]
            return {mark: _sorted(_normal(each, is_dynamodb=True) for each in elements)}
        if mark == "N" and isinstance(inner, str):
            return {mark: _number_text(inner)}
    return {str(key): _normal(each, is_dynamodb=is_dynamodb) for key, each in value.items()}


def _sorted(values: Iterable[Any]) -> list[Any]:
    """Values of a set, each once, in the order of their texts."""
    by_text = {canonical_json(value): value for value in values}
    return [by_text[text] for text in sorted(by_text)]


def _number_text(value: Any) -> Any:
    """The text of a number of DynamoDB in one spelling; what is none stays as it is."""
    if not isinstance(value, str):
        return value
    try:
        return str(_number(Decimal(value)))
    except ArithmeticError:
        return value


def _number(value: float | Decimal) -> Decimal:
    """A number in its one form: `1`, `1.0` and `1E0` are the same one, to the last digit."""
    exact = Decimal(repr(value)) if isinstance(value, float) else Decimal(value)
    sign, digits, exponent = exact.as_tuple()
    if not isinstance(exponent, int):
        return exact  # an infinity, or no number
    text = "".join(map(str, digits)).lstrip("0")
    kept = text.rstrip("0")
    if not kept:
        return Decimal(0)
    return Decimal((sign, tuple(map(int, kept)), exponent + len(text) - len(kept)))


def _stream_digest(stream: Any) -> bytes:
    """The hash of what a stream still has to give; it stands where it stood afterwards."""
    seek, read = getattr(stream, "seek", None), getattr(stream, "read", None)
    if seek is None or read is None or not getattr(stream, "seekable", lambda: True)():
        kind = type(stream).__name__
        raise SubjectError(f"a value of type {kind} cannot be read twice, give text or bytes")
    start = stream.tell()
    digest = hashlib.sha256()
    while chunk := read(_CHUNK):
        digest.update(chunk.encode() if isinstance(chunk, str) else chunk)
    seek(start)
    return digest.digest()
