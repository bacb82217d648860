"""Sends batches of audit records to S3 or Firehose, with an unguarded client.

Source: the API references of S3 PutObject and of Firehose PutRecord (up to 1,000 KiB).
"""

from __future__ import annotations

import gzip
import os
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from typing import Any, Final
from urllib.parse import urlsplit

from dynaguard.audit.chain import new_writer_id
from dynaguard.audit.sinks import Ship
from dynaguard.hooks.exemption import own_calls

ATTEMPTS: Final = 3
_TIMEOUT_S: Final = 10


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

    def __call__(self, lines: Sequence[bytes]) -> None:
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


class _Firehose(_Sender):
    """One record of many lines per batch, so that it arrives as a whole and in order."""

    service = "firehose"

    def __init__(self, stream: str) -> None:
        super().__init__()
        self._stream = stream

    def __call__(self, lines: Sequence[bytes]) -> None:
        """Sends lines; all of them or none."""
        with own_calls():
            self.client().put_record(
                DeliveryStreamName=self._stream, Record={"Data": b"".join(lines)}
            )
