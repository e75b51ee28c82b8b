"""The live view: what scrapes, traces and log lines say, as one screen."""

from __future__ import annotations

import time
from collections import deque
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from rich.console import Group as Stack
from rich.panel import Panel
from rich.table import Table
from rich.text import Text

from qudag_otel._query import units as u
from qudag_otel.catalogue import Severity
from qudag_otel.catalogue import metrics as m
from qudag_otel.catalogue.thresholds import BASELINES
from qudag_otel.cli import _readings as r
from qudag_otel.cli import _words as w
from qudag_otel.cli._history import History
from qudag_otel.cli._scrape import price

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from rich.console import RenderableType

    from qudag_otel.catalogue import Metric
    from qudag_otel.cli._history import Group
    from qudag_otel.cli._scrape import Snapshot

TREND: Final = 20
"""How many values a sparkline shows: one a refresh."""

WIDE: Final = 120
"""From how many columns on two tables stand side by side."""

MAX_ROWS: Final = 6
"""How many nodes, swarms or operations a table shows."""

_BAR: Final = 12
_BASELINES: Final = {baseline.name: baseline for baseline in BASELINES}
_COLOURS: Final = {
    Severity.CRITICAL: "bold red",
    Severity.WARNING: "yellow",
    Severity.INFO: "cyan",
}
_GOOD: Final = "green"


@dataclass(frozen=True, slots=True)
class _Gauge:
    """A row of the ratios: its title, what it reads, its baseline's name, and its full scale."""

    title: str
    reading: r.Reading
    baseline: str = ""
    full: float = 1.0


_GAUGES: Final = (
    _Gauge("bytes saved", r.compression, "compression"),
    _Gauge("pool hits", r.pool_hit_rate, "pool_hit_rate"),
    _Gauge("cache hits", r.cache_hit_rate, "cache_hit_rate"),
    _Gauge("agents busy", r.utilization),
    _Gauge("memory", r.memory_share, "memory"),
    _Gauge("CPU", r.cpu_percent, "cpu", 100.0),
)

_LATENCIES: Final[tuple[tuple[str, Metric, tuple[str, ...]], ...]] = (
    ("chunk a message", m.CHUNKING_DURATION, ()),
    ("get a connection", m.CONNECTION_WAIT_TIME, ()),
    ("task", m.TASK_LATENCY, ("task_type",)),
    ("call", m.OPERATION_DURATION, ("operation",)),
)


class View:
    """A screen that is told of scrapes and drawn from them.

    Args:
        title: What stands above it.
        window_seconds: Over how long rates and quantiles are taken.
    """

    def __init__(self, title: str, window_seconds: float) -> None:
        self.title = title
        self._window = window_seconds
        self._history = History(window_seconds)
        self._crossings = r.Crossings()
        self._trends: dict[tuple[str, ...], deque[float]] = {}
        self._snapshots: Sequence[Snapshot] = ()
        self._crossed: list[r.Crossing] = []
        self._started = time.monotonic()

    def add(self, snapshots: Sequence[Snapshot]) -> None:
        """Take a round of scrapes."""
        self._snapshots = snapshots
        self._history.add(snapshots)
        self._crossed = self._crossings.update(self._history, time.monotonic())
        for key, value in self._trended():
            self._trends.setdefault(key, deque(maxlen=TREND)).append(value)

    @property
    def has_nodes(self) -> bool:
        """Whether anything of QuDAG nodes was found."""
        return bool(self._history.values(m.MESSAGE_THROUGHPUT, ()))

    def draw(self, width: int) -> RenderableType:
        """The screen.

        Args:
            width: How many columns there are.
        """
        pairs = ((self._messages(), self._latencies()), (self._ratios(), self._swarms()))
        return Stack(
            self._header(),
            *(_side_by_side(*pair) if width >= WIDE else Stack(*pair) for pair in pairs),
            self._thresholds(),
        )

    def line(self) -> str:
        """The most important values as one line, for where there is no screen."""
        rates = r.throughput(self._history)
        errors = sum(self._history.rates(m.ERRORS, ()).values())
        parts = [
            f"{u.number(sum(rates.values()))} messages/s",
            f"{u.number(errors)} errors/s",
            f"queue {u.number(sum(self._history.values(m.QUEUE_DEPTH, ()).values()))}",
        ]
        for gauge in _GAUGES:
            values = gauge.reading(self._history)
            if values:
                parts.append(f"{gauge.title} {u.quantity(_mean(values) / gauge.full, '1')}")
        crossed = dict.fromkeys(crossing.alert.name for crossing in self._crossed)
        parts += filter(None, [price(self._snapshots)])
        return ", ".join(parts) + (f"; crossed: {', '.join(crossed)}" if crossed else "")

    def _trended(self) -> Iterable[tuple[tuple[str, ...], float]]:
        for group, rate in r.throughput(self._history).items():
            yield ("throughput", *group), rate
        for gauge in _GAUGES:
            values = gauge.reading(self._history)
            if values:
                yield ("ratio", gauge.title), _mean(values) / gauge.full
        for title, metric, by in _LATENCIES:
            for group, value in self._history.quantile(metric, r.P95, by).items():
                yield ("latency", title, *group), value
        for group, depth in self._history.values(m.QUEUE_DEPTH, ("swarm_id",)).items():
            yield ("queue", *group), depth

    def _trend(self, *key: str, top: float | None = None) -> Text:
        return Text(w.sparkline(self._trends.get(key, ()), top=top), style="blue")

    def _header(self) -> RenderableType:
        header = Table.grid(padding=(0, 2))
        header.add_row(
            Text(self.title, style="bold"),
            Text(f"{time.monotonic() - self._started:.0f} s", style="dim"),
            Text(f"rates and percentiles of the last {self._window:g} s", style="dim"),
            Text(price(self._snapshots), style="dim"),
        )
        endpoints = [
            Text(f"✗ {one.url} {one.problem}", style="red")
            if one.problem
            else Text(f"✓ {one.url}", style="green")
            for one in self._snapshots
        ]
        return Stack(header, *endpoints)

    def _messages(self) -> RenderableType:
        table = _table(
            "node", "in/s", "out/s", "chunks/s", "errors/s", "used", "idle", "messages/s"
        )
        inbound = self._history.rates(m.MESSAGE_THROUGHPUT, ("node_id",), direction="inbound")
        outbound = self._history.rates(m.MESSAGE_THROUGHPUT, ("node_id",), direction="outbound")
        errors = self._history.rates(m.ERRORS, ("node_id",))
        chunks = self._history.rates(m.CHUNKS_PROCESSED, ("node_id",))
        pools = self._history.values(m.ACTIVE_CONNECTIONS, ("node_id", "state"))
        for group in sorted(inbound.keys() | outbound.keys())[:MAX_ROWS]:
            failing = errors.get(group, 0.0)
            table.add_row(
                group[0],
                u.number(inbound.get(group, 0.0)),
                u.number(outbound.get(group, 0.0)),
                u.number(chunks.get(group, 0.0)),
                Text(u.number(failing), style="red" if failing else ""),
                u.number(pools.get((*group, "active"), 0.0)),
                u.number(pools.get((*group, "idle"), 0.0)),
                self._trend("throughput", *group),
            )
        return Panel(table, title="Messages and connections")

    def _latencies(self) -> RenderableType:
        table = _table("what", "p50", "p95", "p99", "p95 over time")
        for title, metric, by in _LATENCIES:
            halves = self._history.quantile(metric, 0.5, by)
            p95s = self._history.quantile(metric, r.P95, by)
            p99s = self._history.quantile(metric, 0.99, by)
            for group in sorted(halves)[:MAX_ROWS]:
                table.add_row(
                    " ".join((title, *group)),
                    u.quantity(halves[group], "s"),
                    u.quantity(p95s[group], "s"),
                    u.quantity(p99s[group], "s"),
                    self._trend("latency", title, *group),
                )
        return Panel(table, title="Latency")

    def _ratios(self) -> RenderableType:
        table = _table("share", "now", "", "over time")
        for gauge in _GAUGES:
            values = gauge.reading(self._history)
            if values:
                share = _mean(values) / gauge.full
                style = _verdict(gauge.baseline, _mean(values))
                table.add_row(
                    gauge.title,
                    Text(u.quantity(share, "1"), style=style),
                    Text(w.bar(share, _BAR), style=style),
                    self._trend("ratio", gauge.title, top=1.0),
                )
        memory = self._history.values(m.CACHE_MEMORY, ())
        evicted = self._history.rates(m.CACHE_EVICTIONS, ())
        if memory:
            table.add_row(
                "caches hold",
                u.quantity(memory[()], "By"),
                "",
                f"{u.number(evicted.get((), 0.0))} evictions/s",
            )
        return Panel(table, title="Ratios and resources")

    def _swarms(self) -> RenderableType:
        table = _table("swarm", "tasks/s", "failed/s", "waiting", "queue", "agents")
        history = self._history
        done = history.rates(m.TASKS_COMPLETED, ("swarm_id",))
        good = history.rates(m.TASKS_COMPLETED, ("swarm_id",), status="success")
        queued = history.values(m.QUEUE_DEPTH, ("swarm_id",))
        agents = history.values(m.AGENT_UTILIZATION, ("swarm_id", "agent_id"))
        for group in sorted(queued.keys() | done.keys())[:MAX_ROWS]:
            failing = done.get(group, 0.0) - good.get(group, 0.0)
            shares = [share for (swarm, _), share in sorted(agents.items()) if swarm == group[0]]
            table.add_row(
                group[0],
                u.number(done.get(group, 0.0)),
                Text(u.number(failing), style="red" if failing > 0 else ""),
                u.number(queued.get(group, 0.0)),
                self._trend("queue", *group),
                Text(w.sparkline(shares, top=1.0), style="magenta"),
            )
        return Panel(table, title="Swarms")

    def _thresholds(self) -> RenderableType:
        if not self._crossed:
            body: RenderableType = Text("none crossed", style=_GOOD)
        else:
            body = Table.grid(padding=(0, 2))
            for several in self._by_alert():
                worst = several[0]
                alert = worst.alert
                others = f" and {len(several) - 1} more" if len(several) > 1 else ""
                body.add_row(
                    Text(alert.name, style=_COLOURS[alert.severity]),
                    " ".join(worst.subject) + others,
                    f"{u.quantity(worst.value, alert.unit)} {alert.comparison.value} "
                    f"{u.quantity(alert.threshold, alert.unit)}",
                    "fires" if worst.fires else f"{worst.seconds:.0f} of {alert.duration:.0f} s",
                    Text(alert.summary, style="dim"),
                )
        return Panel(body, title="Alert thresholds")

    def _by_alert(self) -> list[list[r.Crossing]]:
        """What is crossed, by alert, the most severe first; in each, what lasts longest first."""
        alerts: dict[str, list[r.Crossing]] = {}
        for one in sorted(self._crossed, key=_loudness):
            alerts.setdefault(one.alert.name, []).append(one)
        return list(alerts.values())


def _side_by_side(left: RenderableType, right: RenderableType) -> RenderableType:
    grid = Table.grid(expand=True)
    grid.add_column(ratio=1)
    grid.add_column(ratio=1)
    grid.add_row(left, right)
    return grid


def _table(*columns: str) -> Table:
    table = Table(box=None, expand=True, header_style="dim", padding=(0, 1, 0, 0))
    for number, column in enumerate(columns):
        table.add_column(column, no_wrap=True, justify="right" if number else "left")
    return table


def _mean(values: dict[Group, float]) -> float:
    return sum(values.values()) / len(values)


def _loudness(crossing: r.Crossing) -> tuple[int, str, float, Group]:
    alert = crossing.alert
    return list(Severity).index(alert.severity), alert.name, -crossing.seconds, crossing.subject


def _verdict(name: str, value: float) -> str:
    """The colour of a value against its baseline."""
    baseline = _BASELINES.get(name)
    if baseline is None:
        return ""
    # Memory is shown as a share and its baseline is in percent.
    scaled = 100 * value if baseline.unit == "%" and value <= 1 else value
    worse = r.COMPARE[baseline.comparison]
    if baseline.critical is not None and worse(scaled, baseline.critical):
        return _COLOURS[Severity.CRITICAL]
    return _COLOURS[Severity.WARNING] if worse(scaled, baseline.warning) else _GOOD
