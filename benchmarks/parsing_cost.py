"""Reading an answer fast over botocore's own reading of it, with and without masks.

Both in the same run, in turns; every figure is the median of paired ratios of CPU time. Fast
reading counts in full: the items are taken out, and botocore reads what is left of the body.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any, Final

from benchmarks.masking_cost import REQUEST
from benchmarks.pairing import Ratio, cpu_per_call_us, paired_ratio
from benchmarks.stub import ITEM, make_client
from dynaguard.call import UNKNOWN_PRINCIPAL, StatementRef
from dynaguard.hooks.item_taking import take_items
from dynaguard.masking import MaskPlan, Masks
from dynaguard.policy.mask_paths import read_mask_path
from dynaguard.policy.model import MaskStatement

SIZES: Final = (1, 25, 1_000)
"""Items of an answer; one is a GetItem's."""
MASKS: Final[dict[str, tuple[tuple[str, ...], str]]] = {
    "no masks": ((), "redact"),
    "2 attributes, redact": (("email", "addr.zip"), "redact"),
    "2 attributes, partial": (("email", "addr.zip"), "partial"),
}
PAIRS: Final = 40
_ITEMS_PER_SAMPLE: Final = 2_000
_LEAST_CALLS: Final = 3
_HEADERS: Final = {"x-amzn-requestid": "R", "content-type": "application/x-amz-json-1.0"}


def run() -> dict[str, dict[str, dict[str, float]]]:
    """The figures as plain data.

    **Shape**: masks -> items of the answer -> `median`, `low` and `high` (quartiles) of the ratio
    of fast to stock reading, and `saved_us`, microseconds of CPU saved per answer.

    With masks, stock reading is followed by the same masks: what dynaguard does without fast
    reading.
    """
    return {
        name: {str(size): _as_data(measure(size, paths, strategy)) for size in SIZES}
        for name, (paths, strategy) in MASKS.items()
    }


def measure(size: int, paths: tuple[str, ...], strategy: str) -> Ratio:
    """Fast over stock reading of an answer of so many items."""
    operation = "GetItem" if size == 1 else "Query"
    answer: dict[str, Any] = {"Items": [ITEM] * size, "Count": size, "ScannedCount": size}
    body = json.dumps({"Item": ITEM} if size == 1 else answer).encode()
    plan = _plan(operation, paths, strategy) if paths else None
    count = max(_LEAST_CALLS, _ITEMS_PER_SAMPLE // max(size, 10))
    stock, fast = _stock(operation, body, plan), _fast(operation, body, plan)
    return paired_ratio(
        lambda: cpu_per_call_us(stock, count), lambda: cpu_per_call_us(fast, count), PAIRS
    )


def _as_data(ratio: Ratio) -> dict[str, float]:
    return {
        "median": round(ratio.median, 4),
        "low": round(ratio.low, 4),
        "high": round(ratio.high, 4),
        "saved_us": round(-ratio.extra_us, 2),
    }


def _plan(operation: str, paths: tuple[str, ...], strategy: str) -> MaskPlan:
    """The masks of a call of any table."""
    steps = tuple(found for path in paths if (found := read_mask_path(path)) is not None)
    masks = Masks((MaskStatement(StatementRef("m"), ("*",), steps, strategy),), key=None)
    plan = masks.plan_for("dynamodb", operation, ("orders",), UNKNOWN_PRINCIPAL, {})
    assert isinstance(plan, MaskPlan)
    return plan


def _reader(operation: str) -> Callable[[dict[str, Any]], dict[str, Any]]:
    """botocore's own parser."""
    client = make_client()
    shape = client.meta.service_model.operation_model(operation).output_shape
    parser = client._endpoint._response_parser_factory.create_parser("json")
    return lambda response: parser.parse(response, shape)


def _response(body: bytes) -> dict[str, Any]:
    return {"headers": _HEADERS, "status_code": 200, "body": body, "context": {}}


def _stock(operation: str, body: bytes, plan: MaskPlan | None) -> Callable[[], object]:
    """botocore's reading, then the masks."""
    read = _reader(operation)

    def call() -> object:
        parsed = read(_response(body))
        return plan.apply(parsed, REQUEST) if plan is not None else parsed

    return call


def _fast(operation: str, body: bytes, plan: MaskPlan | None) -> Callable[[], object]:
    """Ours, with the masks in between, then botocore's of the rest."""
    read = _reader(operation)

    def call() -> object:
        response, result = _response(body), dict[str, Any]()
        member = take_items(operation, response, result)
        assert member is not None
        begun = plan.begin(member, result[member]) if plan is not None else None
        parsed = read(response)
        parsed.update(result)
        assert begun is None or begun.is_done(parsed)
        return parsed

    return call
