"""Keeps masked values out of the logs of botocore and boto3.

At DEBUG these print whole requests and answers. A filter on their loggers, in force with masks:
parameters, request dicts and bodies of calls whose answers are masked become `<dict withheld by
dynaguard>`; messages, headers and everything of other calls stay. The filter acts where the record
is made, so every handler gets the same.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping
from typing import Any, Final

from botocore.parsers import ResponseParserError

from dynaguard.hooks.frames import LEFT_ALONE, current_frame

_MODULES: Final = (
    *(
        f"{package}.{name}"
        for package in ("botocore", "aiobotocore")
        for name in (
            "auth awsrequest client compress discovery endpoint handlers history hooks "
            "httpchecksum httpsession paginate parsers response retries.adaptive retries.special "
            "retries.standard retryhandler utils waiter"
        ).split()
    ),
    *(f"boto3.{name}" for name in "dynamodb.table resources.action resources.collection".split()),
)
"""Loggers that see requests or answers; the others of botocore log configuration alone."""

# An error of the parser has the answer in its text.
_DATA: Final = (bytes, bytearray, Mapping, list, tuple, set, ResponseParserError)


class WithheldData(logging.Filter):
    """Lets every record through, without the data of calls that are masked."""

    def install(self) -> None:
        """Filters the loggers from now on."""
        for name in _MODULES:
            logging.getLogger(name).addFilter(self)

    def remove(self) -> None:
        """Leaves the loggers as they were."""
        for name in _MODULES:
            logging.getLogger(name).removeFilter(self)

    def filter(self, record: logging.LogRecord) -> bool:
        """Takes the data out of a record's arguments."""
        if _is_shown():
            return True
        args = record.args
        if isinstance(args, Mapping):
            args = (args,)  # `logging` unpacks a lone mapping
        record.args = tuple(_stand_in(arg) for arg in args or ())
        err = record.exc_info[1] if record.exc_info else None
        if isinstance(err, ResponseParserError):
            record.exc_info = None  # its text is the answer
        return True


def _is_shown() -> bool:
    """Whether what is logged now belongs to a call without masks."""
    frame = current_frame.get()
    if frame is None:
        return False  # before or after a call: a resource logs its parameters there
    passage = frame.passage
    return frame is LEFT_ALONE or (passage is not None and passage.plan is None)


def _stand_in(arg: Any) -> Any:
    """An argument of a log record, or what stands for it."""
    if not isinstance(arg, _DATA) or type(arg).__name__.endswith(("Headers", "HeadersDict")):
        return arg
    return f"<{type(arg).__name__} withheld by dynaguard>"
