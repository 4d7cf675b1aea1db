"""The Lab's charts: series, scores, forecasts, errors."""

import html
from dataclasses import replace
from typing import Any

import numpy as np
import plotly.graph_objects as go

from dashboard.chart import Theme, axis, blank, level_line, log_axis, style_of, theme
from dashboard.results import Row
from dashboard.words import digits, moment, shortened
from forecasting.data import Split, Windows

TRUTH = "Truth"
NEAR = 10
"""Values before a single step ahead that are drawn with it."""


def _axis(part: Windows, index: int, steps: list[int]) -> tuple[np.ndarray, np.ndarray, str]:
    """Positions of the look-back and of the steps ahead, counted from the last value seen (0), and what that is."""
    title = f"{_whose(part, index)}: steps from the last value seen"
    return np.arange(-part.x.shape[1] + 1, 1), np.array(steps), title


def _whose(part: Windows, index: int) -> str:
    """The series of a window, and where the series has a calendar the first moment to forecast."""
    first = part.ds[index]
    if isinstance(first, np.datetime64):
        return f"{html.escape(str(part.unique_id[index]))}, {moment(first)}"
    return f"series {part.unique_id[index]}"


def series_figure(split: Split, indices: list[int], steps: list[int], unit: str) -> go.Figure:
    """A few series side by side: the look-back as a line, the values to forecast as crosses.

    Args:
        split: the windows; those of the validation part are drawn.
        indices: which of them.
        steps: the steps ahead that are forecast, counted from 1.
        unit: of the series.
    """
    colours, part = theme(), split.valid.take(np.array(indices))
    seen_values, truths = part.known(), part.in_units(part.y)[:, :: part.n_targets]
    line = {"color": colours.ink, "width": 1.2}
    marker = {"color": colours.accent, "symbol": "x-thin", "size": 7, "line": {"width": 2, "color": colours.accent}}
    traces, axes, width = [], {}, 1 / len(indices)
    for i in range(len(part)):
        (seen, ahead, _), title = _axis(part, i, steps), _whose(part, i)
        number = "" if i == 0 else str(i + 1)
        place = {"xaxis": f"x{number}", "showlegend": i == 0}
        traces += _other_channels(part, i, 0, seen, colours, **place)
        traces.append(go.Scatter(x=seen, y=seen_values[i], name="look-back", line=line, **_drawn(part), **place))
        traces += _filled_in(part, i, 0, seen, colours, **place)
        traces.append(go.Scatter(x=ahead, y=truths[i], name="to forecast", mode="markers", marker=marker, **place))
        domain = [i * width + 0.015 * (i > 0), (i + 1) * width - 0.015 * (i < len(indices) - 1)]
        axes[f"xaxis{number}"] = {"domain": domain, **axis(title.replace(", ", "<br>"), colours)}
    figure = blank(230, "", unit)
    figure.add_traces(traces)
    figure.update_layout(hovermode="closest", **axes)
    return figure


def _drawn(part: Windows) -> dict[str, Any]:
    """How the look-back is drawn: as a line, with its points where some of them may stand alone."""
    return {"mode": "lines+markers", "marker_size": 3} if part.missing.any() else {"mode": "lines"}


def _filled_in(part: Windows, index: int, channel: int, seen: np.ndarray, colours: Theme, **place: Any) -> list[go.Scatter]:
    """What is in the place of masked values, and what was there."""
    missing = part.missing[index, :, channel]
    if not missing.any():
        return []
    filled, traces = np.where(missing, part.seen(channel)[index], np.nan), []
    ring = {"color": colours.accent, "symbol": "circle-open", "size": 4}
    if part.complete is not None:
        whole = replace(part, x=part.complete).seen(channel)[index]
        near = missing | np.roll(missing, 1) | np.roll(missing, -1)
        line = {"color": colours.palette[0], "width": 1, "dash": "dot"}
        traces.append(go.Scatter(x=seen, y=np.where(near, whole, np.nan), name="masked", mode="lines", line=line, **place))
    if np.isfinite(filled).any():
        traces.append(go.Scatter(x=seen, y=filled, name="filled in", mode="markers", marker=ring, **place))
    return traces


def _other_channels(
    part: Windows, index: int, channel: int, seen: np.ndarray, colours: Theme, **place: Any
) -> list[go.Scatter]:
    """The other channels of a window, thin and faint."""
    others = [i for i in range(part.x.shape[2]) if i != channel]
    dashes = ("solid", "dash", "dot", "dashdot", "longdash", "longdashdot", "solid")
    return [
        go.Scatter(
            x=seen,
            y=part.known(i)[index],
            name=html.escape(part.channel_name(i)),
            mode="lines",
            line={"color": colours.palette[0], "width": 1, "dash": dash},
            **place,
        )
        for i, dash in zip(others, dashes, strict=False)
    ]


def mse_figure(rows: list[Row], floor: float | None, unit: str) -> go.Figure:
    """Validation MSE of the scored models on a log axis, which has no zero that bars could begin at: a point each, the best
    on top, the noise floor as a line.

    Args:
        rows: all models; those without a score are not drawn.
        floor: the noise floor, in units squared; None where it is not known.
        unit: of the series.
    """
    colours = theme()
    scored = sorted((row for row in rows if row.scored), key=lambda row: -(row.middle("valid_mse") or 0.0))
    figure = blank(max(150, 70 + 36 * len(scored)), f"MSE ({unit}², log scale)", "")
    for place, row in enumerate(scored):
        mse = row.middle("valid_mse") or 0.0
        colour, _, marker = style_of(rows, row, colours)
        spread = "" if row.spread is None else f" ± {digits(row.spread[1])}"
        figure.add_trace(
            go.Scatter(
                x=[mse],
                y=[place],
                name=row.label,
                mode="markers+text",
                marker={"color": colour, "symbol": marker, "size": 11, "line": {"width": 1.5, "color": colour}},
                error_x=None if row.spread is None else {"array": [row.spread[1]], "color": colour, "thickness": 1.5},
                text=f"  {digits(mse)}{spread}",
                textposition="middle right",
                cliponaxis=False,
                hovertemplate=f"{row.label}: {digits(mse)}{spread}<extra></extra>",
            )
        )
        # Above the line, and not beside it: a long name would leave the points no room.
        above = {"x": 0, "xref": "paper", "xanchor": "left", "y": place + 0.12, "yanchor": "bottom", "showarrow": False}
        figure.add_annotation(text=shortened(row.label), bgcolor=colours.paper, borderpad=1, **above)
        if mse == 0:  # no place on a log axis
            nought = {"x": 0, "xref": "paper", "xanchor": "left", "yanchor": "middle", "showarrow": False}
            figure.add_annotation(text="0", y=place, bgcolor=colours.paper, **nought)
        figure.add_hline(y=place, line={"color": colours.faint, "width": 1}, layer="below")
    values = [row.middle("valid_mse") or 0.0 for row in scored]
    figure.update_xaxes(log_axis([*values, floor or 0.0]))
    if figure.layout.xaxis.range:
        low, high = figure.layout.xaxis.range
        room = (0.9 if any(row.spread for row in scored) else 0.35) * (high - low)  # for the numbers beside the points
        figure.update_xaxes(range=[low, high + room])
        if high - low > 1:  # in a narrow column more than a tick to a decade would run together
            figure.update_xaxes(dtick=max(1, int(np.ceil((high - low) / 5))))
    if floor:
        figure.add_vline(x=floor, line={"color": colours.muted, "width": 1.5, "dash": "dot"})
        about = {"text": "noise floor", "showarrow": False, "font": {"color": colours.muted, "size": 11}}
        figure.add_annotation(x=np.log10(floor), y=0, yref="paper", xanchor="left", yanchor="bottom", **about)
    figure.update_layout(showlegend=False, hovermode="closest")
    figure.update_yaxes(showgrid=False, showticklabels=False, range=[-0.7, max(len(scored), 2) - 0.2])
    return figure


def forecast_figure(rows: list[Row], split: Split, index: int, channel: int, steps: list[int], unit: str) -> go.Figure:
    """One window of the validation part: look-back, truth, and every model's forecast of one channel.

    Args:
        rows: the models; those without forecasts are not drawn.
        split: the windows.
        index: which one of the validation part.
        channel: which one, counted from 0.
        steps: the steps ahead that are forecast, counted from 1.
        unit: of the series.
    """
    colours, part = theme(), split.valid.take(np.array([index]))
    asked = slice(channel, None, part.n_targets)
    truth = part.in_units(part.y)[0, asked]
    seen, ahead, title = _axis(part, 0, steps)
    figure = blank(340 + 9 * max(0, len(rows) - 8), title, unit)  # the legend of many models takes its room
    line = {"color": colours.ink, "width": 1.3}
    figure.add_traces(_other_channels(part, 0, channel, seen, colours))
    figure.add_trace(go.Scatter(x=seen, y=part.known(channel)[0], name="look-back", line=line, **_drawn(part)))
    figure.add_traces(_filled_in(part, 0, channel, seen, colours))
    cross = {"color": colours.ink, "symbol": "x", "size": 9}
    figure.add_trace(go.Scatter(x=ahead, y=truth, name=TRUTH, mode="markers", marker=cross))
    for row in rows:
        y_hat = None if row.typical is None else row.typical.forecasts("valid")
        if y_hat is None:
            continue
        colour, dash, marker = style_of(rows, row, colours)
        figure.add_trace(
            go.Scatter(
                x=ahead,
                y=y_hat[index, asked],
                name=row.label,
                mode="lines+markers",
                line={"color": colour, "width": 2, "dash": dash},
                marker={"symbol": marker, "size": 7},
                hovertemplate=f"{row.label}: %{{y:.4g}}<extra></extra>",
            )
        )
    figure.add_vline(x=0.5, line={"color": colours.faint, "width": 1, "dash": "dash"})
    if len(steps) == 1:  # beside a whole look-back the forecasts of one step would lie over each other
        last = part.known(channel)[0, -NEAR:]
        shown = np.concatenate(
            [last, truth, *(np.asarray(trace.y, "float64") for trace in figure.data if len(trace.y) == 1)]
        )
        room = 0.08 * np.ptp(shown[np.isfinite(shown)])
        figure.update_xaxes(range=[1 - NEAR, steps[0] + 0.05 * (steps[0] + NEAR)])
        figure.update_yaxes(range=[np.nanmin(shown) - room, np.nanmax(shown) + room])
    return figure


def per_step_figure(rows: list[Row], steps: list[int], floor: float | None, unit: str) -> go.Figure:
    """Validation MSE of each step ahead.

    Args:
        rows: the models; those without a score are not drawn.
        steps: the steps ahead that are forecast, counted from 1.
        floor: the noise floor, in units squared; None where it is not known.
        unit: of the series.
    """
    colours = theme()
    figure = blank(300, "step ahead", f"validation MSE ({unit}²)")
    for row in rows:
        per_step = row.per_step
        if per_step is None:
            continue
        colour, dash, marker = style_of(rows, row, colours)
        figure.add_trace(
            go.Scatter(
                x=steps,
                y=per_step,
                name=row.label,
                mode="lines+markers",
                line={"color": colour, "width": 2, "dash": dash},
                marker={"symbol": marker, "size": 7},
                hovertemplate=f"{row.label}: %{{y:.3g}}<extra></extra>",
            )
        )
    if floor:
        level_line(figure, "noise floor", floor, colours)
    figure.update_yaxes(log_axis([floor or 0.0, *(mse for row in rows for mse in row.per_step or ())]))
    figure.update_xaxes(dtick=1 if len(steps) <= 20 else None)
    return figure


def distribution_figure(rows: list[Row], split: Split, unit: str) -> go.Figure:
    """How the errors (forecast minus truth) of each model are distributed, as lines over shared bins.

    Args:
        rows: the models; those without forecasts are not drawn.
        split: the windows, with the truth of the validation part.
        unit: of the series.
    """
    colours = theme()
    truth = split.valid.in_units(split.valid.y)
    errors = []
    for row in rows:
        y_hat = None if row.typical is None else row.typical.forecasts("valid")
        if y_hat is not None:
            error = (y_hat - truth).ravel()
            errors.append((row, error[np.isfinite(error)]))
    figure = blank(300, f"error: forecast minus truth ({unit})", "share of forecasts")
    if not errors:
        return figure
    limit = max(float(np.quantile(np.abs(error), 0.99)) for _, error in errors) or 1.0
    edges = np.linspace(-limit, limit, 61)
    for row, error in errors:
        colour, dash, _ = style_of(rows, row, colours)
        share = np.histogram(error, edges)[0] / len(error)
        figure.add_trace(
            go.Scatter(
                x=(edges[:-1] + edges[1:]) / 2,
                y=share,
                name=row.label,
                mode="lines",
                line={"color": colour, "width": 2, "dash": dash, "shape": "hvh"},
                hovertemplate=f"{row.label}: %{{y:.1%}}<extra></extra>",
            )
        )
    figure.update_yaxes(tickformat=".1~%", rangemode="tozero")
    return figure
