"""Binds a runbook to the values of one run: its statements, its templates, its subject.

Pure: nothing is read and nothing called but botocore's models. Equal runbooks, values and places
give equal texts.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping
from decimal import Decimal
from typing import Any

from dynaguard.access.canonical import sha256_of
from dynaguard.access.templates import (
    ANY,
    DIGESTS,
    SLOW_DIGESTS,
    SLOW_ROUNDS,
    digest_of,
    literal,
    slow_digest_of,
)
from dynaguard.errors import ConfigurationError
from dynaguard.runbooks import models
from dynaguard.runbooks.bound import BoundRunbook
from dynaguard.runbooks.calls import StepCall, calls_of
from dynaguard.runbooks.compiling import RunPlace, compile_statements, value_of
from dynaguard.runbooks.filling import numeral, shaped
from dynaguard.runbooks.model import CallTemplate, Origin, Reference, Runbook
from dynaguard.runbooks.parameters import bound_values
from dynaguard.runbooks.secrets import Secret


def bind(
    runbook: Runbook,
    values: Mapping[str, Any],
    *,
    region: str | None,
    account_id: str | None,
    partition: str = "aws",
) -> BoundRunbook:
    """What one run may do.

    Args:
        runbook: The runbook.
        values: Values of its parameters: text, or values of Python.
        region: The region that its calls go to, unless a step says another; None: any.
        account_id: The account, twelve digits; None where it is not known, then any matches.
        partition: `aws`, `aws-cn` ...

    Raises:
        ConfigurationError: Values that are wrong, a line each; or a call that is not understood.
    """
    bound = bound_values(runbook, values)
    place = RunPlace(partition, region, account_id)
    subject = _subject(runbook, bound, place)
    calls = tuple(calls_of(runbook))
    try:
        templates = tuple(_template(call, bound, place, subject) for call in calls)
        iam, own = compile_statements(runbook, calls, bound, place)
    except ValueError as err:
        raise ConfigurationError(f"runbook `{runbook.name}`: {err}") from None
    return BoundRunbook(
        runbook=runbook,
        values=bound,
        subject_sha256=subject,
        iam_statements=iam,
        statements=own,
        templates=templates,
    )


def _subject(runbook: Runbook, values: Mapping[str, Any], place: RunPlace) -> str:
    """Hash of the runbook, its values, and where it runs."""
    return sha256_of(
        {
            "runbook": runbook.sha256,
            "values": {name: _hashed(value, runbook) for name, value in values.items()},
            "place": [place.partition, place.region, place.account_id],
        }
    )


def _hashed(value: Any, runbook: Runbook) -> Any:
    """A value as the subject has it: equal for equal ones; of a secret only what takes long."""
    if isinstance(value, Secret):
        text = value.reveal().encode("utf-8", "surrogatepass")
        salt = runbook.sha256.encode()
        return {"$pbkdf2": hashlib.pbkdf2_hmac("sha256", text, salt, SLOW_ROUNDS).hex()}
    if isinstance(value, Decimal):
        return {"$number": numeral(value)}
    if isinstance(value, tuple):
        return [_hashed(each, runbook) for each in value]
    return value


# --- templates --------------------------------------------------------------------------------


def _template(
    call: StepCall, values: Mapping[str, Any], place: RunPlace, salt: str
) -> dict[str, Any]:
    """A call as `access/templates.py` has it."""
    template = call.template
    names = (template.service, template.operation)
    free = models.added_members(*names)
    if template.max_pages is not None or template.max_items is not None:
        free += models.paging_members(*names)
    return {
        "step": call.step.name,
        "service": template.service,
        "operation": template.operation,
        "region": template.region or place.region,
        "params": _templated(template.params, call, values, salt),
        "free": sorted(set(free)),
        "max_limit": _max_limit(template, values),
        "salt": salt,
    }


def _templated(value: Any, call: StepCall, values: Mapping[str, Any], salt: str) -> Any:
    """Parameters as a template has them."""
    if isinstance(value, Reference):
        return _open_place(value, call, values, salt)
    if isinstance(value, Mapping):
        return {
            f"${name}" if name.startswith("$") else name: _templated(each, call, values, salt)
            for name, each in value.items()
        }
    if isinstance(value, list | tuple):
        return [_templated(each, call, values, salt) for each in value]
    return literal(value)


def _open_place(
    reference: Reference, call: StepCall, values: Mapping[str, Any], salt: str
) -> dict[str, Any]:
    """A place that is filled later: by digests where the values are known, else by its type."""
    known = _known_values(reference, call, values)
    if known is None:
        kind = reference.path[0] if reference.origin is Origin.ANY else reference.wants
        return {ANY: kind or "any"}
    is_secret = any(isinstance(each, Secret) for each in _flat(known))
    name, digest = (SLOW_DIGESTS, slow_digest_of) if is_secret else (DIGESTS, digest_of)
    return {name: sorted({digest(shaped(value, reference.wants), salt) for value in known})}


def _flat(values: tuple[Any, ...]) -> Iterator[Any]:
    """Values, and the elements of those that are lists."""
    for value in values:
        yield from value if isinstance(value, tuple) else (value,)


def _known_values(
    reference: Reference, call: StepCall, values: Mapping[str, Any]
) -> tuple[Any, ...] | None:
    """The values that a place may have, or None where they show while it runs."""
    if reference.origin is Origin.PARAMETER:
        return (value_of(reference.path[0], values),)
    items = call.loop.items if call.loop else None
    if reference.origin is Origin.ITEM and items and items.origin is Origin.PARAMETER:
        return tuple(value_of(items.path[0], values))
    return None


def _max_limit(template: CallTemplate, values: Mapping[str, Any]) -> int | None:
    """The most that `Limit` may be: a run may read less at a time than it is allowed to."""
    if "Limit" not in models.input_members(template.service, template.operation):
        return None
    limit = template.params.get("Limit")
    if limit is None:
        return template.max_items
    if isinstance(limit, Reference):
        if limit.origin is not Origin.PARAMETER:
            return None
        limit = shaped(value_of(limit.path[0], values), "integer")
    return int(limit)
