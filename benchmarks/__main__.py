"""`python -m benchmarks`: runs all, prints ratios against their bars, keeps them as data."""

from __future__ import annotations

import json
import platform
import sys
from pathlib import Path
from typing import Any

import botocore
import wrapt

from benchmarks import (
    admission_cost,
    analysis_cost,
    audit_cost,
    call_cost,
    call_rate,
    consumption_cost,
    decision_cost,
    grant_cost,
    import_cost,
    loading_cost,
    masking_cost,
    span_cost,
)

RESULTS = Path(__file__).parent / "results"
_BARS = {
    "no policy (stamp and budget)": 1.05,
    "everything: + audit to a file": 1.15,
}


def main() -> int:
    """Runs every benchmark; exits 1 where a figure misses its bar."""
    results: dict[str, Any] = {
        "python": platform.python_version(),
        "botocore": botocore.__version__,
        "wrapt": wrapt.__version__,
        "machine": f"{platform.machine()}, {platform.system()}",
    }
    missed = 0
    print("CPU over a bare call, HTTP stubbed: median [quartiles] of paired ratios")
    for operation, ratios in call_cost.run().items():
        print(f"\n{operation}")
        results[operation] = {name: str(ratio) for name, ratio in ratios.items()}
        for name, ratio in ratios.items():
            bar = _BARS.get(name) if operation == "GetItem" else None
            missed += _print_row(name, str(ratio), ratio.median, bar)
    print("\nReading what a call needs, no expression asked for, over a bare call")
    results["analysis"] = {}
    for operation, share in analysis_cost.run().items():
        results["analysis"][operation] = round(share, 4)
        missed += _print_row(operation, f"{share:.4f}", share, 0.02)
    print("\nDecisions by number of statements, and those of peers over them")
    results["decision"] = decision_cost.run()
    missed += decision_cost.report_bars(results["decision"])
    missed += _run_rate(results)
    missed += _run_grants(results)
    missed += _run_admission(results)
    missed += _run_masking(results)
    missed += _run_audit(results)
    _run_consumption(results)
    cost = span_cost.run()
    results["span"] = str(cost)
    print("\nA recording span, over OpenTelemetry's own botocore instrumentation")
    missed += _print_row(
        f"span of {cost.attribute_count} attributes", str(cost), cost.share, span_cost.BAR
    )
    results["import"] = imports = import_cost.run()
    print("\nCPU of importing and installing after `import boto3`, over `import boto3`")
    for name, found in imports.items():
        missed += _print_row(name, f"{found['median']:.3f}", found["median"], found.get("bar"))
    results["loading"] = loading_cost.run()
    RESULTS.mkdir(exist_ok=True)
    (RESULTS / "latest.json").write_text(json.dumps(results, indent=2) + "\n")
    return 1 if missed else 0


def _run_admission(results: dict[str, Any]) -> int:
    """The admission step of the retry budgets; gives the number of missed bars."""
    print("\nAdmission of a first try, nothing throttled, over a bare GetItem")
    shares = results["admission"] = {}
    missed = 0
    for name, share in admission_cost.run().items():
        shares[name] = round(share, 4)
        missed += _print_row(name, f"{share:.4f}", share, 0.01)
    return missed


def _run_rate(results: dict[str, Any]) -> int:
    """Calls a second of threads together; gives the number of missed bars."""
    print("\nCalls a second of 8 threads: what few statements cost of it, over what many do")
    rates = call_rate.run()
    results["rate"] = {f"{size:,} statements": str(rate) for size, rate in rates.items()}
    few, many = (rates[size].share for size in call_rate.STATEMENTS)
    for size, rate in rates.items():
        bar = 1.2 if size == call_rate.STATEMENTS[-1] else None
        _print_row(f"{size:,} statements", str(rate), few / many, bar)
    return int(few / many > 1.2)


def _run_grants(results: dict[str, Any]) -> int:
    """What grants add to a decision; gives the number of missed bars."""
    print("\nGrants: what a store with thousands adds to a decision, over a bare GetItem")
    shares = results["grants"] = {}
    missed = 0
    for name, share in grant_cost.run().items():
        shares[name] = round(share, 4)
        missed += _print_row(name, f"{share:.4f}", share, grant_cost.BAR_BY_CASE[name])
    return missed


def _run_audit(results: dict[str, Any]) -> int:
    """A record of the audit log; gives the number of missed bars."""
    print("\nAn audit record, over a bare GetItem")
    shares = results["audit"] = {}
    missed = 0
    for name, share in audit_cost.run().items():
        shares[name] = round(share, 4)
        bar = audit_cost.BAR if name.startswith("best-effort") else None
        missed += _print_row(name, f"{share:.4f}", share, bar)
    return missed


def _run_consumption(results: dict[str, Any]) -> None:
    """What evidence of cost and keys adds, where it is asked for."""
    print("\nEvidence of cost and keys: a guarded GetItem over a bare one")
    ratios = consumption_cost.run()
    results["consumption"] = {name: str(ratio) for name, ratio in ratios.items()}
    for name, ratio in ratios.items():
        _print_row(name, str(ratio), ratio.median, None)


def _run_masking(results: dict[str, Any]) -> int:
    """Masks and detectors over botocore's own parse of a megabyte; gives the missed bars."""
    missed = 0
    found = results["masking"] = {}
    print("\nMasking a Query answer of 1 MB: of botocore's parse, and of the whole client call")
    for name, (of_parse, of_call) in masking_cost.run_sets().items():
        found[name] = [round(of_parse, 4), round(of_call, 4)]
        bar = masking_cost.BAR_BY_SET.get(name)
        measured = of_parse if bar and bar[0] == "parse" else of_call
        shown = f"{of_parse:.4f} {of_call:.4f}"
        missed += _print_row(name, shown, measured, bar[1] if bar else None)
    print("\nDetectors, of the parse")
    for name, share in masking_cost.run_detectors().items():
        found[name] = round(share, 4)
        bar_of_search = masking_cost.BAR_BY_SEARCH.get(name)
        missed += _print_row(name, f"{share:.4f}", share, bar_of_search)
    times = masking_cost.run_powertools()
    for name, faster in times.items():
        found[f"powertools, {name}"] = round(faster, 1)
        missed += _print_row(f"1 / powertools, {name}", f"{1 / faster:.4f}", 1 / faster, 1 / 50)
    if not times:
        print("  powertools is not installed, run `make bench`")
    return missed


def _print_row(name: str, shown: str, value: float, bar: float | None) -> bool:
    """Prints one figure; True where it misses its bar."""
    verdict = "" if bar is None else f"  bar {bar:.3g} {'missed' if value > bar else 'held'}"
    print(f"  {name:<40} {shown:<24}{verdict}", flush=True)
    return bar is not None and value > bar


if __name__ == "__main__":
    sys.exit(main())
