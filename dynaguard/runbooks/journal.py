"""What one run has done so far, on disk, so that it can be resumed wherever it was cut off.

One file of JSON lines per run, for its owner alone, locked while the run is under way. Before a
write leaves, its intent is on disk; after it, that it is done. So after `kill -9` at any point
each write is known to be done, known not to be, or in doubt: that one at most.

A write is known again by its step, operation, tables and keys, as a hash under a salt of the run:
the journal holds no keys. Results are kept only of writes that a later step refers to, and only
until the run has ended.

Source: requirement lines S1.10, S1.27.
"""

from __future__ import annotations

import base64
import contextlib
import errno
import hashlib
import hmac
import json
import os
import secrets
import stat
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final, Literal

from dynaguard.access.canonical import canonical_json
from dynaguard.errors import ConfigurationError, RunbookError

WriteState = Literal["new", "done", "doubtful"]
NO_LINKS: Final = getattr(os, "O_NOFOLLOW", 0)
"""Opens no file by a link that somebody put in its place."""


@dataclass(slots=True)
class Journal:
    """The journal of one run. One thread of one process at a time.

    Attributes:
        path: Its file.
        head: Runbook, hashes and task, as noted at the beginning.
        tickets: Tickets that the run waited for.
        claimed: Those of them that it began with, or went on with.
        steps: Names of the steps that are complete.
        has_ended: Whether the run came to its end.
        starts: How often it was started.
        events: Lines beyond the first.
    """

    path: Path
    head: dict[str, Any]
    tickets: list[str] = field(default_factory=list)
    claimed: list[str] = field(default_factory=list)
    steps: set[str] = field(default_factory=set)
    has_ended: bool = False
    starts: int = 1
    events: int = 0
    _salt: bytes = b""
    _fd: int = -1
    _results: dict[str, Any] = field(default_factory=dict)
    _done: Counter[str] = field(default_factory=Counter)
    _open: Counter[str] = field(default_factory=Counter)
    _seen: Counter[str] = field(default_factory=Counter)

    def note(self, event: str, **fields: Any) -> None:
        """Adds a line, on disk when this returns.

        Raises:
            RunbookError: It cannot be written: nothing that depends on it may happen.
        """
        line = json.dumps({"event": event, **fields}, separators=(",", ":")) + "\n"
        try:
            _write_whole(self._fd, line.encode())
            os.fsync(self._fd)
        except OSError as err:
            raise RunbookError(
                f"the run's journal `{self.path}` cannot be written ({err.strerror}), nothing "
                "further was sent",
                runbook=str(self.head.get("runbook")),
            ) from err
        self._apply({"event": event, **fields})

    def write_key(self, step: str, service: str, operation: str, target: Any) -> str:
        """What a write is known by: a hash that tells nothing of its keys."""
        text = canonical_json([step, service, operation, target])
        return hmac.new(self._salt, text.encode(), hashlib.sha256).hexdigest()[:32]

    def state_of(self, key: str) -> WriteState:
        """What an earlier start of the run did of a write that is next.

        Effects: counts: of writes of the same key, the first asked for is the first done.
        """
        self._seen[key] += 1
        if self._done[key] >= self._seen[key]:
            return "done"
        return "doubtful" if self._open[key] else "new"

    def was_done(self, key: str) -> bool:
        """Whether a write is done, without counting that somebody asked."""
        return self._done[key] > self._seen[key]

    def result_of(self, key: str) -> Any:
        """What was kept of the answer of a write, or None."""
        return self._results.get(key)

    @property
    def doubtful(self) -> int:
        """How many writes began and are not known to have ended."""
        return sum(self._open.values())

    @property
    def done(self) -> int:
        """How many writes are done."""
        return sum(self._done.values())

    def finish(self) -> None:
        """Notes the end, and leaves nothing in the file but that the run took place."""
        self.note("end")
        kept = [{"event": "begin", **self.head, "salt": ""}, {"event": "end"}]
        text = "".join(json.dumps(line, separators=(",", ":")) + "\n" for line in kept)
        with contextlib.suppress(OSError):
            os.ftruncate(self._fd, 0)
            os.lseek(self._fd, 0, os.SEEK_SET)
            os.write(self._fd, text.encode())
            os.fsync(self._fd)

    def close(self) -> None:
        """Gives back the file and its lock."""
        if self._fd >= 0:
            os.close(self._fd)
            self._fd = -1

    def _apply(self, line: Mapping[str, Any]) -> None:
        """Takes in one line."""
        event = line.get("event")
        self.events += event != "begin"
        if event == "intent":
            self._open[line["key"]] += 1
        elif event in {"done", "failed"}:
            self._open[line["key"]] = max(0, self._open[line["key"]] - 1)
            if event == "done":
                self._done[line["key"]] += 1
                if "result" in line:
                    self._results[line["key"]] = decoded(line["result"])
        elif event == "step":
            self.steps.add(line["step"])
        elif event in {"ticket", "claimed"}:
            if not isinstance(line["ticket"], str):
                raise TypeError("a ticket is named by text")
            (self.tickets if event == "ticket" else self.claimed).append(line["ticket"])
        elif event == "start":
            self.starts += 1
        elif event == "end":
            self.has_ended = True


def begin(directory: Path, head: Mapping[str, Any]) -> Journal:
    """The journal of a new run.

    Args:
        directory: Folder of the journals; made where it is missing, for its owner alone.
        head: Runbook, hashes and `task`, which names the file.

    Raises:
        ConfigurationError: The folder or the file cannot be made.
    """
    path = _path(directory, str(head["task"]))
    salt = secrets.token_bytes(16)
    try:
        directory.mkdir(mode=0o700, parents=True, exist_ok=True)
        _check_own(directory)
        fd = os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_APPEND, 0o600)
    except OSError as err:
        raise ConfigurationError(
            f"the journal of a run cannot be kept in `{directory}` ({err.strerror}), name "
            "another folder with `journal`"
        ) from err
    journal = Journal(path, dict(head), _salt=salt, _fd=fd)
    _lock(journal)
    journal.note("begin", **head, salt=salt.hex())
    return journal


def reopen(directory: Path, run: str) -> Journal:
    """The journal of a run that is to be resumed.

    Args:
        directory: Folder of the journals.
        run: Id of the run, or of a ticket that it waited for.

    Raises:
        ConfigurationError: There is none, it cannot be read, or the run is under way elsewhere.
    """
    path = _path(directory, run)
    if not path.is_file():
        path = _by_ticket(directory, run) or path
    try:
        _check_own(directory)
        fd = os.open(path, os.O_RDWR | os.O_APPEND | NO_LINKS)
    except OSError as err:
        raise ConfigurationError(
            f"no run `{run}` is known in `{directory}` ({err.strerror}), runs are listed by "
            "`dynaguard runbook runs`"
        ) from err
    journal = Journal(path, {}, _fd=fd)
    _lock(journal)
    try:
        _take_in(journal, _read(path))
    except (AttributeError, KeyError, TypeError, ValueError):
        journal.close()
        raise ConfigurationError(
            f"`{path}` cannot be read as the journal of a run, so nobody can tell what is done: "
            "look at the data, then begin a new run"
        ) from None
    _drop_torn_end(fd, path)
    return journal


def _take_in(journal: Journal, lines: list[dict[str, Any]]) -> None:
    """What the lines of an earlier start tell.

    Raises:
        ValueError, KeyError, TypeError: They tell nothing that can be relied on.
    """
    if not lines or not _is_head(lines[0]):
        raise ValueError("no first line")
    journal.head = {name: lines[0][name] for name in lines[0] if name not in {"event", "salt"}}
    journal._salt = bytes.fromhex(lines[0]["salt"])  # noqa: SLF001 - of the same module
    for line in lines[1:]:
        journal._apply(line)  # noqa: SLF001


def _is_head(line: Mapping[str, Any]) -> bool:
    """Whether a line is the first of a journal: who runs what is told by texts."""
    texts = ("runbook", "task", "salt")
    return line.get("event") == "begin" and all(isinstance(line.get(each), str) for each in texts)


def encoded(value: Any) -> Any:
    """A result in JSON's own types; bytes are told apart."""
    if isinstance(value, Mapping):
        return {str(name): encoded(each) for name, each in value.items()}
    if isinstance(value, list | tuple | set | frozenset):
        return [encoded(each) for each in value]
    if isinstance(value, bytes | bytearray):
        return {"$bytes": base64.b64encode(bytes(value)).decode("ascii")}
    if value is None or isinstance(value, bool | int | float | str):
        return value
    return str(value)


def decoded(value: Any) -> Any:
    """What `encoded` was given, as far as the journal keeps it."""
    if isinstance(value, dict):
        if value.keys() == {"$bytes"}:
            return base64.b64decode(value["$bytes"])
        return {name: decoded(each) for name, each in value.items()}
    return [decoded(each) for each in value] if isinstance(value, list) else value


def summaries(directory: Path) -> list[dict[str, Any]]:
    """Every run of a folder, oldest first.

    **Shape**: what the run noted at its beginning, `state` (`ended` or `cut off`; a run under way
    is `cut off` as far as the journal tells) and `tickets`. What cannot be read is left out.
    """
    found = []
    for path in sorted(directory.glob("*.jsonl")) if directory.is_dir() else []:
        lines = _read(path)
        if lines and _is_head(lines[0]):
            head = {name: lines[0][name] for name in lines[0] if name not in {"event", "salt"}}
            state = "ended" if lines[-1].get("event") == "end" else "cut off"
            tickets = [line.get("ticket") for line in lines if line.get("event") == "ticket"]
            found.append({**head, "state": state, "tickets": tickets})
    return sorted(found, key=lambda run: str(run.get("began", "")))


def _by_ticket(directory: Path, ticket: str) -> Path | None:
    """The journal of the run that waited for a ticket."""
    for run in summaries(directory):
        if ticket in run["tickets"]:
            return _path(directory, run["task"])
    return None


def _path(directory: Path, run: str) -> Path:
    """The file of a run; a name that is none of ours names no file outside of the folder."""
    if not run.replace("-", "").replace("_", "").isalnum():
        raise ConfigurationError(f"`{run}` is not the id of a run or ticket")
    return directory / f"{run}.jsonl"


def _read(path: Path) -> list[dict[str, Any]]:
    """The whole lines of a journal; a torn last one never happened.

    Returns:
        Nothing where a line is no JSON object: what it says is done would be done again.
    """
    try:
        lines = [json.loads(line) for line in path.read_bytes().split(b"\n")[:-1]]
    except (OSError, RecursionError, ValueError):
        return []
    return lines if all(isinstance(line, dict) for line in lines) else []


def _drop_torn_end(fd: int, path: Path) -> None:
    """Cuts off a line that was being written when the process was killed."""
    content = path.read_bytes()
    if content and not content.endswith(b"\n"):
        os.ftruncate(fd, content.rfind(b"\n") + 1)


def _write_whole(fd: int, content: bytes) -> None:
    """Adds a line whole or not at all: a part of one would spoil the next.

    Raises:
        OSError: The file takes no more.
    """
    length = os.fstat(fd).st_size
    is_whole = False
    try:
        is_whole = os.write(fd, content) == len(content)
    finally:
        if not is_whole:
            os.ftruncate(fd, length)
    if not is_whole:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


def _check_own(directory: Path) -> None:
    """Refuses a folder that somebody else could change: what is done is read from there.

    Raises:
        OSError: It is another user's, or everyone may write in it.
    """
    if not hasattr(os, "geteuid"):  # where permissions are told otherwise
        return
    found = directory.stat()
    if found.st_uid not in (os.geteuid(), 0) or found.st_mode & stat.S_IWOTH:
        raise OSError(errno.EPERM, "others may write there")


def _lock(journal: Journal) -> None:
    """Holds the run for this process until it closes the file, or ends however."""
    try:
        import fcntl
    except ImportError:  # a platform without: two resumes at once are the user's care
        return
    try:
        fcntl.flock(journal._fd, fcntl.LOCK_EX | fcntl.LOCK_NB)  # noqa: SLF001
    except OSError:
        journal.close()
        raise ConfigurationError(
            f"the run of `{journal.path.stem}` is under way in another process, wait for its end"
        ) from None
