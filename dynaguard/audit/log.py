"""The audit log of a process: encodes records, hands them to a sink, and says what a loss means.

`best-effort` never breaks a call: a lost record is counted, and the first loss is warned of.
`required` is enforcement: a record that cannot be written is an error, and no call leaves before
its intent is on record.
"""

from __future__ import annotations

import errno
import logging
import time
import warnings
from collections.abc import Callable
from typing import TYPE_CHECKING, Final, Literal

from dynaguard.errors import ConfigurationError, DynaguardWarning
from dynaguard.forks import renew_after_fork
from dynaguard.interruption import came_from_handler

if TYPE_CHECKING:
    from dynaguard.access_change import AccessChange
    from dynaguard.audit.queueing import QueuedWriter
    from dynaguard.audit.record import Phase
    from dynaguard.audit.sinks import AuditSink, Fsync, Ship, SinkOptions
    from dynaguard.audit.writer import ChainedWriter, Signs
    from dynaguard.call import Call, Decision, Outcome, Principal

_log: Final = logging.getLogger("dynaguard.audit")


class AuditWriteError(OSError):
    """A record that must be written is not; `guard` makes an `AuditUnavailable` of it."""


class AuditLog:
    """Writes the audit records of a process.

    Args:
        target: `off`, or what `open_sink` takes.
        mode: `best-effort` or `required`.
        time_ns: The clock of the records' `time`, in nanoseconds since the epoch.
        service: Name of the service, for the records, or None.
        policy_digest: SHA-256 of the policy in force, or None.
        monotonic: A clock in seconds.
        fsync, max_bytes, ship: As in `SinkOptions`.
        signer: Signs checkpoints; None: they are hashes alone.

    Raises:
        ConfigurationError: The file cannot be opened, or `required` has nowhere to write.

    Effects: opens the file. Thread-safe, and safe to use after a fork: the child is a writer of
    its own. The last checkpoint is written at the end of the process.

    Attributes:
        target, mode: As given.
        written_count: Records written by this process, or taken by its queue.
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
        fsync: Fsync = "never",
        max_bytes: int | None = None,
        signer: Signs | None = None,
        ship: Callable[[str], Ship] | None = None,
    ) -> None:
        if target == "off" and mode == "required":
            raise ConfigurationError(
                "`audit_mode` is `required` and `audit` is `off`, set `audit` to a file or "
                "`stdout`"
            )
        self.target = target
        self.mode = mode
        self.written_count = 0
        self._lost_count = 0
        self._time_ns = time_ns
        self._has_warned = False
        self._is_failing = False
        self._policy_digest = policy_digest
        self._writer: ChainedWriter | QueuedWriter | None = None
        if target == "off":
            return
        # What encodes and writes is imported where something is written.
        from dynaguard.audit.encoding import Encoder
        from dynaguard.audit.sinks import SinkOptions

        renew_after_fork(self)
        self._text = Encoder(policy_digest=policy_digest).text
        options = SinkOptions(
            is_required=mode == "required",
            fsync=fsync,
            max_bytes=max_bytes,
            service=service,
            monotonic=monotonic,
            time_ns=time_ns,
            ship=ship,
        )
        sink = _open(target, options, self._writer_id)
        self._writer = _writer(sink, service, signer, may_wait=mode == "required")

    @property
    def is_on(self) -> bool:
        """Whether records are written at all."""
        return self._writer is not None

    @property
    def dropped_count(self) -> int:
        """Records lost, refused calls' ones included."""
        return self._lost_count + getattr(self._writer, "lost_count", 0)

    def renew(self) -> None:
        """Counts anew: a forked child has written and lost nothing yet."""
        self.written_count = self._lost_count = 0

    def _writer_id(self) -> str:
        """The id of this process's writer; no line is written before it has one."""
        return self._writer.writer_id if self._writer else ""

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

    def change(self, change: AccessChange) -> None:
        """Records that a grant, ticket, task or run began, changed or ended.

        Raises:
            AuditWriteError: `required`, and the record is not written. The change is made.
        """
        writer, text = self._writer, None
        if writer is None:
            return
        from dynaguard.audit.changes import change_text

        try:
            time_ns = self._time_ns()
            text = change_text(change, time_ns, self._policy_digest)
            writer.write(text, time_ns)
        except Exception as err:
            if came_from_handler(err):
                raise  # a time limit of the application, not a failure of ours
            self._note_failure(err, writer, is_encoded=text is not None)
        else:
            self._note_written()

    def close(self) -> None:
        """Writes the last checkpoint. A call that is under way still gets its record."""
        if self._writer is not None:
            self._writer.close()

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
        writer, text = self._writer, None
        if writer is None:
            return
        try:
            time_ns = self._time_ns()
            text = self._text(phase, time_ns, call, principal, decision, outcome, mode)
            writer.write(text, time_ns)
        except Exception as err:
            if came_from_handler(err):
                raise  # a time limit of the application, not a failure of ours
            self._note_failure(err, writer, is_encoded=text is not None)
        else:
            self._note_written()

    def _note_written(self) -> None:
        """Counts a record that is written."""
        # Plain additions: no thread switch falls into them while there is a global lock.
        self.written_count += 1
        if self._is_failing:
            self._is_failing = False
            _log.info("audit records are written again, %d were lost", self.dropped_count)

    def _note_failure(
        self, err: Exception, writer: ChainedWriter | QueuedWriter, *, is_encoded: bool
    ) -> None:
        """A record that is not written.

        Raises:
            AuditWriteError: As `_lose`.
        """
        if not is_encoded:
            writer.lose()
        self._lose(err)

    def _lose(self, err: Exception) -> None:
        """Counts a lost record; `required` refuses, `best-effort` warns the first time.

        Raises:
            AuditWriteError: The mode is `required`.
        """
        self._lost_count += 1
        reason = _reason(err)
        if not self._is_failing and self.mode == "required":
            _log.warning("audit records cannot be written (%s): calls are refused", reason)
        self._is_failing = True
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
            warnings.warn(message, DynaguardWarning, stacklevel=6)
        except Exception:  # noqa: BLE001 - a filter or a hook of the application's raised
            _log.warning("%s", message)


def _open(target: str, options: SinkOptions, writer_id: Callable[[], str]) -> AuditSink:
    """The sink that a target names.

    Raises:
        ConfigurationError: It cannot be opened.
    """
    from dynaguard.audit.sinks import open_sink

    try:
        return open_sink(target, options, writer_id)
    except (OSError, ValueError) as err:
        if isinstance(err, ConfigurationError):
            raise
        hint = ", its folder must exist" if isinstance(err, FileNotFoundError) else ""
        raise ConfigurationError(
            f"audit file `{target}` cannot be opened for appending ({_reason(err)}){hint}"
        ) from err


def _writer(
    sink: AuditSink, service: str | None, signer: Signs | None, *, may_wait: bool
) -> ChainedWriter | QueuedWriter:
    """What writes to a sink: with a queue before it, where the sink may be slow."""
    from dynaguard.audit.queueing import QueuedWriter
    from dynaguard.audit.sinks import Batch
    from dynaguard.audit.streams import StdoutSink, stdout_takes
    from dynaguard.audit.writer import ChainedWriter

    is_slow = isinstance(sink, Batch) or (isinstance(sink, StdoutSink) and not may_wait)
    writer = ChainedWriter(
        sink, service=service, version=_own_version(), signer=signer, is_ended=not is_slow
    )
    if not is_slow:
        return writer
    if isinstance(sink, Batch):
        return QueuedWriter(writer, flush=sink.flush)
    return QueuedWriter(writer, takes=stdout_takes, linger_s=0.0)


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
