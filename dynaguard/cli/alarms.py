"""`dynaguard alarms`: alarms and dashboards for what a policy allows, or what was recorded."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

import click

from dynaguard.alarms.alarms import alarms_of
from dynaguard.alarms.cloudformation import cloudformation_template
from dynaguard.alarms.cloudwatch_dashboard import cloudwatch_dashboard
from dynaguard.alarms.grafana_dashboard import grafana_dashboard
from dynaguard.alarms.limits import MAX_INLINE_TEMPLATE_BYTES
from dynaguard.alarms.patterns import metric_filters
from dynaguard.alarms.permitted import policy_subjects
from dynaguard.alarms.plan import DEFAULT_NAMES, AlarmPlan, MetricNames, MetricsFrom, Runbook
from dynaguard.alarms.recorded import recorded_subjects
from dynaguard.alarms.subjects import NOBODY, Subjects, merged, named_subjects
from dynaguard.alarms.terraform import terraform_configuration
from dynaguard.alarms.timing_options import timings_from
from dynaguard.audit.log import read_records
from dynaguard.cli.output import console, counted, fail, output_option, print_json, reports_errors
from dynaguard.errors import nearest
from dynaguard.policy.opening import open_policy
from dynaguard.runbooks.links import link_by_runbook

_FORMATS: Final[dict[str, Callable[[AlarmPlan], dict[str, Any]]]] = {
    "cloudformation": cloudformation_template,
    "terraform": terraform_configuration,
    "cloudwatch-dashboard": cloudwatch_dashboard,
    "grafana-dashboard": grafana_dashboard,
}
_ALARM_FORMATS: Final = ("cloudformation", "terraform")
_NEXT: Final = {
    "cloudformation": (
        "aws cloudformation deploy --stack-name dynaguard-alarms --template-file {to} "
        "--parameter-overrides AlarmTopicArn=..."
    ),
    "terraform": "terraform plan, in the folder of {to}; the name must end in .tf.json",
    "cloudwatch-dashboard": (
        "aws cloudwatch put-dashboard --dashboard-name {name} --dashboard-body file://{to}"
    ),
    "grafana-dashboard": "import {to} in Grafana: Dashboards, New, Import",
}


@click.command("alarms", short_help="Makes alarms and dashboards as files.")
@click.argument("policy", required=False, type=click.Path())
@click.option(
    "--from-audit",
    type=click.Path(exists=True, path_type=Path),
    help="An audit file, or a folder of them: who really called which tables. The exact source of "
    "names.",
)
@click.option(
    "--identity", "identities", multiple=True, metavar="NAME", help="Only this identity."
)
@click.option("--table", "tables", multiple=True, metavar="NAME", help="Only this table.")
@click.option(
    "--format",
    "format_",
    type=click.Choice(list(_FORMATS)),
    default="cloudformation",
    show_default=True,
    help="What to make.",
)
@click.option(
    "--to",
    type=click.Path(dir_okay=False, path_type=Path),
    help="Write a file, and say what is in it; without it the file goes to standard output.",
)
@click.option(
    "--metrics",
    "metrics_from",
    type=click.Choice(["logs", "otel", "aws"]),
    default="logs",
    show_default=True,
    help="Where metrics come from: filters over audit records in a log group, OpenTelemetry "
    "through a collector, or DynamoDB alone, which knows no identities.",
)
@click.option("--log-group", metavar="NAME", help="The log group that has the audit records.")
@click.option(
    "--log-field",
    metavar="NAME",
    default="",
    help="Field of a log event that holds the record, where it is not the event itself.",
)
@click.option(
    "--no-filters",
    is_flag=True,
    help="Leave out the metric filters: another file has them for this log group.",
)
@click.option("--namespace", metavar="NAME", help="Of dynaguard's metrics. Default: dynaguard.")
@click.option(
    "--identity-dimension",
    metavar="NAME",
    help="Default: Identity; for otel the attribute, dynaguard.identity.name.",
)
@click.option(
    "--table-dimension",
    metavar="NAME",
    help="Default: Table; for otel the attribute, db.collection.name.",
)
@click.option(
    "--runbook",
    metavar="TEXT",
    help="Name of the runbook; {identity}, {table}, {kind} stand for them.",
)
@click.option("--runbook-url", metavar="URL", help="Its address, with the same placeholders.")
@click.option(
    "--runbooks",
    type=click.Path(exists=True, file_okay=False, path_type=Path),
    help="A folder of runbooks: alarms that name one of them have the link of its document. It "
    "comes before --runbook-url.",
)
@click.option("--owner", metavar="TEXT", help="Whom to ask, where audit records do not tell.")
@click.option("--name", default="dynaguard", show_default=True, help="What names begin with.")
@click.option(
    "--region",
    envvar=["AWS_REGION", "AWS_DEFAULT_REGION"],
    metavar="NAME",
    help="Of a CloudWatch dashboard. Default: AWS_REGION.",
)
@click.option(
    "--threshold", "thresholds", multiple=True, metavar="KIND=N", help="`denials=5`, or `all=2`."
)
@click.option(
    "--period", "periods", multiple=True, metavar="KIND=S", help="Seconds: `read-throttles=300`."
)
@click.option(
    "--datapoints",
    multiple=True,
    metavar="KIND=M/N",
    help="M of the last N periods: `write-throttles=3/5`.",
)
@output_option
@reports_errors
def command(
    policy: str | None,
    from_audit: Path | None,
    identities: tuple[str, ...],
    tables: tuple[str, ...],
    format_: str,
    to: Path | None,
    metrics_from: MetricsFrom,
    output: str,
    **options: Any,
) -> None:
    """Makes alarms and dashboards, per identity and table, as files for other tools.

    Who and which tables come from POLICY, from an audit file, or from --identity and --table.
    Each identity gets alarms on throttled reads, throttled writes, denials and an exhausted retry
    budget per table, and on failing calls; each table and index gets alarms on DynamoDB's own
    throttle metrics. Descriptions say what failed, who it was, the runbook and where to look.

    Nothing is sent. The same input gives the same bytes. Exits 2 when nothing can be made.
    """
    subjects = _subjects(policy, from_audit, identities, tables)
    plan = AlarmPlan(
        subjects,
        metrics_from=metrics_from,
        names=_names(metrics_from, options),
        log_group=options["log_group"],
        field_prefix=options["log_field"],
        has_filters=not options["no_filters"],
        runbook=Runbook(options["runbook"], options["runbook_url"]),
        link_by_runbook=_links(options["runbooks"], options["runbook"]),
        owner=options["owner"],
        prefix=options["name"],
        region=options["region"],
        timings=timings_from(options["thresholds"], options["periods"], options["datapoints"]),
    )
    if format_ != "grafana-dashboard" and not (subjects.identities or subjects.tables):
        fail("\n".join(_nothing_found(subjects)))
    for note in subjects.notes:
        click.echo(f"note: {note}", err=True)
    text = _text(_FORMATS[format_](plan), format_)
    if to is None:
        click.echo(text, nl=False)
    else:
        _write(to, text)
        _report(plan, format_, to, text, output)


def _subjects(
    policy: str | None,
    from_audit: Path | None,
    identities: tuple[str, ...],
    tables: tuple[str, ...],
) -> Subjects:
    """Who and what; names that are known otherwise fill the patterns of the policy."""
    if policy is None and from_audit is None:
        return named_subjects(identities, tables)
    recorded = recorded_subjects(read_records(from_audit)) if from_audit else NOBODY
    if policy is None:
        found = recorded.only(identities, tables)
        if identities and not found.pairs:
            fail(_unknown(identities, sorted({pair.identity for pair in recorded.pairs})))
        return found
    document = open_policy(policy, environ=os.environ)
    allowed = policy_subjects(document, identities=identities, tables=tables, recorded=recorded)
    return merged(recorded, allowed).only(identities, tables)


def _links(folder: Path | None, named: str | None) -> dict[str, str]:
    """The addresses that runbooks of a folder have; says where the one that is named has none."""
    if folder is None:
        return {}
    found = link_by_runbook(folder)
    links = {name: link for name, link in found.items() if link is not None}
    if named is not None and "{" not in named and named not in links:
        guess = nearest(named, found)
        near = f", did you mean `{guess}`?" if guess and named not in found else ""
        lacks = "has no `link`" if named in found else f"is not in `{folder}`{near}"
        click.echo(f"note: runbook `{named}` {lacks}", err=True)
    return links


def _unknown(identities: tuple[str, ...], names: list[str]) -> str:
    """What to say of identities that no record names."""
    guesses = dict.fromkeys(filter(None, (nearest(each, names) for each in identities)))
    hints = [f"did you mean `{guess}`?" for guess in guesses]
    return ", ".join([f"no record names `{'`, `'.join(identities)}`", *hints])


def _nothing_found(subjects: Subjects) -> list[str]:
    """Why there is nothing to make, and what would help."""
    text = (
        "no identity and no table found, name a policy, an audit file with --from-audit, or both "
        "with --identity and --table"
    )
    return [text, *subjects.notes]


def _names(metrics_from: MetricsFrom, options: dict[str, Any]) -> MetricNames:
    """The names of metrics, as given or by default."""
    default = DEFAULT_NAMES[metrics_from]
    return MetricNames(
        options["namespace"] or default.namespace,
        options["identity_dimension"] or default.identity,
        options["table_dimension"] or default.table,
    )


def _text(document: dict[str, Any], format_: str) -> str:
    """The file. A template that is too large to be sent with the request has no indentation."""
    text = json.dumps(document, indent=2) + "\n"
    if format_ == "cloudformation" and len(text) > MAX_INLINE_TEMPLATE_BYTES:
        text = json.dumps(document, separators=(",", ":")) + "\n"
    return text


def _write(path: Path, text: str) -> None:
    """Replaces a file.

    Raises:
        SystemExit: It cannot be written.
    """
    try:
        path.write_text(text, encoding="utf-8")
    except OSError as err:
        fail(f"`{path}` cannot be written ({err.strerror})")


def _report(plan: AlarmPlan, format_: str, to: Path, text: str, output: str) -> None:
    """What was written, and what to do with it."""
    has_alarms = format_ in _ALARM_FORMATS
    size_bytes = len(text.encode())
    summary = {
        "path": str(to),
        "format": format_,
        "size_bytes": size_bytes,
        "identities": len(plan.subjects.identities),
        "tables": len(plan.subjects.tables),
        "alarms": len(alarms_of(plan)) if has_alarms else 0,
        "metric_filters": len(metric_filters(plan)) if has_alarms else 0,
    }
    if output == "json":
        print_json({**summary, "notes": list(plan.subjects.notes)})
        return
    parts = [
        counted(summary[key], key.removesuffix("s").replace("_", " "))
        for key in ("alarms", "metric_filters", "tables")
        if summary[key]
    ]
    if summary["identities"]:
        callers = summary["identities"]
        parts.append("1 identity" if callers == 1 else f"{callers} identities")
    out = console()
    out.print(f"wrote {to}{':' if parts else ''} {', '.join(parts)}".rstrip(), markup=False)
    command = _NEXT[format_].format(to=to, name=plan.prefix)
    if format_ == "cloudformation" and size_bytes > MAX_INLINE_TEMPLATE_BYTES:
        command += f" --s3-bucket ... ({size_bytes} bytes are too many to send without)"
    out.print(f"next: {command}", markup=False)
