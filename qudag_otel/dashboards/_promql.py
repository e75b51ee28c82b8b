"""PromQL, built from the catalogue's records: no query spells a metric or a label by hand.

Every selector is narrowed to the nodes or swarms chosen at the top of the dashboard, and every
rate is taken over `$__rate_interval`, which Grafana keeps above four export intervals.
"""

from __future__ import annotations

import re
from functools import cache
from typing import TYPE_CHECKING, Final

from qudag_otel._query import promql
from qudag_otel._query.promql import aggregate, portion, share
from qudag_otel.alerts import groups
from qudag_otel.catalogue import attributes as a
from qudag_otel.catalogue.metrics import METRICS

if TYPE_CHECKING:
    from collections.abc import Iterable

    from qudag_otel.alerts._model import Recorded
    from qudag_otel.catalogue import Attribute, Metric

__all__ = [
    "WINDOW", "aggregate", "buckets", "chosen", "differs", "equals", "gauge", "narrowed",
    "of_fleet", "one_of", "portion", "quantile", "rate", "recorded", "select", "share",
]  # fmt: skip

WINDOW: Final = "$__rate_interval"
_NAME: Final = re.compile(
    r"(?<![\w:$\"])(?P<name>[a-z_]\w*(?::\w+)*)(?:\{(?P<given>[^}]*)\}|(?![\w({]))"
)
_IDENTITY: Final = (a.NODE_ID, a.SWARM_ID)


def equals(attribute: Attribute, value: str) -> str:
    """A matcher for one value of a label.

    Raises:
        ValueError: The attribute never has this value.
    """
    if attribute.values and value not in attribute.values:
        raise ValueError(f"{attribute.key} is one of {attribute.values}, never {value!r}")
    return _plain(promql.equal(attribute.key, value))


def one_of(attribute: Attribute, values: Iterable[str]) -> str:
    """A matcher for some values of a label."""
    return _plain(promql.among(attribute.key, values))


def differs(attribute: Attribute, value: str) -> str:
    """A matcher for every value of a label but one."""
    return equals(attribute, value).replace("=", "!=", 1)


def _plain(matcher: str) -> str:
    """A matcher in which no dollar starts a variable of Grafana's."""
    return matcher.replace("$", r"\x24")


def chosen(attribute: Attribute) -> str:
    """A matcher for the values chosen in the variable of the label's name."""
    return _chosen(attribute.key)


def _chosen(label: str) -> str:
    return f'{label}=~"${label}"'


def _narrowing(labels: Iterable[str]) -> list[str]:
    """The matchers for what is chosen, of series with these labels; none if they are nobody's."""
    own = [_chosen(key.key) for key in _IDENTITY if key.key in labels]
    return [*map(_chosen, a.SCOPE), *own] if own else []


def of_fleet(name: str, *matchers: str) -> str:
    """Somebody else's series in the chosen environments, clusters and groups."""
    return promql.select(name, *map(_chosen, a.SCOPE), *matchers)


def select(metric: Metric, *matchers: str, suffix: str = "") -> str:
    """The metric's series on the chosen nodes or swarms."""
    narrow = _narrowing(metric.attribute_keys)
    return promql.select(f"{metric.prometheus_name}{suffix}", *narrow, *matchers)


def recorded(series: Recorded, *matchers: str) -> str:
    """A recorded series on the chosen nodes or swarms."""
    return promql.select(series.name, *_narrowing(series.level.labels), *matchers)


def narrowed(expression: str) -> str:
    """An expression of a rule, on the chosen nodes or swarms."""
    return _NAME.sub(_narrow, expression)


def _narrow(found: re.Match[str]) -> str:
    matchers = _narrowing(_labels().get(found["name"], ()))
    if not matchers:
        return found[0]
    given = found["given"]
    return f"{found['name']}{{{','.join([*matchers, given] if given else matchers)}}}"


@cache
def _labels() -> dict[str, tuple[str, ...]]:
    """The labels of every series of ours, by its name."""
    ours = {
        f"{metric.prometheus_name}{suffix}": metric.attribute_keys
        for metric in METRICS
        for suffix in ("", "_bucket", "_count", "_sum")
    }
    return {**ours, **{series.name: series.level.labels for series in groups.RECORDED}}


def rate(metric: Metric, *keep: Attribute, where: tuple[str, ...] = (), suffix: str = "") -> str:
    """The increase a second, summed over all labels but those to keep."""
    rates = promql.rate(select(metric, *where, suffix=suffix), WINDOW)
    return promql.aggregate("sum", _keys(keep), rates)


def gauge(how: str, metric: Metric, *keep: Attribute, where: tuple[str, ...] = ()) -> str:
    """The value, aggregated (`sum`, `max`, `min`, `avg`) over all labels but those to keep."""
    return promql.aggregate(how, _keys(keep), select(metric, *where))


def quantile(share: float, metric: Metric, *keep: Attribute, where: tuple[str, ...] = ()) -> str:
    """A histogram's quantile; no series while nothing is measured."""
    buckets = select(metric, *where, suffix="_bucket")
    return promql.quantile(share, _keys(keep), buckets, WINDOW)


def buckets(metric: Metric, *, where: tuple[str, ...] = ()) -> str:
    """A histogram's observations a second in each bucket, for a heatmap."""
    rates = promql.rate(select(metric, *where, suffix="_bucket"), WINDOW)
    return promql.aggregate("sum", ("le",), rates)


def _keys(attributes: Iterable[Attribute]) -> list[str]:
    """The labels to keep: those of the fleet, too, where its nodes or swarms are told apart."""
    own = [attribute.key for attribute in attributes]
    return [*a.SCOPE, *own] if {key.key for key in _IDENTITY} & set(own) else own
