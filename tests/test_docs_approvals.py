"""The page on approvals says what the code does: its policies load, its programs run."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path
from typing import Any

import pytest

import dynaguard
from dynaguard.access.clock import StrictClock
from dynaguard.access.deciding import Deciding, decider_of
from dynaguard.access.ticket_asking import Asking
from dynaguard.access.ticket_book import TicketBook
from dynaguard.access.webhook_config import read_webhooks
from dynaguard.call import NO_CREDENTIALS, Call
from dynaguard.identity.resolver import IdentityResolver
from dynaguard.policy.loading import load_policy
from dynaguard.policy.model import PolicyDocument
from dynaguard.scope import EMPTY_SCOPE
from dynaguard.testing.stores import MemoryStore

ANN = "arn:aws:sts::111122223333:assumed-role/AWSReservedSSO_Managers_0123456789abcdef/ann"
ETL = "arn:aws:iam::111122223333:role/etl"


def blocks(repository: Path, language: str) -> list[str]:
    """The code blocks of the page in one language."""
    text = (repository / "docs/approvals.md").read_text(encoding="utf-8")
    return re.findall(rf"^```{language}\n(.*?)^```$", text, re.MULTILINE | re.DOTALL)


def page_policy(repository: Path) -> dict[str, Any]:
    """The policy of the page, with its table of access requests, without settings."""
    first, second, _ = blocks(repository, "toml")
    data = {**tomllib.loads(first), **tomllib.loads(second)}
    data["groups"] = tomllib.loads(first)["groups"]
    return {name: value for name, value in data.items() if name != "settings"}


class People:
    """A manager who decides what waits in a store."""

    def __init__(self, store: MemoryStore, document: PolicyDocument) -> None:
        self.book = TicketBook(store, StrictClock())
        self._deciding = Deciding(
            self.book, access_terms=document.access_requests, max_duration_s=86_400.0
        )
        resolver = IdentityResolver(
            identity=ANN, account_id=None, groups=document.groups, environ={}
        )
        self._ann = decider_of(resolver.resolve(NO_CREDENTIALS, EMPTY_SCOPE))

    def approve_all(self) -> None:
        """Approves whatever is open."""
        for ticket in self.book.tickets():
            if ticket.state_at(self.book.clock.for_end_s()) == "pending":
                self._deciding.decide(
                    ticket.id, self._ann, is_approval=True, why="ok", channel="library"
                )


@pytest.fixture
def store() -> MemoryStore:
    """Where tickets are kept."""
    return MemoryStore()


@pytest.fixture
def people(repository: Path, store: MemoryStore) -> People:
    """Ann, a manager."""
    return People(store, load_policy(page_policy(repository), environ={}))


@pytest.mark.parametrize(
    ("service", "operation", "params"),
    [
        ("s3", "DeleteObject", {"Bucket": "prod-orders", "Key": "2026/11/orders.csv"}),
        ("dynamodb", "DeleteTable", {"TableName": "prod-orders"}),
    ],
)
def test_deletes_on_production_need_a_manager(
    repository: Path,
    store: MemoryStore,
    people: People,
    service: str,
    operation: str,
    params: dict[str, Any],
) -> None:
    """Refused, asked, approved by a manager, let through once."""
    guard = dynaguard.install(
        page_policy(repository), access_store=store, identity=ETL, account_id="111122223333"
    )
    call = Call(
        *(service, operation, params, "eu-west-1", "aws", None),
        *(NO_CREDENTIALS, EMPTY_SCOPE, "c", False, service),
    )
    with pytest.raises(dynaguard.ApprovalRequired, match="one other person of `managers`"):
        guard.enter(call)
    people.approve_all()

    decision = guard.enter(call).decision

    assert decision is not None
    assert decision.approval is not None
    assert decision.approval.approvers == ("Managers (ann)",)
    with pytest.raises(dynaguard.ApprovalRequired):
        guard.enter(call)


def test_the_programs_of_the_page_run(
    repository: Path, store: MemoryStore, people: People, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A call that waits for its approval; access that is asked for."""
    waiting, asking = blocks(repository, "python")
    names: dict[str, Any] = {}
    exec(waiting, names)  # noqa: S102 - our own page
    exec(asking, names)  # noqa: S102 - our own page
    guard = dynaguard.install(
        page_policy(repository), access_store=store, identity=ETL, account_id="111122223333"
    )
    defaults = Asking.__init__.__kwdefaults__
    monkeypatch.setitem(defaults, "sleep", lambda _: people.approve_all())

    def delete(**params: Any) -> Any:
        return guard.enter(
            Call(
                *("dynamodb", "DeleteTable", params, "eu-west-1", "aws", None),
                *(NO_CREDENTIALS, EMPTY_SCOPE, "c", False, "dynamodb"),
            )
        )

    assert names["with_approval"](delete, TableName="prod-orders").decision.approval
    assert names["read_orders_for_an_hour"]() == "approved"
    assert [each.reason for each in dynaguard.grants()] == ["INC-4711: late orders"]


def test_the_file_of_webhooks_of_the_page_reads(repository: Path, tmp_path: Path) -> None:
    """With the secrets where it names them."""
    text = blocks(repository, "toml")[2]
    (tmp_path / "approvals").write_text("0123456789abcdef")
    path = tmp_path / "webhooks.toml"
    path.write_text(text.replace("/run/secrets/", f"{tmp_path.as_posix()}/"), encoding="utf-8")

    found = read_webhooks(
        path, {"SLACK_HOOK_URL": "https://hooks/x", "SLACK_SIGNING_SECRET": "0123456789abcdef"}
    )

    assert [each.format for each in found.targets] == ["slack", "json"]
    assert list(found.identity_by_user.values()) == [ANN]
