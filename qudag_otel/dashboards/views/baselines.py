"""What is usual: the recorded baselines, and the bands around them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from qudag_otel.alerts import baselines as b
from qudag_otel.alerts.promql import on
from qudag_otel.catalogue import attributes as a
from qudag_otel.dashboards import _thresholds as thresholds
from qudag_otel.dashboards._promql import recorded
from qudag_otel.dashboards._view import EXPECTED, Query, View

if TYPE_CHECKING:
    from qudag_otel.alerts._model import Recorded
    from qudag_otel.alerts.baselines import Tracked

_YOUNG: Final = (
    "No baseline yet: it needs a day of data. Current values are on the dashboards of each area."
)
_LOWER: Final = "usual, lower end"
_UPPER: Final = "usual, upper end"
_ROBUST_LOWER: Final = "any time of day, lower end"
_ROBUST_UPPER: Final = "any time of day, upper end"


def _compared(tracked: Tracked, expected: str) -> str:
    """The last hour, relative to a baseline that is not zero."""
    return f"{recorded(tracked.average)} / ({expected} > 0)"


def _sum(series: Recorded, band: Recorded) -> str:
    """The selected nodes together: those that have the band, in each line of it."""
    return f"sum({recorded(series)} and {on(band.level)} {recorded(band)})"


def _each(title: str, tracked: Tracked, unit: str, description: str) -> View:
    """A percentile or a share of each subject, and its band: of several there is no average.

    Args:
        title: The panel's title.
        tracked: The recorded series.
        unit: Grafana's unit.
        description: The panel's description.
    """
    subject = " ".join(f"{{{{{key}}}}}" for key in tracked.base.level.subject)
    return View(
        title=title,
        description=description,
        queries=tuple(
            Query(expression=recorded(series), legend=f"{words} {subject}")
            for words, series in (
                ("now", tracked.base),
                (_LOWER, tracked.adaptive_lower),
                (_UPPER, tracked.adaptive_upper),
            )
        ),
        empty=_YOUNG,
        unit=unit,
        colors=(("^usual", EXPECTED),),
    )


COMPARED: Final = View(
    title="Performance Baselines",
    description=(
        "Messages of the last hour compared with the same hour yesterday or last week, whichever "
        "was less: 100% is as usual. Below the threshold something got slower without failing: "
        "look for what changed (a release, a configuration, the load)."
    ),
    queries=(
        Query(
            expression=_compared(b.MESSAGES, recorded(b.MESSAGES.previous_low)),
            legend="{{node_id}}",
        ),
    ),
    empty=_YOUNG,
    unit="percentunit",
    steps=thresholds.of_alert("MessageThroughputRegression"),
)
TASKS_COMPARED: Final = View(
    title="Task latency compared with usual",
    description=(
        "The p95 of the last hour compared with the same hour yesterday or last week, whichever "
        "was more: 100% is as usual. Above the threshold tasks got slower: look for what changed."
    ),
    queries=(
        Query(
            expression=_compared(b.TASKS, recorded(b.TASKS.previous_high)),
            legend=f"{{{{{a.SWARM_ID.key}}}}} {{{{{a.TASK_TYPE.key}}}}}",
        ),
    ),
    empty=_YOUNG,
    unit="percentunit",
    steps=thresholds.of_alert("LatencyRegression"),
)
_READ: Final = (
    " The grey band is where it usually is at this time of the day; outside of it for long is "
    "unusual, and worth a look even if no threshold is crossed."
)
_READ_EACH: Final = (
    " The grey lines are where it usually is at this time of the day; outside of them for long is "
    "unusual, and worth a look even if no threshold is crossed. Choose one, if there are many."
)
MESSAGES_BAND: Final = View(
    title="Messages, and what is usual",
    description="Messages a second of the selected nodes together that have a band." + _READ,
    queries=tuple(
        Query(expression=_sum(series, b.MESSAGES.adaptive_lower), legend=words)
        for words, series in (
            ("now", b.MESSAGES.base),
            (_LOWER, b.MESSAGES.adaptive_lower),
            (_UPPER, b.MESSAGES.adaptive_upper),
            ("this time yesterday", b.MESSAGES.yesterday),
            ("this time last week", b.MESSAGES.last_week),
        )
    ),
    empty=_YOUNG,
    unit="mps",
    between=(_LOWER, _UPPER),
    colors=(("^this time", EXPECTED),),
)
TASKS_BAND: Final = _each(
    "Task latency, and what is usual",
    b.TASKS,
    "s",
    "The p95 of a task, by swarm and type." + _READ_EACH,
)
CHUNKING_BAND: Final = _each(
    "Chunking time, and what is usual",
    b.CHUNKING,
    "s",
    "The p95 of chunking a message, by node." + _READ_EACH,
)
CACHE_BAND: Final = _each(
    "Cache hit rate, and what is usual",
    b.CACHE_HITS,
    "percentunit",
    "The hit rate of the validation cache, by node." + _READ_EACH,
)
ROBUST_BAND: Final = View(
    title="Messages, and what is usual at any time of the day",
    description=(
        "Messages a second of the selected nodes together, their median of a day and the band "
        "around it. An incident of an hour cannot move this band, unlike the other one: outside "
        "of both is an anomaly."
    ),
    queries=(
        Query(expression=_sum(b.MESSAGES.base, b.MESSAGES.robust_lower), legend="now"),
        Query(
            expression=_sum(b.MESSAGES.robust_lower, b.MESSAGES.robust_lower), legend=_ROBUST_LOWER
        ),
        Query(
            expression=_sum(b.MESSAGES.robust_upper, b.MESSAGES.robust_lower), legend=_ROBUST_UPPER
        ),
        Query(
            expression=_sum(b.MESSAGES.median, b.MESSAGES.robust_lower), legend="median of a day"
        ),
    ),
    empty=_YOUNG,
    unit="mps",
    between=(_ROBUST_LOWER, _ROBUST_UPPER),
    colors=(("^median", EXPECTED),),
)
