"""Charts of whole series: their past, their forecasts with intervals, and a look at what they are made of."""

import numpy as np
import pandas as pd
import plotly.graph_objects as go
from plotly.subplots import make_subplots
from tsdownsample import MinMaxLTTBDownsampler

from dashboard.chart import MARKERS, Theme, axis, blank, on_touch, theme
from dashboard.results import place_of
from dashboard.words import shortened
from forecasting.data.diagnostics import Decomposition
from forecasting.models import MODELS
from forecasting.panels.forecast import Forecast

INNER, OUTER = 0.4, 0.2
"""How much colour the band of the lowest level has, and that of the others."""
MOST_POINTS = 3_000
"""Points of a line that are drawn; of longer ones those that keep its shape."""


def thinned(x: pd.DatetimeIndex, y: np.ndarray) -> tuple[pd.DatetimeIndex, np.ndarray]:
    """A long line by the few of its points that keep its shape (MinMaxLTTB), its gaps with them."""
    if len(y) <= MOST_POINTS:
        return x, y
    known = np.flatnonzero(np.isfinite(y))
    kept = known[MinMaxLTTBDownsampler().downsample(np.ascontiguousarray(y[known]), n_out=MOST_POINTS)]
    gaps = np.flatnonzero(np.isnan(y) & np.isfinite(np.roll(y, 1)))
    kept = np.union1d(kept, gaps)
    return x[kept], y[kept]


def colour_of(name: str, colours: Theme) -> tuple[str, str]:
    """Colour and dash of a model: its own, as in the Lab; baselines in grey."""
    place, n = place_of(name), len(colours.coloured)
    if place == 0:
        greys = [other for other in MODELS if place_of(other) == 0]
        return colours.palette[0], ("dot", "dashdot", "longdash", "dash", "solid")[greys.index(name) % 5]
    return colours.coloured[(place - 1) % n], ("solid", "dash", "dot")[(place - 1) // n % 3]


def _history(ds: pd.DatetimeIndex, values: np.ndarray, colours: Theme) -> list[go.Scatter]:
    """A stretch of a series, and where values are missing."""
    x, y = thinned(ds, values)
    mode = "lines+markers" if np.isnan(y).any() or len(y) < 60 else "lines"
    line = {"color": colours.ink, "width": 1.3}
    traces = [go.Scatter(x=x, y=y, name="series", mode=mode, line=line, marker_size=3)]
    missing = ds[np.isnan(values)]
    if len(missing):
        level = np.full(len(missing), np.nanmin(values) if np.isfinite(values).any() else 0.0)
        cross = {"color": colours.accent, "symbol": "x-thin", "size": 6, "line": {"width": 1.5, "color": colours.accent}}
        traces.append(go.Scatter(x=missing, y=level, name="missing", mode="markers", marker=cross))
    return traces


def history_figure(ds: pd.DatetimeIndex, y: np.ndarray, unit: str) -> go.Figure:
    """A stretch of a series as it was read; dragging over the chart chooses one.

    Args:
        ds: the times, `(n,)`.
        y: the values in units, `(n,)`; NaN where they are missing.
        unit: of the series.
    """
    figure = blank(300, "", unit)
    figure.add_traces(_history(ds, y, theme()))
    figure.update_layout(dragmode="select", selectdirection="h")
    return figure


def whole_series_figure(
    forecast: Forecast,
    i: int,
    names: list[str],
    levels: list[float],
    since: int,
    unit: str,
    past: bool,
    came: pd.DataFrame | None = None,
) -> go.Figure:
    """The end of a series and what comes: models as lines, the intervals of the first of them as bands.

    Args:
        forecast: what was made.
        i: which series.
        names: of the models.
        levels: of the bands, in percent.
        since: how many past values are drawn.
        unit: of the series.
        past: whether to draw what the first model would have forecast from each cutoff.
        came: values that have come since, `unique_id, ds, y`; or none.
    """
    colours, panel = theme(), forecast.panel
    h = forecast.tested.y.shape[2]
    times = panel.times_after(i, 0, h)
    figure = blank(420, "", unit)
    colour = colour_of(names[0], colours)[0] if names else colours.accent
    for level in sorted(levels, reverse=True) if names else ():
        low, high = (bound[i] for bound in forecast.bounds(names[0], level))
        figure.add_trace(
            go.Scatter(
                x=np.concatenate([times, times[::-1]]),
                y=np.concatenate([high, low[::-1]]),
                name=f"{level:g} %",
                fill="toself",
                mode="lines",
                line={"width": 0},
                fillcolor=_faded(colour, INNER if level == min(levels) else OUTER),
                legendrank=1_001 + level,
                hoverinfo="skip",
            )
        )
    figure.add_traces(_history(panel.ds[i][-since:], panel.y[i][-since:], colours))
    if past and names:
        figure.add_traces(_past(forecast, i, names[0], colours))
    for name in names:
        own, dash = colour_of(name, colours)
        figure.add_trace(
            go.Scatter(
                x=times,
                y=forecast.ahead[name][i],
                name=MODELS[name].title,
                mode="lines+markers" if h <= 48 else "lines",
                line={"color": own, "width": 2.2, "dash": dash},
                marker={"size": 4},
                hovertemplate=_with_bounds(name, levels) if name == names[0] else None,
                customdata=_bounds(forecast, i, name, levels) if name == names[0] else None,
            )
        )
    if came is not None:
        own = came[came["unique_id"] == str(panel.ids[i])]
        cross = {"color": colours.ink, "symbol": "x", "size": 6}
        figure.add_trace(go.Scatter(x=own["ds"], y=own["y"], name="what came", mode="markers", marker=cross))
    return figure


SIDE_BY_SIDE = 12
"""Small charts of series that are drawn at once."""


def side_by_side(forecast: Forecast, i: int, names: list[str], levels: list[float], since: int, unit: str) -> go.Figure:
    """Small charts, one per series, from the chosen one on; each with an axis of its own.

    Args:
        forecast: what was made.
        i: the first series.
        names, levels, since, unit: as `whole_series_figure` takes them.
    """
    places = range(i, min(i + SIDE_BY_SIDE, len(forecast.panel.ids)))
    across = 1 if on_touch() else min(3, len(places))
    down = -(-len(places) // across)
    titles = [shortened(forecast.panel.ids[place], 30) for place in places]
    figure = make_subplots(down, across, subplot_titles=titles, vertical_spacing=0.32 / down, horizontal_spacing=0.06)
    figure.update_annotations(font_size=12)
    figure.update_layout(blank(90 + 170 * down, "", "").layout.to_plotly_json() | {"hovermode": "closest"})
    for nth, place in enumerate(places):
        alone = whole_series_figure(forecast, place, names, levels, since, unit, past=False)
        where = {"row": 1 + nth // across, "col": 1 + nth % across}
        for trace in alone.data:
            figure.add_trace(trace.update(showlegend=nth == 0 and trace.name is not None, legendgroup=trace.name), **where)
        figure.update_xaxes(axis("", theme()) | {"nticks": 4}, **where)
        figure.update_yaxes(axis("", theme()) | {"nticks": 4}, **where)
    return figure


def _bounds(forecast: Forecast, i: int, name: str, levels: list[float]) -> np.ndarray:
    """The bounds of a model at each level and step ahead, `(h, 2 · n_levels)`."""
    bounds = [bound[i] for level in sorted(levels) for bound in forecast.bounds(name, level)]
    return np.column_stack(bounds) if bounds else np.zeros((len(forecast.ahead[name][i]), 0))


def _with_bounds(name: str, levels: list[float]) -> str:
    """What stands beside a step of a model: its forecast, and below it the bounds of each level."""
    lines = [
        f"{level:g} %: %{{customdata[{2 * place}]:.4g}} to %{{customdata[{2 * place + 1}]:.4g}}"
        for place, level in enumerate(sorted(levels))
    ]
    return "<br>".join([f"{MODELS[name].title}: %{{y:.4g}}", *lines]) + "<extra></extra>"


def _past(forecast: Forecast, i: int, name: str, colours: Theme) -> list[go.Scatter]:
    tested, panel = forecast.tested, forecast.panel
    colour = colour_of(name, colours)[0]
    return [
        go.Scatter(
            x=panel.times_after(i, back, tested.y.shape[2]),
            y=tested.y_hat[name][k, i],
            name="from past cutoffs",
            legendgroup="past",
            showlegend=k == len(tested.cutoff_offsets) - 1,
            mode="lines",
            line={"color": colour, "width": 1.3, "dash": "dot"},
        )
        for k, back in enumerate(tested.cutoff_offsets)
        if np.isfinite(tested.y_hat[name][k, i]).any()  # of a short series there are forecasts beyond its end alone
    ]


def _faded(colour: str, share: float) -> str:
    red, green, blue = (int(colour[i : i + 2], 16) for i in (1, 3, 5))
    return f"rgba({red},{green},{blue},{share})"


def mase_figure(forecast: Forecast, by: str) -> go.Figure:
    """MASE of every model per step ahead, or per cutoff."""
    colours, tested = theme(), forecast.tested
    if by == "step":
        places: list = list(range(1, tested.y.shape[2] + 1))
    else:
        longest = int(np.argmax([len(y) for y in forecast.panel.y]))
        places = [forecast.panel.cutoff(longest, back) for back in tested.cutoff_offsets]
    figure = blank(300, "step ahead" if by == "step" else "cutoff", "MASE")
    for place, name in enumerate(tested.y_hat):
        colour, dash = colour_of(name, colours)
        figure.add_trace(
            go.Scatter(
                x=places,
                y=tested.mase_by_step(name) if by == "step" else tested.mase_by_cutoff(name),
                name=MODELS[name].title,
                mode="lines+markers",
                line={"color": colour, "width": 2, "dash": dash},
                marker={"symbol": MARKERS[place % len(MARKERS)], "size": 6},
                hovertemplate=f"{MODELS[name].title}: %{{y:.3g}}<extra></extra>",
            )
        )
    figure.update_yaxes(rangemode="tozero")
    return figure


# ------------------------------------------------------------------------------------------------------------- a look


def decomposition_figure(ds: pd.DatetimeIndex, parts: Decomposition, unit: str) -> go.Figure:
    """Trend, season and rest, one above the other.

    Args:
        ds: the times, `(n,)`.
        parts: in units, `(n,)` each.
        unit: of the series.
    """
    colours = theme()
    figure = blank(420, "", "")
    for place, (name, values) in enumerate((("rest", parts.rest), ("season", parts.season), ("trend", parts.trend))):
        number = "" if place == 0 else str(place + 1)
        x, y = thinned(ds, values)
        figure.add_trace(go.Scatter(x=x, y=y, name=name, mode="lines", line={"color": colours.ink, "width": 1.2}))
        figure.data[-1].update(yaxis=f"y{number}")
        figure.update_layout(
            {
                f"yaxis{number}": {
                    "domain": [place / 3 + 0.02, (place + 1) / 3 - 0.02],
                    "title": f"{name} ({unit})",
                    "automargin": True,
                    "zeroline": False,
                }
            }
        )
    figure.update_layout(showlegend=False, hovermode="closest")
    return figure


def autocorrelation_figure(values: np.ndarray, n: int, season: int) -> go.Figure:
    """Correlation with earlier values, and the 95 % band of a series without any (±1.96 / √n; Bartlett, 1946).

    Args:
        values: the correlations at lags 0, 1, …, `(n_lags + 1,)`.
        n: the length of the series.
        season: steps, where a line is drawn; 1 for none.
    """
    colours = theme()
    figure = blank(320, "lag (steps)", "autocorrelation")
    lags = np.arange(1, len(values))
    figure.add_trace(go.Bar(x=lags, y=values[1:], marker_color=colours.coloured[0], name="correlation"))
    for bound in (1.96 / np.sqrt(n), -1.96 / np.sqrt(n)):
        figure.add_hline(y=bound, line={"color": colours.ink, "width": 1, "dash": "dot"})
    if season > 1:
        figure.add_vline(x=season, line={"color": colours.accent, "width": 1, "dash": "dash"})
    figure.update_layout(showlegend=False, hovermode="closest", bargap=0.3)
    return figure


def spectrum_figure(periods: np.ndarray, share: np.ndarray, season: int) -> go.Figure:
    """How much of the variance lies at each period.

    Args:
        periods: in steps, `(n_periods,)`.
        share: of the variance at each, from 0 to 1, `(n_periods,)`.
        season: steps, where a line is drawn; 1 for none.
    """
    colours = theme()
    figure = blank(320, "period (steps, log scale)", "share of the variance")
    line = {"color": colours.ink, "width": 1.2}
    figure.add_trace(go.Scatter(x=periods, y=share, name="share", mode="lines", line=line))
    if season > 1:
        figure.add_vline(x=season, line={"color": colours.accent, "width": 1, "dash": "dash"})
    figure.update_xaxes(type="log")
    figure.update_yaxes(tickformat=".0%", rangemode="tozero")
    figure.update_layout(showlegend=False, hovermode="closest")
    return figure


def values_figure(y: np.ndarray, unit: str) -> go.Figure:
    """How the values are distributed."""
    colours = theme()
    figure = blank(320, unit, "values")
    known = y[np.isfinite(y)]
    count, edges = np.histogram(known, bins=min(60, max(8, int(np.sqrt(len(known))))))
    figure.add_trace(
        go.Bar(
            x=(edges[:-1] + edges[1:]) / 2,
            y=count,
            width=np.diff(edges),
            marker_color=colours.coloured[0],
            name="values",
        )
    )
    figure.update_layout(showlegend=False, hovermode="closest", bargap=0)
    return figure
