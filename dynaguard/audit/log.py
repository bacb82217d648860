"""The audit log: one record per call, two with required audit, into one sink.

Best-effort audit is observation and never breaks a call; required audit is enforcement: a record
that cannot be written is an `OSError`, which the guard turns into a refusal.
"""

from __future__ import annotations

import errno
import json
import logging
import os
import warnings
from collections.abc import Callable
from datetime import datetime
from typing import Any, Final, Literal

from dynaguard.audit.reading import read_records
from dynaguard.audit.record import Phase, WriterFacts, build_record
from dynaguard.audit.schema import record_schema_markdown
from dynaguard.audit.sink import AppendedFile, Sink, StandardOutput
from dynaguard.call import Call, Decision, Outcome, Principal
from dynaguard.errors import ConfigurationError, DynaguardWarning

__all__ = ["AuditLog", "read_records", "record_schema_markdown"]

_log = logging.getLogger("dynaguard.audit")
_encode: Final = json.JSONEncoder(
    separators=(",", ":"), check_circular=False, allow_nan=False
).encode


class AuditLog:
    """Writes audit records. Thread-safe; a forked child goes on writing to the same file.

    Args:
        target: `off`, `stdout` or a path.
        mode: `best-effort` or `required`.
        utcnow: The clock of the records; gives timezone-aware instants.
        service: Name of the deployed service, for the record.
        policy_digest: Digest of the policy in force, for the record.

    Attributes:
        is_on: Whether records are written at all.
        mode: As given.
        written_count: Records written.
        dropped_count: Records lost.

    Raises:
        ConfigurationError: The file cannot be opened, or audit is required and `off`.
    """

    __slots__ = (
        "_has_warned",
        "_policy_digest",
        "_service",
        "_sink",
        "_target",
        "_utcnow",
        "_writer",
        "dropped_count",
        "is_on",
        "mode",
        "written_count",
    )

    def __init__(
        self,
        target: str,
        *,
        mode: Literal["best-effort", "required"],
        utcnow: Callable[[], datetime],
        service: str | None = None,
        policy_digest: str | None = None,
    ) -> None:
        if target == "off" and mode == "required":
            raise ConfigurationError(
                "`audit_mode` is `required` and `audit` is `off`, name a file or `stdout` in "
                "`audit`, or set `audit_mode` to `best-effort`"
            )
        self.mode = mode
        self.written_count = 0
        self.dropped_count = 0
        self._target = target
        self._utcnow = utcnow
        self._service = service
        self._policy_digest = policy_digest
        self._has_warned = False
        self._sink = _open_sink(target)
        self.is_on = self._sink is not None
        self._writer = WriterFacts(service, os.getpid(), _version() if self.is_on else "")

    def intent(
        self, *, call: Call, principal: Principal, decision: Decision | None, mode: str
    ) -> None:
        """Writes, before the call is sent, that it will be.

        Raises:
            OSError: It cannot be written; the call must not go on.
        """
        if self._sink is not None:
            self._write_counted(self._sink, "intent", call, principal, decision, None, mode)

    def outcome(
        self,
        *,
        call: Call,
        principal: Principal,
        decision: Decision | None,
        outcome: Outcome,
        mode: str,
    ) -> None:
        """Writes how the call ended.

        Raises:
            OSError: It cannot be written and audit is required; best-effort audit never raises.
        """
        if self._sink is None:
            return
        try:
            self._write_counted(self._sink, "outcome", call, principal, decision, outcome, mode)
        except OSError as err:
            if self.mode == "required":
                raise
            self._warn_once(err)

    def close(self) -> None:
        """Closes the file. Records of calls that are still under way are written all the same."""
        if self._sink is not None:
            self._sink.close()

    def _write_counted(
        self,
        sink: Sink,
        phase: Phase,
        call: Call,
        principal: Principal,
        decision: Decision | None,
        outcome: Outcome | None,
        mode: str,
    ) -> None:
        try:
            record = build_record(
                phase=phase,
                time=self._utcnow(),
                writer=self._writer_facts(),
                call=call,
                principal=principal,
                decision=decision,
                outcome=outcome,
                mode=mode,
                policy_digest=self._policy_digest,
            )
            sink.write(_line_of(record))
        except OSError:
            self.dropped_count += 1
            raise
        except Exception as err:
            self.dropped_count += 1
            reason = f"the record cannot be made: {type(err).__name__}"
            raise OSError(errno.EINVAL, reason) from err
        self.written_count += 1

    def _writer_facts(self) -> WriterFacts:
        """This process; a forked child has another id than the one that opened the log."""
        pid = os.getpid()
        if pid != self._writer.pid:
            self._writer = WriterFacts(self._service, pid, self._writer.version)
        return self._writer

    def _warn_once(self, err: OSError) -> None:
        """Says once that records are lost."""
        if self._has_warned:
            return
        self._has_warned = True
        message = (
            f"an audit record could not be written to `{self._target}` ({err.strerror}), the call "
            "went on and the record is lost; further losses are only counted"
        )
        try:
            warnings.warn(message, DynaguardWarning, stacklevel=4)
        except DynaguardWarning:  # the process turns warnings into errors; the call still goes on
            _log.warning("%s", message)


def _line_of(record: dict[str, Any]) -> bytes:
    """The record as JSON of ASCII characters, and a newline."""
    return (_encode(record) + "\n").encode("ascii")


def _open_sink(target: str) -> Sink | None:
    """The sink that the setting `audit` names; None for `off`.

    Raises:
        ConfigurationError: The file cannot be opened.
    """
    if target == "off":
        return None
    if target == "stdout":
        return StandardOutput()
    try:
        return AppendedFile(target)
    except OSError as err:
        raise ConfigurationError(
            f"audit file `{target}` cannot be opened ({err.strerror}), its directory must exist "
            "and the file must be writable"
        ) from err


def _version() -> str:
    """The installed version of dynaguard; `unknown` for a tree that is not installed."""
    from importlib import metadata  # only a log that is on needs it

    try:
        return metadata.version("dynaguard")
    except metadata.PackageNotFoundError:
        return "unknown"
