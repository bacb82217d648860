"""Reads one `[[case]]` entry of a file that people write."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Callable, Mapping
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any, Final

from dynaguard.aws.analysis import service_prefix
from dynaguard.call import Call, CredentialFacts, Principal
from dynaguard.identity.resolver import IdentityResolver
from dynaguard.policy.collecting import Findings, kind_of
from dynaguard.policy.lines import Path_
from dynaguard.policy.model import PolicyDocument
from dynaguard.policy.sections import check_tables
from dynaguard.scope import Scope
from dynaguard.testing.cases import EXPECTATIONS, Case, as_values

_DEFAULT_REGION: Final = "us-east-1"
_TEXTS: Final = (
    "identity",
    "account",
    "region",
    "endpoint_url",
    "environment",
    "job",
    "run_id",
    "stage",
    "runbook",
    "acting_as",
    "now",
    "statement",
)
_KEYS: Final = (
    *("name", "call", "params", "expect", "policy", "groups", "page", "context", "tables"),
    *_TEXTS,
)
_DEFAULT_KEYS: Final = tuple(key for key in _KEYS if key != "name")


class CaseReader:
    """Reads the entries of one file; notes what is wrong with them.

    Args:
        findings: Takes the problems.
        policy_of: Gives the policy that a file name, or a table, stands for.
        data: The whole file: its `policy` and `defaults` hold for every case.
    """

    def __init__(
        self,
        findings: Findings,
        policy_of: Callable[[Any, Path_], PolicyDocument | None],
        data: Mapping[str, Any],
    ) -> None:
        self._findings = findings
        self._policy_of = policy_of
        self._policy = data.get("policy")
        self._defaults = findings.table(data.get("defaults", {}), ("defaults",))
        findings.check_keys(self._defaults, ("defaults",), _DEFAULT_KEYS)

    def read(self, entry: Mapping[str, Any], path: Path_) -> Case | None:
        """The case, or None where its problems are noted."""
        findings = self._findings
        count = len(findings.problems)
        findings.check_keys(entry, path, _KEYS)
        values = {**self._defaults, **entry}
        texts = {name: self._text(values, name, path) for name in _TEXTS}
        service, operation = self._call(values.get("call"), path)
        expect = self._expect(values, path)
        document = self._document(values, path)
        scope = self._scope(values, texts, path)
        now = self._now(texts["now"], path)
        context = findings.table(values.get("context", {}), (*path, "context"))
        tables = check_tables(findings, values.get("tables", {}))
        params = findings.table(values.get("params", {}), (*path, "params"))
        page = self._page(values.get("page"), path)
        if len(findings.problems) > count or document is None or expect is None:
            return None
        region = texts["region"] or _DEFAULT_REGION
        call = Call(
            service=service,
            operation=operation,
            params=with_bytes(params),
            region=region,
            partition=_partition_of(region),
            endpoint_url=texts["endpoint_url"] or f"https://{service}.{region}.amazonaws.com",
            credentials=CredentialFacts(),
            scope=scope,
            correlation_id="policy-test",
            service_prefix=service_prefix(service),
            page_number=page,
        )
        resolver = IdentityResolver(
            identity=texts["identity"],
            account_id=texts["account"],
            groups=document.groups,
            environ={},
        )
        line = findings.source.line(path)
        return Case(
            name=str(entry.get("name") or f"{values['call']} {expect}"),
            place=f"{findings.source.name}:{line}" if line else findings.source.name,
            document=document,
            principal=_caller(resolver.resolve(call.credentials, scope), values, texts),
            expect=expect,
            call=call,
            context={key: as_values(value) for key, value in context.items()},
            environment=texts["environment"],
            tables=tables,
            now=now,
            statement=texts["statement"],
        )

    def _expect(self, values: Mapping[str, Any], path: Path_) -> str | None:
        """What the case expects."""
        if "expect" in values:
            return self._findings.choice(values["expect"], (*path, "expect"), EXPECTATIONS)
        choices = ", ".join(f"`{choice}`" for choice in EXPECTATIONS)
        self._findings.add(path, f"`expect` is missing, write one of {choices}")
        return None

    def _text(self, values: Mapping[str, Any], name: str, path: Path_) -> str | None:
        """A text of the entry, or None."""
        value = values.get(name)
        if isinstance(value, datetime):
            return value.isoformat()
        if value is None or (isinstance(value, str) and value):
            return value
        self._findings.add((*path, name), f"must be text that is not empty, is {kind_of(value)}")
        return None

    def _call(self, value: Any, path: Path_) -> tuple[str, str]:
        """Service and operation of `dynamodb:GetItem`."""
        service, mark, operation = value.partition(":") if isinstance(value, str) else ("", "", "")
        if not (service and mark and operation):
            self._findings.add(
                (*path, "call"), "must name service and operation, write `dynamodb:GetItem`"
            )
        return service, operation

    def _document(self, values: Mapping[str, Any], path: Path_) -> PolicyDocument | None:
        """The policy of the case: its own, the defaults', or the file's."""
        given = values.get("policy", self._policy)
        if given is None:
            self._findings.add(path, 'has no policy, write `policy = "policy.toml"` at the top')
            return None
        return self._policy_of(given, (*path, "policy") if "policy" in values else ("policy",))

    def _scope(
        self, values: Mapping[str, Any], texts: Mapping[str, str | None], path: Path_
    ) -> Scope:
        """The scope of the call."""
        groups = values.get("groups")
        names = () if groups is None else self._findings.texts(groups, (*path, "groups"))
        is_acting = texts["acting_as"] is not None
        return Scope(
            job=texts["job"],
            run_id=texts["run_id"],
            stage=texts["stage"],
            runbook=texts["runbook"],
            acting_name=texts["acting_as"],
            acting_kind="agent" if is_acting else None,
            acting_groups=frozenset(names if is_acting else ()),
        )

    def _now(self, text: str | None, path: Path_) -> datetime | None:
        """The clock."""
        if text is None:
            return None
        try:
            found = datetime.fromisoformat(text)
        except ValueError:
            self._findings.add((*path, "now"), "is no date, write `2026-11-20T12:00:00Z`")
            return None
        return found if found.tzinfo else found.replace(tzinfo=UTC)

    def _page(self, value: Any, path: Path_) -> int | None:
        """The page of a paginator, from 1."""
        is_page = isinstance(value, int) and not isinstance(value, bool) and value > 0
        if value is None or is_page:
            return value  # type: ignore[no-any-return]
        self._findings.add((*path, "page"), "must be a whole number from 1")
        return None


def _caller(
    principal: Principal, values: Mapping[str, Any], texts: Mapping[str, str | None]
) -> Principal:
    """The caller; `groups` are its own, unless it acts as somebody, to whom they then belong."""
    groups = values.get("groups")
    if groups is None or texts["acting_as"] is not None:
        return principal
    names = [groups] if isinstance(groups, str) else groups
    return replace(principal, groups=principal.groups.union(names))


def with_bytes(value: Any) -> Any:
    """Parameters as a client takes them: `{"B": "aGk="}` as bytes, and so in `BS`."""
    if isinstance(value, list):
        return [with_bytes(entry) for entry in value]
    if not isinstance(value, Mapping):
        return value
    if len(value) == 1:
        ((kind, content),) = value.items()
        if kind == "B" and isinstance(content, str):
            return {"B": _decoded(content)}
        if kind == "BS" and isinstance(content, list):
            return {"BS": [_decoded(c) if isinstance(c, str) else c for c in content]}
    return {name: with_bytes(entry) for name, entry in value.items()}


def _decoded(text: str) -> Any:
    """Base64 as bytes; what is none stays as it is."""
    try:
        return base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError):
        return text


def _partition_of(region: str) -> str:
    """The partition that a region lies in."""
    for prefix, partition in (("cn-", "aws-cn"), ("us-gov-", "aws-us-gov")):
        if region.startswith(prefix):
            return partition
    return "aws"
