"""What is usual: the recorded baselines, and the bands around them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from qudag_otel.alerts import baselines as b
from qudag_otel.catalogue import attributes as a
from qudag_otel.dashboards import _thresholds as thresholds
from qudag_otel.dashboards._promql import recorded
from qudag_otel.dashboards._view import EXPECTED, Query, View

if TYPE_CHECKING:
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


def _band(title: str, tracked: Tracked, how: str, unit: str, description: str) -> View:
    """A value and the band in which it usually is at this time of the day.

    Args:
        title: The panel's title.
        tracked: The recorded series.
        how: What makes one line of the selected nodes or swarms: the same for value and band.
        unit: Grafana's unit.
        description: The panel's description.
    """
    return View(
        title=title,
        description=description,
        queries=(
            Query(expression=f"{how}({recorded(tracked.base)})", legend="now"),
            Query(expression=f"{how}({recorded(tracked.adaptive_lower)})", legend=_LOWER),
            Query(expression=f"{how}({recorded(tracked.adaptive_upper)})", legend=_UPPER),
            Query(expression=f"{how}({recorded(tracked.yesterday)})", legend="this time yesterday"),
            Query(expression=f"{how}({recorded(tracked.last_week)})", legend="this time last week"),
        ),
        empty=_YOUNG,
        unit=unit,
        between=(_LOWER, _UPPER),
        colors=(("^this time", EXPECTED),),
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
            expression=_compared(b.MESSAGES, recorded(b.MESSAGES.expected_low)),
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
            expression=_compared(b.TASKS, recorded(b.TASKS.expected_high)),
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
MESSAGES_BAND: Final = _band(
    "Messages, and what is usual",
    b.MESSAGES,
    "sum",
    "mps",
    "Messages a second of the selected nodes together." + _READ,
)
TASKS_BAND: Final = _band(
    "Task latency, and what is usual",
    b.TASKS,
    "avg",
    "s",
    "The p95 of a task, averaged over the selected swarms and types." + _READ,
)
CHUNKING_BAND: Final = _band(
    "Chunking time, and what is usual",
    b.CHUNKING,
    "avg",
    "s",
    "The p95 of chunking a message, averaged over the selected nodes." + _READ,
)
CACHE_BAND: Final = _band(
    "Cache hit rate, and what is usual",
    b.CACHE_HITS,
    "avg",
    "percentunit",
    "The hit rate of the validation cache, averaged over the selected nodes." + _READ,
)
ROBUST_BAND: Final = View(
    title="Messages, and what is usual at any time of the day",
    description=(
        "Messages a second of the selected nodes together, their median of a day and the band "
        "around it. An incident of an hour cannot move this band, unlike the other one: outside "
        "of both is an anomaly."
    ),
    queries=(
        Query(expression=f"sum({recorded(b.MESSAGES.base)})", legend="now"),
        Query(expression=f"sum({recorded(b.MESSAGES.robust_lower)})", legend=_ROBUST_LOWER),
        Query(expression=f"sum({recorded(b.MESSAGES.robust_upper)})", legend=_ROBUST_UPPER),
        Query(expression=f"sum({recorded(b.MESSAGES.median)})", legend="median of a day"),
    ),
    empty=_YOUNG,
    unit="mps",
    between=(_ROBUST_LOWER, _ROBUST_UPPER),
    colors=(("^median", EXPECTED),),
)
