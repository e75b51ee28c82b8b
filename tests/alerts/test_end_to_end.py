"""From the demo's fault to the pager: Prometheus, its rules and Alertmanager in quick motion."""

from __future__ import annotations

import signal
from typing import TYPE_CHECKING

import pytest

from qudag_otel import _generated
from qudag_otel.alerts import groups, rendering
from tests.alerts.test_alertmanager import Webhooks, configuration
from tests.demo.programs import running
from tests.servers.waiting import eventually

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from tests.servers.backends import Alertmanager, Prometheus

    Watch = Callable[..., Prometheus]

SCALE = 30.0
"""A minute of the rules lasts two seconds here."""
CALM = 12.0
"""A minute lasts five: what a busy machine does not answer for some seconds is no outage yet."""
INTERVAL = 1
"""Seconds between scrapes, within which a busy machine can answer, and between evaluations."""
QUICK = {
    "global": {
        "scrape_interval": f"{INTERVAL}s",
        "scrape_timeout": f"{INTERVAL}s",
        "evaluation_interval": f"{INTERVAL}s",
        "rule_query_offset": "0s",
    }
}
# What an idle host and a young process cannot promise: too little CPU, and how it was last week.
_NOT_OURS = {"HighCPUUsage", "CriticalCPUUsage", "HighMemoryUsage", "ElevatedMemoryUsage"}
pytestmark = [pytest.mark.servers("prometheus", "alertmanager"), pytest.mark.timeout(300)]


@pytest.fixture
def webhooks() -> Iterator[Webhooks]:
    """Receivers on loopback."""
    started = Webhooks()
    yield started
    started.close()


@pytest.fixture
def watch(
    tmp_path: Path,
    webhooks: Webhooks,
    alertmanager_server: Callable[..., Alertmanager],
    prometheus_server: Callable[..., Prometheus],
) -> Watch:
    """Start the servers on some /metrics."""

    def start(urls: list[str], scale: float = SCALE) -> Prometheus:
        alertmanager = alertmanager_server(config=configuration(tmp_path / "etc", webhooks))
        rules = tmp_path / "rules"
        style = rendering.Style(scale=scale)
        texts = rendering.rules_yaml(groups.rule_files(), style)
        _generated.write({rules / name: text for name, text in texts.items()})
        return prometheus_server(
            rules=rules,
            overrides=QUICK,
            targets={
                "alertmanagers": [{"targets": [alertmanager.target]}],
                "applications": [
                    {"targets": [url.removeprefix("http://").removesuffix("/metrics")]}
                    for url in urls
                ],
            },
        )

    return start


@pytest.mark.parametrize(
    ("fault", "alert", "receiver"),
    [
        ("pool-exhausted@6+16", "ConnectionPoolExhausted", "page"),
        ("error-burst@6+16", "HighErrorRate", "page"),
        ("stall@8+16", "MessageProcessingStalled", "page"),
        ("cold-cache@6+34", "LowCacheHitRate", "ticket"),
    ],
)
def test_fault_of_the_demo_reaches_its_receiver_and_resolves(
    fault: str,
    alert: str,
    receiver: str,
    webhooks: Webhooks,
    watch: Watch,
) -> None:
    """The alert of the fault fires, is delivered, and is taken back when the fault ends."""
    with running("demo", "--headless", "--nodes", "2", "--rate", "40", "--fault", fault) as demo:
        watch(demo.metrics_urls())

        def delivered() -> None:
            assert (receiver, alert) in webhooks.alerts()

        def resolved() -> None:
            assert (receiver, alert) in webhooks.alerts("resolved")

        eventually(delivered, timeout=90)
        eventually(resolved, timeout=120)
        demo.end(signal.SIGINT)


def test_watchdog_reaches_the_dead_mans_switch(webhooks: Webhooks, watch: Watch) -> None:
    """With nothing to watch, the alert that always fires arrives."""
    watch([])

    def heard() -> None:
        assert ("deadman", "Watchdog") in webhooks.alerts()

    # Prometheus tells an Alertmanager that it found late after its resend delay of a minute.
    eventually(heard, timeout=120)


def test_healthy_demo_raises_nothing(webhooks: Webhooks, watch: Watch) -> None:
    """Eight minutes of the rules' time without a page, a ticket or a note."""
    with running("demo", "--headless", "--nodes", "2", "--rate", "40") as demo:
        prometheus = watch(demo.metrics_urls(), CALM)

        def seen_for_eight_minutes() -> None:
            (sample,) = prometheus.query("min(count_over_time(node:qudag_messages:rate5m[1h]))")
            assert sample.value >= 8 * 60 / CALM / INTERVAL

        eventually(seen_for_eight_minutes, timeout=120)
        # Its end takes a while, and is an absence.
        raised = {name for receiver, name in webhooks.alerts() if receiver != "deadman"}
        demo.end(signal.SIGINT)
    assert raised - _NOT_OURS == set()
