"""The self-check of the patch points."""

from __future__ import annotations

from dataclasses import replace

import botocore
import pytest

from dynaguard.errors import PatchPointError
from dynaguard.hooks.points import SYNC_POINTS, TIME_SAVING_POINTS


@pytest.mark.smoke
@pytest.mark.parametrize(
    "point", [*SYNC_POINTS, *TIME_SAVING_POINTS], ids=lambda point: point.label
)
def test_every_point_is_there_in_the_installed_botocore(point: object) -> None:
    """The installed botocore has each method with the parameters that the wrappers read."""
    owner = point.resolve()

    assert point.name in vars(owner)


@pytest.mark.parametrize(
    ("change", "fault"),
    [
        ({"name": "_gone"}, "is missing"),
        ({"owner": "NoSuchClass"}, "is missing"),
        ({"parameters": ("operation_name", "renamed")}, "takes (operation_name, api_params)"),
        ({"parameters": ("operation_name", "api_params", "more")}, "takes"),
    ],
)
def test_a_missing_or_changed_point_is_named_with_the_version(
    change: dict[str, object], fault: str
) -> None:
    """The error names botocore's version, the point and what to do."""
    point = replace(SYNC_POINTS[0], **change)

    with pytest.raises(PatchPointError) as caught:
        point.resolve()

    message = str(caught.value)
    assert botocore.__version__ in message
    assert fault in message
    assert "newer dynaguard" in message
