"""The whole demo: endpoint, tables, proxy, job, clearing up, and what came of it."""

from __future__ import annotations

import contextlib
import shutil
import tempfile
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Final, Protocol

from botocore.exceptions import BotoCoreError, ClientError

import dynaguard
from dynaguard.audit.reading import read_records
from dynaguard.demo.data import make_items
from dynaguard.demo.endpoint import Endpoint, embedded_endpoint
from dynaguard.demo.evidence import collect_evidence
from dynaguard.demo.expectations import unmet_expectations
from dynaguard.demo.isolation import Connections, clean_environment
from dynaguard.demo.job import (
    BARE_TARGET,
    CORRELATION_ID,
    FORBIDDEN,
    GUARDED_TARGET,
    LIMIT,
    Stage,
    describe_installation,
    limits,
    read_customers,
    roll_up,
    try_forbidden,
    write_bare,
    write_guarded,
)
from dynaguard.demo.proxy import ThrottlingProxy
from dynaguard.demo.records import Record, read_run, summarise, total
from dynaguard.demo.results import BatchWrite, DemoResult, Loaded
from dynaguard.demo.spans import collected_spans
from dynaguard.demo.tables import FOREIGN_PREFIX, Tables
from dynaguard.errors import ConfigurationError
from dynaguard.scope import new_correlation_id

POLICY: Final = Path(__file__).with_name("policy.toml")
_PACKAGES: Final = ("dynaguard", "botocore", "boto3", "moto")


@dataclass(frozen=True, slots=True)
class Options:
    """How the demo runs.

    Attributes:
        endpoint_url: An endpoint that is there already; None: an embedded one.
        audit: Where the audit records go; None: into a temporary folder that stays.
        keep: Leave the tables on the user's endpoint.
        replace: Delete the demo's tables on the user's endpoint first.
    """

    endpoint_url: str | None = None
    audit: Path | None = None
    keep: bool = False
    replace: bool = False


class Watcher(Protocol):
    """Hears how the demo gets on."""

    def begin(self, what: str, total: int | None = None) -> None:
        """A step begins; `total` is how many items it has, where it counts them."""

    def advance(self, count: int) -> None:
        """That many items of the step are done."""


class SilentWatcher:
    """Tells nobody."""

    def begin(self, what: str, total: int | None = None) -> None:
        """Does nothing."""

    def advance(self, count: int) -> None:
        """Does nothing."""


def run_demo(options: Options, watcher: Watcher) -> DemoResult:
    """Runs the demo from start to end.

    Raises:
        ConfigurationError: Options that cannot be used; dynaguard is installed already; the
            user's endpoint does not answer.
        MissingExtraError: moto's server is not installed.

    Effects: installs and uninstalls dynaguard, starts and ends a server and a proxy on loopback,
    writes the audit file. While it runs, the process's environment is without the user's settings.
    """
    started_s = time.monotonic()
    if dynaguard.status().is_installed:
        raise ConfigurationError(
            "dynaguard is installed in this process already, run the demo without `dynaguard run`"
        )
    _check_options(options)
    prefix = FOREIGN_PREFIX if options.endpoint_url else ""
    with clean_environment(DEMO_TABLE_PREFIX=prefix):
        watcher.begin("starting the endpoint")
        with _endpoint(options) as endpoint, _reported_errors(endpoint):
            result = _run_on(endpoint, prefix, options, watcher)
    return replace(result, elapsed_s=time.monotonic() - started_s)


def _check_options(options: Options) -> None:
    """Fails before anything is started.

    Raises:
        ConfigurationError: No usable address, or no usable audit file.
    """
    if options.endpoint_url is not None:
        try:
            ThrottlingProxy(options.endpoint_url, limits={})
        except ConfigurationError as err:
            raise ConfigurationError(
                f"--endpoint-url is `{options.endpoint_url}`, it must be an emulator's address "
                "such as `http://127.0.0.1:8000`"
            ) from err
    if options.audit is not None:
        _check_audit(options.audit)


def _check_audit(audit: Path) -> None:
    """The file can be written, and holds records alone if it is there already."""
    try:
        audit.open("a").close()
    except OSError as err:
        raise ConfigurationError(f"--audit `{audit}` cannot be written ({err.strerror})") from err
    for _ in read_records(audit):
        pass


def _endpoint(options: Options) -> contextlib.AbstractContextManager[Endpoint]:
    """The user's endpoint, or an embedded one."""
    if options.endpoint_url is not None:
        return contextlib.nullcontext(Endpoint(options.endpoint_url))
    return embedded_endpoint()


@contextlib.contextmanager
def _reported_errors(endpoint: Endpoint) -> Iterator[None]:
    """An endpoint that does not answer, or refuses the tables, is an error of one line."""
    try:
        yield
    except dynaguard.DynaguardError:
        raise
    except (BotoCoreError, ClientError) as err:
        raise ConfigurationError(f"the endpoint {endpoint.url} cannot be used: {err}") from err


def _run_on(endpoint: Endpoint, prefix: str, options: Options, watcher: Watcher) -> DemoResult:
    """Makes the tables, runs the job on them, takes them away."""
    tables = Tables(Connections(endpoint.url).client(), prefix)
    try:
        loaded = _load(endpoint, prefix, tables, options, watcher)
        with (
            _workspace(options) as (policy, audit),
            ThrottlingProxy(endpoint.url, limits=limits(prefix)) as proxy,
            collected_spans() as spans,
        ):
            connections = Connections(proxy.start())
            run_id = f"demo-{new_correlation_id()[:8]}"
            stage = Stage(connections, proxy, tables, prefix, policy, audit, spans, run_id)
            result = _run_job(stage, loaded, watcher)
    finally:
        # an embedded endpoint takes its tables with it
        if not endpoint.is_embedded and not options.keep:
            watcher.begin("deleting the tables")
            tables.delete()
    return replace(result, kept_tables=tables.made if not endpoint.is_embedded else ())


def _load(
    endpoint: Endpoint, prefix: str, tables: Tables, options: Options, watcher: Watcher
) -> Loaded:
    """Makes and fills the tables, straight at the endpoint and unguarded."""
    started_s = time.monotonic()
    items_by_table = make_items()
    count = sum(map(len, items_by_table.values()))
    watcher.begin("loading items", count)
    tables.create([*items_by_table, BARE_TARGET, GUARDED_TARGET], replace=options.replace)
    tables.load(items_by_table, watcher.advance)
    return Loaded(
        endpoint_url=endpoint.url,
        is_embedded=endpoint.is_embedded,
        start_s=endpoint.start_s,
        items_by_table={prefix + name: len(items) for name, items in items_by_table.items()},
        elapsed_s=time.monotonic() - started_s,
    )


@contextlib.contextmanager
def _workspace(options: Options) -> Iterator[tuple[Path, Path]]:
    """Policy and audit file: in a temporary folder that stays, or where the user says."""
    if options.audit is not None:
        yield POLICY, options.audit.absolute()
        return
    folder = Path(tempfile.mkdtemp(prefix="dynaguard-demo-"))
    policy = folder / "policy.toml"
    shutil.copyfile(POLICY, policy)
    try:
        yield policy, folder / "audit.jsonl"
    except KeyboardInterrupt:  # nobody has been told where it is
        shutil.rmtree(folder, ignore_errors=True)
        raise


def _run_job(stage: Stage, loaded: Loaded, watcher: Watcher) -> DemoResult:
    """The steps in order, and what they left behind."""
    installed = describe_installation(stage)
    watcher.begin("reading customers")
    masked_read = read_customers(stage)
    watcher.begin("trying what is forbidden")
    refusals = tuple(try_forbidden(stage, forbidden) for forbidden in FORBIDDEN)
    watcher.begin("adding up a week of orders")
    rollup, totals = roll_up(stage)
    watcher.begin(f"writing {len(totals)} totals without dynaguard")
    bare = write_bare(stage, totals)
    watcher.begin(f"writing {len(totals)} totals with dynaguard")
    guarded = write_guarded(stage, totals)
    records = read_run(stage.audit, stage.run_id)
    result = DemoResult(
        loaded=loaded,
        installed=installed,
        masked_read=masked_read,
        refusals=refusals,
        rollup=rollup,
        limit=LIMIT,
        batch_writes=(bare, _with_records(guarded, records)),
        evidence=collect_evidence(CORRELATION_ID, stage.proxy.witnessed, stage.spans, records),
        summary=summarise(records, stage.audit),
        versions=dict(_versions()),
    )
    return replace(result, unmet=unmet_expectations(result))


def _versions() -> Iterator[tuple[str, str]]:
    """What the demo ran with; moto is not needed on another endpoint."""
    for package in _PACKAGES:
        with contextlib.suppress(PackageNotFoundError):
            yield package, version(package)


def _with_records(write: BatchWrite, records: Sequence[Record]) -> BatchWrite:
    """The guarded write, with what its audit records tell."""
    own = [record for record in records if record["operation"] == "BatchWriteItem"]
    return replace(write, audited_attempts=total(own, "attempts"), wait_s=total(own, "wait_s"))
