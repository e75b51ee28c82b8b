"""How each kind of panel looks: its options and its field settings, the same on every dashboard."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from qudag_otel.dashboards._sdk import (
    bargauge,
    common,
    dashboard,
    heatmap,
    logs,
    nodegraph,
    stat,
    statetimeline,
    table,
    timeseries,
)
from qudag_otel.dashboards._view import BLUE, RED, Kind, View

if TYPE_CHECKING:
    from collections.abc import Callable

PLAIN: Final = BLUE
"""The colour of what is neither good nor bad."""

_CALCULATIONS: Final = ["lastNotNull", "max"]
_LATEST: Final = ["lastNotNull"]
_TOOLTIP: Final = common.VizTooltipOptions(
    mode=common.TooltipDisplayMode.MULTI, sort=common.SortOrder.DESCENDING
)


def color_mode(view: View) -> dashboard.FieldColorModeId:
    """Lines are told apart by colour; everything else takes the colour of its state."""
    if view.kind is Kind.LINES:
        return dashboard.FieldColorModeId.PALETTE_CLASSIC_BY_NAME
    return dashboard.FieldColorModeId.THRESHOLDS


def _legend() -> common.VizLegendOptions:
    return common.VizLegendOptions(
        display_mode=common.LegendDisplayMode.TABLE,
        placement=common.LegendPlacement.BOTTOM,
        show_legend=True,
        calcs=_CALCULATIONS,
    )


def _no_legend() -> common.VizLegendOptions:
    return common.VizLegendOptions(show_legend=False)


def _lines(view: View) -> tuple[object, object]:
    stacking = common.StackingMode.NORMAL if view.stack else common.StackingMode.NONE
    marks = (
        common.GraphThresholdsStyleMode.DASHED_AND_AREA
        if view.steps
        else common.GraphThresholdsStyleMode.OFF
    )
    return (
        timeseries.Options(legend=_legend(), tooltip=_TOOLTIP),
        common.GraphFieldConfig(
            draw_style=common.GraphDrawStyle.LINE,
            line_width=2,
            fill_opacity=30 if view.stack else 0,
            show_points=common.VisibilityMode.AUTO,
            # A gap in the data stays a gap: silence must not look like a steady value.
            span_nulls=False,
            stacking=common.StackingConfig(mode=stacking, group="A"),
            thresholds_style=common.GraphThresholdsStyleConfig(mode=marks),
            axis_placement=common.AxisPlacement.LEFT,
        ),
    )


def _latest(view: View) -> common.ReduceDataOptions:
    del view
    return common.ReduceDataOptions(values=False, calcs=_LATEST, fields="")


def _stat(view: View) -> tuple[object, None]:
    return (
        stat.Options(
            graph_mode=common.BigValueGraphMode.NONE,
            color_mode=common.BigValueColorMode.BACKGROUND_SOLID,
            justify_mode=common.BigValueJustifyMode.CENTER,
            text_mode=common.BigValueTextMode.VALUE_AND_NAME,
            reduce_options=_latest(view),
        ),
        None,
    )


def _bars(view: View) -> tuple[object, None]:
    return (
        bargauge.Options(
            display_mode=common.BarGaugeDisplayMode.BASIC,
            orientation=common.VizOrientation.HORIZONTAL,
            value_mode=common.BarGaugeValueMode.COLOR,
            reduce_options=_latest(view),
            legend=_no_legend(),
        ),
        None,
    )


def _heatmap(view: View) -> tuple[object, object]:
    return (
        heatmap.Options(
            calculate=False,
            color=heatmap.HeatmapColorOptions(
                mode=heatmap.HeatmapColorMode.SCHEME,
                scheme="Blues",
                scale=heatmap.HeatmapColorScale.EXPONENTIAL,
                exponent=0.5,
                fill=BLUE,
                steps=64,
                reverse=False,
            ),
            cell_gap=1,
            cell_values=heatmap.CellValues(unit="cps"),
            y_axis=heatmap.YAxisConfig(unit=view.unit, axis_placement=common.AxisPlacement.LEFT),
            tooltip=heatmap.HeatmapTooltip(
                mode=common.TooltipDisplayMode.SINGLE, y_histogram=True, show_color_scale=True
            ),
            exemplars=heatmap.ExemplarConfig(color=RED),
        ),
        heatmap.FieldConfig(
            scale_distribution=common.ScaleDistributionConfig(
                type_val=common.ScaleDistribution.LINEAR
            )
        ),
    )


def _states(view: View) -> tuple[object, object]:
    del view
    return (
        statetimeline.Options(
            show_value=common.VisibilityMode.NEVER,
            row_height=0.9,
            merge_values=True,
            legend=_no_legend(),
            tooltip=common.VizTooltipOptions(mode=common.TooltipDisplayMode.SINGLE),
        ),
        statetimeline.FieldConfig(line_width=0, fill_opacity=80),
    )


def _table(view: View) -> tuple[object, object]:
    del view
    return (
        table.Options(
            show_header=True,
            cell_height=common.TableCellHeight.SM,
        ),
        common.TableFieldOptions(
            align=common.FieldTextAlignment.AUTO,
            cell_options=common.TableAutoCellOptions(),
        ),
    )


def _logs(view: View) -> tuple[object, None]:
    del view
    return (
        logs.Options(
            show_time=True,
            wrap_log_message=True,
            enable_log_details=True,
            sort_order=common.LogsSortOrder.DESCENDING,
            dedup_strategy=common.LogsDedupStrategy.NONE,
        ),
        None,
    )


def _graph(view: View) -> tuple[object, None]:
    return (
        nodegraph.Options(
            nodes=nodegraph.NodeOptions(
                main_stat_unit=view.unit, secondary_stat_unit="percentunit"
            ),
            edges=nodegraph.EdgeOptions(main_stat_unit=view.unit, secondary_stat_unit="s"),
            zoom_mode=nodegraph.ZoomMode.COOPERATIVE,
        ),
        None,
    )


LOOKS: Final[dict[Kind, Callable[[View], tuple[object, object | None]]]] = {
    Kind.LINES: _lines,
    Kind.STAT: _stat,
    Kind.BARS: _bars,
    Kind.HEATMAP: _heatmap,
    Kind.STATES: _states,
    Kind.TABLE: _table,
    Kind.LOGS: _logs,
    Kind.GRAPH: _graph,
}
"""Each kind's options and field settings; None where it has no field settings."""
