"""dynaguard's metrics as Prometheus has them, and the expressions over them.

Source: OpenTelemetry specification, Prometheus and OpenMetrics compatibility: characters other
than letters, digits and `_` become `_`; units are appended by their full name, annotations in
braces are not; counters end in `_total`.
"""

from __future__ import annotations

import re
from typing import Final

from dynaguard.telemetry import names

TABLE: Final = names.DB_COLLECTION_NAME
_RATE: Final = "$__rate_interval"
_VARIABLES: Final = {names.IDENTITY_NAME: "identity", TABLE: "table"}
"""Attributes that a dashboard's variables choose."""


def prometheus_name(name: str) -> str:
    """A metric's or an attribute's name, without suffixes."""
    return re.sub(r"[^A-Za-z0-9_]", "_", name)


def counter(name: str) -> str:
    """The series of a counter; dynaguard's count calls, attempts and values (`{call}`)."""
    return f"{prometheus_name(name)}_total"


def histogram(name: str) -> str:
    """The series of a histogram in seconds, without `_bucket`, `_sum` and `_count`."""
    return f"{prometheus_name(name)}_seconds"


def share(name: str) -> str:
    """The series of a gauge of the unit 1."""
    return f"{prometheus_name(name)}_ratio"


def matchers(*chosen: str, **fixed: str) -> str:
    """`{dynaguard_identity_name=~"$identity"}`: what variables choose, and more.

    Args:
        chosen: Attributes that a variable chooses.
        fixed: A regular expression by name of a constant in `telemetry.names`.
    """
    texts = [f'{prometheus_name(each)}=~"${_VARIABLES[each]}"' for each in chosen]
    texts += [
        f'{prometheus_name(getattr(names, constant))}=~"{value}"'
        for constant, value in fixed.items()
    ]
    return f"{{{', '.join(texts)}}}"


def summed_rate(series: str, selection: str, *by: str) -> str:
    """Per second, one line for each combination of attributes."""
    return f"sum by ({_labels(by)}) (rate({series}{selection}[{_RATE}]))"


def summed_increase(series: str, selection: str, *by: str) -> str:
    """Over the whole time range, for tables."""
    return f"sum by ({_labels(by)}) (increase({series}{selection}[$__range])) > 0"


def least(name: str, *by: str) -> str:
    """The least value of a gauge without a unit, one line for each combination of attributes."""
    return f"min by ({_labels(by)}) ({prometheus_name(name)}{{}})"


def quantile(share: float, name: str, selection: str, *by: str) -> str:
    """A quantile of a histogram."""
    series = f"{histogram(name)}_bucket{selection}"
    labels = ", ".join(["le", *(prometheus_name(each) for each in by)])
    return f"histogram_quantile({share:g}, sum by ({labels}) (rate({series}[{_RATE}])))"


def legend(*attributes: str) -> str:
    """`{{dynaguard_identity_name}} {{db_collection_name}}`."""
    return " ".join(f"{{{{{prometheus_name(each)}}}}}" for each in attributes)


def _labels(attributes: tuple[str, ...]) -> str:
    return ", ".join(prometheus_name(each) for each in attributes)
