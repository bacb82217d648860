"""Writes a document as a bundle.

**Shape** of the content, one JSON value a line: the header; the lengths of
the statements' lines, in bytes without the newline; the statements (`bundle_statements.py`).

The same document always gives the same bytes: no instant, no machine and no path of it stands in
a bundle but what the document itself names.
"""

from __future__ import annotations

import json
from typing import Any, Final

from dynaguard.policy.bundle_format import Signs, framed
from dynaguard.policy.bundle_statements import statement_table
from dynaguard.policy.bundle_values import plain_fields
from dynaguard.policy.model import PolicyDocument

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
    sources = tuple(dict.fromkeys(each.ref.source for each in document.statements))
    numbered = {source: number for number, source in enumerate(sources)}
    lines = [_line(statement_table(each, numbered)) for each in document.statements]
    header = {
        "document": plain_fields(document, _ELSEWHERE)
        | {"default": document.default, "govern": plain_govern(document)},
        "sources": list(sources),
        "asking": [
            number for number, each in enumerate(document.statements) if each.approval is not None
        ],
        "statements": len(lines),
    }
    lengths = _line([len(line) for line in lines])
    content = b"".join(each + b"\n" for each in (_line(header), lengths, *lines))
    return framed(content, signer)


def plain_govern(document: PolicyDocument) -> list[str] | None:
    """The services under the policy; None: every one."""
    return None if document.govern is None else sorted(document.govern)


def _line(value: Any) -> bytes:
    """One line, without its newline; ASCII, so that no line separator of Unicode is in it."""
    return json.dumps(value, separators=(",", ":"), allow_nan=False).encode()
