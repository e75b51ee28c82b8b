"""The stack itself: what evaluates, delivers and stores."""

from __future__ import annotations

from typing import Final

from tests.alerts.scenario import RESTART, Case, Fires, Scenario, Series, counter, elsewhere, gauge

_RULES: Final = ("stack",)
_TARGET: Final = 'job="prometheus",instance="localhost:9090"'
_LABELS: Final = {"job": "prometheus", "instance": "localhost:9090"}


def _counts(*metrics: str, rate: float = 0.5, minutes: float = 30) -> dict[str, Series]:
    """One of these counters climbs from 10 minutes on, and nothing else happens."""
    return {
        metric: {
            f"{metric.partition('{')[0]}{{{_TARGET},{metric.partition('{')[2].rstrip('}')}}}": (
                counter((0, 10), (rate, minutes))
            ),
            **elsewhere({f"{metric.partition('{')[0]}{{{_TARGET}}}": counter((0, 60))}),
        }
        for metric in metrics
    }


def _failing(
    name: str, severity: str, first: str, description: str, *metrics: str, silent: Series
) -> Scenario:
    """Each of some counters makes the alert fire, and it ends with the failures."""
    fires = Fires(labels=_LABELS, description=description)
    before = f"{int(first.removesuffix('m')) - 1}m"
    return Scenario(
        name=name,
        rules=_RULES,
        severity=severity,
        concern="watcher",
        cases=(
            *(
                Case(
                    name=f"{metric} climbs",
                    series=series,
                    at={"10m": (), before: (), first: (fires,), "38m": (fires,), "90m": ()},
                )
                for metric, series in _counts(*metrics).items()
            ),
            Case(
                name="a restart, and what is no failure", series=silent, at={"12m": (), "40m": ()}
            ),
        ),
    )


def _restart(metric: str) -> Series:
    return {f"{metric}{{{_TARGET}}}": counter((0, 5), RESTART, (0, 50))}


GO_NOWHERE: Final = Scenario(
    name="AlertsGoNowhere",
    rules=_RULES,
    severity="critical",
    concern="watcher",
    cases=tuple(
        Case(
            name=f"{metric}: {words}",
            series={
                f'{metric}{{job="{job}",instance="a",x="y"}}': values,
                f'{metric}{{job="{job}",instance="b"}}': silent,
                **elsewhere({f'{metric}{{job="{job}",instance="a"}}': silent}),
            },
            at={
                "14m": (),
                "20m": (
                    Fires(
                        labels={"job": job, "instance": "a"},
                        description=f"{job} (a) cannot deliver alerts for 5 minutes: see its log"
                        " for which receiver; a fresh stack has none until alerts/receivers holds"
                        " their addresses.",
                    ),
                ),
            },
        )
        for metric, job, words, values, silent in (
            ("prometheus_notifications_alertmanagers_discovered", "prometheus", "no Alertmanager",
             gauge((1, 10), (0, 20)), gauge((1, 30))),
            ("prometheus_notifications_dropped_total", "prometheus", "the queue is full",
             counter((0, 10), (0.02, 20)), counter((0, 30))),
            ("prometheus_notifications_errors_total", "prometheus", "Alertmanager refuses",
             counter((0, 10), (0.02, 20)), counter((0, 30))),
            ("alertmanager_notifications_failed_total", "alertmanager", "no receiver",
             counter((0, 10), (0.02, 20)), counter((0, 30))),
        )
    ),
)  # fmt: skip

RULES_FAIL: Final = _failing(
    "RulesFail", "critical", "16m",
    "Prometheus (localhost:9090) fails to evaluate rules, 0.5 failures/s for 5 minutes.",
    "prometheus_rule_evaluation_failures_total",
    "prometheus_rule_group_iterations_missed_total",
    silent=_restart("prometheus_rule_evaluation_failures_total"),
)  # fmt: skip
REJECTS: Final = _failing(
    "StorageRejectsSamples", "warning", "21m",
    "Prometheus (localhost:9090) refuses 0.5 samples/s or requests for 10 minutes: too old, out of"
    " order or malformed.",
    'prometheus_http_requests_total{handler="/api/v1/otlp/v1/metrics",code="400"}',
    'prometheus_http_requests_total{handler="/api/v1/write",code="500"}',
    "prometheus_tsdb_too_old_samples_total",
    "prometheus_tsdb_out_of_bound_samples_total",
    "prometheus_tsdb_out_of_order_samples_total",
    silent={
        f'prometheus_http_requests_total{{{_TARGET},handler="/api/v1/otlp/v1/metrics",code="200"}}':
            counter((5, 60)),
        f'prometheus_http_requests_total{{{_TARGET},handler="/api/v1/query",code="400"}}':
            counter((5, 60)),
    },
)  # fmt: skip
LOGS: Final = _failing(
    "LogStoreDrops", "warning", "21m",
    "The log store (localhost:9090) drops 0.5 rows/s for 10 minutes.",
    'vl_rows_dropped_total{reason="too_small_timestamp"}',
    silent=_restart("vl_rows_dropped_total"),
)  # fmt: skip

_STORAGE_FAILS: Final = Fires(
    labels=_LABELS,
    description="The storage of Prometheus (localhost:9090) failed 2 failures within half an hour.",
)

STORAGE: Final = Scenario(
    name="StorageFails",
    rules=_RULES,
    severity="critical",
    concern="watcher",
    cases=(
        *(
            Case(
                name=f"{metric} climbs once",
                series={f"{metric}{{{_TARGET}}}": "0x40 2x200"},
                at={"10m": (), "10m15s": (_STORAGE_FAILS,), "20m": (_STORAGE_FAILS,), "45m": ()},
            )
            for metric in (
                "prometheus_tsdb_compactions_failed_total",
                "prometheus_tsdb_reloads_failures_total",
                "prometheus_tsdb_wal_corruptions_total",
                "prometheus_tsdb_wal_writes_failed_total",
                "prometheus_tsdb_head_truncations_failed_total",
            )
        ),
        Case(
            name="a restart",
            series=_restart("prometheus_tsdb_compactions_failed_total"),
            at={"30m": ()},
        ),
    ),
)

RELOAD: Final = Scenario(
    name="ReloadFailed",
    rules=_RULES,
    severity="warning",
    concern="watcher",
    cases=tuple(
        Case(
            name=f"{job} refuses its configuration, and takes the next one",
            series={
                f'{job}_config_last_reload_successful{{job="{job}",instance="a"}}': gauge(
                    (1, 10), (0, 10), (1, 20)
                ),
                f'{job}_config_last_reload_successful{{job="{job}",instance="b"}}': gauge((1, 40)),
                **elsewhere({
                    f'{job}_config_last_reload_successful{{job="{job}",instance="a"}}': gauge(
                        (1, 40)
                    )
                }),
            },
            at={
                "14m": (),
                "16m": (
                    Fires(
                        labels={"job": job, "instance": "a"},
                        description=f"{job} (a) refuses its changed configuration for 5 minutes.",
                    ),
                ),
                "25m": (),
            },
        )
        for job in ("prometheus", "alertmanager")
    ),
)  # fmt: skip

SCENARIOS: Final = (GO_NOWHERE, RULES_FAIL, RELOAD, REJECTS, STORAGE, LOGS)
