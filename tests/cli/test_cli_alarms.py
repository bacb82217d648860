"""`dynaguard alarms`: what it prints and writes, and how it ends."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from dynaguard.audit.encoding import encode_record
from dynaguard.cli.commands import cli
from tests.alarms.alarm_cases import record

GROUP = ("--log-group", "/aws/lambda/nightly")
POLICY = """\
version = 1
default = "deny"
[tables.orders]
key = ["pk"]
indexes.by_date = ["day"]
[[statement]]
Sid = "EtlReadsOrders"
Effect = "Allow"
Principal = { AWS = ["arn:aws:iam::*:role/etl", "arn:aws:iam::*:role/web-*"] }
Action = "dynamodb:*"
Resource = "arn:aws:dynamodb:*:*:table/ord*"
"""
Run = Callable[..., Result]


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Run:
    """Runs the command in a folder of its own, with a policy and an audit file."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("AWS_DEFAULT_REGION")
    (tmp_path / "policy.toml").write_text(POLICY)
    records = [record(identity="web-1"), record(identity="etl")]
    (tmp_path / "audit.jsonl").write_bytes(b"".join(map(encode_record, records)))

    def invoke(*arguments: str, **environment: str) -> Result:
        return CliRunner().invoke(cli, ["alarms", *arguments], env=environment)

    return invoke


def alarm_names(done: Result) -> set[str]:
    """The names in a template on standard output."""
    assert done.exit_code == 0, done.output
    template: dict[str, Any] = json.loads(done.stdout)
    return {
        each["Properties"]["AlarmName"]
        for each in template["Resources"].values()
        if each["Type"] == "AWS::CloudWatch::Alarm"
    }


def test_a_policy_names_identities_tables_and_indexes(run: Run) -> None:
    """The template goes to standard output, notes to standard error."""
    done = run("policy.toml", *GROUP)

    names = alarm_names(done)
    assert {
        "dynaguard/read-throttles/etl/orders",
        "dynaguard/write-throttles/etl/orders",
        "dynaguard/denials/etl/orders",
        "dynaguard/budget-exhausted/etl/orders",
        "dynaguard/failures/etl",
        "dynaguard/table-read-throttles/orders/by_date",
    } < names
    assert len(names) == 10
    assert done.stderr == ""


def test_an_audit_file_fills_the_patterns_of_a_policy(run: Run) -> None:
    """And is enough by itself."""
    both = alarm_names(run("policy.toml", "--from-audit", "audit.jsonl", *GROUP))
    alone = alarm_names(run("--from-audit", "audit.jsonl", *GROUP))
    folder = alarm_names(run("--from-audit", ".", *GROUP))

    assert folder == alone
    assert "dynaguard/denials/web-1/orders" in both & alone
    assert both - alone == {
        "dynaguard/table-read-throttles/orders/by_date",
        "dynaguard/table-write-throttles/orders/by_date",
    }


def test_options_choose_among_the_subjects(run: Run) -> None:
    """One stack per identity, for example."""
    names = alarm_names(
        run("--from-audit", "audit.jsonl", "--identity", "etl", "--table", "orders", *GROUP)
    )

    assert not any("web-1" in name for name in names)
    assert "dynaguard/denials/etl/orders" in names


def test_a_file_is_written_and_summed_up(run: Run, tmp_path: Path) -> None:
    """With what comes next; the same as JSON."""
    text = run("policy.toml", *GROUP, "--to", "alarms.json")
    as_json = run("policy.toml", *GROUP, "--to", "again.json", "--output", "json")

    assert text.stdout.splitlines()[0] == (
        "wrote alarms.json: 10 alarms, 14 metric filters, 1 table, 1 identity"
    )
    assert "aws cloudformation deploy" in text.stdout
    assert json.loads(as_json.stdout) == {
        "path": "again.json",
        "format": "cloudformation",
        "size_bytes": (tmp_path / "again.json").stat().st_size,
        "identities": 1,
        "tables": 1,
        "alarms": 10,
        "metric_filters": 14,
        "notes": [],
    }
    assert (tmp_path / "alarms.json").read_bytes() == (tmp_path / "again.json").read_bytes()


def test_a_larger_template_has_no_indentation(run: Run, tmp_path: Path) -> None:
    """CloudFormation takes 51,200 bytes with the request; from there on a bucket is needed."""

    def made(count: int) -> tuple[str, str]:
        names = [text for number in range(count) for text in ("--identity", f"service-{number}")]
        done = run(*names, "--table", "orders", *GROUP, "--to", "alarms.json")
        return done.stdout, (tmp_path / "alarms.json").read_text(encoding="utf-8")

    small, larger, large = made(1), made(6), made(20)

    assert [text.count("\n") > 1 for _, text in (small, larger, large)] == [True, False, False]
    assert len(larger[1]) < 51_200 < len(large[1])
    assert "--s3-bucket" not in larger[0]
    assert "--s3-bucket" in large[0]


@pytest.mark.parametrize(
    ("format_", "member"),
    [
        ("cloudformation", "Resources"),
        ("terraform", "resource"),
        ("cloudwatch-dashboard", "widgets"),
        ("grafana-dashboard", "panels"),
    ],
)
def test_every_format_is_json(run: Run, format_: str, member: str) -> None:
    """On standard output and in a file alike."""
    options = ("policy.toml", *GROUP, "--format", format_, "--region", "eu-west-1")

    printed = run(*options)
    written = run(*options, "--to", "made.json")

    assert member in json.loads(printed.stdout)
    assert printed.stdout == Path("made.json").read_text(encoding="utf-8")
    assert "next: " in written.stdout


def test_a_grafana_dashboard_needs_no_names(run: Run) -> None:
    """Its variables find them."""
    done = run("--format", "grafana-dashboard", "--to", "made.json")

    assert done.exit_code == 0
    assert done.stdout.startswith("wrote made.json\nnext: import made.json in Grafana")


def test_the_region_comes_from_the_environment(run: Run) -> None:
    """As for every tool of AWS."""
    options = ("policy.toml", *GROUP, "--format", "cloudwatch-dashboard")

    assert run(*options).exit_code == 2
    assert '"region": "eu-central-1"' in run(*options, AWS_REGION="eu-central-1").stdout


def test_names_of_metrics_can_be_given(run: Run) -> None:
    """For a namespace and dimensions that are there already."""
    names = ("--namespace", "Team", "--identity-dimension", "Who", "--table-dimension", "Store")

    template = json.loads(run("policy.toml", *GROUP, *names).stdout)

    assert '"Namespace": "Team"' in json.dumps(template)
    assert {"Name": "Who", "Value": "etl"} in next(
        each["Properties"]["Dimensions"]
        for each in template["Resources"].values()
        if each["Properties"].get("AlarmName") == "dynaguard/failures/etl"
    )


@pytest.mark.parametrize(
    ("arguments", "fragment"),
    [
        (("policy.toml",), "--log-group"),
        (GROUP, "no identity and no table found"),
        (("missing.toml", *GROUP), "missing.toml"),
        (("policy.toml", *GROUP, "--runbook-url", "wiki"), "https://"),
        (("policy.toml", *GROUP, "--threshold", "denial=1"), "did you mean `denials`"),
        (("policy.toml", *GROUP, "--to", "nowhere/a.json"), "cannot be written"),
        (("--identity", "жук", "--table", "t", *GROUP), "printable ASCII"),
    ],
)
def test_what_cannot_be_made_is_one_clear_error(
    run: Run, arguments: tuple[str, ...], fragment: str
) -> None:
    """Exit code 2, nothing on standard output, no traceback."""
    done = run(*arguments)

    assert done.exit_code == 2
    assert fragment in done.stderr
    assert done.stdout == ""
    assert "Traceback" not in done.output


def test_what_is_left_out_is_noted(run: Run, tmp_path: Path) -> None:
    """On standard error, with the template made of the rest."""
    (tmp_path / "open.toml").write_text(POLICY.replace('"arn:aws:iam::*:role/etl", ', ""))

    done = run("open.toml", "--metrics", "aws")

    assert done.exit_code == 0
    assert done.stderr.startswith("note: statement `EtlReadsOrders`: no caller is known")
    assert "dynaguard/table-read-throttles/orders" in alarm_names(done)
