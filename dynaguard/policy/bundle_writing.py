"""Writes a document as a bundle.

**Shape** of the content, one JSON value a line: the header (`bundle_reading.py`), the parts
(`bundle_parts.py`), the statements (`bundle_statements.py`).

The same document always gives the same bytes: no instant, no machine and no path of it stands in
a bundle but what the document itself names.
"""

from __future__ import annotations

import json
from typing import Any, Final

from dynaguard.policy.bundle_format import Signs, framed
from dynaguard.policy.bundle_index import index_parts
from dynaguard.policy.bundle_parts import BLOCK
from dynaguard.policy.bundle_statements import statement_table
from dynaguard.policy.bundle_values import plain_fields
from dynaguard.policy.model import PolicyDocument
from dynaguard.policy.statement_index import index_statements

_ELSEWHERE: Final = frozenset({"statements", "bundle"})


def bundle_bytes(document: PolicyDocument, signer: Signs | None = None) -> bytes:
    """A document as a bundle.

    Args:
        document: The checked document.
        signer: Signs it; None: it stays unsigned.

    Raises:
        ValueError: A setting of the document is nothing that JSON can hold.

    Cost: O(statements).
    """
    statements = document.statements
    numbers = {ref.source: 0 for ref in (each.ref for each in statements)}
    numbers = {source: number for number, source in enumerate(numbers)}
    lines = [_line(statement_table(each, numbers)) for each in statements]
    index, index_lists = index_parts(index_statements(tuple(statements)))
    blocks = [sum(map(len, lines[at : at + BLOCK])) for at in range(0, len(lines), BLOCK)]
    parts = [_line(part) for part in (blocks, *index_lists)]
    header = {
        "document": plain_fields(document, _ELSEWHERE)
        | {"default": document.default, "govern": _govern(document)},
        "sources": list(numbers),
        "asking": [at for at, each in enumerate(statements) if each.approval is not None],
        "statements": len(lines),
        "index": index,
        "parts": [len(part) for part in parts],
    }
    return framed(b"".join((_line(header), *parts, *lines)), signer)


def _govern(document: PolicyDocument) -> list[str] | None:
    """The services under the policy; None: every one."""
    return None if document.govern is None else sorted(document.govern)


def _line(value: Any) -> bytes:
    """One line; ASCII, so that no line separator of Unicode is in it."""
    return json.dumps(value, separators=(",", ":"), allow_nan=False).encode() + b"\n"
