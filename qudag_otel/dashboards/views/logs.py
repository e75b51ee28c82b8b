"""Logs, and how to get from them to traces."""

from __future__ import annotations

from typing import Final

from qudag_otel.catalogue import spans
from qudag_otel.dashboards import _external as x
from qudag_otel.dashboards._view import RED, YELLOW, Kind, Query, Source, View

_NODE: Final = spans.NODE.key.replace(".", "_")
_RECORD: Final = spans.RECORD.key.replace(".", "_")
_COMPONENT: Final = spans.COMPONENT.key.replace(".", "_")
"""Loki writes attributes with underscores for dots."""
_STREAM: Final = f'{{{x.SERVICE_NAME}=~"$log_service"}}'
_OF_NODE: Final = f'{_NODE}=~"$node_id"'
_LEVEL: Final = "detected_level"
_MATCHING: Final = f"{_STREAM} |~ `(?i)$search` | {_OF_NODE}"
_COUNT: Final = "count_over_time({}[$__auto])"
_NOTHING: Final = "No line of the selected services and nodes matches in the time shown."
_BAD: Final = f'{_MATCHING} | {_LEVEL}=~"warn|error|critical|fatal"'

VOLUME: Final = View(
    title="Lines by level",
    description=(
        "Lines of log a minute by level. A step up in errors marks the time to look at; silence "
        "where there used to be lines is a process that ended or a logger that is cut off."
    ),
    queries=(
        Query(
            expression=f"sum by ({_LEVEL}) ({_COUNT.format(_MATCHING)})",
            legend=f"{{{{{_LEVEL}}}}}",
        ),
    ),
    empty=_NOTHING,
    unit="short",
    source=Source.LOKI,
    stack=True,
    colors=(("^(error|critical|fatal)$", RED), ("^warn$", YELLOW)),
)
BY_COMPONENT: Final = View(
    title="Warnings and errors by component",
    description="Lines of warning level and above, by component: the one that complains most.",
    queries=(
        Query(
            expression=f"sum by ({_COMPONENT}) ({_COUNT.format(_BAD)})",
            legend=f"{{{{{_COMPONENT}}}}}",
        ),
    ),
    empty="No warning and no error in the time shown.",
    unit="short",
    source=Source.LOKI,
)


def _lines(title: str, description: str, empty: str, expression: str) -> View:
    return View(
        title=title,
        description=description,
        queries=(Query(expression=expression),),
        empty=empty,
        unit="none",
        kind=Kind.LOGS,
        source=Source.LOKI,
        minimum=None,
    )


PROBLEMS: Final = _lines(
    "Warnings and errors",
    "Lines of warning level and above, latest first. Open one: its trace id leads to the trace in "
    "which it was written.",
    "No warning and no error in the time shown.",
    _BAD,
)
SPECIAL: Final = _lines(
    "Anomalies and other special records",
    "What components found remarkable themselves: performance anomalies (expected, actual), "
    "optimizations, cache and swarm reports.",
    "No component wrote a special record in the time shown.",
    f'{_MATCHING} | {_RECORD}!=""',
)
ALL: Final = _lines(
    "All lines",
    "Every line of the selected services and nodes that contains the text above, latest first.",
    _NOTHING,
    _MATCHING,
)
