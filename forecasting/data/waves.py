"""Synthetic series: sums of two sine waves with noise, after the chapter, with a trend and a season if wanted."""

import numpy as np

from forecasting.experiment import Waves

EXAMPLES: dict[str, tuple[str, dict, dict]] = {
    "chapter_ten": ("The chapter's ten steps ahead", {}, {"input_size": 50, "target": "all_h", "h": 10}),
    "users": (
        "Hourly users, growing 10 % a month",
        {
            "n_series": 2_000,
            "level": 3.0,
            "amplitude_1": 0.3,
            "amplitude_2": 0.1,
            "trend": "exponential",
            "trend_change": 0.1,
            "trend_every": 730,
            "season": "multiplicative",
            "season_amplitude": 0.4,
            "season_length": 24,
        },
        {"input_size": 96, "target": "all_h", "h": 24},
    ),
    "sunscreen": (
        "Sunscreen sold per month",
        {
            "n_series": 3_000,
            "level": 2.0,
            "amplitude_1": 0.2,
            "amplitude_2": 0.1,
            "noise_width": 0.2,
            "season": "multiplicative",
            "season_amplitude": 0.8,
            "season_length": 12,
        },
        {"input_size": 48, "target": "all_h", "h": 12},
    ),
}
"""Presets: key → (title, what differs from the chapter in the source, in the task)."""


def noise_floor(waves: Waves) -> float:
    """Return the variance of the noise, width² / 12: no model's expected MSE is lower, at any step ahead."""
    return waves.noise_width**2 / 12


def generate(waves: Waves, n_steps: int, earlier: int = 0) -> np.ndarray:
    """Make the series.

    Per series two frequencies and two phases are drawn uniformly; time runs over [0, 1] on an even grid of `n_steps`
    points, both ends included. Level and waves come first, then trend, then season, then noise, so that the noise floor
    holds with every combination.

    Args:
        waves: the settings.
        n_steps: points of the grid.
        earlier: so many steps are put before the grid, on the same spacing; the values on the grid stay the same.

    Returns:
        Values of shape `(n_series, earlier + n_steps)`, float64.
    """
    rng = np.random.default_rng(waves.seed)
    n = waves.n_series
    f1, f2, o1, o2 = rng.random((4, n, 1))
    noise = rng.random((n, n_steps))
    shift = rng.random((n, 1))
    if earlier:
        noise = np.concatenate([rng.random((n, earlier)), noise], axis=1)
    step = np.arange(-earlier, n_steps)
    values = waves.level + _wave(waves.amplitude_1, waves.frequency_1, f1, o1, step / (n_steps - 1))
    values += _wave(waves.amplitude_2, waves.frequency_2, f2, o2, step / (n_steps - 1))
    if waves.trend == "linear":
        values += waves.trend_change * step / waves.trend_every
    elif waves.trend == "exponential":
        values *= (1 + waves.trend_change) ** (step / waves.trend_every)
    if waves.season != "none":
        season = waves.season_amplitude * np.sin(2 * np.pi * (step / waves.season_length + shift))
        values = values + season if waves.season == "additive" else values * (1 + season)
    noise -= 0.5
    noise *= waves.noise_width
    return values + noise


def _wave(
    amplitude: float, frequency: tuple[float, float], draw: np.ndarray, phase: np.ndarray, t: np.ndarray
) -> np.ndarray:
    low, high = frequency
    values = t - phase
    values *= low + (high - low) * draw
    np.sin(values, out=values)
    values *= amplitude
    return values
