"""A signed file of grants: an access store that is read only, for places that reach no other.

The file is made by `dynaguard access sign` and shipped with a program, in a Lambda package say.
Nothing in it counts unless the signature over all of it was made with the key that this process
was told to trust.

**Shape** of the file, JSON: `format` (`dynaguard access store`), `version`, `key_id` (names the
key), `signed_at` (ISO 8601), `records` (each with `kind`, `id`, `version`, `expires_epoch_s`,
`body`), `signature` (base64, over a line that tells what is signed, and the canonical JSON of
everything else).
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any, Final, NoReturn

from dynaguard.access.canonical import canonical_json
from dynaguard.access.store import RecordKind, StoredRecord
from dynaguard.errors import AccessStoreError, ConfigurationError, MissingExtraError

if TYPE_CHECKING:
    from dynaguard.audit.signing import Signer, Verifier

FORMAT: Final = "dynaguard access store"
VERSION: Final = 1
_SUBJECT: Final = f"{FORMAT} {VERSION}\n"
"""Begins every signed message, so that a signature of something else never fits."""
_HOW_TO_SIGN: Final = "make it with `dynaguard access sign`"
_KINDS: Final[Mapping[str, RecordKind]] = {"grant": "grant", "ticket": "ticket"}
_FileId = tuple[int, int, int, int]


def signed_text(records: Iterable[StoredRecord], signer: Signer, *, signed_at: str) -> str:
    """The text of a signed file.

    Args:
        records: What it holds.
        signer: Signs it.
        signed_at: Now, ISO 8601.
    """
    content: dict[str, Any] = {
        "format": FORMAT,
        "version": VERSION,
        "key_id": signer.key_id,
        "signed_at": signed_at,
        "records": [
            {
                "kind": record.kind,
                "id": record.id,
                "version": record.version,
                "expires_epoch_s": record.expires_epoch_s,
                "body": record.body,
            }
            for record in records
        ],
    }
    content["signature"] = signer.sign(_message(content))
    return json.dumps(content, indent=2) + "\n"


class SignedStore:
    """An access store in a signed file. Thread-safe; reads the file again when it changed.

    Args:
        path: The file.
        verify_key_file: A file with the public key; without it nothing in the file counts.
        name: How messages name it; not given: the path.
    """

    is_read_only = True

    def __init__(
        self,
        path: str | os.PathLike[str],
        verify_key_file: Path | None,
        *,
        name: str | None = None,
    ) -> None:
        self._path = Path(path).absolute()
        self._key_file = None if verify_key_file is None else verify_key_file.absolute()
        self.name = os.fspath(path) if name is None else name
        # What was read, with the file that it was read from; replaced whole, so without a lock.
        self._loaded: tuple[_FileId, tuple[StoredRecord, ...]] | None = None

    def add(self, record: StoredRecord) -> bool:
        """Raises: a signed file is not written to."""
        self._refuse_write(record)

    def replace(self, record: StoredRecord) -> bool:
        """Raises: a signed file is not written to."""
        self._refuse_write(record)

    def get(self, kind: RecordKind, id: str) -> StoredRecord | None:
        """As `AccessStore.get`."""
        found = (record for record in self._records() if (record.kind, record.id) == (kind, id))
        return next(found, None)

    def records(self, kind: RecordKind, *, after_epoch_s: float) -> list[StoredRecord]:
        """As `AccessStore.records`."""
        found = [
            record
            for record in self._records()
            if record.kind == kind and record.expires_epoch_s > after_epoch_s
        ]
        return sorted(found, key=lambda record: record.id)

    def change_token(self) -> str | None:
        """As `AccessStore.change_token`. Cost: one look at the file's state."""
        self._records()
        loaded = self._loaded
        return None if loaded is None else ".".join(map(str, loaded[0]))

    def close(self) -> None:
        """As `AccessStore.close`."""
        self._loaded = None

    def _records(self) -> tuple[StoredRecord, ...]:
        """What the file holds now. What failed is tried again each time: it may be half copied.

        Raises:
            AccessStoreError: It cannot be read, or is not as it was signed.
        """
        loaded = self._loaded
        try:
            if loaded is not None and loaded[0] == _file_id(self._path.stat()):
                return loaded[1]
            self._loaded = None
            with self._path.open("rb") as file:
                self._loaded = loaded = _file_id(os.fstat(file.fileno())), self._read(file)
        except OSError as err:
            if isinstance(err, AccessStoreError):
                raise
            raise _unusable(self.name, (err.strerror or "it cannot be read").lower()) from err
        return loaded[1]

    def _read(self, file: IO[bytes]) -> tuple[StoredRecord, ...]:
        """The records of a file, once its signature holds."""
        verifier = self._verifier()
        try:
            content = json.loads(file.read())
            signature, message = content.pop("signature"), _message(content)
        except (AttributeError, KeyError, TypeError, ValueError, RecursionError) as err:
            raise _unusable(self.name, f"it is no signed file, {_HOW_TO_SIGN}") from err
        if not verifier.is_valid(message, signature):
            raise _unusable(self.name, _why_invalid(content, verifier))
        return _checked(content, self.name)

    def _verifier(self) -> Verifier:
        """What checks signatures. Reads the key file."""
        if self._key_file is None:
            raise _unusable(
                self.name,
                "no key is set to check it with, set `access_verify_key_file` to a file with the "
                "public key",
            )
        from dynaguard.audit.signing import Verifier

        try:
            return Verifier(self._key_file)
        except (ConfigurationError, MissingExtraError) as err:
            raise _unusable(self.name, str(err)) from err

    def _refuse_write(self, record: StoredRecord) -> NoReturn:
        """Says that nothing can be written here."""
        raise AccessStoreError(
            f"{record.kind} `{record.id}` cannot be stored: `{self.name}` is a signed file, "
            "change the store that it is made from, then `dynaguard access sign` it again"
        )


def _file_id(state: os.stat_result) -> _FileId:
    """What differs where a file was changed or replaced."""
    return state.st_dev, state.st_ino, state.st_size, state.st_mtime_ns


def _message(content: Mapping[str, Any]) -> bytes:
    """What is signed: everything but the signature."""
    return (_SUBJECT + canonical_json(content)).encode("utf-8", "surrogatepass")


def _why_invalid(content: Mapping[str, Any], verifier: Verifier) -> str:
    """Why a signature does not hold, as far as the file can be believed at all."""
    if content.get("key_id") != verifier.key_id:
        return (
            f"it is signed with another key than `{verifier.key_id}`, of which "
            "`access_verify_key_file` has the public half"
        )
    return "it is not as it was signed, nothing in it counts, sign it again from its store"


def _checked(content: Mapping[str, Any], name: str) -> tuple[StoredRecord, ...]:
    """The records of content that was signed."""
    if content.get("format") != FORMAT or content.get("version") != VERSION:
        raise _unusable(name, "it is of another format, use the same dynaguard everywhere")
    try:
        return tuple(
            StoredRecord(
                _KINDS[each["kind"]],
                str(each["id"]),
                int(each["version"]),
                str(each["body"]),
                float(each["expires_epoch_s"]),
            )
            for each in content["records"]
        )
    except (KeyError, TypeError, ValueError) as err:
        raise _unusable(name, f"it holds something else than records, {_HOW_TO_SIGN}") from err


def _unusable(name: str, why: str) -> AccessStoreError:
    """The error of a file that counts for nothing."""
    return AccessStoreError(f"access store `{name}` cannot be used: {why}")
