"""From a view to Grafana's panel: one look for every kind, decided once."""

from __future__ import annotations

import string
from typing import TYPE_CHECKING, Final

from qudag_otel.dashboards import _looks
from qudag_otel.dashboards._links import to_dashboard
from qudag_otel.dashboards._sdk import (
    Builder,
    Dataquery,
    PromQueryFormat,
    QueryEditorMode,
    UnknownDataquery,
    build,
    common,
    dashboard,
    prometheus,
)
from qudag_otel.dashboards._transformations import transformations
from qudag_otel.dashboards._view import (
    EXPECTED,
    Column,
    Kind,
    Query,
    Shape,
    Source,
    Step,
    TraceSearch,
    View,
)

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from qudag_otel.dashboards._view import Label, Placed

_RESOLUTION: Final = "$interval"
_LOG_LINES: Final = 500
_SOURCE_VARIABLES: Final = {
    Source.PROMETHEUS: "datasource",
    Source.VICTORIALOGS: "victorialogs",
    Source.JAEGER: "jaeger",
}
"""The variable that holds the uid of the data source to ask."""


def source_of(source: Source) -> common.DataSourceRef:
    """The data source chosen at the top of the dashboard."""
    return common.DataSourceRef(type_val=source.plugin, uid=f"${{{_SOURCE_VARIABLES[source]}}}")


def panel(placed: Placed, x: int, y: int) -> build.Panel:
    """Grafana's panel for a view.

    Args:
        placed: The view, its id and its size.
        x: The column of its left edge, of 24.
        y: The line of its upper edge.
    """
    view = placed.view
    options, custom = _looks.LOOKS[view.kind](view)
    built = (
        build.Panel()
        .type(view.kind.value)
        .id(placed.panel_id)
        .title(view.title)
        .description(view.description)
        .datasource(source_of(view.source))
        .grid_pos(dashboard.GridPos(x=x, y=y, w=placed.width, h=placed.height))
        .targets([_target(view, query, ref) for query, ref in _referenced(view.queries)])
        .transformations(transformations(view))
        .options(options)
        .unit(view.unit)
        .no_value(view.empty)
        .mappings(_mappings(view.labels))
        .thresholds(_thresholds(view.steps))
        .color_scheme(build.FieldColor().mode(_looks.color_mode(view)))
    )
    if custom is not None:
        built.custom(custom)
    if view.minimum is not None:
        built.min(view.minimum)
    if view.maximum is not None:
        built.max(view.maximum)
    if view.decimals is not None:
        built.decimals(view.decimals)
    if view.details:
        built.links([to_dashboard(view.details, "Details")])
    for pattern, properties in _overrides(view):
        built.override_by_regexp(pattern, properties)
    return built


def _referenced(
    queries: Sequence[Query | TraceSearch],
) -> list[tuple[Query | TraceSearch, str]]:
    return [
        (query, query.ref or letter)
        for query, letter in zip(queries, string.ascii_uppercase, strict=False)
    ]


class _Plain(Builder[Dataquery]):
    """A query to a data source for which the SDK has no builder."""

    def __init__(self, source: Source, ref: str, query: Mapping[str, str | int]) -> None:
        self._query = {"datasource": source_of(source), "refId": ref, **query}

    def build(self) -> Dataquery:
        """The query, without what was left empty."""
        return UnknownDataquery({key: value for key, value in self._query.items() if value != ""})


def _target(view: View, query: Query | TraceSearch, ref: str) -> Builder[Dataquery]:
    if isinstance(query, TraceSearch):
        return _Plain(Source.JAEGER, ref, _search(query))
    if view.source is Source.VICTORIALOGS:
        return _Plain(Source.VICTORIALOGS, ref, _logs(view, query))
    target = (
        prometheus.Dataquery()
        .datasource(source_of(Source.PROMETHEUS))
        .editor_mode(QueryEditorMode.CODE)
        .expr(query.expression)
        .format(PromQueryFormat(query.shape.value))
        .legend_format(_legend(query))
        .interval(_RESOLUTION)
        .exemplar(query.shape is Shape.HEATMAP)
        .ref_id(ref)
    )
    return target.instant() if query.instant else target.range()


def _legend(query: Query) -> str:
    # Grafana names a heatmap's rows by their upper bound, and needs it in a form it can sort.
    return "{{le}}" if query.shape is Shape.HEATMAP else query.legend


def _search(search: TraceSearch) -> Mapping[str, str | int]:
    return {
        "queryType": "search",
        "service": search.service,
        "tags": search.tags,
        "minDuration": search.min_duration,
        "limit": search.limit,
    }


def _logs(view: View, query: Query) -> Mapping[str, str | int]:
    if view.kind is Kind.LOGS:
        return {"expr": query.expression, "queryType": "instant", "maxLines": _LOG_LINES}
    return {
        "expr": query.expression,
        "queryType": "stats" if query.instant else "statsRange",
        "legendFormat": query.legend,
    }


def _thresholds(steps: Sequence[Step]) -> build.ThresholdsConfig:
    marks = [dashboard.Threshold(value=step.value, color=step.color) for step in steps]
    return (
        build.ThresholdsConfig()
        .mode(dashboard.ThresholdsMode.ABSOLUTE)
        .steps(marks or [dashboard.Threshold(value=None, color=_looks.PLAIN)])
    )


def _mappings(labels: Sequence[Label]) -> list[dashboard.ValueMapping]:
    if not labels:
        return []
    return [
        dashboard.ValueMap(
            options={
                str(label.value): dashboard.ValueMappingResult(
                    text=label.text, color=label.color, index=index
                )
                for index, label in enumerate(labels)
            }
        )
    ]


def _overrides(view: View) -> list[tuple[str, list[dashboard.DynamicConfigValue]]]:
    """What single series and columns do differently, by a pattern for their names."""
    overrides = [(f"/{pattern}/", [_fixed(color)]) for pattern, color in view.colors]
    overrides += [
        (f"/{pattern}/", [_value("thresholds", _thresholds(steps).build())])
        for pattern, steps in view.series_steps
    ]
    if view.between:
        lower, upper = view.between
        overrides += [
            (f"/^({lower}|{upper})$/", [_value("custom.lineWidth", 0), _fixed(EXPECTED)]),
            (
                f"/^{upper}$/",
                [_value("custom.fillBelowTo", lower), _value("custom.fillOpacity", 20)],
            ),
        ]
    overrides += [
        (f"/^{column.title}$/", properties)
        for column in view.columns
        if (properties := _column(column))
    ]
    return overrides


def _column(column: Column) -> list[dashboard.DynamicConfigValue]:
    properties: list[dashboard.DynamicConfigValue] = []
    if column.unit:
        properties.append(_value("unit", column.unit))
    if column.steps:
        properties.append(_value("thresholds", _thresholds(column.steps).build()))
        properties.append(_value("custom.cellOptions", {"type": "color-text"}))
        properties.append(_value("color", {"mode": "thresholds"}))
    if column.link:
        link = {"title": "Open", "url": column.link, "targetBlank": False}
        properties.append(_value("links", [link]))
    return properties


def _fixed(color: str) -> dashboard.DynamicConfigValue:
    return _value("color", {"mode": "fixed", "fixedColor": color})


def _value(identifier: str, value: object) -> dashboard.DynamicConfigValue:
    return dashboard.DynamicConfigValue(id_val=identifier, value=value)
