"""Texts of exceptions that are not made from a masked answer: validation, types, parsing.

`ParamValidationError` prints the values that it refuses, boto3's serialiser those that it cannot
take, botocore's parser an answer that it cannot read. No event sees these, so the wrappers rewrite
them in place: the exception, its type and its traceback stay.
"""

from __future__ import annotations

from typing import Any, Final

from botocore.exceptions import ClientError, ParamValidationError
from botocore.parsers import ResponseParserError
from botocore.validate import ParamValidator

HIDDEN: Final = "<hidden>"


def hide_values(err: BaseException, params: Any) -> None:
    """Takes the values of a request out of an exception's text. Never raises.

    Args:
        err: What left the client: not of AWS's making, and not yet rewritten.
        params: The parameters that the caller gave.
    """
    if isinstance(err, ClientError | ParamValidationError) or not isinstance(params, dict):
        return
    if isinstance(err, ResponseParserError):
        err.args = ("the answer cannot be parsed; its text is withheld, since masks are in force",)
        return
    from dynaguard.masking.scrubbing import Scrubber, request_texts  # only where masks are

    scrubber = Scrubber(lambda: request_texts(params, None))
    err.args = tuple(scrubber.scrub(arg) if isinstance(arg, str) else arg for arg in err.args)


def hide_in_report(err: ParamValidationError, params: Any, shape: Any) -> None:
    """Writes a validation error anew, without the values that it prints.

    Args:
        err: The error.
        params: The low-level parameters that were refused.
        shape: botocore's model of the input.
    """
    found = ParamValidator().validate(params, shape) if shape is not None else None
    lines = [_line(found, error) for error in found._errors] if found is not None else []
    report = "\n".join(lines) or "the parameters are not valid; the text of the error is withheld"
    err.kwargs["report"] = report
    err.args = (err.fmt.format(**err.kwargs),)


def _line(errors: Any, error: tuple[str, str, dict[str, Any]]) -> str:
    """One line of a report, in botocore's words but for the value."""
    kind, name, more = error
    if kind == "invalid length" or not more.keys() & {"param", "type_error"}:
        return str(errors._format_error(error))
    allowed = ", ".join(
        f"{what.replace('_', ' ')}: {', '.join(value) if isinstance(value, list) else value}"
        for what, value in more.items()
        if what not in {"param", "type_error"}
    )
    given = type(more["param"]) if "param" in more else "unknown"
    return (
        f"{kind.capitalize()} for parameter {errors._get_name(name)}, value: {HIDDEN}, "
        f"type: {given}" + (f", {allowed}" if allowed else "")
    )
