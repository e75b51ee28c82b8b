"""`python -m qudag_otel.catalogue` writes docs/metrics.md; `--check` compares it."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

from qudag_otel import _generated
from qudag_otel.catalogue import Alert, Attribute, Comparison, Group, Metric
from qudag_otel.catalogue.metrics import CONTRACT, METRICS
from qudag_otel.catalogue.pools import POOL_METRICS
from qudag_otel.catalogue.process import PROCESS_METRICS
from qudag_otel.catalogue.sdk import SDK_METRICS
from qudag_otel.catalogue.spans import SPANS
from qudag_otel.catalogue.thresholds import BASELINES, CONTRACT_ALERTS

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

_CONTRACT_MARK = " \N{DAGGER}"
_EVERY = (*METRICS, *POOL_METRICS, *SDK_METRICS, *PROCESS_METRICS)
_COMMAND = "python -m qudag_otel.catalogue"
_TITLES = {
    Group.CHUNKING: "Chunking",
    Group.POOL: "Connection pool",
    Group.CACHE: "Validation cache",
    Group.SWARM: "Swarm",
    Group.SYSTEM: "Messages, errors and the host",
    Group.OPERATION: "Instrumented operations",
    Group.COMPONENT: "Component availability",
    Group.TELEMETRY: "The telemetry itself",
    Group.PROCESS: "The process",
}


_OWN = """
```python
from qudag_otel import counter

orders = counter("shop.orders", unit="{order}", labels={"shop": ("north", "south")})
north = orders.labels(shop="north")  # once, outside of what is measured
north.add()  # shop_orders_total{shop="north"}
```
""".splitlines()


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command; 1 if `--check` found a difference."""
    texts = {_generated.ROOT / "docs" / "metrics.md": render()}
    return _generated.command(_COMMAND, __doc__, texts, argv)


def render() -> str:
    """The reference as Markdown, the same for the same catalogue."""
    return "\n".join([*_head(), *_metrics(), *_labels(), *_spans(), *_baselines(), *_alerts()])


def _head() -> Iterator[str]:
    yield f"<!-- Generated from qudag_otel/catalogue by `{_COMMAND}`; do not edit. -->"
    yield "# Metrics, spans and thresholds"
    yield ""
    yield (
        "A metric's name in Prometheus is its OpenTelemetry name with `_` for `.`, its unit, and "
        "`_total` on a counter. Attribute keys are the label names. Every metric carries "
        "`node_id`, those of the swarm carry `swarm_id`, those of the telemetry itself "
        "and of libraries what OpenTelemetry's conventions say. The Prometheus names and labels of "
        f"the metrics marked{_CONTRACT_MARK} do not change: queries and dashboards rely on them."
    )
    yield ""
    yield (
        "An application declares its own with `counter`, `gauge` and `histogram` of `qudag_otel`. "
        "They are checked, bounded and as fast as these, `qudag-otel metrics --module NAME` lists "
        "them, and a capture in a test sees them:"
    )
    yield from _OWN


def _metrics() -> Iterator[str]:
    for group, title in _TITLES.items():
        metrics = [metric for metric in _EVERY if metric.group is group]
        yield from ("", f"## {title}", "")
        yield from _table(
            ("Prometheus name", "OpenTelemetry name", "kind", "unit", "labels", "meaning"),
            (_metric_row(metric) for metric in metrics),
        )
        for metric in metrics:
            if metric.bounds:
                bounds = ", ".join(f"{bound:g}" for bound in metric.bounds)
                yield from ("", f"Buckets of `{metric.prometheus_name}` end at {bounds}.")


def _metric_row(metric: Metric) -> tuple[str, ...]:
    return (
        f"`{metric.prometheus_name}`{_CONTRACT_MARK if metric in CONTRACT else ''}",
        f"`{metric.name}`",
        metric.instrument.value,
        f"`{metric.unit}`",
        ", ".join(f"`{attribute.label}`" for attribute in metric.attributes),
        metric.description,
    )


def _labels() -> Iterator[str]:
    used = {attribute.label: attribute for metric in _EVERY for attribute in metric.attributes}
    yield from ("", "## Labels", "")
    yield (
        "A value that is not listed, or one more than the limit of distinct values in a process, "
        "is reported as `other`."
    )
    yield ""
    yield from _table(
        ("label", "values", "meaning"),
        ((f"`{key}`", _values(used[key]), used[key].description) for key in sorted(used)),
    )


def _values(attribute: Attribute) -> str:
    if attribute.values:
        return ", ".join(f"`{value}`" for value in attribute.values)
    return f"any, such as `{attribute.example}`; limit {attribute.limit}"


def _spans() -> Iterator[str]:
    yield from ("", "## Spans", "")
    yield (
        "`@instrumented` names a span after the operation; the wrappers of "
        "`opentelemetry.instrumentation.qudag` start these:"
    )
    yield ""
    yield from _table(
        ("span", "kind", "attributes", "work"),
        (
            (
                f"`{span.name}`",
                span.kind,
                ", ".join(f"`{attribute.key}`" for attribute in span.attributes),
                span.description,
            )
            for span in SPANS
        ),
    )


def _baselines() -> Iterator[str]:
    yield from ("", "## Baselines", "")
    yield from _table(
        ("baseline", "unit", "normal", "warning", "critical"),
        (
            (
                baseline.title,
                f"`{baseline.unit}`",
                f"{baseline.normal[0]:g} to {baseline.normal[1]:g}",
                _limit(baseline.comparison, baseline.warning),
                _limit(baseline.comparison, baseline.critical),
            )
            for baseline in BASELINES
        ),
    )


def _alerts() -> Iterator[str]:
    yield from ("", "## Alerts", "")
    yield from _table(
        ("alert", "severity", "condition", "for", "meaning", "metrics"),
        (_alert_row(alert) for alert in CONTRACT_ALERTS),
    )
    yield ""


def _alert_row(alert: Alert) -> tuple[str, ...]:
    return (
        f"`{alert.name}`",
        alert.severity.value,
        f"{_limit(alert.comparison, alert.threshold)} `{alert.unit}`",
        f"{alert.duration / 60:g} min",
        alert.summary,
        ", ".join(f"`{metric.prometheus_name}`" for metric in alert.metrics),
    )


def _limit(comparison: Comparison, value: float | None) -> str:
    if value is None:
        return ""
    # No rate is below zero: what is meant is nothing at all.
    compared = Comparison.EQUAL if comparison is Comparison.BELOW and value == 0 else comparison
    return f"{compared.value} {value:.12g}"


def _table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> Iterator[str]:
    yield f"| {' | '.join(head)} |"
    yield f"|{'---|' * len(head)}"
    for row in rows:
        cells = (cell.replace("|", "\\|") for cell in row)
        yield f"| {' | '.join(cells)} |"


if __name__ == "__main__":
    sys.exit(main())
