"""What the demo's faults are taken for: the cause named first is the one that was ordered."""

from __future__ import annotations

import re
import time
from contextlib import ExitStack, contextmanager
from typing import TYPE_CHECKING, Final, NamedTuple

import psutil
import pytest

from qudag_otel import _generated
from qudag_otel._query.prometheus import Prometheus as Client
from qudag_otel._query.stores import Jaeger as JaegerClient
from qudag_otel._query.stores import Logs
from qudag_otel.alerts import groups, rendering
from qudag_otel.demo.faults import FAULTS
from qudag_otel.explain.report import Stores, explain
from qudag_otel.explain.show import text
from tests.demo.programs import running
from tests.docs.blocks import blocks, says
from tests.servers.api import get
from tests.servers.backends import Jaeger, Prometheus, VictoriaLogs
from tests.servers.collectors import QUICK, Collector
from tests.servers.waiting import eventually

if TYPE_CHECKING:
    from collections.abc import Generator, Iterator

    from qudag_otel.explain._model import Report

pytestmark = [
    pytest.mark.servers("prometheus", "collector", "jaeger", "victorialogs"),
    pytest.mark.timeout(300),
]

SCALE: Final = 30.0
"""A minute of the rules lasts two seconds here."""
WITHIN: Final = 120.0
CALM: Final = 14
"""Seconds before a fault, so that there is a time before it."""
TAKEN: Final = max(600, int(0.025 * psutil.virtual_memory().total / (1 << 20)))
"""MiB; enough to be seen as a share of this host's memory."""


class Case(NamedTuple):
    """A fault, and what it is taken for.

    Attributes:
        network: The name of the demo's fleet; faults of one name happen in one demo.
        order: The fault, as it is ordered.
        alert: The alert that it raises.
        cause: The cause that is named first.
    """

    network: str
    order: str
    alert: str
    cause: str


CASES: Final = {
    "cold-cache": Case("first", f"cold-cache@{CALM}", "LowCacheHitRate",
                       "something empties the cache"),
    "memory": Case("first", f"memory={TAKEN}@{CALM}", "HighMemoryUsage",
                   "the node's own process grows: a leak, or more work"),
    "pool-exhausted": Case("second", f"pool-exhausted@{CALM}", "ConnectionPoolExhausted",
                           "connections are not given back"),
    "slow-task": Case("third", f"slow-task=8@{CALM}", "HighSwarmQueueDepth",
                      "agents hang, or each task takes longer"),
    "error-burst": Case("fourth", f"error-burst@{CALM}", "HighErrorRate",
                        "a peer sends what cannot be verified"),
    "stall": Case("fifth", f"stall@{CALM}", "MessageProcessingStalled",
                  "nothing is sent any more, by intent"),
    # Later, because all share this machine's cores.
    "cpu": Case("fifth", f"cpu=1@{CALM + 12}", "HighCPUUsage",
                "the node's own process works more than its messages ask for"),
}  # fmt: skip
HEALTHY: Final = "healthy"
# What this machine is used for besides must not decide when these two begin.
_OWN: Final = {
    "HighMemoryUsage": f"qudag_process_memory_bytes > {TAKEN << 20}",
    "HighCPUUsage": "qudag_process_cpu_percent > 12",
}


class Stack(NamedTuple):
    """Servers with rules in quick motion, and whom `explain` asks."""

    endpoint: str
    jaeger: str
    stores: Stores


@pytest.fixture(scope="module")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    """A stack of its own, because the shared one's rules take their time."""
    folder = tmp_path_factory.mktemp("stack")
    files = rendering.rules_yaml(groups.rule_files(), rendering.Style(scale=SCALE))
    files["alerts.yaml"] = _own(files["alerts.yaml"])
    _generated.write({folder / "rules" / name: text for name, text in files.items()})
    quick = {"evaluation_interval": "1s", "rule_query_offset": "0s"}
    prometheus = Prometheus(
        folder / "prometheus", rules=folder / "rules", overrides={"global": quick}
    )
    jaeger, logs = Jaeger(folder / "jaeger"), VictoriaLogs(folder / "logs")
    collector = Collector(
        folder / "collector",
        environment={
            "OTELCOL_TRACES_ENDPOINT": jaeger.otlp_http,
            "OTELCOL_METRICS_ENDPOINT": f"{prometheus.url}/api/v1/otlp",
            "OTELCOL_LOGS_ENDPOINT": logs.otlp_http,
            **QUICK,
        },
    )
    servers = (prometheus, jaeger, logs, collector)
    with ExitStack() as ends:
        for server in servers:
            ends.callback(server.close)
            server.start(wait=False)
        for server in servers:
            server.wait_ready()
        stores = Stores(
            prometheus=Client(prometheus.url), jaeger=JaegerClient(jaeger.url), logs=Logs(logs.url)
        )
        yield Stack(collector.otlp_http, jaeger.url, stores)


def _own(rules: str) -> str:
    """The rules, with some about the process in place of the host."""
    for name, expression in _OWN.items():
        rules, count = re.subn(
            rf"(- alert: {name}\n\s+expr: )[^\n]*(?:\n\s+\([^\n]*)*", rf"\g<1>{expression}", rules
        )
        assert count == 1
    return rules


@contextmanager
def _demo(stack: Stack, network: str, orders: list[str]) -> Generator[None]:
    """Two nodes with their faults, of a fleet of their own."""
    words = [word for order in orders for word in ("--fault", order)]
    with running(
        "demo", "--headless", "--nodes", "2", "--rate", "10", *words,
        OTEL_EXPORTER_OTLP_ENDPOINT=stack.endpoint,
        OTEL_EXPORTER_OTLP_PROTOCOL="http/protobuf",
        OTEL_METRIC_EXPORT_INTERVAL="1000",
        OTEL_BSP_SCHEDULE_DELAY="500",
        OTEL_RESOURCE_ATTRIBUTES=f"cluster={network}",
    ):  # fmt: skip
        yield


def _explained(stack: Stack, alert: str, network: str, **more: str) -> Report:
    return explain(alert, stack.stores, time.time(), {"cluster": network, **more}, scale=SCALE)


@pytest.fixture(scope="module")
def networks(stack: Stack) -> Iterator[None]:
    """All demos at once, one of them healthy."""
    orders: dict[str, list[str]] = {HEALTHY: []}
    for case in CASES.values():
        orders.setdefault(case.network, []).append(case.order)
    with ExitStack() as ends:
        for network, ordered in orders.items():
            ends.enter_context(_demo(stack, network, ordered))
        yield


def test_every_fault_of_the_demo_has_its_case() -> None:
    """A new fault says what it is taken for."""
    assert set(CASES) == set(FAULTS)


@pytest.mark.parametrize("fault", CASES)
def test_the_cause_named_first_is_the_fault(fault: str, stack: Stack, networks: None) -> None:
    """Of every subject, while faults of other networks and of its own happen at the same time."""
    case = CASES[fault]

    def named() -> None:
        report = _explained(stack, case.alert, case.network)
        assert not report.healthy
        assert report.missing == []
        first = [one.findings[0] for one in report.cases]
        said = {(finding.cause, finding.verdict.value) for finding in first}
        assert said == {(case.cause, "fits")}, text(report)

    eventually(named, timeout=WITHIN)


def test_failed_traces_of_the_fault_are_linked_and_its_lines_are_told(
    stack: Stack, networks: None
) -> None:
    """The traces that failed are of the forged signatures; Jaeger knows them under the links."""

    def told() -> None:
        report = _explained(stack, "HighErrorRate", "fourth")
        failed = [(trace, link) for trace, link in report.traces if trace.failure]
        assert failed
        for trace, link in failed:
            assert "InvalidSignatureError" in trace.failure
            assert link == f"{stack.jaeger}/trace/{trace.trace_id}"
            assert get(f"{stack.jaeger}/api/traces/{trace.trace_id}")["data"]
        assert any("not delivered" in line["_msg"] for line in report.lines)

    eventually(told, timeout=WITHIN)


def test_the_page_of_the_document_is_what_is_printed(stack: Stack, networks: None) -> None:
    """docs/explain.md shows a real answer."""
    (block,) = [one for one in blocks("text") if one.file == "LowCacheHitRate"]

    def shown() -> None:
        printed = text(_explained(stack, "LowCacheHitRate", "first", node_id="node-1"))
        assert says(printed, block.code), printed

    eventually(shown, timeout=WITHIN)


def test_healthy_nodes_are_called_healthy(stack: Stack, networks: None) -> None:
    """Beside all those faults, none of their alerts has a reason to speak of them."""

    def calm() -> None:
        reports = [_explained(stack, case.alert, HEALTHY) for case in CASES.values()]
        assert [report.alert for report in reports if not report.healthy] == []
        assert all("Healthy at" in text(report) for report in reports)
        assert all(report.cases[0].reading.now is not None for report in reports)

    eventually(calm, timeout=WITHIN)
