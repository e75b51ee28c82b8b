"""`python -m benchmarks.pipeline`: what the gateway carries, next to a Collector that only hands on.

Both get the same load in one run; the table goes into docs/operating.md. --short is a moderate
load of a few seconds, and writes nothing.
"""

from __future__ import annotations

import argparse
import os
import platform
import re
import subprocess
import sys
import tempfile
import threading
import time
import urllib.request
from collections import Counter
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, NamedTuple

import psutil
import yaml
from prometheus_client.parser import text_string_to_metric_families

from tests.servers import binary
from tests.servers.backends import Jaeger, Prometheus, VictoriaLogs
from tests.servers.build import RECIPES
from tests.servers.collectors import CONFIG, Collector
from tests.servers.process import Ports

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

ROOT: Final = Path(__file__).parent.parent
DOCUMENT: Final = ROOT / "docs" / "operating.md"
BEGIN: Final = "<!-- Written by `make bench-pipeline`; do not edit. -->"
END: Final = "<!-- End of what `make bench-pipeline` wrote. -->"
SETTLED_SECONDS: Final = 60.0
QUIET_SECONDS: Final = 2.5  # longer than a batch fills, or sampling waits for its next tick
DEMO: Final = "demo"


class Signal(NamedTuple):
    """What the Collector calls the records of a signal, and what telemetrygen makes of one."""

    records: str
    each: int = 1
    options: Sequence[str] = ()


SIGNALS: Final[Mapping[str, Signal]] = {
    "traces": Signal("spans", each=2),
    # Points of one series within a millisecond would be duplicates, which Prometheus refuses.
    "metrics": Signal("metric_points", options=("--unique-timeseries",)),
    "logs": Signal("log_records"),
}


class Form(NamedTuple):
    """How much is sent, and what the gateway is told beside its defaults."""

    generator: Callable[[str], Sequence[str]]
    demo: Sequence[str]
    gateway: Mapping[str, str]


FULL: Final = Form(
    lambda _: ("--rate", "0", "--duration", "8s", "--allow-export-failures"),
    # The nodes log what goes wrong: half of the files have a forged signature.
    ("--rate", "100000", "--duration", "8", "--fault", "error-burst"),
    # 90 s of traces at this rate are not what anyone holds in memory: rate x wait is what counts.
    {"OTELCOL_SAMPLING_WAIT": "5s", "OTELCOL_SAMPLING_TRACES": "200000"},
)
SHORT: Final = Form(
    lambda signal: ("--rate", "500", f"--{signal}", "500"),
    ("--rate", "5", "--duration", "2", "--fault", "error-burst"),
    # All traces are kept, so that every span can be counted where it comes out.
    {"OTELCOL_SAMPLING_WAIT": "1s", "OTELCOL_SAMPLING_PERCENTAGE": "100",
     "OTELCOL_BATCH_TIMEOUT": "200ms"},
)  # fmt: skip


class Row(NamedTuple):
    """One load into one Collector.

    Attributes:
        generated: what the generator says that it made; the demo does not say.
        handed: what the exporters delivered; of traces, the sampled ones.
        lost: what was accepted and neither delivered nor left out by sampling.
        rate: accepted records a second, while the load lasted.
        per_cpu: accepted records a second of the Collector's CPU time, until all was delivered.
        memory: the largest resident size, in MiB.
        queue: the most requests that waited in its exporters.
    """

    load: str
    target: str
    generated: int | None
    accepted: int
    refused: int
    handed: int
    failed: int
    lost: int
    rate: float
    per_cpu: float
    memory: float
    queue: int


class Watched:
    """A Collector with its own telemetry served for reading at any moment."""

    def __init__(self, name: str, collector: Collector, metrics: str) -> None:
        self.name = name
        self.collector = collector
        self._metrics = metrics
        self.peak = Counter[str]()
        self._done = threading.Event()

    def totals(self) -> Counter[str]:
        """Its counters, summed over all their labels."""
        with urllib.request.urlopen(self._metrics, timeout=10) as response:
            text = response.read().decode()
        found = Counter[str]()
        for family in text_string_to_metric_families(text):
            for sample in family.samples:
                if not sample.name.endswith("_bucket"):
                    found[sample.name.removesuffix("_total")] += int(sample.value)
        return found

    def watch(self, process: psutil.Process) -> None:
        """Note the largest values until `stop`."""
        while not self._done.wait(0.2):
            self.peak["memory"] = max(self.peak["memory"], process.memory_info().rss)
            waiting = self.totals()["otelcol_exporter_queue_size"]
            self.peak["queue"] = max(self.peak["queue"], waiting)

    def run(self, load: str, form: Form, *, deliver: bool = True) -> Row:
        """Start it afresh, send the load, wait until everything came out.

        Args:
            load: One of `SIGNALS`, or `DEMO`.
            form: How much.
            deliver: False if nothing can come out: until nothing moves any more.
        """
        records = [SIGNALS[load].records] if load in SIGNALS else _all_records()
        self.peak.clear()
        self._done.clear()
        self.collector.start()
        process = psutil.Process(self.collector.pid)
        watcher = threading.Thread(target=self.watch, args=(process,), daemon=True)
        watcher.start()
        try:
            spent, began = cpu_of(process), time.monotonic()
            generated = send(load, self.collector, form)
            seconds = time.monotonic() - began
            found = self._settled(records, deliver=deliver)
            spent = cpu_of(process) - spent
        finally:
            self._done.set()
            watcher.join()
            self.collector.stop()
        count = {what: _sum(found, what, records) for what in _COUNTED}
        failed = count["exporter_send_failed"] + count["exporter_enqueue_failed"]
        return Row(
            load, self.name, generated, count["receiver_accepted"],
            count["receiver_refused"] + count["receiver_failed"], count["exporter_sent"], failed,
            _lost(load, found, records, failed), count["receiver_accepted"] / seconds,
            count["receiver_accepted"] / spent, self.peak["memory"] / (1 << 20), self.peak["queue"],
        )  # fmt: skip

    def _settled(self, records: Sequence[str], *, deliver: bool) -> Counter[str]:
        """The counters when nothing waits and nothing moves any more, or after a minute."""
        deadline = time.monotonic() + SETTLED_SECONDS
        last, since = Counter[str](), time.monotonic()
        while True:
            found = self.totals()
            moving = Counter({
                **{f"{what} {one}": found[f"otelcol_{what}_{one}"]
                   for what in _COUNTED for one in records},
                **{what: found[what] for what in _WAITING},
            })  # fmt: skip
            if moving != last:
                last, since = moving, time.monotonic()
            idle = not (deliver and any(found[what] for what in _WAITING))
            quiet = time.monotonic() - since > QUIET_SECONDS
            if (idle and quiet) or time.monotonic() > deadline:
                return found
            time.sleep(0.2)


_COUNTED: Final = (
    "receiver_accepted", "receiver_refused", "receiver_failed",
    "exporter_sent", "exporter_send_failed", "exporter_enqueue_failed",
)  # fmt: skip
_SAMPLING: Final = "otelcol_processor_tail_sampling_"
_WAITING: Final = (
    "otelcol_exporter_queue_size",
    "otelcol_exporter_in_flight_requests",
    f"{_SAMPLING}sampling_traces_on_memory",
)


def _all_records() -> list[str]:
    return [signal.records for signal in SIGNALS.values()]


def _sum(found: Counter[str], what: str, records: Sequence[str]) -> int:
    return sum(found[f"otelcol_{what}_{one}"] for one in records)


def _lost(load: str, found: Counter[str], records: Sequence[str], failed: int) -> int:
    arrived = found[f"{_SAMPLING}new_trace_id_received"]
    if arrived or load == DEMO:
        # Sampling leaves spans out and span metrics come on top: what came in and what went out
        # are not the same records, so what failed is counted, and traces without a decision.
        undecided = arrived - found[f"{_SAMPLING}global_count_traces_sampled"]
        early = found[f"{_SAMPLING}sampling_trace_dropped_too_early"]
        return failed + max(undecided, early)
    return _sum(found, "receiver_accepted", records) - _sum(found, "exporter_sent", records)


def cpu_of(process: psutil.Process) -> float:
    times = process.cpu_times()
    return float(times.user + times.system)


def send(load: str, collector: Collector, form: Form) -> int | None:
    if load == DEMO:
        return _send_demo(collector, form)
    signal = SIGNALS[load]
    endpoint = collector.otlp_grpc.removeprefix("http://")
    ended = _finished(
        [binary("telemetrygen"), load, "--otlp-insecure", "--otlp-endpoint", endpoint,
         *signal.options, *form.generator(load)],
        os.environ,
    )  # fmt: skip
    counts = re.findall(rf'generated\s.*"{load}": (\d+)', ended.stdout + ended.stderr)
    return signal.each * sum(map(int, counts))


def _send_demo(collector: Collector, form: Form) -> int | None:
    kept = {key: value for key, value in os.environ.items() if not key.startswith("OTEL_")}
    environment = {
        **kept,
        **{f"OTEL_{signal}_EXPORTER": "otlp" for signal in ("TRACES", "METRICS", "LOGS")},
        "OTEL_EXPORTER_OTLP_ENDPOINT": collector.otlp_grpc,
        "OTEL_SERVICE_NAME": DEMO,
        "OTEL_METRIC_EXPORT_INTERVAL": "1000",
        "OTEL_EXPORTER_PROMETHEUS_PORT": "0",
    }
    _finished([sys.executable, "-m", "qudag_otel", "demo", "--headless", *form.demo], environment)
    return None  # it does not say how many records its work made


def _finished(
    command: Sequence[str | Path], environment: Mapping[str, str]
) -> subprocess.CompletedProcess[str]:
    ended = subprocess.run(
        command, cwd=ROOT, env=environment, check=False, capture_output=True, text=True, timeout=120
    )
    if ended.returncode:
        raise SystemExit(f"{command[0]} ended with {ended.returncode}:\n{ended.stderr[-2000:]}")
    return ended


def reader(port: int) -> dict[str, Any]:
    """The Collector's own telemetry at an address, instead of sent through itself."""
    pull = {"exporter": {"prometheus": {"host": "127.0.0.1", "port": port}}}
    return {"telemetry": {"metrics": {"readers": [{"pull": pull}]}}}


def bare(port: int, sink: str | None) -> dict[str, Any]:
    """OTLP in, OTLP out, nothing between; without a sink it is the sink, which forgets."""
    to: dict[str, Any] = {"debug": {}}
    if sink is not None:
        to = {"otlp_http": {"endpoint": sink, "sending_queue": {"block_on_overflow": True}}}
    pipeline = {"receivers": ["otlp"], "exporters": list(to)}
    protocols = {
        name: {"endpoint": f"${{env:OTELCOL_OTLP_{name.upper()}}}"} for name in ("grpc", "http")
    }
    service = reader(port)
    service["telemetry"]["logs"] = {"level": "error"}  # the debug exporter logs each request
    return {
        "receivers": {"otlp": {"protocols": protocols}},
        "exporters": to,
        "extensions": {"health_check": {"endpoint": "${env:OTELCOL_HEALTH}"}},
        "service": {
            **service,
            "extensions": ["health_check"],
            "pipelines": dict.fromkeys(SIGNALS, pipeline),
        },
    }


def measure(form: Form) -> list[Row]:
    """Every load into the gateway and into the bare Collector, one after the other."""
    rows: list[Row] = []
    with tempfile.TemporaryDirectory() as temporary, ExitStack() as stack:
        folder, ports = Path(temporary), Ports()
        stack.callback(ports.close)
        prometheus = stack.enter_context(Prometheus(folder / "prometheus"))
        jaeger = stack.enter_context(Jaeger(folder / "jaeger"))
        logs = stack.enter_context(VictoriaLogs(folder / "victorialogs"))
        environment = {
            "OTELCOL_TRACES_ENDPOINT": jaeger.otlp_http,
            "OTELCOL_METRICS_ENDPOINT": f"{prometheus.url}/api/v1/otlp",
            "OTELCOL_LOGS_ENDPOINT": logs.otlp_http,
            **form.gateway,
        }

        def collector(name: str, config: Mapping[str, Any], *first: str) -> Watched:
            own = folder / f"{name}.yaml"
            own.write_text(yaml.safe_dump(dict(config)))
            configs = (*(CONFIG / one for one in first), own)
            made = Collector(folder / name, configs=configs, environment=environment)
            stack.callback(made.close)
            return Watched(name, made, f"http://{ports[name]}/metrics")

        sink = collector("sink", bare(ports["sink"].number, None)).collector.start()
        gateway = {"service": reader(ports["gateway"].number)}
        passing = bare(ports["pass-through"].number, sink.otlp_http)
        watched = (
            collector("gateway", gateway, "common.yaml", "gateway.yaml"),
            collector("pass-through", passing),
        )
        for load in (*SIGNALS, DEMO):
            for one in watched:
                sys.stderr.write(f"benchmarks: {load} into the {one.name}\n")
                rows.append(one.run(load, form))
    return rows


TITLES: Final = {
    "traces": "spans, telemetrygen",
    "metrics": "points, telemetrygen",
    "logs": "log records, telemetrygen",
    DEMO: "the demo: spans, points and log records",
}


def markdown(rows: Sequence[Row]) -> str:
    """What stands between the markers."""
    lines = [
        BEGIN,
        f"{conditions()}, which generator, Collector and backends share. "
        + ", ".join(f"`{key}={value}`" for key, value in FULL.gateway.items())
        + ", else the defaults.",
        "",
        "| load | Collector | records/s | per CPU second | most memory | longest queue | refused | "
        "failed | lost |",
        "|---|---|---:|---:|---:|---:|---:|---:|---:|",
        *(
            f"| {TITLES[row.load]} | {row.target} | {row.rate:,.0f} | {row.per_cpu:,.0f} | "
            f"{row.memory:,.0f} MiB | {row.queue:,} | {row.refused:,} | {row.failed:,} | "
            f"{row.lost:,} |"
            for row in rows
        ),
        END,
    ]
    return "\n".join(lines)


def conditions() -> str:
    """What was measured, and on what."""
    machine = f"{platform.system()} {platform.machine()}, {_processor()}, {os.cpu_count()} cores"
    return f"{_versions()}; {machine}"


def _versions() -> str:
    """Of the modules that were built."""
    modules = {
        "Collector": ("collector", r"collector/otelcol v(\S+)"),
        "Jaeger (module)": ("jaeger", r"jaegertracing/jaeger v(\S+)"),
        "VictoriaLogs": ("victorialogs", r"VictoriaMetrics/VictoriaLogs v(\S+)"),
        "telemetrygen": ("telemetrygen", r"cmd/telemetrygen v(\S+)"),
    }
    found = [f"Prometheus {RECIPES['prometheus'].version.partition('=')[2]}"]
    for name, (folder, pattern) in modules.items():
        text = (ROOT / "tests" / "servers" / "go" / folder / "go.mod").read_text()
        [version, *_] = re.findall(pattern, text)
        found.append(f"{name} {version}")
    return ", ".join(found)


def _processor() -> str:
    path = Path("/proc/cpuinfo")
    names = re.findall(r"model name\s*: (.+)", path.read_text()) if path.exists() else []
    return names[0] if names else platform.processor()


def replaced(document: str, text: str) -> str:
    """The document with `text` where the earlier measurement stood."""
    before, _, rest = document.partition(BEGIN)
    _, _, after = rest.partition(END)
    return before + text + after


def main() -> int:
    """Run the command."""
    from benchmarks import sizing  # which takes most from here

    parser = argparse.ArgumentParser(prog="python -m benchmarks.pipeline", description=__doc__)
    parser.add_argument("--short", action="store_true", help="a moderate load; writes nothing")
    arguments = parser.parse_args()
    form = SHORT if arguments.short else FULL
    text = markdown(measure(form))
    data = sizing.module(sizing.measure(form), conditions())
    print(text, data, sep="\n")
    if not arguments.short:
        sizing.PAGE.write_text(data)
        DOCUMENT.write_text(replaced(DOCUMENT.read_text(), text))
    return 0


if __name__ == "__main__":
    sys.exit(main())
