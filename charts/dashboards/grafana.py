"""Turns what a dashboard shows into Grafana's JSON.

Only what Grafana 10 and newer all read alike is used: graphs, single figures, rows.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from string import ascii_uppercase
from typing import Final

from grafana_foundation_sdk.builders import common as common_builders
from grafana_foundation_sdk.builders import dashboard as board_builders
from grafana_foundation_sdk.builders import prometheus, stat, timeseries
from grafana_foundation_sdk.cog.encoder import JSONEncoder
from grafana_foundation_sdk.models import common, dashboard

TAG: Final = "scripta"
_DATASOURCE: Final = dashboard.DataSourceRef(type_val="prometheus", uid="${datasource}")
_GREEN, _ORANGE, _RED = "green", "orange", "red"
_GRAPH_HEIGHT: Final = 8
_FIGURE_HEIGHT: Final = 4


@dataclass(frozen=True, slots=True)
class Query:
    """An expression and what its series are called, in Grafana's template language."""

    expression: str
    legend: str


@dataclass(frozen=True, slots=True)
class Limits:
    """Where a value becomes worth a look, and where it is bad; up or down from there."""

    look: float
    bad: float

    def steps(self) -> list[dashboard.Threshold]:
        """Returns them as Grafana's steps, which go upwards."""
        if self.look <= self.bad:
            colours = [(None, _GREEN), (self.look, _ORANGE), (self.bad, _RED)]
        else:
            colours = [(None, _RED), (self.bad, _ORANGE), (self.look, _GREEN)]
        return [dashboard.Threshold(value=value, color=colour) for value, colour in colours]


@dataclass(frozen=True, slots=True, kw_only=True)
class Panel:
    """What a panel shows.

    Attributes:
        title: Its title.
        description: What the values mean and when they matter.
        unit: Grafana's name of the unit.
        queries: What it asks Prometheus.
        width: Columns of 24.
        limits: Thresholds, drawn as lines in a graph and as colour of a figure.
        highest: Upper end of the axis, where the values have one.
        stacked: Whether series add up to something.
        figure: Whether it shows the last value alone.
    """

    title: str
    description: str
    unit: str
    queries: Sequence[Query]
    width: int = 8
    limits: Limits | None = None
    highest: float | None = None
    stacked: bool = False
    figure: bool = False


@dataclass(frozen=True, slots=True)
class Row:
    """A heading with its panels."""

    title: str
    panels: Sequence[Panel]


@dataclass(frozen=True, slots=True, kw_only=True)
class Board:
    """A dashboard; its ``uid`` is its address and never changes."""

    uid: str
    title: str
    description: str
    rows: Sequence[Row]


def to_json(board: Board) -> str:
    """Returns a dashboard as Grafana imports it; the same text for the same dashboard."""
    builder = (
        board_builders.Dashboard(f"Scripta / {board.title}")
        .uid(board.uid)
        .description(board.description)
        .tags([TAG])
        .timezone("browser")
        .tooltip(dashboard.DashboardCursorSync.CROSSHAIR)
        .time("now-1h", "now")
        .refresh("30s")
        .editable()
        .variables([_datasource_variable(), _namespace_variable()])
        .link(_links())
    )
    numbers = iter(range(1, 1000))
    for row in board.rows:
        builder.with_row(board_builders.Row(row.title).id(next(numbers)))
        for panel in row.panels:
            builder.with_panel(_panel(panel).id(next(numbers)))
    return json.dumps(builder.build(), cls=JSONEncoder, indent=2, sort_keys=True) + "\n"


def _datasource_variable() -> board_builders.DatasourceVariable:
    return board_builders.DatasourceVariable("datasource").label("Prometheus").type("prometheus")


def _namespace_variable() -> board_builders.QueryVariable:
    everything = dashboard.VariableOption(selected=True, text="All", value="$__all")
    return (
        board_builders.QueryVariable("namespace")
        .label("Namespace")
        .datasource(_DATASOURCE)
        .query("label_values(scripta_build_info, namespace)")
        .refresh(dashboard.VariableRefresh.ON_TIME_RANGE_CHANGED)
        .sort(dashboard.VariableSort.ALPHABETICAL_ASC)
        .multi(True)
        .include_all(True)
        # Also without a namespace, as a Prometheus outside a cluster scrapes.
        .all_value(".*")
        .current(everything)
    )


def _links() -> board_builders.DashboardLink:
    return (
        board_builders.DashboardLink("Scripta")
        .type(dashboard.DashboardLinkType.DASHBOARDS)
        .tags([TAG])
        .include_vars(True)
        .keep_time(True)
    )


def _panel(panel: Panel) -> stat.Panel | timeseries.Panel:
    builder = _figure(panel) if panel.figure else _graph(panel)
    builder.title(panel.title).description(panel.description).unit(panel.unit)
    builder.datasource(_DATASOURCE).span(panel.width)
    builder.targets(list(_targets(panel)))
    steps = panel.limits.steps() if panel.limits else [dashboard.Threshold(color=_GREEN)]
    builder.thresholds(
        board_builders.ThresholdsConfig().mode(dashboard.ThresholdsMode.ABSOLUTE).steps(steps)
    )
    if panel.highest is not None:
        builder.max(panel.highest)
    return builder


def _figure(panel: Panel) -> stat.Panel:
    return (
        stat.Panel()
        .height(_FIGURE_HEIGHT)
        .no_value("none yet")
        .reduce_options(common_builders.ReduceDataOptions().calcs(["lastNotNull"]))
        .color_mode(common.BigValueColorMode.VALUE)
        .graph_mode(common.BigValueGraphMode.NONE)
        .text_mode(
            common.BigValueTextMode.VALUE_AND_NAME
            if len(panel.queries) > 1
            else common.BigValueTextMode.AUTO
        )
    )


def _graph(panel: Panel) -> timeseries.Panel:
    stacking = common.StackingMode.NORMAL if panel.stacked else common.StackingMode.NONE
    lines = common.GraphTresholdsStyleMode
    return (
        timeseries.Panel()
        .height(_GRAPH_HEIGHT)
        .min(0)
        .line_width(1)
        .fill_opacity(30 if panel.stacked else 8)
        .show_points(common.VisibilityMode.NEVER)
        .stacking(common_builders.StackingConfig().mode(stacking))
        .thresholds_style(
            common_builders.GraphThresholdsStyleConfig().mode(
                lines.DASHED if panel.limits else lines.OFF
            )
        )
        .tooltip(
            common_builders.VizTooltipOptions()
            .mode(common.TooltipDisplayMode.MULTI)
            .sort(common.SortOrder.DESCENDING)
        )
        .legend(
            common_builders.VizLegendOptions()
            .show_legend(True)
            .display_mode(common.LegendDisplayMode.LIST)
            .placement(common.LegendPlacement.BOTTOM)
        )
    )


def _targets(panel: Panel) -> Iterator[prometheus.Dataquery]:
    for letter, query in zip(ascii_uppercase, panel.queries, strict=False):
        target = (
            prometheus.Dataquery()
            .datasource(_DATASOURCE)
            .ref_id(letter)
            .expr(query.expression)
            .legend_format(query.legend)
        )
        yield target.instant() if panel.figure else target.range()
