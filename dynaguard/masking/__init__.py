"""Masks: which values of an answer a caller does not see, and what it sees instead.

A `[[mask]]` statement names attributes of tables, kinds of values, or the secrets of other
services. `Masks` compiles all of them once; `plan_for` gives the plan of one call; `apply`
rewrites botocore's parsed answer in place, before the caller or a resource's deserialiser sees it,
success and error answers alike.

| module | knows |
|---|---|
| `masks.py`, `plans.py` | the masks of a policy, the plan of a call |
| `locations.py` | where answers hold items |
| `paths.py`, `tree.py`, `walk.py` | attribute paths, compiled, followed through items |
| `strategies.py`, `tokens.py`, `registry.py` | how a value becomes a token |
| `detectors/`, `findings.py` | values of known kinds, found in texts |
| `cursors.py` | masked keys of `LastEvaluatedKey`, sealed and unsealed |
| `restoring.py`, `targets.py`, `marker.py` | tokens in requests: given back, or refused |
| `scrubbing.py` | masked values in messages |
| `secrets.py` | sensitive members of other services |

What a value becomes (design section 6):

| in the answer | masked |
|---|---|
| `S`, `N`, `B`, `BOOL` | `{"S": token}`, never an invented number |
| `SS` | `{"SS": [token, ...]}`, each token once |
| `NS`, `BS` | `{"SS": [token]}` |
| `M`, `L` | the same shape, every leaf masked |
| `NULL` | unchanged: it holds nothing |
| a shape that is not understood | `{"S": token}`: withheld |

Every token begins with `MARKER`, by which `find_marker` knows a masked value that is about to be
written back into a table. Strategies, from the strictest on: `redact`, `tokenize`, `hash`,
`partial`, `custom:NAME`. Several masks on one value: the strictest decides. Binary values and
booleans have no partial form, and a hash of a boolean would tell its value: they are redacted
there (binary values are hashed).

List positions: DynamoDB renumbers the lists of projections, so where a request projects (or it is
not known whether it does) `cards[0].number` masks the number of every card. Rows of PartiQL name
nested attributes by the end of their path, so `profile.ssn` masks a column `ssn` there too.

Limits, for users in docs/masking.md: what goes back to AWS unread (`UnprocessedKeys`,
`UnprocessedItems`) is never masked. JSON inside a string and anything inside binary is not looked
into: mask the whole attribute. A PartiQL statement that selects a single list element
(`SELECT cards[0]`) or computes a column names it in a way that no path foresees. Masked attributes
can be probed by filters, conditions and counts unless the policy denies that.

Imports nothing of botocore and knows its parsed answers only as nested dicts and lists.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from dynaguard.masking.cursors import CursorFault, CursorSeals, binding_of
    from dynaguard.masking.marker import MARKER, find_marker
    from dynaguard.masking.masks import Masks
    from dynaguard.masking.plans import BegunPlan, MaskedRequest, MaskPlan, Plan

__all__ = [
    "MARKER",
    "BegunPlan",
    "CursorFault",
    "CursorSeals",
    "MaskPlan",
    "MaskedRequest",
    "Masks",
    "Plan",
    "binding_of",
    "find_marker",
]
_MODULE_BY_NAME = {
    "BegunPlan": "plans",
    "CursorFault": "cursors",
    "CursorSeals": "cursors",
    "MARKER": "marker",
    "MaskPlan": "plans",
    "MaskedRequest": "plans",
    "Masks": "masks",
    "Plan": "plans",
    "binding_of": "cursors",
    "find_marker": "marker",
}


def __getattr__(name: str) -> Any:
    """The names of the room's modules: who reads one of them need not import all."""
    module = _MODULE_BY_NAME.get(name)
    if module is None:
        raise AttributeError(f"module `{__name__}` has no attribute `{name}`")
    from importlib import import_module

    return getattr(import_module(f"{__name__}.{module}"), name)
