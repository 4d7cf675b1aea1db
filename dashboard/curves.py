"""Learning curves, finished and live."""

from collections.abc import Sequence

import numpy as np
import plotly.graph_objects as go

from dashboard.chart import Theme, blank, floor_line, style_of, theme
from dashboard.results import Fits
from dashboard.words import part_of
from forecasting.experiment import Experiment


def curves_figure(rows: Sequence[Fits], floor: float | None, scaled: bool) -> go.Figure:
    """Training loss thin, validation loss thick, over the epochs, on a log axis; one pair of lines per seed.

    Args:
        rows: the models.
        floor: the noise floor, in units squared; None where it is not known.
        scaled: see `in_another_scale`: then the floor is not drawn.
    """
    colours = theme()
    figure = blank(330, "epoch", _loss(scaled))
    for row in rows:
        colour, dash, _ = style_of(rows, row, colours)
        for i, outcome in enumerate(outcome for outcome in row.outcomes if outcome.view and outcome.view.epochs):
            points = outcome.view.epochs if outcome.view else []
            epochs = [point.epoch for point in points]
            seed = f", {part_of(outcome.fit)}" if len(row.outcomes) > 1 else ""
            for values, width, what in (
                ([point.loss for point in points], 1, "training"),
                ([point.valid_loss for point in points], 2.5, "validation"),
            ):
                figure.add_trace(
                    go.Scatter(
                        x=epochs,
                        y=values,
                        name=row.label,
                        legendgroup=row.label,
                        showlegend=what == "validation" and i == 0,
                        mode="lines+markers" if len(points) == 1 else "lines",
                        line={"color": colour, "width": width, "dash": dash},
                        hovertemplate=f"{row.label}{seed}, {what}: %{{y:.3g}}<extra></extra>",
                    )
                )
    if floor and not scaled:
        floor_line(figure, floor, colours)
    figure.update_yaxes(type="log", exponentformat="power")
    return figure


def in_another_scale(experiment: Experiment) -> bool:
    """Whether losses are in another scale than the series: networks see them scaled, transformed, or as differences."""
    task = experiment.task
    return experiment.plan is not None or bool(task.lags) or (task.scaling, task.transform) != ("none", "none")


def _loss(scaled: bool) -> str:
    return "loss: MSE of what the models see" if scaled else "loss: MSE"


def live_chart(rows: Sequence[Fits], colours: Theme, scaled: bool) -> dict:
    """The learning curves while they grow, for ECharts, which keeps its place in the page from tick to tick.

    Args:
        rows: the models.
        colours: of the page's theme.
        scaled: see `in_another_scale`.
    """
    series = []
    for row in rows:
        colour, dash, _ = style_of(rows, row, colours)
        dashes = {"solid": "solid", "dash": "dashed"}.get(dash, "dotted")
        for outcome in row.outcomes:
            points = outcome.view.epochs if outcome.view else []
            for width, values in (
                (1, [[point.epoch, point.loss] for point in points]),
                (2.5, [[point.epoch, point.valid_loss] for point in points]),
            ):
                series.append(
                    {
                        "name": row.label,
                        "type": "line",
                        "data": [point for point in values if np.isfinite(point[1])],
                        "showSymbol": len(points) == 1,
                        "color": colour,
                        "lineStyle": {"width": width, "type": dashes},
                        "animation": False,
                    }
                )
    most = max((outcome.fit.training.epochs for row in rows for outcome in row.outcomes if outcome.fit.training), default=1)
    return {
        "grid": {"left": 12, "right": 12, "top": 12, "bottom": 48, "containLabel": True},
        "legend": {"bottom": 0, "type": "scroll", "data": [row.label for row in rows if row.model.trained]},
        "tooltip": {"trigger": "axis"},
        "xAxis": {"type": "value", "name": "epoch", "nameLocation": "middle", "nameGap": 24, "min": 0, "max": most},
        "yAxis": {"type": "log", "name": _loss(scaled), "nameLocation": "middle", "nameGap": 44},
        "series": series,
    }
