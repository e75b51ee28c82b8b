"""Instrumented operations: rate, errors, duration, calls in flight."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Final

from qudag_otel.alerts import recording as r
from qudag_otel.catalogue import attributes as a
from qudag_otel.catalogue import metrics as m
from qudag_otel.catalogue import uids
from qudag_otel.dashboards import _thresholds as thresholds
from qudag_otel.dashboards._promql import (
    aggregate,
    chosen,
    gauge,
    rate,
    recorded,
    share,
)
from qudag_otel.dashboards._queries import heatmap as heatmap_of
from qudag_otel.dashboards._view import GREEN, RED, Column, Kind, Label, Query, Shape, Step, View

if TYPE_CHECKING:
    from qudag_otel.alerts._model import Recorded

_OPERATION: Final = (a.OPERATION, a.COMPONENT)
_NAMED: Final = "{{component}} {{operation}}"
_CHOSEN: Final = (chosen(a.COMPONENT), chosen(a.OPERATION))
_QUIET: Final = "No instrumented operation was called in this window."
_TOP: Final = 10


def _calls(*where: str) -> str:
    return _over_nodes("sum", r.OPERATION_RATE, *where)


def _failed(*where: str) -> str:
    return share(_over_nodes("sum", r.OPERATION_FAILURE_RATE, *where), _calls(*where))


def _p95(*where: str) -> str:
    return _over_nodes("max", r.OPERATION_P95, *where)


def _over_nodes(how: str, series: Recorded, *where: str) -> str:
    """A recorded series over the chosen nodes, by operation."""
    return aggregate(how, [each.key for each in _OPERATION], recorded(series, *where))


def calls(*where: str) -> View:
    """How often operations are called."""
    return View(
        title="Calls by operation",
        description=(
            "Calls a second of each instrumented operation that ended. An operation that drops "
            "to zero while others go on is not reached any more: look at its callers."
        ),
        queries=(Query(expression=_calls(*where), legend=_NAMED),),
        empty=_QUIET,
        unit="ops",
    )


def failures(*where: str) -> View:
    """How often they fail."""
    return View(
        title="Share of calls that fail",
        description=(
            "Calls that ended with an error, of all that ended. Expected exceptions, "
            "cancellations and generators closed early do not count as errors."
        ),
        queries=(Query(expression=_failed(*where), legend=_NAMED),),
        empty=_QUIET,
        unit="percentunit",
        maximum=1.0,
    )


def duration(*where: str, steps: tuple[Step, ...] = ()) -> View:
    """How long they take."""
    return View(
        title="Duration, p95",
        description=(
            "Duration that 95% of an operation's calls stay under, on the node where it is "
            "slowest. Open the slowest one's traces to see what it waits for."
        ),
        queries=(Query(expression=_p95(*where), legend=_NAMED),),
        empty=_QUIET,
        unit="s",
        steps=steps,
    )


def heatmap(*where: str) -> View:
    """How long every single call took."""
    return View(
        title="Duration, every call",
        description=(
            "How many calls a second of the selected operations took how long. Each dot is one "
            "call with a trace: open a high one."
        ),
        queries=heatmap_of(r.OPERATION_BUCKETS, m.OPERATION_DURATION, *where),
        empty=_QUIET,
        unit="s",
        kind=Kind.HEATMAP,
        minimum=None,
    )


def outcomes(*where: str) -> View:
    """How calls end."""
    return View(
        title="Calls by outcome",
        description=(
            "Calls a second by how they ended. Growing `cancelled` means that callers give up: "
            "they wait too long. `closed` is a generator that was not read to its end."
        ),
        queries=(
            Query(
                expression=rate(m.OPERATION_DURATION, a.OUTCOME, where=where, suffix="_count"),
                legend="{{outcome}}",
            ),
        ),
        empty=_QUIET,
        unit="ops",
        stack=True,
    )


def active(*where: str) -> View:
    """How many calls run now."""
    return View(
        title="Calls in flight",
        description=(
            "Calls that run now. A number that only grows is calls that hang: their spans never "
            "end, so look at logs and at what they wait for."
        ),
        queries=(
            Query(
                expression=gauge("sum", m.OPERATION_ACTIVE, *_OPERATION, where=where),
                legend=_NAMED,
            ),
        ),
        empty="No selected node reports instrumented operations.",
        unit="none",
    )


RATE: Final = calls(*_CHOSEN)
ERROR_SHARE: Final = failures(*_CHOSEN)
P95: Final = duration(*_CHOSEN)
P95_OF_ALL: Final = duration()
HEATMAP: Final = heatmap(*_CHOSEN)
OUTCOMES: Final = outcomes(*_CHOSEN)
ACTIVE: Final = active(*_CHOSEN)
ACTIVE_OF_ALL: Final = active()
SLOWEST: Final = View(
    title="Slowest operations",
    description=(
        "The operations with the highest p95, with their calls and failures. Many calls that are "
        "slow are worth more than one that is slower."
    ),
    queries=(
        Query(expression=f"topk({_TOP}, {_p95(*_CHOSEN)})", shape=Shape.TABLE, instant=True),
        Query(expression=f"{_calls(*_CHOSEN)} > 0", shape=Shape.TABLE, instant=True),
        Query(expression=_failed(*_CHOSEN), shape=Shape.TABLE, instant=True),
    ),
    empty=_QUIET,
    unit="none",
    kind=Kind.TABLE,
    columns=(
        Column(a.COMPONENT.key, "Component"),
        Column(a.OPERATION.key, "Operation"),
        Column("Value #A", "p95", unit="s"),
        Column("Value #B", "Calls", unit="ops"),
        Column(
            "Value #C",
            "Failed",
            unit="percentunit",
            steps=(Step(None, GREEN), Step(thresholds.JUST_ABOVE_ZERO, RED)),
        ),
    ),
)
ERRORS: Final = View(
    title="Errors by component",
    description=(
        "Errors a second of each component, of all types. Above the threshold the component "
        "fails often: the panel beside says with which errors, Logs and Traces say where."
    ),
    queries=(Query(expression=recorded(r.ERROR_RATE), legend="{{node_id}} {{component}}"),),
    empty="No error was ever counted on the selected nodes.",
    unit="eps",
    steps=thresholds.of_alert("HighErrorRate"),
)
HEALTH: Final = replace(
    ERRORS,
    title="System Health",
    description=ERRORS.description.replace("the panel beside says", "Details say"),
    details=uids.OPERATIONS,
)
ERRORS_BY_TYPE: Final = View(
    title="Errors by type",
    description=(
        "Errors a second by the class of the error. A new type after a release is the release; "
        "TimeoutError and ConnectionError point at the peer or the network."
    ),
    queries=(
        Query(
            expression=rate(m.ERRORS, a.COMPONENT, a.ERROR_TYPE),
            legend="{{component}} {{error_type}}",
        ),
    ),
    empty="No error was ever counted on the selected nodes.",
    unit="eps",
)
COMPONENTS: Final = View(
    title="Components",
    description=(
        "What each component's own health check says, over time. A gap is a time in which it "
        "did not report."
    ),
    queries=(
        Query(
            expression=gauge("min", m.COMPONENT_UP, a.NODE_ID, a.COMPONENT),
            legend="{{node_id}} {{component}}",
        ),
    ),
    empty="No component on the selected nodes has a health check.",
    unit="none",
    kind=Kind.STATES,
    minimum=None,
    labels=(Label(0, "Unhealthy", RED), Label(1, "Healthy", GREEN)),
)
