"""Reads the items of DynamoDB's answers faster than botocore does, to the same result.

botocore's parser visits every attribute value through half a dozen calls; most of them have
nothing to do but hand a text on. At `before-parse` the body is read by the JSON library once, the
items are taken out of it (`item_taking.py`), and what is left of the body, an empty list or
mapping in the place of the items, goes to botocore's own parser as before. So every other member,
metadata, errors and the order of keys are its work still.

INVARIANT: botocore would read the same. `tests/hooks` compares the two, and `agrees_with` does
once per process and operation, with the botocore that is installed.
"""

from __future__ import annotations

import json
import logging
from collections.abc import Iterator, Mapping
from typing import Any, Final

import botocore
from botocore.parsers import create_parser

from dynaguard.hooks.item_taking import MEMBERS, OPERATIONS, take_items
from dynaguard.interruption import came_from_handler

_log = logging.getLogger("dynaguard")
_parser_log = logging.getLogger("botocore.parsers")
_KNOWN_PARSERS: Final = frozenset({"botocore.parsers", "aiobotocore.parsers"})


class FastParsing:
    """The fast path of one installation. Thread-safe: asking twice is harmless.

    Args:
        is_on: Whether it is to act, by the settings.
    """

    __slots__ = ("_agrees", "_is_on")

    def __init__(self, *, is_on: bool) -> None:
        self._is_on = is_on
        self._agrees: dict[str, bool] = {}

    @property
    def state(self) -> str:
        """`on`, `off`, or that it is off since the installed botocore reads something else."""
        if not self._is_on:
            return "off"
        return "on" if all(self._agrees.values()) else "off: this botocore reads answers otherwise"

    def take(
        self, client: Any, operation_model: Any, response: Any, result: dict[str, Any]
    ) -> str | None:
        """Takes the items of an answer, if botocore would read the same. Never raises.

        Args:
            client: Whose call it is.
            operation_model: botocore's model of the operation.
            response: As for `take_items`.
            result: As there.

        Returns:
            The member that holds the items, or None where botocore is to read them.
        """
        operation = operation_model.name
        if not self._is_on or operation not in OPERATIONS:
            return None
        if _parser_log.isEnabledFor(logging.DEBUG):
            return None  # botocore logs what it parses, which should be the answer as it came
        if not _has_usual_parser(client):
            return None
        agrees = self._agrees.get(operation)
        if agrees is None:
            agrees = self._ask(operation_model)
        return take_items(operation, response, result) if agrees else None

    def _ask(self, operation_model: Any) -> bool:
        """Whether the installed botocore agrees on an operation; warns where it does not."""
        operation = operation_model.name
        agrees = self._agrees[operation] = agrees_with(operation_model)
        if not agrees:
            _log.warning(
                "botocore %s reads the answer of %s otherwise than dynaguard, so botocore "
                "reads them all from here on; `fast_parse` off silences this",
                botocore.__version__,
                operation,
            )
        return agrees


def _has_usual_parser(client: Any) -> bool:
    """Whether a client's answers are read by botocore's own parser, as it comes.

    A program can give a session another one, or its own readers of binary values and timestamps
    (`set_parser_defaults`), as the AWS CLI does.
    """
    try:
        factory = client._endpoint._response_parser_factory
        return type(factory).__module__ in _KNOWN_PARSERS and not factory._defaults
    except AttributeError:
        return False


# --- does the installed botocore read the same? ------------------------------------------------

_SAMPLE_ITEM: Final = {
    "text": {"S": "ä"},
    "number": {"N": "-1.5E-7"},
    "binary": {"B": "AAEC/w=="},
    "texts": {"SS": ["a", "b"]},
    "numbers": {"NS": ["1", "2"]},
    "binaries": {"BS": ["AA==", "AQ=="]},
    "map": {"M": {"S": {"S": "inner"}, "M": {"M": {}}, "B": {"B": "AA=="}}},
    "list": {"L": [{"L": []}, {"B": "AA=="}, {"NULL": True}, {"M": {"N": {"N": "1"}}}]},
    "none": {"NULL": True},
    "truth": {"BOOL": False},
    # Handed on as they are, although no service answers so.
    "odd": {"L": [{"S": 1}, {"N": 1.5}, {"BOOL": "x"}, {"SS": [1, None]}, {"NS": [[]]}]},
}
_SAMPLE: Final[Mapping[str, Any]] = {
    "LastEvaluatedKey": {"text": {"S": "a"}},
    "Items": [_SAMPLE_ITEM, {}],
    "Item": _SAMPLE_ITEM,
    "Attributes": _SAMPLE_ITEM,
    "Count": 2,
    "UnheardOf": 1,
}
_SAMPLE_CAPACITY: Final = {"TableName": "sample", "CapacityUnits": 0.5, "Unheard": {"Of": 1}}


def agrees_with(operation_model: Any) -> bool:
    """Whether botocore reads sample answers the same with and without the items taken out.

    Args:
        operation_model: botocore's model of an operation in `OPERATIONS`.

    Effects: none. Cost: some hundred microseconds; to be asked once per process.
    """
    model = operation_model.service_model
    protocol = getattr(model, "resolved_protocol", model.metadata["protocol"])
    try:
        parser = create_parser(protocol)
        return all(
            _reads_same(parser, operation_model, json.dumps(sample).encode())
            for sample in _samples(operation_model)
        )
    except Exception as err:
        if came_from_handler(err):
            raise  # meant for the application
        return False


def _reads_same(parser: Any, operation_model: Any, body: bytes) -> bool:
    """Whether an answer reads the same both ways, to the order of its members."""

    def parsed(*, is_fast: bool) -> dict[str, Any]:
        response = {"headers": {}, "status_code": 200, "body": body, "context": {}}
        result: dict[str, Any] = {}
        if is_fast and take_items(operation_model.name, response, result) is None:
            return {}
        return {**parser.parse(response, operation_model.output_shape), **result}

    stock, fast = parsed(is_fast=False), parsed(is_fast=True)
    return stock == fast and list(stock) == list(fast)


def _samples(operation_model: Any) -> Iterator[dict[str, Any]]:
    """An answer with all that an operation may answer and more, and one with items alone."""
    operation, members = operation_model.name, operation_model.output_shape.members
    is_batch = members["ConsumedCapacity"].type_name == "list"
    sample = {
        **_SAMPLE,
        "Responses": _sample_responses(operation),
        "ConsumedCapacity": [_SAMPLE_CAPACITY] if is_batch else _SAMPLE_CAPACITY,
    }
    yield {name: sample[name] for name in ("UnheardOf", *reversed(members)) if name in sample}
    yield {name: sample[name] for name in MEMBERS if name in members}


def _sample_responses(operation: str) -> Any:
    """`Responses` as an operation answers them."""
    if operation == "BatchGetItem":
        return {"sample": [_SAMPLE_ITEM]}
    if operation == "BatchExecuteStatement":
        return [{"TableName": "sample", "Item": _SAMPLE_ITEM}, {}]
    return [{"Item": _SAMPLE_ITEM}, {}]
