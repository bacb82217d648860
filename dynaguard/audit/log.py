"""The audit log of a process: encodes records, hands them to a sink, and says what a loss means.

`best-effort` never breaks a call: a lost record is counted, and the first loss is warned of.
`required` is enforcement: a record that cannot be written is an error, and no call leaves before
its intent is on record.
"""

from __future__ import annotations

import errno
import logging
import os
import time
import warnings
from collections.abc import Callable
from typing import Final, Literal

from dynaguard.audit.encoding import Encoder
from dynaguard.audit.reading import read_records
from dynaguard.audit.record import Phase
from dynaguard.audit.schema import record_schema_markdown
from dynaguard.audit.sinks import RECHECK_AFTER_S, AuditSink, FileSink, StdoutSink
from dynaguard.call import Call, Decision, Outcome, Principal
from dynaguard.errors import ConfigurationError, DynaguardWarning

__all__ = [
    "AuditLog",
    "AuditSink",
    "AuditWriteError",
    "read_records",
    "record_schema_markdown",
]

_log: Final = logging.getLogger("dynaguard.audit")


class AuditWriteError(OSError):
    """A record that must be written is not; `guard` makes an `AuditUnavailable` of it."""


class AuditLog:
    """Writes the audit records of a process.

    Args:
        target: `off`, `stdout`, or the path of a file whose folder exists.
        mode: `best-effort` or `required`.
        time_ns: The clock of the records' `time`, in nanoseconds since the epoch.
        service: Name of the service, for the records, or None.
        policy_digest: SHA-256 of the policy in force, or None.
        monotonic: A clock in seconds.

    Raises:
        ConfigurationError: The file cannot be opened, or `required` has nowhere to write.

    Effects: opens the file. Thread-safe, and safe to use after a fork.

    Attributes:
        target, mode: As given.
        written_count: Records written by this process.
        dropped_count: Records lost, refused calls' ones included.
    """

    def __init__(
        self,
        target: str,
        *,
        mode: Literal["best-effort", "required"],
        time_ns: Callable[[], int] = time.time_ns,
        service: str | None = None,
        policy_digest: str | None = None,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        if target == "off" and mode == "required":
            raise ConfigurationError(
                "`audit_mode` is `required` and `audit` is `off`, set `audit` to a file or "
                "`stdout`"
            )
        self.target = target
        self.mode = mode
        self.written_count = 0
        self.dropped_count = 0
        self._time_ns = time_ns
        self._has_warned = False
        self._is_failing = False
        self._sink = _open_sink(target, is_required=mode == "required", monotonic=monotonic)
        self._encoder = Encoder(
            service=service,
            version=_own_version() if self._sink else "",
            policy_digest=policy_digest,
        )

    @property
    def is_on(self) -> bool:
        """Whether records are written at all."""
        return self._sink is not None

    def intent(
        self, call: Call, principal: Principal, decision: Decision | None, mode: str
    ) -> None:
        """Records that a call is about to leave.

        Args:
            call: The call.
            principal: Who makes it.
            decision: What was decided, or None.
            mode: The mode of the decision (`enforce`, `observe`).

        Raises:
            AuditWriteError: `required`, and the record is not written: the call must not leave.
        """
        self._record("intent", call, principal, decision, None, mode)

    def outcome(
        self,
        call: Call,
        principal: Principal,
        decision: Decision | None,
        outcome: Outcome,
        mode: str,
    ) -> None:
        """Records how a call ended; arguments as in `intent`.

        Raises:
            AuditWriteError: `required`, and the record is not written. The call is over.
        """
        self._record("outcome", call, principal, decision, outcome, mode)

    def close(self) -> None:
        """Closes the file. A call that is under way still gets its record."""
        if self._sink is not None:
            self._sink.close()

    def _record(
        self,
        phase: Phase,
        call: Call,
        principal: Principal,
        decision: Decision | None,
        outcome: Outcome | None,
        mode: str,
    ) -> None:
        """Encodes and writes one record."""
        sink = self._sink
        if sink is None:
            return
        time_ns, pid = self._time_ns, os.getpid()
        line = self._encoder.line
        try:
            sink.write(line(phase, time_ns(), pid, call, principal, decision, outcome, mode))
        except Exception as err:  # noqa: BLE001 - a record must not break a call, whatever fails
            self._lose(err)
        else:
            # Plain additions: no thread switch falls into them while there is a global lock.
            self.written_count += 1
            if self._is_failing:
                self._is_failing = False
                _log.info("audit records are written again, %d were lost", self.dropped_count)

    def _lose(self, err: Exception) -> None:
        """Counts a lost record; `required` refuses, `best-effort` warns the first time.

        Raises:
            AuditWriteError: The mode is `required`.
        """
        self.dropped_count += 1
        self._is_failing = True
        reason = _reason(err)
        if self.mode == "required":
            number = getattr(err, "errno", None) or errno.EIO
            raise AuditWriteError(number, reason, self.target) from err
        if not self._has_warned:
            self._has_warned = True
            self._warn(
                f"an audit record could not be written to `{self.target}` ({reason}); records "
                "are counted and lost until it can be written again"
            )

    def _warn(self, message: str) -> None:
        """Warns, even where warnings are errors: those must not break a call."""
        try:
            warnings.warn(message, DynaguardWarning, stacklevel=5)
        except Exception:  # noqa: BLE001 - a filter or a hook of the application's raised
            _log.warning("%s", message)


def _open_sink(
    target: str, *, is_required: bool, monotonic: Callable[[], float]
) -> AuditSink | None:
    """The sink that a target names.

    Raises:
        ConfigurationError: The file cannot be opened.
    """
    if target == "off":
        return None
    if target == "stdout":
        return StdoutSink()
    try:
        return FileSink(
            target,
            recheck_after_s=0.0 if is_required else RECHECK_AFTER_S,
            monotonic=monotonic,
        )
    except (OSError, ValueError) as err:
        hint = ", its folder must exist" if isinstance(err, FileNotFoundError) else ""
        raise ConfigurationError(
            f"audit file `{target}` cannot be opened for appending ({_reason(err)}){hint}"
        ) from err


def _reason(err: Exception) -> str:
    """Why, without values: the system's words, or the kind of the error."""
    return (isinstance(err, OSError) and err.strerror) or type(err).__name__


def _own_version() -> str:
    """dynaguard's version, or `unknown` where it is not installed as a package."""
    import importlib.metadata

    try:
        return importlib.metadata.version("dynaguard")
    except importlib.metadata.PackageNotFoundError:
        return "unknown"
