"""Scores of a backtest: over cutoffs, series and steps ahead; a truth that is missing counts nowhere.

All take truth and forecasts of the shape `(n_cutoffs, n_series, h)`. Where a score is not defined it is NaN, never 0.
"""

import warnings

import numpy as np

METRICS = ("mse", "rmse", "mae", "smape", "mase", "rmsse", "bias")


def scales(history: np.ndarray, season_length: int) -> tuple[float, float]:
    """The mean absolute and the mean squared error of seasonal naive within a history (Hyndman and Koehler, 2006); NaN where
    it is too short or never changes. Pairs of which a value is missing, NaN, count nowhere."""
    lag = season_length if len(history) > season_length else 1
    steps = history[lag:] - history[:-lag]
    steps = steps[np.isfinite(steps)]
    if not len(steps) or not np.abs(steps).max() > 0:
        return np.nan, np.nan
    return float(np.abs(steps).mean()), float(np.square(steps).mean())


def score(y: np.ndarray, y_hat: np.ndarray, scale: np.ndarray) -> dict[str, float]:
    """All metrics of a model.

    MASE, RMSSE, sMAPE and RMSE are taken per series and cutoff, and then the mean over them, as utilsforecast does; sMAPE
    lies between 0 and 1.

    Args:
        y, y_hat: truth and forecasts, `(n_cutoffs, n_series, h)`.
        scale: what `scales` gives for each history, `(n_cutoffs, n_series, 2)`.
    """
    error = y_hat - y
    with np.errstate(divide="ignore", invalid="ignore"), warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)  # of means over nothing, which are NaN as they should be
        squared, absolute = np.nanmean(np.square(error), axis=2), np.nanmean(np.abs(error), axis=2)
        total = np.abs(y) + np.abs(y_hat)
        relative = np.where(total > 0, np.abs(error) / total, np.where(np.isnan(error), np.nan, 0.0))
        return {
            "mse": float(np.nanmean(squared)),
            "rmse": float(np.nanmean(np.sqrt(squared))),
            "mae": float(np.nanmean(absolute)),
            "smape": float(np.nanmean(np.nanmean(relative, axis=2))),
            "mase": float(np.nanmean(absolute / scale[:, :, 0])),
            "rmsse": float(np.nanmean(np.sqrt(squared / scale[:, :, 1]))),
            "bias": float(np.nanmean(np.nanmean(error, axis=2))),
        }
