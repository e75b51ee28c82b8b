"""Every alert on nodes where nothing is wrong: at work, across a restart, without any traffic."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

import pytest
import yaml

from qudag_otel.alerts import groups
from qudag_otel.catalogue import metrics as m
from qudag_otel.catalogue import thresholds as t
from tests.alerts.scenario import RESTART, counter, gauge, histogram
from tests.alerts.test_rules import RULES, promtool

if TYPE_CHECKING:
    from pathlib import Path

    from tests.alerts.scenario import Phase, Series

MINUTES: Final = 60
LEFT_OUT: Final = {"qudag_operation_duration_seconds"}
"""Of `@instrumented`: a node of wrappers alone has none."""
STEPS: Final = tuple(range(MINUTES + 1))
# Minutes, and the share of a healthy node's traffic; None while the process is away.
SITUATIONS: Final[dict[str, tuple[tuple[float | None, float] | str, ...]]] = {
    "healthy": ((1, MINUTES),),
    "restart": ((1, 20), (None, 1), RESTART, (1, MINUTES - 21)),
    "no traffic": ((0, MINUTES),),
}
COUNTERS: Final = {  # a second
    'qudag_message_throughput_total{{{0},message_type="file",direction="inbound"}}': 60,
    'qudag_message_throughput_total{{{0},message_type="rare",direction="inbound"}}': 0.002,
    'qudag_chunks_processed_total{{{0},message_type="file"}}': 90,
    'qudag_errors_total{{{0},component="pool",error_type="TimeoutError"}}': 0.002,
    'qudag_connection_pool_hits_total{{{0},pool_type="peer"}}': 95,
    'qudag_connection_pool_misses_total{{{0},pool_type="peer"}}': 1,
    'qudag_validation_cache_hits_total{{{0},validation_type="signature"}}': 90,
    'qudag_validation_cache_misses_total{{{0},validation_type="signature"}}': 8,
    "qudag_node_restarts_total{{{0}}}": 0,
    'qudag_cache_evictions_total{{{0},cache_type="content",reason="capacity"}}': 8,
    'qudag_swarm_tasks_created_total{{swarm_id="{1}",task_type="index",priority="normal"}}': 20,
    'qudag_swarm_tasks_completed_total{{swarm_id="{1}",task_type="index",status="success"}}': 20,
}
GAUGES: Final = {
    'qudag_compression_ratio{{{0},compression_type="zstd"}}': 0.7,
    'qudag_active_connections{{{0},pool_type="peer",state="active"}}': 3,
    'qudag_active_connections{{{0},pool_type="peer",state="idle"}}': 5,
    'qudag_cache_memory_bytes{{{0},cache_type="content"}}': 4e6,
    'qudag_system_memory_bytes{{{0},memory_type="used"}}': 4e9,
    'qudag_system_memory_bytes{{{0},memory_type="total"}}': 16e9,
    'qudag_cpu_usage_percent{{{0},cpu_core="average"}}': 40,
    'qudag_component_up{{{0},component="pool"}}': 1,
    'qudag_resource_used_ratio{{{0},resource="disk"}}': 0.5,
    "up{{{0}}}": 1,
    # What `qudag-otel node` says of it.
    "qudag_node_up{{{0}}}": 1,
    'qudag_node_info{{{0},peer_id="12D3",node_state="running"}}': 1,
    "qudag_node_peers{{{0}}}": 3,
    "qudag_node_vertices{{{0}}}": 7,
    "qudag_node_uptime_seconds{{{0}}}": 90000,
}
WORK: Final = {  # none of it where there is no traffic
    'qudag_agent_utilization_ratio{{swarm_id="{1}",agent_id="a1",agent_type="index"}}': 0.6,
    'qudag_swarm_queue_depth{{swarm_id="{1}",queue_type="tasks",priority="normal"}}': 4,
}
HISTOGRAMS: Final = {  # observations a second, seconds each
    (m.CHUNKING_DURATION, '{0},message_size_bucket="small"'): (90, 0.01),
    (m.CONNECTION_WAIT_TIME, '{0},pool_type="peer"'): (96, 0.001),
    (m.TASK_LATENCY, 'swarm_id="{1}",task_type="index"'): (20, 0.2),
}


def series(node: str, swarm: str, situation: str) -> Series:
    """What a node and its swarm report."""
    phases = SITUATIONS[situation]
    where = f'node_id="{node}",job="qudag",instance="{node}:9464"', swarm

    def scaled(rate: float) -> list[Phase | str]:
        return [
            each if isinstance(each, str)
            else (None if each[0] is None else rate * each[0], each[1])
            for each in phases
        ]  # fmt: skip

    def level(value: float, idle: float) -> str:
        there = [each for each in phases if not isinstance(each, str)]
        return gauge(
            *((value if busy else None if busy is None else idle, last) for busy, last in there)
        )

    found = {
        **{name.format(*where): counter(*scaled(rate)) for name, rate in COUNTERS.items()},
        **{name.format(*where): level(value, value) for name, value in GAUGES.items()},
        **{name.format(*where): level(value, 0) for name, value in WORK.items()},
    }
    for (metric, labels), (rate, seconds) in HISTOGRAMS.items():
        steady = [
            (phase[0] or 0.0, seconds, phase[1])
            for phase in scaled(rate)
            if not isinstance(phase, str)
        ]
        found |= histogram(metric, labels.format(*where), *steady)
    return found


def test_a_node_reports_every_metric_that_an_alert_asks_for() -> None:
    """No alert is silent here only because its metric is missing."""
    names = {re.split("[{]", selector)[0] for selector in series("n1", "s1", "healthy")}
    asked = {metric.prometheus_name for alert in t.ALERTS for metric in alert.metrics}
    assert asked - LEFT_OUT <= {name.removesuffix("_bucket") for name in names}


@pytest.mark.servers("prometheus")
@pytest.mark.parametrize("situation", SITUATIONS)
def test_no_alert_fires_where_nothing_is_wrong(situation: str, tmp_path: Path) -> None:
    """All alerts at once, looked at every minute of an hour."""
    names = sorted({rule.alert.name for rule in groups.ALERT_RULES} - {"Watchdog"})
    file = tmp_path / "silence.yaml"
    file.write_text(
        yaml.safe_dump({
            "rule_files": [str(path) for path in sorted(RULES.glob("*.yaml"))],
            "evaluation_interval": "15s",
            "tests": [{
                "interval": "15s",
                "input_series": [
                    {"series": selector, "values": values}
                    for selector, values in series("n1", "s1", situation).items()
                ],
                "alert_rule_test": [
                    {"eval_time": f"{minute}m", "alertname": name, "exp_alerts": []}
                    for name in names
                    for minute in STEPS
                ],
            }],
        })
    )  # fmt: skip
    promtool("test", "rules", file)
