"""What went wrong with the table of an access store, in words that say what to do."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from dynaguard.errors import AccessStoreError

if TYPE_CHECKING:
    from dynaguard.access.store import StoredRecord

_THROTTLED: Final = (
    "ProvisionedThroughputExceededException",
    "RequestLimitExceeded",
    "ThrottlingException",
)
_UNANSWERING: Final = (
    "InternalFailure",
    "InternalServerError",
    "ServiceUnavailable",
    "Unanswered",
    "Unreachable",
)
TRANSIENT: Final = frozenset((*_THROTTLED, *_UNANSWERING))
"""Codes after which another attempt may help."""
_WHY_BY_CODE: Final = {
    **dict.fromkeys(
        _THROTTLED, "the table is throttled, try again, or set it to on-demand capacity"
    ),
    **dict.fromkeys(_UNANSWERING, "DynamoDB does not answer, check network, region and endpoint"),
    "ResourceNotFoundException": "there is no such table in this account and region, make it "
    "with `dynaguard access init`",
    "ValidationException": "the table has other keys, or a record is longer than 400 KB; make a "
    "table with `dynaguard access init`",
    "ParamValidationError": "a record holds what DynamoDB does not take",
    "AccessDeniedException": "IAM does not allow it, see the permissions on the page on access "
    "stores",
    "NoCredentials": "the process has no AWS credentials",
    "NoRegionError": "no region is set, add `?region=eu-west-1`",
}


def refused(name: str, why: str) -> AccessStoreError:
    """The error of a store that cannot be used."""
    return AccessStoreError(f"access store `{name}` cannot be used: {why}")


def explained(code: str, name: str) -> AccessStoreError:
    """The error of a store for a code of `TableCallError`.

    Args:
        code: The code.
        name: How messages name the store.
    """
    return refused(name, _WHY_BY_CODE.get(code, f"DynamoDB answers `{code}`"))


def not_known(record: StoredRecord, name: str) -> AccessStoreError:
    """The error of a write of which nobody knows whether it was made."""
    return refused(
        name,
        f"DynamoDB did not answer, and whether {record.kind} `{record.id}` was changed is not "
        "known, look before you repeat it",
    )
