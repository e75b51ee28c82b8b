"""What a span, a series, a point and a log line take in each tier: the inputs of `qudag-otel size`.

A part of `make bench-pipeline`, which writes qudag_otel/stack/measured.py with it.
"""

from __future__ import annotations

import random
import sys
import tempfile
import urllib.request
from contextlib import ExitStack
from pathlib import Path
from textwrap import wrap
from typing import TYPE_CHECKING, Any, Final, NamedTuple

import psutil
import yaml
from prometheus_client.parser import text_string_to_metric_families

from benchmarks.pipeline import Form, Watched, bare, cpu_of, reader, send
from tests.servers.backends import Jaeger, Prometheus, VictoriaLogs
from tests.servers.collectors import CONFIG, Collector
from tests.servers.process import Ports

if TYPE_CHECKING:
    from collections.abc import Mapping

    from benchmarks.pipeline import Row
    from tests.servers.process import Server

PAGE: Final = Path(__file__).parent.parent / "qudag_otel" / "stack" / "measured.py"
KINDS: Final = {"traces": "spans", "metrics": "points", "logs": "logs"}
HELD: Final = {"OTELCOL_SAMPLING_WAIT": "300s", "OTELCOL_SAMPLING_TRACES": "200000"}
ALL: Final = {"OTELCOL_SAMPLING_PERCENTAGE": "100"}
DIGITS: Final = 3
HEAP: Final = "go_memstats_heap_inuse_bytes"
"""Of Prometheus instead of its resident size: a few thousand series fit into what it has already."""


class Stage:
    """Fresh stores, and Collectors before them, in a folder that is deleted afterwards."""

    def __init__(self, stack: ExitStack) -> None:
        self.folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        self.ports = Ports()
        stack.callback(self.ports.close)
        self._stack = stack
        self.stores: dict[str, Any] = {
            "traces": Jaeger(self.folder / "jaeger"),
            "metrics": Prometheus(self.folder / "prometheus"),
            "logs": VictoriaLogs(self.folder / "victorialogs"),
        }
        for store in self.stores.values():
            stack.callback(store.close)

    def gateway(self, settings: Mapping[str, str], *, outage: bool = False) -> Watched:
        """The gateway before the stores, or before ports that nobody listens on."""
        closed = f"http://{self.ports['closed']}"
        jaeger, prometheus, logs = self.stores.values()
        environment = {
            "OTELCOL_TRACES_ENDPOINT": closed if outage else jaeger.otlp_http,
            "OTELCOL_METRICS_ENDPOINT": closed if outage else f"{prometheus.url}/api/v1/otlp",
            "OTELCOL_LOGS_ENDPOINT": closed if outage else logs.otlp_http,
            **settings,
        }
        config = {"service": reader(self.ports["gateway"].number)}
        return self.collector("gateway", config, environment, "common.yaml", "gateway.yaml")

    def agent(self) -> Watched:
        """An agent before a Collector that forgets."""
        sink = self.collector("sink", bare(self.ports["sink"].number, None), {}).collector.start()
        environment = {"OTELCOL_GATEWAY_ENDPOINT": sink.otlp_http}
        config = {"service": reader(self.ports["agent"].number)}
        return self.collector("agent", config, environment, "common.yaml", "agent.yaml")

    def collector(
        self, name: str, config: Mapping[str, Any], environment: Mapping[str, str], *first: str
    ) -> Watched:
        """A Collector with files of the repository, and one of its own."""
        own = self.folder / f"{name}.yaml"
        own.write_text(yaml.safe_dump(dict(config)))
        made = Collector(
            self.folder / name,
            configs=(*(CONFIG / one for one in first), own),
            environment=environment,
        )
        self._stack.callback(made.close)
        return Watched(name, made, f"http://{self.ports[name]}/metrics")


class Through(NamedTuple):
    """What a load took on its way.

    Attributes:
        row: What the gateway said.
        cpu: Seconds of the store's CPU time.
        memory: How much larger the store became, in bytes.
        disk: How much more it keeps once it was stopped, in bytes.
        idle: The memory of the store before.
        series: Of Prometheus, how many it had of the load.
    """

    row: Row
    cpu: float
    memory: int
    disk: int
    idle: int
    series: int


def through(signal: str, form: Form, settings: Mapping[str, str]) -> Through:
    """Send a load through a gateway into its store."""
    with ExitStack() as stack:
        stage = Stage(stack)
        for store in stage.stores.values():
            store.start()
        store = stage.stores[signal]
        store.stop()
        before = stored(store)
        store.start()
        process = psutil.Process(store.pid)
        spent, idle, before_it = cpu_of(process), process.memory_info().rss, _own(store, HEAP)
        row = stage.gateway({**form.gateway, **settings}).run(signal, form)
        spent = cpu_of(process) - spent
        grown = _own(store, HEAP) - before_it or process.memory_info().rss - idle
        series = _own(store, "prometheus_tsdb_head_series")
        store.stop()
        return Through(row, spent, grown, stored(store) - before, idle, series)


def _own(store: Server, metric: str) -> int:
    """What Prometheus says of itself; 0 of another store."""
    if not isinstance(store, Prometheus):
        return 0
    with urllib.request.urlopen(f"{store.url}/metrics", timeout=10) as response:
        families = text_string_to_metric_families(response.read().decode())
        return sum(
            int(one.value) for family in families for one in family.samples if one.name == metric
        )


def stored(server: Server) -> int:
    """How many bytes a server's folder takes of the disk."""
    files = (path.stat() for path in server.storage.rglob("*") if path.is_file())
    return sum(min(one.st_size, one.st_blocks * 512) for one in files)


def queued(signal: str, form: Form) -> float:
    """Bytes on disk of a record that waits in the gateway's queue for a store that is down."""
    with ExitStack() as stack:
        stage = Stage(stack)
        watched = stage.gateway({**form.gateway, **ALL, "OTELCOL_SAMPLING_WAIT": "1s"}, outage=True)
        row = watched.run(signal, form, deliver=False)
        return stored(watched.collector) / row.accepted


def held(form: Form) -> tuple[int, float]:
    """Of a gateway: its memory without load, and bytes of a span that waits for its decision."""
    with ExitStack() as stack:
        watched = Stage(stack).gateway(HELD, outage=True)
        collector = watched.collector.start()
        process = psutil.Process(collector.pid)
        idle = process.memory_info().rss
        send("traces", collector, form)
        grown = process.memory_info().rss - idle
        return idle, grown / watched.totals()["otelcol_receiver_accepted_spans"]


def blocks() -> tuple[float, float]:
    """Bytes in Prometheus' blocks of a point, and of a series without its points."""
    few, many, count = 20, 110, 1000
    sizes = {}
    for points in (few, many):
        with ExitStack() as stack:
            prometheus = Stage(stack).stores["metrics"]
            prometheus.backfill(_history(count, points))
            sizes[points] = stored(prometheus)
    each = (sizes[many] - sizes[few]) / count / (many - few)
    return each, sizes[few] / count - few * each


def _history(count: int, points: int) -> str:
    """Counters that grow as counters do, a point a minute within one block of two hours."""
    dice = random.Random(1)
    lines = ["# TYPE load counter"]
    for number in range(count):
        value = 0
        for minute in range(points):
            value += dice.randrange(20)
            labels = f'node="node-{number % 50}",operation="operation-{number}"'
            lines.append(
                f"load_total{{{labels}}} {value} {1_700_000_000 - 1_700_000_000 % 7200 + 60 * minute}"
            )
    return "\n".join([*lines, ""])


def measure(form: Form) -> dict[str, Any]:
    """All inputs, in CPU seconds and bytes a record."""
    _say("blocks of Prometheus, spans that are held")
    point, series = blocks()
    idle, span = held(form)
    found: dict[str, Any] = {
        "cpu": {"agent": {}, "gateway": {}, "store": {}},
        "disk": {"points": point, "series": series},
        "queue": {},
        "memory": {"gateway": idle, "span": span},
    }
    for signal, kind in KINDS.items():
        _say(f"{kind} into agent, gateway, queue and store")
        with ExitStack() as stack:
            row = Stage(stack).agent().run(signal, form)
        found["cpu"]["agent"][kind] = 1 / row.per_cpu
        found["memory"]["agent"] = max(found["memory"].get("agent", 0), row.memory * (1 << 20))
        found["queue"][kind] = queued(signal, form)
        carried = through(signal, form, ALL if signal == "traces" else {})
        found["cpu"]["gateway"][kind] = 1 / carried.row.per_cpu
        found["cpu"]["store"][kind] = carried.cpu / carried.row.handed
        found["memory"][_store(signal)] = carried.idle + (
            0 if signal == "metrics" else carried.memory
        )
        if signal == "metrics":
            found["memory"]["series"] = max(0, carried.memory) / carried.series
            found["disk"]["wal"] = carried.disk / carried.series
        else:
            found["disk"][kind] = carried.disk / carried.row.handed
    # Without sampling's choice all spans go on; with it the difference tells what going on takes.
    few = through("traces", form, {"OTELCOL_SAMPLING_PERCENTAGE": "1"}).row
    all_cpu, few_cpu = found["cpu"]["gateway"]["spans"], 1 / few.per_cpu
    kept = max(0.0, (all_cpu - few_cpu) / (1 - few.handed / few.accepted))
    found["cpu"]["gateway"].update(kept=kept, spans=all_cpu - kept)
    return found


def _store(signal: str) -> str:
    return {"traces": "jaeger", "metrics": "prometheus", "logs": "victorialogs"}[signal]


def module(found: Mapping[str, Any], conditions: str) -> str:
    """The module that the model reads."""
    lines = [
        '"""What one record takes, in CPU seconds and bytes. Written by `make bench-pipeline`."""',
        "",
        "from __future__ import annotations",
        "",
        "from typing import Any, Final",
        "",
        "MEASURED: Final[dict[str, Any]] = {",
        '    "conditions": (',
        *(f'        "{part}"' for part in wrap(conditions, 80, drop_whitespace=False)),
        "    ),",
        *_literal(found, 4),
        "}",
        "",
    ]
    return "\n".join(lines)


def _literal(found: Mapping[str, Any], indent: int) -> list[str]:
    lines: list[str] = []
    for key, value in found.items():
        if isinstance(value, dict):
            lines += [
                f'{" " * indent}"{key}": {{',
                *_literal(value, indent + 4),
                f"{' ' * indent}}},",
            ]
        else:
            lines.append(f'{" " * indent}"{key}": {float(f"{value:.{DIGITS}g}")!r},')
    return lines


def _say(what: str) -> None:
    sys.stderr.write(f"benchmarks: {what}\n")
