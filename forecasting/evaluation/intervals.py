"""Split conformal prediction intervals (Vovk et al., 2005), for every model alike."""

from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class Conformal:
    """The calibration of split conformal intervals on past errors.

    Errors are divided by a scale of their series and by their usual size at each step ahead, and pooled over all of them.

    Attributes:
        scores: |error| / (scale · by_step), in ascending order, `(n_scores,)`.
        by_step: their usual size per step ahead, in scales of the series, which never shrinks with the horizon, `(h,)`.
        scale: of each series, `(n_series,)`.
    """

    scores: np.ndarray
    by_step: np.ndarray
    scale: np.ndarray

    @classmethod
    def learn(cls, error: np.ndarray, scale: np.ndarray) -> "Conformal":
        """Calibrate on the errors of past forecasts.

        Args:
            error: `(n_cutoffs, n_series, h)`; NaN where the truth is missing.
            scale: of each series, `(n_series,)`; where it is NaN, the mean of the others counts.
        """
        usual = np.nanmean(scale) if np.isfinite(scale).any() else 1.0
        whole = np.where(np.isfinite(scale) & (scale > 0), scale, usual)
        relative = np.abs(error) / whole[None, :, None]
        by_step = np.sqrt(np.nanmean(np.square(relative), axis=(0, 1)))
        by_step = np.maximum.accumulate(np.where(np.isfinite(by_step), by_step, 0.0))
        scores = (relative / np.maximum(by_step, 1e-12)).ravel()
        return cls(np.sort(scores[np.isfinite(scores)]), by_step, whole)

    def half_width(self, level: float) -> np.ndarray:
        """Half the width of the intervals, `(n_series, h)`.

        Of n scores it takes the one at place ⌈(n + 1) level⌉, so that a further one lies below it with that probability;
        with too few of them for the level, the largest.

        Args:
            level: in percent.
        """
        n = len(self.scores)
        place = min(n, int(np.ceil((n + 1) * level / 100)))
        return self.scale[:, None] * self.by_step[None] * (self.scores[place - 1] if n else np.nan)


def coverage(y: np.ndarray, y_hat: np.ndarray, half_width: np.ndarray) -> float:
    """The share of true values within their intervals.

    Args:
        y, y_hat: truth, NaN where it is missing, and forecasts, `(n_cutoffs, n_series, h)` or `(n_series, h)`.
        half_width: of the intervals, `(n_series, h)`.
    """
    known = np.isfinite(y)
    return float((np.abs(y - y_hat) <= half_width)[known].mean()) if known.any() else np.nan


def interval_score(y: np.ndarray, y_hat: np.ndarray, half_width: np.ndarray, level: float) -> float:
    """The interval score: width, and a penalty for true values outside (Winkler, 1972; Gneiting and Raftery, 2007); lower is
    better.

    Args:
        y, y_hat, half_width: as in `coverage`.
        level: of the intervals, in percent.
    """
    outside = np.maximum(np.abs(y - y_hat) - half_width, 0)
    return float(np.nanmean(2 * half_width + np.where(np.isfinite(y), 2 / (1 - level / 100) * outside, np.nan)))
