"""Reads a bundle: the header at once, statements as they are asked for."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from typing import Any, Final

from dynaguard.policy.bundle_format import Frame, Verifies, read_frame, refuse
from dynaguard.policy.bundle_statements import LazyStatements, StatementLines
from dynaguard.policy.bundle_values import (
    HEADER_READERS,
    Unfit,
    fields_of,
    listed,
    texts,
    whole,
)
from dynaguard.policy.model import BundleFacts, PolicyDocument

_HEADER_LINE: Final = 2
_AGAIN: Final = "compile the source again"
_HEADER: Final = {
    "document": lambda value: fields_of(value, HEADER_READERS),
    "sources": texts,
    "asking": listed(whole),
    "statements": whole,
}


def load_bundle(
    path: str | os.PathLike[str],
    *,
    environ: Mapping[str, str],
    verifier: Verifies | None = None,
) -> PolicyDocument:
    """The document of a bundle; equal to the one that it was compiled from.

    Args:
        path: The file.
        environ: The environment; what the document took from another one must not differ here.
        verifier: Checks the signature; without it a signature is not looked at.

    Raises:
        PolicySyntaxError: It is no bundle, is not as it was compiled, is not signed with the
            verifier's key, or was compiled for another environment.

    Effects: reads the file, once.
    Cost: O(bytes), two passes: reading and SHA-256. No statement is parsed.
    """
    name = os.fspath(path)
    frame = read_frame(path, verifier)
    end = frame.content.find(b"\n")
    try:
        header = fields_of(json.loads(frame.content[: max(end, 0)]), _HEADER)
        document = _document(name, frame, end + 1, header)
    except Unfit as err:
        refuse(name, f"the bundle's header is not understood: {err}; {_AGAIN}", _HEADER_LINE)
    except (KeyError, TypeError, ValueError, RecursionError):
        refuse(name, f"the bundle's header is not understood; {_AGAIN}", _HEADER_LINE)
    _check_environment(name, document, environ)
    return document


def _document(name: str, frame: Frame, start: int, header: Mapping[str, Any]) -> PolicyDocument:
    """The document, its statements unread."""
    lengths_end = frame.content.index(b"\n", start)
    fields = header["document"]
    lines = StatementLines(
        bundle=name,
        content=frame.content,
        count=header["statements"],
        lengths=slice(start, lengths_end),
        start=lengths_end + 1,
        first_line=_HEADER_LINE + 2,
        sources=header["sources"],
        groups=tuple(fields.get("groups", ())),
        asking=header["asking"],
    )
    return PolicyDocument(
        **fields,
        statements=LazyStatements(lines),
        bundle=BundleFacts(name, frame.sha256, frame.key_id, frame.is_verified),
    )


def _check_environment(name: str, document: PolicyDocument, environ: Mapping[str, str]) -> None:
    """Refuses a bundle that was compiled for another environment than this one.

    From its source the document would mean something else here: other tables, another region.
    A variable that is not set here says nothing against what was compiled.
    """
    for variable, taken in document.read_variables.items():
        here = environ.get(variable)
        if here and taken != (here,):
            was = ", ".join(f"`{value}`" for value in taken)
            refuse(
                name,
                f"the bundle was compiled with {variable} = {was}, here it is `{here}`: compile "
                "a bundle for this environment, or unset the variable",
            )
