"""A look at a series before anything is forecast: trend and season, autocorrelation, spectrum, and the season it proposes.

All take evenly spaced values; missing ones lie on a line between their neighbours.
"""

from dataclasses import dataclass

import numpy as np
import pandas as pd

PEAKS = 5
"""Highest peaks of the spectrum that are looked at for a season."""
CLEAR = 0.2
"""Autocorrelation from which a season is proposed."""
ALMOST = 0.9
"""Of the highest autocorrelation, what a shorter season must have to be preferred."""


@dataclass(frozen=True)
class Decomposition:
    """Parts that add up to the series, each `(n,)`."""

    trend: np.ndarray
    season: np.ndarray
    rest: np.ndarray


def whole(y: np.ndarray) -> np.ndarray:
    """The values without gaps, `(n,)`."""
    return pd.Series(y, dtype="float64").interpolate(limit_direction="both").to_numpy()


def decomposition(y: np.ndarray, season_length: int) -> Decomposition:
    """Trend, season and rest by STL (Cleveland et al., 1990), robust; without two whole seasons, a trend alone.

    Args:
        y: `(n,)`.
        season_length: steps; 1 for none.
    """
    y = whole(y)
    if season_length < 2 or len(y) < 2 * season_length:
        window = max(3, len(y) // 10) | 1
        trend = pd.Series(y).rolling(window, center=True, min_periods=1).mean().to_numpy()
        return Decomposition(trend, np.zeros_like(y), y - trend)
    from statsmodels.tsa.seasonal import STL

    found = STL(y, period=season_length, robust=True).fit()
    return Decomposition(found.trend, found.seasonal, found.resid)


def autocorrelation(y: np.ndarray, n_lags: int) -> np.ndarray:
    """The correlation of a series with itself so many steps earlier, for 0, 1, … `n_lags`; NaN where it never changes.

    By the sample autocovariance (Brockwell and Davis, 1991, definition 1.4.4), through a Fourier transform.
    """
    centred = whole(y) - np.mean(whole(y))
    n = len(centred)
    power = np.abs(np.fft.rfft(centred, 2 * n)) ** 2
    covariance = np.fft.irfft(power)[: min(n_lags, n - 1) + 1]
    with np.errstate(invalid="ignore", divide="ignore"):
        return covariance / covariance[0] if covariance[0] > 1e-12 * n else np.full(len(covariance), np.nan)


def spectrum(y: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Periods in steps, the longest first, and how much of the variance around a straight line each holds."""
    from scipy.signal import periodogram

    values = whole(y)
    frequency, power = periodogram(values, detrend="linear")
    share = power[1:] / power[1:].sum() if np.ptp(values) > 0 else np.zeros(len(power) - 1)
    return 1 / frequency[1:], share


def proposed_season(y: np.ndarray) -> int:
    """The season that the series itself shows, in steps; 1 where it shows none.

    Of the highest peaks of the spectrum, the one whose lag has the highest autocorrelation once the trend is taken out, or
    nearly so: what repeats every 24 steps also repeats every 48.
    """
    y = whole(y)
    n = len(y)
    periods, share = spectrum(y)
    inner = np.flatnonzero((periods >= 2) & (periods <= n / 3))
    if not len(inner):
        return 1
    highest = inner[np.argsort(share[inner])[::-1][:PEAKS]]
    longest = int(periods[highest].max()) + 1
    trend = pd.Series(y).rolling(min(n, 2 * longest + 1), center=True, min_periods=1).mean().to_numpy()
    correlation = autocorrelation(y - trend, n // 2)
    near = {lag for i in highest for lag in (round(periods[i]) + d for d in (-1, 0, 1)) if 2 <= lag < len(correlation) - 1}
    peaks = [lag for lag in sorted(near) if correlation[lag] >= max(CLEAR, correlation[lag - 1], correlation[lag + 1])]
    clearest = max((correlation[lag] for lag in peaks), default=0.0)
    return next((lag for lag in peaks if correlation[lag] >= ALMOST * clearest), 1)
