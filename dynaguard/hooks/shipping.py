"""Sends batches of audit records to S3 or Firehose, with an unguarded client.

Source: the API references of S3 PutObject and of Firehose PutRecordBatch (500 records, 4 MiB; it
succeeds in part).
"""

from __future__ import annotations

import gzip
import os
import time
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from typing import Any, Final
from urllib.parse import urlsplit

from dynaguard.audit.chain import new_writer_id
from dynaguard.audit.queueing import Ship
from dynaguard.hooks.exemption import own_calls

ATTEMPTS: Final = 3
_TIMEOUT_S: Final = 10
_PAUSE_S: Final = 0.2


def ship_to(target: str) -> Ship:
    """What sends lines to a target.

    Args:
        target: `s3://BUCKET/PREFIX` or `firehose://STREAM`.

    Effects: none yet; the client is made with the first batch, in the thread that sends it, from
    the default credentials and region of the process. Its calls are not guarded.
    """
    parts = urlsplit(target)
    if parts.scheme == "s3":
        return _S3(parts.netloc, parts.path.strip("/"))
    return _Firehose(parts.netloc)


class _Sender:
    """Makes its client when it is first needed, once per process."""

    service = ""

    def __init__(self) -> None:
        self._client: Any = None
        self._pid = 0

    def client(self) -> Any:
        """The client of this process."""
        if self._client is None or self._pid != os.getpid():
            import botocore.session
            from botocore.config import Config

            self._client = botocore.session.Session().create_client(
                self.service,
                config=Config(
                    connect_timeout=_TIMEOUT_S,
                    read_timeout=_TIMEOUT_S,
                    retries={"mode": "standard", "total_max_attempts": ATTEMPTS},
                ),
            )
            self._pid = os.getpid()
        return self._client


class _S3(_Sender):
    """One object per batch, packed, in the layout that query engines partition by."""

    service = "s3"

    def __init__(
        self,
        bucket: str,
        prefix: str,
        utcnow: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        super().__init__()
        self._bucket, self._prefix, self._utcnow = bucket, prefix, utcnow
        self._part = new_writer_id()
        self._count = 0

    def __call__(self, lines: Sequence[bytes]) -> int:
        """Sends lines; all of them or none."""
        now = self._utcnow()
        self._count += 1
        # the time first: sorted keys are in order of time
        name = f"{now:%Y%m%dT%H%M%S%fZ}-{self._part}-{self._count:06d}.jsonl.gz"
        parts = [self._prefix, f"date={now:%Y-%m-%d}", name]
        with own_calls():
            self.client().put_object(
                Bucket=self._bucket,
                Key="/".join(part for part in parts if part),
                Body=gzip.compress(b"".join(lines)),
                ContentType="application/gzip",
            )
        return 0


class _Firehose(_Sender):
    """One record per line. What a batch leaves over is sent again, twice."""

    service = "firehose"

    def __init__(self, stream: str, pause: Callable[[float], None] = time.sleep) -> None:
        super().__init__()
        self._stream, self._pause = stream, pause

    def __call__(self, lines: Sequence[bytes]) -> int:
        """Sends lines; gives how many were not taken in the end."""
        left = list(lines)
        for attempt in range(ATTEMPTS):
            if attempt:
                self._pause(_PAUSE_S * 2**attempt)
            with own_calls():
                answer = self.client().put_record_batch(
                    DeliveryStreamName=self._stream, Records=[{"Data": line} for line in left]
                )
            if not answer["FailedPutCount"]:
                return 0
            answers = zip(left, answer["RequestResponses"], strict=True)
            left = [line for line, each in answers if each.get("ErrorCode")]
        return len(left)
