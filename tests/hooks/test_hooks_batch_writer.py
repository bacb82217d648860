"""boto3's `batch_writer` loses nothing, whatever happens to its calls."""

from __future__ import annotations

from typing import Any

import boto3
import pytest
from botocore.exceptions import ClientError

import dynaguard

THROTTLE = {"__type": "x#ProvisionedThroughputExceededException", "message": "slow down"}


@pytest.fixture
def table(wire: Any) -> Any:
    """A Table resource on the wire."""
    resource = boto3.resource("dynamodb", region_name="eu-west-1")
    resource.meta.client._endpoint.http_session = wire
    return resource.Table("orders")


def item(key: int) -> dict[str, Any]:
    """An item in the resource API's own types."""
    return {"pk": str(key), "count": key}


def write(writer: Any, count: int) -> None:
    """Puts so many items."""
    for key in range(count):
        writer.put_item(Item=item(key))


def test_what_an_error_stopped_stays_in_the_writer(table: Any, wire: Any, waiting: Any) -> None:
    """All that was taken and not written, in order, with a note on the error."""
    wire.answer({"__type": "x#ValidationException", "message": "no"}, 400)
    dynaguard.install()

    with pytest.raises(ClientError) as caught, table.batch_writer() as writer:
        write(writer, 30)

    left = dynaguard.unwritten(writer)
    assert [each["PutRequest"]["Item"] for each in left] == [item(key) for key in range(25)]
    assert any("up to 25 requests are not written" in note for note in caught.value.__notes__)


def test_a_writer_can_go_on_after_an_error(table: Any, wire: Any, waiting: Any) -> None:
    """What it holds is written at the next chance."""
    wire.answer(THROTTLE, 400)
    dynaguard.install()

    with table.batch_writer() as writer:
        with dynaguard.deadline(0.05), pytest.raises(ClientError):
            write(writer, 25)
        wire.answers.clear()
        wire.answer({"UnprocessedItems": {}})
        wire.sent.clear()

    assert dynaguard.unwritten(writer) == []
    assert len(wire.sent) == 1
    assert wire.sent[0].body.count(b"PutRequest") == 25


def test_the_writer_does_not_spin_on_leftovers(table: Any, wire: Any, waiting: Any) -> None:
    """A table that takes nothing is asked a few times a second, and ends with an error."""
    entry = {"PutRequest": {"Item": {"pk": {"S": "0"}, "count": {"N": "0"}}}}
    wire.answer({"UnprocessedItems": {"orders": [entry]}})
    dynaguard.install()

    begun_s = waiting.now_s
    with (
        dynaguard.job("load", deadline_s=20),
        pytest.raises(ClientError),
        table.batch_writer() as writer,
    ):
        write(writer, 1)

    assert dynaguard.unwritten(writer) == [{"PutRequest": {"Item": item(0)}}]
    assert len(wire.sent) < 20 * (waiting.now_s - begun_s)


def test_without_dynaguard_nothing_is_changed(table: Any, wire: Any) -> None:
    """`uninstall()` leaves boto3's method as it was."""
    from boto3.dynamodb.table import BatchWriter

    original = vars(BatchWriter)["_flush"]
    with dynaguard.install():
        assert vars(BatchWriter)["_flush"] is not original
    assert vars(BatchWriter)["_flush"] is original


def test_what_is_no_batch_writer_is_refused() -> None:
    """One clear error."""
    with pytest.raises(dynaguard.ConfigurationError, match="this is a `dict`"):
        dynaguard.unwritten({})
