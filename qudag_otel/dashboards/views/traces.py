"""Traces: the service graph, metrics of every span, and single traces."""

from __future__ import annotations

from typing import Final

from qudag_otel._query import promql
from qudag_otel.catalogue import attributes as a
from qudag_otel.dashboards import _external as x
from qudag_otel.dashboards import _thresholds as thresholds
from qudag_otel.dashboards._promql import WINDOW
from qudag_otel.dashboards._view import (
    GREEN,
    RED,
    Column,
    Kind,
    Query,
    Shape,
    Source,
    Step,
    TraceSearch,
    View,
)

_UNTRACED: Final = "No span of the selected service arrived in this window."
_UNCONNECTED: Final = "No call from one service to another was traced in this window."
_SELECTED: Final = f'{x.SERVICE_NAME}=~"$service",{a.NODE_ID.key}=~"$node_id"'
_BY_SPAN: Final = (x.SERVICE_NAME, x.SPAN_NAME)
_FAILURE: Final = (Step(None, GREEN), Step(thresholds.JUST_ABOVE_ZERO, RED))


def _spans(*matchers: str) -> str:
    calls = promql.select(str(x.SPAN_CALLS), _SELECTED, *matchers)
    return promql.aggregate("sum", _BY_SPAN, promql.rate(calls, WINDOW))


_FAILED: Final = f'{x.STATUS_CODE}="{x.FAILED}"'
_DURATION: Final = promql.select(str(x.SPAN_DURATION), _SELECTED)
_P95: Final = promql.quantile(0.95, _BY_SPAN, _DURATION, WINDOW)
_FAILURES: Final = promql.share(_spans(_FAILED), _spans())


def _graph(*per: str, where: tuple[str, ...] = ()) -> str:
    requests = promql.select(str(x.GRAPH_REQUESTS), *where)
    return promql.aggregate("sum", per, promql.rate(requests, WINDOW))


def _named(expression: str, new: str, *old: str) -> str:
    """Add a label under the name that the node graph expects."""
    labels = ", ".join(f'"{label}"' for label in old)
    return f'label_join({expression}, "{new}", " to ", {labels})'


_SERVED: Final = f'label_replace({_graph("server")}, "id", "$1", "server", "(.+)")'
_CALLING: Final = f'label_replace({_graph("client")}, "id", "$1", "client", "(.+)")'
_NODES: Final = f"sum by (id) ({_SERVED}) or sum by (id) ({_CALLING})"
_EDGES: Final = _named(
    _named(_named(_graph("client", "server"), "id", "client", "server"), "source", "client"),
    "target",
    "server",
)

GRAPH: Final = View(
    title="Who calls whom",
    description=(
        "Services and the calls between them, a second, from all spans (before sampling). "
        "A missing edge is a call that is not made any more, or a context that is not passed on."
    ),
    queries=(
        Query(expression=_NODES, shape=Shape.TABLE, instant=True, ref="nodes"),
        Query(expression=_EDGES, shape=Shape.TABLE, instant=True, ref="edges"),
    ),
    empty=_UNCONNECTED,
    unit="reqps",
    kind=Kind.GRAPH,
    minimum=None,
    columns=(
        Column("id", "id"),
        Column("source", "source"),
        Column("target", "target"),
        Column("Value #nodes", "mainstat"),
        Column("Value #edges", "mainstat"),
    ),
)
CALLS: Final = View(
    title="Spans by name",
    description="Spans a second of the selected service by name, from all spans.",
    queries=(Query(expression=_spans(), legend="{{span_name}}"),),
    empty=_UNTRACED,
    unit="ops",
)
FAILURES: Final = View(
    title="Share of spans that fail",
    description=(
        "Spans with an error, of all spans of the same name. The span that fails without a "
        "failing child is where the error starts."
    ),
    queries=(Query(expression=_FAILURES, legend="{{span_name}}"),),
    empty=_UNTRACED,
    unit="percentunit",
    maximum=1.0,
)
DURATION: Final = View(
    title="Span duration, every span",
    description=(
        "How many spans a second of the selected service took how long. Each dot is one span "
        "with a trace: open a high one."
    ),
    queries=(
        Query(
            expression=promql.aggregate("sum", ("le",), promql.rate(_DURATION, WINDOW)),
            shape=Shape.HEATMAP,
        ),
    ),
    empty=_UNTRACED,
    unit="s",
    kind=Kind.HEATMAP,
    minimum=None,
)
SPANS: Final = View(
    title="Span metrics",
    description="Every kind of span of the selected service: how often, how slow, how bad.",
    queries=(
        Query(expression=_P95, shape=Shape.TABLE, instant=True),
        Query(expression=f"{_spans()} > 0", shape=Shape.TABLE, instant=True),
        Query(expression=_FAILURES, shape=Shape.TABLE, instant=True),
    ),
    empty=_UNTRACED,
    unit="none",
    kind=Kind.TABLE,
    columns=(
        Column(x.SERVICE_NAME, "Service"),
        Column(x.SPAN_NAME, "Span"),
        Column("Value #A", "p95", unit="s"),
        Column("Value #B", "Calls", unit="ops"),
        Column("Value #C", "Failed", unit="percentunit", steps=_FAILURE),
    ),
)
_EDGE_P95: Final = promql.quantile(0.95, ("client", "server"), str(x.GRAPH_DURATION), WINDOW)
_EDGE_RATE: Final = _graph("client", "server")
_EDGE_FAILED: Final = _graph("client", "server", where=('failed="true"',))
EDGES: Final = View(
    title="Calls between services",
    description=(
        "Each edge of the graph: how slow the called service answers, how often it is called and "
        "how often it fails."
    ),
    queries=(
        Query(expression=_EDGE_P95, shape=Shape.TABLE, instant=True),
        Query(expression=f"{_EDGE_RATE} > 0", shape=Shape.TABLE, instant=True),
        Query(expression=promql.share(_EDGE_FAILED, _EDGE_RATE), shape=Shape.TABLE, instant=True),
    ),
    empty=_UNCONNECTED,
    unit="none",
    kind=Kind.TABLE,
    columns=(
        Column("client", "Caller"),
        Column("server", "Called"),
        Column("Value #A", "p95", unit="s"),
        Column("Value #B", "Calls", unit="reqps"),
        Column("Value #C", "Failed", unit="percentunit", steps=_FAILURE),
    ),
)


def _search(title: str, description: str, empty: str, search: TraceSearch) -> View:
    return View(
        title=title,
        description=description,
        queries=(search,),
        empty=empty,
        unit="none",
        kind=Kind.TABLE,
        source=Source.JAEGER,
        minimum=None,
    )


LATEST: Final = _search(
    "Traces",
    "Traces of the selected service. Click one to see it whole. About one in ten ordinary traces "
    "is kept, and every one that failed or was slow.",
    "No trace of the selected service was kept in the time shown.",
    TraceSearch(),
)
ERRORS: Final = _search(
    "Traces with errors",
    "Traces of the selected service in which a span failed; all of them are kept. Open one and "
    "go to the deepest red span.",
    "No trace of the selected service failed in the time shown.",
    TraceSearch(tags="error=true"),
)
SLOW: Final = _search(
    "Slow traces",
    "Traces of the selected service that took at least the time chosen above. Look for the "
    "longest span without children, or for a gap between two.",
    "No trace of the selected service took that long in the time shown.",
    TraceSearch(min_duration="$slow"),
)
