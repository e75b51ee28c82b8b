"""PromQL, built from the catalogue's records: no query spells a metric or a label by hand.

Every selector is narrowed to the nodes or swarms chosen at the top of the dashboard, and every
rate is taken over `$__rate_interval`, which Grafana keeps above four export intervals.
"""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Final

from qudag_otel.catalogue import attributes as a

if TYPE_CHECKING:
    from collections.abc import Iterable

    from qudag_otel.alerts._model import Recorded
    from qudag_otel.catalogue import Attribute, Metric

WINDOW: Final = "[$__rate_interval]"
_SPECIAL: Final = re.compile(r"[.\\+*?()|\[\]{}^$]")
_IDENTITY: Final = (a.NODE_ID, a.SWARM_ID)


def equals(attribute: Attribute, value: str) -> str:
    """A matcher for one value of a label.

    Raises:
        ValueError: The attribute never has this value.
    """
    if attribute.values and value not in attribute.values:
        raise ValueError(f"{attribute.key} is one of {attribute.values}, never {value!r}")
    return f"{attribute.key}={_quoted(value)}"


def one_of(attribute: Attribute, values: Iterable[str]) -> str:
    """A matcher for some values of a label."""
    pattern = "|".join(_SPECIAL.sub(r"\\\g<0>", value) for value in values)
    return f"{attribute.key}=~{_quoted(pattern)}"


def _quoted(value: str) -> str:
    # PromQL's strings escape what JSON's do. A dollar would start a variable of Grafana's.
    return json.dumps(value, ensure_ascii=False).replace("$", r"\x24")


def differs(attribute: Attribute, value: str) -> str:
    """A matcher for every value of a label but one."""
    return equals(attribute, value).replace("=", "!=", 1)


def chosen(attribute: Attribute) -> str:
    """A matcher for the values chosen in the variable of the label's name."""
    return f'{attribute.key}=~"${attribute.key}"'


def select(metric: Metric, *matchers: str, suffix: str = "") -> str:
    """The metric's series on the chosen nodes or swarms."""
    narrowed = [chosen(key) for key in _IDENTITY if key in metric.attributes]
    return f"{metric.prometheus_name}{suffix}{{{','.join([*narrowed, *matchers])}}}"


def recorded(series: Recorded) -> str:
    """A recorded series on the chosen nodes or swarms."""
    narrowed = [chosen(key) for key in _IDENTITY if key.key in series.level.labels]
    return f"{series.name}{{{','.join(narrowed)}}}"


def by(*attributes: Attribute) -> str:
    """A grouping clause."""
    return f"by ({', '.join(attribute.key for attribute in attributes)})"


def rate(metric: Metric, *keep: Attribute, where: tuple[str, ...] = (), suffix: str = "") -> str:
    """The increase a second, summed over all labels but those to keep."""
    return f"sum {by(*keep)} (rate({select(metric, *where, suffix=suffix)}{WINDOW}))"


def gauge(how: str, metric: Metric, *keep: Attribute, where: tuple[str, ...] = ()) -> str:
    """The value, aggregated (`sum`, `max`, `min`, `avg`) over all labels but those to keep."""
    return f"{how} {by(*keep)} ({select(metric, *where)})"


def quantile(share: float, metric: Metric, *keep: Attribute, where: tuple[str, ...] = ()) -> str:
    """A histogram's quantile; no series while nothing is measured."""
    clause = f"by ({', '.join([*(attribute.key for attribute in keep), 'le'])})"
    buckets = f"rate({select(metric, *where, suffix='_bucket')}{WINDOW})"
    # Without observations the quantile is NaN, which no comparison lets through.
    return f"histogram_quantile({share}, sum {clause} ({buckets})) >= 0"


def buckets(metric: Metric, *, where: tuple[str, ...] = ()) -> str:
    """A histogram's observations a second in each bucket, for a heatmap."""
    return f"sum by (le) (rate({select(metric, *where, suffix='_bucket')}{WINDOW}))"


def share(part: str, rest: str) -> str:
    """The share of `part` in `part + rest`, where either side may have no series yet.

    No series without traffic: nothing divided by nothing is neither good nor bad.
    """
    first, second = f"({part} or 0 * {rest})", f"({rest} or 0 * {part})"
    return f"{first} / ({first} + {second} > 0)"
