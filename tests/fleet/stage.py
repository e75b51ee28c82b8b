"""Prometheus, the rules and Alertmanager in quick motion around a fleet, and what they cost.

Everything that lasts is divided by one number: exports, evaluations, ranges and offsets of the
rules, Alertmanager's waits and Prometheus' look-back. A range then holds as many samples as it
would, so that an evaluation and a panel cost what they would.
"""

from __future__ import annotations

import json
import statistics
import time
import urllib.parse
import urllib.request
from contextlib import ExitStack
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final, Self

import psutil
import yaml

from qudag_otel import _generated
from qudag_otel._query.promql import duration, scaled, seconds
from qudag_otel.alerts import activity, baselines, groups, presence, rendering
from qudag_otel.dashboards._interpolate import Screen
from tests.alerts.test_alertmanager import CONFIG, RECEIVERS, Webhooks
from tests.dashboards.files import DASHBOARDS, Asked, asked
from tests.fleet import world
from tests.servers.api import get
from tests.servers.backends import Alertmanager, Prometheus

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

    from qudag_otel.alerts._model import Recorded, RuleFile, RuleGroup

EXPORT: Final = 60.0
"""Seconds of the fleet's time between two exports: OpenTelemetry's default."""
_MINUTE: Final = 60.0
_HOUR: Final = 60 * _MINUTE
_DAY: Final = 24 * _HOUR
_LOOK_BACK: Final = 5 * _MINUTE
"""Prometheus' own, and how long it waits before it tells Alertmanager the same again."""
_RESEND: Final = _MINUTE
_BASELINES: Final = "baselines"
_DRAWN: Final = "qudag-distributions"
"""What the fast profile records with everything else."""
_BATCH: Final = 20
"""Processes whose series come in one request, as behind one Collector."""


@dataclass(frozen=True, slots=True)
class Pace:
    """How quick the motion is.

    Attributes:
        scale: how many seconds of the fleet last one here.
        every: seconds of the fleet between two evaluations; what one costs hardly depends on it.
        seldom: the same of the baselines, which are large.
        past: hours before the run of which there are recorded series.
        export: seconds of the fleet between two exports: OpenTelemetry's default.
    """

    scale: float = 12.0
    every: float = 60.0
    seldom: float = 900.0
    past: int = 26
    export: float = EXPORT


@dataclass(frozen=True, slots=True, kw_only=True)
class Figures:
    """What was measured while something happened.

    Attributes:
        minutes: how long it lasted, in minutes of the fleet.
        series: series in Prometheus' head at its end.
        cpu: CPU seconds of Prometheus for one minute of the fleet.
        evaluation: seconds for all rules once, the baselines apart: median, and most.
        baselines: the same of the baselines.
        pages: notifications to the pager about what fires, as lists of alert names and subjects.
        tickets: the same, to the tickets.
        notes: the same, to the notes.
    """

    minutes: float
    series: int
    cpu: float
    evaluation: tuple[float, float]
    baselines: tuple[float, float]
    pages: list[str]
    tickets: list[str]
    notes: list[str]


class Stage:
    """Servers around a fleet; a context manager."""

    def __init__(self, folder: Path, pace: Pace) -> None:
        """Prepare, do not start.

        Args:
            folder: where everything is kept.
            pace: how quick the motion is.
        """
        self.pace = pace
        self.webhooks = Webhooks()
        self._folder, self._rules = folder, folder / "rules"
        self._rules.mkdir()
        self._stack = ExitStack()
        self.prometheus: Prometheus

    def __enter__(self) -> Self:
        with self._stack:
            self._stack.callback(self.webhooks.close)
            alertmanager = self._stack.enter_context(
                Alertmanager(self._folder / "alertmanager", config=self._routing())
            )
            self.prometheus = self._stack.enter_context(self._watching(alertmanager))
            self._stack = self._stack.pop_all()
        return self

    def __exit__(self, *_: object) -> None:
        self._stack.close()

    def _routing(self) -> Path:
        """The committed routes, quicker, with receivers of ours."""
        etc = self._folder / "etc"
        for name in RECEIVERS:
            _generated.write({etc / "receivers" / name: f"{self.webhooks.url}/{name}"})
        path = etc / "alertmanager.yaml"
        routing = yaml.safe_load(CONFIG.read_text())
        for route in (routing["route"], *routing["route"]["routes"]):
            for key in {"group_wait", "group_interval", "repeat_interval"} & set(route):
                route[key] = duration(seconds(route[key]) / self.pace.scale)
        path.write_text(yaml.safe_dump(routing))
        return path

    def _watching(self, alertmanager: Alertmanager) -> Prometheus:
        scale = self.pace.scale
        quick = {
            "scrape_interval": "10s",
            "scrape_timeout": "10s",
            "evaluation_interval": duration(self.pace.every / scale),
            "rule_query_offset": duration(self._offset / scale),
        }
        return Prometheus(
            self._folder / "prometheus",
            rules=self._rules,
            overrides={"global": quick},
            targets={"alertmanagers": [{"targets": [alertmanager.target]}]},
            arguments=[
                f"--query.lookback-delta={duration(_LOOK_BACK / scale)}",
                f"--rules.alert.resend-delay={duration(_RESEND / scale)}",
            ],
        )

    @property
    def _offset(self) -> float:
        """How far rules look back: an export, and as much again of one that is made often."""
        return min(2 * self.pace.export, EXPORT)

    def watch(self) -> None:
        """Load the rules; before, nothing is recorded that would make older samples too old."""
        files = map(self._paced, groups.rule_files())
        texts = rendering.rules_yaml(files, rendering.Style(scale=self.pace.scale))
        _generated.write({self._rules / name: text for name, text in texts.items()})
        self.prometheus.reload()

    def _paced(self, file: RuleFile) -> RuleFile:
        """A file of which the baselines are evaluated less often, and nothing more often."""
        slow = self.pace.seldom if file.name == _BASELINES else _MINUTE

        def interval(group: RuleGroup) -> float | None:
            often = self.pace.export < EXPORT and group.name == _DRAWN
            return None if often or not group.interval else max(slow, self.pace.every)

        return replace(
            file,
            groups=tuple(replace(group, interval=interval(group)) for group in file.groups),
        )

    def remember(self, nodes: Sequence[str], swarms: Sequence[str]) -> None:
        """Give all a past: what rules read over days, as it would have been recorded.

        To be called before `watch`.
        """
        of_nodes: dict[Recorded, float] = {
            baselines.MESSAGES.base: world.MESSAGES,
            baselines.CHUNKING.base: 0.025,
            baselines.CACHE_HITS.base: 0.9,
            activity.FLOWING: 1.0,
            activity.USUAL: world.MESSAGES,
            activity.CHANGES: 0.0,
            activity.UNBROKEN: 1.0,
        }
        recorded = [
            (series.name, {"node_id": node}, value)
            for series, value in of_nodes.items()
            for node in nodes
        ] + [
            (baselines.TASKS.base.name, {"swarm_id": swarm, "task_type": kind}, 13.0)
            for swarm in swarms
            for kind in world.KINDS["task_type"]
        ]
        expected = [
            *((presence.NODES.expected.name, {"node_id": node}, 1.0) for node in nodes),
            *((presence.SWARMS.expected.name, {"swarm_id": swarm}, 1.0) for swarm in swarms),
        ]
        now, step = time.time() - EXPORT / self.pace.scale, self.pace.every / self.pace.scale
        count = round(self.pace.past * _HOUR / self.pace.every)
        world.history(
            self.prometheus.url,
            [*recorded, *expected],
            (now - each * step for each in range(count, 0, -1)),
        )

    def play(self, minutes: int, exports: Callable[[int], Sequence[world.Process]]) -> Figures:
        """Have the fleet export for a while, and measure.

        Args:
            minutes: of the fleet's time.
            exports: called with the minute; the processes that export then.
        """
        heard, scale = len(self.webhooks.received), self.pace.scale
        ordinary: list[float] = []
        daily: list[float] = []
        used, began = self._cpu(), time.monotonic()
        for number in range(round(minutes * EXPORT / self.pace.export)):
            due = began + number * self.pace.export / scale
            time.sleep(max(0.0, due - time.monotonic()))
            processes = exports(int(number * self.pace.export / EXPORT))
            now = time.time()
            for first in range(0, len(processes), _BATCH):
                batch = [each.at(now) for each in processes[first : first + _BATCH]]
                world.send(self.prometheus.url, batch)
            lasted = self._lasted()
            slow = sum(value for name, value in lasted.items() if _BASELINES in name)
            daily.append(slow)
            ordinary.append(sum(lasted.values()) - slow)
        time.sleep(max(0.0, began + minutes * EXPORT / scale - time.monotonic()))
        head = get(f"{self.prometheus.url}/api/v1/status/tsdb")["data"]["headStats"]
        return Figures(
            minutes=minutes,
            series=head["numSeries"],
            cpu=(self._cpu() - used) / minutes,
            evaluation=(statistics.median(ordinary), max(ordinary)),
            baselines=(statistics.median(daily), max(daily)),
            pages=self._told("page", heard),
            tickets=self._told("ticket", heard),
            notes=self._told("note", heard),
        )

    def _cpu(self) -> float:
        """CPU seconds that Prometheus used so far."""
        times = psutil.Process(self.prometheus.pid).cpu_times()
        return times.user + times.system

    def _lasted(self) -> dict[str, float]:
        """How long the last evaluation of each group took, in seconds."""
        found = get(f"{self.prometheus.url}/api/v1/rules")["data"]["groups"]
        return {group["name"]: group["evaluationTime"] for group in found}

    def _told(self, receiver: str, since: int) -> list[str]:
        """The notifications of something new: alert, and how many subjects."""
        told = []
        for to, message in self.webhooks.received[since:]:
            firing = [each for each in message["alerts"] if each["status"] == "firing"]
            if to == receiver and firing:
                name = message["groupLabels"]["alertname"]
                told.append(f"{name} ({len(firing)})" if len(firing) > 1 else name)
        return told

    def samples(self) -> dict[str, tuple[int, int]]:
        """Samples that a refresh of an hour reads, by dashboard: as it opens, and all unfolded."""
        opened, total = dict.fromkeys(DASHBOARDS, 0), dict.fromkeys(DASHBOARDS, 0)
        for one in asked("prometheus"):
            uid, read = one.dashboard["uid"], self.read(one)
            total[uid] += read
            opened[uid] += read if one.panel in one.dashboard["panels"] else 0
        return {uid: (opened[uid], total[uid]) for uid in total}

    def read(self, one: Asked) -> int:
        """Samples that a panel's query reads, in an hour."""
        screen, scale = Screen(one.dashboard, seconds=_HOUR, scrape_seconds=EXPORT), self.pace.scale
        now = time.time() - EXPORT / scale
        query = {"query": scaled(screen.query(one.target), scale), "stats": "all"}
        at: dict[str, float] = (
            {"time": now}
            if one.target.get("instant")
            else {
                "start": now - _HOUR / scale,
                "end": now,
                "step": screen.step(one.target) / scale,
            }
        )
        path = "query" if "time" in at else "query_range"
        url = f"{self.prometheus.url}/api/v1/{path}?{urllib.parse.urlencode({**query, **at})}"
        with urllib.request.urlopen(url, timeout=120) as answer:
            samples: int = json.load(answer)["data"]["stats"]["samples"]["totalQueryableSamples"]
        return samples
