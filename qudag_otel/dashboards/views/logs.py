"""Logs, and how to get from them to traces."""

from __future__ import annotations

from typing import Final

from opentelemetry._logs import SeverityNumber

from qudag_otel.catalogue import attributes as a
from qudag_otel.catalogue import spans
from qudag_otel.dashboards import _external as x
from qudag_otel.dashboards._view import RED, YELLOW, Kind, Query, Source, View

# The text in backquotes: it may hold quotes and backslashes. An `in` with everything selected also
# finds lines without the field.
_FLEET: Final = " ".join(
    f"{key}:in(${label})" for key, label in zip(x.LOG_SCOPE, a.SCOPE, strict=True)
)
_MATCHING: Final = (
    f"{{{x.LOG_SERVICE} in($log_service)}} {_FLEET} {spans.NODE.key}:in($node_id)"
    " _msg:~`(?i)$search`"
)
_BAD: Final = f"{_MATCHING} severity_number:>={SeverityNumber.WARN.value}"
_COUNT: Final = "{matching} | stats by ({key}) count() lines"
_LEVEL: Final = "severity_text"
_COMPONENT: Final = spans.COMPONENT.key
_NOTHING: Final = "No line of the selected services and nodes matches in the time shown."

VOLUME: Final = View(
    title="Lines by level",
    description=(
        "Lines of log by level, in each step of time. A step up in errors marks the time to look "
        "at; silence where there used to be lines is a process that ended or a logger that is cut "
        "off."
    ),
    queries=(
        Query(
            expression=_COUNT.format(matching=_MATCHING, key=_LEVEL),
            legend=f"{{{{{_LEVEL}}}}}",
        ),
    ),
    empty=_NOTHING,
    unit="short",
    source=Source.VICTORIALOGS,
    stack=True,
    colors=(("^(ERROR|CRITICAL|FATAL)$", RED), ("^WARN(ING)?$", YELLOW)),
)
BY_COMPONENT: Final = View(
    title="Warnings and errors by component",
    description="Lines of warning level and above, by component: the one that complains most.",
    queries=(
        Query(
            expression=_COUNT.format(matching=_BAD, key=_COMPONENT),
            legend=f"{{{{{_COMPONENT}}}}}",
        ),
    ),
    empty="No warning and no error in the time shown.",
    unit="short",
    source=Source.VICTORIALOGS,
)


def _lines(title: str, description: str, empty: str, expression: str) -> View:
    return View(
        title=title,
        description=description,
        queries=(Query(expression=expression),),
        empty=empty,
        unit="none",
        kind=Kind.LOGS,
        source=Source.VICTORIALOGS,
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
    f"{_MATCHING} {spans.RECORD.key}:*",
)
ALL: Final = _lines(
    "All lines",
    "Every line of the selected services and nodes that contains the text above, latest first.",
    _NOTHING,
    _MATCHING,
)
