"""A runbook as a page for people: what it is for, what it does in which order, what it may.

Deterministic: the same runbook gives the same text. What a value will be is shown as `<name>`.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from typing import Any, Final

from dynaguard.policy.durations import duration_text
from dynaguard.policy.model import ApprovalTerms, PrincipalPattern
from dynaguard.runbooks.filling import is_attribute_value
from dynaguard.runbooks.model import (
    ApprovalStep,
    CallTemplate,
    Check,
    Loop,
    MetricQuery,
    Origin,
    Parameter,
    ParameterType,
    Pause,
    PythonStep,
    Reference,
    Runbook,
    Step,
)
from dynaguard.runbooks.outline import permissions_outline

_HEAD_ROWS: Final = 2
_PLAIN_TYPES: Final = frozenset({"BOOL", "N", "S"})
"""Types of attribute values that are shown as what they hold."""
_WORDS: Final = {
    "equals": "is",
    "not_equals": "is not",
    "at_most": "is at most",
    "at_least": "is at least",
    "exists": "is there",
    "absent": "is not there",
}


def runbook_markdown(runbook: Runbook, *, heading: int = 1) -> str:
    """The page of a runbook.

    Args:
        runbook: The runbook.
        heading: Level of its title.
    """
    title, section = "#" * heading, "#" * (heading + 1)
    parts = [
        f"{title} {runbook.name}",
        f"{runbook.purpose}.".replace("..", "."),
        "\n".join(_facts(runbook)),
        f"{section} Parameters",
        _parameters(runbook),
        f"{section} Steps",
        _numbered_steps(runbook),
        f"{section} Limits",
        _limits(runbook),
        f"{section} Permissions",
        "Exactly these, and only while it runs. `<name>` is the value of a parameter.",
        _permissions(runbook),
        f"{section} How to run it",
        _usage(runbook),
    ]
    return "\n\n".join(parts) + "\n"


def library_markdown() -> str:
    """The page of every runbook that ships. Effects: reads them."""
    from dynaguard.runbooks.library import library_names, library_path
    from dynaguard.runbooks.reading import read_runbook  # a page of one needs no reading

    pages = (
        runbook_markdown(read_runbook(library_path(name)), heading=2) for name in library_names()
    )
    return "\n".join(pages)


def _facts(runbook: Runbook) -> Iterator[str]:
    """Owner, link, who may run it, whose approval it takes."""
    yield "| | |"
    yield "|---|---|"
    yield f"| Owner | {_cell(runbook.owner)} |"
    if runbook.link:
        yield f"| More | <{runbook.link}> |"
    yield f"| May run it | {_cell(_principals(runbook.principals))} |"
    if runbook.access.approval is not None:
        yield f"| Needs | {_cell(_terms(runbook.access.approval))} |"
    if runbook.access.role_arn is not None:
        yield f"| Role | `{runbook.access.role_arn}`, narrowed to the permissions below |"
    yield f"| Content hash | `{runbook.sha256}` |"


def _principals(principals: tuple[PrincipalPattern, ...] | None) -> str:
    """Who may run it."""
    if principals is None:
        return "whom the policy lets"
    return ", ".join(
        f"group `{each.value}`" if each.kind == "group" else f"`{each.value}`"
        for each in principals
    )


def _terms(terms: ApprovalTerms) -> str:
    """Whose approval."""
    people = "approval of one other person" if terms.quorum == 1 else f"{terms.quorum} approvals"
    text = people
    if terms.any_of:
        text += f", of {' or '.join(f'`{each}`' for each in terms.any_of)}"
    if terms.all_of:
        text += f", each of {', '.join(f'`{each}`' for each in terms.all_of)} among them"
    return f"{text}; good for {duration_text(terms.duration_s)}"


def _parameters(runbook: Runbook) -> str:
    """The table of parameters."""
    if not runbook.parameters:
        return "None."
    rows = ["| name | type | values | default | meaning |", "|---|---|---|---|---|"]
    for each in runbook.parameters:
        default = "" if each.default is None else f"`{_text(each.default)}`"
        if each.default is None and not each.is_required:
            default = "none"
        kind = f"list of {each.elements}" if each.elements else str(each.type)
        cells = (f"`{each.name}`", kind, _values(each), default, each.description)
        rows.append("| " + " | ".join(map(_cell, cells)) + " |")
    return "\n".join(rows)


def _values(parameter: Parameter) -> str:
    """What values a parameter takes."""
    parts = []
    if parameter.choices:
        parts.append(", ".join(f"`{each}`" for each in parameter.choices))
    if parameter.pattern is not None:
        parts.append(f"`{parameter.pattern}`")
    unit = " elements" if parameter.type is ParameterType.LIST else ""
    if parameter.minimum is not None:
        parts.append(f"at least {parameter.minimum}{unit}")
    if parameter.maximum is not None:
        parts.append(f"at most {parameter.maximum}{unit}")
    return "; ".join(parts) or "any"


# --- steps ------------------------------------------------------------------------------------


def _numbered_steps(runbook: Runbook) -> str:
    """All steps; one empty line between their parts."""
    return re.sub(r"\n{3,}", "\n\n", "\n".join(_steps(runbook.steps))).rstrip()


def _steps(steps: tuple[Step, ...], indent: str = "") -> Iterator[str]:
    """The numbered steps."""
    for number, step in enumerate(steps, 1):
        head = f"{number}. **{step.name}**: {_headline(step)}"
        yield f"{indent}{head}"
        inner = indent + " " * (len(str(number)) + 2)
        if step.description:
            yield ""
            yield f"{inner}{step.description}"
        for block in _details(step):
            yield ""
            yield from (f"{inner}{line}".rstrip() for line in block.splitlines())
        if isinstance(step.action, Loop):
            yield ""
            yield from _steps(step.action.steps, inner)
        yield ""


def _headline(step: Step) -> str:
    """What a step does, in one line."""
    action = step.action
    if isinstance(action, CallTemplate):
        return _call_headline(action, step)
    if isinstance(action, Check):
        return _check_headline(action)
    if isinstance(action, Pause):
        length = "until you go on" if action.seconds is None else f"{action.seconds:g} s"
        return f"wait {length}" + (f": {action.message}" if action.message else "")
    if isinstance(action, Loop):
        return f"for each of {_readable(action.items)}, at most {action.max_items}:"
    if isinstance(action, ApprovalStep):
        message = f": {action.message}" if action.message else ""
        return f"stop for {_terms(action.terms)}{message}"
    return f"Python function `{action.target}`"


def _call_headline(call: CallTemplate, step: Step) -> str:
    """The call, its pages and items."""
    parts = [f"`{call.service}:{call.operation}`"]
    if call.max_pages is not None:
        parts.append(f"at most {call.max_pages} pages")
    if call.max_items is not None:
        parts.append(f"at most {call.max_items} items")
    if call.region is not None:
        parts.append(f"in {call.region}")
    if step.retries == "never":
        parts.append("never repeated")
    return ", ".join(parts)


def _check_headline(check: Check) -> str:
    """What has to hold."""
    subject = check.subject
    if isinstance(subject, MetricQuery):
        window = duration_text(subject.window_s)
        of = ", ".join(f"{name} {_readable(value)}" for name, value in subject.dimensions.items())
        what = f"{subject.statistic} of `{subject.namespace}` `{subject.name}` ({of}) in {window}"
    else:
        what = _readable(subject)
    text = f"check that {what} {_WORDS[check.comparison]}"
    if check.value is not None:
        text += f" {_readable(check.value)}"
    return text + (f"; else: {check.message}" if check.message else "")


def _details(step: Step) -> Iterator[str]:
    """Calls with their parameters, as blocks."""
    action = step.action
    if isinstance(action, CallTemplate):
        yield _block(action)
    elif isinstance(action, PythonStep):
        for call in action.calls:
            yield f"It may call `{call.service}:{call.operation}`:"
            yield _block(call)


def _block(call: CallTemplate) -> str:
    """The parameters of a call."""
    lines = [
        f"{name} = {json.dumps(_shown(value), ensure_ascii=False)}"
        for name, value in call.params.items()
    ]
    return "\n".join(["```text", *lines, "```"])


def _shown(value: Any) -> Any:
    """A part of some parameters as JSON's own types, references as `<name>`."""
    if isinstance(value, Reference):
        return _placeholder(value)
    if is_attribute_value(value) and not value.keys().isdisjoint(_PLAIN_TYPES):
        (value,) = value.values()
        return _shown(value)
    if isinstance(value, Mapping):
        return {name: _shown(each) for name, each in value.items()}
    if isinstance(value, list | tuple):
        return [_shown(each) for each in value]
    return f"<{len(value)} bytes>" if isinstance(value, bytes) else value


def _placeholder(reference: Reference) -> str:
    """`<customer_id>`, `<item order_id>`, `<result find.Count>`."""
    path = ".".join(reference.path) or "."
    return f"<{path}>" if reference.origin is Origin.PARAMETER else f"<{reference.origin} {path}>"


def _readable(value: Any) -> str:
    """A reference or a plain value, in a sentence."""
    if isinstance(value, Reference):
        is_parameter = value.origin is Origin.PARAMETER
        return f"`{_placeholder(value) if is_parameter else '.'.join(value.path)}`"
    return f"`{_text(value)}`"


# --- limits, permissions ----------------------------------------------------------------------


def _limits(runbook: Runbook) -> str:
    """What a run may take."""
    limits = runbook.limits
    parts = [f"{duration_text(limits.duration_s)} from its begin"]
    for value, noun in (
        (limits.max_items, "items"),
        (limits.max_pages, "pages"),
        (limits.read_units, "read capacity units"),
        (limits.write_units, "write capacity units"),
    ):
        if value is not None:
            parts.append(f"{value:g} {noun}")
    return f"At most {', '.join(parts)}."


def _permissions(runbook: Runbook) -> str:
    """Actions, resources and conditions."""
    rows = ["| actions | resource | only where |", "|---|---|---|"]
    rows += ["| " + " | ".join(map(_cell, line)) + " |" for line in permissions_outline(runbook)]
    return "\n".join(rows) if len(rows) > _HEAD_ROWS else "None."


def _usage(runbook: Runbook) -> str:
    """The command line."""
    needed = [each for each in runbook.parameters if each.is_required]
    told = [each for each in needed if each.type is not ParameterType.SECRET]
    params = "".join(f" --param {each.name}=..." for each in told)
    secret = [each.name for each in needed if each.type is ParameterType.SECRET]
    asked = "`, `".join(secret)
    note = f" You are asked for `{asked}`: do not write it there." if secret else ""
    command = f"dynaguard runbook run {runbook.name}{params}"
    return (
        f"```console\n$ dynaguard runbook plan {runbook.name}{params}\n$ {command}\n```\n\n"
        f"`plan` shows the calls and sends nothing.{note}"
    )


def _text(value: Any) -> str:
    """A plain value."""
    return value if isinstance(value, str) else json.dumps(value, default=str)


def _cell(text: str) -> str:
    """A text as a cell of a table."""
    return text.replace("|", "\\|").replace("\n", " ")
