"""W14 and price: the messages a second of the demo's network at full speed. Prints JSON.

Without an argument all modes in turn; with `price` all of them side by side, so that whatever else the machine does
concerns them alike, and what telemetry says of its cost against what it costs. The modes are `off`, `otlp` (all signals to the sink, and /metrics there) or `scraped`
(/metrics read every second). The network is on one core, sink and scraper are on another.
"""

from __future__ import annotations

import asyncio
import json
import os
import subprocess
import sys
import threading
import time
import urllib.request
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from statistics import median
from typing import Any

from benchmarks.measure import SHORT, key, pin, report
from benchmarks.sink import Sink
from qudag_otel.catalogue.metrics import TELEMETRY_CPU

WARM_SECONDS = 0.5 if SHORT else 1.5
SECONDS = 1.0 if SHORT else 6.0
MODES = {"off": "off", "otlp": "OTLP", "scraped": "/metrics"}
ROUNDS = 1 if SHORT else 5
SAID = "demo telemetry CPU, said / measured"
PRICE = f"{TELEMETRY_CPU.prometheus_name}{{"
FASTER_THAN_IT_CAN = 100_000.0


def environment(mode: str) -> dict[str, str]:
    """The variables of a mode."""
    always = {"OTEL_EXPORTER_PROMETHEUS_PORT": "0"}
    if mode == "off":
        return {**always, "OTEL_SDK_DISABLED": "true"}
    if mode == "otlp":
        return {
            **always,
            "OTEL_EXPORTER_OTLP_ENDPOINT": Sink.url,
            "OTEL_EXPORTER_OTLP_PROTOCOL": "http/protobuf",
            "OTEL_METRIC_EXPORT_INTERVAL": "5000",
        }
    return always


def scrape(url: str, every: float, pages: list[int]) -> None:
    """Read a page again and again, in a process of its own."""
    code = (
        "import os, sys, time, urllib.request\n"
        "if hasattr(os, 'sched_setaffinity'): os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})\n"
        f"while True:\n time.sleep({every})\n"
        f" print(len(urllib.request.urlopen({url!r}).read()), flush=True)\n"
    )
    with subprocess.Popen(
        [sys.executable, "-c", code], stdout=subprocess.PIPE, text=True
    ) as reader:
        SCRAPERS.append(reader)
        assert reader.stdout is not None
        pages.extend(int(line) for line in reader.stdout)


SCRAPERS: list[Any] = []


async def main(mode: str) -> dict[str, float]:
    """Messages a second, and of each message the CPU seconds, and those that telemetry says it took."""
    os.environ.update(environment(mode))  # first: what is disabled then is never wrapped
    from qudag_otel.demo.cluster import node_names
    from qudag_otel.demo.run import Options, running
    from qudag_otel.demo.setup import show_logs, telemetry
    from qudag_otel.demo.tap import Tap

    names = node_names(3)
    options = Options(local=names, everyone=names, source=Path(os.__file__).parent,
                      rate=FASTER_THAN_IT_CAN, seed=0)  # fmt: skip
    show_logs("none")
    live = telemetry(os.environ, Tap())
    pages: list[int] = []
    async with running(options, lambda _: None) as run:
        stop = asyncio.Event()
        if mode == "scraped":
            url = live.metrics_url
            assert url is not None
            every = 0.2 if SHORT else 1.0
            threading.Thread(target=scrape, args=(url, every, pages), daemon=True).start()
        loading = asyncio.create_task(run.load_until(stop))
        await asyncio.sleep(WARM_SECONDS)
        before, cpu, began = _messages(run), time.process_time(), time.monotonic()
        told = _said(live)  # a page tells of those before it: this one counts, the last does not
        await asyncio.sleep(SECONDS)
        after, spent, seconds = _messages(run), time.process_time() - cpu, time.monotonic() - began
        said = {what: seconds - told[what] for what, seconds in _said(live).items()}
        stop.set()
        await loading
    for scraper in SCRAPERS:
        scraper.kill()
    _check(mode, pages, live)
    sent = after - before
    of_each = {what: seconds / sent for what, seconds in said.items()}
    return {"rate": sent / seconds, "cpu": spent / sent, "said": sum(of_each.values()), **of_each}


def _said(live: Any) -> dict[str, float]:
    """The CPU seconds that telemetry says it took so far, by what for."""
    if live.metrics_url is None:
        return {}
    with urllib.request.urlopen(live.metrics_url, timeout=30) as page:
        lines = page.read().decode().splitlines()
    found = (one.split() for one in lines if one.startswith(PRICE))
    return {labels.split('cost="')[1].split('"')[0]: float(value) for labels, value, *_ in found}


def _messages(run: Any) -> int:
    return sum(node.messages.total() for node in run.cluster.nodes)


def _check(mode: str, pages: list[int], live: Any) -> None:
    """Telemetry was there, and seen, exactly where the mode says so."""
    if mode == "off":
        assert live.metrics_url is None
    elif mode == "scraped":
        assert pages
        assert min(pages) > 10_000, pages
    else:
        with urllib.request.urlopen(live.metrics_url, timeout=30) as page:
            text = page.read().decode()
        sent = [
            line
            for line in text.splitlines()
            if line.startswith("otel_sdk_exporter_span_exported_total{")
        ]
        assert sent, "no spans were exported"
        assert float(sent[0].rpartition("}")[2].split()[0]) > 0, sent


def pairs() -> dict[str, float]:
    """All modes in turn, and how they compare within each round, as medians."""
    rounds: list[dict[str, dict[str, float]]] = []
    for number in range(ROUNDS):
        order = list(MODES)[number % len(MODES) :] + list(MODES)[: number % len(MODES)]
        rounds.append({mode: _run(mode) for mode in order})
    found: dict[str, float] = {}
    for mode, who in MODES.items():
        found[key("demo messages/s", who)] = median(one[mode]["rate"] for one in rounds)
        found[key("demo CPU a message", who)] = median(one[mode]["cpu"] for one in rounds) * 1e9
        found[key("demo rate of off", who)] = median(
            one[mode]["rate"] / one["off"]["rate"] for one in rounds
        )
        found[key("demo rate of off, by CPU", who)] = median(
            one["off"]["cpu"] / one[mode]["cpu"] for one in rounds
        )
        for what in {"calls", "threads"} & rounds[0][mode].keys():
            found[key(f"demo CPU a message that telemetry takes, {what}", who)] = (
                median(one[mode][what] for one in rounds) * 1e9
            )
    return found


def prices() -> dict[str, float]:
    """What telemetry says that it costs, of what it costs: medians of rounds side by side."""
    found: dict[str, list[float]] = {mode: [] for mode in MODES if mode != "off"}
    for _ in range(ROUNDS):
        with ThreadPoolExecutor(len(MODES)) as pool:
            round_ = dict(zip(MODES, pool.map(_run, MODES), strict=True))
        for mode, ratios in found.items():
            one = round_[mode]
            ratios.append(one["said"] / (one["cpu"] - round_["off"]["cpu"]))
    return {key(SAID, MODES[mode]): median(ratios) for mode, ratios in found.items()}


def _run(mode: str) -> dict[str, float]:
    ended = subprocess.run(
        [sys.executable, "-m", "benchmarks.demo", mode], capture_output=True, text=True, check=False
    )
    if ended.returncode:
        raise RuntimeError(f"{mode}: {ended.stderr[-2000:]}")
    found: dict[str, float] = json.loads(ended.stdout.splitlines()[-1])
    return found


if __name__ == "__main__":
    if sys.argv[1:] == ["price"]:
        report(prices())
    if len(sys.argv) > 1:
        pin()
        report(asyncio.run(main(sys.argv[1])))
    report(pairs())
