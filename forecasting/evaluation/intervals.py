"""Split conformal prediction intervals (Vovk et al., 2005), for every model alike."""

from dataclasses import dataclass
from functools import cached_property

import numpy as np

LIKE_A_WALK = 5
"""Errors per step ahead that the growth of a random walk's weighs as much as: with few errors, intervals grow like it."""
LIKE_ALL = 20
"""Errors of a series that the size of all series' weighs as much as: with few errors, a series is like the others."""


@dataclass(frozen=True)
class Conformal:
    """The calibration of split conformal intervals on past errors.

    Errors are divided by the scale of their series and by how large they are at their step ahead, and pooled over all of
    them; a series whose errors were larger than the others' has wider intervals.

    Attributes:
        relative: |error| / scale, `(n_cutoffs, n_series, h)`; NaN where the truth is missing.
        scale: of each series, for what comes, `(n_series,)`.
    """

    relative: np.ndarray
    scale: np.ndarray

    @classmethod
    def learn(cls, error: np.ndarray, scale_then: np.ndarray, scale_now: np.ndarray) -> "Conformal":
        """Calibrate on the errors of past forecasts.

        They are divided by the geometric mean of the scale at their time and of now's: early ones are known from few values,
        and what has grown had smaller errors.

        Args:
            error: `(n_cutoffs, n_series, h)`; NaN where the truth is missing.
            scale_then: of each series at each cutoff, `(n_cutoffs, n_series)`.
            scale_now: of each series, `(n_series,)`; where a scale is NaN or 0, the mean of the others counts.
        """
        now = _whole(scale_now)
        then = np.where(np.isfinite(scale_then) & (scale_then > 0), scale_then, now[None])
        return cls(np.abs(error) / np.sqrt(then * now[None])[:, :, None], now)

    @cached_property
    def known(self) -> np.ndarray:
        """Which errors there are, `(n_cutoffs, n_series, h)`."""
        return np.isfinite(self.relative)

    @property
    def n_scores(self) -> int:
        """How many errors there are."""
        return int(self.known.sum())

    @property
    def n_histories(self) -> int:
        """How many forecasts of one series from one cutoff there are: errors of the same one are no independent ones."""
        return int(self.known.any(axis=2).sum())

    def by_step(self, level: float) -> np.ndarray:
        """How large errors are at each step ahead, `(h,)`, never smaller than at the step before: their quantile, drawn to
        what it would be if they grew like those of a random walk, with the root of the step.

        Args:
            level: in percent.
        """
        walk = np.sqrt(np.arange(1, self.relative.shape[2] + 1))
        if not self.n_scores:
            return walk
        usual = np.quantile((self.relative / walk)[self.known], level / 100) * walk
        n = self.known.sum(axis=(0, 1))
        steps = (self.relative[:, :, k][self.known[:, :, k]] for k in range(len(walk)))
        found = np.array([np.quantile(step, level / 100) if len(step) else 0.0 for step in steps])
        mean = np.sqrt((LIKE_A_WALK * usual**2 + n * found**2) / (LIKE_A_WALK + n))
        return np.maximum(np.maximum.accumulate(mean), 1e-12)

    def half_width(self, level: float) -> np.ndarray:
        """Half the width of the intervals, `(n_series, h)`.

        Of n scores it takes the one at place ⌈(n + 1) level⌉, so that a further one lies below it with that probability.
        With m histories it is widened as the quantile of Student's t with 2 m degrees of freedom is wider than the normal
        one: of few, the largest error is not large enough.

        Args:
            level: in percent.
        """
        from scipy.stats import norm, t

        n = self.n_scores
        if not n:
            return np.full((self.relative.shape[1], self.relative.shape[2]), np.nan)
        by_step, chance = self.by_step(level), (1 + level / 100) / 2
        own, others = self._own_size(self.relative / by_step)
        scores = np.sort((self.relative / by_step / others[:, :, None])[self.known])
        quantile = scores[min(n, int(np.ceil((n + 1) * level / 100))) - 1]
        few = t.ppf(chance, 2 * self.n_histories) / norm.ppf(chance)
        return self.scale[:, None] * own[:, None] * by_step[None] * quantile * few

    def _own_size(self, relative: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """The size of each series' errors, `(n_series,)`, and as it is without those of each cutoff, by which these are
        judged, `(n_cutoffs, n_series)`; both drawn to the size of all, and 1 where there is nothing to tell apart."""
        squares, n = np.where(self.known, relative, 0.0) ** 2, self.known.sum(axis=2)
        if relative.shape[1] == 1 or not squares.any():
            return np.ones(relative.shape[1]), np.ones(relative.shape[:2])
        usual, by_cutoff = LIKE_ALL * squares.sum() / self.n_scores, squares.sum(axis=2)
        own = np.sqrt((usual + by_cutoff.sum(axis=0)) / (LIKE_ALL + n.sum(axis=0)))
        if len(relative) == 1:
            alike = np.full(relative.shape[1], np.sqrt(usual / LIKE_ALL))
            return alike, alike[None]
        others = (usual + by_cutoff.sum(axis=0) - by_cutoff) / (LIKE_ALL + n.sum(axis=0) - n)
        return own, np.sqrt(others)


def _whole(scale: np.ndarray) -> np.ndarray:
    known = np.isfinite(scale) & (scale > 0)
    return np.where(known, scale, scale[known].mean() if known.any() else 1.0)


def coverage(y: np.ndarray, low: np.ndarray, high: np.ndarray) -> float:
    """The share of true values within their intervals.

    Args:
        y: truth, NaN where it is missing, `(n_cutoffs, n_series, h)` or `(n_series, h)`.
        low, high: ends of the intervals, of the same shape.
    """
    known = np.isfinite(y)
    return float(((low <= y) & (y <= high))[known].mean()) if known.any() else np.nan


def interval_score(y: np.ndarray, low: np.ndarray, high: np.ndarray, level: float) -> float:
    """The interval score: width, and a penalty for true values outside (Winkler, 1972; Gneiting and Raftery, 2007); lower is
    better.

    Args:
        y, low, high: as in `coverage`.
        level: of the intervals, in percent.
    """
    outside = np.maximum(low - y, 0) + np.maximum(y - high, 0)
    return float(np.nanmean(high - low + np.where(np.isfinite(y), 2 / (1 - level / 100) * outside, np.nan)))
