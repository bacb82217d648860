"""Masking a Query answer, over botocore's own parse of it and over the whole client call.

The parse, the masks and the peers work on the same answer in the same run; every figure is a
median of paired ratios of CPU time.
"""

from __future__ import annotations

import base64
import copy
import json
import random
import statistics
import time
from collections.abc import Callable
from typing import Any, Final

from benchmarks.pairing import Ratio, count_of, spread
from benchmarks.stub import QUERY, make_client
from dynaguard.call import UNKNOWN_PRINCIPAL, StatementRef
from dynaguard.masking import MaskedRequest, Masks
from dynaguard.masking.cursors import CursorBinding
from dynaguard.masking.detectors import scan
from dynaguard.masking.detectors.scanning import KNOWN_KINDS
from dynaguard.policy.mask_paths import read_mask_path
from dynaguard.policy.model import MaskStatement

ITEMS: Final = 1_000
HIT_SHARE: Final = 0.2
"""Of the texts of an item that hold a value where there are hits: about three of each item's."""
PAIRS: Final = 25
KEY: Final = b"k" * 32
REQUEST: Final = MaskedRequest({}, lambda: CursorBinding("", "", "", "", "", "", ""))
COMMON_KINDS: Final = frozenset(
    {"email", "payment-card", "aws-access-key-id", "jwt", "iban", "phone"}
)
_WORDS: Final = "amber basket copper delta ember forest garden harbour island jacket".split()
_HITS: Final = (
    "ada.lovelace@example.org",
    "4111 1111 1111 1111",
    "AKIAIOSFODNN7EXAMPLE",
    "DE89370400440532013000",
    "+49 30 901820",
    "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxMjM0In0.c2lnbmF0dXJlLXNpZ25hdHVyZQ",
)
SETS: Final[dict[str, tuple[str, ...]]] = {
    "1 top-level attribute": ("email",),
    "2 top-level attributes": ("email", "phone"),
    "6 attributes, some nested": (
        "email",
        "phone",
        "tags",
        "profile.ssn",
        "profile.address.street",
        "cards[*].number",
    ),
    "attributes that no item has": ("nothing", "neither.this"),
    "`**.number`, at any depth": ("**.number",),
}


BAR_BY_SET: Final = {
    "1 top-level attribute, redact": ("parse", 0.015),
    "2 top-level attributes, redact": ("parse", 0.015),
    "2 top-level attributes, partial": ("parse", 0.015),
    "6 attributes, some nested, redact": ("call", 0.04),
}
BAR_BY_SEARCH: Final = {
    "clean text, 6 kinds, search": 0.03,
    "clean text, all kinds, search": 0.03,
    "all-hit text, 6 kinds, search": 0.2,
    "all-hit text, all kinds, search": 0.2,
}
POWERTOOLS_BAR: Final = 1 / 50
POWERTOOLS_FIELDS: Final = {
    "2 top-level attributes": ("email", "phone"),
    "6 attributes, some nested": (
        "email",
        "phone",
        "tags",
        "profile.M.ssn",
        "profile.M.address.M.street",
        "cards.L[*].M.number",
    ),
}


def make_item(number: int, rng: random.Random, *, hits: bool) -> dict[str, Any]:
    """About a kilobyte: strings, numbers, sets, binary, nested maps and lists."""

    def text() -> str:
        words = " ".join(rng.choices(_WORDS, k=5))
        return f"{words} {rng.choice(_HITS)} end" if hits and rng.random() < HIT_SHARE else words

    return {
        "pk": {"S": f"user#{number}"},
        "email": {"S": text()},
        "phone": {"S": text()},
        "tags": {"SS": [text(), f"t{number}"]},
        "photo": {"B": base64.b64encode(rng.randbytes(48)).decode()},
        "count": {"N": str(number)},
        "profile": {
            "M": {
                "ssn": {"S": text()},
                "address": {"M": {"street": {"S": text()}, "city": {"S": text()}}},
                "since": {"S": "2026-01-01T00:00:00Z"},
            }
        },
        "cards": {
            "L": [{"M": {"number": {"S": text()}, "kind": {"S": "visa"}}} for _ in range(3)]
        },
        "notes": {"L": [{"S": text()} for _ in range(4)]},
        "is_active": {"BOOL": True},
    }


def make_body(*, hits: bool = False) -> bytes:
    """The answer as it comes from the wire."""
    rng = random.Random(7)
    items = [make_item(number, rng, hits=hits) for number in range(ITEMS)]
    return json.dumps({"Items": items, "Count": ITEMS, "ScannedCount": ITEMS}).encode()


def make_parse(body: bytes) -> Callable[[], Any]:
    """botocore's own parse of the answer."""
    client = make_client()
    shape = client.meta.service_model.operation_model("Query").output_shape
    answer = {
        "status_code": 200,
        "headers": {},
        "body": body,
        "context": {"operation_name": "Query"},
    }
    return lambda: client._response_parser.parse(answer, shape)


def make_plan(paths: tuple[str, ...], strategy: str, *detectors: str) -> Any:
    """The plan of a Query under one mask."""
    steps = tuple(found for path in paths if (found := read_mask_path(path)) is not None)
    statement = MaskStatement(StatementRef("m"), ("*",), steps, strategy, detectors=detectors)
    return Masks((statement,), key=KEY).plan_for("dynamodb", "Query", ("t",), UNKNOWN_PRINCIPAL)


def cpu_s(call: Callable[[], Any]) -> float:
    """CPU seconds of one call."""
    started_s = time.process_time()
    call()
    return time.process_time() - started_s


def share_of_parse(parse: Callable[[], Any], use: Callable[[Any], Any]) -> Ratio:
    """Ratio of `use(parsed)` to the parse, in pairs."""
    ratios = []
    for _ in range(count_of(PAIRS)):
        started_s = time.process_time()
        parsed = parse()
        parsed_s = time.process_time() - started_s
        ratios.append(cpu_s(lambda parsed=parsed: use(parsed)) / parsed_s)  # type: ignore[misc]
    return spread(ratios)


def run_sets() -> dict[str, tuple[Ratio, Ratio]]:
    """Share of the parse and of the whole client call, by set of masks and strategy."""
    body = make_body()
    parse = make_parse(body)
    client = make_client()
    client._endpoint.http_session.body = body
    call_over_parse = statistics.median(
        cpu_s(lambda: client.query(**QUERY)) / cpu_s(parse) for _ in range(PAIRS)
    )
    found = {}
    for name, paths in SETS.items():
        for strategy in ("redact", "partial", "hash"):
            plan = make_plan(paths, strategy)
            share = share_of_parse(parse, lambda parsed, plan=plan: plan.apply(parsed, REQUEST))
            found[f"{name}, {strategy}"] = (share, _over(share, call_over_parse))
    return found


def _over(ratio: Ratio, divisor: float) -> Ratio:
    """The ratio to something that takes so many times what it was a ratio to."""
    parts = (ratio.median / divisor, ratio.low / divisor, ratio.high / divisor)
    return Ratio(*parts, ratio.extra_us, ratio.pairs)


def run_detectors() -> dict[str, Ratio]:
    """Shares of the parse: the search alone, and with walk and rewriting."""
    found = {}
    for name, hits in (("clean text", False), ("all-hit text", True)):
        body = make_body(hits=hits)
        parse = make_parse(body)
        parts = _texts(parse()["Items"])
        joined = "\0".join(parts)
        for label, kinds in (("6 kinds", COMMON_KINDS), ("all kinds", KNOWN_KINDS)):
            found[f"{name}, {label}, search"] = share_of_parse(
                parse,
                lambda _, joined=joined, kinds=kinds, parts=parts: scan(joined, kinds, parts),
            )
            plan = make_plan(("**",), "redact", *kinds)
            found[f"{name}, {label}, with walk and rewriting"] = share_of_parse(
                parse, lambda parsed, plan=plan: plan.apply(parsed, REQUEST)
            )
    return found


def _texts(value: Any) -> list[str]:
    """Every string of a parsed answer."""
    if isinstance(value, dict):
        return [text for part in value.values() for text in _texts(part)]
    if isinstance(value, list):
        return [text for part in value for text in _texts(part)]
    return [value] if isinstance(value, str) else []


def run_powertools() -> dict[str, Ratio]:
    """Our share of what Powertools' DataMasking takes for the same fields; empty without it."""
    try:
        from aws_lambda_powertools.utilities.data_masking import DataMasking
    except ImportError:
        return {}
    parsed = make_parse(make_body())()
    for item in parsed["Items"]:
        del item["photo"]  # it takes JSON only, and bytes are none
    answer = {"Items": parsed["Items"]}
    masker = DataMasking()
    found = {}
    for name, fields in POWERTOOLS_FIELDS.items():
        plan = make_plan(SETS[name], "redact")
        expressions = [f"$.Items[*].{field}" for field in fields]
        ratios = []
        for _ in range(count_of(7)):
            ours = copy.deepcopy(answer)
            own_s = cpu_s(lambda ours=ours, plan=plan: plan.apply(ours, REQUEST))  # type: ignore[misc]
            ratios.append(own_s / cpu_s(lambda: masker.erase(answer, fields=expressions)))  # noqa: B023
        found[name] = spread(ratios)
    return found
