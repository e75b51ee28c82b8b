"""From the demo's fault to the pager: Prometheus, its rules and Alertmanager in quick motion."""

from __future__ import annotations

import signal
from functools import partial
from typing import TYPE_CHECKING, Final

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


FAULTS: Final = {
    "cold-cache@6+30": ("ticket", "LowCacheHitRate"),
    "error-burst@6+16": ("page", "HighErrorRate"),
    "stall@38+16": ("page", "MessageProcessingStalled"),
    "pool-exhausted@56+16": ("page", "ConnectionPoolExhausted"),
}
"""Of one demo: seconds after its start, and how long; only the first two at once."""


def test_faults_of_the_demo_reach_their_receivers_and_resolve(
    webhooks: Webhooks, watch: Watch
) -> None:
    """The alert of each fault fires, is delivered, and is taken back when the fault ends."""
    orders = [word for fault in FAULTS for word in ("--fault", fault)]
    with running("demo", "--headless", "--nodes", "2", "--rate", "40", *orders) as demo:
        watch(demo.metrics_urls())
        for status in ("firing", "resolved"):
            eventually(partial(_heard, webhooks, status), timeout=150)
        demo.end(signal.SIGINT)


def _heard(webhooks: Webhooks, status: str) -> None:
    assert set(FAULTS.values()) <= webhooks.alerts(status)


def test_watchdog_reaches_the_dead_mans_switch(webhooks: Webhooks, watch: Watch) -> None:
    """With nothing to watch, the alert that always fires arrives."""
    watch([])

    def heard() -> None:
        assert ("deadman", "Watchdog") in webhooks.alerts()

    # Prometheus tells an Alertmanager that it found late after its resend delay of a minute.
    eventually(heard, timeout=120)


def test_healthy_demo_raises_nothing(webhooks: Webhooks, watch: Watch) -> None:
    """Six minutes of the rules' time without a page, a ticket or a note."""
    with running("demo", "--headless", "--nodes", "2", "--rate", "40") as demo:
        prometheus = watch(demo.metrics_urls(), CALM)

        def seen_for_six_minutes() -> None:
            (sample,) = prometheus.query("min(count_over_time(node:qudag_messages:rate5m[1h]))")
            assert sample.value >= 6 * 60 / CALM / INTERVAL

        eventually(seen_for_six_minutes, timeout=120)
        # Its end takes a while, and is an absence.
        raised = {name for receiver, name in webhooks.alerts() if receiver != "deadman"}
        demo.end(signal.SIGINT)
    assert raised - _NOT_OURS == set()
