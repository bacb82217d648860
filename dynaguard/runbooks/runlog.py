"""The record of runs: one JSON line for the beginning, for each step and for the end.

Who ran what, on which tables, how many items, which attributes, when and how long: names and
counts, never values. The same lines go to the logger `dynaguard.runbooks` at INFO, so that they
are found where a service's logs are, in CloudWatch for a Lambda function.

Source: requirement lines S2.13, S3.9, S3.24.
"""

from __future__ import annotations

import json
import logging
import os
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from dynaguard.errors import RunbookError
from dynaguard.runbooks.journal import NO_LINKS
from dynaguard.runbooks.results import StepRecord

FILE_NAME = "runs.log"
_log = logging.getLogger("dynaguard.runbooks")


class RunLog:
    """The record of one run. One thread; lines of several processes do not mix.

    Args:
        path: The file; lines are added to it.
        head: What every line tells: runbook, its hash, task, who, correlation id.
        time_s: The wall clock, in seconds since the epoch.
    """

    __slots__ = ("_head", "_path", "_time_s")

    def __init__(self, path: Path, head: Mapping[str, Any], time_s: Callable[[], float]) -> None:
        self._path = path
        self._head = dict(head)
        self._time_s = time_s

    def step(self, record: StepRecord) -> None:
        """Records the end of a step.

        Raises:
            RunbookError: It cannot be written, and the step was done: the run goes no further.
        """
        self.write("step", is_required=record.outcome == "done", **record.as_dict())

    def write(self, event: str, *, is_required: bool = True, **fields: Any) -> None:
        """Adds a line.

        Raises:
            RunbookError: It is required and cannot be written.
        """
        at = datetime.fromtimestamp(self._time_s(), UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")
        line = json.dumps({"at": at, "event": event, **self._head, **fields}, sort_keys=False)
        _log.info("%s", line)
        try:
            fd = os.open(self._path, os.O_WRONLY | os.O_CREAT | os.O_APPEND | NO_LINKS, 0o600)
            try:
                os.write(fd, line.encode() + b"\n")
            finally:
                os.close(fd)
        except OSError as err:
            name = str(self._head.get("runbook"))
            message = f"the record of runs `{self._path}` cannot be written ({err.strerror})"
            if is_required:
                raise RunbookError(f"runbook `{name}`: {message}", runbook=name) from err
            _log.warning("%s", message)
