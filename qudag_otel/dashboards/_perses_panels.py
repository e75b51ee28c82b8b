"""From a view to a panel of Perses; what Perses cannot draw falls back to what it can.

Lost are: colours of single series in stats and of columns in tables, the area between two lines,
exemplars, and annotations. Source: the plugins' schemas, https://github.com/perses/plugins
"""

from __future__ import annotations

import re
from itertools import pairwise
from typing import TYPE_CHECKING, Any, Final

from qudag_otel.dashboards._transformations import headings
from qudag_otel.dashboards._view import (
    BLUE,
    CLEAR,
    EXPECTED,
    GREEN,
    RED,
    YELLOW,
    Kind,
    Query,
    Shape,
    Source,
    Step,
    TraceSearch,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from qudag_otel._query.native import Turn
    from qudag_otel.dashboards._view import View

PROJECT: Final = "qudag"
"""The project that the dashboards belong to, and in which they link each other."""
_COLORS: Final = {
    CLEAR: "#9e9e9e", EXPECTED: "#757575", GREEN: "#388e3c", BLUE: "#1976d2",
    "super-light-yellow": "#fff176", YELLOW: "#f9a825", RED: "#d32f2f",
}  # fmt: skip
"""Grafana's names of colours; what stands later is worse."""
_WORSE: Final = list(_COLORS).index
_UNITS: Final = {
    "none": "decimal", "short": "decimal", "percent": "percent", "percentunit": "percent-decimal",
    "s": "seconds", "dtdurations": "seconds", "bytes": "bytes", "binBps": "bytes/sec",
    "ops": "ops/sec", "reqps": "requests/sec", "mps": "messages/sec", "eps": "events/sec",
    "cps": "counts/sec",
}  # fmt: skip
_RESOLUTION: Final = "$interval"
_LATEST: Final = "last-number"
_LEGEND: Final = {
    "position": "bottom", "mode": "table", "size": "small", "values": [_LATEST, "max"],
}  # fmt: skip
_HEAT: Final = "up to {{le}}"
"""A heatmap is drawn as lines, one a bucket: Perses' own needs native histograms."""
_GRAPH: Final = {
    "id": "Service or call",
    "source": "Caller",
    "target": "Called",
    "Value #nodes": "Requests, served or made",
    "Value #edges": "Calls",
}
"""A graph is drawn as a table of its nodes and edges."""
_UNNAMED: Final = ("timestamp", "client", "server")
"""Columns that no table names: when it was asked, and what an edge is made from."""
_LISTED: Final = ((r":in\(\$(\w+)\)", r':~"$\1"'), (r" in\(\$(\w+)\)", r'=~"$\1"'))
"""Of LogsQL: what Grafana's data source fills with a list, Perses with a regular expression."""
_TELLS: Final = "Perses does not ask {}. Ask it yourself:\n\n```\n{}\n```\n"


def panel(view: View, turn: Turn = str) -> dict[str, Any]:
    """Perses' panel for a view.

    Args:
        view: The view.
        turn: What becomes of each expression.
    """
    asked = [
        query
        for query in view.queries
        if isinstance(query, Query)
        and view.source is Source.PROMETHEUS
        # The second query of a heatmap is there for Grafana's exemplars alone.
        and not (query.shape is Shape.HEATMAP and query.instant)
    ]
    kind, options = _LOOKS[view.kind](view) if asked else ("Markdown", {"text": _text(view)})
    spec: dict[str, Any] = {
        "display": {
            "name": view.title,
            "description": f"{view.description} Without data: {view.empty}",
        },
        "plugin": {"kind": kind, "spec": options},
        "queries": [_query(query, turn) for query in asked],
    }
    if view.details:
        spec["links"] = [{"name": "Details", "url": url(view.details), "renderVariables": True}]
    return {"kind": "Panel", "spec": spec}


def url(uid: str) -> str:
    """Where a Perses shows a dashboard."""
    return f"/projects/{PROJECT}/dashboards/{uid}"


def _query(query: Query, turn: Turn) -> dict[str, Any]:
    legend = _HEAT if query.shape is Shape.HEATMAP else query.legend
    named = {"seriesNameFormat": legend} if legend else {}
    spec = {"query": turn(query.expression), "minStep": _RESOLUTION, **named}
    return {
        "kind": "TimeSeriesQuery",
        "spec": {"plugin": {"kind": "PrometheusTimeSeriesQuery", "spec": spec}},
    }


def _text(view: View) -> str:
    """What is asked of others than Prometheus; Perses fills in what is chosen above."""
    return "\n".join(_TELLS.format(view.source.title, _asked(query)) for query in view.queries)


def _asked(query: Query | TraceSearch) -> str:
    if isinstance(query, TraceSearch):
        words = {"service": query.service, "tags": query.tags, "min duration": query.min_duration}
        return "\n".join(f"{word}: {value}" for word, value in words.items() if value)
    text = query.expression
    for pattern, other in _LISTED:
        text = re.sub(pattern, other, text)
    return text


def _format(view: View) -> dict[str, Any]:
    places = {} if view.decimals is None else {"decimalPlaces": view.decimals}
    return {"unit": _UNITS[view.unit], **places}


def _lines(view: View) -> tuple[str, dict[str, Any]]:
    edges = {"min": view.minimum, "max": view.maximum}
    axis = {"format": _format(view), **{key: at for key, at in edges.items() if at is not None}}
    visual = {"areaOpacity": 0.3, "stack": "all"} if view.stack else {}
    return "TimeSeriesChart", {
        "legend": _LEGEND,
        "yAxis": axis,
        "visual": visual,
        "querySettings": list(_series(view)),
        "thresholds": {"steps": list(_marks(view.steps))},
    }


def _series(view: View) -> Iterator[dict[str, Any]]:
    """The colours of single series, where a query's name tells which."""
    names = [query.legend for query in view.queries if isinstance(query, Query)]
    between = [(f"^{name}$", EXPECTED) for name in view.between or ()]
    for pattern, color in (*view.colors, *between):
        for index, name in enumerate(names):
            if re.search(pattern, name):
                value = {"colorMode": "fixed", "colorValue": _COLORS[color]}
                yield {"queryIndex": index, **value}


def _marks(steps: tuple[Step, ...]) -> Iterator[dict[str, Any]]:
    """A line at each step's value, in the worse of the colours on its two sides."""
    for below, step in pairwise(steps):
        color = max(below.color, step.color, key=_WORSE)
        yield {"value": step.value, "color": _COLORS[color]}


def _heatmap(view: View) -> tuple[str, dict[str, Any]]:
    kind, options = _lines(view)
    return kind, {**options, "yAxis": {"format": {"unit": "counts/sec"}, "min": 0}}


def _stat(view: View) -> tuple[str, dict[str, Any]]:
    # One colour for all would be wrong where series differ in what is bad.
    first, *others = (Step(None, EXPECTED),) if view.series_steps else view.steps
    return "StatChart", {
        "calculation": _LATEST,
        "format": _format(view),
        "thresholds": {
            "defaultColor": _COLORS[first.color],
            "steps": [{"value": step.value, "color": _COLORS[step.color]} for step in others],
        },
    }


def _bars(view: View) -> tuple[str, dict[str, Any]]:
    return "BarChart", {
        "calculation": _LATEST, "format": _format(view), "sort": "desc", "mode": "value",
    }  # fmt: skip


def _states(view: View) -> tuple[str, dict[str, Any]]:
    return "StatusHistoryChart", {
        "legend": {"position": "bottom", "mode": "list"},
        "mappings": [
            {
                "kind": "Value",
                "spec": {
                    "value": str(label.value),
                    "result": {"value": label.text, "color": _COLORS[label.color]},
                },
            }
            for label in view.labels
        ],
    }


def _table(view: View) -> tuple[str, dict[str, Any]]:
    return _columns(view, headings(view))


def _graph(view: View) -> tuple[str, dict[str, Any]]:
    return _columns(view, _GRAPH)


def _columns(view: View, names: Mapping[str, str]) -> tuple[str, dict[str, Any]]:
    values = _values(view)
    units = {column.key: column.unit for column in view.columns if column.unit}
    units |= {key: view.unit for key in values if view.kind is Kind.GRAPH}
    columns: list[dict[str, Any]] = [
        {
            "name": values.get(key, key),
            "header": title,
            **({"format": {"unit": _UNITS[units[key]]}} if key in units else {}),
        }
        for key, title in names.items()
    ]
    options: dict[str, Any] = {
        "density": "compact",
        "columnSettings": [
            *columns,
            *({"name": name, "hide": True} for name in _UNNAMED if name not in names),
        ],
    }
    if len(values) > 1:
        options["transforms"] = [{"kind": "MergeSeries", "spec": {}}]
    return "Table", options


def _values(view: View) -> dict[str, str]:
    """Grafana's names of the columns with queries' values, and Perses'."""
    refs = [query.ref or chr(ord("A") + index) for index, query in enumerate(view.queries)]
    if len(refs) == 1:
        return {f"Value #{refs[0]}": "value"}
    return {f"Value #{ref}": f"value #{index}" for index, ref in enumerate(refs, start=1)}


_LOOKS: Final[dict[Kind, Callable[[View], tuple[str, dict[str, Any]]]]] = {
    Kind.LINES: _lines,
    Kind.STAT: _stat,
    Kind.BARS: _bars,
    Kind.HEATMAP: _heatmap,
    Kind.STATES: _states,
    Kind.TABLE: _table,
    Kind.GRAPH: _graph,
}
"""Each kind's plugin, and its options."""
