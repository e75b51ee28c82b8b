"""The rules about the stack itself: what evaluates, delivers and stores.

Source: the metrics of Prometheus 3.14, Alertmanager 0.31 and VictoriaLogs 1.52 at /metrics.
"""

from __future__ import annotations

from typing import Final

from qudag_otel._query.promql import aggregate
from qudag_otel.alerts._model import Level
from qudag_otel.alerts._rules import crossed, rule
from qudag_otel.alerts.promql import WINDOW

_TARGET: Final = Level.COLLECTOR.labels
_RANGE: Final = "30m"

_RULE_FAILURES: Final = (
    "prometheus_rule_evaluation_failures_total",
    "prometheus_rule_group_iterations_missed_total",
)
_REJECTED: Final = (
    'prometheus_http_requests_total{handler=~"/api/v1/(otlp|write).*",code=~"[45].."}',
    "prometheus_tsdb_too_old_samples_total",
    "prometheus_tsdb_out_of_bound_samples_total",
    "prometheus_tsdb_out_of_order_samples_total",
)
_STORAGE: Final = (
    "prometheus_tsdb_compactions_failed_total",
    "prometheus_tsdb_reloads_failures_total",
    "prometheus_tsdb_wal_corruptions_total",
    "prometheus_tsdb_wal_writes_failed_total",
    "prometheus_tsdb_head_truncations_failed_total",
)
_UNDELIVERED: Final = (
    "prometheus_notifications_dropped_total",
    "prometheus_notifications_errors_total",
    "alertmanager_notifications_failed_total",
)
_RELOADS: Final = (
    "prometheus_config_last_reload_successful",
    "alertmanager_config_last_reload_successful",
)


def _any(metrics: tuple[str, ...], function: str, window: str) -> str:
    """Of whichever of these metrics a target has, the sum."""
    found = " or ".join(
        f'label_replace({function}({each}[{window}]), "of", "{number}", "", "")'
        for number, each in enumerate(metrics)
    )
    return aggregate("sum", _TARGET, found)


_LOST: Final = f"{_any(_UNDELIVERED, 'rate', WINDOW)} > 0"
_NOBODY: Final = "prometheus_notifications_alertmanagers_discovered == 0"

STACK_RULES: Final = (
    rule(
        "AlertsGoNowhere",
        "watcher",
        f"{aggregate('group', _TARGET, _LOST)} or {aggregate('group', _TARGET, _NOBODY)}",
        "<job> (<instance>) cannot deliver alerts for <duration>: see its log for which receiver;"
        " a fresh stack has none until alerts/receivers holds their addresses.",
    ),
    rule(
        "RulesFail",
        "watcher",
        crossed("RulesFail", _any(_RULE_FAILURES, "rate", WINDOW)),
        "Prometheus (<instance>) fails to evaluate rules, <value> for <duration>.",
    ),
    rule(
        "ReloadFailed",
        "watcher",
        crossed("ReloadFailed", aggregate("min", _TARGET, " or ".join(_RELOADS))),
        "<job> (<instance>) refuses its changed configuration for <duration>.",
    ),
    rule(
        "StorageRejectsSamples",
        "watcher",
        crossed("StorageRejectsSamples", _any(_REJECTED, "rate", WINDOW)),
        "Prometheus (<instance>) refuses <value> or requests for <duration>: too old, out of order"
        " or malformed.",
    ),
    rule(
        "StorageFails",
        "watcher",
        crossed("StorageFails", _any(_STORAGE, "increase", _RANGE)),
        "The storage of Prometheus (<instance>) failed <value> within half an hour.",
    ),
    rule(
        "LogStoreDrops",
        "watcher",
        crossed("LogStoreDrops", _any(("vl_rows_dropped_total",), "rate", WINDOW)),
        "The log store (<instance>) drops <value> for <duration>.",
    ),
)
"""The rules about the stack itself."""
