"""Hours of work with everything that goes wrong: `python -m tests.faults.soak --seconds 3600`.

The demo works as fast as it can, a web server's workers are restarted every few hundred requests,
the receiver of both is away every half minute, and both are scraped. In the end counts agree, and
memory, threads and descriptors are where they were after warming up.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import signal
import statistics
import subprocess
import sys
import tempfile
import textwrap
import threading
import time
import urllib.request
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import psutil

from tests.faults.bench import end_group
from tests.sdk.deployments import APPLICATION, free_port
from tests.sdk.receiver import Receiver, attributes

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

PICTURE: Final = Path(__file__).parents[2] / "docs" / "soak.svg"
WRITTEN: Final = 1200  # seconds; a shorter run is mostly warming up, and draws nothing
_EVERY: Final = 30.0  # seconds; for a sixth of them the receiver is away
_PER_SECOND: Final = 40  # requests
_GUNICORN: Final = (
    "gunicorn -w 2 --preload --max-requests 300 --max-requests-jitter 100 --log-level error"
)
_DEMO: Final = "demo --headless --rate 1000"
_COUNTERS: Final = "qudag_message_throughput_total"
_OF: Final = {"memory": "MiB", "threads": "threads", "descriptors": "descriptors"}
_MAY_GROW: Final = {"memory": 0.05, "threads": 0.0, "descriptors": 0.0}
_MAY_DIFFER: Final = {"memory": 6.0, "threads": 3.0, "descriptors": 10.0}


@dataclass
class Counting(Receiver):
    """A receiver that counts and forgets."""

    spans_of: dict[str, int] = field(default_factory=dict[str, int])

    def _receive(
        self, signal: str, protocol: str, headers: Mapping[str, str], message: Any
    ) -> bool:
        with self._arrived:
            if self.failing():
                self.refused += 1
                return False
            for group in message.resource_spans if signal == "traces" else ():
                service = str(attributes(group.resource.attributes)["service.name"])
                found = sum(len(scope.spans) for scope in group.scope_spans)
                self.spans_of[service] = self.spans_of.get(service, 0) + found
            return True


@dataclass
class Watched:
    """A process, the file of what it writes to stderr, and what it took over time."""

    name: str
    process: subprocess.Popen[str]
    words: Path
    samples: dict[str, list[float]] = field(default_factory=lambda: {what: [] for what in _OF})

    def look(self) -> None:
        """Take a sample."""
        one = psutil.Process(self.process.pid)
        self.samples["memory"].append(one.memory_info().rss / 2**20)
        self.samples["threads"].append(one.num_threads())
        self.samples["descriptors"].append(one.num_fds())

    def grown(self) -> list[str]:
        """What is more at the end than after warming up, by more than chance."""
        found: list[str] = []
        for what, samples in self.samples.items():
            quarter = max(1, len(samples) // 4)
            early = statistics.median(samples[quarter : 2 * quarter])
            late = statistics.median(samples[-quarter:])
            if late > early * (1 + _MAY_GROW[what]) + _MAY_DIFFER[what]:
                found.append(f"{what} of {self.name}: {early:.0f} became {late:.0f} {_OF[what]}")
        return found


@dataclass
class Outcome:
    """What a run came to.

    Args:
        seconds: How long it was.
        watched: The processes.
        counts: What was counted, by what it is.
        problems: What does not agree, or has grown.
    """

    seconds: float
    watched: list[Watched]
    counts: dict[str, int]
    problems: list[str]


@contextmanager
def _started(name: str, command: list[str], **variables: str) -> Iterator[Watched]:
    kept = {key: value for key, value in os.environ.items() if not key.startswith("OTEL_")}
    with tempfile.TemporaryDirectory() as path:
        folder = Path(path)
        (folder / "app.py").write_text(textwrap.dedent(APPLICATION), encoding="utf-8")
        with (folder / "err").open("w") as err:
            process = subprocess.Popen(
                command, cwd=folder, env={**kept, "PYTHONPATH": str(Path.cwd()), **variables},
                stdout=subprocess.PIPE, stderr=err, text=True, start_new_session=True,
            )  # fmt: skip
        try:
            yield Watched(name, process, folder / "err")
        finally:
            end_group(process)


def _page(port: int) -> str:
    with (
        suppress(OSError),
        urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics", timeout=10) as answer,
    ):
        return str(answer.read().decode())
    return ""


def _total(page: str, name: str) -> int:
    found = re.findall(rf"^{name}{{.* (\d+)(?:\.0)?(?: # .*)?$", page, re.MULTILINE)
    return sum(map(int, found))


class _Visitors:
    """Requests at a steady pace, by a thread."""

    def __init__(self, port: int) -> None:
        self._url = f"http://127.0.0.1:{port}/"
        self._stop = threading.Event()
        self.answered = 0
        self.refused = 0
        self._thread = threading.Thread(target=self._visit)
        self._thread.start()

    def _visit(self) -> None:
        while not self._stop.wait(1 / _PER_SECOND):
            try:
                with urllib.request.urlopen(self._url, timeout=10) as answer:
                    self.answered += answer.read() == b"served"
            except OSError:
                self.refused += 1  # a worker that just ends

    def end(self) -> None:
        self._stop.set()
        self._thread.join()


def soak(seconds: float) -> Outcome:
    """Run everything for so long."""
    began = time.monotonic()
    with ExitStack() as stack:
        receiver = stack.enter_context(Counting())
        every = min(_EVERY, seconds / 2)
        receiver.failing = lambda: (time.monotonic() - began) % every > every * 5 / 6
        shared = {
            "OTEL_EXPORTER_OTLP_ENDPOINT": receiver.http_endpoint,
            "OTEL_EXPORTER_OTLP_PROTOCOL": "http/protobuf",
            "OTEL_METRICS_EXPORTER": "otlp,prometheus", "OTEL_METRIC_EXPORT_INTERVAL": "5000",
        }  # fmt: skip
        web_port, pages = free_port(), [free_port(), free_port()]
        folder = Path(sys.executable).parent
        gunicorn = [str(folder / "gunicorn"), *_GUNICORN.split()[1:]]
        web = stack.enter_context(
            _started(
                "gunicorn's master", [*gunicorn, "-b", f"127.0.0.1:{web_port}", "app:wsgi"],
                CONFIGURE="1", OTEL_SERVICE_NAME="web",
                OTEL_EXPORTER_PROMETHEUS_PORT=str(pages[0]), **shared,
            )
        )  # fmt: skip
        demo = stack.enter_context(
            _started(
                "the demo", [sys.executable, "-m", "qudag_otel", *_DEMO.split()],
                OTEL_SERVICE_NAME="demo", OTEL_EXPORTER_PROMETHEUS_PORT=str(pages[1]), **shared,
            )
        )  # fmt: skip
        visitors = _Visitors(web_port)
        scrapes = _watch([web, demo], pages, began + seconds)
        visitors.end()
        return _ended(receiver, web, demo, visitors, pages, scrapes, time.monotonic() - began)


def _watch(watched: list[Watched], pages: list[int], until: float) -> int:
    """Scrape, and look at what the processes take; how many pages there were."""
    scrapes = 0
    pause = max(0.5, (until - time.monotonic()) / 300)
    while time.monotonic() < until:
        time.sleep(pause)
        scrapes += sum(bool(_page(port)) for port in pages)
        for one in watched:
            one.look()
    return scrapes


def _ended(
    receiver: Counting, web: Watched, demo: Watched, visitors: _Visitors, pages: list[int],
    scrapes: int, seconds: float,
) -> Outcome:  # fmt: skip
    """End both, and compare what they did with what arrived."""
    shown = _total(_page(pages[0]), "qudag_operation_duration_seconds_count")
    receiver.failing = lambda: False
    web.process.send_signal(signal.SIGTERM)
    web.process.wait(60)
    told = web.words.read_text(encoding="utf-8")
    demo.process.send_signal(signal.SIGTERM)
    summary: dict[str, Any] = json.loads(demo.process.communicate(timeout=60)[0])
    counted, reported = (
        sum(int(sample["value"]) for sample in summary[kind][_COUNTERS])
        for kind in ("counted", "reported")
    )
    lost = sum(map(int, re.findall(r"traces .*? (\d+) (?:were|are) lost", told)))
    arrived = receiver.spans_of.get("web", 0)
    counts = {
        "requests answered": visitors.answered, "of them on the last page": shown,
        "spans of them that arrived": arrived, "told as lost": lost,
        "messages of the demo": counted, "on its last page": reported,
        "spans of the demo": receiver.spans_of.get("demo", 0), "pages scraped": scrapes,
        "requests that the receiver refused": receiver.refused,
        "files of the demo that failed": summary["files"].get("failed", 0),
        "ends of the demo with work under way": int(not summary["drained"]),
    }  # fmt: skip
    problems = [grown for one in (web, demo) for grown in one.grown() if seconds >= WRITTEN]
    # Who asked and got no answer, because a worker ended, may have been counted.
    for what, number in (("on /metrics", shown), ("arrived or told as lost", arrived + lost)):
        if not visitors.answered <= number <= visitors.answered + visitors.refused:
            problems.append(f"{visitors.answered} requests were answered, {number} {what}")
    if counted != reported:
        problems.append(f"the demo counted {counted} messages and reported {reported}")
    return Outcome(seconds, [web, demo], counts, problems)


def draw(outcome: Outcome, path: Path = PICTURE) -> None:
    """Draw memory, threads and descriptors over time."""
    import matplotlib as mpl

    mpl.use("svg")
    mpl.rcParams["svg.hashsalt"] = "qudag-otel"
    from matplotlib import pyplot as plt

    figure, axes = plt.subplots(len(_OF), 1, figsize=(8, 6), sharex=True, layout="constrained")
    for axis, (what, unit) in zip(axes, _OF.items(), strict=True):
        for one in outcome.watched:
            samples = one.samples[what]
            minutes = [outcome.seconds / 60 * n / len(samples) for n in range(len(samples))]
            axis.plot(minutes, samples, label=one.name, linewidth=1)
        axis.set_ylabel(unit)
        axis.set_ylim(bottom=0)
    axes[0].legend(frameon=False)
    axes[-1].set_xlabel("minutes")
    figure.savefig(path, metadata={"Date": None, "Creator": None})
    plt.close(figure)


def main() -> int:
    """Run, print, and draw a long run."""
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))  # so that what was started is ended
    parser = argparse.ArgumentParser(prog="python -m tests.faults.soak")
    parser.add_argument("--seconds", type=float, default=3600)
    seconds = parser.parse_args().seconds
    outcome = soak(seconds)
    print(f"{outcome.seconds:,.0f} s")
    for what, number in outcome.counts.items():
        print(f"{number:>12,} {what}")
    for one in outcome.watched:
        for what, samples in one.samples.items():
            quarter = max(1, len(samples) // 4)
            early, late = statistics.median(samples[quarter : 2 * quarter]), samples[-1]
            print(f"{what} of {one.name}: {early:.0f} after warming up, {late:.0f} at the end")
    if seconds >= WRITTEN:
        draw(outcome)
    for problem in outcome.problems:
        print(problem, file=sys.stderr)
    return int(bool(outcome.problems))


if __name__ == "__main__":
    sys.exit(main())
