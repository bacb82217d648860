"""Reads a bundle: the header at once, statements as they are asked for."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from typing import Any, Final

from dynaguard.policy.bundle_format import AGAIN, Frame, Verifies, read_frame, refuse
from dynaguard.policy.bundle_index import BundleIndex, same_index
from dynaguard.policy.bundle_parts import Parts
from dynaguard.policy.bundle_statements import (
    LazyStatements,
    StatementLines,
    asking_statements,
)
from dynaguard.policy.bundle_values import (
    HEADER_READERS,
    Unfit,
    anything,
    fields_of,
    listed,
    mapped,
    texts,
    whole,
)
from dynaguard.policy.model import BundleFacts, PolicyDocument
from dynaguard.policy.statement_index import index_statements


def _not_action(value: Any) -> tuple[tuple[str, ...], tuple[int, ...]]:
    """Patterns of `NotAction`, and whose they are."""
    pair = listed(anything)(value)
    if len(pair) != 2:
        raise Unfit("must be a list of patterns and one of numbers")
    return texts(pair[0]), listed(whole)(pair[1])


_HEADER_LINE: Final = 2
_INDEX: Final = {
    "by_action": mapped(whole),
    "by_wildcard": mapped(whole),
    "not_actions": listed(_not_action),
    "not_resources": listed(whole),
    "with_variables": listed(whole),
}
_HEADER: Final = {
    "document": lambda value: fields_of(value, HEADER_READERS),
    "sources": texts,
    "asking": listed(whole),
    "statements": whole,
    "index": lambda value: fields_of(value, _INDEX),
    "parts": listed(whole),
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
    end = frame.raw.find(b"\n", frame.start) + 1
    try:
        header = fields_of(json.loads(frame.raw[frame.start : end]), _HEADER)
        document = _document(name, frame, end, header)
    except Unfit as err:
        refuse(name, f"the bundle's header is not understood: {err}; {AGAIN}", _HEADER_LINE)
    except (KeyError, TypeError, ValueError, RecursionError):
        refuse(name, f"the bundle's header is not understood; {AGAIN}", _HEADER_LINE)
    _check_environment(name, document, environ)
    return document


def _document(name: str, frame: Frame, start: int, header: Mapping[str, Any]) -> PolicyDocument:
    """The document, its statements unread."""
    fields = header["document"]
    parts = Parts(name, frame.raw, start, header["parts"])
    lines = StatementLines(
        bundle=name,
        raw=frame.raw,
        count=header["statements"],
        starts=parts.block_starts,
        first_line=parts.next_line,
        sources=header["sources"],
        groups=tuple(fields.get("groups", ())),
        asking=header["asking"],
        index=BundleIndex(header["index"], parts.read),
    )
    return PolicyDocument(
        **fields,
        statements=LazyStatements(lines),
        bundle=BundleFacts(name, frame.sha256, frame.key_id, frame.is_verified),
    )


def check_bundle(document: PolicyDocument) -> None:
    """Reads all that a bundle holds, and holds its statements against its index.

    Loading leaves that out: a bundle whose digest holds is as `dynaguard compile` made it.

    Raises:
        PolicySyntaxError: A statement is none, or the index is not that of the statements.
    """
    statements = document.statements
    if document.bundle is None or not isinstance(statements, LazyStatements):
        return
    if not same_index(statements.statement_index, index_statements(tuple(statements))):
        refuse(document.bundle.path, f"the index is not that of the statements; {AGAIN}")
    if statements.asking != asking_statements(tuple(statements)):
        refuse(document.bundle.path, f"approvals are missing; {AGAIN}", _HEADER_LINE)


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
