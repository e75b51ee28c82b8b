"""Baselines and the bands around them, and the alerts on what leaves them.

The baselines are reckoned from days of samples; the alerts are shown the baselines themselves,
and once, in `HISTORY`, the whole chain.
"""

from __future__ import annotations

from typing import Final

from qudag_otel.alerts.baselines import TRACKED, Tracked
from tests.alerts.scenario import SCOPE, Case, Fires, Scenario, Series, gauge, joined, silent

_STEP: Final = 300
_HOUR: Final = 60
_DAY: Final = 24 * _HOUR

_MESSAGES: Final = "node:qudag_messages"
_TASKS: Final = "swarm_task:qudag_task_seconds"
_CHUNKING: Final = "node:qudag_chunking_seconds"
_CACHE: Final = "node:qudag_cache_hit"


def _fewer(node: str, share: str) -> Fires:
    return Fires(
        labels={"node_id": node},
        description=f"Over the last hour node {node} processed {share} of what it did at this time"
        " yesterday or last week, less than 80% for 30 minutes.",
    )


def _hour(node: str, expected: float, *phases: tuple[float | None, float]) -> Series:
    """A node's average of an hour, beside what is expected of it."""
    return {
        f'{_MESSAGES}:avg1h{{node_id="{node}"}}': gauge(*phases, step=60),
        f'{_MESSAGES}:previous_low{{node_id="{node}"}}': gauge((expected, 120), step=60),
    }


THROUGHPUT: Final = Scenario(
    name="MessageThroughputRegression",
    rules=("alerts",),
    severity="warning",
    concern="throughput",
    interval=60,
    cases=(
        Case(
            name="a quarter fewer messages than expected: fires after 30 minutes",
            series=joined(
                _hour("n1", 100, (100, 10), (75, 110)),
                _hour("more", 200, (152, 120)),
                _hour("less", 100, (84, 120)),
                _hour("exact", 100, (80, 120)),
                _hour("busier", 10.5, (1, 120)),
            ),
            at={
                "29m": (),
                "30m": (_fewer("more", "76%"), _fewer("busier", "9.524%")),
                "39m": (_fewer("more", "76%"), _fewer("busier", "9.524%")),
                "40m": (
                    _fewer("n1", "75%"),
                    _fewer("more", "76%"),
                    _fewer("busier", "9.524%"),
                ),
            },
        ),
        Case(
            name="an idle day before, or a quiet one, is no measure",
            series=joined(
                _hour("idle", 0, (0, 120)), _hour("quiet", 9.5, (1, 120)), _hour("at", 10, (1, 120))
            ),
            at=silent(120),
        ),
        Case(
            name="fewer for a quarter of an hour, during a restart",
            series=_hour("n1", 100, (100, 20), (70, 15), (100, 85)),
            at=silent(120),
        ),
    ),
)


def _longer(kind: str, share: str) -> Fires:
    return Fires(
        labels={"swarm_id": "s1", "task_type": kind},
        description=f"Over the last hour the slowest 5% of the {kind} tasks in swarm s1 took"
        f" {share} of what they took at this time yesterday or last week, more than 130% for"
        " 30 minutes.",
    )


def _slowest(kind: str, expected: float, *phases: tuple[float | None, float]) -> Series:
    return {
        f'{_TASKS}:avg1h{{swarm_id="s1",task_type="{kind}"}}': gauge(*phases, step=60),
        f'{_TASKS}:previous_high{{swarm_id="s1",task_type="{kind}"}}': gauge(
            (expected, 120), step=60
        ),
    }


LATENCY: Final = Scenario(
    name="LatencyRegression",
    rules=("alerts",),
    severity="warning",
    concern="tasks",
    interval=60,
    cases=(
        Case(
            name="tasks take half as long again: fires after 30 minutes",
            series=joined(
                _slowest("verify", 10, (10, 10), (15, 110)),
                _slowest("more", 10, (13.6, 120)),
                _slowest("less", 10, (12.4, 120)),
                _slowest("exact", 10, (13, 120)),
                _slowest("short", 0.5, (1, 120)),
            ),
            at={
                "29m": (),
                "30m": (_longer("more", "136%"), _longer("short", "200%")),
                "40m": (
                    _longer("verify", "150%"),
                    _longer("more", "136%"),
                    _longer("short", "200%"),
                ),
            },
        ),
        Case(
            name="tasks that took no time at all are no measure",
            series=_slowest("verify", 0, (1, 120)),
            at=silent(120),
        ),
        Case(
            name="longer for a quarter of an hour, during a restart",
            series=_slowest("verify", 10, (10, 20), (20, 15), (10, 85)),
            at=silent(120),
        ),
    ),
)


def _below(
    subject: str, value: str, labels: str, now: float, adaptive: float, robust: float, median: float
) -> Series:
    """A value, the lower ends of its bands, and its median."""
    return {
        f"{subject}:{value}{{{labels}}}": gauge((now, 40), step=60),
        f"{subject}:adaptive_lower{{{labels}}}": gauge((adaptive, 40), step=60),
        f"{subject}:robust_lower{{{labels}}}": gauge((robust, 40), step=60),
        f"{subject}:median1d{{{labels}}}": gauge((median, 40), step=60),
    }


def _above(
    subject: str, value: str, labels: str, now: float, adaptive: float, robust: float
) -> Series:
    """A value, and the upper ends of its bands."""
    return {
        f"{subject}:{value}{{{labels}}}": gauge((now, 40), step=60),
        f"{subject}:adaptive_upper{{{labels}}}": gauge((adaptive, 40), step=60),
        f"{subject}:robust_upper{{{labels}}}": gauge((robust, 40), step=60),
    }


def _unusual(name: str, concern: str, series: Series, *fires: Fires) -> Scenario:
    return Scenario(
        name=name,
        rules=("anomalies",),
        severity="info",
        concern=concern,
        interval=60,
        cases=(
            Case(
                name="outside both bands, and large enough to matter: fires after 15 minutes",
                series=series,
                at={"14m": (), "15m": fires},
            ),
            Case(
                name="no bands within the first day",
                series={
                    selector: values
                    for selector, values in series.items()
                    if ":rate5m" in selector or "p95_5m" in selector or ":ratio_rate5m" in selector
                },
                at=silent(30),
            ),
        ),
    )


def _rate(node: str, rate: str, which: str) -> Fires:
    return Fires(
        labels={"node_id": node},
        description=f"Node {node} processes {rate} messages/s, {which} than is usual at this hour"
        " and within the last day, for 15 minutes.",
    )


def _low(node: str, *numbers: float) -> Series:
    return _below(_MESSAGES, "rate5m", f'node_id="{node}"', *numbers)


def _high(node: str, *numbers: float) -> Series:
    return _above(_MESSAGES, "rate5m", f'node_id="{node}"', *numbers)


LOW: Final = _unusual(
    "UnusuallyLowThroughput",
    "throughput",
    joined(
        _low("n1", 45, 50, 55, 100),
        _low("usual_hour", 45, 40, 55, 100),
        _low("usual_day", 45, 50, 40, 100),
        _low("edge_hour", 45, 45, 55, 100),
        _low("edge_day", 45, 50, 45, 100),
        _low("day_and_night", 30, 50, 0, 70),
        _low("night", 30, 20, 0, 70),
        _low("quiet", 1, 5, 5, 9.5),
        _low("exact", 1, 5, 5, 10),
        _low("busier", 1, 5, 5, 10.5),
    ),
    _rate("n1", "45", "less"),
    _rate("day_and_night", "30", "less"),
    _rate("busier", "1", "less"),
)

HIGH: Final = _unusual(
    "UnusuallyHighThroughput",
    "throughput",
    joined(
        _high("n1", 155, 150, 140),
        _high("usual_hour", 155, 160, 140),
        _high("usual_day", 155, 150, 160),
        _high("edge_hour", 155, 155, 140),
        _high("edge_day", 155, 150, 155),
        _high("quiet", 9.5, 3, 3),
        _high("exact", 10, 3, 3),
        _high("busier", 10.5, 3, 3),
    ),
    _rate("n1", "155", "more"),
    _rate("busier", "10.5", "more"),
)


def _chunking(node: str, *numbers: float) -> Series:
    return _above(_CHUNKING, "p95_5m", f'node_id="{node}"', *numbers)


CHUNKING: Final = _unusual(
    "UnusuallyHighChunkingLatency",
    "chunking",
    joined(
        _chunking("n1", 0.2, 0.15, 0.14),
        _chunking("usual_hour", 0.2, 0.25, 0.14),
        _chunking("usual_day", 0.2, 0.15, 0.25),
        _chunking("edge_hour", 0.2, 0.2, 0.14),
        _chunking("edge_day", 0.2, 0.15, 0.2),
        _chunking("short", 0.048, 0.01, 0.01),
        _chunking("exact", 0.05, 0.01, 0.01),
        _chunking("long", 0.052, 0.01, 0.01),
    ),
    *(
        Fires(
            labels={"node_id": node},
            description=f"On node {node} 5% of the messages take {value} or longer to chunk, more"
            " than is usual at this hour and within the last day, for 15 minutes.",
        )
        for node, value in (("n1", "200ms"), ("long", "52ms"))
    ),
)


def _tasks(kind: str, *numbers: float) -> Series:
    return _above(_TASKS, "p95_5m", f'swarm_id="s1",task_type="{kind}"', *numbers)


TASKS: Final = _unusual(
    "UnusuallyHighTaskLatency",
    "tasks",
    joined(
        _tasks("verify", 20, 15, 14),
        _tasks("usual_hour", 20, 25, 14),
        _tasks("usual_day", 20, 15, 25),
        _tasks("edge_hour", 20, 20, 14),
        _tasks("edge_day", 20, 15, 20),
        _tasks("short", 2.9, 1, 1),
        _tasks("exact", 3, 1, 1),
        _tasks("long", 3.1, 1, 1),
    ),
    *(
        Fires(
            labels={"swarm_id": "s1", "task_type": kind},
            description=f"In swarm s1 5% of the {kind} tasks take {value} or longer, more than is"
            " usual at this hour and within the last day, for 15 minutes.",
        )
        for kind, value in (("verify", "20s"), ("long", "3.1s"))
    ),
)


def _cache(node: str, *numbers: float) -> Series:
    return _below(_CACHE, "ratio_rate5m", f'node_id="{node}"', *numbers)


CACHE: Final = _unusual(
    "UnusuallyLowCacheHitRate",
    "cache",
    joined(
        _cache("n1", 0.36, 0.4, 0.4, 0.8),
        _cache("usual_hour", 0.36, 0.3, 0.4, 0.8),
        _cache("usual_day", 0.36, 0.4, 0.3, 0.8),
        _cache("edge_hour", 0.36, 0.36, 0.4, 0.8),
        _cache("edge_day", 0.36, 0.4, 0.36, 0.8),
        _cache("never", 0.01, 0.05, 0.05, 0.095),
        _cache("exact", 0.01, 0.05, 0.05, 0.1),
        _cache("rarely", 0.01, 0.05, 0.05, 0.105),
    ),
    *(
        Fires(
            labels={"node_id": node},
            description=f"The validation cache of node {node} answers {value} of the lookups, less"
            " than is usual at this hour and within the last day, for 15 minutes.",
        )
        for node, value in (("n1", "36%"), ("rarely", "1%"))
    ),
)


def _labels(tracked: Tracked) -> str:
    return ",".join(f'{label}="x"' for label in tracked.base.level.labels)


def _case(
    tracked: Tracked,
    name: str,
    history: tuple[tuple[float | None, float], ...],
    expected: dict[str, float | None],
    noon: int | None = None,
) -> Case:
    """Baselines at noon of day 8, or another, reckoned by hand; None: there is none."""
    at = noon or _NOON
    prefix = f"{tracked.base.level.prefix}:{tracked.base.subject}"
    labels = _labels(tracked)
    return Case(
        name=f"{prefix}: {name}",
        series={f"{tracked.base.name}{{{labels}}}": gauge(*history, step=_STEP)},
        interval=_STEP,
        values={
            (f"{prefix}:{operation}", f"{at}m"): (
                {} if value is None else {f"{prefix}:{operation}{{{labels}}}": value}
            )
            for operation, value in expected.items()
        },
    )


_NOON: Final = 7 * _DAY + 12 * _HOUR
# The hour around noon of the day before is open at its left end.
_HOUR_BEFORE: Final = float(_NOON - _DAY - 30 + 5)
_SIGMA: Final = 1.349
"""Of a normal distribution: the distance between its quartiles, in standard deviations."""


def _cases(tracked: Tracked) -> tuple[Case, ...]:
    """What the hour and the day before, and the hour a week before, make of the baselines."""
    return (
        _case(
            tracked,
            "yesterday's hour varies, and the last day is 60, 80, 100, 120 and 100 in turn",
            (
                (100.0, _HOUR_BEFORE),
                *(((90.0, 5), (130.0, 5)) * 6),
                *((value, 280) for value in (60.0, 80.0, 100.0, 120.0, 100.0)),
                (100.0, 30),
            ),
            {
                "avg1h": 100.0,
                "yesterday": 110.0,
                "last_week": 100.0,
                "expected_low": 100.0,
                "expected_high": 110.0,
                # The hour before yesterday's noon: half of it varies.
                "previous_low": 100.0,
                "previous_high": (6 * 100.0 + 3 * 130 + 3 * 90) / 12,
                "noise": 20.0,
                "adaptive_lower": 100.0 - 3 * 20,
                "adaptive_upper": 110.0 + 3 * 20,
                "median1d": 100.0,
                "deviation1d": 20 / _SIGMA,
                "robust_lower": 100 - 4 * 20 / _SIGMA,
                "robust_upper": 100 + 4 * 20 / _SIGMA,
            },
        ),
        _case(
            tracked,
            "last week was busier, and nothing varies: bands are at least half their centre",
            ((120.0, 3 * _DAY), (80.0, _NOON - 3 * _DAY - 30), (90.0, 35)),
            {
                "avg1h": (80.0 * 5 + 90.0 * 7) / 12,
                "yesterday": 80.0,
                "last_week": 120.0,
                "expected_low": 80.0,
                "expected_high": 120.0,
                "previous_low": 80.0,
                "previous_high": 120.0,
                "noise": 0.0,
                "adaptive_lower": 40.0,
                "adaptive_upper": 180.0,
                "median1d": 80.0,
                "deviation1d": 0.0,
                "robust_lower": 40.0,
                "robust_upper": 120.0,
            },
        ),
        _case(
            tracked,
            "everything varies: no band reaches below 0",
            (
                (100.0, _HOUR_BEFORE),
                *(((10.0, 5), (190.0, 5)) * 150),
            ),
            {
                "noise": 90.0,
                "adaptive_lower": 0.0,
                "adaptive_upper": 100.0 + 3 * 90,
                "robust_lower": 0.0,
                "robust_upper": 100 + 4 * 180 / _SIGMA,
            },
        ),
        _case(
            tracked,
            "the last day was a staircase: its quartiles are between two steps",
            (
                (100.0, _NOON - _DAY + 5.0),
                *((float(step), 5.0) for step in range(288)),
            ),
            {
                "median1d": 143.5,
                "deviation1d": (215.25 - 71.75) / _SIGMA,
                "robust_lower": 0.0,
                "robust_upper": 143.5 + 4 * 143.5 / _SIGMA,
            },
        ),
        *(
            _case(
                tracked,
                f"what varies makes the bands {words} than half their centre",
                (
                    (100.0, _HOUR_BEFORE),
                    *(((100 - hour, 5.0), (100 + hour, 5.0)) * 6),
                    *(((100 - day, 5.0), (100 + day, 5.0)) * 141),
                ),
                {
                    "noise": hour,
                    "adaptive_lower": 100 - max(50.0, 3 * hour),
                    "adaptive_upper": 100 + max(50.0, 3 * hour),
                    "deviation1d": 2 * day / _SIGMA,
                    "robust_lower": 100 - max(50.0, 4 * 2 * day / _SIGMA),
                    "robust_upper": 100 + max(50.0, 4 * 2 * day / _SIGMA),
                },
            )
            for words, hour, day in (("hardly less", 16.0, 8.0), ("hardly more", 17.0, 9.0))
        ),
        _case(
            tracked,
            "the hour of yesterday was the first, which is no measure",
            ((None, _NOON - _DAY - 20), (100.0, _DAY + 25)),
            {
                "yesterday": None,
                "noise": None,
                "last_week": None,
                "expected_low": None,
                "expected_high": None,
                "avg1h_yesterday": None,
                "previous_low": None,
                "previous_high": None,
                "adaptive_lower": None,
                "adaptive_upper": None,
                "robust_lower": 50.0,
                "robust_upper": 150.0,
            },
        ),
        _case(
            tracked,
            "the hour of last week was the first",
            ((None, _NOON - 7 * _DAY - 20), (100.0, 7 * _DAY + 25)),
            {
                "yesterday": 100.0,
                "last_week": None,
                "avg1h_last_week": None,
                "expected_low": 100.0,
                "expected_high": 100.0,
                "previous_low": 100.0,
                "previous_high": 100.0,
                "adaptive_lower": 50.0,
                "adaptive_upper": 150.0,
                "robust_lower": 50.0,
                "robust_upper": 150.0,
            },
        ),
        *(
            _case(
                tracked,
                f"of three days the one in the middle counts: {yesterday:g} of yesterday,"
                f" {last_week:g}, {two_weeks:g}",
                ((two_weeks, 3 * _DAY), (last_week, 7 * _DAY), (yesterday, 5 * _DAY)),
                {
                    "yesterday": yesterday,
                    "last_week": last_week,
                    "two_weeks": two_weeks,
                    "avg1h_two_weeks": two_weeks,
                    **dict.fromkeys(
                        ("expected_low", "expected_high", "previous_low", "previous_high"), 100.0
                    ),
                },
                _NOON + 7 * _DAY,
            )
            for yesterday, last_week, two_weeks in (
                (20.0, 100.0, 120.0),
                (20.0, 120.0, 100.0),
                (100.0, 120.0, 20.0),
                (120.0, 20.0, 100.0),
                (120.0, 100.0, 20.0),
            )
        ),
        *(
            _case(
                tracked,
                f"no yesterday: last week counts, whatever was before ({two_weeks:g})",
                ((two_weeks, 3 * _DAY), (100.0, 7 * _DAY), (None, 4 * _DAY), (70.0, _DAY)),
                {
                    "yesterday": None,
                    **dict.fromkeys(
                        ("expected_low", "expected_high", "previous_low", "previous_high"), 100.0
                    ),
                },
                _NOON + 7 * _DAY,
            )
            for two_weeks in (20.0, 120.0)
        ),
        _case(
            tracked,
            "the hour of two weeks ago was the first",
            ((None, _DAY / 2 - 20), (100.0, 14 * _DAY + 30)),
            {"last_week": 100.0, "two_weeks": None, "avg1h_two_weeks": None},
            _NOON + 7 * _DAY,
        ),
        _case(
            tracked,
            "half an hour of each day, as a task of the night",
            ((None, 12 * _HOUR - 15), *(((100.0, 30), (None, _DAY - 30)) * 8)),
            {
                "yesterday": 100.0,
                "last_week": None,
                "avg1h_yesterday": 100.0,
                "previous_low": 100.0,
                "previous_high": 100.0,
            },
        ),
        _case(
            tracked,
            "there was a last week, but no yesterday: no quartiles of a day either",
            ((100.0, _DAY), (None, _NOON - _DAY - 20 * _HOUR), (100.0, 21 * _HOUR)),
            {
                "yesterday": None,
                "last_week": 100.0,
                "expected_low": 100.0,
                "expected_high": 100.0,
                "previous_low": 100.0,
                "previous_high": 100.0,
                "adaptive_lower": 50.0,
                "adaptive_upper": 150.0,
                "median1d": 100.0,
                "robust_lower": None,
                "robust_upper": None,
            },
        ),
    )


RECORDED: Final = Scenario(
    name="Baselines",
    rules=("baselines",),
    # Baselines are looked at once, so they need not be reckoned all week.
    interval=12 * 3600,
    cases=tuple(case for tracked in TRACKED for case in _cases(tracked)),
)


def _days(day: float, night: float, count: int) -> list[tuple[float | None, float]]:
    return [(day, _DAY / 2), (night, _DAY / 2)] * count


_FIRING: Final = 'ALERTS{alertstate="firing",concern="throughput"}'
_COUNT: Final = (
    f"count by (alertname, cluster, deployment_environment_name, group, node_id) ({_FIRING})"
)
_FAULT: Final = 8 * _DAY

HISTORY: Final = Scenario(
    name="History",
    rules=("baselines", "alerts", "anomalies"),
    interval=15 * 60,
    cases=(
        Case(
            name="nine days of nodes: by day and night, with an incident, and with a fault",
            series={
                f'{_MESSAGES}:rate5m{{node_id="{node}"}}': gauge(*phases, step=_STEP)  # type: ignore[misc]  # of numbers and None
                for node, phases in {
                    "cyclic": _days(100, 40, 9),
                    "incident": [(100, 7 * _DAY), (300, 3 * _HOUR), (100, 2 * _DAY)],
                    "restarted": [(100, _FAULT), (None, 10), (100, _DAY)],
                    "slower": [(100, _FAULT), (75, _DAY)],
                    "broken": [(100, _FAULT), (30, _DAY)],
                }.items()
            },
            interval=_STEP,
            values={
                **{(_COUNT, f"{hour}h"): {} for hour in (1, 12, 23, 24, 25, 26, 36, 60, 100, 167)},
                # Mornings and evenings.
                **{
                    (_FIRING.replace("}", ',node_id="cyclic"}'), f"{minute}m"): {}
                    for day in (1, 2, 7, 8)
                    for minute in range(day * _DAY, day * _DAY + 13 * _HOUR, 15)
                },
                (_COUNT, f"{7 * 24 + 2}h"): {
                    '{alertname="UnusuallyHighThroughput",node_id="incident"}': 1
                },
                (_COUNT, f"{7 * 24 + 12}h"): {},
                (_COUNT, f"{8 * 24}h"): {},
                # The hour of the incident does not make today's normal hour a regression.
                (_COUNT, f"{8 * 24 + 2}h"): {
                    '{alertname="MessageThroughputRegression",node_id="slower"}': 1,
                    '{alertname="MessageThroughputRegression",node_id="broken"}': 1,
                    '{alertname="UnusuallyLowThroughput",node_id="broken"}': 1,
                },
                # Two thirds of a day are no reason to find it usual: yesterday is the measure.
                (_COUNT, f"{8 * 24 + 16}h"): {
                    '{alertname="MessageThroughputRegression",node_id="slower"}': 1,
                    '{alertname="MessageThroughputRegression",node_id="broken"}': 1,
                    '{alertname="UnusuallyLowThroughput",node_id="broken"}': 1,
                },
            },
        ),
    ),
)

_QUARTER: Final = 15 * 60
_MONDAY: Final = 14 * _DAY
_SLOW: Final = (
    f"count by (alertname, {', '.join(SCOPE)}, task_type)"
    ' (ALERTS{alertstate="firing",concern="tasks"})'
)
_WEEK: Final = [*_days(100, 40, 5), *_days(20, 8, 2)]
_NIGHTLY: Final[list[tuple[float | None, float]]] = [(None, 120), (10, 45), (None, _DAY - 165)]

_CALENDAR: Final[dict[str, list[tuple[float | None, float]]]] = {
    "weekly": [*_WEEK, *_WEEK, *_days(100, 40, 2)],
    "lost on Monday": [*_WEEK, *_WEEK, *_days(30, 12, 2)],
    "out on Sunday": [
        (100, 13 * _DAY + 3 * _HOUR),
        (0, 2 * _HOUR),
        (100, 2 * _DAY),
    ],
    "out, and lost": [
        (100, 13 * _DAY + 3 * _HOUR),
        (0, 2 * _HOUR),
        (100, 22 * _HOUR),
        (40, _DAY),
    ],
}

CALENDAR: Final = Scenario(
    name="Calendar",
    rules=("baselines", "alerts", "anomalies"),
    interval=_QUARTER,
    cases=(
        Case(
            name="three Mondays after Sundays, an outage yesterday at this hour, and nightly tasks",
            series={
                **{
                    f'{_MESSAGES}:rate5m{{node_id="{node}"}}': gauge(*phases, step=_QUARTER)
                    for node, phases in _CALENDAR.items()
                },
                **{
                    f'{_TASKS}:p95_5m{{swarm_id="s1",task_type="{kind}"}}': gauge(
                        *(_NIGHTLY * 14), (None, 120), (value, 45), (None, _DAY), step=_QUARTER
                    )
                    for kind, value in (("as ever", 10.0), ("slow", 20.0))
                },
            },
            interval=_QUARTER,
            values={
                # The third Saturday, Sunday and Monday: no morning and no weekend is unusual.
                **{
                    (f'{_FIRING[:-1]},node_id="weekly"}}', f"{minute}m"): {}
                    for day in (12, 13, 14)
                    for minute in range(day * _DAY, day * _DAY + 13 * _HOUR, 60)
                },
                (_SLOW, f"{_MONDAY - _DAY + 150}m"): {},
                # The last day has no more tasks of before than of now: its median says nothing.
                (_SLOW, f"{_MONDAY + 150}m"): {
                    '{alertname="LatencyRegression",task_type="slow"}': 1,
                },
                (_COUNT, f"{_MONDAY + 3 * _HOUR}m"): {
                    '{alertname="MessageThroughputRegression",node_id="lost on Monday"}': 1,
                    '{alertname="UnusuallyLowThroughput",node_id="lost on Monday"}': 1,
                },
                (_COUNT, f"{_MONDAY + 4 * _HOUR + 45}m"): {
                    '{alertname="MessageThroughputRegression",node_id="lost on Monday"}': 1,
                    '{alertname="UnusuallyLowThroughput",node_id="lost on Monday"}': 1,
                    '{alertname="MessageThroughputRegression",node_id="out, and lost"}': 1,
                },
            },
        ),
    ),
)

SCENARIOS: Final = (
    THROUGHPUT,
    LATENCY,
    LOW,
    HIGH,
    CHUNKING,
    TASKS,
    CACHE,
    RECORDED,
    HISTORY,
    CALENDAR,
)
