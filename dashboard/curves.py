"""Learning curves, growing and finished: one look, with what they are held against as lines."""

from collections.abc import Mapping, Sequence

import numpy as np
import plotly.graph_objects as go

from dashboard.chart import Theme, blank, level_line, log_axis, style_of, theme
from dashboard.results import Fits, Row
from dashboard.words import part_of
from forecasting.experiment import Experiment
from forecasting.models.linear import Linear
from forecasting.models.naive import Naive

HEIGHT = 330
HELD_AGAINST = (Naive.name, Linear.name)
"""Models whose validation MSE stands as a line among the curves of those that are trained."""


def lines_of(rows: Sequence[Row], floor: float | None, experiment: Experiment) -> dict[str, float]:
    """What learning curves are held against, by name: naive, linear and the noise floor, where losses are in their scale.

    Args:
        rows: the models of the experiment.
        floor: the noise floor, in units squared; None where it is not known.
        experiment: the settings.
    """
    iterated = any(getattr(row.model, "strategy", "direct") == "iterated" for row in rows)  # losses of the next step alone
    if in_another_scale(experiment) or experiment.training.loss != "mse" or iterated:
        return {}
    errors = {row.model.title: row.middle("valid_mse") for row in rows if row.model.name in HELD_AGAINST}
    return {name: value for name, value in (errors | {"noise floor": floor}).items() if value}


def curves_figure(rows: Sequence[Fits], lines: Mapping[str, float], scaled: bool) -> go.Figure:
    """Training loss thin, validation loss thick, over the epochs, on a log axis; one pair of lines per seed, a ring around
    the epoch with the lowest validation loss.

    Args:
        rows: the models.
        lines: what they are held against: see `lines_of`.
        scaled: see `in_another_scale`.
    """
    colours = theme()
    figure = blank(HEIGHT, "epoch", _loss(scaled))
    shown, most = list(lines.values()), 1
    for row in rows:
        colour, dash, _ = style_of(rows, row, colours)
        for i, outcome in enumerate(outcome for outcome in row.outcomes if outcome.view and outcome.view.epochs):
            points = outcome.view.epochs if outcome.view else []
            epochs = [point.epoch for point in points]
            most = max(most, epochs[-1])
            seed = f", {part_of(outcome.fit)}" if len(row.outcomes) > 1 else ""
            for values, width, what in (
                ([point.loss for point in points], 1, "training"),
                ([point.valid_loss for point in points], 2.5, "validation"),
            ):
                shown += values
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
            best = min(points, key=lambda point: point.valid_loss if np.isfinite(point.valid_loss) else np.inf)
            figure.add_trace(
                go.Scatter(
                    x=[best.epoch],
                    y=[best.valid_loss],
                    legendgroup=row.label,
                    showlegend=False,
                    mode="markers",
                    marker={"symbol": "circle-open", "size": 11, "color": colour, "line": {"width": 2}},
                    hovertemplate=f"{row.label}{seed}, best epoch: {best.epoch}<extra></extra>",
                )
            )
    for name, value in lines.items():
        level_line(figure, name, value, colours)
    figure.update_yaxes(log_axis(shown))
    figure.update_xaxes(rangemode="tozero", tickformat="d", dtick=1 if most <= 20 else None)
    return figure


def in_another_scale(experiment: Experiment) -> bool:
    """Whether losses are in another scale than the series: networks see them scaled, transformed, or as differences."""
    task = experiment.task
    return experiment.plan is not None or bool(task.lags) or (task.scaling, task.transform) != ("none", "none")


def _loss(scaled: bool) -> str:
    return "loss: MSE of what the models see" if scaled else "loss: MSE"


def live_chart(rows: Sequence[Fits], lines: Mapping[str, float], colours: Theme, scaled: bool) -> dict:
    """The learning curves while they grow, for ECharts, which keeps its place in the page from tick to tick.

    Args:
        rows: the models.
        lines: what they are held against: see `lines_of`.
        colours: of the page's theme.
        scaled: see `in_another_scale`.
    """
    series: list[dict] = []
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
    text = {"color": colours.muted}
    for name, value in lines.items():
        series.append(
            {
                "name": name,
                "type": "line",
                "data": [[0, value], [most, value]],
                "symbol": "none",
                "color": colours.muted,
                "lineStyle": {"width": 1, "type": "dotted"},
                "endLabel": {"show": True, "formatter": name, "align": "right", "verticalAlign": "bottom", **text},
                "animation": False,
            }
        )
    named = [row.label for row in rows if row.model.trained]
    grid = {"splitLine": {"lineStyle": {"color": colours.faint}}}
    axis = {"nameLocation": "middle", "nameTextStyle": text, "axisLabel": text, **grid}
    return {
        "grid": {"left": 28, "right": 12, "top": 16, "bottom": 56, "containLabel": True},
        "legend": {"bottom": 0, "type": "scroll", "data": named, "textStyle": text},
        "tooltip": {"trigger": "axis"},
        "xAxis": {"type": "value", "name": "epoch", "nameGap": 28, "min": 0, "max": most, "minInterval": 1, **axis},
        "yAxis": {"type": "log", "name": _loss(scaled), "nameGap": 52, **axis},
        "series": series,
    }
