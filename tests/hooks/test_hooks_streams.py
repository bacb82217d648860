"""Answers that are streams are the caller's to read."""

from __future__ import annotations

from typing import Any

import pytest

import dynaguard


@pytest.mark.smoke
@pytest.mark.parametrize("mode", ["legacy", "standard", "adaptive"])
def test_the_body_of_an_object_is_not_read_beforehand(
    make_client: Any, wire: Any, mode: str
) -> None:
    """Whatever sums its answer tells: only DynamoDB's are compared."""
    client, real = make_client("s3", retries={"mode": mode}), wire.send

    def send(request: Any) -> Any:
        answer = real(request)
        answer.headers["x-amz-crc32"] = "1"
        return answer

    wire.send = send
    wire.answer("hello world")
    dynaguard.install()

    for _ in range(2):
        body = client.get_object(Bucket="reports", Key="a")["Body"]
        assert body.read() == b"hello world"
