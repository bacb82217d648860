"""What masking costs beside botocore's own parse of the same answer; printed, hardly asserted."""

from __future__ import annotations

import gc
import json
import statistics
import time
from collections.abc import Callable
from typing import Any

import botocore.parsers
import botocore.session
import pytest

from dynaguard.call import UNKNOWN_PRINCIPAL, StatementRef
from dynaguard.masking import MaskedRequest, Masks
from dynaguard.masking.cursors import CursorBinding
from dynaguard.policy.model import MaskStatement, MaskStep, PathStep

ITEM_COUNT = 1000
REQUEST = MaskedRequest({}, lambda: CursorBinding("", "", "", "", "", "", ""))
ROUNDS = 9


def make_body() -> bytes:
    """A Query answer of about 0.9 MB: 1,000 items of 14 attributes, nested ones among them."""
    items = [
        {
            "pk": {"S": f"CUSTOMER#{n:06}"},
            "sk": {"S": "PROFILE"},
            "email": {"S": f"customer{n}@example.org"},
            "card": {"S": f"4111{n:012}"},
            "salary": {"N": str(50_000 + n)},
            "active": {"BOOL": True},
            "address": {"M": {"street": {"S": f"Main road {n}"}, "city": {"S": "Springfield"}}},
            "tags": {"SS": ["vip", "late", f"t{n % 9}"]},
            "scores": {"NS": ["1", "2", "3"]},
            "blob": {"B": "AAECAwQFBgcICQoLDA0ODw=="},
            "orders": {
                "L": [
                    {"M": {"sku": {"S": f"SKU-{n}"}, "contact": {"S": f"c{n}@example.net"}}},
                    {"M": {"sku": {"S": f"SKU-{n + 1}"}, "contact": {"S": f"d{n}@example.net"}}},
                ]
            },
            "note": {"S": "left at the door, please ring before noon " * 6},
            "created": {"N": str(1_700_000_000 + n)},
            "kind": {"S": "private"},
        }
        for n in range(ITEM_COUNT)
    ]
    return json.dumps({"Items": items, "Count": ITEM_COUNT}).encode()


def make_parse(body: bytes) -> Callable[[], dict[str, Any]]:
    """botocore's parse of the body, as its endpoint runs it."""
    model = botocore.session.get_session().get_service_model("dynamodb")
    parser = botocore.parsers.create_parser(model.metadata["protocol"])
    shape = model.operation_model("Query").output_shape
    return lambda: parser.parse({"body": body, "headers": {}, "status_code": 200}, shape)


@pytest.mark.parametrize("strategy", ["redact", "partial", "hash"])
@pytest.mark.parametrize(
    "paths",
    [
        (("email",), ("card",)),
        (
            ("email",),
            ("card",),
            ("address", "street"),
            ("orders", MaskStep.EACH, "contact"),
            ("tags",),
            ("salary",),
        ),
    ],
    ids=["2 top-level", "6 with nested"],
)
def test_masking_costs_a_small_share_of_the_parse(
    strategy: str, paths: tuple[tuple[PathStep, ...], ...]
) -> None:
    """prints the CPU of masking 1,000 items over that of parsing them, median of paired rounds."""
    parse = make_parse(make_body())
    statement = MaskStatement(StatementRef("m"), ("*",), paths, strategy)
    masks = Masks((statement,), key=b"k" * 32)
    plan = masks.plan_for("dynamodb", "Query", ("t",), UNKNOWN_PRINCIPAL)
    assert plan is not None

    ratios = []
    for _ in range(ROUNDS):
        gc.collect()
        started = time.process_time_ns()
        parsed = parse()
        parsed_at = time.process_time_ns()
        counts = plan.apply(parsed, REQUEST)
        ratios.append((time.process_time_ns() - parsed_at) / (parsed_at - started))

    print(f"{strategy}, {len(paths)} paths: {statistics.median(ratios):.2%} of the parse")  # noqa: T201
    assert next(iter(counts["t"].values())) == ITEM_COUNT
    assert statistics.median(ratios) < 1
