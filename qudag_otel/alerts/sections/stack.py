"""Runbooks of what evaluates, delivers and stores."""

from __future__ import annotations

from typing import Final

from qudag_otel.alerts._model import Level
from qudag_otel.alerts.sections import _terms as t
from qudag_otel.alerts.sections._model import Check, Section, cause

_TARGET: Final = Level.COLLECTOR
_FAILURES: Final = t.named("prometheus_rule_evaluation_failures_total", _TARGET)
_MISSES: Final = t.named("prometheus_rule_group_iterations_missed_total", _TARGET)
_COMPACTIONS: Final = t.named("prometheus_tsdb_compactions_failed_total", _TARGET)
_DROPPED: Final = t.named("vl_rows_dropped_total", _TARGET)

_NO_ALERTMANAGER: Final = Check(
    "Alertmanagers that Prometheus knows",
    t.named("prometheus_notifications_alertmanagers_discovered", _TARGET),
    "==",
    0,
    "{Alertmanager}",
)
_FAILS_SOME: Final = Check(
    "notifications that Alertmanager could not deliver",
    t.sum_of("rate", t.named("alertmanager_notifications_failed_total", _TARGET)),
    ">",
    0,
    "{notification}/s",
)
_MISSED: Final = Check(
    "evaluations that came too late", t.sum_of("rate", _MISSES), ">", 0, "{evaluation}/s"
)
_FAILED: Final = Check(
    "evaluations that failed", t.sum_of("rate", _FAILURES), ">", 0, "{evaluation}/s"
)
_CORRUPT: Final = Check(
    "corruptions of the log before the blocks",
    t.sum_of("increase", t.named("prometheus_tsdb_wal_corruptions_total", _TARGET), "30m"),
    ">",
    0,
    "{corruption}",
)


def _rejects(metric: str, how: str) -> Check:
    """Prometheus counts samples as refused for a reason."""
    return Check(
        f"samples refused as {how}", t.sum_of("rate", t.named(metric, _TARGET)), ">", 0,
        "{sample}/s",
    )  # fmt: skip


def _dropped(reason: str) -> Check:
    """VictoriaLogs counts rows as dropped for a reason."""
    return Check(
        f"lines dropped, {reason}",
        t.sum_of("rate", t.named("vl_rows_dropped_total", _TARGET, f'reason=~"{reason}"')),
        ">",
        0,
        "{line}/s",
    )


SECTIONS: Final[dict[str, Section]] = {
    "AlertsGoNowhere": Section(
        value=t.named("prometheus_notifications_alertmanagers_discovered", Level.COLLECTOR),
        impact="Nobody hears of anything.",
        causes=(
            cause("Alertmanager is down, or Prometheus does not find it", _NO_ALERTMANAGER),
            cause("alerts/receivers has no file for a receiver", _FAILS_SOME),
            cause("a wrong or expired address"),
        ),
        actions=(
            "Open Alertmanager's log: it names the receiver and the file.",
            "Put the address into alerts/receivers/NAME; see docs/operating.md.",
            "`amtool alert add alertname=Test severity=critical` must arrive.",
        ),
    ),
    "RulesFail": Section(
        value=f"sum(rate({_FAILURES}[5m]))",
        impact="Alerts of the failing group are silent.",
        causes=(
            cause("Prometheus is short of CPU or memory", _MISSED),
            cause("two series where a rule allows one", _FAILED),
        ),
        actions=("Open /rules of Prometheus: the rule's error stands beside it.",),
    ),
    "ReloadFailed": Section(
        value=t.named("prometheus_config_last_reload_successful", Level.COLLECTOR),
        impact="None yet: the former configuration is in use. A restart would fail.",
        causes=(cause("a typing error in the file"),),
        actions=("`promtool check config` or `amtool check-config` names the line.",),
    ),
    "StorageRejectsSamples": Section(
        value=t.REFUSED.query,
        impact="Dashboards have gaps, and alerts do not see what is refused.",
        causes=(
            cause(
                "a queue older than `out_of_order_time_window`",
                _rejects("prometheus_tsdb_too_old_samples_total", "too old"),
            ),
            cause(
                "two processes that are both named the same instance",
                _rejects("prometheus_tsdb_out_of_order_samples_total", "out of order"),
            ),
            cause(
                "a clock that is wrong",
                _rejects("prometheus_tsdb_out_of_bound_samples_total", "out of bounds"),
            ),
        ),
        actions=(
            "Read Prometheus' log, and the Collector's: both name the reason.",
            "Give each process an instance id of its own.",
        ),
    ),
    "StorageFails": Section(
        value=f"sum(increase({_COMPACTIONS}[30m]))",
        impact="History is at risk; Prometheus may not start again.",
        causes=(
            cause("a damaged disk", _CORRUPT),
            cause("a full disk"),
        ),
        actions=("Look at the disk first, then at Prometheus' log.",),
    ),
    "LogStoreDrops": Section(
        value=f"sum(rate({_DROPPED}[5m]))",
        impact="Log lines are lost.",
        causes=(
            cause("lines older than the retention", _dropped("too_small_timestamp")),
            cause("lines that are too long", _dropped("too_many_fields")),
            cause("a full disk"),
        ),
        actions=("Read the log store's own log; it names the reason.",),
    ),
}
"""The sections, by the alert's name."""
