"""The table of places against the service models of the installed botocore."""

from __future__ import annotations

from collections.abc import Iterator

import botocore.session
import pytest
from botocore.model import ListShape, MapShape, Shape, StructureShape

from dynaguard.masking.locations import CURSOR_OPERATIONS, PLACES_BY_OPERATION, Place
from dynaguard.masking.marker import _VALUES_BY_NAME
from dynaguard.policy.mask_section import MASKED_OPERATIONS

SERVICES = ("dynamodb", "dynamodbstreams")

# Members that are sealed, that go back to AWS unread, or that echo the caller's own request.
SEALED = {(operation, "LastEvaluatedKey") for operation in CURSOR_OPERATIONS}
NEVER_MASKED = {
    ("BatchGetItem", "UnprocessedKeys"),
    ("BatchWriteItem", "UnprocessedItems"),
    ("DescribeExport", "ExportDescription"),
    ("ExportTableToPointInTime", "ExportDescription"),
}


def find_values(
    shape: Shape | None, path: Place = (), seen: frozenset[str] = frozenset()
) -> Iterator[Place]:
    """The place of every AttributeValue below a shape."""
    if shape is None or shape.name in seen:
        return
    seen |= {shape.name}
    if shape.name == "AttributeValue":
        yield path
    elif isinstance(shape, StructureShape):
        for name, member in shape.members.items():
            yield from find_values(member, (*path, name), seen)
    elif isinstance(shape, ListShape):
        yield from find_values(shape.member, (*path, "[]"), seen)
    elif isinstance(shape, MapShape):
        yield from find_values(shape.value, (*path, "{}"), seen)


def answers() -> Iterator[tuple[str, str, Place]]:
    """Service, operation and place of every AttributeValue of an answer, success or error."""
    session = botocore.session.get_session()
    for service in SERVICES:
        model = session.get_service_model(service)
        for operation in model.operation_names:
            operation_model = model.operation_model(operation)
            for shape in (operation_model.output_shape, *operation_model.error_shapes):
                for place in find_values(shape):
                    yield service, operation, place


@pytest.mark.parametrize(("service", "operation", "place"), sorted(set(answers())))
def test_every_attribute_value_of_an_answer_is_covered(
    service: str, operation: str, place: Place
) -> None:
    """covers each value of the model, or names its member as never masked."""
    *item, names = place

    assert names == "{}"
    is_covered = tuple(item) in PLACES_BY_OPERATION.get((service, operation), ())
    assert is_covered is not ((operation, place[0]) in NEVER_MASKED | SEALED)


def test_policies_can_name_every_operation_with_items() -> None:
    """the names that `operations` of a mask may give are those of the table."""
    assert {operation for _, operation in PLACES_BY_OPERATION} == set(MASKED_OPERATIONS)


def test_every_exclusion_is_still_needed() -> None:
    """names no member that the model does not have."""
    named = NEVER_MASKED | SEALED
    assert {(operation, place[0]) for _, operation, place in answers()} >= named - {
        ("DescribeExport", "ExportDescription"),  # only in newer models
        ("ExportTableToPointInTime", "ExportDescription"),
    }


def test_request_members_that_map_names_to_values_are_known() -> None:
    """knows every request member under which attribute values stand by name."""
    model = botocore.session.get_session().get_service_model("dynamodb")
    found = {
        place[: place.index("{}", 1) if "RequestItems" not in place else -1][-1]
        for operation in model.operation_names
        for place in find_values(model.operation_model(operation).input_shape)
        if "{}" in place[1:]
    }

    assert {name for name in found if name not in {"[]", "{}"}} <= _VALUES_BY_NAME
