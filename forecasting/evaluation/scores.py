"""Scores of forecasts. All take `y` and `y_hat` of shape `(n_windows, n_outputs)`, in the series' units."""

import numpy as np


def squared_errors(y: np.ndarray, y_hat: np.ndarray) -> np.ndarray:
    """Squared errors, float64, of the same shape; units squared.

    Raises:
        ValueError: when the shapes differ, which broadcasting would hide.
    """
    if y.shape != y_hat.shape:
        raise ValueError(f"Targets have shape {y.shape} and forecasts {y_hat.shape}: they must be the same.")
    return np.square(np.asarray(y_hat, "float64") - np.asarray(y, "float64"))


def mse(y: np.ndarray, y_hat: np.ndarray) -> float:
    """Mean squared error over windows and steps; units squared."""
    return float(squared_errors(y, y_hat).mean())


def mse_per_output(y: np.ndarray, y_hat: np.ndarray) -> list[float]:
    """Mean squared error of each value of a forecast, over the windows; units squared."""
    return [float(value) for value in squared_errors(y, y_hat).mean(axis=0)]


def skill(score: float, naive: float) -> float | None:
    """Share of the naive error that a model takes away: 1 is perfect, 0 as good as naive, below 0 worse.

    Undefined, and so None, where naive makes no error.
    """
    return None if naive == 0 else 1 - score / naive
