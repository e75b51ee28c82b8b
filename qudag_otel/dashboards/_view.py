"""What a panel and a dashboard are, as data; `_panels` and `_build` make Grafana JSON of them."""

from __future__ import annotations

import enum
from dataclasses import dataclass, field
from typing import Final

from qudag_otel.catalogue import uids

GREEN: Final = "green"
YELLOW: Final = "yellow"
RED: Final = "red"
BLUE: Final = "blue"
EXPECTED: Final = "text"
CLEAR: Final = "transparent"
"""One meaning a colour: healthy, warning, critical, information, expectation, nothing to say."""


class Kind(enum.Enum):
    """How a panel draws its data; the values are Grafana's panel types."""

    LINES = "timeseries"
    STAT = "stat"
    BARS = "bargauge"
    HEATMAP = "heatmap"
    STATES = "state-timeline"
    TABLE = "table"
    LOGS = "logs"
    GRAPH = "nodeGraph"


class Source(enum.Enum):
    """Where a query goes: the provisioned uid, the plugin's type, and what people call it."""

    PROMETHEUS = uids.PROMETHEUS, "prometheus", "Prometheus"
    VICTORIALOGS = uids.VICTORIALOGS, "victoriametrics-logs-datasource", "VictoriaLogs"
    JAEGER = uids.JAEGER, "jaeger", "Jaeger"

    def __init__(self, uid: str, plugin: str, title: str) -> None:
        self.uid = uid
        self.plugin = plugin
        self.title = title


class Shape(enum.Enum):
    """The form in which Prometheus' answer is wanted; the values are Grafana's formats."""

    SERIES = "time_series"
    TABLE = "table"
    HEATMAP = "heatmap"


@dataclass(frozen=True, slots=True, kw_only=True)
class Query:
    """One query of a panel.

    Args:
        expression: PromQL or LogsQL.
        legend: The name of each series, with labels in double braces.
        shape: The form in which Prometheus' answer is wanted.
        instant: Ask for the latest value only.
        ref: The query's id in its panel; the letters of the alphabet in turn by default.
    """

    expression: str
    legend: str = ""
    shape: Shape = Shape.SERIES
    instant: bool = False
    ref: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class TraceSearch:
    """One search for traces in Jaeger.

    Args:
        service: The service that takes part in the traces.
        tags: Tags that one of the spans carries, as logfmt.
        min_duration: The shortest duration, as Jaeger spells it.
        limit: How many traces to show.
    """

    service: str = "$service"
    tags: str = ""
    min_duration: str = ""
    limit: int = 20
    ref: str = ""


@dataclass(frozen=True, slots=True)
class Step:
    """A colour, from a value on; None is the lowest value there is."""

    value: float | None
    color: str


@dataclass(frozen=True, slots=True)
class Label:
    """What a value is shown as, and in which colour."""

    value: int
    text: str
    color: str


@dataclass(frozen=True, slots=True)
class Column:
    """A column of a table: its label in the data, its heading, and what it means.

    Args:
        key: The label, or "Value #A" for the value of query A.
        title: The heading.
        unit: Grafana's unit of a value.
        steps: Colours of a value.
        link: Where a click leads.
    """

    key: str
    title: str
    unit: str = ""
    steps: tuple[Step, ...] = ()
    link: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class View:
    """One panel.

    Args:
        title: What it shows.
        description: What it means and what to do when it looks bad.
        queries: What it asks.
        empty: What it says when there is no data, so that absent does not look like zero.
        unit: Grafana's unit.
        kind: How it draws.
        source: Whom it asks.
        steps: Thresholds.
        minimum: The lower end of the axis; None for the data's own.
        maximum: The upper end of the axis; None for the data's own.
        stack: Whether the series add up to something.
        labels: Names for values, when the values are states.
        columns: A table's columns, in order; all others are hidden.
        details: The dashboard that a click on the panel's title leads to.
        colors: Colours of single series, by regular expression on their names.
        between: Two series, lower and upper, between which the area is filled.
        series_steps: Thresholds of single series, by regular expression on their names.
        decimals: Decimals of the values; None for Grafana's choice.
    """

    title: str
    description: str
    queries: tuple[Query | TraceSearch, ...]
    empty: str
    unit: str
    kind: Kind = Kind.LINES
    source: Source = Source.PROMETHEUS
    steps: tuple[Step, ...] = ()
    minimum: float | None = 0.0
    maximum: float | None = None
    stack: bool = False
    labels: tuple[Label, ...] = ()
    columns: tuple[Column, ...] = ()
    details: str = ""
    colors: tuple[tuple[str, str], ...] = ()
    between: tuple[str, str] | None = None
    decimals: int | None = None
    series_steps: tuple[tuple[str, tuple[Step, ...]], ...] = ()


@dataclass(frozen=True, slots=True)
class Placed:
    """A view on a dashboard: its fixed id, and its size on a grid of 24 columns."""

    panel_id: int
    view: View
    width: int = 8
    height: int = 8


@dataclass(frozen=True, slots=True)
class Section:
    """Panels below a heading; without a heading they are what one sees first.

    Args:
        title: The heading; empty for none.
        panels: From left to right, wrapping at 24 columns.
        panel_id: The heading's id; unused without a heading.
        folded: Whether the panels show only after a click.
    """

    title: str
    panels: tuple[Placed, ...]
    panel_id: int = 0
    folded: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Board:
    """One dashboard.

    Args:
        uid: Its fixed id.
        title: What it is called.
        description: Which question it answers.
        sections: Its panels.
        variables: The names of its variables, from `_variables.VARIABLES`.
        hours: How far back it looks at first.
    """

    uid: str
    title: str
    description: str
    sections: tuple[Section, ...]
    variables: tuple[str, ...] = field(default=("datasource", "node_id", "swarm_id", "interval"))
    hours: int = 1
