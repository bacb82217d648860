"""The groups of benchmarks: what each measures, and its figures in the shape that is kept."""

from __future__ import annotations

import importlib.util
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Final

from benchmarks.pairing import Ratio, count_of, is_quick
from benchmarks.plain import figures_of
from benchmarks.results import Figure, Outcome, figure_of


@dataclass(frozen=True, slots=True)
class Group:
    """Benchmarks that run together.

    Attributes:
        title: What its figures are.
        run: Measures.
    """

    title: str
    run: Callable[[], Outcome]


def _calls() -> Outcome:
    from benchmarks import call_figures

    return call_figures.run()


def _analysis() -> Outcome:
    from benchmarks import analysis_cost

    return _shares("no expression asked for", analysis_cost.run(), analysis_cost.BAR)


def _admission() -> Outcome:
    from benchmarks import admission_cost

    return _shares("nothing throttled", admission_cost.run(), admission_cost.BAR)


def _audit() -> Outcome:
    from benchmarks import audit_cost

    bars = {"best-effort, to a file": audit_cost.BAR, "best-effort, to a folder": audit_cost.BAR}
    return _shares("a record", audit_cost.run(), bars)


def _grants() -> Outcome:
    from benchmarks import grant_cost

    return _shares("a store with thousands of grants", grant_cost.run(), grant_cost.BAR_BY_CASE)


def _consumption() -> Outcome:
    from benchmarks import consumption_cost

    found = consumption_cost.run()
    rows = [figure_of("GetItem", name, ratio) for name, ratio in found.items()]
    return Outcome(tuple(rows))


def _span() -> Outcome:
    from benchmarks import span_cost

    rounds = count_of(span_cost.ROUNDS)
    cost = span_cost.run(rounds)
    rows = []
    for name, extra in cost.by_variant.items():
        ratio = Ratio(extra.share, extra.low, extra.high, extra.extra_us, rounds)
        bar = span_cost.BAR if name == span_cost.BARRED else None
        rows.append(figure_of("added to a guarded call, over the peer", name, ratio, bar=bar))
    settings = {
        "attributes": cost.attribute_count,
        "attributes of the peer": cost.peers_attribute_count,
        "measurements": cost.measurement_count,
    }
    return Outcome(tuple(rows), settings)


def _rate() -> Outcome:
    from benchmarks import call_rate

    rates = call_rate.run()
    few, most = (rates[size].share for size in call_rate.STATEMENTS)
    name_by_size = {size: f"{size:,} statements" for size in rates}
    rows = [
        figure_of("guarded", name_by_size[size], rate.guarded_per_s, unit="calls a second")
        for size, rate in rates.items()
    ]
    rows += [
        figure_of("of the bare rate", name_by_size[size], rate.share, unit="share")
        for size, rate in rates.items()
    ]
    slower = few.median / most.median
    pairs, bar = min(few.pairs, most.pairs), call_rate.BAR
    rows.append(
        Figure("few over many", "statements", "ratio", slower, slower, slower, pairs, bar=bar)
    )
    return Outcome(tuple(rows), {"threads": call_rate.THREADS})


def _masking() -> Outcome:
    from benchmarks import masking_cost

    rows = []
    for name, (of_parse, of_call) in masking_cost.run_sets().items():
        part, bar = masking_cost.BAR_BY_SET.get(name, ("", None))
        for label, ratio in (("parse", of_parse), ("call", of_call)):
            series = f"of the {label}"
            limit = bar if part == label else None
            rows.append(figure_of(series, name, ratio, unit="share", bar=limit))
    rows.sort(key=lambda each: each.series, reverse=True)
    for name, ratio in masking_cost.run_detectors().items():
        limit = masking_cost.BAR_BY_SEARCH.get(name)
        rows.append(figure_of("detectors, of the parse", name, ratio, unit="share", bar=limit))
    peers = masking_cost.run_powertools()
    for name, ratio in peers.items():
        series, limit = "over Powertools' DataMasking", masking_cost.POWERTOOLS_BAR
        rows.append(figure_of(series, name, ratio, bar=limit))
    left_out = {} if peers else {"Powertools": "aws_lambda_powertools is not installed"}
    return Outcome(tuple(rows), {"items": masking_cost.ITEMS}, left_out)


def _decisions() -> Outcome:
    from benchmarks import decision_figures

    return decision_figures.run()


def _loading() -> Outcome:
    from benchmarks import loading_cost

    found = loading_cost.run(count_of(loading_cost.REPEATS))
    settings = {"statements": loading_cost.STATEMENTS}
    return Outcome(tuple(figures_of(found, {})), settings, _absent("cedarpy"))


def _imports() -> Outcome:
    from benchmarks import import_cost

    found = import_cost.run(count_of(import_cost.REPEATS))
    figures = tuple(figures_of({"over `import boto3`": found}, {}))
    return Outcome(figures, {}, _absent("ddtrace", "aws_xray_sdk"))


def _absent(*modules: str) -> dict[str, str]:
    """Peers that are not installed."""
    missing = (name for name in modules if importlib.util.find_spec(name) is None)
    return {name: f"{name} is not installed" for name in missing}


def _memory() -> Outcome:
    from benchmarks import memory_cost

    found = memory_cost.run()
    return replace(found, figures=(*found.figures, *_matcher_memory()))


def _matcher_memory() -> tuple[Figure, ...]:
    """What the matcher takes beside its document; left out of a short look."""
    from benchmarks import decision_memory

    if is_quick():
        return ()
    sizes = {
        name if name == "grown" else f"{name}_mb": size
        for name, size in decision_memory.run().items()
    }
    bars = {"grown": decision_memory.BAR}
    return tuple(figures_of({"the matcher, beside its document": sizes}, bars))


def _shares(series: str, found: Mapping[str, object], bar: float | Mapping[str, float]) -> Outcome:
    """Shares of a bare call, all with one bar or each with its own."""
    rows = []
    for name, ratio in found.items():
        limit = bar.get(name) if isinstance(bar, Mapping) else bar
        rows.append(figure_of(series, name, ratio, unit="share", bar=limit))  # type: ignore[arg-type]
    return Outcome(tuple(rows))


GROUPS: Final[dict[str, Group]] = {
    "calls": Group("CPU of whole calls over bare ones, answers from memory", _calls),
    "decisions": Group("Latency of decisions, by number of statements", _decisions),
    "analysis": Group("Reading what a call needs, over a bare call", _analysis),
    "rate": Group("Calls a second, of eight threads together", _rate),
    "grants": Group("What grants add to a decision, over a bare GetItem", _grants),
    "admission": Group("Admission of a first try, over a bare GetItem", _admission),
    "masking": Group("Masking a Query answer of 1 MB", _masking),
    "audit": Group("An audit record in a loop, over a bare GetItem", _audit),
    "consumption": Group(
        "Evidence of cost and keys: a guarded call over a bare one", _consumption
    ),
    "span": Group("Telemetry, over what OpenTelemetry's botocore instrumentation adds", _span),
    "loading": Group("Loading of 10,000 statements", _loading),
    "imports": Group("CPU of imports and installation after `import boto3`, over it", _imports),
    "memory": Group("Memory of a policy, and growth of caches", _memory),
}
