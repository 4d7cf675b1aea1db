"""Plotly figures for notebooks; the dashboard has its own."""

import pandas as pd
import plotly.graph_objects as go
from plotly.colors import qualitative

from forecasting.experiment import BadInput

COLOURS = qualitative.Safe
SEEN_PER_STEP = 8
"""Steps of the past that are drawn for each step ahead."""


def of_backtest(frame: pd.DataFrame, unique_id: str | None = None) -> go.Figure:
    """Truth and forecasts of one series, `unique_id, ds, cutoff, y, <model>…`; each model is one entry of the legend."""
    one = _one(frame, unique_id)
    truth = one.drop_duplicates("ds").sort_values("ds")
    figure = go.Figure(go.Scatter(x=truth["ds"], y=truth["y"], name="truth", line={"color": "black"}))
    models = [name for name in one.columns if name not in ("unique_id", "ds", "cutoff", "y")]
    for k, model in enumerate(models):
        for i, (_, part) in enumerate(one.groupby("cutoff")):
            line = {"color": COLOURS[k % len(COLOURS)], "width": 1.5}
            figure.add_scatter(x=part["ds"], y=part[model], name=model, legendgroup=model, showlegend=i == 0, line=line)
    return _titled(figure, one)


def of_forecast(history: pd.DataFrame, frame: pd.DataFrame, unique_id: str | None = None) -> go.Figure:
    """The end of one series and its forecasts, with the widest interval of each as a band.

    Args:
        history: the series, `unique_id, ds, y`.
        frame: their forecasts and intervals, as in `ForecastResult.frame`.
        unique_id: which series; None: the first.

    Raises:
        BadInput: when there is no such series.
    """
    ahead = _one(frame, unique_id)
    past = _one(history, ahead["unique_id"].iloc[0]).tail(SEEN_PER_STEP * len(ahead))
    figure = go.Figure(go.Scatter(x=past["ds"], y=past["y"], name="past", line={"color": "black"}))
    models = [name for name in ahead.columns[2:] if "-lo-" not in name and "-hi-" not in name]
    for k, model in enumerate(models):
        colour = COLOURS[k % len(COLOURS)]
        lows = [name for name in ahead.columns if name.startswith(f"{model}-lo-")]
        for low in lows[-1:]:
            ends = pd.concat([ahead[low], ahead[low.replace("-lo-", "-hi-")][::-1]])
            times = pd.concat([ahead["ds"], ahead["ds"][::-1]])
            level = low.rpartition("-")[2]
            figure.add_scatter(
                x=times, y=ends, fill="toself", line={"width": 0}, fillcolor=colour, opacity=0.25, name=f"{model}, {level} %"
            )
        figure.add_scatter(x=ahead["ds"], y=ahead[model], name=model, line={"color": colour})
    return _titled(figure, ahead)


def _one(frame: pd.DataFrame, unique_id: str | None) -> pd.DataFrame:
    wanted = frame["unique_id"].iloc[0] if unique_id is None else unique_id
    one = frame[frame["unique_id"] == wanted]
    if one.empty:
        raise BadInput(f"There is no series {wanted!r:.60}.")
    return one


def _titled(figure: go.Figure, one: pd.DataFrame) -> go.Figure:
    return figure.update_layout(title=str(one["unique_id"].iloc[0]), template="plotly_white", yaxis_title="y")
