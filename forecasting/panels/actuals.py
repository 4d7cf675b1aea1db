"""A forecast beside the values that came: its errors, and how often its intervals held."""

import re
from dataclasses import dataclass

import numpy as np
import pandas as pd

from forecasting.evaluation.metrics import score
from forecasting.experiment import BadInput

BOUND = re.compile(r"(?P<model>.+)-(?P<side>lo|hi)-(?P<level>\d+(\.\d+)?)")
"""The name of a column that holds one end of a model's intervals."""
SHOWN = ("mae", "rmse", "smape", "bias")


@dataclass(frozen=True)
class AgainstActuals:
    """A forecast beside the values that came.

    Attributes:
        frame: the rows of the forecast whose value has come: `unique_id, ds, y`, and the columns of the forecast.
        scores: a row per model: `model`; how many values it is judged on, `n`; `mae`, `rmse` and `bias` in units, `smape`
            (0 to 1); and per level the share of values within the interval, `covered-80`.
    """

    frame: pd.DataFrame
    scores: pd.DataFrame


def against_actuals(forecast: pd.DataFrame, actuals: pd.DataFrame) -> AgainstActuals:
    """Hold a forecast against what came.

    Args:
        forecast: `unique_id, ds`, and per model a column and those of its intervals, as `forecast` makes it.
        actuals: `unique_id, ds, y`. Where both hold one series alone, it may have another name.

    Raises:
        BadInput: when a frame has other columns, or no value of the forecast's times has come.
    """
    for name, frame, needed in (("forecast", forecast, ("unique_id", "ds")), ("file", actuals, ("unique_id", "ds", "y"))):
        if lacking := [column for column in needed if column not in frame]:
            raise BadInput(f"The {name} has no column {lacking[0]!r}; it has {list(frame)!s:.200}.")
    y = actuals[["unique_id", "ds", "y"]].astype({"unique_id": str})
    made = forecast.astype({"unique_id": str})
    if y["unique_id"].nunique() == made["unique_id"].nunique() == 1:
        y["unique_id"] = made["unique_id"].iloc[0]
    frame = made.merge(y, on=["unique_id", "ds"], how="left")
    frame.insert(2, "y", frame.pop("y"))
    if not frame["y"].notna().any():
        raise BadInput(
            f"Nothing that was forecast has come yet: the forecast begins at {made['ds'].min()}, and the last value of the "
            f"file is of {y.loc[y['y'].notna(), 'ds'].max()}."
        )
    return AgainstActuals(frame[frame["y"].notna()].reset_index(drop=True), _scores(frame))


def _scores(frame: pd.DataFrame) -> pd.DataFrame:
    columns = list(frame.columns[3:])
    bounds = [found for column in columns if (found := BOUND.fullmatch(column)) and found["model"] in columns]
    ends = {found.string for found in bounds}
    levels = sorted({found["level"] for found in bounds}, key=float)
    y, lines = _grid(frame, "y"), []
    for model in (column for column in columns if column not in ends):
        scores = score(y, _grid(frame, model), np.full((*y.shape[:2], 2), np.nan))
        known = np.isfinite(y) & np.isfinite(_grid(frame, model))
        line = {"model": model, "n": int(known.sum())} | {name: scores[name] for name in SHOWN}
        for level in levels:
            low, high = (f"{model}-{side}-{level}" for side in ("lo", "hi"))
            if {low, high} <= ends:
                held = (_grid(frame, low) <= y) & (y <= _grid(frame, high))
                line[f"covered-{level}"] = float(held[known].mean()) if known.any() else np.nan
        lines.append(line)
    return pd.DataFrame(lines).sort_values("mae", ignore_index=True)


def _grid(frame: pd.DataFrame, column: str) -> np.ndarray:
    """A column by series and step ahead, `(1, n_series, h)`; NaN where a series has fewer steps."""
    ids, step = pd.factorize(frame["unique_id"])[0], frame.groupby("unique_id", sort=False).cumcount().to_numpy()
    grid = np.full((1, ids.max() + 1, step.max() + 1), np.nan)
    grid[0, ids, step] = frame[column].to_numpy("float64")
    return grid
