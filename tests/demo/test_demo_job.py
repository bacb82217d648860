"""The whole demo against the embedded endpoint, its options and its ends."""

from __future__ import annotations

import json
import os
import tempfile
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

import dynaguard
from dynaguard.audit.log import read_records
from dynaguard.demo.data import make_items
from dynaguard.demo.endpoint import Endpoint, embedded_endpoint
from dynaguard.demo.isolation import Connections
from dynaguard.demo.job import FORBIDDEN
from dynaguard.demo.results import DemoResult
from dynaguard.demo.running import POLICY, Options, SilentWatcher, _versions, run_demo
from dynaguard.errors import ConfigurationError
from dynaguard.masking import MARKER
from tests.demo.demo_results import make_record

pytestmark = pytest.mark.integration


class Watcher:
    """Remembers what it is told; raises at a step, if one is named."""

    def __init__(self, stop_at: str | None = None) -> None:
        self.steps: list[tuple[str, int | None]] = []
        self.advanced = 0
        self.stop_at = stop_at

    def begin(self, what: str, total: int | None = None) -> None:
        self.steps.append((what, total))
        if what == self.stop_at:
            raise KeyboardInterrupt

    def advance(self, count: int) -> None:
        self.advanced += count


# --- the whole -----------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def audit(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The audit file of the run below; a record of an earlier run is in it."""
    path = tmp_path_factory.mktemp("demo") / "audit.jsonl"
    path.write_text(json.dumps(make_record(run_id="earlier")) + "\n")
    return path


@pytest.fixture(scope="module")
def watcher() -> Watcher:
    """Watches the run below."""
    return Watcher()


@pytest.fixture(scope="module")
def result(audit: Path, watcher: Watcher) -> DemoResult:
    """One run for the tests of this part."""
    return run_demo(Options(audit=audit), watcher)


def test_everything_goes_as_the_policy_says(result: DemoResult) -> None:
    """No finding, in well under a minute."""
    assert result.unmet == ()
    assert result.is_as_expected
    assert result.elapsed_s < 60


def test_customers_come_back_masked(result: DemoResult) -> None:
    """E-mail and card number, nothing else."""
    for row in result.masked_read.rows:
        assert row["email"].startswith(MARKER)
        assert row["email"].endswith("@example.org")
        assert row["card"].startswith(MARKER)
        assert MARKER not in row["name"]


@pytest.mark.parametrize("number", range(len(FORBIDDEN)))
def test_each_forbidden_call_is_refused_unsent(result: DemoResult, number: int) -> None:
    """By the statement that is there for it, at the line where it stands."""
    refusal = result.refusals[number]
    line = POLICY.read_text().splitlines()[refusal.line - 1]

    assert refusal.statement == refusal.expected_statement == FORBIDDEN[number].statement
    assert refusal.requests_sent == 0
    assert refusal.error_code == "AccessDeniedException"
    assert refusal.statement in line or "[[statement]]" in line


def test_the_throttled_write_arrives_within_its_budget(result: DemoResult) -> None:
    """Throttled it was; every item is there, every request on record."""
    bare, guarded = result.batch_writes

    assert guarded.throttled_requests + guarded.items_handed_back > 0
    assert guarded.arrived == guarded.items == bare.items == result.rollup.customers
    assert guarded.requests == guarded.audited_attempts
    assert guarded.retries_refused == 0
    assert guarded.wait_s


def test_one_call_is_found_everywhere(result: DemoResult) -> None:
    """On the wire, as a span, in the audit file, under one id."""
    evidence = result.evidence

    assert evidence.header == evidence.record["correlation_id"] == "INC-4711"
    assert evidence.is_header_signed
    assert "INC-4711" in evidence.user_agent_token
    assert "INC-4711" in evidence.span["attributes"].values()
    masked = {each["attribute"]: each for each in evidence.record["outcome"]["masked"]}
    assert masked["email"]["count"] == result.masked_read.items
    assert masked["email"]["table"] == "prod-customers"


def test_the_summary_is_of_this_run_alone(result: DemoResult, audit: Path) -> None:
    """The earlier record is still in the file and is not counted."""
    assert result.summary.records == len(list(read_records(audit))) - 1
    assert sum(result.summary.calls_by_operation.values()) == result.summary.calls
    assert result.summary.denials_by_statement == {
        forbidden.statement: 1 for forbidden in FORBIDDEN
    }


def test_no_address_or_card_is_on_record(result: DemoResult, audit: Path) -> None:
    """Neither in the file nor in what the demo prints."""
    for text in (audit.read_text(), json.dumps(result.as_dict())):
        assert "9999 " not in text
        assert text.count("@example.org") == text.count(f"{MARKER}***@example.org")


def test_versions_are_told_of_what_is_installed(
    result: DemoResult, monkeypatch: pytest.MonkeyPatch
) -> None:
    """On another endpoint the demo runs without moto."""
    monkeypatch.setattr("dynaguard.demo.running._PACKAGES", ("botocore", "no-such-package"))

    assert dict(_versions()) == {"botocore": result.versions["botocore"]}


def test_the_result_is_json(result: DemoResult) -> None:
    """All of it, without help."""
    assert json.loads(json.dumps(result.as_dict()))["is_as_expected"] is True


def test_loading_is_watched(result: DemoResult, watcher: Watcher) -> None:
    """Item by item up to the total."""
    items = sum(result.loaded.items_by_table.values())

    assert ("loading items", items) in watcher.steps
    assert watcher.advanced == items


# --- options and ends ----------------------------------------------------------------------------


def test_an_interrupted_demo_leaves_nothing(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """Neither a server nor an installation; the environment is as it was."""
    monkeypatch.setenv("DYNAGUARD_MODE", "observe")
    before = dict(os.environ)
    seen: list[Endpoint] = []

    def interrupt(endpoint: Endpoint, *_: Any) -> None:
        seen.append(endpoint)
        raise KeyboardInterrupt

    monkeypatch.setattr("dynaguard.demo.running._run_on", interrupt)

    with pytest.raises(KeyboardInterrupt):
        run_demo(Options(audit=tmp_path / "a"), SilentWatcher())

    (endpoint,) = seen
    assert endpoint.pid is not None
    with pytest.raises(ProcessLookupError):
        os.kill(endpoint.pid, 0)
    assert not dynaguard.status().is_installed
    assert dict(os.environ) == before


@pytest.fixture(scope="module")
def endpoint() -> Iterator[Endpoint]:
    """An endpoint that the demo did not start."""
    with embedded_endpoint() as running:
        yield running


@pytest.fixture
def _few_items(monkeypatch: pytest.MonkeyPatch) -> None:
    """Little to load, for demos that end early."""
    few = {table: items[:5] for table, items in make_items().items()}
    monkeypatch.setattr("dynaguard.demo.running.make_items", lambda: few)


def table_names(endpoint: Endpoint) -> list[str]:
    """The tables of an endpoint."""
    names: list[str] = Connections(endpoint.url).client().list_tables()["TableNames"]
    return names


@pytest.mark.usefixtures("_few_items")
def test_on_another_endpoint_tables_are_prefixed_and_deleted(
    endpoint: Endpoint, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Also when the demo is interrupted."""
    seen: list[str] = []

    class Looking(Watcher):
        def begin(self, what: str, total: int | None = None) -> None:
            seen.extend(table_names(endpoint) if what == "reading customers" else ())
            super().begin(what, total)

    with pytest.raises(KeyboardInterrupt):
        run_demo(
            Options(endpoint_url=endpoint.url, audit=tmp_path / "a"), Looking("reading customers")
        )

    assert len(seen) == 8
    assert all(name.startswith("dynaguard-demo-") for name in seen)
    assert table_names(endpoint) == []


@pytest.mark.usefixtures("_few_items")
def test_an_interrupted_demo_leaves_no_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nobody would know of it."""
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))

    with pytest.raises(KeyboardInterrupt):
        run_demo(Options(), Watcher("reading customers"))

    assert list(tmp_path.iterdir()) == []


@pytest.mark.usefixtures("_few_items")
def test_tables_stay_when_told(endpoint: Endpoint, tmp_path: Path) -> None:
    """And are replaced by the next demo that is told so."""
    options = Options(endpoint_url=endpoint.url, audit=tmp_path / "a", keep=True)

    with pytest.raises(KeyboardInterrupt):
        run_demo(options, Watcher("reading customers"))
    assert len(table_names(endpoint)) == 8
    with pytest.raises(ConfigurationError, match="--replace"):
        run_demo(options, SilentWatcher())
    with pytest.raises(KeyboardInterrupt):
        run_demo(replace(options, keep=False, replace=True), Watcher("reading customers"))

    assert table_names(endpoint) == []


@pytest.mark.parametrize(
    "url", ["nonsense", "https://127.0.0.1:1", "http://127.0.0.1:1/path", "http://:x"]
)
def test_what_is_no_endpoint_is_refused(url: str) -> None:
    """Before anything is started."""
    watcher = Watcher()

    with pytest.raises(ConfigurationError, match="--endpoint-url"):
        run_demo(Options(endpoint_url=url), watcher)

    assert watcher.steps == []


def test_an_endpoint_that_does_not_answer_is_one_error(tmp_path: Path) -> None:
    """It names the address."""
    options = Options(endpoint_url="http://127.0.0.1:9", audit=tmp_path / "a")

    with pytest.raises(ConfigurationError, match=r"http://127\.0\.0\.1:9 cannot be used"):
        run_demo(options, SilentWatcher())


def test_an_audit_file_that_cannot_be_written_is_refused(tmp_path: Path) -> None:
    """Before anything is started."""
    watcher = Watcher()

    with pytest.raises(ConfigurationError, match="--audit"):
        run_demo(Options(audit=tmp_path / "missing" / "a"), watcher)

    assert watcher.steps == []


def test_a_file_that_holds_something_else_is_not_written_to(tmp_path: Path) -> None:
    """Records go only behind records."""
    notes = tmp_path / "notes.txt"
    notes.write_text("to do\n")
    watcher = Watcher()

    with pytest.raises(ConfigurationError, match="no audit record"):
        run_demo(Options(audit=notes), watcher)

    assert watcher.steps == []
    assert notes.read_text() == "to do\n"


def test_the_demo_wants_a_process_of_its_own() -> None:
    """It neither uses nor removes an installation that is there."""
    with dynaguard.install({"version": 1, "default": "deny", "govern": ["dynamodb"]}):
        with pytest.raises(ConfigurationError, match="installed in this process"):
            run_demo(Options(), SilentWatcher())

        assert dynaguard.status().is_installed
